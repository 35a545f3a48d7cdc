/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch: see batch.h.
 *
 * batch_decide() is two loops: what is due, then the entries in their order.
 * Each decision is turned into rows (batch_rows.c, batch_timers.c), its changes
 * kept or taken back.
 *
 * Invariants: log_seq has no gap: exactly the rows of out carry the numbers
 * that next_log_seq moved over. A decision depends on the entries before it
 * through the books only, so that any split of the records into batches gives
 * the same answers at the same decided_at.
 */
#include "batch.h"

#include <assert.h>
#include <stdlib.h>

#include "batch_rows.h"
#include "batch_timers.h"
#include "decide.h"
#include "market_fill.h"

#define KEEP_BYTES ((size_t)4 << 20)

/* ---- filling ---- */

void
batch_init(struct batch *b, const struct command_limits *limits)
{
	memset(b, 0, sizeof(*b));
	books_init(&b->books);
	command_reader_init(&b->reader, &b->arena, limits);
}

void
batch_free(struct batch *b)
{
	batch_clear_streams(b);
	free(b->streams);
	free(b->entries);
	free(b->out.log);
	free(b->out.answers);
	free(b->out.rejected);
	free(b->out.postings);
	free(b->out.events);
	books_free(&b->books);
	command_reader_free(&b->reader);
	ch_arena_free(&b->arena);
	ch_arena_free(&b->out_arena);
	ch_buf_free(&b->scratch);
	ruling_free(&b->ruling);
	memset(b, 0, sizeof(*b));
}

static void
empty_out(struct batch *b)
{
	b->out.log_count = 0;
	b->out.answer_count = 0;
	b->out.rejected_count = 0;
	b->out.posting_count = 0;
	b->out.event_count = 0;
	b->out.next_pos = 0;
	b->out.bytes = 0;
	b->ruling.looked_at = 0;
	memset(&b->counts, 0, sizeof(b->counts));
	ch_arena_reset(&b->out_arena, KEEP_BYTES);
}

void
batch_clear(struct batch *b)
{
	empty_out(b);
	b->pay = (struct market_page){.market = NULL};
	books_clear(&b->books);
	b->count = 0;
	b->bytes = 0;
	b->events = 0;
	b->weight = 0;
	b->fits = 0;
	ch_arena_reset(&b->arena, KEEP_BYTES);
}

void
batch_clear_streams(struct batch *b)
{
	batch_clear(b);
	for (size_t i = 0; i < b->stream_count; i++)
		free(b->streams[i].topic_owned);
	b->stream_count = 0;
}

void
batch_reset(struct batch *b)
{
	empty_out(b);
	b->pay = (struct market_page){.market = NULL};
	books_reset(&b->books);
}

size_t
batch_add_stream(struct batch *b, int32_t stream, int32_t part,
	struct ch_view topic)
{
	struct batch_stream *s;

	assert(b->stream_count == 0 ||
		b->streams[b->stream_count - 1].stream < stream);
	b->streams = batch_more(b->streams, b->stream_count, &b->stream_cap,
		sizeof(*b->streams));
	s = &b->streams[b->stream_count];
	*s = (struct batch_stream){.stream = stream,
		.part = part,
		.topic_owned = ch_xviewdup(topic),
		.next_log_seq = 1};
	s->topic = ch_view_of(s->topic_owned);
	return b->stream_count++;
}

void
batch_bind_stream(struct batch *b, size_t stream, size_t len)
{
	struct batch_stream *s = &b->streams[stream];

	assert(len <= s->topic.len);
	s->only_org = (struct ch_view){s->topic.ptr + s->topic.len - len, len};
}

void
batch_mark_fills(struct batch *b, size_t stream)
{
	b->streams[stream].fills = true;
}

/* NULL stays NULL: a null key is not an empty one. */
static struct ch_view
copy_bytes(struct batch *b, struct ch_view v)
{
	b->bytes += v.len;
	return v.ptr != NULL ? ch_arena_view(&b->arena, v) : v;
}

static void
copy_record(struct batch *b, struct batch_record *to,
	const struct batch_record *from)
{
	struct batch_header *headers = NULL;

	*to = *from;
	to->key = copy_bytes(b, from->key);
	to->value = copy_bytes(b, from->value);
	if (from->header_count > 0)
		headers = ch_arena_calloc(&b->arena, from->header_count,
			sizeof(*headers));
	for (size_t i = 0; i < from->header_count; i++) {
		headers[i].name = copy_bytes(b, from->headers[i].name);
		headers[i].value = copy_bytes(b, from->headers[i].value);
	}
	to->headers = headers;
}

/* Bytes that one of them takes at most, about: with its row in the books, in
 * an answer of PostgreSQL, in what is written. Measured: test_ledger_cost.py. */
enum {
	WEIGHS_RECORD = 1024,
	WEIGHS_MEMBER = 512,
	WEIGHS_MOVE = 1024, /* two accounts and their postings */
	WEIGHS_SHARD = 320,
	WEIGHS_TRADE = 3072, /* account, market, position, transaction */
	WEIGHS_PAYOUT = 256,
	WEIGHS_LOGGED = 65536 /* a record of the log */
};

/* What a row of the table alone tells (an account's shards, a stake's locked
 * positions) counts in full, or is bounded where it is read. */
static size_t
weigh(const struct command *c)
{
	size_t sum = WEIGHS_MEMBER;

	switch ((unsigned)c->type) {
	case COMMAND_TRANSFER_POST:
		return sum + c->as.transfer_post.count * WEIGHS_MOVE;
	case COMMAND_TRANSFER_REVERSE:
		return sum + WEIGHS_LOGGED + LEDGER_MOVES_MAX * WEIGHS_MOVE;
	case COMMAND_ACCOUNT_OPEN:
		return sum + (size_t)c->as.account_open.shards * WEIGHS_SHARD;
	case COMMAND_ACCOUNT_CLOSE:
		return sum + (size_t)LEDGER_SHARDS_MAX * WEIGHS_SHARD;
	case COMMAND_TRADE_RECORD:
		return sum + WEIGHS_TRADE;
	case COMMAND_MARKET_SETTLE:
		return sum + c->as.market_settle.payout_count * WEIGHS_PAYOUT;
	case COMMAND_GROUP:
		for (size_t i = 0; i < c->as.group.count; i++)
			sum += weigh(&c->as.group.members[i]);
		return sum;
	default:
		return sum;
	}
}

const struct batch_entry *
batch_add(struct batch *b, size_t stream, const struct batch_record *r)
{
	struct batch_entry *e = ch_arena_calloc(&b->arena, 1, sizeof(*e));

	assert(stream < b->stream_count);
	e->stream = stream;
	copy_record(b, &e->record, r);
	b->reader.only_org = b->streams[stream].only_org;
	b->reader.record_at =
		r->has_timestamp ? r->timestamp : (struct ch_time){0};
	e->readable = (b->streams[stream].fills ? market_fill_decode
						: command_decode)(&b->reader,
		e->record.value, &e->command, &e->refusal);
	if (e->readable)
		e->known = books_resolve(&b->books, &e->command);
	b->entries =
		batch_more(b->entries, b->count, &b->cap, sizeof(*b->entries));
	b->entries[b->count++] = e;
	b->events += e->readable && e->command.type == COMMAND_GROUP
		? e->command.as.group.count
		: 1;
	b->weight += WEIGHS_RECORD + (e->readable ? weigh(&e->command) : 0);
	return e;
}

bool
batch_full(const struct batch *b)
{
	return b->events >= BATCH_EVENTS_TAKEN ||
		b->weight >= BATCH_WEIGHT_TAKEN;
}

void
batch_park(struct batch *b, size_t entry, const char *sqlstate,
	struct ch_view reason)
{
	struct batch_entry *e = b->entries[entry];
	struct batch_poison *p = ch_arena_calloc(&b->arena, 1, sizeof(*p));

	(void)ch_view_copy(ch_view_of(sqlstate), p->sqlstate,
		sizeof(p->sqlstate));
	p->reason = ch_arena_view(&b->arena, reason);
	e->poison = p;
	/* what a readable command said of itself is in refusal already */
	e->refusal.error_class = "poison";
	e->refusal.reason = p->reason;
}

struct ch_time
batch_decided_at(const struct batch *b, struct ch_time clock)
{
	struct ch_time at = books_last_at(&b->books);

	if (clock.us > at.us)
		at = clock;
	for (size_t i = 0; i < b->stream_count; i++) {
		if (b->streams[i].last_at.us > at.us)
			at = b->streams[i].last_at;
	}
	return at;
}

void
batch_want_rates(struct batch *b, const struct rate_rule *rules, size_t n)
{
	for (size_t i = 0; n > 0 && i < b->count; i++) {
		const struct batch_entry *e = b->entries[i];
		int32_t part = b->streams[e->stream].part;

		if (!e->readable || e->poison != NULL)
			continue;
		for (size_t k = 0; k < n; k++)
			if (rates_weight(&rules[k], &e->command) > 0)
				(void)rates_window(&b->books, &rules[k],
					&e->command, part);
	}
}

const int32_t *
batch_parts(struct batch *b)
{
	int32_t *parts = ch_arena_calloc(&b->out_arena, b->stream_count + 1,
		sizeof(*parts));

	for (size_t i = 0; i < b->stream_count; i++)
		parts[i] = b->streams[i].part;
	return parts;
}

/* ---- deciding ---- */

static void
count_status(struct batch *b, const struct batch_entry *e, enum decision d)
{
	if (d == DECISION_DUPLICATE)
		b->counts.duplicates++;
	else
		b->counts.by_status[b->ruling.status]++;
	if (d == DECISION_ANSWER && e->command.dry_run)
		b->counts.dry_runs++;
}

static void
decide_one(struct writing *w, const struct batch_entry *e)
{
	struct batch *b = w->batch;
	enum decision d;

	w->stream = e->stream;
	d = decide_entry(&b->ruling, &b->books, e, w->context,
		&b->streams[e->stream]);
	switch (d) {
	case DECISION_REJECT:
		batch_rows_rejected(w, e);
		break;
	case DECISION_ANSWER:
		batch_rows_answer(w, e);
		break;
	case DECISION_DUPLICATE:
		batch_rows_duplicate(w, e);
		break;
	case DECISION_LOG:
		batch_rows_log(w, e);
		break;
	}
	if (d == DECISION_LOG)
		books_keep(&b->books);
	else
		books_undo(&b->books);
	count_status(b, e, d);
}

/* An upper bound of what could leave an event. */
static int
check_events(struct batch *b, struct ch_err *err)
{
	size_t most = books_count(&b->books, ROW_RESERVATION) +
		books_count(&b->books, ROW_HOLD) + 1 + b->events;

	if (most <= BATCH_EVENTS_MAX)
		return 0;
	b->fits = b->count / 2;
	return ch_err_set(err, CH_EFULL,
		"a batch of %zu entries could leave %zu events, more than %d: "
		"use smaller batches",
		b->count, most, BATCH_EVENTS_MAX);
}

/* Its stored answer was left unread beside others (find_ids.sql). */
static bool
lacks_answer(const struct batch_entry *e)
{
	return e->readable && e->poison == NULL &&
		e->known->row.state == ROW_LOADED && e->known->is_unread &&
		ch_digest_eq(e->known->payload_hash.bytes,
			e->command.payload_hash.bytes, CH_SHA256_LEN);
}

/* The one alone is decided whatever it leaves. */
static int
check_room(struct batch *b, size_t i, const struct batch_context *context,
	struct ch_err *err)
{
	size_t made = b->out.bytes + b->ruling.looked_at;
	bool full = context->out_most > 0 && made >= context->out_most;

	if (!lacks_answer(b->entries[i]) && (!full || i == 0))
		return 0;
	b->fits = i;
	return ch_err_set(err, CH_EFULL,
		"%zu of %zu entries make %zu bytes: the rest is another batch",
		i, b->count, made);
}

int
batch_decide(struct batch *b, const struct batch_context *context,
	struct ch_err *err)
{
	struct writing w = {.batch = b, .context = context};
	int rc;

	assert(b->stream_count > 0);
	empty_out(b);
	b->fits = 0;
	rc = check_events(b, err);
	if (rc != 0)
		return rc;
	batch_timers_settle(&w);
	if (b->pay.market != NULL)
		batch_timers_pay(&w);
	for (size_t i = 0; rc == 0 && i < b->count; i++) {
		rc = check_room(b, i, context, err);
		if (rc == 0)
			decide_one(&w, b->entries[i]);
	}
	return rc;
}

/* ---- the order of writing ---- */

static int
compare_keys(const void *a, const void *b)
{
	const struct log_row *x = *(const struct log_row *const *)a;
	const struct log_row *y = *(const struct log_row *const *)b;
	int order;

	if (x->org->org_id != y->org->org_id)
		return x->org->org_id < y->org->org_id ? -1 : 1;
	order = memcmp(x->id.bytes, y->id.bytes, sizeof(x->id.bytes));
	if (order != 0)
		return order;
	return x->day < y->day ? -1 : x->day > y->day;
}

const struct log_row **
batch_log_by_key(struct batch *b)
{
	size_t n = b->out.log_count;
	const struct log_row **rows = ch_arena_alloc(&b->out_arena,
		(n + 1) * sizeof(struct log_row *));

	for (size_t i = 0; i < n; i++)
		rows[i] = &b->out.log[i];
	qsort(rows, n, sizeof(struct log_row *), compare_keys);
	return rows;
}
