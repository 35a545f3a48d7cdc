/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_command: see model_command.h.
 */
#include "model_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_fields.h"
#include "model_json.h"
#include "model_rests.h"
#include "model_text.h"

/* ---- what a body names ---- */

const char *
model_body_type(const json_t *body)
{
	return json_string_value(json_object_get(body, "type"));
}

size_t
model_body_count(const struct serial_command *c)
{
	return strcmp(c->type, "group") == 0
		? json_array_size(json_object_get(c->root, "commands"))
		: 1;
}

const json_t *
model_body(const struct serial_command *c, size_t i)
{
	return strcmp(c->type, "group") == 0
		? json_array_get(json_object_get(c->root, "commands"), i)
		: c->root;
}

void
model_default_name(const struct serial_command *c, size_t i,
	char out[MODEL_NAME_SIZE])
{
	if (strcmp(c->type, "group") == 0)
		(void)snprintf(out, MODEL_NAME_SIZE, "%s/%zu", c->id, i);
	else
		(void)snprintf(out, MODEL_NAME_SIZE, "%s", c->id);
}

const char *
model_row_name(const json_t *body, const char *field, const char *default_name)
{
	static const char *const makers[][2] = {{"hold", "hold.place"},
		{"reservation", "stock.reserve"}, {"order", "order.place"}};
	const char *name = json_string_value(json_object_get(body, field));

	for (size_t i = 0; name == NULL && i < 3; i++) {
		if (strcmp(makers[i][0], field) == 0 &&
			strcmp(makers[i][1], model_body_type(body)) == 0)
			name = default_name;
	}
	return name;
}

static bool
is_member(const json_t *object, const char *member, const char *name)
{
	const char *s = json_string_value(json_object_get(object, member));

	return s != NULL && strcmp(s, name) == 0;
}

static bool
names_account(const json_t *body, const char *name)
{
	const json_t *move;
	size_t i;

	json_array_foreach (json_object_get(body, "moves"), i, move) {
		if (is_member(move, "from", name) ||
			is_member(move, "to", name))
			return true;
	}
	return is_member(body, "account", name) ||
		is_member(body, "from", name) || is_member(body, "to", name) ||
		is_member(json_object_get(body, "skim"), "to", name);
}

static bool
names_position(const json_t *body, const char *name)
{
	struct text t = {NULL, 0, 0};
	bool same;

	if (strcmp(model_body_type(body), "trade.record") != 0)
		return false;
	model_put(&t, json_string_value(json_object_get(body, "account")));
	model_put(&t, "/");
	model_put(&t, json_string_value(json_object_get(body, "market")));
	model_put(&t, "/");
	model_put(&t, json_string_value(json_object_get(body, "outcome")));
	same = strcmp(t.p, name) == 0;
	free(t.p);
	return same;
}

static bool
names_row(const json_t *body, const char *default_name, const char *kind,
	const char *name)
{
	const char *own = model_row_name(body, kind, default_name);

	if (strcmp(kind, "account") == 0)
		return names_account(body, name);
	if (strcmp(kind, "position") == 0)
		return names_position(body, name);
	if (strcmp(model_body_type(body), "order.place") == 0 &&
		strcmp(kind, "market") == 0)
		return false; /* it is only text there */
	return own != NULL && strcmp(own, name) == 0;
}

static bool
versions_ok(const json_t *body, const char *default_name)
{
	static const char *const kinds[] = {"account", "sku", "hold",
		"reservation", "order", "market", "position"};
	json_t *v = json_object_get(body, "expected_version");
	const char *kind;
	const char *name;
	json_t *rows;
	json_t *version;

	if (v == NULL)
		return true;
	if (!json_is_object(v))
		return false;
	json_object_foreach (v, kind, rows) {
		size_t k = 0;

		while (k < 7 && strcmp(kinds[k], kind) != 0)
			k++;
		if (k == 7 || !json_is_object(rows))
			return false;
		json_object_foreach (rows, name, version) {
			if (!json_is_integer(version) ||
				json_integer_value(version) < 0 ||
				!names_row(body, default_name, kind, name))
				return false;
		}
	}
	return true;
}

/* ---- fields ---- */

/* Fields that every command may have; of_group: that a member may have. */
static const struct {
	const char *name;
	bool of_member;
} common[] = {{"id", false}, {"org", false}, {"type", true}, {"actor", false},
	{"ref", true}, {"meta", true}, {"reason", true},
	{"expected_version", true}, {"dry_run", false}, {"traceparent", false}};

static bool
is_common(const char *name, bool member)
{
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
		if (strcmp(common[i].name, name) == 0)
			return common[i].of_member || !member;
	}
	return false;
}

static bool
common_ok(const char *name, const json_t *v, size_t meta_len)
{
	if (strcmp(name, "actor") == 0 || strcmp(name, "ref") == 0)
		return model_is_text(v, 128, false);
	if (strcmp(name, "reason") == 0)
		return model_is_text(v, 512, true);
	if (strcmp(name, "traceparent") == 0)
		return model_is_text(v, 256, true);
	if (strcmp(name, "meta") == 0)
		return meta_len <= 1024;
	if (strcmp(name, "dry_run") == 0)
		return json_is_boolean(v);
	return true; /* id, org and type are read before, versions after */
}

/* raw: the body as it was sent. */
static bool
fields_ok(const json_t *body, bool member, const char *raw)
{
	const struct shape *shape = model_shape(model_body_type(body));
	size_t meta_len = model_json_length(model_json_member(raw, "meta"));
	const char *name;
	json_t *v;

	if (shape == NULL)
		return false;
	json_object_foreach ((json_t *)(void *)(uintptr_t)body, name, v) {
		const struct field *f = model_field(shape, name);

		if (f != NULL ? !f->ok(v)
			      : !is_common(name, member) ||
					!common_ok(name, v, meta_len))
			return false;
	}
	return model_shape_complete(shape, body);
}

static bool
member_ok(const struct serial_command *c, size_t i, const char *raw)
{
	const json_t *body = model_body(c, i);
	const char *type = json_is_object(body) ? model_body_type(body) : NULL;
	char default_name[MODEL_NAME_SIZE];

	if (type == NULL || strcmp(type, "group") == 0 ||
		strcmp(type, "market.settle") == 0)
		return false;
	model_default_name(c, i, default_name);
	return fields_ok(body, true, raw) && versions_ok(body, default_name);
}

static bool
members_ok(const struct serial_command *c, const char *raw)
{
	const char *commands = model_json_member(raw, "commands");

	if (json_object_get(c->root, "expected_version") != NULL)
		return false;
	for (size_t i = 0; i < model_body_count(c); i++) {
		if (!member_ok(c, i, model_json_element(commands, i)))
			return false;
	}
	return true;
}

/* "trading" is the scope of everybody, no organisation. */
const char *
model_org_of(const json_t *v)
{
	const char *org = model_name_of(v, 64);

	return org != NULL && strchr(org, '/') == NULL &&
			strcmp(org, "trading") != 0
		? org
		: NULL;
}

/* Whom an answer can name. */
static void
read_identity(struct serial_command *c, const json_t *object)
{
	const json_t *id = json_object_get(object, "id");

	if (json_is_string(id) && json_string_length(id) >= 1 &&
		json_string_length(id) <= 128)
		c->id = json_string_value(id);
	c->org = model_org_of(json_object_get(object, "org"));
	c->type = model_name_of(json_object_get(object, "type"), 128);
}

static bool
read_command(struct serial_command *c, const char *value)
{
	const char *raw = model_json_start(value);

	if (c->id == NULL || !model_id_read(c->id, &c->key) || c->org == NULL ||
		c->type == NULL || !fields_ok(c->root, false, raw))
		return false;
	if (strcmp(c->type, "group") == 0 ? !members_ok(c, raw)
					  : !versions_ok(c->root, c->id))
		return false;
	c->dry_run = json_is_true(json_object_get(c->root, "dry_run"));
	c->payload = model_need(json_copy(c->root));
	(void)json_object_del(c->payload, "id");
	(void)json_object_del(c->payload, "traceparent");
	return true;
}

struct serial_command *
serial_command_new(const char *value, size_t len, size_t value_max)
{
	struct serial_command *c = model_need(calloc(1, sizeof(*c)));

	if (value == NULL)
		return c;
	if (len <= value_max)
		c->root = json_loadb(value, len,
			JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	if (model_is_document(c->root)) {
		read_identity(c, c->root);
		c->readable = read_command(c, value);
	} else {
		c->rests = model_rests_of(value,
			len <= value_max ? len : value_max);
		read_identity(c, c->rests);
	}
	return c;
}

void
serial_command_free(struct serial_command *c)
{
	json_decref(c->payload);
	json_decref(c->rests);
	json_decref(c->root);
	free(c);
}

bool
serial_command_readable(const struct serial_command *c)
{
	return c->readable;
}
