/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweep: asking for what is due, settling it in bounded batches, paying the
 * holders of settled markets page by page.
 */
#include "sweep.h"

#include <stdio.h>

#include "base/log.h"
#include "alert.h"
#include "ledger_writer_sql.h"
#include "meters.h"

static const struct ch_pg_stmt due_skus = {"", ledger_writer_sql_due_skus};
static const struct ch_pg_stmt due_accounts = {
	"", ledger_writer_sql_due_accounts};
static const struct ch_pg_stmt orphaned_streams = {
	"", ledger_writer_sql_orphaned_streams};
static const struct ch_pg_stmt settling_markets = {
	"", ledger_writer_sql_settling_markets};
static const struct ch_pg_stmt page_positions = {
	"", ledger_writer_sql_page_positions};

void
sweep_init(struct sweep *w, struct apply *apply, struct intake *intake)
{
	*w = (struct sweep){.rt = apply->rt,
		.session = apply->session,
		.intake = intake,
		.apply = apply,
		.next_at = ch_clock_mono(apply->rt->clock),
		.most = ch_params_int(apply->rt->params, "sweep_rows"),
		.page = LEDGER_PAGE,
		.load = load_new(&intake->next->batch.reader.limits)};
	ch_pg_array_init(&w->aside, CH_PG_INT8_ARRAY);
}

void
sweep_free(struct sweep *w)
{
	ch_pg_array_free(&w->aside);
	load_free(w->load);
}

static struct aside *
aside_of(const struct sweep *w)
{
	return &w->apply->locks.rows.aside;
}

/* The numbers of that kind that are set aside. */
static struct ch_pg_array *
numbers_aside(struct sweep *w, enum row_kind kind)
{
	size_t at = 0;
	int64_t number;
	ch_pg_array_clear(&w->aside);
	while ((number = aside_next(aside_of(w), kind, &at)) != 0)
		ch_pg_array_i64(&w->aside, number);
	return &w->aside;
}

/* Ours: a stopped one is not swept, but counts as somebody's, since its backend
 * lives. */
static size_t
own_streams(const struct sweep *w, bool stopped_too,
	struct ch_pg_array *streams)
{
	ch_pg_array_init(streams, CH_PG_INT4_ARRAY);
	for (size_t i = 0; i < w->intake->partitions.count; i++) {
		const struct partition *p = w->intake->partitions.items[i];
		bool ours = p->state == PARTITION_OWNED ||
			(stopped_too && p->state == PARTITION_STOPPED);
		if (ours && p->kind == TOPIC_COMMANDS)
			ch_pg_array_i32(streams, p->stream);
	}
	return (size_t)streams->count;
}

static void
put_topics(const struct sweep *w, struct ch_pg_array *topics)
{
	size_t n = 0;
	const char *const *names =
		ch_params_list(w->rt->params, "commands_topics", &n);
	ch_pg_array_init(topics, CH_PG_TEXT_ARRAY);
	for (size_t i = 0; i < n; i++)
		ch_pg_array_text(topics, ch_view_of(names[i]));
}

/* What nobody's partitions made would run out unseen. */
static int
add_orphans(struct sweep *w, struct ch_pg_array *streams, struct ch_err *err)
{
	struct ch_pg_array topics, held;
	struct ch_pg_args a;
	PGresult *res = NULL;
	put_topics(w, &topics);
	(void)own_streams(w, true, &held);
	ch_pg_args_clear(&a);
	ch_pg_arg_array(&a, &held);
	ch_pg_arg_array(&a, &topics);
	int rc = session_query(w->session, &orphaned_streams, &a, &res, err);
	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		int32_t stream = ch_pg_next_i32(&r);
		if (ch_pg_row_ok(&r, err))
			ch_pg_array_i32(streams, stream);
		else
			rc = err->code;
	}
	PQclear(res);
	ch_pg_array_free(&topics);
	ch_pg_array_free(&held);
	return rc;
}

/* An organisation by number and name, as the first columns of an answer. */
static struct org *
next_org(struct books *b, struct ch_pg_row *r)
{
	int32_t org_id = ch_pg_next_i32(r);
	struct org *org = books_org(b, ch_pg_next_text(r));
	org->org_id = org_id;
	return org;
}

static void
want_sku(struct books *b, struct ch_pg_row *r)
{
	struct org *org = next_org(b, r);
	int64_t number = ch_pg_next_i64(r);
	struct ch_view name = ch_pg_next_text(r);
	if (r->bad == 0)
		books_found_sku(books_sku(b, org, name), number);
}

/* names.c finds the rest of it. */
static void
want_account(struct books *b, struct ch_pg_row *r)
{
	struct org *org = next_org(b, r);
	(void)books_account(b, org, ch_pg_next_text(r));
}

/* The owners of what is due, by one statement, into the load. */
static int
want_owners(struct sweep *w, const struct ch_pg_stmt *stmt,
	struct ch_pg_array *streams, struct ch_pg_array *aside,
	void (*want)(struct books *b, struct ch_pg_row *r), struct ch_err *err)
{
	struct ch_pg_args a;
	PGresult *res = NULL;
	ch_pg_args_clear(&a);
	ch_pg_arg_array(&a, streams);
	ch_pg_arg_time(&a, ch_clock_wall(w->rt->clock));
	ch_pg_arg_i64(&a, w->most);
	ch_pg_arg_array(&a, aside);
	int rc = session_query(w->session, stmt, &a, &res, err);
	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		want(&w->load->batch.books, &r);
		if (!ch_pg_row_ok(&r, err))
			rc = err->code;
	}
	PQclear(res);
	return rc;
}

/* Puts the SKUs and accounts with something due into the load. */
static int
find_due(struct sweep *w, struct ch_pg_array *streams, struct ch_err *err)
{
	int rc = want_owners(w, &due_skus, streams,
		numbers_aside(w, ROW_RESERVATION), want_sku, err);
	if (rc == 0)
		rc = want_owners(w, &due_accounts, streams,
			numbers_aside(w, ROW_HOLD), want_account, err);
	return rc;
}

/* ---- what is refused ---- */

static void
show_aside(const struct sweep *w)
{
	static const enum row_kind kinds[] = {
		ROW_HOLD, ROW_RESERVATION, ROW_MARKET};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		ch_series_set(ch_metrics_series(w->rt->metrics, LM_SET_ASIDE,
				      aside_kind_name(kinds[i])),
			(int64_t)aside_count(aside_of(w), kinds[i]));
}

/* It was refused alone, twice: it waits for an operator. */
static void
set_aside(struct sweep *w, struct due_ref due)
{
	struct ch_err why = CH_ERR_INIT;
	int64_t wait = ch_params_ms(w->rt->params, "aside_retry");
	const char *kind = aside_kind_name(due.kind);
	char mend[192];
	ch_err_set(&why, CH_EINVAL, "%s %s", w->apply->sqlstate, w->apply->why);
	(void)snprintf(mend, sizeof(mend),
		"SELECT * FROM %s.%s WHERE %s_id = "
		"%lld; mend what refuses it: it is tried again after %lld s, "
		"or by a writer that starts",
		ch_params_str(w->rt->params, "schema"),
		due.kind == ROW_HOLD		 ? "holds"
			: due.kind == ROW_MARKET ? "ledger_markets"
						 : "reservations",
		kind, (long long)due.number, (long long)wait / 1000);
	struct ch_mono back_at = {
		ch_clock_mono(w->rt->clock).ns + wait * 1000000};
	bool first = locks_set_aside(&w->apply->locks, due, back_at);
	ch_error("due.set_aside", CH_S("kind", kind),
		CH_I("number", due.number), CH_ERR(&why), CH_S("mend", mend));
	show_aside(w);
	if (first)
		alert_set_aside(w->session, &due, &why, mend);
}

/* Fewer are tried, until one stands alone. */
static enum sweep_end
refused(struct sweep *w)
{
	struct due_ref due = w->apply->locks.rows.due_first;
	if (due.number == 0)
		return SWEEP_NOTHING; /* so it was not for what is due */
	if (w->most > 1)
		w->most /= 2;
	else if (aside_refused(aside_of(w), due))
		set_aside(w, due);
	return SWEEP_SOME;
}

static void
take_back(struct sweep *w, struct ch_mono now)
{
	size_t n = aside_take_back(aside_of(w), now);
	if (n == 0)
		return;
	ch_info("due.taken_back", CH_U("count", n));
	show_aside(w);
}

/* ---- what runs out ---- */

static enum sweep_end
settle(struct sweep *w)
{
	if (!load_take_lowest(w->load, &w->intake->partitions))
		return SWEEP_FAILED;
	w->apply->locks.rows.due_first.number = 0;
	switch (apply_load(w->apply, w->load, w->most, false)) {
	case APPLY_DONE:
		aside_passed(aside_of(w), w->apply->locks.rows.due_first);
		w->most = ch_params_int(w->rt->params, "sweep_rows");
		if (w->load->batch.counts.timers == 0)
			return SWEEP_NOTHING;
		ch_info("sweep.settled",
			CH_U("count", w->load->batch.counts.timers));
		ch_series_add(ch_metrics_series(w->rt->metrics, LM_BATCHES,
				      "sweep"),
			1);
		return SWEEP_SOME;
	case APPLY_ROWS:
		return refused(w);
	case APPLY_DUE: /* of other loads only, as the next */
	case APPLY_LARGE:
	case APPLY_AGAIN:
	case APPLY_LATER:
	case APPLY_FENCED:
	case APPLY_DOWN:
		break; /* the next turn tries again */
	}
	return SWEEP_FAILED;
}

/* The owners that a refused command names, without the command. */
static size_t
copy_owners(struct books *to, const struct books *from)
{
	for (size_t i = 0; i < books_count(from, ROW_SKU); i++) {
		const struct sku *s = books_sku_at(from, i);
		struct org *org = books_org(to, s->row.org->row.name);
		org->org_id = s->row.org->org_id;
		if (s->row.number != 0)
			books_found_sku(books_sku(to, org, s->row.name),
				s->row.number);
	}
	for (size_t i = 0; i < books_count(from, ROW_ACCOUNT); i++) {
		const struct account *a = books_account_at(from, i);
		struct org *org = books_org(to, a->row.org->row.name);
		org->org_id = a->row.org->org_id;
		if (a->row.number != 0 && a->whole == NULL && a->shards == 0)
			(void)books_account(to, org, a->row.name);
	}
	return books_count(to, ROW_SKU) + books_count(to, ROW_ACCOUNT);
}

enum sweep_end
sweep_owners(struct sweep *w, const struct books *b, struct ch_time at,
	int transactions)
{
	enum sweep_end first = SWEEP_NOTHING;
	enum sweep_end end = SWEEP_SOME;
	/* another partition's last time may be later than ours */
	w->apply->locks.not_before = at;
	for (int turn = 0; turn < transactions && end == SWEEP_SOME; turn++) {
		load_clear(w->load);
		end = copy_owners(&w->load->batch.books, b) > 0 ? settle(w)
								: SWEEP_NOTHING;
		if (turn == 0)
			first = end;
	}
	load_clear(w->load);
	w->apply->locks.not_before.us = 0;
	return end == SWEEP_FAILED ? end : first;
}

/* ---- pages of settlements ---- */

int
sweep_name_positions(struct session *s, struct load *l, struct market *m,
	int64_t cursor, int64_t page, struct ch_err *err)
{
	struct books *b = &l->batch.books;
	struct org *org = m->row.org;
	struct ch_pg_args a;
	PGresult *res = NULL;
	ch_pg_args_clear(&a);
	ch_pg_arg_i32(&a, org->org_id);
	ch_pg_arg_i64(&a, m->row.number);
	ch_pg_arg_i64(&a, cursor);
	ch_pg_arg_i64(&a, page + 1); /* one more tells of the next page */
	int rc = session_query(s, &page_positions, &a, &res, err);
	for (int i = 0; rc == 0 && i < PQntuples(res) && i < page; i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		struct account *holder =
			books_account(b, org, ch_pg_next_text(&r));
		(void)books_position(b, holder, m, ch_pg_next_text(&r));
		if (!ch_pg_row_ok(&r, err))
			rc = err->code;
	}
	l->pay_cursor = cursor;
	l->pay_last = rc == 0 && PQntuples(res) <= page;
	PQclear(res);
	return rc;
}

/* Names the next page of the oldest settlement into the load. 1: there is
 * one. */
static int
find_page(struct sweep *w, struct ch_pg_array *streams, struct ch_err *err)
{
	struct books *b = &w->load->batch.books;
	struct ch_pg_args a;
	PGresult *res = NULL;
	ch_pg_args_clear(&a);
	ch_pg_arg_array(&a, streams);
	ch_pg_arg_array(&a, numbers_aside(w, ROW_MARKET));
	int rc = session_query(w->session, &settling_markets, &a, &res, err);
	if (rc == 0 && PQntuples(res) == 1) {
		struct ch_pg_row r = ch_pg_row(res, 0);
		struct org *org = next_org(b, &r);
		struct market *m = books_market(b, org, ch_pg_next_text(&r));
		m->wants_change = true;
		m->row.number = ch_pg_next_i64(&r);
		(void)books_account(b, org, ch_pg_next_text(&r));
		int64_t cursor = ch_pg_next_i64(&r);
		w->load->pay = m;
		rc = ch_pg_row_ok(&r, err)
			? sweep_name_positions(w->session, w->load, m, cursor,
				  w->page, err)
			: err->code;
		rc = rc == 0 ? 1 : rc;
	}
	PQclear(res);
	return rc;
}

/* It may be an expiry on a holder's account that is refused, which another
 * owner sweeps and has set aside for itself only. */
static enum sweep_end
settle_holders(struct sweep *w, int transactions)
{
	struct load *page = w->load;
	w->load = load_new(&page->batch.reader.limits);
	enum sweep_end end = sweep_owners(w, &page->batch.books,
		w->apply->locks.context.decided_at, transactions);
	load_free(w->load);
	w->load = page;
	return end;
}

/* When nothing is due on its holders, it is the page itself. */
static void
page_refused(struct sweep *w, const struct market *m)
{
	struct due_ref due = {ROW_MARKET, m->row.number};
	if (settle_holders(w, SWEEP_ALL) != SWEEP_NOTHING)
		return;
	ch_error("settlement.refused", CH_V("org", m->row.org->row.name),
		CH_V("market", m->row.name), CH_I("page", m->page + 1),
		CH_S("sqlstate", w->apply->sqlstate),
		CH_S("error", w->apply->why));
	if (aside_refused(aside_of(w), due))
		set_aside(w, due);
}

/* True: there may be more to pay. */
static bool
pay_page(struct sweep *w, struct ch_pg_array *streams)
{
	struct ch_err err = CH_ERR_INIT;
	load_clear(w->load);
	int found = find_page(w, streams, &err);
	if (found < 0)
		ch_warn("settlement.not_read", CH_ERR(&err));
	if (found != 1 || !load_take_lowest(w->load, &w->intake->partitions))
		return false;
	const struct market *m = w->load->pay;
	size_t positions = books_count(&w->load->batch.books, ROW_POSITION);
	enum apply_end end =
		apply_load(w->apply, w->load, w->apply->due_most, false);
	if (end == APPLY_DONE && w->load->batch.pay.market != NULL) {
		ch_info("settlement.page", CH_V("org", m->row.org->row.name),
			CH_V("market", m->row.name), CH_I("page", m->page),
			CH_U("positions", positions),
			CH_B("last", w->load->pay_last));
		ch_series_add(ch_metrics_series(w->rt->metrics, LM_BATCHES,
				      "settlement"),
			1);
		aside_passed(aside_of(w),
			(struct due_ref){ROW_MARKET, m->row.number});
	} else if (end == APPLY_ROWS) {
		page_refused(w, m);
	}
	if (end == APPLY_DUE)
		return settle_holders(w, SWEEP_A_FEW) == SWEEP_SOME;
	return end == APPLY_DONE;
}

void
sweep_turn(struct sweep *w)
{
	struct ch_err err = CH_ERR_INIT;
	struct ch_mono now = ch_clock_mono(w->rt->clock);
	struct ch_pg_array streams;
	bool more = false;
	if (ch_mono_ms_since(now, w->next_at) < 0)
		return;
	w->next_at.ns =
		now.ns + ch_params_ms(w->rt->params, "sweep_every") * 1000000;
	load_clear(w->load);
	take_back(w, now);
	if (own_streams(w, false, &streams) > 0) {
		if (add_orphans(w, &streams, &err) != 0 ||
			find_due(w, &streams, &err) != 0)
			ch_warn("sweep.failed", CH_ERR(&err));
		else if (books_count(&w->load->batch.books, ROW_SKU) +
				books_count(&w->load->batch.books,
					ROW_ACCOUNT) >
			0)
			more = settle(w) == SWEEP_SOME;
		more = pay_page(w, &streams) || more;
	}
	if (more)
		w->next_at = ch_clock_mono(w->rt->clock);
	ch_pg_array_free(&streams);
	load_clear(w->load);
}

int
sweep_wait_ms(const struct sweep *w)
{
	int64_t ms = -ch_mono_ms_since(ch_clock_mono(w->rt->clock), w->next_at);
	return ms > 0 ? (int)ms : 0;
}
