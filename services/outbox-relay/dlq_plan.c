/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq_plan: plan, approve, run, stop, cancel, plans.
 *
 * All but run need PostgreSQL alone.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "dlq_private.h"
#include "plan_run.h"
#include "plans.h"

#define SAMPLE 5
#define PLANS_SHOWN 20

static int
say(int rc, const struct ch_err *err)
{
	(void)fprintf(stderr, "dlq: %s\n", err->text);
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

/* Commits, unless it is a dry run or rc says that it failed. */
static int
settle(struct dlq *d, int rc, struct ch_err *err)
{
	if (rc == CH_OK && !d->dry_run &&
		ch_pg_commit(d->pg, err) != CH_PG_COMMITTED)
		rc = CH_EIO;
	(void)ch_pg_rollback(d->pg, NULL);
	return rc;
}

/* ---- what a plan would do ---- */

static int
print_target(const struct dlq *d, const PGresult *res, int i,
	struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, i);
	struct ch_view topic = ch_pg_next_text(&r);
	bool by_key;
	int64_t part = ch_pg_next_i64_null(&r, &by_key);
	int64_t letters = ch_pg_next_i64(&r), keys = ch_pg_next_i64(&r);
	int64_t bytes = ch_pg_next_i64(&r);
	struct ch_time oldest = ch_pg_next_time(&r);

	if (!ch_pg_row_ok(&r, err))
		return CH_EPROTO;
	printf("%8" PRId64 " letters  %6" PRId64 " keys  %10" PRId64
	       " B  oldest",
		letters, keys, bytes);
	dlq_print_age(d->now.us - oldest.us);
	printf("  to ");
	dlq_print_safe(topic, 249);
	if (topic.len == 0)
		printf("(no origin: they will be held; plan them with --to)\n");
	else if (by_key)
		printf(" (by the key)\n");
	else
		printf("[%" PRId64 "]\n", part);
	return CH_OK;
}

static int
print_targets(const struct dlq *d, int64_t plan, struct ch_err *err)
{
	PGresult *res;
	int rc = plans_targets(d->pg, plan, &res, err), i;

	if (rc != CH_OK)
		return rc;
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++)
		rc = print_target(d, res, i, err);
	PQclear(res);
	return rc;
}

static int
print_sample(const struct dlq *d, int64_t plan, struct ch_err *err)
{
	struct ch_uuid ids[SAMPLE];
	struct letters_filter f = {.ids = ids, .limit = SAMPLE};
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

/* Counts per target, a sample, and what the plan would pass. */
static int
print_outlook(const struct dlq *d, int64_t plan, struct ch_err *err)
{
	int64_t overtaken = 0;
	int rc = print_targets(d, plan, err);

	if (rc == CH_OK)
		rc = print_sample(d, plan, err);
	if (rc == CH_OK)
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

static void
add_wish(struct ch_buf *b, const char *name, const char *value)
{
	if (value != NULL)
		ch_json_add_member(b, name, ch_view_of(value));
}

/* As the planner wrote it, for those who approve and who audit. */
static void
selection_of(const struct dlq *d, struct ch_buf *b)
{
	char since[CH_TIME_TEXT_MAX];

	ch_buf_addc(b, '{');
	if (d->filter.id_count > 0)
		ch_json_add_member_i64(b, "named", (int64_t)d->filter.id_count);
	add_wish(b, "where", d->where_text);
	add_wish(b, "topic", d->filter.topic);
	add_wish(b, "class", d->filter.class);
	add_wish(b, "key", d->filter.key);
	add_wish(b, "state", d->filter.state);
	add_wish(b, "to", d->to);
	if (d->filter.has_since) {
		ch_time_format(d->filter.since, since);
		ch_json_add_member(b, "since", ch_view_of(since));
	}
	ch_buf_addc(b, '}');
}

/* Inside of a transaction. */
static int
make(struct dlq *d, const char *selection, int64_t *plan, struct ch_err *err)
{
	struct plans_wish wish = {.selection = selection,
		.reason = d->reason != NULL ? d->reason : "dry run",
		.actor = d->actor,
		.two_person = d->two_person,
		.per_second = d->per_second,
		.bytes_per_second = d->bytes_per_second,
		.canary = d->canary,
		.canary_returns = d->canary_returns,
		.replays_max = (int32_t)d->replays_max};
	int64_t letters = 0;
	int rc = plans_make(d->pg, &wish, &d->filter, plan, &letters, err);

	if (rc != CH_OK)
		return rc;
	if (letters == 0)
		return ch_err_set(err, CH_ENOTFOUND, "no letter fits");
	return print_outlook(d, *plan, err);
}

int
dlq_plan(struct dlq *d)
{
	struct ch_buf selection = CH_BUF_INIT;
	struct ch_err err = CH_ERR_INIT;
	int64_t plan = 0;
	int rc = ch_pg_begin(d->pg, &err);

	selection_of(d, &selection);
	if (rc == CH_OK)
		rc = make(d, ch_buf_str(&selection), &plan, &err);
	rc = settle(d, rc, &err);
	ch_buf_free(&selection);
	if (rc != CH_OK)
		return say(rc, &err);
	if (d->dry_run)
		printf("would be planned; nothing was stored\n");
	else
		printf("plan %" PRId64 " is planned: dlq approve %" PRId64
		       " --reason ..., then dlq run %" PRId64 "\n",
			plan, plan, plan);
	return DLQ_DONE;
}

/* ---- approve, stop, cancel ---- */

/* The turn within a transaction that a dry run takes back. */
static int
end_turn(struct dlq *d, int rc, struct ch_err *err, const char *became)
{
	rc = settle(d, rc, err);
	if (rc != CH_OK)
		return say(rc, err);
	printf("plan %" PRId64 " %s %s\n", d->plan,
		d->dry_run ? "would be" : "is", became);
	return DLQ_DONE;
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
	static const char *const running[] = {"running", NULL};
	static const char *const open[] = {
		"planned", "approved", "running", "stopped", NULL};
	bool cancels = ch_view_eq_str(ch_view_of(d->verb), "cancel");
	const char *state = cancels ? "cancelled" : "stopped";
	const char *reason = d->reason != NULL ? d->reason : "dry run";
	struct ch_err err = CH_ERR_INIT;
	int rc = ch_pg_begin(d->pg, &err);

	if (rc == CH_OK)
		rc = plans_turn(d->pg, d->plan,
			&(struct plans_turn){.state = state,
				.detail = reason,
				.from = cancels ? open : running,
				.actor = d->actor,
				.action = cancels ? "dlq.cancel" : "dlq.stop",
				.reason = reason},
			&err);
	return end_turn(d, rc, &err, state);
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
	printf("  sent %" PRId64 " (%" PRId64 " came back)  refused %" PRId64
	       "  quarantined %" PRId64 "  held %" PRId64,
		p->sent, p->returned, p->refused, p->quarantined, p->held);
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
	char text[CH_TIME_TEXT_MAX];

	ch_time_format(p->planned_at, text);
	ch_buf_addc(&b, '{');
	ch_json_add_member_i64(&b, "plan", p->id);
	ch_json_add_member(&b, "state", p->state);
	ch_json_add_member(&b, "state_reason", p->state_reason);
	ch_json_add_name(&b, "selection");
	ch_buf_addv(&b, p->selection);
	ch_json_add_member(&b, "reason", p->reason);
	ch_json_add_member(&b, "planned_by", p->planned_by);
	ch_json_add_member(&b, "planned_at", ch_view_of(text));
	ch_json_add_member(&b, "two_person", p->two_person);
	ch_json_add_member(&b, "approved_by", p->approved_by);
	ch_json_add_member_i64(&b, "per_second", p->per_second);
	ch_json_add_member_i64(&b, "bytes_per_second", p->bytes_per_second);
	ch_json_add_member_i64(&b, "canary", p->canary);
	ch_json_add_member_bool(&b, "canary_passed", p->canary_passed);
	ch_json_add_member_i64(&b, "max_replays", p->replays_max);
	ch_json_add_member_i64(&b, "letters", p->letters);
	ch_json_add_member_i64(&b, "next_place", p->next_place);
	ch_json_add_member_i64(&b, "sent", p->sent);
	ch_json_add_member_i64(&b, "returned", p->returned);
	ch_json_add_member_i64(&b, "refused", p->refused);
	ch_json_add_member_i64(&b, "quarantined", p->quarantined);
	ch_json_add_member_i64(&b, "held", p->held);
	ch_buf_addc(&b, '}');
	printf("%s\n", ch_buf_str(&b));
	ch_buf_free(&b);
}

int
dlq_plans(struct dlq *d)
{
	struct ch_err err = CH_ERR_INIT;
	struct plans_row row;
	PGresult *res;
	int rc, i;

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

static int
rank(struct ch_view two_person)
{
	if (ch_view_eq_str(two_person, "role"))
		return 2;
	return ch_view_eq_str(two_person, "actor") ? 1 : 0;
}

/* The configuration may have become stricter since the approval. */
static int
check_plan(struct dlq *d, struct ch_err *err)
{
	struct plans_row row;
	PGresult *res;
	int rc = plans_find(d->pg, d->plan, 1, &res, err);

	if (rc != CH_OK)
		return rc;
	rc = plans_row(res, 0, &row, err);
	if (rc == CH_OK && row.approved_by.len == 0)
		rc = ch_err_set(err, CH_EEXIST,
			"plan %" PRId64 " is %.*s: let it be approved first "
			"(dlq approve %" PRId64 ")",
			d->plan, CH_VIEW_ARG(row.state), d->plan);
	else if (rc == CH_OK &&
		(ch_view_eq_str(row.state, "done") ||
			ch_view_eq_str(row.state, "cancelled")))
		rc = ch_err_set(err, CH_EEXIST,
			"plan %" PRId64 " is %.*s: nothing is left to run; "
			"plan again what is still open",
			d->plan, CH_VIEW_ARG(row.state));
	else if (rc == CH_OK &&
		rank(row.two_person) < rank(ch_view_of(d->two_person)))
		rc = ch_err_set(err, CH_EEXIST,
			"plan %" PRId64 " was approved under two_person = "
			"%.*s, and %s is asked for now: plan it again",
			d->plan, CH_VIEW_ARG(row.two_person), d->two_person);
	PQclear(res);
	return rc;
}

static void
told(void *ctx, const struct letters_row *row, const struct ch_uuid *id,
	const char *outcome, const char *detail)
{
	bool sent = strcmp(outcome, "sent") == 0;
	char text[CH_UUID_TEXT_MAX];

	(void)ctx;
	(void)row;
	ch_uuid_format(id, text);
	(void)fprintf(sent ? stdout : stderr, "%s  %s%s%s\n", text, outcome,
		sent ? "" : ": ", sent ? "" : detail);
}

int
dlq_run(struct dlq *d)
{
	struct plan_run_options opt = {.plan = d->plan,
		.actor = d->actor,
		.canary_wait_ms = d->canary_wait_ms,
		.clock = d->rt->clock,
		.told = told};
	struct ch_err err = CH_ERR_INIT;
	int rc = check_plan(d, &err), status;

	if (rc != CH_OK)
		return say(rc, &err);
	if (d->dry_run) {
		rc = print_outlook(d, d->plan, &err);
		return rc == CH_OK ? DLQ_DONE : say(rc, &err);
	}
	rc = plan_run(d->rt->params, d->pg, &opt, &err);
	status = rc == CH_OK ? DLQ_DONE : say(rc, &err);
	if (rc == CH_ENOTFOUND)
		status = DLQ_FAILED; /* the topic: the plan is there */
	if (ch_pg_is_up(d->pg))
		(void)dlq_plans(d);
	return status;
}
