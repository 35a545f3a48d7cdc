/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rhythm: how long the stream is left alone, and rows are kept back, so that
 * many share a wake-up, a packet and a batch.
 *
 * A row that comes alone costs relay, walsender and broker a wake-up each, some
 * hundred microseconds together; a row among many costs a few. So single rows
 * go at once; from RHYTHM_BUSY_ROWS a second on they are gathered for as long
 * as the operator allows; and a stream that is behind, where nobody waits for a
 * single row, is taken in large pieces.
 *
 * A Unix socket holds some 75 messages of a walsender, whatever their size: it
 * would stand still while its reader pauses for long, and wakes the reader for
 * each handful when it does not pause at all. There the pause is the shorter,
 * the more rows come; and behind, the socket is emptied as often as it fills,
 * and only the sending is kept back.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef RELAY_RHYTHM_H
#define RELAY_RHYTHM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define RHYTHM_BUSY_ROWS 1000

struct rhythm {
	int64_t gather_ns; /* the longest pause while not behind */
	int64_t rows;	   /* since */
	struct ch_mono since;
	int64_t per_second; /* of the window before */
	bool busy;	    /* many rows a second; with hysteresis */
	bool behind, local;
};

struct rhythm_pause {
	int64_t read_ns, send_ns;
};

void rhythm_init(struct rhythm *r, int64_t gather_ms, struct ch_mono now);
/* What was read by now, and whether the last of it is old; nothing read says
 * nothing of that. */
void rhythm_rows(struct rhythm *r, int64_t rows, bool behind, bool local,
	struct ch_mono now);
/* After a stream was read empty, and after rows were sent. */
struct rhythm_pause rhythm_pause(const struct rhythm *r);
/* Do rows come in numbers? */
bool rhythm_is_bulk(const struct rhythm *r);

#endif
