/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_rows: rows of an application's table as a query answers them, for
 * whoever reads the table itself (reread.c, queue.c). contract.c knows no
 * client library.
 *
 * Thread: belongs to one thread.
 */
#ifndef RELAY_CONTRACT_ROWS_H
#define RELAY_CONTRACT_ROWS_H

#include "base/err.h"
#include "contract.h"
#include "event.h"
#include "io/pg.h"

/* The first `columns` of the answer are the table's. CH_ERANGE: too many;
 * else as contract_learn(). */
int contract_rows_learn(struct contract *c, const PGresult *res, int columns,
	struct ch_err *err);
/* After it, with the same columns. NULL: err says why. */
struct event *contract_rows_event(struct contract *c, const PGresult *res,
	int row, int columns, const struct contract_origin *from,
	struct ch_err *err);
/* The place of the timestamptz column of that name, or -1. */
int contract_rows_time(const PGresult *res, int columns, const char *name);

#endif
