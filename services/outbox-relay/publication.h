/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publication: was an application's table published all the time?
 *
 * What is written to a table while it is not published no slot has, and that it
 * is published again says nothing of that. But each change of a publication, of
 * what it has, and of a table's name leaves another row in PostgreSQL's catalogs,
 * with another number or xmin. So how it is published is kept beside the slot's
 * progress, and compared at each look; a table that was made in the transaction
 * that published it missed nothing. An ALTER PUBLICATION that changes nothing of
 * this table counts as well, where it cannot be told apart.
 *
 * The looks take no lock. Who reads the WAL must look when the stream tells the
 * table anew, before it takes a row behind that: PostgreSQL does so after each
 * change, and at times without one. Needless for what the last look saw.
 *
 * Failure: as in io/pg.h.
 * Thread: loop only.
 */
#ifndef RELAY_PUBLICATION_H
#define RELAY_PUBLICATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "io/pg.h"
#include "snapshot.h"

struct publication {
	const char *name, *table, *slot; /* the owner's */
	struct ch_buf how;
	bool kept;	      /* it is stored */
	struct snapshot seen; /* with the last look that found no change */
};

void publication_init(struct publication *p, const char *name,
	const char *table, const char *slot);
void publication_free(struct publication *p);
/* *missed: rows may have been written, since it was kept, that the slot lacks. If
 * not, it is kept as it is now. */
int publication_look(struct publication *p, struct ch_pg *pg, bool *missed,
	struct ch_err *err);
/* It is taken as the last look found it: what was missed comes otherwise, which
 * is durable. */
int publication_keep(struct publication *p, struct ch_pg *pg,
	struct ch_err *err);
/* Had this transaction, of the WAL, committed at the last look without a change? */
bool publication_saw(const struct publication *p, uint32_t xid);

#endif
