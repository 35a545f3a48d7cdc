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
	[BREAKER_CLOSED] = {"closed", CH_SM_INITIAL, CH_SM_BIT(BREAKER_OPEN)},
	[BREAKER_OPEN] = {"open", 0, CH_SM_BIT(BREAKER_HALF_OPEN)},
	[BREAKER_HALF_OPEN] = {"half-open", 0,
		CH_SM_BIT(BREAKER_CLOSED) | CH_SM_BIT(BREAKER_OPEN)},
};

void
breaker_init(struct breaker *b, const char *name,
	const struct breaker_limits *limits, struct ch_rng *rng)
{
	*b = (struct breaker){.limits = *limits, .rng = rng};
	b->backoff = (struct ch_backoff){
		.base_ms = limits->open_ms, .cap_ms = limits->open_max_ms};
	ch_sm_init(&b->sm, name, states, 3, BREAKER_CLOSED);
}

enum breaker_state
breaker_state(const struct breaker *b)
{
	return (enum breaker_state)ch_sm_state(&b->sm);
}

static void
move(struct breaker *b, enum breaker_state to)
{
	ch_sm_move(&b->sm, (int)to);
	b->era++;
	b->failures = 0;
}

bool
breaker_allows(const struct breaker *b, struct ch_mono now)
{
	switch (breaker_state(b)) {
	case BREAKER_CLOSED:
		return true;
	case BREAKER_OPEN:
		return now.ns >= b->until.ns;
	case BREAKER_HALF_OPEN:
		break;
	}
	return false; /* the probe is out */
}

struct breaker_pass
breaker_enter(struct breaker *b, struct ch_mono now)
{
	assert(breaker_allows(b, now));
	if (breaker_state(b) == BREAKER_OPEN)
		move(b, BREAKER_HALF_OPEN);
	return (struct breaker_pass){b->era};
}

static void
open_for(struct breaker *b, int64_t ms, struct ch_mono now)
{
	move(b, BREAKER_OPEN);
	b->until.ns = now.ns + ms * MS_NS;
	b->opened++;
}

void
breaker_ok(struct breaker *b, struct breaker_pass pass)
{
	if (pass.era != b->era)
		return;
	b->failures = 0;
	ch_backoff_reset(&b->backoff);
	if (breaker_state(b) == BREAKER_HALF_OPEN)
		move(b, BREAKER_CLOSED);
}

void
breaker_failed(struct breaker *b, struct breaker_pass pass, struct ch_mono now)
{
	if (pass.era != b->era)
		return;
	if (++b->failures >= b->limits.threshold ||
		breaker_state(b) == BREAKER_HALF_OPEN)
		open_for(b, ch_backoff_next(&b->backoff, b->rng), now);
}

void
breaker_limited(struct breaker *b, struct breaker_pass pass,
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
