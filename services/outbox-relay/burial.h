/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burial: deliveries that wait for an endpoint, and who has that; those of an
 * endpoint that is nobody's become letters, which can be discarded, planned and
 * exported like others, or sent when it is back.
 *
 * Thread: that of its connection.
 */
#ifndef RELAY_BURIAL_H
#define RELAY_BURIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "io/pg.h"

#define BURIAL_AT_ONCE 10000  /* in a transaction */
#define BURIAL_COUNTED 100000 /* endpoints_waiting.sql counts no more */

struct burial_waiting {
	struct ch_view endpoint;
	struct ch_view whose; /* relay, nobody, unknown */
	int64_t count;	      /* at most BURIAL_COUNTED */
	struct ch_time since;
};

/* endpoint NULL: all that have any; PQclear(res). */
int burial_find(struct ch_pg *pg, const char *endpoint, int64_t limit,
	PGresult **res, struct ch_err *err);
/* Its views live as long as res. */
int burial_row(const PGresult *res, int i, struct burial_waiting *out,
	struct ch_err *err);
void burial_json(struct ch_buf *out, const struct burial_waiting *w);
/* A letter names it so: webhook:<name>. */
const char *burial_endpoint(const char *name);

struct burial {
	const char *endpoint, *actor, *reason;
	bool dry_run;
};
/* At most BURIAL_AT_ONCE of them, oldest first, in a transaction of its own;
 * *letters: how many became letters; a dry run: how many would, by all calls.
 * CH_EEXIST: somebody has it, or may have it. */
int burial_run(struct ch_pg *pg, const struct burial *b, int64_t *letters,
	struct ch_err *err);

#endif
