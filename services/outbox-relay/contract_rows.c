/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_rows: see contract_rows.h.
 */
#include "contract_rows.h"

#include <string.h>

#include "pgoutput.h"

int
contract_rows_learn(struct contract *c, const PGresult *res, int columns,
	struct ch_err *err)
{
	struct pgoutput_column known[PGOUTPUT_COLUMNS_MAX];
	int i;

	if (columns > PGOUTPUT_COLUMNS_MAX)
		return ch_err_set(err, CH_ERANGE,
			"the outbox table has %d columns, at most %d are "
			"read: use a smaller table",
			columns, PGOUTPUT_COLUMNS_MAX);
	for (i = 0; i < columns; i++)
		known[i] = (struct pgoutput_column){
			.name = ch_view_of(PQfname(res, i)),
			.type = PQftype(res, i),
			.modifier = PQfmod(res, i)};
	return contract_learn(c, known, columns, err);
}

struct event *
contract_rows_event(struct contract *c, const PGresult *res, int row,
	int columns, const struct contract_origin *from, struct ch_err *err)
{
	struct ch_view fields[PGOUTPUT_COLUMNS_MAX];
	int i;

	for (i = 0; i < columns; i++)
		fields[i] = ch_pg_value(res, row, i);
	return contract_event(c, fields, from, err);
}

int
contract_rows_time(const PGresult *res, int columns, const char *name)
{
	int i;

	for (i = 0; i < columns; i++)
		if (strcmp(PQfname(res, i), name) == 0 &&
			PQftype(res, i) == CH_PG_TIMESTAMPTZ)
			return i;
	return -1;
}
