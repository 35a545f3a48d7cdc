/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: one turn = session, read, pump, acknowledge, look around.
 *
 * Nothing here waits for Kafka: what the producer does not take stays in
 * flight; when that reaches its limit, reading stops, and the server is still
 * told that we live. Waits on PostgreSQL are bounded by the connection's call
 * timeout.
 */
#include "loop.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/client_conf.h"
#include "params.h"
#include "partitions.h"
#include "relay.h"
#include "watch.h"

#define READ_BYTES ((size_t)1 << 20) /* of the WAL in one turn */
#define SAVE_MS 1000
/* Without a delivery the position is written after as long again as nothing was
 * delivered, at most so long, or when the slot would keep so much WAL. */
#define IDLE_SAVE_MAX_MS 600000
#define IDLE_SAVE_BYTES ((uint64_t)32 << 20)
/* A round of the tables that found rows is followed by the next one when they
 * are delivered, or when one of them has waited for so long. */
#define ROUND_MS 1000
#define IDLE_MS 1000
#define LOOK_MS 1000
#define PUBLISH_MS 100
/* Reading makes a moment for released keys that found none for so long. */
#define RELEASE_MS 100
/* Behind: what was read last was committed so long ago. */
#define BEHIND_US 200000

/* An answer of an endpoint is waited for so long at the end; then its event is
 * sent once more after the next start. */
#define DRAIN_HOOKS_MS 5000

/* Progress may be lost; what is parked is written durably. A stopped leader must
 * not keep the leader's lock: a live one asks for the slot every few seconds. */
#define ON_CONNECT                                                             \
	"SET synchronous_commit = off; "                                       \
	"SET idle_session_timeout = '" SESSION_SILENT "'"
/* An application's rows that a policy hides are refused, not passed over. The
 * ledger's own policies show the relay all. */
#define ON_CONNECT_ALONE "SET row_security = off; " ON_CONNECT

enum {
	WATCH_TAIL,
	WATCH_PROMPT,
	WATCH_BULK,
	WATCH_TRIAL,
	WATCH_SQL,
	WATCH_HOOKS_SQL,
	WATCH_HOOKS
};

/* ---- start and stop ---- */

static bool
still_alive(void *ctx)
{
	const struct ch_runtime *rt = ctx;

	ch_runtime_alive(rt);
	return !ch_runtime_stopping(rt);
}

static int
open_postgres(struct relay *r, const struct ch_params *p, struct ch_err *err)
{
	const char *id = ch_params_str(p, "client_id");
	struct ch_pg_params sql = {
		.conninfo = ch_params_str(p, "database_url"),
		.application_name = id,
		.search_path = ch_params_str(p, "schema"),
		.call_timeout_ms = 15000,
		.lock_timeout_ms = 5000,
		.idle_in_transaction_ms = 15000,
		.read_write = true,
		.on_connect =
			r->contract == NULL ? ON_CONNECT : ON_CONNECT_ALONE,
	};
	struct tail_options tail = {
		.walsender = {.conninfo = sql.conninfo,
			.client_id = id,
			.schema = sql.search_path,
			.slot = r->slot,
			.alive = session_keep_alive,
			.ctx = r},
		.publication = r->publication,
		.contract = r->contract,
		.update = r->on_update,
	};

	r->pg = ch_pg_new(&sql, err);
	if (r->pg == NULL)
		return CH_ECONFIG;
	r->tail = tail_new(&tail, err);
	return r->tail != NULL ? CH_OK : CH_ECONFIG;
}

static int
open_sink(struct relay *r, const struct ch_params *p, struct ch_err *err)
{
	struct ch_kafka_conf *conf = ch_client_kafka_conf(p, err);
	struct sink_options opt = {
		.conf = conf,
		.client_id = ch_params_str(p, "client_id"),
		.linger_ms = (int)ch_params_ms(p, "linger"),
		.message_max_bytes = (int)ch_params_bytes(p, "message_max"),
		.queue_kbytes = (int)(ch_params_bytes(p, "inflight") / 1024),
		.topic_wait_ms = ch_params_ms(p, "topic_wait"),
		.outage_ms = ch_params_ms(p, "outage_after"),
		.denied_wait_ms = ch_params_ms(p, "denied_wait"),
		.reported = pump_reported,
		.ctx = r,
	};

	if (conf == NULL)
		return CH_ECONFIG;
	r->sink = sink_kafka_open(&opt, err);
	ch_kafka_conf_free(conf);
	return r->sink != NULL ? CH_OK : CH_ECONFIG;
}

static void
make_owner(char out[64])
{
	uint64_t n;

	ch_rng_secure(&n, sizeof(n));
	(void)snprintf(out, 64, "%016" PRIx64, n);
}

static void
free_relay(struct relay *r)
{
	api_close(r->api);
	sink_kafka_close(r->sink, 0);
	hooks_close(r->hooks);
	hook_orphans_close(&r->orphans);
	progress_free(&r->progress);
	horizon_clear(&r->horizon);
	scan_free(r->scan);
	reread_free(r->reread);
	queue_free(r->queue);
	shards_free(r->shards);
	park_free(r->park);
	inflight_free(r->inflight);
	retry_free(r->retry);
	route_free(r->routes);
	tail_free(r->tail);
	ch_pg_free(r->pg);
	ch_arena_free(&r->arena);
	free(r->series);
	contract_free(r->contract);
	publication_free(&r->how);
	free(r->slot);
	free(r->publication);
	free(r->table);
	free(r);
}

static void
read_settings(struct relay *r, const struct ch_params *p)
{
	char owner[64];

	r->slot = ch_xstrdup(ch_params_str(p, "slot"));
	r->publication = ch_xstrdup(ch_params_str(p, "publication"));
	r->table = ch_xstrdup(ch_params_str(p, "outbox_table"));
	publication_init(&r->how, r->publication, r->table, r->slot);
	r->on_update = (enum tail_update)ch_params_enum(p, "outbox_on_update");
	r->first_whole = ch_params_enum(p, "outbox_snapshot") == 0;
	r->source = (enum relay_source)ch_params_enum(p, "source");
	r->poll_ms = ch_params_ms(p, "poll_interval");
	r->inflight_bytes = ch_params_bytes(p, "inflight");
	r->ready_ms = ch_params_ms(p, "ready_delay");
	r->retained_max = ch_params_bytes(p, "retained_max");
	rhythm_init(&r->rhythm, ch_params_ms(p, "gather"),
		ch_clock_mono(r->rt->clock));
	r->idle_save_ms = SAVE_MS;
	make_owner(owner);
	progress_init(&r->progress, r->slot, owner, r->rt->clock);
}

/* An application's own table instead of the ledger's. */
static int
open_table(struct relay *r, const struct ch_params *p, struct ch_err *err)
{
	if (r->table[0] == '\0')
		return CH_OK;
	r->contract = relay_params_contract(p, err);
	if (r->contract == NULL)
		return CH_ECONFIG;
	r->reread = reread_new(&(struct reread_options){.contract = r->contract,
		.table = r->table,
		.order_by = ch_params_str(p, "outbox_order_by"),
		.alive = still_alive,
		.ctx = (void *)(uintptr_t)r->rt});
	r->no_order = ch_params_str(p, "outbox_order_by")[0] == '\0';
	if (r->no_order)
		ch_warn("relay.no_order", CH_S("table", r->table),
			CH_S("why", WATCH_NO_ORDER));
	if (r->source != RELAY_SOURCE_WAL)
		poll_open(r, p);
	return CH_OK;
}

static int
open_hooks(struct relay *r, struct ch_err *err)
{
	return hooks_open(&r->hooks,
		&(struct hooks_options){.rt = r->rt,
			.inflight = r->inflight,
			.metrics = {.pending = RELAY_HOOK_PENDING,
				.oldest = RELAY_HOOK_OLDEST,
				.delivered = RELAY_HOOK_DELIVERED,
				.failed = RELAY_HOOK_FAILED,
				.letters = RELAY_HOOK_LETTERS,
				.blocked = RELAY_HOOK_BLOCKED,
				.blocked_since = RELAY_HOOK_BLOCKED_SINCE,
				.breaker = RELAY_HOOK_BREAKER}},
		err);
}

int
relay_start(void **state, const struct ch_runtime *rt, struct ch_err *err)
{
	struct relay *r = ch_xcalloc(1, sizeof(*r));
	int rc;

	r->rt = rt;
	read_settings(r, rt->params);
	hook_orphans_open(&r->orphans, rt->metrics, RELAY_HOOK_ORPHANED);
	r->inflight = inflight_new();
	r->retry = retry_new();
	r->scan = scan_new();
	r->routes = relay_params_routes(rt->params, err);
	rc = r->routes != NULL ? open_table(r, rt->params, err) : CH_ECONFIG;
	if (rc == CH_OK)
		rc = open_postgres(r, rt->params, err);
	if (rc == CH_OK)
		rc = open_sink(r, rt->params, err);
	if (rc == CH_OK)
		rc = open_hooks(r, err);
	if (rc == CH_OK)
		rc = api_open(&r->api, rt, err);
	if (rc != CH_OK) {
		free_relay(r);
		return rc;
	}
	r->park = park_new(r->retry, r->routes, r->contract == NULL);
	r->latency = ch_metrics_get(rt->metrics, RELAY_LATENCY);
	r->kafka_open = ch_metrics_series(rt->metrics, RELAY_BREAKER, "kafka");
	r->now = r->state_since = ch_clock_mono(rt->clock);
	session_init(r);
	*state = r;
	return CH_OK;
}

/* ---- reading ---- */

/* A transaction must be read whole, however large it is and whatever waits
 * meanwhile: what is read of it comes on top. */
static bool
has_room(const struct relay *r)
{
	return inflight_whole_bytes(r->inflight) < (size_t)r->inflight_bytes &&
		(r->unreleased.ns == 0 ||
			ch_mono_ms_since(r->now, r->unreleased) < RELEASE_MS);
}

static bool
may_read(const struct relay *r)
{
	return !r->draining && has_room(r);
}

/* Once a read, however many there were: an application that marks its rows
 * would fill the log. */
static void
tell_updates(struct relay *r, uint64_t before)
{
	const struct tail_counts *now = tail_counts(r->tail);

	if (now->updates == before)
		return;
	ch_metric_add(r->rt->metrics, RELAY_UPDATES,
		(int64_t)(now->updates - before));
	if (r->on_update == TAIL_UPDATE_WARN)
		ch_warn("relay.update", CH_S("table", r->table),
			CH_U("rows", now->updates - before),
			CH_U("xid", now->updated_by));
	else
		ch_error("relay.update", CH_S("table", r->table),
			CH_U("rows", now->updates - before),
			CH_U("xid", now->updated_by));
}

static bool
is_behind(const struct relay *r)
{
	struct ch_time at;

	return inflight_newest(r->inflight, &at) &&
		r->wall.us - at.us > BEHIND_US;
}

/* What it tells of the table may have changed while rows were missed. */
static void
look_what_was_told(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;
	uint32_t xid;

	if (tail_learned(r->tail, &xid) &&
		source_learned(r, xid, &err) != CH_OK)
		session_lose(r, &err);
}

static bool
read_stream(struct relay *r)
{
	uint64_t updates = tail_counts(r->tail)->updates;
	struct ch_err err = CH_ERR_INIT;
	uint64_t before = tail_counts(r->tail)->events;
	int rc = tail_read(r->tail, r->inflight, READ_BYTES, &err);
	int64_t rows = (int64_t)(tail_counts(r->tail)->events - before);

	ch_metric_add(r->rt->metrics, RELAY_READ, rows);
	tell_updates(r, updates);
	if (rc == CH_EINVAL)
		r->fatal = err;
	if (rc < 0)
		session_restart(r, &err);
	else
		r->read_lsn = tail_read_lsn(r->tail);
	if (rc >= 0)
		look_what_was_told(r);
	r->read_at = r->now;
	rhythm_rows(&r->rhythm, rows, is_behind(r), tail_is_local(r->tail),
		r->now);
	if (rc == 0)
		r->read_at.ns += rhythm_pause(&r->rhythm).read_ns;
	return rc > 0;
}

static uint64_t
rows_of_scan(const struct relay *r)
{
	return r->reread != NULL ? reread_rows(r->reread) : scan_rows(r->scan);
}

static struct ch_mono
round_due(const struct relay *r)
{
	int64_t ms = r->poll_ms;

	if (scan_rows(r->scan) > 0 && ms > ROUND_MS)
		ms = ROUND_MS;
	return (struct ch_mono){r->now.ns + ms * 1000000};
}

/* One page of the tables. */
static bool
read_tables(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;
	uint64_t before = rows_of_scan(r);
	int64_t rows;
	int rc;

	if (r->scan_done)
		return false;
	rc = progress_settle(&r->progress, r->pg, &err);
	if (rc == CH_OK)
		rc = horizon_is_past(&r->horizon, r->pg, r->now, &err);
	if (rc == 0)
		return false;
	if (rc > 0 && r->reread != NULL)
		rc = reread_turn(r->reread, r->pg, r->inflight, r->wall, &err);
	else if (rc > 0)
		rc = scan_turn(r->scan, r->pg, r->inflight, r->wall, &err);
	rows = (int64_t)(rows_of_scan(r) - before);
	ch_metric_add(r->rt->metrics, RELAY_SCANNED, rows);
	rhythm_rows(&r->rhythm, rows, false, false, r->now);
	if (rc < 0)
		session_lose(r, &err);
	r->scan_done = rc == 0;
	if (r->scan_done)
		r->poll_at = round_due(r);
	return rc > 0;
}

/* A row that waits keeps no other from being read. */
static bool
round_is_due(const struct relay *r)
{
	return r->scan_done &&
		(r->poll_at.ns <= r->now.ns ||
			(scan_rows(r->scan) > 0 && pump_is_idle(r)));
}

static bool
read_rows(struct relay *r)
{
	int state = ch_sm_state(&r->state);

	if (state == RELAY_POLLING && !r->draining && r->queue == NULL &&
		round_is_due(r)) {
		scan_next(r->scan);
		r->scan_done = false;
	}
	if (!may_read(r) || r->read_at.ns > r->now.ns)
		return false;
	if (state == RELAY_TAILING)
		return read_stream(r);
	if (state == RELAY_POLLING && r->queue != NULL)
		return poll_read(r);
	if (state == RELAY_POLLING || state == RELAY_SCANNING)
		return read_tables(r);
	return false;
}

/* ---- acknowledging ---- */

/* The last round of the tables before which nothing waits. */
static void
take_round(struct relay *r)
{
	const char *mark = inflight_position(r->inflight)->mark;
	const char *known = r->progress.snapshot;

	if (r->queue == NULL && mark != NULL &&
		(known == NULL || strcmp(known, mark) != 0))
		progress_snapshot_set(&r->progress, mark);
}

static void
take_position(struct relay *r)
{
	uint64_t lsn = inflight_position(r->inflight)->lsn;
	int state = ch_sm_state(&r->state);

	if (state == RELAY_POLLING)
		take_round(r);
	if (state != RELAY_TAILING || !session_has_position(r))
		return;
	if (lsn > r->progress.lsn)
		r->progress.lsn = lsn;
	progress_reached(&r->progress, r->progress.lsn);
}

/* No further than what is durable (progress.h). */
static void
acknowledge(struct relay *r, bool force)
{
	struct ch_err err = CH_ERR_INIT;

	if (ch_sm_state(&r->state) == RELAY_TAILING &&
		tail_status(r->tail, r->progress.kept_lsn, r->now, r->wall,
			force, &err) != CH_OK)
		session_restart(r, &err);
}

/* How long until progress is written; negative: there is nothing to write. */
static int64_t
save_ms(const struct relay *r)
{
	int64_t ago = ch_mono_ms_since(r->now, r->saved_at), wait = SAVE_MS;

	if (!session_is_leader(r) || r->shards != NULL)
		return -1;
	if (!progress_is_due(&r->progress, r->inflight)) {
		if (ch_sm_state(&r->state) != RELAY_TAILING ||
			!progress_is_ahead(&r->progress))
			return -1;
		if (r->progress.lsn - r->progress.kept_lsn < IDLE_SAVE_BYTES)
			wait = r->idle_save_ms;
	}
	return ago < wait ? wait - ago : 0;
}

static void
next_idle_save(struct relay *r)
{
	if (progress_is_due(&r->progress, r->inflight))
		r->idle_save_ms = SAVE_MS;
	else if (r->idle_save_ms < IDLE_SAVE_MAX_MS)
		r->idle_save_ms *= 2;
}

/* The save is written while the loop goes on; at most one a second. */
static void
save_progress(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;
	int rc = CH_OK;

	if (!session_is_leader(r) || r->shards != NULL)
		return;
	if (r->progress.in_flight) {
		rc = ch_pg_ready(r->pg, &err);
		if (rc > 0)
			rc = progress_finish(&r->progress, r->pg, &err);
	} else if (save_ms(r) == 0) {
		next_idle_save(r);
		r->saved_at = r->now;
		rc = progress_send(&r->progress, r->pg, r->inflight, &err);
	}
	if (rc < 0)
		session_lose(r, &err);
}

static void
look_around(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;
	int rc;

	if (ch_mono_ms_since(r->now, r->published_at) >= PUBLISH_MS) {
		r->published_at = r->now;
		watch_publish(r);
	}
	if (!session_is_leader(r) || r->progress.in_flight ||
		ch_mono_ms_since(r->now, r->looked_at) < LOOK_MS)
		return;
	r->looked_at = r->now;
	rc = park_look(r->park, r->pg, &err);
	if (rc == CH_OK)
		rc = park_sweep(r->park, r->pg, &err);
	if (rc == CH_OK)
		rc = watch_slot(r, &err);
	if (rc == CH_OK)
		rc = source_watch_table(r, &err);
	if (rc == CH_OK)
		rc = partitions_turn(r, &err);
	if (rc != CH_OK)
		session_lose(r, &err);
}

/* ---- the turn ---- */

static void
watch_fds(struct relay *r)
{
	bool tailing = ch_sm_state(&r->state) == RELAY_TAILING;
	short events;
	int fd = hooks_sql_fd(r->hooks, &events);

	ch_runtime_watch_fd(r->rt, WATCH_HOOKS_SQL, fd, events);
	ch_runtime_watch_fd(r->rt, WATCH_HOOKS, hooks_answer_fd(r->hooks),
		POLLIN);
	ch_runtime_watch_fd(r->rt, WATCH_TAIL,
		tailing && may_read(r) && r->read_at.ns <= r->now.ns
			? tail_fd(r->tail)
			: -1,
		POLLIN);
	ch_runtime_watch_fd(r->rt, WATCH_PROMPT,
		sink_kafka_fd(r->sink, LANE_PROMPT), POLLIN);
	ch_runtime_watch_fd(r->rt, WATCH_BULK,
		sink_kafka_fd(r->sink, LANE_BULK), POLLIN);
	ch_runtime_watch_fd(r->rt, WATCH_TRIAL, sink_kafka_trial_fd(r->sink),
		POLLIN);
	/* also unasked: PostgreSQL says so when it ends the session */
	ch_runtime_watch_fd(r->rt, WATCH_SQL,
		session_is_leader(r) ? ch_pg_fd(r->pg) : -1,
		r->progress.in_flight ? ch_pg_poll_events(r->pg) : POLLIN);
}

static void
earlier(int64_t *ms, int64_t other)
{
	if (other >= 0 && other < *ms)
		*ms = other;
}

/* Nothing, when the time has come. */
static void
until_then(const struct relay *r, int64_t *ms, struct ch_mono then)
{
	if (then.ns > r->now.ns)
		earlier(ms, (then.ns - r->now.ns + 999999) / 1000000);
}

static bool
polls_now(const struct relay *r)
{
	if (r->queue == NULL)
		return !r->draining && round_is_due(r);
	return r->poll_at.ns <= r->now.ns && may_read(r) &&
		queue_has_room(r->queue);
}

static int
sleep_ms(const struct relay *r)
{
	int64_t ms = IDLE_MS;

	earlier(&ms, sink_kafka_next_ms(r->sink, r->now));
	earlier(&ms, hooks_next_ms(r->hooks, r->now));
	until_then(r, &ms, r->retry_at);
	until_then(r, &ms, r->wake_at);
	until_then(r, &ms, r->delete_at);
	until_then(r, &ms, r->horizon.look_at);
	if (r->shards != NULL)
		earlier(&ms, POLL_BALANCE_MS);
	if (ch_sm_state(&r->state) == RELAY_POLLING) {
		ms = ms < r->poll_ms ? ms : r->poll_ms;
		until_then(r, &ms, r->poll_at);
		if (polls_now(r))
			ms = 0;
	}
	if (ch_sm_state(&r->state) == RELAY_SCANNING && r->scan_done &&
		!r->draining)
		ms = 0;
	earlier(&ms, save_ms(r));
	return (int)ms;
}

/* The pauses of rhythm.h are shorter than a millisecond. */
static void
wake_in_time(const struct relay *r, struct ch_mono then)
{
	if (then.ns > r->now.ns)
		ch_runtime_wake_at(r->rt, then);
}

/* What it has made durable may let the position move. */
static void
turn_hooks(struct relay *r)
{
	if (r->hooks == NULL)
		return;
	hooks_turn(r->hooks, session_may_send(r), r->draining, r->now, r->wall);
	inflight_advance(r->inflight);
}

static bool
hooks_drained(const struct relay *r)
{
	return hooks_is_idle(r->hooks) ||
		ch_mono_ms_since(r->now, r->drain_since) >= DRAIN_HOOKS_MS;
}

int
relay_step(void *state, struct ch_err *err)
{
	struct relay *r = state;
	struct ch_err trouble = CH_ERR_INIT;
	int before;
	bool more;

	r->now = ch_clock_mono(r->rt->clock);
	r->wall = ch_clock_wall(r->rt->clock);
	before = ch_sm_state(&r->state);
	session_turn(r);
	(void)session_may_send(r);
	more = read_rows(r);
	if (pump_turn(r, &trouble) != CH_OK)
		session_lose(r, &trouble);
	turn_hooks(r);
	poll_delete(r);
	take_position(r);
	save_progress(r);
	acknowledge(r, false);
	look_around(r);
	watch_fds(r);
	if (r->fatal.code != CH_OK && pump_is_idle(r)) {
		*err = r->fatal;
		err->code = CH_ECONFIG; /* a restart would not help */
		return CH_ECONFIG;
	}
	if (more || r->more || before != ch_sm_state(&r->state))
		return 0;
	wake_in_time(r, r->read_at);
	wake_in_time(r, pump_send_at(r));
	return sleep_ms(r);
}

/* For a topic that takes nothing, or for the next attempt of a key: nobody
 * knows how long, and the rows are read again. */
static bool
only_waits(const struct relay *r)
{
	return (r->told_open || retry_held(r->retry) > 0) &&
		sink_kafka_pending(r->sink) == 0 &&
		inflight_next(r->inflight) == NULL && park_queued(r->park) == 0;
}

bool
relay_drain(void *state)
{
	struct relay *r = state;

	if (!r->draining) {
		ch_info("relay.drain",
			CH_U("events", inflight_events(r->inflight)));
		r->drain_since = r->now;
	}
	r->draining = true;
	inflight_abandon(r->inflight);
	/* without a leader's connections nothing can be acknowledged */
	if (!session_is_leader(r))
		return true;
	return (inflight_is_empty(r->inflight) || only_waits(r) ||
		       !sink_kafka_reachable(r->sink)) &&
		hooks_drained(r);
}

void
relay_stop(void *state)
{
	struct relay *r = state;
	struct ch_err err = CH_ERR_INIT;

	inflight_advance(r->inflight);
	poll_delete(r);
	take_position(r);
	if (session_is_leader(r) && r->shards == NULL &&
		progress_save(&r->progress, r->pg, r->inflight, &err) != CH_OK)
		ch_warn("relay.save", CH_ERR(&err));
	acknowledge(r, true);
	session_close(r);
	sink_kafka_drop(r->sink);
	free_relay(r);
}

bool
relay_ready(void *state, struct ch_buf *verbose)
{
	return watch_ready(state, verbose);
}
