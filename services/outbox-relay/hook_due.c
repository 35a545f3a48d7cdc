/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_due: a lane of each endpoint, and the page under way.
 */
#include "hook_due.h"

#include <stdlib.h>

#include "base/mem.h"
#include "hook_store.h"

#define MS_NS INT64_C(1000000)

struct hook_lane {
	bool due;		 /* something may be */
	bool newest;		 /* the last page was of the newest */
	struct ch_mono again_at; /* and then; 0: not known */
};

void
hook_due_open(struct hook_due *d, const struct endpoints *endpoints)
{
	*d = (struct hook_due){.endpoints = endpoints};
	d->lanes = ch_xcalloc(endpoints->count, sizeof(*d->lanes));
	ch_pg_array_init(&d->empty, CH_PG_BYTEA_ARRAY);
	ch_pg_array_init(&d->versions, CH_PG_INT8_ARRAY);
}

void
hook_due_turn(struct hook_due *d, struct hook_sender *sender,
	struct ch_mono now, struct ch_time wall)
{
	d->sender = sender;
	d->now = now;
	d->wall = wall;
}

void
hook_due_close(struct hook_due *d)
{
	ch_pg_array_free(&d->empty);
	ch_pg_array_free(&d->versions);
	free(d->lanes);
	d->lanes = NULL;
}

static void
clear_empty(struct hook_due *d)
{
	ch_pg_array_clear(&d->empty);
	ch_pg_array_clear(&d->versions);
}

void
hook_due_forget(struct hook_due *d)
{
	if (d->lanes == NULL)
		return;
	clear_empty(d);
	d->sender = NULL;
}

/* ---- what may be due ---- */

void
hook_due_mark(struct hook_due *d, size_t endpoint)
{
	d->lanes[endpoint].due = true;
}

void
hook_due_mark_all(struct hook_due *d)
{
	size_t i;

	for (i = 0; i < d->endpoints->count; i++)
		d->lanes[i].due = true;
}

void
hook_due_looked(struct hook_due *d, const PGresult *res)
{
	size_t i;
	bool due;

	for (i = 0; i < d->endpoints->count && (int)i < PQntuples(res); i++)
		if (ch_pg_get_bool(res, (int)i, 0, &due) && due)
			d->lanes[i].due = true;
}

void
hook_due_again(struct hook_due *d, size_t endpoint, struct ch_mono at)
{
	struct ch_mono *again_at = &d->lanes[endpoint].again_at;

	if (again_at->ns == 0 || at.ns < again_at->ns)
		*again_at = at;
}

static bool
is_due(struct hook_due *d, size_t i)
{
	struct hook_lane *l = &d->lanes[i];

	if (l->again_at.ns != 0 && l->again_at.ns <= d->now.ns) {
		l->again_at.ns = 0;
		l->due = true;
	}
	return l->due && hook_sender_room(d->sender, i, d->now) > 0;
}

bool
hook_due_choose(struct hook_due *d)
{
	size_t n;

	for (n = 0; n < d->endpoints->count; n++) {
		d->lane = (d->lane + 1) % d->endpoints->count;
		if (is_due(d, d->lane))
			return true;
	}
	return false;
}

static void
sooner(int64_t *next, int64_t ns)
{
	if (ns < 0)
		ns = 0;
	if (*next < 0 || ns < *next)
		*next = ns;
}

int64_t
hook_due_next_ns(const struct hook_due *d, struct ch_mono now)
{
	int64_t next = -1, opens;
	size_t i;

	for (i = 0; i < d->endpoints->count; i++) {
		const struct hook_lane *l = &d->lanes[i];

		if (l->again_at.ns != 0)
			sooner(&next, l->again_at.ns - now.ns);
		opens = hook_sender_opens_ms(d->sender, i, now);
		if (l->due && opens > 0)
			sooner(&next, opens * MS_NS);
		else if (l->due && hook_sender_room(d->sender, i, now) > 0)
			return 0;
	}
	return next;
}

/* ---- a page ---- */

/* Where others than the oldest must have their turn: every second probe of a
 * target that takes nothing, for its oldest keys may all be bad. */
static bool
takes_newest(struct hook_due *d)
{
	struct hook_lane *l = &d->lanes[d->lane];

	l->newest = !l->newest &&
		hook_sender_breaker(d->sender, d->lane) != CH_BREAKER_CLOSED;
	return l->newest;
}

int
hook_due_page(struct hook_due *d, struct ch_pg *pg, struct ch_err *err)
{
	struct ch_pg_array busy;
	int rc;

	d->lanes[d->lane].due = false;
	ch_pg_array_init(&busy, CH_PG_BYTEA_ARRAY);
	hook_sender_busy(d->sender, d->lane, &busy);
	rc = hook_store_page(pg, d->endpoints->items[d->lane].name, &busy,
		hook_sender_room(d->sender, d->lane, d->now),
		hook_sender_bytes(d->sender, d->lane), takes_newest(d), err);
	ch_pg_array_free(&busy);
	return rc;
}

/* One key of the page: its delivery goes out, or it is noted as empty. */
static int
start_flight(struct hook_due *d, const PGresult *res, int i, struct ch_err *err)
{
	struct hook_flight *f = hook_sender_take(d->sender, d->lane);
	int64_t version;
	int rc = hook_store_row(res, i, &f->arena, &f->delivery, &version, err);

	if (rc == CH_OK && f->delivery.id != 0) {
		hook_sender_send(d->sender, f, d->now, d->wall);
		return CH_OK;
	}
	if (rc == CH_OK) {
		ch_pg_array_bytea(&d->empty,
			(struct ch_view){(const char *)f->delivery.key_digest,
				CH_SHA256_LEN});
		ch_pg_array_i64(&d->versions, version);
	}
	hook_sender_done(d->sender, f);
	return rc;
}

int
hook_due_start(struct hook_due *d, const PGresult *res, struct ch_err *err)
{
	struct hook_lane *l = &d->lanes[d->lane];
	int rc = CH_OK, i;

	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		if (hook_sender_room(d->sender, d->lane, d->now) == 0)
			break; /* the breaker opened meanwhile */
		rc = start_flight(d, res, i, err);
	}
	/* a full page may have left others that are due */
	l->due |= i > 0 || l->newest;
	return rc;
}

bool
hook_due_has_empty(const struct hook_due *d)
{
	return d->empty.count > 0;
}

int
hook_due_take_out(struct hook_due *d, struct ch_pg *pg, struct ch_err *err)
{
	int rc = hook_store_empty(pg, d->endpoints->items[d->lane].name,
		&d->empty, &d->versions, err);

	clear_empty(d);
	return rc;
}
