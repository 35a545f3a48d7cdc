/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_plans: plans made, approved, run and stopped.
 *
 * Each change is one transaction, which a dry run takes back; the answer says
 * what the plan would send, by target, and shows the first letters of it.
 */
#include <inttypes.h>

#include "api_private.h"
#include "audit.h"
#include "letter_json.h"
#include "plan_run.h"
#include "plans.h"
#include "replay.h"

#define SAMPLE 5
#define PLANS_MAX 100
#define HISTORY_MAX 50
#define COUNT_MAX 1000000
#define BYTES_RATE_MAX INT64_C(1000000000)

/* ---- what a plan would do ---- */

/* A plan that is looked at again is not asked about: pages are, all the time. */
static void
add_there(struct api_desk *d, struct api_call *c, struct destination_look *look,
	const struct plans_target *t)
{
	struct destination is =
		destination_of(look, d->pg, t->topic, t->by_key ? -1 : t->part);

	ch_json_add_member_bool(&c->out, "lacks", is.lacks);
	ch_json_add_member(&c->out, "there", ch_view_of(is.words));
}

static int
add_targets(struct api_desk *d, struct api_call *c, int64_t plan, bool sends,
	struct ch_err *err)
{
	char oldest[CH_TIME_TEXT_MAX];
	struct destination_look look;
	struct plans_target t;
	PGresult *res;
	int rc = plans_targets(d->pg, plan, &res, err), i;

	if (rc != CH_OK)
		return rc;
	destination_look_init(&look, d->rt->params);
	ch_json_add_name(&c->out, "targets");
	ch_buf_addc(&c->out, '[');
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		rc = plans_target(res, i, &t, err);
		if (rc != CH_OK)
			break;
		ch_json_add_comma(&c->out);
		ch_buf_addc(&c->out, '{');
		ch_json_add_member(&c->out, "topic", t.topic);
		if (!t.by_key)
			ch_json_add_member_i64(&c->out, "partition", t.part);
		ch_json_add_member_i64(&c->out, "letters", t.letters);
		ch_json_add_member_i64(&c->out, "keys", t.keys);
		ch_json_add_member_i64(&c->out, "bytes", t.bytes);
		ch_time_format(t.oldest, oldest);
		ch_json_add_member(&c->out, "oldest", ch_view_of(oldest));
		if (sends && api_call_flag(c, "dry_run"))
			add_there(d, c, &look, &t);
		ch_buf_addc(&c->out, '}');
	}
	ch_buf_addc(&c->out, ']');
	api_add_unlooked(c, &look);
	destination_look_end(&look);
	PQclear(res);
	return rc;
}

static int
add_sample(struct api_desk *d, struct api_call *c, int64_t plan,
	struct ch_err *err)
{
	struct ch_uuid ids[SAMPLE];
	struct letters_filter f = {.ids = ids, .limit = SAMPLE, .value_max = 1};
	PGresult *res;
	int count, rc = plans_sample(d->pg, plan, ids, SAMPLE, &count, err);

	if (rc != CH_OK)
		return rc;
	if (count == 0) { /* no ids would mean all letters */
		ch_json_add_name(&c->out, "sample");
		ch_buf_adds(&c->out, "[]");
		return CH_OK;
	}
	f.id_count = (size_t)count;
	rc = letters_find(d->pg, &f, &res, err);
	if (rc != CH_OK)
		return rc;
	rc = api_add_letters(c, "sample", res, err);
	PQclear(res);
	return rc;
}

/* What is still to be sent or discarded. Not while it runs: it is asked for each
 * second, and all open letters would be read for what it passes. */
static int
add_outlook(struct api_desk *d, struct api_call *c, int64_t plan, bool discards,
	struct ch_err *err)
{
	int64_t overtaken = 0;
	int rc = add_targets(d, c, plan, !discards, err);

	if (rc == CH_OK)
		rc = add_sample(d, c, plan, err);
	if (rc == CH_OK && !discards)
		rc = plans_overtaken(d->pg, plan, &overtaken, err);
	ch_json_add_member_i64(&c->out, "overtaken", overtaken);
	return rc;
}

static bool
is_waiting(const struct plans_row *p)
{
	return ch_view_eq_str(p->state, "planned") ||
		ch_view_eq_str(p->state, "approved") ||
		ch_view_eq_str(p->state, "stopped") ||
		ch_view_eq_str(p->state, "interrupted");
}

static int
add_history(struct api_desk *d, struct api_call *c, int64_t plan,
	struct ch_err *err)
{
	struct ch_buf subject = CH_BUF_INIT;
	PGresult *res;
	int rc;

	if (plan < 0) { /* of a dry run: what it has written is taken back */
		ch_json_add_name(&c->out, "history");
		ch_buf_adds(&c->out, "[]");
		return CH_OK;
	}
	ch_buf_printf(&subject, "plan %" PRId64, plan);
	rc = audit_find(d->pg, ch_buf_str(&subject), 0, HISTORY_MAX, &res, err);
	ch_buf_free(&subject);
	if (rc != CH_OK)
		return rc;
	rc = api_add_texts(c, "history", res, 1, err);
	PQclear(res);
	return rc;
}

static int
add_plan(struct api_desk *d, struct api_call *c, int64_t plan,
	struct ch_err *err)
{
	char said[CH_ERR_TEXT_MAX];
	struct plans_row row;
	bool waiting = false, discards = false;
	PGresult *res;
	int rc = plans_find(d->pg, plan, 1, &res, err);

	if (rc != CH_OK)
		return rc;
	rc = plans_row(res, 0, &row, err);
	ch_buf_addc(&c->out, '{');
	if (rc == CH_OK) {
		waiting = is_waiting(&row);
		discards = row.discards;
		letter_json_plan(&c->out, &row);
	}
	PQclear(res);
	if (rc == CH_OK && waiting)
		rc = add_outlook(d, c, plan, discards, err);
	else
		ch_buf_adds(&c->out,
			",\"targets\":[],\"sample\":[],\"overtaken\":0");
	if (rc == CH_OK)
		rc = add_history(d, c, plan, err);
	ch_json_add_member_bool(&c->out, "runs_here",
		api_run_plan(d->run, plan, said) == plan);
	ch_json_add_member(&c->out, "last_run", ch_view_of(said));
	ch_json_add_member_bool(&c->out, "dry_run",
		api_call_flag(c, "dry_run"));
	ch_buf_addc(&c->out, '}');
	return rc;
}

static int
plan_of(const struct api_call *c, int64_t *plan, struct ch_err *err)
{
	if (ch_view_int(ch_view_of(c->name), 1, INT64_MAX, plan) == CH_OK)
		return CH_OK;
	return ch_err_set(err, CH_EINVAL, "\"%.32s\" is no plan's number",
		c->name);
}

static int
get_plan(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	int64_t plan;
	int rc = plan_of(c, &plan, err);

	return rc == CH_OK ? add_plan(d, c, plan, err) : rc;
}

static int
get_plans(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	struct plans_row row;
	int64_t limit = 0;
	PGresult *res;
	int rc = api_call_limit(c, PLANS_MAX, &limit, err), i;

	if (rc == CH_OK)
		rc = plans_find(d->pg, 0, limit, &res, err);
	if (rc != CH_OK)
		return rc;
	ch_buf_adds(&c->out, "{\"plans\":[");
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		rc = plans_row(res, i, &row, err);
		if (rc != CH_OK)
			break;
		ch_json_add_comma(&c->out);
		ch_buf_addc(&c->out, '{');
		letter_json_plan(&c->out, &row);
		ch_buf_addc(&c->out, '}');
	}
	ch_buf_adds(&c->out, "]}");
	PQclear(res);
	return rc;
}

static int
add_planned(struct api_call *c, const PGresult *res, int64_t limit,
	struct ch_err *err)
{
	struct plans_letter l = {.place = 0};
	int rc = CH_OK, i;

	ch_buf_adds(&c->out, "{\"letters\":[");
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		rc = plans_letter(res, i, &l, err);
		if (rc != CH_OK)
			break;
		ch_json_add_comma(&c->out);
		ch_buf_addc(&c->out, '{');
		letter_json_planned(&c->out, &l);
		ch_buf_addc(&c->out, '}');
	}
	ch_buf_addc(&c->out, ']');
	if (PQntuples(res) == limit) {
		ch_json_add_name(&c->out, "next");
		ch_buf_printf(&c->out, "\"%" PRId64 "\"", l.place);
	}
	ch_buf_addc(&c->out, '}');
	return rc;
}

static int
get_planned(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	const char *cursor = c->arguments[API_CURSOR];
	struct plans_look look = {.outcome = c->arguments[API_OUTCOME]};
	PGresult *res;
	int rc = plan_of(c, &look.plan, err);

	if (rc == CH_OK && cursor != NULL &&
		ch_view_int(ch_view_of(cursor), 1, INT64_MAX, &look.after) !=
			CH_OK)
		rc = ch_err_set(err, CH_EINVAL,
			"cursor is \"%.40s\", expected what `next` said",
			cursor);
	if (look.outcome == NULL)
		look.outcome = "";
	else if (rc == CH_OK && !plans_is_outcome(look.outcome))
		rc = ch_err_set(err, CH_EINVAL,
			"outcome is \"%.40s\", expected " PLANS_OUTCOMES,
			look.outcome);
	if (rc == CH_OK)
		rc = api_call_limit(c, API_LETTERS_MAX, &look.limit, err);
	if (rc == CH_OK)
		rc = plans_letters(d->pg, &look, &res, err);
	if (rc != CH_OK)
		return rc;
	rc = add_planned(c, res, look.limit, err);
	PQclear(res);
	return rc;
}

/* ---- making one ---- */

/* A request may ask for more people than the configuration, never for less. */
static const char *
people_of(const struct api_desk *d, const struct api_call *c)
{
	return strcmp(d->two_person, "off") == 0 &&
			api_call_flag(c, "two_person")
		? "actor"
		: d->two_person;
}

static int
read_wish(struct api_call *c, struct plans_wish *w, struct ch_err *err)
{
	int64_t replays_max = REPLAY_TIMES_MAX;
	int rc = api_call_reason(c, &w->reason, err);

	if (rc == CH_OK)
		rc = api_call_number(c, "per_second", 1, COUNT_MAX,
			&w->per_second, err);
	if (rc == CH_OK)
		rc = api_call_number(c, "bytes_per_second", 1, BYTES_RATE_MAX,
			&w->bytes_per_second, err);
	if (rc == CH_OK)
		rc = api_call_number(c, "canary", 0, COUNT_MAX, &w->canary,
			err);
	if (rc == CH_OK)
		rc = api_call_number(c, "canary_returns", 0, COUNT_MAX,
			&w->canary_returns, err);
	if (rc == CH_OK)
		rc = api_call_number(c, "max_replays", 1, 1000, &replays_max,
			err);
	w->replays_max = (int32_t)replays_max;
	return rc;
}

/* What is done with the letters, and how they are sent. */
static int
read_kind(struct api_call *c, struct plans_wish *w, struct plans_sending *s,
	struct ch_err *err)
{
	const char *kind = api_call_text(c, "kind");
	int rc = api_call_to(c, &s->to, err);

	if (rc != CH_OK)
		return rc;
	s->again = api_call_flag(c, "again");
	w->discards = kind != NULL && strcmp(kind, "discard") == 0;
	if (kind != NULL && !w->discards && strcmp(kind, "replay") != 0)
		return ch_err_set(err, CH_EINVAL,
			"body: \"kind\" is \"%.32s\", expected replay or "
			"discard",
			kind);
	if (w->discards && (s->to != NULL || s->again || w->canary > 0))
		return ch_err_set(err, CH_EINVAL,
			"body: what is discarded is not sent: no \"to\", "
			"\"again\" or \"canary\"");
	return CH_OK;
}

static int
make(struct api_desk *d, struct api_call *c, const struct api_selection *s,
	struct ch_err *err)
{
	struct plans_wish wish = {.actor = c->actor,
		.two_person = people_of(d, c),
		.dry_run = api_call_flag(c, "dry_run")};
	struct ch_buf selection = CH_BUF_INIT;
	int64_t plan = 0, letters = 0;
	struct plans_sending sending = {.to = NULL};
	int rc = read_wish(c, &wish, err);

	if (rc == CH_OK)
		rc = read_kind(c, &wish, &sending, err);
	if (rc == CH_OK)
		rc = ch_pg_begin(d->pg, err);
	if (rc != CH_OK)
		return rc;
	plans_selection(&s->f, s->text, &sending, &selection);
	wish.selection = ch_buf_str(&selection);
	rc = plans_make(d->pg, &wish, &s->f, &plan, &letters, err);
	if (rc == CH_OK)
		rc = add_plan(d, c, plan, err);
	ch_buf_free(&selection);
	return plans_settle(d->pg, rc, api_call_flag(c, "dry_run"), err);
}

static int
post_plan(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	struct api_selection s;
	int rc = api_call_select(c, API_PLAN_MAX, &s, err);

	if (rc == CH_OK && s.f.id_count == 0 && s.text == NULL)
		rc = ch_err_set(err, CH_EINVAL,
			"body: expected \"ids\" or \"where\": say which "
			"letters are meant");
	if (rc == CH_OK)
		rc = make(d, c, &s, err);
	if (rc == CH_OK && !api_call_flag(c, "dry_run"))
		c->status = 201;
	api_selection_free(&s);
	return rc;
}

/* ---- approve, stop, cancel, run ---- */

enum turn { TURN_APPROVE, TURN_STOP, TURN_CANCEL };

static int
turn_plan(struct api_desk *d, struct api_call *c, enum turn turn,
	struct ch_err *err)
{
	const char *reason;
	int64_t plan = 0;
	int rc = plan_of(c, &plan, err);

	if (rc == CH_OK)
		rc = api_call_reason(c, &reason, err);
	if (rc == CH_OK)
		rc = ch_pg_begin(d->pg, err);
	if (rc != CH_OK)
		return rc;
	if (turn == TURN_APPROVE)
		rc = plans_approve(d->pg, plan, c->actor, reason,
			people_of(d, c), err);
	else
		rc = plans_stop(d->pg, plan, turn == TURN_CANCEL, c->actor,
			reason, err);
	if (rc == CH_OK)
		rc = add_plan(d, c, plan, err);
	return plans_settle(d->pg, rc, api_call_flag(c, "dry_run"), err);
}

static int
post_approve(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	return turn_plan(d, c, TURN_APPROVE, err);
}

static int
post_stop(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	return turn_plan(d, c, TURN_STOP, err);
}

static int
post_cancel(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	return turn_plan(d, c, TURN_CANCEL, err);
}

static int
post_run(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	int64_t plan = 0, wait_ms = PLAN_RUN_CANARY_WAIT_MS;
	int rc = plan_of(c, &plan, err);

	if (rc == CH_OK)
		rc = api_call_number(c, "canary_wait_ms", 0, 3600000, &wait_ms,
			err);
	if (rc == CH_OK)
		rc = plans_runnable(d->pg, plan, d->two_person, err);
	if (rc == CH_OK && !api_call_flag(c, "dry_run")) {
		rc = api_run_start(d->run, plan, c->actor, wait_ms, err);
		c->status = 202;
	}
	return rc == CH_OK ? add_plan(d, c, plan, err) : rc;
}

static const struct api_member plan_members[] = {{"ids", CH_JSON_ARRAY},
	{"where", CH_JSON_STRING}, {"state", CH_JSON_STRING},
	{"reason", CH_JSON_STRING}, {"dry_run", CH_JSON_TRUE},
	{"per_second", CH_JSON_NUMBER}, {"bytes_per_second", CH_JSON_NUMBER},
	{"canary", CH_JSON_NUMBER}, {"canary_returns", CH_JSON_NUMBER},
	{"max_replays", CH_JSON_NUMBER}, {"two_person", CH_JSON_TRUE},
	{"to", CH_JSON_STRING}, {"kind", CH_JSON_STRING},
	{"again", CH_JSON_TRUE}, {NULL, CH_JSON_NULL}};
static const struct api_member approve_members[] = {{"reason", CH_JSON_STRING},
	{"dry_run", CH_JSON_TRUE}, {"two_person", CH_JSON_TRUE},
	{NULL, CH_JSON_NULL}};
static const struct api_member stop_members[] = {{"reason", CH_JSON_STRING},
	{"dry_run", CH_JSON_TRUE}, {NULL, CH_JSON_NULL}};
static const struct api_member run_members[] = {{"dry_run", CH_JSON_TRUE},
	{"canary_wait_ms", CH_JSON_NUMBER}, {NULL, CH_JSON_NULL}};

const struct api_endpoint api_plan_endpoints[] = {
	{CH_HTTP_GET, "plans", get_plans, NULL, false},
	{CH_HTTP_GET, "plans/*", get_plan, NULL, false},
	{CH_HTTP_GET, "plans/*/letters", get_planned, NULL, false},
	{CH_HTTP_POST, "plans", post_plan, plan_members, false},
	{CH_HTTP_POST, "plans/*/approve", post_approve, approve_members, false},
	{CH_HTTP_POST, "plans/*/run", post_run, run_members, false},
	{CH_HTTP_POST, "plans/*/stop", post_stop, stop_members, false},
	{CH_HTTP_POST, "plans/*/cancel", post_cancel, stop_members, false},
	{CH_HTTP_GET, NULL, NULL, NULL, false},
};
