/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_stock: the fields of stock and reservations.
 */
#include "command_read.h"

static bool
read_committed_qty(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct reservation_end *end = out;

	end->has_qty = true;
	return command_read_qty(r, name, v, &end->qty);
}

static const struct field stock_receive[] = {
	{"sku", true, command_read_name, FIELD(stock_receive.sku_name)},
	{"qty", true, command_read_qty, FIELD(stock_receive.qty)},
};

static const struct field stock_adjust[] = {
	{"sku", true, command_read_name, FIELD(stock_adjust.sku_name)},
	{"delta", true, command_read_delta, FIELD(stock_adjust.delta)},
};

static const struct field stock_reserve[] = {
	{"sku", true, command_read_name, FIELD(stock_reserve.sku_name)},
	{"qty", true, command_read_qty, FIELD(stock_reserve.qty)},
	{"expires_at", false, command_read_deadline,
		FIELD(stock_reserve.deadline)},
	{"reservation", false, command_read_name, FIELD(stock_reserve.name)},
};

static const struct field reservation_commit[] = {
	{"reservation", true, command_read_name, FIELD(reservation_end.name)},
	{"qty", false, read_committed_qty, FIELD(reservation_end)},
};

static const struct field reservation_release[] = {
	{"reservation", true, command_read_name, FIELD(reservation_end.name)},
};

const struct field_table command_stock_fields[COMMAND_TYPES] = {
	[COMMAND_STOCK_RECEIVE] = FIELDS(stock_receive),
	[COMMAND_STOCK_ADJUST] = FIELDS(stock_adjust),
	[COMMAND_STOCK_RESERVE] = FIELDS(stock_reserve),
	[COMMAND_RESERVATION_COMMIT] = FIELDS(reservation_commit),
	[COMMAND_RESERVATION_RELEASE] = FIELDS(reservation_release),
};
