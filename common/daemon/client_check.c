/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_check: see client_check.h.
 *
 * Why before the start: librdkafka and libpq would refuse or silently pass
 * over most of it later, in their own words, without the key that the
 * operator wrote; and --check-config would call it right.
 */
#include "daemon/client_check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/http_server.h"
#include "io/kafka_conf.h"
#include "io/pg.h"

/* "key (from origin): " before the text; whatever the code was, it is now the
 * configuration that is wrong. */
static int
refuse(const struct ch_params *p, const char *key, struct ch_err *err)
{
	(void)ch_err_wrap(err, "%s (from %s)", key, ch_params_origin(p, key));
	if (err != NULL)
		err->code = CH_ECONFIG;
	return CH_ECONFIG;
}

/* ---- Kafka ---- */

/* A broker: host, host:port, [v6]:port, perhaps behind "protocol://". */
static bool
is_broker(const char *text)
{
	const char *scheme = strstr(text, "://");
	const char *host = scheme != NULL ? scheme + 3 : text;
	const char *bracket = host[0] == '[' ? strchr(host, ']') : host;
	const char *colon;
	int64_t port;

	if (bracket == NULL || strpbrk(host, " \t/") != NULL)
		return false;
	colon = strrchr(bracket, ':');
	if (host[0] == '\0' || colon == host)
		return false;
	return colon == NULL ||
		ch_view_int(ch_view_of(colon + 1), 1, 65535, &port) == 0;
}

static int
check_bootstrap(const struct ch_params *p, struct ch_err *err)
{
	const char *const *broker = ch_params_list(p, "bootstrap", NULL);

	for (; *broker != NULL; broker++)
		if (!is_broker(*broker))
			return ch_err_set(err, CH_ECONFIG,
				"bootstrap: \"%s\" "
				"is no host:port with a port of 1 to 65535 "
				"(from %s)",
				*broker, ch_params_origin(p, "bootstrap"));
	return 0;
}

struct check {
	const struct ch_params *params;
	const char *const *reserved;
	struct ch_kafka_conf *conf;
	struct ch_err *err;
	const char *blamed; /* last member that the error's text names */
	int rc;
};

static int
check_owner(const struct check *c, const char *key)
{
	const char *const *r = c->reserved;

	if (strcmp(key, "bootstrap.servers") == 0 ||
		strcmp(key, "metadata.broker.list") == 0)
		return ch_err_set(c->err, CH_ECONFIG,
			"the brokers are given "
			"by `bootstrap`");
	while (*r != NULL && strcmp(*r, key) != 0)
		r++;
	if (*r == NULL)
		return 0;
	return ch_err_set(c->err, CH_ECONFIG,
		"decided by the daemon, because "
		"its guarantees rest on it; cannot be set");
}

static void
check_member(void *ctx, const char *key, const char *value)
{
	struct check *c = ctx;

	if (c->rc != 0)
		return;
	c->rc = check_owner(c, key);
	if (c->rc == 0)
		c->rc = ch_kafka_conf_set(c->conf, key, value, c->err);
	if (c->rc != 0)
		(void)ch_err_wrap(c->err, "kafka.%s (from %s)", key,
			ch_params_member_origin(c->params, "kafka", key));
}

static void
blame(void *ctx, const char *key, const char *value)
{
	struct check *c = ctx;

	(void)value;
	if (strstr(c->err->text, key) != NULL)
		c->blamed = key;
}

static void
check_together(struct check *c)
{
	c->rc = ch_kafka_conf_check(c->conf, c->err);
	if (c->rc == 0)
		return;
	ch_params_group(c->params, "kafka", blame, c);
	if (c->blamed != NULL)
		(void)ch_err_wrap(c->err, "kafka.%s (from %s)", c->blamed,
			ch_params_member_origin(c->params, "kafka", c->blamed));
	else
		(void)ch_err_wrap(c->err, "kafka");
}

int
ch_client_check_kafka(const struct ch_params *p, const char *const *reserved,
	struct ch_err *err)
{
	struct ch_err own = CH_ERR_INIT;
	struct check c = {.params = p,
		.reserved = reserved,
		.conf = ch_kafka_conf_new(),
		.err = err != NULL ? err : &own};

	c.rc = check_bootstrap(p, c.err);
	ch_params_group(p, "kafka", check_member, &c);
	if (c.rc == 0 && ch_params_is_set(p, "kafka"))
		check_together(&c);
	ch_kafka_conf_free(c.conf);
	return c.rc;
}

/* ---- PostgreSQL ---- */

int
ch_client_check_database(const struct ch_params *p, const char *passfile_key,
	struct ch_err *err)
{
	const char *passfile =
		passfile_key != NULL ? ch_params_str(p, passfile_key) : "";
	bool secret = false;

	if (passfile[0] != '\0' && ch_pg_passfile_check(passfile, err) != 0)
		return refuse(p, passfile_key, err);
	if (ch_pg_target_check(ch_params_str(p, "database_url"),
		    passfile[0] != '\0' ? passfile : NULL, &secret, err) == 0)
		return 0;
	return refuse(p, "database_url", err);
}

/* ---- the rest ---- */

int
ch_client_check_listen(const struct ch_params *p, const char *key,
	struct ch_err *err)
{
	return ch_http_listen_check(ch_params_str(p, key), err) == 0
		? 0
		: refuse(p, key, err);
}

int
ch_client_check_file(const struct ch_params *p, const char *key,
	struct ch_err *err)
{
	const char *path = ch_params_str(p, key);
	struct stat st;
	int rc = 0;
	int fd;

	if (path[0] == '\0')
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		rc = ch_err_errno(err, errno, "\"%s\" cannot be opened", path);
	else if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		rc = ch_err_set(err, CH_ECONFIG, "\"%s\" is no regular file",
			path);
	if (fd >= 0)
		(void)close(fd);
	return rc == 0 ? 0 : refuse(p, key, err);
}
