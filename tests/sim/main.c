/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim: plays histories of ledger-writer (world.h) until one fails; `make sim`.
 *
 * By environment, as the other random tests:
 *
 *	SEED=		one of today, unless given; always printed
 *	HISTORIES=	how many, 20000
 *	FIRST=		the first one's number, 0
 *	BUG=		a mistake of bug.h that is made, by name or number
 *	TRACE=1		the writers' log lines, and what the judge sees
 *
 * Prints how far it is at times, then what happened, kind by kind, and as its
 * last line the rate in CPU time as JSON, in the form of `make bench`, beside
 * what is wanted. Ends with 0; 1: a history failed, and the line to play that one
 * again alone is printed; 64: a value above cannot be read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim.h"

#define WANTED_A_MINUTE 10000
#define CHUNK 5000 /* histories between two signs of life */

static uint64_t
number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	char *end;
	uint64_t value;

	if (text == NULL || *text == '\0')
		return otherwise;
	value = strtoull(text, &end, 10);
	if (*end != '\0' || *text == '-') {
		(void)fprintf(stderr, "%s=%s is not a number\n", name, text);
		exit(64);
	}
	return value;
}

static enum sim_bug
bug_of(void)
{
	const char *text = getenv("BUG");
	uint64_t number;

	for (unsigned i = 0; text != NULL && i < BUGS; i++) {
		if (strcmp(text, sim_bug_names[i]) == 0)
			return (enum sim_bug)i;
	}
	number = number_of("BUG", BUG_NONE);
	if (number < BUGS)
		return (enum sim_bug)number;
	(void)fprintf(stderr, "BUG=%s: there are %d\n", text, BUGS - 1);
	exit(64);
}

/* ---- what came of it ---- */

static void
print_events(const struct sim_counts *counts)
{
	char room[64];

	for (unsigned i = 0; i < EVENTS; i++)
		(void)printf("%-22s %10llu%s",
			sim_event_name(i, room, sizeof(room)),
			(unsigned long long)counts->of[i],
			i % 3 == 2 || i + 1 == EVENTS ? "\n" : "   ");
}

static void
print_rate(const struct sim *s, uint64_t played, int64_t cpu_us)
{
	const struct sim_counts *c = &s->counts;
	double minutes = (double)cpu_us / 60e6;

	(void)printf("%llu histories, %llu batches, %llu records, %llu steps "
		     "in %.1f s of CPU time: %.0f histories a minute\n",
		(unsigned long long)played, (unsigned long long)c->batches,
		(unsigned long long)c->records, (unsigned long long)c->steps,
		(double)cpu_us / 1e6,
		minutes > 0 ? (double)played / minutes : 0);
}

/* As tests/bench/figures.py prints one. */
static void
print_figure(const struct sim *s, uint64_t played, int64_t cpu_us)
{
	double minutes = (double)(cpu_us + 1) / 60e6;
	double load = 0;

	(void)getloadavg(&load, 1);
	(void)printf("{\"bench\": \"sim\", \"case\": \"histories\", "
		     "\"ours\": %.0f, \"peer\": null, \"limit\": null, "
		     "\"ratio_peer\": null, \"ratio_limit\": null, \"unit\": "
		     "\"histories/minute of CPU time\", \"wanted\": %d, "
		     "\"histories\": %llu, \"steps\": %llu, \"seed\": %llu, "
		     "\"load\": %.4g, \"cpus\": %ld}\n",
		(double)played / minutes, WANTED_A_MINUTE,
		(unsigned long long)played, (unsigned long long)s->counts.steps,
		(unsigned long long)s->seed, load,
		sysconf(_SC_NPROCESSORS_ONLN));
}

static void
print_failure(const struct sim *s)
{
	(void)printf("FAILED %s\nagain: make sim SEED=%llu FIRST=%llu "
		     "HISTORIES=1%s%s TRACE=1\n",
		s->failure, (unsigned long long)s->seed,
		(unsigned long long)(s->first + s->played - 1),
		s->bug != BUG_NONE ? " BUG=" : "",
		s->bug != BUG_NONE ? sim_bug_names[s->bug] : "");
}

/* ---- */

/* Chunk by chunk; true: none failed. */
static bool
play_all(struct sim *s, uint64_t histories)
{
	uint64_t played = 0;
	int64_t cpu_us = 0;
	bool good = true;

	while (good && played < histories) {
		s->count =
			histories - played < CHUNK ? histories - played : CHUNK;
		good = sim_run(s);
		played += s->played;
		cpu_us += s->cpu_us;
		if (good && played < histories) {
			(void)printf("%llu\n", (unsigned long long)played);
			(void)fflush(stdout);
			s->first += s->count;
		}
	}
	print_events(&s->counts);
	print_rate(s, played, cpu_us);
	if (good)
		print_figure(s, played, cpu_us);
	return good;
}

int
main(void)
{
	struct sim s = {.seed = number_of("SEED",
				(uint64_t)ch_clock_wall(&ch_clock_real).us %
					1000000007),
		.first = number_of("FIRST", 0),
		.bug = bug_of(),
		.trace = number_of("TRACE", 0) != 0};
	uint64_t histories = number_of("HISTORIES", 20000);

	(void)printf("SEED=%llu HISTORIES=%llu FIRST=%llu BUG=%s\n",
		(unsigned long long)s.seed, (unsigned long long)histories,
		(unsigned long long)s.first, sim_bug_names[s.bug]);
	(void)fflush(stdout);
	if (play_all(&s, histories))
		return EXIT_SUCCESS;
	print_failure(&s);
	return EXIT_FAILURE;
}
