/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poison: see poison.h.
 */
#include "poison.h"

#define TRIES_ALONE 2

void
poison_init(struct poison *p, const struct command_limits *limits)
{
	*p = (struct poison){.suspects = load_new(limits)};
}

void
poison_free(struct poison *p)
{
	load_free(p->suspects);
}

bool
poison_active(const struct poison *p)
{
	return !load_empty(p->suspects);
}

void
poison_clear(struct poison *p)
{
	load_clear(p->suspects);
	p->at = 0;
	p->end = 0;
	p->span = 0;
	p->alone = 0;
}

static size_t
half(size_t n)
{
	return n > 1 ? n / 2 : 1;
}

void
poison_suspect(struct poison *p, struct load **now)
{
	struct load *t = p->suspects;
	p->suspects = *now;
	*now = t;
	p->at = 0;
	p->alone = p->suspects->batch.count == 1;
	p->end = p->suspects->batch.count;
	p->span = half(p->end);
}

void
poison_cut(struct poison *p, struct load **now, size_t fits)
{
	if (!poison_active(p)) {
		poison_suspect(p, now);
		p->alone = 0;
		p->span = p->end;
	}
	load_clear(*now);
	/* what is void of the part makes it smaller, never larger */
	p->span = fits < p->span ? fits : half(p->span);
}

void
poison_take(struct poison *p, struct load *now)
{
	size_t left = p->suspects->batch.count - p->at;
	if (p->span > left)
		p->span = left;
	load_copy(now, p->suspects, p->at, p->at + p->span);
}

void
poison_passed(struct poison *p)
{
	size_t count = p->suspects->batch.count;
	p->at += p->span;
	p->alone = 0;
	if (p->at >= count) {
		poison_clear(p);
	} else if (p->at < p->end) { /* the culprit is in the rest of it */
		p->span = half(p->end - p->at);
	} else { /* behind it all are innocent until refused */
		p->end = count;
		p->span = count - p->at;
	}
}

enum poison_next
poison_refused(struct poison *p)
{
	p->end = p->at + p->span;
	if (p->span > 1) {
		p->span = half(p->span);
		p->alone = 0;
		return POISON_TRY;
	}
	p->alone++;
	if (p->alone < TRIES_ALONE)
		return POISON_TRY;
	return POISON_SETTLE;
}

void
poison_acquit(struct poison *p)
{
	p->alone = 0;
}
