/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latency: from a command's send to its result at a consumer, by one clock.
 *
 * At a rate the load is open: a command's time is the one at which it was due,
 * not the one at which a slow producer got round to it; it wakes once in a
 * millisecond and lets records gather as a client does by default (5 ms), since
 * a request for each of many thousands a second measures the broker and the load
 * itself. One at a time, each is sent at once, and the next
 * goes out a random moment after the last one's result, so that it meets an
 * idle fleet at no particular phase.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "bench_load.h"
#include "io/kafka_producer.h"

#define TICK_NS 1000000

struct run {
	const struct options *o;
	struct commands commands;
	struct ch_kafka_producer *producer;
	rd_kafka_t *consumer;
	_Atomic int64_t *sent; /* ns, by number */
	int64_t *took;	       /* ns, by number; 0: no result yet */
	int64_t results, applied, failed;
};

static int64_t
now_ns(void)
{
	return ch_clock_mono(&ch_clock_real).ns;
}

static void
send_at(struct run *r, int64_t number, int64_t due_ns)
{
	struct ch_err err = CH_ERR_INIT;
	struct commands_record rec;
	struct ch_kafka_message m;

	commands_make(&r->commands, (uint64_t)number, &rec);
	m = (struct ch_kafka_message){
		.topic = r->o->topic,
		.partition = CH_KAFKA_BY_KEY,
		.key = ch_view_of(rec.key),
		.value = {rec.value, rec.value_len},
	};
	atomic_store(&r->sent[number], due_ns);
	if (ch_kafka_producer_send_within(r->producer, &m, BENCH_SEND_MS,
		    &err) != 0)
		bench_die("send", err.text);
}

/* One result, or none within wait_ms. */
static bool
receive(struct run *r, int wait_ms)
{
	rd_kafka_message_t *m = rd_kafka_consumer_poll(r->consumer, wait_ms);
	int64_t now = now_ns();
	struct ch_view v;
	uint32_t n;

	if (m == NULL)
		return false;
	v = (struct ch_view){m->payload, m->len};
	if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR && commands_number_of(v, &n) &&
		n < r->o->count && r->took[n] == 0) {
		r->took[n] = now - atomic_load(&r->sent[n]);
		r->results++;
		r->applied += memmem(v.ptr, v.len, "\"status\":\"applied\"",
				      18) != NULL;
	}
	rd_kafka_message_destroy(m);
	return true;
}

static void
one_at_a_time(struct run *r)
{
	int64_t give_up, before;
	struct ch_rng rng;
	int64_t i;

	ch_rng_seed(&rng, r->commands.seed);
	for (i = 0; i < r->o->count; i++) {
		before = r->results;
		give_up = now_ns() + r->o->seconds * 1000000000;
		send_at(r, i, now_ns());
		while (r->results == before && now_ns() < give_up)
			(void)receive(r, 100);
		ch_kafka_producer_poll(r->producer, 0);
		(void)receive(r, 10 + (int)ch_rng_below(&rng, 20));
	}
}

static void
sleep_until(int64_t ns)
{
	struct timespec at = {ns / 1000000000, ns % 1000000000};

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void *
send_all(void *arg)
{
	struct run *r = arg;
	int64_t began = now_ns(), due, i;

	for (i = 0; i < r->o->count; i++) {
		due = began + i * 1000000000 / r->o->rate;
		if (due > now_ns()) {
			ch_kafka_producer_poll(r->producer, 0);
			sleep_until(due + TICK_NS);
		}
		send_at(r, i, due);
	}
	return NULL;
}

static void
at_rate(struct run *r)
{
	int64_t give_up = now_ns() +
		(r->o->seconds + r->o->count / r->o->rate) * 1000000000;
	pthread_t sender;

	if (pthread_create(&sender, NULL, send_all, r) != 0)
		bench_die("latency", "no thread");
	while (r->results < r->o->count && now_ns() < give_up)
		(void)receive(r, 100);
	(void)pthread_join(sender, NULL);
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static double
quantile(const struct run *r, int64_t per_mille)
{
	int64_t missing = r->o->count - r->results;
	int64_t at = missing + (r->results - 1) * per_mille / 1000;

	return r->results > 0 ? (double)r->took[at] / 1e6 : -1;
}

static void
tell(struct run *r)
{
	qsort(r->took, (size_t)r->o->count, sizeof(*r->took), by_value);
	printf("{\"sent\":%" PRId64 ",\"results\":%" PRId64
	       ",\"applied\":%" PRId64 ",\"p50_ms\":%.3f,\"p90_ms\":%.3f,"
	       "\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
		r->o->count, r->results, r->applied, quantile(r, 500),
		quantile(r, 900), quantile(r, 990), quantile(r, 1000));
}

int
bench_latency(const struct options *o)
{
	struct run r = {.o = o, .commands = o->commands};
	int64_t ends[64];
	int partitions;
	bool whole;

	r.commands.duplicates = 0; /* a number has one result */
	r.sent = ch_xcalloc((size_t)o->count, sizeof(*r.sent));
	r.took = ch_xcalloc((size_t)o->count, sizeof(*r.took));
	r.consumer = bench_consumer(o->bootstrap, o->results, false, ends,
		&partitions);
	r.producer = bench_producer(o, o->rate == 0 ? 0 : -1, &r.failed);
	(void)receive(&r, 1000); /* the connections are made */
	if (o->rate == 0)
		one_at_a_time(&r);
	else
		at_rate(&r);
	whole = r.results == o->count && r.failed == 0;
	(void)ch_kafka_producer_close(r.producer, 5000);
	rd_kafka_consumer_close(r.consumer);
	rd_kafka_destroy(r.consumer);
	tell(&r);
	free(r.sent);
	free(r.took);
	return whole ? 0 : 1;
}
