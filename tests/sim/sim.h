/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim: many histories one after the other, and what came of them.
 *
 * History i of a seed has a seed of its own, so that one that failed can be
 * played again alone: SEED= FIRST=<i> HISTORIES=1.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "bug.h"
#include "event.h"

struct sim {
	uint64_t seed;
	uint64_t first, count; /* histories */
	enum sim_bug bug;
	bool trace; /* the writers' own log lines go to stderr */
	/* what came of it */
	uint64_t played;
	struct sim_counts counts;
	int64_t cpu_us;
	char failure[4200]; /* of the first history that failed */
};

/* Plays them up to the first that fails: false. */
bool sim_run(struct sim *s);

#endif
