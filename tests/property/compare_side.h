/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare_side: what one side of a comparison said, line by line, each kind in
 * a channel of its own.
 *
 * Thread: belongs to one thread.
 */
#ifndef TESTS_PROPERTY_COMPARE_SIDE_H
#define TESTS_PROPERTY_COMPARE_SIDE_H

#include <stdbool.h>
#include <stddef.h>

enum channel {
	ANSWERS, /* of records, in order; "" : it went to `rejected` */
	POSTINGS,
	EVENTS,
	TIMERS, /* answers of timers; here and below as sets */
	TIMER_POSTINGS,
	TIMER_EVENTS,
	CHANNELS
};
extern const char *const channel_names[CHANNELS];

struct lines {
	char **texts;
	size_t count, cap;
};
struct side {
	struct lines channels[CHANNELS];
	char problem[512]; /* "" : none */
};

void side_add(struct side *s, enum channel channel, char *text);
__attribute__((format(printf, 2, 3))) void side_problem(struct side *s,
	const char *format, ...);
void side_empty(struct side *s);
void side_free(struct side *s);
/* The first difference of two sides, as a text for people; false: none. Sorts
 * the channels that are sets. */
bool side_differ(struct side *a, struct side *b, char *out, size_t size);

/* Cuts `,"name":"..."` (or `"name":"...",` at the beginning) out of text. */
void side_cut(char *text, const char *start);

#endif
