/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rhythm: the rate by windows, and the pauses by rate.
 */
#include "rhythm.h"

#define WINDOW_NS 50000000
#define BEHIND_NS 8000000
/* In this time a walsender that waits for nothing fills a Unix socket; measured
 * alike from 150 to 450 us (docs/measurements.md). */
#define SOCKET_NS 300000
/* Of the 75 messages, with room for a burst. */
#define SOCKET_ROWS 25

void
rhythm_init(struct rhythm *r, int64_t gather_ms, struct ch_mono now)
{
	*r = (struct rhythm){.gather_ns = gather_ms * 1000000, .since = now};
}

void
rhythm_rows(struct rhythm *r, int64_t rows, bool behind, bool local,
	struct ch_mono now)
{
	int64_t took = now.ns - r->since.ns;

	r->rows += rows;
	r->local = local;
	if (rows > 0)
		r->behind = behind;
	if (took < WINDOW_NS)
		return;
	r->behind &= r->rows > 0;
	r->per_second = r->rows * 1000 / (took / 1000000);
	r->busy = r->per_second >=
		(r->busy ? RHYTHM_BUSY_ROWS / 2 : RHYTHM_BUSY_ROWS);
	r->rows = 0;
	r->since = now;
}

static int64_t
gathered(const struct rhythm *r)
{
	int64_t full = INT64_MAX;

	if (!r->busy)
		return 0;
	if (r->local)
		full = SOCKET_ROWS * INT64_C(1000000000) / r->per_second;
	return full < r->gather_ns ? full : r->gather_ns;
}

struct rhythm_pause
rhythm_pause(const struct rhythm *r)
{
	if (!r->behind)
		return (struct rhythm_pause){.read_ns = gathered(r)};
	if (r->local)
		return (struct rhythm_pause){SOCKET_NS, BEHIND_NS};
	return (struct rhythm_pause){.read_ns = BEHIND_NS};
}

bool
rhythm_is_bulk(const struct rhythm *r)
{
	return r->busy || r->behind;
}
