/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward: the least that a relay of single rows can do and promise as much:
 * read a slot, one record for each row, tell PostgreSQL how far Kafka has it.
 * No order of keys through failures, no columns but the first ones, no
 * settings: what a relay's latency and CPU are held against, with the same
 * reader, the same client of Kafka, on the same machine in the same minute.
 *
 * The table's first columns are id, aggregate type, aggregate, type, payload.
 * Ends by a signal; whatever fails ends it with its reason.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include <libpq-fe.h>

#include "bench_load.h"
#include "io/kafka_producer.h"
#include "pgoutput.h"

#define TELL_MS 1000 /* how often PostgreSQL is told */
#define COLUMNS 5

struct forward {
	const struct options *o;
	PGconn *stream;
	struct ch_kafka_producer *producer;
	uint64_t committed; /* the end of the last transaction that was read */
	struct ch_mono told_at;
};

static PGconn *
open_stream(const struct options *o)
{
	const char *names[] = {"dbname", "replication", NULL};
	const char *values[] = {o->database_url, "database", NULL};
	PGconn *conn = PQconnectdbParams(names, values, 1);
	PGresult *res;
	char sql[256];

	(void)snprintf(sql, sizeof(sql),
		"START_REPLICATION SLOT %s LOGICAL 0/0 (proto_version '1', "
		"publication_names '%s')",
		o->slot, o->publication);
	res = PQexec(conn, sql);
	if (PQresultStatus(res) != PGRES_COPY_BOTH)
		bench_die("slot", PQerrorMessage(conn));
	PQclear(res);
	return conn;
}

/* All that was read and sent is in Kafka: only that may be told. */
static void
tell(struct forward *f)
{
	struct ch_mono now = ch_clock_mono(&ch_clock_real);
	uint8_t status[PGOUTPUT_STATUS_LEN];

	if (now.ns - f->told_at.ns < TELL_MS * INT64_C(1000000) ||
		ch_kafka_producer_pending(f->producer) > 0)
		return;
	pgoutput_status_write(status, f->committed,
		ch_clock_wall(&ch_clock_real), false);
	if (PQputCopyData(f->stream, (const char *)status, sizeof(status)) !=
			1 ||
		PQflush(f->stream) != 0)
		bench_die("status", PQerrorMessage(f->stream));
	f->told_at = now;
}

static void
send_row(struct forward *f, const struct pgoutput_message *row)
{
	struct ch_kafka_header id = {"id", row->values[0].bytes};
	struct ch_err err = CH_ERR_INIT;
	struct ch_kafka_message m = {.topic = f->o->topic,
		.partition = CH_KAFKA_BY_KEY,
		.key = row->values[2].bytes,
		.value = row->values[4].bytes,
		.headers = &id,
		.header_count = 1};

	if (row->count < COLUMNS)
		bench_die("row", "it has not the columns of an outbox");
	if (ch_kafka_producer_send_within(f->producer, &m, BENCH_SEND_MS,
		    &err) != 0)
		bench_die("send", err.text);
}

static void
take(struct forward *f, struct ch_view bytes)
{
	struct ch_err err = CH_ERR_INIT;
	struct pgoutput_frame frame;
	struct pgoutput_message m;

	if (pgoutput_frame_read(bytes, &frame, &err) != CH_OK)
		bench_die("frame", err.text);
	if (frame.kind == PGOUTPUT_KEEPALIVE)
		return;
	if (pgoutput_read(frame.body, &m, &err) != CH_OK)
		bench_die("message", err.text);
	if (m.kind == PGOUTPUT_INSERT)
		send_row(f, &m);
	if (m.kind == PGOUTPUT_COMMIT)
		f->committed = m.end_lsn;
}

static void
take_all(struct forward *f)
{
	char *bytes;
	int n;

	if (PQconsumeInput(f->stream) != 1)
		bench_die("stream", PQerrorMessage(f->stream));
	while ((n = PQgetCopyData(f->stream, &bytes, 1)) > 0) {
		take(f, (struct ch_view){bytes, (size_t)n});
		PQfreemem(bytes);
	}
	if (n < 0)
		bench_die("stream", PQerrorMessage(f->stream));
}

int
bench_forward(const struct options *o)
{
	int64_t failed = 0;
	struct forward f = {.o = o, .stream = open_stream(o)};
	struct pollfd fd = {.fd = PQsocket(f.stream), .events = POLLIN};

	f.producer = bench_producer(o, 0, &failed);
	while (failed == 0) {
		(void)poll(&fd, 1, TELL_MS);
		take_all(&f);
		(void)ch_kafka_producer_poll(f.producer, 0);
		tell(&f);
	}
	bench_die("delivery", "a record was refused");
}
