/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letters: the dead letters of both stores, found, locked and decided.
 *
 * A decision is one transaction: the letter's state is locked, checked,
 * changed, and an audit_events row written beside it, by functions of the
 * schema: people have no right to its tables themselves. Two operators at once:
 * the second waits, then sees what the first has decided.
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

/* Columns of letters_group() behind the four numbers. */
#define LETTERS_GROUP_MAX 8
struct letters_group {
	const char *names[LETTERS_GROUP_MAX];
	size_t count;
};
/* "topic,class,fingerprint,key,age,kind,state"; CH_EINVAL names what is not
 * known. An empty text groups by nothing: all are one. */
int letters_group_read(struct ch_view text, struct letters_group *out,
	struct ch_err *err);
int letters_group(struct ch_pg *pg, const struct letters_filter *f,
	const struct letters_group *by, PGresult **out, struct ch_err *err);
/* One row of it. Views are valid until the PGresult is cleared. */
struct letters_sort {
	int64_t letters, bytes;
	struct ch_time oldest, newest;		 /* of letters > 0 */
	struct ch_view names[LETTERS_GROUP_MAX]; /* ptr NULL: none */
};
int letters_sort(const PGresult *res, int i, const struct letters_group *by,
	struct letters_sort *out, struct ch_err *err);
/* How often, when and to where it was sent again, the newest first, as JSON
 * texts. */
int letters_sendings(struct ch_pg *pg, const struct ch_uuid *id, PGresult **out,
	struct ch_err *err);

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
/* Of an endpoint's: do the relays run, and none of them has the endpoint? */
int letters_endpoint_missing(struct ch_pg *pg, struct ch_view topic,
	bool *missing, struct ch_err *err);
/* The same in a pipeline. *asked: there is a question, whose answer will come. */
int letters_command_add(struct ch_pg *pg, const struct letters_row *row,
	bool *asked, struct ch_err *err);
int letters_commanded(const PGresult *res, struct letters_command *out,
	struct ch_err *err);

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
