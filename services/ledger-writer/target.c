/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target: see target.h.
 */
#include "target.h"

#include "ledger_writer_sql.h"

static const struct ch_pg_stmt is_empty = {
	"", ledger_writer_sql_replay_is_empty};
static const struct ch_pg_stmt read_rules = {
	"", ledger_writer_sql_replay_rules};
static const struct ch_pg_stmt change_windows = {
	"", ledger_writer_sql_replay_rule_windows};
static const struct ch_pg_stmt drop_rule = {
	"", ledger_writer_sql_replay_rule_drop};
static const struct ch_pg_stmt set_rule = {
	"", ledger_writer_sql_replay_rule_set};
static const struct ch_pg_stmt count_rules = {
	"", ledger_writer_sql_replay_rule_count};

#define LAST_AT "a.last_at <= $1"
#define REPLAYED "b.org_id IS NOT NULL" /* rows without a time */
/* Upkeep removes others (drop_quiet_windows). */
#define WITHIN_REACH "last_at > now() - interval '31 days' AND stamps <> '{}'"
const struct target_table target_tables[] = {
	{"assets", "org_id, name", REPLAYED, NULL},
	{"accounts", "org_id, account_id", REPLAYED, NULL},
	{"balances", "org_id, account_id, shard", LAST_AT, NULL},
	{"skus", "org_id, sku_id", REPLAYED, NULL},
	{"stock", "org_id, sku_id", LAST_AT, NULL},
	{"reservations", "org_id, reservation_id", LAST_AT, NULL},
	{"holds", "org_id, hold_id", LAST_AT, NULL},
	{"reversals", "org_id, transfer_id, member", "a.decided_at <= $1",
		NULL},
	{"orders", "org_id, order_id", LAST_AT, NULL},
	{"order_fills", "org_id, order_id, fill", "a.decided_at <= $1", NULL},
	{"ledger_markets", "org_id, market_id", LAST_AT, NULL},
	{"positions", "org_id, position_id", LAST_AT, NULL},
	{"own_trades", "org_id, tx",
		"coalesce(a.confirmed_at, a.recorded_at) <= $1", NULL},
	{"rate_rules", "rule_id", NULL, NULL},
	{"rate_windows", "org_id, rule_id, subject", NULL, WITHIN_REACH},
	{NULL, NULL, NULL, NULL}};

/* Read, and not replayed. */
static const char *const sources[] = {"orgs", "postings", "command_log",
	"consumer_partitions", "retention", "audit_events", "snapshots",
	"snapshot_streams"};
#define SOURCES (sizeof(sources) / sizeof(sources[0]))

static const char *const sequences[] = {"account_seq", "sku_seq", "hold_seq",
	"reservation_seq", "order_seq", "market_seq", "position_seq"};
#define SEQUENCES (sizeof(sequences) / sizeof(sequences[0]))

int
target_check_name(const char *name, struct ch_err *err)
{
	size_t n = strlen(name);
	bool good = n > 0 && n < 64 && !(name[0] >= '0' && name[0] <= '9') &&
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n &&
		strncmp(name, "pg_", 3) != 0;

	return good ? 0
		    : ch_err_set(err, CH_EINVAL,
			      "schema \"%.63s\": a plain name of a-z, 0-9 and "
			      "_ is wanted",
			      name);
}

/* ---- making it ---- */

static int
insist_empty(struct session *s, const char *schema, struct ch_err *err)
{
	struct ch_pg_args a;
	PGresult *res = NULL;
	bool empty = false;

	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, schema);
	int rc = ch_pg_query(s->pg, &is_empty, &a, &res, err);
	bool there = rc == 0 && PQntuples(res) == 1;
	if (there && (!ch_pg_get_bool(res, 0, 0, &empty) || !empty))
		rc = ch_err_set(err, CH_EEXIST,
			"schema %s is not empty: name another, or DROP SCHEMA "
			"%s CASCADE",
			schema, schema);
	PQclear(res);
	if (rc != 0 || there)
		return rc;
	struct ch_buf sql = CH_BUF_INIT;
	ch_buf_printf(&sql, "CREATE SCHEMA \"%s\"", schema);
	rc = ch_pg_exec(s->pg, ch_buf_str(&sql), err);
	ch_buf_free(&sql);
	if (rc == CH_ESQL && strcmp(err->sqlstate, "42501") == 0)
		(void)ch_err_wrap(err,
			"schema %s may not be made by this role: a superuser "
			"runs CREATE SCHEMA %s AUTHORIZATION ch_operator, or "
			"the database's owner GRANT CREATE ON DATABASE ... TO "
			"ch_operator",
			schema, schema);
	return rc;
}

/* A write to the view does nothing, to what lies behind it even less. */
static void
add_view(struct ch_buf *sql, const char *view, const char *source,
	const char *table)
{
	static const char *const writes[] = {"INSERT", "UPDATE", "DELETE"};

	ch_buf_printf(sql, "CREATE VIEW %s AS SELECT * FROM \"%s\".%s;\n", view,
		source, table);
	for (size_t i = 0; i < 3; i++)
		ch_buf_printf(sql,
			"CREATE RULE no_%c AS ON %s TO %s DO INSTEAD "
			"NOTHING;\n",
			writes[i][0] + 'a' - 'A', writes[i], view);
}

/* Unlogged: it can be made again. Hot rows want room for HOT updates, which
 * LIKE does not copy. */
static void
add_tables(struct ch_buf *sql, const char *source)
{
	ch_buf_printf(sql,
		"CREATE UNLOGGED TABLE orgs (LIKE \"%s\".orgs INCLUDING ALL);\n"
		"CREATE UNLOGGED TABLE postings (LIKE \"%s\".postings INCLUDING "
		"ALL);\n",
		source, source);
	for (const struct target_table *t = target_tables; t->name != NULL;
		t++) {
		struct ch_buf view = CH_BUF_INIT;
		ch_buf_printf(sql,
			"CREATE UNLOGGED TABLE %s (LIKE \"%s\".%s INCLUDING ALL) "
			"WITH (fillfactor = 70);\n",
			t->name, source, t->name);
		ch_buf_printf(&view, "source_%s", t->name);
		add_view(sql, ch_buf_str(&view), source, t->name);
		ch_buf_free(&view);
	}
	for (size_t i = 0; i < SOURCES; i++) {
		struct ch_buf view = CH_BUF_INIT;
		ch_buf_printf(&view, "source_%s", sources[i]);
		add_view(sql, ch_buf_str(&view), source, sources[i]);
		ch_buf_free(&view);
	}
	add_view(sql, "command_log", source, "command_log");
	/* for rows that the books do not have: far from their numbers */
	for (size_t i = 0; i < SEQUENCES; i++)
		ch_buf_printf(sql,
			"CREATE SEQUENCE %s START 4611686018427387904;\n",
			sequences[i]);
}

/* A migration has given the books a table that nobody here knows. */
static int
check_tables(struct session *s, const char *source, struct ch_err *err)
{
	struct ch_buf sql = CH_BUF_INIT;
	struct ch_view name = {"", 0};
	PGresult *res = NULL;

	ch_buf_printf(&sql,
		"SELECT table_name FROM \"%s\".snapshot_tables() WHERE table_name "
		"NOT IN ('orgs', 'pauses'",
		source);
	for (const struct target_table *t = target_tables; t->name != NULL; t++)
		ch_buf_printf(&sql, ", '%s'", t->name);
	ch_buf_adds(&sql, ")");
	int rc = ch_pg_query(s->pg, &(struct ch_pg_stmt){"", ch_buf_str(&sql)},
		NULL, &res, err);
	if (rc == 0 && ch_pg_get_text(res, 0, 0, &name))
		rc = ch_err_set(err, CH_EPROTO,
			"the books have a table that this version does not "
			"replay: %.*s",
			CH_VIEW_ARG(name));
	PQclear(res);
	ch_buf_free(&sql);
	return rc;
}

int
target_make(struct session *s, const char *schema, const char *source,
	struct ch_err *err)
{
	struct ch_buf sql = CH_BUF_INIT;
	int rc = check_tables(s, source, err);

	if (rc == 0)
		rc = insist_empty(s, schema, err);
	if (rc != 0)
		return rc;
	ch_buf_printf(&sql, "SET search_path = \"%s\";\n", schema);
	ch_buf_adds(&sql, "SET synchronous_commit = off;\n");
	add_tables(&sql, source);
	rc = ch_pg_exec(s->pg, ch_buf_str(&sql), err);
	ch_buf_free(&sql);
	return rc;
}

/* ---- a snapshot ---- */

static void
add_copy(struct ch_buf *sql, const char *schema, const char *table,
	int64_t snapshot)
{
	ch_buf_printf(sql,
		"DO $$ BEGIN EXECUTE (SELECT format('INSERT INTO %s (%%1$s) "
		"OVERRIDING SYSTEM VALUE SELECT %%1$s FROM \"%s\".snapshot_%s "
		"WHERE snapshot_id = %lld', string_agg(quote_ident(attname), "
		"', ' ORDER BY attnum)) FROM pg_attribute WHERE attrelid = "
		"'%s'::regclass AND attnum > 0 AND NOT attisdropped); END $$;\n",
		table, schema, table, (long long)snapshot, table);
}

int
target_load(struct session *s, int64_t snapshot, struct ch_err *err)
{
	const char *source = ch_params_str(s->rt->params, "schema");
	struct ch_buf sql = CH_BUF_INIT;

	add_copy(&sql, source, "orgs", snapshot);
	for (const struct target_table *t = target_tables; t->name != NULL; t++)
		add_copy(&sql, source, t->name, snapshot);
	int rc = ch_pg_exec(s->pg, ch_buf_str(&sql), err);
	ch_buf_free(&sql);
	return rc;
}

int
target_analyze(struct session *s, struct ch_err *err)
{
	struct ch_buf sql = CH_BUF_INIT;

	ch_buf_adds(&sql, "ANALYZE orgs, postings");
	for (const struct target_table *t = target_tables; t->name != NULL; t++)
		ch_buf_printf(&sql, ", %s", t->name);
	int rc = ch_pg_exec(s->pg, ch_buf_str(&sql), err);
	ch_buf_free(&sql);
	return rc;
}

/* ---- rate rules ---- */

static int
look_for_rules(struct session *s, struct target_rules *t, struct ch_err *err)
{
	PGresult *res = NULL;
	int64_t n = 0;
	int rc = ch_pg_query(s->pg, &count_rules, NULL, &res, err);

	if (rc == 0)
		(void)ch_pg_get_i64(res, 0, 0, &n);
	PQclear(res);
	t->any = n > 0;
	return rc;
}

int
target_read_rules(struct session *s, struct target_rules *t, struct ch_err *err)
{
	struct ch_pg_args a;

	PQclear(t->changes);
	t->changes = NULL;
	t->next = 0;
	ch_pg_args_clear(&a);
	ch_pg_arg_i64(&a, t->from);
	int rc = ch_pg_query(s->pg, &read_rules, &a, &t->changes, err);
	return rc == 0 ? look_for_rules(s, t, err) : rc;
}

static int
change_rule(struct session *s, int64_t event, struct ch_err *err)
{
	static const struct ch_pg_stmt *const steps[] = {
		&change_windows, &drop_rule, &set_rule};
	struct ch_pg_args a;
	int rc = 0;

	ch_pg_args_clear(&a);
	ch_pg_arg_i64(&a, event);
	for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		rc = ch_pg_query(s->pg, steps[i], &a, NULL, err);
	return rc;
}

int
target_change_rules(struct session *s, struct target_rules *t, int64_t before,
	struct ch_err *err)
{
	bool changed = false;
	int rc = 0;

	while (rc == 0 && t->next < PQntuples(t->changes)) {
		struct ch_pg_row r = ch_pg_row(t->changes, t->next);
		int64_t event = ch_pg_next_i64(&r);
		int64_t number = ch_pg_next_i64(&r);

		if (number >= before)
			break;
		rc = change_rule(s, event, err);
		t->from = number + 1;
		t->next++;
		changed = true;
	}
	return rc == 0 && changed ? look_for_rules(s, t, err) : rc;
}
