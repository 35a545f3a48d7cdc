/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem_dump: see mem_dump.h.
 */
#include "mem_dump.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"

struct dump {
	const struct mem_dump_of *of;
	struct ch_buf t;
	char *problem;
	size_t problem_size;
	char **lines;
	size_t count;
};

static void
num(struct dump *d, const char *name, int64_t v)
{
	ch_json_add_member_i64(&d->t, name, v);
}

static void
text(struct dump *d, const char *name, struct ch_view v)
{
	if (v.len > 0)
		ch_json_add_member(&d->t, name, v);
}

static void
stamp(struct dump *d, const struct row *row)
{
	num(d, "version", row->version);
	num(d, "last_at", row->last_at.us);
}

/* ---- kinds ---- */

static void
put_asset(struct dump *d, const struct mem_row *m)
{
	num(d, "scale", ((const struct asset *)(const void *)m->row)->scale);
}

static void
put_account(struct dump *d, const struct mem_row *m)
{
	const struct account *a = (const void *)m->row;

	text(d, "asset", a->asset->row.name);
	num(d, "balance", a->balance.minor);
	num(d, "held", a->held.minor);
	if (a->has_floor)
		num(d, "floor", a->floor.minor);
	if (a->closed)
		ch_json_add_member_bool(&d->t, "closed", true);
	stamp(d, &a->row);
	if (m->posted != a->balance.minor && d->problem[0] == '\0')
		(void)snprintf(d->problem, d->problem_size,
			"postings sum to %lld, the balance is %lld",
			(long long)m->posted, (long long)a->balance.minor);
}

static void
put_sku(struct dump *d, const struct mem_row *m)
{
	const struct sku *k = (const void *)m->row;

	num(d, "on_hand", k->on_hand.units);
	num(d, "reserved", k->reserved.units);
	stamp(d, &k->row);
}

static void
put_hold(struct dump *d, const struct mem_row *m)
{
	const struct hold *h = (const void *)m->row;

	text(d, "account", h->account->row.name);
	num(d, "amount", h->amount.minor);
	text(d, "state", ch_view_of(hold_state_name(h->state)));
	num(d, "captured", h->captured.minor);
	if (h->expires)
		num(d, "expires_at", h->expires_at.us);
	stamp(d, &h->row);
}

static void
put_reservation(struct dump *d, const struct mem_row *m)
{
	const struct reservation *r = (const void *)m->row;

	text(d, "sku", r->sku->row.name);
	text(d, "state", ch_view_of(reservation_state_name(r->state)));
	num(d, "qty", r->qty.units);
	num(d, "committed", r->committed.units);
	if (r->expires)
		num(d, "expires_at", r->expires_at.us);
	stamp(d, &r->row);
}

static void
put_order(struct dump *d, const struct mem_row *m)
{
	const struct order *o = (const void *)m->row;

	text(d, "market", o->market);
	text(d, "side", o->side);
	num(d, "qty", o->qty.minor);
	num(d, "filled", o->filled.minor);
	text(d, "price", o->price);
	text(d, "state", ch_view_of(order_state_name(o->state)));
	stamp(d, &o->row);
}

static void
put_fill(struct dump *d, const struct mem_row *m)
{
	const struct fill *f = (const void *)m->row;

	num(d, "qty", f->qty.minor);
	text(d, "price", f->price);
}

static void
put_market(struct dump *d, const struct mem_row *m)
{
	const struct market *k = (const void *)m->row;

	text(d, "asset", k->asset);
	text(d, "address", k->address);
	text(d, "state", ch_view_of(market_state_name(k->state)));
	if (k->payer != NULL)
		text(d, "payer", k->payer->row.name);
	num(d, "reserved", k->reserved.minor);
	num(d, "paid", k->paid.minor);
	num(d, "unpaid", k->unpaid.minor);
	num(d, "holders", k->holders);
	num(d, "unpaid_holders", k->unpaid_holders);
	stamp(d, &k->row);
}

static void
put_position(struct dump *d, const struct mem_row *m)
{
	const struct position *p = (const void *)m->row;

	num(d, "qty", p->qty.minor);
	num(d, "lock", p->lock.minor);
	if (p->has_belief) {
		num(d, "belief", p->belief.minor);
		num(d, "meta", p->meta.minor);
	}
	if (p->is_paid)
		num(d, "paid", p->paid.minor);
	stamp(d, &p->row);
}

static void
put_trade(struct dump *d, const struct mem_row *m)
{
	const struct trade_row *t = (const void *)m->row;

	text(d, "account", t->account);
	text(d, "market", t->market);
	text(d, "outcome", t->outcome);
	text(d, "side", t->side);
	num(d, "position", t->qty_after.minor);
	num(d, "lock", t->lock_after.minor);
	num(d, "skim", t->skim.minor);
	text(d, "qty", t->qty);
	text(d, "price", t->price);
	text(d, "state", ch_view_of(trade_state_name(t->state)));
}

static void
put_reversal(struct dump *d, const struct mem_row *m)
{
	const struct transfer *t = (const void *)m->row;
	char hex[33];

	ch_hex_encode(t->reversed_by.bytes, sizeof(t->reversed_by.bytes), hex);
	text(d, "by", ch_view_of(hex));
}

/* ---- windows ---- */

static const struct rate_rule *
rule_of(const struct dump *d, int32_t rule_id)
{
	for (size_t i = 0; i < d->of->rule_count; i++) {
		if (d->of->rules[i].rule_id == rule_id)
			return &d->of->rules[i];
	}
	return NULL;
}

static bool
is_inside(const struct dump *d, const struct rate_window *w, size_t i)
{
	return w->stamps[i] >
		d->of->last_at.us - rule_of(d, w->rule_id)->window_us;
}

static void
put_window(struct dump *d, const struct mem_row *m)
{
	const struct rate_window *w = (const void *)m->row;

	ch_json_add_name(&d->t, "stamps");
	ch_buf_addc(&d->t, '[');
	for (size_t i = 0; i < w->count; i++) {
		if (!is_inside(d, w, i))
			continue;
		ch_json_add_comma(&d->t);
		ch_buf_add_i64(&d->t, w->stamps[i]);
	}
	ch_buf_addc(&d->t, ']');
}

/* ---- names ---- */

static void
name_joined(struct ch_buf *out, struct ch_view name)
{
	for (size_t i = 0; i < name.len; i++)
		ch_buf_addc(out, name.ptr[i] == '\0' ? '/' : name.ptr[i]);
}

static void
name_of(const struct dump *d, struct ch_buf *out, const struct row *row)
{
	const struct account *a = (const void *)row;
	const struct transfer *t = (const void *)row;
	const struct rate_window *w = (const void *)row;
	char hex[33];

	if (row->kind == ROW_ACCOUNT && a->whole != NULL) {
		ch_buf_addv(out, a->whole->row.name);
		ch_buf_printf(out, "/%d", a->shard);
	} else if (row->kind == ROW_TRANSFER) {
		ch_hex_encode(t->id.bytes, sizeof(t->id.bytes), hex);
		ch_buf_printf(out, "%s/%d", hex, t->member);
	} else if (row->kind == ROW_RATE) {
		ch_buf_addv(out, rule_of(d, w->rule_id)->name);
		ch_buf_addc(out, '/');
		/* behind the number and its NUL */
		ch_buf_add(out, row->name.ptr + 5, row->name.len - 5);
	} else {
		name_joined(out, row->name);
	}
}

static const struct dumped_kind {
	enum row_kind kind;
	char letter;
	void (*put)(struct dump *d, const struct mem_row *m);
} dumped_kinds[] = {
	{ROW_ASSET, 'd', put_asset},
	{ROW_ACCOUNT, 'a', put_account},
	{ROW_SKU, 's', put_sku},
	{ROW_HOLD, 'h', put_hold},
	{ROW_RESERVATION, 'r', put_reservation},
	{ROW_ORDER, 'o', put_order},
	{ROW_FILL, 'f', put_fill},
	{ROW_MARKET, 'm', put_market},
	{ROW_POSITION, 'p', put_position},
	{ROW_TRADE, 't', put_trade},
	{ROW_TRANSFER, 'v', put_reversal},
	{ROW_RATE, 'w', put_window},
};

/* The row of an account with shards says nothing; its shards do. A window in
 * which nothing is left has no line. */
static bool
is_dumped(const struct dump *d, const struct row *row)
{
	const struct account *a = (const void *)row;
	const struct rate_window *w = (const void *)row;

	if (row->kind == ROW_ACCOUNT)
		return a->shards == 0;
	if (row->kind != ROW_RATE)
		return true;
	return rule_of(d, w->rule_id) != NULL && w->count > 0 &&
		is_inside(d, w, w->count - 1);
}

static void
dump_row(struct dump *d, const struct dumped_kind *k, const struct mem_row *m)
{
	struct ch_buf name = CH_BUF_INIT;

	if (!is_dumped(d, m->row))
		return;
	ch_buf_printf(&name, "%c/%.*s/", k->letter,
		CH_VIEW_ARG(m->row->org->row.name));
	name_of(d, &name, m->row);
	ch_buf_clear(&d->t);
	ch_buf_addc(&d->t, '{');
	ch_json_add_member(&d->t, "row", ch_buf_view(&name));
	k->put(d, m);
	ch_buf_addc(&d->t, '}');
	d->lines[d->count++] = ch_xviewdup(ch_buf_view(&d->t));
	ch_buf_free(&name);
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *
join(struct dump *d)
{
	struct ch_buf all = CH_BUF_INIT;

	qsort(d->lines, d->count, sizeof(char *), compare_lines);
	for (size_t i = 0; i < d->count; i++) {
		ch_buf_adds(&all, d->lines[i]);
		ch_buf_addc(&all, '\n');
		free(d->lines[i]);
	}
	free(d->lines);
	ch_buf_free(&d->t);
	return all.ptr != NULL ? all.ptr : ch_xstrdup("");
}

char *
mem_dump(const struct mem_dump_of *of, char *problem, size_t size)
{
	struct dump d = {.of = of, .problem = problem, .problem_size = size};
	size_t rows = 0;

	for (unsigned k = 0; k < ROW_KINDS; k++)
		rows += of->rows->all[k].count;
	d.lines = ch_xcalloc(rows + 1, sizeof(char *));
	for (size_t k = 0; k < sizeof(dumped_kinds) / sizeof(dumped_kinds[0]);
		k++) {
		const struct mem_list *all =
			&of->rows->all[dumped_kinds[k].kind];

		for (size_t i = 0; i < all->count; i++)
			dump_row(&d, &dumped_kinds[k],
				(const void *)all->rows[i]);
	}
	return join(&d);
}
