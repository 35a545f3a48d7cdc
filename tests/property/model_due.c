/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_due: see model_due.h. Due at the time of the decision itself; first by
 * deadline, then a hold before a reservation, then by name.
 */
#include "model_due.h"

#include <stdlib.h>
#include <string.h>

#include "model_holds.h"
#include "model_money.h"
#include "model_stock.h"

/* A hold or a reservation, open, and due at a time. */
struct due {
	int64_t at;
	struct row *row;
};

struct dues {
	struct due *list;
	size_t count, cap;
};

static bool
is_open(const struct row *row, bool *expires, int64_t *at)
{
	if (row->kind == ROW_HOLD) {
		const struct hold *h = (const struct hold *)(const void *)row;

		*expires = h->expires;
		*at = h->expires_at;
		return strcmp(h->v.state, "held") == 0;
	}
	const struct reservation *r =
		(const struct reservation *)(const void *)row;

	*expires = r->expires;
	*at = r->expires_at;
	return strcmp(r->v.state, "reserved") == 0;
}

void
model_is_due(int64_t *next_due, bool expires, int64_t expires_at)
{
	if (expires && expires_at < *next_due)
		*next_due = expires_at;
}

static void
add_due(struct dues *d, struct row *row, int64_t at)
{
	if (d->count == d->cap) {
		d->cap = d->cap > 0 ? d->cap * 2 : 16;
		d->list = model_need(realloc(d->list,
			d->cap * sizeof(struct due)));
	}
	d->list[d->count++] = (struct due){at, row};
}

/* Adds what is due of one owner, and lets go of what has ended. */
static void
look(struct dues *d, struct row_list *list, int64_t *next_due, int64_t now)
{
	size_t open = 0;

	if (*next_due > now)
		return;
	*next_due = INT64_MAX;
	for (size_t i = 0; i < list->count; i++) {
		struct row *row = list->rows[i];
		bool expires;
		int64_t at;

		if (!is_open(row, &expires, &at))
			continue;
		list->rows[open++] = row;
		model_is_due(next_due, expires, at);
		if (expires && at <= now)
			add_due(d, row, at);
	}
	list->count = open;
}

static int
earlier(const void *a, const void *b)
{
	const struct due *x = a;
	const struct due *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->row->kind != y->row->kind)
		return x->row->kind == ROW_HOLD ? -1 : 1;
	return strcmp(x->row->name, y->row->name);
}

static void
settle(struct step *s, struct dues *d)
{
	if (d->count > 1)
		qsort(d->list, d->count, sizeof(struct due), earlier);
	for (size_t i = 0; i < d->count; i++) {
		struct row *row = d->list[i].row;
		bool expires;
		int64_t at;

		if (!is_open(row, &expires, &at))
			continue; /* its owner was named twice */
		if (!s->m->auto_expire)
			model_problem(s, "due and not settled", row->name);
		else if (row->kind == ROW_HOLD)
			model_hold_expire(s, (struct hold *)(void *)row);
		else
			model_reservation_expire(s,
				(struct reservation *)(void *)row);
	}
	free(d->list);
}

static void
look_at_account(struct step *s, struct dues *d, struct account *a)
{
	if (a != NULL)
		look(d, &a->holds, &a->next_due, s->now->decided_at);
}

static void
look_at_account_named(struct step *s, struct dues *d, const json_t *name)
{
	if (json_is_string(name))
		look_at_account(s, d,
			model_named(s, ROW_ACCOUNT, json_string_value(name)));
}

static void
look_at_moves(struct step *s, struct dues *d, const json_t *moves)
{
	const json_t *move;
	size_t i;

	json_array_foreach (moves, i, move) {
		look_at_account_named(s, d, json_object_get(move, "from"));
		look_at_account_named(s, d, json_object_get(move, "to"));
	}
}

static void
look_at_sku(struct step *s, struct dues *d, struct sku *k)
{
	if (k != NULL)
		look(d, &k->reservations, &k->next_due, s->now->decided_at);
}

static void
look_at_body(struct step *s, struct dues *d, const json_t *body,
	const char *default_name)
{
	const char *sku = json_string_value(json_object_get(body, "sku"));
	const char *hold = model_row_name(body, "hold", default_name);
	const char *reservation =
		model_row_name(body, "reservation", default_name);
	const struct hold *h = NULL;
	const struct reservation *r = NULL;

	look_at_account_named(s, d, json_object_get(body, "account"));
	look_at_account_named(s, d, json_object_get(body, "from"));
	look_at_account_named(s, d, json_object_get(body, "to"));
	look_at_account_named(s, d,
		json_object_get(json_object_get(body, "skim"), "to"));
	look_at_moves(s, d, json_object_get(body, "moves"));
	look_at_moves(s, d, model_moves_to_reverse(s, body));
	if (hold != NULL && (h = model_named(s, ROW_HOLD, hold)) != NULL)
		look_at_account(s, d, h->account);
	if (sku != NULL)
		look_at_sku(s, d, model_named(s, ROW_SKU, sku));
	if (reservation != NULL &&
		(r = model_named(s, ROW_RESERVATION, reservation)) != NULL)
		look_at_sku(s, d, r->sku);
}

void
model_settle_named(struct step *s)
{
	struct dues d = {NULL, 0, 0};
	char default_name[MODEL_NAME_SIZE];

	for (size_t i = 0; i < model_body_count(s->c); i++) {
		model_default_name(s->c, i, default_name);
		look_at_body(s, &d, model_body(s->c, i), default_name);
	}
	settle(s, &d);
}

void
model_settle_accounts(struct step *s, const struct row_list *accounts)
{
	struct dues d = {NULL, 0, 0};

	for (size_t i = 0; i < accounts->count; i++)
		look_at_account(s, &d,
			(struct account *)(void *)accounts->rows[i]);
	settle(s, &d);
}

void
serial_expire(struct serial_model *m, const char *org, const char *type,
	const char *name, const struct serial_now *now, serial_sink *sink,
	void *ctx)
{
	enum row_kind kind =
		strcmp(type, "hold.expire") == 0 ? ROW_HOLD : ROW_RESERVATION;
	struct row *row = model_find(m, kind, org, name);
	struct step s;
	bool expires = false;
	int64_t at = 0;

	model_step_init(&s, m, NULL, now, sink, ctx);
	s.org = org;
	if (row == NULL || !is_open(row, &expires, &at) || !expires ||
		at > now->decided_at)
		model_problem(&s, "a timer for what is not due", name);
	else if (kind == ROW_HOLD)
		model_hold_expire(&s, (struct hold *)(void *)row);
	else
		model_reservation_expire(&s, (struct reservation *)(void *)row);
}
