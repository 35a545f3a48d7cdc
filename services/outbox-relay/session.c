/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: who leads, and where rows come from.
 *
 *	OFFLINE --SQL up--> STANDBY --lock--> LEADING --+--> TAILING
 *	   ^                                     ^      +--> SCANNING --> TAILING
 *	   '---- SQL lost, from anywhere         |      '--> POLLING
 *	                                         '---- stream lost
 *
 * The lock (a session lock of the SQL connection) makes one relay of a slot
 * the leader; the slot itself, which feeds one reader, is the second fence. A
 * leader that stands still loses both: PostgreSQL ends an SQL session that is
 * silent, a standby one that waits for its relay in the middle of a call, and
 * who then has the lock the walsender that reads the slot still. Who
 * has it but not its webhooks' endpoints, which a relay of another slot serves,
 * gives it up and tries again: nothing is read meanwhile, so nothing is lost.
 * What is in flight outlives a lost connection, and waits meanwhile: when the
 * claim of relay_progress shows that nobody led, on this history of this system,
 * the stream goes on behind the last commit that was read; else, and as soon as
 * another has the lock, everything is dropped, to be read again.
 *
 * The position is forgotten (NULL) and written before a slot is made, and set
 * when the re-scan behind it is delivered: a crash in between scans again. So
 * it is with a slot that is further than we told it (progress.h). The stream
 * begins when the re-scan is read, and passes over what that has read: so no row
 * of it that waits holds up what comes after. A slot that is free is never
 * dropped, whoever made it: it may have rows that are in no table any more.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "outbox_relay_sql.h"
#include "relay.h"

#define STANDBY_MS 500
#define KEEP_MS 4000
#define FREE_MS 5000

static const struct ch_pg_stmt lock_stmt = {
	"relay_lock", outbox_relay_sql_lock_try};
static const struct ch_pg_stmt free_lock_stmt = {
	"relay_lock_free", outbox_relay_sql_lock_free};
static const struct ch_pg_stmt free_slot_stmt = {
	"relay_slot_free", outbox_relay_sql_slot_free};

static const struct ch_sm_state states[] = {
	[RELAY_OFFLINE] = {"offline", CH_SM_INITIAL, CH_SM_BIT(RELAY_STANDBY)},
	[RELAY_STANDBY] = {"standby", 0,
		CH_SM_BIT(RELAY_OFFLINE) | CH_SM_BIT(RELAY_LEADING)},
	[RELAY_LEADING] = {"leading", 0,
		CH_SM_BIT(RELAY_OFFLINE) | CH_SM_BIT(RELAY_SCANNING) |
			CH_SM_BIT(RELAY_TAILING) | CH_SM_BIT(RELAY_POLLING)},
	[RELAY_SCANNING] = {"scanning", 0,
		CH_SM_BIT(RELAY_OFFLINE) | CH_SM_BIT(RELAY_LEADING) |
			CH_SM_BIT(RELAY_TAILING)},
	[RELAY_TAILING] = {"tailing", 0,
		CH_SM_BIT(RELAY_OFFLINE) | CH_SM_BIT(RELAY_LEADING)},
	[RELAY_POLLING] = {"polling", 0,
		CH_SM_BIT(RELAY_OFFLINE) | CH_SM_BIT(RELAY_LEADING)},
};

static void
move_to(struct relay *r, enum relay_state next)
{
	ch_sm_move(&r->state, (int)next);
	r->state_since = r->now;
	ch_info("relay.state", CH_S("state", ch_sm_name(&r->state)));
}

void
session_init(struct relay *r)
{
	ch_sm_init(&r->state, "session", states,
		(int)(sizeof(states) / sizeof(*states)), RELAY_OFFLINE);
	r->backoff = (struct ch_backoff){.base_ms = 100, .cap_ms = 5000};
	ch_rng_seed_system(&r->rng);
}

bool
session_is_leader(const struct relay *r)
{
	return ch_sm_state(&r->state) >= RELAY_LEADING;
}

static void
try_later(struct relay *r, const struct ch_err *err, const char *event)
{
	int64_t ms = ch_backoff_next(&r->backoff, &r->rng);

	ch_warn(event, CH_ERR(err), CH_I("again_ms", ms));
	ch_view_copy(ch_view_of(err->text), r->trouble, sizeof(r->trouble));
	r->retry_at = (struct ch_mono){r->now.ns + ms * 1000000};
}

/* The next try comes soon where this one came to something. */
static void
end_stream(struct relay *r)
{
	if (ch_sm_state(&r->state) == RELAY_TAILING &&
		(tail_counts(r->tail)->commits != r->commits_before ||
			ch_mono_ms_since(r->now, r->state_since) >=
				r->backoff.cap_ms))
		ch_backoff_reset(&r->backoff);
	horizon_clear(&r->horizon);
	r->unpublished[0] = '\0';
	tail_disconnect(r->tail);
}

void
session_lose(struct relay *r, const struct ch_err *err)
{
	end_stream(r);
	ch_pg_disconnect(r->pg);
	r->progress.in_flight = false;
	if (r->shards != NULL)
		shards_lose(r->shards);
	inflight_abandon(r->inflight);
	if (ch_sm_state(&r->state) != RELAY_OFFLINE)
		move_to(r, RELAY_OFFLINE);
	try_later(r, err, "relay.session_lost");
}

void
session_restart(struct relay *r, const struct ch_err *err)
{
	end_stream(r);
	inflight_abandon(r->inflight);
	if (ch_sm_state(&r->state) != RELAY_LEADING)
		move_to(r, RELAY_LEADING);
	try_later(r, err, "relay.stream_lost");
}

bool
session_keep_alive(void *ctx)
{
	struct relay *r = ctx;
	struct ch_mono now = ch_clock_mono(r->rt->clock);
	struct ch_err err = CH_ERR_INIT;

	ch_runtime_alive(r->rt);
	if (ch_runtime_stopping(r->rt))
		return false;
	if (ch_mono_ms_since(now, r->kept_at) < KEEP_MS)
		return true;
	r->kept_at = now;
	return ch_pg_exec(r->pg, "SELECT", &err) == CH_OK;
}

/* An answer to a save, or the end of the session. */
static bool
has_heard(const struct relay *r)
{
	struct pollfd p = {ch_pg_fd(r->pg), POLLIN, 0};

	return poll(&p, 1, 0) != 0;
}

static int
prove(struct relay *r, struct ch_err *err)
{
	struct ch_mono now = ch_clock_mono(r->rt->clock);
	bool trusted = ch_mono_ms_since(now, r->proven_at) < SESSION_TRUSTED_MS;
	bool asked = r->progress.in_flight;
	int rc;

	if (trusted && !has_heard(r))
		return CH_OK;
	rc = progress_settle(&r->progress, r->pg, err);
	if (rc != CH_OK || (trusted && asked))
		return rc;
	rc = ch_pg_exec(r->pg, "SELECT", err);
	if (rc == CH_OK)
		r->proven_at = now;
	return rc;
}

bool
session_may_send(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;

	if (!session_is_leader(r))
		return false;
	if (prove(r, &err) == CH_OK)
		return true;
	session_lose(r, &err);
	return false;
}

void
session_close(struct relay *r)
{
	tail_stop(r->tail);
	ch_pg_disconnect(r->pg);
}

/* ---- becoming the leader ---- */

static int
take_lock(struct relay *r, bool *taken, struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res;
	int rc;

	*taken = false;
	if (r->shards != NULL)
		return shards_join(r->shards, r->pg, taken, err);
	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, r->slot);
	rc = ch_pg_query(r->pg, &lock_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	ch_pg_get_bool(res, 0, 0, taken);
	PQclear(res);
	return CH_OK;
}

const struct queue_part *
session_part(const struct relay *r)
{
	return r->shards != NULL ? shards_part(r->shards) : &queue_whole;
}

/* Who shares a table has no progress: what is not deleted is not delivered. */
static int
claim(struct relay *r, struct ch_err *err)
{
	bool ours = false;
	int rc = CH_OK;

	if (r->shards == NULL)
		rc = progress_claim(&r->progress, r->pg, r->inflight, &ours,
			err);
	if (rc == CH_OK && (!ours || r->left)) {
		pump_drop(r);
		r->read_lsn = 0;
		r->left = false;
		rc = park_load(r->park, r->pg, session_part(r), err);
	}
	return rc;
}

static void
go_online(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;

	if (ch_pg_connect(r->pg, &err) != CH_OK) {
		try_later(r, &err, "relay.connect");
		return;
	}
	r->other_leads = false;
	move_to(r, RELAY_STANDBY);
}

/* What it parks, and what is decided about that, we do not know. */
static void
leave_to_other(struct relay *r)
{
	r->trouble[0] = '\0';
	r->retry_at = (struct ch_mono){r->now.ns + STANDBY_MS * 1000000LL};
	if (r->left)
		return;
	pump_drop(r);
	r->read_lsn = 0;
	r->left = true;
}

/* Ends the session of a leader that stands still. */
static int
free_lock(struct relay *r, struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res;
	int32_t pid;
	int rc, i;

	if (ch_mono_ms_since(r->now, r->freed_at) < FREE_MS)
		return CH_OK;
	r->freed_at = r->now;
	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, r->slot);
	rc = ch_pg_query(r->pg, &free_lock_stmt, &args, &res, err);
	if (rc != CH_OK)
		return ch_err_wrap(err, "look at the leader's session");
	for (i = 0; i < PQntuples(res); i++)
		if (ch_pg_get_i32(res, i, 0, &pid))
			ch_warn("relay.leader_ended", CH_S("slot", r->slot),
				CH_I("backend", pid));
	PQclear(res);
	return CH_OK;
}

static void
stand_by(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;
	bool taken;

	r->proven_at = ch_clock_mono(r->rt->clock);
	if (take_lock(r, &taken, &err) != CH_OK) {
		session_lose(r, &err);
		return;
	}
	r->other_leads = !taken;
	if (!taken) {
		leave_to_other(r);
		if (free_lock(r, &err) != CH_OK)
			session_lose(r, &err);
		return;
	}
	r->reader = 0;
	if (hooks_own(r->hooks, r->pg, &err) != CH_OK ||
		claim(r, &err) != CH_OK) {
		session_lose(r, &err);
		return;
	}
	move_to(r, RELAY_LEADING);
}

/* ---- the source ---- */

static void
begin_scan(struct relay *r)
{
	r->scan_done = r->rounds = r->scanned = false;
	if (r->reread != NULL) {
		reread_begin(r->reread);
		return;
	}
	inflight_unmark(r->inflight);
	scan_begin(r->scan, r->inflight, r->progress.snapshot);
}

static void
begin_polling(struct relay *r)
{
	tail_disconnect(r->tail);
	r->progress.begun = true;
	if (r->queue != NULL)
		r->scan_done = true; /* the queue has its own pages */
	else if (!r->rounds)
		begin_scan(r);
	r->rounds = r->queue == NULL;
	r->trouble[0] = '\0';
	ch_backoff_reset(&r->backoff);
	move_to(r, RELAY_POLLING);
}

bool
session_has_position(struct relay *r)
{
	if (r->progress.has_lsn)
		return true;
	if (!r->scanned ||
		inflight_position(r->inflight)->commits < r->scan_end)
		return false;
	/* an application's table tells no snapshot: a row that was deleted
	 * before it was read is in the slot alone */
	if (r->reread == NULL)
		progress_snapshot_set(&r->progress, scan_until(r->scan));
	r->progress.has_lsn = true;
	r->progress.lsn = r->slot_lsn;
	r->progress.saved_snapshot = false; /* written within a second */
	return true;
}

/* Of the ledger's tables the re-scan is in flight, or delivered: its rows do not
 * come again. */
static int
start_behind_scan(struct relay *r, uint64_t lsn, struct ch_err *err)
{
	int32_t stream;
	int64_t seq;
	size_t i;
	int rc =
		tail_start(r->tail, lsn, r->inflight, scan_until(r->scan), err);

	for (i = 0; scan_stream_at(r->scan, i, &stream, &seq); i++)
		tail_pass(r->tail, stream, seq);
	return rc;
}

static int
begin_tailing(struct relay *r, struct ch_err *err)
{
	bool undelivered = !session_has_position(r);
	uint64_t lsn = undelivered ? r->slot_lsn : r->progress.lsn;
	int rc;

	if (r->read_lsn > lsn)
		lsn = r->read_lsn;
	if (undelivered && r->reread == NULL)
		rc = start_behind_scan(r, lsn, err);
	else
		rc = tail_start(r->tail, lsn, r->inflight, r->progress.snapshot,
			err);
	if (rc != CH_OK)
		return rc;
	r->rounds = false;
	ch_info("relay.tail", CH_S("slot", r->slot), CH_U("lsn", lsn));
	ch_metric_add(r->rt->metrics, RELAY_SESSIONS, 1);
	r->reader = 0;
	r->trouble[0] = '\0';
	r->commits_before = tail_counts(r->tail)->commits;
	move_to(r, RELAY_TAILING);
	return CH_OK;
}

/* Durably: a crash before the tables are read reads them again. */
static int
forget_position(struct relay *r, struct ch_err *err)
{
	r->progress.has_lsn = r->scanned = false;
	r->progress.lsn = r->read_lsn = 0;
	return progress_save(&r->progress, r->pg, r->inflight, err);
}

static int
miss_rows(struct relay *r, const struct ch_err *why, struct ch_err *err)
{
	ch_error("relay.not_published", CH_ERR(why),
		CH_S("then", "re-scan of the table, once it is published"));
	return forget_position(r, err);
}

int
session_unpublished(struct relay *r, uint64_t lsn, const struct ch_err *why,
	struct ch_err *err)
{
	int rc = miss_rows(r, why, err);

	ch_view_copy(ch_view_of(why->text), r->unpublished,
		sizeof(r->unpublished));
	tail_limit(r->tail, lsn);
	return rc;
}

/* All that was published before is read: what is written from here on would come
 * before what the table alone has. */
static void
leave_unpublished(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;

	if (r->unpublished[0] == '\0' || !tail_is_at_limit(r->tail))
		return;
	ch_err_set(&err, CH_ECONFIG, "%s", r->unpublished);
	session_restart(r, &err);
}

/* Before the first row, not with it. Later the stream may be behind the table,
 * and tells of which columns its rows are. */
static int
check_columns(struct relay *r, struct ch_err *err)
{
	struct ch_err why = CH_ERR_INIT;
	int rc = source_check_columns(r, &why);

	if (rc == CH_OK)
		return CH_OK;
	if (rc == CH_ECONFIG && (r->progress.has_lsn || r->scanned)) {
		ch_warn("relay.columns", CH_ERR(&why),
			CH_S("then", "rows of before the change are sent"));
		return CH_OK;
	}
	*err = why;
	return rc;
}

/* It may have been so, and rows been written, while no relay ran. */
static int
check_table(struct relay *r, struct ch_err *err)
{
	struct ch_err why = CH_ERR_INIT;
	bool missed;
	int rc = source_check_table(r, &missed, &why);

	if (missed && (r->progress.has_lsn || r->scanned) &&
		miss_rows(r, &why, err) != CH_OK)
		return err->code;
	*err = why;
	return rc == CH_OK ? check_columns(r, err) : rc;
}

static int
make_slot(struct relay *r, bool drop, char **before, struct ch_err *err)
{
	int rc = forget_position(r, err);

	if (rc == CH_OK && drop)
		rc = walsender_slot_drop(tail_walsender(r->tail), err);
	if (rc == CH_OK)
		rc = walsender_slot_create(tail_walsender(r->tail),
			&r->slot_lsn, before, err);
	if (rc == CH_OK)
		ch_warn("relay.slot_made", CH_S("slot", r->slot),
			CH_S("then", "re-scan of the tables"));
	return rc;
}

/* The slot is no further, unless somebody else has moved it: it was told so
 * much, or was there before the re-scan. 0: nothing is known of it. */
static uint64_t
known_lsn(const struct relay *r)
{
	if (r->scanned && r->slot_lsn > r->progress.kept_lsn)
		return r->slot_lsn;
	return r->progress.has_lsn ? r->progress.kept_lsn : 0;
}

/* Further than we ever told: made anew, or moved, by somebody else. What lies
 * between it will not send. */
static int
leave_moved(struct relay *r, uint64_t slot_lsn, struct ch_err *err)
{
	char ours[PROGRESS_LSN_TEXT_MAX], its[PROGRESS_LSN_TEXT_MAX];

	progress_lsn_text(known_lsn(r), ours);
	progress_lsn_text(slot_lsn, its);
	ch_warn("relay.slot_moved", CH_S("slot", r->slot),
		CH_S("delivered_lsn", ours), CH_S("slot_lsn", its),
		CH_S("then", "re-scan of the tables"));
	return forget_position(r, err);
}

/* before: as horizon_set() takes it. */
static int
begin_scanning(struct relay *r, char *before, struct ch_err *err)
{
	bool whole = r->reread == NULL || r->first_whole || r->progress.begun;
	int rc = horizon_set(&r->horizon, before, r->pg, r->now, err);

	if (rc == CH_OK && whole && r->reread != NULL)
		rc = source_check_rows(r, err);
	if (rc != CH_OK)
		return rc;
	r->progress.begun = true;
	r->read_lsn = 0;
	begin_scan(r);
	r->scan_done = !whole; /* what was there before is not ours to send */
	if (!whole)
		horizon_clear(&r->horizon);
	r->trouble[0] = '\0';
	if (ch_sm_state(&r->state) != RELAY_SCANNING)
		move_to(r, RELAY_SCANNING);
	return CH_OK;
}

/* The lock is ours: who reads the slot is a leader that stands still, or a stream
 * of our own that broke. Once: what comes back is no relay. */
static int
end_reader(struct relay *r, int32_t reader, struct ch_err *err)
{
	bool known = r->reader == reader;
	struct ch_pg_args args;
	int rc;

	if (r->reader != 0 && !known)
		return ch_err_set(err, CH_EEXIST,
			"slot %s is read by another process (backend %d), "
			"which came when the relay had ended the one before: "
			"stop it, or set another `slot`",
			r->slot, reader);
	r->reader = reader;
	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, r->slot);
	ch_pg_arg_i32(&args, reader);
	rc = ch_pg_query(r->pg, &free_slot_stmt, &args, NULL, err);
	if (rc != CH_OK)
		return ch_err_wrap(err,
			"slot %s is read by another process: end backend %d",
			r->slot, reader);
	if (!known)
		ch_warn("relay.reader_ended", CH_S("slot", r->slot),
			CH_I("backend", reader));
	return ch_err_set(err, CH_EEXIST,
		"slot %s is read by backend %d still, which was told to end",
		r->slot, reader);
}

static int
use_slot(struct relay *r, const struct walsender_slot_found *slot,
	struct ch_err *err)
{
	char *before = NULL;
	uint64_t known = known_lsn(r);
	int rc = CH_OK;

	if (slot->is == WALSENDER_SLOT_ACTIVE)
		return end_reader(r, slot->reader, err);
	if (slot->is == WALSENDER_SLOT_FOREIGN)
		return ch_err_set(err, CH_ECONFIG,
			"slot %s belongs to "
			"another plugin or database: set `slot`",
			r->slot);
	if (slot->is == WALSENDER_SLOT_FREE && known > 0 &&
		slot->confirmed_lsn <= known)
		return begin_tailing(r, err);
	if (slot->is == WALSENDER_SLOT_FREE && known > 0)
		rc = leave_moved(r, slot->confirmed_lsn, err);
	r->slot_lsn = slot->confirmed_lsn;
	if (slot->is != WALSENDER_SLOT_FREE)
		rc = make_slot(r, slot->is != WALSENDER_SLOT_MISSING, &before,
			err);
	return rc == CH_OK ? begin_scanning(r, before, err) : rc;
}

static int
look_at_slot(struct relay *r, struct ch_err *err)
{
	struct walsender_slot_found slot;
	int rc = walsender_slot_look(tail_walsender(r->tail), &slot, err);

	return rc == CH_OK ? use_slot(r, &slot, err) : rc;
}

static int
poll_tables(struct relay *r, struct ch_err *err)
{
	int rc = r->queue != NULL ? source_open_queue(r, err) : CH_OK;

	if (rc == CH_OK)
		begin_polling(r);
	return rc;
}

/* err says why the WAL cannot be read. */
static int
poll_instead(struct relay *r, struct ch_err *err)
{
	char wal[CH_ERR_TEXT_MAX];
	struct ch_err why = CH_ERR_INIT;
	int rc = poll_tables(r, &why);

	if (rc == CH_OK) {
		ch_warn("relay.polling", CH_S("why", err->text));
		return CH_OK;
	}
	if (rc != CH_ECONFIG) {
		*err = why;
		return rc;
	}
	ch_view_copy(ch_view_of(err->text), wal, sizeof(wal));
	return ch_err_set(err, CH_ECONFIG,
		"rows come neither from the WAL (%.220s) nor by polling "
		"(%.220s)",
		wal, why.text);
}

static int
choose_source(struct relay *r, struct ch_err *err)
{
	int rc;

	if (r->source == RELAY_SOURCE_SCAN)
		return poll_tables(r, err);
	rc = source_open_wal(r, err);
	if (rc == CH_ECONFIG && r->source == RELAY_SOURCE_AUTO)
		return poll_instead(r, err);
	if (rc == CH_ECONFIG)
		return ch_err_wrap(err, "rows come from the WAL alone");
	if (rc == CH_OK && r->contract != NULL)
		rc = check_table(r, err);
	if (rc != CH_OK)
		return rc;
	return look_at_slot(r, err);
}

static void
lead(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;
	int rc = choose_source(r, &err);

	if (rc == CH_OK)
		return;
	if (rc == CH_EFENCED || !ch_pg_is_up(r->pg))
		session_lose(r, &err);
	else
		session_restart(r, &err);
}

/* The re-scan is read: what it saw is the past, the slot the rest. */
static void
end_scan(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;

	ch_info("relay.scanned",
		CH_U("rows",
			r->reread != NULL ? reread_rows(r->reread)
					  : scan_rows(r->scan)));
	r->scanned = true;
	r->scan_end = inflight_ended(r->inflight);
	/* a look at the slot keeps the SQL session alive */
	if (progress_settle(&r->progress, r->pg, &err) != CH_OK) {
		session_lose(r, &err);
		return;
	}
	/* it may have been made anew while the tables were read */
	if (look_at_slot(r, &err) != CH_OK)
		session_restart(r, &err);
}

void
session_turn(struct relay *r)
{
	if (r->retry_at.ns > r->now.ns || r->draining || r->fatal.code != CH_OK)
		return;
	switch ((enum relay_state)ch_sm_state(&r->state)) {
	case RELAY_OFFLINE:
		go_online(r);
		break;
	case RELAY_STANDBY:
		stand_by(r);
		break;
	case RELAY_LEADING:
		lead(r);
		break;
	case RELAY_SCANNING:
		if (r->scan_done)
			end_scan(r);
		break;
	case RELAY_POLLING:
		if (r->scan_done && pump_is_idle(r) &&
			(r->queue == NULL || queue_taken(r->queue) == 0) &&
			source_wal_came(r))
			move_to(r, RELAY_LEADING);
		else
			poll_balance(r);
		break;
	case RELAY_TAILING:
		leave_unpublished(r);
		break;
	}
}
