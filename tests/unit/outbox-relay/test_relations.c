/* SPDX-License-Identifier: Apache-2.0 */
/* relations: whose rows a table's are, and where its columns lie. */
#include "check_suite.h"

#include "relations.h"

static struct relations relations;
static struct pgoutput_message message; /* large */
static struct contract *contract;

static void
setup(void)
{
	relations_init(&relations, "ch", NULL);
	contract = contract_new(&(struct contract_options){.table = "app.box",
					.id = "id",
					.key = "key",
					.payload = "payload",
					.route_by = "kind",
					.type = "type",
					.prefix = "box.",
					.regex = "",
					.replacement = "",
					.context = "",
					.run_id = "run",
					.cloudevents = ""},
		NULL);
	ck_assert_ptr_nonnull(contract);
}

static void
teardown(void)
{
	relations_free(&relations);
	contract_free(contract);
}

static struct pgoutput_message *
table_of(uint32_t id, const char *schema, const char *table,
	const char *const *columns, int count)
{
	message = (struct pgoutput_message){.kind = PGOUTPUT_RELATION,
		.relation = id,
		.schema = ch_view_of(schema),
		.table = ch_view_of(table),
		.count = count};
	for (int i = 0; i < count; i++)
		message.columns[i] =
			(struct pgoutput_column){.name = ch_view_of(columns[i]),
				.type = 25,
				.modifier = -1};
	return &message;
}

static const struct relation *
learnt(const struct pgoutput_message *m)
{
	struct ch_err err = CH_ERR_INIT;

	ck_assert_msg(relations_learn(&relations, m, &err) == CH_OK, "%s",
		err.text);
	return relations_find(&relations, m->relation);
}

START_TEST(what_was_never_named_is_not_there)
{
	ck_assert_ptr_null(relations_find(&relations, 7));
}
END_TEST

/* A table may have more columns than are read, in an order of its own. */
START_TEST(columns_are_placed_by_their_names)
{
	const char *columns[32] = {"added_later"};
	int count;
	const char *const *needed = event_columns(EVENT_OUTBOX, &count);
	const struct relation *r;

	for (int i = 0; i < count; i++)
		columns[count - i] = needed[i];
	r = learnt(table_of(7, "ch", "outbox", columns, count + 1));
	ck_assert_int_eq(r->rows, RELATION_LEDGER);
	ck_assert_int_eq(r->source, EVENT_OUTBOX);
	ck_assert_int_eq(r->place[0], -1);
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(r->place[count - i], i);
}
END_TEST

START_TEST(a_table_without_a_needed_column_is_refused)
{
	struct ch_err err = CH_ERR_INIT;
	int count;
	const char *const *needed = event_columns(EVENT_ANSWERS, &count);

	ck_assert_int_eq(
		relations_learn(&relations,
			table_of(7, "ch", "answers", needed, count - 1), &err),
		CH_EPROTO);
	ck_assert_ptr_nonnull(strstr(err.text, "answers"));
}
END_TEST

/* Only its rows are an error: it may be published and never written. */
START_TEST(rows_of_other_tables_are_refused)
{
	static const char *const columns[] = {"a"};

	ck_assert_int_eq(learnt(table_of(1, "ch", "other", columns, 1))->rows,
		RELATION_REFUSED);
	ck_assert_int_eq(
		learnt(table_of(2, "elsewhere", "outbox", columns, 1))->rows,
		RELATION_REFUSED);
	ck_assert_int_eq(
		learnt(table_of(3, "ch", "outbox_retry", columns, 1))->rows,
		RELATION_REFUSED);
}
END_TEST

START_TEST(beside_an_applications_table_others_are_passed_over)
{
	static const char *const columns[] = {
		"id", "kind", "key", "payload", "type"};
	int count;
	const char *const *ledgers = event_columns(EVENT_OUTBOX, &count);

	relations_init(&relations, "ch", contract);
	ck_assert_int_eq(learnt(table_of(1, "app", "box", columns, 5))->rows,
		RELATION_APPLICATION);
	ck_assert_int_eq(learnt(table_of(2, "app", "other", columns, 5))->rows,
		RELATION_PASSED);
	ck_assert_int_eq(
		learnt(table_of(3, "ch", "outbox", ledgers, count))->rows,
		RELATION_PASSED);
	ck_assert_int_eq(relations_find(&relations, 1)->columns, 5);
}
END_TEST

/* What is passed over may be as wide as it likes. */
START_TEST(a_table_that_is_too_wide_is_refused_if_it_is_ours)
{
	struct pgoutput_message *m = table_of(1, "app", "other", NULL, 0);

	relations_init(&relations, "ch", contract);
	m->count = PGOUTPUT_COLUMNS_MAX + 1;
	ck_assert_int_eq(learnt(m)->rows, RELATION_PASSED);
	m->table = CH_VIEW("box");
	ck_assert_int_eq(relations_learn(&relations, m, NULL), CH_ERANGE);
}
END_TEST

/* A migration in the middle of a stream; and another stream. */
START_TEST(a_table_that_is_named_again_is_as_it_is_now)
{
	static const char *const columns[] = {"a", "b"};

	(void)learnt(table_of(1, "ch", "old", columns, 1));
	(void)learnt(table_of(1, "ch", "new", columns, 2));
	ck_assert_str_eq(relations_find(&relations, 1)->name, "new");
	ck_assert_int_eq(relations_find(&relations, 1)->columns, 2);
	ck_assert_uint_eq(relations.count, 1);
	relations_forget(&relations);
	ck_assert_ptr_null(relations_find(&relations, 1));
}
END_TEST

FIXTURE_MAIN("relations", setup, teardown, what_was_never_named_is_not_there,
	columns_are_placed_by_their_names,
	a_table_without_a_needed_column_is_refused,
	rows_of_other_tables_are_refused,
	beside_an_applications_table_others_are_passed_over,
	a_table_that_is_too_wide_is_refused_if_it_is_ours,
	a_table_that_is_named_again_is_as_it_is_now)
