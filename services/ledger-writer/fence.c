/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fence: claims, and what stops a partition.
 *
 * Failure: PostgreSQL or Kafka away: the partition stays wanted and is tried
 * again with backoff; records wait in Kafka.
 */
#include "fence.h"

#include <inttypes.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "io/kafka_group.h"
#include "io/kafka_topic.h"
#include "alert.h"
#include "ledger_writer_sql.h"
#include "log_match.h"
#include "meters.h"

#define BLOCKED_MS 2000 /* a claim that waits longer ends who it waits for */
#define KAFKA_ASK_MS 3000
#define JITTER_MS 200
#define DESCRIBED_MS 3000 /* how long a topic's description is good */

static const struct ch_pg_stmt claim_stmt = {
	"claim_partition", ledger_writer_sql_claim_partition};
static const struct ch_pg_stmt add_stmt = {"", ledger_writer_sql_add_partition};
static const struct ch_pg_stmt start_stmt = {
	"", ledger_writer_sql_start_partition};
static const struct ch_pg_stmt name_stmt = {
	"", ledger_writer_sql_name_partition};
static const struct ch_pg_stmt end_stmt = {"", ledger_writer_sql_end_blockers};
static const struct ch_pg_stmt cut_stmt = {"", ledger_writer_sql_cut_partition};
static const struct ch_pg_stmt decided_stmt = {
	"", ledger_writer_sql_decided_ahead};

_Static_assert(LOG_ID_MAX >= CH_KAFKA_CLUSTER_ID_MAX, "a cluster's id fits");
_Static_assert(LOG_ID_MAX >= CH_UUID_TEXT_MAX, "a topic's id fits");

void
fence_init(struct fence *f, const struct ch_runtime *rt,
	struct session *session, struct intake *intake)
{
	*f = (struct fence){.rt = rt,
		.session = session,
		.intake = intake,
		.checked_at = ch_clock_mono(rt->clock)};
}

static struct ch_mono
later(const struct fence *f, int64_t ms)
{
	return (struct ch_mono){ch_clock_mono(f->rt->clock).ns + ms * 1000000};
}

/* ---- what Kafka says ---- */

/* The topic as Kafka describes it, asked once for all of its partitions. */
static int
describe(struct fence *f, const char *topic, struct ch_kafka_topic *out,
	struct ch_err *err)
{
	rd_kafka_t *rk = ch_kafka_consumer_raw(f->intake->consumer);
	struct ch_mono now = ch_clock_mono(f->rt->clock);
	if (f->described != topic ||
		ch_mono_ms_since(now, f->described_at) > DESCRIBED_MS) {
		int rc = ch_kafka_topic_describe(rk, topic, KAFKA_ASK_MS,
			&f->description, err);
		f->described = rc == 0 ? topic : NULL;
		f->described_at = now;
		if (rc != 0)
			return rc;
	}
	*out = f->description;
	return out->exists ? 0
			   : ch_err_set(err, CH_ENOTFOUND,
				     "topic %s does not exist", topic);
}

/* Before the row is read: what others commit meanwhile is no witness. */
static int
ask_committed(struct fence *f, const struct partition *p, struct log_facts *c,
	struct ch_err *err)
{
	int rc = ch_kafka_group_committed(
		ch_kafka_consumer_raw(f->intake->consumer), p->topic, p->part,
		KAFKA_ASK_MS, &c->committed, err);
	c->seen = c->committed;
	if (p->seen > c->seen)
		c->seen = p->seen;
	if (p->placed && p->next_offset > c->seen)
		c->seen = p->next_offset;
	return rc;
}

static int
ask_kafka(struct fence *f, struct partition *p, struct log_facts *c,
	struct ch_err *err)
{
	rd_kafka_t *rk = ch_kafka_consumer_raw(f->intake->consumer);
	struct ch_kafka_topic t;
	int rc = ch_kafka_cluster_id(rk, KAFKA_ASK_MS, c->real_cluster, err);
	if (rc == 0)
		rc = describe(f, p->topic, &t, err);
	if (rc != 0)
		return rc;
	p->siblings = t.partitions;
	c->real_topic_id[0] = '\0';
	if (t.has_id)
		ch_uuid_format(&t.id, c->real_topic_id);
	return ask_committed(f, p, c, err);
}

/* The log's bounds: asked only when they matter (a partition never read, one
 * that is read again, or Kafka said that the offset lies outside), since the
 * question waits behind the fetch under way. */
static int
ask_bounds(struct fence *f, const struct partition *p, struct log_facts *c,
	struct ch_err *err)
{
	c->fresh = c->next_offset == 0 && c->next_log_seq == 1;
	c->high = INT64_MAX;
	if (!c->fresh && !p->outside && c->decided_to <= c->next_offset)
		return 0;
	return ch_kafka_consumer_query_watermarks(f->intake->consumer, p->topic,
		p->part, KAFKA_ASK_MS, &c->low, &c->high, err);
}

/* ---- what PostgreSQL says ---- */

/* Ends those whom the claim under way waits for. */
static void
end_blockers(struct fence *f, const struct partition *p)
{
	struct ch_err err = CH_ERR_INIT;
	struct ch_pg *pg = session_second(f->session, &err);
	struct ch_pg_args a;
	PGresult *res = NULL;
	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, p->topic);
	ch_pg_arg_i32(&a, p->part);
	ch_pg_arg_i32(&a, ch_pg_backend_pid(f->session->pg));
	if (pg == NULL || ch_pg_query(pg, &end_stmt, &a, &res, &err) != 0)
		ch_warn("claim.blockers", CH_S("topic", p->topic),
			CH_I("part", p->part), CH_ERR(&err));
	for (int i = 0; res != NULL && i < PQntuples(res); i++) {
		int64_t pid = 0;
		(void)ch_pg_get_i64(res, i, 0, &pid);
		ch_warn("claim.backend_ended", CH_S("topic", p->topic),
			CH_I("part", p->part), CH_I("pid", pid));
		ch_metric_add(f->rt->metrics, LM_BLOCKERS_ENDED, 1);
	}
	PQclear(res);
	ch_pg_free(pg);
}

static int
claim_row(struct fence *f, const struct partition *p, PGresult **out,
	struct ch_err *err)
{
	struct ch_pg_args a;
	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, p->topic);
	ch_pg_arg_i32(&a, p->part);
	ch_pg_arg_str(&a, ch_params_str(f->rt->params, "client_id"));
	int rc = ch_pg_send(f->session->pg, &claim_stmt, &a, err);
	if (rc != 0)
		return rc;
	if (!session_await(f->session, BLOCKED_MS)) {
		end_blockers(f, p);
		(void)session_await(f->session, -1);
	}
	rc = ch_pg_finish(f->session->pg, out, err);
	/* Nobody could be ended in time: the owner's locks stand still. */
	if (rc != 0 && ch_pg_lock_not_had(err))
		end_blockers(f, p);
	return rc;
}

static int
add_row(struct fence *f, const struct partition *p, const struct log_facts *c,
	struct ch_err *err)
{
	struct ch_pg_args a;
	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, p->topic);
	ch_pg_arg_i32(&a, p->part);
	ch_pg_arg_str(&a, c->real_cluster);
	ch_pg_arg_str(&a, c->real_topic_id);
	return session_query(f->session, &add_stmt, &a, NULL, err);
}

static int
read_claim(const PGresult *res, struct log_facts *c, struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, 0);
	c->epoch = ch_pg_next_i64(&r);
	c->next_offset = ch_pg_next_i64(&r);
	c->next_log_seq = ch_pg_next_i64(&r);
	c->stream = ch_pg_next_i64(&r);
	struct ch_view cluster = ch_pg_next_text(&r);
	struct ch_view topic_id = ch_pg_next_text(&r);
	c->decided_to = ch_pg_next_i64(&r);
	c->cut_at = ch_pg_next_i64(&r);
	c->leader_epoch = ch_pg_next_i32(&r);
	if (!ch_pg_row_ok(&r, err))
		return err->code;
	(void)ch_view_copy(cluster, c->cluster, sizeof(c->cluster));
	(void)ch_view_copy(topic_id, c->topic_id, sizeof(c->topic_id));
	return 0;
}

/* Raises the epoch, making the row when there is none. */
static int
raise_epoch(struct fence *f, struct partition *p, struct log_facts *c,
	struct ch_err *err)
{
	for (int turn = 0; turn < 2; turn++) {
		PGresult *res = NULL;
		int rc = claim_row(f, p, &res, err);
		int rows = rc == 0 ? PQntuples(res) : 0;
		if (rows > 0)
			rc = read_claim(res, c, err);
		PQclear(res);
		if (rc != 0 || rows > 0)
			return rc;
		rc = add_row(f, p, c, err);
		if (rc != 0)
			return rc;
	}
	return ch_err_set(err, CH_EIO,
		"the row of %s/%d in consumer_partitions cannot be made",
		p->topic, p->part);
}

/* Every statement about the row of a claim begins with these. */
static void
claim_args(struct ch_pg_args *a, const struct partition *p, int64_t epoch)
{
	ch_pg_args_clear(a);
	ch_pg_arg_str(a, p->topic);
	ch_pg_arg_i32(a, p->part);
	ch_pg_arg_i64(a, epoch);
}

static int
commit_offset(struct fence *f, const struct partition *p, int64_t offset,
	struct ch_err *err)
{
	return ch_kafka_group_commit(ch_kafka_consumer_raw(f->intake->consumer),
		p->topic, p->part, offset, KAFKA_ASK_MS, err);
}

/* The ids of a row that was made before Kafka's were known, or that a restart
 * took away. Before them the group's offset follows the restart: with the ids
 * it is a witness again. */
static int
name_row(struct fence *f, struct partition *p, const struct log_facts *c,
	struct ch_err *err)
{
	struct ch_pg_args a;
	int rc = 0;
	if (c->cluster[0] != '\0' && c->topic_id[0] != '\0')
		return 0;
	if (log_was_restarted(c) && c->committed > c->next_offset)
		rc = commit_offset(f, p, c->next_offset, err);
	if (rc != 0)
		return rc;
	/* at once: that the row was named may not be heard any more */
	partition_forget_seen(p);
	claim_args(&a, p, c->epoch);
	ch_pg_arg_str(&a, c->real_cluster);
	ch_pg_arg_str(&a, c->real_topic_id);
	return session_query(f->session, &name_stmt, &a, NULL, err);
}

/* A log whose first records are gone already is begun where it begins. */
static int
begin_late(struct fence *f, struct partition *p, struct log_facts *c,
	struct ch_err *err)
{
	struct ch_pg_args a;
	claim_args(&a, p, c->epoch);
	ch_pg_arg_i64(&a, c->low);
	int rc = session_query(f->session, &start_stmt, &a, NULL, err);
	if (rc != 0)
		return rc;
	c->next_offset = c->low;
	ch_metric_add(f->rt->metrics, LM_BEGUN_LATE, c->low);
	ch_warn("partition.begun_late", CH_S("topic", p->topic),
		CH_I("part", p->part), CH_I("records", c->low),
		CH_S("mend",
			"nothing where the topic is older than this ledger; "
			"else those records were deleted unread"));
	alert_partition_begun_late(f->session, p, c->low);
	return 0;
}

static int
begin_new(struct fence *f, struct partition *p, struct log_facts *c,
	struct ch_err *err)
{
	int rc = name_row(f, p, c, err);
	if (rc == 0 && c->fresh && c->low > 0)
		rc = begin_late(f, p, c, err);
	return rc;
}

/* Kafka said that the log parts from what was read of it before the offset. */
static void
hear_cut(const struct partition *p, struct log_facts *c)
{
	if (p->cut < 0 || log_was_restarted(c))
		return;
	c->cut_at = p->cut < c->next_offset ? p->cut : c->next_offset - 1;
	if (c->cut_at < c->high)
		c->high = c->cut_at;
}

/* Remembers that the log ended before what was read of it. */
static int
note_cut(struct fence *f, const struct partition *p, const struct log_facts *c,
	enum log_match match, struct ch_err *err)
{
	struct ch_pg_args a;
	if (match == LOG_IS_ANOTHER)
		return 0; /* its end says nothing about ours */
	if (c->high >= c->next_offset && c->high >= c->decided_to)
		return 0;
	claim_args(&a, p, c->epoch);
	ch_pg_arg_i64(&a, c->high);
	return session_query(f->session, &cut_stmt, &a, NULL, err);
}

/* What of the records to come was decided before a restart. */
static int
read_decided(struct fence *f, struct partition *p, const struct log_facts *c,
	struct ch_err *err)
{
	struct ch_pg_args a;
	PGresult *res = NULL;
	partition_forget_decided(p);
	if (c->decided_to <= c->next_offset)
		return 0;
	claim_args(&a, p, c->epoch);
	ch_pg_arg_i64(&a, c->next_offset);
	int rc = session_query(f->session, &decided_stmt, &a, &res, err);
	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		int64_t from = ch_pg_next_i64(&r);
		int64_t to = ch_pg_next_i64(&r);
		if (!ch_pg_row_ok(&r, err))
			rc = err->code;
		else
			partition_add_decided(p, from, to);
	}
	PQclear(res);
	return rc;
}

/* ---- stopping ---- */

static void
stop_partition(struct fence *f, struct partition *p, const struct ch_err *why)
{
	ch_error("partition.stopped", CH_S("topic", p->topic),
		CH_I("part", p->part), CH_ERR(why),
		CH_S("mend",
			"SELECT ch.restart_partition(topic, part, "
			"offset, actor, reason), once its old records are "
			"known to be applied or lost"));
	alert_partition_stopped(f->session, p, why);
}

/* What this process alone has seen is kept where the next one finds it. */
static void
stop_rewound(struct fence *f, struct partition *p, const struct log_facts *c,
	const struct ch_err *why)
{
	struct ch_err err = CH_ERR_INIT;
	if (c->seen > c->committed && commit_offset(f, p, c->seen, &err) != 0)
		ch_warn("partition.not_committed", CH_S("topic", p->topic),
			CH_I("part", p->part), CH_ERR(&err));
	ch_error("partition.rewound", CH_S("topic", p->topic),
		CH_I("part", p->part), CH_I("next_offset", c->next_offset),
		CH_I("seen_offset", c->seen),
		CH_I("records", c->seen - c->next_offset), CH_ERR(why),
		CH_S("mend",
			"docs/operator.md, 'PostgreSQL lost decisions': "
			"compare what was answered, then SELECT "
			"ch.restart_partition(topic, part, offset, actor, "
			"reason)"));
	alert_partition_rewound(f->session, p, c->seen, why);
}

static void
stop(struct fence *f, struct partition *p, const struct log_facts *c,
	enum log_match match, const struct ch_err *why)
{
	(void)ch_kafka_consumer_pause(f->intake->consumer, p->topic, p->part,
		NULL);
	partition_move(p, PARTITION_STOPPED);
	if (match == LOG_IS_AHEAD)
		stop_rewound(f, p, c, why);
	else
		stop_partition(f, p, why);
}

/* ---- claiming ---- */

static void
note_in_doubt(struct fence *f, struct partition *p, int64_t stored)
{
	if (p->in_doubt < 0)
		return;
	bool committed = stored >= p->in_doubt;
	ch_series_add(ch_metrics_series(f->rt->metrics, LM_IN_DOUBT,
			      committed ? "committed" : "lost"),
		1);
	ch_info("commit.settled", CH_S("topic", p->topic),
		CH_I("part", p->part), CH_B("committed", committed),
		CH_I("in_doubt", p->in_doubt), CH_I("stored", stored));
	p->in_doubt = -1;
}

static void
take_facts(struct partition *p, const struct log_facts *c)
{
	p->stream = (int32_t)c->stream;
	p->epoch = c->epoch;
	p->next_offset = c->next_offset;
	p->leader_epoch = (int32_t)c->leader_epoch;
	p->next_log_seq = c->next_log_seq;
	p->seen = log_was_restarted(c) ? -1 : c->seen;
	p->placed = true;
	p->attempts = 0;
	p->outside = false;
	p->cut = -1;
	memcpy(p->topic_id,
		c->topic_id[0] != '\0' ? c->topic_id : c->real_topic_id,
		sizeof(p->topic_id));
}

static int
claim(struct fence *f, struct partition *p, struct ch_err *err)
{
	struct log_facts c = {0};
	struct ch_err why = CH_ERR_INIT;
	enum log_match match = LOG_MATCHES;
	uint32_t turn = p->turn;
	int rc = ask_kafka(f, p, &c, err);
	if (rc == 0)
		rc = raise_epoch(f, p, &c, err);
	if (rc == 0)
		rc = ask_bounds(f, p, &c, err);
	if (rc == 0) {
		hear_cut(p, &c);
		match = log_match(&c, &why);
	}
	if (rc == 0)
		rc = note_cut(f, p, &c, match, err);
	if (rc == 0 && match == LOG_MATCHES)
		rc = begin_new(f, p, &c, err);
	if (rc == 0 && match == LOG_MATCHES)
		rc = read_decided(f, p, &c, err);
	if (rc != 0)
		return rc;
	CH_FAILPOINT("ledger.after_claim");
	if (p->turn != turn) /* revoked while we waited */
		return ch_err_set(err, CH_EFENCED, "revoked meanwhile");
	note_in_doubt(f, p, c.next_offset);
	ch_metric_add(f->rt->metrics, LM_CLAIMS, 1);
	take_facts(p, &c);
	if (match != LOG_MATCHES) {
		stop(f, p, &c, match, &why);
		return 0;
	}
	rc = ch_kafka_consumer_start_behind(f->intake->consumer, p->topic,
		p->part, p->next_offset, p->leader_epoch, err);
	if (rc == 0)
		partition_move(p, PARTITION_OWNED);
	return rc;
}

bool
fence_claim_next(struct fence *f)
{
	struct ch_mono now = ch_clock_mono(f->rt->clock);
	for (size_t i = 0; i < f->intake->partitions.count; i++) {
		struct partition *p = f->intake->partitions.items[i];
		struct ch_err err = CH_ERR_INIT;
		if (p->state != PARTITION_WANTED ||
			ch_mono_ms_since(now, p->retry_at) < 0)
			continue;
		if (claim(f, p, &err) == 0)
			return true;
		struct ch_backoff b = {100, 5000, p->attempts++};
		int64_t wait = ch_backoff_next(&b, &f->session->rng);
		p->retry_at = later(f, wait);
		ch_warn("claim.failed", CH_S("topic", p->topic),
			CH_I("part", p->part), CH_ERR(&err),
			CH_I("retry_in_ms", wait));
		return true;
	}
	return false;
}

int
fence_wait_ms(const struct fence *f)
{
	int64_t least = -1;
	struct ch_mono now = ch_clock_mono(f->rt->clock);
	for (size_t i = 0; i < f->intake->partitions.count; i++) {
		const struct partition *p = f->intake->partitions.items[i];
		if (p->state != PARTITION_WANTED)
			continue;
		int64_t ms = -ch_mono_ms_since(now, p->retry_at);
		ms = ms > 0 ? ms : 0;
		least = least < 0 || ms < least ? ms : least;
	}
	return (int)least;
}

void
fence_let_go(struct fence *f, struct partition *p, int64_t ms)
{
	/* revoked meanwhile: a claim would fence the owner that Kafka named */
	if (p->state != PARTITION_OWNED)
		return;
	(void)ch_kafka_consumer_pause(f->intake->consumer, p->topic, p->part,
		NULL);
	partition_want(p, later(f, ms));
}

void
fence_lost(struct fence *f, struct partition *p)
{
	ch_metric_add(f->rt->metrics, LM_FENCED, 1);
	ch_warn("partition.fenced", CH_S("topic", p->topic),
		CH_I("part", p->part), CH_I("epoch", p->epoch),
		CH_I("next_offset", p->next_offset));
	fence_let_go(f, p,
		JITTER_MS + (int64_t)ch_rng_below(&f->session->rng, JITTER_MS));
}

void
fence_check_topics(struct fence *f)
{
	struct ch_mono now = ch_clock_mono(f->rt->clock);
	if (!f->intake->doubtful &&
		ch_mono_ms_since(now, f->checked_at) <
			ch_params_ms(f->rt->params, "topic_check"))
		return;
	if (f->intake->doubtful)
		f->described = NULL;
	f->intake->doubtful = false;
	f->checked_at = now;
	for (size_t i = 0; i < f->intake->partitions.count; i++) {
		struct partition *p = f->intake->partitions.items[i];
		struct ch_kafka_topic t;
		struct ch_uuid stored;
		if (p->state != PARTITION_OWNED)
			continue;
		int rc = describe(f, p->topic, &t, NULL);
		if (rc == CH_ENOTFOUND) {
			partition_want(p, now); /* until it is there again */
			continue;
		}
		if (rc != 0)
			return; /* Kafka is away: nothing is known */
		if (!t.has_id ||
			!ch_uuid_parse_any(ch_view_of(p->topic_id), &stored))
			continue;
		if (memcmp(stored.bytes, t.id.bytes, 16) != 0)
			partition_want(p, now); /* the claim stops it */
	}
}
