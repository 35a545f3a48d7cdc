/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_run: next letter, pace, transaction; then the canary's verdict.
 */
#include "plan_run.h"

#include <inttypes.h>
#include <poll.h>

#include "base/failpoint.h"
#include "base/mem.h"
#include "pace.h"
#include "plans.h"
#include "replay.h"

#define CANARY_LOOK_MS 200
#define WAIT_MS 500 /* then asks whether it may go on */

struct run {
	struct ch_pg *pg;
	struct replay *replay; /* NULL: it discards */
	const struct plan_run_options *opt;
	struct plans_row plan;
	struct pace pace;
	int64_t sent;
	bool canary_passed, was_stopped;
	const char *reason;
	const char *to; /* of foreign letters; NULL: where they came from */
};

static bool
may_go_on(const struct run *r)
{
	return r->opt->may_go_on == NULL || r->opt->may_go_on(r->opt->ctx);
}

static void
wait_ms(int64_t ms)
{
	(void)poll(NULL, 0, ms < WAIT_MS ? (int)ms : WAIT_MS);
}

/* What a broker or a database has said is stored as text, which PostgreSQL
 * refuses when it is no UTF-8. */
static const char *
printable(struct ch_buf *b, const char *said)
{
	ch_buf_add_printable(b, ch_view_of(said), CH_ERR_TEXT_MAX);
	return ch_buf_str(b);
}

/* ---- one letter ---- */

struct step {
	const struct plans_next *next;
	struct letters_row *row; /* NULL: gone */
	const char *outcome;
	struct ch_err said;
};

/* What a letter's refusal means for the plan; "" when the run must stop. */
static const char *
outcome_of(const struct run *r, const struct letters_row *row, int rc)
{
	if (rc == CH_OK)
		return r->plan.discards ? "discarded" : "sent";
	if (rc == CH_EEXIST)
		return row->state == LETTER_EDITED ? "held" : "refused";
	if (rc == CH_ERANGE)
		return replay_looped(row, r->plan.replays_max) ? "quarantined"
							       : "held";
	return "";
}

/* Inside of the transaction that has locked the letter. */
static int
act(struct run *r, struct letters_row *row, struct ch_err *err)
{
	int rc;

	if (r->plan.discards)
		return letters_discard_locked(r->pg, row,
			&(struct letters_discard){
				r->opt->actor, r->reason, r->plan.id},
			err);
	rc = replay_redirect(row, r->to, err);
	return rc == CH_OK ? replay_locked(r->replay, r->pg, row, err) : rc;
}

/* Inside of the transaction. */
static int
decide(struct run *r, struct step *s, struct ch_err *err)
{
	int rc;

	s->outcome = "refused";
	if (s->row == NULL) {
		ch_err_set(&s->said, CH_ENOTFOUND,
			"its row is not kept any more");
		return CH_OK;
	}
	if (s->next->behind[0] != '\0' && !r->plan.discards) {
		s->outcome = "held";
		ch_err_set(&s->said, CH_EEXIST,
			"behind %s, an earlier letter of its key",
			s->next->behind);
		return CH_OK;
	}
	rc = letters_lock_state(r->pg, s->row, err);
	if (rc != CH_OK)
		return rc;
	rc = act(r, s->row, &s->said);
	s->outcome = outcome_of(r, s->row, rc);
	return s->outcome[0] != '\0'
		? CH_OK
		: ch_err_set(err, s->said.code, "%s", s->said.text);
}

static int
transact(struct run *r, struct step *s, struct ch_err *err)
{
	struct ch_buf detail = CH_BUF_INIT;
	int rc = ch_pg_begin(r->pg, err);

	if (rc != CH_OK)
		return rc;
	rc = plans_begin(r->pg, r->plan.id, s->next->place, &s->next->letter,
		err);
	r->was_stopped = rc == CH_ECLOSED;
	if (rc == CH_OK)
		rc = decide(r, s, err);
	if (rc == CH_OK)
		rc = plans_end(r->pg, r->plan.id, s->next->place, s->outcome,
			printable(&detail, s->said.text), err);
	ch_buf_free(&detail);
	if (rc == CH_OK && ch_pg_commit(r->pg, err) != CH_PG_COMMITTED)
		rc = CH_EIO;
	if (rc != CH_OK)
		(void)ch_pg_rollback(r->pg, NULL);
	return rc;
}

static void
keep_pace(struct run *r, const struct letters_row *row)
{
	int64_t bytes = (int64_t)(row->value.len + row->key.len), ms;

	while (may_go_on(r) &&
		(ms = pace_take(&r->pace, bytes,
			 ch_clock_mono(r->opt->clock))) > 0)
		wait_ms(ms);
}

static int
step(struct run *r, const struct plans_next *next, struct ch_err *err)
{
	struct letters_filter one = {
		.ids = &next->letter, .id_count = 1, .limit = 1};
	struct step s = {.next = next};
	struct letters_row row;
	PGresult *res;
	int rc = letters_find(r->pg, &one, &res, err);

	if (rc != CH_OK)
		return rc;
	if (PQntuples(res) == 1) {
		rc = letters_row(res, 0, &row, err);
		s.row = &row;
	}
	if (rc == CH_OK && s.row != NULL && next->behind[0] == '\0')
		keep_pace(r, &row);
	if (rc == CH_OK)
		rc = transact(r, &s, err);
	if (rc == CH_OK) {
		CH_FAILPOINT("relay.after_decision");
		r->sent += strcmp(s.outcome, "sent") == 0 ? 1 : 0;
		r->opt->told(r->opt->ctx, s.row, &next->letter, s.outcome,
			s.said.text);
	}
	PQclear(res);
	return rc;
}

/* Where the plan stands; CH_ECLOSED when an operator stopped it. */
static int
look(struct run *r, struct plans_next *next, struct ch_err *err)
{
	int rc = plans_next(r->pg, r->plan.id, next, err);

	if (rc != CH_OK)
		return rc;
	if (next->running && !may_go_on(r))
		return ch_err_set(err, CH_ECLOSED,
			"the process that ran it was stopped: run plan %" PRId64
			" again",
			r->plan.id);
	if (next->running)
		return CH_OK;
	r->was_stopped = true;
	return ch_err_set(err, CH_ECLOSED, "plan %" PRId64 " was stopped",
		r->plan.id);
}

/* ---- the canary ---- */

static int
canary_verdict(struct run *r, const struct plans_returns *seen,
	struct ch_err *err)
{
	if (seen->returned > r->plan.canary_returns)
		return ch_err_set(err, CH_ERANGE,
			"canary: %" PRId64 " of %" PRId64
			" letters came back, at most %" PRId64
			" may: mend the cause, dlq cancel this plan, plan again",
			seen->returned, seen->sent, r->plan.canary_returns);
	if (seen->judged < seen->sent)
		return CH_ETIMEOUT;
	r->canary_passed = true;
	return plans_canary(r->pg, r->plan.id, r->opt->actor, err);
}

static int
canary_wait(struct run *r, struct ch_err *err)
{
	struct ch_mono began = ch_clock_mono(r->opt->clock);
	struct plans_returns seen;
	struct plans_next next;
	int rc;

	for (;;) {
		rc = plans_returns(r->pg, r->plan.id, &seen, err);
		if (rc == CH_OK)
			rc = canary_verdict(r, &seen, err);
		if (rc != CH_ETIMEOUT)
			return rc;
		if (ch_mono_ms_since(ch_clock_mono(r->opt->clock), began) >=
			r->opt->canary_wait_ms)
			return ch_err_set(err, CH_ERANGE,
				"canary: the ledger has read %" PRId64
				" of %" PRId64
				" letters, or their endpoint has answered for "
				"so many, within %" PRId64
				" ms: see that it runs, then dlq run %" PRId64
				" again",
				seen.judged, seen.sent, r->opt->canary_wait_ms,
				r->plan.id);
		wait_ms(CANARY_LOOK_MS);
		rc = look(r, &next, err);
		if (rc != CH_OK)
			return rc;
	}
}

static bool
canary_due(const struct run *r, bool ended)
{
	return r->plan.canary > 0 && !r->canary_passed &&
		(r->sent >= r->plan.canary || ended);
}

/* ---- the plan ---- */

static int
letters_of_plan(struct run *r, struct ch_err *err)
{
	struct plans_next next;
	int rc;

	for (;;) {
		rc = look(r, &next, err);
		if (rc == CH_OK && canary_due(r, next.ended))
			rc = canary_wait(r, err);
		if (rc != CH_OK || next.ended)
			return rc;
		rc = step(r, &next, err);
		if (rc != CH_OK)
			return rc;
	}
}

/* reason NULL: what was said. */
static int
turn(struct run *r, const char *state, const char *said, const char *reason,
	struct ch_err *err)
{
	struct ch_buf text = CH_BUF_INIT;
	const char *shown = printable(&text, said);
	int rc = plans_turn(r->pg, r->plan.id,
		&(struct plans_turn){.state = state,
			.detail = shown,
			.actor = r->opt->actor,
			.reason = reason != NULL ? reason : shown},
		err);

	ch_buf_free(&text);
	return rc;
}

static int
run_owned(struct run *r, struct ch_err *err)
{
	int rc = turn(r, "running", "", "the plan's", err);

	if (rc != CH_OK)
		return rc;
	rc = letters_of_plan(r, err);
	if (rc == CH_OK)
		return turn(r, "done", "", "the plan's", err);
	if (!r->was_stopped)
		(void)turn(r, "stopped", err != NULL ? err->text : "failed",
			NULL, NULL);
	return rc;
}

static int
open_replay(const struct ch_params *p, struct run *r, struct ch_err *err)
{
	if (r->plan.discards)
		return CH_OK;
	r->replay = replay_open(p,
		&(struct replay_options){.actor = r->opt->actor,
			.reason = r->reason,
			.replays_max = r->plan.replays_max,
			.plan = r->plan.id,
			.again = r->plan.again},
		err);
	return r->replay != NULL ? CH_OK : CH_ECONFIG;
}

static int
open_and_run(const struct ch_params *p, struct run *r, struct ch_arena *arena,
	struct ch_err *err)
{
	int rc;

	r->reason = ch_arena_str(arena, r->plan.reason);
	rc = open_replay(p, r, err);
	if (rc != CH_OK)
		return rc;
	if (r->plan.to.len > 0)
		r->to = ch_arena_str(arena, r->plan.to);
	r->sent = r->plan.sent;
	r->canary_passed = r->plan.canary_passed;
	pace_init(&r->pace, r->plan.per_second, r->plan.bytes_per_second,
		ch_params_bytes(p, "message_max"),
		ch_clock_mono(r->opt->clock));
	rc = run_owned(r, err);
	replay_close(r->replay);
	return rc;
}

int
plan_run(const struct ch_params *p, struct ch_pg *pg,
	const struct plan_run_options *opt, struct ch_err *err)
{
	struct run r = {.pg = pg, .opt = opt};
	struct ch_arena arena = CH_ARENA_INIT;
	PGresult *res = NULL;
	int rc = plans_own(pg, opt->plan, err);

	if (rc == CH_OK)
		rc = plans_find(pg, opt->plan, 1, &res, err);
	if (rc == CH_OK)
		rc = plans_row(res, 0, &r.plan, err);
	if (rc == CH_OK)
		rc = open_and_run(p, &r, &arena, err);
	PQclear(res);
	ch_arena_free(&arena);
	return rc;
}
