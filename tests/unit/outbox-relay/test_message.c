/* SPDX-License-Identifier: Apache-2.0 */
/* message: key, value, headers and partition of each kind of row. */
#include "check_suite.h"

#include "message.h"
#include "rows.h"

static struct ch_arena arena = CH_ARENA_INIT;

static const struct message_header *
find(const struct message *m, const char *name, int *times)
{
	const struct message_header *found = NULL;
	size_t i;

	*times = 0;
	for (i = 0; i < m->header_count; i++) {
		if (strcmp(m->headers[i].name, name) == 0) {
			found = &m->headers[i];
			++*times;
		}
	}
	return found;
}

static void
expect(const struct message *m, const char *name, const char *value)
{
	int times;
	const struct message_header *h = find(m, name, &times);

	ck_assert_msg(times == 1, "%s stands %d times", name, times);
	ck_assert_msg(ch_view_eq_str(h->value, value), "%s = %.*s", name,
		CH_VIEW_ARG(h->value));
}

START_TEST(a_result_has_its_id_and_seq)
{
	struct event *e = result_row(3, 42, "acme/u", "{}");
	struct message m;
	int times;

	ck_assert_int_eq(message_of(e, &arena, &m, NULL), CH_OK);
	ck_assert(ch_view_eq_str(m.key, "acme/u"));
	ck_assert_int_eq(m.part, MESSAGE_BY_KEY);
	expect(&m, "id", "3-42-08f44b07b5901a25");
	expect(&m, "ch_seq", "3-42");
	ck_assert_ptr_null(find(&m, "traceparent", &times));
	event_free(e);
	ch_arena_free(&arena);
}
END_TEST

START_TEST(a_place_with_another_result_has_another_id)
{
	struct event *e = result_row(3, 42, "acme/u", "{\"a\":1}");
	struct message m;

	ck_assert_int_eq(message_of(e, &arena, &m, NULL), CH_OK);
	expect(&m, "id", "3-42-9c3e82dd6fcae8b1");
	event_free(e);
	ch_arena_free(&arena);
}
END_TEST

START_TEST(an_event_is_debeziums)
{
	struct event *e = outbox_row(7, "stock", "acme/s", "{\"a\":null}");
	struct message m;

	ck_assert_int_eq(message_of(e, &arena, &m, NULL), CH_OK);
	ck_assert_uint_eq(m.header_count, 1);
	expect(&m, "id", "30313233-3435-3637-3839-616263646566");
	ck_assert(ch_view_eq_str(m.value, "{\"a\":null}"));
	event_free(e);
	ch_arena_free(&arena);
}
END_TEST

START_TEST(a_rejected_record_keeps_its_headers_and_gets_ours_once)
{
	const char *n[] = {"a", "__connect.errors.topic", "ch_replay_count",
		"a", "ch_letter_id"};
	const char *v[] = {"1", "old", "4", NULL, "old"};
	struct ch_buf names = CH_BUF_INIT, values = CH_BUF_INIT;
	struct message m;
	struct event *e;
	int times;

	bytea_array(&names, n, 5);
	bytea_array(&values, v, 5);
	e = rejected_row("t", 3, ch_buf_view(&names), ch_buf_view(&values));
	ck_assert_int_eq(message_of(e, &arena, &m, NULL), CH_OK);
	ck_assert_int_eq(m.part, 3);
	ck_assert_str_eq(m.headers[0].name, "a");
	ck_assert_ptr_null(m.headers[1].value.ptr);
	find(&m, "a", &times);
	ck_assert_int_eq(times, 2);
	expect(&m, "__connect.errors.topic", "t");
	expect(&m, "__connect.errors.partition", "3");
	expect(&m, "__connect.errors.offset", "77");
	expect(&m, "__connect.errors.exception.message", "not JSON");
	expect(&m, "ch_error_class", "unreadable");
	expect(&m, "ch_attempts", "1");
	expect(&m, "ch_replay_count", "4");
	expect(&m, "ch_letter_id", "66656463-6261-3938-3736-353433323130");
	event_free(e);
	ch_buf_free(&names);
	ch_buf_free(&values);
	ch_arena_free(&arena);
}
END_TEST

START_TEST(broken_arrays_are_refused_at_every_length)
{
	const char *n[] = {"a", "bb"};
	struct ch_buf names = CH_BUF_INIT;
	struct ch_view whole;
	struct message m;
	size_t cut;

	bytea_array(&names, n, 2);
	whole = ch_buf_view(&names);
	for (cut = 0; cut < whole.len; cut++) {
		char *p = ch_xmalloc(cut > 0 ? cut : 1);

		memcpy(p, whole.ptr, cut);
		ck_assert_int_ne(message_headers_of((struct ch_view){p, cut},
					 whole, 0, false, &arena, &m, NULL),
			CH_OK);
		ck_assert_int_eq(message_replay_count((struct ch_view){p, cut},
					 whole),
			0);
		free(p);
	}
	ck_assert_int_eq(message_headers_of(whole, whole, 0, false, &arena, &m,
				 NULL),
		CH_OK);
	ck_assert_uint_eq(m.header_count, 2);
	ch_buf_free(&names);
	ch_arena_free(&arena);
}
END_TEST

SUITE_MAIN("message", a_result_has_its_id_and_seq,
	a_place_with_another_result_has_another_id, an_event_is_debeziums,
	a_rejected_record_keeps_its_headers_and_gets_ours_once,
	broken_arrays_are_refused_at_every_length)
