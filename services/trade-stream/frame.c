/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame: see frame.h.
 *
 * One function a field; each returns FRAME_OK or why it refuses, and the first
 * refusal ends the frame. Numbers are taken from their text, whether they came
 * as JSON numbers or in a string: no double is ever made of them.
 *
 * The EIP-55 checksum in a wallet's letter case is not verified: the venue's
 * own REST interface sends the same wallets in lower case.
 */
#include "frame.h"

#include <stdint.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/money.h"
#include "decimal.h"

#define NODES_MAX 512
#define SIZE_DIGITS 6
#define SECOND_US INT64_C(1000000)
#define MS_US INT64_C(1000)
/* A stamp before 2020 is no trade of this venue but a wrong unit. */
#define EPOCH_2020_S INT64_C(1577836800)
#define EPOCH_2100_S INT64_C(4102444800)
#define UINT256_MAX_TEXT                                                       \
	"115792089237316195423570985008687907853269984665640564039457584007913129639935"

static const char *const source_names[TRADE_SOURCES] = {
	[TRADE_TRADES] = "trades",
	[TRADE_ORDERS_MATCHED] = "orders_matched",
};

static const char *const kind_names[FRAME_KINDS] = {
	[FRAME_TRADE] = "trade",
	[FRAME_KEEPALIVE] = "keepalive",
	[FRAME_NOTICE] = "notice",
	[FRAME_IGNORED] = "ignored",
	[FRAME_REFUSED] = "refused",
};

static const char *const reason_names[FRAME_REASONS] = {
	[FRAME_OK] = "ok",
	[FRAME_TOO_LARGE] = "too_large",
	[FRAME_NOT_JSON] = "not_json",
	[FRAME_NOT_OBJECT] = "not_object",
	[FRAME_NO_PAYLOAD] = "no_payload",
	[FRAME_BAD_SENT_TIME] = "bad_sent_time",
	[FRAME_BAD_WALLET] = "bad_wallet",
	[FRAME_BAD_CONDITION] = "bad_condition",
	[FRAME_BAD_TX] = "bad_tx",
	[FRAME_BAD_ASSET] = "bad_asset",
	[FRAME_BAD_SIDE] = "bad_side",
	[FRAME_BAD_PRICE] = "bad_price",
	[FRAME_BAD_SIZE] = "bad_size",
	[FRAME_BAD_TRADE_TIME] = "bad_trade_time",
	[FRAME_BAD_OUTCOME] = "bad_outcome",
	[FRAME_BAD_TEXT] = "bad_text",
};

const char *
trade_source_name(enum trade_source source)
{
	return source_names[source];
}

const char *
trade_side_name(enum trade_side side)
{
	return side == TRADE_BUY ? "BUY" : "SELL";
}

const char *
frame_kind_name(enum frame_kind kind)
{
	return kind_names[kind];
}

const char *
frame_reason_name(enum frame_reason reason)
{
	return reason_names[reason];
}

/* "0x" and 2*n hex digits of either case, as bytes and in lower case. */
static bool
read_hex(const struct ch_json *payload, const char *name, uint8_t *bytes,
	size_t n, char *text)
{
	struct ch_view v;

	if (!ch_json_str(payload, name, &v) || v.len != 2 + 2 * n ||
		v.ptr[0] != '0' || v.ptr[1] != 'x')
		return false;
	v.ptr += 2;
	v.len -= 2;
	if (!ch_hex_decode(v, bytes, n))
		return false;
	text[0] = '0';
	text[1] = 'x';
	ch_hex_encode(bytes, n, text + 2);
	return true;
}

static enum frame_reason
read_hashes(const struct ch_json *payload, struct trade *t)
{
	uint8_t hash[32];

	if (!read_hex(payload, "proxyWallet", t->wallet_key, WALLET_LEN,
		    t->wallet))
		return FRAME_BAD_WALLET;
	if (!read_hex(payload, "conditionId", hash, sizeof(hash), t->condition))
		return FRAME_BAD_CONDITION;
	if (!read_hex(payload, "transactionHash", hash, sizeof(hash), t->tx))
		return FRAME_BAD_TX;
	return FRAME_OK;
}

/* A token id: digits of an integer in [1, 2^256). */
static enum frame_reason
read_asset(const struct ch_json *payload, struct trade *t)
{
	struct ch_view max = CH_VIEW(UINT256_MAX_TEXT);
	struct ch_view v;

	if (!ch_json_str(payload, "asset", &v) || v.len == 0 ||
		v.len > ASSET_DIGITS_MAX || v.ptr[0] == '0')
		return FRAME_BAD_ASSET;
	for (size_t i = 0; i < v.len; i++) {
		if (v.ptr[i] < '0' || v.ptr[i] > '9')
			return FRAME_BAD_ASSET;
	}
	if (v.len == ASSET_DIGITS_MAX && ch_view_cmp(v, max) > 0)
		return FRAME_BAD_ASSET;
	t->asset = v;
	return FRAME_OK;
}

static enum frame_reason
read_side(const struct ch_json *payload, struct trade *t)
{
	struct ch_view v;

	if (!ch_json_str(payload, "side", &v))
		return FRAME_BAD_SIDE;
	if (ch_view_eq_str(v, "BUY"))
		t->side = TRADE_BUY;
	else if (ch_view_eq_str(v, "SELL"))
		t->side = TRADE_SELL;
	else
		return FRAME_BAD_SIDE;
	return FRAME_OK;
}

/* The text of a number, sent as one or in a string. */
static bool
number_text(const struct ch_json *object, const char *name, struct ch_view *out)
{
	const struct ch_json *v = ch_json_get(object, name);

	if (v == NULL)
		return false;
	if (v->type == CH_JSON_NUMBER)
		*out = v->text;
	else if (v->type == CH_JSON_STRING)
		*out = v->str;
	else
		return false;
	return true;
}

static enum frame_reason
read_price(const struct ch_json *payload, struct trade *t)
{
	struct ch_view v;

	if (!number_text(payload, "price", &v) || !decimal_plain(v, t->price) ||
		!decimal_shortest(v, t->price_key) ||
		!decimal_is_up_to_one(t->price_key))
		return FRAME_BAD_PRICE;
	return FRAME_OK;
}

/* The venue counts millionths of a share in an unsigned integer; what does
 * not fit our int64 of them is no size. */
static enum frame_reason
read_size(const struct ch_json *payload, struct trade *t)
{
	struct ch_view v;
	int64_t millionths;

	if (!number_text(payload, "size", &v) || !decimal_plain(v, t->size) ||
		!decimal_shortest(v, t->size_key) ||
		ch_decimal_scaled(v, SIZE_DIGITS, &millionths) !=
			CH_DECIMAL_OK ||
		millionths <= 0)
		return FRAME_BAD_SIZE;
	return FRAME_OK;
}

/* An integer in a number or a string, in [min, max], digits only. */
static bool
read_integer(const struct ch_json *object, const char *name, int64_t min,
	int64_t max, int64_t *out)
{
	struct ch_view v;

	return number_text(object, name, &v) && v.len > 0 && v.ptr[0] != '-' &&
		ch_view_int(v, min, max, out) == 0;
}

static enum frame_reason
read_trade_time(const struct ch_json *payload, struct ch_time now,
	struct trade *t)
{
	int64_t latest = now.us / SECOND_US + FRAME_FUTURE_S;
	int64_t seconds;

	if (!read_integer(payload, "timestamp", EPOCH_2020_S, latest, &seconds))
		return FRAME_BAD_TRADE_TIME;
	t->traded_at.us = seconds * SECOND_US;
	return FRAME_OK;
}

/* Cuts at the last whole character within max bytes. */
static struct ch_view
cut_text(struct ch_view v, size_t max, bool *cut)
{
	size_t at = 0;
	size_t n;

	if (v.len <= max)
		return v;
	*cut = true;
	while ((n = ch_utf8_next(v.ptr + at, v.len - at)) > 0 && at + n <= max)
		at += n;
	return (struct ch_view){v.ptr, at};
}

/* An absent or null text is "": no orders_matched frame was ever recorded,
 * so which of these it carries is not known. */
static bool
read_text(const struct ch_json *payload, const char *name, size_t max,
	struct ch_view *out, bool *cut)
{
	const struct ch_json *v = ch_json_get(payload, name);

	*out = (struct ch_view){"", 0};
	if (v == NULL || v->type == CH_JSON_NULL)
		return true;
	if (v->type != CH_JSON_STRING)
		return false;
	*out = cut_text(v->str, max, cut);
	return true;
}

static enum frame_reason
read_texts(const struct ch_json *payload, struct frame *f)
{
	struct trade *t = &f->trade;
	const struct ch_json *index = ch_json_get(payload, "outcomeIndex");
	int64_t i = OUTCOME_INDEX_NONE;

	if (!read_text(payload, "outcome", FRAME_OUTCOME_MAX, &t->outcome,
		    &f->cut))
		return FRAME_BAD_OUTCOME;
	if (index != NULL && index->type != CH_JSON_NULL &&
		!read_integer(payload, "outcomeIndex", 0, OUTCOME_INDEX_NONE,
			&i))
		return FRAME_BAD_OUTCOME;
	t->outcome_index = (int)i;
	if (!read_text(payload, "title", FRAME_TITLE_MAX, &t->title, &f->cut) ||
		!read_text(payload, "slug", FRAME_SLUG_MAX, &t->slug, &f->cut))
		return FRAME_BAD_TEXT;
	return FRAME_OK;
}

static enum frame_reason
read_payload(const struct ch_json *payload, struct ch_time now, struct frame *f)
{
	struct trade *t = &f->trade;
	enum frame_reason r;

	if ((r = read_hashes(payload, t)) != FRAME_OK ||
		(r = read_asset(payload, t)) != FRAME_OK ||
		(r = read_side(payload, t)) != FRAME_OK ||
		(r = read_price(payload, t)) != FRAME_OK ||
		(r = read_size(payload, t)) != FRAME_OK ||
		(r = read_trade_time(payload, now, t)) != FRAME_OK)
		return r;
	return read_texts(payload, f);
}

static enum frame_reason
read_envelope(const struct ch_json *root, struct ch_time now, struct frame *f)
{
	const struct ch_json *payload = ch_json_get(root, "payload");
	int64_t ms;

	if (payload == NULL || payload->type != CH_JSON_OBJECT)
		return FRAME_NO_PAYLOAD;
	if (!read_integer(root, "timestamp", EPOCH_2020_S * 1000,
		    EPOCH_2100_S * 1000, &ms))
		return FRAME_BAD_SENT_TIME;
	f->trade.sent_at.us = ms * MS_US;
	return read_payload(payload, now, f);
}

/* Which of our two subscriptions the envelope names; TRADE_SOURCES: none. */
static enum trade_source
envelope_source(const struct ch_json *root)
{
	struct ch_view topic;
	struct ch_view type;

	if (!ch_json_str(root, "topic", &topic) ||
		!ch_view_eq_str(topic, "activity") ||
		!ch_json_str(root, "type", &type))
		return TRADE_SOURCES;
	for (int s = 0; s < TRADE_SOURCES; s++) {
		if (ch_view_eq_str(type, source_names[s]))
			return (enum trade_source)s;
	}
	return TRADE_SOURCES;
}

static bool
is_keepalive(struct ch_view text)
{
	struct ch_view v = ch_view_trim(text);

	return v.len == 0 || ch_view_eq_str(v, "PONG") ||
		ch_view_eq_str(v, "PING");
}

static enum frame_kind
refuse(struct frame *f, enum frame_reason reason)
{
	f->reason = reason;
	f->kind = reason == FRAME_OK ? FRAME_TRADE : FRAME_REFUSED;
	return f->kind;
}

enum frame_kind
frame_decode(struct ch_arena *arena, struct ch_view text, struct ch_time now,
	struct frame *out)
{
	const struct ch_json *root;

	*out = (struct frame){.kind = FRAME_IGNORED};
	if (text.len > FRAME_MAX)
		return refuse(out, FRAME_TOO_LARGE);
	if (is_keepalive(text))
		return out->kind = FRAME_KEEPALIVE;
	root = ch_json_parse(arena, text, NODES_MAX, NULL);
	if (root == NULL)
		return refuse(out, FRAME_NOT_JSON);
	if (root->type != CH_JSON_OBJECT)
		return refuse(out, FRAME_NOT_OBJECT);
	if (ch_json_get(root, "topic") == NULL)
		return out->kind = FRAME_NOTICE;
	out->trade.source = envelope_source(root);
	if (out->trade.source == TRADE_SOURCES)
		return out->kind;
	return refuse(out, read_envelope(root, now, out));
}
