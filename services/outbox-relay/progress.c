/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress: reading, claiming and writing relay_progress.
 *
 * After a delivery it takes up to three writes until the snapshot has caught
 * up. Then only a position that moved without one is left to write (position.h
 * says when): our own write moves the WAL, and an idle relay would otherwise wake
 * itself for ever.
 */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "outbox_relay_sql.h"

static const struct ch_pg_stmt claim_stmt = {
	"relay_claim", outbox_relay_sql_progress_claim};
static const struct ch_pg_stmt save_stmt = {
	"relay_save", outbox_relay_sql_progress_save};

void
progress_init(struct progress *p, const char *slot, const char *owner,
	const struct ch_clock *clock)
{
	*p = (struct progress){.slot = slot, .clock = clock};
	ch_view_copy(ch_view_of(owner), p->owner, sizeof(p->owner));
}

void
progress_free(struct progress *p)
{
	free(p->snapshot);
	free(p->candidate);
	p->snapshot = p->candidate = NULL;
}

static int
read_marks(struct ch_pg_row *r, const PGresult *res, struct inflight *f,
	struct ch_err *err)
{
	struct ch_pg_array_reader streams, seqs;
	struct ch_view stream, seq;

	if (!ch_pg_get_array(res, 0, r->col, &streams) ||
		!ch_pg_get_array(res, 0, r->col + 1, &seqs) ||
		streams.left != seqs.left)
		return ch_err_set(err, CH_EPROTO,
			"relay_progress: streams and log_seqs do not match");
	while (ch_pg_array_next(&streams, &stream) &&
		ch_pg_array_next(&seqs, &seq))
		if (stream.len == 4 && seq.len == 8)
			inflight_delivered_set(f, (int32_t)ch_be32(stream.ptr),
				(int64_t)ch_be64(seq.ptr));
	r->col += 2;
	return CH_OK;
}

static void
read_identity(struct ch_pg_row *r, struct walsender_identity *out)
{
	ch_view_copy(ch_pg_next_text(r), out->system_id,
		sizeof(out->system_id));
	out->timeline = ch_pg_next_i32(r);
	out->started_us = 0;
}

static bool
is_same_system(const struct walsender_identity *a,
	const struct walsender_identity *b)
{
	return strcmp(a->system_id, b->system_id) == 0;
}

static bool
is_same(const struct walsender_identity *a, const struct walsender_identity *b)
{
	return is_same_system(a, b) && a->timeline == b->timeline;
}

/* A server's files are put back in place while it is down. */
static bool
is_same_run(const struct walsender_identity *a,
	const struct walsender_identity *b)
{
	return is_same(a, b) && a->started_us == b->started_us;
}

/* What the row says of the place where it was written. */
static int
read_place(struct progress *p, struct ch_pg_row *r, const PGresult *res,
	struct inflight *f, struct ch_err *err)
{
	struct ch_view snapshot;
	int rc;

	p->has_lsn = !ch_pg_next_is_null(r);
	p->lsn = p->has_lsn ? ch_pg_next_lsn(r) : 0;
	rc = read_marks(r, res, f, err);
	if (rc != CH_OK)
		return rc;
	snapshot = ch_pg_next_text_null(r);
	progress_snapshot_set(p, NULL);
	if (snapshot.ptr != NULL)
		p->snapshot = ch_xviewdup(snapshot);
	p->saved_snapshot = true;
	p->saved_lsn = p->kept_lsn = p->lsn;
	return CH_OK;
}

/* What is true nowhere but where the row was written. */
static void
leave_behind(struct progress *p, const struct walsender_identity *was,
	struct inflight *f)
{
	if (is_same(was, &p->identity))
		return;
	p->has_lsn = false;
	p->lsn = p->kept_lsn = 0;
	if (is_same_system(was, &p->identity))
		return;
	inflight_forget(f);
	progress_snapshot_set(p, NULL);
}

void
progress_lsn_text(uint64_t lsn, char out[PROGRESS_LSN_TEXT_MAX])
{
	(void)snprintf(out, PROGRESS_LSN_TEXT_MAX, "%" PRIX32 "/%" PRIX32,
		(uint32_t)(lsn >> 32), (uint32_t)lsn);
}

/* A row of a WAL that this server has not written is of another one. */
static void
check_reached(const struct progress *p, uint64_t written,
	struct walsender_identity *was)
{
	char known[PROGRESS_LSN_TEXT_MAX], end[PROGRESS_LSN_TEXT_MAX];

	if (p->lsn <= written)
		return;
	progress_lsn_text(p->lsn, known);
	progress_lsn_text(written, end);
	ch_warn("relay.server_behind", CH_S("slot", p->slot),
		CH_S("delivered_lsn", known), CH_S("server_lsn", end),
		CH_S("then", "re-scan of the tables"));
	was->system_id[0] = '\0';
}

static int
read_row(struct progress *p, const PGresult *res, struct inflight *f,
	bool *ours, struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, 0);
	const struct walsender_identity known = p->identity;
	struct walsender_identity was;
	bool owner = ch_view_eq_str(ch_pg_next_text(&r), p->owner);
	uint64_t written;
	int rc;

	read_identity(&r, &p->identity);
	p->identity.started_us = ch_pg_next_i64(&r);
	written = ch_pg_next_lsn(&r);
	read_identity(&r, &was);
	p->begun = was.system_id[0] != '\0';
	*ours = owner && is_same(&was, &p->identity) &&
		is_same_run(&known, &p->identity) && p->lsn <= written;
	if (!*ours)
		inflight_forget(f);
	rc = read_place(p, &r, res, f, err);
	if (rc != CH_OK)
		return rc;
	check_reached(p, written, &was);
	leave_behind(p, &was, f);
	return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
}

int
progress_claim(struct progress *p, struct ch_pg *pg, struct inflight *f,
	bool *ours, struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res;
	int rc;

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, p->slot);
	ch_pg_arg_str(&args, p->owner);
	rc = ch_pg_query(pg, &claim_stmt, &args, &res, err);
	if (rc != CH_OK && strcmp(err->sqlstate, "42P01") == 0)
		return ch_err_wrap(err,
			"claim relay_progress (set schema to the one that "
			"install.sql made, outbox_relay, or run it here; ch is "
			"the ledger's)");
	if (rc != CH_OK)
		return ch_err_wrap(err, "claim relay_progress");
	p->in_flight = false;
	if (PQntuples(res) == 1)
		rc = read_row(p, res, f, ours, err);
	else
		rc = ch_err_set(err, CH_EPROTO, "relay_progress gave no row");
	PQclear(res);
	return rc;
}

bool
progress_is_due(const struct progress *p, const struct inflight *f)
{
	return !p->in_flight &&
		(p->saved_events != inflight_position(f)->events ||
			!p->saved_snapshot);
}

bool
progress_is_ahead(const struct progress *p)
{
	return !p->in_flight && p->lsn > p->kept_lsn;
}

int
progress_send(struct progress *p, struct ch_pg *pg, const struct inflight *f,
	struct ch_err *err)
{
	struct ch_pg_array streams, seqs;
	struct ch_pg_args args;
	struct mark m;
	size_t i;
	int rc;

	CH_FAILPOINT("relay.before_progress");
	ch_pg_array_init(&streams, CH_PG_INT4_ARRAY);
	ch_pg_array_init(&seqs, CH_PG_INT8_ARRAY);
	for (i = 0; marks_at(inflight_marks(f), i, &m); i++) {
		ch_pg_array_i32(&streams, m.stream);
		ch_pg_array_i64(&seqs, m.seq);
	}
	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, p->slot);
	ch_pg_arg_str(&args, p->owner);
	ch_pg_arg_str(&args, p->begun ? p->identity.system_id : "");
	ch_pg_arg_i32(&args, p->identity.timeline);
	if (p->has_lsn)
		ch_pg_arg_lsn(&args, p->lsn);
	else
		ch_pg_arg_null(&args, CH_PG_LSN);
	ch_pg_arg_array(&args, &streams);
	ch_pg_arg_array(&args, &seqs);
	ch_pg_arg_str(&args, p->snapshot);
	ch_pg_arg_time(&args, ch_clock_wall(p->clock));
	rc = ch_pg_send(pg, &save_stmt, &args, err);
	ch_pg_array_free(&streams);
	ch_pg_array_free(&seqs);
	if (rc != CH_OK)
		return rc;
	p->in_flight = true;
	p->saved_events = inflight_position(f)->events;
	p->saved_lsn = p->lsn;
	p->saved_snapshot = true;
	return CH_OK;
}

static void
take_candidate(struct progress *p, const PGresult *res)
{
	struct ch_pg_row r = ch_pg_row(res, 0);
	struct ch_view snapshot = ch_pg_next_text(&r);
	uint64_t lsn = ch_pg_next_lsn(&r);

	/* an older candidate is confirmed first, or it would never be under
	 * a steady load */
	if (!ch_pg_row_ok(&r, NULL) || p->candidate != NULL ||
		p->covered_events == p->saved_events)
		return;
	p->candidate_events = p->saved_events;
	p->candidate = ch_xviewdup(snapshot);
	p->candidate_lsn = lsn;
}

int
progress_finish(struct progress *p, struct ch_pg *pg, struct ch_err *err)
{
	PGresult *res;
	int rc = ch_pg_finish(pg, &res, err);

	p->in_flight = false;
	if (rc != CH_OK)
		return ch_err_wrap(err, "save relay_progress");
	if (PQntuples(res) == 1) {
		p->kept_lsn = p->saved_lsn;
		take_candidate(p, res);
	} else {
		rc = ch_err_set(err, CH_EFENCED,
			"another relay has claimed "
			"relay_progress of slot %s",
			p->slot);
	}
	PQclear(res);
	return rc;
}

int
progress_settle(struct progress *p, struct ch_pg *pg, struct ch_err *err)
{
	return p->in_flight ? progress_finish(p, pg, err) : CH_OK;
}

int
progress_save(struct progress *p, struct ch_pg *pg, const struct inflight *f,
	struct ch_err *err)
{
	int rc = progress_settle(p, pg, err);

	if (rc == CH_OK)
		rc = progress_send(p, pg, f, err);
	return rc == CH_OK ? progress_finish(p, pg, err) : rc;
}

void
progress_reached(struct progress *p, uint64_t lsn)
{
	if (p->candidate == NULL || lsn < p->candidate_lsn)
		return;
	free(p->snapshot);
	p->snapshot = p->candidate;
	p->candidate = NULL;
	p->covered_events = p->candidate_events;
	p->saved_snapshot = false;
}

void
progress_snapshot_set(struct progress *p, const char *snapshot)
{
	free(p->candidate);
	p->candidate = NULL;
	free(p->snapshot);
	p->snapshot = snapshot != NULL ? ch_xstrdup(snapshot) : NULL;
	p->saved_snapshot = false;
}

int
progress_check(const struct progress *p, const struct walsender_identity *of,
	struct ch_err *err)
{
	if (is_same_run(&p->identity, of))
		return CH_OK;
	return ch_err_set(err, CH_EFENCED,
		"the walsender is of system %s, timeline %" PRId32
		", started at %" PRId64 ", the SQL session of system %s, "
		"timeline %" PRId32 ", started at %" PRId64
		" (microseconds since 1970): both are made anew; let "
		"database_url name one server",
		of->system_id, of->timeline, of->started_us,
		p->identity.system_id, p->identity.timeline,
		p->identity.started_us);
}
