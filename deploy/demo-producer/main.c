/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo-producer: the load of `make run`.
 *
 * Sends the story (story.h) to a commands topic at a fixed rate, open loop:
 * when Kafka is slow the sends that are due wait in librdkafka's queue, they
 * are not dropped. Each acknowledged record becomes one line of the --sent
 * file, which is what deploy/local/checker.py later holds the books against:
 * {"kind","id","org","key","ms","partition","offset"}. A record that Kafka
 * did not acknowledge is not in that file; it is counted and said at the end.
 *
 * Ends after --seconds, or on SIGINT or SIGTERM: flushes, then exits 0, or 1
 * when a record was not acknowledged.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/kafka_producer.h"
#include "story.h"

#define FLUSH_MS 60000

struct options {
	const char *bootstrap;
	const char *topic;
	const char *sent;
	const char *status;
	const char *kafka_file;
	int64_t rate;
	int64_t seconds; /* 0: until a signal */
	int64_t seed;
};

struct demo {
	struct options opt;
	struct ch_kafka_producer *producer;
	struct story *story;
	FILE *sent;
	uint64_t produced;
	uint64_t acked;
	uint64_t failed;
	struct ch_mono began;
	struct ch_mono told;
};

struct in_flight {
	enum story_kind kind;
	char id[STORY_ID_MAX];
	char org[16];
	char key[STORY_KEY_MAX];
	int64_t ms;
};

static volatile sig_atomic_t stopping;

static void
on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static void
on_delivered(void *ctx, void *opaque, const struct ch_kafka_delivery *d)
{
	struct demo *demo = ctx;
	struct in_flight *f = opaque;

	if (d->class != CH_KAFKA_OK) {
		demo->failed++;
		ch_warn("demo.not_acknowledged", CH_S("id", f->id),
			CH_S("error", d->text));
	} else {
		demo->acked++;
		fprintf(demo->sent,
			"{\"kind\":\"%s\",\"id\":\"%s\","
			"\"org\":\"%s\",\"key\":\"%s\",\"ms\":%lld,"
			"\"partition\":%d,\"offset\":%lld}\n",
			story_kind_name(f->kind), f->id, f->org, f->key,
			(long long)f->ms, d->partition, (long long)d->offset);
	}
	free(f);
}

static bool
send_one(struct demo *demo)
{
	struct ch_time now = ch_clock_wall(&ch_clock_real);
	struct ch_err err = CH_ERR_INIT;
	struct story_record r;
	struct in_flight *f = ch_xmalloc(sizeof(*f));
	int rc;

	story_next(demo->story, now, &r);
	f->kind = r.kind;
	memcpy(f->id, r.id, sizeof(f->id));
	memcpy(f->org, r.org, sizeof(f->org));
	memcpy(f->key, r.key, sizeof(f->key));
	f->ms = now.us / 1000;
	struct ch_kafka_message m = {
		.topic = demo->opt.topic,
		.partition = CH_KAFKA_BY_KEY,
		.key = ch_view_of(f->key),
		.value = {r.value, r.value_len},
		.opaque = f,
	};
	while ((rc = ch_kafka_producer_send(demo->producer, &m, &err)) ==
			CH_EFULL &&
		!stopping)
		ch_kafka_producer_poll(demo->producer, 50);
	if (rc != 0) {
		ch_error("demo.send", CH_ERR(&err));
		free(f);
		return rc == CH_EFULL;
	}
	demo->produced++;
	return true;
}

static void
tell_status(struct demo *demo, struct ch_mono now)
{
	char path[4096];
	FILE *f;

	if (demo->opt.status == NULL || ch_mono_ms_since(now, demo->told) < 500)
		return;
	demo->told = now;
	snprintf(path, sizeof(path), "%s.new", demo->opt.status);
	if ((f = fopen(path, "we")) == NULL)
		return;
	fprintf(f,
		"{\"produced\":%llu,\"acked\":%llu,\"failed\":%llu,"
		"\"elapsed_ms\":%lld}\n",
		(unsigned long long)demo->produced,
		(unsigned long long)demo->acked,
		(unsigned long long)demo->failed,
		(long long)ch_mono_ms_since(now, demo->began));
	if (fclose(f) == 0 && rename(path, demo->opt.status) != 0)
		ch_warn("demo.status", CH_S("error", "rename failed"));
	fflush(demo->sent);
}

static bool
run(struct demo *demo)
{
	struct ch_mono now = ch_clock_mono(&ch_clock_real);
	int64_t elapsed, due;

	demo->began = now;
	while (!stopping) {
		now = ch_clock_mono(&ch_clock_real);
		elapsed = ch_mono_ms_since(now, demo->began);
		if (demo->opt.seconds > 0 &&
			elapsed >= demo->opt.seconds * 1000)
			break;
		due = demo->opt.rate * elapsed / 1000;
		while ((int64_t)demo->produced < due && !stopping)
			if (!send_one(demo))
				return false;
		tell_status(demo, now);
		ch_kafka_producer_poll(demo->producer, 5);
	}
	return true;
}

static int64_t
number(const char *name, const char *text, int64_t min, int64_t max)
{
	int64_t v;

	if (ch_view_int(ch_view_of(text), min, max, &v) != 0) {
		fprintf(stderr,
			"demo-producer: --%s %s: a number from %lld to "
			"%lld is wanted\n",
			name, text, (long long)min, (long long)max);
		exit(64);
	}
	return v;
}

static void
read_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"bootstrap", required_argument, NULL, 'b'},
		{"topic", required_argument, NULL, 't'},
		{"rate", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 's'},
		{"seed", required_argument, NULL, 'e'},
		{"sent", required_argument, NULL, 'f'},
		{"status", required_argument, NULL, 'u'},
		{"kafka-file", required_argument, NULL, 'k'},
		{NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'b':
			o->bootstrap = optarg;
			break;
		case 't':
			o->topic = optarg;
			break;
		case 'r':
			o->rate = number("rate", optarg, 1, 1000000);
			break;
		case 's':
			o->seconds = number("seconds", optarg, 0, 864000);
			break;
		case 'e':
			o->seed = number("seed", optarg, 0, INT64_MAX);
			break;
		case 'f':
			o->sent = optarg;
			break;
		case 'u':
			o->status = optarg;
			break;
		case 'k':
			o->kafka_file = optarg;
			break;
		default:
			exit(64);
		}
	}
	if (o->bootstrap == NULL || o->sent == NULL || optind < argc) {
		fprintf(stderr,
			"usage: demo-producer --bootstrap=HOST:PORT "
			"--sent=FILE [--topic=ledger.commands] [--rate=1500] "
			"[--seconds=0] [--seed=N] [--status=FILE] "
			"[--kafka-file=FILE]\n");
		exit(64);
	}
}

static struct ch_kafka_producer *
open_producer(struct demo *demo, struct ch_err *err)
{
	struct ch_kafka_conf *conf = ch_kafka_conf_new();
	struct ch_kafka_producer *p = NULL;
	struct ch_kafka_producer_params params = {
		.conf = conf,
		.client_id = "demo-producer",
		.delivered = on_delivered,
		.ctx = demo,
	};

	if (ch_kafka_conf_set(conf, "bootstrap.servers", demo->opt.bootstrap,
		    err) == 0 &&
		(demo->opt.kafka_file == NULL ||
			ch_kafka_conf_file(conf, demo->opt.kafka_file, err) ==
				0))
		p = ch_kafka_producer_open(&params, err);
	ch_kafka_conf_free(conf);
	return p;
}

int
main(int argc, char **argv)
{
	struct demo demo = {
		.opt = {.topic = "ledger.commands", .rate = 1500, .seed = -1}};
	struct sigaction act = {.sa_handler = on_signal};
	struct ch_err err = CH_ERR_INIT;
	size_t lost;
	bool ok;

	read_options(&demo.opt, argc, argv);
	ch_log_init("demo-producer", CH_LOG_INFO, false);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	if (demo.opt.seed < 0)
		demo.opt.seed = ch_clock_wall(&ch_clock_real).us;
	if ((demo.sent = fopen(demo.opt.sent, "ae")) == NULL) {
		ch_error("demo.open", CH_S("path", demo.opt.sent));
		return 1;
	}
	if ((demo.producer = open_producer(&demo, &err)) == NULL) {
		ch_error("demo.producer", CH_ERR(&err));
		fclose(demo.sent);
		return 1;
	}
	demo.story = story_new((uint64_t)demo.opt.seed);
	ch_info("demo.begin", CH_I("seed", demo.opt.seed),
		CH_I("rate", demo.opt.rate));
	ok = run(&demo);
	lost = ch_kafka_producer_close(demo.producer, FLUSH_MS);
	demo.opt.status = NULL;
	ch_info("demo.end", CH_U("produced", demo.produced),
		CH_U("acked", demo.acked), CH_U("failed", demo.failed));
	story_free(demo.story);
	ok = fclose(demo.sent) == 0 && ok;
	return ok && lost == 0 && demo.failed == 0 ? 0 : 1;
}
