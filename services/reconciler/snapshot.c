/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot: the statements of each check and the steps through its table.
 *
 * Fails: a statement that runs into its timeout makes the next step smaller;
 * the sweep goes on where it was.
 */
#include "snapshot.h"

#include "reconciler_sql.h"

#define SWEEP_LEAST 100
#define SWEEP_FIRST 20000
#define SWEEP_MOST 2000000
#define LOG_FIRST 20000 /* rows of one stream in one step */
#define RECALL_MOST 100 /* open breaks looked at again in one round */

static const struct ch_pg_stmt next_account = {
	"next_account", reconciler_sql_next_account};
static const struct ch_pg_stmt next_sku = {"next_sku", reconciler_sql_next_sku};
static const struct ch_pg_stmt next_order = {
	"next_order", reconciler_sql_next_order};
static const struct ch_pg_stmt next_market = {
	"next_market", reconciler_sql_next_market};
static const struct ch_pg_stmt find_balances = {
	"find_balances", reconciler_sql_find_balances};
static const struct ch_pg_stmt find_floors = {
	"find_floors", reconciler_sql_find_floors};
static const struct ch_pg_stmt find_stock = {
	"find_stock", reconciler_sql_find_stock};
static const struct ch_pg_stmt find_held = {
	"find_held", reconciler_sql_find_held};
static const struct ch_pg_stmt find_orders = {
	"find_orders", reconciler_sql_find_orders};
static const struct ch_pg_stmt find_markets = {
	"find_markets", reconciler_sql_find_markets};
static const struct ch_pg_stmt find_transfers = {
	"tail_transfers", reconciler_sql_find_transfers};
static const struct ch_pg_stmt recall_breaks = {
	"recall_breaks", reconciler_sql_recall_breaks};
static const struct ch_pg_stmt read_streams = {
	"read_streams", reconciler_sql_read_streams};
static const struct ch_pg_stmt find_log_seq = {
	"find_log_seq", reconciler_sql_find_log_seq};
static const struct ch_pg_stmt move_streams = {
	"move_streams", reconciler_sql_move_streams};

/* Of the checks that sweep: where a step ends, and what is wrong in it. */
static const struct {
	const struct ch_pg_stmt *next;
	const struct ch_pg_stmt *find;
} sweeps[CHECKS] = {
	[CHECK_BALANCES] = {&next_account, &find_balances},
	[CHECK_FLOORS] = {&next_account, &find_floors},
	[CHECK_HELD] = {&next_account, &find_held},
	[CHECK_STOCK] = {&next_sku, &find_stock},
	[CHECK_ORDERS] = {&next_order, &find_orders},
	[CHECK_MARKETS] = {&next_market, &find_markets},
};

void
snapshot_init(struct snapshot *s, struct session *session,
	const struct buckets *b)
{
	int64_t aim = ch_params_ms(session->rt->params, "round_budget");
	*s = (struct snapshot){.session = session, .buckets = b};
	for (int i = 0; i < CHECKS; i++)
		s->paces[i] = (struct pace){.width = SWEEP_FIRST,
			.least = SWEEP_LEAST,
			.most = SWEEP_MOST,
			.aim_ms = aim};
	s->paces[CHECK_LOG_SEQ].width = LOG_FIRST;
	ch_pg_array_init(&s->streams, CH_PG_INT4_ARRAY);
	ch_pg_array_init(&s->verified, CH_PG_INT8_ARRAY);
	ch_pg_array_init(&s->again, CH_PG_INT8_ARRAY);
}

void
snapshot_free(struct snapshot *s)
{
	ch_pg_array_free(&s->streams);
	ch_pg_array_free(&s->verified);
	ch_pg_array_free(&s->again);
}

void
snapshot_reset(struct snapshot *s)
{
	for (int i = 0; i < CHECKS; i++)
		sweep_reset(&s->sweeps[i]);
}

/* ---- sweeps ---- */

static int
find_step(struct snapshot *s, enum check_id check, struct ch_err *err)
{
	struct sweep *w = &s->sweeps[check];
	struct check_key from = sweep_from(w), to = CHECK_KEY_LAST;
	struct ch_time at = {0};
	struct ch_pg_args a;
	PGresult *res = NULL;
	int rc;

	ch_pg_args_clear(&a);
	ch_pg_arg_i32(&a, from.org);
	ch_pg_arg_i64(&a, from.id);
	ch_pg_arg_i64(&a, s->paces[check].width - 1);
	rc = session_query(s->session, sweeps[check].next, &a, &res, err);
	if (rc != 0)
		return rc;
	bool last = ch_pg_is_null(res, 0, 0);
	if (!last)
		last = !ch_pg_get_i32(res, 0, 0, &to.org) ||
			!ch_pg_get_i64(res, 0, 1, &to.id);
	(void)ch_pg_get_time(res, 0, 2, &at);
	PQclear(res);
	sweep_step(w, last ? NULL : &to, at);
	return 0;
}

static int
look(struct snapshot *s, enum check_id check, struct findings *out,
	struct ch_err *err)
{
	const struct sweep *w = &s->sweeps[check];
	struct ch_pg_args a;
	PGresult *res = NULL;
	int rc;

	ch_pg_args_clear(&a);
	ch_pg_arg_i32(&a, w->low.org);
	ch_pg_arg_i64(&a, w->low.id);
	ch_pg_arg_i32(&a, w->high.org);
	ch_pg_arg_i64(&a, w->high.id);
	if (check == CHECK_BALANCES) {
		ch_pg_arg_i32(&a, (int32_t)s->buckets->gen);
		ch_pg_arg_i64(&a, s->buckets->watermark);
		ch_pg_arg_time(&a, buckets_since(s->buckets));
	}
	ch_pg_arg_i32(&a, FINDINGS_MAX);
	rc = session_query(s->session, sweeps[check].find, &a, &res, err);
	if (rc == 0)
		rc = findings_take(out, res, err);
	PQclear(res);
	return rc;
}

static int
sweep(struct snapshot *s, enum check_id check, int64_t budget_ms,
	struct findings *out, struct ch_err *err)
{
	const struct ch_clock *clock = s->session->rt->clock;
	struct ch_mono began = ch_clock_mono(clock), last = began;
	struct sweep *w = &s->sweeps[check];
	int rc;

	for (;;) {
		rc = find_step(s, check, err);
		if (rc == 0)
			rc = look(s, check, out, err);
		struct ch_mono now = ch_clock_mono(clock);
		pace_took(&s->paces[check], ch_mono_ms_since(now, last),
			rc != 0);
		last = now;
		if (rc != 0)
			return rc;
		w->cut |= out->cut;
		if (sweep_done(w)) {
			out->swept = !w->cut;
			out->swept_since = w->began;
			return 0;
		}
		if (ch_mono_ms_since(now, began) >= budget_ms)
			return 0;
	}
}

/* ---- what is new, and what was broken ---- */

/* Open breaks of the check; rows: key, low, high. */
static int
recall(struct snapshot *s, enum check_id check, struct findings *out,
	PGresult **res, struct ch_err *err)
{
	struct ch_pg_args a;
	int rc;

	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, checks[check].name);
	ch_pg_arg_i32(&a, RECALL_MOST);
	rc = session_query(s->session, &recall_breaks, &a, res, err);
	if (rc != 0)
		return rc;
	for (int i = 0; i < PQntuples(*res); i++) {
		struct ch_view key = {NULL, 0};
		(void)ch_pg_get_text(*res, i, 0, &key);
		ch_pg_array_text(&out->again, key);
	}
	return 0;
}

static int
look_at_transfers(struct snapshot *s, struct findings *out, struct ch_err *err)
{
	struct ch_pg_array batches;
	struct ch_pg_args a;
	PGresult *open = NULL, *res = NULL;
	int rc = recall(s, CHECK_TRANSFERS, out, &open, err);

	if (rc != 0)
		return rc;
	ch_pg_array_init(&batches, CH_PG_INT8_ARRAY);
	for (int i = 0; i < PQntuples(open); i++) {
		int64_t batch = 0;
		(void)ch_pg_get_i64(open, i, 1, &batch);
		ch_pg_array_i64(&batches, batch);
	}
	PQclear(open);
	ch_pg_args_clear(&a);
	ch_pg_arg_i64(&a, s->buckets->watermark);
	ch_pg_arg_i64(&a, INT64_MAX);
	ch_pg_arg_time(&a, buckets_since(s->buckets));
	ch_pg_arg_array(&a, &batches);
	ch_pg_arg_i32(&a, FINDINGS_MAX);
	rc = session_query(s->session, &find_transfers, &a, &res, err);
	if (rc == 0)
		rc = findings_take(out, res, err);
	PQclear(res);
	ch_pg_array_free(&batches);
	return rc;
}

/* Ranges (low, high] of streams, as find_log_seq.sql takes them. */
struct ranges {
	struct ch_pg_array stream, low, high;
};

static void
range_add(struct ranges *r, int32_t stream, int64_t low, int64_t high)
{
	if (low >= high)
		return;
	ch_pg_array_i32(&r->stream, stream);
	ch_pg_array_i64(&r->low, low);
	ch_pg_array_i64(&r->high, high);
}

static int
ranges_of_streams(struct snapshot *s, struct ranges *r, struct ch_err *err)
{
	struct ch_pg_args a;
	PGresult *res = NULL;
	int rc = 0;

	ch_pg_array_clear(&s->streams);
	ch_pg_array_clear(&s->verified);
	ch_pg_array_clear(&s->again);
	s->log_behind = 0;
	ch_pg_args_clear(&a);
	ch_pg_arg_i64(&a, s->paces[CHECK_LOG_SEQ].width);
	rc = session_query(s->session, &read_streams, &a, &res, err);
	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		struct ch_pg_row row = ch_pg_row(res, i);
		int32_t stream = ch_pg_next_i32(&row);
		int64_t low = ch_pg_next_i64(&row);
		int64_t high = ch_pg_next_i64(&row);
		int64_t again_low = ch_pg_next_i64(&row);
		int64_t again_high = ch_pg_next_i64(&row);
		int64_t end = ch_pg_next_i64(&row);
		rc = ch_pg_row_ok(&row, err) ? 0 : CH_EPROTO;
		high = high > low ? high : low;
		range_add(r, stream, low, high);
		range_add(r, stream, again_low, again_high);
		ch_pg_array_i32(&s->streams, stream);
		ch_pg_array_i64(&s->verified, high);
		/* a full verification that has come as far goes along */
		ch_pg_array_i64(&s->again,
			again_high >= low ? high : again_high);
		s->log_behind += (end > high ? end - high : 0) +
			(low > again_high ? low - again_high : 0);
	}
	PQclear(res);
	return rc;
}

static int
ranges_of_breaks(struct snapshot *s, struct ranges *r, struct findings *out,
	struct ch_err *err)
{
	PGresult *open = NULL;
	int rc = recall(s, CHECK_LOG_SEQ, out, &open, err);

	for (int i = 0; rc == 0 && i < PQntuples(open); i++) {
		struct ch_view key = {NULL, 0}, part;
		int64_t stream = 0, low = 0, high = 0;
		(void)ch_pg_get_text(open, i, 0, &key);
		(void)ch_pg_get_i64(open, i, 1, &low);
		(void)ch_pg_get_i64(open, i, 2, &high);
		(void)ch_view_split(&key, '/', &part);
		(void)ch_view_split(&key, '/', &part);
		if (ch_view_int(part, 0, INT32_MAX, &stream) == 0)
			range_add(r, (int32_t)stream, low - 1, high);
	}
	PQclear(open);
	return rc;
}

static int
look_at_log(struct snapshot *s, struct findings *out, struct ch_err *err)
{
	struct ranges r;
	struct ch_pg_args a;
	PGresult *res = NULL;
	int rc;

	ch_pg_array_init(&r.stream, CH_PG_INT4_ARRAY);
	ch_pg_array_init(&r.low, CH_PG_INT8_ARRAY);
	ch_pg_array_init(&r.high, CH_PG_INT8_ARRAY);
	rc = ranges_of_streams(s, &r, err);
	if (rc == 0)
		rc = ranges_of_breaks(s, &r, out, err);
	if (rc == 0) {
		ch_pg_args_clear(&a);
		ch_pg_arg_array(&a, &r.stream);
		ch_pg_arg_array(&a, &r.low);
		ch_pg_arg_array(&a, &r.high);
		ch_pg_arg_i32(&a, FINDINGS_MAX);
		rc = session_query(s->session, &find_log_seq, &a, &res, err);
	}
	if (rc == 0)
		rc = findings_take(out, res, err);
	PQclear(res);
	ch_pg_array_free(&r.stream);
	ch_pg_array_free(&r.low);
	ch_pg_array_free(&r.high);
	return rc;
}

int
snapshot_run(struct snapshot *s, enum check_id check, int64_t budget_ms,
	struct findings *out, struct ch_err *err)
{
	const struct ch_clock *clock = s->session->rt->clock;
	struct ch_mono began = ch_clock_mono(clock);
	int rc;

	if (checks[check].sweeps)
		return sweep(s, check, budget_ms, out, err);
	if (check == CHECK_TRANSFERS)
		return look_at_transfers(s, out, err);
	rc = look_at_log(s, out, err);
	pace_took(&s->paces[check],
		ch_mono_ms_since(ch_clock_mono(clock), began), rc != 0);
	return rc;
}

void
snapshot_again(struct snapshot *s, enum check_id check)
{
	sweep_reset(&s->sweeps[check]);
}

int
snapshot_written(struct snapshot *s, enum check_id check, struct ch_err *err)
{
	struct ch_pg_args a;

	if (check != CHECK_LOG_SEQ || s->streams.count == 0)
		return 0;
	ch_pg_args_clear(&a);
	ch_pg_arg_array(&a, &s->streams);
	ch_pg_arg_array(&a, &s->verified);
	ch_pg_arg_array(&a, &s->again);
	return session_query(s->session, &move_streams, &a, NULL, err);
}
