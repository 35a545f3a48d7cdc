/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger-writer: applies commands from Kafka to PostgreSQL, exactly once.
 *
 * The way of a command: intake.c (Kafka to a load), apply.c (one transaction a
 * load): names.c, lock.c, then the deciding half (batch.h), write.c, COMMIT.
 * fence.c owns partitions, poison.c finds what PostgreSQL refuses, sweep.c
 * settles what ran out, trades.c stores market.trades; loop.c says when.
 */
#include "daemon/daemon.h"
#include "archive.h"
#include "drop_day.h"
#include "explain.h"
#include "loop.h"
#include "meters.h"
#include "params.h"
#include "replay.h"
#include "snapshot.h"
#include "upkeep.h"

static const struct ch_subcommand subcommands[] = {
	{"explain", "explain <id> [--org=NAME] [--within=1h] [--json]",
		"what became of a command, on one screen", explain_run,
		explain_manual},
	{"snapshot",
		"snapshot [<id>] --actor= --reason= [--verify] [--dry-run]",
		"copies the books, for replays to begin with", snapshot_run,
		snapshot_manual},
	{"archive", "archive --table= --day= --into=DIR --actor= --reason=",
		"one day of a table into one file, its digest recorded",
		archive_run, archive_manual},
	{"drop-day", "drop-day --table= --day= --actor= --reason= [--dry-run]",
		"drops a day that nothing needs, or says what needs it",
		drop_day_run, drop_day_manual},
	{"upkeep", "upkeep --into=DIR --actor= --reason= [--dry-run]",
		"what is to be done each night: snapshot, archives, drops",
		upkeep_run, upkeep_manual},
	{"replay", "replay --into=SCHEMA [--from=SNAPSHOT] [--until=TIME]",
		"rebuilds the books from snapshot and log, and compares",
		replay_run, replay_manual},
	{NULL, NULL, NULL, NULL, NULL}};

int
main(int argc, char **argv)
{
	return ch_daemon_main(argc, argv,
		&(struct ch_daemon){.name = "ledger-writer",
			.summary = "applies ledger.commands to PostgreSQL, "
				   "exactly once",
			.params = ledger_params,
			.metrics = ledger_metrics,
			.admin_port = 9602,
			.check = ledger_params_check,
			.start = loop_start,
			.step = loop_step,
			.ready = loop_ready,
			.stop = loop_stop,
			.subcommands = subcommands,
			.watchdog_ms = 60000});
}
