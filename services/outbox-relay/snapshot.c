/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot: parsing is strict, and what cannot be parsed sees nothing: then a
 * row comes twice, which its id tells; the other way round it would be lost.
 */
#include "snapshot.h"

#include <stdlib.h>

#include "base/mem.h"

void
snapshot_free(struct snapshot *s)
{
	free(s->running);
	s->running = NULL;
	s->count = 0;
	s->xmax = 0;
}

static bool
number(struct ch_view text, uint64_t *out)
{
	int64_t n;

	if (ch_view_int(text, 1, INT64_MAX, &n) != 0)
		return false;
	*out = (uint64_t)n;
	return true;
}

static bool
read_running(struct snapshot *s, struct ch_view list)
{
	struct ch_view part;
	uint64_t xid;

	while (ch_view_split(&list, ',', &part)) {
		if (!number(part, &xid) || xid >= s->xmax)
			return false;
		s->running = ch_xrealloc(s->running, s->count + 1,
			sizeof(*s->running));
		s->running[s->count++] = xid;
	}
	return true;
}

bool
snapshot_read(struct snapshot *s, const char *text)
{
	struct ch_view rest = ch_view_of(text), xmin, xmax, more;
	struct ch_view list = {NULL, 0};
	uint64_t low;

	snapshot_free(s);
	if (!ch_view_split(&rest, ':', &xmin) ||
		!ch_view_split(&rest, ':', &xmax) ||
		!ch_view_split(&rest, ':', &list) ||
		ch_view_split(&rest, ':', &more) || !number(xmin, &low) ||
		!number(xmax, &s->xmax) || low > s->xmax ||
		!read_running(s, list)) {
		snapshot_free(s);
		return false;
	}
	return true;
}

bool
snapshot_sees(const struct snapshot *s, uint32_t xid)
{
	int32_t ahead = (int32_t)(xid - (uint32_t)s->xmax);
	uint64_t full = s->xmax + (uint64_t)(int64_t)ahead;
	size_t i;

	if (s->xmax == 0 || ahead >= 0)
		return false;
	for (i = 0; i < s->count; i++)
		if (s->running[i] == full)
			return false;
	return true;
}
