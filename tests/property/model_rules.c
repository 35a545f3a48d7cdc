/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_rules: see model_rules.h.
 */
#include "model_rules.h"

#include <string.h>

#include "model_accounts.h"
#include "model_holds.h"
#include "model_money.h"
#include "model_orders.h"
#include "model_settlement.h"
#include "model_stock.h"
#include "model_trades.h"
#include "model_wishes.h"

static const struct rule {
	const char *type;
	void (*decide)(struct step *s);
	bool fact; /* it happened already */
} rules[] = {
	{"asset.define", model_asset_define, false},
	{"account.open", model_account_open, false},
	{"account.limit", model_account_limit, false},
	{"account.close", model_account_close, false},
	{"transfer.post", model_transfer_post, false},
	{"transfer.reverse", model_transfer_reverse, false},
	{"hold.place", model_hold_place, false},
	{"hold.capture", model_hold_capture, true},
	{"hold.void", model_hold_void, true},
	{"stock.receive", model_stock_receive, true},
	{"stock.adjust", model_stock_adjust, true},
	{"stock.reserve", model_stock_reserve, false},
	{"reservation.commit", model_reservation_commit, true},
	{"reservation.release", model_reservation_release, true},
	{"order.place", model_order_place, false},
	{"order.accept", model_order_accept, true},
	{"order.fill", model_order_fill, true},
	{"order.cancel", model_order_cancel, false},
	{"order.lost", model_order_lost, true},
	{"trade.record", model_trade_record, false},
	{"pool.deploy", model_pool_deploy, false},
	{"market.settle", model_market_settle, false},
};

static const struct rule *
rule_of(const json_t *body)
{
	const char *type = model_body_type(body);

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (strcmp(rules[i].type, type) == 0)
			return &rules[i];
	}
	return NULL; /* a group */
}

bool
model_is_fact(const json_t *body)
{
	const struct rule *r = rule_of(body);

	return (r != NULL && r->fact) ||
		(strcmp(model_body_type(body), "trade.record") == 0 &&
			json_is_true(json_object_get(body, "settled")));
}

/* One body on the rows as they are now. */
static void
decide_body(struct step *s, size_t i)
{
	s->body = model_body(s->c, i);
	model_default_name(s->c, i, s->default_name);
	if (!model_trade_is_known(s))
		model_check_versions(s);
	rule_of(s->body)->decide(s);
}

void
model_decide(struct step *s)
{
	bool group = strcmp(s->c->type, "group") == 0;

	for (size_t i = 0; model_applied(s) && i < model_body_count(s->c);
		i++) {
		decide_body(s, i);
		if (group && !model_applied(s)) {
			s->failed_index = i;
			s->failed_status = s->status;
			s->status = "group_failed";
			s->pool = NULL;
		}
	}
	if (model_applied(s))
		return;
	model_take_back(s->m);
	s->confirmed = false;
}
