/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake: bounded by the room in flight, not by Kafka: what the producer does
 * not take stays in flight, and when that reaches its limit nothing more is
 * read. A transaction is read whole, however large.
 *
 * Failure: a stream that broke is begun again (session_restart()), a session
 * that broke is lost with its lock (session_lose()).
 */
#include "intake.h"

#include "base/log.h"
#include "relay.h"

#define READ_BYTES ((size_t)1 << 20) /* of the WAL in one turn */
/* A round of the tables that found rows is followed by the next one when they
 * are delivered, or when one of them has waited for so long. */
#define ROUND_MS 1000
/* Reading makes a moment for released keys that found none for so long. */
#define RELEASE_MS 100
/* Behind: what was read last was committed so long ago. */
#define BEHIND_US 200000

/* A transaction must be read whole, however large it is and whatever waits
 * meanwhile: what is read of it comes on top. */
static bool
has_room(const struct relay *r)
{
	return inflight_whole_bytes(r->inflight) < (size_t)r->inflight_bytes &&
		(r->unreleased.ns == 0 ||
			ch_mono_ms_since(r->now, r->unreleased) < RELEASE_MS);
}

bool
intake_may_read(const struct relay *r)
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
		position_read(&r->position, tail_read_lsn(r->tail));
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

bool
intake_turn(struct relay *r)
{
	int state = ch_sm_state(&r->state);

	if (state == RELAY_POLLING && !r->draining && r->queue == NULL &&
		round_is_due(r)) {
		scan_next(r->scan);
		r->scan_done = false;
	}
	if (!intake_may_read(r) || r->read_at.ns > r->now.ns)
		return false;
	if (state == RELAY_TAILING)
		return read_stream(r);
	if (state == RELAY_POLLING && r->queue != NULL)
		return poll_read(r);
	if (state == RELAY_POLLING || state == RELAY_SCANNING)
		return read_tables(r);
	return false;
}

bool
intake_polls_now(const struct relay *r)
{
	if (r->queue == NULL)
		return !r->draining && round_is_due(r);
	return r->poll_at.ns <= r->now.ns && intake_may_read(r) &&
		queue_has_room(r->queue);
}
