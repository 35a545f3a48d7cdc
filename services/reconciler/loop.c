/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: one round after the other.
 *
 * A round settles the watermark, adds what is settled to the buckets, looks
 * once more at old postings if a full verification is under way, runs the
 * checks, writes down what each found, and pauses what must be paused. Each
 * statement is short and stands alone; what fails is logged, counted and done
 * again in the next round, and does not keep the others from running.
 *
 * Only the active process gets here; a standby asks for the lock.
 */
#include "loop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "meters.h"
#include "reconciler.h"

#define WAIT_MOST_MS 1000
#define FOLD_BUDGET_MS 2000 /* before the checks get their turn */
#define FAILED_ROUNDS 5	    /* in a row: not ready */

static struct ch_mono
now(const struct reconciler *r)
{
	return ch_clock_mono(r->rt->clock);
}

static int64_t
param_ms(const struct reconciler *r, const char *name)
{
	return ch_params_ms(r->rt->params, name);
}

/* ---- start and stop ---- */

static void
find_series(struct reconciler *r)
{
	struct ch_metrics *m = r->rt->metrics;

	for (int i = 0; i < CHECKS; i++) {
		const char *name = checks[i].name;
		r->series[i] = (struct check_series){
			.open = ch_metrics_series(m, RM_BREAKS_OPEN, name),
			.last_success =
				ch_metrics_series(m, RM_LAST_SUCCESS, name),
			.duration = ch_metrics_series(m, RM_DURATION, name),
			.failures = ch_metrics_series(m, RM_FAILURES, name)};
		if (checks[i].sweeps)
			r->series[i].sweep_seconds =
				ch_metrics_series(m, RM_SWEEP_SECONDS, name);
	}
}

int
reconciler_start(void **state, const struct ch_runtime *rt, struct ch_err *err)
{
	struct reconciler *r = ch_xcalloc(1, sizeof(*r));
	int rc;

	r->rt = rt;
	rc = session_open(&r->session, rt, err);
	if (rc == 0)
		rc = breaks_init(&r->breaks, &r->session, err);
	if (rc != 0) {
		session_close(&r->session);
		free(r);
		return rc;
	}
	buckets_init(&r->buckets, &r->session);
	snapshot_init(&r->snapshot, &r->session, &r->buckets);
	findings_init(&r->findings);
	find_series(r);
	*state = r;
	return 0;
}

void
reconciler_stop(void *state)
{
	struct reconciler *r = state;

	findings_free(&r->findings);
	snapshot_free(&r->snapshot);
	session_close(&r->session);
	free(r);
}

/* ---- one round ---- */

/* Logged and counted; the next round does it again. */
static void
failed(struct reconciler *r, const char *what, const struct ch_err *err)
{
	r->why = *err;
	ch_series_add(ch_metrics_series(r->rt->metrics, RM_FAILURES, what), 1);
	ch_warn("check.failed", CH_S("check", what), CH_ERR(err));
}

/* The transfers of the step are checked and written down before its postings
 * count as folded. */
static int
do_step(struct reconciler *r, const struct buckets_step *step,
	struct ch_err *err)
{
	struct ch_mono began = now(r);
	int rc;

	findings_clear(&r->findings);
	rc = buckets_check(&r->buckets, step, &r->findings, err);
	if (rc == 0)
		rc = breaks_write(&r->breaks, CHECK_TRANSFERS, &r->findings,
			err);
	if (rc == 0)
		rc = buckets_fold(&r->buckets, step, err);
	buckets_took(&r->buckets, step, ch_mono_ms_since(now(r), began),
		rc != 0);
	return rc;
}

static void
fold(struct reconciler *r)
{
	struct ch_mono began = now(r);
	struct ch_err err = CH_ERR_INIT;
	int rc = buckets_settle(&r->buckets, &err);

	while (rc == 0 && buckets_fold_due(&r->buckets) &&
		ch_mono_ms_since(now(r), began) < FOLD_BUDGET_MS &&
		!ch_runtime_stopping(r->rt)) {
		struct buckets_step step = buckets_fold_next(&r->buckets);
		rc = do_step(r, &step, &err);
	}
	if (rc == CH_EFENCED)
		ch_pg_disconnect(r->session.pg); /* be elected, read again */
	if (rc != 0)
		failed(r, "fold", &err);
}

static void
verify_fully(struct reconciler *r)
{
	struct ch_mono began = now(r);
	int64_t budget = param_ms(r, "round_budget");
	struct ch_err err = CH_ERR_INIT;
	struct buckets_step step;
	int rc;

	do {
		rc = buckets_full_next(&r->buckets, &step, &err);
		if (rc == 1)
			rc = do_step(r, &step, &err) == 0 ? 1 : (int)err.code;
	} while (rc == 1 && ch_mono_ms_since(now(r), began) < budget);
	if (rc >= 0 && buckets_sweep_old(&r->buckets, &err) != 0)
		rc = (int)err.code;
	if (rc == CH_EFENCED)
		ch_pg_disconnect(r->session.pg);
	if (rc < 0)
		failed(r, "full", &err);
}

/* Did the check get through all that it looks at? */
static bool
whole(const struct reconciler *r, enum check_id check)
{
	if (checks[check].sweeps)
		return r->findings.swept;
	return !r->findings.cut &&
		(check != CHECK_LOG_SEQ || r->snapshot.log_behind == 0);
}

static void
tell_check(struct reconciler *r, enum check_id check, struct ch_mono began)
{
	struct check_series *s = &r->series[check];

	ch_series_observe(s->duration, (now(r).ns - began.ns) / 1000);
	if (r->swept[check].ns == 0)
		r->swept[check] = began;
	if (!whole(r, check))
		return;
	r->through[check] = now(r);
	ch_series_set(s->last_success, ch_clock_wall(r->rt->clock).us);
	if (s->sweep_seconds != NULL)
		ch_series_set(s->sweep_seconds,
			(now(r).ns - r->swept[check].ns) / 1000);
	r->swept[check] = (struct ch_mono){0};
}

/* Looks, and writes down what was found. When looking failed half way, what it
 * found stands, and nothing follows from what it did not. */
static int
look_and_write(struct reconciler *r, enum check_id check, struct ch_err *err)
{
	struct ch_err second = CH_ERR_INIT;
	int looked = snapshot_run(&r->snapshot, check,
		param_ms(r, "round_budget"), &r->findings, err);
	int rc;

	if (looked != 0)
		findings_only_present(&r->findings);
	rc = breaks_write(&r->breaks, check, &r->findings, &second);
	if (rc == 0 && looked == 0)
		rc = snapshot_written(&r->snapshot, check, &second);
	if (rc != 0)
		snapshot_again(&r->snapshot, check);
	if (looked == 0)
		*err = second;
	return looked != 0 ? looked : rc;
}

static bool
run_check(struct reconciler *r, enum check_id check)
{
	struct ch_mono began = now(r);
	struct ch_err err = CH_ERR_INIT;
	int rc;

	findings_clear(&r->findings);
	rc = look_and_write(r, check, &err);
	if (rc != 0)
		failed(r, checks[check].name, &err);
	else
		tell_check(r, check, began);
	return rc == 0;
}

/* Sums that are far behind cannot be compared with balances. */
static bool
waits(const struct reconciler *r, enum check_id check)
{
	return (check == CHECK_TRANSFERS || check == CHECK_BALANCES) &&
		buckets_behind(&r->buckets);
}

static void
tell_round(struct reconciler *r)
{
	struct ch_metrics *m = r->rt->metrics;
	const struct buckets *k = &r->buckets;
	const struct breaks *b = &r->breaks;
	int64_t imbalance = 0;

	for (int i = 0; i < CHECKS; i++)
		ch_series_set(r->series[i].open, b->open[i]);
	if (__builtin_add_overflow(b->differences[CHECK_TRANSFERS],
		    b->differences[CHECK_BALANCES], &imbalance))
		imbalance = INT64_MAX;
	ch_metric_set(m, RM_IMBALANCE, imbalance);
	ch_series_set(ch_metrics_series(m, RM_BREAKS, "found"), b->opened);
	ch_series_set(ch_metrics_series(m, RM_BREAKS, "resolved"), b->resolved);
	ch_metric_set(m, RM_TRADING_PAUSED, b->trading_paused);
	ch_metric_set(m, RM_PAUSED_SCOPES, b->paused_scopes);
	ch_metric_set(m, RM_PAUSES, b->pauses);
	ch_metric_set(m, RM_POSTINGS, k->postings);
	ch_metric_set(m, RM_LOG_LEFT, r->snapshot.log_behind);
	ch_metric_set(m, RM_WATERMARK_LAG,
		k->known ? k->settled - k->watermark : 0);
	ch_metric_set(m, RM_WATERMARK_TIME, k->settled_at.us);
	ch_metric_set(m, RM_FULL_RUNNING, k->full);
	ch_metric_set(m, RM_FULL_LEFT,
		k->full ? k->watermark - k->full_watermark : 0);
	ch_metric_set(m, RM_FULLS, k->fulls);
	if (k->fulls != r->fulls_told)
		ch_metric_set(m, RM_FULL_DONE, ch_clock_wall(r->rt->clock).us);
	r->fulls_told = k->fulls;
}

static void
run_round(struct reconciler *r)
{
	struct ch_err err = CH_ERR_INIT;
	bool ok = true;

	fold(r);
	verify_fully(r);
	for (int i = 0; i < CHECKS && ch_pg_is_up(r->session.pg); i++) {
		if (!waits(r, (enum check_id)i))
			ok &= run_check(r, (enum check_id)i);
		ch_runtime_alive(r->rt);
	}
	if (breaks_pause(&r->breaks, &err) != 0 ||
		breaks_count(&r->breaks, &err) != 0) {
		failed(r, "pause", &err);
		ok = false;
	}
	r->failed_rounds = ok ? 0 : r->failed_rounds + 1;
	tell_round(r);
}

/* ---- the turns ---- */

/* What the last active one left in the tables. */
static bool
take_up(struct reconciler *r)
{
	struct ch_err err = CH_ERR_INIT;

	if (r->read && r->elected == r->session.elected)
		return true;
	r->elected = r->session.elected;
	for (int i = 0; i < CHECKS; i++)
		r->through[i] = now(r);
	r->read = buckets_read(&r->buckets, &err) == 0;
	snapshot_reset(&r->snapshot);
	if (!r->read) {
		r->failed_rounds++;
		failed(r, "start", &err);
	} else {
		ch_info("active", CH_I("generation", r->buckets.gen),
			CH_I("watermark", r->buckets.watermark));
	}
	return r->read;
}

static int
until_due(const struct reconciler *r)
{
	int64_t ms = -ch_mono_ms_since(now(r), r->due);
	return ms > WAIT_MOST_MS ? WAIT_MOST_MS : ms > 0 ? (int)ms : 0;
}

int
reconciler_step(void *state, struct ch_err *err)
{
	struct reconciler *r = state;
	enum session_role role = session_turn(&r->session);
	int64_t interval = param_ms(r, "interval");

	(void)err;
	ch_metric_set(r->rt->metrics, RM_ACTIVE, role == SESSION_ACTIVE);
	if (role == SESSION_DOWN)
		return session_wait_ms(&r->session);
	if (role == SESSION_STANDBY)
		return interval < WAIT_MOST_MS ? (int)interval : WAIT_MOST_MS;
	if (until_due(r) > 0)
		return until_due(r);
	r->due = (struct ch_mono){now(r).ns + interval * 1000000};
	if (take_up(r))
		run_round(r);
	if (r->read && buckets_catching_up(&r->buckets))
		r->due = now(r);
	return until_due(r);
}

/* The check that has not looked at all of it for longest, if that is too long;
 * else CHECKS. It may be slow or behind without ever failing. */
static int
stale_check(const struct reconciler *r, int64_t *ms)
{
	int stale = CHECKS;

	*ms = param_ms(r, "stale_after");
	if (!r->read || r->elected != r->session.elected)
		return CHECKS;
	for (int i = 0; i < CHECKS; i++) {
		int64_t since = ch_mono_ms_since(now(r), r->through[i]);
		if (since <= *ms)
			continue;
		*ms = since;
		stale = i;
	}
	return stale;
}

static bool
checks_ready(const struct reconciler *r, struct ch_buf *verbose)
{
	int64_t ms;
	int stale = stale_check(r, &ms);
	char why[128];

	if (r->failed_rounds >= FAILED_ROUNDS)
		return ch_ready_line(verbose, "checks", false, r->why.text);
	if (stale == CHECKS)
		return ch_ready_line(verbose, "checks", true, "");
	(void)snprintf(why, sizeof(why),
		"%s has not looked at everything for %" PRId64 " s",
		checks[stale].name, ms / 1000);
	return ch_ready_line(verbose, "checks", false, why);
}

bool
reconciler_ready(void *state, struct ch_buf *verbose)
{
	const struct reconciler *r = state;
	enum session_role role = r->session.role;
	bool ok = ch_ready_line(verbose, "postgres", role != SESSION_DOWN,
		r->session.why.text);

	if (role == SESSION_STANDBY)
		return ch_ready_line(verbose, "standby", true, "") && ok;
	return checks_ready(r, verbose) && ok;
}
