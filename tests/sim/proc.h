/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc: one writer's process: the real loop in a fiber, with a clock of its
 * own.
 *
 * Code of the twins calls proc_point() where a process may die or be stopped,
 * and proc_wait() where it would sleep. A process that was killed cannot simply
 * vanish, since its memory is to be freed: from then on each call of the twins
 * fails at once without any effect, until the loop has returned and
 * loop_stop() has run.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_PROC_H
#define TESTS_SIM_PROC_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/daemon.h"
#include "event.h"
#include "fiber.h"

struct world;
struct ch_pg;
struct ch_kafka_consumer;

struct proc {
	struct world *world;
	int number; /* from 1 */
	struct fiber *fiber;
	struct ch_clock clock;
	struct ch_runtime rt;
	struct ch_pg *pg;		    /* its session's; NULL: none */
	struct ch_kafka_consumer *consumer; /* NULL: none */
	int64_t skew_us;		    /* of its clock */
	bool alive;			    /* the fiber has work */
	bool killed;			    /* it only unwinds */
	bool leaving;			    /* it was asked to end */
	bool in_server; /* PostgreSQL works for it, stopped or not */
	bool watches;	/* it would wake up for a record */
	bool poked;
	int64_t wake_at;       /* unless poked */
	int64_t stopped_until; /* 0: it runs */
	int64_t stopped_at;
	bool is_stopped_for_good; /* until the history's end */
	size_t begun; /* so many commits were done when its batch began */
	int64_t kept_number; /* of its last batch; for BUG_OLD_NUMBER */
};

/* Begins one; its fiber runs with the first proc_resume(). */
void proc_start(struct proc *p, struct world *w, int number);
/* As kill -9. */
void proc_kill(struct proc *p);
/* Can it go on now? */
bool proc_can_run(const struct proc *p);
void proc_resume(struct proc *p);
/* What it waits for may have come. */
void proc_poke(struct proc *p);
/* What the processes of all worlds share: settings and metrics. */
struct proc_kit {
	struct ch_params *params;
	struct ch_metrics *metrics;
};
void proc_kit_open(struct proc_kit *kit);
void proc_kit_close(struct proc_kit *kit);

/* ---- inside of its fiber ---- */

/* Something may befall it here. */
void proc_point(struct proc *p, enum sim_point at);
/* Lets others go on, until that time or until it is poked. */
void proc_wait(struct proc *p, int64_t until);
/* What PostgreSQL was doing for it has ended: if it was stopped meanwhile, it
 * is left here. */
void proc_out_of_server(struct proc *p);

#endif
