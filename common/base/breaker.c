/* SPDX-License-Identifier: Apache-2.0 */
/*
 * breaker: see breaker.h.
 *
 * `era` moves on with every change of state, so a pass tells whether its call
 * belongs to the present state. Only such a call's end changes anything; in the
 * half-open state that is the probe alone.
 */
#include "breaker.h"

#include <assert.h>

#define MS_NS INT64_C(1000000)
#define RETRY_AFTER_MIN_MS 1000 /* "0" is never trusted */
#define RETRY_AFTER_MAX_MS 300000

static const struct ch_sm_state states[] = {
	[CH_BREAKER_CLOSED] = {"closed", CH_SM_INITIAL,
		CH_SM_BIT(CH_BREAKER_OPEN)},
	[CH_BREAKER_OPEN] = {"open", 0, CH_SM_BIT(CH_BREAKER_HALF_OPEN)},
	[CH_BREAKER_HALF_OPEN] = {"half-open", 0,
		CH_SM_BIT(CH_BREAKER_CLOSED) | CH_SM_BIT(CH_BREAKER_OPEN)},
};

void
ch_breaker_init(struct ch_breaker *b, const char *name,
	const struct ch_breaker_limits *limits, struct ch_rng *rng)
{
	*b = (struct ch_breaker){.limits = *limits, .rng = rng};
	b->backoff = (struct ch_backoff){
		.base_ms = limits->open_ms, .cap_ms = limits->open_max_ms};
	ch_sm_init(&b->sm, name, states, 3, CH_BREAKER_CLOSED);
}

enum ch_breaker_state
ch_breaker_state(const struct ch_breaker *b)
{
	return (enum ch_breaker_state)ch_sm_state(&b->sm);
}

static void
move(struct ch_breaker *b, enum ch_breaker_state to)
{
	ch_sm_move(&b->sm, (int)to);
	b->era++;
	b->failures = 0;
}

bool
ch_breaker_allows(const struct ch_breaker *b, struct ch_mono now)
{
	switch (ch_breaker_state(b)) {
	case CH_BREAKER_CLOSED:
		return true;
	case CH_BREAKER_OPEN:
		return now.ns >= b->until.ns;
	case CH_BREAKER_HALF_OPEN:
		break;
	}
	return false; /* the probe is out */
}

struct ch_breaker_pass
ch_breaker_enter(struct ch_breaker *b, struct ch_mono now)
{
	assert(ch_breaker_allows(b, now));
	if (ch_breaker_state(b) == CH_BREAKER_OPEN)
		move(b, CH_BREAKER_HALF_OPEN);
	return (struct ch_breaker_pass){b->era};
}

static void
open_for(struct ch_breaker *b, int64_t ms, struct ch_mono now)
{
	move(b, CH_BREAKER_OPEN);
	b->until.ns = now.ns + ms * MS_NS;
	b->opened++;
}

void
ch_breaker_ok(struct ch_breaker *b, struct ch_breaker_pass pass)
{
	if (pass.era != b->era)
		return;
	b->failures = 0;
	ch_backoff_reset(&b->backoff);
	if (ch_breaker_state(b) == CH_BREAKER_HALF_OPEN)
		move(b, CH_BREAKER_CLOSED);
}

void
ch_breaker_failed(struct ch_breaker *b, struct ch_breaker_pass pass,
	struct ch_mono now)
{
	if (pass.era != b->era)
		return;
	if (++b->failures >= b->limits.threshold ||
		ch_breaker_state(b) == CH_BREAKER_HALF_OPEN)
		open_for(b, ch_backoff_next(&b->backoff, b->rng), now);
}

void
ch_breaker_limited(struct ch_breaker *b, struct ch_breaker_pass pass,
	int64_t retry_after_ms, struct ch_mono now)
{
	int64_t ms = retry_after_ms;

	if (pass.era != b->era)
		return;
	if (ms < 0)
		ms = ch_backoff_next(&b->backoff, b->rng);
	else if (ms < RETRY_AFTER_MIN_MS)
		ms = RETRY_AFTER_MIN_MS;
	else if (ms > RETRY_AFTER_MAX_MS)
		ms = RETRY_AFTER_MAX_MS;
	open_for(b, ms, now);
}
