/* SPDX-License-Identifier: Apache-2.0 */
/*
 * market_fill: see market_fill.h. The fields are read by the functions that
 * read commands, so that a quantity or a name is the same thing in both.
 */
#include "market_fill.h"

#include <string.h>

#include "command_read.h"

#define NODES_MAX 64

/* What a fill is: everything else in the record is somebody's remark. */
struct fill_record {
	struct ch_view fill_id;
	struct ch_view org;
	struct ch_view order;
	struct command_units qty;
	struct ch_view price;
	struct command_deadline traded_at;
};

static const struct field fields[] = {
	{"fill_id", true, command_read_name,
		offsetof(struct fill_record, fill_id)},
	{"org", true, command_read_name, offsetof(struct fill_record, org)},
	{"order", true, command_read_name, offsetof(struct fill_record, order)},
	{"qty", true, command_read_units, offsetof(struct fill_record, qty)},
	{"price", false, command_read_price,
		offsetof(struct fill_record, price)},
	{"traded_at", true, command_read_deadline,
		offsetof(struct fill_record, traded_at)},
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static bool
read_fields(struct reading *r, const struct ch_json *root,
	struct fill_record *f)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct ch_json *v = ch_json_get(root, fields[i].name);

		if (v == NULL && fields[i].required)
			return command_refuse(r, "invalid",
				"%s: the field is missing", fields[i].name);
		if (v != NULL &&
			!fields[i].read(r, fields[i].name, v,
				(char *)f + fields[i].at))
			return false;
	}
	if (!command_org_ok(f->org))
		return command_refuse_value(r, "org", ch_json_get(root, "org"),
			"an organisation's name");
	return true;
}

static struct ch_view
keep_text(struct command_reader *reader)
{
	return ch_arena_view(reader->arena, ch_buf_view(&reader->text));
}

/* What is refused counts as sent: it may be put right under the same name. */
static struct ch_view
qty_form(const struct command_units *qty, char text[CH_AMOUNT_TEXT_MAX])
{
	if (qty->status != CH_DECIMAL_OK)
		return qty->text;
	size_t len = ch_amount_format(qty->value, COMMAND_UNITS_SCALE, text);
	return command_decimal_form((struct ch_view){text, len});
}

/* What counts of it. */
static void
make_payload(struct command_reader *reader, const struct fill_record *f)
{
	char qty[CH_AMOUNT_TEXT_MAX];

	ch_buf_clear(&reader->text);
	ch_buf_addc(&reader->text, '{');
	ch_json_add_member(&reader->text, "fill", f->fill_id);
	ch_json_add_member(&reader->text, "order", f->order);
	ch_json_add_member(&reader->text, "org", f->org);
	if (f->price.ptr != NULL)
		ch_json_add_member(&reader->text, "price",
			command_decimal_form(f->price));
	ch_json_add_member(&reader->text, "qty", qty_form(&f->qty, qty));
	ch_buf_addc(&reader->text, '}');
}

static void
make_identity(struct command_reader *reader, const struct fill_record *f,
	struct command *c)
{
	bool has_time = reader->record_at.us != 0;
	char text[CH_UUID_TEXT_MAX];

	make_payload(reader, f);
	c->payload_hash = ch_sha256_of(ch_buf_view(&reader->text));
	c->id = ch_uuid_v7_named(has_time ? reader->record_at : f->traded_at.at,
		ch_buf_view(&reader->text));
	ch_uuid_format(&c->id, text);
	c->id_text = ch_arena_view(reader->arena, ch_view_of(text));
	/* answers go to the order's owner, as those of its commands */
	ch_buf_clear(&reader->text);
	ch_buf_addv(&reader->text, f->org);
	ch_buf_addc(&reader->text, '/');
	ch_buf_addv(&reader->text, f->order);
	c->answer_key = keep_text(reader);
}

static bool
decode(struct reading *r)
{
	struct command_reader *reader = r->reader;
	struct fill_record f = {.price = {NULL, 0}};
	struct ch_err err = CH_ERR_INIT;
	const struct ch_json *root;

	if (r->value.ptr == NULL)
		return command_refuse(r, "malformed",
			"the record has no value");
	if (r->value.len > reader->limits.value_max)
		return command_refuse(r, "oversize",
			"the value has %zu bytes, at most %zu are allowed",
			r->value.len, reader->limits.value_max);
	root = ch_json_parse(&reader->scratch, r->value, NODES_MAX, &err);
	if (root == NULL)
		return command_refuse(r, "malformed", "%s", err.text);
	if (root->type != CH_JSON_OBJECT)
		return command_refuse(r, "malformed",
			"the value is no JSON object");
	if (!read_fields(r, root, &f))
		return false;
	r->c->type = COMMAND_ORDER_FILL;
	r->c->actor = CH_VIEW("market");
	r->c->org_name = f.org;
	r->c->as.order_move.name = f.order;
	r->c->as.order_move.fill_name = f.fill_id;
	r->c->as.order_move.qty = f.qty;
	r->c->as.order_move.price = f.price;
	make_identity(reader, &f, r->c);
	return true;
}

bool
market_fill_decode(struct command_reader *reader, struct ch_view value,
	struct command *out, struct command_refusal *refusal)
{
	struct reading r = {
		.reader = reader, .value = value, .c = out, .refusal = refusal};

	memset(out, 0, sizeof(*out));
	memset(refusal, 0, sizeof(*refusal));
	ch_arena_reset(&reader->scratch, (size_t)1 << 20);
	return decode(&r);
}
