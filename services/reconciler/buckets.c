/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buckets: see buckets.h.
 *
 * Invariant: the buckets of gen hold exactly the postings of batches up to the
 * watermark, and the watermark never passes what is settled.
 *
 * Time bounds the read of the newest postings to the newest partitions: what a
 * batch above the mark decides, it decides after the mark was drawn, but for
 * the distance of the writers' clocks (5 s at most, an hour is allowed here).
 * A full verification does not rely on it.
 */
#include "buckets.h"

#include "base/log.h"
#include "reconciler_sql.h"

#define SKEW_US INT64_C(3600000000)
#define SUMMARIZE_MS 20000
#define OLD_ROWS 20000
#define UNKNOWN_ROUNDS 3
#define FOLD_FIRST 1024	 /* batch numbers in the first step */
#define FOLD_AIM_MS 1000 /* larger steps write each bucket less often */
#define TAIL_MOST 500	 /* batch numbers that a round may read unfolded */
#define FOLD_LEAST 8
#define FOLD_MOST (INT64_C(1) << 40)
#define SETTLE_WARN_MS 30000

static const struct ch_pg_stmt read_progress = {
	"read_progress", reconciler_sql_read_progress};
static const struct ch_pg_stmt draw_mark = {
	"draw_mark", reconciler_sql_draw_mark};
static const struct ch_pg_stmt read_horizon = {
	"read_horizon", reconciler_sql_read_horizon};
static const struct ch_pg_stmt fold = {"fold", reconciler_sql_fold};
static const struct ch_pg_stmt fold_full = {
	"fold_full", reconciler_sql_fold_full};
static const struct ch_pg_stmt begin_full = {
	"begin_full", reconciler_sql_begin_full};
static const struct ch_pg_stmt end_full = {"end_full", reconciler_sql_end_full};
static const struct ch_pg_stmt drop_buckets = {
	"drop_buckets", reconciler_sql_drop_buckets};
static const struct ch_pg_stmt summarize = {
	"summarize", reconciler_sql_summarize};
static const struct ch_pg_stmt find_transfers = {
	"find_transfers", reconciler_sql_find_transfers};

static struct ch_mono
now(const struct buckets *b)
{
	return ch_clock_mono(b->session->rt->clock);
}

static struct ch_mono
later(const struct buckets *b, const char *param)
{
	return (struct ch_mono){now(b).ns +
		ch_params_ms(b->session->rt->params, param) * 1000000};
}

static bool
due(const struct buckets *b, struct ch_mono at)
{
	return ch_mono_ms_since(now(b), at) >= 0;
}

void
buckets_init(struct buckets *b, struct session *s)
{
	struct pace pace = {.width = FOLD_FIRST,
		.least = FOLD_LEAST,
		.most = FOLD_MOST,
		.aim_ms = FOLD_AIM_MS};
	*b = (struct buckets){
		.session = s, .fold_pace = pace, .full_pace = pace};
}

int
buckets_read(struct buckets *b, struct ch_err *err)
{
	PGresult *res = NULL;
	bool never = false;
	int rc = session_query(b->session, &read_progress, NULL, &res, err);

	if (rc != 0)
		return rc;
	struct ch_pg_row r = ch_pg_row(res, 0);
	b->gen = ch_pg_next_i32(&r);
	b->watermark = ch_pg_next_i64(&r);
	b->watermark_at = ch_pg_next_time(&r);
	b->full = !ch_pg_next_is_null(&r);
	b->full_gen = b->full ? ch_pg_next_i32(&r) : 0;
	b->full_watermark = ch_pg_next_i64(&r);
	(void)ch_pg_next_i64_null(&r, &never);
	rc = ch_pg_row_ok(&r, err) ? 0 : CH_EPROTO;
	PQclear(res);
	b->marked = false;
	b->known = false;
	b->settled = 0;
	b->rounds_unknown = 0;
	b->old_gone = false;
	b->first = never && b->watermark == 0;
	b->fold_due = now(b);
	b->full_due = now(b); /* at every start */
	b->full_began = now(b);
	/* what was posted while nobody was active, or loaded at once */
	if (rc == 0)
		rc = session_query_long(b->session, SUMMARIZE_MS, &summarize,
			NULL, NULL, err);
	return rc;
}

/* ---- the mark ---- */

static int
mark(struct buckets *b, struct ch_err *err)
{
	PGresult *res = NULL;
	int rc = session_query(b->session, &draw_mark, NULL, &res, err);

	if (rc != 0)
		return rc;
	struct ch_pg_row r = ch_pg_row(res, 0);
	b->mark = ch_pg_next_i64(&r);
	b->mark_at = ch_pg_next_time(&r);
	b->mark_xid = ch_pg_next_i64(&r);
	b->marked = ch_pg_row_ok(&r, err);
	b->marked_since = now(b);
	b->warned = false;
	PQclear(res);
	return b->marked ? 0 : CH_EPROTO;
}

static void
warn_if_stuck(struct buckets *b, int64_t horizon)
{
	int64_t ms = ch_mono_ms_since(now(b), b->marked_since);
	if (b->warned || ms < SETTLE_WARN_MS)
		return;
	b->warned = true;
	ch_warn("watermark.stuck", CH_I("batch", b->mark),
		CH_I("oldest_xid", horizon), CH_I("waiting_ms", ms),
		CH_S("why",
			"a transaction with an xid is open: see "
			"pg_stat_activity where backend_xid is not null"));
}

int
buckets_settle(struct buckets *b, struct ch_err *err)
{
	PGresult *res = NULL;
	int64_t horizon = 0;
	int rc = b->marked ? 0 : mark(b, err);

	if (rc == 0)
		rc = session_query(b->session, &read_horizon, NULL, &res, err);
	if (rc != 0)
		return rc;
	(void)ch_pg_get_i64(res, 0, 0, &horizon);
	PQclear(res);
	if (horizon < b->mark_xid) {
		b->rounds_unknown++;
		warn_if_stuck(b, horizon);
		return 0;
	}
	b->known = true;
	b->settled = b->mark;
	b->settled_at = b->mark_at;
	b->marked = false;
	return 0;
}

bool
buckets_behind(const struct buckets *b)
{
	if (!b->known) /* a long transaction must not stop the checks */
		return b->rounds_unknown < UNKNOWN_ROUNDS;
	int64_t left = b->settled - b->watermark;
	return left > TAIL_MOST && left > 2 * b->fold_pace.width;
}

bool
buckets_catching_up(const struct buckets *b)
{
	return b->known && buckets_behind(b);
}

/* ---- steps ---- */

bool
buckets_fold_due(const struct buckets *b)
{
	return b->known && b->watermark < b->settled &&
		(buckets_behind(b) || due(b, b->fold_due));
}

struct buckets_step
buckets_fold_next(const struct buckets *b)
{
	int64_t left = b->settled - b->watermark;
	int64_t width = b->fold_pace.width < left ? b->fold_pace.width : left;
	return (struct buckets_step){.full = false,
		.gen = b->gen,
		.low = b->watermark,
		.high = b->watermark + width};
}

static int
start_full(struct buckets *b, struct ch_err *err)
{
	PGresult *res = NULL;
	int rc = session_query(b->session, &begin_full, NULL, &res, err);
	int32_t gen = 0;

	if (rc != 0)
		return rc;
	b->full = ch_pg_get_i32(res, 0, 0, &gen);
	PQclear(res);
	b->full_gen = gen;
	b->full_watermark = 0;
	b->full_began = now(b);
	ch_info("full.begun", CH_I("generation", gen),
		CH_I("watermark", b->watermark));
	return b->full
		? 0
		: ch_err_set(err, CH_EPROTO,
			  "reconcile_progress has a full verification that we do not "
			  "know of");
}

static int
finish_full(struct buckets *b, struct ch_err *err)
{
	struct ch_pg_args a;
	PGresult *res = NULL;
	int rc;

	ch_pg_args_clear(&a);
	ch_pg_arg_i32(&a, (int32_t)b->full_gen);
	rc = session_query(b->session, &end_full, &a, &res, err);
	if (rc != 0)
		return rc;
	if (PQntuples(res) == 1) {
		ch_info("full.done", CH_I("generation", b->full_gen),
			CH_I("watermark", b->watermark),
			CH_I("took_ms",
				ch_mono_ms_since(now(b), b->full_began)));
		b->gen = b->full_gen;
		b->full = false;
		b->fulls++;
		b->old_gone = false;
		b->full_due = later(b, "full_every");
	}
	PQclear(res);
	return 0;
}

/* What was built from nothing just now needs no second look. */
static void
end_first(struct buckets *b)
{
	if (b->first && b->known && b->watermark >= b->settled) {
		b->first = false;
		b->full_due = later(b, "full_every");
	}
}

int
buckets_full_next(struct buckets *b, struct buckets_step *step,
	struct ch_err *err)
{
	int64_t left, width;
	int rc;

	end_first(b);
	if (b->first || !b->known || (!b->full && !due(b, b->full_due)))
		return 0;
	if (!b->full && (rc = start_full(b, err)) != 0)
		return rc;
	left = b->watermark - b->full_watermark;
	if (left <= 0)
		return finish_full(b, err);
	width = b->full_pace.width < left ? b->full_pace.width : left;
	*step = (struct buckets_step){.full = true,
		.gen = b->full_gen,
		.low = b->full_watermark,
		.high = b->full_watermark + width};
	return 1;
}

struct ch_time
buckets_since(const struct buckets *b)
{
	int64_t us = b->watermark_at.us - SKEW_US;
	return (struct ch_time){us > 0 ? us : 0};
}

int
buckets_check(struct buckets *b, const struct buckets_step *step,
	struct findings *out, struct ch_err *err)
{
	struct ch_pg_args a;
	struct ch_pg_array none;
	PGresult *res = NULL;
	int rc;

	ch_pg_array_init(&none, CH_PG_INT8_ARRAY);
	ch_pg_args_clear(&a);
	ch_pg_arg_i64(&a, step->low);
	ch_pg_arg_i64(&a, step->high);
	ch_pg_arg_time(&a, step->full ? (struct ch_time){0} : buckets_since(b));
	ch_pg_arg_array(&a, &none);
	ch_pg_arg_i32(&a, FINDINGS_MAX);
	rc = session_query(b->session, &find_transfers, &a, &res, err);
	ch_pg_array_free(&none);
	if (rc == 0)
		rc = findings_take(out, res, err);
	PQclear(res);
	return rc;
}

static int
run_fold(struct buckets *b, const struct buckets_step *step, struct ch_time at,
	struct ch_err *err)
{
	struct ch_pg_args a;
	PGresult *res = NULL;
	int64_t n = 0;
	int rc;

	ch_pg_args_clear(&a);
	ch_pg_arg_i32(&a, (int32_t)step->gen);
	ch_pg_arg_i64(&a, step->low);
	ch_pg_arg_i64(&a, step->high);
	if (!step->full) {
		ch_pg_arg_time(&a, at);
		ch_pg_arg_time(&a, buckets_since(b));
	}
	rc = session_query(b->session, step->full ? &fold_full : &fold, &a,
		&res, err);
	if (rc == 0 && !ch_pg_get_i64(res, 0, 0, &n))
		rc = ch_err_set(err, CH_EFENCED,
			"reconcile_progress is not at generation %lld, batch "
			"%lld: somebody else moved it",
			(long long)step->gen, (long long)step->low);
	PQclear(res);
	b->postings += n;
	return rc;
}

int
buckets_fold(struct buckets *b, const struct buckets_step *step,
	struct ch_err *err)
{
	bool all = !step->full && step->high == b->settled;
	struct ch_time at = all ? b->settled_at : b->watermark_at;
	int rc = run_fold(b, step, at, err);

	if (rc != 0)
		return rc;
	if (step->full) {
		b->full_watermark = step->high;
		return 0;
	}
	b->watermark = step->high;
	b->watermark_at = at;
	if (!all)
		return 0;
	b->fold_due = later(b, "fold_every");
	return session_query(b->session, &summarize, NULL, NULL, err);
}

void
buckets_took(struct buckets *b, const struct buckets_step *step, int64_t ms,
	bool failed)
{
	pace_took(step->full ? &b->full_pace : &b->fold_pace, ms, failed);
}

int
buckets_sweep_old(struct buckets *b, struct ch_err *err)
{
	struct ch_pg_args a;
	PGresult *res = NULL;
	int rc;

	if (b->old_gone)
		return 0;
	ch_pg_args_clear(&a);
	ch_pg_arg_i32(&a, (int32_t)b->gen);
	ch_pg_arg_i32(&a, OLD_ROWS);
	rc = session_query(b->session, &drop_buckets, &a, &res, err);
	if (rc != 0)
		return rc;
	b->old_gone = ch_pg_affected(res) < OLD_ROWS;
	PQclear(res);
	return 0;
}
