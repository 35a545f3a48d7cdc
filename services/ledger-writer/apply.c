/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply: the phases of a batch in order, and what each failure means.
 */
#include "apply.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "alert.h"
#include "ledger_writer_sql.h"
#include "meters.h"

#define CONFLICTS_MAX 20 /* then it is no race: somebody must look */
#define AGAIN_MAX 5	 /* the same of rows that cannot be had */
#define FORGET_AFTER 2	 /* then all names are asked for anew */
#define LOCK_WAITS_MAX 2 /* lock_timeouts in a row: is somebody stopped? */
#define STOPPED_MS 5000	 /* who waits for his client for so long is */

static const struct ch_pg_stmt ensure_partition = {
	"", ledger_writer_sql_ensure_partition};

static const struct ch_pg_stmt has_partition = {
	"", ledger_writer_sql_has_partition};

static const struct ch_pg_stmt end_stopped = {
	"", ledger_writer_sql_end_stopped};

static const char *const phase_names[PHASES] = {
	"poll", "names", "lock", "decide", "write", "commit"};

void
apply_init(struct apply *a, const struct ch_runtime *rt,
	struct session *session, struct fence *fence)
{
	*a = (struct apply){.rt = rt, .session = session, .fence = fence};
	names_init(&a->names, session);
	locks_init(&a->locks, session);
	writer_init(&a->writer, session, a->names.cache);
	script_init(&a->script, session);
	a->due_most = ch_params_int(rt->params, "sweep_rows");
	for (size_t i = 0; i < PHASES; i++)
		a->phases[i] = ch_metrics_series(rt->metrics, LM_PHASE,
			phase_names[i]);
	for (size_t i = 0; i < STATUS_COUNT; i++)
		a->results[i] = ch_metrics_series(rt->metrics, LM_RESULTS,
			ledger_statuses[i].name);
	a->results[STATUS_COUNT] =
		ch_metrics_series(rt->metrics, LM_RESULTS, "duplicate");
}

void
apply_free(struct apply *a)
{
	names_free(&a->names);
	locks_free(&a->locks);
	writer_free(&a->writer);
	script_free(&a->script);
	free(a->days.days);
}

/* ---- failures ---- */

static void
count_retry(struct apply *a, const char *reason, const struct ch_err *err)
{
	ch_series_add(ch_metrics_series(a->rt->metrics, LM_RETRIES, reason), 1);
	ch_warn("batch.retry", CH_S("reason", reason), CH_ERR(err));
	a->failures++;
	(void)snprintf(a->sqlstate, sizeof(a->sqlstate), "%s", err->sqlstate);
	(void)snprintf(a->why, sizeof(a->why), "%s", err->text);
}

/* ---- a day's partition is missing ---- */

#define DAY_TEXT_LEN 10 /* 2026-11-21 */

void
day_list_add(struct day_list *l, int64_t day)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->days[i] == day)
			return;
	if (l->count == l->cap) {
		l->cap = l->cap > 0 ? l->cap * 2 : 16;
		l->days = ch_xrealloc(l->days, l->cap, sizeof(*l->days));
	}
	l->days[l->count++] = day;
}

static struct ch_view
day_text(int64_t day, char out[CH_TIME_TEXT_MAX])
{
	(void)ch_time_format((struct ch_time){day * CH_US_PER_DAY}, out);
	return (struct ch_view){out, DAY_TEXT_LEN};
}

/* A statement about one day's partition of the table; false: err. */
static bool
ask_of_day(struct apply *a, const struct ch_pg_stmt *stmt, const char *table,
	int64_t day, bool *answer, struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res = NULL;
	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, table);
	ch_pg_arg_day(&args, day);
	int rc = session_query(a->session, stmt, &args, &res, err);
	bool ok = rc == 0 && ch_pg_get_bool(res, 0, 0, answer);
	PQclear(res);
	return ok;
}

/* Says so of those only that are missing. */
static void
not_made(struct apply *a, const char *table, int64_t day,
	const struct ch_err *why)
{
	struct ch_err err = CH_ERR_INIT;
	char text[CH_TIME_TEXT_MAX];
	char mend[256];
	bool there = false;
	if (ask_of_day(a, &has_partition, table, day, &there, &err) && there)
		return;
	if (!session_is_up(a->session))
		return;
	struct ch_view v = day_text(day, text);
	(void)snprintf(mend, sizeof(mend),
		"let the schema's owner run: SELECT "
		"%s.ensure_partition('%s', '%.*s'); all partitions wait for it",
		ch_params_str(a->rt->params, "schema"), table, CH_VIEW_ARG(v));
	ch_error("partition.not_made", CH_S("table", table), CH_V("day", v),
		CH_ERR(why), CH_S("mend", mend));
}

struct asked {
	size_t made, there;
};

static void
make_partition(struct apply *a, const char *table, int64_t day,
	struct asked *asked)
{
	struct ch_err err = CH_ERR_INIT;
	char text[CH_TIME_TEXT_MAX];
	bool made = false;
	if (!ask_of_day(a, &ensure_partition, table, day, &made, &err)) {
		not_made(a, table, day, &err);
		return;
	}
	asked->made += made;
	asked->there += !made;
	if (!made)
		return;
	ch_metric_add(a->rt->metrics, LM_PARTITIONS_MADE, 1);
	ch_warn("partition.made", CH_S("table", table),
		CH_V("day", day_text(day, text)),
		CH_S("mend", "let ensure_partitions() run each day"));
}

/* Where one is missing, other tables' are, too: they are not waited for one by
 * one. */
static void
make_others(struct apply *a)
{
	struct ch_err err = CH_ERR_INIT;
	int32_t made = 0;
	if (session_ensure_partitions(a->session, &made, &err) != 0)
		ch_warn("partitions.not_made", CH_ERR(&err));
	ch_metric_add(a->rt->metrics, LM_PARTITIONS_MADE, made);
}

/* All days are there, and this session does not know it: what it opened while
 * one was attached it may keep without it (tell_partitions() of the schema). A
 * new session knows. */
static enum apply_end
partition_unknown(struct apply *a, const char *table)
{
	ch_warn("partition.unknown", CH_S("table", table),
		CH_S("error",
			"PostgreSQL's session has not heard of one that "
			"was attached: a new session"));
	ch_pg_disconnect(a->session->pg);
	return APPLY_DOWN;
}

/* Made here, or by whoever was first. */
static enum apply_end
make_partitions(struct apply *a, const char *table)
{
	struct asked asked = {0};
	for (size_t i = 0; i < a->days.count; i++)
		make_partition(a, table, a->days.days[i], &asked);
	if (asked.made > 0)
		make_others(a);
	if (!session_is_up(a->session))
		return APPLY_DOWN;
	if (asked.made > 0) {
		a->partitions_made = true;
		return APPLY_AGAIN;
	}
	return asked.there > 0 && asked.there == a->days.count
		? partition_unknown(a, table)
		: APPLY_LATER;
}

static enum apply_end
rows_failed(struct apply *a, const struct ch_err *err)
{
	count_retry(a, "rows", err);
	return APPLY_ROWS;
}

/* Another writer has decided it meanwhile, so it is decided anew: never a fault
 * of the command, however often. */
static enum apply_end
conflict(struct apply *a, const struct ch_err *err)
{
	count_retry(a, "conflict", err);
	return ++a->conflicts > CONFLICTS_MAX ? APPLY_LATER : APPLY_AGAIN;
}

/* Somebody holds a lock for longer than any batch takes. A writer of another
 * partition does not end by a claim of ours; so if it was stopped inside a
 * statement, it is ended here. */
static void
lock_not_had(struct apply *a)
{
	struct ch_err err = CH_ERR_INIT;
	struct ch_pg_args args;
	PGresult *res = NULL;
	if (++a->lock_waits < LOCK_WAITS_MAX)
		return;
	ch_pg_args_clear(&args);
	ch_pg_arg_i32(&args, STOPPED_MS);
	if (session_query(a->session, &end_stopped, &args, &res, &err) != 0)
		ch_warn("batch.blockers", CH_ERR(&err));
	for (int i = 0; res != NULL && i < PQntuples(res); i++) {
		int64_t pid = 0;
		(void)ch_pg_get_i64(res, i, 0, &pid);
		ch_warn("batch.backend_ended", CH_I("pid", pid));
		ch_metric_add(a->rt->metrics, LM_BLOCKERS_ENDED, 1);
	}
	PQclear(res);
}

enum apply_end
apply_failed(struct apply *a, const struct ch_err *err)
{
	struct ch_pg_failure f = *ch_pg_failure(a->session->pg);
	script_clear(&a->script);
	if (!session_is_up(a->session) ||
		ch_pg_rollback(a->session->pg, NULL) != 0) {
		count_retry(a, "connection", err);
		return APPLY_DOWN;
	}
	if (err->code != CH_ESQL) { /* an answer of another form than ours */
		count_retry(a, "protocol", err);
		return APPLY_LATER;
	}
	switch (f.class) {
	case CH_PG_CONFLICT:
		return conflict(a, err);
	case CH_PG_PARTITION_MISSING:
		if (f.table[0] == '\0') /* a trigger borrows the code */
			return rows_failed(a, err);
		count_retry(a, "partition_missing", err);
		return make_partitions(a, f.table);
	case CH_PG_ROW:
		return rows_failed(a, err);
	case CH_PG_READONLY:
		count_retry(a, "read_only", err);
		ch_pg_disconnect(a->session->pg);
		return APPLY_DOWN;
	case CH_PG_RETRY:
		if (strcmp(f.sqlstate, "55P03") != 0) {
			count_retry(a, "transient", err);
			return APPLY_LATER;
		}
		count_retry(a, "lock_timeout", err);
		lock_not_had(a);
		return session_is_up(a->session) ? APPLY_LATER : APPLY_DOWN;
	case CH_PG_OK:
	case CH_PG_PERMISSION:
	case CH_PG_OTHER:
		break;
	}
	count_retry(a, ch_pg_class_name(f.class), err);
	return APPLY_LATER;
}

/* Its rows need the days of its ids, and of its time. */
static enum apply_end
load_failed(struct apply *a, struct load *l, const struct ch_err *err)
{
	a->days.count = 0;
	day_list_add(&a->days, ch_time_day(a->locks.context.decided_at));
	for (size_t i = 0; i < l->batch.out.log_count; i++)
		day_list_add(&a->days, l->batch.out.log[i].day);
	enum apply_end end = apply_failed(a, err);
	batch_reset(&l->batch);
	return end;
}

/* ---- COMMIT ---- */

enum apply_end
apply_commit(struct apply *a, const struct load_part *parts, size_t n)
{
	struct ch_err err = CH_ERR_INIT;
	CH_FAILPOINT("ledger.before_commit");
	(void)ch_pg_commit_send(a->session->pg, &err);
	CH_FAILPOINT("ledger.after_commit_sent");
	(void)session_await(a->session, -1);
	switch (ch_pg_commit_finish(a->session->pg, &err)) {
	case CH_PG_COMMITTED:
		CH_FAILPOINT("ledger.after_commit");
		return APPLY_DONE;
	case CH_PG_NOT_COMMITTED:
		a->days.count = 0;
		return apply_failed(a, &err);
	case CH_PG_IN_DOUBT:
		break;
	}
	ch_warn("commit.in_doubt", CH_ERR(&err));
	for (size_t i = 0; i < n; i++)
		if (parts[i].next_offset >= 0)
			parts[i].p->in_doubt = parts[i].next_offset;
	ch_pg_disconnect(a->session->pg);
	return APPLY_DOWN;
}

/* What the partitions' rows hold now. */
static void
committed(struct apply *a, struct load *l)
{
	const struct batch_counts *c = &l->batch.counts;
	for (size_t i = 0; i < l->part_count; i++) {
		struct partition *p = l->parts[i].p;
		load_part_moved(&l->parts[i]);
		p->next_log_seq = l->batch.streams[i].next_log_seq;
	}
	for (size_t i = 0; i < STATUS_COUNT; i++)
		if (c->by_status[i] > 0)
			ch_series_add(a->results[i], (int64_t)c->by_status[i]);
	ch_series_add(a->results[STATUS_COUNT], (int64_t)c->duplicates);
	ch_metric_add(a->rt->metrics, LM_TIMERS, (int64_t)c->timers);
	ch_metric_add(a->rt->metrics, LM_FILLS_PARKED,
		(int64_t)c->parked_fills);
	ch_metric_set(a->rt->metrics, LM_LAST_DECIDED,
		a->locks.context.decided_at.us);
	a->decided_at = a->locks.context.decided_at;
	if (l->batch.count == 0)
		return; /* a sweep: it says nothing of the commands in hand */
	a->conflicts = 0;
	a->again = 0;
	a->lock_waits = 0;
	a->failures = 0;
}

/* ---- the phases ---- */

static void
phase_done(struct apply *a, enum apply_phase phase, struct ch_mono *since)
{
	struct ch_mono now = ch_clock_mono(a->rt->clock);
	ch_series_observe(a->phases[phase], (now.ns - since->ns) / 1000);
	*since = now;
}

/* A name and its row were made in between: trying again finds both. If not, the
 * row is gone, and only a person can bring it back. */
static enum apply_end
rows_not_had(struct apply *a, const struct ch_err *err)
{
	count_retry(a, "owner_not_locked", err);
	if (a->again >= FORGET_AFTER)
		names_forget(&a->names);
	if (++a->again < AGAIN_MAX)
		return APPLY_AGAIN;
	if (a->again == AGAIN_MAX)
		alert_row_missing(a->session, err);
	return APPLY_LATER;
}

enum apply_end
apply_clock_wrong(struct apply *a, const struct ch_err *err)
{
	a->clock_wrong = true;
	count_retry(a, "clock", err);
	return APPLY_LATER;
}

/* Of what is known by name, what these books, which were locked, show to be
 * wrong: a name without its row. */
static void
forget_missing(struct name_cache *c, const struct books *b)
{
	for (size_t i = 0; i < books_count(b, ROW_ACCOUNT); i++) {
		const struct account *a = books_account_at(b, i);
		if (a->row.state == ROW_WANTED)
			name_cache_forget(c, NAME_ACCOUNT, a->row.org->org_id,
				a->whole != NULL ? a->whole->row.name
						 : a->row.name);
	}
	for (size_t i = 0; i < books_count(b, ROW_SKU); i++) {
		const struct sku *s = books_sku_at(b, i);
		if (s->row.state == ROW_WANTED)
			name_cache_forget(c, NAME_SKU, s->row.org->org_id,
				s->row.name);
	}
}

/* The transaction is to be given up, though nothing failed on the server. */
static enum apply_end
give_up(struct apply *a, struct load *l, enum lock_end why,
	const struct ch_err *err)
{
	if (why == LOCK_FAILED)
		return load_failed(a, l, err);
	bool up = ch_pg_rollback(a->session->pg, NULL) == 0;
	if (why == LOCK_AGAIN)
		forget_missing(a->names.cache, &l->batch.books);
	batch_reset(&l->batch);
	if (!up)
		return APPLY_DOWN;
	if (why == LOCK_FENCED) {
		fence_lost(a->fence, a->locks.fenced);
		return APPLY_FENCED;
	}
	if (why == LOCK_DUE)
		return APPLY_DUE;
	if (why == LOCK_LARGE) {
		if (l->batch.fits == 0)
			l->batch.fits = l->batch.count / 2;
		return APPLY_LARGE;
	}
	if (why == LOCK_AGAIN)
		return rows_not_had(a, err);
	return apply_clock_wrong(a, err);
}

/* Nothing failed, where fewer entries would do. */
static enum apply_end
not_decided(struct apply *a, struct load *l, const struct ch_err *err)
{
	if (l->batch.fits == 0)
		return load_failed(a, l, err);
	return give_up(a, l, LOCK_LARGE, err);
}

enum apply_end
apply_load(struct apply *a, struct load *l, int64_t due_max, bool parked_only)
{
	struct ch_err err = CH_ERR_INIT;
	struct ch_mono t = ch_clock_mono(a->rt->clock);
	if (!parked_only &&
		names_find(&a->names, &a->script, &l->batch.books, &err) != 0)
		return load_failed(a, l, &err);
	CH_FAILPOINT("ledger.after_names");
	books_want_shards(&l->batch.books, batch_parts(&l->batch),
		l->batch.stream_count);
	phase_done(a, PHASE_NAMES, &t);
	enum lock_end locked = parked_only
		? locks_take_fence(&a->locks, &a->script, l, &err)
		: locks_take(&a->locks, &a->script, l, due_max, &err);
	if (locked == LOCK_CLOCK || locked == LOCK_HELD || locked == LOCK_DUE)
		a->clock_wrong = locked == LOCK_CLOCK;
	if (locked != LOCK_HELD)
		return give_up(a, l, locked, &err);
	phase_done(a, PHASE_LOCK, &t);
	load_fill_page(l);
	a->locks.context.out_most = BATCH_OUT_MOST;
	if (batch_decide(&l->batch, &a->locks.context, &err) != 0)
		return not_decided(a, l, &err);
	CH_FAILPOINT("ledger.after_decide");
	phase_done(a, PHASE_DECIDE, &t);
	if (writer_write(&a->writer, &a->script, l, &a->locks, &err) != 0)
		return load_failed(a, l, &err);
	phase_done(a, PHASE_WRITE, &t);
	enum apply_end end = apply_commit(a, l->parts, l->part_count);
	if (end != APPLY_DONE) {
		batch_reset(&l->batch);
		return end;
	}
	phase_done(a, PHASE_COMMIT, &t);
	committed(a, l);
	return APPLY_DONE;
}
