/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_trades: the statements of trades.c in a simulation, which runs as it is:
 * the fence, rows of trades_public, letters, and what is numbered.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_TWIN_TRADES_H
#define TESTS_SIM_TWIN_TRADES_H

#include <stdbool.h>

#include "twin_pg.h"

/* As those of twin_sql.c. */
bool twin_trades_begin(struct ch_pg *pg);
bool twin_trades_move_offset(struct ch_pg *pg);
bool twin_trades_draw_number(struct ch_pg *pg);
bool twin_trades_lowest_day(struct ch_pg *pg);
bool twin_trades_insert(struct ch_pg *pg);
bool twin_trades_close(struct ch_pg *pg);
/* A row of COPY rejected, by column. */
struct twin_copied;
void twin_trades_letter(struct ch_pg *pg, const struct twin_copied *row);

#endif
