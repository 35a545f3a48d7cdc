/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rights: see rights.h.
 */
#include "rights.h"

#include "ledger_writer_sql.h"

static const struct ch_pg_stmt missing_rights = {
	"", ledger_writer_sql_missing_rights};

int
rights_check(struct session *s, struct ch_err *err)
{
	PGresult *res = NULL;
	int rc = session_query(s, &missing_rights, NULL, &res, err);

	if (rc == 0 && PQntuples(res) > 0) {
		struct ch_pg_row r = ch_pg_row(res, 0);
		struct ch_view what = ch_pg_next_text(&r);
		struct ch_view mend = ch_pg_next_text(&r);

		rc = ch_err_set(err, CH_ECONFIG, "%.*s (and %d more): %.*s",
			CH_VIEW_ARG(what), PQntuples(res) - 1,
			CH_VIEW_ARG(mend));
	}
	PQclear(res);
	return rc;
}
