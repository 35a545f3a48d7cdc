/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_conf: see the header. Every property is set on a librdkafka object at
 * once, which checks name and value; a list beside it remembers what the
 * operator gave, for refusals and for /config.
 */
#include "kafka_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

struct property {
	char *name;
	char *value;
};

struct ch_kafka_conf {
	rd_kafka_conf_t *rk;
	struct property *items;
	size_t count;
};

/* Never an operator's: code loading, and how we read events and logs. */
static const char *const forbidden[] = {"plugin.library.paths", "log.queue",
	"enabled_events", "opaque", "log.thread.name", NULL};

int
ch_kafka_version_check(struct ch_err *err)
{
	if (rd_kafka_version() >= CH_KAFKA_VERSION_MIN)
		return 0;
	return ch_err_set(err, CH_ECONFIG,
		"librdkafka %s is older than 2.12: it loses messages; build "
		"with the copy that deploy/local/deps.sh makes",
		rd_kafka_version_str());
}

struct ch_kafka_conf *
ch_kafka_conf_new(void)
{
	struct ch_kafka_conf *c = ch_xcalloc(1, sizeof(*c));

	c->rk = rd_kafka_conf_new();
	return c;
}

void
ch_kafka_conf_free(struct ch_kafka_conf *c)
{
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i < c->count; i++) {
		free(c->items[i].name);
		free(c->items[i].value);
	}
	free(c->items);
	rd_kafka_conf_destroy(c->rk);
	free(c);
}

static struct property *
find(const struct ch_kafka_conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->count; i++)
		if (strcmp(c->items[i].name, name) == 0)
			return &c->items[i];
	return NULL;
}

static void
remember(struct ch_kafka_conf *c, const char *name, const char *value)
{
	struct property *p = find(c, name);

	if (p != NULL) {
		free(p->value);
		p->value = ch_xstrdup(value);
		return;
	}
	c->items = ch_xrealloc(c->items, c->count + 1, sizeof(*c->items));
	c->items[c->count].name = ch_xstrdup(name);
	c->items[c->count].value = ch_xstrdup(value);
	c->count++;
}

struct ch_kafka_conf *
ch_kafka_conf_copy(const struct ch_kafka_conf *c)
{
	struct ch_kafka_conf *n = ch_xcalloc(1, sizeof(*n));
	size_t i;

	n->rk = rd_kafka_conf_dup(c->rk);
	for (i = 0; i < c->count; i++)
		remember(n, c->items[i].name, c->items[i].value);
	return n;
}

static bool
is_secret(const char *name)
{
	return strstr(name, "password") != NULL ||
		strstr(name, "passphrase") != NULL ||
		strstr(name, "secret") != NULL ||
		strstr(name, "key.pem") != NULL ||
		strcmp(name, "sasl.oauthbearer.config") == 0;
}

int
ch_kafka_conf_force(rd_kafka_conf_t *rk, const char *name, const char *value,
	struct ch_err *err)
{
	char why[256] = "";

	if (rd_kafka_conf_set(rk, name, value, why, sizeof(why)) ==
		RD_KAFKA_CONF_OK)
		return 0;
	/* librdkafka's text repeats the value. */
	if (is_secret(name))
		return ch_err_set(err, CH_ECONFIG,
			"Kafka property %s: its value is refused", name);
	return ch_err_set(err, CH_ECONFIG, "Kafka property %s=%s: %s", name,
		value, why);
}

int
ch_kafka_conf_force_int(rd_kafka_conf_t *rk, const char *name, int value,
	struct ch_err *err)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", value);
	return ch_kafka_conf_force(rk, name, text, err);
}

/* Does it switch the verification of certificates or host names off? */
static bool
weakens_tls(const char *name, const char *value)
{
	if (strcmp(name, "enable.ssl.certificate.verification") == 0)
		return strcmp(value, "true") != 0;
	return strcmp(name, "ssl.endpoint.identification.algorithm") == 0 &&
		strcmp(value, "https") != 0;
}

int
ch_kafka_conf_set(struct ch_kafka_conf *c, const char *name, const char *value,
	struct ch_err *err)
{
	size_t i;
	int rc;

	for (i = 0; forbidden[i] != NULL; i++)
		if (strcmp(forbidden[i], name) == 0)
			return ch_err_set(err, CH_ECONFIG,
				"Kafka property %s cannot be set here", name);
	if (weakens_tls(name, value))
		return ch_err_set(err, CH_ECONFIG,
			"Kafka property %s=%s: TLS verification is always on; "
			"give ssl.ca.location for a private authority",
			name, value);
	rc = ch_kafka_conf_force(c->rk, name, value, err);
	if (rc == 0)
		remember(c, name, value);
	return rc;
}

/* ---- files ---- */

static int
read_file(const char *path, size_t max, struct ch_buf *out, struct ch_err *err)
{
	char chunk[4096];
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ch_err_errno(err, errno, "%s", path);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0 &&
		out->len + (size_t)n <= max)
		ch_buf_add(out, chunk, (size_t)n);
	if (n < 0)
		(void)ch_err_errno(err, errno, "%s", path);
	else if (n > 0)
		(void)ch_err_set(err, CH_ECONFIG, "%s: more than %zu bytes",
			path, max);
	(void)close(fd);
	return n == 0 ? 0 : CH_ECONFIG;
}

/* The file's content, less one trailing newline, as the property's value. */
static int
add_secret_file(struct ch_kafka_conf *c, const char *name, const char *path,
	struct ch_err *err)
{
	struct ch_buf b = CH_BUF_INIT;
	int rc;

	rc = read_file(path, CH_KAFKA_SECRET_MAX, &b, err);
	if (rc == 0) {
		if (b.len > 0 && b.ptr[b.len - 1] == '\n')
			b.ptr[--b.len] = '\0';
		if (b.len == 0)
			rc = ch_err_set(err, CH_ECONFIG, "%s is empty", path);
		else
			rc = ch_kafka_conf_set(c, name, ch_buf_str(&b), err);
	}
	if (b.ptr != NULL)
		explicit_bzero(b.ptr, b.cap);
	ch_buf_free(&b);
	if (rc != 0) {
		if (err != NULL)
			err->code = CH_ECONFIG;
		ch_err_wrap(err, "Kafka property %s.file", name);
		return CH_ECONFIG;
	}
	return 0;
}

/* Splits name=value into two new strings. */
static bool
split_pair(struct ch_view pair, char **name, char **value)
{
	struct ch_view n;

	if (memchr(pair.ptr != NULL ? pair.ptr : "", '=', pair.len) == NULL ||
		!ch_view_split(&pair, '=', &n))
		return false;
	n = ch_view_trim(n);
	if (n.len == 0)
		return false;
	*name = ch_xviewdup(n);
	*value = ch_xviewdup(ch_view_trim(pair));
	return true;
}

static int
add_pair(struct ch_kafka_conf *c, struct ch_view pair, bool secrets_allowed,
	struct ch_err *err)
{
	char *name, *value;
	size_t n;
	int rc;

	if (!split_pair(pair, &name, &value))
		return ch_err_set(err, CH_ECONFIG,
			"Kafka property \"%.*s\": name=value is wanted",
			CH_VIEW_ARG(pair));
	n = strlen(name);
	if (n > 5 && strcmp(name + n - 5, ".file") == 0) {
		name[n - 5] = '\0';
		rc = add_secret_file(c, name, value, err);
	} else if (!secrets_allowed && is_secret(name)) {
		rc = ch_err_set(err, CH_ECONFIG,
			"Kafka property %s: a secret is not taken from here; "
			"give %s.file=/path",
			name, name);
	} else {
		rc = ch_kafka_conf_set(c, name, value, err);
	}
	free(name);
	explicit_bzero(value, strlen(value));
	free(value);
	return rc;
}

int
ch_kafka_conf_add(struct ch_kafka_conf *c, struct ch_view pair,
	struct ch_err *err)
{
	return add_pair(c, pair, false, err);
}

int
ch_kafka_conf_file(struct ch_kafka_conf *c, const char *path,
	struct ch_err *err)
{
	struct ch_buf b = CH_BUF_INIT;
	struct ch_view rest, line;
	int rc, number = 0;

	rc = read_file(path, CH_KAFKA_CONF_FILE_MAX, &b, err);
	if (rc != 0 && err != NULL)
		err->code = CH_ECONFIG;
	rest = ch_buf_view(&b);
	while (rc == 0 && ch_view_split(&rest, '\n', &line)) {
		number++;
		line = ch_view_trim(line);
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		rc = add_pair(c, line, true, err);
		if (rc != 0)
			ch_err_wrap(err, "%s:%d", path, number);
	}
	if (b.ptr != NULL)
		explicit_bzero(b.ptr, b.cap);
	ch_buf_free(&b);
	return rc == 0 ? 0 : CH_ECONFIG;
}

/* ---- looking at it ---- */

const char *
ch_kafka_conf_get(const struct ch_kafka_conf *c, const char *name)
{
	const struct property *p = find(c, name);

	return p != NULL ? p->value : NULL;
}

int
ch_kafka_conf_refuse(const struct ch_kafka_conf *c, const char *const *reserved,
	const char *owner, struct ch_err *err)
{
	for (; *reserved != NULL; reserved++)
		if (find(c, *reserved) != NULL)
			return ch_err_set(err, CH_ECONFIG,
				"Kafka property %s is decided by %s and "
				"cannot be set",
				*reserved, owner);
	return 0;
}

void
ch_kafka_conf_each(const struct ch_kafka_conf *c,
	void (*fn)(void *ctx, const char *name, const char *value), void *ctx)
{
	size_t i;

	for (i = 0; i < c->count; i++)
		fn(ctx, c->items[i].name,
			is_secret(c->items[i].name) ? "***"
						    : c->items[i].value);
}

/* ---- librdkafka's log ---- */

/* We set it on purpose, in each producer: no operator can do anything about
 * librdkafka's calling it experimental. */
static bool
is_our_choice(const char *fac, const char *text)
{
	return strcmp(fac, "CONFWARN") == 0 &&
		strstr(text,
			"property enable.gapless.guarantee is "
			"experimental") != NULL;
}

static void
log_line(const rd_kafka_t *rk, int level, const char *fac, const char *text)
{
	enum ch_log_level l = level <= LOG_ERR ? CH_LOG_ERROR
		: level <= LOG_WARNING	       ? CH_LOG_WARN
		: level <= LOG_INFO	       ? CH_LOG_INFO
					       : CH_LOG_DEBUG;

	/* The brokers' comings and goings are its errors, not ours. */
	if (l == CH_LOG_ERROR && strcmp(fac, "FAIL") == 0)
		l = CH_LOG_WARN;
	if (is_our_choice(fac, text))
		l = CH_LOG_DEBUG;
	if (l < ch_log_level_get())
		return;
	CH_LOG_(l, "kafka.log", CH_S("client", rd_kafka_name(rk)),
		CH_S("fac", fac), CH_S("text", text));
}

/* On, unless the operator says otherwise. Without nagle.disable the second of
 * two requests in flight waits until the first one's packet is acknowledged,
 * which a broker may put off by 40 ms; Java's clients never wait. */
static const char *const ours[] = {
	"socket.keepalive.enable", "socket.nagle.disable"};

rd_kafka_conf_t *
ch_kafka_conf_build(const struct ch_kafka_conf *c)
{
	rd_kafka_conf_t *rk = rd_kafka_conf_dup(c->rk);

	rd_kafka_conf_set_log_cb(rk, log_line);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (find(c, ours[i]) == NULL)
			(void)ch_kafka_conf_force(rk, ours[i], "true", NULL);
	return rk;
}

/* ---- the trial ---- */

static int
read_back(rd_kafka_conf_t *rk, const char *name, char *out, size_t size)
{
	return rd_kafka_conf_get(rk, name, out, &size) == RD_KAFKA_CONF_OK
		? 0
		: CH_ENOTFOUND;
}

/* Without brokers nobody is called, but SASL would fetch tokens or tickets as
 * soon as the client stands: it is left out. */
static int
leave_out_network(rd_kafka_conf_t *rk, struct ch_err *err)
{
	char protocol[32] = "";

	if (read_back(rk, "security.protocol", protocol, sizeof(protocol)) != 0)
		return ch_err_set(err, CH_ECONFIG,
			"Kafka property security.protocol: cannot be read");
	if (strncasecmp(protocol, "sasl_", 5) != 0)
		return 0;
	return ch_kafka_conf_force(rk, "security.protocol", protocol + 5, err);
}

int
ch_kafka_conf_check(const struct ch_kafka_conf *c, struct ch_err *err)
{
	rd_kafka_conf_t *rk = rd_kafka_conf_dup(c->rk);
	rd_kafka_t *client = NULL;
	char why[256] = "";
	int rc;

	rc = leave_out_network(rk, err);
	if (rc == 0)
		rc = ch_kafka_conf_force(rk, "bootstrap.servers", "", err);
	if (rc == 0) {
		rd_kafka_conf_set_log_cb(rk, NULL);
		client = rd_kafka_new(RD_KAFKA_PRODUCER, rk, why, sizeof(why));
		if (client == NULL)
			rc = ch_err_set(err, CH_ECONFIG, "Kafka properties: %s",
				why);
	}
	if (client != NULL)
		rd_kafka_destroy(client);
	else
		rd_kafka_conf_destroy(rk);
	return rc;
}
