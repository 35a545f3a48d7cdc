/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_read: see command_read.h.
 */
#include "command_read.h"

#include <stdarg.h>
#include <stdio.h>

#define SHOWN_MAX 48 /* bytes of a bad value that a reason repeats */

/* ---- refusing ---- */

bool
command_refuse(struct reading *r, const char *error_class, const char *fmt, ...)
{
	struct ch_buf *text = &r->reader->text;
	va_list ap;

	ch_buf_clear(text);
	va_start(ap, fmt);
	ch_buf_vprintf(text, fmt, ap);
	va_end(ap);
	r->refusal->error_class = error_class;
	r->refusal->reason = ch_arena_view(r->reader->arena, ch_buf_view(text));
	return false;
}

struct ch_view
command_shown(struct ch_view v)
{
	size_t n = 0;
	size_t step;

	if (v.len <= SHOWN_MAX)
		return v;
	while ((step = ch_utf8_next(v.ptr + n, v.len - n)) > 0 &&
		n + step <= SHOWN_MAX)
		n += step;
	return (struct ch_view){v.ptr, n};
}

bool
command_refuse_value(struct reading *r, const char *name,
	const struct ch_json *v, const char *wanted)
{
	struct ch_view s = command_shown(v->text);

	return command_refuse(r, "invalid", "%s: %.*s%s is not %s", name,
		CH_VIEW_ARG(s), s.len < v->text.len ? "..." : "", wanted);
}

/* Unescaped strings are in the scratch arena: what the command keeps moves. */
struct ch_view
command_keep(struct reading *r, struct ch_view v)
{
	if (v.ptr >= r->value.ptr && v.ptr < r->value.ptr + r->value.len)
		return v;
	return ch_arena_view(r->reader->arena, v);
}

/* ---- objects ---- */

static const struct field *
find_field(const struct field_table *t, struct ch_view name)
{
	for (size_t i = 0; t != NULL && i < t->count; i++) {
		if (ch_view_eq_str(name, t->fields[i].name))
			return &t->fields[i];
	}
	return NULL;
}

/* "moves.amount" for a member of an inner object. */
static const char *
full_name(const struct object_form *form, const char *name, char *buf,
	size_t size)
{
	if (!form->inner)
		return name;
	(void)snprintf(buf, size, "%s.%s", form->what, name);
	return buf;
}

static bool
require_fields(struct reading *r, const struct ch_json *object,
	const struct object_form *form, const struct field_table *t)
{
	char buf[64];

	for (size_t i = 0; t != NULL && i < t->count; i++) {
		if (t->fields[i].required &&
			ch_json_get(object, t->fields[i].name) == NULL)
			return command_refuse(r, "invalid",
				"%s: the field is missing",
				full_name(form, t->fields[i].name, buf,
					sizeof(buf)));
	}
	return true;
}

static bool
refuse_unknown(struct reading *r, const struct object_form *form,
	struct ch_view name)
{
	struct ch_view s = command_shown(name);

	if (form->inner)
		return command_refuse(r, "invalid",
			"%s: unknown field \"%.*s\"", form->what,
			CH_VIEW_ARG(s));
	return command_refuse(r, "invalid", "unknown field \"%.*s\" of %s",
		CH_VIEW_ARG(s), form->what);
}

bool
command_read_object(struct reading *r, const struct ch_json *object,
	const struct object_form *form, void *base)
{
	char buf[64];

	for (const struct ch_json *v = object->child; v != NULL; v = v->next) {
		const struct field *f = find_field(form->common, v->name);

		if (f == NULL)
			f = find_field(form->own, v->name);
		if (f == NULL)
			return refuse_unknown(r, form, v->name);
		if (!f->read(r, full_name(form, f->name, buf, sizeof(buf)), v,
			    (char *)base + f->at))
			return false;
	}
	return require_fields(r, object, form, form->common) &&
		require_fields(r, object, form, form->own);
}

/* ---- values ---- */

bool
command_read_name(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct ch_view *text = out;

	if (v->type != CH_JSON_STRING ||
		!command_name_ok(v->str, LEDGER_NAME_MAX))
		return command_refuse_value(r, name, v,
			"a string of 1 to 128 bytes without control characters");
	*text = command_keep(r, v->str);
	return true;
}

/* A JSON number is refused by name: it is the usual mistake. */
bool
command_read_decimal(struct reading *r, const char *name,
	const struct ch_json *v, int *sign, int *digits)
{
	if (v->type == CH_JSON_NUMBER)
		return command_refuse_value(r, name, v,
			"a string: decimals are sent as strings, \"12.50\"");
	if (v->type != CH_JSON_STRING ||
		!ch_decimal_check(v->str, sign, digits))
		return command_refuse_value(r, name, v,
			"a decimal string such as \"12.50\" of at most 40 characters");
	return true;
}

/* A decimal of at least `least`: 1 for above zero, 0 for not below. */
static bool
read_at_least(struct reading *r, const char *name, const struct ch_json *v,
	int least, int *digits)
{
	int sign = 0;

	if (!command_read_decimal(r, name, v, &sign, digits))
		return false;
	if (sign < least)
		return command_refuse_value(r, name, v,
			least > 0 ? "above zero" : "zero or above");
	return true;
}

bool
command_read_amount(struct reading *r, const char *name,
	const struct ch_json *v, void *out)
{
	struct ch_view *text = out;
	int digits = 0;

	if (!read_at_least(r, name, v, 1, &digits))
		return false;
	*text = command_keep(r, v->str);
	return true;
}

bool
command_read_amount0(struct reading *r, const char *name,
	const struct ch_json *v, void *out)
{
	struct ch_view *text = out;
	int digits = 0;

	if (!read_at_least(r, name, v, 0, &digits))
		return false;
	*text = command_keep(r, v->str);
	return true;
}

static bool
read_units(struct reading *r, const char *name, const struct ch_json *v,
	int least, struct command_units *units)
{
	int digits = 0;

	if (!read_at_least(r, name, v, least, &digits))
		return false;
	units->text = command_keep(r, v->str);
	units->status = ch_amount_parse(units->text, COMMAND_UNITS_SCALE,
		&units->value);
	return true;
}

bool
command_read_units(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	return read_units(r, name, v, 1, out);
}

bool
command_read_units0(struct reading *r, const char *name,
	const struct ch_json *v, void *out)
{
	return read_units(r, name, v, 0, out);
}

static bool
read_whole(struct reading *r, const char *name, const struct ch_json *v,
	struct command_qty *out)
{
	int sign = 0;
	int digits = 0;

	if (!command_read_decimal(r, name, v, &sign, &digits))
		return false;
	if (digits > 0)
		return command_refuse_value(r, name, v, "a whole number");
	out->huge = ch_qty_parse(v->str, &out->qty) == CH_DECIMAL_OVERFLOW;
	if (out->huge)
		out->qty.units = sign < 0 ? INT64_MIN : INT64_MAX;
	return true;
}

bool
command_read_qty(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct command_qty *qty = out;
	int digits = 0;

	return read_at_least(r, name, v, 1, &digits) &&
		read_whole(r, name, v, qty);
}

bool
command_read_delta(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct command_qty *qty = out;

	if (!read_whole(r, name, v, qty))
		return false;
	if (qty->qty.units == 0)
		return command_refuse_value(r, name, v, "a change: it is zero");
	return true;
}

bool
command_read_deadline(struct reading *r, const char *name,
	const struct ch_json *v, void *out)
{
	struct command_deadline *deadline = out;

	if (v->type != CH_JSON_STRING || !ch_time_parse(v->str, &deadline->at))
		return command_refuse_value(r, name, v,
			"a time such as \"2026-11-21T09:30:00.000000Z\" (RFC 3339, UTC)");
	deadline->set = true;
	return true;
}

/* Digits, and a point between digits, no zero before another digit: as long as
 * a 160-bit price needs. */
static bool
is_price(struct ch_view v)
{
	size_t points = 0;

	if (v.len > 1 && v.ptr[0] == '0' && v.ptr[1] != '.')
		return false;
	for (size_t i = 0; i < v.len; i++) {
		bool inner = i > 0 && i + 1 < v.len;

		if (v.ptr[i] == '.' && inner && points == 0)
			points++;
		else if (v.ptr[i] < '0' || v.ptr[i] > '9')
			return false;
	}
	return v.len > 0 && v.len - points < LEDGER_PRICE_MAX;
}

struct ch_view
command_decimal_form(struct ch_view decimal)
{
	if (memchr(decimal.ptr, '.', decimal.len) == NULL)
		return decimal;
	while (decimal.ptr[decimal.len - 1] == '0')
		decimal.len--;
	if (decimal.ptr[decimal.len - 1] == '.')
		decimal.len--;
	return decimal;
}

bool
command_read_price(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct ch_view *text = out;

	if (v->type != CH_JSON_STRING || !is_price(v->str))
		return command_refuse_value(r, name, v,
			"a decimal string of 1 to 80 digits");
	*text = command_keep(r, v->str);
	return true;
}

bool
command_read_side(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct ch_view *text = out;

	if (v->type != CH_JSON_STRING ||
		(!ch_view_eq_str(v->str, "BUY") &&
			!ch_view_eq_str(v->str, "SELL")))
		return command_refuse_value(r, name, v, "BUY or SELL");
	*text = command_keep(r, v->str);
	return true;
}

bool
command_read_flag(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	bool *flag = out;

	if (v->type != CH_JSON_TRUE && v->type != CH_JSON_FALSE)
		return command_refuse_value(r, name, v, "true or false");
	*flag = v->type == CH_JSON_TRUE;
	return true;
}

bool
command_read_i64(const struct ch_json *v, int64_t min, int64_t max,
	int64_t *out)
{
	return v->type == CH_JSON_NUMBER &&
		ch_view_int(v->text, min, max, out) == 0;
}
