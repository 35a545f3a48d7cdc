/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_accounts: see model_accounts.h.
 */
#include "model_accounts.h"

#include <stdlib.h>

#include "model_money.h"

void
model_asset_define(struct step *s)
{
	const char *name = model_text(s, "asset");
	struct asset *a;

	if (model_named(s, ROW_ASSET, name) != NULL)
		model_refuse(s, "asset_exists");
	if (!model_applied(s))
		return;
	a = model_create(s->m, ROW_ASSET, s->org, name, s->now->decided_at);
	a->scale = (int)json_integer_value(json_object_get(s->body, "scale"));
}

/* Absent: "0". null: none. */
static bool
read_floor(struct step *s, int scale, big *floor)
{
	const json_t *v = json_object_get(s->body, "floor");

	*floor = 0;
	if (v == NULL)
		return true;
	if (json_is_null(v))
		return false;
	*floor = model_amount(s, json_string_value(v), scale);
	if (*floor < MIN64)
		model_refuse(s, "overflow");
	return true;
}

static void
make_balances(struct step *s, struct account *a, bool has_floor, int64_t floor)
{
	int n = a->shards > 0 ? a->shards : 1;

	a->balances = model_need(calloc((size_t)n, sizeof(struct balance *)));
	for (int i = 0; i < n; i++) {
		struct balance *b =
			model_create_balance(s->m, a, s->now->decided_at);

		b->shard = i;
		b->v.has_floor = has_floor;
		b->v.floor = floor;
		a->balances[i] = b;
	}
}

void
model_account_open(struct step *s)
{
	const char *name = model_text(s, "account");
	const json_t *shards = json_object_get(s->body, "shards");
	const struct asset *asset =
		model_named(s, ROW_ASSET, model_text(s, "asset"));
	bool has_floor = false;
	struct account *a;
	big floor = 0;

	if (asset == NULL)
		model_refuse(s, "asset_not_found");
	else
		has_floor = read_floor(s, asset->scale, &floor);
	if (model_named(s, ROW_ACCOUNT, name) != NULL)
		model_refuse(s, "account_exists");
	if (!model_applied(s))
		return;
	a = model_create(s->m, ROW_ACCOUNT, s->org, name, s->now->decided_at);
	a->asset = model_text(s, "asset");
	a->scale = asset->scale;
	a->shards = (int)json_integer_value(shards);
	a->next_due = INT64_MAX;
	make_balances(s, a, has_floor, (int64_t)floor);
}

/* The account itself, not closed, and with one balance. */
void
model_account_limit(struct step *s)
{
	struct account *a = model_payee(s, model_text(s, "account"));
	struct balance *b;
	bool has_floor;
	big floor;

	if (a == NULL)
		return;
	b = a->balances[0];
	if (a->shards > 0)
		model_refuse(s, "account_sharded");
	has_floor = read_floor(s, a->scale, &floor);
	if (has_floor && floor > (big)b->v.balance - b->v.held)
		model_refuse(s, "insufficient_funds");
	if (!model_applied(s))
		return;
	model_change(s, &b->row);
	b->v.has_floor = has_floor;
	b->v.floor = (int64_t)floor;
}

void
model_account_close(struct step *s)
{
	struct account *a = model_payee(s, model_text(s, "account"));
	int n = a != NULL && a->shards > 0 ? a->shards : 1;
	big sum = 0;
	bool held = false;

	for (int i = 0; a != NULL && i < n; i++) {
		sum += a->balances[i]->v.balance;
		held = held || a->balances[i]->v.held != 0;
	}
	if (sum != 0 || held)
		model_refuse(s, "not_empty");
	for (int i = 0; model_applied(s) && i < n; i++) {
		model_change(s, &a->balances[i]->row);
		a->balances[i]->v.closed = true;
	}
}
