/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake: rows come in, a piece a turn, from where the session says: the
 * stream, pages of the tables, or an application's polled table (poll.c).
 *
 * Thread: loop only.
 */
#ifndef RELAY_INTAKE_H
#define RELAY_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

struct relay;

/* One piece; true: more may be there. The session may be lost then. */
bool intake_turn(struct relay *r);
/* Is there room for what the stream has? */
bool intake_may_read(const struct relay *r);
/* Of polling: is a page to be read now? */
bool intake_polls_now(const struct relay *r);

#endif
