/* SPDX-License-Identifier: Apache-2.0 */
/*
 * silence: how long a walsender has said nothing though it was asked, and
 * whether it is time to leave it.
 *
 * A link that loses what the server sends, and nothing else, has no other end.
 * A walsender that decodes a large transaction may say nothing for long too,
 * and begins again when it is left: hence the patience doubles each time, until
 * a commit comes. A stream that we have not read to its end, because Kafka is
 * away, is not silent.
 *
 * All zero: nothing was asked yet. It outlives a stream.
 *
 * Thread: belongs to one thread. Pure: `now` is passed in.
 */
#ifndef RELAY_SILENCE_H
#define RELAY_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct silence {
	struct ch_mono since;
	bool dry;	  /* since the last status all that came was read */
	uint64_t heard;	  /* frames, at the last status */
	uint64_t left_at; /* commits, when it was last left */
	int doublings;	  /* left so often, without a commit between */
};

/* All that came was read. */
void silence_read_dry(struct silence *s);
/* Before a status is sent, with which the server is asked again: for how long
 * has it said nothing? frames: that were heard, ever; first: of this stream,
 * which was not asked yet. */
int64_t silence_ms(struct silence *s, uint64_t frames, bool first,
	struct ch_mono now);
/* After so long: leave it? Then it is more patient with the next stream.
 * commits: that were read, ever. */
bool silence_gives_up(struct silence *s, int64_t ms, uint64_t commits);

#endif
