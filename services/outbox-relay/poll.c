/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poll: an application's table as the source, turn by turn: a page, what is
 * delivered deleted, and the relay's share of it.
 *
 * A shard changes hands only with nothing of it in flight: who has too many
 * reads no more of some until all of them is delivered and deleted, then lets
 * them go. Of a shard with a row that waits that may take for ever: when it comes
 * no further it is read again, and another one is tried. What a dead relay had
 * in flight is still in the table, and comes again from whoever takes its shard.
 *
 * A DELETE that PostgreSQL refuses is tried again each second; its rows stay
 * taken meanwhile and are not sent again, and the relay is not ready.
 */
#include <string.h>

#include "base/log.h"
#include "relay.h"

#define DELETE_AGAIN_MS 1000
/* A read that found nothing passed over what others have taken, which may be
 * much: it is not repeated before so many times as long as it took. */
#define REST 4
/* Shards to be given are not read as long as their rows become fewer, and
 * so long after; then they are, before others are tried. */
#define LEAVE_MS 2000
#define STAY_MS 5000

void
poll_open(struct relay *r, const struct ch_params *p)
{
	int32_t shards = (int32_t)ch_params_int(p, "shards");

	r->queue = queue_new(&(struct queue_options){.contract = r->contract,
		.table = r->table,
		.id = ch_params_str(p, "outbox_id"),
		.key = ch_params_str(p, "outbox_key"),
		.order_by = ch_params_str(p, "outbox_order_by"),
		.time = ch_params_str(p, "outbox_time"),
		.first_whole = r->first_whole,
		.shared = shards > 1});
	inflight_watch(r->inflight, queue_done, r->queue);
	if (shards > 1)
		r->shards = shards_new(r->slot, shards);
}

static void
rest(struct relay *r)
{
	struct ch_mono end = ch_clock_mono(r->rt->clock);
	int64_t took = REST * (end.ns - r->now.ns);
	int64_t pause = r->poll_ms * 1000000;

	r->poll_at.ns = end.ns + (took > pause ? took : pause);
}

bool
poll_read(struct relay *r)
{
	struct queue_part part =
		r->shards != NULL ? shards_read(r->shards) : queue_whole;
	uint64_t before = queue_rows(r->queue);
	struct ch_err err = CH_ERR_INIT;
	int64_t rows;
	int rc;

	if (r->poll_at.ns > r->now.ns || !queue_has_room(r->queue))
		return false;
	if (part.count == 0) {
		rest(r);
		return false;
	}
	rc = progress_settle(&r->progress, r->pg, &err);
	if (rc == CH_OK)
		rc = queue_read(r->queue, r->pg, &part, r->inflight, r->wall,
			&err);
	rows = (int64_t)(queue_rows(r->queue) - before);
	ch_metric_add(r->rt->metrics, RELAY_SCANNED, rows);
	rhythm_rows(&r->rhythm, rows, false, false, r->now);
	if (rc < 0)
		session_lose(r, &err);
	if (rc == 0)
		rest(r);
	return rc > 0;
}

static void
not_deleted(struct relay *r, const struct ch_err *err)
{
	r->delete_at.ns = r->now.ns + DELETE_AGAIN_MS * 1000000LL;
	if (strcmp(r->undeleted, err->text) != 0)
		ch_error("relay.delete", CH_ERR(err),
			CH_U("rows", queue_taken(r->queue)));
	ch_view_copy(ch_view_of(err->text), r->undeleted, sizeof(r->undeleted));
}

void
poll_delete(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;
	int rc;

	if (r->queue == NULL || !session_is_leader(r) ||
		r->delete_at.ns > r->now.ns ||
		!queue_has_delivered(r->queue, r->now))
		return;
	rc = progress_settle(&r->progress, r->pg, &err);
	if (rc == CH_OK)
		rc = queue_delete(r->queue, r->pg, r->now, &err);
	if (rc == CH_OK)
		r->undeleted[0] = '\0';
	else if (rc == CH_ESQL && ch_pg_is_up(r->pg))
		not_deleted(r, &err);
	else
		session_lose(r, &err);
}

/* ---- the share of a table ---- */

static size_t
taken_of(void *ctx, int32_t shard)
{
	const struct relay *r = ctx;

	return queue_taken_of(r->queue, shard);
}

/* Of a key that was released nobody knows here whose shard it is; what is not
 * swept another would send again. */
static bool
may_give(const struct relay *r)
{
	return r->waiting_at.ns == 0 && !park_wants_release(r->park) &&
		park_queued(r->park) == 0 &&
		inflight_events(r->inflight) == queue_undone(r->queue);
}

static int
give_last(struct relay *r, struct ch_err *err)
{
	struct queue_part last = *session_part(r);
	int rc = pump_sweep(r, err);

	if (rc != CH_OK || !park_is_swept(r->park))
		return rc;
	last.shards += last.count - 1;
	last.count = 1;
	rc = park_leave(r->park, r->pg, &last, err);
	return rc == CH_OK ? shards_give(r->shards, r->pg, err) : rc;
}

static int
give(struct relay *r, struct ch_err *err)
{
	size_t undone;
	int rc = progress_settle(&r->progress, r->pg, err);

	while (rc == CH_OK && may_give(r) &&
		shards_find_left(r->shards, taken_of, r))
		rc = give_last(r, err);
	undone = shards_undone(r->shards, taken_of, r);
	if (undone < r->leaving_rows)
		r->leaving_at = r->now;
	r->leaving_rows = undone;
	if (ch_mono_ms_since(r->now, r->leaving_at) < LEAVE_MS)
		return rc;
	shards_stay(r->shards);
	r->leaving_at = (struct ch_mono){r->now.ns + STAY_MS * 1000000LL};
	return rc;
}

static void
leave(struct relay *r, size_t surplus)
{
	if (surplus == 0 || shards_leaving(r->shards) > 0 ||
		r->leaving_at.ns > r->now.ns)
		return;
	shards_leave(r->shards, surplus, taken_of, r);
	r->leaving_rows = shards_undone(r->shards, taken_of, r);
	r->leaving_at = r->now;
}

static int
take(struct relay *r, struct ch_err *err)
{
	struct queue_part new;
	size_t taken, surplus;
	int rc = shards_balance(r->shards, r->pg, &taken, &surplus, err);

	r->balanced_at = r->now;
	if (surplus < shards_leaving(r->shards))
		shards_stay(r->shards);
	if (rc == CH_OK)
		leave(r, surplus);
	if (rc != CH_OK || taken == 0)
		return rc;
	new = *session_part(r);
	new.shards += new.count - taken;
	new.count = taken;
	r->poll_at = r->now;
	return park_add(r->park, r->pg, &new, err);
}

void
poll_balance(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;
	int rc = CH_OK;

	if (r->shards == NULL)
		return;
	if (shards_leaving(r->shards) > 0)
		rc = give(r, &err);
	if (rc == CH_OK &&
		ch_mono_ms_since(r->now, r->balanced_at) >= POLL_BALANCE_MS)
		rc = take(r, &err);
	if (rc != CH_OK)
		session_lose(r, &err);
}
