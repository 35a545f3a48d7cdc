/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem_store: see mem_store.h. The tables are mem_rows.c, the dump is
 * mem_dump.c; here is what apply.c does with them.
 */
#include "mem_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "mem_dump.h"
#include "mem_rows.h"

#define STREAMS_MAX 16
#define RULES_MAX 64

struct stored_stream {
	int32_t stream;
	struct ch_time last_at;
	int64_t next_log_seq;
};

struct mem_store {
	enum mem_store_bug bug;
	unsigned turns; /* counts occasions for the bug */
	struct mem_rows rows;
	struct stored_stream streams[STREAMS_MAX];
	size_t stream_count;
	const struct rate_rule *rules;
	size_t rule_count;
	struct rate_rule
		known[RULES_MAX]; /* every rule so far, by its number */
	size_t known_count;
	struct ch_time last_at; /* of the last commit */
	/* of the page that is loaded */
	struct market *page_market;
	struct position *page[LEDGER_PAGE];
	size_t page_count;
	bool page_last;
	char problem[256];
};

struct mem_store *
mem_store_new(enum mem_store_bug bug)
{
	struct mem_store *s = ch_xcalloc(1, sizeof(*s));

	s->bug = bug;
	mem_rows_init(&s->rows);
	return s;
}

void
mem_store_free(struct mem_store *s)
{
	mem_rows_free(&s->rows);
	free(s);
}

void
mem_store_rates(struct mem_store *s, const struct rate_rule *rules, size_t n)
{
	s->rules = rules;
	s->rule_count = n;
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < s->known_count &&
			s->known[k].rule_id != rules[i].rule_id)
			k++;
		if (k == RULES_MAX)
			abort();
		s->known[k] = rules[i];
		s->known_count += k == s->known_count;
	}
}

struct mem_rows *
mem_store_tables(struct mem_store *s)
{
	return &s->rows;
}

const char *
mem_store_problem(const struct mem_store *s)
{
	return s->problem[0] != '\0' ? s->problem : NULL;
}

static void
complain(struct mem_store *s, const char *what, const struct row *row)
{
	if (s->problem[0] == '\0')
		(void)snprintf(s->problem, sizeof(s->problem), "%s: %.*s/%.*s",
			what, CH_VIEW_ARG(row->org->row.name),
			CH_VIEW_ARG(row->name));
}

/* Has the seeded bug its turn? */
static bool
strikes(struct mem_store *s, enum mem_store_bug bug, unsigned one_in)
{
	return s->bug == bug && ++s->turns % one_in == 0;
}

static struct stored_stream *
stream_of(struct mem_store *s, int32_t stream)
{
	size_t i = 0;

	while (i < s->stream_count && s->streams[i].stream != stream)
		i++;
	if (i == s->stream_count) {
		if (i == STREAMS_MAX)
			abort();
		s->streams[s->stream_count++] =
			(struct stored_stream){stream, {0}, 1};
	}
	return &s->streams[i];
}

/* ---- discovery ---- */

static void
discover_account(struct mem_store *s, struct books *b, struct account *a)
{
	const struct mem_row *m = mem_rows_find(&s->rows, &a->row);
	const struct account *stored;

	if (a->row.number != 0 || m == NULL)
		return;
	stored = (const void *)m->row;
	books_found_account(b, a, m->row->number, stored->asset->row.name,
		stored->asset->scale, stored->shards);
}

static void
discover_hold(struct mem_store *s, struct books *b, struct hold *h)
{
	const struct mem_row *m = mem_rows_find(&s->rows, &h->row);

	if (h->row.number == 0 && m != NULL)
		books_found_hold(b, h, m->row->number,
			((const struct hold *)(const void *)m->row)
				->account->row.name);
}

static void
discover_reservation(struct mem_store *s, struct books *b,
	struct reservation *r)
{
	const struct mem_row *m = mem_rows_find(&s->rows, &r->row);
	const struct sku *sku;

	if (r->row.number != 0 || m == NULL)
		return;
	sku = ((const struct reservation *)(const void *)m->row)->sku;
	books_found_reservation(b, r, m->row->number, sku->row.name,
		sku->row.number);
}

static void
discover_transfer(struct mem_store *s, struct books *b, struct transfer *t)
{
	const struct mem_transfer *m = ch_map_get(s->rows.transfers,
		mem_rows_transfer_key(&s->rows, t->row.org, &t->id, t->member));
	struct command_move *moves = NULL;

	if (t->fact != TRANSFER_UNKNOWN || m == NULL)
		return;
	if (m->moves != NULL) {
		moves = ch_arena_calloc(&b->arena, m->count, sizeof(*moves));
		memcpy(moves, m->moves, m->count * sizeof(*moves));
	}
	books_found_transfer(b, t, moves, m->count);
}

void
mem_store_discover(struct mem_store *s, struct books *b)
{
	for (size_t i = 0; i < books_count(b, ROW_ORG); i++)
		books_org_at(b, i)->org_id = (int32_t)i + 1;
	for (size_t i = 0; i < books_count(b, ROW_HOLD); i++)
		discover_hold(s, b, books_hold_at(b, i));
	for (size_t i = 0; i < books_count(b, ROW_RESERVATION); i++)
		discover_reservation(s, b, books_reservation_at(b, i));
	for (size_t i = 0; i < books_count(b, ROW_TRANSFER); i++)
		discover_transfer(s, b, books_transfer_at(b, i));
	for (size_t i = 0; i < books_count(b, ROW_ACCOUNT); i++)
		discover_account(s, b, books_account_at(b, i));
	for (size_t i = 0; i < books_count(b, ROW_SKU); i++) {
		struct sku *k = books_sku_at(b, i);
		const struct mem_row *m = mem_rows_find(&s->rows, &k->row);

		if (k->row.number == 0 && m != NULL)
			books_found_sku(k, m->row->number);
	}
}

/* ---- loading ---- */

void
mem_store_load_ids(struct mem_store *s, struct books *b)
{
	for (size_t i = 0; i < books_count(b, ROW_ID); i++) {
		struct known_id *k = books_id_at(b, i);
		const struct mem_row *m = mem_rows_find(&s->rows, &k->row);
		const struct known_id *stored;

		if (m == NULL || row_is_there(&k->row) ||
			strikes(s, MEM_STORE_FORGETS_IDS, 50))
			continue;
		stored = (const void *)m->row;
		books_load_id(b, k, &stored->payload_hash, stored->result);
	}
}

static void
age(struct mem_store *s, struct row *row, const struct mem_row *m)
{
	if (row->kind != ROW_ACCOUNT || !strikes(s, MEM_STORE_STALE_ROWS, 100))
		return;
	((struct account *)(void *)row)->balance = m->before;
	row->version = m->version_before;
}

void
mem_store_load_row(struct mem_store *s, struct books *b, struct row *row)
{
	const struct mem_row *m;
	struct market *market = (void *)row;
	const struct market *stored;

	if (row->state != ROW_WANTED)
		return;
	m = mem_rows_find(&s->rows, row);
	if (m == NULL)
		return;
	row->number = m->row->number;
	mem_rows_copy(row, m->row, &b->arena);
	age(s, row, m);
	stored = (const void *)m->row;
	/* whoever pays a page has named the payer; nobody else needs him */
	if (row->kind == ROW_MARKET && stored->payer != NULL)
		market->payer = books_find_account(b, row->org,
			stored->payer->row.name);
	books_loaded(row);
}

static void
load_kind(struct mem_store *s, struct books *b, enum row_kind kind)
{
	for (size_t i = 0; i < books_count(b, kind); i++)
		mem_store_load_row(s, b, b->sets[kind].rows[i]);
}

/* Every position with a lock, of the accounts that a skim may touch. */
static void
want_locks(struct mem_store *s, struct books *b)
{
	for (size_t i = 0; i < books_count(b, ROW_ACCOUNT); i++) {
		struct account *a = books_account_at(b, i);
		const struct mem_row *m = mem_rows_find(&s->rows, &a->row);

		for (size_t k = 0;
			a->wants_locks && m != NULL && k < m->positions.count;
			k++) {
			const struct position *p =
				(const void *)m->positions.rows[k];

			(void)books_position(b, a,
				books_market(b, a->row.org,
					p->market->row.name),
				p->outcome);
		}
	}
}

/* Units of the outcome in all stored positions of the market. */
static ch_wide
holding_of(const struct mem_row *market, struct ch_view outcome)
{
	ch_wide units = 0;

	for (size_t i = 0; i < market->positions.count; i++) {
		const struct position *p =
			(const void *)market->positions.rows[i];

		if (ch_view_eq(p->outcome, outcome))
			units += p->qty.minor;
	}
	return units;
}

void
mem_store_load_holdings(struct mem_store *s, struct books *b)
{
	for (size_t i = 0; i < books_count(b, ROW_MARKET); i++) {
		struct market *m = books_market_at(b, i);
		const struct mem_row *stored = mem_rows_find(&s->rows, &m->row);

		for (struct market_settle *e = m->settles; e != NULL;
			e = e->next)
			for (size_t k = 0; k < e->payout_count; k++)
				e->payouts[k].units = stored == NULL
					? 0
					: holding_of(stored,
						  e->payouts[k].outcome);
	}
}

void
mem_store_stream(struct mem_store *s, struct batch_stream *stream)
{
	const struct stored_stream *stored = stream_of(s, stream->stream);

	stream->last_at = stored->last_at;
	stream->next_log_seq = stored->next_log_seq;
}

void
mem_store_load(struct mem_store *s, struct batch *b)
{
	struct books *books = &b->books;

	for (size_t i = 0; i < b->stream_count; i++)
		mem_store_stream(s, &b->streams[i]);
	mem_store_discover(s, books);
	books_want_shards(books, batch_parts(b), b->stream_count);
	batch_want_rates(b, s->rules, s->rule_count);
	want_locks(s, books);
	for (unsigned k = ROW_ASSET; k < ROW_ID; k++)
		load_kind(s, books, (enum row_kind)k);
	mem_store_load_holdings(s, books);
	mem_store_load_ids(s, books);
	books_close_lookup(books);
}

/* ---- what is due ---- */

int64_t
mem_store_deadline(const struct row *row)
{
	const struct hold *h = (const void *)row;
	const struct reservation *r = (const void *)row;

	if (row->kind == ROW_HOLD)
		return h->expires ? h->expires_at.us : INT64_MAX;
	return r->expires ? r->expires_at.us : INT64_MAX;
}

void
mem_store_load_due_row(struct books *b, struct row *owner,
	const struct row *stored)
{
	struct hold *h;
	struct reservation *r;
	struct row *row;

	if (stored->kind == ROW_HOLD) {
		h = books_hold(b, owner->org, stored->name);
		row = &h->row;
		if (row->state != ROW_LOADED)
			books_found_hold(b, h, stored->number, owner->name);
	} else {
		r = books_reservation(b, owner->org, stored->name);
		row = &r->row;
		if (row->state != ROW_LOADED)
			books_found_reservation(b, r, stored->number,
				owner->name, owner->number);
	}
	if (row->state == ROW_LOADED)
		return;
	row->state = ROW_WANTED;
	mem_rows_copy(row, stored, &b->arena);
	books_loaded(row);
}

static void
load_due_of(struct mem_store *s, struct books *b, struct row *owner, int64_t at)
{
	struct mem_row *m;

	if (owner->state != ROW_LOADED)
		return;
	m = mem_rows_find(&s->rows, owner);
	if (m == NULL || m->next_due > at)
		return;
	m->next_due = INT64_MAX;
	for (size_t i = 0; i < m->open.count; i++) {
		int64_t deadline = mem_store_deadline(m->open.rows[i]);

		if (deadline < m->next_due)
			m->next_due = deadline;
		if (deadline <= at && s->bug != MEM_STORE_SKIPS_DUE)
			mem_store_load_due_row(b, owner, m->open.rows[i]);
	}
}

void
mem_store_load_due(struct mem_store *s, struct batch *b, struct ch_time at)
{
	size_t accounts = books_count(&b->books, ROW_ACCOUNT);
	size_t skus = books_count(&b->books, ROW_SKU);

	for (size_t i = 0; i < accounts; i++)
		load_due_of(s, &b->books, &books_account_at(&b->books, i)->row,
			at.us);
	for (size_t i = 0; i < skus; i++)
		load_due_of(s, &b->books, &books_sku_at(&b->books, i)->row,
			at.us);
	books_close_lookup(&b->books);
}

/* ---- pages of settlements ---- */

static const struct mem_row *
settling(struct mem_store *s, struct ch_view org, struct ch_view market)
{
	const struct mem_list *all = &s->rows.all[ROW_MARKET];

	for (size_t k = 0; k < all->count; k++) {
		const struct mem_row *m = (const void *)all->rows[k];

		if (((const struct market *)(const void *)m->row)->state ==
				MARKET_SETTLING &&
			ch_view_eq(m->row->org->row.name, org) &&
			ch_view_eq(m->row->name, market))
			return m;
	}
	return NULL;
}

bool
mem_store_want_page(struct mem_store *s, struct batch *b, struct ch_view in_org,
	struct ch_view market, size_t most)
{
	const struct mem_row *m = settling(s, in_org, market);
	const struct market *stored;
	struct org *org;

	if (m == NULL)
		return false;
	stored = (const void *)m->row;
	org = books_org(&b->books, m->row->org->row.name);
	s->page_market = books_market(&b->books, org, m->row->name);
	s->page_market->wants_change = true;
	(void)books_account(&b->books, org, stored->payer->row.name);
	s->page_count = 0;
	s->page_last = true;
	for (size_t k = 0; k < m->positions.count; k++) {
		const struct position *p = (const void *)m->positions.rows[k];

		if (p->row.number <= stored->cursor)
			continue;
		s->page_last = s->page_count < most;
		if (!s->page_last)
			break;
		s->page[s->page_count++] = books_position(&b->books,
			books_account(&b->books, org, p->account->row.name),
			s->page_market, p->outcome);
	}
	return true;
}

void
mem_store_page(struct mem_store *s, struct batch *b)
{
	b->pay = (struct market_page){
		s->page_market, s->page, s->page_count, s->page_last};
}

/* ---- writing ---- */

static struct mem_row *
stored_row(struct mem_store *s, const struct row *row)
{
	struct mem_row *m;

	if (!row->created)
		return mem_rows_find(&s->rows, row);
	m = mem_rows_insert(&s->rows, row);
	if (m == NULL) {
		complain(s, "unique violation", row);
		return mem_rows_find(&s->rows, row);
	}
	return m;
}

static struct row *
stored_owner(struct mem_store *s, const struct row *row)
{
	return mem_rows_find(&s->rows, row)->row;
}

static void
write_account(struct mem_store *s, struct mem_row *m, const struct account *a)
{
	struct account *stored = (void *)m->row;

	if (a->has_floor && a->balance.minor - a->held.minor < a->floor.minor)
		complain(s, "balances_floor", &a->row);
	if (a->held.minor < 0)
		complain(s, "held", &a->row);
	if (!a->row.created)
		return;
	stored->asset = (void *)stored_owner(s, &a->asset->row);
	stored->shards = a->shards;
	stored->shard = a->shard;
	if (a->whole != NULL)
		stored->whole = (void *)stored_owner(s, &a->whole->row);
}

static void
list_open(struct mem_row *owner, struct row *row, bool open)
{
	mem_list_drop(&owner->open, row);
	if (!open)
		return;
	mem_list_add(&owner->open, row);
	if (mem_store_deadline(row) < owner->next_due)
		owner->next_due = mem_store_deadline(row);
}

static void
link_row(struct mem_store *s, struct mem_row *m, const struct row *row)
{
	const struct hold *h = (const void *)row;
	const struct reservation *r = (const void *)row;
	const struct position *p = (const void *)row;
	const struct market *k = (const void *)row;

	switch ((unsigned)row->kind) {
	case ROW_HOLD:
		((struct hold *)(void *)m->row)->account =
			(void *)stored_owner(s, &h->account->row);
		list_open(mem_rows_find(&s->rows, &h->account->row), m->row,
			h->state == HOLD_HELD);
		break;
	case ROW_RESERVATION:
		((struct reservation *)(void *)m->row)->sku =
			(void *)stored_owner(s, &r->sku->row);
		list_open(mem_rows_find(&s->rows, &r->sku->row), m->row,
			r->state == RESERVATION_RESERVED);
		break;
	case ROW_MARKET:
		if (k->payer != NULL)
			((struct market *)(void *)m->row)->payer =
				(void *)stored_owner(s, &k->payer->row);
		break;
	case ROW_POSITION:
		if (!row->created)
			break;
		((struct position *)(void *)m->row)->account =
			(void *)stored_owner(s, &p->account->row);
		((struct position *)(void *)m->row)->market =
			(void *)stored_owner(s, &p->market->row);
		((struct position *)(void *)m->row)->outcome =
			ch_arena_view(&s->rows.arena, p->outcome);
		mem_list_add(
			&mem_rows_find(&s->rows, &p->account->row)->positions,
			m->row);
		mem_list_add(
			&mem_rows_find(&s->rows, &p->market->row)->positions,
			m->row);
		break;
	default:
		break;
	}
}

static void
write_row(struct mem_store *s, struct row *row)
{
	struct mem_row *m = stored_row(s, row);
	const struct sku *k = (const void *)row;

	if (row->kind == ROW_ACCOUNT) {
		m->before = ((struct account *)(void *)m->row)->balance;
		m->version_before = row->created ? 1 : m->row->version;
	}
	if (row->kind == ROW_SKU && !row->created &&
		strikes(s, MEM_STORE_LOSES_AN_UPDATE, 500))
		return;
	mem_rows_copy(m->row, row, &s->rows.arena);
	if (row->kind == ROW_ACCOUNT)
		write_account(s, m, (const void *)row);
	if (row->kind == ROW_SKU &&
		(k->reserved.units < 0 || k->reserved.units > k->on_hand.units))
		complain(s, "stock_covers", row);
	link_row(s, m, row);
}

static int
by_made(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a;
	const struct row *y = *(struct row *const *)b;

	return (x->made > y->made) - (x->made < y->made);
}

/* New rows in the order in which they were made, as write.c numbers them. */
static void
write_kind(struct mem_store *s, const struct row_set *set)
{
	struct row **rows = ch_xcalloc(set->count + 1, sizeof(*rows));
	size_t n = 0;

	for (size_t i = 0; i < set->count; i++) {
		if (set->rows[i]->dirty)
			rows[n++] = set->rows[i];
	}
	qsort(rows, n, sizeof(*rows), by_made);
	for (size_t i = 0; i < n; i++)
		write_row(s, rows[i]);
	free(rows);
}

static void
write_rows(struct mem_store *s, struct books *b)
{
	for (unsigned k = ROW_ASSET; k < ROW_ID; k++)
		write_kind(s, &b->sets[k]);
}

static void
write_transfer(struct mem_store *s, const struct command *c, int32_t member)
{
	struct mem_transfer *t = ch_arena_calloc(&s->rows.arena, 1, sizeof(*t));

	if (c->type == COMMAND_TRANSFER_POST) {
		t->count = c->as.transfer_post.count;
		t->moves = ch_arena_calloc(&s->rows.arena, t->count,
			sizeof(*t->moves));
	}
	for (size_t i = 0; i < t->count; i++) {
		const struct command_move *m = &c->as.transfer_post.moves[i];

		t->moves[i].from_name =
			ch_arena_view(&s->rows.arena, m->from_name);
		t->moves[i].to_name = ch_arena_view(&s->rows.arena, m->to_name);
		t->moves[i].amount = ch_arena_view(&s->rows.arena, m->amount);
	}
	(void)ch_map_put(s->rows.transfers,
		mem_rows_transfer_key(&s->rows, c->org, &c->id, member), t);
}

static void
write_transfers(struct mem_store *s, const struct log_row *l)
{
	const struct command *c = &l->entry->command;

	if (l->status != STATUS_APPLIED)
		return;
	write_transfer(s, c, -1);
	for (size_t i = 0; c->type == COMMAND_GROUP && i < c->as.group.count;
		i++)
		write_transfer(s, &c->as.group.members[i], (int32_t)i);
}

static void
write_ids(struct mem_store *s, const struct batch_out *out)
{
	for (size_t i = 0; i < out->log_count; i++) {
		const struct log_row *l = &out->log[i];
		struct org org = *l->org;
		struct row row = {.kind = ROW_ID,
			.org = &org,
			.name = {(const char *)l->id.bytes, 16}};
		struct mem_row *m = mem_rows_insert(&s->rows, &row);
		struct known_id *k;

		if (m == NULL) {
			complain(s, "an id twice", &row);
			continue;
		}
		k = (void *)m->row;
		k->payload_hash = l->payload_hash;
		k->result = ch_arena_view(&s->rows.arena, l->result);
		if (!l->timer)
			write_transfers(s, l);
	}
}

static void
write_postings(struct mem_store *s, const struct batch_out *out)
{
	for (size_t i = 0; i < out->posting_count; i++) {
		const struct posting_row *p = &out->postings[i];

		if (!strikes(s, MEM_STORE_LOSES_A_POSTING, 2000))
			mem_rows_find(&s->rows, &p->account->row)->posted +=
				p->amount.minor;
	}
}

static void
check_log_seq(struct mem_store *s, const struct batch *b)
{
	const struct batch_out *out = &b->out;
	int64_t moved = 0;

	for (size_t i = 0; i < b->stream_count; i++)
		moved += b->streams[i].next_log_seq -
			stream_of(s, b->streams[i].stream)->next_log_seq;
	if (moved !=
		(int64_t)(out->log_count + out->answer_count +
			out->rejected_count))
		(void)snprintf(s->problem, sizeof(s->problem),
			"log_seq moved by %lld for %zu rows", (long long)moved,
			out->log_count + out->answer_count +
				out->rejected_count);
}

void
mem_store_commit(struct mem_store *s, struct batch *b,
	const struct batch_context *context)
{
	check_log_seq(s, b);
	write_rows(s, &b->books);
	write_ids(s, &b->out);
	write_postings(s, &b->out);
	/* as the model: of the last decision, in whatever order they commit */
	if (b->out.next_pos > 0 && context->decided_at.us > s->last_at.us)
		s->last_at = context->decided_at;
	for (size_t i = 0; i < b->stream_count; i++) {
		struct stored_stream *stored =
			stream_of(s, b->streams[i].stream);

		stored->next_log_seq = b->streams[i].next_log_seq;
		if (s->bug != MEM_STORE_FORGETS_LAST_AT)
			stored->last_at = context->decided_at;
	}
}

char *
mem_store_dump(struct mem_store *s)
{
	return mem_dump(&(struct mem_dump_of){&s->rows, s->known,
				s->known_count, s->last_at},
		s->problem, sizeof(s->problem));
}
