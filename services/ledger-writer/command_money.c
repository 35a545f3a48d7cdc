/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_money: the fields of assets, accounts, transfers and holds.
 */
#include <stdio.h>

#include "command_read.h"

/* ---- assets, accounts ---- */

static bool
read_scale(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	int64_t scale;

	if (!command_read_i64(v, 0, CH_SCALE_MAX, &scale))
		return command_refuse_value(r, name, v,
			"an integer from 0 to 8");
	*(int *)out = (int)scale;
	return true;
}

static bool
read_shards(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	int64_t shards;

	if (!command_read_i64(v, 1, LEDGER_SHARDS_MAX, &shards))
		return command_refuse_value(r, name, v,
			"an integer from 1 to 256");
	*(int *)out = (int)shards;
	return true;
}

/* Decimal text or null. */
static bool
read_floor(struct reading *r, const char *name, const struct ch_json *v,
	bool *has_floor, struct ch_view *floor)
{
	int sign = 0;
	int digits = 0;

	*has_floor = v->type != CH_JSON_NULL;
	if (!*has_floor)
		return true;
	if (!command_read_decimal(r, name, v, &sign, &digits))
		return false;
	*floor = command_keep(r, v->str);
	return true;
}

static bool
read_first_floor(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct account_open *open = out;
	int sign = 0;
	int digits = 0;

	if (!read_floor(r, name, v, &open->has_floor, &open->floor))
		return false;
	if (open->has_floor && ch_decimal_check(open->floor, &sign, &digits) &&
		sign > 0)
		return command_refuse_value(r, name, v,
			"zero or below (credit): a new account holds nothing");
	return true;
}

static bool
read_new_floor(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct account_limit *limit = out;

	return read_floor(r, name, v, &limit->has_floor, &limit->floor);
}

static const struct field asset_define[] = {
	{"asset", true, command_read_name, FIELD(asset_define.name)},
	{"scale", true, read_scale, FIELD(asset_define.scale)},
};

static const struct field account_open[] = {
	{"account", true, command_read_name, FIELD(account_open.name)},
	{"asset", true, command_read_name, FIELD(account_open.asset_name)},
	{"floor", false, read_first_floor, FIELD(account_open)},
	{"shards", false, read_shards, FIELD(account_open.shards)},
};

static const struct field account_limit[] = {
	{"account", true, command_read_name, FIELD(account_limit.name)},
	{"floor", true, read_new_floor, FIELD(account_limit)},
};

static const struct field account_close[] = {
	{"account", true, command_read_name, FIELD(account_close.name)},
};

/* ---- transfers ---- */

static const struct field move[] = {
	{"from", true, command_read_name,
		offsetof(struct command_move, from_name)},
	{"to", true, command_read_name, offsetof(struct command_move, to_name)},
	{"amount", true, command_read_amount,
		offsetof(struct command_move, amount)},
};
static const struct field_table move_fields = FIELDS(move);

static bool
read_move(struct reading *r, const struct ch_json *v, size_t index,
	struct command_move *m)
{
	char what[32];
	struct object_form form = {what, true, &move_fields, NULL};

	(void)snprintf(what, sizeof(what), "moves[%zu]", index);
	if (v->type != CH_JSON_OBJECT)
		return command_refuse_value(r, what, v,
			"an object of from, to, amount");
	return command_read_object(r, v, &form, m);
}

static bool
read_moves(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct transfer_post *post = out;
	size_t i = 0;

	if (v->type != CH_JSON_ARRAY || v->count < 1 ||
		v->count > LEDGER_MOVES_MAX)
		return command_refuse_value(r, name, v,
			"an array of 1 to 32 moves");
	post->count = v->count;
	post->moves = ch_arena_calloc(r->reader->arena, v->count,
		sizeof(*post->moves));
	for (const struct ch_json *m = v->child; m != NULL; m = m->next, i++) {
		if (!read_move(r, m, i, &post->moves[i]))
			return false;
	}
	return true;
}

static bool
read_transfer(struct reading *r, const char *name, const struct ch_json *v,
	void *out)
{
	struct transfer_reverse *reverse = out;

	if (v->type != CH_JSON_STRING ||
		!command_member_name(v->str, &reverse->id, &reverse->member))
		return command_refuse_value(r, name, v,
			"the id of a transfer, or <id>/<index> of a group's member");
	reverse->name = command_keep(r, v->str);
	return true;
}

static const struct field transfer_post[] = {
	{"moves", true, read_moves, FIELD(transfer_post)},
};

static const struct field transfer_reverse[] = {
	{"transfer", true, read_transfer, FIELD(transfer_reverse)},
};

/* ---- holds ---- */

static const struct field hold_place[] = {
	{"from", true, command_read_name, FIELD(hold_place.from_name)},
	{"amount", true, command_read_amount, FIELD(hold_place.amount)},
	{"expires_at", false, command_read_deadline,
		FIELD(hold_place.deadline)},
	{"hold", false, command_read_name, FIELD(hold_place.name)},
};

static const struct field hold_capture[] = {
	{"hold", true, command_read_name, FIELD(hold_end.name)},
	{"to", true, command_read_name, FIELD(hold_end.to_name)},
	{"amount", false, command_read_amount, FIELD(hold_end.amount)},
};

static const struct field hold_void[] = {
	{"hold", true, command_read_name, FIELD(hold_end.name)},
};

const struct field_table command_money_fields[COMMAND_TYPES] = {
	[COMMAND_ASSET_DEFINE] = FIELDS(asset_define),
	[COMMAND_ACCOUNT_OPEN] = FIELDS(account_open),
	[COMMAND_ACCOUNT_LIMIT] = FIELDS(account_limit),
	[COMMAND_ACCOUNT_CLOSE] = FIELDS(account_close),
	[COMMAND_TRANSFER_POST] = FIELDS(transfer_post),
	[COMMAND_TRANSFER_REVERSE] = FIELDS(transfer_reverse),
	[COMMAND_HOLD_PLACE] = FIELDS(hold_place),
	[COMMAND_HOLD_CAPTURE] = FIELDS(hold_capture),
	[COMMAND_HOLD_VOID] = FIELDS(hold_void),
};
