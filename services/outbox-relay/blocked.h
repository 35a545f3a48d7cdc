/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocked: keys that wait behind a dead letter, of topics and of endpoints
 * alike, as operators see them: since when, how much waits, and why.
 *
 * Thread: that of its connection.
 */
#ifndef RELAY_BLOCKED_H
#define RELAY_BLOCKED_H

#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "base/uuid.h"
#include "io/pg.h"

struct blocked_key {
	struct ch_view topic, key;
	struct ch_uuid letter;
	struct ch_time since;
	int64_t waiting; /* rows behind the letter */
	struct ch_view class, reason;
	int32_t attempts;
	struct ch_view state; /* of the letter; decided: its key is going on */
	int64_t fitting;      /* keys that wait, whatever the limit */
};

/* Those that wait longest, at most limit; PQclear(res). */
int blocked_find(struct ch_pg *pg, int64_t limit, PGresult **res,
	struct ch_err *err);
/* Its views live as long as res. */
int blocked_row(const PGresult *res, int row, struct blocked_key *out,
	struct ch_err *err);
void blocked_json(struct ch_buf *out, const struct blocked_key *k,
	struct ch_time now);

#endif
