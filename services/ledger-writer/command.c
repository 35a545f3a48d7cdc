/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command: see command.h.
 *
 * One table says which fields every command may carry, one table per type
 * (command_money.c, command_stock.c, command_trade.c) which fields that type
 * has; a field outside of both is refused. The members of a group are read by
 * the same tables, under fewer common fields.
 *
 * Invariant: a command that was read needs no second look at its shape: names
 * are proper, amounts are decimals above zero, the rows of expected_version
 * are rows that the command names.
 */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/json_salvage.h"
#include "command_read.h"

#define JSON_NODES_MAX 16384 /* 64 members of 32 moves */
#define ANSWER_ID_MAX 128    /* bytes of a bad id that an answer repeats */
#define TRACEPARENT_LEN 55   /* W3C trace context, version 00 */
#define TRACEPARENT_MAX 256

/* C0, DEL and C1: what a terminal or a log would obey. */
static bool
has_control(struct ch_view v)
{
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.ptr[i];

		if (c < 0x20 || c == 0x7f)
			return true;
		if (c == 0xc2 && i + 1 < v.len &&
			(unsigned char)v.ptr[i + 1] < 0xa0)
			return true;
	}
	return false;
}

bool
command_name_ok(struct ch_view name, size_t max)
{
	return name.len >= 1 && name.len <= max && ch_view_is_utf8(name) &&
		!has_control(name);
}

bool
command_org_ok(struct ch_view name)
{
	return command_name_ok(name, LEDGER_ORG_MAX) &&
		memchr(name.ptr, '/', name.len) == NULL &&
		!ch_view_eq_str(name, "trading");
}

bool
command_is_fact(const struct command *c)
{
	return command_types[c->type].fact ||
		(c->type == COMMAND_TRADE_RECORD && c->as.trade_record.settled);
}

bool
command_member_name(struct ch_view text, struct ch_uuid *id, int32_t *member)
{
	struct ch_view rest = text;
	struct ch_view part;
	int64_t index = -1;

	if (!ch_view_split(&rest, '/', &part) || !ch_uuid_parse(part, id))
		return false;
	if (part.len < text.len) {
		struct ch_view tail = {
			text.ptr + part.len + 1, text.len - part.len - 1};

		if (ch_view_int(tail, 0, LEDGER_GROUP_MAX - 1, &index) != 0 ||
			(tail.len > 1 && tail.ptr[0] == '0'))
			return false;
	}
	*member = (int32_t)index;
	return true;
}

/* ---- fields of every command ---- */

/* Free text of at most max bytes. */
static bool
read_text(struct reading *r, const char *name, const struct ch_json *v,
	size_t max, struct ch_view *out)
{
	if (v->type != CH_JSON_STRING)
		return command_refuse_value(r, name, v, "a string");
	if (v->str.len > max)
		return command_refuse(r, "invalid",
			"%s: %zu bytes, at most %zu are allowed", name,
			v->str.len, max);
	*out = command_keep(r, v->str);
	if (out->len == 0)
		out->ptr = "";
	return true;
}

static bool
read_plain_text(struct reading *r, const char *name, const struct ch_json *v,
	size_t max, struct ch_view *out)
{
	if (v->type == CH_JSON_STRING && has_control(v->str))
		return command_refuse_value(r, name, v,
			"a string without control characters");
	return read_text(r, name, v, max, out);
}

static bool
read_identity_again(struct reading *r, const char *name,
	const struct ch_json *v, void *out)
{
	(void)r, (void)name, (void)v, (void)out; /* see read_identity() */
	return true;
}

static bool
read_actor(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	return read_plain_text(r, name, v, LEDGER_ACTOR_MAX, out);
}

static bool
read_ref(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	return read_plain_text(r, name, v, LEDGER_REF_MAX, out);
}

static bool
read_reason(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	return read_text(r, name, v, LEDGER_REASON_MAX, out);
}

static bool
read_meta(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct ch_view *meta = out;

	if (v->text.len > LEDGER_META_MAX)
		return command_refuse(r, "invalid",
			"%s: %zu bytes, at most %d are allowed", name,
			v->text.len, LEDGER_META_MAX);
	*meta = v->text;
	return true;
}

static bool
read_expected_version(struct reading *r, const char *name,
	const struct ch_json *v, void *out)
{
	(void)out;
	if (v->type != CH_JSON_OBJECT)
		return command_refuse_value(r, name, v,
			"an object of account, sku and other kinds of rows");
	r->expected_version = v;
	return true;
}

static bool
is_lower_hex(struct ch_view v)
{
	bool zeros = true;

	for (size_t i = 0; i < v.len; i++) {
		char c = v.ptr[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		zeros = zeros && c == '0';
	}
	return !zeros;
}

/* "00-<32 hex>-<16 hex>-<2 hex>", neither id all zeros. Anything else is
 * ignored, as the standard asks: a trace is no reason to refuse money. */
static bool
is_traceparent(struct ch_view v)
{
	return v.len == TRACEPARENT_LEN && memcmp(v.ptr, "00-", 3) == 0 &&
		v.ptr[35] == '-' && v.ptr[52] == '-' &&
		is_lower_hex((struct ch_view){v.ptr + 3, 32}) &&
		is_lower_hex((struct ch_view){v.ptr + 36, 16}) &&
		(is_lower_hex((struct ch_view){v.ptr + 53, 2}) ||
			memcmp(v.ptr + 53, "00", 2) == 0);
}

static bool
read_traceparent(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct ch_view text = {NULL, 0};

	if (!read_text(r, name, v, TRACEPARENT_MAX, &text))
		return false;
	if (is_traceparent(text))
		*(struct ch_view *)out = text;
	return true;
}

#define ITSELF(member) offsetof(struct command, member)

static const struct field command_fields[] = {
	{"id", true, read_identity_again, 0},
	{"org", true, read_identity_again, 0},
	{"type", true, read_identity_again, 0},
	{"actor", false, read_actor, ITSELF(actor)},
	{"ref", false, read_ref, ITSELF(ref)},
	{"meta", false, read_meta, ITSELF(meta)},
	{"reason", false, read_reason, ITSELF(reason)},
	{"expected_version", false, read_expected_version, 0},
	{"dry_run", false, command_read_flag, ITSELF(dry_run)},
	{"traceparent", false, read_traceparent, ITSELF(traceparent)},
};
static const struct field_table common_fields = FIELDS(command_fields);

/* Rows are named by the members: what holds for one holds there. */
static const struct field group_head_fields[] = {
	{"id", true, read_identity_again, 0},
	{"org", true, read_identity_again, 0},
	{"type", true, read_identity_again, 0},
	{"actor", false, read_actor, ITSELF(actor)},
	{"ref", false, read_ref, ITSELF(ref)},
	{"meta", false, read_meta, ITSELF(meta)},
	{"reason", false, read_reason, ITSELF(reason)},
	{"dry_run", false, command_read_flag, ITSELF(dry_run)},
	{"traceparent", false, read_traceparent, ITSELF(traceparent)},
};
static const struct field_table group_common_fields = FIELDS(group_head_fields);

static const struct field member_head_fields[] = {
	{"type", true, read_identity_again, 0},
	{"ref", false, read_ref, ITSELF(ref)},
	{"meta", false, read_meta, ITSELF(meta)},
	{"reason", false, read_reason, ITSELF(reason)},
	{"expected_version", false, read_expected_version, 0},
};
static const struct field_table member_fields = FIELDS(member_head_fields);

/* ---- one command, or one member ---- */

/* "absent is not the default" holds for the payload, not for the meaning. */
static void
set_defaults(struct command *c)
{
	c->actor = CH_VIEW("");
	switch ((unsigned)c->type) {
	case COMMAND_ACCOUNT_OPEN:
		c->as.account_open.has_floor = true;
		c->as.account_open.floor = CH_VIEW("0");
		break;
	case COMMAND_STOCK_RESERVE:
		c->as.stock_reserve.name = c->id_text;
		break;
	case COMMAND_HOLD_PLACE:
		c->as.hold_place.name = c->id_text;
		break;
	case COMMAND_ORDER_PLACE:
		c->as.order_place.name = c->id_text;
		break;
	default:
		break;
	}
}

static const struct field_table *own_fields(enum command_type type);

/* What only two fields together can show. */
static bool
check_together(struct reading *r)
{
	const struct command *c = r->c;

	if (c->type == COMMAND_ACCOUNT_OPEN && c->as.account_open.shards > 0 &&
		c->as.account_open.has_floor)
		return command_refuse(r, "invalid",
			"shards: an account with "
			"shards has no floor: send \"floor\":null");
	return true;
}

static bool
read_command(struct reading *r, const struct ch_json *object,
	const struct field_table *common)
{
	struct object_form form = {command_types[r->c->type].name, false,
		own_fields(r->c->type), common};

	r->expected_version = NULL;
	set_defaults(r->c);
	return command_read_object(r, object, &form, r->c) &&
		check_together(r) && command_read_versions(r);
}

/* ---- groups ---- */

static bool
read_member(struct reading *r, const struct ch_json *v, size_t index,
	struct command *m)
{
	struct command *whole = r->c;
	struct ch_view type;
	char suffix[16];
	bool ok;

	if (v->type != CH_JSON_OBJECT || !ch_json_str(v, "type", &type))
		return command_refuse_value(r, "commands", v,
			"an object with a type");
	m->type = command_type_of(type);
	if (m->type == COMMAND_TYPES || m->type == COMMAND_GROUP ||
		m->type == COMMAND_MARKET_SETTLE)
		return command_refuse_value(r, "commands.type",
			ch_json_get(v, "type"), "a type that a group may hold");
	(void)snprintf(suffix, sizeof(suffix), "/%zu", index);
	ch_buf_clear(&r->reader->text);
	ch_buf_addv(&r->reader->text, whole->id_text);
	ch_buf_adds(&r->reader->text, suffix);
	m->id = whole->id;
	m->id_text =
		ch_arena_view(r->reader->arena, ch_buf_view(&r->reader->text));
	m->org_name = whole->org_name;
	r->c = m;
	ok = read_command(r, v, &member_fields);
	r->c = whole;
	r->expected_version = NULL; /* it was the member's */
	return ok;
}

/* Says which member it was. */
static bool
refuse_member(struct reading *r, size_t index)
{
	struct ch_view reason = r->refusal->reason;

	return command_refuse(r, r->refusal->error_class, "commands[%zu]: %.*s",
		index, CH_VIEW_ARG(reason));
}

static bool
read_members(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct group *group = out;
	size_t i = 0;

	if (v->type != CH_JSON_ARRAY || v->count < 1 ||
		v->count > LEDGER_GROUP_MAX)
		return command_refuse_value(r, name, v,
			"an array of 1 to 64 commands");
	group->count = v->count;
	group->members = ch_arena_calloc(r->reader->arena, v->count,
		sizeof(*group->members));
	for (const struct ch_json *m = v->child; m != NULL; m = m->next, i++) {
		if (!read_member(r, m, i, &group->members[i]))
			return refuse_member(r, i);
	}
	return true;
}

static const struct field group_own[] = {
	{"commands", true, read_members, FIELD(group)},
};
static const struct field_table group_fields = FIELDS(group_own);

static const struct field_table *
own_fields(enum command_type type)
{
	if (type == COMMAND_GROUP)
		return &group_fields;
	if (command_money_fields[type].count > 0)
		return &command_money_fields[type];
	if (command_stock_fields[type].count > 0)
		return &command_stock_fields[type];
	return &command_trade_fields[type];
}

/* ---- the whole ---- */

/* What an answer needs, as far as it is there: before anything is refused. */
static void
read_identity(struct reading *r, const struct ch_json *root)
{
	struct command_refusal *f = r->refusal;
	struct ch_view text;

	if (ch_json_str(root, "id", &text) && text.len >= 1 &&
		text.len <= ANSWER_ID_MAX) {
		f->has_id = true;
		f->id = command_keep(r, text);
	}
	if (ch_json_str(root, "org", &text) && command_org_ok(text)) {
		f->has_org = true;
		f->org = command_keep(r, text);
	}
	if (ch_json_str(root, "type", &text) &&
		command_name_ok(text, LEDGER_NAME_MAX))
		f->type = command_keep(r, text);
	if (ch_json_str(root, "traceparent", &text) && is_traceparent(text))
		f->traceparent = command_keep(r, text);
}

/* The same of a value that is no document, as far as the limit on its size. */
static void
salvage_identity(struct reading *r)
{
	static const char *const names[] = {
		"id", "org", "type", "traceparent", NULL};
	struct ch_view head = r->value;

	if (head.len > r->reader->limits.value_max)
		head.len = r->reader->limits.value_max;
	read_identity(r, ch_json_salvage(&r->reader->scratch, head, names));
}

static bool
require(struct reading *r, const struct ch_json *root, const char *name)
{
	if (ch_json_get(root, name) == NULL)
		return command_refuse(r, "invalid", "%s: the field is missing",
			name);
	return true;
}

static bool
check_identity(struct reading *r, const struct ch_json *root)
{
	struct ch_view only_org = r->reader->only_org;
	const struct command_refusal *f = r->refusal;
	struct command *c = r->c;

	if (!require(r, root, "id") || !require(r, root, "org") ||
		!require(r, root, "type"))
		return false;
	if (!f->has_id || !ch_uuid_parse(f->id, &c->id))
		return command_refuse_value(r, "id", ch_json_get(root, "id"),
			"a UUIDv7 or a ULID");
	if (!f->has_org)
		return command_refuse_value(r, "org", ch_json_get(root, "org"),
			"1 to 64 bytes without '/' and control characters, "
			"not \"trading\"");
	if (only_org.len > 0 && !ch_view_eq(f->org, only_org))
		return command_refuse(r, "invalid",
			"org: this topic belongs to \"%.*s\"",
			CH_VIEW_ARG(only_org));
	c->type = command_type_of(f->type);
	if (c->type == COMMAND_TYPES)
		return command_refuse_value(r, "type",
			ch_json_get(root, "type"), "a type of command");
	c->id_text = f->id;
	c->org_name = f->org;
	return true;
}

/* The canonical text of all members but id and traceparent. */
static struct ch_sha256
hash_payload(struct command_reader *reader, const struct ch_json *root)
{
	struct ch_json *members = ch_arena_alloc(&reader->scratch,
		(root->count + 1) * sizeof(*members));
	struct ch_json payload = *root;
	size_t n = 0;

	for (const struct ch_json *v = root->child; v != NULL; v = v->next) {
		if (ch_view_eq_str(v->name, "id") ||
			ch_view_eq_str(v->name, "traceparent"))
			continue;
		members[n] = *v;
		members[n].next = NULL;
		if (n > 0)
			members[n - 1].next = &members[n];
		n++;
	}
	payload.child = n > 0 ? members : NULL;
	payload.count = n;
	ch_buf_clear(&reader->text);
	ch_json_canonical(&reader->text, &payload);
	return ch_sha256_of(ch_buf_view(&reader->text));
}

static bool
decode(struct reading *r)
{
	struct command_reader *reader = r->reader;
	const struct ch_json *root;
	struct ch_err err = CH_ERR_INIT;

	if (r->value.ptr == NULL)
		return command_refuse(r, "malformed",
			"the record has no value");
	if (r->value.len > reader->limits.value_max) {
		salvage_identity(r);
		return command_refuse(r, "oversize",
			"the value has %zu bytes, at most %zu are allowed",
			r->value.len, reader->limits.value_max);
	}
	root = ch_json_parse(&reader->scratch, r->value, JSON_NODES_MAX, &err);
	if (root == NULL) {
		salvage_identity(r);
		return command_refuse(r, "malformed", "%s", err.text);
	}
	if (root->type != CH_JSON_OBJECT)
		return command_refuse(r, "malformed",
			"the value is no JSON object");
	read_identity(r, root);
	if (!check_identity(r, root))
		return false;
	if (!read_command(r, root,
		    r->c->type == COMMAND_GROUP ? &group_common_fields
						: &common_fields))
		return false;
	r->c->payload_hash = hash_payload(reader, root);
	return true;
}

void
command_reader_init(struct command_reader *r, struct ch_arena *arena,
	const struct command_limits *limits)
{
	*r = (struct command_reader){.limits = *limits, .arena = arena};
}

void
command_reader_free(struct command_reader *r)
{
	ch_arena_free(&r->scratch);
	ch_buf_free(&r->text);
}

bool
command_decode(struct command_reader *reader, struct ch_view value,
	struct command *out, struct command_refusal *refusal)
{
	struct reading r = {
		.reader = reader, .value = value, .c = out, .refusal = refusal};

	memset(out, 0, sizeof(*out));
	memset(refusal, 0, sizeof(*refusal));
	ch_arena_reset(&reader->scratch, (size_t)1 << 20);
	return decode(&r);
}
