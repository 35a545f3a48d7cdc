/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_trade: the fields of orders, trades, pools and settlements.
 */
#include "command_read.h"

#define UNITS_ONE INT64_C(100000000) /* 1 at COMMAND_UNITS_SCALE */
#define PAYOUT_MAX 1000000	     /* a unit's price, at most */

/* ---- orders ---- */

static const struct field order_place[] = {
	{"order", false, command_read_name, FIELD(order_place.name)},
	{"market", true, command_read_name, FIELD(order_place.market_name)},
	{"side", true, command_read_side, FIELD(order_place.side)},
	{"qty", true, command_read_units, FIELD(order_place.qty)},
	{"price", false, command_read_price, FIELD(order_place.price)},
};

static const struct field order_move[] = {
	{"order", true, command_read_name, FIELD(order_move.name)},
};

static const struct field order_fill[] = {
	{"order", true, command_read_name, FIELD(order_move.name)},
	{"fill", true, command_read_name, FIELD(order_move.fill_name)},
	{"qty", true, command_read_units, FIELD(order_move.qty)},
	{"price", false, command_read_price, FIELD(order_move.price)},
};

/* ---- trades ---- */

static const struct field skim[] = {
	{"amount", true, command_read_amount,
		offsetof(struct trade_record, skim)},
	{"to", true, command_read_name,
		offsetof(struct trade_record, skim_to_name)},
};
static const struct field_table skim_fields = FIELDS(skim);
static const struct object_form skim_form = {"skim", true, &skim_fields, NULL};

static bool
read_skim(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	if (v->type != CH_JSON_OBJECT)
		return command_refuse_value(r, name, v,
			"an object of amount, to");
	return command_read_object(r, v, &skim_form, out);
}

/* A fraction from 0 to 1. */
static bool
read_fraction(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct command_units *units = out;

	if (!command_read_units0(r, name, v, units))
		return false;
	if (units->status != CH_DECIMAL_OK || units->value.minor > UNITS_ONE)
		return command_refuse_value(r, name, v,
			"from 0 to 1 with at most 8 fraction digits");
	return true;
}

static const struct field belief[] = {
	{"belief", true, read_fraction, offsetof(struct trade_record, belief)},
	{"meta", true, read_fraction, offsetof(struct trade_record, meta)},
};
static const struct field_table belief_fields = FIELDS(belief);
static const struct object_form belief_form = {
	"belief", true, &belief_fields, NULL};

static bool
read_belief(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct trade_record *trade = out;

	if (v->type != CH_JSON_OBJECT)
		return command_refuse_value(r, name, v,
			"an object of belief, meta");
	trade->has_belief = true;
	return command_read_object(r, v, &belief_form, trade);
}

static const struct field trade_record[] = {
	{"account", true, command_read_name, FIELD(trade_record.account_name)},
	{"market", true, command_read_name, FIELD(trade_record.market_name)},
	{"outcome", true, command_read_name, FIELD(trade_record.outcome)},
	{"side", true, command_read_side, FIELD(trade_record.side)},
	{"tx", true, command_read_name, FIELD(trade_record.tx)},
	{"position", true, command_read_units0, FIELD(trade_record.position)},
	{"lock", true, command_read_amount0, FIELD(trade_record.lock)},
	{"qty", false, command_read_price, FIELD(trade_record.qty)},
	{"price", false, command_read_price, FIELD(trade_record.price)},
	{"skim", false, read_skim, FIELD(trade_record)},
	{"belief", false, read_belief, FIELD(trade_record)},
	{"settled", false, command_read_flag, FIELD(trade_record.settled)},
};

/* ---- pools, settlements ---- */

static const struct field pool_deploy[] = {
	{"market", true, command_read_name, FIELD(pool_deploy.market_name)},
	{"address", true, command_read_name, FIELD(pool_deploy.address)},
};

static bool
read_payout(struct reading *r, const struct ch_json *v, struct market_payout *p)
{
	struct command_units units;

	if (!command_name_ok(v->name, LEDGER_NAME_MAX))
		return command_refuse(r, "invalid",
			"payouts: an outcome is "
			"1 to 128 bytes without control characters");
	if (!command_read_units0(r, "payouts", v, &units))
		return false;
	if (units.status != CH_DECIMAL_OK ||
		units.value.minor > PAYOUT_MAX * UNITS_ONE)
		return command_refuse_value(r, "payouts", v,
			"from 0 to 1000000 with at most 8 fraction digits");
	p->outcome = command_keep(r, v->name);
	p->price = units.value;
	return true;
}

static bool
read_payouts(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct market_settle *settle = out;
	size_t i = 0;

	if (v->type != CH_JSON_OBJECT || v->count < 1 ||
		v->count > LEDGER_PAYOUTS_MAX)
		return command_refuse_value(r, name, v,
			"an object of 1 to 64 outcomes and their prices");
	settle->payouts_text = v->text;
	settle->payout_count = v->count;
	settle->payouts = ch_arena_calloc(r->reader->arena, v->count,
		sizeof(*settle->payouts));
	for (const struct ch_json *p = v->child; p != NULL; p = p->next, i++) {
		if (!read_payout(r, p, &settle->payouts[i]))
			return false;
	}
	return true;
}

static const struct field market_settle[] = {
	{"market", true, command_read_name, FIELD(market_settle.market_name)},
	{"from", true, command_read_name, FIELD(market_settle.from_name)},
	{"payouts", true, read_payouts, FIELD(market_settle)},
};

const struct field_table command_trade_fields[COMMAND_TYPES] = {
	[COMMAND_ORDER_PLACE] = FIELDS(order_place),
	[COMMAND_ORDER_ACCEPT] = FIELDS(order_move),
	[COMMAND_ORDER_FILL] = FIELDS(order_fill),
	[COMMAND_ORDER_CANCEL] = FIELDS(order_move),
	[COMMAND_ORDER_LOST] = FIELDS(order_move),
	[COMMAND_TRADE_RECORD] = FIELDS(trade_record),
	[COMMAND_POOL_DEPLOY] = FIELDS(pool_deploy),
	[COMMAND_MARKET_SETTLE] = FIELDS(market_settle),
};
