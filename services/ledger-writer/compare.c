/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare: see compare.h. One statement a table, made from its key: PostgreSQL
 * joins both sides whole and returns what differs, named as people name it.
 */
#include "compare.h"

#include <inttypes.h>
#include <stdio.h>

#include "console.h"
#include "target.h"

/* Big joins now, where the writer wants index probes only. */
static const char settings[] =
	"SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; "
	"SET LOCAL enable_mergejoin = on; SET LOCAL enable_bitmapscan = on; "
	"SET LOCAL enable_material = on; SET LOCAL work_mem = '64MB'";

/* What a row is called: its organisation, then names for numbers, and whatever
 * else is in its key. */
#define SUBJECT                                                                \
	"concat_ws(' ', (SELECT name FROM source_orgs WHERE org_id = "         \
	"(j->>'org_id')::int4), coalesce(j->>'name', concat_ws(' ', "          \
	"(SELECT name FROM source_accounts WHERE org_id = "                    \
	"(j->>'org_id')::int4 AND account_id = (j->>'account_id')::int8), "    \
	"(SELECT name FROM source_skus WHERE org_id = "                        \
	"(j->>'org_id')::int4 AND sku_id = (j->>'sku_id')::int8), "            \
	"(SELECT name FROM source_orders WHERE org_id = "                      \
	"(j->>'org_id')::int4 AND order_id = (j->>'order_id')::int8), "        \
	"(SELECT name FROM source_ledger_markets WHERE org_id = "              \
	"(j->>'org_id')::int4 AND market_id = (j->>'market_id')::int8), "      \
	"j->>'outcome', j->>'fill', j->>'tx', j->>'subject', "                 \
	"j->>'transfer_id', j->>'command_id', "                                \
	"'shard ' || nullif(j->>'shard', '0'))))"

/* What is wrong with it. */
#define WRONG                                                                  \
	"CASE WHEN l IS NULL THEN 'only in the replay: ' || r::text "          \
	"WHEN r IS NULL THEN 'only in the books: ' || l::text ELSE "           \
	"(SELECT string_agg(format('%s is %s, replayed %s', k, "               \
	"coalesce(l->>k, 'null'), coalesce(r->>k, 'null')), '; ' ORDER BY k)"  \
	" FROM jsonb_object_keys(l) k WHERE l->k IS DISTINCT FROM r->k) END"

struct statement {
	const char *table;	   /* as printed */
	struct ch_buf left, right; /* what is joined, as a and b */
	const char *key;
	const char *only; /* of a's rows; NULL: all */
};

static void
add_statement(struct ch_buf *sql, const struct statement *s, int64_t shown)
{
	ch_buf_printf(sql,
		"WITH a AS (%s), b AS (%s), d AS MATERIALIZED ("
		"SELECT to_jsonb(a) AS l, to_jsonb(b) AS r FROM a FULL JOIN b "
		"USING (%s) WHERE ROW(a.*) IS DISTINCT FROM ROW(b.*)",
		ch_buf_str(&s->left), ch_buf_str(&s->right), s->key);
	if (s->only != NULL)
		ch_buf_printf(sql, " AND (a.org_id IS NULL OR %s)", s->only);
	ch_buf_printf(sql,
		"), shown AS (SELECT l, r, coalesce(l, r) AS j FROM d LIMIT "
		"%lld) SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM "
		"b), (SELECT count(*) FROM d), x.subject, x.wrong FROM "
		"(SELECT 1) one LEFT JOIN LATERAL (SELECT ",
		(long long)shown);
	ch_buf_adds(sql,
		SUBJECT " AS subject, " WRONG
			" AS wrong FROM shown ORDER BY 1, 2) x ON true");
}

static void
print_result(struct compare *c, const struct statement *s, const PGresult *res)
{
	int64_t left = 0;
	int64_t right = 0;
	int64_t differ = 0;

	(void)ch_pg_get_i64(res, 0, 0, &left);
	(void)ch_pg_get_i64(res, 0, 1, &right);
	(void)ch_pg_get_i64(res, 0, 2, &differ);
	printf("  %-16s %12" PRId64 " %12" PRId64 " %12" PRId64 "\n", s->table,
		left, right, differ);
	(void)fflush(stdout);
	c->differ += differ;
	for (int i = 0; differ > 0 && i < PQntuples(res); i++) {
		struct ch_view subject = {"", 0};
		struct ch_view wrong = {"", 0};
		(void)ch_pg_get_text(res, i, 3, &subject);
		(void)ch_pg_get_text(res, i, 4, &wrong);
		printf("    ");
		console_print(subject, 300);
		printf(": ");
		console_print(wrong, 600);
		printf("\n");
	}
	if (differ > c->shown)
		printf("    and %" PRId64 " more\n", differ - c->shown);
}

/* Frees the statement. */
static int
run(struct compare *c, struct statement *s, struct ch_err *err)
{
	struct ch_buf sql = CH_BUF_INIT;
	struct ch_pg_args a;
	PGresult *res = NULL;

	add_statement(&sql, s, c->shown);
	ch_pg_args_clear(&a);
	if (c->has_until)
		ch_pg_arg_time(&a, c->until);
	int rc = ch_pg_query(c->session->pg,
		&(struct ch_pg_stmt){"", ch_buf_str(&sql)}, &a, &res, err);
	if (rc == 0)
		print_result(c, s, res);
	else
		(void)ch_err_wrap(err, "comparing %s", s->table);
	PQclear(res);
	ch_buf_free(&sql);
	ch_buf_free(&s->left);
	ch_buf_free(&s->right);
	return rc;
}

static int
compare_table(struct compare *c, const struct target_table *t,
	struct ch_err *err)
{
	struct statement s = {.table = t->name,
		.key = t->key,
		.only = c->has_until ? t->settled : NULL};

	if (c->has_until && t->settled == NULL)
		return 0;
	ch_buf_printf(&s.left, "SELECT * FROM source_%s%s", t->name,
		c->has_until ? " WHERE $1::timestamptz IS NOT NULL" : "");
	ch_buf_printf(&s.right, "SELECT * FROM %s", t->name);
	if (t->only != NULL) {
		ch_buf_printf(&s.left, "%s %s",
			c->has_until ? " AND" : " WHERE", t->only);
		ch_buf_printf(&s.right, " WHERE %s", t->only);
	}
	return run(c, &s, err);
}

/* Those of the batches that were replayed. */
static int
compare_postings(struct compare *c, struct ch_err *err)
{
	struct statement s = {.table = "postings",
		.key = "org_id, account_id, shard, batch, pos, leg"};

	ch_buf_printf(&s.left,
		"SELECT * FROM source_postings WHERE (batch > %lld",
		(long long)c->batch_high);
	for (size_t i = 0; i < c->batch_count; i++)
		ch_buf_printf(&s.left, " OR batch = %lld",
			(long long)c->batches[i]);
	ch_buf_printf(&s.left, ")%s",
		c->has_until ? " AND decided_at <= $1" : "");
	ch_buf_adds(&s.right, "SELECT * FROM postings");
	return run(c, &s, err);
}

/* What the books say that each balance was at that time. */
static int
compare_balances_then(struct compare *c, struct ch_err *err)
{
	struct statement s = {
		.table = "balances then", .key = "org_id, account_id, shard"};

	ch_buf_printf(&s.left,
		"SELECT t.org_id, t.account_id, t.shard, \"%s\".minor_at(t.org_id, "
		"t.account_id, t.shard, $1) AS balance FROM balances t",
		ch_params_str(c->session->rt->params, "schema"));
	ch_buf_adds(&s.right,
		"SELECT org_id, account_id, shard, balance FROM balances");
	return run(c, &s, err);
}

int
compare_all(struct compare *c, struct ch_err *err)
{
	int rc = ch_pg_exec(c->session->pg, settings, err);

	printf("  %-16s %12s %12s %12s\n", "table", "in the books", "replayed",
		"differ");
	for (const struct target_table *t = target_tables;
		rc == 0 && t->name != NULL; t++)
		rc = compare_table(c, t, err);
	if (rc == 0)
		rc = compare_postings(c, err);
	if (rc == 0 && c->has_until)
		rc = compare_balances_then(c, err);
	return rc;
}
