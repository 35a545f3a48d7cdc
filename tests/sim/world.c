/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world: see world.h. A history in three parts: the books are opened; faults
 * come while commands do; then all is calm, and everything must come to its
 * end: a writer that waits for ever is a failure like any other.
 */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "judge.h"
#include "twin_pg.h"

#define START_US INT64_C(1795262400000000) /* 2026-11-21T12:00:00Z */
#define TURNS_MAX 60000		   /* of the scheduler, in one history */
#define CALM_US INT64_C(120000000) /* at most, until all has come to its end */
#define FOR_GOOD_US INT64_C(3600000000)
#define AFTER_US INT64_C(10000000) /* behind every deadline of commands.c */

static struct world *now_played;

struct world *
world_now(void)
{
	return now_played;
}

struct world *
world_new(void)
{
	struct world *w = ch_xcalloc(1, sizeof(*w));

	proc_kit_open(&w->kit);
	w->commands = commands_new();
	for (int i = 0; i < WORLD_PROCESSES; i++)
		w->fibers[i] = fiber_new();
	return w;
}

void
world_free(struct world *w)
{
	for (int i = 0; i < WORLD_PROCESSES; i++)
		fiber_free(w->fibers[i]);
	commands_free(w->commands);
	proc_kit_close(&w->kit);
	free(w);
}

/* ---- words for all ---- */

void
world_count(struct world *w, unsigned event)
{
	w->counts->of[event]++;
}

unsigned
world_below(struct world *w, unsigned n)
{
	return (unsigned)ch_rng_below(&w->rng, n);
}

bool
world_one_in(struct world *w, unsigned n)
{
	return n > 0 && world_below(w, n) == 0;
}

void
world_fail(struct world *w, const char *format, ...)
{
	va_list args;

	if (w->failure[0] != '\0')
		return;
	va_start(args, format);
	(void)vsnprintf(w->failure, sizeof(w->failure), format, args);
	va_end(args);
}

int64_t
world_lowest_day(const struct world *w)
{
	(void)w;
	return ch_time_day((struct ch_time){START_US}) - 1;
}

/* ---- rates ---- */

static const char *const posts[] = {"transfer.post", "hold.place", "group"};
static const char *const stocks[] = {"stock.reserve", "trade.record"};
static const struct serial_rate rates[2] = {
	{"burst", NULL, true, posts, 3, 6, 400000, 1},
	{"stock", "acme", false, stocks, 2, 5, 700000, 2},
};

void
world_serial_rates(const struct world *w, struct serial_now *now)
{
	now->rates = rates;
	now->rate_count = w->plan.rates ? 2 : 0;
}

void
world_rates(const struct world *w, struct batch_context *context)
{
	static struct ch_view types[2][3];
	static struct rate_rule rules[2];

	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < rates[i].type_count; k++)
			types[i][k] = ch_view_of(rates[i].types[k]);
		rules[i] = (struct rate_rule){(int32_t)i + 1,
			ch_view_of(rates[i].name), ch_view_of(rates[i].org),
			rates[i].per_actor, types[i], rates[i].type_count,
			rates[i].most, rates[i].window_us, rates[i].shares};
	}
	context->rates = rules;
	context->rate_count = w->plan.rates ? 2 : 0;
}

/* ---- what befalls ---- */

static void
stop(struct world *w, struct proc *p, enum sim_point at)
{
	bool is_short = at != POINT_COPY && world_one_in(w, 3);
	int64_t most = is_short ? 1500000 : 15000000;

	world_count(w, EVENT_STOP + (unsigned)at);
	p->stopped_at = w->now.us;
	p->stopped_until = w->now.us + 1 + world_below(w, (unsigned)most);
	if (w->plan.for_good && world_one_in(w, 2)) {
		world_count(w, EVENT_STOP_FOR_GOOD);
		w->plan.for_good = false;
		p->is_stopped_for_good = true;
		p->stopped_until = w->now.us + FOR_GOOD_US;
	}
}

static void
skew(struct world *w, struct proc *p)
{
	int64_t by = 1 +
		(int64_t)world_below(w,
			world_one_in(w, 4) ? 30000000 : 3000000);

	if (world_one_in(w, 2))
		by = -by;
	world_count(w, by < 0 ? EVENT_CLOCK_BACK : EVENT_CLOCK_AHEAD);
	p->skew_us += by;
	if (p->skew_us > 40000000 || p->skew_us < -40000000)
		p->skew_us = 0;
}

/* One in so many times: the two points where most is at stake come once in a
 * batch, and are to be met as often as others. */
static unsigned
fault_in(const struct world *w, enum sim_point at)
{
	bool is_rare = at == POINT_COPY || at == POINT_SENT;

	return is_rare ? 1 + w->plan.fault_in / 5 : w->plan.fault_in;
}

void
world_befall(struct world *w, struct proc *p, enum sim_point at)
{
	unsigned kind = world_below(w, FAULTS);

	if (w->calm || w->plan.faults == 0 ||
		!world_one_in(w, fault_in(w, at)) ||
		(w->plan.kinds & 1u << kind) == 0)
		return;
	w->plan.faults--;
	switch ((enum fault)kind) {
	case FAULT_CRASH:
		world_count(w, EVENT_CRASH + (unsigned)at);
		proc_kill(p);
		break;
	case FAULT_STOP:
		stop(w, p, at);
		break;
	case FAULT_CUT:
		world_count(w, EVENT_CUT);
		if (p->pg != NULL)
			twin_pg_cut(p->pg);
		break;
	case FAULT_CLOCK:
		skew(w, p);
		break;
	case FAULT_RESTART:
		server_restart(&w->server);
		break;
	case FAULT_NAME:
		if (p->consumer != NULL && !p->consumer->finished)
			broker_take_name(&w->broker, p);
		break;
	case FAULT_LEAVE:
		p->leaving = true;
		break;
	case FAULT_REFUSE:
	case FAULTS:
		break;
	}
}

enum refusal
world_refusal(struct world *w, size_t records)
{
	if (!w->calm && (w->plan.kinds & 1u << FAULT_REFUSE) != 0 &&
		records > 1 && world_one_in(w, 12)) {
		world_count(w, EVENT_REFUSED_ONCE);
		return REFUSED_ROWS;
	}
	if (!w->calm && world_one_in(w, 80)) {
		world_count(w, EVENT_DAY_MISSING);
		return REFUSED_DAY;
	}
	return REFUSED_NOT;
}

/* ---- processes ---- */

static int
count_alive(const struct world *w)
{
	int n = 0;

	for (int i = 0; i < w->process_count; i++)
		n += w->processes[i].alive && !w->processes[i].killed &&
			!w->processes[i].leaving &&
			!w->processes[i].is_stopped_for_good;
	return n;
}

static void
keep_writers(struct world *w)
{
	int alive = count_alive(w);

	if (w->process_count == WORLD_PROCESSES || alive >= w->plan.writers ||
		(alive > 0 && !world_one_in(w, 25)))
		return;
	proc_start(&w->processes[w->process_count], w, w->process_count + 1);
	w->process_count++;
}

static struct proc *
pick(struct world *w)
{
	struct proc *found = NULL;
	unsigned seen = 0;

	for (int i = 0; i < w->process_count; i++) {
		if (proc_can_run(&w->processes[i]) &&
			world_below(w, ++seen) == 0)
			found = &w->processes[i];
	}
	return found;
}

/* Nobody can go on: to the next moment at which somebody can. */
static void
skip_time(struct world *w)
{
	int64_t next = server_next(&w->server);

	for (int i = 0; i < w->process_count; i++) {
		const struct proc *p = &w->processes[i];
		int64_t at = p->stopped_until != 0 && !p->in_server
			? p->stopped_until
			: p->wake_at;

		if (p->alive && at < next)
			next = at;
	}
	if (next != INT64_MAX && next > w->now.us)
		w->now.us = next;
}

/* ---- a turn ---- */

static void
send_some(struct world *w)
{
	unsigned n = 1 + world_below(w, w->plan.burst);

	while (n-- > 0 && commands_sent(w->commands) < w->plan.commands)
		commands_send(w->commands, w);
}

static void
change_something(struct world *w)
{
	if (world_one_in(w, 4 * w->plan.burst))
		send_some(w);
	if (world_one_in(w, w->plan.rebalance_in))
		broker_rebalance(&w->broker);
	if (world_one_in(w, w->plan.admin_in))
		(void)server_wants_pauses(&w->server,
			(int)world_below(w, SERVER_PAUSE_SETS));
}

static void
turn(struct world *w)
{
	struct proc *p;

	w->turns++;
	w->now.us += 1 + world_below(w, 150);
	server_turn(&w->server);
	broker_turn(&w->broker);
	keep_writers(w);
	p = pick(w);
	if (p != NULL)
		proc_resume(p);
	else
		skip_time(w);
}

/* Turns until done() or something is wrong. */
static void
turn_until(struct world *w, bool (*done)(struct world *w), const char *what)
{
	int64_t began = w->now.us;

	while (w->failure[0] == '\0' && !done(w)) {
		int64_t us = w->now.us - began;

		if (w->turns > TURNS_MAX || (w->calm && us > CALM_US)) {
			world_fail(w, "stuck: %s, after %u turns, %lld s", what,
				w->turns, (long long)us / 1000000);
			return;
		}
		turn(w);
		if (!w->calm)
			change_something(w);
	}
}

static bool
all_consumed(struct world *w)
{
	for (int i = 0; i < w->broker.part_count; i++) {
		const struct fence_row *f = &w->server.fences[i];

		if (w->broker.parts[i].end > 0 &&
			(!f->exists || f->next_offset < w->broker.parts[i].end))
			return false;
	}
	return true;
}

static bool
faults_are_over(struct world *w)
{
	return w->turns >= w->plan.turns &&
		commands_sent(w->commands) >= w->plan.commands;
}

static bool
is_settled(const struct world *w)
{
	const struct mem_rows *rows = mem_store_tables(w->server.store);

	for (size_t i = 0; i < rows->all[ROW_MARKET].count; i++) {
		const struct mem_row *m =
			(const void *)rows->all[ROW_MARKET].rows[i];

		if (((const struct market *)(const void *)m->row)->state ==
			MARKET_SETTLING)
			return false;
	}
	return true;
}

static bool
nothing_is_due(const struct world *w)
{
	const struct mem_rows *rows = mem_store_tables(w->server.store);

	for (unsigned k = ROW_ACCOUNT; k <= ROW_SKU; k++) {
		for (size_t i = 0; i < rows->all[k].count; i++) {
			const struct mem_row *m =
				(const void *)rows->all[k].rows[i];

			for (size_t n = 0; n < m->open.count; n++) {
				if (mem_store_deadline(m->open.rows[n]) <=
						w->now.us &&
					!server_is_bad(m->open.rows[n]))
					return false;
			}
		}
	}
	return true;
}

static bool
all_done(struct world *w)
{
	return all_consumed(w) && is_settled(w) && nothing_is_due(w);
}

static bool
all_ended(struct world *w)
{
	for (int i = 0; i < w->process_count; i++) {
		if (w->processes[i].alive)
			return false;
	}
	return true;
}

/* ---- a history ---- */

static void
draw_plan(struct world *w)
{
	struct world_plan *p = &w->plan;

	p->writers = 1 + (int)world_below(w, WORLD_WRITERS);
	p->commands = 12 + world_below(w, 40);
	p->turns = 60 + world_below(w, 400);
	p->faults = world_below(w, 8);
	p->fault_in = 3 + world_below(w, 30);
	p->kinds = world_one_in(w, 3) ? (1u << FAULTS) - 1
				      : world_below(w, 1u << FAULTS);
	p->yield_in = 1 + world_below(w, 6);
	p->admin_in = world_one_in(w, 3) ? 20 + world_below(w, 100) : 0;
	p->rebalance_in = world_one_in(w, 2) ? 10 + world_below(w, 150) : 0;
	p->burst = world_one_in(w, 2) ? 1 : 2 + world_below(w, 8);
	p->hot = world_one_in(w, 3);
	p->market = world_one_in(w, 4);
	p->fill_in = p->market ? 3 : 12;
	p->print_in = world_one_in(w, 3) ? 5 : 0;
	p->rates = world_one_in(w, 4);
	p->for_good = world_one_in(w, 4);
}

/* The faults are over: clocks are set right, who was stopped wakes up soon, or
 * not before everything has come to its end without him. */
static void
calm_down(struct world *w)
{
	w->calm = true;
	w->plan.writers = w->plan.writers > 2 ? 2 : w->plan.writers;
	for (int i = 0; i < w->process_count; i++) {
		struct proc *p = &w->processes[i];

		p->skew_us = 0;
		if (!p->is_stopped_for_good &&
			p->stopped_until > w->now.us + 3000000)
			p->stopped_until =
				w->now.us + 1 + world_below(w, 3000000);
	}
}

static void
play(struct world *w)
{
	w->calm = true;
	commands_open(w->commands, w);
	turn_until(w, all_consumed, "the books are not opened");
	w->calm = false;
	turn_until(w, faults_are_over, "faults");
	calm_down(w);
	turn_until(w, all_consumed, "records are not consumed");
	w->now.us += AFTER_US;
	turn_until(w, all_done, "something due is not settled");
	for (int i = 0; i < w->process_count; i++) {
		w->processes[i].leaving = true;
		proc_poke(&w->processes[i]);
		if (w->processes[i].is_stopped_for_good)
			proc_kill(&w->processes[i]);
	}
	w->plan.writers = 0;
	turn_until(w, all_ended, "a writer does not end");
	if (w->failure[0] == '\0')
		judge(w);
}

/* After a failure: whoever is in the middle of something unwinds. */
static void
end_processes(struct world *w)
{
	for (int i = 0; i < w->process_count; i++) {
		struct proc *p = &w->processes[i];

		while (p->alive) {
			proc_kill(p);
			proc_resume(p);
		}
	}
}

_Static_assert(SERVER_PARTS == BROKER_PARTS, "the same numbers");

static void
open_topics(struct world *w)
{
	int parts[BROKER_TOPICS];

	parts[BROKER_COMMANDS] = 1 + (int)world_below(w, 4);
	parts[BROKER_FILLS] = 1 + (int)world_below(w, 2);
	parts[BROKER_TRADES] = 1 + (int)world_below(w, 2);
	broker_open(&w->broker, w, parts);
}

static void
begin(struct world *w, uint64_t seed)
{
	struct batch_context context = {.number = 0};

	ch_rng_seed(&w->rng, seed);
	w->now.us = START_US + (int64_t)ch_rng_below(&w->rng, 1000000);
	w->process_count = 0;
	w->running = NULL;
	w->turns = 0;
	w->failure[0] = '\0';
	draw_plan(w);
	commands_reset(w->commands);
	server_open(&w->server, w);
	open_topics(w);
	world_rates(w, &context);
	mem_store_rates(w->server.store, context.rates, context.rate_count);
}

bool
world_play(struct world *w, uint64_t seed, enum sim_bug bug,
	struct sim_counts *counts)
{
	now_played = w;
	w->bug = bug;
	w->counts = counts;
	begin(w, seed);
	play(w);
	end_processes(w);
	server_close(&w->server);
	broker_close(&w->broker);
	now_played = NULL;
	return w->failure[0] == '\0';
}
