/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: see metrics.h.
 *
 * A series is a few atomics; the list of a metric's series only grows, under a
 * lock that updates do not take. Invariant: a pointer given out stays valid as
 * long as the registry. Histogram buckets are kept per bucket and summed when
 * printed, so an observation touches three words.
 *
 * Fails: a table that breaks Prometheus' rules is our bug and asserts at the
 * start, so that it cannot reach an operator.
 */
#include "daemon/metrics.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/memwatch.h"
#include "daemon/roff.h"

#define MAX_SERIES_DEFAULT 64
#define BUCKETS_MAX 32
#define TABLES_MAX 4

struct ch_series {
	struct ch_series *next;
	struct metric *metric;
	char *values[CH_METRIC_LABELS_MAX];
	atomic_bool hidden;
	atomic_llong value;	/* counter, gauge; histogram: sum */
	atomic_llong count;	/* histogram: observations */
	atomic_llong buckets[]; /* histogram: bucket_count + 1 */
};

struct metric {
	const struct ch_metric_desc *desc;
	const int64_t *buckets;
	int bucket_count;
	int label_count;
	int series_count; /* under mu */
	struct ch_series *_Atomic first;
	struct ch_series *last; /* under mu */
};

struct ch_metrics {
	pthread_mutex_t mu;
	struct metric *metrics;
	int count;
	int64_t start_us; /* of the process, wall time */
};

static const int64_t buckets_seconds[] = {500, 1000, 2500, 5000, 10000, 25000,
	50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 0};
static const int64_t buckets_count[] = {
	1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 0};

static const char *const type_names[] = {"counter", "gauge", "histogram"};
static const char *const unit_names[] = {"", "seconds", "bytes", "ratio"};

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static bool
valid_name(const char *s)
{
	if (*s < 'a' || *s > 'z')
		return false;
	for (; *s != '\0'; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') ||
			    *s == '_'))
			return false;
	return true;
}

/* promtool's rules, so that a bad table does not survive its first start. */
static void
check_desc(const struct ch_metric_desc *d)
{
	assert(valid_name(d->name));
	assert(d->help != NULL && d->help[0] != '\0');
	assert((d->type == CH_COUNTER) == ends_with(d->name, "_total"));
	if (d->unit != CH_UNIT_NONE) {
		char suffix[32];

		(void)snprintf(suffix, sizeof(suffix), "_%s%s",
			unit_names[d->unit],
			d->type == CH_COUNTER ? "_total" : "");
		assert(ends_with(d->name, suffix));
	}
	for (int i = 0; i < CH_METRIC_LABELS_MAX; i++)
		assert(d->labels[i] == NULL ||
			(valid_name(d->labels[i]) &&
				strcmp(d->labels[i], "le") != 0));
}

static struct ch_series *
add_series(struct metric *m, const char *const values[CH_METRIC_LABELS_MAX])
{
	size_t n =
		m->desc->type == CH_HISTOGRAM ? (size_t)m->bucket_count + 1 : 0;
	struct ch_series *s =
		ch_xcalloc(1, sizeof(*s) + n * sizeof(s->buckets[0]));

	s->metric = m;
	assert(m->label_count <= CH_METRIC_LABELS_MAX);
	for (int i = 0; i < m->label_count; i++)
		s->values[i] = ch_xstrdup(values[i]);
	if (m->last == NULL)
		atomic_store(&m->first, s);
	else
		m->last->next = s;
	m->last = s;
	m->series_count++;
	return s;
}

static void
init_metric(struct metric *m, const struct ch_metric_desc *d)
{
	static const char *const none[CH_METRIC_LABELS_MAX];

	check_desc(d);
	m->desc = d;
	m->buckets = d->buckets;
	if (m->buckets == NULL)
		m->buckets = d->unit == CH_UNIT_SECONDS ? buckets_seconds
							: buckets_count;
	while (m->buckets[m->bucket_count] != 0)
		m->bucket_count++;
	assert(m->bucket_count <= BUCKETS_MAX);
	while (m->label_count < CH_METRIC_LABELS_MAX &&
		d->labels[m->label_count] != NULL)
		m->label_count++;
	if (m->label_count == 0)
		(void)add_series(m, none);
}

/* Microseconds since 1970 when the process began. */
static int64_t
process_start_us(void)
{
	struct timespec now, boot;
	char buf[1024];
	const char *p;
	int64_t ticks = 0, wall, up;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, buf, sizeof(buf) - 1) : -1;

	if (fd >= 0)
		close(fd);
	clock_gettime(CLOCK_REALTIME, &now);
	wall = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	if (n <= 0)
		return wall;
	buf[n] = '\0';
	p = strrchr(buf, ')'); /* the name may hold anything */
	for (int field = 2; p != NULL && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p == NULL)
		return wall;
	ticks = strtoll(p + 1, NULL, 10);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	up = (int64_t)boot.tv_sec * 1000000 + boot.tv_nsec / 1000;
	return wall - up + ticks * 1000000 / sysconf(_SC_CLK_TCK);
}

struct ch_metrics *
ch_metrics_new(const char *service, const struct ch_metric_desc *const tables[])
{
	struct ch_metrics *m = ch_xcalloc(1, sizeof(*m));
	int n = 0;

	(void)service;
	for (int t = 0; tables[t] != NULL; t++)
		for (const struct ch_metric_desc *d = tables[t];
			d->name != NULL; d++)
			n++;
	pthread_mutex_init(&m->mu, NULL);
	m->metrics = ch_xcalloc((size_t)n + 1, sizeof(*m->metrics));
	m->start_us = process_start_us();
	for (int t = 0; tables[t] != NULL; t++)
		for (const struct ch_metric_desc *d = tables[t];
			d->name != NULL; d++)
			init_metric(&m->metrics[m->count++], d);
	return m;
}

void
ch_metrics_free(struct ch_metrics *m)
{
	if (m == NULL)
		return;
	for (int i = 0; i < m->count; i++) {
		struct ch_series *s = atomic_load(&m->metrics[i].first);

		while (s != NULL) {
			struct ch_series *next = s->next;

			for (int l = 0; l < CH_METRIC_LABELS_MAX; l++)
				free(s->values[l]);
			free(s);
			s = next;
		}
	}
	pthread_mutex_destroy(&m->mu);
	free(m->metrics);
	free(m);
}

static struct ch_series *
find_series(const struct metric *m,
	const char *const values[CH_METRIC_LABELS_MAX])
{
	struct ch_series *s = atomic_load(&m->first);

	assert(m->label_count <= CH_METRIC_LABELS_MAX);
	for (; s != NULL; s = s->next) {
		int i = 0;

		while (i < m->label_count &&
			strcmp(s->values[i], values[i]) == 0)
			i++;
		if (i == m->label_count)
			return s;
	}
	return NULL;
}

struct ch_series *
ch_metrics_series_(struct ch_metrics *m, int id,
	const char *const values[CH_METRIC_LABELS_MAX])
{
	static const char *const other[CH_METRIC_LABELS_MAX] = {
		"other", "other", "other"};
	struct metric *metric = &m->metrics[id];
	struct ch_series *s;
	int max;

	assert(id >= 0 && id < m->count);
	for (int i = 0; i < CH_METRIC_LABELS_MAX; i++)
		assert((i < metric->label_count) == (values[i] != NULL));
	max = metric->desc->max_series > 0 ? metric->desc->max_series
					   : MAX_SERIES_DEFAULT;
	pthread_mutex_lock(&m->mu);
	s = find_series(metric, values);
	if (s == NULL && metric->series_count >= max) {
		s = find_series(metric, other);
		values = other;
	}
	if (s == NULL)
		s = add_series(metric, values);
	atomic_store(&s->hidden, false);
	pthread_mutex_unlock(&m->mu);
	return s;
}

struct ch_series *
ch_metrics_get(struct ch_metrics *m, int id)
{
	assert(id >= 0 && id < m->count);
	assert(m->metrics[id].label_count == 0);
	return atomic_load(&m->metrics[id].first);
}

void
ch_series_add(struct ch_series *s, int64_t n)
{
	assert(s->metric->desc->type == CH_GAUGE ||
		(s->metric->desc->type == CH_COUNTER && n >= 0));
	atomic_fetch_add_explicit(&s->value, n, memory_order_relaxed);
}

void
ch_series_set(struct ch_series *s, int64_t v)
{
	assert(s->metric->desc->type != CH_HISTOGRAM);
	atomic_store_explicit(&s->value, v, memory_order_relaxed);
}

void
ch_series_observe(struct ch_series *s, int64_t v)
{
	const struct metric *m = s->metric;
	int i = 0;

	assert(m->desc->type == CH_HISTOGRAM);
	while (i < m->bucket_count && v > m->buckets[i])
		i++;
	atomic_fetch_add_explicit(&s->buckets[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->value, v, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
}

int64_t
ch_series_value(const struct ch_series *s)
{
	return s->metric->desc->type == CH_HISTOGRAM ? atomic_load(&s->count)
						     : atomic_load(&s->value);
}

void
ch_metric_add(struct ch_metrics *m, int id, int64_t n)
{
	ch_series_add(ch_metrics_get(m, id), n);
}

void
ch_metric_set(struct ch_metrics *m, int id, int64_t v)
{
	ch_series_set(ch_metrics_get(m, id), v);
}

void
ch_metric_observe(struct ch_metrics *m, int id, int64_t v)
{
	ch_series_observe(ch_metrics_get(m, id), v);
}

void
ch_series_hide(struct ch_series *s)
{
	atomic_store(&s->hidden, true);
	atomic_store(&s->value, 0);
	atomic_store(&s->count, 0);
	if (s->metric->desc->type == CH_HISTOGRAM)
		for (int i = 0; i <= s->metric->bucket_count; i++)
			atomic_store(&s->buckets[i], 0);
}

/* ---- printing ---- */

static void
add_number(struct ch_buf *out, int64_t v, enum ch_metric_unit unit)
{
	uint64_t a = v < 0 ? (uint64_t)0 - (uint64_t)v : (uint64_t)v;
	char frac[8];
	int n = 6;

	if (unit != CH_UNIT_SECONDS && unit != CH_UNIT_RATIO) {
		ch_buf_add_i64(out, v);
		return;
	}
	ch_buf_printf(out, "%s%llu", v < 0 ? "-" : "",
		(unsigned long long)(a / 1000000));
	if (a % 1000000 == 0)
		return;
	(void)snprintf(frac, sizeof(frac), "%06llu",
		(unsigned long long)(a % 1000000));
	while (frac[n - 1] == '0')
		n--;
	ch_buf_printf(out, ".%.*s", n, frac);
}

static void
add_escaped(struct ch_buf *out, const char *s, bool quotes)
{
	for (; *s != '\0'; s++) {
		if (*s == '\n')
			ch_buf_adds(out, "\\n");
		else if (*s == '\\' || (*s == '"' && quotes)) {
			ch_buf_addc(out, '\\');
			ch_buf_addc(out, *s);
		} else
			ch_buf_addc(out, *s);
	}
}

/* {a="x",le="0.5"}; le NULL: without. */
static void
add_labels(struct ch_buf *out, const struct ch_series *s, const int64_t *le,
	bool infinite)
{
	const struct metric *m = s->metric;
	const char *sep = "{";

	for (int i = 0; i < m->label_count; i++) {
		ch_buf_printf(out, "%s%s=\"", sep, m->desc->labels[i]);
		add_escaped(out, s->values[i], true);
		ch_buf_addc(out, '"');
		sep = ",";
	}
	if (le != NULL || infinite) {
		ch_buf_printf(out, "%sle=\"", sep);
		if (infinite)
			ch_buf_adds(out, "+Inf");
		else
			add_number(out, *le, m->desc->unit);
		ch_buf_addc(out, '"');
		sep = ",";
	}
	if (sep[0] == ',')
		ch_buf_addc(out, '}');
}

static void
render_histogram(struct ch_buf *out, const struct ch_series *s)
{
	const struct metric *m = s->metric;
	int64_t sum = 0;

	for (int i = 0; i <= m->bucket_count; i++) {
		sum += atomic_load(&s->buckets[i]);
		ch_buf_printf(out, "%s_bucket", m->desc->name);
		add_labels(out, s, &m->buckets[i], i == m->bucket_count);
		ch_buf_addc(out, ' ');
		ch_buf_add_i64(out, sum);
		ch_buf_addc(out, '\n');
	}
	ch_buf_printf(out, "%s_sum", m->desc->name);
	add_labels(out, s, NULL, false);
	ch_buf_addc(out, ' ');
	add_number(out, atomic_load(&s->value), m->desc->unit);
	/* The count is the buckets' sum, so that the two agree in one page. */
	ch_buf_printf(out, "\n%s_count", m->desc->name);
	add_labels(out, s, NULL, false);
	ch_buf_addc(out, ' ');
	ch_buf_add_i64(out, sum);
	ch_buf_addc(out, '\n');
}

static void
render_series(struct ch_buf *out, const struct ch_series *s)
{
	if (s->metric->desc->type == CH_HISTOGRAM) {
		render_histogram(out, s);
		return;
	}
	ch_buf_adds(out, s->metric->desc->name);
	add_labels(out, s, NULL, false);
	ch_buf_addc(out, ' ');
	add_number(out, atomic_load(&s->value), s->metric->desc->unit);
	ch_buf_addc(out, '\n');
}

static void
add_title(struct ch_buf *out, const char *name, const char *help,
	const char *type)
{
	ch_buf_printf(out, "# HELP %s ", name);
	add_escaped(out, help, false);
	ch_buf_printf(out, "\n# TYPE %s %s\n", name, type);
}

static int64_t
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int64_t n = 0;

	if (d == NULL)
		return -1;
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 3; /* ".", ".." and the directory itself */
}

static int64_t
threads(void)
{
	char buf[4096];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, buf, sizeof(buf) - 1) : -1;
	const char *p;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -1;
	buf[n] = '\0';
	p = strstr(buf, "\nThreads:");
	return p != NULL ? strtoll(p + 9, NULL, 10) : -1;
}

static void
add_process(struct ch_buf *out, const char *name, const char *help,
	enum ch_metric_unit unit, int64_t v)
{
	if (v < 0)
		return;
	add_title(out, name, help,
		ends_with(name, "_total") ? "counter" : "gauge");
	ch_buf_printf(out, "%s ", name);
	add_number(out, v, unit);
	ch_buf_addc(out, '\n');
}

static void
render_process(struct ch_buf *out, const struct ch_metrics *m)
{
	struct rusage ru;
	struct rlimit rl = {0, 0};
	int64_t cpu = 0;

	if (getrusage(RUSAGE_SELF, &ru) == 0)
		cpu = (int64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) *
				1000000 +
			ru.ru_utime.tv_usec + ru.ru_stime.tv_usec;
	(void)getrlimit(RLIMIT_NOFILE, &rl);
	add_process(out, "process_cpu_seconds_total",
		"User and system CPU time spent.", CH_UNIT_SECONDS, cpu);
	add_process(out, "process_open_fds", "Open file descriptors.",
		CH_UNIT_NONE, open_fds());
	add_process(out, "process_max_fds", "Most file descriptors allowed.",
		CH_UNIT_NONE, (int64_t)rl.rlim_cur);
	add_process(out, "process_resident_memory_bytes", "Resident memory.",
		CH_UNIT_BYTES, ch_memwatch_rss());
	add_process(out, "process_start_time_seconds",
		"Start of the process since 1970.", CH_UNIT_SECONDS,
		m->start_us);
	add_process(out, "process_threads", "Threads.", CH_UNIT_NONE,
		threads());
}

void
ch_metrics_render(struct ch_metrics *m, struct ch_buf *out)
{
	pthread_mutex_lock(&m->mu); /* the lists stand still; values move */
	for (int i = 0; i < m->count; i++) {
		const struct metric *metric = &m->metrics[i];
		bool titled = false;

		for (const struct ch_series *s = atomic_load(&metric->first);
			s != NULL; s = s->next) {
			if (atomic_load(&s->hidden))
				continue;
			if (!titled)
				add_title(out, metric->desc->name,
					metric->desc->help,
					type_names[metric->desc->type]);
			titled = true;
			render_series(out, s);
		}
	}
	pthread_mutex_unlock(&m->mu);
	render_process(out, m);
}

static void
man_metric(struct ch_buf *out, const struct ch_metric_desc *d)
{
	ch_buf_adds(out, ".TP\n\\fB");
	ch_roff_add(out, d->name);
	ch_buf_adds(out, "\\fR");
	for (int i = 0; i < CH_METRIC_LABELS_MAX && d->labels[i] != NULL; i++) {
		ch_buf_adds(out, i == 0 ? "{\\fI" : ", \\fI");
		ch_roff_add(out, d->labels[i]);
		ch_buf_adds(out, "\\fR");
	}
	ch_buf_printf(out, "%s (%s)\n", d->labels[0] != NULL ? "}" : "",
		type_names[d->type]);
	ch_roff_add(out, d->help);
	ch_buf_addc(out, '\n');
}

void
ch_metrics_man(struct ch_buf *out, const struct ch_metric_desc *const tables[])
{
	for (int t = 0; tables[t] != NULL; t++)
		for (const struct ch_metric_desc *d = tables[t];
			d->name != NULL; d++)
			man_metric(out, d);
}

void
ch_metrics_reference(struct ch_buf *out,
	const struct ch_metric_desc *const tables[])
{
	ch_buf_adds(out,
		"| metric | type | labels | meaning |\n|---|---|---|---|\n");
	for (int t = 0; tables[t] != NULL; t++)
		for (const struct ch_metric_desc *d = tables[t];
			d->name != NULL; d++) {
			ch_buf_printf(out, "| `%s` | %s | ", d->name,
				type_names[d->type]);
			for (int i = 0; i < CH_METRIC_LABELS_MAX &&
				d->labels[i] != NULL;
				i++)
				ch_buf_printf(out, "%s`%s`", i > 0 ? ", " : "",
					d->labels[i]);
			ch_buf_printf(out, " | %s |\n", d->help);
		}
}
