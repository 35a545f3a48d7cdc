/* SPDX-License-Identifier: Apache-2.0 */
/*
 * change: see change.h.
 *
 * The books keep the image of each row that the command touched, as it was
 * before; here image and row are compared.
 */
#include "change.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/money.h"
#include "command.h"

#define PARTS_MAX ((size_t)3) /* of a name that is put together */
#define NAME_TEXT_MAX (PARTS_MAX * (LEDGER_NAME_MAX + 1))

/* One touched row. */
struct changed {
	struct ch_buf *out;
	const char *kind;
	struct ch_view name;
	bool made; /* there was no such row */
};

static const struct ch_view none = {"none", 4};

static void
put(struct changed *x, const char *figure, struct ch_view before,
	struct ch_view after)
{
	struct ch_view was = x->made || before.len == 0 ? none : before;
	struct ch_view is = after.len == 0 ? none : after;
	struct ch_view words[] = {
		ch_view_of(x->kind), x->name, ch_view_of(figure), was, is};

	if (ch_view_eq(was, is))
		return;
	ch_json_add_comma(x->out);
	ch_buf_addc(x->out, '[');
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		ch_json_add_comma(x->out);
		ch_json_add_string(x->out, words[i]);
	}
	ch_buf_addc(x->out, ']');
}

static void
put_str(struct changed *x, const char *figure, const char *before,
	const char *after)
{
	put(x, figure, ch_view_of(before), ch_view_of(after));
}

static void
put_amount(struct changed *x, const char *figure, struct ch_amount before,
	struct ch_amount after, int scale)
{
	char was[CH_AMOUNT_TEXT_MAX];
	char is[CH_AMOUNT_TEXT_MAX];
	size_t was_len = ch_amount_format(before, scale, was);
	size_t is_len = ch_amount_format(after, scale, is);

	put(x, figure, (struct ch_view){was, was_len},
		(struct ch_view){is, is_len});
}

static void
put_count(struct changed *x, const char *figure, int64_t before, int64_t after)
{
	put_amount(x, figure, (struct ch_amount){before},
		(struct ch_amount){after}, 0);
}

/* ---- one function a kind ---- */

static void
change_asset(struct changed *x, const void *before, const void *after)
{
	const struct asset *was = before;
	const struct asset *is = after;

	put_count(x, "scale", was->scale, is->scale);
}

static bool
terms_changed(const struct account *was, const struct account *is)
{
	return was->closed != is->closed || was->has_floor != is->has_floor ||
		was->floor.minor != is->floor.minor;
}

static struct ch_view
floor_text(const struct account *a, int scale, char text[CH_AMOUNT_TEXT_MAX])
{
	if (!a->has_floor)
		return (struct ch_view){"", 0};
	return (struct ch_view){text, ch_amount_format(a->floor, scale, text)};
}

/* Of an account with shards: opened, the account; later, its first row. */
static void
change_account(struct changed *x, const void *before, const void *after)
{
	const struct account *was = before;
	const struct account *is = after;
	char was_text[CH_AMOUNT_TEXT_MAX];
	char is_text[CH_AMOUNT_TEXT_MAX];
	int scale = is->asset->scale;

	if (is->whole != NULL && (x->made || is->shard > 0))
		return;
	put_str(x, "state", was->closed ? "closed" : "open",
		is->closed ? "closed" : "open");
	put(x, "floor", floor_text(was, scale, was_text),
		floor_text(is, scale, is_text));
	if (is->shards > 0)
		put_count(x, "shards", was->shards, is->shards);
	else if (is->whole == NULL)
		put_amount(x, "held", was->held, is->held, scale);
}

static void
change_sku(struct changed *x, const void *before, const void *after)
{
	const struct sku *was = before;
	const struct sku *is = after;

	put_count(x, "on_hand", was->on_hand.units, is->on_hand.units);
	put_count(x, "reserved", was->reserved.units, is->reserved.units);
}

static void
change_hold(struct changed *x, const void *before, const void *after)
{
	const struct hold *was = before;
	const struct hold *is = after;

	put_str(x, "state", hold_state_name(was->state),
		hold_state_name(is->state));
}

static void
change_reservation(struct changed *x, const void *before, const void *after)
{
	const struct reservation *was = before;
	const struct reservation *is = after;

	put_str(x, "state", reservation_state_name(was->state),
		reservation_state_name(is->state));
}

/* Its row is the reversal; the transfer itself was there. */
static void
change_transfer(struct changed *x, const void *before, const void *after)
{
	(void)before;
	(void)after;
	x->made = false;
	put_str(x, "state", "posted", "reversed");
}

static void
change_order(struct changed *x, const void *before, const void *after)
{
	const struct order *was = before;
	const struct order *is = after;

	put_str(x, "state", order_state_name(was->state),
		order_state_name(is->state));
	put_amount(x, "filled", was->filled, is->filled, COMMAND_UNITS_SCALE);
}

/* The figures of a settlement, in the asset of who pays. */
static void
change_settlement(struct changed *x, const struct market *was,
	const struct market *is)
{
	int scale;

	if (is->payer == NULL)
		return;
	scale = is->payer->asset->scale;
	put_amount(x, "reserved", was->reserved, is->reserved, scale);
	put_amount(x, "paid", was->paid, is->paid, scale);
	put_amount(x, "unpaid", was->unpaid, is->unpaid, scale);
	put_count(x, "page", was->page, is->page);
	put_count(x, "holders", was->holders, is->holders);
	put_count(x, "unpaid_holders", was->unpaid_holders, is->unpaid_holders);
}

static void
change_market(struct changed *x, const void *before, const void *after)
{
	const struct market *was = before;
	const struct market *is = after;

	put_str(x, "state", market_state_name(was->state),
		market_state_name(is->state));
	put(x, "asset", was->asset, is->asset);
	put(x, "address", was->address, is->address);
	change_settlement(x, was, is);
}

static struct ch_view
value_text(bool known, struct ch_amount value, int scale,
	char text[CH_AMOUNT_TEXT_MAX])
{
	size_t len = ch_amount_format(value, scale, text);

	return (struct ch_view){text, known ? len : 0};
}

static void
change_position(struct changed *x, const void *before, const void *after)
{
	const struct position *was = before;
	const struct position *is = after;
	int scale = is->account->asset->scale;
	char text[2][CH_AMOUNT_TEXT_MAX];

	put_amount(x, "qty", was->qty, is->qty, COMMAND_UNITS_SCALE);
	put_amount(x, "lock", was->lock, is->lock, scale);
	put(x, "belief",
		value_text(was->has_belief, was->belief, COMMAND_UNITS_SCALE,
			text[0]),
		value_text(is->has_belief, is->belief, COMMAND_UNITS_SCALE,
			text[1]));
	put(x, "meta",
		value_text(was->has_belief, was->meta, COMMAND_UNITS_SCALE,
			text[0]),
		value_text(is->has_belief, is->meta, COMMAND_UNITS_SCALE,
			text[1]));
	put(x, "paid", value_text(was->is_paid, was->paid, scale, text[0]),
		value_text(is->is_paid, is->paid, scale, text[1]));
}

static void
change_trade(struct changed *x, const void *before, const void *after)
{
	const struct trade_row *was = before;
	const struct trade_row *is = after;

	put_str(x, "state", trade_state_name(was->state),
		trade_state_name(is->state));
}

/* follows: what such a row was before follows from command and answer. */
static const struct told_kind {
	const char *name; /* NULL: nobody asks for it */
	void (*write)(struct changed *x, const void *before, const void *after);
	bool follows;
} told_kinds[ROW_KINDS] = {
	[ROW_ASSET] = {"asset", change_asset, false},
	[ROW_ACCOUNT] = {"account", change_account, true},
	[ROW_SKU] = {"stock", change_sku, true},
	[ROW_HOLD] = {"hold", change_hold, true},
	[ROW_RESERVATION] = {"reservation", change_reservation, true},
	[ROW_TRANSFER] = {"transfer", change_transfer, false},
	[ROW_ORDER] = {"order", change_order, false},
	[ROW_MARKET] = {"market", change_market, false},
	[ROW_POSITION] = {"position", change_position, false},
	[ROW_TRADE] = {"trade", change_trade, false},
};

/* ---- the command ---- */

static bool
follows(const struct row *was, const struct row *is)
{
	if (is->kind == ROW_ACCOUNT)
		return row_is_there(was) &&
			!terms_changed((const void *)was, (const void *)is);
	return told_kinds[is->kind].name == NULL ||
		told_kinds[is->kind].follows;
}

static bool
all_follows(const struct books *b)
{
	for (size_t i = 0; i < books_touched_count(b); i++) {
		if (!follows(books_touched_before(b, i), books_touched(b, i)))
			return false;
	}
	return true;
}

/* As commands name it: <id>, or <id>/<index> of a group. */
static struct ch_view
transfer_text(const struct transfer *t, char text[NAME_TEXT_MAX])
{
	int len;

	ch_uuid_format(&t->id, text);
	if (t->member < 0)
		return ch_view_of(text);
	len = snprintf(text + strlen(text), NAME_TEXT_MAX - CH_UUID_TEXT_MAX,
		"/%d", t->member);
	assert(len > 0);
	return ch_view_of(text);
}

/* Names put together have NULs between their parts. */
static struct ch_view
joined_text(struct ch_view name, char text[NAME_TEXT_MAX])
{
	size_t len = name.len < NAME_TEXT_MAX ? name.len : NAME_TEXT_MAX;

	for (size_t i = 0; i < len; i++)
		text[i] = name.ptr[i] != '\0' ? name.ptr[i] : '/';
	return (struct ch_view){text, len};
}

static struct ch_view
name_text(const struct row *row, char text[NAME_TEXT_MAX])
{
	const struct account *a = (const void *)row;
	const struct transfer *t = (const void *)row;

	if (row->kind == ROW_ACCOUNT && a->whole != NULL)
		return a->whole->row.name;
	if (row->kind == ROW_TRANSFER)
		return transfer_text(t, text);
	if (row->kind == ROW_POSITION)
		return joined_text(row->name, text);
	return row->name;
}

static void
write_row(struct ch_buf *out, const struct row *was, const struct row *is)
{
	const struct told_kind *k = &told_kinds[is->kind];
	char text[NAME_TEXT_MAX];
	struct changed x = {
		out, k->name, name_text(is, text), !row_is_there(was)};

	k->write(&x, was, is);
}

void
change_write(struct ch_buf *out, const struct books *b, bool whole)
{
	if (whole && all_follows(b))
		return;
	ch_buf_addc(out, '[');
	for (size_t i = 0; i < books_touched_count(b); i++) {
		const struct row *is = books_touched(b, i);

		if (told_kinds[is->kind].name != NULL)
			write_row(out, books_touched_before(b, i), is);
	}
	ch_buf_addc(out, ']');
}
