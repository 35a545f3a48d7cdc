/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lanes: open both, change when nothing is in flight.
 */
#include "lanes.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

/* So long rows wait for a change; then it is put off. */
#define CHANGE_MS 50
#define PUT_OFF_MS 1000

struct lanes {
	struct ch_kafka_producer *lane[LANE_COUNT];
	enum lane now;
	bool changing;
	struct ch_mono since, not_before; /* of the change */
};

struct lanes *
lanes_open(const struct ch_kafka_producer_params *params, struct ch_err *err)
{
	struct lanes *l = ch_xcalloc(1, sizeof(*l));
	struct ch_kafka_producer_params bulk = *params;

	if (bulk.linger_ms < LANES_BULK_MS)
		bulk.linger_ms = LANES_BULK_MS;
	l->lane[LANE_PROMPT] = ch_kafka_producer_open(params, err);
	if (l->lane[LANE_PROMPT] != NULL)
		l->lane[LANE_BULK] = ch_kafka_producer_open(&bulk, err);
	if (l->lane[LANE_BULK] == NULL) {
		lanes_close(l, 0);
		return NULL;
	}
	return l;
}

void
lanes_close(struct lanes *l, int deadline_ms)
{
	if (l == NULL)
		return;
	ch_kafka_producer_close(l->lane[l->now], deadline_ms);
	ch_kafka_producer_close(l->lane[l->now ^ 1], 0);
	free(l);
}

struct ch_kafka_producer *
lanes_now(const struct lanes *l)
{
	return l->lane[l->now];
}

void
lanes_expect(struct lanes *l, const char *topic)
{
	int i;

	for (i = 0; i < LANE_COUNT; i++)
		ch_kafka_producer_expect(l->lane[i], topic);
}

void
lanes_poll(struct lanes *l)
{
	int i;

	for (i = 0; i < LANE_COUNT; i++)
		ch_kafka_producer_poll(l->lane[i], 0);
}

/* A lane that stood idle may have failed meanwhile. */
static bool
is_usable(struct ch_kafka_producer *p)
{
	struct ch_err err = CH_ERR_INIT;

	if (!ch_kafka_producer_fatal(p, &err))
		return true;
	ch_warn("sink.rebuild_idle", CH_ERR(&err));
	if (ch_kafka_producer_reopen(p, &err) == CH_OK)
		return true;
	ch_error("sink.reopen", CH_ERR(&err));
	return false;
}

static void
put_off(struct lanes *l, struct ch_mono now)
{
	l->changing = false;
	l->not_before =
		(struct ch_mono){now.ns + PUT_OFF_MS * INT64_C(1000000)};
}

bool
lanes_want(struct lanes *l, enum lane lane, struct ch_mono now)
{
	if (lane == l->now || now.ns < l->not_before.ns) {
		l->changing = false;
		return true;
	}
	if (!l->changing) {
		l->changing = true;
		l->since = now;
	}
	if (ch_kafka_producer_pending(l->lane[l->now]) == 0 &&
		is_usable(l->lane[lane])) {
		l->changing = false;
		l->now = lane;
		return true;
	}
	if (ch_mono_ms_since(now, l->since) < CHANGE_MS)
		return false;
	put_off(l, now);
	return true;
}

int64_t
lanes_next_ms(const struct lanes *l, struct ch_mono now)
{
	int64_t waited = ch_mono_ms_since(now, l->since);

	/* after that nobody has wanted it again: no row waits for the change */
	return l->changing && waited < CHANGE_MS ? CHANGE_MS - waited : -1;
}

uint64_t
lanes_throttled(const struct lanes *l)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < LANE_COUNT; i++)
		sum += ch_kafka_producer_counts(l->lane[i])->throttled;
	return sum;
}

int
lanes_fd(const struct lanes *l, enum lane lane)
{
	return ch_kafka_producer_fd(l->lane[lane]);
}
