/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream: see upstream.h.
 */
#include "upstream.h"

#include <assert.h>

#define BUSY_WAIT_MS 20

static const char *const lane_names[] = {
	"open", "closed", "midpoints", "market"};

enum upstream_id
lane_upstream(enum lane lane)
{
	return lane == LANE_OPEN || lane == LANE_CLOSED ? UPSTREAM_PRIMARY
							: UPSTREAM_FALLBACK;
}

const char *
lane_name(enum lane lane)
{
	return lane_names[lane];
}

/* What flies from an earlier asking still flies. */
void
plan_begin(struct plan *p)
{
	struct plan fresh = {.asking = true};

	for (int u = 0; u < UPSTREAMS; u++) {
		fresh.flying[u] = p->flying[u];
		fresh.queued[u] = LANE_NONE;
	}
	*p = fresh;
}

bool
plan_is_unknown(const struct plan *p)
{
	return p->absent[LANE_OPEN] && p->absent[LANE_CLOSED];
}

void
upstreams_init(struct upstreams *u,
	const struct upstream_limits limits[UPSTREAMS],
	const int64_t batch[LANES], struct ch_rng *rng, struct ch_mono now)
{
	*u = (struct upstreams){.second_left = SECOND_MAX};
	for (int i = 0; i < UPSTREAMS; i++) {
		u->limits[i] = limits[i];
		ch_breaker_init(&u->breaker[i],
			upstream_name((enum upstream_id)i), &limits[i].breaker,
			rng);
		ch_ratelimit_init(&u->rate[i], limits[i].per_second,
			limits[i].burst, now);
	}
	memcpy(u->batch, batch, sizeof(u->batch));
}

static bool
usable(const struct upstreams *u, struct plan *p, enum upstream_id id,
	struct ch_mono now)
{
	if (!u->limits[id].configured || p->failed[id])
		return false;
	if (ch_breaker_allows(&u->breaker[id], now))
		return true;
	if (p->reason == REASON_NONE)
		p->reason = REASON_BREAKER_OPEN;
	return false;
}

static enum lane
primary_lane(const struct plan *p, bool closed)
{
	enum lane first = closed ? LANE_CLOSED : LANE_OPEN;
	enum lane other = closed ? LANE_OPEN : LANE_CLOSED;

	return p->absent[first] ? other : first;
}

static enum lane
fallback_lane(const struct plan *p, bool has_tokens)
{
	if (has_tokens && !p->absent[LANE_MIDPOINTS])
		return LANE_MIDPOINTS;
	return p->absent[LANE_MARKET] ? LANE_NONE : LANE_MARKET;
}

enum lane
upstreams_next(const struct upstreams *u, struct plan *p, bool has_tokens,
	bool closed, struct ch_mono now)
{
	enum lane lane = LANE_NONE;

	if (plan_is_unknown(p))
		return LANE_NONE;
	if (usable(u, p, UPSTREAM_PRIMARY, now))
		return primary_lane(p, closed);
	if (usable(u, p, UPSTREAM_FALLBACK, now))
		lane = fallback_lane(p, has_tokens);
	if (lane == LANE_NONE && p->reason == REASON_NONE)
		p->reason = REASON_ABSENT;
	return lane;
}

enum lane
upstreams_hedge(const struct upstreams *u, const struct plan *p,
	bool has_tokens, struct ch_mono now)
{
	if (!u->limits[UPSTREAM_FALLBACK].configured ||
		p->failed[UPSTREAM_FALLBACK] || p->flying[UPSTREAM_FALLBACK] ||
		p->queued[UPSTREAM_FALLBACK] != LANE_NONE ||
		!ch_breaker_allows(&u->breaker[UPSTREAM_FALLBACK], now))
		return LANE_NONE;
	return fallback_lane(p, has_tokens);
}

static void
count_attempt(struct upstreams *u, enum lane lane, bool second)
{
	if (second)
		u->second_left -= 1000;
	else if (lane_upstream(lane) == UPSTREAM_PRIMARY ||
		ch_breaker_state(&u->breaker[UPSTREAM_PRIMARY]) !=
			CH_BREAKER_CLOSED)
		u->second_left += SECOND_SHARE;
	if (u->second_left > SECOND_MAX)
		u->second_left = SECOND_MAX;
}

enum admission
upstreams_admit(struct upstreams *u, enum lane lane, bool second,
	struct ch_mono now, struct ch_breaker_pass *pass, enum reason *reason)
{
	enum upstream_id id = lane_upstream(lane);

	if (!ch_breaker_allows(&u->breaker[id], now)) {
		*reason = REASON_BREAKER_OPEN;
		return ADMIT_NOT;
	}
	if (second && u->second_left < 1000) {
		*reason = REASON_BUDGET;
		return ADMIT_NOT;
	}
	if (u->flying[id] >= u->limits[id].in_flight ||
		!ch_ratelimit_take(&u->rate[id], 1, now))
		return ADMIT_LATER;
	count_attempt(u, lane, second);
	*pass = ch_breaker_enter(&u->breaker[id], now);
	u->flying[id]++;
	return ADMIT;
}

int64_t
upstreams_wait_ms(struct upstreams *u, enum lane lane, struct ch_mono now)
{
	enum upstream_id id = lane_upstream(lane);
	int64_t ms = ch_ratelimit_wait_ms(&u->rate[id], 1, now);

	return ms > 0 ? ms : BUSY_WAIT_MS;
}

void
upstreams_ended(struct upstreams *u, enum lane lane)
{
	enum upstream_id id = lane_upstream(lane);

	assert(u->flying[id] > 0);
	u->flying[id]--;
}

bool
upstreams_shrink(struct upstreams *u, enum lane lane, size_t n)
{
	if (n <= 1)
		return false;
	if ((int64_t)n / 2 < u->batch[lane])
		u->batch[lane] = (int64_t)n / 2;
	return true;
}
