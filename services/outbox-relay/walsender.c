/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walsender: see walsender.h.
 *
 * A walsender takes simple queries only, one at a time, and some wait for
 * long: while one runs, `alive` is asked five times a second. A command that
 * fails half-way ends the connection: nothing else could be told from its
 * answer.
 *
 * A slot is made in a transaction of its own snapshot, which PostgreSQL takes
 * from the WAL: it is exactly what was committed before the slot begins. For one
 * that runs meanwhile with very many subtransactions it may be too large; then
 * the slot is made without.
 */
#include "walsender.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"

#define CREATE_MS 120000
#define TOO_LARGE "40001" /* "initial slot snapshot too large" */

struct walsender {
	struct walsender_options opt;
	struct ch_pg *pg;
};

struct walsender *
walsender_new(const struct walsender_options *opt, struct ch_err *err)
{
	struct walsender *w = ch_xcalloc(1, sizeof(*w));
	struct ch_pg_params params = {
		.conninfo = opt->conninfo,
		.application_name = opt->client_id,
		.replication = "database",
		.search_path = opt->schema,
		.read_write = true,
	};

	w->opt = *opt;
	w->pg = ch_pg_new(&params, err);
	if (w->pg == NULL) {
		free(w);
		return NULL;
	}
	return w;
}

void
walsender_free(struct walsender *w)
{
	if (w == NULL)
		return;
	ch_pg_free(w->pg);
	free(w);
}

void
walsender_disconnect(struct walsender *w)
{
	ch_pg_disconnect(w->pg);
}

struct ch_pg *
walsender_pg(struct walsender *w)
{
	return w->pg;
}

/* ---- commands ---- */

static int
broken(struct walsender *w, const char *doing, struct ch_err *err)
{
	PGconn *conn = ch_pg_raw(w->pg);

	ch_err_set(err, CH_EIO, "%s: %s", doing,
		conn != NULL ? PQerrorMessage(conn) : "not connected");
	walsender_disconnect(w);
	return CH_EIO;
}

static int
wait_result(struct walsender *w, int timeout_ms, struct ch_err *err)
{
	PGconn *conn = ch_pg_raw(w->pg);
	int waited;

	for (waited = 0; PQflush(conn) == 1 || PQisBusy(conn); waited += 200) {
		struct pollfd p = {PQsocket(conn), POLLIN, 0};

		if (w->opt.alive != NULL && !w->opt.alive(w->opt.ctx)) {
			walsender_disconnect(w);
			return ch_err_set(err, CH_ECLOSED,
				"given up after %d ms of waiting for the "
				"walsender: the relay stops, or its SQL "
				"session has ended",
				waited);
		}
		if (waited >= timeout_ms) {
			walsender_disconnect(w);
			return ch_err_set(err, CH_ETIMEOUT,
				"no answer from "
				"the walsender within %d ms",
				waited);
		}
		(void)poll(&p, 1, 200);
		if (p.revents != 0 && !PQconsumeInput(conn))
			return broken(w, "walsender", err);
	}
	return CH_OK;
}

int
walsender_command(struct walsender *w, const char *sql, int timeout_ms,
	PGresult **out, struct ch_err *err)
{
	PGconn *conn = ch_pg_raw(w->pg);
	struct ch_pg_failure failure;
	ExecStatusType status;
	PGresult *res;
	int rc;

	*out = NULL;
	if (conn == NULL || !PQsendQuery(conn, sql))
		return broken(w, "walsender", err);
	rc = wait_result(w, timeout_ms, err);
	if (rc != CH_OK)
		return rc;
	res = PQgetResult(conn);
	status = PQresultStatus(res);
	if (status == PGRES_COPY_BOTH) {
		*out = res;
		return CH_OK;
	}
	while (res != NULL) {
		PGresult *next;

		rc = wait_result(w, timeout_ms, err);
		if (rc != CH_OK) {
			PQclear(res);
			return rc;
		}
		next = PQgetResult(conn);
		if (next == NULL)
			break;
		PQclear(next);
	}
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
		*out = res;
		return CH_OK;
	}
	rc = res != NULL ? ch_pg_result_failure(res, &failure, err) : CH_EIO;
	PQclear(res);
	if (PQstatus(conn) != CONNECTION_OK)
		return broken(w, "walsender", err);
	return rc;
}

static int
ask_system(struct walsender *w, struct walsender_identity *out,
	struct ch_err *err)
{
	PGresult *res;
	int64_t timeline = 0;
	int rc;

	rc = walsender_command(w, "IDENTIFY_SYSTEM", WALSENDER_COMMAND_MS, &res,
		err);
	if (rc != CH_OK)
		return rc;
	if (PQntuples(res) != 1 ||
		ch_view_copy(ch_view_of(PQgetvalue(res, 0, 0)), out->system_id,
			sizeof(out->system_id)) != CH_OK ||
		ch_view_int(ch_view_of(PQgetvalue(res, 0, 1)), 0, INT32_MAX,
			&timeline) != CH_OK)
		rc = ch_err_set(err, CH_EPROTO,
			"IDENTIFY_SYSTEM answered something else");
	out->timeline = (int32_t)timeline;
	PQclear(res);
	return rc;
}

static int
ask_start(struct walsender *w, struct walsender_identity *out,
	struct ch_err *err)
{
	PGresult *res;
	int rc = walsender_command(w,
		"SELECT (extract(epoch FROM pg_postmaster_start_time()) "
		"* 1000000)::int8",
		WALSENDER_COMMAND_MS, &res, err);

	if (rc != CH_OK)
		return rc;
	if (PQntuples(res) != 1 ||
		ch_view_int(ch_view_of(PQgetvalue(res, 0, 0)), 1, INT64_MAX,
			&out->started_us) != CH_OK)
		rc = ch_err_set(err, CH_EPROTO,
			"pg_postmaster_start_time() answered something else");
	PQclear(res);
	return rc;
}

int
walsender_connect(struct walsender *w, struct walsender_identity *out,
	struct ch_err *err)
{
	int rc;

	walsender_disconnect(w);
	rc = ch_pg_connect(w->pg, err);
	if (rc == CH_OK)
		rc = ask_system(w, out, err);
	return rc == CH_OK ? ask_start(w, out, err) : rc;
}

/* Appends 1 to 8 hexadecimal digits, half an LSN. */
static bool
add_half(uint64_t *lsn, struct ch_view digits)
{
	char padded[] = "00000000";
	unsigned char bytes[4];
	size_t i;

	if (digits.len < 1 || digits.len > 8)
		return false;
	memcpy(padded + 8 - digits.len, digits.ptr, digits.len);
	if (!ch_hex_decode(ch_view_of(padded), bytes, sizeof(bytes)))
		return false;
	for (i = 0; i < sizeof(bytes); i++)
		*lsn = *lsn << 8 | bytes[i];
	return true;
}

/* "16/B374D848" */
static bool
lsn_of(struct ch_view text, uint64_t *out)
{
	struct ch_view high;

	*out = 0;
	return ch_view_split(&text, '/', &high) && add_half(out, high) &&
		add_half(out, text);
}

static enum walsender_slot
slot_of(const PGresult *res)
{
	const char *value[3];
	int i;

	if (PQntuples(res) == 0)
		return WALSENDER_SLOT_MISSING;
	for (i = 0; i < 3; i++)
		value[i] = PQgetvalue(res, 0, i);
	if (value[0][0] != 't')
		return WALSENDER_SLOT_FOREIGN;
	if (ch_view_eq_str(ch_view_of(value[1]), "lost"))
		return WALSENDER_SLOT_LOST;
	return value[2][0] == 't' ? WALSENDER_SLOT_ACTIVE : WALSENDER_SLOT_FREE;
}

static int
read_slot(const PGresult *res, struct walsender_slot_found *out,
	struct ch_err *err)
{
	int64_t reader = 0;

	*out = (struct walsender_slot_found){.is = slot_of(res)};
	if (out->is != WALSENDER_SLOT_FREE && out->is != WALSENDER_SLOT_ACTIVE)
		return CH_OK;
	if (!lsn_of(ch_view_of(PQgetvalue(res, 0, 3)), &out->confirmed_lsn))
		return ch_err_set(err, CH_EPROTO,
			"pg_replication_slots tells no confirmed_flush_lsn");
	if (out->is == WALSENDER_SLOT_ACTIVE &&
		ch_view_int(ch_view_of(PQgetvalue(res, 0, 4)), 1, INT32_MAX,
			&reader) != CH_OK)
		return ch_err_set(err, CH_EPROTO,
			"pg_replication_slots tells no active_pid");
	out->reader = (int32_t)reader;
	return CH_OK;
}

int
walsender_slot_look(struct walsender *w, struct walsender_slot_found *out,
	struct ch_err *err)
{
	char sql[512];
	PGresult *res;
	int rc;

	(void)snprintf(sql, sizeof(sql),
		"SELECT plugin = 'pgoutput' AND database = "
		"current_database(), wal_status, active, confirmed_flush_lsn, "
		"active_pid FROM pg_replication_slots WHERE slot_name = '%s'",
		w->opt.slot);
	rc = walsender_command(w, sql, WALSENDER_COMMAND_MS, &res, err);
	if (rc != CH_OK)
		return rc;
	rc = read_slot(res, out, err);
	PQclear(res);
	return rc;
}

static int
tell(struct walsender *w, const char *sql, struct ch_err *err)
{
	PGresult *res;
	int rc = walsender_command(w, sql, WALSENDER_COMMAND_MS, &res, err);

	PQclear(res);
	return rc;
}

static int
create(struct walsender *w, const char *how, uint64_t *lsn, struct ch_err *err)
{
	char sql[256];
	PGresult *res;
	int rc;

	(void)snprintf(sql, sizeof(sql),
		"CREATE_REPLICATION_SLOT %s LOGICAL pgoutput %s", w->opt.slot,
		how);
	rc = walsender_command(w, sql, CREATE_MS, &res, err);
	if (rc != CH_OK)
		return ch_err_wrap(err, "create slot %s", w->opt.slot);
	if (PQntuples(res) != 1 ||
		!lsn_of(ch_view_of(PQgetvalue(res, 0, 1)), lsn))
		rc = ch_err_set(err, CH_EPROTO,
			"CREATE_REPLICATION_SLOT answered something else");
	PQclear(res);
	return rc;
}

static int
read_snapshot(struct walsender *w, char **out, struct ch_err *err)
{
	PGresult *res;
	int rc = walsender_command(w, "SELECT pg_current_snapshot()",
		WALSENDER_COMMAND_MS, &res, err);

	if (rc == CH_OK && PQntuples(res) == 1)
		*out = ch_xstrdup(PQgetvalue(res, 0, 0));
	PQclear(res);
	return rc;
}

static int
create_and_see(struct walsender *w, uint64_t *lsn, char **before,
	struct ch_err *err)
{
	int rc =
		tell(w, "BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ", err);

	if (rc == CH_OK)
		rc = create(w, "USE_SNAPSHOT", lsn, err);
	if (rc == CH_OK)
		rc = read_snapshot(w, before, err);
	return rc == CH_OK ? tell(w, "COMMIT", err) : rc;
}

int
walsender_slot_create(struct walsender *w, uint64_t *lsn, char **before,
	struct ch_err *err)
{
	struct ch_err why = CH_ERR_INIT;
	int rc;

	*before = NULL;
	rc = create_and_see(w, lsn, before, &why);
	if (rc == CH_ESQL && strcmp(why.sqlstate, TOO_LARGE) == 0) {
		rc = tell(w, "ROLLBACK", err);
		return rc == CH_OK ? create(w, "NOEXPORT_SNAPSHOT", lsn, err)
				   : rc;
	}
	if (rc != CH_OK) {
		free(*before);
		*before = NULL;
		*err = why;
	}
	return rc;
}

int
walsender_slot_drop(struct walsender *w, struct ch_err *err)
{
	char sql[256];
	PGresult *res;
	int rc;

	(void)snprintf(sql, sizeof(sql), "DROP_REPLICATION_SLOT %s",
		w->opt.slot);
	rc = walsender_command(w, sql, WALSENDER_COMMAND_MS, &res, err);
	PQclear(res);
	return rc;
}
