/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks: which statement is next.
 *
 * Three kinds of work take turns, so that none of them starves: events that
 * come in, verdicts to be written, pages of what is due. Beside them, by the
 * clock: keys whose letters were decided, figures, old rows. What fails with
 * the connection is done again on the next one; each statement may be repeated.
 */
#include "hooks.h"

#include <poll.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "endpoint.h"
#include "hook_intake.h"
#include "hook_sender.h"
#include "hook_store.h"
#include "io/pg.h"

#define LOOK_MS 1000
#define FIGURES_MS 2000
#define FORGET_MS 10000
#define FORGET_ROWS 1000
#define FORGET_AGAIN_MS 100 /* after a full batch: others come between */
#define STATEMENTS_MAX 16   /* in one turn */
#define MS_NS INT64_C(1000000)

enum job {
	JOB_NONE,
	JOB_PUT,
	JOB_SETTLE,
	JOB_PAGE,
	JOB_EMPTY,
	JOB_LOOK,
	JOB_FIGURES,
	JOB_FORGET
};

struct lane_state {
	bool due;		 /* something may be */
	bool newest;		 /* the last page was of the newest */
	struct ch_mono again_at; /* and then; 0: not known */
};

struct hooks {
	struct hooks_options opt;
	struct endpoints endpoints;
	struct lane_state *lanes;
	struct hook_figures figures;
	struct hook_sender *sender; /* NULL: we do not lead */
	struct ch_pg *pg;
	char *ca_file; /* NULL: the system's */
	int64_t remember_ms;
	struct ch_pg_array names;

	struct hook_intake intake;		  /* not yet durable */
	struct hook_flight *judged, **judged_end; /* to be written */
	struct ch_pg_array empty, versions;	  /* keys without rows */

	enum job job;
	int turn_of; /* of put, settle, page */
	size_t lane; /* of the page, or the next one to be asked */
	bool draining;
	struct ch_backoff backoff;
	struct ch_rng rng;
	struct ch_mono now, connect_at, look_at, figures_at, forget_at;
	struct ch_time wall;
};

/* ---- open and close ---- */

static void
open_lanes(struct hooks *h)
{
	size_t i;

	h->lanes = ch_xcalloc(h->endpoints.count, sizeof(*h->lanes));
	for (i = 0; i < h->endpoints.count; i++)
		ch_pg_array_text(&h->names,
			ch_view_of(h->endpoints.items[i].name));
	hook_figures_open(&h->figures, h->opt.rt->metrics, &h->opt.metrics,
		&h->endpoints);
}

static int
open_postgres(struct hooks *h, const struct ch_params *p, struct ch_err *err)
{
	struct ch_pg_params sql = {
		.conninfo = ch_params_str(p, "database_url"),
		.application_name = ch_params_str(p, "client_id"),
		.search_path = ch_params_str(p, "schema"),
		.call_timeout_ms = 15000,
		.statement_timeout_ms = 10000,
		.lock_timeout_ms = 5000,
		.read_write = true,
		.on_connect = "SET synchronous_commit = on",
	};

	h->pg = ch_pg_new(&sql, err);
	return h->pg != NULL ? CH_OK : CH_ECONFIG;
}

int
hooks_open(struct hooks **out, const struct hooks_options *opt,
	struct ch_err *err)
{
	const struct ch_params *p = opt->rt->params;
	const char *path = ch_params_str(p, "webhooks");
	const char *ca = ch_params_str(p, "webhooks_ca");
	struct hooks *h;
	int rc;

	*out = NULL;
	if (path[0] == '\0')
		return CH_OK;
	h = ch_xcalloc(1, sizeof(*h));
	h->opt = *opt;
	h->judged_end = &h->judged;
	h->backoff = (struct ch_backoff){.base_ms = 100, .cap_ms = 5000};
	h->remember_ms = ch_params_ms(p, "webhooks_remember");
	h->ca_file = ca[0] != '\0' ? ch_xstrdup(ca) : NULL;
	ch_rng_seed_system(&h->rng);
	hook_intake_init(&h->intake, &h->endpoints, opt->inflight);
	ch_pg_array_init(&h->names, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&h->empty, CH_PG_BYTEA_ARRAY);
	ch_pg_array_init(&h->versions, CH_PG_INT8_ARRAY);
	rc = endpoints_read(path, &h->endpoints, err);
	if (rc == CH_OK)
		rc = open_postgres(h, p, err);
	if (rc != CH_OK) {
		hooks_close(h);
		return rc;
	}
	open_lanes(h);
	ch_info("webhook.endpoints", CH_U("count", h->endpoints.count));
	*out = h;
	return CH_OK;
}

/* An event is known by its id and content, not by its table: of two tables, one
 * would lose to the other those that both have, and both relays would send the
 * rows of both. */
int
hooks_own(struct hooks *h, struct ch_pg *session, struct ch_err *err)
{
	PGresult *res;
	int rc;

	if (h == NULL)
		return CH_OK;
	rc = hook_store_own(session, &h->names, &res, err);
	if (rc != CH_OK)
		return rc;
	if (PQntuples(res) > 0)
		rc = ch_err_set(err, CH_EEXIST,
			"webhook endpoint %s is served by another relay of "
			"schema %s: give it another name in this relay's file, "
			"or this relay a schema of its own",
			PQgetvalue(res, 0, 0),
			ch_params_str(h->opt.rt->params, "schema"));
	PQclear(res);
	return rc;
}

/* What was in hand stays due in its row. */
static void
give_up(struct hooks *h)
{
	hook_sender_close(h->sender);
	h->sender = NULL;
	h->judged = NULL;
	h->judged_end = &h->judged;
	h->job = JOB_NONE;
	hook_intake_undone(&h->intake);
	ch_pg_array_clear(&h->empty);
	ch_pg_array_clear(&h->versions);
	hook_figures_zero(&h->figures);
	if (h->pg != NULL)
		ch_pg_disconnect(h->pg);
}

void
hooks_close(struct hooks *h)
{
	if (h == NULL)
		return;
	give_up(h);
	ch_pg_free(h->pg);
	endpoints_free(&h->endpoints);
	hook_intake_free(&h->intake);
	ch_pg_array_free(&h->names);
	ch_pg_array_free(&h->empty);
	ch_pg_array_free(&h->versions);
	hook_figures_close(&h->figures);
	free(h->lanes);
	free(h->ca_file);
	free(h);
}

/* ---- events come in ---- */

void
hooks_take(struct hooks *h, struct event *e)
{
	if (h == NULL || e->hooked)
		return;
	e->hooked = true;
	if (e->source == EVENT_OUTBOX || e->source == EVENT_APPLICATION)
		hook_intake_take(&h->intake, e);
}

void
hooks_drop(struct hooks *h)
{
	/* a statement under way may still do its work: that is no harm */
	if (h != NULL)
		hook_intake_drop(&h->intake);
}

static int
send_put(struct hooks *h, struct ch_err *err)
{
	if (h->intake.count == 0)
		return 0;
	h->job = JOB_PUT;
	return hook_store_put(h->pg, hook_intake_fill(&h->intake), err);
}

static void
log_reused(const PGresult *res)
{
	struct ch_view id;
	int64_t rows = hook_store_reused(res, &id);

	if (rows > 0)
		ch_warn("webhook.id_reused", CH_I("rows", rows),
			CH_V("last", id),
			CH_S("why",
				"an event of this id was given to the endpoint "
				"before, with another key or value: sent as "
				"another event"));
}

static void
put_done(struct hooks *h, const PGresult *res)
{
	uint64_t endpoints;
	size_t i;

	CH_FAILPOINT("relay.after_webhook_put");
	log_reused(res);
	endpoints = hook_intake_done(&h->intake);
	for (i = 0; i < h->endpoints.count; i++)
		h->lanes[i].due |= endpoints >> i & 1;
}

/* ---- what came back is written ---- */

static void
log_failure(const struct hooks *h, const struct hook_flight *f)
{
	const struct endpoint *e = &h->endpoints.items[f->endpoint];
	struct ch_view id = f->delivery.webhook_id;

	if (f->verdict == HOOK_BURY)
		ch_error("webhook.parked", CH_S("endpoint", e->name),
			CH_V("id", id),
			CH_S("failure", failure_name(f->failure)),
			CH_I("status", f->status), CH_S("reason", f->reason),
			CH_I("attempts", f->delivery.attempts + 1),
			CH_B("blocks_key", e->blocks));
	else if (f->verdict == HOOK_AGAIN)
		ch_warn("webhook.refused", CH_S("endpoint", e->name),
			CH_V("id", id),
			CH_S("failure", failure_name(f->failure)),
			CH_I("status", f->status), CH_S("reason", f->reason),
			CH_I("attempts", f->delivery.attempts + 1),
			CH_I("again_ms", f->wait_ms));
}

/* What was cancelled by us writes nothing: its row stays due. */
static void
take_answers(struct hooks *h)
{
	struct hook_flight *f;

	while (h->sender != NULL &&
		(f = hook_sender_next(h->sender, h->now, h->wall)) != NULL) {
		h->lanes[f->endpoint].due = true;
		if (f->class == CH_HTTP_CANCELLED) {
			hook_sender_done(h->sender, f);
			continue;
		}
		if (f->verdict != HOOK_DONE)
			hook_figures_failed(&h->figures, f);
		log_failure(h, f);
		CH_FAILPOINT("relay.after_webhook");
		f->next = NULL;
		*h->judged_end = f;
		h->judged_end = &f->next;
	}
}

static int
send_settle(struct hooks *h, struct ch_err *err)
{
	if (h->judged == NULL)
		return 0;
	h->job = JOB_SETTLE;
	return hook_store_settle(h->pg,
		&h->endpoints.items[h->judged->endpoint], h->judged, h->wall,
		err);
}

static void
sooner(struct ch_mono *at, int64_t ns)
{
	if (at->ns == 0 || ns < at->ns)
		at->ns = ns;
}

static void
drop_judged(struct hooks *h)
{
	struct hook_flight *f = h->judged;

	h->judged = f->next;
	if (h->judged == NULL)
		h->judged_end = &h->judged;
	hook_sender_done(h->sender, f);
}

/* What has its number now is no part of this answer, and is due by itself. */
static void
log_unknown(const struct hooks *h, const struct hook_flight *f)
{
	ch_warn("webhook.other_delivery",
		CH_S("endpoint", h->endpoints.items[f->endpoint].name),
		CH_V("id", f->delivery.webhook_id),
		CH_I("delivery", f->delivery.id), CH_I("status", f->status),
		CH_S("then",
			"nothing is written; an operator has put it back "
			"meanwhile, or PostgreSQL was put back to an earlier "
			"state"));
}

static void
settle_done(struct hooks *h, const PGresult *res)
{
	struct hook_flight *f = h->judged;
	struct lane_state *l = &h->lanes[f->endpoint];
	bool known = hook_store_settled(res);

	if (known)
		hook_figures_settled(&h->figures, f);
	else
		log_unknown(h, f);
	if (known && f->verdict == HOOK_AGAIN)
		sooner(&l->again_at, h->now.ns + (f->wait_ms + 1) * MS_NS);
	l->due = true;
	drop_judged(h);
}

/* ---- what is due goes out ---- */

static bool
is_due(struct hooks *h, size_t i)
{
	struct lane_state *l = &h->lanes[i];

	if (l->again_at.ns != 0 && l->again_at.ns <= h->now.ns) {
		l->again_at.ns = 0;
		l->due = true;
	}
	return l->due && hook_sender_room(h->sender, i, h->now) > 0;
}

/* Where others than the oldest must have their turn: every second probe of a
 * target that takes nothing, for its oldest keys may all be bad. */
static bool
takes_newest(struct hooks *h, size_t i)
{
	struct lane_state *l = &h->lanes[i];

	l->newest = !l->newest &&
		hook_sender_breaker(h->sender, i) != CH_BREAKER_CLOSED;
	return l->newest;
}

static int
send_page(struct hooks *h, struct ch_err *err)
{
	struct ch_pg_array busy;
	size_t n;
	int rc;

	for (n = 0; n < h->endpoints.count && !h->draining; n++) {
		h->lane = (h->lane + 1) % h->endpoints.count;
		if (is_due(h, h->lane))
			break;
	}
	if (h->draining || n == h->endpoints.count)
		return 0;
	h->lanes[h->lane].due = false;
	h->job = JOB_PAGE;
	ch_pg_array_init(&busy, CH_PG_BYTEA_ARRAY);
	hook_sender_busy(h->sender, h->lane, &busy);
	rc = hook_store_page(h->pg, h->endpoints.items[h->lane].name, &busy,
		hook_sender_room(h->sender, h->lane, h->now),
		hook_sender_bytes(h->sender, h->lane), takes_newest(h, h->lane),
		err);
	ch_pg_array_free(&busy);
	return rc;
}

/* One key of the page: its delivery goes out, or it is noted as empty. */
static int
start_flight(struct hooks *h, const PGresult *res, int i, struct ch_err *err)
{
	struct hook_flight *f = hook_sender_take(h->sender, h->lane);
	int64_t version;
	int rc = hook_store_row(res, i, &f->arena, &f->delivery, &version, err);

	if (rc == CH_OK && f->delivery.id != 0) {
		hook_sender_send(h->sender, f, h->now, h->wall);
		return CH_OK;
	}
	if (rc == CH_OK) {
		ch_pg_array_bytea(&h->empty,
			(struct ch_view){(const char *)f->delivery.key_digest,
				CH_SHA256_LEN});
		ch_pg_array_i64(&h->versions, version);
	}
	hook_sender_done(h->sender, f);
	return rc;
}

static int
page_done(struct hooks *h, const PGresult *res, struct ch_err *err)
{
	int rc = CH_OK, i;

	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		if (hook_sender_room(h->sender, h->lane, h->now) == 0)
			break; /* the breaker opened meanwhile */
		rc = start_flight(h, res, i, err);
	}
	/* a full page may have left others that are due */
	h->lanes[h->lane].due |= i > 0 || h->lanes[h->lane].newest;
	return rc;
}

static int
send_empty(struct hooks *h, struct ch_err *err)
{
	int rc;

	h->job = JOB_EMPTY;
	rc = hook_store_empty(h->pg, h->endpoints.items[h->lane].name,
		&h->empty, &h->versions, err);
	ch_pg_array_clear(&h->empty);
	ch_pg_array_clear(&h->versions);
	return rc;
}

/* ---- by the clock ---- */

static bool
comes(struct hooks *h, struct ch_mono *at, int64_t every_ms)
{
	if (at->ns > h->now.ns)
		return false;
	at->ns = h->now.ns + every_ms * MS_NS;
	return true;
}

static int
send_by_clock(struct hooks *h, struct ch_err *err)
{
	if (comes(h, &h->look_at, LOOK_MS)) {
		h->job = JOB_LOOK;
		return hook_store_look(h->pg, &h->names, err);
	}
	if (comes(h, &h->figures_at, FIGURES_MS)) {
		h->job = JOB_FIGURES;
		return hook_store_figures(h->pg, &h->names, err);
	}
	if (comes(h, &h->forget_at, FORGET_MS)) {
		h->job = JOB_FORGET;
		return hook_store_forget(h->pg, h->remember_ms, err);
	}
	return 0;
}

static void
look_done(struct hooks *h, const PGresult *res)
{
	size_t i;
	bool due;

	for (i = 0; i < h->endpoints.count && (int)i < PQntuples(res); i++)
		if (ch_pg_get_bool(res, (int)i, 0, &due) && due)
			h->lanes[i].due = true;
}

/* ---- one statement after the other ---- */

/* Begins the next one; h->job stays NONE when there is none. */
static int
send_next(struct hooks *h, struct ch_err *err)
{
	static int (*const kinds[])(struct hooks *, struct ch_err *) = {
		send_put, send_settle, send_page};
	int rc = CH_OK, i;

	if (h->empty.count > 0)
		return send_empty(h, err);
	rc = send_by_clock(h, err);
	for (i = 0; rc == CH_OK && h->job == JOB_NONE && i < 3; i++) {
		h->turn_of = (h->turn_of + 1) % 3;
		rc = kinds[h->turn_of](h, err);
	}
	return rc;
}

static int
job_done(struct hooks *h, enum job job, const PGresult *res, struct ch_err *err)
{
	switch (job) {
	case JOB_PUT:
		put_done(h, res);
		break;
	case JOB_SETTLE:
		settle_done(h, res);
		break;
	case JOB_PAGE:
		return page_done(h, res, err);
	case JOB_LOOK:
		look_done(h, res);
		break;
	case JOB_FIGURES:
		hook_figures_read(&h->figures, res, h->wall);
		break;
	case JOB_FORGET:
		if (ch_pg_affected(res) == FORGET_ROWS)
			h->forget_at.ns = h->now.ns + FORGET_AGAIN_MS * MS_NS;
		break;
	case JOB_EMPTY:
	case JOB_NONE:
		break;
	}
	return CH_OK;
}

static int
finish_job(struct hooks *h, struct ch_err *err)
{
	enum job job = h->job;
	PGresult *res = NULL;
	int rc = ch_pg_finish(h->pg, &res, err);

	h->job = JOB_NONE;
	if (rc == CH_OK)
		rc = job_done(h, job, res, err);
	else
		hook_intake_undone(&h->intake);
	/* what PostgreSQL does not take stays due, and is sent once more */
	if (rc == CH_ESQL && job == JOB_SETTLE)
		drop_judged(h);
	PQclear(res);
	return rc;
}

static int
run_statements(struct hooks *h, struct ch_err *err)
{
	int n, rc = CH_OK;

	for (n = 0; rc == CH_OK && n < STATEMENTS_MAX; n++) {
		if (h->job != JOB_NONE) {
			rc = ch_pg_ready(h->pg, err);
			if (rc <= 0)
				return rc;
			rc = finish_job(h, err);
		} else {
			rc = send_next(h, err);
			if (h->job == JOB_NONE)
				return rc;
		}
	}
	return rc;
}

/* ---- the turn ---- */

static void
failed(struct hooks *h, const struct ch_err *err, const char *event)
{
	int64_t ms = ch_backoff_next(&h->backoff, &h->rng);

	ch_warn(event, CH_ERR(err), CH_I("again_ms", ms));
	ch_pg_disconnect(h->pg);
	h->job = JOB_NONE;
	hook_intake_undone(&h->intake);
	h->connect_at.ns = h->now.ns + ms * MS_NS;
}

static bool
is_connected(struct hooks *h)
{
	struct ch_err err = CH_ERR_INIT;

	if (ch_pg_is_up(h->pg))
		return true;
	if (h->connect_at.ns > h->now.ns)
		return false;
	if (ch_pg_connect(h->pg, &err) == CH_OK)
		return true;
	failed(h, &err, "webhook.connect");
	return false;
}

static bool
is_open(struct hooks *h)
{
	struct ch_err err = CH_ERR_INIT;
	size_t i;

	if (h->sender != NULL)
		return true;
	if (h->connect_at.ns > h->now.ns)
		return false;
	h->sender = hook_sender_open(&h->endpoints, h->ca_file, &err);
	if (h->sender == NULL) {
		failed(h, &err, "webhook.client");
		return false;
	}
	for (i = 0; i < h->endpoints.count; i++)
		h->lanes[i].due = true;
	return true;
}

void
hooks_turn(struct hooks *h, bool leads, bool draining, struct ch_mono now,
	struct ch_time wall)
{
	struct ch_err err = CH_ERR_INIT;

	if (h == NULL)
		return;
	h->now = now;
	h->wall = wall;
	h->draining = draining;
	if (!leads) {
		if (h->sender != NULL)
			give_up(h);
		return;
	}
	if (!is_open(h))
		return;
	take_answers(h);
	if (is_connected(h)) {
		if (run_statements(h, &err) < 0)
			failed(h, &err, "webhook.sql");
		else if (h->job == JOB_NONE)
			ch_backoff_reset(&h->backoff);
	}
	hook_figures_breakers(&h->figures, h->sender);
}

bool
hooks_is_idle(const struct hooks *h)
{
	return h == NULL || h->sender == NULL ||
		(h->intake.count == 0 && h->judged == NULL &&
			hook_sender_in_hand(h->sender) == 0);
}

int
hooks_sql_fd(const struct hooks *h, short *events)
{
	*events = POLLIN;
	if (h == NULL || h->job == JOB_NONE)
		return -1;
	*events = ch_pg_poll_events(h->pg);
	return ch_pg_fd(h->pg);
}

int
hooks_answer_fd(const struct hooks *h)
{
	return h != NULL && h->sender != NULL ? hook_sender_fd(h->sender) : -1;
}

static void
earlier(int64_t *ms, int64_t ns)
{
	int64_t other = ns > 0 ? ns / MS_NS + 1 : 0;

	if (*ms < 0 || other < *ms)
		*ms = other;
}

int64_t
hooks_next_ms(const struct hooks *h, struct ch_mono now)
{
	int64_t ms = -1, opens;
	size_t i;

	if (h == NULL || h->sender == NULL || h->job != JOB_NONE)
		return -1;
	if (!ch_pg_is_up(h->pg)) {
		earlier(&ms, h->connect_at.ns - now.ns);
		return ms;
	}
	if (h->intake.count > 0 || h->judged != NULL || h->empty.count > 0)
		return 0;
	earlier(&ms, h->look_at.ns - now.ns);
	earlier(&ms, h->forget_at.ns - now.ns);
	for (i = 0; i < h->endpoints.count && !h->draining; i++) {
		if (h->lanes[i].again_at.ns != 0)
			earlier(&ms, h->lanes[i].again_at.ns - now.ns);
		opens = hook_sender_opens_ms(h->sender, i, now);
		if (h->lanes[i].due && opens > 0)
			earlier(&ms, opens * MS_NS);
		else if (h->lanes[i].due &&
			hook_sender_room(h->sender, i, now) > 0)
			return 0;
	}
	return ms;
}
