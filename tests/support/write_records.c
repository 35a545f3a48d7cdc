/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write_records: records of any bytes to Kafka, as kcat's arguments cannot
 * hold them (binary headers, null values, timestamps).
 *
 *	write-records <bootstrap> < lines
 *
 * A line is: topic partition timestamp-ms key value { name=value }, by single
 * spaces; key, value and the headers' values in hex, "-" for null; the
 * timestamp 0 is now.
 * Exit status: 0 all are acknowledged; 1 not; 64 usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "base/err.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"

#define FLUSH_MS 30000

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

int
main(int argc, char **argv)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256], *line = NULL;
	size_t room = 0;
	rd_kafka_t *rk;
	ssize_t n;

	if (argc != 2)
		return 64;
	rd_kafka_conf_set_dr_msg_cb(conf, reported);
	if (rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], why,
		    sizeof(why)) != RD_KAFKA_CONF_OK ||
		rd_kafka_conf_set(conf, "enable.idempotence", "true", why,
			sizeof(why)) != RD_KAFKA_CONF_OK)
		fail("configuration", why);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (rk == NULL)
		fail("producer", why);
	while ((n = getline(&line, &room, stdin)) > 0)
		send_line(rk, ch_view_trim((struct ch_view){line, (size_t)n}));
	free(line);
	if (rd_kafka_flush(rk, FLUSH_MS) != 0)
		fail("flush", "not acknowledged in time");
	rd_kafka_destroy(rk);
	return 0;
}
