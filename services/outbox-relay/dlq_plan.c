/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq_plan: plan, approve, run, stop, cancel, plans.
 *
 * All but run need PostgreSQL alone.
 */
#include <inttypes.h>
#include <stdio.h>

#include "dlq_private.h"
#include "letter_json.h"
#include "plan_run.h"
#include "plans.h"

#define SAMPLE 5
#define PLANS_SHOWN 20

static int
say(int rc, const struct ch_err *err)
{
	(void)fprintf(stderr, "dlq: %s\n", err->text);
	dlq_hint_kafka(rc);
	switch (rc) {
	case CH_EEXIST:
	case CH_ERANGE:
	case CH_ECLOSED:
	case CH_ENOTFOUND:
		return DLQ_REFUSED;
	case CH_ECONFIG:
		return CH_EXIT_CONFIG;
	default:
		return DLQ_FAILED;
	}
}

/* ---- what a plan would do ---- */

static void
print_place(struct dlq *d, const struct plans_target *t)
{
	struct destination is = destination_of(&d->look, d->pg, t->topic,
		t->by_key ? -1 : t->part);

	d->lacking += is.lacks;
	if (t->by_key)
		printf(" (by the key)");
	else
		printf("[%" PRId64 "]", t->part);
	if (is.words[0] != '\0')
		printf(" (%s)", is.words);
}

static int
print_target(struct dlq *d, bool discards, const PGresult *res, int i,
	struct ch_err *err)
{
	struct plans_target t;

	if (plans_target(res, i, &t, err) != CH_OK)
		return CH_EPROTO;
	printf("%8" PRId64 " letters  %6" PRId64 " keys  %10" PRId64
	       " B  oldest",
		t.letters, t.keys, t.bytes);
	dlq_print_age(d->now.us - t.oldest.us);
	printf(discards ? "  of " : "  to ");
	dlq_print_safe(t.topic, 249);
	if (!discards)
		print_place(d, &t);
	printf("\n");
	return CH_OK;
}

static int
print_targets(struct dlq *d, int64_t plan, bool discards, struct ch_err *err)
{
	PGresult *res;
	int rc = plans_targets(d->pg, plan, &res, err), i;

	if (rc != CH_OK)
		return rc;
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++)
		rc = print_target(d, discards, res, i, err);
	PQclear(res);
	return rc;
}

static int
print_sample(const struct dlq *d, int64_t plan, struct ch_err *err)
{
	struct ch_uuid ids[SAMPLE];
	struct letters_filter f = {.ids = ids, .limit = SAMPLE, .value_max = 1};
	struct letters_row row;
	PGresult *res;
	int count, rc, i;

	rc = plans_sample(d->pg, plan, ids, SAMPLE, &count, err);
	if (rc != CH_OK || count == 0)
		return rc;
	f.id_count = (size_t)count;
	rc = letters_find(d->pg, &f, &res, err);
	if (rc != CH_OK)
		return rc;
	printf("the first of them:\n");
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		rc = letters_row(res, i, &row, err);
		if (rc == CH_OK)
			dlq_print_line(d, &row);
	}
	PQclear(res);
	return rc;
}

static int
is_discarding(const struct dlq *d, int64_t plan, bool *out, struct ch_err *err)
{
	struct plans_row row;
	PGresult *res;
	int rc = plans_find(d->pg, plan, 1, &res, err);

	if (rc != CH_OK)
		return rc;
	rc = plans_row(res, 0, &row, err);
	*out = rc == CH_OK && row.discards;
	PQclear(res);
	return rc;
}

static void
say_targets(const struct dlq *d)
{
	dlq_report_unlooked(d);
	if (d->lacking > 0)
		(void)fprintf(stderr,
			"dlq: %" PRId64 " of these targets cannot take what "
			"is planned\n",
			d->lacking);
}

/* Counts per target, a sample, and what the plan would pass. */
static int
print_outlook(struct dlq *d, int64_t plan, struct ch_err *err)
{
	int64_t overtaken = 0;
	bool discards = false;
	int rc = is_discarding(d, plan, &discards, err);

	if (rc == CH_OK && discards)
		printf("to be discarded, never to be sent:\n");
	if (rc == CH_OK)
		rc = print_targets(d, plan, discards, err);
	if (rc == CH_OK)
		rc = print_sample(d, plan, err);
	if (rc == CH_OK && !discards)
		say_targets(d);
	if (rc == CH_OK && !discards)
		rc = plans_overtaken(d->pg, plan, &overtaken, err);
	if (rc == CH_OK && overtaken > 0)
		(void)fprintf(stderr,
			"dlq: %" PRId64 " older open letters of these keys are "
			"not in the plan and would be overtaken: decide them "
			"first, or plan them too\n",
			overtaken);
	return rc;
}

/* ---- plan ---- */

/* Inside of a transaction. */
static int
make(struct dlq *d, const char *selection, int64_t *plan, int64_t *letters,
	struct ch_err *err)
{
	struct plans_wish wish = {.selection = selection,
		.reason = d->reason != NULL ? d->reason : "dry run",
		.actor = d->actor,
		.two_person = d->two_person,
		.per_second = d->per_second,
		.bytes_per_second = d->bytes_per_second,
		.canary = d->canary,
		.canary_returns = d->canary_returns,
		.replays_max = (int32_t)d->replays_max,
		.discards = d->discard,
		.dry_run = d->dry_run};
	int rc = plans_make(d->pg, &wish, &d->filter, plan, letters, err);

	if (rc != CH_OK)
		return rc;
	return print_outlook(d, *plan, err);
}

/* A dry run does not promise what cannot happen. */
static int
promised(const struct dlq *d)
{
	return d->dry_run && d->lacking > 0 ? DLQ_REFUSED : DLQ_DONE;
}

int
dlq_plan(struct dlq *d)
{
	struct plans_sending sending = {.to = d->to, .again = d->again};
	struct ch_buf selection = CH_BUF_INIT;
	struct ch_err err = CH_ERR_INIT;
	int64_t plan = 0, letters = 0;
	int rc = ch_pg_begin(d->pg, &err);

	plans_selection(&d->filter, d->where_text, &sending, &selection);
	if (rc == CH_OK)
		rc = make(d, ch_buf_str(&selection), &plan, &letters, &err);
	rc = plans_settle(d->pg, rc, d->dry_run, &err);
	ch_buf_free(&selection);
	if (rc != CH_OK)
		return say(rc, &err);
	if (d->dry_run)
		printf("would be planned; nothing was stored\n");
	else
		printf("plan %" PRId64 " is planned: dlq approve %" PRId64
		       " --reason ..., then dlq run %" PRId64 "\n",
			plan, plan, plan);
	rc = dlq_report_missing(d, letters);
	return rc == DLQ_DONE ? promised(d) : rc;
}

/* ---- approve, stop, cancel ---- */

/* The turn within a transaction that a dry run takes back. */
static int
end_turn(struct dlq *d, int rc, struct ch_err *err, const char *became)
{
	rc = plans_settle(d->pg, rc, d->dry_run, err);
	if (rc != CH_OK)
		return say(rc, err);
	printf("plan %" PRId64 " %s %s\n", d->plan,
		d->dry_run ? "would be" : "is", became);
	return promised(d);
}

int
dlq_approve(struct dlq *d)
{
	struct ch_err err = CH_ERR_INIT;
	int rc = ch_pg_begin(d->pg, &err);

	if (rc == CH_OK)
		rc = plans_approve(d->pg, d->plan, d->actor,
			d->reason != NULL ? d->reason : "dry run",
			d->two_person, &err);
	if (rc == CH_OK)
		rc = print_outlook(d, d->plan, &err);
	return end_turn(d, rc, &err, "approved");
}

int
dlq_stop(struct dlq *d)
{
	bool cancels = ch_view_eq_str(ch_view_of(d->verb), "cancel");
	const char *reason = d->reason != NULL ? d->reason : "dry run";
	struct ch_err err = CH_ERR_INIT;
	int rc = ch_pg_begin(d->pg, &err);

	if (rc == CH_OK)
		rc = plans_stop(d->pg, d->plan, cancels, d->actor, reason,
			&err);
	return end_turn(d, rc, &err, cancels ? "cancelled" : "stopped");
}

/* ---- plans ---- */

static void
print_limits(const struct plans_row *p)
{
	if (p->per_second > 0)
		printf("  %" PRId64 "/s", p->per_second);
	if (p->bytes_per_second > 0)
		printf("  %" PRId64 " B/s", p->bytes_per_second);
	if (p->canary > 0)
		printf("  canary %" PRId64 "%s", p->canary,
			p->canary_passed ? " passed" : "");
}

static void
print_plan(const struct dlq *d, const struct plans_row *p)
{
	printf("plan %-6" PRId64 " %-9.*s ", p->id, CH_VIEW_ARG(p->state));
	dlq_print_age(d->now.us - p->planned_at.us);
	printf("  at %" PRId64 " of %" PRId64, p->next_place - 1, p->letters);
	if (p->discards)
		printf("  discarded %" PRId64, p->discarded);
	else
		printf("  sent %" PRId64 " (%" PRId64 " came back)", p->sent,
			p->returned);
	printf("  refused %" PRId64 "  quarantined %" PRId64 "  held %" PRId64,
		p->refused, p->quarantined, p->held);
	print_limits(p);
	printf("\n            by ");
	dlq_print_safe(p->planned_by, 128);
	if (p->approved_by.len > 0) {
		printf(", approved by ");
		dlq_print_safe(p->approved_by, 128);
	}
	printf(": ");
	dlq_print_safe(p->reason, 256);
	printf("\n            ");
	dlq_print_safe(p->selection, 512);
	if (p->state_reason.len > 0) {
		printf("\n            ");
		dlq_print_safe(p->state_reason, 512);
	}
	printf("\n");
}

static void
print_plan_json(const struct plans_row *p)
{
	struct ch_buf b = CH_BUF_INIT;

	ch_buf_addc(&b, '{');
	letter_json_plan(&b, p);
	dlq_print_object(&b);
}

static void
print_planned(const struct dlq *d, const struct plans_letter *l)
{
	struct ch_buf b = CH_BUF_INIT;
	char id[CH_UUID_TEXT_MAX];

	if (d->form == DLQ_JSON) {
		ch_buf_addc(&b, '{');
		letter_json_planned(&b, l);
		dlq_print_object(&b);
		return;
	}
	ch_uuid_format(&l->id, id);
	printf("%8" PRId64 "  %s  %-11.*s  ", l->place, id,
		CH_VIEW_ARG(l->outcome));
	dlq_print_safe(l->topic, 249);
	if (l->by_key)
		printf(" (by the key)");
	else
		printf("[%" PRId64 "]", l->part);
	if (l->detail.len > 0)
		printf("  ");
	dlq_print_safe(l->detail, 512);
	printf("\n");
}

/* What became of the plan's letters. */
static int
print_letters(struct dlq *d)
{
	struct plans_look look = {.plan = d->plan,
		.limit = d->limited ? d->filter.limit : LIST_MAX,
		.outcome = d->outcome != NULL ? d->outcome : ""};
	struct ch_err err = CH_ERR_INIT;
	struct plans_letter l;
	PGresult *res;
	int rc = plans_letters(d->pg, &look, &res, &err), i;

	if (rc != CH_OK)
		return say(rc, &err);
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		rc = plans_letter(res, i, &l, &err);
		if (rc == CH_OK)
			print_planned(d, &l);
	}
	if (rc == CH_OK && PQntuples(res) == look.limit)
		(void)fprintf(stderr,
			"dlq: the first %" PRId64 "; more with --limit\n",
			look.limit);
	PQclear(res);
	return rc == CH_OK ? DLQ_DONE : say(rc, &err);
}

int
dlq_plans(struct dlq *d)
{
	struct ch_err err = CH_ERR_INIT;
	struct plans_row row;
	PGresult *res;
	int rc, i;

	if (d->planned)
		return print_letters(d);
	rc = plans_find(d->pg, d->plan,
		d->limited ? d->filter.limit : PLANS_SHOWN, &res, &err);
	if (rc != CH_OK)
		return say(rc, &err);
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		rc = plans_row(res, i, &row, &err);
		if (rc == CH_OK && d->form == DLQ_JSON)
			print_plan_json(&row);
		else if (rc == CH_OK)
			print_plan(d, &row);
	}
	PQclear(res);
	return rc == CH_OK ? DLQ_DONE : say(rc, &err);
}

/* ---- run ---- */

struct running {
	const struct dlq *d;
	struct dlq_progress progress;
};

static void
told(void *ctx, const struct letters_row *row, const struct ch_uuid *id,
	const char *outcome, const char *detail)
{
	struct running *r = ctx;
	bool sent = strcmp(outcome, "sent") == 0 ||
		strcmp(outcome, "discarded") == 0;
	char text[CH_UUID_TEXT_MAX];

	(void)row;
	ch_uuid_format(id, text);
	if (!sent || !r->d->quiet)
		(void)fprintf(sent ? stdout : stderr, "%s  %s%s%s\n", text,
			outcome, sent ? "" : ": ", sent ? "" : detail);
	dlq_progress_step(&r->progress);
}

/* Nobody else says stop here; it is asked while it waits, too. */
static bool
goes_on(void *ctx)
{
	struct running *r = ctx;

	dlq_progress_look(&r->progress);
	return true;
}

static int
begin_progress(struct running *r, struct ch_err *err)
{
	struct plans_row row;
	PGresult *res;
	int rc = plans_find(r->d->pg, r->d->plan, 1, &res, err);

	if (rc != CH_OK)
		return rc;
	rc = plans_row(res, 0, &row, err);
	if (rc == CH_OK)
		dlq_progress_begin(&r->progress, r->d, row.next_place - 1,
			row.letters);
	PQclear(res);
	return rc;
}

int
dlq_run(struct dlq *d)
{
	struct running running = {.d = d};
	struct plan_run_options opt = {.plan = d->plan,
		.actor = d->actor,
		.canary_wait_ms = d->canary_wait_ms,
		.clock = d->rt->clock,
		.told = told,
		.may_go_on = goes_on,
		.ctx = &running};
	struct ch_err err = CH_ERR_INIT;
	int rc = plans_runnable(d->pg, d->plan, d->two_person, &err), status;

	if (rc != CH_OK)
		return say(rc, &err);
	if (d->dry_run) {
		rc = print_outlook(d, d->plan, &err);
		return rc == CH_OK ? promised(d) : say(rc, &err);
	}
	rc = begin_progress(&running, &err);
	if (rc == CH_OK)
		rc = plan_run(d->rt->params, d->pg, &opt, &err);
	dlq_progress_end(&running.progress);
	status = rc == CH_OK ? DLQ_DONE : say(rc, &err);
	if (rc == CH_ENOTFOUND)
		status = DLQ_FAILED; /* the topic: the plan is there */
	if (ch_pg_is_up(d->pg))
		(void)dlq_plans(d);
	return status;
}
