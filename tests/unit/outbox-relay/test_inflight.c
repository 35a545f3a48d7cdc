/* SPDX-License-Identifier: Apache-2.0 */
/* inflight: the position never passes an undelivered row. */
#include "check_suite.h"

#include "base/mem.h"
#include "inflight.h"
#include "rows.h"
#include "seed.h"

static void
commit_of(struct inflight *f, uint64_t lsn, const int64_t *seqs, size_t n)
{
	size_t i;

	inflight_begin(f, (struct ch_time){(int64_t)lsn});
	for (i = 0; i < n; i++)
		inflight_add(f, result_row(1, seqs[i], "k", "{}"));
	inflight_end(f, lsn, NULL);
}

static int64_t
delivered(const struct inflight *f, int32_t stream)
{
	struct mark m;
	size_t i;

	for (i = 0; marks_at(inflight_marks(f), i, &m); i++)
		if (m.stream == stream)
			return m.seq;
	return 0;
}

START_TEST(rows_of_a_commit_leave_sorted)
{
	struct inflight *f = inflight_new();
	struct event *e;
	int64_t want = 1;

	commit_of(f, 10, (const int64_t[]){3, 1, 4, 2, 5}, 5);
	while ((e = inflight_next(f)) != NULL) {
		ck_assert_int_eq(e->order, want++);
		e->state = EVENT_SENT;
	}
	ck_assert_int_eq(want, 6);
	inflight_free(f);
}
END_TEST

START_TEST(position_waits_for_the_first_gap)
{
	struct inflight *f = inflight_new();
	struct event *e[3];
	int i;

	for (i = 0; i < 3; i++) {
		commit_of(f, (uint64_t)(10 * (i + 1)), (const int64_t[]){i + 1},
			1);
		e[i] = inflight_next(f);
		e[i]->state = EVENT_SENT;
	}
	inflight_done(f, e[2]);
	inflight_done(f, e[1]);
	ck_assert(!inflight_advance(f));
	ck_assert_uint_eq(inflight_position(f)->lsn, 0);
	ck_assert_int_eq(delivered(f, 1), 0);
	inflight_done(f, e[0]);
	ck_assert(inflight_advance(f));
	ck_assert_uint_eq(inflight_position(f)->lsn, 30);
	ck_assert_int_eq(delivered(f, 1), 3);
	ck_assert(inflight_is_empty(f));
	ck_assert_uint_eq(inflight_bytes(f), 0);
	inflight_free(f);
}
END_TEST

START_TEST(keepalives_move_behind_what_was_read)
{
	struct inflight *f = inflight_new();
	struct event *e;

	inflight_position_at(f, 5);
	ck_assert_uint_eq(inflight_position(f)->lsn, 5);
	commit_of(f, 10, (const int64_t[]){1}, 1);
	inflight_position_at(f, 20);
	ck_assert_uint_eq(inflight_position(f)->lsn, 5);
	e = inflight_next(f);
	e->state = EVENT_SENT;
	inflight_begin(f, (struct ch_time){0});
	inflight_position_at(f, 90); /* inside of a transaction: nothing */
	inflight_done(f, e);
	inflight_advance(f);
	ck_assert_uint_eq(inflight_position(f)->lsn, 20);
	inflight_abandon(f);
	inflight_free(f);
}
END_TEST

START_TEST(rewind_sends_again_what_is_not_done_in_order)
{
	struct inflight *f = inflight_new();
	struct event *e, *second = NULL;
	int64_t want[] = {1, 3, 4};
	size_t i = 0;

	commit_of(f, 10, (const int64_t[]){1, 2}, 2);
	commit_of(f, 20, (const int64_t[]){3, 4}, 2);
	while ((e = inflight_next(f)) != NULL) {
		e->state = EVENT_SENT;
		if (e->order == 2)
			second = e;
	}
	inflight_done(f, second);
	inflight_rewind(f);
	while ((e = inflight_next(f)) != NULL) {
		ck_assert_int_eq(e->order, want[i++]);
		e->state = EVENT_SENT;
	}
	ck_assert_uint_eq(i, 3);
	inflight_free(f);
}
END_TEST

static bool
may_be(void *ctx, struct event *e)
{
	return e->order == *(int64_t *)ctx;
}

/* Thousands wait, and one of them may go: what is behind them goes as well, and
 * none of the others is looked at again. */
START_TEST(a_woken_row_leaves_the_others_passed)
{
	enum { WAIT = 4000 };
	struct inflight *f = inflight_new();
	int64_t seq, woken = 0;
	struct event *e;

	for (seq = 1; seq <= WAIT; seq++) {
		commit_of(f, (uint64_t)seq, &seq, 1);
		inflight_next(f)->state = EVENT_WAITING;
	}
	commit_of(f, WAIT + 1, (const int64_t[]){WAIT + 1, WAIT + 2}, 2);
	inflight_wake_if(f, may_be, &woken);
	for (woken = WAIT; woken > WAIT - 10; woken--) {
		inflight_wake_if(f, may_be, &woken);
		e = inflight_next(f);
		ck_assert_int_eq(e->order, woken);
		e->state = EVENT_TRIED;
		ck_assert_int_eq(inflight_next(f)->order, WAIT + 1);
	}
	inflight_next(f)->state = EVENT_WAITING;
	ck_assert_int_eq(inflight_next(f)->order, WAIT + 2);
	/* one behind the cursor does not move it */
	inflight_rewind(f);
	inflight_next(f)->state = EVENT_WAITING;
	e->state = EVENT_WAITING;
	woken = e->order;
	inflight_wake_if(f, may_be, &woken);
	ck_assert_int_eq(inflight_next(f)->order, 2);
	inflight_free(f);
}
END_TEST

/* One row waits, all behind it are delivered: they hold no memory, and count
 * when it is done. */
START_TEST(what_passed_a_waiting_row_costs_nothing)
{
	enum { PASSED = 5000 };
	struct inflight *f = inflight_new();
	struct event *stuck, *e;
	size_t bytes;
	int i;

	commit_of(f, 10, (const int64_t[]){1}, 1);
	stuck = inflight_next(f);
	stuck->state = EVENT_WAITING;
	bytes = inflight_bytes(f);
	for (i = 1; i <= PASSED; i++) {
		inflight_begin(f, (struct ch_time){10 + i});
		inflight_add(f, result_row(i % 3, 10 + i, "k", "{}"));
		inflight_add(f, result_row(4, 10 + i, "k", "{}"));
		inflight_end(f, (uint64_t)(10 + i), i == 7 ? "seven" : NULL);
		while ((e = inflight_next(f)) != NULL)
			inflight_done(f, e);
		ck_assert(!inflight_advance(f));
		ck_assert_uint_eq(inflight_bytes(f), bytes);
		ck_assert_uint_eq(inflight_events(f), 1);
	}
	ck_assert_uint_eq(inflight_position(f)->lsn, 0);
	ck_assert_int_eq(delivered(f, 4), 0);
	inflight_done(f, stuck);
	ck_assert(inflight_advance(f));
	ck_assert(inflight_is_empty(f));
	ck_assert_uint_eq(inflight_position(f)->lsn, 10 + PASSED);
	ck_assert_uint_eq(inflight_position(f)->commits, 1 + PASSED);
	ck_assert_uint_eq(inflight_position(f)->events, 1 + 2 * PASSED);
	ck_assert_str_eq(inflight_position(f)->mark, "seven");
	ck_assert_int_eq(delivered(f, 4), 10 + PASSED);
	ck_assert_int_eq(delivered(f, 2), 10 + PASSED);
	ck_assert_int_eq(delivered(f, 1), 9 + PASSED);
	inflight_free(f);
}
END_TEST

/* A naive model: an array of rows with flags, looked through each time. */
struct model_row {
	uint64_t lsn;
	int32_t stream;
	int64_t seq;
	bool done;
	struct event *e;
};

#define MODEL_MAX 4000

static uint64_t
model_position(const struct model_row *rows, size_t n)
{
	uint64_t lsn = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!rows[i].done)
			return lsn;
		if (i + 1 == n || rows[i + 1].lsn != rows[i].lsn)
			lsn = rows[i].lsn;
	}
	return lsn;
}

/* What the position says of the rows before it: the last of each stream, how
 * many, and that the others alone hold memory. */
static void
check_passed(const struct inflight *f, const struct model_row *rows, size_t n)
{
	uint64_t events = 0;
	int64_t last[4] = {0};
	size_t left = 0, bytes = 0, i;

	for (i = 0; i < n; i++) {
		if (rows[i].lsn <= inflight_position(f)->lsn) {
			last[rows[i].stream] = rows[i].seq;
			events++;
		} else if (!rows[i].done) {
			left++;
			bytes += rows[i].e->size;
		}
	}
	ck_assert_uint_eq(inflight_position(f)->events, events);
	ck_assert_uint_eq(inflight_events(f), left);
	ck_assert_uint_eq(inflight_bytes(f), bytes);
	for (i = 1; i < 4; i++)
		ck_assert_int_eq(delivered(f, (int32_t)i), last[i]);
}

static void
read_some(struct inflight *f, struct ch_rng *rng, struct model_row *rows,
	size_t *n, uint64_t *lsn)
{
	size_t count = 1 + ch_rng_below(rng, 5), i;
	int32_t stream = 1 + (int32_t)ch_rng_below(rng, 3);

	*lsn += 1 + ch_rng_below(rng, 100);
	inflight_begin(f, (struct ch_time){0});
	for (i = 0; i < count; i++) {
		rows[*n + i] = (struct model_row){
			*lsn, stream, (int64_t)(*n + i + 1), false, NULL};
	}
	for (i = count; i > 0; i--) { /* arrive in the other order */
		struct event *e =
			result_row(stream, rows[*n + i - 1].seq, "k", "{}");

		rows[*n + i - 1].e = e;
		inflight_add(f, e);
	}
	inflight_end(f, *lsn, NULL);
	*n += count;
}

START_TEST(random_walk_agrees_with_a_naive_model)
{
	struct model_row *rows = ch_xcalloc(MODEL_MAX + 8, sizeof(*rows));
	struct inflight *f = inflight_new();
	struct ch_rng rng;
	uint64_t lsn = 0;
	size_t n = 0, first = 0, i;
	struct event *e;

	seed_rng(&rng);
	while (n < MODEL_MAX) {
		switch (ch_rng_below(&rng, 4)) {
		case 0:
			read_some(f, &rng, rows, &n, &lsn);
			break;
		case 1:
			e = inflight_next(f);
			if (e != NULL)
				e->state = EVENT_SENT;
			break;
		case 2:
			i = n > first ? first + ch_rng_below(&rng, n - first)
				      : n;
			if (i < n && !rows[i].done &&
				rows[i].e->state == EVENT_SENT) {
				rows[i].done = true;
				inflight_done(f, rows[i].e);
			}
			break;
		default:
			if (ch_rng_below(&rng, 50) == 0)
				inflight_rewind(f);
			inflight_advance(f);
			ck_assert_uint_eq(inflight_position(f)->lsn,
				model_position(rows, n));
			check_passed(f, rows, n);
			while (first < n && rows[first].done &&
				rows[first].lsn <= inflight_position(f)->lsn)
				first++;
			break;
		}
		/* the next row is the first of the model that is NEW */
		e = inflight_next(f);
		for (i = first; i < n; i++)
			if (!rows[i].done && rows[i].e->state == EVENT_NEW)
				break;
		ck_assert_ptr_eq(e, i < n ? rows[i].e : NULL);
	}
	inflight_free(f);
	free(rows);
}
END_TEST

START_TEST(a_held_row_counts_only_when_it_is_let_go)
{
	struct inflight *f = inflight_new();
	struct event *e[2];
	int i;

	for (i = 0; i < 2; i++) {
		commit_of(f, (uint64_t)(10 * (i + 1)), (const int64_t[]){i + 1},
			1);
		e[i] = inflight_next(f);
		inflight_hold(e[i]);
		e[i]->state = EVENT_SENT;
	}
	inflight_done(f, e[0]);
	ck_assert(!inflight_advance(f));
	inflight_rewind(f);
	ck_assert_ptr_eq(inflight_next(f),
		e[1]); /* the first is not sent again */
	inflight_let_go(f, e[1]);
	ck_assert_ptr_eq(inflight_next(f), e[1]);
	inflight_let_go(f, e[0]);
	ck_assert(inflight_advance(f));
	ck_assert_uint_eq(inflight_position(f)->lsn, 10);
	inflight_done(f, e[1]);
	ck_assert(inflight_advance(f));
	ck_assert_uint_eq(inflight_position(f)->lsn, 20);
	inflight_free(f);
}
END_TEST

START_TEST(what_is_forgotten_may_begin_lower)
{
	struct inflight *f = inflight_new();
	struct mark m;

	commit_of(f, 90, (const int64_t[]){15}, 1);
	inflight_done(f, inflight_next(f));
	ck_assert(inflight_advance(f));
	inflight_begin(f, (struct ch_time){0});
	inflight_end(f, 0, "9:9:");
	ck_assert(inflight_advance(f));
	inflight_forget(f);
	ck_assert_uint_eq(inflight_position(f)->lsn, 0);
	ck_assert_ptr_null(inflight_position(f)->mark);
	ck_assert(!marks_at(inflight_marks(f), 0, &m));
	inflight_delivered_set(f, 1, 10);
	commit_of(f, 40, (const int64_t[]){11}, 1);
	inflight_done(f, inflight_next(f));
	ck_assert(inflight_advance(f));
	ck_assert_int_eq(delivered(f, 1), 11);
	ck_assert_uint_eq(inflight_position(f)->lsn, 40);
	ck_assert_uint_eq(inflight_position(f)->events, 2);
	inflight_free(f);
}
END_TEST

/* A page is read while a large commit is: it is sent, counts and is passed
 * first, and nothing of the large one counts before its end. */
START_TEST(a_commit_in_between_comes_before_what_is_half_read)
{
	struct inflight *f = inflight_new();
	size_t half, whole, all;
	struct event *e;
	int i;

	inflight_begin(f, (struct ch_time){0});
	for (i = 1; i <= 100; i++)
		inflight_add(f, result_row(1, i, "k", "{}"));
	half = inflight_bytes(f);
	ck_assert_uint_eq(inflight_whole_bytes(f), 0);
	inflight_interrupt(f);
	ck_assert(!inflight_is_reading(f));
	commit_of(f, 0, (const int64_t[]){7, 8}, 2);
	inflight_resume(f);
	ck_assert(inflight_is_reading(f));
	whole = inflight_bytes(f) - half;
	ck_assert_uint_eq(inflight_whole_bytes(f), whole);
	for (i = 7; i <= 8; i++) {
		e = inflight_next(f);
		ck_assert_int_eq(e->order, i);
		inflight_done(f, e);
	}
	ck_assert_ptr_null(inflight_next(f));
	ck_assert(inflight_advance(f));
	ck_assert_uint_eq(inflight_position(f)->lsn, 0);
	ck_assert_uint_eq(inflight_whole_bytes(f), 0);
	inflight_add(f, result_row(1, 101, "k", "{}"));
	ck_assert_uint_eq(inflight_whole_bytes(f), 0);
	all = inflight_bytes(f);
	ck_assert_uint_gt(all, half);
	inflight_end(f, 50, NULL);
	ck_assert_uint_eq(inflight_whole_bytes(f), all);
	ck_assert_int_eq(inflight_next(f)->order, 1);
	inflight_free(f);
}
END_TEST

/* However commits were joined or dropped. */
START_TEST(what_was_ended_is_delivered_with_as_many_commits)
{
	struct inflight *f = inflight_new();
	struct event *first, *e;
	uint64_t end;
	int64_t i;

	commit_of(f, 0, (const int64_t[]){1}, 1);
	first = inflight_next(f);
	first->state = EVENT_SENT;
	for (i = 2; i < 10; i++) {
		commit_of(f, 0, &i, 1);
		e = inflight_next(f);
		e->state = EVENT_SENT;
		inflight_done(f, e);
	}
	end = inflight_ended(f);
	commit_of(f, 0, &i, 1);
	inflight_next(f)->state = EVENT_SENT;
	(void)inflight_advance(f);
	ck_assert_uint_lt(inflight_position(f)->commits, end);
	inflight_done(f, first);
	ck_assert(inflight_advance(f));
	ck_assert_uint_eq(inflight_position(f)->commits, end);
	inflight_clear(f);
	ck_assert_uint_eq(inflight_ended(f), end);
	inflight_free(f);
}
END_TEST

/* As is usual: nothing is read while a page is. */
START_TEST(an_interruption_of_nothing_is_none)
{
	struct inflight *f = inflight_new();

	inflight_interrupt(f);
	commit_of(f, 10, (const int64_t[]){1}, 1);
	inflight_resume(f);
	ck_assert(!inflight_is_reading(f));
	ck_assert_uint_eq(inflight_whole_bytes(f), inflight_bytes(f));
	commit_of(f, 20, (const int64_t[]){2}, 1);
	ck_assert_int_eq(inflight_next(f)->order, 1);
	inflight_free(f);
}
END_TEST

START_TEST(another_reading_begins_without_a_mark)
{
	struct inflight *f = inflight_new();

	inflight_begin(f, (struct ch_time){0});
	inflight_end(f, 7, "1:1:");
	ck_assert(inflight_advance(f));
	ck_assert_str_eq(inflight_position(f)->mark, "1:1:");
	inflight_unmark(f);
	ck_assert_ptr_null(inflight_position(f)->mark);
	ck_assert_uint_eq(inflight_position(f)->lsn, 7);
	inflight_begin(f, (struct ch_time){0});
	inflight_end(f, 0, "2:2:");
	ck_assert(inflight_advance(f));
	ck_assert_str_eq(inflight_position(f)->mark, "2:2:");
	inflight_free(f);
}
END_TEST

static void
add_order(void *ctx, const struct event *e)
{
	*(int64_t *)ctx += e->order;
}

START_TEST(who_watches_hears_of_a_row_once_it_counts)
{
	struct inflight *f = inflight_new();
	struct event *e;
	int64_t orders = 0;

	inflight_watch(f, add_order, &orders);
	commit_of(f, 10, (const int64_t[]){4, 5, 6}, 3);
	e = inflight_next(f);
	inflight_hold(e);
	inflight_done(f, e);
	ck_assert_int_eq(orders, 0);
	inflight_let_go(f, e);
	ck_assert_int_eq(orders, 4);
	inflight_done(f, inflight_next(f));
	ck_assert_int_eq(orders, 9);
	inflight_clear(f); /* what is dropped is not done */
	ck_assert_int_eq(orders, 9);
	inflight_free(f);
}
END_TEST

SUITE_MAIN("inflight", a_commit_in_between_comes_before_what_is_half_read,
	an_interruption_of_nothing_is_none,
	what_was_ended_is_delivered_with_as_many_commits,
	another_reading_begins_without_a_mark,
	who_watches_hears_of_a_row_once_it_counts,
	a_woken_row_leaves_the_others_passed,
	what_passed_a_waiting_row_costs_nothing,
	a_held_row_counts_only_when_it_is_let_go,
	what_is_forgotten_may_begin_lower, rows_of_a_commit_leave_sorted,
	position_waits_for_the_first_gap, keepalives_move_behind_what_was_read,
	rewind_sends_again_what_is_not_done_in_order,
	random_walk_agrees_with_a_naive_model)
