/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letter_renewal: see letter_renewal.h.
 */
#include "letter_renewal.h"

#include "base/rng.h"
#include "letter.h"

int
letter_renewal_of(struct ch_pg *pg, const struct letters_row *row,
	struct ch_time now, struct ch_buf *out, struct ch_err *err)
{
	struct letters_command c;
	struct ch_rng rng;
	struct ch_uuid id;
	int rc = letters_command(pg, row, &c, err);

	if (rc != CH_OK)
		return rc;
	if (c.known && c.status[0] != '\0')
		return ch_err_set(err, CH_EEXIST,
			"the ledger has taken its id since: %s: discard it",
			c.status);
	if (c.known && !c.expired)
		return ch_err_set(err, CH_EEXIST,
			"the ledger keeps ids from %s on, and its own among "
			"them: replay it as it is",
			c.lowest_day);
	ch_rng_seed_system(&rng);
	id = ch_uuid_v7(now, &rng);
	if (!c.known || !letter_command_renew(row->value, &id, out))
		return ch_err_set(err, CH_EEXIST,
			"it is no rejected command with an id and an "
			"organisation that can be read: dlq edit it to a value "
			"that has a new id");
	return CH_OK;
}
