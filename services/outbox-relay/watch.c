/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch: what operators see.
 *
 * Ready means that rows arrive: a leader is not ready while the oldest
 * undelivered commit is older than ready_delay, while it has no source, or
 * while the slot keeps too much WAL. A standby is ready as a standby, once it
 * knows that it is one: before that it may be about to lead, or be refused.
 */
#include "watch.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "outbox_relay_sql.h"

#define PATIENCE_MS 20
#define SLOT_MS 5000

static const struct ch_pg_stmt slot_stmt = {
	"relay_slot", outbox_relay_sql_slot_state};
static const struct ch_pg_stmt open_stmt = {
	"relay_letters_open", outbox_relay_sql_letters_open};

static int64_t
oldest_us(const struct relay *r)
{
	struct ch_time at;

	if (!inflight_oldest(r->inflight, &at) || at.us > r->wall.us)
		return 0;
	return r->wall.us - at.us;
}

/* ---- breakers ---- */

/* A client that was just made has not heard a broker yet. */
#define AWAY_MS 2000

struct opened {
	int64_t count, out;	   /* out: outages and quotas among them */
	const struct topic *first; /* of those, if there are any */
};

/* Topics whose breaker is not closed. label NULL: of any. */
static struct opened
opened_of(const struct relay *r, const char *label)
{
	const struct topic *t = NULL;
	struct opened o = {0, 0, NULL};
	bool out;

	while ((t = topics_next(sink_kafka_topics(r->sink), t)) != NULL) {
		if (!target_is_open(&t->target) ||
			(label != NULL && strcmp(label, t->route->label) != 0))
			continue;
		out = t->target.cause != FAILURE_PERMANENT;
		if (o.first == NULL || (out && o.out == 0))
			o.first = t;
		o.count++;
		o.out += out;
	}
	return o;
}

static bool
kafka_is_away(const struct relay *r)
{
	struct ch_mono since;

	return sink_kafka_away(r->sink, &since) &&
		ch_mono_ms_since(r->now, since) >= AWAY_MS;
}

static void
publish_breakers(struct relay *r)
{
	struct opened all = opened_of(r, NULL);
	const char *label;
	int i;

	ch_series_set(r->kafka_open, kafka_is_away(r));
	if (all.count == 0 && !r->told_open)
		return;
	r->told_open = all.count > 0;
	for (i = 0; i < r->series_count; i++) {
		label = r->series[i].label;
		if (label != NULL)
			ch_series_set(r->series[i].open,
				opened_of(r, label).count);
	}
}

static const char give_back[] =
	"; give the right back: after denied_wait rows are parked";

static bool
ready_breaker(const struct relay *r, struct ch_buf *verbose)
{
	struct opened all = opened_of(r, NULL);
	char why[CH_ERR_TEXT_MAX + sizeof(give_back)];

	if (all.count == 0)
		return ch_ready_line(verbose, "breaker", true, "");
	(void)snprintf(why, sizeof(why),
		"%" PRId64 " topics take nothing now; %s for %" PRId64
		" s: %s (%s%s)",
		all.count, all.first->route->name,
		ch_mono_ms_since(r->now, all.first->target.since) / 1000,
		all.first->target.why, failure_name(all.first->target.cause),
		all.first->target.cause == FAILURE_DENIED ? give_back : "");
	if (all.out > 0)
		return ch_ready_line(verbose, "breaker", false, why);
	/* its rows are parked, not held up: seen, and no reason to be away */
	ch_buf_printf(verbose, "[+]breaker %s\n", why);
	return true;
}

/* It is another relay's, or is not there: what it was like is no figure. */
static void
forget_slot(struct relay *r)
{
	r->slot_active = false;
	r->retained_bytes = 0;
	ch_metric_set(r->rt->metrics, RELAY_SLOT_RETAINED, 0);
	ch_metric_set(r->rt->metrics, RELAY_SLOT_LAG, 0);
	ch_metric_set(r->rt->metrics, RELAY_SLOT_ACTIVE, 0);
}

void
watch_publish(struct relay *r)
{
	struct ch_metrics *m = r->rt->metrics;
	int state = ch_sm_state(&r->state);

	ch_metric_set(m, RELAY_IN_FLIGHT,
		(int64_t)inflight_events(r->inflight));
	ch_metric_set(m, RELAY_IN_FLIGHT_BYTES,
		(int64_t)inflight_bytes(r->inflight));
	ch_metric_set(m, RELAY_OLDEST, oldest_us(r));
	ch_metric_set(m, RELAY_BLOCKED_KEYS, (int64_t)retry_blocked(r->retry));
	ch_metric_set(m, RELAY_REMEMBERED, (int64_t)retry_remembered(r->retry));
	ch_metric_set(m, RELAY_LEADER, session_is_leader(r));
	ch_metric_set(m, RELAY_SLOT_RETAINED_MAX, r->retained_max);
	if (!session_is_leader(r)) {
		forget_slot(r);
		hook_orphans_forget(&r->orphans);
	}
	ch_metric_set(m, RELAY_SOURCE_POLL, state == RELAY_POLLING);
	ch_metric_set(m, RELAY_PARKED, (int64_t)park_counts(r->park)->letters);
	ch_metric_set(m, RELAY_WAITING, (int64_t)park_counts(r->park)->waiting);
	ch_metric_set(m, RELAY_RELEASED,
		(int64_t)park_counts(r->park)->released);
	ch_metric_set(m, RELAY_REPEATED,
		(int64_t)tail_counts(r->tail)->repeated);
	if (r->queue != NULL) {
		ch_metric_set(m, RELAY_DELETED,
			(int64_t)queue_deleted(r->queue));
		ch_metric_set(m, RELAY_TAKEN, (int64_t)queue_taken(r->queue));
	}
	ch_metric_set(m, RELAY_SHARDS,
		state == RELAY_POLLING && r->queue != NULL
			? (int64_t)session_part(r)->count
			: 0);
	ch_metric_set(m, RELAY_PARTITIONS_MISSING,
		session_is_leader(r) ? r->partitions_missing : 0);
	ch_metric_set(m, RELAY_MISSING_TOPICS,
		topics_missing(sink_kafka_topics(r->sink)));
	ch_metric_set(m, RELAY_HELD_KEYS, (int64_t)retry_held(r->retry));
	ch_metric_set(m, RELAY_THROTTLED,
		(int64_t)sink_kafka_throttled(r->sink));
	publish_breakers(r);
}

static void
read_slot(struct relay *r, const PGresult *res)
{
	struct ch_pg_row row = ch_pg_row(res, 0);
	int64_t lag;

	r->slot_active = ch_pg_next_bool(&row);
	ch_view_copy(ch_pg_next_text(&row), r->slot_status,
		sizeof(r->slot_status));
	r->retained_bytes = ch_pg_next_i64(&row);
	lag = ch_pg_next_i64(&row);
	ch_metric_set(r->rt->metrics, RELAY_SLOT_RETAINED, r->retained_bytes);
	ch_metric_set(r->rt->metrics, RELAY_SLOT_LAG, lag);
	ch_metric_set(r->rt->metrics, RELAY_SLOT_ACTIVE, r->slot_active);
}

/* Who has locked the table, to write it anew, is not waited for. */
static int
count_letters(struct relay *r, struct ch_err *err)
{
	PGresult *res;
	int64_t open;
	int rc = ch_pg_query_patient(r->pg, PATIENCE_MS, &open_stmt, NULL, &res,
		err);

	if (rc != CH_OK)
		return ch_pg_lock_not_had(err) ? CH_OK : rc;
	if (ch_pg_get_i64(res, 0, 0, &open))
		ch_metric_set(r->rt->metrics, RELAY_LETTERS_OPEN, open);
	PQclear(res);
	return CH_OK;
}

int
watch_slot(struct relay *r, struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res;
	int rc;

	if (ch_mono_ms_since(r->now, r->slot_at) < SLOT_MS)
		return CH_OK;
	r->slot_at = r->now;
	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, r->slot);
	rc = ch_pg_query(r->pg, &slot_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	if (PQntuples(res) == 1) {
		read_slot(r, res);
	} else {
		forget_slot(r);
	}
	PQclear(res);
	rc = count_letters(r, err);
	if (rc != CH_OK)
		return rc;
	return hook_orphans_look(&r->orphans, r->pg, r->now, err);
}

static bool
ready_source(const struct relay *r, struct ch_buf *verbose)
{
	int state = ch_sm_state(&r->state);
	char why[CH_ERR_TEXT_MAX];

	(void)snprintf(why, sizeof(why), "%s: %.400s", ch_sm_name(&r->state),
		r->trouble);
	return ch_ready_line(verbose, "source",
		(state == RELAY_STANDBY && r->other_leads) ||
			state == RELAY_TAILING || state == RELAY_POLLING ||
			state == RELAY_SCANNING,
		why);
}

static bool
ready_delivery(const struct relay *r, struct ch_buf *verbose)
{
	char why[160];
	int64_t ms = oldest_us(r) / 1000;

	(void)snprintf(why, sizeof(why),
		"the oldest undelivered commit is "
		"%" PRId64 " ms old (%s, ready_delay is %" PRId64 " ms)",
		ms,
		sink_kafka_reachable(r->sink) ? "Kafka answers"
					      : "Kafka is away",
		r->ready_ms);
	return ch_ready_line(verbose, "delivery", ms <= r->ready_ms, why);
}

static bool
ready_slot(const struct relay *r, struct ch_buf *verbose)
{
	char why[160];
	bool ok = r->retained_max == 0 || r->retained_bytes <= r->retained_max;

	(void)snprintf(why, sizeof(why),
		"the slot keeps %" PRId64 " bytes of WAL "
		"(retained_max is %" PRId64 ")",
		r->retained_bytes, r->retained_max);
	return ch_ready_line(verbose, "slot", ok, why);
}

/* What is no reason to be away, and is said. */
static void
note_table(const struct relay *r, struct ch_buf *verbose)
{
	if (r->no_order)
		ch_buf_printf(verbose, "[+]order %s\n", WATCH_NO_ORDER);
	if (r->queue != NULL && !queue_has_time(r->queue))
		ch_buf_printf(verbose,
			"[+]age rows are aged from their reading: %s has no "
			"timestamptz column \"%s\" (outbox_time)\n",
			r->table, ch_params_str(r->rt->params, "outbox_time"));
}

bool
watch_ready(struct relay *r, struct ch_buf *verbose)
{
	bool ok = ready_source(r, verbose);

	note_table(r, verbose);
	if (!session_is_leader(r))
		return ok;
	/* the result of each, for the verbose answer */
	ok = ch_ready_line(verbose, "kafka", sink_kafka_reachable(r->sink),
		     "no broker answers") &&
		ok;
	ok = ready_breaker(r, verbose) && ok;
	ok = ready_delivery(r, verbose) && ok;
	hook_orphans_note(&r->orphans, verbose);
	if (r->undeleted[0] != '\0')
		ok = ch_ready_line(verbose, "delete", false, r->undeleted);
	if (r->unpublished[0] != '\0')
		ok = ch_ready_line(verbose, "published", false, r->unpublished);
	if (r->horizon.waits_for[0] != '\0')
		ok = ch_ready_line(verbose, "scan", false,
			r->horizon.waits_for);
	return ready_slot(r, verbose) && ok;
}
