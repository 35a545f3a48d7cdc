/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publication: see publication.h.
 */
#include "publication.h"

#include <string.h>

#include "outbox_relay_sql.h"

static const struct ch_pg_stmt look_stmt = {
	"relay_publication_look", outbox_relay_sql_publication_look};
static const struct ch_pg_stmt keep_stmt = {
	"relay_publication_keep", outbox_relay_sql_publication_keep};

void
publication_init(struct publication *p, const char *name, const char *table,
	const char *slot)
{
	*p = (struct publication){.name = name,
		.table = table,
		.slot = slot,
		.how = CH_BUF_INIT,
		.seen = SNAPSHOT_INIT};
}

void
publication_free(struct publication *p)
{
	ch_buf_free(&p->how);
	snapshot_free(&p->seen);
}

static int
read_look(struct publication *p, const PGresult *res, bool *missed,
	struct ch_err *err)
{
	struct ch_pg_row row = ch_pg_row(res, 0);
	struct ch_view how = ch_pg_next_text(&row);

	*missed = ch_pg_next_bool(&row);
	p->kept = ch_pg_next_bool(&row);
	if (!ch_pg_row_ok(&row, err))
		return CH_EPROTO;
	ch_buf_clear(&p->how);
	ch_buf_add(&p->how, how.ptr, how.len);
	/* numbers of before may come again, where a backup was restored */
	(void)snapshot_read(&p->seen,
		*missed ? NULL : PQgetvalue(res, 0, row.col));
	return CH_OK;
}

/* Who came with an earlier version has no place to keep it. */
static int
failed(struct ch_err *err, const char *doing)
{
	bool missing = strcmp(err->sqlstate, "42P01") == 0;

	return ch_err_wrap(err, missing ? "%s (run install.sql again)" : "%s",
		doing);
}

int
publication_look(struct publication *p, struct ch_pg *pg, bool *missed,
	struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res;
	int rc;

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, p->name);
	ch_pg_arg_str(&args, p->table);
	ch_pg_arg_str(&args, p->slot);
	rc = ch_pg_query(pg, &look_stmt, &args, &res, err);
	if (rc == CH_OK) {
		rc = read_look(p, res, missed, err);
		PQclear(res);
	}
	if (rc != CH_OK)
		return failed(err, "look how the table is published");
	return *missed ? CH_OK : publication_keep(p, pg, err);
}

int
publication_keep(struct publication *p, struct ch_pg *pg, struct ch_err *err)
{
	struct ch_pg_args args;
	int rc;

	if (p->kept)
		return CH_OK;
	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, p->slot);
	ch_pg_arg_str(&args, ch_buf_str(&p->how));
	rc = ch_pg_query(pg, &keep_stmt, &args, NULL, err);
	p->kept = rc == CH_OK;
	return rc == CH_OK ? rc : ch_err_wrap(err, "keep how it is published");
}

bool
publication_saw(const struct publication *p, uint32_t xid)
{
	return snapshot_sees(&p->seen, xid);
}
