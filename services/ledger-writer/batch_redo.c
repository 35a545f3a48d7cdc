/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_redo: see batch_redo.h.
 */
#include "batch_redo.h"

#include "batch_rows.h"
#include "batch_timers.h"
#include "decide.h"

static void
stand_at(struct writing *w, const struct batch_place *p)
{
	w->batch->out.next_pos = p->pos;
	w->batch->streams[w->stream].next_log_seq = p->log_seq;
}

static void
put_row(struct writing *w, const struct batch_entry *e, enum decision d)
{
	switch (d) {
	case DECISION_LOG:
		batch_rows_log(w, e);
		break;
	case DECISION_ANSWER:
	case DECISION_DUPLICATE: /* no id is known: the log has each once */
		batch_rows_answer(w, e);
		break;
	case DECISION_REJECT:
		batch_rows_rejected(w, e);
		break;
	}
}

static void
redo_applied(struct writing *w, const struct batch_entry *e)
{
	struct batch *b = w->batch;
	enum decision d = decide_entry(&b->ruling, &b->books, e, w->context,
		&b->streams[e->stream]);

	put_row(w, e, d);
	if (d == DECISION_LOG)
		books_keep(&b->books);
	else
		books_undo(&b->books);
}

/* Whatever comes of it now, the books stay as they are. */
static void
redo_refused(struct writing *w, const struct batch_entry *e)
{
	struct batch *b = w->batch;
	enum decision d = decide_entry(&b->ruling, &b->books, e, w->context,
		&b->streams[e->stream]);

	bool passed = d == DECISION_LOG;

	if (passed && b->ruling.status == STATUS_APPLIED)
		d = DECISION_ANSWER;
	put_row(w, e, d);
	books_undo_to(&b->books, passed ? b->ruling.counted : 0);
	books_keep(&b->books);
}

static void
count_absent(struct writing *w, const struct batch_entry *e)
{
	struct batch *b = w->batch;
	const struct batch_stream *s = &b->streams[e->stream];

	if (!e->readable)
		return;
	ruling_begin(&b->ruling, &b->books,
		&(struct ruling_of){w->context->decided_at, s->stream, s->part,
			&e->command.id, 0});
	(void)rates_pass(&b->ruling, w->context->rates, w->context->rate_count,
		&e->command);
	books_keep(&b->books);
}

void
batch_redo(struct batch *b, const struct batch_context *context,
	const struct batch_place *timers, const struct batch_place *places)
{
	static void (*const redo[])(struct writing * w,
		const struct batch_entry *e) = {[STOOD_APPLIED] = redo_applied,
		[STOOD_REFUSED] = redo_refused,
		[STOOD_ABSENT] = count_absent};
	struct writing w = {.batch = b, .context = context};

	if (timers != NULL)
		stand_at(&w, timers);
	batch_timers_settle(&w);
	if (b->pay.market != NULL)
		batch_timers_pay(&w);
	for (size_t i = 0; i < b->count; i++) {
		w.stream = b->entries[i]->stream;
		stand_at(&w, &places[i]);
		redo[places[i].stood](&w, b->entries[i]);
	}
}
