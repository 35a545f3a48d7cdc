/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_rows: see batch_rows.h.
 *
 * Invariant: log_seq has no gap: exactly the rows made here carry the numbers
 * that next_log_seq moved over.
 */
#include "batch_rows.h"

#include "change.h"
#include "member.h"

void *
batch_more(void *array, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return array;
	*cap = *cap > 0 ? *cap * 2 : 256;
	return ch_xrealloc(array, *cap, size);
}

static int64_t
take_log_seq(struct writing *w)
{
	return w->batch->streams[w->stream].next_log_seq++;
}

struct ch_view
batch_rows_keep(struct batch *b)
{
	struct ch_view kept =
		ch_arena_view(&b->out_arena, ch_buf_view(&b->scratch));

	ch_buf_clear(&b->scratch);
	b->out.bytes += kept.len;
	return kept;
}

/* *whole (NULL: nobody asks): it shows every row. */
static struct ch_view
write_result(struct writing *w, struct result_head head, bool *whole)
{
	struct batch *b = w->batch;
	bool all;

	head.stream = b->streams[w->stream].stream;
	all = result_write(&b->scratch, &head, &b->ruling);
	if (whole != NULL)
		*whole = all;
	return batch_rows_keep(b);
}

/* The answer of a row of the log, and what it does not say. A refused group has
 * taken back what its members touched. */
static void
write_outcome(struct writing *w, struct log_row *row, struct result_head head)
{
	struct batch *b = w->batch;
	bool whole;

	head.log_seq = row->log_seq;
	row->result = write_result(w, head, &whole);
	change_write(&b->scratch, &b->books, whole);
	row->changes = b->scratch.len > 0 ? batch_rows_keep(b)
					  : (struct ch_view){NULL, 0};
}

static struct ch_view
answer_key(const struct batch_entry *e)
{
	return e->readable && e->command.answer_key.ptr != NULL
		? e->command.answer_key
		: e->record.key;
}

static struct result_head
head_of(const struct command *c, int64_t log_seq)
{
	return (struct result_head){.id = c->id_text,
		.org = c->org_name,
		.type = ch_view_of(command_types[c->type].name),
		.dry_run = c->dry_run,
		.log_seq = log_seq};
}

static void
add_postings(struct writing *w, const struct log_row *row)
{
	struct batch_out *out = &w->batch->out;

	for (size_t i = 0; i < w->batch->ruling.posting_count; i++) {
		const struct ruling_posting *p = &w->batch->ruling.postings[i];

		out->postings = batch_more(out->postings, out->posting_count,
			&out->posting_cap, sizeof(*out->postings));
		out->postings[out->posting_count++] =
			(struct posting_row){.account = p->account,
				.pos = row->pos,
				.leg = (int16_t)i,
				.amount = p->amount,
				.balance_after = p->balance_after,
				.command_id = row->id};
	}
}

/* The same command, place in it and time give the same event id. */
static struct ch_uuid
event_id(struct writing *w, const struct log_row *row, size_t index)
{
	struct batch *b = w->batch;
	struct ch_uuid id;

	ch_buf_adds(&b->scratch, "event/");
	ch_buf_addv(&b->scratch, row->org->row.name);
	ch_buf_addc(&b->scratch, '/');
	ch_buf_add(&b->scratch, row->id.bytes, sizeof(row->id.bytes));
	if (index > 0)
		ch_buf_printf(&b->scratch, "/%zu", index);
	id = ch_uuid_v7_named(w->context->decided_at, ch_buf_view(&b->scratch));
	ch_buf_clear(&b->scratch);
	return id;
}

static struct ch_view
owner_key(struct batch *b, const struct row *owner)
{
	ch_buf_addv(&b->scratch, owner->org->row.name);
	ch_buf_addc(&b->scratch, '/');
	ch_buf_addv(&b->scratch, owner->name);
	return batch_rows_keep(b);
}

/* What the rule wrote, and where in the log it stands. */
static struct ch_view
event_payload(struct writing *w, const struct ruling_event *e,
	const struct log_row *row, struct ch_view id_text)
{
	struct batch *b = w->batch;

	ch_buf_add(&b->scratch, b->ruling.event_text.ptr + e->from, e->len);
	ch_json_add_member(&b->scratch, "command_id", id_text);
	member_seq(&b->scratch, b->streams[w->stream].stream, row->log_seq);
	member_time(&b->scratch, "decided_at", w->context->decided_at);
	ch_buf_addc(&b->scratch, '}');
	return batch_rows_keep(b);
}

static void
add_events(struct writing *w, const struct log_row *row, struct ch_view id_text)
{
	struct batch *b = w->batch;
	struct batch_out *out = &b->out;

	for (size_t i = 0; i < b->ruling.event_count; i++) {
		const struct ruling_event *e = &b->ruling.events[i];

		out->events = batch_more(out->events, out->event_count,
			&out->event_cap, sizeof(*out->events));
		out->events[out->event_count] =
			(struct event_row){.place = (int32_t)out->event_count,
				.id = event_id(w, row, i),
				.aggregatetype = e->aggregatetype,
				.type = e->type,
				.aggregateid = owner_key(b, e->owner),
				.payload = event_payload(w, e, row, id_text),
				.traceparent = row->traceparent};
		out->event_count++;
	}
}

static struct log_row *
new_log_row(struct writing *w)
{
	struct batch_out *out = &w->batch->out;
	struct log_row *row;

	out->log = batch_more(out->log, out->log_count, &out->log_cap,
		sizeof(*out->log));
	row = &out->log[out->log_count++];
	*row = (struct log_row){.stream = w->stream,
		.log_seq = take_log_seq(w),
		.pos = out->next_pos++,
		.status = w->batch->ruling.status};
	return row;
}

/* What this batch posted can be reversed by the rest of it. */
static void
note_transfer(struct books *b, const struct command *c, int32_t member)
{
	struct transfer *t = books_find_transfer(b, c->org, &c->id, member);

	if (t == NULL || t->fact != TRANSFER_UNKNOWN)
		return;
	t->fact_is_ours = true;
	t->fact = TRANSFER_OTHER;
	if (c->type != COMMAND_TRANSFER_POST)
		return;
	t->fact = TRANSFER_POSTED;
	t->moves = c->as.transfer_post.moves;
	t->move_count = c->as.transfer_post.count;
}

static void
note_transfers(struct writing *w, const struct command *c)
{
	struct books *b = &w->batch->books;

	if (books_count(b, ROW_TRANSFER) == 0)
		return;
	note_transfer(b, c, -1);
	for (size_t i = 0; c->type == COMMAND_GROUP && i < c->as.group.count;
		i++)
		note_transfer(b, &c->as.group.members[i], (int32_t)i);
}

void
batch_rows_log(struct writing *w, const struct batch_entry *e)
{
	const struct command *c = &e->command;
	struct log_row *row = new_log_row(w);

	row->entry = e;
	row->org = c->org;
	row->id = c->id;
	row->day = e->known->day;
	row->src_offset = e->record.offset;
	row->type = ch_view_of(command_types[c->type].name);
	row->payload_hash = c->payload_hash;
	row->record_key = answer_key(e);
	row->command = e->record.value;
	row->ref = c->ref;
	row->actor = c->actor;
	row->traceparent = c->traceparent;
	write_outcome(w, row, head_of(c, row->log_seq));
	add_postings(w, row);
	add_events(w, row, c->id_text);
	if (row->status == STATUS_APPLIED)
		note_transfers(w, c);
	/* from here on the id is taken, for the rest of this batch, too */
	e->known->payload_hash = c->payload_hash;
	e->known->result = row->result;
	e->known->is_unread = false;
	e->known->row.state = ROW_LOADED;
	e->known->row.created = true;
}

static struct answer_row *
new_answer_row(struct writing *w, const struct batch_entry *e)
{
	struct batch_out *out = &w->batch->out;
	struct answer_row *row;

	out->answers = batch_more(out->answers, out->answer_count,
		&out->answer_cap, sizeof(*out->answers));
	row = &out->answers[out->answer_count++];
	*row = (struct answer_row){.entry = e,
		.stream = w->stream,
		.log_seq = take_log_seq(w),
		.pos = out->next_pos++,
		.src_offset = e->record.offset,
		.status = w->batch->ruling.status,
		.status_name = ledger_statuses[w->batch->ruling.status].name,
		.record_key = answer_key(e)};
	return row;
}

void
batch_rows_answer(struct writing *w, const struct batch_entry *e)
{
	const struct command *c = &e->command;
	struct answer_row *row = new_answer_row(w, e);

	row->org = c->org;
	row->id_text = c->id_text;
	row->traceparent = c->traceparent;
	row->result = write_result(w, head_of(c, row->log_seq), NULL);
}

void
batch_rows_duplicate(struct writing *w, const struct batch_entry *e)
{
	struct batch *b = w->batch;
	struct answer_row *row = new_answer_row(w, e);

	row->org = e->command.org;
	row->id_text = e->command.id_text;
	row->traceparent = e->command.traceparent;
	row->status_name = "duplicate";
	result_write_duplicate(&b->scratch, e->known->result);
	row->result = batch_rows_keep(b);
}

static struct ch_uuid
letter_id(struct writing *w, const struct batch_entry *e)
{
	struct batch *b = w->batch;
	const struct batch_stream *s = &b->streams[w->stream];
	struct ch_uuid id;

	ch_buf_printf(&b->scratch, "letter/%.*s/%d/%lld", CH_VIEW_ARG(s->topic),
		s->part, (long long)e->record.offset);
	id = ch_uuid_v7_named(w->context->decided_at, ch_buf_view(&b->scratch));
	ch_buf_clear(&b->scratch);
	return id;
}

/* A fill that is well, and was not applied: its letter says what its answer
 * does. */
static bool
is_fact(const struct batch_entry *e)
{
	return e->readable && e->poison == NULL;
}

static struct ch_view
letter_reason(struct batch *b, const struct batch_entry *e)
{
	return is_fact(e)
		? ch_arena_view(&b->out_arena, ch_buf_view(&b->ruling.reason))
		: e->refusal.reason;
}

static void
add_letter(struct writing *w, const struct batch_entry *e)
{
	struct batch_out *out = &w->batch->out;
	struct rejected_row *row;

	out->rejected = batch_more(out->rejected, out->rejected_count,
		&out->rejected_cap, sizeof(*out->rejected));
	row = &out->rejected[out->rejected_count++];
	*row = (struct rejected_row){.entry = e,
		.stream = w->stream,
		.log_seq = take_log_seq(w),
		.pos = out->next_pos++,
		.letter_id = letter_id(w, e),
		.error_class = is_fact(e)
			? ledger_statuses[w->batch->ruling.status].name
			: e->refusal.error_class,
		.reason = letter_reason(w->batch, e),
		.sqlstate = e->poison != NULL ? e->poison->sqlstate : NULL};
}

/* An answer is owed where somebody can be named. */
static void
add_invalid_answer(struct writing *w, const struct batch_entry *e)
{
	const struct command_refusal *f = &e->refusal;
	struct answer_row *row;

	if (!f->has_id || !f->has_org)
		return;
	row = new_answer_row(w, e);
	row->org = e->readable ? e->command.org : NULL;
	row->id_text = f->id;
	row->traceparent = f->traceparent;
	row->result = write_result(w,
		(struct result_head){.id = f->id,
			.org = f->org,
			.type = f->type,
			.log_seq = row->log_seq},
		NULL);
}

void
batch_rows_rejected(struct writing *w, const struct batch_entry *e)
{
	if (!e->record.read_again) { /* its letter is there since then */
		add_letter(w, e);
		w->batch->counts.parked_fills +=
			w->batch->streams[e->stream].fills;
	}
	if (is_fact(e))
		batch_rows_answer(w, e);
	else
		add_invalid_answer(w, e);
}

/* ---- timers ---- */

/* The payload with the id in front: as a producer would have sent it. */
static struct ch_view
timer_command(struct batch *b, const char *id, struct ch_view payload)
{
	ch_buf_addc(&b->scratch, '{');
	ch_json_add_member(&b->scratch, "id", ch_view_of(id));
	ch_buf_addc(&b->scratch, ',');
	ch_buf_add(&b->scratch, payload.ptr + 1, payload.len - 1);
	return batch_rows_keep(b);
}

void
batch_rows_timer(struct writing *w, const struct timer_row *t)
{
	struct batch *b = w->batch;
	struct log_row *row = new_log_row(w);
	char text[CH_UUID_TEXT_MAX];

	ch_uuid_format(&t->id, text);
	row->timer = true;
	row->org = t->org;
	row->id = t->id;
	row->day = ch_time_day(w->context->decided_at);
	row->type = ch_view_of(t->type);
	row->payload_hash = ch_sha256_of(t->payload);
	row->command = timer_command(b, text, t->payload);
	row->record_key = owner_key(b, t->owner);
	row->actor = CH_VIEW("timer");
	write_outcome(w, row,
		(struct result_head){.id = ch_view_of(text),
			.org = t->org->row.name,
			.type = row->type});
	add_postings(w, row);
	add_events(w, row, ch_view_of(text));
	b->counts.timers++;
}
