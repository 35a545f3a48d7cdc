/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_feed: the property test's commands (tests/property/ledger_load.h) into
 * a real topic, on the real clock, a piece whenever one is asked for.
 *
 *	ledger-feed --bootstrap=HOST:PORT --topic=T --seed=N
 *		[--partitions=4] [--scatter=200] [--twice=30]
 *
 * Each line on stdin makes a piece, and one line on stdout says how many records
 * Kafka has acknowledged in all once it has acknowledged that piece:
 *
 *	begin		what every load begins with, in order, in partition 0
 *	send N		the next N commands
 *
 * A record has its owner as its key, <org>/<owner>, and lies where Java's
 * partitioner puts that key; --scatter of a thousand lie anywhere, --twice of
 * a thousand lie in two partitions. Ends at the end of stdin; 1 when Kafka did
 * not take a record.
 */
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "io/kafka_producer.h"
#include "ledger_load.h"

#define SEND_MS 60000
#define FLUSH_MS 300000
#define KEY_MAX 512

struct feed {
	const char *bootstrap, *topic;
	uint64_t seed;
	int partitions;
	unsigned scatter, twice;
	struct loading *load;
	struct ch_rng rng; /* where records lie */
	struct ch_kafka_producer *producer;
	uint64_t acked;
	bool failed;
};

static void
on_delivered(void *ctx, void *opaque, const struct ch_kafka_delivery *d)
{
	struct feed *f = ctx;

	(void)opaque;
	if (d->class == CH_KAFKA_OK) {
		f->acked++;
		return;
	}
	f->failed = true;
	(void)fprintf(stderr, "ledger-feed: not acknowledged: %s\n", d->text);
}

/* ---- the owner: docs/producer.md, as far as the command itself says it ---- */

static const char *
owner_in(const json_t *body)
{
	static const char *const members[] = {"account", "from", "sku", "order",
		"reservation", "hold", "asset", "market", "transfer", "id"};
	const json_t *move = json_array_get(json_object_get(body, "moves"), 0);
	const char *owner = json_string_value(json_object_get(move, "from"));

	for (size_t i = 0;
		owner == NULL && i < sizeof(members) / sizeof(members[0]); i++)
		owner = json_string_value(json_object_get(body, members[i]));
	return owner;
}

/* What cannot be read has a key all the same. */
static void
key_of(const struct ledger_load_item *item, char key[KEY_MAX])
{
	json_t *body = item->value != NULL
		? json_loadb(item->value, item->len, 0, NULL)
		: NULL;
	const json_t *members = json_object_get(body, "commands");
	const char *org = json_string_value(json_object_get(body, "org"));
	const char *owner = owner_in(json_array_size(members) > 0
			? json_array_get(members, 0)
			: body);

	(void)snprintf(key, KEY_MAX, "%.200s/%.200s", org != NULL ? org : "?",
		owner != NULL ? owner : "?");
	json_decref(body);
}

/* ---- sending ---- */

static void
produce(struct feed *f, const struct ledger_load_item *item, const char *key,
	int partition)
{
	struct ch_err err = CH_ERR_INIT;
	struct ch_kafka_message m = {
		.topic = f->topic,
		.partition = partition,
		.key = ch_view_of(key),
		.value = {item->value, item->len},
	};
	int rc;

	rc = ch_kafka_producer_send_within(f->producer, &m, SEND_MS, &err);
	if (rc != 0) {
		f->failed = true;
		(void)fprintf(stderr, "ledger-feed: %s\n", err.text);
	}
}

static int
any_partition(struct feed *f)
{
	return (int)ch_rng_below(&f->rng, (uint64_t)f->partitions);
}

/* partition < 0: where it belongs, or where chance has it. */
static void
feed_one(struct feed *f, int partition)
{
	struct ledger_load_item item;
	char key[KEY_MAX];

	ledger_load_clock(f->load, ch_clock_wall(&ch_clock_real).us);
	ledger_load_next(f->load, &item);
	key_of(&item, key);
	if (partition < 0 && ch_rng_below(&f->rng, 1000) < f->twice)
		produce(f, &item, key, any_partition(f));
	if (partition < 0)
		partition = ch_rng_below(&f->rng, 1000) < f->scatter
			? any_partition(f)
			: CH_KAFKA_BY_KEY;
	produce(f, &item, key, partition);
	free(item.value);
	(void)ch_kafka_producer_poll(f->producer, 0);
}

static void
piece(struct feed *f, size_t count, int partition)
{
	struct ch_err err = CH_ERR_INIT;

	for (size_t i = 0; i < count; i++)
		feed_one(f, partition);
	if (ch_kafka_producer_flush(f->producer, FLUSH_MS, &err) != 0) {
		f->failed = true;
		(void)fprintf(stderr, "ledger-feed: %s\n", err.text);
	}
	(void)printf("%" PRIu64 "\n", f->acked);
	(void)fflush(stdout);
}

/* ---- the command line ---- */

static void
read_options(struct feed *f, int argc, char **argv)
{
	static const struct option longs[] = {
		{"bootstrap", required_argument, NULL, 'b'},
		{"topic", required_argument, NULL, 't'},
		{"seed", required_argument, NULL, 'e'},
		{"partitions", required_argument, NULL, 'p'},
		{"scatter", required_argument, NULL, 's'},
		{"twice", required_argument, NULL, 'w'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'b':
			f->bootstrap = optarg;
			break;
		case 't':
			f->topic = optarg;
			break;
		case 'e':
			f->seed = strtoull(optarg, NULL, 10);
			break;
		case 'p':
			f->partitions = (int)strtol(optarg, NULL, 10);
			break;
		case 's':
			f->scatter = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'w':
			f->twice = (unsigned)strtoul(optarg, NULL, 10);
			break;
		default:
			exit(64);
		}
	}
	if (f->bootstrap == NULL || f->topic == NULL || f->partitions < 1 ||
		optind < argc) {
		(void)fputs(
			"usage: ledger-feed --bootstrap=HOST:PORT --topic=T "
			"--seed=N [--partitions=4] [--scatter=200] "
			"[--twice=30]\n",
			stderr);
		exit(64);
	}
}

static struct ch_kafka_producer *
open_producer(struct feed *f, struct ch_err *err)
{
	struct ch_kafka_conf *conf = ch_kafka_conf_new();
	struct ch_kafka_producer *p = NULL;
	struct ch_kafka_producer_params params = {.conf = conf,
		.client_id = "ledger-feed",
		.delivered = on_delivered,
		.ctx = f};

	if (ch_kafka_conf_set(conf, "bootstrap.servers", f->bootstrap, err) ==
		0)
		p = ch_kafka_producer_open(&params, err);
	ch_kafka_conf_free(conf);
	return p;
}

int
main(int argc, char **argv)
{
	struct feed f = {.partitions = 4, .scatter = 200, .twice = 30};
	struct ch_err err = CH_ERR_INIT;
	char *line = NULL;
	size_t cap = 0;

	read_options(&f, argc, argv);
	ch_log_init("ledger-feed", CH_LOG_ERROR, false);
	if ((f.producer = open_producer(&f, &err)) == NULL) {
		(void)fprintf(stderr, "ledger-feed: %s\n", err.text);
		return 1;
	}
	f.load = ledger_load_begin(f.seed, ch_clock_wall(&ch_clock_real).us);
	ch_rng_seed(&f.rng, ~f.seed);
	while (!f.failed && getline(&line, &cap, stdin) > 0) {
		if (strncmp(line, "begin", 5) == 0)
			piece(&f, ledger_load_beginning(), 0);
		else if (strncmp(line, "send ", 5) == 0)
			piece(&f, strtoull(line + 5, NULL, 10), -1);
		else
			return 64;
	}
	free(line);
	ledger_load_end(f.load);
	return ch_kafka_producer_close(f.producer, FLUSH_MS) == 0 && !f.failed
		? 0
		: 1;
}
