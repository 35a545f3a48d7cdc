/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_run: next page, pace, transaction; then the canary's verdict.
 */
#include "plan_run.h"

#include <inttypes.h>
#include <poll.h>

#include "base/failpoint.h"
#include "base/mem.h"
#include "outbox_relay_sql.h"
#include "pace.h"
#include "plan_page.h"
#include "plans.h"
#include "replay.h"

#define CANARY_LOOK_MS 200
#define WAIT_MS 500 /* then asks whether it may go on */
#define PAGE_MS 100 /* a page holds what the rate lets go meanwhile */

/* A run that stands still in a page must not hold its letters: PostgreSQL ends
 * its session, and the plan is free. Outside of a page it may wait for whoever
 * reads what it prints. */
#define ON_RUN                                                                 \
	"SET idle_in_transaction_session_timeout = '15s'; "                    \
	"SET idle_session_timeout = '5min'"
#define LINGER_MS 5000 /* for acknowledgements, by one that is to stop */

struct run {
	struct ch_pg *pg;
	struct replay *replay; /* NULL: it discards */
	const struct plan_run_options *opt;
	struct plans_row plan;
	struct plan_page *page;
	struct pace pace;
	struct ch_mono heard; /* of PostgreSQL, while a page is sent */
	struct ch_mono began; /* that page */
	int64_t sent;
	int64_t unfit; /* of this run: that cannot be sent */
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

/* ---- a page ---- */

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What may go in so many ms, but one letter in any case. */
static int64_t
within_page(int64_t per_second)
{
	int64_t many = per_second * PAGE_MS / 1000;

	return many > 0 ? many : 1;
}

static int
letters_max(const struct run *r)
{
	int64_t max = PLANS_PAGE;

	if (r->plan.per_second > 0)
		max = least(max, within_page(r->plan.per_second));
	if (r->plan.canary > r->sent && !r->canary_passed)
		max = least(max, r->plan.canary - r->sent);
	return (int)max;
}

static int64_t
bytes_max(const struct run *r)
{
	if (r->plan.bytes_per_second == 0)
		return PLAN_PAGE_BYTES;
	return least(PLAN_PAGE_BYTES, within_page(r->plan.bytes_per_second));
}

/* Where the plan stands; CH_ECLOSED when an operator stopped it. */
static int
look_at(struct run *r, int max, struct plans_next *next, struct ch_err *err)
{
	int rc = plans_next(r->pg, r->plan.id, max, next, err);

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

static int
look(struct run *r, struct ch_err *err)
{
	return look_at(r, letters_max(r), &r->page->next, err);
}

/* A long wait is one in which it may be stopped. */
static int
wait_for(struct run *r, const struct letters_row *row, struct ch_err *err)
{
	int64_t bytes = (int64_t)(row->value.len + row->key.len), ms;
	struct plans_next now;
	int rc = CH_OK;

	while (rc == CH_OK &&
		(ms = pace_take(&r->pace, bytes,
			 ch_clock_mono(r->opt->clock))) > 0) {
		wait_ms(ms);
		if (ms > WAIT_MS)
			rc = look_at(r, 1, &now, err);
	}
	return rc;
}

static int
keep_pace(struct run *r, struct ch_err *err)
{
	int i, rc = CH_OK;

	for (i = 0; rc == CH_OK && i < r->page->acts; i++)
		rc = wait_for(r, r->page->acting[i].row, err);
	return rc;
}

/* Nobody else may run the plan or decide its letters while they are sent. */
static int
may_send(void *ctx, struct ch_err *err)
{
	struct run *r = ctx;
	struct ch_mono now = ch_clock_mono(r->opt->clock);
	int rc = replay_prove(r->pg, now, &r->heard, err);

	if (rc != CH_OK)
		return rc;
	if (may_go_on(r) || ch_mono_ms_since(now, r->began) < LINGER_MS)
		return CH_OK;
	return ch_err_set(err, CH_ECLOSED,
		"the process that ran it was stopped: run plan %" PRId64
		" again",
		r->plan.id);
}

/* The rate holds over runs, also of one that was killed with a page in hand. */
static int
resume_pace(struct run *r, struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"dlq_plan_paid", outbox_relay_sql_plan_paid};
	struct ch_mono now = ch_clock_mono(r->opt->clock);
	int64_t idle_ms, next_bytes, last_ms, last_bytes;
	struct ch_pg_args args;
	struct ch_pg_row row;
	PGresult *res;
	int rc;

	pace_init(&r->pace, r->plan.per_second, r->plan.bytes_per_second, now);
	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, r->plan.id);
	rc = ch_pg_query(r->pg, &stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	if (PQntuples(res) > 0) {
		row = ch_pg_row(res, 0);
		idle_ms = ch_pg_next_i64(&row);
		next_bytes = ch_pg_next_i64(&row);
		last_ms = ch_pg_next_i64(&row);
		last_bytes = ch_pg_next_i64(&row);
		rc = ch_pg_row_ok(&row, err) ? CH_OK : CH_EPROTO;
		pace_went(&r->pace, last_ms, last_bytes, now);
		pace_went(&r->pace, idle_ms, next_bytes, now);
	}
	PQclear(res);
	return rc;
}

static void
discard(const struct run *r, struct replay_letter *l)
{
	l->known = true;
	l->decides = letters_may_discard(l->row, &l->said);
	l->rc = l->decides ? CH_OK : (int)l->said.code;
	l->decision = letters_discarded(l->row,
		&(struct letters_discard){
			r->opt->actor, r->reason, r->plan.id});
}

/* Inside of the transaction that has locked the letters. */
static int
act(struct run *r, struct ch_err *err)
{
	struct plan_page *page = r->page;
	int i;

	for (i = 0; r->plan.discards && i < page->acts; i++)
		discard(r, &page->acting[i]);
	if (r->plan.discards)
		return CH_OK;
	return replay_letters(r->replay, page->acting, (size_t)page->acts,
		&page->arena, err);
}

/* *written of its letters are decided, whatever comes back. */
static int
transact(struct run *r, int *written, struct ch_err *err)
{
	struct ch_err unsent = CH_ERR_INIT;
	int rc = plan_page_begin(r->page, r->pg, err), sent_rc = CH_OK;

	*written = 0;
	r->was_stopped = rc == CH_ECLOSED;
	r->heard = r->began = ch_clock_mono(r->opt->clock);
	if (rc == CH_OK)
		sent_rc = act(r, &unsent);
	if (rc == CH_OK)
		rc = plan_page_write(r->page, r->pg, written, err);
	if (*written == 0)
		(void)ch_pg_rollback(r->pg, NULL);
	if (sent_rc != CH_OK) /* came first: of the two the cause */
		rc = ch_err_set(err, sent_rc, "%s", unsent.text);
	return rc;
}

static void
tell(struct run *r, int i)
{
	const struct plan_page_letter *l = &r->page->letters[i];

	r->sent += strcmp(l->outcome, "sent") == 0 ? 1 : 0;
	r->unfit += l->act != NULL && l->act->rc == CH_ERANGE &&
			strcmp(l->outcome, "held") == 0
		? 1
		: 0;
	r->opt->told(r->opt->ctx, l->kept ? &l->row : NULL,
		&r->page->next.letters[i].id, l->outcome, l->detail);
}

static int
send_page(struct run *r, struct ch_err *err)
{
	int i, written, rc;

	rc = plan_page_read(r->page, r->pg, bytes_max(r), err);
	if (rc == CH_OK)
		rc = keep_pace(r, err);
	if (rc != CH_OK)
		return rc;
	rc = transact(r, &written, err);
	if (written > 0)
		CH_FAILPOINT("relay.after_decision");
	for (i = 0; i < written; i++)
		tell(r, i);
	return rc;
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
		rc = look(r, err);
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

/* What its target does not take, or no target can: so it may be with the rest. */
static int
canary_unfit(const struct run *r, struct ch_err *err)
{
	if (r->plan.canary == 0 || r->canary_passed ||
		r->unfit <= r->plan.canary_returns)
		return CH_OK;
	return ch_err_set(err, CH_ERANGE,
		"canary: %" PRId64 " letters cannot be sent, at most %" PRId64
		" may: see why (dlq plans %" PRId64
		" --letters --outcome held), mend it, dlq cancel this plan, "
		"plan again; dlq run %" PRId64 " passes them",
		r->unfit, r->plan.canary_returns, r->plan.id, r->plan.id);
}

/* ---- the plan ---- */

static int
letters_of_plan(struct run *r, struct ch_err *err)
{
	bool ended;
	int rc;

	for (;;) {
		rc = look(r, err);
		ended = r->page->next.count == 0;
		if (rc == CH_OK && canary_due(r, ended)) {
			rc = canary_wait(r, err);
			ended = false;
		} else if (rc == CH_OK && !ended) {
			rc = send_page(r, err);
			if (rc == CH_OK)
				rc = canary_unfit(r, err);
		}
		if (rc != CH_OK || ended)
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
			.again = r->plan.again,
			.to = r->to,
			.leave = {may_send, r}},
		err);
	return r->replay != NULL ? CH_OK : CH_ECONFIG;
}

static int
open_and_run(const struct ch_params *p, struct run *r, struct ch_arena *arena,
	struct ch_err *err)
{
	int rc;

	r->reason = ch_arena_str(arena, r->plan.reason);
	if (r->plan.to.len > 0)
		r->to = ch_arena_str(arena, r->plan.to);
	rc = resume_pace(r, err);
	if (rc == CH_OK)
		rc = open_replay(p, r, err);
	if (rc != CH_OK)
		return rc;
	r->sent = r->plan.sent;
	r->canary_passed = r->plan.canary_passed;
	r->page = plan_page_new(&r->plan);
	rc = run_owned(r, err);
	plan_page_free(r->page);
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
		rc = ch_pg_exec(pg, ON_RUN, err);
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
