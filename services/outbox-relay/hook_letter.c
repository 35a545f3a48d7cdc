/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_letter: see hook_letter.h.
 *
 * An edited one goes out under its own letter's id: whoever drops repeated ids
 * must not drop it.
 */
#include "hook_letter.h"

#include "outbox_relay_sql.h"

static const struct ch_pg_stmt back_stmt = {
	"dlq_webhook_back", outbox_relay_sql_webhook_back};

bool
hook_letter_is(const struct letters_row *row)
{
	return row->is_delivery &&
		ch_view_starts(row->topic, CH_VIEW("webhook:"));
}

int
hook_letter_back(struct ch_pg *pg, const struct letters_row *row,
	int32_t replays, int64_t *place, struct ch_err *err)
{
	char id[CH_UUID_TEXT_MAX];
	struct ch_pg_args args;
	PGresult *res;
	int rc;

	ch_uuid_format(&row->id, id);
	ch_pg_args_clear(&args);
	ch_pg_arg_uuid(&args, &row->id);
	ch_pg_arg_bytea(&args, row->value);
	ch_pg_arg_i32(&args, replays);
	ch_pg_arg_str(&args, row->is_edit ? id : NULL);
	rc = ch_pg_query(pg, &back_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	if (!ch_pg_get_i64(res, 0, 0, place))
		rc = ch_err_set(err, CH_EEXIST,
			"its delivery is on its way already, or a later letter "
			"stands for it: see dlq list --topic %.*s",
			CH_VIEW_ARG(row->topic));
	PQclear(res);
	return rc;
}
