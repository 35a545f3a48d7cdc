/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world: one history: some writers (proc.h), PostgreSQL (server.h) and
 * Kafka (broker.h), a clock, and what befalls them, all drawn from one seed.
 *
 * The writers run the real loop, intake, fence, apply, sweep, poison, trades,
 * load, partition, batch and books of services/ledger-writer. What stands below
 * them is put in its place at link time: twin_pg.c (io/pg.h), twin_copy.c
 * (io/pg_copy.h), twin_kafka.c (io/kafka_consumer.h), twin_names.c, twin_lock.c,
 * twin_lock_rows.c, twin_write.c, twin_sql.c and twin_trades.c (what the SQL
 * does), twin_daemon.c (the skeleton).
 *
 * Nothing is drawn but from `rng`, and no real clock is read, so that a seed
 * tells a history again, step by step.
 *
 * Thread: one world at a time, in one thread.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/rng.h"
#include "broker.h"
#include "bug.h"
#include "commands.h"
#include "event.h"
#include "proc.h"
#include "server.h"

#define WORLD_WRITERS 4	   /* alive at once */
#define WORLD_PROCESSES 24 /* of one history, dead ones included */

/* The `ref` of commands whose row PostgreSQL does not take. */
#define WORLD_POISON "poison"

/* What may befall a writer at a point. */
enum fault {
	FAULT_CRASH,
	FAULT_STOP,
	FAULT_CUT,
	FAULT_CLOCK,
	FAULT_RESTART, /* of PostgreSQL */
	FAULT_NAME,    /* its static name is taken */
	FAULT_LEAVE,
	FAULT_REFUSE, /* rows of a batch are refused once: not at points */
	FAULTS
};

enum refusal { REFUSED_NOT, REFUSED_ROWS, REFUSED_DAY };

/* What this history is like. */
struct world_plan {
	int writers;
	size_t commands;
	unsigned turns;	   /* so long faults may come */
	unsigned faults;   /* so many may befall writers */
	unsigned fault_in; /* one in so many points */
	unsigned kinds;	   /* bits of enum fault: which */
	unsigned yield_in; /* a writer is left at one in so many points */
	unsigned admin_in; /* a change of pauses in so many turns; 0: none */
	unsigned rebalance_in;
	unsigned fill_in;  /* one in so many of what is sent is a venue's */
	unsigned print_in; /* the same of a feed of trades; 0: none */
	bool market;	   /* it is about orders and trades */
	unsigned burst;	   /* so many commands at once, at most */
	bool hot;	   /* all of them speak of the same few accounts */
	bool rates;
	bool for_good; /* somebody may be stopped until the end */
};

struct world {
	struct ch_rng rng;
	struct ch_time
		now; /* PostgreSQL's clock, and what others differ from */
	enum sim_bug bug;
	struct world_plan plan;
	bool tells; /* the judge says what it sees, on stderr */
	bool calm;  /* the faults are over: everything is to come to its end */
	struct server server;
	struct broker broker;
	struct proc processes[WORLD_PROCESSES];
	int process_count;
	struct proc *running; /* whose code runs now; NULL: none */
	struct commands *commands;
	struct proc_kit kit;
	struct fiber *fibers[WORLD_PROCESSES];
	unsigned turns;
	struct sim_counts *counts;
	char failure[4096]; /* the first thing that went wrong; "": nothing */
};

/* Plays one history; false: w->failure says what was wrong. */
bool world_play(struct world *w, uint64_t seed, enum sim_bug bug,
	struct sim_counts *counts);
/* What all histories share: once in the beginning and in the end. */
struct world *world_new(void);
void world_free(struct world *w);

/* A fault, perhaps. */
void world_befall(struct world *w, struct proc *p, enum sim_point at);
/* Does PostgreSQL refuse this batch, for once? Never a record alone: that would
 * be poison; nor a sweep: that would be set aside. */
enum refusal world_refusal(struct world *w, size_t records);
int64_t world_lowest_day(const struct world *w);
/* The rules for rates of this history: in the model's form, and the core's. */
void world_serial_rates(const struct world *w, struct serial_now *now);
void world_rates(const struct world *w, struct batch_context *context);

/* The one that is played: for code that is handed no argument of ours. */
struct world *world_now(void);

void world_count(struct world *w, unsigned event);
/* true in one of n cases; n 0: never. */
bool world_one_in(struct world *w, unsigned n);
unsigned world_below(struct world *w, unsigned n);
__attribute__((format(printf, 2, 3))) void world_fail(struct world *w,
	const char *format, ...);

#endif
