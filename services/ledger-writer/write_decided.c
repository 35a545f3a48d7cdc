/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write_decided: the log, answers, rejected records, postings and events.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "tables.h"
#include "write_rows.h"

int
write_log(struct writing_tables *w)
{
	struct batch *b = &w->load->batch;
	struct rowset rs;
	if (b->out.log_count == 0)
		return 0;
	const struct log_row **rows = batch_log_by_key(b);
	rowset_begin(&rs, w->script, &table_log, b->out.log_count, w->err);
	for (size_t i = 0; i < b->out.log_count; i++) {
		const struct log_row *r = rows[i];
		rowset_row(&rs);
		rowset_i32(&rs, r->org->org_id);
		rowset_uuid(&rs, &r->id);
		rowset_day(&rs, r->day);
		rowset_i32(&rs, b->streams[r->stream].stream);
		rowset_i64(&rs, r->log_seq);
		rowset_i64(&rs, w->number);
		rowset_i32(&rs, r->pos);
		rowset_str(&rs, r->timer ? "timer" : "kafka");
		if (r->timer)
			rowset_null(&rs);
		else
			rowset_i64(&rs, r->src_offset);
		rowset_time(&rs, w->at);
		rowset_text(&rs, r->type);
		rowset_str(&rs, ledger_statuses[r->status].name);
		rowset_bytea(&rs,
			(struct ch_view){(const char *)r->payload_hash.bytes,
				sizeof(r->payload_hash.bytes)});
		rowset_bytea(&rs, r->record_key);
		rowset_bytea(&rs, r->command);
		rowset_text(&rs, r->result);
		rowset_text(&rs, r->ref);
		rowset_text(&rs, r->actor);
		rowset_text(&rs, r->traceparent);
		rowset_text(&rs, r->changes);
	}
	return rowset_end(&rs, w->err);
}

int
write_answers(struct writing_tables *w)
{
	struct batch *b = &w->load->batch;
	struct rowset rs;
	if (b->out.answer_count == 0)
		return 0;
	rowset_begin(&rs, w->script, &table_answers, b->out.answer_count,
		w->err);
	for (size_t i = 0; i < b->out.answer_count; i++) {
		const struct answer_row *r = &b->out.answers[i];
		rowset_row(&rs);
		rowset_i32(&rs, b->streams[r->stream].stream);
		rowset_i64(&rs, r->log_seq);
		rowset_i64(&rs, w->number);
		rowset_i32(&rs, r->pos);
		rowset_i64(&rs, r->src_offset);
		rowset_time(&rs, w->at);
		if (r->org != NULL && r->org->org_id != 0)
			rowset_i32(&rs, r->org->org_id);
		else
			rowset_null(&rs);
		rowset_text(&rs, r->id_text);
		rowset_str(&rs, r->status_name);
		rowset_bytea(&rs, r->record_key);
		rowset_text(&rs, r->result);
		rowset_text(&rs, r->traceparent);
	}
	return rowset_end(&rs, w->err);
}

int
write_rejected(struct writing_tables *w)
{
	struct batch *b = &w->load->batch;
	struct rowset rs;
	if (b->out.rejected_count == 0)
		return 0;
	rowset_begin(&rs, w->script, &table_rejected, b->out.rejected_count,
		w->err);
	for (size_t i = 0; i < b->out.rejected_count; i++) {
		const struct rejected_row *r = &b->out.rejected[i];
		const struct batch_stream *s = &b->streams[r->stream];
		const struct batch_record *rec = &r->entry->record;
		rowset_row(&rs);
		rowset_i32(&rs, s->stream);
		rowset_i64(&rs, r->log_seq);
		rowset_i64(&rs, w->number);
		rowset_i32(&rs, r->pos);
		rowset_uuid(&rs, &r->letter_id);
		rowset_time(&rs, w->at);
		rowset_text(&rs, s->topic);
		rowset_i32(&rs, s->part);
		rowset_i64(&rs, rec->offset);
		if (rec->has_timestamp)
			rowset_time(&rs, rec->timestamp);
		else
			rowset_null(&rs);
		rowset_bytea(&rs, rec->key);
		rowset_bytea(&rs, rec->value);
		rowset_headers(&rs, rec->headers, rec->header_count);
		rowset_str(&rs, r->error_class);
		rowset_text(&rs, r->reason);
		rowset_str(&rs, r->sqlstate);
	}
	return rowset_end(&rs, w->err);
}

static int
by_account(const void *a, const void *b)
{
	const struct posting_row *x = *(const struct posting_row *const *)a;
	const struct posting_row *y = *(const struct posting_row *const *)b;
	if (x->account->row.number != y->account->row.number)
		return x->account->row.number < y->account->row.number ? -1 : 1;
	if (x->pos != y->pos)
		return x->pos < y->pos ? -1 : 1;
	return (x->leg > y->leg) - (x->leg < y->leg);
}

/* In the order of their index: neighbours go into one page of it. */
static const struct posting_row **
sorted_postings(struct batch *b)
{
	const struct posting_row **rows = ch_arena_alloc(&b->out_arena,
		(b->out.posting_count + 1) * sizeof(*rows));
	for (size_t i = 0; i < b->out.posting_count; i++)
		rows[i] = &b->out.postings[i];
	qsort(rows, b->out.posting_count, sizeof(*rows), by_account);
	return rows;
}

int
write_postings(struct writing_tables *w)
{
	struct batch *b = &w->load->batch;
	struct rowset rs;
	if (b->out.posting_count == 0)
		return 0;
	const struct posting_row **rows = sorted_postings(b);
	rowset_begin(&rs, w->script, &table_postings, b->out.posting_count,
		w->err);
	for (size_t i = 0; i < b->out.posting_count; i++) {
		const struct posting_row *r = rows[i];
		rowset_row(&rs);
		rowset_i32(&rs, r->account->row.org->org_id);
		rowset_i64(&rs, r->account->row.number);
		rowset_i64(&rs, w->number);
		rowset_i32(&rs, r->pos);
		rowset_i16(&rs, r->leg);
		rowset_i16(&rs, (int16_t)r->account->shard);
		rowset_i64(&rs, r->amount.minor);
		rowset_i64(&rs, r->balance_after.minor);
		rowset_uuid(&rs, &r->command_id);
		rowset_time(&rs, w->at);
	}
	return rowset_end(&rs, w->err);
}

int
write_outbox(struct writing_tables *w)
{
	struct batch *b = &w->load->batch;
	struct rowset rs;
	if (b->out.event_count == 0)
		return 0;
	rowset_begin(&rs, w->script, &table_outbox, b->out.event_count, w->err);
	for (size_t i = 0; i < b->out.event_count; i++) {
		const struct event_row *r = &b->out.events[i];
		rowset_row(&rs);
		rowset_i64(&rs, w->number * BATCH_EVENTS_MAX + r->place);
		rowset_uuid(&rs, &r->id);
		rowset_str(&rs, r->aggregatetype);
		rowset_text(&rs, r->aggregateid);
		rowset_str(&rs, r->type);
		rowset_text(&rs, r->payload);
		rowset_time(&rs, w->at);
		rowset_text(&rs, r->traceparent);
	}
	return rowset_end(&rs, w->err);
}
