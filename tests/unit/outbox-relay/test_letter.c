/* SPDX-License-Identifier: Apache-2.0 */
/* letter, retry, snapshot: names, verdicts and what is remembered. */
#include "check_suite.h"

#include "letter.h"
#include "retry.h"
#include "seed.h"
#include "snapshot.h"

START_TEST(the_same_delivery_has_the_same_letter)
{
	struct ch_time t = {1700000000000000};
	struct ch_uuid a =
		letter_id(t, CH_VIEW("outbox"), CH_VIEW("r"), CH_VIEW("topic"));
	struct ch_uuid b =
		letter_id(t, CH_VIEW("outbox"), CH_VIEW("r"), CH_VIEW("topic"));
	struct ch_uuid c = letter_id(t, CH_VIEW("outbox"), CH_VIEW("r"),
		CH_VIEW("topic2"));

	ck_assert_mem_eq(a.bytes, b.bytes, 16);
	ck_assert_mem_ne(a.bytes, c.bytes, 16);
	ck_assert_int_eq(ch_uuid_time(&a).us, t.us);
}
END_TEST

START_TEST(what_is_decided_is_not_done_again)
{
	struct ch_err err = CH_ERR_INIT;

	ck_assert(letter_may(LETTER_REPLAY, LETTER_PENDING, 0, 5, &err));
	ck_assert(!letter_may(LETTER_REPLAY, LETTER_REPLAYED, 4, 5, &err));
	ck_assert_int_eq(err.code, CH_EEXIST);
	ck_assert(letter_may(LETTER_REPLAY_AGAIN, LETTER_REPLAYED, 4, 5, &err));
	ck_assert(!letter_may(LETTER_REPLAY_AGAIN, LETTER_REPLAYED, 5, 5,
		&err));
	ck_assert_int_eq(err.code, CH_ERANGE);
	ck_assert_ptr_null(strstr(err.text, "came back"));
	/* whatever the count: it is under way */
	ck_assert(!letter_may(LETTER_REPLAY, LETTER_REPLAYED, 5, 5, &err));
	ck_assert_int_eq(err.code, CH_EEXIST);
	ck_assert(!letter_may(LETTER_REPLAY, LETTER_RESOLVED, 0, 5, &err));
	ck_assert(!letter_may(LETTER_DISCARD, LETTER_DISCARDED, 0, 5, &err));
	ck_assert(letter_may(LETTER_DISCARD, LETTER_PENDING, 9, 5, &err));
}
END_TEST

START_TEST(what_is_held_is_replayed_on_purpose_only)
{
	struct ch_err err = CH_ERR_INIT;

	ck_assert(!letter_may(LETTER_REPLAY, LETTER_QUARANTINED, 5, 5, &err));
	ck_assert_int_eq(err.code, CH_ERANGE);
	ck_assert(letter_may(LETTER_REPLAY, LETTER_QUARANTINED, 5, 6, &err));
	ck_assert(letter_may(LETTER_DISCARD, LETTER_QUARANTINED, 5, 5, &err));
	ck_assert(letter_may(LETTER_EDIT, LETTER_QUARANTINED, 5, 0, &err));
	ck_assert(letter_may(LETTER_EDIT, LETTER_PENDING, 0, 0, &err));
	ck_assert(!letter_may(LETTER_EDIT, LETTER_REPLAYED, 0, 0, &err));
	ck_assert(!letter_may(LETTER_EDIT, LETTER_RESOLVED, 0, 0, &err));
	ck_assert(!letter_may(LETTER_REPLAY, LETTER_EDITED, 0, 5, &err));
	ck_assert_int_eq(err.code, CH_EEXIST);
	ck_assert(!letter_may(LETTER_DISCARD, LETTER_EDITED, 0, 5, &err));
	ck_assert(!letter_may(LETTER_EDIT, LETTER_EDITED, 0, 5, &err));
}
END_TEST

static void
check_difference(const char *old, const char *fresh, size_t at,
	const char *removed, const char *inserted)
{
	struct letter_difference d =
		letter_difference_of(ch_view_of(old), ch_view_of(fresh));

	ck_assert_uint_eq(d.at, at);
	ck_assert(ch_view_eq_str(d.removed, removed));
	ck_assert(ch_view_eq_str(d.inserted, inserted));
}

START_TEST(a_difference_is_the_least_that_turns_old_into_new)
{
	struct letter_difference d;

	check_difference("abc", "abc", 3, "", "");
	check_difference("abc", "aXc", 1, "b", "X");
	check_difference("aa", "aaa", 2, "", "a");
	check_difference("aaa", "aa", 2, "a", "");
	check_difference("", "x", 0, "", "x");
	check_difference("{\"a\":1}", "{\"a\":\"1\"}", 5, "1", "\"1\"");
	d = letter_difference_of((struct ch_view){NULL, 0}, CH_VIEW("x"));
	ck_assert_uint_eq(d.inserted.len, 1);
	ck_assert_uint_eq(d.removed.len, 0);
}
END_TEST

START_TEST(a_commands_day_is_its_ids)
{
	struct letter_command c;

	ck_assert(letter_command_of(
		CH_VIEW("{\"id\":\"01890a5d-ac96-774b-"
			"bcce-b302099a8057\",\"org\":\"acme\"}"),
		&c));
	ck_assert_int_eq(c.day, 19538);
	ck_assert_str_eq(c.org, "acme");
	ck_assert(!letter_command_of(CH_VIEW("{\"id\":1,\"org\":\"a\"}"), &c));
	ck_assert(!letter_command_of(CH_VIEW("\0{"), &c));
	ck_assert(!letter_command_of((struct ch_view){NULL, 0}, &c));
}
END_TEST

START_TEST(a_command_under_another_id_is_the_same_command)
{
	static const struct ch_uuid id = {{0x01, 0x99}};
	struct ch_buf b = CH_BUF_INIT;

	ck_assert(letter_command_renew(
		CH_VIEW(" {\"a\":{\"id\":\"x\"},\"\\u0069d\" :\t\"01890a5d-ac96-"
			"774b-bcce-b302099a8057\",\"org\":\"acme\",\"n\":1.50}\n"),
		&id, &b));
	ck_assert_str_eq(ch_buf_str(&b),
		" {\"a\":{\"id\":\"x\"},\"\\u0069d\" :\t\"01990000-0000-"
		"0000-0000-000000000000\",\"org\":\"acme\",\"n\":1.50}\n");
	ch_buf_clear(&b);
	ck_assert(!letter_command_renew(CH_VIEW("{\"id\":7}"), &id, &b));
	ck_assert(!letter_command_renew((struct ch_view){NULL, 0}, &id, &b));
	ck_assert_uint_eq(b.len, 0);
	ch_buf_free(&b);
}
END_TEST

START_TEST(a_blocked_key_is_blocked_in_its_topic_only)
{
	struct retry *r = retry_new();
	struct ch_uuid letter = {{7}}, found;

	retry_block(r, 1, CH_VIEW("k"), &letter);
	ck_assert(retry_is_blocked(r, 1, CH_VIEW("k"), &found));
	ck_assert_mem_eq(found.bytes, letter.bytes, 16);
	ck_assert(!retry_is_blocked(r, 2, CH_VIEW("k"), &found));
	ck_assert(!retry_is_blocked(r, 1, CH_VIEW("k2"), &found));
	retry_block(r, 1, (struct ch_view){NULL, 0}, &letter);
	ck_assert(!retry_is_blocked(r, 1, (struct ch_view){NULL, 0}, &found));
	ck_assert_uint_eq(retry_blocked(r), 1);
	retry_unblock(r, 1, CH_VIEW("k"));
	ck_assert(!retry_is_blocked(r, 1, CH_VIEW("k"), &found));
	retry_free(r);
}
END_TEST

START_TEST(blocked_keys_are_asked_about_in_turn)
{
	struct retry *r = retry_new();
	struct retry_key *keys[8];
	struct ch_uuid letter = {{0}};
	unsigned asked = 0;
	char name[] = "a";
	int i;

	ck_assert_uint_eq(retry_next_blocked(r, keys, 8), 0);
	for (i = 0; i < 6; i++, name[0]++) {
		letter.bytes[0] = (uint8_t)i;
		retry_block(r, 1, ch_view_of(name), &letter);
	}
	/* four of six, then the other two first */
	ck_assert_uint_eq(retry_next_blocked(r, keys, 4), 4);
	for (i = 0; i < 4; i++)
		asked |= 1u << keys[i]->letter.bytes[0];
	ck_assert_uint_eq(retry_next_blocked(r, keys, 2), 2);
	for (i = 0; i < 2; i++)
		asked |= 1u << keys[i]->letter.bytes[0];
	ck_assert_uint_eq(asked, 0x3f);
	/* not what is released */
	keys[0]->released = true;
	name[0] = keys[0]->key[0];
	ck_assert_uint_eq(retry_next_blocked(r, keys, 8), 5);
	letter.bytes[0] = 9;
	retry_block(r, 1, ch_view_of(name), &letter);
	ck_assert_uint_eq(retry_blocked(r), 6);
	/* by another letter: not before the first is done with */
	ck_assert_uint_eq(retry_next_blocked(r, keys, 8), 5);
	retry_blocked_key(r, 1, ch_view_of(name))->released = false;
	ck_assert_uint_eq(retry_next_blocked(r, keys, 8), 6);
	ck_assert_ptr_null(retry_blocked_key(r, 2, ch_view_of(name)));
	retry_unblock(r, 1, ch_view_of(name));
	ck_assert_uint_eq(retry_next_blocked(r, keys, 8), 5);
	retry_free(r);
}
END_TEST

START_TEST(rows_put_aside_are_remembered)
{
	struct retry *r = retry_new();
	char id[32];
	int i;

	for (i = 0; i < 5000; i++) {
		snprintf(id, sizeof(id), "1-%d", i);
		retry_remember(r, CH_VIEW("answers"), ch_view_of(id), 0);
		retry_remember(r, CH_VIEW("answers"), ch_view_of(id), 0);
	}
	ck_assert_uint_eq(retry_remembered(r), 5000);
	for (i = 0; i < 10000; i++) {
		snprintf(id, sizeof(id), "1-%d", i);
		ck_assert_int_eq(retry_remembers(r, CH_VIEW("answers"),
					 ch_view_of(id), 0),
			i < 5000);
		ck_assert_int_eq(retry_knows(r, CH_VIEW("answers"),
					 ch_view_of(id)),
			i < 5000);
		ck_assert(!retry_knows(r, CH_VIEW("outbox"), ch_view_of(id)));
	}
	retry_free(r);
}
END_TEST

START_TEST(rows_of_one_id_are_remembered_by_what_they_hold)
{
	struct ch_view app = CH_VIEW("public.outbox"), id = CH_VIEW("2");
	struct retry *r = retry_new();
	uint32_t i;

	for (i = 0; i < 500; i++)
		retry_remember(r, app, id, i * 7);
	ck_assert_uint_eq(retry_remembered(r), 500);
	ck_assert(retry_knows(r, app, id));
	for (i = 0; i < 3500; i++)
		ck_assert_int_eq(retry_remembers(r, app, id, i), i % 7 == 0);
	retry_free(r);
}
END_TEST

START_TEST(a_snapshot_sees_what_had_committed)
{
	struct snapshot s = SNAPSHOT_INIT;

	ck_assert(snapshot_read(&s, "100:110:103,107"));
	ck_assert(snapshot_sees(&s, 99));
	ck_assert(snapshot_sees(&s, 102));
	ck_assert(!snapshot_sees(&s, 103));
	ck_assert(snapshot_sees(&s, 104));
	ck_assert(!snapshot_sees(&s, 107));
	ck_assert(!snapshot_sees(&s, 110));
	ck_assert(!snapshot_sees(&s, 111));
	/* behind the wrap of 32 bits */
	ck_assert(snapshot_read(&s, "4294967290:4294967300:4294967299"));
	ck_assert(snapshot_sees(&s, 4294967295u));
	ck_assert(!snapshot_sees(&s, 3));
	ck_assert(snapshot_sees(&s, 2));
	ck_assert(!snapshot_sees(&s, 4));
	snapshot_free(&s);
}
END_TEST

START_TEST(what_is_no_snapshot_sees_nothing)
{
	static const char *const wrong[] = {NULL, "", "1", "1:2",
		"a:2:", "5:2:", "1:5:9", "1:5:x", "1:5:2,", "1:5:2:3"};
	struct snapshot s = SNAPSHOT_INIT;
	size_t i;

	for (i = 0; i < COUNT(wrong); i++) {
		bool read = snapshot_read(&s, wrong[i]);

		ck_assert_msg(!read, "%s", wrong[i]);
		ck_assert(!snapshot_sees(&s, 1));
	}
	ck_assert(snapshot_read(&s, "773:773:"));
	ck_assert(snapshot_sees(&s, 772));
	snapshot_free(&s);
}
END_TEST

SUITE_MAIN("letter", the_same_delivery_has_the_same_letter,
	what_is_decided_is_not_done_again,
	what_is_held_is_replayed_on_purpose_only,
	a_difference_is_the_least_that_turns_old_into_new,
	a_commands_day_is_its_ids,
	a_command_under_another_id_is_the_same_command,
	a_blocked_key_is_blocked_in_its_topic_only,
	blocked_keys_are_asked_about_in_turn, rows_put_aside_are_remembered,
	rows_of_one_id_are_remembered_by_what_they_hold,
	a_snapshot_sees_what_had_committed, what_is_no_snapshot_sees_nothing)
