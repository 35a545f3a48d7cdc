/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_fills: a record of market.fills, read as the order.fill that it is
 * (commands.md section 6). Nobody has given it an id, so no answer is owed
 * where it cannot be read.
 */
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_command.h"
#include "model_decimal.h"
#include "model_fields.h"
#include "model_rests.h"
#include "model_text.h"
#include "model_time.h"

/* ---- what it says ---- */

static bool
copy_field(json_t *to, const char *field, const json_t *sent, const char *name)
{
	const struct field *f = model_field(model_shape("order.fill"), field);
	json_t *v = json_object_get(sent, name);

	if (v == NULL)
		return !f->required;
	return f->ok(v) && json_object_set(to, field, v) == 0;
}

/* traded_at: microseconds since 1970. */
static bool
read_record(struct serial_command *c, const json_t *sent, int64_t *traded_at)
{
	const char *at = json_string_value(json_object_get(sent, "traded_at"));
	json_t *org = json_object_get(sent, "org");

	if (model_org_of(org) == NULL || at == NULL ||
		!model_time_read(at, traded_at))
		return false;
	c->root = model_need(json_object());
	(void)json_object_set(c->root, "org", org);
	return copy_field(c->root, "fill", sent, "fill_id") &&
		copy_field(c->root, "order", sent, "order") &&
		copy_field(c->root, "price", sent, "price") &&
		copy_field(c->root, "qty", sent, "qty");
}

/* ---- which report it is ---- */

/* Decimals count by their value. */
static void
drop_zeros(char *decimal)
{
	size_t len = strlen(decimal);

	if (strchr(decimal, '.') == NULL)
		return;
	while (decimal[len - 1] == '0')
		len--;
	if (decimal[len - 1] == '.')
		len--;
	decimal[len] = '\0';
}

/* A quantity that is refused has no value, and counts as it was sent. */
static bool
has_value(const char *qty)
{
	int sign, fraction;

	return model_decimal_ok(qty, &sign, &fraction) &&
		fraction <= MODEL_UNIT_SCALE &&
		model_decimal_value(qty, MODEL_UNIT_SCALE) <= MAX64;
}

static json_t *
payload_of(const json_t *root)
{
	static const char *const figures[] = {"price", "qty"};
	json_t *payload = model_need(json_copy((json_t *)(uintptr_t)root));

	for (size_t i = 0; i < 2; i++) {
		const char *sent =
			json_string_value(json_object_get(root, figures[i]));
		char *value;

		if (sent == NULL || (i == 1 && !has_value(sent)))
			continue;
		value = model_need(strdup(sent));
		drop_zeros(value);
		(void)json_object_set_new(payload, figures[i],
			json_string(value));
		free(value);
	}
	return payload;
}

/* UUIDv7: 48 bits of milliseconds, and the digest of what counts. */
static void
name_report(struct serial_command *c, int64_t ms)
{
	static const char *const members[] = {
		"fill", "order", "org", "price", "qty"};
	unsigned char b[SHA256_DIGEST_LENGTH];
	struct text t = {NULL, 0, 0};
	char id[40];

	model_put(&t, "{");
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const char *v = json_string_value(json_object_get(c->payload,
			members[i]));

		if (v != NULL)
			model_put_member(&t, members[i], v);
	}
	model_put(&t, "}");
	(void)SHA256((const unsigned char *)t.p, t.len, b);
	free(t.p);
	for (int i = 0; i < 6; i++)
		b[i] = (unsigned char)(ms >> (40 - 8 * i));
	b[6] = (unsigned char)(0x70 | (b[6] & 0x0f));
	b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
	(void)snprintf(id, sizeof(id),
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
		"%02x%02x%02x%02x%02x%02x",
		b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9],
		b[10], b[11], b[12], b[13], b[14], b[15]);
	(void)json_object_set_new(c->root, "id", json_string(id));
}

struct serial_command *
serial_fill_new(const char *value, size_t len, size_t value_max,
	int64_t record_ms)
{
	struct serial_command *c = model_need(calloc(1, sizeof(*c)));
	json_t *sent = value != NULL && len <= value_max
		? json_loadb(value, len, JSON_REJECT_DUPLICATES, NULL)
		: NULL;
	int64_t traded_at = 0;

	c->is_fill = true;
	if (json_is_object(sent) && model_is_document(sent) &&
		read_record(c, sent, &traded_at)) {
		c->payload = payload_of(c->root);
		name_report(c, record_ms >= 0 ? record_ms : traded_at / 1000);
		(void)json_object_set_new(c->root, "type",
			json_string("order.fill"));
		c->id = json_string_value(json_object_get(c->root, "id"));
		c->org = json_string_value(json_object_get(c->root, "org"));
		c->type = model_body_type(c->root);
		c->readable = model_id_read(c->id, &c->key);
	}
	json_decref(sent);
	return c;
}
