/* SPDX-License-Identifier: Apache-2.0 */
/* contract: options, columns and one row; what the real Debezium makes of the
 * same is compared by `make compat`. */
#include "check_suite.h"

#include "contract.h"
#include "message.h"

#define TEXT_OID 25

static struct ch_arena arena = CH_ARENA_INIT;

static const struct pgoutput_column columns[] = {
	{CH_VIEW("id"), TEXT_OID, -1, {"", 0}},
	{CH_VIEW("aggregatetype"), 1043, 259, {"", 0}},
	{CH_VIEW("aggregateid"), TEXT_OID, -1, {"", 0}},
	{CH_VIEW("type"), TEXT_OID, -1, {"", 0}},
	{CH_VIEW("payload"), TEXT_OID, -1, {"", 0}},
	{CH_VIEW("part"), 23, -1, {"", 0}},
	{CH_VIEW("odd"), 1700, -1, {"", 0}},
};

static struct contract_options
options(void)
{
	return (struct contract_options){.table = "public.outbox",
		.id = "id",
		.key = "aggregateid",
		.payload = "payload",
		.route_by = "aggregatetype",
		.type = "type",
		.prefix = "outbox.event.",
		.regex = "",
		.replacement = "",
		.context = "",
		.run_id = "run",
		.cloudevents = ""};
}

static struct contract *
made(const struct contract_options *opt)
{
	struct ch_err err = CH_ERR_INIT;
	struct contract *c = contract_new(opt, &err);

	ck_assert_msg(c != NULL, "%s", err.text);
	ck_assert_msg(contract_learn(c, columns, COUNT(columns), &err) == CH_OK,
		"%s", err.text);
	return c;
}

static struct event *
event_of(struct contract *c, const struct ch_view *fields, uint32_t xid)
{
	const struct contract_origin from = {
		5, {INT64_C(946684800000001)}, xid, 3};
	struct ch_err err = CH_ERR_INIT;
	struct event *e = contract_event(c, fields, &from, &err);

	ck_assert_msg(e != NULL, "%s", err.text);
	return e;
}

/* NULL is null. */
static struct event *
row(struct contract *c, const char *id, const char *kind, const char *key,
	const char *payload)
{
	const struct ch_view fields[COUNT(columns)] = {ch_view_of(id),
		ch_view_of(kind), ch_view_of(key), CH_VIEW("Created"),
		ch_view_of(payload)};

	return event_of(c, fields, 77);
}

static void
expect_header(const struct message *m, size_t i, const char *name,
	const char *value)
{
	ck_assert_uint_lt(i, m->header_count);
	ck_assert_str_eq(m->headers[i].name, name);
	if (value == NULL)
		ck_assert_ptr_null(m->headers[i].value.ptr);
	else
		ck_assert_msg(ch_view_eq_str(m->headers[i].value, value),
			"%s = %.*s", name, CH_VIEW_ARG(m->headers[i].value));
}

START_TEST(a_row_becomes_a_message)
{
	struct contract_options opt = options();
	struct contract *c = made(&opt);
	struct event *e = row(c, "e1", "Order", "k", "{\"a\":null,\"b\":[]}");
	struct message m;
	char id[EVENT_ID_MAX];

	ck_assert_int_eq(message_of(e, &arena, &m, NULL), CH_OK);
	ck_assert(ch_view_eq_str(m.key, "k"));
	ck_assert(ch_view_eq_str(m.value, "{\"a\":null,\"b\":[]}"));
	ck_assert_int_eq(m.part, MESSAGE_BY_KEY);
	ck_assert_uint_eq(m.header_count, 1);
	expect_header(&m, 0, "id", "e1");
	ck_assert(ch_view_eq_str(event_field(e, WAITED_TOPIC),
		"outbox.event.Order"));
	ck_assert(ch_view_eq_str(event_origin(e), "public.outbox"));
	event_id(e, id);
	ck_assert_str_eq(id, "e1");
	ck_assert_int_eq(event_time(e).us, INT64_C(946684800000001));
	ck_assert_int_eq(e->order, 5);
	event_free(e);
	contract_free(c);
	ch_arena_free(&arena);
}
END_TEST

START_TEST(nulls_stay_nulls_and_blanks_blanks)
{
	struct contract_options opt = options();
	struct contract *c = made(&opt);
	struct event *null = row(c, NULL, NULL, NULL, NULL);
	struct event *blank = row(c, "", "", "", " ");
	struct message m;
	char id[EVENT_ID_MAX];

	ck_assert_int_eq(message_of(null, &arena, &m, NULL), CH_OK);
	ck_assert_ptr_null(m.key.ptr);
	ck_assert_ptr_null(m.value.ptr);
	expect_header(&m, 0, "id", NULL);
	/* no topic can be made of null: parked for its name */
	ck_assert_uint_eq(event_field(null, WAITED_TOPIC).len, 0);
	event_id(null, id);
	ck_assert_str_eq(id, "77-3");
	ck_assert_int_eq(message_of(blank, &arena, &m, NULL), CH_OK);
	ck_assert_ptr_nonnull(m.key.ptr);
	ck_assert(ch_view_eq_str(m.value, " "));
	ck_assert(ch_view_eq_str(event_field(blank, WAITED_TOPIC),
		"outbox.event."));
	event_free(null);
	event_free(blank);
	contract_free(c);
	ch_arena_free(&arena);
}
END_TEST

#define X62 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

START_TEST(a_long_id_is_its_digest_but_in_the_header)
{
	static const char *const ids[] = {X62 "1", X62 "12", X62 "13"};
	static const char *const rows[] = {X62 "1",
		"caa3a2ea00421cd23a59284a3243cf3c8e78943b571772f0a56e32d4cf1d50",
		"eb712df5ab5876b61a3c8aa6533acfcf776e00d9fb9c9b2144348d6cddcde5"};
	struct contract_options opt = options();
	struct contract *c = made(&opt);
	size_t i;

	for (i = 0; i < COUNT(ids); i++) {
		struct event *e = row(c, ids[i], "Order", "k", "p");
		struct message m;
		char id[EVENT_ID_MAX];

		ck_assert_int_eq(message_of(e, &arena, &m, NULL), CH_OK);
		expect_header(&m, 0, "id", ids[i]);
		event_id(e, id);
		ck_assert_str_eq(id, rows[i]);
		event_free(e);
	}
	contract_free(c);
	ch_arena_free(&arena);
}
END_TEST

/* A table that is read has no transactions to name rows by. */
START_TEST(a_row_read_without_an_id_is_named_by_what_it_holds)
{
	struct contract_options opt = options();
	struct contract *c = made(&opt);
	const struct ch_view rows[][COUNT(columns)] = {
		{{NULL, 0}, CH_VIEW("Order"), CH_VIEW("k"), CH_VIEW("C")},
		{{NULL, 0}, CH_VIEW("Order"), CH_VIEW("kC"), CH_VIEW("")},
		{{NULL, 0}, CH_VIEW("Order"), CH_VIEW("k"), CH_VIEW("C"),
			CH_VIEW("")},
		/* of no column that the contract names */
		{{NULL, 0}, CH_VIEW("Order"), CH_VIEW("k"), CH_VIEW("C"),
			[COUNT(columns) - 1] = CH_VIEW("2")}};
	char ids[COUNT(rows)][EVENT_ID_MAX], again[EVENT_ID_MAX];
	size_t i, j;

	for (i = 0; i < COUNT(rows); i++) {
		struct event *e = event_of(c, rows[i], 0);
		struct event *same = event_of(c, rows[i], 0);

		event_id(e, ids[i]);
		event_id(same, again);
		ck_assert_str_eq(ids[i], again);
		ck_assert_uint_eq(strlen(ids[i]), EVENT_ID_MAX - 2);
		for (j = 0; j < i; j++)
			ck_assert_str_ne(ids[i], ids[j]);
		event_free(e);
		event_free(same);
	}
	contract_free(c);
}
END_TEST

START_TEST(placements_context_and_cloudevents_keep_their_order)
{
	static const char *const placed[] = {
		"type:header:eventType", "type:envelope:what", NULL};
	static const char *const names[] = {
		"__debezium.context.connectorLogicalName",
		"__debezium.context.taskId", "__debezium.context.connectorName",
		"__debezium.context.runId", "id", "eventType", "ce_specversion",
		"ce_id", "ce_source", "ce_type", "ce_subject", "ce_time",
		"content-type"};
	static const char *const values[] = {"shop", "0", "postgresql", "run",
		"e1", "Created", "1.0", "e1", "/shop", "Created", "k",
		"2000-01-01T00:00:00.000001Z", "application/json"};
	struct contract_options opt = options();
	struct contract *c;
	struct event *e;
	struct message m;
	size_t i;

	opt.placements = placed;
	opt.value = CONTRACT_JSON;
	opt.context = "shop";
	opt.cloudevents = "/shop";
	c = made(&opt);
	e = row(c, "e1", "Order", "k", "x");
	ck_assert_int_eq(message_of(e, &arena, &m, NULL), CH_OK);
	ck_assert_uint_eq(m.header_count, COUNT(names));
	for (i = 0; i < COUNT(names); i++)
		expect_header(&m, i, names[i], values[i]);
	ck_assert(ch_view_eq_str(m.value,
		"{\"payload\":\"x\",\"what\":\"Created\"}"));
	event_free(e);
	contract_free(c);
	ch_arena_free(&arena);
}
END_TEST

/* A CloudEvent needs an id and a type. */
START_TEST(event_without_an_id_is_no_cloudevent)
{
	struct contract_options opt = options();
	struct contract *c;
	struct event *e;
	struct message m;
	size_t i;

	opt.cloudevents = "/shop";
	c = made(&opt);
	e = row(c, NULL, "Order", "k", "x");
	ck_assert_int_eq(message_of(e, &arena, &m, NULL), CH_OK);
	for (i = 0; i < m.header_count; i++)
		ck_assert_msg(strncmp(m.headers[i].name, "ce_", 3) != 0, "%s",
			m.headers[i].name);
	event_free(e);
	contract_free(c);
	ch_arena_free(&arena);
}
END_TEST

static void
refused(const struct contract_options *opt, const char *named)
{
	struct ch_err err = CH_ERR_INIT;

	ck_assert_ptr_null(contract_new(opt, &err));
	ck_assert_int_eq(err.code, CH_ECONFIG);
	ck_assert_msg(strstr(err.text, named) != NULL, "%s", err.text);
}

START_TEST(wrong_options_are_refused)
{
	static const char *const wrong[] = {"type", "type:nowhere", ":header",
		"type:header:", "type:envelope:payload"};
	struct contract_options opt = options();
	size_t i;

	for (i = 0; i < COUNT(wrong); i++) {
		const char *const list[] = {"id:header:a", wrong[i], NULL};

		opt.placements = list;
		refused(&opt, wrong[i]);
	}
	opt = options();
	opt.placements = (const char *const[]){"type:envelope", NULL};
	refused(&opt, "outbox_value = json");
	opt.value = CONTRACT_JSON;
	opt.placements = (const char *const[]){
		"id:envelope:type", "id:header:type", "type:envelope", NULL};
	refused(&opt, "two \"type\"");
	opt = options();
	opt.table = "outbox";
	refused(&opt, "public.outbox");
	opt = options();
	opt.regex = "(";
	refused(&opt, "expression");
}
END_TEST

static void
unlearned(const struct contract_options *opt, const char *named)
{
	struct ch_err err = CH_ERR_INIT;
	struct contract *c = contract_new(opt, NULL);

	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(contract_learn(c, columns, COUNT(columns), &err),
		CH_ECONFIG);
	ck_assert_msg(strstr(err.text, named) != NULL, "%s", err.text);
	contract_free(c);
}

/* A domain over an enum, say: what a stream tells is its number. */
START_TEST(types_of_the_application_are_what_they_are_made_of)
{
	static const struct contract_type made[] = {
		{70000, 25, -1}, {70001, 23, -1}, {70002, 1700, 131078}};
	struct pgoutput_column own[COUNT(columns)];
	struct contract_options opt = options();
	struct ch_err err = CH_ERR_INIT;
	struct contract *c;

	memcpy(own, columns, sizeof(own));
	own[1].type = own[3].type = 70000;
	opt.placements = (const char *const[]){"type:header", NULL};
	c = contract_new(&opt, &err);
	ck_assert_int_eq(contract_learn(c, own, COUNT(own), &err), CH_ECONFIG);
	ck_assert_msg(strstr(err.text, "type 70000") != NULL, "%s", err.text);
	contract_know(c, made, COUNT(made));
	ck_assert_int_eq(contract_learn(c, own, COUNT(own), &err), CH_OK);
	own[3].type = 70002;
	own[3].called = ch_view_of("money_of_ours");
	ck_assert_int_eq(contract_learn(c, own, COUNT(own), &err), CH_ECONFIG);
	ck_assert_msg(strstr(err.text, "type money_of_ours, known") != NULL,
		"%s", err.text);
	contract_free(c);
	opt.placements = (const char *const[]){"type:partition", NULL};
	c = contract_new(&opt, &err);
	contract_know(c, made, COUNT(made));
	own[3].type = 70001;
	ck_assert_int_eq(contract_learn(c, own, COUNT(own), &err), CH_OK);
	contract_free(c);
}
END_TEST

START_TEST(columns_that_do_not_fit_are_refused)
{
	struct contract_options opt = options();

	opt.payload = "body";
	unlearned(&opt, "\"body\", which outbox_payload names");
	opt = options();
	opt.key = "odd";
	unlearned(&opt, "type 1700");
	opt = options();
	opt.placements = (const char *const[]){"gone:header", NULL};
	unlearned(&opt, "\"gone\"");
	opt.placements = (const char *const[]){"type:partition", NULL};
	unlearned(&opt, "must be an integer");
}
END_TEST

START_TEST(its_table_is_known_by_both_names)
{
	struct contract_options opt = options();
	struct contract *c = made(&opt);

	ck_assert(contract_is_of(c, CH_VIEW("public"), CH_VIEW("outbox")));
	ck_assert(!contract_is_of(c, CH_VIEW("public"), CH_VIEW("outbox2")));
	ck_assert(!contract_is_of(c, CH_VIEW("other"), CH_VIEW("outbox")));
	contract_free(c);
}
END_TEST

SUITE_MAIN("contract", a_row_becomes_a_message,
	nulls_stay_nulls_and_blanks_blanks,
	a_long_id_is_its_digest_but_in_the_header,
	a_row_read_without_an_id_is_named_by_what_it_holds,
	placements_context_and_cloudevents_keep_their_order,
	event_without_an_id_is_no_cloudevent, wrong_options_are_refused,
	types_of_the_application_are_what_they_are_made_of,
	columns_that_do_not_fit_are_refused, its_table_is_known_by_both_names)
