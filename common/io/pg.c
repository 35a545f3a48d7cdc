/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg: connection, statements, transactions (see pg.h; the moving of bytes is
 * in pg_io.c, the conninfo's text in pg_target.c).
 *
 * Invariant: libpq's own blocking calls are used for connecting only, where
 * connect_timeout bounds them for each host.
 */
#include "pg_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

static const struct ch_pg_stmt stmt_begin = {
	"", "BEGIN ISOLATION LEVEL READ COMMITTED"};

/* ---- TLS ---- */

/* Is each host this machine (a socket directory, a loopback name)? */
static bool
hosts_are_local(const char *host, const char *hostaddr)
{
	const char *list = hostaddr != NULL ? hostaddr : host;
	struct ch_view rest = ch_view_of(list), h;

	while (ch_view_split(&rest, ',', &h)) {
		h = ch_view_trim(h);
		if (h.len > 0 && h.ptr[0] != '/' && h.ptr[0] != '@' &&
			!ch_view_eq_str(h, "localhost") &&
			!ch_view_eq_str(h, "::1") &&
			!ch_view_starts(h, CH_VIEW("127.")))
			return false;
	}
	return true;
}

/* verify-full, unless the operator chose or the server is this machine. */
static bool
tls_by_default(const PQconninfoOption *opts)
{
	const char *host = ch_pg_option_of(opts, "host");

	if (ch_pg_option_of(opts, "sslmode") != NULL ||
		getenv("PGSSLMODE") != NULL)
		return false;
	if (ch_pg_option_of(opts, "service") != NULL ||
		getenv("PGSERVICE") != NULL)
		return false;
	if (host == NULL)
		host = getenv("PGHOST");
	return !hosts_are_local(host, ch_pg_option_of(opts, "hostaddr"));
}

/* ---- options of the session ---- */

static void
add_option(struct ch_buf *b, const char *name, const char *value)
{
	ch_buf_printf(b, "%s-c %s=", b->len > 0 ? " " : "", name);
	for (; *value != '\0'; value++) {
		if (*value == ' ' || *value == '\\')
			ch_buf_addc(b, '\\');
		ch_buf_addc(b, *value);
	}
}

static void
add_option_ms(struct ch_buf *b, const char *name, int ms)
{
	char text[16];

	if (ms <= 0)
		return;
	(void)snprintf(text, sizeof(text), "%d", ms);
	add_option(b, name, text);
}

static char *
build_options(const struct ch_pg_params *p, const char *given)
{
	struct ch_buf b = CH_BUF_INIT;
	char *text;

	if (given == NULL)
		given = getenv("PGOPTIONS");
	if (given != NULL)
		ch_buf_adds(&b, given);
	add_option_ms(&b, "statement_timeout", p->statement_timeout_ms);
	add_option_ms(&b, "lock_timeout", p->lock_timeout_ms);
	add_option_ms(&b, "idle_in_transaction_session_timeout",
		p->idle_in_transaction_ms);
	if (p->search_path != NULL)
		add_option(&b, "search_path", p->search_path);
	text = ch_xstrdup(ch_buf_str(&b));
	ch_buf_free(&b);
	return text;
}

static char *
dup_or_null(const char *s)
{
	return s != NULL ? ch_xstrdup(s) : NULL;
}

struct ch_pg *
ch_pg_new(const struct ch_pg_params *p, struct ch_err *err)
{
	PQconninfoOption *opts = ch_pg_target_parse(p->conninfo, err);
	struct ch_pg *pg;

	if (opts == NULL)
		return NULL;
	pg = ch_xcalloc(1, sizeof(*pg));
	pg->conninfo = ch_xstrdup(p->conninfo);
	pg->application_name = dup_or_null(p->application_name);
	pg->passfile = dup_or_null(p->passfile);
	pg->replication = dup_or_null(p->replication);
	pg->on_connect = dup_or_null(p->on_connect);
	pg->options = build_options(p, ch_pg_option_of(opts, "options"));
	pg->verify_tls = tls_by_default(opts);
	pg->connect_timeout_s = p->connect_timeout_s == 0 ? 5
		: p->connect_timeout_s < 2		  ? 2
					   : p->connect_timeout_s;
	pg->call_timeout_ms =
		p->call_timeout_ms > 0 ? p->call_timeout_ms : 30000;
	pg->tcp_user_timeout_ms =
		p->tcp_user_timeout_ms > 0 ? p->tcp_user_timeout_ms : 10000;
	pg->read_write = p->read_write;
	pg->prepared = ch_map_new();
	PQconninfoFree(opts);
	return pg;
}

void
ch_pg_free(struct ch_pg *pg)
{
	if (pg == NULL)
		return;
	ch_pg_disconnect(pg);
	ch_map_free(pg->prepared, NULL);
	free(pg->ask.entries);
	free(pg->ask.results);
	free(pg->conninfo);
	free(pg->application_name);
	free(pg->passfile);
	free(pg->replication);
	free(pg->on_connect);
	free(pg->options);
	free(pg);
}

/* ---- connecting ---- */

static void
log_notice(void *arg, const PGresult *res)
{
	const char *severity =
		PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	(void)arg;
	if (severity != NULL && strcmp(severity, "WARNING") == 0)
		ch_warn("pg.notice", CH_S("text", text),
			CH_S("sqlstate",
				PQresultErrorField(res, PG_DIAG_SQLSTATE)));
	else
		ch_debug("pg.notice", CH_S("text", text));
}

static PGconn *
start_connection(const struct ch_pg *pg)
{
	const char *names[20], *values[20];
	char connect_timeout[16], user_timeout[16];
	int n = 0;

#define OPTION(name, value) (names[n] = (name), values[n] = (value), n++)
	(void)snprintf(connect_timeout, sizeof(connect_timeout), "%d",
		pg->connect_timeout_s);
	(void)snprintf(user_timeout, sizeof(user_timeout), "%d",
		pg->tcp_user_timeout_ms);
	/* First, so that what follows wins over what it expands to. */
	OPTION("dbname", pg->conninfo);
	OPTION("connect_timeout", connect_timeout);
	OPTION("tcp_user_timeout", user_timeout);
	OPTION("keepalives", "1");
	OPTION("keepalives_idle", "10");
	OPTION("keepalives_interval", "5");
	OPTION("keepalives_count", "3");
	OPTION("client_encoding", "UTF8");
	OPTION("options", pg->options);
	if (pg->application_name != NULL)
		OPTION("application_name", pg->application_name);
	if (pg->passfile != NULL)
		OPTION("passfile", pg->passfile);
	if (pg->replication != NULL)
		OPTION("replication", pg->replication);
	if (pg->read_write)
		OPTION("target_session_attrs", "read-write");
	if (pg->verify_tls)
		OPTION("sslmode", "verify-full");
	OPTION(NULL, NULL);
#undef OPTION
	assert(n <= (int)(sizeof(names) / sizeof(names[0])));
	return PQconnectdbParams(names, values, 1);
}

int
ch_pg_connect(struct ch_pg *pg, struct ch_err *err)
{
	ch_pg_disconnect(pg);
	pg->conn = start_connection(pg);
	if (pg->conn == NULL || PQstatus(pg->conn) != CONNECTION_OK)
		return ch_pg_fail_connection(pg, "connect to PostgreSQL", err);
	PQsetNoticeReceiver(pg->conn, log_notice, NULL);
	if (PQsetnonblocking(pg->conn, 1) != 0)
		return ch_pg_fail_connection(pg, "connect to PostgreSQL", err);
	pg->generation++;
	if (pg->on_connect == NULL || ch_pg_exec(pg, pg->on_connect, err) == 0)
		return 0;
	if (pg->conn != NULL) {
		ch_pg_disconnect(pg);
		return ch_err_wrap(err, "prepare the session");
	}
	return CH_EIO;
}

void
ch_pg_disconnect(struct ch_pg *pg)
{
	if (pg->conn != NULL)
		PQfinish(pg->conn);
	pg->conn = NULL;
	ch_pg_ask_drop(pg);
	if (ch_map_count(pg->prepared) > 0) {
		ch_map_free(pg->prepared, NULL);
		pg->prepared = ch_map_new();
	}
}

bool
ch_pg_is_up(const struct ch_pg *pg)
{
	return pg->conn != NULL && PQstatus(pg->conn) == CONNECTION_OK;
}

uint64_t
ch_pg_generation(const struct ch_pg *pg)
{
	return pg->generation;
}

int
ch_pg_backend_pid(const struct ch_pg *pg)
{
	return pg->conn != NULL ? PQbackendPID(pg->conn) : 0;
}

int
ch_pg_server_version(const struct ch_pg *pg)
{
	return pg->conn != NULL ? PQserverVersion(pg->conn) : 0;
}

bool
ch_pg_in_transaction(const struct ch_pg *pg)
{
	PGTransactionStatusType t;

	if (pg->conn == NULL)
		return false;
	t = PQtransactionStatus(pg->conn);
	return t == PQTRANS_INTRANS || t == PQTRANS_INERROR;
}

PGconn *
ch_pg_raw(struct ch_pg *pg)
{
	return pg->conn;
}

void
ch_pg_call_timeout_set(struct ch_pg *pg, int ms)
{
	assert(ms > 0);
	pg->call_timeout_ms = ms;
}

int
ch_pg_cancel(struct ch_pg *pg, struct ch_err *err)
{
	char why[256] = "";
	PGcancel *c;
	int ok;

	if (pg->conn == NULL)
		return ch_pg_need_idle(pg, err);
	c = PQgetCancel(pg->conn);
	ok = c != NULL && PQcancel(c, why, sizeof(why));
	PQfreeCancel(c);
	if (!ok)
		return ch_err_set(err, CH_EIO, "cancel: %s", why);
	return 0;
}

const struct ch_pg_failure *
ch_pg_failure(const struct ch_pg *pg)
{
	return &pg->failure;
}

enum ch_pg_class
ch_pg_retry_class(const struct ch_pg *pg)
{
	return pg->failure.class;
}

/* ---- statements ---- */

/* Sends a query without arguments or rows: the simple protocol. */
static int
send_text(struct ch_pg *pg, const char *sql, struct ch_err *err)
{
	int rc = ch_pg_need_idle(pg, err);

	if (rc != 0)
		return rc;
	if (!PQsendQuery(pg->conn, sql))
		return ch_pg_fail_connection(pg, "send", err);
	ch_pg_ask_begin(pg, PG_ASK_SINGLE);
	return ch_pg_pump(pg, err);
}

static int
prepare(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, struct ch_err *err)
{
	struct ch_view name = ch_view_of(stmt->name);
	const char *known = ch_map_get(pg->prepared, name);
	int rc;

	if (known != NULL) {
		/* Two statements under one name are our bug. */
		assert(known == stmt->sql || strcmp(known, stmt->sql) == 0);
		return 0;
	}
	if (!PQsendPrepare(pg->conn, stmt->name, stmt->sql,
		    args != NULL ? args->count : 0,
		    args != NULL ? args->types : NULL))
		return ch_pg_fail_connection(pg, stmt->name, err);
	ch_pg_ask_begin(pg, PG_ASK_SINGLE);
	rc = ch_pg_wait(pg, err);
	if (rc == 0)
		rc = ch_pg_take_result(pg, NULL, err);
	if (rc != 0) {
		ch_err_wrap(err, "prepare %s", stmt->name);
		return rc;
	}
	(void)ch_map_put(pg->prepared, name, (void *)(uintptr_t)stmt->sql);
	return 0;
}

static int
send_statement(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, struct ch_err *err)
{
	int binary[CH_PG_ARGS_MAX];
	int n = args != NULL ? args->count : 0;
	int i, rc, ok;

	rc = ch_pg_need_idle(pg, err);
	if (rc == 0 && stmt->name[0] != '\0')
		rc = prepare(pg, stmt, args, err);
	if (rc != 0)
		return rc;
	for (i = 0; i < n; i++)
		binary[i] = 1;
	if (stmt->name[0] != '\0')
		ok = PQsendQueryPrepared(pg->conn, stmt->name, n,
			n > 0 ? args->values : NULL,
			n > 0 ? args->lengths : NULL, binary, 1);
	else
		ok = PQsendQueryParams(pg->conn, stmt->sql, n,
			n > 0 ? args->types : NULL, n > 0 ? args->values : NULL,
			n > 0 ? args->lengths : NULL, binary, 1);
	if (!ok)
		return ch_pg_fail_connection(pg, stmt->name, err);
	return CH_OK;
}

int
ch_pg_send(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, struct ch_err *err)
{
	int rc = send_statement(pg, stmt, args, err);

	if (rc != CH_OK)
		return rc;
	ch_pg_ask_begin(pg, PG_ASK_SINGLE);
	return ch_pg_pump(pg, err);
}

int
ch_pg_send_rows(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, struct ch_err *err)
{
	int rc = send_statement(pg, stmt, args, err);

	if (rc != CH_OK)
		return rc;
	if (PQsetSingleRowMode(pg->conn) != 1)
		return ch_pg_fail_connection(pg, stmt->name, err);
	ch_pg_ask_begin(pg, PG_ASK_ROWS);
	return ch_pg_pump(pg, err);
}

int
ch_pg_finish(struct ch_pg *pg, PGresult **out, struct ch_err *err)
{
	int rc;

	if (out != NULL)
		*out = NULL;
	if (pg->conn == NULL)
		return ch_pg_need_idle(pg, err);
	if (pg->ask.kind != PG_ASK_SINGLE)
		return ch_err_set(err, CH_EINVAL, "nothing was asked");
	rc = ch_pg_wait(pg, err);
	return rc != 0 ? rc : ch_pg_take_result(pg, out, err);
}

int
ch_pg_query(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, PGresult **out, struct ch_err *err)
{
	int rc;

	if (out != NULL)
		*out = NULL;
	rc = ch_pg_send(pg, stmt, args, err);
	return rc != 0 ? rc : ch_pg_finish(pg, out, err);
}

int
ch_pg_exec(struct ch_pg *pg, const char *sql, struct ch_err *err)
{
	int rc = send_text(pg, sql, err);

	return rc != 0 ? rc : ch_pg_finish(pg, NULL, err);
}

/* ---- transactions ---- */

int
ch_pg_begin(struct ch_pg *pg, struct ch_err *err)
{
	return ch_pg_query(pg, &stmt_begin, NULL, NULL, err);
}

int
ch_pg_rollback(struct ch_pg *pg, struct ch_err *err)
{
	if (!ch_pg_in_transaction(pg))
		return 0;
	return ch_pg_exec(pg, "ROLLBACK", err);
}

/* In a transaction of its own, since the lock may be taken while the statement is
 * planned: before anything in it could set the patience. */
int
ch_pg_query_patient(struct ch_pg *pg, int lock_ms,
	const struct ch_pg_stmt *stmt, const struct ch_pg_args *args,
	PGresult **out, struct ch_err *err)
{
	char sql[64];
	int rc = ch_pg_begin(pg, err);

	*out = NULL;
	(void)snprintf(sql, sizeof(sql), "SET LOCAL lock_timeout = %d",
		lock_ms);
	if (rc == CH_OK)
		rc = ch_pg_exec(pg, sql, err);
	if (rc == CH_OK)
		rc = ch_pg_query(pg, stmt, args, out, err);
	if (rc != CH_OK) {
		(void)ch_pg_rollback(pg, NULL);
		return rc;
	}
	rc = ch_pg_rollback(pg, err);
	if (rc == CH_OK)
		return rc;
	PQclear(*out);
	*out = NULL;
	return rc;
}

int
ch_pg_commit_send(struct ch_pg *pg, struct ch_err *err)
{
	pg->commit_sent = false;
	if (pg->conn == NULL)
		return ch_pg_need_idle(pg, err);
	pg->commit_sent = true;
	return send_text(pg, "COMMIT", err);
}

/* Says this refusal of a COMMIT, which the server survived, that the
 * transaction is gone? Constraints, serialization, deadlock: they are found
 * before the commit record. For anything else one looks. */
static bool
refusal_is_certain(const struct ch_pg_failure *f)
{
	return !f->session_ended &&
		(strncmp(f->sqlstate, "23", 2) == 0 ||
			strncmp(f->sqlstate, "25", 2) == 0 ||
			strncmp(f->sqlstate, "40", 2) == 0);
}

/* COMMIT of a transaction that had failed answers ROLLBACK, as success. */
static bool
says_commit(const PGresult *res)
{
	/* PQcmdStatus lacks a const; it does not change the result. */
	return res != NULL &&
		strcmp(PQcmdStatus((PGresult *)(uintptr_t)res), "COMMIT") == 0;
}

enum ch_pg_outcome
ch_pg_commit_finish(struct ch_pg *pg, struct ch_err *err)
{
	PGresult *res = NULL;
	bool committed;
	int rc;

	if (!pg->commit_sent) {
		(void)ch_pg_need_idle(pg, err);
		return CH_PG_NOT_COMMITTED;
	}
	rc = ch_pg_finish(pg, &res, err);
	pg->commit_sent = false;
	if (rc == CH_ESQL && refusal_is_certain(&pg->failure))
		return CH_PG_NOT_COMMITTED;
	if (rc != 0)
		return CH_PG_IN_DOUBT;
	committed = says_commit(res);
	PQclear(res);
	if (committed)
		return CH_PG_COMMITTED;
	ch_err_set(err, CH_ESQL,
		"COMMIT of a failed transaction: it was rolled back");
	if (err != NULL)
		memcpy(err->sqlstate, "25P02", CH_SQLSTATE_LEN + 1);
	pg->failure = (struct ch_pg_failure){
		.class = CH_PG_RETRY, .sqlstate = "25P02"};
	return CH_PG_NOT_COMMITTED;
}

enum ch_pg_outcome
ch_pg_commit(struct ch_pg *pg, struct ch_err *err)
{
	(void)ch_pg_commit_send(pg, err);
	return ch_pg_commit_finish(pg, err);
}

enum ch_pg_outcome
ch_pg_pipeline_outcome(const struct ch_pg *pg, int rc, PGresult *const *results,
	size_t n, size_t failed)
{
	if (rc == 0)
		return says_commit(results[n - 1]) ? CH_PG_COMMITTED
						   : CH_PG_NOT_COMMITTED;
	if (rc == CH_ESQL && failed + 1 < n)
		return CH_PG_NOT_COMMITTED; /* the COMMIT was skipped */
	if (rc == CH_ESQL && refusal_is_certain(&pg->failure))
		return CH_PG_NOT_COMMITTED;
	return CH_PG_IN_DOUBT;
}
