/* SPDX-License-Identifier: Apache-2.0 */
/*
 * breaks: see breaks.h.
 */
#include "breaks.h"

#include "base/log.h"
#include "reconciler_sql.h"

#define WEIGH_MOST 5000	       /* open breaks looked at for a pause */
#define PAUSE_TIMEOUT_MS 15000 /* pause() itself waits up to 10 s */

static const struct ch_pg_stmt note_breaks = {
	"note_breaks", reconciler_sql_note_breaks};
static const struct ch_pg_stmt resolve_breaks = {
	"resolve_breaks", reconciler_sql_resolve_breaks};
static const struct ch_pg_stmt weigh_breaks = {
	"weigh_breaks", reconciler_sql_weigh_breaks};
static const struct ch_pg_stmt find_pause = {
	"find_pause", reconciler_sql_find_pause};
static const struct ch_pg_stmt pause_scope = {
	"pause_scope", reconciler_sql_pause_scope};
static const struct ch_pg_stmt mark_paused = {
	"mark_paused", reconciler_sql_mark_paused};
static const struct ch_pg_stmt count_breaks = {
	"count_breaks", reconciler_sql_count_breaks};
static const struct ch_pg_stmt make_partitions = {
	"make_partitions", reconciler_sql_make_partitions};

int
breaks_init(struct breaks *b, struct session *s, struct ch_err *err)
{
	*b = (struct breaks){.session = s};
	for (int i = 0; i < CHECKS; i++) {
		const char *text =
			ch_params_str(s->rt->params, checks[i].pause_param);
		if (threshold_parse(text, &b->thresholds[i], err) != 0)
			return ch_err_wrap(err, "%s", checks[i].pause_param);
	}
	return 0;
}

/* The day's partition of the outbox may be missing when no writer runs; what
 * was found must not wait for one. */
static int
write_rows(struct breaks *b, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *a, PGresult **res, struct ch_err *err)
{
	int rc = session_query(b->session, stmt, a, res, err);

	if (rc == 0 || !ch_pg_is_up(b->session->pg) ||
		ch_pg_retry_class(b->session->pg) != CH_PG_PARTITION_MISSING)
		return rc;
	ch_warn("partition.missing", CH_ERR(err));
	rc = session_query(b->session, &make_partitions, NULL, NULL, err);
	return rc != 0 ? rc : session_query(b->session, stmt, a, res, err);
}

static void
log_rows(const PGresult *res)
{
	for (int i = 0; i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		struct ch_view key = ch_pg_next_text(&r);
		struct ch_view action = ch_pg_next_text(&r);
		struct ch_view subject = ch_pg_next_text(&r);
		struct ch_view expected = ch_pg_next_text(&r);
		struct ch_view found = ch_pg_next_text_null(&r);
		struct ch_view difference = ch_pg_next_text(&r);
		CH_LOG_(ch_view_eq_str(action, "resolved") ? CH_LOG_INFO
							   : CH_LOG_ERROR,
			"break", CH_V("action", action), CH_V("key", key),
			CH_V("subject", subject), CH_V("expected", expected),
			CH_V("found", found), CH_V("difference", difference));
	}
}

static int
note(struct breaks *b, enum check_id check, struct findings *f,
	struct ch_err *err)
{
	struct ch_pg_args a;
	PGresult *res = NULL;
	int rc;

	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, checks[check].name);
	ch_pg_arg_array(&a, &f->key);
	ch_pg_arg_array(&a, &f->org);
	ch_pg_arg_array(&a, &f->subject);
	ch_pg_arg_array(&a, &f->expected);
	ch_pg_arg_array(&a, &f->found);
	ch_pg_arg_array(&a, &f->difference);
	ch_pg_arg_array(&a, &f->low);
	ch_pg_arg_array(&a, &f->high);
	rc = write_rows(b, &note_breaks, &a, &res, err);
	if (rc == 0) {
		b->opened += PQntuples(res);
		log_rows(res);
	}
	PQclear(res);
	return rc;
}

static int
resolve(struct breaks *b, enum check_id check, struct findings *f,
	struct ch_err *err)
{
	struct ch_pg_args a;
	PGresult *res = NULL;
	int rc;

	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, checks[check].name);
	ch_pg_arg_array(&a, &f->again);
	ch_pg_arg_array(&a, &f->key);
	if (f->swept)
		ch_pg_arg_time(&a, f->swept_since);
	else
		ch_pg_arg_null(&a, CH_PG_TIMESTAMPTZ);
	rc = write_rows(b, &resolve_breaks, &a, &res, err);
	if (rc == 0) {
		b->resolved += PQntuples(res);
		log_rows(res);
	}
	PQclear(res);
	return rc;
}

int
breaks_write(struct breaks *b, enum check_id check, struct findings *f,
	struct ch_err *err)
{
	int rc = f->count > 0 ? note(b, check, f, err) : 0;

	if (f->cut)
		ch_warn("check.cut", CH_S("check", checks[check].name),
			CH_I("most", FINDINGS_MAX));
	if (rc != 0 || f->cut || (f->again.count == 0 && !f->swept))
		return rc;
	return resolve(b, check, f, err);
}

/* ---- pauses ---- */

struct weighed {
	struct ch_view key;
	struct ch_view org;
	bool pauses; /* over its threshold */
	bool done;   /* it led to a pause already */
};

static struct weighed
weigh(const struct breaks *b, const PGresult *res, int row)
{
	struct ch_pg_row r = ch_pg_row(res, row);
	struct weighed w = {.key = ch_pg_next_text(&r)};
	enum check_id check = check_of(ch_pg_next_text(&r));
	bool none = false;
	int64_t difference;

	w.org = ch_pg_next_text(&r);
	difference = ch_pg_next_i64(&r);
	(void)ch_pg_next_i64_null(&r, &none);
	w.done = !none;
	w.pauses = check != CHECKS &&
		threshold_weigh(&b->thresholds[check], true, difference) ==
			THRESHOLD_PAUSE;
	return w;
}

/* The scope's pause if there is one that refuses as much, else a new one. */
static int
pause_of(struct breaks *b, const char *scope, struct ch_view key,
	int64_t *number, struct ch_err *err)
{
	const char *actor = ch_params_str(b->session->rt->params, "actor");
	struct ch_buf reason = CH_BUF_INIT;
	struct ch_pg_args a;
	PGresult *res = NULL;
	int rc;

	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, scope);
	rc = session_query(b->session, &find_pause, &a, &res, err);
	if (rc != 0 || ch_pg_get_i64(res, 0, 0, number)) {
		PQclear(res);
		return rc;
	}
	PQclear(res);
	ch_buf_printf(&reason, "break %.*s", CH_VIEW_ARG(key));
	ch_pg_arg_str(&a, ch_buf_str(&reason));
	ch_pg_arg_str(&a, actor);
	ch_runtime_alive(b->session->rt);
	rc = session_query_long(b->session, PAUSE_TIMEOUT_MS, &pause_scope, &a,
		&res, err);
	ch_runtime_alive(b->session->rt);
	if (rc == 0 && !ch_pg_get_i64(res, 0, 0, number))
		rc = ch_err_set(err, CH_EPROTO, "pause() gave no number");
	if (rc == 0) {
		b->pauses++;
		ch_error("paused", CH_S("scope", scope),
			CH_I("number", *number),
			CH_S("reason", ch_buf_str(&reason)));
	}
	PQclear(res);
	ch_buf_free(&reason);
	return rc;
}

/* All breaks of one scope that have led to no pause yet. */
static int
pause_scope_of(struct breaks *b, const PGresult *res, const char *scope,
	struct ch_err *err)
{
	struct ch_pg_array keys;
	struct ch_pg_args a;
	struct ch_view first = {NULL, 0};
	int64_t number = 0;
	int rc = 0;

	ch_pg_array_init(&keys, CH_PG_TEXT_ARRAY);
	for (int i = 0; i < PQntuples(res); i++) {
		struct weighed w = weigh(b, res, i);
		const char *of = scopes_of(&b->scopes, w.org);
		if (!w.pauses || w.done || of == NULL ||
			!ch_view_eq_str(ch_view_of(of), scope))
			continue;
		if (keys.count == 0)
			first = w.key;
		ch_pg_array_text(&keys, w.key);
	}
	if (keys.count > 0)
		rc = pause_of(b, scope, first, &number, err);
	if (keys.count > 0 && rc == 0) {
		ch_pg_args_clear(&a);
		ch_pg_arg_array(&a, &keys);
		ch_pg_arg_i64(&a, number);
		rc = write_rows(b, &mark_paused, &a, NULL, err);
	}
	ch_pg_array_free(&keys);
	return rc;
}

int
breaks_pause(struct breaks *b, struct ch_err *err)
{
	struct ch_pg_args a;
	PGresult *res = NULL;
	int rc;

	scopes_init(&b->scopes,
		(size_t)ch_params_int(b->session->rt->params, "pause_orgs"));
	ch_pg_args_clear(&a);
	ch_pg_arg_i32(&a, WEIGH_MOST);
	rc = session_query(b->session, &weigh_breaks, &a, &res, err);
	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		struct weighed w = weigh(b, res, i);
		if (w.pauses)
			scopes_add(&b->scopes, w.org);
	}
	if (rc == 0 && b->scopes.everybody)
		rc = pause_scope_of(b, res, THRESHOLD_EVERYBODY, err);
	for (size_t i = 0;
		rc == 0 && !b->scopes.everybody && i < b->scopes.count; i++)
		rc = pause_scope_of(b, res, b->scopes.orgs[i], err);
	PQclear(res);
	return rc;
}

int
breaks_count(struct breaks *b, struct ch_err *err)
{
	PGresult *res = NULL;
	int rc = session_query(b->session, &count_breaks, NULL, &res, err);

	if (rc != 0)
		return rc;
	for (int i = 0; i < CHECKS; i++)
		b->open[i] = b->differences[i] = 0;
	for (int i = 0; i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		struct ch_view name = ch_pg_next_text(&r);
		int64_t count = ch_pg_next_i64(&r);
		int64_t sum = ch_pg_next_i64(&r);
		enum check_id check = check_of(name);
		if (check != CHECKS) {
			b->open[check] = count;
			b->differences[check] = sum;
		} else {
			b->paused_scopes = count;
			b->trading_paused = sum > 0;
		}
	}
	PQclear(res);
	return 0;
}
