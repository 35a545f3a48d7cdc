/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows in memory: naming, states over a roll back, undo.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "books.h"

static struct books books;
static struct org *acme;

static void
set_up(void)
{
	books_init(&books);
	acme = books_org(&books, CH_VIEW("acme"));
}

static void
tear_down(void)
{
	books_free(&books);
}

START_TEST(a_name_is_one_row_and_organisations_share_none)
{
	struct org *beta = books_org(&books, CH_VIEW("beta"));
	struct account *a = books_account(&books, acme, CH_VIEW("x"));

	ck_assert_ptr_eq(a, books_account(&books, acme, CH_VIEW("x")));
	ck_assert_ptr_ne(a, books_account(&books, beta, CH_VIEW("x")));
	ck_assert_uint_eq(books_count(&books, ROW_ACCOUNT), 2);
	ck_assert_int_eq((int)a->row.state, ROW_WANTED);
}
END_TEST

START_TEST(rows_stay_where_they_are_while_the_set_grows)
{
	struct sku *first = books_sku(&books, acme, CH_VIEW("sku-0"));
	char name[32];

	for (int i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "sku-%d", i);
		(void)books_sku(&books, acme, ch_view_of(name));
	}
	ck_assert_uint_eq(books_count(&books, ROW_SKU), 5000);
	ck_assert_ptr_eq(first, books_sku(&books, acme, CH_VIEW("sku-0")));
	ck_assert_ptr_eq(first, books_sku_at(&books, 0));
}
END_TEST

START_TEST(what_was_not_found_is_absent_and_what_was_found_is_owed)
{
	struct account *found = books_account(&books, acme, CH_VIEW("x"));
	struct account *other = books_account(&books, acme, CH_VIEW("y"));
	struct reservation *r = books_reservation(&books, acme, CH_VIEW("r"));

	books_found_account(&books, found, 7, CH_VIEW("USD"), 2, 0);
	ck_assert_int_eq((int)found->asset->row.state, ROW_LOADED);
	ck_assert_int_eq(found->asset->scale, 2);
	books_found_reservation(&books, r, 5, CH_VIEW("k"), 6);
	found->row.last_at.us = 77;
	books_loaded(&found->row);
	books_close_lookup(&books);
	ck_assert_int_eq((int)other->row.state, ROW_ABSENT);
	/* the reservation, and its SKU that nothing else named */
	ck_assert_uint_eq(books_missing(&books), 2);
	r->row.last_at.us = 99;
	books_loaded(&r->row);
	ck_assert_uint_eq(books_missing(&books), 1);
	books_loaded(&r->sku->row);
	ck_assert_uint_eq(books_missing(&books), 0);
	ck_assert_int_eq(books_last_at(&books).us, 99);
}
END_TEST

START_TEST(a_reset_forgets_values_and_keeps_facts)
{
	struct account *found = books_account(&books, acme, CH_VIEW("x"));
	struct account *born = books_account(&books, acme, CH_VIEW("y"));
	struct asset *made = books_asset(&books, acme, CH_VIEW("EUR"));

	books_found_account(&books, found, 7, CH_VIEW("USD"), 2, 0);
	found->balance.minor = 5;
	books_loaded(&found->row);
	books_close_lookup(&books);
	books_begin(&books);
	books_create(&books, &made->row, (struct ch_time){1});
	books_create(&books, &born->row, (struct ch_time){1});
	born->asset = made;
	born->balance.minor = 7;
	books_touch(&books, &found->row, (struct ch_time){1});
	books_keep(&books);
	born->row.number = 99; /* as drawn for the write that was rolled back */
	books_reset(&books);
	ck_assert_int_eq((int)found->row.state, ROW_WANTED);
	ck_assert(!found->row.dirty);
	ck_assert_int_eq(found->row.number, 7);
	ck_assert_int_eq((int)found->asset->row.state, ROW_LOADED);
	ck_assert_int_eq((int)born->row.state, ROW_WANTED);
	ck_assert(!born->row.created);
	ck_assert_int_eq(born->row.number, 0);
	/* nothing of the attempt is left to be seen by the next one */
	ck_assert_int_eq(born->balance.minor, 0);
	ck_assert_int_eq(found->balance.minor, 0);
	ck_assert_int_eq((int)made->row.state, ROW_WANTED);
}
END_TEST

START_TEST(undo_takes_back_everything_of_one_command)
{
	struct sku *k = books_sku(&books, acme, CH_VIEW("k"));
	struct sku *born = books_sku(&books, acme, CH_VIEW("n"));

	books_found_sku(k, 3);
	k->on_hand.units = 5;
	k->row.version = 2;
	k->row.last_at.us = 10;
	books_loaded(&k->row);
	books_close_lookup(&books);
	books_begin(&books);
	books_touch(&books, &k->row, (struct ch_time){20});
	books_touch(&books, &k->row, (struct ch_time){20});
	k->on_hand.units = 9;
	books_create(&books, &born->row, (struct ch_time){20});
	ck_assert_int_eq(k->row.version, 3);
	ck_assert_uint_eq(books_touched_count(&books), 2);
	ck_assert_ptr_eq(books_touched(&books, 0), &k->row);
	books_undo(&books);
	ck_assert_int_eq(k->row.version, 2);
	ck_assert_int_eq(k->on_hand.units, 5);
	ck_assert_int_eq(k->row.last_at.us, 10);
	ck_assert(!k->row.dirty);
	ck_assert_int_eq((int)born->row.state, ROW_ABSENT);
	/* the next command starts anew */
	books_begin(&books);
	books_touch(&books, &k->row, (struct ch_time){30});
	books_keep(&books);
	ck_assert_int_eq(k->row.version, 3);
	ck_assert(k->row.dirty);
}
END_TEST

/* A group that failed keeps what its gates counted. */
START_TEST(undo_can_stop_at_a_mark)
{
	struct sku *k = books_sku(&books, acme, CH_VIEW("k"));
	struct sku *m = books_sku(&books, acme, CH_VIEW("m"));
	size_t mark;

	books_close_lookup(&books);
	books_begin(&books);
	books_create(&books, &k->row, (struct ch_time){20});
	mark = books_touched_count(&books);
	books_create(&books, &m->row, (struct ch_time){20});
	books_undo_to(&books, mark);
	ck_assert(row_is_there(&k->row));
	ck_assert(!row_is_there(&m->row));
	ck_assert_uint_eq(books_touched_count(&books), mark);
}
END_TEST

START_TEST(an_account_with_shards_is_a_fact_and_its_shards_are_rows)
{
	static const int32_t parts[] = {0, 5};
	struct account *fees = books_account(&books, acme, CH_VIEW("fees"));
	struct account *shard;

	books_found_account(&books, fees, 7, CH_VIEW("USD"), 2, 4);
	ck_assert(row_is_there(&fees->row));
	books_want_shards(&books, parts, 2);
	ck_assert_uint_eq(books_count(&books, ROW_ACCOUNT), 3);
	shard = books_shard(&books, fees, 1);
	ck_assert_ptr_eq(shard, books_shard(&books, fees, 5 % 4));
	ck_assert_int_eq(shard->row.number, 7);
	ck_assert_uint_eq(books_missing(&books), 2);
	books_loaded(&shard->row);
	books_reset(&books);
	ck_assert(row_is_there(&fees->row));
	ck_assert_int_eq((int)shard->row.state, ROW_WANTED);
}
END_TEST

START_TEST(names_of_several_parts_are_never_mistaken)
{
	struct account *a = books_account(&books, acme, CH_VIEW("a"));
	struct market *m = books_market(&books, acme, CH_VIEW("b/c"));
	struct market *n = books_market(&books, acme, CH_VIEW("b"));
	struct position *p = books_position(&books, a, m, CH_VIEW("d"));

	ck_assert_ptr_ne(p, books_position(&books, a, n, CH_VIEW("c/d")));
	ck_assert_ptr_eq(p, books_position(&books, a, m, CH_VIEW("d")));
	ck_assert(ch_view_eq_str(p->outcome, "d"));
	ck_assert_ptr_eq(a->positions->next, p);
}
END_TEST

START_TEST(cleared_books_know_nothing)
{
	(void)books_account(&books, acme, CH_VIEW("x"));
	books_clear(&books);
	ck_assert_uint_eq(books_count(&books, ROW_ACCOUNT), 0);
	ck_assert_uint_eq(books_count(&books, ROW_ORG), 0);
	acme = books_org(&books, CH_VIEW("acme"));
	(void)books_account(&books, acme, CH_VIEW("x"));
	ck_assert_uint_eq(books_count(&books, ROW_ACCOUNT), 1);
}
END_TEST

START_TEST(names_of_states_go_both_ways)
{
	enum reservation_state s;

	for (unsigned i = RESERVATION_RESERVED; i <= RESERVATION_EXPIRED; i++) {
		const char *name =
			reservation_state_name((enum reservation_state)i);

		ck_assert(reservation_state_of(ch_view_of(name), &s));
		ck_assert_uint_eq(s, i);
	}
	ck_assert(!reservation_state_of(CH_VIEW("gone"), &s));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("books");
	TCase *c = tcase_create("books");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, a_name_is_one_row_and_organisations_share_none);
	tcase_add_test(c, rows_stay_where_they_are_while_the_set_grows);
	tcase_add_test(c,
		what_was_not_found_is_absent_and_what_was_found_is_owed);
	tcase_add_test(c, a_reset_forgets_values_and_keeps_facts);
	tcase_add_test(c, undo_takes_back_everything_of_one_command);
	tcase_add_test(c, undo_can_stop_at_a_mark);
	tcase_add_test(c,
		an_account_with_shards_is_a_fact_and_its_shards_are_rows);
	tcase_add_test(c, names_of_several_parts_are_never_mistaken);
	tcase_add_test(c, cleared_books_know_nothing);
	tcase_add_test(c, names_of_states_go_both_ways);
	suite_add_tcase(s, c);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
