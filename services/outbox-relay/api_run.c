/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_run: see api_run.h.
 */
#include "api_run.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "plan_run.h"

#define CALL_MS 60000

struct api_run {
	const struct ch_runtime *rt;
	pthread_t thread;
	bool has_thread; /* to be joined */
	atomic_bool active, stopping;
	char *actor;
	int64_t plan, canary_wait_ms;
	pthread_mutex_t mu;
	char said[CH_ERR_TEXT_MAX]; /* under mu */
};

struct api_run *
api_run_new(const struct ch_runtime *rt)
{
	struct api_run *r = ch_xcalloc(1, sizeof(*r));

	r->rt = rt;
	pthread_mutex_init(&r->mu, NULL);
	return r;
}

static void
join(struct api_run *r)
{
	if (r->has_thread)
		(void)pthread_join(r->thread, NULL);
	r->has_thread = false;
	free(r->actor);
	r->actor = NULL;
}

void
api_run_free(struct api_run *r)
{
	if (r == NULL)
		return;
	atomic_store(&r->stopping, true);
	join(r);
	pthread_mutex_destroy(&r->mu);
	free(r);
}

static bool
may_go_on(void *ctx)
{
	const struct api_run *r = ctx;

	return !atomic_load(&r->stopping);
}

/* The outcomes are in the plan. */
static void
told(void *ctx, const struct letters_row *row, const struct ch_uuid *id,
	const char *outcome, const char *detail)
{
	(void)ctx;
	(void)row;
	(void)id;
	(void)outcome;
	(void)detail;
}

static int
connect_and_run(struct api_run *r, struct ch_err *err)
{
	const struct ch_params *p = r->rt->params;
	struct ch_pg_params params = {
		.conninfo = ch_params_str(p, "api_database_url"),
		.application_name = "outbox-relay api run",
		.search_path = ch_params_str(p, "schema"),
		.call_timeout_ms = CALL_MS,
		.read_write = true,
	};
	struct plan_run_options opt = {.plan = r->plan,
		.actor = r->actor,
		.canary_wait_ms = r->canary_wait_ms,
		.clock = r->rt->clock,
		.told = told,
		.may_go_on = may_go_on,
		.ctx = r};
	struct ch_pg *pg = ch_pg_new(&params, err);
	int rc = pg != NULL ? ch_pg_connect(pg, err) : CH_ECONFIG;

	if (rc == CH_OK)
		rc = plan_run(p, pg, &opt, err);
	ch_pg_free(pg);
	return rc;
}

static void *
run(void *ctx)
{
	struct api_run *r = ctx;
	struct ch_err err = CH_ERR_INIT;
	int rc = connect_and_run(r, &err);

	if (rc == CH_OK)
		ch_info("api.ran", CH_I("plan", r->plan),
			CH_S("actor", r->actor));
	else
		ch_warn("api.ran", CH_I("plan", r->plan),
			CH_S("actor", r->actor), CH_ERR(&err));
	pthread_mutex_lock(&r->mu);
	ch_view_copy(ch_view_of(rc == CH_OK ? "" : err.text), r->said,
		sizeof(r->said));
	pthread_mutex_unlock(&r->mu);
	atomic_store(&r->active, false);
	return NULL;
}

int
api_run_start(struct api_run *r, int64_t plan, const char *actor,
	int64_t canary_wait_ms, struct ch_err *err)
{
	if (atomic_load(&r->active))
		return ch_err_set(err, CH_EEXIST,
			"plan %lld is being run here: wait for it, or stop it",
			(long long)r->plan);
	join(r);
	r->plan = plan;
	r->actor = ch_xstrdup(actor);
	r->canary_wait_ms = canary_wait_ms;
	atomic_store(&r->active, true);
	if (pthread_create(&r->thread, NULL, run, r) == 0) {
		r->has_thread = true;
		return CH_OK;
	}
	atomic_store(&r->active, false);
	return ch_err_set(err, CH_EFULL,
		"no thread can be started: try again, or run it by dlq run");
}

int64_t
api_run_plan(struct api_run *r, int64_t plan, char said[CH_ERR_TEXT_MAX])
{
	said[0] = '\0';
	if (atomic_load(&r->active))
		return r->plan;
	pthread_mutex_lock(&r->mu);
	if (plan == 0 || plan == r->plan)
		(void)memcpy(said, r->said, sizeof(r->said));
	pthread_mutex_unlock(&r->mu);
	return 0;
}
