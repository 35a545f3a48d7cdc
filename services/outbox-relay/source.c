/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: may this role read this server's WAL?
 *
 * Asked over the SQL connection first, since a server whose wal_level is
 * minimal has no walsender to ask. The role's attribute only explains a refusal
 * that came: hosted servers let others replicate too. A refusal that is none of
 * the known ones (pg_hba.conf, a pooler between, every walsender taken) cannot
 * be told from an outage by its text, which is translated; it counts as one
 * when SQL answers and the walsender refused REFUSALS times in a row.
 */
#include <inttypes.h>

#include "base/log.h"
#include "outbox_relay_sql.h"
#include "relay.h"

#define REFUSALS 3
#define AGAIN_MS 60000
#define TABLE_MS 5000
#define PATIENCE_MS 5000
#define NO_PATIENCE_MS 20

static const struct ch_pg_stmt allowed_stmt = {
	"relay_wal_allowed", outbox_relay_sql_wal_allowed};

static const struct ch_pg_stmt published_stmt = {
	"relay_table_published", outbox_relay_sql_table_published};

static const struct ch_pg_stmt columns_stmt = {
	"relay_table_columns", outbox_relay_sql_table_columns};

static const struct ch_pg_stmt types_stmt = {
	"relay_types_made", outbox_relay_sql_types_made};

struct allowed {
	char wal_level[32], role[64];
	int32_t senders, slots;
	bool replication;
};

static int
ask(struct relay *r, struct allowed *a, struct ch_err *err)
{
	struct ch_pg_row row;
	PGresult *res;
	int rc = progress_settle(&r->progress, r->pg, err);

	*a = (struct allowed){.senders = 0};
	if (rc == CH_OK)
		rc = ch_pg_query(r->pg, &allowed_stmt, NULL, &res, err);
	if (rc != CH_OK)
		return rc;
	row = ch_pg_row(res, 0);
	ch_view_copy(ch_pg_next_text(&row), a->wal_level, sizeof(a->wal_level));
	a->senders = ch_pg_next_i32(&row);
	a->slots = ch_pg_next_i32(&row);
	a->replication = ch_pg_next_bool(&row);
	ch_view_copy(ch_pg_next_text(&row), a->role, sizeof(a->role));
	rc = ch_pg_row_ok(&row, err) ? CH_OK : CH_EPROTO;
	PQclear(res);
	return rc;
}

/* Settings that need a restart of the server. */
static int
check_server(const struct allowed *a, struct ch_err *err)
{
	if (!ch_view_eq_str(ch_view_of(a->wal_level), "logical"))
		return ch_err_set(err, CH_ECONFIG,
			"wal_level is %s, not "
			"logical: ALTER SYSTEM SET wal_level = logical and "
			"restart PostgreSQL",
			a->wal_level);
	if (a->senders == 0 || a->slots == 0)
		return ch_err_set(err, CH_ECONFIG,
			"max_wal_senders is %" PRId32
			" and max_replication_slots %" PRId32 ": set "
			"both to 2 or more and restart PostgreSQL",
			a->senders, a->slots);
	return CH_OK;
}

static int
explain(struct relay *r, const struct allowed *a, int rc, struct ch_err *err)
{
	char text[CH_ERR_TEXT_MAX];

	if (!ch_pg_is_up(r->pg))
		return rc;
	r->refusals++;
	if (!a->replication)
		return ch_err_set(err, CH_ECONFIG,
			"role %s may not read the "
			"WAL: ALTER ROLE \"%s\" REPLICATION, as a superuser "
			"(at Amazon RDS: GRANT rds_replication TO \"%s\")",
			a->role, a->role, a->role);
	if (r->refusals < REFUSALS)
		return rc;
	ch_view_copy(ch_view_of(err->text), text, sizeof(text));
	return ch_err_set(err, CH_ECONFIG,
		"SQL answers, a replication "
		"connection is refused (%.300s): allow role %s in pg_hba.conf, "
		"connect without a pooler, or raise max_wal_senders",
		text, a->role);
}

int
source_open_wal(struct relay *r, struct ch_err *err)
{
	struct walsender_identity identity;
	struct allowed a;
	int rc = ask(r, &a, err);

	if (rc == CH_OK)
		rc = check_server(&a, err);
	if (rc != CH_OK)
		return rc;
	rc = tail_connect(r->tail, &identity, err);
	if (rc != CH_OK)
		return explain(r, &a, rc, err);
	r->refusals = 0;
	return progress_check(&r->progress, &identity, err);
}

/* ---- an application's table ---- */

struct table {
	bool has_publication, inserts, published;
	bool there, partitioned, by_root, hidden;
	char role[64];
	char unlogged[160]; /* it, or a partition; "": none */
	uint64_t lsn;	    /* when it was so */
};

static int
look_at_table(struct relay *r, int patience_ms, struct table *t,
	struct ch_err *err)
{
	bool *flags[] = {&t->has_publication, &t->inserts, &t->published,
		&t->there, &t->partitioned, &t->by_root, &t->hidden};
	struct ch_pg_args args;
	struct ch_pg_row row;
	PGresult *res;
	size_t i;
	int rc;

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, r->publication);
	ch_pg_arg_str(&args, r->table);
	rc = ch_pg_query_patient(r->pg, patience_ms, &published_stmt, &args,
		&res, err);
	if (rc != CH_OK)
		return rc;
	row = ch_pg_row(res, 0);
	for (i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		*flags[i] = ch_pg_next_bool(&row);
	ch_view_copy(ch_pg_next_text(&row), t->role, sizeof(t->role));
	ch_view_copy(ch_pg_next_text(&row), t->unlogged, sizeof(t->unlogged));
	t->lsn = ch_pg_next_lsn(&row);
	rc = ch_pg_row_ok(&row, err) ? CH_OK : CH_EPROTO;
	PQclear(res);
	return rc;
}

static int
check_published(const struct relay *r, const struct table *t,
	struct ch_err *err)
{
	const char *name = r->publication;

	if (!t->has_publication)
		return ch_err_set(err, CH_ECONFIG,
			"publication %s is missing for table %s: CREATE "
			"PUBLICATION %s FOR TABLE %s WITH (publish = "
			"'insert', publish_via_partition_root), or name "
			"another",
			name, r->table, name, r->table);
	if (t->unlogged[0] != '\0')
		return ch_err_set(err, CH_ECONFIG,
			"table %s is unlogged, so its rows are in no WAL: "
			"ALTER TABLE %s SET LOGGED",
			t->unlogged, t->unlogged);
	if (t->published && t->inserts)
		return CH_OK;
	if (t->published)
		return ch_err_set(err, CH_ECONFIG,
			"publication %s does not publish inserts, of table %s "
			"neither: ALTER PUBLICATION %s SET (publish = "
			"'insert'), or name another",
			name, r->table, name);
	if (t->partitioned && !t->by_root)
		return ch_err_set(err, CH_ECONFIG,
			"publication %s does not publish table %s under its "
			"own name: ALTER PUBLICATION %s SET "
			"(publish_via_partition_root = true)",
			name, r->table, name);
	return ch_err_set(err, CH_ECONFIG,
		"publication %s does not publish table %s: ALTER PUBLICATION "
		"%s ADD TABLE %s, or name another",
		name, r->table, name, r->table);
}

/* Rows of it may be written that no slot has. */
static bool
may_miss(const struct table *t)
{
	return t->has_publication && t->there &&
		!(t->published && t->inserts && t->unlogged[0] == '\0');
}

/* What a stream tells of such a type is its number alone. */
static int
learn_types(struct relay *r, struct ch_err *err)
{
	struct contract_type type;
	PGresult *res;
	int i, rc = ch_pg_query(r->pg, &types_stmt, NULL, &res, err);

	if (rc != CH_OK)
		return rc;
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		struct ch_pg_row row = ch_pg_row(res, i);

		type.told = (uint32_t)ch_pg_next_i64(&row);
		type.type = (uint32_t)ch_pg_next_i64(&row);
		type.modifier = ch_pg_next_i32(&row);
		rc = ch_pg_row_ok(&row, err) ? CH_OK : CH_EPROTO;
		if (rc == CH_OK)
			contract_know(r->contract, &type, 1);
	}
	PQclear(res);
	return rc;
}

int
source_check_table(struct relay *r, bool *missed, struct ch_err *err)
{
	struct table t;
	int rc = look_at_table(r, PATIENCE_MS, &t, err);

	*missed = rc == CH_OK && may_miss(&t);
	if (rc == CH_OK)
		rc = check_published(r, &t, err);
	return rc == CH_OK ? learn_types(r, err) : rc;
}

static int
learn_columns(struct relay *r, const PGresult *res, struct ch_err *err)
{
	struct pgoutput_column columns[PGOUTPUT_COLUMNS_MAX];
	int i, count = PQntuples(res);

	if (count > PGOUTPUT_COLUMNS_MAX)
		return CH_OK; /* a column list may leave some out */
	for (i = 0; i < count; i++) {
		struct ch_pg_row row = ch_pg_row(res, i);

		columns[i].name = ch_pg_next_text(&row);
		columns[i].type = (uint32_t)ch_pg_next_i64(&row);
		columns[i].modifier = ch_pg_next_i32(&row);
		columns[i].called = ch_pg_next_text(&row);
		if (!ch_pg_row_ok(&row, err))
			return CH_EPROTO;
	}
	return contract_learn(r->contract, columns, count, err);
}

int
source_check_columns(struct relay *r, struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res;
	int rc;

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, r->table);
	rc = ch_pg_query(r->pg, &columns_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	rc = learn_columns(r, res, err);
	PQclear(res);
	return rc;
}

int
source_check_past(struct relay *r, bool *missed, struct ch_err *why,
	struct ch_err *err)
{
	int rc = publication_look(&r->how, r->pg, missed, err);

	if (rc == CH_OK && *missed)
		ch_err_set(why, CH_ECONFIG,
			"publication %s, or what it has of table %s, was "
			"changed: rows written meanwhile may be in no slot",
			r->publication, r->table);
	return rc;
}

int
source_check_rows(struct relay *r, struct ch_err *err)
{
	struct table t;
	int rc = look_at_table(r, PATIENCE_MS, &t, err);

	if (rc != CH_OK || !t.hidden)
		return rc;
	return ch_err_set(err, CH_ECONFIG,
		"row-level security may hide rows of %s from role %s, and they "
		"must be read now: ALTER ROLE \"%s\" BYPASSRLS, as a superuser",
		r->table, t.role, t.role);
}

int
source_watch_table(struct relay *r, struct ch_err *err)
{
	struct ch_err why = CH_ERR_INIT;
	struct table t;
	int rc;

	if (r->contract == NULL || ch_sm_state(&r->state) != RELAY_TAILING ||
		r->unpublished[0] != '\0' ||
		ch_mono_ms_since(r->now, r->table_at) < TABLE_MS)
		return CH_OK;
	r->table_at = r->now;
	rc = look_at_table(r, NO_PATIENCE_MS, &t, &why);
	if (rc != CH_OK && ch_pg_lock_not_had(&why))
		return CH_OK; /* it is being changed: next time */
	if (rc != CH_OK)
		*err = why;
	if (rc != CH_OK)
		return rc;
	if (may_miss(&t))
		(void)check_published(r, &t, &why);
	else
		rc = source_check_past(r, &r->published_again, &why, err);
	return rc == CH_OK && why.code != CH_OK
		? session_unpublished(r, t.lsn, &why, err)
		: rc;
}

/* While it is left what comes is of before, unless it is published again. */
int
source_learned(struct relay *r, uint32_t xid, struct ch_err *err)
{
	struct ch_err why = CH_ERR_INIT;
	bool left = r->unpublished[0] != '\0', missed = r->published_again;
	int rc = CH_OK;

	if (publication_saw(&r->how, xid))
		return CH_OK;
	if (left)
		ch_err_set(&why, CH_ECONFIG, "%s", r->unpublished);
	else
		rc = progress_settle(&r->progress, r->pg, err);
	if (rc == CH_OK && !left)
		rc = source_check_past(r, &missed, &why, err);
	return rc == CH_OK && missed ? session_published_again(r, &why, err)
				     : rc;
}

int
source_open_queue(struct relay *r, struct ch_err *err)
{
	int rc = progress_settle(&r->progress, r->pg, err);

	if (rc == CH_OK)
		rc = queue_check(r->queue, r->pg, err);
	if (rc == CH_OK)
		rc = learn_types(r, err);
	return rc == CH_OK ? source_check_columns(r, err) : rc;
}

bool
source_wal_came(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;
	bool missed;

	if (r->source != RELAY_SOURCE_AUTO ||
		ch_mono_ms_since(r->now, r->state_since) < AGAIN_MS)
		return false;
	r->state_since = r->now;
	if (source_open_wal(r, &err) == CH_OK &&
		(r->contract == NULL ||
			source_check_table(r, &missed, &err) == CH_OK))
		return true;
	tail_disconnect(r->tail);
	ch_debug("relay.still_polling", CH_ERR(&err));
	return false;
}
