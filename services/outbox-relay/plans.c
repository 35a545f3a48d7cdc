/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plans: SQL around replay_plans.
 */
#include "plans.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "outbox_relay_sql.h"

#define STMT(name)                                                             \
	static const struct ch_pg_stmt name##_stmt = {                         \
		"dlq_plan_" #name, outbox_relay_sql_plan_##name}
STMT(rule);
STMT(make);
STMT(approve);
STMT(turn);
STMT(find);
STMT(targets);
STMT(overtaken);
STMT(sample);
STMT(own);
STMT(next);
STMT(begin);
STMT(end);
STMT(canary);
STMT(returns);

static void
arg_limit(struct ch_pg_args *args, int64_t n)
{
	if (n > 0)
		ch_pg_arg_i64(args, n);
	else
		ch_pg_arg_null(args, CH_PG_INT8);
}

/* The statement's only column as a number. */
static int
number_of(PGresult *res, int64_t *out, struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, 0);
	int rc;

	*out = ch_pg_next_i64(&r);
	rc = ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
	PQclear(res);
	return rc;
}

static int
choose(struct ch_pg *pg, const struct letters_filter *f, int64_t plan,
	int64_t *letters, struct ch_err *err)
{
	struct letters_query q;
	PGresult *res;
	int rc;

	letters_query_init(&q, outbox_relay_sql_plan_choose, f, plan);
	rc = ch_pg_query(pg, &q.stmt, &q.args, &res, err);
	letters_query_free(&q);
	return rc == CH_OK ? number_of(res, letters, err) : rc;
}

static void
add_wish(struct ch_buf *b, const char *name, const char *value)
{
	if (value != NULL)
		ch_json_add_member(b, name, ch_view_of(value));
}

void
plans_selection(const struct letters_filter *f, const char *where,
	const struct plans_sending *s, struct ch_buf *out)
{
	char since[CH_TIME_TEXT_MAX];

	ch_buf_addc(out, '{');
	if (f->id_count > 0)
		ch_json_add_member_i64(out, "named", (int64_t)f->id_count);
	add_wish(out, "where", where);
	add_wish(out, "topic", f->topic);
	add_wish(out, "class", f->class);
	add_wish(out, "key", f->key);
	add_wish(out, "state", f->state);
	add_wish(out, "to", s->to);
	if (s->again)
		ch_json_add_member_bool(out, "again", true);
	if (f->has_since) {
		ch_time_format(f->since, since);
		ch_json_add_member(out, "since", ch_view_of(since));
	}
	ch_buf_addc(out, '}');
}

int
plans_make(struct ch_pg *pg, const struct plans_wish *w,
	const struct letters_filter *f, int64_t *plan, int64_t *letters,
	struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res;
	int rc;

	if (w->dry_run) {
		rc = ch_pg_exec(pg, "SET LOCAL countinghouse.dry_run = 'on'",
			err);
		if (rc != CH_OK)
			return rc;
	}
	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, w->selection);
	ch_pg_arg_str(&args, w->actor);
	ch_pg_arg_str(&args, w->reason);
	ch_pg_arg_str(&args, w->two_person);
	arg_limit(&args, w->per_second);
	arg_limit(&args, w->bytes_per_second);
	ch_pg_arg_i64(&args, w->canary);
	ch_pg_arg_i64(&args, w->canary_returns);
	ch_pg_arg_i32(&args, w->replays_max);
	ch_pg_arg_str(&args, w->discards ? "discard" : "replay");
	rc = ch_pg_query(pg, &make_stmt, &args, &res, err);
	if (rc == CH_OK)
		rc = number_of(res, plan, err);
	if (rc == CH_OK)
		rc = choose(pg, f, *plan, letters, err);
	if (rc == CH_OK && *letters == 0)
		rc = ch_err_set(err, CH_ENOTFOUND, "no letter fits");
	return rc;
}

int
plans_refusal(struct ch_pg *pg, int rc, struct ch_err *err)
{
	const struct ch_pg_failure *failure = ch_pg_failure(pg);
	char text[CH_ERR_TEXT_MAX];

	if (rc != CH_ESQL)
		return rc;
	if (strcmp(failure->sqlstate, "P0002") == 0)
		rc = CH_ENOTFOUND;
	else if (strcmp(failure->sqlstate, "55000") == 0 ||
		strcmp(failure->sqlstate, "42501") == 0)
		rc = CH_EEXIST;
	if (err == NULL)
		return rc;
	(void)snprintf(text, sizeof(text), "%s", err->text);
	if (failure->hint[0] != '\0')
		return ch_err_set(err, rc, "%s: %s", text, failure->hint);
	return ch_err_set(err, rc, "%s", text);
}

int
plans_approve(struct ch_pg *pg, int64_t plan, const char *actor,
	const char *reason, const char *two_person, struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, plan);
	ch_pg_arg_str(&args, actor);
	ch_pg_arg_str(&args, reason);
	ch_pg_arg_str(&args, two_person);
	return plans_refusal(pg,
		ch_pg_query(pg, &approve_stmt, &args, NULL, err), err);
}

/* *res holds the row's texts: PQclear(), however it ends. */
static int
find_one(struct ch_pg *pg, int64_t plan, PGresult **res, struct plans_row *row,
	struct ch_err *err)
{
	int rc;

	*res = NULL;
	rc = plans_find(pg, plan, 1, res, err);
	return rc == CH_OK ? plans_row(*res, 0, row, err) : rc;
}

int
plans_turn(struct ch_pg *pg, int64_t plan, const struct plans_turn *t,
	struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, plan);
	ch_pg_arg_str(&args, t->state);
	ch_pg_arg_str(&args, t->detail);
	ch_pg_arg_str(&args, t->actor);
	ch_pg_arg_str(&args, t->reason);
	return plans_refusal(pg, ch_pg_query(pg, &turn_stmt, &args, NULL, err),
		err);
}

int
plans_canary(struct ch_pg *pg, int64_t plan, const char *actor,
	struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, plan);
	ch_pg_arg_str(&args, actor);
	return plans_refusal(pg,
		ch_pg_query(pg, &canary_stmt, &args, NULL, err), err);
}

int
plans_stop(struct ch_pg *pg, int64_t plan, bool for_good, const char *actor,
	const char *reason, struct ch_err *err)
{
	return plans_turn(pg, plan,
		&(struct plans_turn){
			.state = for_good ? "cancelled" : "stopped",
			.detail = reason,
			.actor = actor,
			.reason = reason},
		err);
}

int
plans_settle(struct ch_pg *pg, int rc, bool dry_run, struct ch_err *err)
{
	if (rc == CH_OK && !dry_run && ch_pg_commit(pg, err) != CH_PG_COMMITTED)
		rc = CH_EIO;
	(void)ch_pg_rollback(pg, NULL);
	return rc;
}

static int
rank(struct ch_view two_person)
{
	if (ch_view_eq_str(two_person, "role"))
		return 2;
	return ch_view_eq_str(two_person, "actor") ? 1 : 0;
}

int
plans_rule(struct ch_pg *pg, const char **rule, struct ch_err *err)
{
	static const char *const names[] = {"off", "actor", "role"};
	struct ch_pg_args args;
	struct ch_view asked;
	PGresult *res;
	int rc;

	ch_pg_args_clear(&args);
	rc = ch_pg_query(pg, &rule_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	if (!ch_pg_get_text(res, 0, 0, &asked))
		rc = ch_err_set(err, CH_EPROTO, "plan_settings: no row");
	else if (rank(asked) > rank(ch_view_of(*rule)))
		*rule = names[rank(asked)];
	PQclear(res);
	return rc;
}

static int
check_runnable(const struct plans_row *p, const char *two_person,
	struct ch_err *err)
{
	if (p->approved_by.len == 0)
		return ch_err_set(err, CH_EEXIST,
			"plan %" PRId64 " is %.*s: let it be approved first "
			"(dlq approve %" PRId64 ")",
			p->id, CH_VIEW_ARG(p->state), p->id);
	if (ch_view_eq_str(p->state, "done") ||
		ch_view_eq_str(p->state, "cancelled"))
		return ch_err_set(err, CH_EEXIST,
			"plan %" PRId64 " is %.*s: nothing is left to run; "
			"plan again what is still open",
			p->id, CH_VIEW_ARG(p->state));
	/* it may have become stricter since the approval */
	if (rank(p->two_person) < rank(ch_view_of(two_person)))
		return ch_err_set(err, CH_EEXIST,
			"plan %" PRId64 " was approved under two_person = "
			"%.*s, and %s is asked for now: plan it again",
			p->id, CH_VIEW_ARG(p->two_person), two_person);
	return CH_OK;
}

int
plans_runnable(struct ch_pg *pg, int64_t plan, const char *two_person,
	struct ch_err *err)
{
	struct plans_row row;
	PGresult *res;
	int rc = find_one(pg, plan, &res, &row, err);

	if (rc == CH_OK)
		rc = plans_rule(pg, &two_person, err);
	if (rc == CH_OK)
		rc = check_runnable(&row, two_person, err);
	PQclear(res);
	return rc;
}

int
plans_find(struct ch_pg *pg, int64_t plan, int64_t limit, PGresult **out,
	struct ch_err *err)
{
	struct ch_pg_args args;
	int rc;

	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, plan);
	ch_pg_arg_i64(&args, limit);
	rc = ch_pg_query(pg, &find_stmt, &args, out, err);
	if (rc != CH_OK || plan == 0 || PQntuples(*out) > 0)
		return rc;
	PQclear(*out);
	*out = NULL;
	return ch_err_set(err, CH_ENOTFOUND,
		"there is no plan %" PRId64 "; see dlq plans", plan);
}

int
plans_row(const PGresult *res, int i, struct plans_row *out, struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, i);

	out->id = ch_pg_next_i64(&r);
	out->state = ch_pg_next_text(&r);
	out->state_reason = ch_pg_next_text(&r);
	out->selection = ch_pg_next_text(&r);
	out->reason = ch_pg_next_text(&r);
	out->planned_by = ch_pg_next_text(&r);
	out->planned_at = ch_pg_next_time(&r);
	out->two_person = ch_pg_next_text(&r);
	out->approved_by = ch_pg_next_text(&r);
	out->per_second = ch_pg_next_i64(&r);
	out->bytes_per_second = ch_pg_next_i64(&r);
	out->canary = ch_pg_next_i64(&r);
	out->canary_returns = ch_pg_next_i64(&r);
	out->canary_passed = ch_pg_next_bool(&r);
	out->replays_max = ch_pg_next_i32(&r);
	out->letters = ch_pg_next_i64(&r);
	out->next_place = ch_pg_next_i64(&r);
	out->sent = ch_pg_next_i64(&r);
	out->refused = ch_pg_next_i64(&r);
	out->quarantined = ch_pg_next_i64(&r);
	out->held = ch_pg_next_i64(&r);
	out->returned = ch_pg_next_i64(&r);
	out->to = ch_pg_next_text(&r);
	out->again = ch_pg_next_bool(&r);
	out->discards = ch_view_eq_str(ch_pg_next_text(&r), "discard");
	out->discarded = ch_pg_next_i64(&r);
	out->missing = ch_pg_next_i64(&r);
	return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
}

bool
plans_is_outcome(const char *text)
{
	static const char *const known[] = {"waiting", "sent", "discarded",
		"refused", "quarantined", "held", "unsent"};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(text, known[i]) == 0)
			return true;
	return false;
}

int
plans_letters(struct ch_pg *pg, const struct plans_look *look, PGresult **out,
	struct ch_err *err)
{
	/* not prepared: the index is of some outcomes only */
	static const struct ch_pg_stmt stmt = {
		"", outbox_relay_sql_plan_letters};
	struct ch_pg_args args;
	PGresult *plan;
	int rc = plans_find(pg, look->plan, 1, &plan, err);

	if (rc != CH_OK)
		return rc;
	PQclear(plan);
	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, look->plan);
	ch_pg_arg_i64(&args, look->after);
	ch_pg_arg_i64(&args, look->limit);
	ch_pg_arg_str(&args, look->outcome);
	return ch_pg_query(pg, &stmt, &args, out, err);
}

int
plans_letter(const PGresult *res, int i, struct plans_letter *out,
	struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, i);

	out->place = ch_pg_next_i64(&r);
	out->id = ch_pg_next_uuid(&r);
	out->outcome = ch_pg_next_text(&r);
	out->detail = ch_pg_next_text(&r);
	out->topic = ch_pg_next_text_null(&r);
	out->by_key = ch_pg_next_is_null(&r);
	out->part = out->by_key ? -1 : ch_pg_next_i32(&r);
	out->bytes = ch_pg_next_i64(&r);
	out->at = ch_pg_next_time_null(&r, &out->ageless);
	out->state = ch_pg_next_text(&r);
	return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
}

static int
query_plan(struct ch_pg *pg, const struct ch_pg_stmt *stmt, int64_t plan,
	PGresult **out, struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, plan);
	return ch_pg_query(pg, stmt, &args, out, err);
}

int
plans_targets(struct ch_pg *pg, int64_t plan, PGresult **out,
	struct ch_err *err)
{
	return query_plan(pg, &targets_stmt, plan, out, err);
}

int
plans_target(const PGresult *res, int i, struct plans_target *out,
	struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, i);

	out->topic = ch_pg_next_text(&r);
	out->part = ch_pg_next_i64_null(&r, &out->by_key);
	out->letters = ch_pg_next_i64(&r);
	out->keys = ch_pg_next_i64(&r);
	out->bytes = ch_pg_next_i64(&r);
	out->oldest = ch_pg_next_time(&r);
	return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
}

int
plans_overtaken(struct ch_pg *pg, int64_t plan, int64_t *out,
	struct ch_err *err)
{
	PGresult *res;
	int rc = query_plan(pg, &overtaken_stmt, plan, &res, err);

	return rc == CH_OK ? number_of(res, out, err) : rc;
}

int
plans_sample(struct ch_pg *pg, int64_t plan, struct ch_uuid *ids, int max,
	int *count, struct ch_err *err)
{
	struct ch_pg_args args;
	struct ch_pg_row r;
	PGresult *res;
	int rc, i;

	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, plan);
	ch_pg_arg_i64(&args, max);
	rc = ch_pg_query(pg, &sample_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	*count = PQntuples(res);
	for (i = 0; i < *count; i++) {
		r = ch_pg_row(res, i);
		ids[i] = ch_pg_next_uuid(&r);
	}
	PQclear(res);
	return CH_OK;
}

int
plans_own(struct ch_pg *pg, int64_t plan, struct ch_err *err)
{
	PGresult *res;
	bool owned = false;
	int rc = query_plan(pg, &own_stmt, plan, &res, err);

	if (rc != CH_OK)
		return rc;
	(void)ch_pg_get_bool(res, 0, 0, &owned);
	PQclear(res);
	if (!owned)
		return ch_err_set(err, CH_EEXIST,
			"plan %" PRId64 " is being run by another session: "
			"wait for it, or dlq stop %" PRId64,
			plan, plan);
	return CH_OK;
}

static void
read_letter(struct ch_pg_row *r, struct plans_due *out)
{
	out->id = ch_pg_next_uuid(r);
	out->bytes = ch_pg_next_i64(r);
	out->again = ch_pg_next_bool(r);
	ch_view_copy(ch_pg_next_text_null(r), out->behind, sizeof(out->behind));
}

int
plans_next(struct ch_pg *pg, int64_t plan, int max, struct plans_next *out,
	struct ch_err *err)
{
	struct ch_pg_args args;
	struct ch_pg_row r;
	PGresult *res;
	int rc, i;

	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, plan);
	ch_pg_arg_i64(&args, max);
	rc = ch_pg_query(pg, &next_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	out->count = 0;
	for (i = 0; rc == CH_OK && i < PQntuples(res) && i < max; i++) {
		r = ch_pg_row(res, i);
		out->running = ch_view_eq_str(ch_pg_next_text(&r), "running");
		out->place = ch_pg_next_i64(&r);
		if (!ch_pg_is_null(res, i, r.col))
			read_letter(&r, &out->letters[out->count++]);
		rc = ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
	}
	PQclear(res);
	return rc;
}

int
plans_begin_add(struct ch_pg *pg, int64_t plan, const struct plans_next *page,
	int count, struct ch_err *err)
{
	struct ch_pg_array ids;
	struct ch_pg_args args;
	int rc, i;

	ch_pg_array_init(&ids, CH_PG_UUID_ARRAY);
	for (i = 0; i < count; i++)
		ch_pg_array_uuid(&ids, &page->letters[i].id);
	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, plan);
	ch_pg_arg_i64(&args, page->place);
	ch_pg_arg_array(&args, &ids);
	rc = ch_pg_pipeline_add(pg, &begin_stmt, &args, err);
	ch_pg_array_free(&ids);
	return rc;
}

int
plans_begun(const PGresult *res, int64_t plan, struct ch_err *err)
{
	bool begun = false;

	(void)ch_pg_get_bool(res, 0, 0, &begun);
	return begun ? CH_OK
		     : ch_err_set(err, CH_ECLOSED,
			       "plan %" PRId64 " was stopped", plan);
}

int
plans_end_add(struct ch_pg *pg, int64_t plan, int64_t place,
	const char *outcome, const char *detail, struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, plan);
	ch_pg_arg_i64(&args, place);
	ch_pg_arg_str(&args, outcome);
	ch_pg_arg_str(&args, detail);
	return ch_pg_pipeline_add(pg, &end_stmt, &args, err);
}

int
plans_returns(struct ch_pg *pg, int64_t plan, struct plans_returns *out,
	struct ch_err *err)
{
	struct ch_pg_row r;
	PGresult *res;
	int rc = query_plan(pg, &returns_stmt, plan, &res, err);

	if (rc != CH_OK)
		return rc;
	r = ch_pg_row(res, 0);
	out->sent = ch_pg_next_i64(&r);
	out->judged = ch_pg_next_i64(&r);
	out->returned = ch_pg_next_i64(&r);
	rc = ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
	PQclear(res);
	return rc;
}
