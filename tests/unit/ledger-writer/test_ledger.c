/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of ledger.c are those of schema/messages: same names, same order,
 * same claim on the id.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "ledger.h"

static char text[65536];

static const struct ch_json *
parse_file(struct ch_arena *arena, const char *path)
{
	struct ch_err err = CH_ERR_INIT;
	FILE *f = fopen(path, "re");
	const struct ch_json *root;
	size_t n;

	ck_assert_msg(f != NULL, "%s is not there", path);
	n = fread(text, 1, sizeof(text), f);
	(void)fclose(f);
	root = ch_json_parse(arena, (struct ch_view){text, n}, 4096, &err);
	ck_assert_msg(root != NULL, "%s: %s", path, err.text);
	return root;
}

START_TEST(statuses_are_those_of_the_schema_in_their_order)
{
	struct ch_arena arena = CH_ARENA_INIT;
	const struct ch_json *list =
		ch_json_get(parse_file(&arena, "schema/messages/statuses.json"),
			"statuses");
	unsigned i = 0;

	ck_assert_ptr_nonnull(list);
	for (const struct ch_json *s = list->child; s != NULL;
		s = s->next, i++) {
		struct ch_view name;
		bool takes_id;

		ck_assert_uint_lt(i, STATUS_COUNT);
		ck_assert(ch_json_str(s, "status", &name));
		ck_assert(ch_json_bool(s, "takes_id", &takes_id));
		ck_assert_msg(ch_view_eq_str(name, ledger_statuses[i].name),
			"%u: %.*s, %s", i, CH_VIEW_ARG(name),
			ledger_statuses[i].name);
		ck_assert_int_eq(takes_id, ledger_statuses[i].takes_id);
	}
	ck_assert_uint_eq(i, STATUS_COUNT);
	ch_arena_free(&arena);
}
END_TEST

START_TEST(every_type_has_a_schema)
{
	struct ch_arena arena = CH_ARENA_INIT;
	char path[128];
	struct ch_view title;

	(void)snprintf(path, sizeof(path),
		"schema/messages/command.%s.schema.json",
		command_types[_i].name);
	ck_assert(ch_json_str(parse_file(&arena, path), "title", &title));
	ck_assert(ch_view_eq_str(title, command_types[_i].name));
	ck_assert_int_eq((int)command_type_of(title), _i);
	ch_arena_free(&arena);
}
END_TEST

START_TEST(a_type_that_is_not_in_the_design_is_none)
{
	ck_assert_int_eq((int)command_type_of(CH_VIEW("transfer.pst")),
		COMMAND_TYPES);
	ck_assert_int_eq((int)command_type_of(CH_VIEW("")), COMMAND_TYPES);
	ck_assert_int_eq((int)command_type_of(CH_VIEW("hold.place")),
		COMMAND_HOLD_PLACE);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("ledger");
	TCase *c = tcase_create("tables");

	tcase_add_test(c, statuses_are_those_of_the_schema_in_their_order);
	tcase_add_loop_test(c, every_type_has_a_schema, 0, COMMAND_TYPES);
	tcase_add_test(c, a_type_that_is_not_in_the_design_is_none);
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
