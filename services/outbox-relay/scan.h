/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan: the tables themselves as a source, page by page, into inflight.
 *
 * One round reads everything that is not delivered: command_log, answers and
 * rejected by log_seq per stream (no gaps, commits follow it: a number is a
 * safe cursor there), the outbox by what the delivered snapshot had not seen
 * (a number would lose rows there). The last page of a round carries the
 * round's snapshot as its mark; of a round that found nothing it does not,
 * since the mark before says as much.
 *
 * A round may begin while rows of those before are in flight: it reads behind
 * what they have read. Marks come into effect in order, so what is stored as
 * delivered is the last round before which nothing waits.
 *
 * Serves both the re-scan after a lost slot and polling.
 *
 * Thread: loop only.
 */
#ifndef RELAY_SCAN_H
#define RELAY_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "inflight.h"
#include "io/pg.h"

struct scan;

struct scan *scan_new(void);
void scan_free(struct scan *s);
/* A new round: behind what f has delivered, and what snapshot (NULL: none)
 * did not see. */
void scan_begin(struct scan *s, const struct inflight *f, const char *snapshot);
/* The same behind what the last round has read: it is read whole. */
void scan_next(struct scan *s);
/* Reads one page. 1: more; 0: the round is read (its rows may be in flight);
 * negative as in io/pg.h: the same page again, later. */
int scan_turn(struct scan *s, struct ch_pg *pg, struct inflight *f,
	struct ch_time now, struct ch_err *err);
/* Rows that the round has read. */
uint64_t scan_rows(const struct scan *s);
/* What a round that is read has read: all that this snapshot sees, */
const char *scan_until(const struct scan *s);
/* and the i-th stream up to seq; false at the end. */
bool scan_stream_at(const struct scan *s, size_t i, int32_t *stream,
	int64_t *seq);

#endif
