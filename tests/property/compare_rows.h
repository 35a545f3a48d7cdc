/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare_rows: rows that a batch leaves, as texts in the canonical form of the
 * serial model.
 *
 * The core's texts are brought there by cutting out "reason" and "seq" (and
 * what a timer derives from its id); nothing is parsed, so that the order of
 * fields and every digit counts.
 *
 * Thread: any. All texts are the caller's to free.
 */
#ifndef TESTS_PROPERTY_COMPARE_ROWS_H
#define TESTS_PROPERTY_COMPARE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "batch.h"

char *compare_rows_result(struct ch_view text, bool timer);
char *compare_rows_posting(const struct posting_row *p, bool timer,
	struct ch_time decided_at);
/* *timer: it is an event of a timer. */
char *compare_rows_event(const struct event_row *e, bool *timer);
/* Is that the place of a timer's row? */
bool compare_rows_is_timer(const struct batch_out *out, int32_t pos);

#endif
