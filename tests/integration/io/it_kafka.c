/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/io/kafka_* against a real broker: BOOTSTRAP. Each test makes topics of
 * its own, with names that no other run has, and deletes them.
 * SEED= chooses the random pauses; it is printed.
 */
#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/rng.h"
#include "io/kafka_consumer.h"
#include "io/kafka_producer.h"

#define WAIT_MS 30000

static struct ch_kafka_conf *conf;
static struct ch_kafka_producer *producer;
static struct ch_err err;
static char topic[64];
static uint64_t seed;

/* ---- what was reported ---- */

#define OPAQUES 200000
static uint8_t reports[OPAQUES]; /* for each opaque */
static size_t reported, reported_ok, reported_permanent, reported_fatal;

static void
on_delivered(void *ctx, void *opaque, const struct ch_kafka_delivery *d)
{
	size_t i = (size_t)(uintptr_t)opaque;

	(void)ctx;
	ck_assert_uint_lt(i, OPAQUES);
	reports[i]++;
	reported++;
	if (d->class == CH_KAFKA_OK) {
		reported_ok++;
		ck_assert_int_ge(d->offset, 0);
		ck_assert_int_ge(d->partition, 0);
	}
	reported_permanent += d->class == CH_KAFKA_PERMANENT;
	reported_fatal += d->class == CH_KAFKA_FATAL;
}

static int64_t
now_ms(void)
{
	return ch_clock_mono(&ch_clock_real).ns / 1000000;
}

/* ---- topics ---- */

static void
admin_wait(rd_kafka_queue_t *q)
{
	rd_kafka_event_t *ev = rd_kafka_queue_poll(q, WAIT_MS);

	ck_assert_ptr_nonnull(ev);
	ck_assert_msg(rd_kafka_event_error(ev) == 0, "%s",
		rd_kafka_event_error_string(ev));
	rd_kafka_event_destroy(ev);
	rd_kafka_queue_destroy(q);
}

static void
create_topic(const char *name, int partitions, const char *max_bytes)
{
	rd_kafka_t *rk = ch_kafka_producer_raw(producer);
	rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
	rd_kafka_NewTopic_t *t;
	char why[128];

	t = rd_kafka_NewTopic_new(name, partitions, 1, why, sizeof(why));
	if (max_bytes != NULL)
		rd_kafka_NewTopic_set_config(t, "max.message.bytes", max_bytes);
	rd_kafka_CreateTopics(rk, &t, 1, NULL, q);
	admin_wait(q);
	rd_kafka_NewTopic_destroy(t);
}

/* With its metadata at hand. */
static void
make_topic(const char *name, int partitions, const char *max_bytes)
{
	rd_kafka_t *rk = ch_kafka_producer_raw(producer);
	struct ch_kafka_topic facts = {0};
	int64_t until = now_ms() + WAIT_MS;

	create_topic(name, partitions, max_bytes);
	while (!facts.exists && now_ms() < until)
		(void)ch_kafka_topic_partitions(rk, name, 1000, &facts, &err);
	ck_assert_int_eq(facts.partitions, partitions);
}

static void
delete_topic(const char *name)
{
	rd_kafka_t *rk = ch_kafka_producer_raw(producer);
	rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
	rd_kafka_DeleteTopic_t *t = rd_kafka_DeleteTopic_new(name);
	struct ch_kafka_topic facts = {.exists = true};
	int64_t until = now_ms() + WAIT_MS;

	rd_kafka_DeleteTopics(rk, &t, 1, NULL, q);
	admin_wait(q);
	rd_kafka_DeleteTopic_destroy(t);
	while (facts.exists && now_ms() < until)
		(void)ch_kafka_topic_describe(rk, name, 1000, &facts, &err);
}

static void
open_producer(void)
{
	struct ch_kafka_producer_params p = {.conf = conf,
		.client_id = "it_kafka",
		.linger_ms = 1,
		.delivered = on_delivered,
		.max_queued_messages = 200000};

	producer = ch_kafka_producer_open(&p, &err);
	ck_assert_msg(producer != NULL, "%s", err.text);
}

static void
setup(void)
{
	struct ch_rng rng;
	const char *bootstrap = getenv("BOOTSTRAP");
	const char *given = getenv("SEED");

	ck_assert_msg(bootstrap != NULL, "BOOTSTRAP=host:port is wanted");
	ch_log_init("it_kafka", CH_LOG_ERROR, false);
	err = (struct ch_err)CH_ERR_INIT;
	ch_rng_secure(&seed, sizeof(seed));
	ch_rng_seed(&rng, seed);
	(void)snprintf(topic, sizeof(topic), "it.kafka.%d.%08llx", getpid(),
		(unsigned long long)(ch_rng_next(&rng) >> 32));
	if (given != NULL && given[0] != '\0')
		seed = strtoull(given, NULL, 10);
	conf = ch_kafka_conf_new();
	ck_assert_int_eq(ch_kafka_conf_set(conf, "bootstrap.servers", bootstrap,
				 &err),
		0);
	memset(reports, 0, sizeof(reports));
	reported = reported_ok = reported_permanent = reported_fatal = 0;
	open_producer();
}

static void
teardown(void)
{
	delete_topic(topic);
	(void)ch_kafka_producer_close(producer, 5000);
	ch_kafka_conf_free(conf);
}

/* Sends `text` under a key; opaque counts up. */
static void
send_text(const char *to, int32_t partition, const char *key, const char *text,
	size_t opaque)
{
	struct ch_kafka_message m = {.topic = to,
		.partition = partition,
		.key = ch_view_of(key),
		.value = ch_view_of(text),
		.opaque = (void *)(uintptr_t)opaque};
	int rc = ch_kafka_producer_send_within(producer, &m, WAIT_MS, &err);

	ck_assert_msg(rc == 0, "%s", err.text);
}

static void
flush(void)
{
	ck_assert_msg(ch_kafka_producer_flush(producer, WAIT_MS, &err) == 0,
		"%s", err.text);
}

static void
send_numbers(const char *to, int32_t partition, int from, int n)
{
	char text[16];
	int i;

	for (i = from; i < from + n; i++) {
		(void)snprintf(text, sizeof(text), "%d", i);
		send_text(to, partition, NULL, text, (size_t)i);
		if (i % 1000 == 0)
			(void)ch_kafka_producer_poll(producer, 0);
	}
	flush();
}

static void
expect_each_reported_once(size_t n)
{
	size_t i;

	ck_assert_uint_eq(reported, n);
	for (i = 0; i < n; i++)
		ck_assert_uint_eq(reports[i], 1);
}

/* ---- a consumer's owner, with its "database" of offsets ---- */

#define PARTITIONS_MAX 16

struct owner {
	struct ch_kafka_consumer *c;
	bool later; /* answers NOT_NOW */
	const char *instance;
	int assigned, revoked, lost;
	bool ours[PARTITIONS_MAX];
	int errors;
	rd_kafka_resp_err_t last_error;
	int32_t error_partition;
	int64_t ended_at;
};

static int64_t stored[PARTITIONS_MAX]; /* next offset, shared by members */

static int64_t
on_assigned(void *ctx, const char *t, int32_t partition)
{
	struct owner *o = ctx;

	(void)t;
	ck_assert(!o->ours[partition]);
	o->ours[partition] = true;
	o->assigned++;
	return o->later ? CH_KAFKA_NOT_NOW : stored[partition];
}

static void
on_revoked(void *ctx, const char *t, int32_t partition, bool lost)
{
	struct owner *o = ctx;

	(void)t;
	ck_assert(o->ours[partition]);
	o->ours[partition] = false;
	o->revoked++;
	o->lost += lost;
}

static void
on_partition_error(void *ctx, const char *t, int32_t partition,
	rd_kafka_resp_err_t code, const char *text)
{
	struct owner *o = ctx;

	(void)t;
	(void)text;
	o->errors++;
	o->last_error = code;
	o->error_partition = partition;
}

static void
on_end(void *ctx, const char *t, int32_t partition, int64_t offset)
{
	struct owner *o = ctx;

	(void)t;
	(void)partition;
	o->ended_at = offset;
}

static void
open_consumer(struct owner *o, const char *group, const char *strategy)
{
	struct ch_kafka_consumer_params p = {.conf = conf,
		.client_id = "it_kafka",
		.group_id = group,
		.group_instance_id = o->instance,
		.strategy = strategy,
		.session_timeout_ms = 30000,
		.fetch_wait_max_ms = 50,
		.events = {.assigned = on_assigned,
			.revoked = on_revoked,
			.partition_error = on_partition_error,
			.at_end = group == NULL ? on_end : NULL},
		.ctx = o};
	const char *const topics[] = {topic};

	o->ended_at = -1;
	o->c = ch_kafka_consumer_open(&p, &err);
	ck_assert_msg(o->c != NULL, "%s", err.text);
	if (group != NULL)
		ck_assert_int_eq(
			ch_kafka_consumer_subscribe(o->c, topics, 1, &err), 0);
}

/* Reads until *done or the time is over; every record goes to fn. */
static void
read_until(struct owner *o, bool (*done)(const struct owner *),
	void (*fn)(struct owner *, const struct ch_kafka_record *))
{
	struct ch_kafka_record r;
	int64_t until = now_ms() + WAIT_MS;
	int rc;

	while (!done(o)) {
		ck_assert_msg(now_ms() < until, "nothing within %d ms",
			WAIT_MS);
		rc = ch_kafka_consumer_poll(o->c, 20, &r, &err);
		ck_assert_msg(rc >= 0, "%s", err.text);
		if (rc == 0)
			continue;
		if (fn != NULL)
			fn(o, &r);
		ch_kafka_record_free(&r);
	}
}

static void
read_for(struct owner *o, int ms,
	void (*fn)(struct owner *, const struct ch_kafka_record *))
{
	struct ch_kafka_record r;
	int64_t until = now_ms() + ms;

	while (now_ms() < until) {
		if (ch_kafka_consumer_poll(o->c, 10, &r, &err) != 1)
			continue;
		fn(o, &r);
		ch_kafka_record_free(&r);
	}
}

static bool
has_partitions(const struct owner *o)
{
	return o->assigned > 0;
}

static bool
has_error(const struct owner *o)
{
	return o->errors > 0;
}

static size_t seen;
static int64_t expected[PARTITIONS_MAX];
static size_t wanted;

static bool
saw_all(const struct owner *o)
{
	(void)o;
	return seen >= wanted;
}

/* Without gaps, in order, and it is ours. */
static void
see(struct owner *o, const struct ch_kafka_record *r)
{
	ck_assert(o->ours[r->partition]);
	ck_assert_int_eq(r->offset, expected[r->partition]);
	expected[r->partition] = r->offset + 1;
	stored[r->partition] = r->offset + 1;
	seen++;
}

static void
never(struct owner *o, const struct ch_kafka_record *r)
{
	(void)o;
	ck_abort_msg("a record at %lld", (long long)r->offset);
}

static void
forget(void)
{
	memset(stored, 0, sizeof(stored));
	memset(expected, 0, sizeof(expected));
	seen = wanted = 0;
}

/* ---- tests ---- */

START_TEST(records_keep_everything)
{
	static const struct ch_kafka_header headers[] = {{"id", {"one", 3}},
		{"empty", {"", 0}}, {"null", {NULL, 0}}, {"id", {"two\0x", 5}}};
	struct ch_kafka_message m = {.topic = topic,
		.partition = 0,
		.key = CH_VIEW("k\0y"),
		.value = CH_VIEW("v"),
		.headers = headers,
		.header_count = 4,
		.timestamp_ms = 1700000000123};
	struct ch_kafka_position at = {topic, 0, 0};
	struct ch_kafka_record r[3];
	struct owner o = {0};
	struct ch_view v;
	const char *name;
	int64_t until = now_ms() + WAIT_MS;
	int n = 0;

	make_topic(topic, 1, NULL);
	ck_assert_int_eq(
		ch_kafka_producer_send_within(producer, &m, WAIT_MS, &err), 0);
	m = (struct ch_kafka_message){.topic = topic,
		.partition = 0,
		.key = CH_VIEW("gone"),
		.opaque = (void *)1};
	ck_assert_int_eq(
		ch_kafka_producer_send_within(producer, &m, WAIT_MS, &err), 0);
	m = (struct ch_kafka_message){.topic = topic,
		.partition = 0,
		.value = CH_VIEW(""),
		.opaque = (void *)2};
	ck_assert_int_eq(
		ch_kafka_producer_send_within(producer, &m, WAIT_MS, &err), 0);
	flush();
	expect_each_reported_once(3);

	open_consumer(&o, NULL, NULL);
	ck_assert_int_eq(ch_kafka_consumer_assign(o.c, &at, 1, &err), 0);
	while (n < 3 && now_ms() < until)
		n += ch_kafka_consumer_poll(o.c, 50, &r[n], &err) == 1;
	ck_assert_int_eq(n, 3);
	/* Held over later polls. */
	ck_assert_uint_eq(ch_kafka_consumer_counts(o.c).held, 3);
	ck_assert(ch_view_eq(r[0].key, CH_VIEW("k\0y")));
	ck_assert(ch_view_eq_str(r[0].value, "v"));
	ck_assert_int_eq(r[0].timestamp_ms, 1700000000123);
	ck_assert_str_eq(r[0].topic, topic);
	ck_assert_ptr_eq(r[0].topic, r[2].topic);
	ck_assert_uint_eq(ch_kafka_record_header_count(&r[0]), 4);
	ck_assert(ch_kafka_record_header(&r[0], "id", &v));
	ck_assert(ch_view_eq(v, CH_VIEW("two\0x")));
	ck_assert(ch_kafka_record_header_at(&r[0], 0, &name, &v));
	ck_assert_str_eq(name, "id");
	ck_assert(ch_view_eq_str(v, "one"));
	ck_assert(ch_kafka_record_header(&r[0], "empty", &v));
	ck_assert(v.ptr != NULL && v.len == 0);
	ck_assert(ch_kafka_record_header(&r[0], "null", &v));
	ck_assert_ptr_null(v.ptr);
	ck_assert(!ch_kafka_record_header(&r[0], "none", &v));
	ck_assert_ptr_null(r[1].value.ptr); /* a tombstone */
	ck_assert(ch_view_eq_str(r[1].key, "gone"));
	ck_assert_uint_eq(ch_kafka_record_header_count(&r[1]), 0);
	ck_assert_ptr_null(r[2].key.ptr);
	ck_assert(r[2].value.ptr != NULL && r[2].value.len == 0);
	for (n = 0; n < 3; n++)
		ch_kafka_record_free(&r[n]);
	ck_assert_uint_eq(ch_kafka_consumer_close(o.c, 5000), 0);
}
END_TEST

static void
see_key(struct owner *o, const struct ch_kafka_record *r)
{
	(void)o;
	ck_assert_int_eq(r->partition, ch_murmur2_partition(r->key, 7));
	seen++;
}

START_TEST(keys_go_where_java_sends_them)
{
	struct owner o = {0};
	char key[32];
	int i;

	forget();
	make_topic(topic, 7, NULL);
	for (i = 0; i < 500; i++) {
		(void)snprintf(key, sizeof(key), "acme/user:%d", i);
		send_text(topic, CH_KAFKA_BY_KEY, key, "x", (size_t)i);
	}
	flush();
	open_consumer(&o, NULL, NULL);
	ck_assert_msg(ch_kafka_consumer_assign_topic(o.c, topic,
			      CH_KAFKA_BEGINNING, WAIT_MS, &err) == 0,
		"%s", err.text);
	ck_assert_uint_eq(ch_kafka_consumer_assigned_count(o.c), 7);
	wanted = 500;
	read_until(&o, saw_all, see_key);
	ck_assert_int_eq(ch_kafka_consumer_assign_topic(o.c,
				 "it.kafka.no.such.topic", 0, WAIT_MS, &err),
		CH_ENOTFOUND);
	ck_assert_uint_eq(ch_kafka_consumer_close(o.c, 5000), 0);
}
END_TEST

START_TEST(a_partition_waits_for_its_start)
{
	struct owner o = {.later = true};
	int64_t low, high, until;

	forget();
	make_topic(topic, 1, NULL);
	send_numbers(topic, 0, 0, 1000);
	open_consumer(&o, topic, NULL);
	read_until(&o, has_partitions, never);
	read_for(&o, 1000, never);
	ck_assert_int_eq(ch_kafka_consumer_position(o.c, topic, 0), -1);
	ck_assert_int_eq(ch_kafka_consumer_start(o.c, topic, 5, 0, &err),
		CH_ENOTFOUND);

	expected[0] = 400;
	wanted = 600;
	ck_assert_int_eq(ch_kafka_consumer_start(o.c, topic, 0, 400, &err), 0);
	read_until(&o, saw_all, see);
	ck_assert_int_eq(ch_kafka_consumer_position(o.c, topic, 0), 1000);
	ck_assert_int_eq(ch_kafka_consumer_query_watermarks(o.c, topic, 0,
				 WAIT_MS, &low, &high, &err),
		0);
	ck_assert_int_eq(low, 0);
	ck_assert_int_eq(high, 1000);
	until = now_ms() + WAIT_MS;
	while (ch_kafka_consumer_lag(o.c, topic, 0) != 0 && now_ms() < until)
		read_for(&o, 10, never);
	ck_assert_int_eq(ch_kafka_consumer_lag(o.c, topic, 0), 0);

	/* Again, from an earlier place: a retry of a batch. */
	expected[0] = 990;
	wanted += 10;
	ck_assert_int_eq(ch_kafka_consumer_start(o.c, topic, 0, 990, &err), 0);
	read_until(&o, saw_all, see);
	ck_assert_uint_eq(ch_kafka_consumer_close(o.c, 5000), 0);
	ck_assert_int_eq(o.revoked, 1);
	ck_assert_int_eq(o.lost, 0);
}
END_TEST

/* Of two partitions one has a false offset: the other is not disturbed. */
static void
out_of_range(const char *strategy)
{
	struct owner o = {0};

	forget();
	make_topic(topic, 2, NULL);
	send_numbers(topic, 0, 0, 10);
	send_numbers(topic, 1, 0, 10);
	stored[0] = 1000000;
	open_consumer(&o, topic, strategy);
	expected[0] = -1; /* not before it is started */
	read_until(&o, has_error, see);
	ck_assert_int_eq(o.last_error, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET);
	ck_assert_int_eq(o.error_partition, 0);
	wanted = 10;
	read_until(&o, saw_all, see);
	read_for(&o, 500, never); /* no silent jump */
	expected[0] = 3;
	wanted += 7;
	ck_assert_int_eq(ch_kafka_consumer_start(o.c, topic, 0, 3, &err), 0);
	read_until(&o, saw_all, see);
	/* And again, of one that ran. */
	ck_assert_int_eq(ch_kafka_consumer_start(o.c, topic, 0, 1000, &err), 0);
	o.errors = 0;
	read_until(&o, has_error, never);
	expected[0] = 9;
	wanted += 1;
	ck_assert_int_eq(ch_kafka_consumer_start(o.c, topic, 0, 9, &err), 0);
	read_until(&o, saw_all, see);
	ck_assert_int_eq(o.revoked, 0);
	ck_assert_uint_eq(ch_kafka_consumer_close(o.c, 5000), 0);
	ck_assert_int_eq(o.revoked, 2);
}

START_TEST(an_offset_outside_of_the_log_is_told)
{
	out_of_range(NULL);
}
END_TEST

START_TEST(an_offset_outside_of_the_log_is_told_eager)
{
	out_of_range("range");
}
END_TEST

START_TEST(pauses_lose_and_repeat_nothing)
{
	enum { N = 100000, PARTS = 3 };
	struct ch_kafka_record r;
	struct owner o = {0};
	struct ch_rng rng;
	int64_t until;
	int32_t p;
	int i;

	(void)printf("SEED=%llu\n", (unsigned long long)seed);
	ch_rng_seed(&rng, seed);
	forget();
	make_topic(topic, PARTS, NULL);
	for (i = 0; i < N; i++)
		send_text(topic, i % PARTS, NULL, "0123456789", (size_t)i);
	flush();
	expect_each_reported_once(N);
	open_consumer(&o, topic, NULL);
	wanted = N;
	until = now_ms() + 2 * WAIT_MS;
	while (seen < wanted) {
		ck_assert_msg(now_ms() < until, "%zu of %d", seen, N);
		if (ch_rng_chance(&rng, 1, 100)) {
			p = (int32_t)ch_rng_below(&rng, PARTS);
			if (ch_rng_chance(&rng, 1, 2))
				(void)ch_kafka_consumer_pause(o.c, topic, p,
					&err);
			for (p = 0; p < PARTS; p++)
				if (ch_rng_chance(&rng, 1, 2))
					(void)ch_kafka_consumer_resume(o.c,
						topic, p, &err);
		}
		if (ch_kafka_consumer_poll(o.c, 5, &r, &err) != 1)
			continue;
		see(&o, &r);
		ch_kafka_record_free(&r);
	}
	for (p = 0; p < PARTS; p++)
		(void)ch_kafka_consumer_resume(o.c, topic, p, &err);
	read_for(&o, 300, never);
	ck_assert_uint_eq(ch_kafka_consumer_close(o.c, 5000), 0);
}
END_TEST

/* What a test that did not end was waiting for. */
static const char *
who_stands_where(const struct owner *a, const struct owner *b, int parts)
{
	static char text[1024];
	size_t at = 0;
	int64_t low, high;
	int p;

	for (p = 0; p < parts; p++) {
		low = high = -1;
		(void)rd_kafka_query_watermark_offsets(
			ch_kafka_producer_raw(producer), topic, p, &low, &high,
			1000);
		at += (size_t)snprintf(text + at, sizeof(text) - at,
			"; %d: %c%c at %lld of %lld", p, a->ours[p] ? 'a' : '-',
			b->ours[p] ? 'b' : '-', (long long)expected[p],
			(long long)high);
	}
	(void)snprintf(text + at, sizeof(text) - at,
		"; delivered %zu of %zu reported; b has %d errors, lost %d",
		reported_ok, reported, b->errors, b->lost);
	return text;
}

/* Two members take turns: what one gives up, the other goes on with. */
static void
rebalance(const char *strategy)
{
	enum { N = 20000, PARTS = 6 };
	struct owner a = {0}, b = {0};
	struct owner *all[2] = {&a, &b};
	struct ch_kafka_record r;
	int64_t until;
	int i, k, stage = 0;

	forget();
	make_topic(topic, PARTS, NULL);
	open_consumer(&a, topic, strategy);
	wanted = N;
	until = now_ms() + 2 * WAIT_MS;
	for (i = 0; seen < wanted;) {
		ck_assert_msg(now_ms() < until, "%zu of %d, stage %d%s", seen,
			N, stage, who_stands_where(&a, &b, PARTS));
		/* The second half waits for the last hand-over. */
		for (k = 0; k < 20 && i < (stage == 2 ? N : N / 2); k++, i++)
			send_text(topic, i % PARTS, NULL, "x", (size_t)i);
		(void)ch_kafka_producer_poll(producer, 0);
		for (k = 0; k < 2; k++) {
			if (all[k]->c == NULL)
				continue;
			while (ch_kafka_consumer_poll(all[k]->c, 1, &r, &err) ==
				1) {
				see(all[k], &r);
				ch_kafka_record_free(&r);
			}
		}
		if (stage == 0 && a.assigned >= PARTS && seen > 100) {
			open_consumer(&b, topic, strategy);
			stage = 1;
		} else if (stage == 1 && b.assigned >= PARTS / 2) {
			ck_assert_uint_eq(ch_kafka_consumer_close(a.c, 5000),
				0);
			a.c = NULL;
			stage = 2;
		}
	}
	ck_assert_int_eq(stage, 2);
	for (k = 0; k < PARTS; k++)
		ck_assert(!a.ours[k]);
	ck_assert_int_eq(a.assigned, a.revoked);
	ck_assert_uint_eq(ch_kafka_consumer_close(b.c, 5000), 0);
	ck_assert_int_eq(b.assigned, b.revoked);
}

START_TEST(cooperative_members_take_turns)
{
	rebalance(NULL);
}
END_TEST

START_TEST(eager_members_take_turns)
{
	rebalance("range");
}
END_TEST

/* A restart within the session moves nobody's partitions. */
START_TEST(a_member_with_a_name_keeps_its_place)
{
	enum { PARTS = 6 };
	struct owner a = {.instance = "one"}, b = {.instance = "two"};
	struct owner *all[2] = {&a, &b};
	struct ch_kafka_record r;
	int64_t until = now_ms() + 2 * WAIT_MS;
	int i, moves;

	forget();
	make_topic(topic, PARTS, NULL);
	open_consumer(&a, topic, NULL);
	open_consumer(&b, topic, NULL);
	while (a.assigned - a.revoked != PARTS / 2 ||
		b.assigned - b.revoked != PARTS / 2) {
		ck_assert(now_ms() < until);
		for (i = 0; i < 2; i++)
			(void)ch_kafka_consumer_poll(all[i]->c, 5, &r, &err);
	}
	moves = b.assigned + b.revoked;
	ck_assert_uint_eq(ch_kafka_consumer_close(a.c, 5000), 0);
	ck_assert_int_eq(a.assigned, a.revoked);
	open_consumer(&a, topic, NULL);
	while (a.assigned - a.revoked != PARTS / 2) {
		ck_assert(now_ms() < until);
		for (i = 0; i < 2; i++)
			(void)ch_kafka_consumer_poll(all[i]->c, 5, &r, &err);
	}
	ck_assert_int_eq(b.assigned + b.revoked, moves);
	for (i = 0; i < 2; i++)
		(void)ch_kafka_consumer_close(all[i]->c, 5000);
}
END_TEST

/* A topic is in the metadata before its leaders accept records. What was sent
 * back then was overtaken, taken for a repeat, and acknowledged: in no log. */
START_TEST(a_new_topic_keeps_every_record)
{
	enum { TOPICS = 60, PARTS = 6, EACH = 100 };
	char base[sizeof(topic)];
	int64_t low, high;
	int i, k, p;

	memcpy(base, topic, sizeof(base));
	for (k = 0; k < TOPICS; k++) {
		(void)snprintf(topic, sizeof(topic), "%.*s.%d",
			(int)sizeof(topic) - 14, base, k);
		make_topic(topic, PARTS, NULL);
		reported = reported_ok = 0;
		for (i = 0; i < PARTS * EACH; i++) {
			send_text(topic, i % PARTS, NULL, "x", (size_t)i);
			if (i % 20 == 0)
				(void)ch_kafka_producer_poll(producer, 2);
		}
		flush();
		ck_assert_uint_eq(reported_ok, PARTS * EACH);
		for (p = 0; p < PARTS; p++) {
			(void)rd_kafka_query_watermark_offsets(
				ch_kafka_producer_raw(producer), topic, p, &low,
				&high, WAIT_MS);
			ck_assert_int_eq(high, EACH);
		}
		delete_topic(topic);
	}
	memcpy(topic, base, sizeof(base));
	make_topic(topic, 1, NULL);
}
END_TEST

START_TEST(an_absent_topic_does_not_hold_its_records)
{
	struct ch_kafka_message m = {.topic = "it.kafka.no.such.topic",
		.partition = 0,
		.value = CH_VIEW("x")};

	make_topic(topic, 1, NULL);
	ck_assert_int_ne(ch_kafka_producer_send_within(producer, &m, WAIT_MS,
				 &err),
		CH_EFULL);
	ck_assert_int_eq(ch_kafka_producer_reopen(producer, &err), 0);
}
END_TEST

START_TEST(the_descriptor_tells_when_to_poll)
{
	struct ch_kafka_record r;
	struct owner o = {0};
	struct pollfd p;
	int64_t until;
	int rc, idle = 0;

	forget();
	make_topic(topic, 1, NULL);
	open_consumer(&o, topic, NULL);
	read_until(&o, has_partitions, never);
	p = (struct pollfd){ch_kafka_consumer_fd(o.c), POLLIN, 0};
	/* Quiet, but for statistics: not readable once drained. */
	until = now_ms() + WAIT_MS;
	while (idle < 10 && now_ms() < until) {
		while (ch_kafka_consumer_poll(o.c, 0, &r, &err) == 1)
			ch_kafka_record_free(&r);
		idle += poll(&p, 1, 20) == 0;
	}
	ck_assert_int_ge(idle, 10);
	/* Woken by each record, taking one at a time: level-triggered. */
	send_numbers(topic, 0, 0, 50);
	until = now_ms() + WAIT_MS;
	while (seen < 50 && now_ms() < until) {
		ck_assert_int_ge(rc = poll(&p, 1, WAIT_MS), 0);
		ck_assert_msg(rc == 1, "no wake-up after %zu", seen);
		if (ch_kafka_consumer_poll(o.c, 0, &r, &err) == 1) {
			see(&o, &r);
			ch_kafka_record_free(&r);
		}
	}
	ck_assert_uint_eq(seen, 50);
	ck_assert_uint_eq(ch_kafka_consumer_close(o.c, 5000), 0);

	/* The producer's, on the report of one record. */
	while (ch_kafka_producer_poll(producer, 0) > 0)
		;
	p.fd = ch_kafka_producer_fd(producer);
	reported = 0;
	send_text(topic, 0, NULL, "x", 60);
	until = now_ms() + WAIT_MS;
	while (reported == 0 && now_ms() < until) {
		ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
		(void)ch_kafka_producer_poll(producer, 0);
	}
	ck_assert_uint_eq(reported, 1);
}
END_TEST

START_TEST(a_topic_made_anew_has_another_id)
{
	rd_kafka_t *rk = ch_kafka_producer_raw(producer);
	struct ch_kafka_topic first, again;
	char cluster[CH_KAFKA_CLUSTER_ID_MAX], same[CH_KAFKA_CLUSTER_ID_MAX];
	struct owner o = {0};

	make_topic(topic, 2, NULL);
	ck_assert_int_eq(
		ch_kafka_topic_describe(rk, topic, WAIT_MS, &first, &err), 0);
	ck_assert(first.exists && first.has_id);
	ck_assert_int_eq(first.partitions, 2);
	ck_assert_int_eq(
		ch_kafka_topic_describe(rk, topic, WAIT_MS, &again, &err), 0);
	ck_assert_mem_eq(&first.id, &again.id, sizeof(first.id));
	delete_topic(topic);
	ck_assert_int_eq(
		ch_kafka_topic_describe(rk, topic, WAIT_MS, &again, &err), 0);
	ck_assert(!again.exists);
	make_topic(topic, 2, NULL);
	open_consumer(&o, NULL, NULL); /* a consumer's client can ask too */
	ck_assert_int_eq(ch_kafka_topic_describe(ch_kafka_consumer_raw(o.c),
				 topic, WAIT_MS, &again, &err),
		0);
	ck_assert(again.exists && again.has_id);
	ck_assert_mem_ne(&first.id, &again.id, sizeof(first.id));
	ck_assert_int_eq(ch_kafka_cluster_id(rk, WAIT_MS, cluster, &err), 0);
	ck_assert_int_eq(ch_kafka_cluster_id(ch_kafka_consumer_raw(o.c),
				 WAIT_MS, same, &err),
		0);
	ck_assert_str_eq(cluster, same);
	ck_assert_uint_gt(strlen(cluster), 10);
	ck_assert_uint_eq(ch_kafka_consumer_close(o.c, 5000), 0);
}
END_TEST

static bool
ended(const struct owner *o)
{
	return o->ended_at >= 0;
}

START_TEST(the_end_is_told_and_the_tail_followed)
{
	struct ch_kafka_position at = {topic, 0, CH_KAFKA_END};
	struct owner o = {0};

	forget();
	make_topic(topic, 1, NULL);
	send_numbers(topic, 0, 0, 10);
	open_consumer(&o, NULL, NULL);
	o.ours[0] = true;
	ck_assert_int_eq(ch_kafka_consumer_assign(o.c, &at, 1, &err), 0);
	read_until(&o, ended, never);
	ck_assert_int_eq(o.ended_at, 10);
	send_numbers(topic, 0, 10, 5);
	expected[0] = 10;
	wanted = 5;
	read_until(&o, saw_all, see);
	ck_assert(ch_kafka_consumer_reachable(o.c));
	ck_assert_uint_eq(ch_kafka_consumer_close(o.c, 5000), 0);
}
END_TEST

START_TEST(bounds_of_the_producer)
{
	struct ch_kafka_producer_params p = {.conf = conf,
		.max_queued_messages = 10,
		.linger_ms = 60000,
		.leaders_wait_ms = -1, /* nor does the first one go alone */
		.message_max_bytes = 1000,
		.delivered = on_delivered};
	struct ch_kafka_producer *small;
	struct ch_kafka_message m = {
		.topic = topic, .partition = 0, .value = CH_VIEW("x")};
	static char big[2000];
	int i, rc = 0;

	make_topic(topic, 1, NULL);
	small = ch_kafka_producer_open(&p, &err);
	ck_assert_msg(small != NULL, "%s", err.text);
	ck_assert_int_eq(
		ch_kafka_producer_send_within(small, &m, WAIT_MS, &err), 0);
	for (i = 1; i < 20 && rc == 0; i++) {
		m.opaque = (void *)(uintptr_t)i;
		rc = ch_kafka_producer_send(small, &m, &err);
	}
	ck_assert_int_eq(rc, CH_EFULL);
	ck_assert_uint_eq(ch_kafka_producer_pending(small), 10);
	m.value = (struct ch_view){big, sizeof(big)};
	ck_assert_int_eq(ch_kafka_producer_send(small, &m, &err), CH_ERANGE);
	ck_assert_ptr_nonnull(strstr(err.text, "1000"));
	m.topic = "";
	ck_assert_int_eq(ch_kafka_producer_send(small, &m, &err), CH_EINVAL);
	/* Flush does not wait for linger. */
	ck_assert_int_eq(ch_kafka_producer_flush(small, WAIT_MS, &err), 0);
	ck_assert_uint_eq(reported_ok, 10);
	/* A partition that is known not to be. */
	m = (struct ch_kafka_message){.topic = topic,
		.partition = 9,
		.value = CH_VIEW("x"),
		.opaque = (void *)11};
	ck_assert_int_eq(ch_kafka_producer_send(small, &m, &err), CH_ENOTFOUND);
	ck_assert_uint_eq(ch_kafka_producer_close(small, 5000), 0);
}
END_TEST

START_TEST(what_the_broker_refuses_is_fatal_and_recoverable)
{
	static char big[5000];
	struct ch_kafka_message m = {.topic = topic, .partition = 0};
	int64_t until = now_ms() + WAIT_MS;

	/* The topic takes 2,000 bytes a batch: less than we allow. */
	make_topic(topic, 1, "2000");
	ch_rng_secure(big, sizeof(big)); /* not to be compressed away */
	send_text(topic, 0, NULL, "before", 0);
	flush();
	m.value = (struct ch_view){big, sizeof(big)};
	m.opaque = (void *)1;
	ck_assert_int_eq(ch_kafka_producer_send(producer, &m, &err), 0);
	while (reported < 2 && now_ms() < until)
		(void)ch_kafka_producer_poll(producer, 50);
	ck_assert_uint_eq(reported_permanent, 1);
	while (!ch_kafka_producer_fatal(producer, &err) && now_ms() < until)
		(void)ch_kafka_producer_poll(producer, 50);
	ck_assert_int_eq(err.code, CH_ECLOSED);
	m.value = CH_VIEW("small");
	ck_assert_int_eq(ch_kafka_producer_send(producer, &m, &err),
		CH_ECLOSED);
	ck_assert_int_eq(ch_kafka_producer_reopen(producer, &err), 0);
	ck_assert(!ch_kafka_producer_fatal(producer, &err));
	send_text(topic, 0, NULL, "after", 2);
	flush();
	expect_each_reported_once(3);
	ck_assert_uint_eq(reported_ok, 2);
}
END_TEST

/* A broker takes any sequence number from a producer that a partition does not
 * know: of two requests in flight the second was written, the first refused. */
START_TEST(nothing_overtakes_a_first_record_that_is_refused)
{
	enum { ROUNDS = 10 };
	static char big[5000];
	struct ch_kafka_message first = {.topic = topic, .key = CH_VIEW("k")};
	struct ch_kafka_message next = first;
	int64_t until = now_ms() + WAIT_MS, low, high;
	int i;

	make_topic(topic, 1, "2000");
	(void)ch_kafka_producer_close(producer, 5000);
	ck_assert_int_eq(
		ch_kafka_conf_set(conf, "batch.num.messages", "1", &err), 0);
	open_producer();
	ch_rng_secure(big, sizeof(big));
	first.partition = next.partition = CH_KAFKA_BY_KEY;
	first.value = (struct ch_view){big, sizeof(big)};
	next.value = CH_VIEW("small");
	for (i = 0; i < ROUNDS; i++) {
		reported_permanent = 0;
		ck_assert_int_eq(ch_kafka_producer_send_within(producer, &first,
					 WAIT_MS, &err),
			0);
		while (reported_permanent == 0 && now_ms() < until) {
			(void)ch_kafka_producer_send(producer, &next, &err);
			(void)ch_kafka_producer_poll(producer, 1);
		}
		ck_assert_uint_ge(reported_permanent, 1);
		ck_assert_int_eq(ch_kafka_producer_reopen(producer, &err), 0);
	}
	(void)rd_kafka_query_watermark_offsets(ch_kafka_producer_raw(producer),
		topic, 0, &low, &high, WAIT_MS);
	ck_assert_int_eq(high, 0);
}
END_TEST

START_TEST(reopen_reports_what_was_in_flight)
{
	struct ch_kafka_producer_params p = {.conf = conf,
		.linger_ms = 60000,
		.leaders_wait_ms = -1, /* nor does the first one go alone */
		.delivered = on_delivered};
	struct ch_kafka_producer *slow;
	struct ch_kafka_message m = {
		.topic = topic, .partition = 0, .value = CH_VIEW("x")};
	int i;

	make_topic(topic, 1, NULL);
	slow = ch_kafka_producer_open(&p, &err);
	ck_assert_ptr_nonnull(slow);
	for (i = 0; i < 1000; i++) {
		m.opaque = (void *)(uintptr_t)i;
		ck_assert_int_eq(ch_kafka_producer_send_within(slow, &m,
					 WAIT_MS, &err),
			0);
	}
	ck_assert_int_eq(ch_kafka_producer_reopen(slow, &err), 0);
	expect_each_reported_once(1000);
	ck_assert_uint_eq(reported_fatal, 1000);
	ck_assert_uint_eq(ch_kafka_producer_pending(slow), 0);
	m.opaque = (void *)1000;
	ck_assert_int_eq(ch_kafka_producer_send_within(slow, &m, WAIT_MS, &err),
		0);
	ck_assert_uint_eq(ch_kafka_producer_close(slow, WAIT_MS), 0);
	expect_each_reported_once(1001);
	ck_assert_uint_eq(reported_ok, 1);
}
END_TEST

/* A transactional writer of somebody else's, straight on librdkafka. */
static void
transaction(rd_kafka_t *rk, const char *text, bool commit)
{
	ck_assert_ptr_null(rd_kafka_begin_transaction(rk));
	ck_assert_int_eq(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
				 RD_KAFKA_V_PARTITION(0),
				 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				 RD_KAFKA_V_VALUE((void *)(uintptr_t)text,
					 strlen(text)),
				 RD_KAFKA_V_END),
		0);
	ck_assert_int_eq(rd_kafka_flush(rk, WAIT_MS), 0);
	ck_assert_ptr_null(commit ? rd_kafka_commit_transaction(rk, WAIT_MS)
				  : rd_kafka_abort_transaction(rk, WAIT_MS));
}

static void
see_committed(struct owner *o, const struct ch_kafka_record *r)
{
	(void)o;
	ck_assert_ptr_null(memchr(r->value.ptr, '!', r->value.len));
	seen++;
}

START_TEST(aborted_records_are_not_given_out)
{
	rd_kafka_conf_t *c = ch_kafka_conf_build(conf);
	struct owner o = {0};
	rd_kafka_t *rk;
	char why[256];

	forget();
	make_topic(topic, 1, NULL);
	ck_assert_int_eq(
		ch_kafka_conf_force(c, "transactional.id", topic, &err), 0);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, c, why, sizeof(why));
	ck_assert_msg(rk != NULL, "%s", why);
	ck_assert_ptr_null(rd_kafka_init_transactions(rk, WAIT_MS));
	transaction(rk, "one", true);
	transaction(rk, "two!", false);
	transaction(rk, "three", true);
	rd_kafka_destroy(rk);
	open_consumer(&o, topic, NULL);
	wanted = 2;
	read_until(&o, saw_all, see_committed);
	read_for(&o, 300, never);
	/* Markers count: 0 one, 1 marker, 2 two, 3 marker, 4 three. */
	ck_assert_int_eq(ch_kafka_consumer_position(o.c, topic, 0), 5);
	ck_assert_uint_eq(ch_kafka_consumer_close(o.c, 5000), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("it_kafka");
	TCase *t = tcase_create("it_kafka");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 300);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, records_keep_everything);
	tcase_add_test(t, keys_go_where_java_sends_them);
	tcase_add_test(t, a_partition_waits_for_its_start);
	tcase_add_test(t, an_offset_outside_of_the_log_is_told);
	tcase_add_test(t, an_offset_outside_of_the_log_is_told_eager);
	tcase_add_test(t, pauses_lose_and_repeat_nothing);
	tcase_add_test(t, cooperative_members_take_turns);
	tcase_add_test(t, eager_members_take_turns);
	tcase_add_test(t, a_member_with_a_name_keeps_its_place);
	tcase_add_test(t, a_new_topic_keeps_every_record);
	tcase_add_test(t, an_absent_topic_does_not_hold_its_records);
	tcase_add_test(t, the_descriptor_tells_when_to_poll);
	tcase_add_test(t, a_topic_made_anew_has_another_id);
	tcase_add_test(t, the_end_is_told_and_the_tail_followed);
	tcase_add_test(t, bounds_of_the_producer);
	tcase_add_test(t, what_the_broker_refuses_is_fatal_and_recoverable);
	tcase_add_test(t, nothing_overtakes_a_first_record_that_is_refused);
	tcase_add_test(t, reopen_reports_what_was_in_flight);
	tcase_add_test(t, aborted_records_are_not_given_out);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
