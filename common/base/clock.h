/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock: where time comes from.
 *
 * Wall time (struct ch_time) and monotonic time (struct ch_mono) are struct
 * types of their own, so that they cannot be mixed. Code that decides takes
 * them as arguments; only loops and I/O modules ask a clock. A fake clock is
 * moved by hand in tests and simulations.
 *
 * Thread: the real clock any; a fake one belongs to its test.
 */
#ifndef CH_BASE_CLOCK_H
#define CH_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

struct ch_time {
	int64_t us; /* microseconds since 1970-01-01T00:00:00Z */
};

struct ch_mono {
	int64_t ns; /* nanoseconds since some start */
};

struct ch_clock {
	struct ch_time (*wall)(void *ctx);
	struct ch_mono (*mono)(void *ctx);
	void *ctx;
};

extern const struct ch_clock ch_clock_real;

struct ch_clock_fake {
	struct ch_time wall;
	struct ch_mono mono;
};

/* A clock that shows what f holds. */
struct ch_clock ch_clock_of_fake(struct ch_clock_fake *f);
void ch_clock_fake_advance(struct ch_clock_fake *f, int64_t us);

static inline struct ch_time
ch_clock_wall(const struct ch_clock *c)
{
	return c->wall(c->ctx);
}

static inline struct ch_mono
ch_clock_mono(const struct ch_clock *c)
{
	return c->mono(c->ctx);
}

/* Whole milliseconds from then to now, cut towards 0; negative when then is
 * the later one (a deadline that is still ahead). */
int64_t ch_mono_ms_since(struct ch_mono now, struct ch_mono then);

#define CH_US_PER_DAY INT64_C(86400000000)
#define CH_DAYS_1970_TO_2000 10957 /* PostgreSQL counts from 2000 on */

#define CH_TIME_TEXT_MAX 28 /* "2026-11-21T09:41:02.123456Z" and its NUL */

/* RFC 3339 in UTC with six fraction digits; returns the length. What lies
 * outside of the years 0 to 9999 prints as the nearest time inside. */
size_t ch_time_format(struct ch_time t, char out[CH_TIME_TEXT_MAX]);
/* RFC 3339, 'Z' only (upper case T and Z), 0 to 6 fraction digits, a real
 * calendar date of the years 1970 to 9999; leap seconds are refused. */
bool ch_time_parse(struct ch_view text, struct ch_time *out);
/* Days since 1970-01-01, rounded down. */
int64_t ch_time_day(struct ch_time t);
/* Microseconds since 2000-01-01, PostgreSQL's timestamptz. Its 'infinity' and
 * '-infinity' (INT64_MAX and INT64_MIN) stay the largest and smallest. */
int64_t ch_time_to_pg(struct ch_time t);
struct ch_time ch_time_from_pg(int64_t pg_us);

#endif
