/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot: what the slot is like, and what that means for where rows come from.
 *
 *	it is		our position	then
 *	free		as far, or on	the stream goes on
 *	free		behind it	it was moved, or made anew, by somebody
 *					else: the tables first
 *	free		none		the tables first, then the stream
 *	missing		any		made; the tables first
 *	lost		any		dropped and made; the tables first
 *	read		any		its reader is ended, once; again later
 *	another's	any		refused: CH_ECONFIG
 *
 * The position is forgotten durably before a slot is made or left as moved: a
 * crash before the tables are read reads them again. A slot that is free is
 * never dropped, whoever made it: it may have rows that are in no table any
 * more. Who reads it while the lock is ours is a leader that stands still, or a
 * stream of our own that broke; what comes back after that is no relay.
 *
 * Thread: loop only.
 */
#ifndef RELAY_SLOT_H
#define RELAY_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "walsender.h"

struct relay;

enum slot_plan {
	SLOT_STREAM,
	SLOT_SCAN,
	SLOT_LEAVE_MOVED, /* then as SCAN */
	SLOT_MAKE,	  /* the same */
	SLOT_MAKE_ANEW,	  /* the same */
	SLOT_END_READER,
	SLOT_REFUSE
};

/* known: how far it may be (position_of_slot()); 0: none. */
enum slot_plan slot_plan(const struct walsender_slot_found *slot,
	uint64_t known);

/* Looks, and does what must be done before rows can be read; then *scan: are
 * the tables read first? *before: then, as horizon_set() takes it. Codes as of
 * walsender.h; CH_EEXIST: it is read by another. */
int slot_use(struct relay *r, bool *scan, char **before, struct ch_err *err);
/* What it has is not all: the position is forgotten, durably, and the tables
 * are read first. */
int slot_forget(struct relay *r, struct ch_err *err);

#endif
