/* SPDX-License-Identifier: Apache-2.0 */
/*
 * renumber: gives the rows that a replayed batch made the numbers that they
 * have in the books.
 *
 * A number is drawn from a sequence, ahead and by several writers, and stands
 * nowhere in the log; but holders are paid in the order of their positions'
 * numbers. So it is looked up by what names the row. A row that the books do
 * not have gets one from the replay's own sequence, and is found when the
 * tables are compared.
 *
 * Thread: main.
 */
#ifndef LEDGER_RENUMBER_H
#define LEDGER_RENUMBER_H

#include "books.h"
#include "session.h"

/* 0 or a code of io/pg.h. */
int renumber(struct session *s, struct books *b, struct ch_err *err);

#endif
