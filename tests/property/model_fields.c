/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_fields: see model_fields.h.
 */
#include "model_fields.h"

#include <stdint.h>
#include <string.h>

#include "model_decimal.h"
#include "model_id.h"
#include "model_time.h"

static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == 0x7f)
			return true;
		if (c == 0xc2 && (unsigned char)s[1] < 0xa0)
			return true;
	}
	return false;
}

const char *
model_name_of(const json_t *v, size_t max)
{
	const char *s = json_string_value(v);

	return s != NULL && *s != '\0' && strlen(s) <= max && !has_control(s)
		? s
		: NULL;
}

bool
model_is_text(const json_t *v, size_t max, bool controls)
{
	return json_is_string(v) && strlen(json_string_value(v)) <= max &&
		(controls || !has_control(json_string_value(v)));
}

static bool
is_name(const json_t *v)
{
	return model_name_of(v, 128) != NULL;
}

/* ---- numbers in text ---- */

static bool
is_decimal(const json_t *v, int *sign, int *fraction)
{
	return json_is_string(v) &&
		model_decimal_ok(json_string_value(v), sign, fraction);
}

static bool
is_amount(const json_t *v)
{
	int sign, fraction;

	return is_decimal(v, &sign, &fraction) && sign > 0;
}

static bool
is_amount_or_zero(const json_t *v)
{
	int sign, fraction;

	return is_decimal(v, &sign, &fraction) && sign >= 0;
}

static bool
is_qty(const json_t *v)
{
	int sign, fraction;

	return is_decimal(v, &sign, &fraction) && sign > 0 && fraction == 0;
}

static bool
is_delta(const json_t *v)
{
	int sign, fraction;

	return is_decimal(v, &sign, &fraction) && sign != 0 && fraction == 0;
}

static bool
is_floor(const json_t *v)
{
	int sign, fraction;

	return json_is_null(v) ||
		(is_decimal(v, &sign, &fraction) && sign <= 0);
}

static bool
is_limit(const json_t *v)
{
	int sign, fraction;

	return json_is_null(v) || is_decimal(v, &sign, &fraction);
}

/* 0 to most, of at most 8 digits behind the point. */
static bool
is_fraction(const json_t *v, int most)
{
	int sign, fraction;

	return is_decimal(v, &sign, &fraction) && sign >= 0 &&
		fraction <= MODEL_UNIT_SCALE &&
		model_decimal_value(json_string_value(v), MODEL_UNIT_SCALE) <=
		(big)most * 100000000;
}

static bool
is_figure(const json_t *v)
{
	return json_is_string(v) && model_figure_ok(json_string_value(v));
}

static bool
whole_between(const json_t *v, int least, int most)
{
	return json_is_integer(v) && json_integer_value(v) >= least &&
		json_integer_value(v) <= most;
}

static bool
is_scale(const json_t *v)
{
	return whole_between(v, 0, 8);
}

static bool
is_shards(const json_t *v)
{
	return whole_between(v, 1, 256);
}

/* ---- others ---- */

static bool
is_deadline(const json_t *v)
{
	int64_t us;

	return json_is_string(v) && model_time_read(json_string_value(v), &us);
}

static bool
is_side(const json_t *v)
{
	return json_is_string(v) &&
		(strcmp(json_string_value(v), "BUY") == 0 ||
			strcmp(json_string_value(v), "SELL") == 0);
}

static bool
is_true_or_false(const json_t *v)
{
	return json_is_boolean(v);
}

static bool
is_transfer(const json_t *v)
{
	struct model_id id;
	int member;

	return json_is_string(v) &&
		model_transfer_read(json_string_value(v), &id, &member);
}

static bool
is_moves(const json_t *v)
{
	const json_t *move;
	size_t i;

	if (!json_is_array(v) || json_array_size(v) < 1 ||
		json_array_size(v) > MODEL_MOVES_MAX)
		return false;
	json_array_foreach (v, i, move) {
		if (!json_is_object(move) || json_object_size(move) != 3 ||
			!is_name(json_object_get(move, "from")) ||
			!is_name(json_object_get(move, "to")) ||
			!is_amount(json_object_get(move, "amount")))
			return false;
	}
	return true;
}

static bool
is_skim(const json_t *v)
{
	return json_is_object(v) && json_object_size(v) == 2 &&
		is_amount(json_object_get(v, "amount")) &&
		is_name(json_object_get(v, "to"));
}

static bool
is_belief(const json_t *v)
{
	return json_is_object(v) && json_object_size(v) == 2 &&
		is_fraction(json_object_get(v, "belief"), 1) &&
		is_fraction(json_object_get(v, "meta"), 1);
}

static bool
is_payouts(const json_t *v)
{
	const char *outcome;
	json_t *price;

	if (!json_is_object(v) || json_object_size(v) < 1 ||
		json_object_size(v) > 64)
		return false;
	json_object_foreach ((json_t *)(void *)(uintptr_t)v, outcome, price) {
		json_t *name = json_string(outcome);
		bool good = is_name(name) && is_fraction(price, 1000000);

		json_decref(name);
		if (!good)
			return false;
	}
	return true;
}

static bool
is_members(const json_t *v)
{
	return json_is_array(v) && json_array_size(v) >= 1 &&
		json_array_size(v) <= MODEL_MEMBERS_MAX;
}

/* ---- the types ---- */

static const struct shape shapes[] = {
	{"asset.define", {{"asset", true, is_name}, {"scale", true, is_scale}}},
	{"account.open",
		{{"account", true, is_name}, {"asset", true, is_name},
			{"floor", false, is_floor},
			{"shards", false, is_shards}}},
	{"account.limit",
		{{"account", true, is_name}, {"floor", true, is_limit}}},
	{"account.close", {{"account", true, is_name}}},
	{"transfer.post", {{"moves", true, is_moves}}},
	{"transfer.reverse", {{"transfer", true, is_transfer}}},
	{"hold.place",
		{{"from", true, is_name}, {"amount", true, is_amount},
			{"expires_at", false, is_deadline},
			{"hold", false, is_name}}},
	{"hold.capture",
		{{"hold", true, is_name}, {"to", true, is_name},
			{"amount", false, is_amount}}},
	{"hold.void", {{"hold", true, is_name}}},
	{"stock.receive", {{"sku", true, is_name}, {"qty", true, is_qty}}},
	{"stock.adjust", {{"sku", true, is_name}, {"delta", true, is_delta}}},
	{"stock.reserve",
		{{"sku", true, is_name}, {"qty", true, is_qty},
			{"expires_at", false, is_deadline},
			{"reservation", false, is_name}}},
	{"reservation.commit",
		{{"reservation", true, is_name}, {"qty", false, is_qty}}},
	{"reservation.release", {{"reservation", true, is_name}}},
	{"group", {{"commands", true, is_members}}},
	{"order.place",
		{{"order", false, is_name}, {"market", true, is_name},
			{"side", true, is_side}, {"qty", true, is_amount},
			{"price", false, is_figure}}},
	{"order.accept", {{"order", true, is_name}}},
	{"order.fill",
		{{"order", true, is_name}, {"fill", true, is_name},
			{"qty", true, is_amount}, {"price", false, is_figure}}},
	{"order.cancel", {{"order", true, is_name}}},
	{"order.lost", {{"order", true, is_name}}},
	{"trade.record",
		{{"account", true, is_name}, {"market", true, is_name},
			{"outcome", true, is_name}, {"side", true, is_side},
			{"tx", true, is_name},
			{"position", true, is_amount_or_zero},
			{"lock", true, is_amount_or_zero},
			{"qty", false, is_figure}, {"price", false, is_figure},
			{"skim", false, is_skim}, {"belief", false, is_belief},
			{"settled", false, is_true_or_false}}},
	{"pool.deploy",
		{{"market", true, is_name}, {"address", true, is_name}}},
	{"market.settle",
		{{"market", true, is_name}, {"from", true, is_name},
			{"payouts", true, is_payouts}}},
};

const struct shape *
model_shape(const char *type)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		if (strcmp(shapes[i].type, type) == 0)
			return &shapes[i];
	}
	return NULL;
}

const struct field *
model_field(const struct shape *shape, const char *name)
{
	for (const struct field *f = shape->fields; f->name != NULL; f++) {
		if (strcmp(f->name, name) == 0)
			return f;
	}
	return NULL;
}

bool
model_shape_complete(const struct shape *shape, const json_t *body)
{
	const json_t *floor = json_object_get(body, "floor");

	for (const struct field *f = shape->fields; f->name != NULL; f++) {
		if (f->required && json_object_get(body, f->name) == NULL)
			return false;
	}
	/* an account with shards has no floor, and says so */
	return json_object_get(body, "shards") == NULL || json_is_null(floor);
}
