/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_dump: every row as a line of JSON; the list is in serial_model.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_rows.h"
#include "model_text.h"

struct lines {
	char **texts;
	size_t count, cap;
};

static void
put_stamp(struct text *t, const struct stamp *s)
{
	model_put_number(t, "version", s->version);
	model_put_number(t, "last_at", s->last_at);
}

static void
put_text(struct text *t, const char *name, const char *value)
{
	if (value != NULL)
		model_put_member(t, name, value);
}

static void
put_flag(struct text *t, const char *name, bool value)
{
	if (value) {
		model_put_name(t, name);
		model_put(t, "true");
	}
}

static void
dump_balance(struct text *t, const struct balance *b)
{
	model_put_member(t, "asset", b->account->asset);
	model_put_number(t, "balance", b->v.balance);
	model_put_number(t, "held", b->v.held);
	if (b->v.has_floor)
		model_put_number(t, "floor", b->v.floor);
	put_flag(t, "closed", b->v.closed);
	put_stamp(t, &b->v.stamp);
}

static void
dump_sku(struct text *t, const struct sku *k)
{
	model_put_number(t, "on_hand", k->v.on_hand);
	model_put_number(t, "reserved", k->v.reserved);
	put_stamp(t, &k->v.stamp);
}

static void
dump_hold(struct text *t, const struct hold *h)
{
	model_put_member(t, "account", h->account->row.name);
	model_put_number(t, "amount", h->amount);
	model_put_member(t, "state", h->v.state);
	model_put_number(t, "captured", h->v.captured);
	if (h->expires)
		model_put_number(t, "expires_at", h->expires_at);
	put_stamp(t, &h->v.stamp);
}

static void
dump_reservation(struct text *t, const struct reservation *r)
{
	model_put_member(t, "sku", r->sku->row.name);
	model_put_member(t, "state", r->v.state);
	model_put_number(t, "qty", r->qty);
	model_put_number(t, "committed", r->v.committed);
	if (r->expires)
		model_put_number(t, "expires_at", r->expires_at);
	put_stamp(t, &r->v.stamp);
}

static void
dump_order(struct text *t, const struct order *o)
{
	model_put_member(t, "market", o->market);
	model_put_member(t, "side", o->side);
	model_put_number(t, "qty", o->qty);
	model_put_number(t, "filled", o->v.filled);
	put_text(t, "price", o->price);
	model_put_member(t, "state", o->v.state);
	put_stamp(t, &o->v.stamp);
}

static void
dump_fill(struct text *t, const struct fill *f)
{
	model_put_number(t, "qty", f->qty);
	put_text(t, "price", f->price);
}

static void
dump_market(struct text *t, const struct market *m)
{
	put_text(t, "asset", m->v.asset);
	put_text(t, "address", m->v.address);
	model_put_member(t, "state", m->v.state);
	put_text(t, "payer", m->v.payer != NULL ? m->v.payer->row.name : NULL);
	model_put_number(t, "reserved", m->v.reserved);
	model_put_number(t, "paid", m->v.paid);
	model_put_number(t, "unpaid", m->v.unpaid);
	model_put_number(t, "holders", m->v.holders);
	model_put_number(t, "unpaid_holders", m->v.unpaid_holders);
	put_stamp(t, &m->v.stamp);
}

static void
dump_position(struct text *t, const struct position *p)
{
	model_put_number(t, "qty", p->v.qty);
	model_put_number(t, "lock", p->v.lock);
	if (p->v.has_belief) {
		model_put_number(t, "belief", p->v.belief);
		model_put_number(t, "meta", p->v.meta);
	}
	if (p->v.has_paid)
		model_put_number(t, "paid", p->v.paid);
	put_stamp(t, &p->v.stamp);
}

static void
dump_trade(struct text *t, const struct trade *d)
{
	model_put_member(t, "account", d->account);
	model_put_member(t, "market", d->market);
	model_put_member(t, "outcome", d->outcome);
	model_put_member(t, "side", d->side);
	model_put_number(t, "position", d->position);
	model_put_number(t, "lock", d->lock);
	model_put_number(t, "skim", d->skim);
	put_text(t, "qty", d->qty);
	put_text(t, "price", d->price);
	model_put_member(t, "state", d->v.state);
}

static void
dump_window(struct text *t, const struct window *w, int64_t last_at)
{
	char stamp[32];
	const char *comma = "";

	model_put_name(t, "stamps");
	model_put(t, "[");
	for (size_t i = 0; i < w->count; i++) {
		if (w->stamps[i] <= last_at - w->window_us)
			continue;
		(void)snprintf(stamp, sizeof(stamp), "%s%lld", comma,
			(long long)w->stamps[i]);
		model_put(t, stamp);
		comma = ",";
	}
	model_put(t, "]");
}

static void
dump_values(struct text *t, const struct row *row, int64_t last_at)
{
	const void *r = row;

	switch (row->kind) {
	case ROW_ASSET:
		model_put_number(t, "scale", ((const struct asset *)r)->scale);
		break;
	case ROW_BALANCE:
		dump_balance(t, r);
		break;
	case ROW_SKU:
		dump_sku(t, r);
		break;
	case ROW_HOLD:
		dump_hold(t, r);
		break;
	case ROW_RESERVATION:
		dump_reservation(t, r);
		break;
	case ROW_ORDER:
		dump_order(t, r);
		break;
	case ROW_FILL:
		dump_fill(t, r);
		break;
	case ROW_MARKET:
		dump_market(t, r);
		break;
	case ROW_POSITION:
		dump_position(t, r);
		break;
	case ROW_TRADE:
		dump_trade(t, r);
		break;
	case ROW_REVERSAL:
		model_put_member(t, "by", ((const struct reversal *)r)->by);
		break;
	case ROW_WINDOW:
		dump_window(t, r, last_at);
		break;
	case ROW_ACCOUNT:
	case ROW_KNOWN:
		break;
	}
}

/* "<kind>/<org>/<name>", and the shard of an account that has some. */
static void
put_row_name(struct text *t, const struct row *row)
{
	char kind[3] = {
		(char)(row->kind == ROW_BALANCE ? ROW_ACCOUNT : row->kind), '/',
		'\0'};
	struct text name = {NULL, 0, 0};

	model_put(&name, kind);
	model_put(&name, row->org);
	model_put(&name, "/");
	model_put(&name, row->name);
	if (row->kind == ROW_BALANCE) {
		const struct balance *b =
			(const struct balance *)(const void *)row;
		char shard[16];

		(void)snprintf(shard, sizeof(shard), "/%d", b->shard);
		if (b->account->shards > 0)
			model_put(&name, shard);
	}
	for (char *p = name.p; *p != '\0'; p++) {
		if (*p == MODEL_JOINT[0])
			*p = '/';
	}
	model_put_member(t, "row", name.p);
	free(name.p);
}

static void
add_line(struct lines *l, const struct row *row, int64_t last_at)
{
	struct text t = {NULL, 0, 0};

	if (l->count == l->cap) {
		l->cap = l->cap > 0 ? l->cap * 2 : 1024;
		l->texts =
			model_need(realloc(l->texts, l->cap * sizeof(char *)));
	}
	model_put(&t, "{");
	put_row_name(&t, row);
	dump_values(&t, row, last_at);
	model_put(&t, "}");
	l->texts[l->count++] = t.p;
}

static bool
is_empty_window(const struct row *row, int64_t last_at)
{
	const struct window *w = (const struct window *)(const void *)row;

	return row->kind == ROW_WINDOW &&
		(w->count == 0 ||
			w->stamps[w->count - 1] <= last_at - w->window_us);
}

static void
add_lines(struct lines *l, const struct row *row, int64_t last_at)
{
	const struct account *a = (const struct account *)(const void *)row;

	if (row->kind == ROW_KNOWN || is_empty_window(row, last_at))
		return;
	if (row->kind != ROW_ACCOUNT) {
		add_line(l, row, last_at);
		return;
	}
	for (int i = 0; i < (a->shards > 0 ? a->shards : 1); i++)
		add_line(l, &a->balances[i]->row, last_at);
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *
serial_dump(const struct serial_model *m)
{
	struct lines l = {NULL, 0, 0};
	struct text t = {NULL, 0, 0};

	for (size_t i = 0; i < m->slot_count; i++) {
		for (const struct row *r = m->slots[i]; r != NULL; r = r->chain)
			add_lines(&l, r, m->last_at);
	}
	if (l.count > 0)
		qsort(l.texts, l.count, sizeof(char *), compare_lines);
	model_put(&t, "");
	for (size_t i = 0; i < l.count; i++) {
		model_put(&t, l.texts[i]);
		model_put(&t, "\n");
		free(l.texts[i]);
	}
	free(l.texts);
	return t.p;
}
