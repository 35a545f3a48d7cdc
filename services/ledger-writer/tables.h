/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables: the columns that the writer fills, in the order of its SQL.
 *
 * Thread: constants only.
 */
#ifndef LEDGER_TABLES_H
#define LEDGER_TABLES_H

#include "rowset.h"

extern const struct rowset_table table_assets;
extern const struct rowset_table table_accounts;
extern const struct rowset_table table_balances;
extern const struct rowset_table table_skus;
extern const struct rowset_table table_stock;
extern const struct rowset_table table_reservations;
extern const struct rowset_table table_holds;
extern const struct rowset_table table_reversals;
extern const struct rowset_table table_orders;
extern const struct rowset_table table_fills;
extern const struct rowset_table table_markets;
extern const struct rowset_table table_positions;
extern const struct rowset_table table_own_trades;
extern const struct rowset_table table_rates;
extern const struct rowset_table table_log;
extern const struct rowset_table table_answers;
extern const struct rowset_table table_rejected;
extern const struct rowset_table table_postings;
extern const struct rowset_table table_outbox;

#endif
