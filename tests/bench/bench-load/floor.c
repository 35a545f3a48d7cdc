/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor: the shortest way from a record to its answer that promises as much as
 * the fleet does: read, one row committed, one record sent. What a latency of
 * the fleet is held against: Kafka's two ways and PostgreSQL's fsync are in it,
 * on the same machine in the same minute. Decides nothing.
 *
 * Ends after count records, or when none came for so many seconds.
 */
#include <inttypes.h>
#include <stdio.h>

#include "bench_load.h"
#include "io/kafka_producer.h"
#include "io/pg.h"

static const struct ch_pg_stmt insert_stmt = {
	"floor_insert", "INSERT INTO bench_floor (command) VALUES ($1)"};

struct floor_ends {
	const struct options *o;
	struct ch_pg *pg;
	struct ch_kafka_producer *producer;
	rd_kafka_t *consumer;
};

static struct ch_pg *
open_database(const struct options *o)
{
	const struct ch_pg_params params = {.conninfo = o->database_url,
		.application_name = "bench-floor",
		.on_connect = "CREATE TABLE IF NOT EXISTS bench_floor "
			      "(number bigint GENERATED ALWAYS AS IDENTITY "
			      "PRIMARY KEY, command text NOT NULL)"};
	struct ch_err err = CH_ERR_INIT;
	struct ch_pg *pg = ch_pg_new(&params, &err);

	if (pg == NULL || ch_pg_connect(pg, &err) != CH_OK)
		bench_die("database", err.text);
	return pg;
}

static void
answer(struct floor_ends *f, struct ch_view value)
{
	struct ch_err err = CH_ERR_INIT;
	struct ch_pg_args args;
	struct ch_kafka_message m = {.topic = f->o->results,
		.partition = CH_KAFKA_BY_KEY,
		.value = value};

	ch_pg_args_clear(&args);
	ch_pg_arg_text(&args, value);
	if (ch_pg_query(f->pg, &insert_stmt, &args, NULL, &err) != CH_OK)
		bench_die("insert", err.text);
	if (ch_kafka_producer_send_within(f->producer, &m, BENCH_SEND_MS,
		    &err) != 0)
		bench_die("send", err.text);
	ch_kafka_producer_poll(f->producer, 0);
}

/* false: nothing came for so long. */
static bool
serve(struct floor_ends *f)
{
	rd_kafka_message_t *m =
		rd_kafka_consumer_poll(f->consumer, (int)f->o->seconds * 1000);

	if (m == NULL)
		return false;
	if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		bench_die("read", rd_kafka_message_errstr(m));
	answer(f, (struct ch_view){m->payload, m->len});
	rd_kafka_message_destroy(m);
	return true;
}

int
bench_floor(const struct options *o)
{
	int64_t failed = 0, served = 0, ends[64];
	struct floor_ends f = {.o = o, .pg = open_database(o)};
	int partitions;

	f.producer = bench_producer(o, 0, &failed);
	f.consumer =
		bench_consumer(o->bootstrap, o->topic, true, ends, &partitions);
	while (served < o->count && serve(&f))
		served++;
	(void)ch_kafka_producer_close(f.producer, 5000);
	rd_kafka_consumer_close(f.consumer);
	rd_kafka_destroy(f.consumer);
	ch_pg_free(f.pg);
	printf("{\"served\":%" PRId64 ",\"failed\":%" PRId64 "}\n", served,
		failed);
	return served == o->count && failed == 0 ? 0 : 1;
}
