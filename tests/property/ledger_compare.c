/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_compare: see ledger_compare.h.
 */
#include "ledger_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "load_sets.h"

#define PAGE 3 /* small, so that settlements have several */

struct running {
	struct ledger_compare *c;
	struct ch_rng rng;
	struct core *core;
	struct serial_model *model;
	struct side ours, theirs;
};

static void
from_model(void *ctx, enum serial_line kind, const char *text)
{
	static const enum channel channels[] = {[SERIAL_RESULT] = ANSWERS,
		[SERIAL_REJECTED] = ANSWERS,
		[SERIAL_POSTING] = POSTINGS,
		[SERIAL_EVENT] = EVENTS,
		[SERIAL_TIMER] = TIMERS,
		[SERIAL_TIMER_POSTING] = TIMER_POSTINGS,
		[SERIAL_TIMER_EVENT] = TIMER_EVENTS};
	struct side *s = ctx;

	if (kind == SERIAL_PROBLEM)
		side_problem(s, "%s", text);
	else
		side_add(s, channels[kind], ch_xstrdup(text));
}

static bool
differ(struct running *r, const char *what)
{
	(void)snprintf(r->c->difference, sizeof(r->c->difference),
		"batch %lld (size %zu), %s",
		(long long)core_batch_number(r->core), r->c->batch_size, what);
	return false;
}

static bool
same_sides(struct running *r)
{
	const char *problem = core_problem(r->core);
	char text[sizeof(r->c->difference) - 64];

	if (side_differ(&r->ours, &r->theirs, text, sizeof(text)))
		return differ(r, text);
	if (problem != NULL)
		return differ(r, problem);
	if (r->ours.problem[0] != '\0')
		return differ(r, r->ours.problem);
	if (r->theirs.problem[0] != '\0')
		return differ(r, r->theirs.problem);
	return true;
}

static void
begin(struct running *r)
{
	side_empty(&r->ours);
	side_empty(&r->theirs);
}

static bool
one_batch(struct running *r, size_t from, size_t to)
{
	const struct ledger_load *load = r->c->load;
	struct serial_now now = {.decided_at = 0};

	begin(r);
	if (!core_batch(r->core, load, from, to, &r->ours))
		return differ(r, r->ours.problem);
	load_sets_at(load, &load->items[to - 1], &now);
	now.decided_at = core_decided_at(r->core);
	for (size_t i = from; i < to; i++) {
		now.part = ledger_load_parts[load->items[i].stream];
		now.read_again = load->items[i].read_again;
		serial_apply(r->model, r->c->commands[i], &now, from_model,
			&r->theirs);
	}
	r->c->batches++;
	return same_sides(r);
}

/* Now and then a page of the oldest settlement, in a batch of its own. */
static bool
pay_pages(struct running *r, size_t size, int64_t clock)
{
	struct serial_now now = {.decided_at = 0};
	const char *org;
	const char *market;

	while (ch_rng_below(&r->rng, 30) < size &&
		serial_settling(r->model, 0, &org, &market)) {
		size = size > 10 ? size - 10 : 0;
		begin(r);
		if (!core_pay_page(r->core, org, market, PAGE, clock, &r->ours))
			return true;
		now.decided_at = core_decided_at(r->core);
		serial_pay_page(r->model, org, market, PAGE, &now, from_model,
			&r->theirs);
		r->c->pages++;
		if (!same_sides(r))
			return false;
	}
	return true;
}

/* ---- the end ---- */

/* The lines in which two texts first differ, cut out of them. */
static void
cut_difference(char *ours, char *theirs, const char **a, const char **b)
{
	size_t at = 0;

	*a = ours;
	*b = theirs;
	for (; ours[at] == theirs[at]; at++) {
		if (ours[at] == '\n') {
			*a = ours + at + 1;
			*b = theirs + at + 1;
		}
	}
	ours[*a - ours + (ptrdiff_t)strcspn(*a, "\n")] = '\0';
	theirs[*b - theirs + (ptrdiff_t)strcspn(*b, "\n")] = '\0';
}

static bool
same_rows(struct running *r)
{
	char *ours = core_dump(r->core);
	char *theirs = serial_dump(r->model);
	bool same = strcmp(ours, theirs) == 0;
	char text[sizeof(r->c->difference) - 64];
	const char *a;
	const char *b;

	if (!same) {
		cut_difference(ours, theirs, &a, &b);
		(void)snprintf(text, sizeof(text),
			"rows at the end:\n  core:  %.1900s\n  model: %.1900s",
			a, b);
		(void)differ(r, text);
	}
	free(ours);
	free(theirs);
	if (same && core_problem(r->core) != NULL)
		same = differ(r, core_problem(r->core));
	return same;
}

bool
ledger_compare_run(struct ledger_compare *c)
{
	struct running r = {.c = c};
	bool same = true;
	size_t size;

	ch_rng_seed(&r.rng, c->seed);
	r.core = core_new(c->bug, c->seed + 1, &c->counts);
	r.model = serial_model_new(true);
	for (size_t from = 0; same && from < c->load->count; from += size) {
		size = c->batch_size > 0 ? c->batch_size
					 : 1 + ch_rng_below(&r.rng, 900);
		if (size > c->load->count - from)
			size = c->load->count - from;
		same = one_batch(&r, from, from + size) &&
			pay_pages(&r, size,
				c->load->items[from + size - 1].clock);
	}
	if (same)
		same = same_rows(&r);
	side_free(&r.ours);
	side_free(&r.theirs);
	core_free(r.core);
	serial_model_free(r.model);
	return same;
}
