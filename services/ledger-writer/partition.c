/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition: the set of topic partitions, sorted, so that every batch takes
 * its fences in one order (topic, then number).
 */
#include "partition.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

static int
compare(const struct partition *p, const char *topic, int32_t part)
{
	int c = strcmp(p->topic, topic);
	return c != 0 ? c : (p->part > part) - (p->part < part);
}

/* The index of the first one that is not below (topic, part). */
static size_t
lower_bound(const struct partitions *ps, const char *topic, int32_t part)
{
	size_t lo = 0;
	size_t hi = ps->count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (compare(ps->items[mid], topic, part) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct partition *
partitions_get(struct partitions *ps, const char *topic, int32_t part)
{
	size_t at = lower_bound(ps, topic, part);
	if (at < ps->count && compare(ps->items[at], topic, part) == 0)
		return ps->items[at];
	if (ps->count == ps->cap) {
		ps->cap = ps->cap > 0 ? ps->cap * 2 : 16;
		ps->items = ch_xrealloc(ps->items, ps->cap, sizeof(*ps->items));
	}
	memmove(ps->items + at + 1, ps->items + at,
		(ps->count - at) * sizeof(*ps->items));
	struct partition *p = ch_xcalloc(1, sizeof(*p));
	p->topic = topic;
	p->part = part;
	p->in_doubt = -1;
	p->hinted = -1;
	p->end = -1;
	p->seen = -1;
	p->cut = -1;
	ps->items[at] = p;
	ps->count++;
	return p;
}

size_t
partitions_count(const struct partitions *ps, enum partition_state state)
{
	size_t n = 0;
	for (size_t i = 0; i < ps->count; i++)
		n += ps->items[i]->state == state;
	return n;
}

bool
partitions_held(const struct partitions *ps)
{
	for (size_t i = 0; i < ps->count; i++)
		if (ps->items[i]->told && ps->items[i]->state != PARTITION_GONE)
			return true;
	return false;
}

void
partitions_free(struct partitions *ps)
{
	for (size_t i = 0; i < ps->count; i++) {
		free(ps->items[i]->decided);
		free(ps->items[i]);
	}
	free(ps->items);
	*ps = (struct partitions){NULL, 0, 0};
}

static const char *
state_name(enum partition_state s)
{
	switch (s) {
	case PARTITION_GONE:
		return "gone";
	case PARTITION_WANTED:
		return "wanted";
	case PARTITION_OWNED:
		return "owned";
	case PARTITION_STOPPED:
		return "stopped";
	}
	return "?";
}

void
partition_move(struct partition *p, enum partition_state to)
{
	if (p->state == to)
		return;
	ch_info("partition.move", CH_S("topic", p->topic),
		CH_I("part", p->part), CH_S("from", state_name(p->state)),
		CH_S("to", state_name(to)), CH_I("epoch", p->epoch),
		CH_I("next_offset", p->next_offset));
	p->state = to;
	p->turn++;
}

void
partition_want(struct partition *p, struct ch_mono retry_at)
{
	p->retry_at = retry_at;
	partition_move(p, PARTITION_WANTED);
}

int64_t
partition_lag(const struct partition *p)
{
	if (!p->placed || p->end < 0 || p->state == PARTITION_GONE)
		return -1;
	return p->end > p->next_offset ? p->end - p->next_offset : 0;
}

/* The log of a stopped one is another than the offset's: what is in it waits,
 * wherever it ends. */
static bool
waits(const struct partition *p)
{
	return partition_lag(p) > 0 ||
		(p->state == PARTITION_STOPPED && p->end > 0);
}

int64_t
partition_waits_ms(struct partition *p, struct ch_mono now)
{
	if (!waits(p)) {
		p->waits_since.ns = 0;
		return 0;
	}
	if (p->waits_since.ns == 0 || p->waits_at != p->next_offset) {
		p->waits_since = now;
		p->waits_at = p->next_offset;
	}
	return ch_mono_ms_since(now, p->waits_since);
}

int64_t
partition_expect(struct partition *p, int64_t offset)
{
	int64_t expected =
		p->read_turn == p->turn ? p->read_to : p->next_offset;
	p->read_turn = p->turn;
	p->read_to = offset + 1;
	return expected;
}

void
partition_forget_seen(struct partition *p)
{
	p->seen = -1;
	p->placed = false;
}

void
partition_forget_decided(struct partition *p)
{
	p->decided_count = 0;
}

void
partition_add_decided(struct partition *p, int64_t from, int64_t to)
{
	if (p->decided_count == p->decided_cap) {
		p->decided_cap = p->decided_cap > 0 ? p->decided_cap * 2 : 4;
		p->decided = ch_xrealloc(p->decided, p->decided_cap,
			sizeof(*p->decided));
	}
	p->decided[p->decided_count++] = (struct offset_range){from, to};
}

bool
partition_decided(const struct partition *p, int64_t offset)
{
	for (size_t i = 0; i < p->decided_count; i++)
		if (offset >= p->decided[i].from && offset < p->decided[i].to)
			return true;
	return false;
}
