/* SPDX-License-Identifier: Apache-2.0 */
/*
 * books_resolve: the rows that a command names, of every type, and those of the
 * members of a group.
 */
#include "books.h"

static void *
wished_row(struct books *b, struct command *c, const struct version_wish *w)
{
	switch (w->kind) {
	case VERSION_ACCOUNT:
		return books_account(b, c->org, w->name);
	case VERSION_SKU:
		return books_sku(b, c->org, w->name);
	case VERSION_HOLD:
		return books_hold(b, c->org, w->name);
	case VERSION_RESERVATION:
		return books_reservation(b, c->org, w->name);
	case VERSION_ORDER:
		return books_order(b, c->org, w->name);
	case VERSION_MARKET:
		return books_market(b, c->org, w->name);
	case VERSION_POSITION:
		break; /* the only one that a command can name */
	}
	return c->as.trade_record.row;
}

void
books_moves(struct books *b, struct org *org, struct transfer_post *post)
{
	for (size_t i = 0; i < post->count; i++) {
		struct command_move *m = &post->moves[i];

		m->from = books_account(b, org, m->from_name);
		m->to = books_account(b, org, m->to_name);
	}
}

static void
resolve_trade(struct books *b, struct org *org, struct trade_record *t)
{
	t->account = books_account(b, org, t->account_name);
	t->market = books_market(b, org, t->market_name);
	t->row = books_position(b, t->account, t->market, t->outcome);
	t->trade = books_trade(b, org, t->tx);
	if (t->skim.ptr == NULL)
		return;
	t->skim_to = books_account(b, org, t->skim_to_name);
	t->account->wants_locks = true;
}

static void
resolve_settle(struct books *b, struct org *org, struct market_settle *s)
{
	s->market = books_market(b, org, s->market_name);
	s->from = books_account(b, org, s->from_name);
	s->market->wants_change = true;
	s->next = s->market->settles;
	s->market->settles = s;
}

static void
resolve_money(struct books *b, struct command *c)
{
	switch ((unsigned)c->type) {
	case COMMAND_ASSET_DEFINE:
		c->as.asset_define.asset =
			books_asset(b, c->org, c->as.asset_define.name);
		break;
	case COMMAND_ACCOUNT_OPEN:
		c->as.account_open.account =
			books_account(b, c->org, c->as.account_open.name);
		c->as.account_open.asset =
			books_asset(b, c->org, c->as.account_open.asset_name);
		break;
	case COMMAND_ACCOUNT_LIMIT:
		c->as.account_limit.account =
			books_account(b, c->org, c->as.account_limit.name);
		break;
	case COMMAND_ACCOUNT_CLOSE:
		c->as.account_close.account =
			books_account(b, c->org, c->as.account_close.name);
		c->as.account_close.account->all_shards = true;
		break;
	case COMMAND_TRANSFER_POST:
		books_moves(b, c->org, &c->as.transfer_post);
		break;
	case COMMAND_TRANSFER_REVERSE:
		c->as.transfer_reverse.transfer =
			books_transfer(b, c->org, &c->as.transfer_reverse.id,
				c->as.transfer_reverse.member);
		break;
	case COMMAND_HOLD_PLACE:
		c->as.hold_place.from =
			books_account(b, c->org, c->as.hold_place.from_name);
		c->as.hold_place.hold =
			books_hold(b, c->org, c->as.hold_place.name);
		break;
	case COMMAND_HOLD_CAPTURE:
	case COMMAND_HOLD_VOID:
		if (c->type == COMMAND_HOLD_CAPTURE)
			c->as.hold_end.to = books_account(b, c->org,
				c->as.hold_end.to_name);
		c->as.hold_end.hold =
			books_hold(b, c->org, c->as.hold_end.name);
		break;
	default:
		break;
	}
}

static void
resolve_stock(struct books *b, struct command *c)
{
	switch ((unsigned)c->type) {
	case COMMAND_STOCK_RECEIVE:
		c->as.stock_receive.sku =
			books_sku(b, c->org, c->as.stock_receive.sku_name);
		break;
	case COMMAND_STOCK_ADJUST:
		c->as.stock_adjust.sku =
			books_sku(b, c->org, c->as.stock_adjust.sku_name);
		break;
	case COMMAND_STOCK_RESERVE:
		c->as.stock_reserve.sku =
			books_sku(b, c->org, c->as.stock_reserve.sku_name);
		c->as.stock_reserve.reservation =
			books_reservation(b, c->org, c->as.stock_reserve.name);
		break;
	case COMMAND_RESERVATION_COMMIT:
	case COMMAND_RESERVATION_RELEASE:
		c->as.reservation_end.reservation = books_reservation(b, c->org,
			c->as.reservation_end.name);
		break;
	default:
		break;
	}
}

static void
resolve_trading(struct books *b, struct command *c)
{
	switch ((unsigned)c->type) {
	case COMMAND_ORDER_PLACE:
		c->as.order_place.order =
			books_order(b, c->org, c->as.order_place.name);
		break;
	case COMMAND_ORDER_FILL:
		c->as.order_move.order =
			books_order(b, c->org, c->as.order_move.name);
		c->as.order_move.fill = books_fill(b, c->as.order_move.order,
			c->as.order_move.fill_name);
		break;
	case COMMAND_ORDER_ACCEPT:
	case COMMAND_ORDER_CANCEL:
	case COMMAND_ORDER_LOST:
		c->as.order_move.order =
			books_order(b, c->org, c->as.order_move.name);
		break;
	case COMMAND_TRADE_RECORD:
		resolve_trade(b, c->org, &c->as.trade_record);
		break;
	case COMMAND_POOL_DEPLOY:
		c->as.pool_deploy.market =
			books_market(b, c->org, c->as.pool_deploy.market_name);
		c->as.pool_deploy.market->wants_change = true;
		break;
	case COMMAND_MARKET_SETTLE:
		resolve_settle(b, c->org, &c->as.market_settle);
		break;
	default:
		break;
	}
}

static void
resolve_rows(struct books *b, struct command *c)
{
	resolve_money(b, c);
	resolve_stock(b, c);
	resolve_trading(b, c);
	for (size_t i = 0; i < c->wish_count; i++)
		c->wishes[i].row = wished_row(b, c, &c->wishes[i]);
}

struct known_id *
books_resolve(struct books *b, struct command *c)
{
	c->org = books_org(b, c->org_name);
	c->org->is_wanted |= !c->dry_run;
	resolve_rows(b, c);
	for (size_t i = 0; c->type == COMMAND_GROUP && i < c->as.group.count;
		i++) {
		c->as.group.members[i].org = c->org;
		resolve_rows(b, &c->as.group.members[i]);
	}
	return books_id(b, c->org, &c->id);
}
