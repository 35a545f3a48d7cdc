/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock: queueing the statements, then reading their answers into the books.
 *
 * What is due is asked for up to some seconds ahead of the clock, because the
 * batch's own time is known only when everything is locked; should that time
 * be later still, it is asked for once more.
 */
#include "lock.h"

#include <stdlib.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "ledger_writer_sql.h"
#include "lock_answers.h"
#include "lock_rules.h"

#define AHEAD_US INT64_C(10000000)

static const struct ch_pg_stmt begin = {"begin", "BEGIN"};
static const struct ch_pg_stmt pause_lock = {
	"take_pause_lock", ledger_writer_sql_take_pause_lock};
static const struct ch_pg_stmt move_offset = {
	"move_offset", ledger_writer_sql_move_offset};
static const struct ch_pg_stmt draw_number = {
	"draw_number", ledger_writer_sql_draw_number};
static const struct ch_pg_stmt read_clock = {
	"read_clock", ledger_writer_sql_read_clock};
static const struct ch_pg_stmt lowest_day = {
	"lowest_day", ledger_writer_sql_lowest_day};
static const struct ch_pg_stmt find_ids = {
	"find_ids", ledger_writer_sql_find_ids};

/* Where in the script each answer is. */
struct plan {
	struct lock_plan rows;
	struct lock_rules rules;
	size_t fences, number, lowest, ids;
	struct known_id **known; /* by day */
	size_t known_count;
	size_t *day_first; /* into known; day_count + 1 of them */
	size_t day_count;
	struct ch_time began; /* our clock before anything was sent */
	bool sweeps;	      /* what is due may be settled in part */
	bool due_is_cut;
};

void
locks_init(struct locks *k, struct session *s)
{
	*k = (struct locks){.session = s};
	lock_rows_init(&k->rows);
	ch_pg_array_init(&k->org_ids, CH_PG_INT4_ARRAY);
	ch_pg_array_init(&k->uuids, CH_PG_UUID_ARRAY);
}

void
locks_free(struct locks *k)
{
	lock_rows_free(&k->rows);
	ch_pg_array_free(&k->org_ids);
	ch_pg_array_free(&k->uuids);
	ch_arena_free(&k->arena);
}

/* ---- in which order ---- */

static int
by_day(const void *a, const void *b)
{
	const struct known_id *x = *(struct known_id *const *)a;
	const struct known_id *y = *(struct known_id *const *)b;
	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	return (x->named > y->named) - (x->named < y->named);
}

/* Ids that can be in the log at all: not of the future, not of days that were
 * dropped. The kept days bound how many statements that makes. Within a day in
 * the order in which they were named, so that the first answers are read. */
static void
sort_ids(struct locks *k, struct plan *plan, struct books *b, int64_t today)
{
	plan->known = ch_arena_alloc(&k->arena,
		(books_count(b, ROW_ID) + 1) * sizeof(struct known_id *));
	plan->day_first = ch_arena_alloc(&k->arena,
		(books_count(b, ROW_ID) + 1) * sizeof(size_t));
	for (size_t i = 0; i < books_count(b, ROW_ID); i++) {
		struct known_id *id = books_id_at(b, i);
		id->named = i;
		if (id->day <= today + 1 && id->day >= k->lowest_day)
			plan->known[plan->known_count++] = id;
	}
	qsort(plan->known, plan->known_count, sizeof(struct known_id *),
		by_day);
	for (size_t i = 0; i < plan->known_count; i++)
		if (i == 0 || plan->known[i]->day != plan->known[i - 1]->day)
			plan->day_first[plan->day_count++] = i;
	plan->day_first[plan->day_count] = plan->known_count;
}

/* ---- queueing ---- */

/* Builds with failpoints send the script in parts, so that a process can be
 * stopped while it holds these locks and no others. */
static void
step(struct script *sc, const char *failpoint)
{
#ifdef CH_FAILPOINTS
	if (script_run(sc, &sc->err) == 0)
		CH_FAILPOINT(failpoint);
#else
	(void)sc;
	(void)failpoint;
#endif
}

void
locks_queue_fences(struct script *sc, const struct load_part *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct load_part *lp = &parts[i];
		int64_t to = lp->next_offset >= 0 ? lp->next_offset
						  : lp->p->next_offset;
		struct ch_pg_args a;
		ch_pg_args_clear(&a);
		ch_pg_arg_str(&a, lp->p->topic);
		ch_pg_arg_i32(&a, lp->p->part);
		ch_pg_arg_i64(&a, lp->p->epoch);
		ch_pg_arg_i64(&a, lp->p->next_offset);
		ch_pg_arg_i64(&a, to);
		ch_pg_arg_i32(&a,
			lp->next_offset >= 0 ? lp->leader_epoch
					     : lp->p->leader_epoch);
		script_add(sc, &move_offset, &a);
	}
}

static size_t
queue_ids(struct locks *k, struct script *sc, const struct plan *plan)
{
	size_t first = sc->count;
	for (size_t d = 0; d < plan->day_count; d++) {
		struct ch_pg_args a;
		size_t from = plan->day_first[d];
		size_t earliest = from;
		ch_pg_array_clear(&k->org_ids);
		ch_pg_array_clear(&k->uuids);
		for (size_t i = from; i < plan->day_first[d + 1]; i++) {
			if (plan->known[i]->named <
				plan->known[earliest]->named)
				earliest = i;
			ch_pg_array_i32(&k->org_ids,
				plan->known[i]->row.org->org_id);
			ch_pg_array_uuid(&k->uuids, &plan->known[i]->id);
		}
		ch_pg_args_clear(&a);
		ch_pg_arg_day(&a, plan->known[from]->day);
		ch_pg_arg_array(&a, &k->org_ids);
		ch_pg_arg_array(&a, &k->uuids);
		ch_pg_arg_i64(&a, (int64_t)(BATCH_OUT_MOST / plan->day_count));
		/* the batch's first entry must not miss its answer */
		ch_pg_arg_i64(&a, (int64_t)(earliest - from) + 1);
		script_add(sc, &find_ids, &a);
	}
	return first;
}

static void
queue(struct locks *k, struct script *sc, struct plan *plan, struct load *l,
	int64_t due_max)
{
	struct books *b = &l->batch.books;
	struct ch_time now = ch_clock_wall(k->session->rt->clock);
	struct ch_pg_args a;
	lock_rows_plan(&plan->rows, b, &k->arena);
	plan->rows.due_until = (struct ch_time){now.us + AHEAD_US};
	plan->rows.due_max = due_max;
	if (l->batch.count > 1 && plan->rows.locker_count > 1)
		plan->rows.locked_most = LOCK_LOCKED_MOST;
	plan->sweeps = load_empty(l) && l->pay == NULL;
	sort_ids(k, plan, b, ch_time_day(now));
	plan->began = now;
	script_add(sc, &begin, NULL);
	script_add(sc, &pause_lock, NULL);
	step(sc, "ledger.after_pause_lock");
	lock_rules_queue(&plan->rules, sc);
	plan->fences = sc->count;
	locks_queue_fences(sc, l->parts, l->part_count);
	step(sc, "ledger.after_fence");
	lock_rows_queue(&k->rows, &plan->rows, sc);
	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, "command_log");
	plan->lowest = script_add(sc, &lowest_day, &a);
	/* An id is known from a batch with an earlier number only, so the number
	 * comes behind. Whoever takes one meanwhile is met at its unique key. */
	plan->ids = queue_ids(k, sc, plan);
	plan->number = script_add(sc, &draw_number, NULL);
}

/* ---- reading ---- */

/* false: a fence found no row. */
static bool
load_fences(struct locks *k, const struct script *sc, size_t first,
	struct load *l, struct ch_err *err)
{
	for (size_t i = 0; i < l->part_count; i++) {
		const PGresult *res = script_result(sc, first + i);
		if (PQntuples(res) != 1) {
			k->fenced = l->parts[i].p;
			return false;
		}
		struct ch_pg_row r = ch_pg_row(res, 0);
		(void)ch_pg_next_i32(&r);
		l->batch.streams[i].next_log_seq = ch_pg_next_i64(&r);
		l->batch.streams[i].last_at = ch_pg_next_time(&r);
		if (!ch_pg_row_ok(&r, err))
			return false;
	}
	return true;
}

static int
load_ids(struct books *b, const struct plan *plan, const struct script *sc,
	struct ch_err *err)
{
	for (size_t d = 0; d < plan->day_count; d++) {
		const PGresult *res = script_result(sc, plan->ids + d);
		for (int i = 0; i < PQntuples(res); i++) {
			struct ch_pg_row r = ch_pg_row(res, i);
			struct ch_sha256 hash;
			int64_t at = ch_pg_next_i64(&r);
			struct ch_view bytes = ch_pg_next_bytea(&r);
			struct ch_view result = ch_pg_next_text_null(&r);
			if (!ch_pg_row_ok(&r, err))
				return err->code;
			if (bytes.len != sizeof(hash.bytes))
				return ch_err_set(err, CH_EPROTO,
					"payload_hash of %zu bytes", bytes.len);
			memcpy(hash.bytes, bytes.ptr, sizeof(hash.bytes));
			struct known_id *id = plan->known[plan->day_first[d] +
				(size_t)at - 1];
			if (!row_is_there(&id->row)) /* a second look */
				books_load_id(b, id, &hash, result);
		}
	}
	return 0;
}

static int
load_number(struct locks *k, const PGresult *number, const PGresult *lowest,
	struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(number, 0);
	k->context.number = ch_pg_next_i64(&r);
	k->theirs = ch_pg_next_time(&r);
	if (!ch_pg_row_ok(&r, err) ||
		!ch_pg_get_day(lowest, 0, 0, &k->context.lowest_day))
		return ch_err_set(err, CH_EPROTO,
			"retention has no row for command_log");
	return 0;
}

/* The last rows to be locked: so the number is drawn once more behind them, or
 * a batch that had them first could have a later one; and ids are looked up
 * again. Only where there are rules: one round trip. plan NULL: a replay, whose
 * numbers are the log's. */
static int
lock_windows(struct locks *k, struct batch *b, struct plan *plan,
	struct ch_err *err)
{
	struct lock_windows windows;
	struct script sc;
	if (books_count(&b->books, ROW_RATE) == 0)
		return 0;
	script_init(&sc, k->session);
	lock_windows_queue(&windows, &b->books, &k->arena, &sc);
	if (plan != NULL) {
		plan->ids = queue_ids(k, &sc, plan);
		plan->number = script_add(&sc, &draw_number, NULL);
	}
	int rc = script_run(&sc, err);
	if (rc == 0)
		CH_FAILPOINT("ledger.after_rates");
	if (rc == 0)
		rc = lock_windows_load(&windows, &b->books, &sc, err);
	if (rc == 0 && plan != NULL &&
		!ch_pg_get_i64(script_result(&sc, plan->number), 0, 0,
			&k->context.number))
		rc = ch_err_set(err, CH_EPROTO, "a batch's number");
	if (rc == 0 && plan != NULL)
		rc = load_ids(&b->books, plan, &sc, err);
	script_free(&sc);
	return rc;
}

/* The kept days, before ids are sorted by them for the first time. */
static int
learn_lowest_day(struct locks *k, struct ch_err *err)
{
	struct ch_pg_args a;
	PGresult *res = NULL;
	if (k->knows_lowest_day)
		return 0;
	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, "command_log");
	int rc = session_query(k->session, &lowest_day, &a, &res, err);
	if (rc == 0 && !ch_pg_get_day(res, 0, 0, &k->lowest_day))
		rc = ch_err_set(err, CH_EPROTO,
			"retention has no row for command_log");
	PQclear(res);
	k->knows_lowest_day = rc == 0;
	return rc;
}

/* 1: days count as kept that were not looked at. */
static int
check_lowest_day(struct locks *k, struct ch_err *err)
{
	bool lowered = k->context.lowest_day < k->lowest_day;
	k->lowest_day = k->context.lowest_day;
	if (lowered)
		ch_err_set(err, CH_EFENCED,
			"lowest_day of command_log was set back");
	return lowered;
}

/* How far outside of the two looks is it? So neither a slow answer nor a process
 * that was stopped in between counts as a wrong clock. */
bool
locks_clock_is_wrong(struct locks *k, struct ch_time before,
	struct ch_time after, struct ch_err *err)
{
	int64_t most =
		ch_params_ms(k->session->rt->params, "clock_tolerance") * 1000;
	k->clock_offset_us = 0;
	if (k->theirs.us < before.us)
		k->clock_offset_us = before.us - k->theirs.us;
	else if (k->theirs.us > after.us)
		k->clock_offset_us = after.us - k->theirs.us;
	if (llabs(k->clock_offset_us) <= most)
		return false;
	ch_err_set(err, CH_ERANGE,
		"the clock is %lld ms off PostgreSQL's, at most %lld are "
		"allowed: set it right (chrony, ntpd)",
		(long long)(k->clock_offset_us / 1000),
		(long long)(most / 1000));
	return true;
}

bool
locks_clock_is_right(struct locks *k, struct ch_err *err)
{
	struct ch_time before = ch_clock_wall(k->session->rt->clock);
	PGresult *res = NULL;
	int rc = session_query(k->session, &read_clock, NULL, &res, err);
	struct ch_time after = ch_clock_wall(k->session->rt->clock);
	bool right = rc != 0 || !ch_pg_get_time(res, 0, 0, &k->theirs) ||
		!locks_clock_is_wrong(k, before, after, err);
	PQclear(res);
	return right;
}

/* All of it, or in a sweep as much as was asked for. 1: there is more. */
static int
load_due(struct locks *k, const struct script *sc, struct plan *plan,
	struct ch_err *err)
{
	struct ch_time at = k->context.decided_at;
	plan->due_is_cut =
		!plan->sweeps && lock_answers_due_is_cut(&plan->rows, sc, at);
	if (!plan->due_is_cut)
		return lock_answers_load_due(&k->rows, &plan->rows, sc, at,
			err);
	ch_err_set(err, CH_EFULL, "more than %lld are due on its owners",
		(long long)plan->rows.due_max);
	return 1;
}

/* Asks once more when the batch's time is later than was foreseen. */
static int
settle_due(struct locks *k, struct script *sc, struct plan *plan,
	struct ch_err *err)
{
	struct ch_time at = k->context.decided_at;
	struct script more;
	if (at.us <= plan->rows.due_until.us)
		return load_due(k, sc, plan, err);
	plan->rows.due_until = at;
	script_init(&more, k->session);
	lock_rows_queue_due(&k->rows, &plan->rows, &more);
	int rc = script_run(&more, err);
	if (rc == 0)
		rc = load_due(k, &more, plan, err);
	script_free(&more);
	return rc;
}

/* The rows and rules, before the time of the decision is known. */
static int
read_rows(struct locks *k, struct script *sc, struct plan *plan, struct load *l,
	struct ch_err *err)
{
	int rc = lock_rules_load(&plan->rules, sc, err);
	if (rc == 0)
		rc = load_number(k, script_result(sc, plan->number),
			script_result(sc, plan->lowest), err);
	if (rc == 0)
		rc = lock_answers_load(&k->rows, &plan->rows, sc, err);
	if (rc == 0)
		rc = check_lowest_day(k, err);
	if (rc == 0)
		rc = load_ids(&l->batch.books, plan, sc, err);
	if (rc == 0) {
		batch_want_rates(&l->batch, k->context.rates,
			k->context.rate_count);
		rc = lock_windows(k, &l->batch, plan, err);
	}
	return rc;
}

static enum lock_end
read_answers(struct locks *k, struct script *sc, struct plan *plan,
	struct load *l, struct ch_err *err)
{
	struct books *b = &l->batch.books;
	struct ch_time clock = ch_clock_wall(k->session->rt->clock);
	struct ch_time at = clock.us > k->not_before.us ? clock : k->not_before;
	if (!load_fences(k, sc, plan->fences, l, err))
		return k->fenced != NULL ? LOCK_FENCED : LOCK_FAILED;
	if (lock_answers_locked_is_cut(&plan->rows, sc)) {
		ch_err_set(err, CH_EFULL,
			"its skims have %zu positions with a lock or more",
			plan->rows.locked_most);
		return LOCK_LARGE;
	}
	int rc = read_rows(k, sc, plan, l, err);
	if (rc >= 0 && k->theirs.us != 0 &&
		locks_clock_is_wrong(k, plan->began, clock, err))
		return LOCK_CLOCK;
	if (rc == 0) {
		k->context.decided_at = batch_decided_at(&l->batch, at);
		rc = settle_due(k, sc, plan, err);
	}
	if (plan->due_is_cut)
		return LOCK_DUE;
	if (rc != 0)
		return rc > 0 ? LOCK_AGAIN : LOCK_FAILED;
	books_close_lookup(b);
	if (books_missing(b) == 0)
		return LOCK_HELD;
	lock_answers_name_missing(b, err);
	return LOCK_AGAIN;
}

bool
locks_set_aside(struct locks *k, struct due_ref due, struct ch_mono back_at)
{
	return aside_put(&k->rows.aside, due, back_at);
}

enum lock_end
locks_take(struct locks *k, struct script *sc, struct load *l, int64_t due_max,
	struct ch_err *err)
{
	struct plan plan = {.rules = {&k->arena, &k->context, 0, 0}};
	ch_arena_reset(&k->arena, 65536);
	k->context = (struct batch_context){0};
	k->fenced = NULL;
	k->theirs.us = 0;
	enum lock_end end = LOCK_FAILED;
	if (learn_lowest_day(k, err) != 0)
		return end;
	queue(k, sc, &plan, l, due_max);
	if (script_run(sc, err) == 0) {
		CH_FAILPOINT("ledger.after_locks");
		end = read_answers(k, sc, &plan, l, err);
	}
	script_clear(sc);
	return end;
}

enum lock_end
locks_take_fence(struct locks *k, struct script *sc, struct load *l,
	struct ch_err *err)
{
	struct plan plan = {0};
	struct ch_pg_args a;
	ch_arena_reset(&k->arena, 65536);
	k->context = (struct batch_context){0};
	k->fenced = NULL;
	script_add(sc, &begin, NULL);
	plan.fences = sc->count;
	locks_queue_fences(sc, l->parts, l->part_count);
	plan.number = script_add(sc, &draw_number, NULL);
	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, "command_log");
	plan.lowest = script_add(sc, &lowest_day, &a);
	plan.began = ch_clock_wall(k->session->rt->clock);
	enum lock_end end = LOCK_FAILED;
	if (script_run(sc, err) == 0) {
		struct ch_time clock = ch_clock_wall(k->session->rt->clock);
		end = LOCK_HELD;
		if (!load_fences(k, sc, plan.fences, l, err))
			end = k->fenced != NULL ? LOCK_FENCED : LOCK_FAILED;
		else if (load_number(k, script_result(sc, plan.number),
				 script_result(sc, plan.lowest), err) != 0)
			end = LOCK_FAILED;
		else if (locks_clock_is_wrong(k, plan.began, clock, err))
			end = LOCK_CLOCK;
		k->context.decided_at = batch_decided_at(&l->batch, clock);
		books_close_lookup(&l->batch.books);
	}
	script_clear(sc);
	return end;
}

enum lock_end
locks_take_rows(struct locks *k, struct script *sc, struct load *l,
	struct ch_err *err)
{
	struct plan plan = {.rules = {&k->arena, &k->context, 0, 0}};
	ch_arena_reset(&k->arena, 65536);
	k->context = (struct batch_context){.lowest_day = INT64_MIN};
	lock_rows_plan(&plan.rows, &l->batch.books, &k->arena);
	lock_rules_queue_rates(&plan.rules, sc);
	lock_rows_queue(&k->rows, &plan.rows, sc);
	int rc = script_run(sc, err);
	if (rc == 0)
		rc = lock_rules_load(&plan.rules, sc, err);
	if (rc == 0)
		rc = lock_answers_load(&k->rows, &plan.rows, sc, err);
	script_clear(sc);
	if (rc == 0) {
		batch_want_rates(&l->batch, k->context.rates,
			k->context.rate_count);
		rc = lock_windows(k, &l->batch, NULL, err);
	}
	if (rc != 0)
		return rc > 0 ? LOCK_AGAIN : LOCK_FAILED;
	books_close_lookup(&l->batch.books);
	if (books_missing(&l->batch.books) == 0)
		return LOCK_HELD;
	lock_answers_name_missing(&l->batch.books, err);
	return LOCK_AGAIN;
}
