/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_timers: see batch_timers.h.
 */
#include "batch_timers.h"

#include <stdlib.h>

#include "hold_rules.h"
#include "member.h"
#include "stock_rules.h"

/* Something that ran out. */
struct due {
	struct ch_time at;
	struct row *row; /* a hold or a reservation */
};

static int
compare_due(const void *a, const void *b)
{
	const struct due *x = a;
	const struct due *y = b;
	int order;

	if (x->at.us != y->at.us)
		return x->at.us < y->at.us ? -1 : 1;
	order = ch_view_cmp(x->row->org->row.name, y->row->org->row.name);
	if (order == 0)
		order = (int)x->row->kind - (int)y->row->kind;
	return order != 0 ? order : ch_view_cmp(x->row->name, y->row->name);
}

static size_t
collect_due(const struct books *b, struct ch_time now, struct due *due)
{
	size_t n = 0;

	for (size_t i = 0; i < books_count(b, ROW_HOLD); i++) {
		struct hold *h = books_hold_at(b, i);

		if (row_is_there(&h->row) && !h->set_aside &&
			hold_rules_due(h, now))
			due[n++] = (struct due){h->expires_at, &h->row};
	}
	for (size_t i = 0; i < books_count(b, ROW_RESERVATION); i++) {
		struct reservation *r = books_reservation_at(b, i);

		if (row_is_there(&r->row) && !r->set_aside &&
			stock_rules_due(r, now))
			due[n++] = (struct due){r->expires_at, &r->row};
	}
	return n;
}

static struct ch_uuid
timer_id(struct writing *w, const char *kind, const struct row *row,
	int64_t page)
{
	struct batch *b = w->batch;
	struct ch_uuid id;

	ch_buf_printf(&b->scratch, "timer/%s/%lld/", kind, (long long)page);
	ch_buf_addv(&b->scratch, row->org->row.name);
	ch_buf_addc(&b->scratch, '/');
	ch_buf_addv(&b->scratch, row->name);
	id = ch_uuid_v7_named(w->context->decided_at, ch_buf_view(&b->scratch));
	ch_buf_clear(&b->scratch);
	return id;
}

static void
begin(struct writing *w)
{
	struct batch *b = w->batch;

	w->stream = 0;
	ruling_begin(&b->ruling, &b->books,
		&(struct ruling_of){w->context->decided_at,
			b->streams[0].stream, b->streams[0].part, NULL, 0});
}

/* Payloads have their members in canonical order, so that the hash is that of
 * their text. */
static void
expire_hold(struct writing *w, struct hold *h)
{
	struct batch *b = w->batch;
	struct ch_buf *out = &b->scratch;
	struct timer_row t = {.type = LEDGER_EXPIRE_HOLD,
		.org = h->row.org,
		.id = timer_id(w, "hold", &h->row, 0),
		.owner = &h->account->row};

	begin(w);
	hold_rules_expire(&b->ruling, h);
	ch_buf_addc(out, '{');
	ch_json_add_member(out, "account", h->account->row.name);
	ch_json_add_member(out, "actor", CH_VIEW("timer"));
	member_time(out, "expires_at", h->expires_at);
	ch_json_add_member(out, "hold", h->row.name);
	ch_json_add_member(out, "org", h->row.org->row.name);
	ch_json_add_member(out, "type", CH_VIEW(LEDGER_EXPIRE_HOLD));
	ch_buf_addc(out, '}');
	t.payload = batch_rows_keep(b);
	batch_rows_timer(w, &t);
	books_keep(&b->books);
}

static void
expire_reservation(struct writing *w, struct reservation *r)
{
	struct batch *b = w->batch;
	struct ch_buf *out = &b->scratch;
	struct timer_row t = {.type = LEDGER_EXPIRE_RESERVATION,
		.org = r->row.org,
		.id = timer_id(w, "reservation", &r->row, 0),
		.owner = &r->sku->row};

	begin(w);
	stock_rules_expire(&b->ruling, r);
	ch_buf_addc(out, '{');
	ch_json_add_member(out, "actor", CH_VIEW("timer"));
	member_time(out, "expires_at", r->expires_at);
	ch_json_add_member(out, "org", r->row.org->row.name);
	ch_json_add_member(out, "reservation", r->row.name);
	ch_json_add_member(out, "sku", r->sku->row.name);
	ch_json_add_member(out, "type", CH_VIEW(LEDGER_EXPIRE_RESERVATION));
	ch_buf_addc(out, '}');
	t.payload = batch_rows_keep(b);
	batch_rows_timer(w, &t);
	books_keep(&b->books);
}

void
batch_timers_settle(struct writing *w)
{
	struct books *b = &w->batch->books;
	size_t most =
		books_count(b, ROW_HOLD) + books_count(b, ROW_RESERVATION);
	struct due *due;
	size_t n;

	if (most == 0)
		return;
	due = ch_arena_alloc(&w->batch->out_arena, most * sizeof(*due));
	n = collect_due(b, w->context->decided_at, due);
	qsort(due, n, sizeof(*due), compare_due);
	for (size_t i = 0; i < n; i++) {
		if (due[i].row->kind == ROW_HOLD)
			expire_hold(w, (struct hold *)(void *)due[i].row);
		else
			expire_reservation(w,
				(struct reservation *)(void *)due[i].row);
	}
}

void
batch_timers_pay(struct writing *w)
{
	struct batch *b = w->batch;
	struct market *m = b->pay.market;
	struct ch_buf *out = &b->scratch;
	struct timer_row t = {.type = LEDGER_PAY_MARKET,
		.org = m->row.org,
		.id = timer_id(w, "market", &m->row, m->page + 1),
		.owner = &m->payer->row};

	begin(w);
	market_rules_pay(&b->ruling, &b->pay);
	ch_buf_addc(out, '{');
	ch_json_add_member(out, "actor", CH_VIEW("timer"));
	ch_json_add_member(out, "market", m->row.name);
	ch_json_add_member(out, "org", m->row.org->row.name);
	ch_json_add_member_i64(out, "page", m->page);
	ch_json_add_member_i64(out, "positions", (int64_t)b->pay.count);
	ch_json_add_member(out, "type", CH_VIEW(LEDGER_PAY_MARKET));
	ch_buf_addc(out, '}');
	t.payload = batch_rows_keep(b);
	batch_rows_timer(w, &t);
	books_keep(&b->books);
}
