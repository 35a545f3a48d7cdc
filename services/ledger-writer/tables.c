/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables: see tables.h; each row of write.c must give its values in the order
 * that stands here and in sql/.
 */
#include "tables.h"

#include "ledger_writer_sql.h"

#define I2 CH_PG_INT2_ARRAY
#define I4 CH_PG_INT4_ARRAY
#define I8 CH_PG_INT8_ARRAY
#define TEXT CH_PG_TEXT_ARRAY
#define BYTEA CH_PG_BYTEA_ARRAY
#define UUID CH_PG_UUID_ARRAY
#define BOOL CH_PG_BOOL_ARRAY
#define TIME CH_PG_TIMESTAMPTZ_ARRAY
#define DAY CH_PG_DATE_ARRAY

#define TABLE(name, n, ...)                                                    \
	const struct rowset_table table_##name = {                             \
		.copy = ledger_writer_sql_copy_##name,                         \
		.insert = {"insert_" #name, ledger_writer_sql_insert_##name},  \
		.columns = (n),                                                \
		.arrays = {__VA_ARGS__}}

TABLE(assets, 3, I4, TEXT, I2);
TABLE(accounts, 6, I4, I8, TEXT, TEXT, I2, I2);
TABLE(balances, 9, I4, I8, I2, I8, I8, I8, I8, BOOL, TIME);
TABLE(skus, 3, I4, I8, TEXT);
TABLE(stock, 6, I4, I8, I8, I8, I8, TIME);
TABLE(reservations, 11, I4, I8, I8, TEXT, I8, TEXT, I8, TIME, I4, I8, TIME);
TABLE(holds, 11, I4, I8, I8, TEXT, I8, TEXT, I8, TIME, I4, I8, TIME);
TABLE(reversals, 6, I4, UUID, I4, UUID, I8, TIME);
TABLE(orders, 11, I4, I8, TEXT, TEXT, TEXT, I8, I8, TEXT, TEXT, I8, TIME);
TABLE(fills, 7, I4, I8, TEXT, I8, TEXT, UUID, TIME);
TABLE(markets, 12, I4, I8, TEXT, TEXT, TEXT, TEXT, I8, TEXT, I8, I4, I8, TIME);
TABLE(positions, 11, I4, I8, I8, I8, TEXT, I8, I8, I8, I8, I8, TIME);
TABLE(own_trades, 16, I4, TEXT, I8, I8, TEXT, TEXT, I8, I8, I8, TEXT, TEXT,
	TEXT, UUID, TIME, UUID, TIME);
TABLE(log, 20, I4, UUID, DAY, I4, I8, I8, I4, TEXT, I8, TIME, TEXT, TEXT, BYTEA,
	BYTEA, BYTEA, TEXT, TEXT, TEXT, TEXT, TEXT);
TABLE(answers, 12, I4, I8, I8, I4, I8, TIME, I4, TEXT, TEXT, BYTEA, TEXT, TEXT);
TABLE(postings, 10, I4, I8, I8, I4, I2, I2, I8, I8, UUID, TIME);
TABLE(outbox, 8, I8, UUID, TEXT, TEXT, TEXT, TEXT, TIME, TEXT);

const struct rowset_table table_rejected = {
	.copy = ledger_writer_sql_copy_rejected,
	.columns = 17,
	.copy_only = true};

const struct rowset_table table_rates = {
	.copy = ledger_writer_sql_copy_rates, .columns = 5, .copy_only = true};
