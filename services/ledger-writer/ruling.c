/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ruling: see ruling.h. The precedence is the order of enum ledger_status.
 */
#include "ruling.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/mem.h"

#define SCRATCH_KEPT 65536

void
ruling_begin(struct ruling *r, struct books *b, const struct ruling_of *of)
{
	r->books = b;
	r->at = of->at;
	r->stream = of->stream;
	r->part = of->part;
	if (of->id != NULL)
		r->id = *of->id;
	r->lowest_day = of->lowest_day;
	r->status = STATUS_APPLIED;
	ch_buf_clear(&r->reason);
	r->failed_index = 0;
	r->failed_status = STATUS_APPLIED;
	r->pool = NULL;
	r->confirmed = false;
	r->rate = (struct ruling_rate){.rule = {NULL, 0}};
	ch_arena_reset(&r->scratch, SCRATCH_KEPT);
	ruling_drop_effects(r);
	books_begin(b);
}

void
ruling_free(struct ruling *r)
{
	ch_buf_free(&r->reason);
	ch_buf_free(&r->event_text);
	free(r->postings);
	free(r->events);
	ch_arena_free(&r->scratch);
	*r = (struct ruling){.books = NULL};
}

void
ruling_refuse(struct ruling *r, enum ledger_status status, const char *fmt, ...)
{
	va_list ap;

	if (status >= r->status)
		return;
	r->status = status;
	ch_buf_clear(&r->reason);
	va_start(ap, fmt);
	ch_buf_vprintf(&r->reason, fmt, ap);
	va_end(ap);
}

bool
ruling_open(const struct ruling *r)
{
	return r->status == STATUS_APPLIED;
}

void
ruling_post(struct ruling *r, const struct account *a, struct ch_amount amount,
	struct ch_amount balance_after)
{
	if (r->posting_count == r->posting_cap) {
		r->posting_cap = r->posting_cap > 0 ? r->posting_cap * 2 : 64;
		r->postings = ch_xrealloc(r->postings, r->posting_cap,
			sizeof(*r->postings));
	}
	r->postings[r->posting_count++] =
		(struct ruling_posting){a, amount, balance_after};
}

void
ruling_event_begin(struct ruling *r, const char *aggregatetype,
	const char *type, const struct row *owner)
{
	if (r->event_count == r->event_cap) {
		r->event_cap = r->event_cap > 0 ? r->event_cap * 2 : 16;
		r->events = ch_xrealloc(r->events, r->event_cap,
			sizeof(*r->events));
	}
	r->events[r->event_count++] =
		(struct ruling_event){.aggregatetype = aggregatetype,
			.type = type,
			.owner = owner,
			.from = r->event_text.len};
}

void
ruling_event_end(struct ruling *r)
{
	struct ruling_event *e = &r->events[r->event_count - 1];

	e->len = r->event_text.len - e->from;
}

void
ruling_drop_effects(struct ruling *r)
{
	r->posting_count = 0;
	r->event_count = 0;
	ch_buf_clear(&r->event_text);
}
