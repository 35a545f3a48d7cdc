/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forecast: see forecast.h.
 */
#include "forecast.h"

#include <inttypes.h>

#define EVERY_MS 2000

void
forecast_init(struct forecast *f, int64_t done, int64_t total,
	struct ch_mono now)
{
	*f = (struct forecast){.total = total,
		.done = done,
		.begun_with = done,
		.told_done = done,
		.began = now,
		.told = now};
}

static int64_t
milli_of(int64_t done, int64_t ms)
{
	return ms > 0 ? done * 1000000 / ms : 0;
}

static void
add_rate(struct ch_buf *out, int64_t milli)
{
	if (milli >= 10000)
		ch_buf_printf(out, "%" PRId64 "/s", milli / 1000);
	else
		ch_buf_printf(out, "%" PRId64 ".%" PRId64 "/s", milli / 1000,
			milli / 100 % 10);
}

static void
add_span(struct ch_buf *out, int64_t s)
{
	if (s < 60)
		ch_buf_printf(out, "%" PRId64 "s", s);
	else if (s < 3600)
		ch_buf_printf(out, "%" PRId64 "m %" PRId64 "s", s / 60, s % 60);
	else
		ch_buf_printf(out, "%" PRId64 "h %" PRId64 "m", s / 3600,
			s / 60 % 60);
}

bool
forecast_due(struct forecast *f, struct ch_mono now, struct ch_buf *out)
{
	int64_t ms = ch_mono_ms_since(now, f->told), milli;

	if (ms < EVERY_MS || f->done >= f->total)
		return false;
	milli = milli_of(f->done - f->told_done, ms);
	f->milli = f->was_told ? (f->milli + milli) / 2 : milli;
	f->told = now;
	f->told_done = f->done;
	f->was_told = true;
	ch_buf_printf(out, "%" PRId64 " of %" PRId64 ", ", f->done, f->total);
	add_rate(out, f->milli);
	if (f->milli > 0) {
		ch_buf_adds(out, ", ");
		add_span(out,
			((f->total - f->done) * 1000 + f->milli - 1) /
				f->milli);
		ch_buf_adds(out, " left");
	}
	return true;
}

void
forecast_end(const struct forecast *f, struct ch_mono now, struct ch_buf *out)
{
	int64_t ms = ch_mono_ms_since(now, f->began);

	ch_buf_printf(out, "%" PRId64 " of %" PRId64 ", ", f->done, f->total);
	add_rate(out, milli_of(f->done - f->begun_with, ms));
	ch_buf_adds(out, ", in ");
	add_span(out, ms / 1000);
}
