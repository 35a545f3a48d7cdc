/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_money: see model_money.h.
 */
#include "model_money.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_fields.h"

struct account *
model_payee(struct step *s, const char *name)
{
	struct account *a = model_named(s, ROW_ACCOUNT, name);

	if (a == NULL)
		model_refuse(s, "account_not_found");
	else if (model_is_closed(a))
		model_refuse(s, "account_closed");
	return a;
}

/* ---- running moves ---- */

struct running {
	struct balance *row;
	big balance;
};

struct run {
	struct running list[2 * MODEL_MOVES_MAX];
	size_t count;
};

static struct running *
running_of(struct run *r, struct balance *row)
{
	for (size_t i = 0; i < r->count; i++) {
		if (r->list[i].row == row)
			return &r->list[i];
	}
	r->list[r->count] = (struct running){row, row->v.balance};
	return &r->list[r->count++];
}

static bool
covers(const struct balance *b, big balance, big amount)
{
	return !b->v.has_floor || balance - b->v.held - b->v.floor >= amount;
}

bool
model_can_pay(const struct balance *b, big amount)
{
	return covers(b, b->v.balance, amount);
}

static void
run_move(struct step *s, struct run *r, const struct move *m)
{
	struct balance *from = model_balance(m->from, s->now->part);
	struct balance *to = model_balance(m->to, s->now->part);
	struct running *payer = running_of(r, from);
	struct running *payee;

	if (!m->covered && !covers(from, payer->balance, m->amount))
		model_refuse(s, "insufficient_funds");
	payer->balance -= m->amount;
	if (m->amount > MAX64 || payer->balance < MIN64)
		model_refuse(s, "overflow");
	if (model_applied(s))
		model_posting(s, from, (int64_t)-m->amount,
			(int64_t)payer->balance);
	payee = running_of(r, to);
	payee->balance += m->amount;
	if (payee->balance > MAX64)
		model_refuse(s, "overflow");
	if (model_applied(s))
		model_posting(s, to, (int64_t)m->amount,
			(int64_t)payee->balance);
}

void
model_run_moves(struct step *s, const struct move *moves, size_t count)
{
	struct run r = {.count = 0};

	for (size_t i = 0; i < count; i++)
		run_move(s, &r, &moves[i]);
	for (size_t i = 0; model_applied(s) && i < r.count; i++) {
		model_change(s, &r.list[i].row->row);
		r.list[i].row->v.balance = (int64_t)r.list[i].balance;
	}
}

/* ---- transfer.post ---- */

static struct move
read_move(struct step *s, const json_t *move, bool inverted)
{
	const char *from = json_string_value(json_object_get(move, "from"));
	const char *to = json_string_value(json_object_get(move, "to"));
	struct move m = {.from = model_payee(s, inverted ? to : from),
		.to = model_payee(s, inverted ? from : to)};

	if (m.from == NULL || m.to == NULL)
		return m;
	if (strcmp(m.from->asset, m.to->asset) != 0)
		model_refuse(s, "asset_mismatch");
	m.amount = model_amount(s,
		json_string_value(json_object_get(move, "amount")),
		m.from->scale);
	return m;
}

void
model_transfer_post(struct step *s)
{
	const json_t *list = json_object_get(s->body, "moves");
	struct move moves[MODEL_MOVES_MAX];
	const json_t *move;
	size_t i;

	json_array_foreach (list, i, move)
		moves[i] = read_move(s, move, false);
	if (model_applied(s))
		model_run_moves(s, moves, json_array_size(list));
}

/* ---- transfer.reverse ---- */

/* The command or member that was named, when it was applied and is kept. */
static const json_t *
find_transfer(const struct step *s, const json_t *body, struct model_id *id,
	int *member)
{
	const struct known *k;
	bool group;

	(void)model_transfer_read(json_string_value(json_object_get(body,
					  "transfer")),
		id, member);
	k = model_named(s, ROW_KNOWN, id->hex);
	if (k == NULL || !k->applied || id->ms / 86400000 < s->now->lowest_day)
		return NULL;
	group = strcmp(k->command->type, "group") == 0;
	if (*member == MODEL_NO_MEMBER)
		return k->command->root;
	if (!group || (size_t)*member >= model_body_count(k->command))
		return NULL;
	return model_body(k->command, (size_t)*member);
}

static const json_t *
moves_of(const json_t *transfer)
{
	return transfer != NULL &&
			strcmp(model_body_type(transfer), "transfer.post") == 0
		? json_object_get(transfer, "moves")
		: NULL;
}

const json_t *
model_moves_to_reverse(const struct step *s, const json_t *body)
{
	struct model_id id;
	int member;

	if (strcmp(model_body_type(body), "transfer.reverse") != 0)
		return NULL;
	return moves_of(find_transfer(s, body, &id, &member));
}

void
model_transfer_reverse(struct step *s)
{
	struct move moves[MODEL_MOVES_MAX];
	struct model_id id;
	int member;
	const json_t *transfer = find_transfer(s, s->body, &id, &member);
	const json_t *list = moves_of(transfer);
	size_t n = json_array_size(list);
	struct reversal *r;
	char key[64];

	if (transfer == NULL)
		model_refuse(s, "transfer_not_found");
	else if (list == NULL)
		model_refuse(s, "not_reversible");
	(void)snprintf(key, sizeof(key), "%s" MODEL_JOINT "%d", id.hex, member);
	if (list != NULL && model_named(s, ROW_REVERSAL, key) != NULL)
		model_refuse(s, "already_reversed");
	for (size_t i = 0; i < n; i++)
		moves[i] = read_move(s, json_array_get(list, n - 1 - i), true);
	if (model_applied(s))
		model_run_moves(s, moves, n);
	if (!model_applied(s))
		return;
	r = model_create(s->m, ROW_REVERSAL, s->org, key, s->now->decided_at);
	(void)snprintf(r->by, sizeof(r->by), "%s", s->c->key.hex);
}
