/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace: a bucket of letters, and a debt of bytes.
 */
#include "pace.h"

#define BURST_PART 10
#define BURST_NS (INT64_C(1000000000) / BURST_PART)

static int64_t
larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void
pace_init(struct pace *p, int64_t per_second, int64_t bytes_per_second,
	struct ch_mono now)
{
	*p = (struct pace){.has_events = per_second > 0,
		.bytes_per_second = bytes_per_second,
		.paid = {now.ns - BURST_NS}};
	if (p->has_events)
		ch_ratelimit_init(&p->events, per_second,
			larger(1, per_second / BURST_PART), now);
}

static int64_t
bytes_wait_ms(const struct pace *p, struct ch_mono now)
{
	if (p->bytes_per_second == 0 || p->paid.ns <= now.ns)
		return 0;
	return (p->paid.ns - now.ns + 999999) / 1000000;
}

/* What they take at the rate. */
static int64_t
ns_of(const struct pace *p, int64_t bytes)
{
	int64_t whole = bytes / p->bytes_per_second;
	int64_t rest = bytes % p->bytes_per_second;

	return whole * 1000000000 + rest * 1000000 / p->bytes_per_second * 1000;
}

static void
owe(struct pace *p, int64_t bytes, struct ch_mono now)
{
	p->paid.ns = larger(p->paid.ns, now.ns - BURST_NS) + ns_of(p, bytes);
}

void
pace_went(struct pace *p, int64_t ago_ms, int64_t bytes, struct ch_mono now)
{
	struct ch_mono then = {now.ns - ago_ms * 1000000};

	if (p->has_events) {
		ch_ratelimit_init(&p->events, p->events.per_second,
			p->events.burst, then);
		(void)ch_ratelimit_take(&p->events, p->events.burst, then);
	}
	if (p->bytes_per_second > 0)
		p->paid.ns = larger(p->paid.ns, then.ns + ns_of(p, bytes));
}

int64_t
pace_take(struct pace *p, int64_t bytes, struct ch_mono now)
{
	int64_t events_ms = 0, bytes_ms = bytes_wait_ms(p, now);

	if (p->has_events)
		events_ms = ch_ratelimit_wait_ms(&p->events, 1, now);
	if (events_ms > 0 || bytes_ms > 0)
		return larger(events_ms, bytes_ms);
	if (p->has_events)
		(void)ch_ratelimit_take(&p->events, 1, now);
	if (p->bytes_per_second > 0)
		owe(p, bytes, now);
	return 0;
}
