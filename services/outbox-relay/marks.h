/* SPDX-License-Identifier: Apache-2.0 */
/*
 * marks: of each stream of the log, the largest log_seq that was seen.
 *
 * A stream's commits follow its log_seq (the ledger's fence), so one number
 * says of each of its rows whether it lies before or behind. Mostly there is
 * one stream, and mostly the next number is of the same stream as the last:
 * neither costs memory of its own or a search.
 *
 * All zero: none. Holds a pointer into itself: not to be copied.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef RELAY_MARKS_H
#define RELAY_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mark {
	int32_t stream;
	int64_t seq;
};

struct marks {
	struct mark *all;
	struct mark only;
	size_t count, last; /* last: found or added */
};

/* Never goes back. */
void marks_raise(struct marks *m, struct mark raised);
void marks_raise_all(struct marks *m, const struct marks *raised);
/* Is it no further than its stream's? false: there is none of it. */
bool marks_cover(const struct marks *m, struct mark asked);
/* The i-th; false at the end. */
bool marks_at(const struct marks *m, size_t i, struct mark *out);
/* None any more; the memory is kept. */
void marks_clear(struct marks *m);
void marks_free(struct marks *m);

#endif
