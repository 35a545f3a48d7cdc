/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trade: every stored field is checked here, so that the database never has to
 * refuse one.
 */
#include "trade.h"

#include "base/hex.h"
#include "base/json.h"
#include "base/money.h"

#define NODES_MAX 256
#define TEXT_MAX 256 /* bytes of outcome */
#define ASSET_DIGITS_MAX 78
#define DECIMAL_TEXT_MAX 40

static bool
refuse(struct ch_err *err, const char *field, const char *want)
{
	ch_err_set(err, CH_EINVAL, "%s: %s", field, want);
	return false;
}

/* "0x" and n lower-case hexadecimal digits. */
static bool
is_hex(struct ch_view v, size_t digits)
{
	if (v.len != digits + 2 || v.ptr[0] != '0' || v.ptr[1] != 'x')
		return false;
	for (size_t i = 2; i < v.len; i++) {
		char c = v.ptr[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

static bool
is_digits(struct ch_view v, size_t most)
{
	if (v.len == 0 || v.len > most)
		return false;
	for (size_t i = 0; i < v.len; i++)
		if (v.ptr[i] < '0' || v.ptr[i] > '9')
			return false;
	return true;
}

/* Decimal text as feeds write it, exponents included; not negative. */
static bool
is_decimal(struct ch_view v)
{
	int64_t unused;
	if (v.len == 0 || v.len > DECIMAL_TEXT_MAX || v.ptr[0] == '-')
		return false;
	return ch_decimal_scaled(v, CH_SCALE_MAX, &unused) !=
		CH_DECIMAL_MALFORMED;
}

static bool
is_source(struct ch_view v)
{
	return ch_view_eq_str(v, "trades") ||
		ch_view_eq_str(v, "orders_matched") ||
		ch_view_eq_str(v, "backfill");
}

static bool
read_ids(const struct ch_json *o, struct trade *t, struct ch_err *err)
{
	struct ch_view id, at;
	if (!ch_json_str(o, "trade_id", &id) || id.len != 64 ||
		!ch_hex_decode(id, t->trade_id, sizeof(t->trade_id)))
		return refuse(err, "trade_id", "64 hexadecimal digits");
	if (!ch_json_str(o, "condition_id", &t->condition_id) ||
		!is_hex(t->condition_id, 64))
		return refuse(err, "condition_id",
			"0x and 64 lower-case "
			"hexadecimal digits");
	if (!ch_json_str(o, "tx_hash", &t->tx_hash) || !is_hex(t->tx_hash, 64))
		return refuse(err, "tx_hash",
			"0x and 64 lower-case "
			"hexadecimal digits");
	if (!ch_json_str(o, "wallet", &t->wallet) || !is_hex(t->wallet, 40))
		return refuse(err, "wallet",
			"0x and 40 lower-case "
			"hexadecimal digits");
	if (!ch_json_str(o, "asset", &t->asset) ||
		!is_digits(t->asset, ASSET_DIGITS_MAX))
		return refuse(err, "asset", "1 to 78 decimal digits");
	if (!ch_json_str(o, "traded_at", &at) ||
		!ch_time_parse(at, &t->traded_at))
		return refuse(err, "traded_at", "RFC 3339 in UTC");
	return true;
}

static bool
read_terms(const struct ch_json *o, struct trade *t, struct ch_err *err)
{
	const struct ch_json *outcome = ch_json_get(o, "outcome");
	if (!ch_json_str(o, "side", &t->side) ||
		!(ch_view_eq_str(t->side, "BUY") ||
			ch_view_eq_str(t->side, "SELL")))
		return refuse(err, "side", "BUY or SELL");
	if (!ch_json_str(o, "price", &t->price) || !is_decimal(t->price))
		return refuse(err, "price", "decimal text, not negative");
	if (!ch_json_str(o, "size", &t->size) || !is_decimal(t->size))
		return refuse(err, "size", "decimal text, not negative");
	if (!ch_json_str(o, "source", &t->source) || !is_source(t->source))
		return refuse(err, "source",
			"trades, orders_matched or backfill");
	t->outcome = CH_VIEW("");
	if (outcome == NULL || outcome->type == CH_JSON_NULL)
		return true;
	if (outcome->type != CH_JSON_STRING || outcome->str.len > TEXT_MAX)
		return refuse(err, "outcome", "text of at most 256 bytes");
	t->outcome = outcome->str;
	return true;
}

bool
trade_decode(struct ch_arena *arena, struct ch_view value, struct trade *out,
	struct ch_err *err)
{
	if (value.ptr == NULL)
		return refuse(err, "value", "a JSON object, not a tombstone");
	const struct ch_json *o = ch_json_parse(arena, value, NODES_MAX, err);
	if (o == NULL)
		return false;
	if (o->type != CH_JSON_OBJECT)
		return refuse(err, "value", "a JSON object");
	return read_ids(o, out, err) && read_terms(o, out, err);
}
