/* SPDX-License-Identifier: Apache-2.0 */
/*
 * produce: count commands into a topic, as fast as Kafka takes them.
 */
#include <inttypes.h>
#include <stdio.h>

#include "bench_load.h"
#include "io/kafka_producer.h"

#define FLUSH_MS 120000

static void
send_one(const struct options *o, struct ch_kafka_producer *p, uint64_t number)
{
	struct ch_err err = CH_ERR_INIT;
	struct commands_record r;
	struct ch_kafka_message m;
	int rc;

	commands_make(&o->commands, number, &r);
	m = (struct ch_kafka_message){
		.topic = o->topic,
		.partition = CH_KAFKA_BY_KEY,
		.key = ch_view_of(r.key),
		.value = {r.value, r.value_len},
	};
	rc = ch_kafka_producer_send_within(p, &m, BENCH_SEND_MS, &err);
	if (rc != 0)
		bench_die("send", err.text);
}

int
bench_produce(const struct options *o)
{
	struct ch_mono began = ch_clock_mono(&ch_clock_real);
	int64_t failed = 0, i;
	struct ch_kafka_producer *p = bench_producer(o, 20, &failed);
	size_t lost;

	for (i = 0; i < o->count; i++) {
		send_one(o, p, (uint64_t)i);
		if (i % 256 == 0)
			ch_kafka_producer_poll(p, 0);
	}
	lost = ch_kafka_producer_close(p, FLUSH_MS);
	printf("{\"produced\":%" PRId64 ",\"failed\":%" PRId64
	       ",\"seconds\":%.3f}\n",
		o->count, failed,
		(double)ch_mono_ms_since(ch_clock_mono(&ch_clock_real), began) /
			1e3);
	return lost == 0 && failed == 0 ? 0 : 1;
}
