/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a load says of its records: when they were sent, whose topic they came
 * through, and which offset was to come next.
 */
#include <check.h>
#include <stdlib.h>

#include "load.h"

#define COMMAND(org)                                                           \
	"{\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"org\":\"" org      \
	"\",\"type\":\"asset.define\",\"asset\":\"USD\",\"scale\":2}"

static const struct command_limits limits = {.value_max = 65536};
static struct partition free_for_all = {
	.topic = "ledger.commands", .stream = 1, .state = PARTITION_OWNED};
static struct partition of_acme = {.topic = "ledger.commands.acme",
	.stream = 2,
	.org_len = 4,
	.state = PARTITION_OWNED};

static const struct batch_entry *
add(struct load **l, struct partition *p, const char *value)
{
	struct batch_record r = {.offset = 0, .value = ch_view_of(value)};

	load_add(l, p, &r);
	return (*l)->batch.entries[(*l)->batch.count - 1];
}

START_TEST(a_time_that_no_column_can_hold_counts_as_none)
{
	struct ch_time at = {1};

	ck_assert(batch_record_time(1700000000000, &at));
	ck_assert_int_eq(at.us, 1700000000000000);
	ck_assert(batch_record_time(0, &at));
	ck_assert(batch_record_time(BATCH_RECORD_MS_MAX, &at));
	ck_assert(!batch_record_time(BATCH_RECORD_MS_MAX + 1, &at));
	ck_assert(!batch_record_time(INT64_MAX, &at));
	ck_assert(!batch_record_time(-1, &at));
	ck_assert(!batch_record_time(INT64_MIN, &at));
	ck_assert_int_eq(at.us, 0);
}
END_TEST

START_TEST(a_bound_topic_is_its_organisations_alone_also_within_one_batch)
{
	struct load *l = load_new(&limits);
	struct load *copy = load_new(&limits);
	const struct batch_entry *e;

	/* of_acme comes first: the load is rebuilt for the other */
	ck_assert(add(&l, &of_acme, COMMAND("acme"))->readable);
	ck_assert(add(&l, &free_for_all, COMMAND("beta"))->readable);
	e = add(&l, &of_acme, COMMAND("beta"));
	ck_assert(!e->readable);
	ck_assert_str_eq(e->refusal.error_class, "invalid");
	ck_assert(e->refusal.has_id);
	ck_assert(add(&l, &free_for_all, COMMAND("acme"))->readable);
	load_copy(copy, l, 0, l->batch.count);
	ck_assert_uint_eq(copy->batch.count, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(copy->batch.entries[i]->readable, i != 2);
	load_free(copy);
	load_free(l);
}
END_TEST

START_TEST(a_hole_is_seen_from_the_claim_on_and_once)
{
	struct partition p = {.topic = "t", .next_offset = 10, .turn = 2};

	ck_assert_int_eq(partition_expect(&p, 10), 10);
	ck_assert_int_eq(partition_expect(&p, 11), 11);
	ck_assert_int_eq(partition_expect(&p, 15), 12);
	ck_assert_int_eq(partition_expect(&p, 16), 16);
	p.turn++; /* claimed anew: read again from what is stored */
	p.next_offset = 12;
	ck_assert_int_eq(partition_expect(&p, 14), 12);
	ck_assert_int_eq(partition_expect(&p, 15), 15);
}
END_TEST

/* Two owners may look for the same page at once. */
START_TEST(a_page_that_somebody_else_has_paid_is_not_paid_again)
{
	struct load *l = load_new(&limits);
	struct books *b = &l->batch.books;
	struct org *org = books_org(b, CH_VIEW("acme"));
	struct market *m = books_market(b, org, CH_VIEW("m"));
	struct position *p = books_position(b,
		books_account(b, org, CH_VIEW("a")), m, CH_VIEW("YES"));

	m->state = MARKET_SETTLING;
	m->cursor = 7;
	p->row.number = 9;
	books_loaded(&m->row);
	books_loaded(&p->row);
	l->pay = m;
	l->pay_cursor = 3; /* when the page was looked for */
	load_fill_page(l);
	ck_assert_ptr_null(l->batch.pay.market);
	l->pay_cursor = 7;
	load_fill_page(l);
	ck_assert_ptr_eq(l->batch.pay.market, m);
	ck_assert_uint_eq(l->batch.pay.count, 1);
	load_free(l);
}
END_TEST

START_TEST(what_waits_is_told_of_every_partition_that_has_a_place)
{
	struct partition p = {.topic = "t",
		.next_offset = 10,
		.end = 14,
		.state = PARTITION_WANTED};
	struct ch_mono t = {INT64_C(1000000000)};

	ck_assert_int_eq(partition_lag(&p), -1); /* never claimed */
	ck_assert_int_eq(partition_waits_ms(&p, t), 0);
	p.placed = true;
	ck_assert_int_eq(partition_lag(&p), 4);
	ck_assert_int_eq(partition_waits_ms(&p, t), 0);
	t.ns += INT64_C(3000000000);
	p.end = 20;
	ck_assert_int_eq(partition_waits_ms(&p, t), 3000);
	p.next_offset = 12; /* somebody works */
	ck_assert_int_eq(partition_waits_ms(&p, t), 0);
	t.ns += INT64_C(2000000000);
	ck_assert_int_eq(partition_waits_ms(&p, t), 2000);
	p.next_offset = 20;
	ck_assert_int_eq(partition_lag(&p), 0);
	ck_assert_int_eq(partition_waits_ms(&p, t), 0);
	p.end = 3; /* a topic made anew */
	ck_assert_int_eq(partition_waits_ms(&p, t), 0);
	p.state = PARTITION_STOPPED;
	ck_assert_int_eq(partition_lag(&p), 0);
	ck_assert_int_eq(partition_waits_ms(&p, t), 0);
	t.ns += INT64_C(5000000000);
	ck_assert_int_eq(partition_waits_ms(&p, t), 5000);
	p.state = PARTITION_GONE;
	ck_assert_int_eq(partition_lag(&p), -1);
	ck_assert_int_eq(partition_waits_ms(&p, t), 0);
}
END_TEST

/* {"id":...,"type":"group","commands":[64 voids of holds of their own]} */
static void
add_group(struct load **l, struct ch_buf *text, size_t n)
{
	ch_buf_clear(text);
	ch_buf_printf(text,
		"{\"id\":\"01890a5d-ac96-774b-bcce-%012zx\","
		"\"org\":\"acme\",\"type\":\"group\",\"commands\":[",
		n);
	for (size_t i = 0; i < LEDGER_GROUP_MAX; i++)
		ch_buf_printf(text,
			"%s{\"type\":\"hold.void\",\"hold\":"
			"\"h%zu\"}",
			i > 0 ? "," : "", n * LEDGER_GROUP_MAX + i);
	ch_buf_add(text, "]}", 2);
	ck_assert(add(l, &free_for_all, ch_buf_str(text))->readable);
}

/* batch_records and batch_bytes allow 20,000 groups: more members than a batch
 * has numbers for their events. Together with what they name and what is due
 * the load must be decided. */
START_TEST(a_load_is_full_before_its_events_have_no_numbers)
{
	struct load *l = load_new(&limits);
	struct batch_context context = {.number = 1, .lowest_day = INT64_MIN};
	struct ch_buf text = CH_BUF_INIT;
	struct ch_err err = CH_ERR_INIT;
	size_t n = 0;

	while (n < 20000 && !batch_full(&l->batch))
		add_group(&l, &text, n++);
	ck_assert_uint_lt(n, 20000);
	ck_assert_uint_eq(books_count(&l->batch.books, ROW_HOLD),
		n * LEDGER_GROUP_MAX);
	ck_assert_uint_le(2 * n * LEDGER_GROUP_MAX, BATCH_EVENTS_MAX / 2);
	books_close_lookup(&l->batch.books);
	ck_assert_int_eq(batch_decide(&l->batch, &context, &err), 0);
	load_clear(l);
	ck_assert(!batch_full(&l->batch));
	ch_buf_free(&text);
	load_free(l);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("load");
	TCase *tc = tcase_create("load");

	tcase_add_test(tc, a_time_that_no_column_can_hold_counts_as_none);
	tcase_add_test(tc,
		a_bound_topic_is_its_organisations_alone_also_within_one_batch);
	tcase_add_test(tc,
		a_page_that_somebody_else_has_paid_is_not_paid_again);
	tcase_add_test(tc,
		what_waits_is_told_of_every_partition_that_has_a_place);
	tcase_add_test(tc, a_load_is_full_before_its_events_have_no_numbers);
	tcase_add_test(tc, a_hole_is_seen_from_the_claim_on_and_once);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
