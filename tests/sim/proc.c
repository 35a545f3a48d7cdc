/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc: see proc.h.
 */
#include "proc.h"

#include <stdio.h>
#include <stdlib.h>

#include "loop.h"
#include "meters.h"
#include "params.h"
#include "twin_pg.h"
#include "world.h"

#define QUICK_US 400  /* at most, until it goes on */
#define SLOW_US 20000 /* now and then: others do a batch or two meanwhile */

/* ---- its clock ---- */

static struct ch_time
wall(void *ctx)
{
	const struct proc *p = ctx;

	return (struct ch_time){p->world->now.us + p->skew_us};
}

static struct ch_mono
mono(void *ctx)
{
	const struct proc *p = ctx;

	return (struct ch_mono){p->world->now.us * 1000};
}

/* ---- what all share ---- */

void
proc_kit_open(struct proc_kit *kit)
{
	static const struct ch_param *const params[] = {ledger_params, NULL};
	static const struct ch_metric_desc *const metrics[] = {
		ledger_metrics, NULL};
	char program[] = "sim";
	char url[] = "--database_url=dbname=sim";
	char broker[] = "--bootstrap=sim:1";
	char *argv[] = {program, url, broker, NULL};
	char *none[] = {NULL};
	struct ch_err err = CH_ERR_INIT;

	if (ch_params_read(&kit->params, "ledger-writer", params, 3, argv, none,
		    &err) != 0) {
		(void)fprintf(stderr, "settings: %s\n", err.text);
		abort();
	}
	kit->metrics = ch_metrics_new("ledger-writer", metrics);
}

void
proc_kit_close(struct proc_kit *kit)
{
	ch_params_free(kit->params);
	ch_metrics_free(kit->metrics);
}

/* ---- its life ---- */

/* As the skeleton sleeps between two turns: a record wakes it. */
static void
rest(struct proc *p, int wait_ms)
{
	struct world *w = p->world;
	int64_t until = w->now.us + (int64_t)wait_ms * 1000;

	if (p->watches && p->consumer != NULL &&
		broker_has_work(&w->broker, p->consumer))
		until = w->now.us;
	proc_wait(p, until);
}

static void
live(void *arg)
{
	struct proc *p = arg;
	struct ch_err err = CH_ERR_INIT;
	void *state;
	int wait = 0;

	if (loop_start(&state, &p->rt, &err) != 0)
		abort();
	while (wait >= 0 && !p->killed && !p->leaving) {
		wait = loop_step(state, &err);
		if (wait >= 0 && !p->killed && !p->leaving)
			rest(p, wait);
	}
	loop_stop(state);
}

void
proc_start(struct proc *p, struct world *w, int number)
{
	*p = (struct proc){.world = w,
		.number = number,
		.fiber = w->fibers[number - 1],
		.alive = true};
	p->clock = (struct ch_clock){wall, mono, p};
	p->rt = (struct ch_runtime){.service = "ledger-writer",
		.version = "sim",
		.params = w->kit.params,
		.metrics = w->kit.metrics,
		.clock = &p->clock};
	p->wake_at = w->now.us;
	world_count(w, EVENT_STARTED);
	fiber_begin(p->fiber, live, p);
}

void
proc_kill(struct proc *p)
{
	p->killed = true;
	if (p->pg != NULL)
		twin_pg_cut(p->pg);
	p->in_server = false;
}

bool
proc_can_run(const struct proc *p)
{
	int64_t now = p->world->now.us;
	bool awake = p->poked || now >= p->wake_at;

	if (!p->alive)
		return false;
	if (p->killed)
		return true;
	if (p->stopped_until != 0)
		return now >= p->stopped_until || (p->in_server && awake);
	return awake;
}

/* Does it believe to have a partition that is another one's by now? */
static bool
is_late(const struct proc *p)
{
	const struct broker *b = &p->world->broker;

	for (int i = 0; p->consumer != NULL && i < b->part_count; i++) {
		if (p->consumer->parts[i].started &&
			b->parts[i].owner != p->number)
			return true;
	}
	return false;
}

void
proc_resume(struct proc *p)
{
	struct world *w = p->world;

	if (p->stopped_until != 0 && w->now.us >= p->stopped_until) {
		p->stopped_until = 0;
		world_count(w, EVENT_WOKE);
		if (is_late(p))
			world_count(w, EVENT_WOKE_LATE);
	}
	w->running = p;
	fiber_resume(p->fiber);
	w->running = NULL;
	if (!fiber_ended(p->fiber))
		return;
	p->alive = false;
	if (!p->killed) {
		world_count(w, EVENT_LEFT);
		broker_left(&w->broker, p);
	}
}

void
proc_poke(struct proc *p)
{
	p->poked = true;
}

/* ---- inside of its fiber ---- */

void
proc_wait(struct proc *p, int64_t until)
{
	if (p->killed)
		return;
	p->wake_at = until;
	p->poked = false;
	fiber_yield(p->fiber);
}

void
proc_out_of_server(struct proc *p)
{
	while (p->stopped_until != 0 && !p->killed && !p->in_server)
		proc_wait(p, p->stopped_until);
}

void
proc_point(struct proc *p, enum sim_point at)
{
	struct world *w = p->world;

	if (p->killed)
		return;
	w->counts->steps++;
	if (p->stopped_until == 0)
		world_befall(w, p, at);
	proc_out_of_server(p);
	if (world_one_in(w, w->plan.yield_in))
		proc_wait(p,
			w->now.us +
				world_below(w,
					world_one_in(w, 8) ? SLOW_US
							   : QUICK_US));
}
