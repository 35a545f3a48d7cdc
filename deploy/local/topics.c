/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creates the topics of a list that a cluster lacks, in one connection and one
 * request, and says where the partitions of an existing topic differ.
 *
 * Why not kafka-topics.sh: it starts a JVM for each topic, 2 s a call.
 *
 * Invariants: it only ever creates. A topic that exists is never altered or
 * deleted, whatever the list says, because changing partitions moves keys and
 * so breaks the order per key.
 *
 * Exit status: 0 all topics are there and fit; 1 the cluster cannot be reached
 * or refused; 3 a topic has another number of partitions; 64 usage; 78 the list
 * or the client configuration is wrong.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

#define TOPICS_MAX 256	/* lines of a list */
#define SETTINGS_MAX 16 /* key=value of one line */
#define FIELDS_MAX (4 + SETTINGS_MAX)
#define LINE_BYTES 1024
#define EXIT_MISMATCH 3
#define EXIT_USAGE 64
#define EXIT_CONFIG 78

struct setting {
	char *key;
	char *value;
};

struct topic {
	char *name;
	int partitions;
	char *policy;
	int64_t retention_ms; /* -1: broker's default */
	struct setting settings[SETTINGS_MAX];
	size_t nsettings;
	int found; /* partitions seen, 0: missing */
	bool led;  /* every partition has a leader */
};

struct list {
	struct topic topics[TOPICS_MAX];
	size_t n;
};

struct options {
	const char *bootstrap;
	const char *config;
	const char *path;
	int partitions;
	int seconds;
};

static void fail(int status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

static void
fail(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("topics: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static char *
copy(const char *s)
{
	char *c = strdup(s);

	if (c == NULL)
		fail(1, "out of memory");
	return c;
}

/* Returns false unless all of s is a number within [min, max]. */
static bool
number(const char *s, int64_t min, int64_t max, int64_t *out)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(s, &end, 10);
	if (errno != 0 || end == s || *end != '\0' || v < min || v > max)
		return false;
	*out = v;
	return true;
}

/* "7d", "12h", "30m", "1000" (ms), "-" (default, -1). */
static bool
duration(const char *s, int64_t *ms)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = {
		{'d', 86400000},
		{'h', 3600000},
		{'m', 60000},
	};
	char digits[24];
	size_t len = strlen(s), i;
	int64_t v, unit = 1;

	if (strcmp(s, "-") == 0) {
		*ms = -1;
		return true;
	}
	if (len == 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, s, len + 1);
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (digits[len - 1] != units[i].unit)
			continue;
		unit = units[i].ms;
		digits[len - 1] = '\0';
		break;
	}
	if (!number(digits, 1, INT64_MAX / unit, &v))
		return false;
	*ms = v * unit;
	return true;
}

/* Splits at blanks, in place; returns the number of fields, or -1: too many. */
static int
split(char *line, char *fields[FIELDS_MAX])
{
	char *p = line;
	int n = 0;

	line[strcspn(line, "#\r\n")] = '\0';
	for (;;) {
		p += strspn(p, " \t");
		if (*p == '\0')
			return n;
		if (n == FIELDS_MAX)
			return -1;
		fields[n++] = p;
		p += strcspn(p, " \t");
		if (*p != '\0')
			*p++ = '\0';
	}
}

static const char *
parse_setting(struct topic *t, char *field)
{
	char *eq = strchr(field, '=');

	if (eq == NULL || eq == field)
		return "a setting is key=value";
	*eq = '\0';
	t->settings[t->nsettings].key = copy(field);
	t->settings[t->nsettings].value = copy(eq + 1);
	t->nsettings++;
	return NULL;
}

/* Returns NULL, or what is wrong with the line. */
static const char *
parse_topic(struct topic *t, char **fields, int n, int partitions)
{
	const char *wrong = NULL;
	int64_t count = partitions;
	int i;

	if (n < 4)
		return "name, partitions, cleanup.policy and retention are needed";
	if (strcmp(fields[1], "*") != 0 && !number(fields[1], 1, 10000, &count))
		return "partitions is \"*\" or 1 to 10000";
	if (strcmp(fields[2], "delete") != 0 &&
		strcmp(fields[2], "compact") != 0 &&
		strcmp(fields[2], "compact,delete") != 0)
		return "cleanup.policy is delete, compact or compact,delete";
	if (!duration(fields[3], &t->retention_ms))
		return "retention is 7d, 12h, 30m, milliseconds or -";
	t->name = copy(fields[0]);
	t->partitions = (int)count;
	t->policy = copy(fields[2]);
	for (i = 4; i < n && wrong == NULL; i++)
		wrong = parse_setting(t, fields[i]);
	return wrong;
}

static void
read_list(struct list *l, const struct options *o)
{
	char line[LINE_BYTES], *fields[FIELDS_MAX];
	const char *wrong;
	FILE *f;
	int n, no = 0;

	if ((f = fopen(o->path, "re")) == NULL)
		fail(EXIT_CONFIG, "%s: %m", o->path);
	while (fgets(line, sizeof(line), f) != NULL) {
		no++;
		if (strchr(line, '\n') == NULL && !feof(f))
			fail(EXIT_CONFIG, "%s:%d: line over %d bytes", o->path,
				no, LINE_BYTES - 2);
		if ((n = split(line, fields)) == 0)
			continue;
		if (n < 0)
			fail(EXIT_CONFIG, "%s:%d: over %d settings", o->path,
				no, SETTINGS_MAX);
		if (l->n == TOPICS_MAX)
			fail(EXIT_CONFIG, "%s: over %d topics", o->path,
				TOPICS_MAX);
		wrong = parse_topic(&l->topics[l->n++], fields, n,
			o->partitions);
		if (wrong != NULL)
			fail(EXIT_CONFIG, "%s:%d: %s", o->path, no, wrong);
	}
	if (ferror(f))
		fail(EXIT_CONFIG, "%s: %m", o->path);
	fclose(f);
}

static void
set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char err[512];

	if (rd_kafka_conf_set(conf, key, value, err, sizeof(err)) !=
		RD_KAFKA_CONF_OK)
		fail(EXIT_CONFIG, "%s: %s", key, err);
}

/* A librdkafka properties file: TLS, SASL and so on for a real cluster. */
static void
read_config(rd_kafka_conf_t *conf, const char *path)
{
	char line[LINE_BYTES], *eq;
	FILE *f;

	if ((f = fopen(path, "re")) == NULL)
		fail(EXIT_CONFIG, "%s: %m", path);
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0')
			continue;
		if ((eq = strchr(line, '=')) == NULL)
			fail(EXIT_CONFIG, "%s: a line without '='", path);
		*eq = '\0';
		set(conf, line, eq + 1);
	}
	fclose(f);
}

/*
 * librdkafka tells on its own threads why it cannot connect, again and again:
 * the last reason is kept for the one message in which we give up.
 */
static pthread_mutex_t reason_lock = PTHREAD_MUTEX_INITIALIZER;
static char reason[512] = "no connection attempt failed";

static void
keep_reason(const rd_kafka_t *rk, int level, const char *what, const char *text)
{
	(void)rk;
	(void)level;
	if (strcmp(what, "FAIL") != 0)
		return;
	pthread_mutex_lock(&reason_lock);
	snprintf(reason, sizeof(reason), "%s", text);
	pthread_mutex_unlock(&reason_lock);
}

static rd_kafka_t *
connect_client(const struct options *o)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;
	char err[512];

	set(conf, "bootstrap.servers", o->bootstrap);
	set(conf, "client.id", "countinghouse-topics");
	rd_kafka_conf_set_log_cb(conf, keep_reason);
	if (o->config != NULL)
		read_config(conf, o->config);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, sizeof(err));
	if (rk == NULL)
		fail(EXIT_CONFIG, "%s", err);
	return rk;
}

static void
note_topic(struct list *l, const rd_kafka_metadata_topic_t *m)
{
	size_t i;
	int p;

	for (i = 0; i < l->n; i++) {
		if (strcmp(l->topics[i].name, m->topic) != 0)
			continue;
		l->topics[i].found = m->partition_cnt;
		l->topics[i].led = m->partition_cnt > 0;
		for (p = 0; p < m->partition_cnt; p++)
			if (m->partitions[p].leader < 0)
				l->topics[i].led = false;
	}
}

/* Asks the cluster what it has; returns librdkafka's error. */
static rd_kafka_resp_err_t
look(rd_kafka_t *rk, struct list *l, int64_t deadline)
{
	const struct rd_kafka_metadata *m;
	rd_kafka_resp_err_t err;
	int64_t left = deadline - now_ms();
	int i;

	err = rd_kafka_metadata(rk, 1, NULL, &m, left > 1 ? (int)left : 1);
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err;
	for (i = 0; i < m->topic_cnt; i++)
		note_topic(l, &m->topics[i]);
	rd_kafka_metadata_destroy(m);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void
topic_setting(rd_kafka_NewTopic_t *nt, const char *key, const char *value)
{
	if (rd_kafka_NewTopic_set_config(nt, key, value) !=
		RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(EXIT_CONFIG, "%s=%s is no topic setting", key, value);
}

static rd_kafka_NewTopic_t *
new_topic(const struct topic *t)
{
	rd_kafka_NewTopic_t *nt;
	char err[512], ms[32];
	size_t i;

	/* -1: the broker's default.replication.factor */
	nt = rd_kafka_NewTopic_new(t->name, t->partitions, -1, err,
		sizeof(err));
	if (nt == NULL)
		fail(EXIT_CONFIG, "%s: %s", t->name, err);
	topic_setting(nt, "cleanup.policy", t->policy);
	if (t->retention_ms >= 0) {
		snprintf(ms, sizeof(ms), "%lld", (long long)t->retention_ms);
		topic_setting(nt, "retention.ms", ms);
	}
	for (i = 0; i < t->nsettings; i++)
		topic_setting(nt, t->settings[i].key, t->settings[i].value);
	return nt;
}

/* Returns the number of topics refused, each said on stderr. */
static int
count_refused(rd_kafka_event_t *ev)
{
	const rd_kafka_topic_result_t **results;
	rd_kafka_resp_err_t err;
	size_t n, i;
	int refused = 0;

	results = rd_kafka_CreateTopics_result_topics(
		rd_kafka_event_CreateTopics_result(ev), &n);
	for (i = 0; i < n; i++) {
		err = rd_kafka_topic_result_error(results[i]);
		if (err == RD_KAFKA_RESP_ERR_NO_ERROR ||
			err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
			continue;
		fprintf(stderr, "topics: %s: %s (%s)\n",
			rd_kafka_topic_result_name(results[i]),
			rd_kafka_err2name(err),
			rd_kafka_topic_result_error_string(results[i]));
		refused++;
	}
	return refused;
}

static void
create(rd_kafka_t *rk, rd_kafka_NewTopic_t **missing, size_t n,
	const struct options *o)
{
	rd_kafka_AdminOptions_t *opts;
	rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
	rd_kafka_event_t *ev;
	char err[512];
	int ms = o->seconds * 1000;

	opts = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	if (rd_kafka_AdminOptions_set_operation_timeout(opts, ms, err,
		    sizeof(err)) != RD_KAFKA_RESP_ERR_NO_ERROR ||
		rd_kafka_AdminOptions_set_request_timeout(opts, ms, err,
			sizeof(err)) != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(1, "%s", err);
	rd_kafka_CreateTopics(rk, missing, n, opts, q);
	ev = rd_kafka_queue_poll(q, ms + 1000);
	if (ev == NULL)
		fail(1, "%s did not answer within %d s", o->bootstrap,
			o->seconds);
	if (rd_kafka_event_error(ev) != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(1, "%s: %s", o->bootstrap,
			rd_kafka_event_error_string(ev));
	if (count_refused(ev) > 0)
		exit(1);
	rd_kafka_event_destroy(ev);
	rd_kafka_queue_destroy(q);
	rd_kafka_AdminOptions_destroy(opts);
}

static size_t
create_missing(rd_kafka_t *rk, struct list *l, const struct options *o)
{
	rd_kafka_NewTopic_t *missing[TOPICS_MAX];
	size_t n = 0, i;

	for (i = 0; i < l->n; i++)
		if (l->topics[i].found == 0)
			missing[n++] = new_topic(&l->topics[i]);
	if (n > 0)
		create(rk, missing, n, o);
	rd_kafka_NewTopic_destroy_array(missing, n);
	return n;
}

static const struct topic *
first_without_leader(const struct list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (!l->topics[i].led)
			return &l->topics[i];
	return NULL;
}

static void
wait_leaders(rd_kafka_t *rk, struct list *l, int64_t deadline)
{
	struct timespec pause = {0, 50 * 1000 * 1000};
	const struct topic *t;

	while ((t = first_without_leader(l)) != NULL) {
		if (now_ms() >= deadline)
			fail(1, "%s: a partition has no leader", t->name);
		nanosleep(&pause, NULL);
		look(rk, l, deadline);
	}
}

static int
report(const struct list *l, size_t created, const struct options *o)
{
	size_t i, mismatches = 0;

	for (i = 0; i < l->n; i++) {
		if (l->topics[i].found == l->topics[i].partitions)
			continue;
		fprintf(stderr,
			"topics: %s has %d partitions, the list says "
			"%d; not changed, because that moves keys: recreate the "
			"topic, or set CH_PARTITIONS or the list to %d\n",
			l->topics[i].name, l->topics[i].found,
			l->topics[i].partitions, l->topics[i].found);
		mismatches++;
	}
	printf("  topics at %s: %zu created, %zu were there%s\n", o->bootstrap,
		created, l->n - created, mismatches > 0 ? ", see above" : "");
	return mismatches > 0 ? EXIT_MISMATCH : 0;
}

static void
free_list(struct list *l)
{
	size_t i, j;

	for (i = 0; i < l->n; i++) {
		free(l->topics[i].name);
		free(l->topics[i].policy);
		for (j = 0; j < l->topics[i].nsettings; j++) {
			free(l->topics[i].settings[j].key);
			free(l->topics[i].settings[j].value);
		}
	}
}

static int
option_number(const char *name, const char *value, int max)
{
	int64_t v;

	if (!number(value, 1, max, &v))
		fail(EXIT_USAGE, "%s: \"%s\" is not within 1 to %d", name,
			value, max);
	return (int)v;
}

static void
read_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"bootstrap", required_argument, NULL, 'b'},
		{"config", required_argument, NULL, 'c'},
		{"partitions", required_argument, NULL, 'p'},
		{"wait", required_argument, NULL, 'w'},
		{NULL, 0, NULL, 0},
	};
	int c;

	*o = (struct options){.partitions = 4, .seconds = 30};
	while ((c = getopt_long(argc, argv, "b:c:p:w:", longs, NULL)) != -1) {
		switch (c) {
		case 'b':
			o->bootstrap = optarg;
			break;
		case 'c':
			o->config = optarg;
			break;
		case 'p':
			o->partitions =
				option_number("--partitions", optarg, 10000);
			break;
		case 'w':
			o->seconds = option_number("--wait", optarg, 3600);
			break;
		default:
			exit(EXIT_USAGE);
		}
	}
	if (o->bootstrap == NULL || optind != argc - 1)
		fail(EXIT_USAGE,
			"usage: topics --bootstrap HOST:PORT[,...] "
			"[--config FILE] [--partitions N] [--wait SECONDS] LIST");
	o->path = argv[optind];
}

int
main(int argc, char **argv)
{
	static struct list list;
	struct options o;
	rd_kafka_resp_err_t err;
	rd_kafka_t *rk;
	int64_t deadline;
	size_t created;
	int status;

	read_options(&o, argc, argv);
	read_list(&list, &o);
	rk = connect_client(&o);
	deadline = now_ms() + (int64_t)o.seconds * 1000;
	err = look(rk, &list, deadline);
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		pthread_mutex_lock(&reason_lock);
		fail(1,
			"%s: no metadata within %d s (%s; %s): is Kafka up and "
			"its advertised address reachable?",
			o.bootstrap, o.seconds, rd_kafka_err2str(err), reason);
	}
	created = create_missing(rk, &list, &o);
	wait_leaders(rk, &list, deadline);
	status = report(&list, created, &o);
	rd_kafka_destroy(rk);
	free_list(&list);
	return status;
}
