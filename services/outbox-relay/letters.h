/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letters: the dead letters of all stores, read through the view `letters`.
 *
 * Everything here only reads: letters_decision.h decides, letters_group.h
 * counts by sort. Errors are those of io/pg.h, and CH_EPROTO for a row that is
 * not as the SQL makes it. A PGresult that was handed out is the caller's to
 * clear.
 *
 * Thread: any, with a connection of its own.
 */
#ifndef RELAY_LETTERS_H
#define RELAY_LETTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/pg.h"
#include "letter.h"
#include "letters_query.h"

/* Views are valid until the PGresult is cleared. */
struct letters_row {
	struct ch_uuid id;
	bool is_delivery;     /* neither of the two: a rejected record */
	bool is_foreign;      /* of another system's dead-letter topic */
	struct ch_view topic; /* empty: a foreign one that names none */
	struct ch_view row_id, key, value, names, values, class, reason;
	struct ch_view actor, state_reason;
	int32_t part;	    /* -1: by the key */
	int64_t src_offset; /* -1: none */
	int32_t attempts, replays;
	struct ch_time at;
	enum letter_state state;
	bool blocks_key;
	bool is_edit; /* of the letter original */
	struct ch_uuid original;
	struct ch_view fingerprint;
	int64_t fitting; /* letters that fit, unless uncounted whatever the limit */
	int64_t bytes; /* of the whole value */
};

int letters_find(struct ch_pg *pg, const struct letters_filter *f,
	PGresult **out, struct ch_err *err);
int letters_row(const PGresult *res, int i, struct letters_row *out,
	struct ch_err *err);

const char *letters_kind(const struct letters_row *row);

/* The letters of a letters_find() from this place on, with their whole values, in
 * the same order: so many bytes of them, not so many rows, at least one. count:
 * how many places they are; a letter that is gone since is not among them. */
int letters_whole(struct ch_pg *pg, const PGresult *found, int from, int *count,
	PGresult **out, struct ch_err *err);

/* Open letters of their keys that are older and not among those found: sent now,
 * these would pass them. again: those too that were sent. *count 0: none, else
 * first is the oldest. */
int letters_overtaken(struct ch_pg *pg, const PGresult *found, bool again,
	int64_t *count, struct ch_uuid *first, struct ch_err *err);

/* A large selection, page by page, as it was when it was opened; inside of a
 * transaction of its own. The last page is empty; then close. */
int letters_open(struct ch_pg *pg, const struct letters_filter *f,
	struct ch_err *err);
int letters_page(struct ch_pg *pg, PGresult **out, struct ch_err *err);
void letters_close(struct ch_pg *pg);

/* How often, when and to where it was sent again, the newest first, as JSON
 * texts. */
int letters_sendings(struct ch_pg *pg, const struct ch_uuid *id, PGresult **out,
	struct ch_err *err);

/* Of a rejected record: has the ledger taken its id since, or is the id's day
 * gone? status is "" when it was not taken. */
struct letters_command {
	bool known; /* it has an id and an organisation */
	char status[64];
	bool expired;
	char lowest_day[16];
};
int letters_command(struct ch_pg *pg, const struct letters_row *row,
	struct letters_command *out, struct ch_err *err);
/* The same in a pipeline. *asked: there is a question, whose answer will come. */
int letters_command_add(struct ch_pg *pg, const struct letters_row *row,
	bool *asked, struct ch_err *err);
int letters_commanded(const PGresult *res, struct letters_command *out,
	struct ch_err *err);
/* Of an endpoint's: do the relays run, and none of them has the endpoint? */
int letters_endpoint_missing(struct ch_pg *pg, struct ch_view topic,
	bool *missing, struct ch_err *err);

#endif
