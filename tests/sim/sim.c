/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim: see sim.h.
 */
#include "sim.h"

#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "world.h"

/* One step of splitmix64: neighbours have nothing in common. */
static uint64_t
seed_of(uint64_t seed, uint64_t history)
{
	uint64_t z = seed * UINT64_C(0x9e3779b97f4a7c15) + history +
		UINT64_C(0x2545f4914f6cdd1d);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static int64_t
cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

bool
sim_run(struct sim *s)
{
	struct world *w = world_new();
	int64_t began = cpu_us();
	bool good = true;

	w->tells = s->trace;
	ch_log_level_set(s->trace ? CH_LOG_INFO
				  : (enum ch_log_level)(CH_LOG_ERROR + 1));
	for (s->played = 0; good && s->played < s->count; s->played++) {
		uint64_t i = s->first + s->played;

		good = world_play(w, seed_of(s->seed, i), s->bug, &s->counts);
		if (!good)
			(void)snprintf(s->failure, sizeof(s->failure),
				"history %llu: %s", (unsigned long long)i,
				w->failure);
	}
	s->cpu_us = cpu_us() - began;
	world_free(w);
	return good;
}
