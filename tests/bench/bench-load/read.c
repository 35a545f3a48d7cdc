/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read: waits until a topic holds so many records, then reads it from the
 * beginning and tells how many there are, how many different ids they carry
 * (header "id", Debezium's), and the first and last timestamp.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "bench_load.h"
#include "io/kafka_producer.h"

#define BATCH 2048

struct tally {
	uint64_t *ids; /* hashes of the header */
	size_t count, cap;
	int64_t first_ms, last_ms;
	FILE *out;
};

static uint64_t
hash(const char *s, size_t n)
{
	uint64_t h = UINT64_C(14695981039346656037);
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ (uint8_t)s[i]) * UINT64_C(1099511628211);
	return h;
}

static void
take(struct tally *t, const rd_kafka_message_t *m)
{
	rd_kafka_timestamp_type_t type;
	int64_t ms = rd_kafka_message_timestamp(m, &type);
	rd_kafka_headers_t *headers;
	const void *id = NULL;
	size_t len = 0;

	if (rd_kafka_message_headers(m, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
		(void)rd_kafka_header_get_last(headers, "id", &id, &len);
	if (t->count == t->cap) {
		t->cap = t->cap > 0 ? t->cap * 2 : 65536;
		t->ids = ch_xrealloc(t->ids, t->cap, sizeof(*t->ids));
	}
	if (t->count == 0 || ms < t->first_ms)
		t->first_ms = ms;
	if (t->count == 0 || ms > t->last_ms)
		t->last_ms = ms;
	t->ids[t->count++] = hash(id, id != NULL ? len : 0);
	if (t->out != NULL)
		fprintf(t->out, "%.*s %" PRId64 "\n", (int)len,
			id != NULL ? (const char *)id : "", ms);
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static size_t
distinct(struct tally *t)
{
	size_t i, n = t->count > 0;

	qsort(t->ids, t->count, sizeof(*t->ids), by_value);
	for (i = 1; i < t->count; i++)
		n += t->ids[i] != t->ids[i - 1];
	return n;
}

/* The records that are there once at least o->count are. */
static int64_t
await(const struct options *o, rd_kafka_t *rk, int partitions)
{
	struct ch_mono began = ch_clock_mono(&ch_clock_real);
	int64_t ends[64], there;

	while ((there = bench_ends(rk, o->topic, partitions, ends)) <
			o->count &&
		ch_mono_ms_since(ch_clock_mono(&ch_clock_real), began) <
			o->seconds * 1000) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 50);
		if (m != NULL)
			bench_die("await", "a record of no partition of ours");
	}
	return there;
}

static void
read_all(struct tally *t, rd_kafka_t *rk, int64_t there)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
	rd_kafka_message_t *got[BATCH];
	ssize_t n, i;

	while ((int64_t)t->count < there) {
		n = rd_kafka_consume_batch_queue(queue, 5000, got, BATCH);
		if (n <= 0)
			bench_die("read", "no more records within 5 s");
		for (i = 0; i < n; i++) {
			if (got[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR)
				take(t, got[i]);
			rd_kafka_message_destroy(got[i]);
		}
	}
	rd_kafka_queue_destroy(queue);
}

int
bench_read(const struct options *o)
{
	struct tally t = {0};
	int64_t ends[64], there;
	int partitions;
	rd_kafka_t *rk =
		bench_consumer(o->bootstrap, o->topic, true, ends, &partitions);

	/* not fetching while the records are being made */
	rd_kafka_assign(rk, NULL);
	there = await(o, rk, partitions);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
	if (o->out != NULL && (t.out = fopen(o->out, "we")) == NULL)
		bench_die(o->out, "cannot be written");
	rk = bench_consumer(o->bootstrap, o->topic, true, ends, &partitions);
	read_all(&t, rk, there);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
	if (t.out != NULL && fclose(t.out) != 0)
		bench_die(o->out, "cannot be written");
	printf("{\"records\":%zu,\"distinct\":%zu,\"first_ms\":%" PRId64
	       ",\"last_ms\":%" PRId64 "}\n",
		t.count, distinct(&t), t.first_ms, t.last_ms);
	free(t.ids);
	return there >= o->count ? 0 : 1;
}
