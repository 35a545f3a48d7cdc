/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write_records: records of any bytes to Kafka, as kcat's arguments cannot
 * hold them (binary headers, null values, timestamps).
 *
 *	write-records <bootstrap> [commit|abort] < lines
 *
 * A line is: topic partition timestamp-ms key value { name=value }, by single
 * spaces; key, value and the headers' values in hex, "-" for null; the
 * timestamp 0 is now. commit, abort: all of it in one transaction, which ends so.
 * Exit status: 0 all are acknowledged; 1 not; 64 usage.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "base/err.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"

#define FLUSH_MS 60000

static void
fail(const char *what, const char *why)
{
	(void)fprintf(stderr, "write-records: %s: %s\n", what, why);
	exit(1);
}

static void
reported(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	(void)rk;
	(void)opaque;
	if (m->err != 0)
		fail("not acknowledged", rd_kafka_err2str(m->err));
}

struct bytes {
	char *ptr;
	size_t len;
};

static struct bytes
bytes_of(struct ch_view text, struct ch_arena *arena)
{
	char *out;

	if (ch_view_eq_str(text, "-"))
		return (struct bytes){NULL, 0};
	out = ch_arena_alloc(arena, text.len / 2 + 1);
	if (text.len % 2 != 0 || !ch_hex_decode(text, out, text.len / 2))
		fail("not hex", "a key, a value or a header's value");
	return (struct bytes){out, text.len / 2};
}

static struct ch_view
next(struct ch_view *line)
{
	struct ch_view part;

	if (!ch_view_split(line, ' ', &part))
		fail("line", "it is too short");
	return part;
}

static int64_t
next_number(struct ch_view *line)
{
	int64_t n;

	if (ch_view_int(next(line), 0, INT64_MAX, &n) != CH_OK)
		fail("line", "no number");
	return n;
}

static rd_kafka_headers_t *
headers_of(struct ch_view *line, struct ch_arena *arena)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(8);
	struct ch_view part, name;
	struct bytes value;

	while (ch_view_split(line, ' ', &part)) {
		if (!ch_view_split(&part, '=', &name))
			fail("header", "no name");
		value = bytes_of(part, arena);
		rd_kafka_header_add(headers, name.ptr, (ssize_t)name.len,
			value.ptr, (ssize_t)value.len);
	}
	return headers;
}

static void
send_line(rd_kafka_t *rk, struct ch_view line)
{
	struct ch_arena arena = CH_ARENA_INIT;
	const char *topic = ch_arena_str(&arena, next(&line));
	int32_t part = (int32_t)next_number(&line);
	int64_t at = next_number(&line);
	struct bytes key = bytes_of(next(&line), &arena);
	struct bytes value = bytes_of(next(&line), &arena);
	rd_kafka_headers_t *headers = headers_of(&line, &arena);
	rd_kafka_resp_err_t code;

	code = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
		RD_KAFKA_V_PARTITION(part), RD_KAFKA_V_TIMESTAMP(at),
		RD_KAFKA_V_KEY(key.ptr, key.len),
		RD_KAFKA_V_VALUE(value.ptr, value.len),
		RD_KAFKA_V_HEADERS(headers),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
	if (code != 0)
		fail(topic, rd_kafka_err2str(code));
	rd_kafka_poll(rk, 0);
	ch_arena_free(&arena);
}

static void
check(rd_kafka_error_t *e, const char *what)
{
	if (e != NULL)
		fail(what, rd_kafka_error_string(e));
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) !=
		RD_KAFKA_CONF_OK)
		fail("configuration", why);
}

static rd_kafka_t *
open_producer(const char *bootstrap, bool transaction)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];
	rd_kafka_t *rk;

	rd_kafka_conf_set_dr_msg_cb(conf, reported);
	set(conf, "bootstrap.servers", bootstrap);
	set(conf, "enable.idempotence", "true");
	if (transaction)
		set(conf, "transactional.id", "write-records");
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (rk == NULL)
		fail("producer", why);
	if (transaction) {
		check(rd_kafka_init_transactions(rk, FLUSH_MS), "transactions");
		check(rd_kafka_begin_transaction(rk), "begin");
	}
	return rk;
}

int
main(int argc, char **argv)
{
	const char *end = argc == 3 ? argv[2] : "";
	char *line = NULL;
	size_t room = 0;
	rd_kafka_t *rk;
	ssize_t n;

	if (argc < 2 || argc > 3)
		return 64;
	rk = open_producer(argv[1], argc == 3);
	while ((n = getline(&line, &room, stdin)) > 0)
		send_line(rk, ch_view_trim((struct ch_view){line, (size_t)n}));
	free(line);
	if (rd_kafka_flush(rk, FLUSH_MS) != 0)
		fail("flush", "not acknowledged in time");
	if (strcmp(end, "commit") == 0)
		check(rd_kafka_commit_transaction(rk, FLUSH_MS), end);
	else if (argc == 3)
		check(rd_kafka_abort_transaction(rk, FLUSH_MS), end);
	rd_kafka_destroy(rk);
	return 0;
}
