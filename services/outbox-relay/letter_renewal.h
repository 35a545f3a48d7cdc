/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letter_renewal: a rejected command whose id is older than the ledger keeps,
 * under a new id.
 *
 * Sent again as it is, it would be answered key_expired. The new value is an
 * edit of the letter (letters_edit), which links the two for good. Whether the
 * old id was applied by another sending before its day went nobody can say any
 * more: that is for the operator to know, and for nobody else's id.
 *
 * Thread: any, with a connection of its own.
 */
#ifndef RELAY_LETTER_RENEWAL_H
#define RELAY_LETTER_RENEWAL_H

#include "base/err.h"
#include "io/pg.h"
#include "letters.h"

/* The command's value with an id of this time. CH_EEXIST: it may be sent under
 * its own id, was taken, or is no command that can be read; or as in io/pg.h. */
int letter_renewal_of(struct ch_pg *pg, const struct letters_row *row,
	struct ch_time now, struct ch_buf *out, struct ch_err *err);

#endif
