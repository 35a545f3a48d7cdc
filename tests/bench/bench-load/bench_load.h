/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_load: the verbs of bench-load and what they share. Each verb prints
 * one JSON object on stdout and returns the exit status.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <librdkafka/rdkafka.h>

#include "base/clock.h"
#include "commands.h"

#define BENCH_SEND_MS 60000 /* how long a record may wait for room */

struct ch_kafka_producer;
struct ch_kafka_delivery;

struct options {
	const char *verb;
	const char *bootstrap;
	const char *topic;	  /* that is written, or read */
	const char *results;	  /* latency, floor: where the answers come */
	const char *database_url; /* floor, forward: the database */
	const char *slot, *publication; /* forward: what is read */
	const char *out; /* read: "<id header> <timestamp ms>" a line */
	struct commands commands;
	int64_t count;
	int64_t rate;	 /* latency: a second; 0: one at a time */
	int64_t seconds; /* read, latency, floor: patience */
};

int bench_produce(const struct options *o);
int bench_latency(const struct options *o);
int bench_floor(const struct options *o);
/* Does not return. */
int bench_forward(const struct options *o);
int bench_read(const struct options *o);

/* ---- Kafka, for tools: what fails ends the program with its reason ---- */

/* Counts into *failed what Kafka did not take. */
struct ch_kafka_producer *bench_producer(const struct options *o, int linger_ms,
	int64_t *failed);
/* A consumer of all partitions, from their first or behind their last record;
 * ends[p] is the last offset plus one. Free with rd_kafka_destroy. */
rd_kafka_t *bench_consumer(const char *bootstrap, const char *topic,
	bool from_first, int64_t ends[64], int *partitions);
/* Records in the topic now. */
int64_t bench_ends(rd_kafka_t *rk, const char *topic, int partitions,
	int64_t ends[64]);
_Noreturn void bench_die(const char *what, const char *why);

#endif
