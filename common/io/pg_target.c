/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_target: what a connection string says, and whether it can be right, as
 * far as that shows without a network (see pg.h).
 *
 * Why files are looked at: libpq passes over a passfile that is missing or
 * that others may read, and connects without a password; the server's "no
 * password supplied" then names neither file nor reason, and a daemon tries
 * for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pg_private.h"

/* May a password stand in the text? Rather once too often. */
static bool
may_hold_password(const char *conninfo)
{
	return strcasestr(conninfo, "password") != NULL ||
		(strstr(conninfo, "://") != NULL &&
			strchr(conninfo, '@') != NULL);
}

PQconninfoOption *
ch_pg_target_parse(const char *conninfo, struct ch_err *err)
{
	char *why = NULL;
	PQconninfoOption *opts = PQconninfoParse(conninfo, &why);

	/* libpq's text repeats parts of what it could not read. */
	if (opts == NULL && may_hold_password(conninfo))
		(void)ch_err_set(err, CH_ECONFIG,
			"PostgreSQL conninfo: cannot "
			"be read; it is not repeated here, for the password "
			"that may stand in it");
	else if (opts == NULL)
		(void)ch_err_set(err, CH_ECONFIG, "PostgreSQL conninfo: %s",
			why != NULL ? why : "cannot be read");
	PQfreemem(why);
	return opts;
}

const char *
ch_pg_option_of(const PQconninfoOption *opts, const char *keyword)
{
	for (; opts != NULL && opts->keyword != NULL; opts++)
		if (strcmp(opts->keyword, keyword) == 0)
			return opts->val;
	return NULL;
}

/* Opens, not only stats: the permission that counts is this process's. */
static int
stat_readable(const char *path, struct stat *st, struct ch_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int rc = 0;

	if (fd < 0) {
		(void)ch_err_errno(err, errno, "\"%s\" cannot be opened", path);
		if (err != NULL)
			err->code = CH_ECONFIG;
		return CH_ECONFIG;
	}
	if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode))
		rc = ch_err_set(err, CH_ECONFIG, "\"%s\" is no regular file",
			path);
	(void)close(fd);
	return rc;
}

static int
check_mode(const char *path, const struct stat *st, mode_t forbidden,
	struct ch_err *err)
{
	if ((st->st_mode & forbidden) == 0)
		return 0;
	return ch_err_set(err, CH_ECONFIG,
		"\"%s\" has mode %04o: libpq takes "
		"no secret from a file that group or world may use; "
		"chmod 0600 it",
		path, st->st_mode & 07777u);
}

int
ch_pg_passfile_check(const char *path, struct ch_err *err)
{
	struct stat st;
	int rc = stat_readable(path, &st, err);

	return rc != 0 ? rc : check_mode(path, &st, S_IRWXG | S_IRWXO, err);
}

/* libpq lets the group read a key that root owns. */
static int
check_key(const char *path, struct ch_err *err)
{
	struct stat st;
	int rc = stat_readable(path, &st, err);

	if (rc != 0)
		return rc;
	return check_mode(path, &st,
		st.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO
			       : S_IRWXG | S_IRWXO,
		err);
}

static int
check_certificate(const char *path, struct ch_err *err)
{
	struct stat st;

	return strcmp(path, "system") == 0 ? 0 : stat_readable(path, &st, err);
}

static int
check_files(const PQconninfoOption *opts, struct ch_err *err)
{
	static const struct {
		const char *keyword;
		int (*check)(const char *path, struct ch_err *err);
	} files[] = {{"passfile", ch_pg_passfile_check}, {"sslkey", check_key},
		{"sslcert", check_certificate},
		{"sslrootcert", check_certificate}};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const char *path = ch_pg_option_of(opts, files[i].keyword);

		/* "engine:id" is a key that is in no file. */
		if (path == NULL || path[0] == '\0' ||
			(i == 1 && path[0] != '/' && strchr(path, ':') != NULL))
			continue;
		if (files[i].check(path, err) != 0) {
			(void)ch_err_wrap(err, "%s", files[i].keyword);
			return CH_ECONFIG;
		}
	}
	return 0;
}

/* /dev/null is how a ~/.pgpass is switched off. */
static int
check_environment(struct ch_err *err)
{
	const char *path = getenv("PGPASSFILE");

	if (path == NULL || path[0] == '\0' || strcmp(path, "/dev/null") == 0 ||
		ch_pg_passfile_check(path, err) == 0)
		return 0;
	(void)ch_err_wrap(err, "PGPASSFILE of the environment");
	return CH_ECONFIG;
}

int
ch_pg_target_check(const char *conninfo, const char *passfile, bool *has_secret,
	struct ch_err *err)
{
	PQconninfoOption *opts = ch_pg_target_parse(conninfo, err);
	int rc;

	if (opts == NULL)
		return CH_ECONFIG;
	*has_secret = ch_pg_option_of(opts, "password") != NULL ||
		ch_pg_option_of(opts, "sslpassword") != NULL;
	rc = check_files(opts, err);
	if (rc == 0 && passfile == NULL && !*has_secret &&
		ch_pg_option_of(opts, "passfile") == NULL)
		rc = check_environment(err);
	PQconninfoFree(opts);
	return rc;
}

void
ch_pg_target_describe(const char *conninfo, struct ch_buf *out)
{
	static const char *const shown[] = {
		"host", "hostaddr", "port", "dbname", "user", "sslmode"};
	PQconninfoOption *opts = PQconninfoParse(conninfo, NULL);
	const char *v;
	size_t i;

	for (i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		v = ch_pg_option_of(opts, shown[i]);
		if (v != NULL)
			ch_buf_printf(out, "%s%s=%s", out->len > 0 ? " " : "",
				shown[i], v);
	}
	PQconninfoFree(opts);
}
