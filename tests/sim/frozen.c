/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frozen: see frozen.h.
 *
 * A row's owner (its account, SKU, market) is copied as far as its name:
 * mem_store finds it again by that.
 */
#include "frozen.h"

#include <stdlib.h>

#include "compare_rows.h"
#include "mem_rows.h"

#define FROZEN_STREAMS 8

static struct ch_view
text(struct frozen *f, struct ch_view v)
{
	return v.ptr != NULL ? ch_arena_view(&f->arena, v) : v;
}

/* ---- rows ---- */

static struct org *
copy_org(struct frozen *f, const struct org *from)
{
	struct org *to = ch_arena_calloc(&f->arena, 1, sizeof(*to));

	to->org_id = from->org_id;
	to->row.name = text(f, from->row.name);
	return to;
}

/* Its kind, organisation and name. */
static void *
copy_name(struct frozen *f, const struct row *from)
{
	struct row *to =
		ch_arena_calloc(&f->arena, 1, mem_rows_size(from->kind));

	to->kind = from->kind;
	to->org = copy_org(f, from->org);
	to->name = text(f, from->name);
	to->number = from->number;
	return to;
}

static struct account *
copy_account_name(struct frozen *f, const struct account *from)
{
	struct account *to = copy_name(f, &from->row);

	to->shard = from->shard;
	to->shards = from->shards;
	if (from->whole != NULL)
		to->whole = copy_name(f, &from->whole->row);
	return to;
}

static void
copy_links(struct frozen *f, struct row *row)
{
	struct account *a = (void *)row;
	struct hold *h = (void *)row;
	struct reservation *r = (void *)row;
	struct market *m = (void *)row;
	struct position *p = (void *)row;

	switch ((unsigned)row->kind) {
	case ROW_ACCOUNT:
		if (a->asset != NULL)
			a->asset = copy_name(f, &a->asset->row);
		if (a->whole != NULL)
			a->whole = copy_name(f, &a->whole->row);
		break;
	case ROW_HOLD:
		h->account = copy_account_name(f, h->account);
		break;
	case ROW_RESERVATION:
		r->sku = copy_name(f, &r->sku->row);
		break;
	case ROW_MARKET:
		if (m->payer != NULL)
			m->payer = copy_account_name(f, m->payer);
		break;
	case ROW_POSITION:
		p->account = copy_account_name(f, p->account);
		p->market = copy_name(f, &p->market->row);
		p->outcome = text(f, p->outcome);
		break;
	default:
		break;
	}
}

static struct row *
copy_row(struct frozen *f, const struct row *from)
{
	size_t size = mem_rows_size(from->kind);
	struct row *to = ch_arena_alloc(&f->arena, size);

	memcpy(to, from, size);
	to->org = copy_org(f, from->org);
	to->name = text(f, from->name);
	mem_rows_copy(to, from, &f->arena); /* texts of its columns */
	copy_links(f, to);
	return to;
}

static void
copy_sets(struct frozen *f, const struct books *b)
{
	for (unsigned k = ROW_ASSET; k < ROW_ID; k++) {
		const struct row_set *from = &b->sets[k];
		struct row_set *to = &f->batch.books.sets[k];

		if (from->count == 0)
			continue;
		to->rows = ch_arena_alloc(&f->arena,
			from->count * sizeof(struct row *));
		for (size_t i = 0; i < from->count; i++) {
			if (from->rows[i]->dirty)
				to->rows[to->count++] =
					copy_row(f, from->rows[i]);
		}
	}
}

/* ---- the log ---- */

static void
copy_moves(struct frozen *f, struct transfer_post *post)
{
	struct command_move *moves =
		ch_arena_calloc(&f->arena, post->count + 1, sizeof(*moves));

	for (size_t i = 0; i < post->count; i++) {
		moves[i].from_name = text(f, post->moves[i].from_name);
		moves[i].to_name = text(f, post->moves[i].to_name);
		moves[i].amount = text(f, post->moves[i].amount);
	}
	post->moves = moves;
}

/* What a later reversal wants to know of a command. */
static void
copy_command(struct frozen *f, struct command *to, const struct command *from)
{
	*to = *from;
	to->org = copy_org(f, from->org);
	if (to->type == COMMAND_TRANSFER_POST)
		copy_moves(f, &to->as.transfer_post);
	if (to->type != COMMAND_GROUP)
		return;
	to->as.group.members = ch_arena_calloc(&f->arena,
		to->as.group.count + 1, sizeof(struct command));
	for (size_t i = 0; i < to->as.group.count; i++)
		copy_command(f, &to->as.group.members[i],
			&from->as.group.members[i]);
}

static void
copy_log(struct frozen *f, const struct batch_out *out)
{
	struct batch_out *to = &f->batch.out;

	to->log = ch_arena_calloc(&f->arena, out->log_count + 1,
		sizeof(*to->log));
	to->log_count = out->log_count;
	for (size_t i = 0; i < out->log_count; i++) {
		struct log_row *l = &to->log[i];
		struct batch_entry *e;

		*l = out->log[i];
		l->org = copy_org(f, out->log[i].org);
		l->result = text(f, out->log[i].result);
		l->changes = (struct ch_view){NULL, 0};
		if (l->entry == NULL)
			continue;
		e = ch_arena_calloc(&f->arena, 1, sizeof(*e));
		if (l->status == STATUS_APPLIED)
			copy_command(f, &e->command, &l->entry->command);
		l->entry = e;
	}
	to->answer_count = out->answer_count;
	to->rejected_count = out->rejected_count;
}

/* mem_store sums them up by account. */
static void
copy_postings(struct frozen *f, const struct batch_out *out)
{
	struct batch_out *to = &f->batch.out;

	to->postings = ch_arena_calloc(&f->arena, out->posting_count + 1,
		sizeof(*to->postings));
	to->posting_count = out->posting_count;
	for (size_t i = 0; i < out->posting_count; i++) {
		to->postings[i].account =
			copy_account_name(f, out->postings[i].account);
		to->postings[i].amount = out->postings[i].amount;
	}
}

/* ---- for the judge ---- */

/* Takes the text into the arena. */
static const char *
keep(struct frozen *f, char *made)
{
	const char *kept = ch_arena_str(&f->arena, ch_view_of(made));

	free(made);
	return kept;
}

static struct outcome *
new_outcome(struct frozen *f, const struct batch *b, enum outcome_kind kind,
	size_t stream)
{
	struct outcome *o = &f->outcomes[f->outcome_count++];

	o->kind = kind;
	o->stream = b->streams[stream].stream;
	o->part = b->streams[stream].part;
	o->topic = ch_arena_str(&f->arena, b->streams[stream].topic);
	return o;
}

static void
tell_log(struct frozen *f, const struct batch *b, const struct log_row *l)
{
	struct outcome *o = new_outcome(f, b, OUTCOME_LOG, l->stream);

	o->pos = l->pos;
	o->log_seq = l->log_seq;
	o->offset = l->src_offset;
	o->timer = l->timer;
	o->takes_id = true;
	o->type = ch_arena_str(&f->arena, l->type);
	o->org = ch_arena_str(&f->arena, l->org->row.name);
	if (l->timer)
		o->command = ch_arena_str(&f->arena, l->command);
	o->result = keep(f, compare_rows_result(l->result, l->timer));
}

static void
tell_answer(struct frozen *f, const struct batch *b, const struct answer_row *a)
{
	struct outcome *o = new_outcome(f, b, OUTCOME_ANSWER, a->stream);

	o->pos = a->pos;
	o->log_seq = a->log_seq;
	o->offset = a->src_offset;
	o->result = keep(f, compare_rows_result(a->result, false));
}

static void
tell_rejected(struct frozen *f, const struct batch *b,
	const struct rejected_row *r)
{
	struct outcome *o = new_outcome(f, b, OUTCOME_REJECTED, r->stream);

	o->pos = r->pos;
	o->log_seq = r->log_seq;
	o->offset = r->entry->record.offset;
	o->is_poison = r->entry->poison != NULL;
	o->error_class = ch_arena_str(&f->arena, ch_view_of(r->error_class));
	o->result = "";
}

/* The three tables merged by pos. */
static void
tell_outcomes(struct frozen *f, const struct batch *b)
{
	const struct batch_out *out = &b->out;
	size_t l = 0, a = 0, r = 0;

	f->outcomes = ch_arena_calloc(&f->arena,
		out->log_count + out->answer_count + out->rejected_count + 1,
		sizeof(*f->outcomes));
	for (int32_t pos = 0; pos < out->next_pos; pos++) {
		if (l < out->log_count && out->log[l].pos == pos)
			tell_log(f, b, &out->log[l++]);
		else if (a < out->answer_count && out->answers[a].pos == pos)
			tell_answer(f, b, &out->answers[a++]);
		else if (r < out->rejected_count && out->rejected[r].pos == pos)
			tell_rejected(f, b, &out->rejected[r++]);
	}
}

static void
tell_effects(struct frozen *f, const struct batch_out *out)
{
	bool timer;

	f->postings = ch_arena_calloc(&f->arena, out->posting_count + 1,
		sizeof(char *));
	f->events = ch_arena_calloc(&f->arena, out->event_count + 1,
		sizeof(char *));
	for (size_t i = 0; i < out->posting_count; i++)
		f->postings[f->posting_count++] = keep(f,
			compare_rows_posting(&out->postings[i],
				compare_rows_is_timer(out,
					out->postings[i].pos),
				f->context.decided_at));
	for (size_t i = 0; i < out->event_count; i++)
		f->events[f->event_count++] =
			keep(f, compare_rows_event(&out->events[i], &timer));
}

struct frozen *
frozen_new(const struct batch *b, const struct batch_context *context)
{
	struct frozen *f = ch_xcalloc(1, sizeof(*f));

	f->context.number = context->number;
	f->context.decided_at = context->decided_at;
	f->records = b->count;
	f->batch.out.next_pos = b->out.next_pos;
	f->batch.streams = ch_arena_calloc(&f->arena, b->stream_count + 1,
		sizeof(*f->batch.streams));
	f->batch.stream_count = b->stream_count;
	for (size_t i = 0; i < b->stream_count; i++)
		f->batch.streams[i] = b->streams[i];
	copy_sets(f, &b->books);
	copy_log(f, &b->out);
	copy_postings(f, &b->out);
	tell_outcomes(f, b);
	tell_effects(f, &b->out);
	return f;
}

/* ---- trades ---- */

struct frozen *
frozen_new_trades(void)
{
	struct frozen *f = ch_xcalloc(1, sizeof(*f));

	f->is_trades = true;
	f->trades =
		ch_arena_alloc(&f->arena, FROZEN_TRADES * sizeof(*f->trades));
	f->outcomes =
		ch_arena_alloc(&f->arena, FROZEN_TRADES * sizeof(*f->outcomes));
	f->batch.streams = ch_arena_alloc(&f->arena,
		FROZEN_STREAMS * sizeof(*f->batch.streams));
	return f;
}

void
frozen_add_trade(struct frozen *f, const struct public_trade *t)
{
	if (f->trade_count == FROZEN_TRADES)
		abort();
	f->trades[f->trade_count++] = *t;
}

void
frozen_add_letter(struct frozen *f, const struct outcome *letter)
{
	struct outcome *o = &f->outcomes[f->outcome_count++];

	if (f->outcome_count > FROZEN_TRADES)
		abort();
	*o = *letter;
	o->topic = ch_arena_str(&f->arena, ch_view_of(letter->topic));
	o->error_class =
		ch_arena_str(&f->arena, ch_view_of(letter->error_class));
	f->batch.out.rejected_count++;
}

void
frozen_add_stream(struct frozen *f, int32_t stream, int64_t next_log_seq)
{
	if (f->batch.stream_count == FROZEN_STREAMS)
		abort();
	f->batch.streams[f->batch.stream_count++] = (struct batch_stream){
		.stream = stream, .next_log_seq = next_log_seq};
}

void
frozen_free(struct frozen *f)
{
	if (f == NULL)
		return;
	ch_arena_free(&f->arena);
	free(f);
}
