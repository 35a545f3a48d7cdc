/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder on the examples of schema/messages, and on what no example can
 * show: hashes, bytes kept as sent, limits to the byte.
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "command.h"

#define EXAMPLES "schema/messages/examples/"
#define ID "\"id\":\"01a1fd8c-67be-7f60-8a1b-000000000001\","
#define RECEIVE                                                                \
	"\"org\":\"acme\",\"type\":\"stock.receive\",\"sku\":\"s\","           \
	"\"qty\":\"1\""

static struct ch_arena arena;
static struct command_reader reader;
static struct command command;
static struct command_refusal refusal;

static void
set_up(void)
{
	struct command_limits limits = {.value_max = (size_t)64 * 1024};

	command_reader_init(&reader, &arena, &limits);
}

static void
tear_down(void)
{
	command_reader_free(&reader);
	ch_arena_free(&arena);
}

static bool
decode(const char *text)
{
	return command_decode(&reader, ch_view_of(text), &command, &refusal);
}

static void
must_decode(const char *text)
{
	ck_assert_msg(decode(text), "%s: %.*s", text,
		CH_VIEW_ARG(refusal.reason));
}

static void
must_refuse(const char *text, const char *error_class, const char *reason)
{
	char *said;

	ck_assert_msg(!decode(text), "accepted: %s", text);
	ck_assert_str_eq(refusal.error_class, error_class);
	said = ch_xviewdup(refusal.reason);
	ck_assert_msg(strstr(said, reason) != NULL, "%s: \"%s\" not in \"%s\"",
		text, reason, said);
	ck_assert_uint_gt(refusal.reason.len, 0);
	free(said);
}

static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = ch_xcalloc(1, 65536);

	ck_assert_msg(f != NULL, "%s is not there", path);
	ck_assert_uint_gt(fread(text, 1, 65535, f), 0);
	(void)fclose(f);
	return text;
}

/* "account.open.credit.json": the longest name of a type that it begins with;
 * COMMAND_TYPES: none. */
static enum command_type
type_of_file(struct ch_view name)
{
	enum command_type found = COMMAND_TYPES;

	for (size_t dot = 0; dot < name.len; dot++) {
		struct ch_view head = {name.ptr, dot};

		if (name.ptr[dot] == '.' &&
			command_type_of(head) != COMMAND_TYPES)
			found = command_type_of(head);
	}
	return found;
}

/* The decoder on one file: it must be read, as the type in its name. */
static enum command_type
read_example(const char *name)
{
	char path[256];
	enum command_type type = type_of_file(ch_view_of(name));
	char *text;

	(void)snprintf(path, sizeof(path), EXAMPLES "commands/%s", name);
	ck_assert_msg(type != COMMAND_TYPES, "%s: of which type?", path);
	text = read_file(path);
	must_decode(text);
	ck_assert_msg(command.type == type, "%s: read as type %d", path,
		(int)command.type);
	ck_assert(ch_view_eq_str(command.org_name, "acme"));
	free(text);
	return type;
}

START_TEST(every_example_is_read)
{
	bool seen[COMMAND_TYPES] = {false};
	DIR *dir = opendir(EXAMPLES "commands");
	size_t n = 0;

	ck_assert_ptr_nonnull(dir);
	for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
		if (e->d_name[0] == '.')
			continue;
		seen[read_example(e->d_name)] = true;
		n++;
	}
	(void)closedir(dir);
	ck_assert_uint_ge(n, 42);
	for (int i = 0; i < COMMAND_TYPES; i++)
		ck_assert_msg(seen[i], "%s has no example",
			command_types[i].name);
}
END_TEST

START_TEST(every_refused_example_is_refused_for_its_reason)
{
	char *text = read_file(EXAMPLES "refused.json");
	struct ch_arena own = CH_ARENA_INIT;
	struct ch_err err = CH_ERR_INIT;
	const struct ch_json *all =
		ch_json_parse(&own, ch_view_of(text), 4096, &err);
	size_t n = 0;

	ck_assert_msg(all != NULL, "%s", err.text);
	for (const struct ch_json *e = all->child; e != NULL;
		e = e->next, n++) {
		struct ch_view value, class, reason;
		bool answered;

		ck_assert(ch_json_str(e, "value", &value));
		ck_assert(ch_json_str(e, "error_class", &class));
		ck_assert(ch_json_str(e, "reason", &reason));
		ck_assert(ch_json_bool(e, "answered", &answered));
		must_refuse(ch_arena_str(&own, value),
			ch_arena_str(&own, class), ch_arena_str(&own, reason));
		ck_assert_msg((refusal.has_id && refusal.has_org) == answered,
			"%.*s", CH_VIEW_ARG(value));
	}
	ck_assert_uint_ge(n, 40);
	ch_arena_free(&own);
	free(text);
}
END_TEST

START_TEST(a_whole_command_keeps_all_that_was_sent)
{
	char *text = read_file(EXAMPLES "commands/transfer.post.whole.json");

	must_decode(text);
	ck_assert(ch_view_eq_str(command.id_text,
		"01M7YRRSXYFXG8M6R00000002D"));
	ck_assert(ch_view_eq_str(command.actor, "user:1"));
	ck_assert(ch_view_eq_str(command.ref, "inv-2026-77"));
	ck_assert(ch_view_eq_str(command.reason, "order 77"));
	ck_assert_int_eq(command.meta.ptr[0], '{');
	ck_assert_uint_eq(command.traceparent.len, 55);
	ck_assert(!command.dry_run);
	ck_assert_uint_eq(command.as.transfer_post.count, 2);
	ck_assert(ch_view_eq_str(command.as.transfer_post.moves[1].to_name,
		"fees"));
	ck_assert(ch_view_eq_str(command.as.transfer_post.moves[1].amount,
		"0.25"));
	ck_assert_uint_eq(command.wish_count, 1);
	ck_assert_int_eq(command.wishes[0].version, 3);
	free(text);
}
END_TEST

static struct ch_sha256
hash_of(const char *text)
{
	must_decode(text);
	return command.payload_hash;
}

static bool
same_payload(const char *a, const char *b)
{
	struct ch_sha256 x = hash_of(a);
	struct ch_sha256 y = hash_of(b);

	return ch_digest_eq(x.bytes, y.bytes, CH_SHA256_LEN);
}

#define BASE "{" ID RECEIVE "}"

START_TEST(the_payload_is_the_same_in_other_words)
{
	ck_assert(same_payload(BASE,
		"{\"qty\":\"1\" , \"sku\" : \"\\u0073\",\n"
		"\"type\":\"stock.receive\",\"org\":\"acme\"," ID
		"\"traceparent\":\"x\"}"));
	ck_assert(same_payload(BASE,
		"{\"id\":\"01M7YRRSXYFXG8M6R00000002D\"," RECEIVE "}"));
}
END_TEST

static const char *const other_payloads[] = {
	"{" ID "\"org\":\"acme\",\"type\":\"stock.receive\",\"sku\":\"s\","
	"\"qty\":\"2\"}",
	"{" ID "\"org\":\"acm\",\"type\":\"stock.receive\",\"sku\":\"s\","
	"\"qty\":\"1\"}",
	"{" ID RECEIVE ",\"dry_run\":true}",
	"{" ID RECEIVE ",\"dry_run\":false}",
	"{" ID RECEIVE ",\"actor\":\"\"}",
	"{" ID RECEIVE ",\"ref\":\"\"}",
	"{" ID RECEIVE ",\"meta\":null}",
	"{" ID RECEIVE ",\"reason\":\"\"}",
	"{" ID RECEIVE ",\"expected_version\":{}}",
};

START_TEST(absent_is_not_the_default_and_everything_counts)
{
	ck_assert(!same_payload(BASE, other_payloads[_i]));
}
END_TEST

START_TEST(amounts_with_other_digits_are_other_payloads)
{
	ck_assert(!same_payload(
		"{" ID "\"org\":\"a\",\"type\":\"transfer.post\","
		"\"moves\":[{\"from\":\"a\",\"to\":\"b\",\"amount\":\"1.50\"}]}",
		"{" ID "\"org\":\"a\",\"type\":\"transfer.post\","
		"\"moves\":[{\"from\":\"a\",\"to\":\"b\",\"amount\":\"1.5\"}]}"));
}
END_TEST

START_TEST(defaults_are_filled_in)
{
	must_decode("{" ID "\"org\":\"a\",\"type\":\"account.open\","
		    "\"account\":\"x\",\"asset\":\"USD\"}");
	ck_assert(command.as.account_open.has_floor);
	ck_assert(ch_view_eq_str(command.as.account_open.floor, "0"));
	ck_assert(command.actor.ptr != NULL);
	ck_assert_ptr_null(command.ref.ptr);
	must_decode("{" ID "\"org\":\"a\",\"type\":\"account.open\","
		    "\"account\":\"x\",\"asset\":\"USD\",\"floor\":null}");
	ck_assert(!command.as.account_open.has_floor);
	must_decode("{" ID "\"org\":\"a\",\"type\":\"stock.reserve\","
		    "\"sku\":\"x\",\"qty\":\"1\"}");
	ck_assert(ch_view_eq(command.as.stock_reserve.name, command.id_text));
	ck_assert(!command.as.stock_reserve.deadline.set);
}
END_TEST

START_TEST(a_quantity_beyond_an_int64_is_read_and_marked)
{
	must_decode("{" ID "\"org\":\"a\",\"type\":\"stock.receive\","
		    "\"sku\":\"x\",\"qty\":\"9223372036854775808\"}");
	ck_assert(command.as.stock_receive.qty.huge);
	must_decode("{" ID "\"org\":\"a\",\"type\":\"stock.receive\","
		    "\"sku\":\"x\",\"qty\":\"9223372036854775807\"}");
	ck_assert(!command.as.stock_receive.qty.huge);
}
END_TEST

START_TEST(names_are_limited_to_the_byte)
{
	char text[512];
	char name[200];

	memset(name, 'x', sizeof(name));
	name[128] = '\0';
	(void)snprintf(text, sizeof(text),
		"{" ID "\"org\":\"a\",\"type\":"
		"\"stock.receive\",\"qty\":\"1\",\"sku\":\"%s\"}",
		name);
	must_decode(text);
	/* 127 bytes and one character of two */
	memcpy(name + 127, "\xc3\xa9", 3);
	(void)snprintf(text, sizeof(text),
		"{" ID "\"org\":\"a\",\"type\":"
		"\"stock.receive\",\"qty\":\"1\",\"sku\":\"%s\"}",
		name);
	must_refuse(text, "invalid", "sku: ");
	/* the reason is cut between characters: it must stay UTF-8 */
	ck_assert(ch_view_is_utf8(refusal.reason));
}
END_TEST

START_TEST(values_are_limited_to_the_byte)
{
	struct command_limits limits = {.value_max = sizeof(BASE) - 1};

	reader.limits = limits;
	must_decode(BASE);
	reader.limits.value_max--;
	must_refuse(BASE, "oversize", "at most");
	ck_assert(!command_decode(&reader, (struct ch_view){NULL, 0}, &command,
		&refusal));
	ck_assert_str_eq(refusal.error_class, "malformed");
}
END_TEST

START_TEST(a_topic_of_one_organisation_refuses_others)
{
	reader.only_org = CH_VIEW("beta");
	must_refuse(BASE, "invalid", "this topic belongs to \"beta\"");
	ck_assert(refusal.has_id && refusal.has_org);
	reader.only_org = CH_VIEW("acme");
	must_decode(BASE);
}
END_TEST

START_TEST(a_refusal_names_whom_an_answer_is_owed)
{
	must_refuse("{\"id\":\"no-uuid\",\"org\":\"acme\",\"type\":\"group\"}",
		"invalid", "id: ");
	ck_assert(refusal.has_id && refusal.has_org);
	ck_assert(ch_view_eq_str(refusal.id, "no-uuid"));
	ck_assert(ch_view_eq_str(refusal.type, "group"));
	must_refuse("{\"id\":7,\"org\":\"acme\",\"type\":\"group\"}", "invalid",
		"id: 7");
	ck_assert(!refusal.has_id && refusal.has_org);
	must_refuse("{" ID "\"org\":\"a/b\",\"type\":\"group\"}", "invalid",
		"org: ");
	ck_assert(refusal.has_id && !refusal.has_org);
}
END_TEST

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

START_TEST(what_is_no_document_may_still_name_whom_an_answer_is_owed)
{
	must_refuse("{" ID "\"traceparent\":\"" TRACE "\"," RECEIVE
		    ",\"ref\":\"a\\u0000\"}",
		"malformed", "not valid JSON at byte");
	ck_assert(refusal.has_id && refusal.has_org);
	ck_assert(ch_view_eq_str(refusal.id,
		"01a1fd8c-67be-7f60-8a1b-000000000001"));
	ck_assert(ch_view_eq_str(refusal.org, "acme"));
	ck_assert(ch_view_eq_str(refusal.type, "stock.receive"));
	ck_assert(ch_view_eq_str(refusal.traceparent, TRACE));
	/* what a whole document must hold, a broken one must, too */
	must_refuse("{" ID "\"org\":\"a/b\"", "malformed", "");
	ck_assert(refusal.has_id && !refusal.has_org);
	must_refuse("{\"id\":\"\",\"org\":\"acme\"", "malformed", "");
	ck_assert(!refusal.has_id && refusal.has_org);
	must_refuse("{" ID "\"traceparent\":\"x\",\"type\":\"\\n\"",
		"malformed", "");
	ck_assert(refusal.has_id && !refusal.has_org);
	ck_assert_uint_eq(refusal.type.len, 0);
	ck_assert_ptr_null(refusal.traceparent.ptr);
}
END_TEST

START_TEST(of_a_value_too_large_its_head_is_looked_at)
{
	reader.limits.value_max = sizeof(BASE) - 2;
	must_refuse(BASE, "oversize", "");
	ck_assert(refusal.has_id && refusal.has_org);
	/* the closing quote of the id stands on the last byte looked at */
	reader.limits.value_max = sizeof("{\"org\":\"acme\"," ID) - 2;
	must_refuse("{\"org\":\"acme\"," ID "\"type\":\"group\"}", "oversize",
		"");
	ck_assert(refusal.has_id && refusal.has_org);
	reader.limits.value_max -= 2;
	must_refuse("{\"org\":\"acme\"," ID "\"type\":\"group\"}", "oversize",
		"");
	ck_assert(!refusal.has_id && refusal.has_org);
}
END_TEST

START_TEST(a_trace_of_another_form_is_ignored)
{
	must_decode("{" ID RECEIVE ",\"traceparent\":\"junk\"}");
	ck_assert_ptr_null(command.traceparent.ptr);
	must_decode("{" ID RECEIVE ",\"traceparent\":\"00-00000000000000000000"
		    "000000000000-00f067aa0ba902b7-01\"}");
	ck_assert_ptr_null(command.traceparent.ptr);
	must_decode("{" ID RECEIVE ",\"traceparent\":\"00-4bf92f3577b34da6a3ce"
		    "929d0e0e4736-00f067aa0ba902b7-00\"}");
	ck_assert_ptr_nonnull(command.traceparent.ptr);
	must_refuse("{" ID RECEIVE ",\"traceparent\":1}", "invalid",
		"traceparent: ");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("command");
	TCase *c = tcase_create("decode");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, every_example_is_read);
	tcase_add_test(c, every_refused_example_is_refused_for_its_reason);
	tcase_add_test(c, a_whole_command_keeps_all_that_was_sent);
	tcase_add_test(c, the_payload_is_the_same_in_other_words);
	tcase_add_loop_test(c, absent_is_not_the_default_and_everything_counts,
		0, (int)(sizeof(other_payloads) / sizeof(other_payloads[0])));
	tcase_add_test(c, amounts_with_other_digits_are_other_payloads);
	tcase_add_test(c, defaults_are_filled_in);
	tcase_add_test(c, a_quantity_beyond_an_int64_is_read_and_marked);
	tcase_add_test(c, names_are_limited_to_the_byte);
	tcase_add_test(c, values_are_limited_to_the_byte);
	tcase_add_test(c, a_topic_of_one_organisation_refuses_others);
	tcase_add_test(c, a_refusal_names_whom_an_answer_is_owed);
	tcase_add_test(c,
		what_is_no_document_may_still_name_whom_an_answer_is_owed);
	tcase_add_test(c, of_a_value_too_large_its_head_is_looked_at);
	tcase_add_test(c, a_trace_of_another_form_is_ignored);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
