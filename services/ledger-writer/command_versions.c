/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_versions: expected_version: the rows that a command wants at a
 * certain version, each of which it must name itself.
 */
#include <string.h>

#include "command_read.h"

static bool
names_account(const struct command *c, struct ch_view name)
{
	const struct transfer_post *post = &c->as.transfer_post;

	switch ((unsigned)c->type) {
	case COMMAND_ACCOUNT_OPEN:
		return ch_view_eq(name, c->as.account_open.name);
	case COMMAND_ACCOUNT_LIMIT:
		return ch_view_eq(name, c->as.account_limit.name);
	case COMMAND_ACCOUNT_CLOSE:
		return ch_view_eq(name, c->as.account_close.name);
	case COMMAND_HOLD_PLACE:
		return ch_view_eq(name, c->as.hold_place.from_name);
	case COMMAND_HOLD_CAPTURE:
		return ch_view_eq(name, c->as.hold_end.to_name);
	case COMMAND_TRADE_RECORD:
		return ch_view_eq(name, c->as.trade_record.account_name) ||
			ch_view_eq(name, c->as.trade_record.skim_to_name);
	case COMMAND_MARKET_SETTLE:
		return ch_view_eq(name, c->as.market_settle.from_name);
	case COMMAND_TRANSFER_POST:
		break;
	default:
		return false;
	}
	for (size_t i = 0; i < post->count; i++) {
		if (ch_view_eq(name, post->moves[i].from_name) ||
			ch_view_eq(name, post->moves[i].to_name))
			return true;
	}
	return false;
}

static bool
names_sku(const struct command *c, struct ch_view name)
{
	switch ((unsigned)c->type) {
	case COMMAND_STOCK_RECEIVE:
		return ch_view_eq(name, c->as.stock_receive.sku_name);
	case COMMAND_STOCK_ADJUST:
		return ch_view_eq(name, c->as.stock_adjust.sku_name);
	case COMMAND_STOCK_RESERVE:
		return ch_view_eq(name, c->as.stock_reserve.sku_name);
	default:
		return false;
	}
}

static bool
names_hold(const struct command *c, struct ch_view name)
{
	switch ((unsigned)c->type) {
	case COMMAND_HOLD_PLACE:
		return ch_view_eq(name, c->as.hold_place.name);
	case COMMAND_HOLD_CAPTURE:
	case COMMAND_HOLD_VOID:
		return ch_view_eq(name, c->as.hold_end.name);
	default:
		return false;
	}
}

static bool
names_reservation(const struct command *c, struct ch_view name)
{
	switch ((unsigned)c->type) {
	case COMMAND_STOCK_RESERVE:
		return ch_view_eq(name, c->as.stock_reserve.name);
	case COMMAND_RESERVATION_COMMIT:
	case COMMAND_RESERVATION_RELEASE:
		return ch_view_eq(name, c->as.reservation_end.name);
	default:
		return false;
	}
}

static bool
names_order(const struct command *c, struct ch_view name)
{
	switch ((unsigned)c->type) {
	case COMMAND_ORDER_PLACE:
		return ch_view_eq(name, c->as.order_place.name);
	case COMMAND_ORDER_ACCEPT:
	case COMMAND_ORDER_FILL:
	case COMMAND_ORDER_CANCEL:
	case COMMAND_ORDER_LOST:
		return ch_view_eq(name, c->as.order_move.name);
	default:
		return false;
	}
}

static bool
names_market(const struct command *c, struct ch_view name)
{
	switch ((unsigned)c->type) {
	case COMMAND_TRADE_RECORD:
		return ch_view_eq(name, c->as.trade_record.market_name);
	case COMMAND_POOL_DEPLOY:
		return ch_view_eq(name, c->as.pool_deploy.market_name);
	case COMMAND_MARKET_SETTLE:
		return ch_view_eq(name, c->as.market_settle.market_name);
	default:
		return false;
	}
}

/* Takes a part, and then the slash behind it, off the front. */
static bool
take_part(struct ch_view *rest, struct ch_view part, bool last)
{
	if (!ch_view_starts(*rest, part))
		return false;
	rest->ptr += part.len;
	rest->len -= part.len;
	if (last)
		return rest->len == 0;
	if (rest->len == 0 || rest->ptr[0] != '/')
		return false;
	rest->ptr++;
	rest->len--;
	return true;
}

static bool
names_position(const struct command *c, struct ch_view name)
{
	const struct trade_record *t = &c->as.trade_record;

	return c->type == COMMAND_TRADE_RECORD &&
		take_part(&name, t->account_name, false) &&
		take_part(&name, t->market_name, false) &&
		take_part(&name, t->outcome, true);
}

static const struct {
	const char *name;
	bool (*named)(const struct command *c, struct ch_view name);
} version_kinds[] = {
	[VERSION_ACCOUNT] = {"account", names_account},
	[VERSION_SKU] = {"sku", names_sku},
	[VERSION_HOLD] = {"hold", names_hold},
	[VERSION_RESERVATION] = {"reservation", names_reservation},
	[VERSION_ORDER] = {"order", names_order},
	[VERSION_MARKET] = {"market", names_market},
	[VERSION_POSITION] = {"position", names_position},
};
#define VERSION_KINDS (sizeof(version_kinds) / sizeof(version_kinds[0]))

static bool
read_wish(struct reading *r, unsigned kind, const struct ch_json *v)
{
	struct version_wish *w = &r->c->wishes[r->c->wish_count];

	if (!version_kinds[kind].named(r->c, v->name))
		return command_refuse(r, "invalid",
			"expected_version.%s: \"%.*s\" is not named by this command",
			version_kinds[kind].name,
			CH_VIEW_ARG(command_shown(v->name)));
	if (!command_read_i64(v, 0, INT64_MAX, &w->version))
		return command_refuse_value(r, "expected_version", v,
			"an integer, 0 or above");
	w->kind = (enum version_kind)kind;
	w->name = command_keep(r, v->name);
	r->c->wish_count++;
	return true;
}

static bool
read_wishes_of(struct reading *r, const struct ch_json *rows)
{
	unsigned kind = 0;

	while (kind < VERSION_KINDS &&
		!ch_view_eq_str(rows->name, version_kinds[kind].name))
		kind++;
	if (kind == VERSION_KINDS || rows->type != CH_JSON_OBJECT)
		return command_refuse(r, "invalid",
			"expected_version: \"%.*s\" is not an object called account, "
			"sku, hold, reservation, order, market or position",
			CH_VIEW_ARG(command_shown(rows->name)));
	for (const struct ch_json *v = rows->child; v != NULL; v = v->next) {
		if (!read_wish(r, kind, v))
			return false;
	}
	return true;
}

bool
command_read_versions(struct reading *r)
{
	size_t count = 0;

	if (r->expected_version == NULL)
		return true;
	for (const struct ch_json *k = r->expected_version->child; k != NULL;
		k = k->next)
		count += k->count;
	r->c->wishes =
		ch_arena_calloc(r->reader->arena, count, sizeof(*r->c->wishes));
	for (const struct ch_json *k = r->expected_version->child; k != NULL;
		k = k->next) {
		if (!read_wishes_of(r, k))
			return false;
	}
	return true;
}
