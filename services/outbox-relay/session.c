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
 * leader that stands still loses both (lock.h, slot.h). Who has the lock but not
 * its webhooks' endpoints, which a relay of another slot serves, gives it up and
 * tries again: nothing is read meanwhile, so nothing is lost.
 * What is in flight outlives a lost connection, and waits meanwhile: when the
 * claim of relay_progress shows that nobody led, on this history of this system,
 * the stream goes on behind the last commit that was read; else, and as soon as
 * another has the lock, everything is dropped, to be read again. So it is when
 * the connection was lost while rows were put aside: those may be durable.
 *
 * The position is forgotten (NULL) and written before a slot is made, and set
 * when the re-scan behind it is delivered: a crash in between scans again. So
 * it is with a slot that is further than we told it (progress.h). The stream
 * begins when the re-scan is read, and passes over what that has read: so no row
 * of it that waits holds up what comes after. A slot that is free is never
 * dropped, whoever made it: it may have rows that are in no table any more.
 */
#include "base/log.h"
#include "lock.h"
#include "relay.h"
#include "slot.h"

#define STANDBY_MS 500
#define KEEP_MS 4000

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
	r->published_again = false;
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

bool
session_may_send(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;

	if (!session_is_leader(r))
		return false;
	if (lock_prove(r, &err) == CH_OK)
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

const struct queue_part *
session_part(const struct relay *r)
{
	return r->shards != NULL ? shards_part(r->shards) : &queue_whole;
}

/* Nothing may be sent before what is put aside is known: left says so, also
 * to the next claim, which finds the row ours. */
static int
begin_anew(struct relay *r, struct ch_err *err)
{
	int rc;

	pump_drop(r);
	r->left = true;
	rc = park_load(r->park, r->pg, session_part(r), err);
	if (rc == CH_OK)
		r->left = false;
	return rc;
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
	if (rc == CH_OK && (!ours || r->left || r->unsure))
		rc = begin_anew(r, err);
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
	r->left = true;
}

static void
stand_by(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;
	bool taken;

	if (lock_take(r, &taken, &err) != CH_OK) {
		session_lose(r, &err);
		return;
	}
	r->other_leads = !taken;
	if (!taken) {
		leave_to_other(r);
		if (lock_end_holder(r, &err) != CH_OK)
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
	r->scan_done = r->rounds = false;
	position_scan(&r->position);
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

void
session_settle_position(struct relay *r)
{
	position_settle(&r->position,
		r->reread == NULL ? scan_until(r->scan) : NULL);
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
	bool undelivered;
	uint64_t lsn;
	int rc;

	session_settle_position(r);
	undelivered = position_state(&r->position) != POSITION_KNOWN;
	lsn = position_stream_from(&r->position);
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

static int
miss_rows(struct relay *r, const struct ch_err *why, struct ch_err *err)
{
	ch_error("relay.not_published", CH_ERR(why),
		CH_S("then", "re-scan of the table, once it is published"));
	return slot_forget(r, err);
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

int
session_published_again(struct relay *r, const struct ch_err *why,
	struct ch_err *err)
{
	int rc = r->unpublished[0] == '\0' ? miss_rows(r, why, err) : CH_OK;

	if (rc == CH_OK)
		session_restart(r, why);
	return rc;
}

static int
forget_missed(struct relay *r, const struct ch_err *why, struct ch_err *err)
{
	return position_state(&r->position) != POSITION_NONE
		? miss_rows(r, why, err)
		: CH_OK;
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
	if (rc == CH_ECONFIG && position_state(&r->position) != POSITION_NONE) {
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
	int published = source_check_table(r, &missed, &why), rc = CH_OK;

	if (published == CH_OK)
		rc = source_check_past(r, &missed, &why, err);
	if (rc == CH_OK && missed)
		rc = forget_missed(r, &why, err);
	if (rc == CH_OK && published == CH_OK)
		rc = publication_keep(&r->how, r->pg, err);
	if (rc == CH_OK && published == CH_OK)
		return check_columns(r, err);
	if (rc == CH_OK)
		*err = why;
	return rc == CH_OK ? published : rc;
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
	position_drop(&r->position);
	begin_scan(r);
	r->scan_done = !whole; /* what was there before is not ours to send */
	if (!whole)
		horizon_clear(&r->horizon);
	r->trouble[0] = '\0';
	if (ch_sm_state(&r->state) != RELAY_SCANNING)
		move_to(r, RELAY_SCANNING);
	return CH_OK;
}

static int
use_slot(struct relay *r, struct ch_err *err)
{
	char *before = NULL;
	bool scan;
	int rc = slot_use(r, &scan, &before, err);

	if (rc != CH_OK)
		return rc;
	return scan ? begin_scanning(r, before, err) : begin_tailing(r, err);
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
	return use_slot(r, err);
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
	position_scanned(&r->position);
	/* a look at the slot keeps the SQL session alive */
	if (progress_settle(&r->progress, r->pg, &err) != CH_OK) {
		session_lose(r, &err);
		return;
	}
	/* it may have been made anew while the tables were read */
	if (use_slot(r, &err) != CH_OK)
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
