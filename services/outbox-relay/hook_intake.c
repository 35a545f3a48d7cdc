/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_intake: see hook_intake.h.
 */
#include "hook_intake.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
hook_intake_init(struct hook_intake *in, const struct endpoints *endpoints,
	struct inflight *inflight)
{
	*in = (struct hook_intake){
		.endpoints = endpoints, .inflight = inflight};
	hook_rows_init(&in->rows);
}

void
hook_intake_free(struct hook_intake *in)
{
	hook_rows_free(&in->rows);
	free(in->wanted);
}

static uint64_t
who_wants(const struct hook_intake *in, const struct event *e)
{
	struct ch_arena arena = CH_ARENA_INIT;
	struct ch_view aggregatetype, type;
	uint64_t found = 0;
	size_t i;

	hook_rows_names(e, &arena, &aggregatetype, &type);
	for (i = 0; i < in->endpoints->count; i++)
		if (endpoint_wants(&in->endpoints->items[i], aggregatetype,
			    type))
			found |= UINT64_C(1) << i;
	ch_arena_free(&arena);
	return found;
}

void
hook_intake_take(struct hook_intake *in, struct event *e)
{
	uint64_t endpoints = who_wants(in, e);

	if (endpoints == 0)
		return;
	if (in->count == in->room) {
		in->room = in->room * 2 + 64;
		in->wanted =
			ch_xrealloc(in->wanted, in->room, sizeof(*in->wanted));
	}
	in->wanted[in->count++] = (struct hook_wanted){e, endpoints};
	inflight_hold(e);
}

void
hook_intake_drop(struct hook_intake *in)
{
	in->count = 0;
	hook_intake_undone(in);
}

static bool
is_full(const struct hook_rows *r)
{
	return r->count >= HOOK_INTAKE_ROWS || r->bytes >= HOOK_INTAKE_BYTES;
}

/* Adds the event's rows up to the bounds; the endpoints that have one now. */
static uint64_t
add_rows(struct hook_intake *in, const struct hook_wanted *w)
{
	uint64_t added = 0;
	size_t i;

	for (i = 0; i < in->endpoints->count && !is_full(&in->rows); i++)
		if (w->endpoints >> i & 1) {
			hook_rows_add(&in->rows, in->endpoints->items[i].name,
				w->e);
			added |= UINT64_C(1) << i;
		}
	return added;
}

struct hook_rows *
hook_intake_fill(struct hook_intake *in)
{
	const struct hook_wanted *w;

	hook_rows_clear(&in->rows);
	hook_intake_undone(in);
	for (w = in->wanted; w < in->wanted + in->count; w++) {
		in->part_of = add_rows(in, w);
		if (in->part_of != w->endpoints)
			break;
		in->filled++;
		in->part_of = 0;
	}
	return &in->rows;
}

uint64_t
hook_intake_done(struct hook_intake *in)
{
	uint64_t endpoints = in->part_of;
	size_t n;

	for (n = 0; n < in->filled; n++) {
		endpoints |= in->wanted[n].endpoints;
		inflight_let_go(in->inflight, in->wanted[n].e);
	}
	in->count -= in->filled;
	memmove(in->wanted, in->wanted + in->filled,
		in->count * sizeof(*in->wanted));
	if (in->count > 0)
		in->wanted[0].endpoints &= ~in->part_of;
	hook_intake_undone(in);
	return endpoints;
}

void
hook_intake_undone(struct hook_intake *in)
{
	in->filled = 0;
	in->part_of = 0;
}
