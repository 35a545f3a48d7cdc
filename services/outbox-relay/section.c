/* SPDX-License-Identifier: Apache-2.0 */
/*
 * section: the keys of an endpoint as a table of parameters, which judges each
 * text by itself; what they mean together is endpoint.c's.
 */
#include "section.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/params.h"

#define NAMED_FILE_MAX 65536
#define ORIGIN_MAX 192

static const struct ch_param rows[SECTION_KEYS + 1] = {
	[SECTION_URL] = {"url", CH_PARAM_URL, "", 0, 0, "https|http", 0, NULL},
	[SECTION_URL_FILE] = {"url_file", CH_PARAM_PATH, "", 0, 0, NULL, 0,
		NULL},
	[SECTION_AGGREGATETYPE] = {"aggregatetype", CH_PARAM_LIST, "*", 1,
		ENDPOINT_PATTERNS_MAX, NULL, 0, NULL},
	[SECTION_TYPE] = {"type", CH_PARAM_LIST, "*", 1, ENDPOINT_PATTERNS_MAX,
		NULL, 0, NULL},
	[SECTION_SECRET_FILE] = {"secret_file", CH_PARAM_PATH, "", 0, 0, NULL,
		0, NULL},
	[SECTION_SECRET_FILE_NEXT] = {"secret_file_next", CH_PARAM_PATH, "", 0,
		0, NULL, 0, NULL},
	[SECTION_SIGN] = {"sign", CH_PARAM_BOOL, "true", 0, 0, NULL, 0, NULL},
	[SECTION_HEADER_FILE] = {"header_file", CH_PARAM_PATH, "", 0, 0, NULL,
		0, NULL},
	[SECTION_BODY] = {"body", CH_PARAM_ENUM, "standard", 0, 0,
		"standard|payload", 0, NULL},
	[SECTION_TEMPLATE_FILE] = {"template_file", CH_PARAM_PATH, "", 0, 0,
		NULL, 0, NULL},
	[SECTION_CONTENT_TYPE] = {"content_type", CH_PARAM_STRING,
		"application/json", 3, 100, NULL, 0, NULL},
	[SECTION_TIMEOUT] = {"timeout", CH_PARAM_DURATION, "15s", 100, 60000,
		NULL, 0, NULL},
	[SECTION_CONCURRENCY] = {"concurrency", CH_PARAM_INT, "4", 1,
		ENDPOINT_CONCURRENCY_MAX, NULL, 0, NULL},
	[SECTION_ATTEMPTS] = {"attempts", CH_PARAM_INT, "12", 1, 100, NULL, 0,
		NULL},
	[SECTION_BACKOFF] = {"backoff", CH_PARAM_DURATION, "2s", 10, 3600000,
		NULL, 0, NULL},
	[SECTION_BACKOFF_MAX] = {"backoff_max", CH_PARAM_DURATION, "1h", 10,
		86400000, NULL, 0, NULL},
	[SECTION_QUOTA_MAX] = {"quota_max", CH_PARAM_DURATION, "24h", 100,
		INT64_C(2592000000), NULL, 0, NULL},
	[SECTION_POLICY] = {"policy", CH_PARAM_ENUM, "block", 0, 0,
		"block|skip", 0, NULL},
	[SECTION_ALLOW_HTTP] = {"allow_http", CH_PARAM_BOOL, "false", 0, 0,
		NULL, 0, NULL},
	[SECTION_ALLOW_PRIVATE] = {"allow_private", CH_PARAM_BOOL, "false", 0,
		0, NULL, 0, NULL},
	[SECTION_KEYS] = {NULL, CH_PARAM_STRING, NULL, 0, 0, NULL, 0, NULL},
};

void
section_clear(struct section *s)
{
	size_t k;

	for (k = 0; k < SECTION_KEYS; k++)
		free(s->texts[k]);
	*s = (struct section){.path = s->path};
}

/* ---- lines ---- */

static bool
name_is_legal(struct ch_view name)
{
	size_t i;

	for (i = 0; i < name.len; i++)
		if (!((name.ptr[i] >= 'a' && name.ptr[i] <= 'z') ||
			    (name.ptr[i] >= '0' && name.ptr[i] <= '9') ||
			    name.ptr[i] == '-' || name.ptr[i] == '_'))
			return false;
	return name.len > 0 && name.len <= ENDPOINT_NAME_MAX;
}

int
section_begin(struct section *s, struct ch_view line, int number,
	struct ch_err *err)
{
	struct ch_view name = {line.ptr + 1, line.len - 2};

	section_clear(s);
	s->line = number;
	if (line.ptr[line.len - 1] != ']' || !name_is_legal(name))
		return ch_err_set(err, CH_ECONFIG,
			"%s:%d: \"%.*s\": an endpoint's name is [name] of "
			"a-z, 0-9, - and _, at most %d of them",
			s->path, number, (int)(line.len < 60 ? line.len : 60),
			line.ptr, ENDPOINT_NAME_MAX);
	(void)ch_view_copy(name, s->name, sizeof(s->name));
	return CH_OK;
}

int
section_add(struct section *s, struct ch_view line, int number,
	struct ch_err *err)
{
	const char *equals = memchr(line.ptr, '=', line.len);
	size_t at = equals != NULL ? (size_t)(equals - line.ptr) : line.len;
	struct ch_view name = ch_view_trim((struct ch_view){line.ptr, at});
	struct ch_view value;
	size_t k = 0;

	while (k < SECTION_KEYS && !ch_view_eq_str(name, rows[k].name))
		k++;
	if (equals == NULL || k == SECTION_KEYS || s->name[0] == '\0')
		return ch_err_set(err, CH_ECONFIG, "%s:%d: \"%.*s\": %s",
			s->path, number, (int)(name.len < 60 ? name.len : 60),
			name.ptr,
			s->name[0] == '\0' ? "stands before the first [name]"
				: equals == NULL
				? "is neither [name] nor key = value"
				: "is no key of an endpoint: see "
				  "docs/operator.md");
	if (s->texts[k] != NULL)
		return ch_err_set(err, CH_ECONFIG,
			"%s:%d: %s is given twice, first in line %d", s->path,
			number, rows[k].name, s->lines[k]);
	value = ch_view_trim((struct ch_view){equals + 1, line.len - at - 1});
	if (value.len == 0 || memchr(value.ptr, '\0', value.len) != NULL)
		return ch_err_set(err, CH_ECONFIG,
			"%s:%d: %s has no value: give one, or take the line "
			"out",
			s->path, number, rows[k].name);
	s->texts[k] = ch_xviewdup(value);
	s->lines[k] = number;
	return CH_OK;
}

/* ---- what stands under a key ---- */

const char *
section_text(const struct section *s, enum section_key k)
{
	return s->texts[k] != NULL ? s->texts[k] : rows[k].def;
}

static void
origin_of(const struct section *s, enum section_key k, char out[ORIGIN_MAX])
{
	int line = s->texts[k] != NULL ? s->lines[k] : s->line;

	(void)snprintf(out, ORIGIN_MAX, "%.150s:%d", s->path, line);
}

int
section_refuse(const struct section *s, enum section_key k, struct ch_err *err,
	const char *what)
{
	char origin[ORIGIN_MAX];

	origin_of(s, k, origin);
	return ch_err_set(err, CH_ECONFIG, "[%s] %s = \"%.100s\" %s (from %s)",
		s->name, rows[k].name, section_text(s, k), what, origin);
}

int
section_number(const struct section *s, enum section_key k, int64_t *out,
	struct ch_err *err)
{
	char origin[ORIGIN_MAX];
	int rc;

	origin_of(s, k, origin);
	rc = ch_param_number(&rows[k], section_text(s, k), origin, out, err);
	return rc == CH_OK ? rc : ch_err_wrap(err, "[%s]", s->name);
}

static bool
port_is_legal(struct ch_view port)
{
	int64_t number;

	return ch_view_int(port, 1, 65535, &number) == CH_OK;
}

static bool
host_is_legal(struct ch_view host, const char *inside)
{
	size_t i;

	for (i = 0; i < host.len; i++)
		if (!((host.ptr[i] >= 'a' && host.ptr[i] <= 'z') ||
			    (host.ptr[i] >= 'A' && host.ptr[i] <= 'Z') ||
			    (host.ptr[i] >= '0' && host.ptr[i] <= '9') ||
			    memchr(inside, host.ptr[i], strlen(inside)) !=
				    NULL))
			return false;
	return host.len > 0;
}

/* What libcurl would refuse at each sending is refused here, once: so each event
 * would become a letter. Behind scheme://. */
static bool
authority_is_legal(const char *from)
{
	struct ch_view host = {from, strcspn(from, "/?#")};
	const char *inside = "-._", *end = from + host.len, *colon;

	if (*from == '[') {
		colon = memchr(from, ']', host.len);
		if (colon == NULL)
			return false;
		inside = ":.%";
		host = (struct ch_view){from + 1, (size_t)(colon - from - 1)};
		colon++;
	} else {
		colon = memchr(from, ':', host.len);
		if (colon == NULL)
			colon = end;
		host.len = (size_t)(colon - from);
	}
	return host_is_legal(host, inside) &&
		(colon == end ||
			(*colon == ':' &&
				port_is_legal((struct ch_view){colon + 1,
					(size_t)(end - colon - 1)})));
}

int
section_url(const struct section *s, enum section_key k, const char *url,
	struct ch_err *err)
{
	char origin[ORIGIN_MAX];
	int64_t unused;

	origin_of(s, k, origin);
	int rc = ch_param_number(&rows[SECTION_URL], url, origin, &unused, err);

	if (rc == CH_OK && authority_is_legal(strstr(url, "://") + 3))
		return CH_OK;
	/* a secret one is not repeated */
	if (rc == CH_OK || k != SECTION_URL)
		return section_refuse(s, k, err,
			"holds no URL of https or http, or one whose host or "
			"port cannot be");
	return ch_err_wrap(err, "[%s]", s->name);
}

int
section_file(const struct section *s, enum section_key k, struct ch_buf *out,
	struct ch_err *err)
{
	char block[4096];
	FILE *f = fopen(section_text(s, k), "rbe");
	size_t n;
	bool broken;

	if (f == NULL)
		return section_refuse(s, k, err,
			errno == ENOENT ? "is no file that is there"
					: "cannot be opened: see who may read "
					  "it");
	while ((n = fread(block, 1, sizeof(block), f)) > 0 &&
		out->len <= NAMED_FILE_MAX)
		ch_buf_add(out, block, n);
	broken = ferror(f) != 0;
	(void)fclose(f);
	if (broken)
		return section_refuse(s, k, err,
			"cannot be read: is it a file?");
	if (out->len > NAMED_FILE_MAX)
		return section_refuse(s, k, err, "is over 64 KiB");
	if (ch_view_trim(ch_buf_view(out)).len == 0)
		return section_refuse(s, k, err, "is an empty file");
	return CH_OK;
}
