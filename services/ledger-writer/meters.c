/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meters: the table of ledger-writer's metrics. The order is that of enum
 * ledger_meter.
 */
#include "meters.h"

static const int64_t batch_sizes[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000,
	2000, 5000, 10000, 20000, 0};

const struct ch_metric_desc ledger_metrics[] = {
	[LM_RECORDS] = {.name = "ledger_records_total",
		.type = CH_COUNTER, .labels = {"topic"},
		.help = "Records read from Kafka, those read again included."},
	[LM_RESULTS] = {.name = "ledger_results_total",
		.type = CH_COUNTER, .labels = {"status"},
		.help = "Answers stored, by status."},
	[LM_TRADES] = {.name = "ledger_trades_total",
		.type = CH_COUNTER, .labels = {"result"},
		.help = "Trades: stored, known, rejected, expired."},
	[LM_BATCHES] = {.name = "ledger_batches_total",
		.type = CH_COUNTER, .labels = {"kind"},
		.help = "Transactions committed: commands, sweep, settlement, "
			"trades, parked."},
	[LM_BATCH_RECORDS] = {.name = "ledger_batch_records",
		.type = CH_HISTOGRAM, .buckets = batch_sizes,
		.help = "Records in one committed transaction."},
	[LM_PHASE] = {.name = "ledger_phase_seconds",
		.type = CH_HISTOGRAM, .unit = CH_UNIT_SECONDS,
		.labels = {"phase"},
		.help = "Time of each phase of a batch: poll, names, lock, "
			"decide, write, commit."},
	[LM_RETRIES] = {.name = "ledger_retries_total",
		.type = CH_COUNTER, .labels = {"reason"},
		.help = "Batches rolled back and tried again, by reason."},
	[LM_CLAIMS] = {.name = "ledger_partition_claims_total",
		.type = CH_COUNTER,
		.help = "Epochs raised: partitions taken or taken again."},
	[LM_FENCED] = {.name = "ledger_fenced_total",
		.type = CH_COUNTER,
		.help = "Batches whose fence found another owner."},
	[LM_IN_DOUBT] = {.name = "ledger_commits_in_doubt_total",
		.type = CH_COUNTER, .labels = {"outcome"},
		.help = "Commits whose answer was lost, settled by reading "
			"back: committed, lost."},
	[LM_POISON] = {.name = "ledger_poison_total",
		.type = CH_COUNTER,
		.help = "Commands parked because PostgreSQL refused them "
			"alone, twice."},
	[LM_SET_ASIDE] = {.name = "ledger_set_aside",
		.type = CH_GAUGE, .labels = {"kind"},
		.help = "Holds, reservations and settlements of markets that "
			"wait because PostgreSQL refused them alone, twice."},
	[LM_TIMERS] = {.name = "ledger_timers_total",
		.type = CH_COUNTER, .help = "Rows that nobody sent: holds and reservations that "
			"expired, pages of settlements."},
	[LM_STOPPED] = {.name = "ledger_partitions_stopped",
		.type = CH_GAUGE,
		.help = "Partitions stopped because their log is not the one "
			"that the offsets belong to."},
	[LM_OWNED] = {.name = "ledger_partitions_owned",
		.type = CH_GAUGE, .help = "Partitions claimed."},
	[LM_PENDING] = {.name = "ledger_pending_records",
		.type = CH_GAUGE, .help = "Records read and not committed."},
	[LM_LAG] = {.name = "ledger_lag_records",
		.type = CH_GAUGE, .labels = {"topic", "partition"},
		.max_series = 1024,
		.help = "Records behind the end of the log."},
	[LM_LAG_SECONDS] = {.name = "ledger_oldest_pending_seconds",
		.type = CH_GAUGE, .unit = CH_UNIT_SECONDS,
		.help = "Age of the oldest record that is not committed, at "
			"least: of one in hand its own, of one in Kafka since "
			"its partition was seen to stand still."},
	[LM_LAST_DECIDED] = {.name = "ledger_last_decided_timestamp_seconds",
		.type = CH_GAUGE, .unit = CH_UNIT_SECONDS,
		.help = "Time of the last batch that committed."},
	[LM_CLOCK_OFFSET] = {.name = "ledger_clock_offset_seconds",
		.type = CH_GAUGE, .unit = CH_UNIT_SECONDS,
		.help = "Clock less PostgreSQL's; none while that is away."},
	[LM_MISROUTED] = {.name = "ledger_misrouted_records_total",
		.type = CH_COUNTER,
		.help = "Records whose key belongs to another partition."},
	[LM_HOLES] = {.name = "ledger_offset_holes_total",
		.type = CH_COUNTER,
		.help = "Records whose offset was not the next one: "
			"compaction and transactions leave such holes, "
			"nothing else may."},
	[LM_REOPENED] = {.name = "ledger_consumer_reopened_total",
		.type = CH_COUNTER,
		.help = "Kafka consumers made anew because the static member "
			"was fenced."},
	[LM_PARTITIONS_MADE] = {.name = "ledger_table_partitions_made_total",
		.type = CH_COUNTER,
		.help = "Days' partitions that were missing and were made."},
	[LM_BLOCKERS_ENDED] = {.name = "ledger_backends_ended_total",
		.type = CH_COUNTER,
		.help = "Backends of stopped writers that were terminated."},
	[LM_HEALTH_FAULTS] = {.name = "ledger_health_faults",
		.type = CH_GAUGE,
		.help = "Checks of ch.health() that are past their threshold; "
			"the log and psql say which, and what to do."},
	[LM_HEALTH_OK] = {.name = "ledger_health_ok",
		.type = CH_GAUGE, .labels = {"check", "table"},
		.max_series = 256,
		.help = "1: the check of ch.health() is within its threshold, "
			"which lives there."},
	[LM_SNAPSHOT_AGE] = {.name = "ledger_oldest_snapshot_seconds",
		.type = CH_GAUGE, .unit = CH_UNIT_SECONDS,
		.help = "Age of the oldest snapshot: it keeps dead versions of "
			"hot rows from being removed."},
	[LM_LOCK_WAIT] = {.name = "ledger_lock_wait_seconds",
		.type = CH_GAUGE, .unit = CH_UNIT_SECONDS,
		.help = "Longest wait for a lock at the last look."},
	[LM_HOT_RATIO] = {.name = "ledger_hot_update_ratio",
		.type = CH_GAUGE, .unit = CH_UNIT_RATIO, .labels = {"table"},
		.help = "Updates that needed no new index entry."},
	[LM_DEAD_ROWS] = {.name = "ledger_dead_rows",
		.type = CH_GAUGE, .labels = {"table"},
		.help = "Dead row versions of a hot table."},
	[LM_SEQ_SCANS] = {.name = "ledger_sequential_scans",
		.type = CH_GAUGE, .labels = {"table"},
		.help = "Sequential scans a second of a hot table since the "
			"look before; 0 below 10,000 rows."},
	[LM_MISSING_PARTITIONS] = {.name = "ledger_missing_table_partitions",
		.type = CH_GAUGE, .labels = {"table"},
		.help = "Partitions of today and tomorrow that are missing."},
	[LM_BOOKS_SNAPSHOT_AGE] = {.name = "ledger_books_snapshot_seconds",
		.type = CH_GAUGE,
		.unit = CH_UNIT_SECONDS,
		.help = "Age of the newest verified snapshot of the books."},
	[LM_OVERDUE_DAYS] = {.name = "ledger_overdue_days",
		.type = CH_GAUGE,
		.labels = {"table"},
		.help = "Days of a table that should have been dropped two "
			"days ago or earlier."},
	{.name = NULL}};
