/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letter: the identity of a dead letter, and what makes it refusable.
 *
 * Thread: any. Pure.
 */
#ifndef RELAY_LETTER_H
#define RELAY_LETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "base/uuid.h"

/* The same row for the same topic has the same letter, whoever parks it and
 * however often: an UUIDv7 of the row's own time. */
struct ch_uuid letter_id(struct ch_time at, struct ch_view origin,
	struct ch_view row_id, struct ch_view topic);

enum letter_state {
	LETTER_PENDING,
	LETTER_REPLAYED,
	LETTER_RESOLVED,
	LETTER_DISCARDED,
	LETTER_QUARANTINED, /* it came back too often */
	LETTER_EDITED	    /* another letter stands for it */
};
const char *letter_state_name(enum letter_state s);
bool letter_state_of(struct ch_view name, enum letter_state *out);

/* Records that are too large were of two classes, by who said so: this process,
 * or the broker, of whose code letters of before have the name. */
#define LETTER_TOO_LARGE "too_large"
struct ch_view letter_class(struct ch_view name);

enum letter_action {
	LETTER_REPLAY,
	LETTER_REPLAY_AGAIN, /* though it was sent, and nothing is known yet */
	LETTER_DISCARD,
	LETTER_EDIT
};

/* May it be done? false with the reason in err: CH_EEXIST (nothing is left to
 * do), CH_ERANGE (the loop guard: replayed replays_max times already). */
bool letter_may(enum letter_action action, enum letter_state state,
	int32_t replays, int32_t replays_max, struct ch_err *err);

/* Where two values differ: so many bytes of the old one at this place were
 * exchanged for those of the new one. */
struct letter_difference {
	size_t at;
	struct ch_view removed, inserted;
};
struct letter_difference letter_difference_of(struct ch_view old,
	struct ch_view fresh);
/* {"at":12,"removed":"<hex>","inserted":"<hex>"} */
void letter_difference_json(struct ch_buf *b,
	const struct letter_difference *d);

struct letter_command {
	struct ch_uuid id;
	int64_t day; /* since 1970, of the id's own time */
	char org[65];
};
/* Reads a rejected record's value as a command; false when it has no id and
 * organisation that can be read: then the ledger decides. */
bool letter_command_of(struct ch_view value, struct letter_command *out);
/* The same command under another id; false as above. */
bool letter_command_renew(struct ch_view value, const struct ch_uuid *id,
	struct ch_buf *out);

#endif
