/* SPDX-License-Identifier: Apache-2.0 */
/*
 * position: see position.h.
 */
#include "position.h"

#define SAVE_MS 1000
/* Without a delivery: at most so long, or when the slot would keep so much. */
#define IDLE_SAVE_MAX_MS 600000
#define IDLE_SAVE_BYTES ((uint64_t)32 << 20)

void
position_init(struct position *p, struct progress *progress,
	struct inflight *inflight)
{
	*p = (struct position){.progress = progress,
		.inflight = inflight,
		.idle_save_ms = SAVE_MS};
}

enum position_state
position_state(const struct position *p)
{
	if (p->progress->has_lsn)
		return POSITION_KNOWN;
	return p->scanned ? POSITION_SCANNED : POSITION_NONE;
}

void
position_forget(struct position *p)
{
	position_drop(p);
	p->progress->has_lsn = false;
	p->progress->lsn = 0;
}

void
position_drop(struct position *p)
{
	p->scanned = false;
	p->read_lsn = 0;
}

void
position_scan(struct position *p)
{
	p->scanned = false;
}

void
position_scanned(struct position *p)
{
	p->scanned = true;
	p->scan_end = inflight_ended(p->inflight);
}

void
position_settle(struct position *p, const char *snapshot)
{
	if (position_state(p) != POSITION_SCANNED ||
		inflight_position(p->inflight)->commits < p->scan_end)
		return;
	if (snapshot != NULL)
		progress_snapshot_set(p->progress, snapshot);
	p->progress->has_lsn = true;
	p->progress->lsn = p->slot_lsn;
	p->progress->saved_snapshot = false; /* written within a second */
}

void
position_read(struct position *p, uint64_t lsn)
{
	p->read_lsn = lsn;
}

uint64_t
position_stream_from(const struct position *p)
{
	uint64_t lsn = position_state(p) == POSITION_KNOWN ? p->progress->lsn
							   : p->slot_lsn;

	return p->read_lsn > lsn ? p->read_lsn : lsn;
}

uint64_t
position_of_slot(const struct position *p)
{
	if (p->scanned && p->slot_lsn > p->progress->kept_lsn)
		return p->slot_lsn;
	return p->progress->has_lsn ? p->progress->kept_lsn : 0;
}

void
position_advance(struct position *p)
{
	uint64_t lsn = inflight_position(p->inflight)->lsn;

	if (position_state(p) != POSITION_KNOWN)
		return;
	if (lsn > p->progress->lsn)
		p->progress->lsn = lsn;
	progress_reached(p->progress, p->progress->lsn);
}

/* ---- when it is written ---- */

int64_t
position_save_ms(const struct position *p, bool moves, struct ch_mono now)
{
	int64_t ago = ch_mono_ms_since(now, p->saved_at), wait = SAVE_MS;

	if (!progress_is_due(p->progress, p->inflight)) {
		if (!moves || !progress_is_ahead(p->progress))
			return -1;
		if (p->progress->lsn - p->progress->kept_lsn < IDLE_SAVE_BYTES)
			wait = p->idle_save_ms;
	}
	return ago < wait ? wait - ago : 0;
}

void
position_saves(struct position *p, struct ch_mono now)
{
	if (progress_is_due(p->progress, p->inflight))
		p->idle_save_ms = SAVE_MS;
	else if (p->idle_save_ms < IDLE_SAVE_MAX_MS)
		p->idle_save_ms *= 2;
	p->saved_at = now;
}
