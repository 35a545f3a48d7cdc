/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letter_change: letters replayed or discarded by hand, one transaction each.
 *
 * In their order, and at the end one audit row of what the call meant and how
 * much it did. A letter that is not sent and stays open holds the later
 * ones of its key: they are refused. A failure (PostgreSQL, Kafka) ends it,
 * since what follows must not pass the letter that failed.
 *
 * Thread: any, with a connection of its own; it waits.
 */
#ifndef RELAY_LETTER_CHANGE_H
#define RELAY_LETTER_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "daemon/params.h"
#include "destination.h"
#include "io/pg.h"
#include "letters.h"

struct letter_change {
	struct ch_pg *pg;
	const struct ch_params *params;
	const char *actor, *reason;
	/* The configuration's; but for "off", here or in the database, nobody
	 * does it alone. */
	const char *two_person;
	const char *selection; /* JSON: how the letters were named */
	int32_t replays_max;
	const char *to; /* of foreign letters; NULL: where they came from */
	bool again;	/* those too that were sent and may still be taken */
	bool replaying; /* else discarding */
	bool dry_run;	/* checks only */
	struct destination_look *look; /* of a dry run: where it would go */
	/* Each letter: CH_OK; CH_EEXIST and CH_ERANGE: refused; else failed. */
	void (*told)(void *ctx, const struct letters_row *row, int rc,
		const struct ch_err *err);
	void *ctx;
};

struct letter_changes {
	int done, refused;
	bool failed; /* the last one that was told */
};

/* res: of letters_find(), whose values are not looked at.
 * CH_OK: every letter up to the first that failed was told. CH_EFENCED: a
 * second person is asked for; CH_ECONFIG: no producer; CH_EPROTO: not a row of
 * letters_find(); as in io/pg.h; or, the letters told, the audit row could not be written. */
int letter_change_run(const struct letter_change *c, const PGresult *res,
	struct letter_changes *out, struct ch_err *err);
/* CH_EFENCED: what is no dry run would be refused, as nobody does it alone. */
int letter_change_alone(const struct letter_change *c, struct ch_err *err);

#endif
