/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letters_decision: what is decided of a dead letter, for good.
 *
 * A decision is one transaction: the letter's state is locked, checked,
 * changed, and an audit_events row written beside it, by functions of the
 * schema: people have no right to its tables themselves. Two operators at once:
 * the second waits, then sees what the first has decided.
 *
 * Errors as in io/pg.h; CH_EEXIST: it is decided already. An error leaves the
 * letter as it was; a call that begins a transaction ends it then.
 *
 * Thread: any, with a connection of its own.
 */
#ifndef RELAY_LETTERS_DECISION_H
#define RELAY_LETTERS_DECISION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "io/pg.h"
#include "letter.h"
#include "letters.h"

/* Begins a transaction, locks the letter and brings state and replays up to date,
 * for whoever decides by hand: refuses, while nothing is sent yet, what
 * letters_write() would refuse of them (the owner's rule of two people, which
 * stays until the end; who and why that cannot be stored). On an error there is
 * no transaction. */
int letters_claim(struct ch_pg *pg, struct letters_row *row, const char *actor,
	const char *reason, struct ch_err *err);
/* For a plan's, in a pipeline, inside of a transaction: the question, its
 * answer. */
int letters_lock_add(struct ch_pg *pg, const struct ch_uuid *id,
	struct ch_err *err);
int letters_locked(const PGresult *res, struct letters_row *row,
	struct ch_err *err);

struct letters_decision {
	const char *actor, *reason;
	enum letter_state state;
	int32_t replays;   /* with this one, when it was sent */
	const char *topic; /* NULL: nothing was sent */
	int32_t part;
	int64_t offset;
	const struct letter_command *command; /* NULL: none could be read */
	int64_t plan;			      /* 0: by hand */
};
/* Writes the decision and its audit row; of an edited letter, closes what it
 * stands for; of an endpoint's that is sent again, makes its delivery pending in
 * its old place (part and offset are not read then). Inside of a transaction.
 * CH_EEXIST, with nothing written: that delivery is not dead now. */
int letters_write(struct ch_pg *pg, const struct letters_row *row,
	const struct letters_decision *d, struct ch_err *err);
/* The same in a pipeline, of a letter that goes to no endpoint. */
int letters_write_add(struct ch_pg *pg, const struct letters_row *row,
	const struct letters_decision *d, struct ch_err *err);
/* false with CH_EEXIST: it is decided. */
bool letters_may_discard(const struct letters_row *row, struct ch_err *err);
struct letters_discard {
	const char *actor, *reason;
	int64_t plan; /* 0: by hand */
};
/* The decision of a letter that is locked and may be discarded. */
struct letters_decision letters_discarded(const struct letters_row *row,
	const struct letters_discard *w);
/* Never to be sent, nor once more by an endpoint's delivery that is on its way;
 * by hand, in a transaction of its own. CH_EEXIST: it is decided. */
int letters_discard(struct ch_pg *pg, struct letters_row *row,
	const struct letters_discard *w, struct ch_err *err);

struct letters_edit {
	struct ch_view value; /* the new one */
	const char *actor, *reason;
	struct ch_time now; /* the new id's */
	bool dry_run;	    /* all of it, and then rolled back */
};
/* A letter of its own with this value, linked to the row, which waits as
 * `edited`. One transaction. CH_EEXIST: it may not be edited. */
int letters_edit(struct ch_pg *pg, struct letters_row *row,
	const struct letters_edit *e, struct ch_uuid *id, struct ch_err *err);

#endif
