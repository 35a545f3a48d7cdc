/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint: the file of endpoints, a section at a time: first its texts by key
 * (section.c), then, at its end, what they mean together.
 *
 * A refusal stands for the first mistake of the file; nothing of a file with a
 * mistake is used.
 */
#include "endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "section.h"

#define FILE_MAX 262144

static void
wipe(struct ch_buf *b)
{
	if (b->ptr != NULL)
		explicit_bzero(b->ptr, b->len);
	ch_buf_free(b);
}

/* ---- what it means ---- */

static int
read_keys_of(const struct section *s, enum section_key k, struct endpoint *e,
	struct ch_err *err)
{
	struct ch_err why = CH_ERR_INIT;
	struct ch_buf text = CH_BUF_INIT;
	struct ch_view rest, line;
	int rc = section_file(s, k, &text, err);

	rest = ch_view_trim(ch_buf_view(&text));
	while (rc == CH_OK && ch_view_split(&rest, '\n', &line)) {
		line = ch_view_trim(line);
		if (line.len == 0)
			continue;
		if (e->key_count == SIGNATURE_KEYS)
			rc = section_refuse(s, k, err,
				"holds a third key: at most two, the new one "
				"first, until every receiver has it");
		else if (signature_key_read(line, &e->keys[e->key_count],
				 &why) != CH_OK)
			rc = section_refuse(s, k, err, why.text);
		else
			e->key_count++;
	}
	wipe(&text);
	return rc;
}

static int
read_keys(const struct section *s, struct endpoint *e, struct ch_err *err)
{
	int64_t sign;
	int rc = section_number(s, SECTION_SIGN, &sign, err);

	if (rc != CH_OK)
		return rc;
	if (sign == 0 && s->texts[SECTION_SECRET_FILE] == NULL)
		return CH_OK;
	if (sign == 0)
		return section_refuse(s, SECTION_SIGN, err,
			"stands beside a secret_file: take one of them out");
	if (s->texts[SECTION_SECRET_FILE] == NULL)
		return section_refuse(s, SECTION_SECRET_FILE, err,
			"is missing: name a file with a key, or set sign = "
			"false for a receiver that checks none");
	rc = read_keys_of(s, SECTION_SECRET_FILE, e, err);
	if (rc == CH_OK && s->texts[SECTION_SECRET_FILE_NEXT] != NULL)
		rc = read_keys_of(s, SECTION_SECRET_FILE_NEXT, e, err);
	return rc;
}

static int
read_url(const struct section *s, struct endpoint *e, struct ch_err *err)
{
	enum section_key k =
		s->texts[SECTION_URL] != NULL ? SECTION_URL : SECTION_URL_FILE;
	struct ch_buf text = CH_BUF_INIT;
	int64_t http;
	int rc;

	if (s->texts[k] == NULL)
		return section_refuse(s, SECTION_URL, err,
			"is missing: where do its events go?");
	if (k == SECTION_URL_FILE)
		rc = section_file(s, k, &text, err);
	else
		rc = (ch_buf_adds(&text, s->texts[k]), CH_OK);
	if (rc == CH_OK)
		e->url = ch_xviewdup(ch_view_trim(ch_buf_view(&text)));
	wipe(&text);
	if (rc != CH_OK)
		return rc;
	if (strlen(e->url) > 2000 || strchr(e->url, '@') != NULL)
		return ch_err_set(err, CH_ECONFIG,
			"%s:%d: the URL of [%s] is over 2000 bytes, or has a "
			"user in it: put \"Authorization: ...\" into a "
			"header_file",
			s->path, s->lines[k], s->name);
	rc = section_url(s, k, e->url, err);
	if (rc != CH_OK)
		return rc;
	rc = section_number(s, SECTION_ALLOW_HTTP, &http, err);
	e->allow_http = http != 0;
	if (rc == CH_OK && !e->allow_http &&
		strncmp(e->url, "https://", 8) != 0)
		return section_refuse(s, k, err,
			"is not https: set allow_http = true where the network "
			"between is trusted");
	return rc;
}

/* A value, and a name that is neither framing nor the relay's own: a second one
 * of those would be another request than the one that is signed. */
static bool
is_header(struct ch_view line)
{
	static const char *const own[] = {"content-length", "transfer-encoding",
		"connection", "expect", "content-type", "traceparent"};
	struct ch_view name, value = line;
	size_t i;

	if (!ch_view_split(&value, ':', &name) || name.len == 0 ||
		ch_view_trim(value).len == 0)
		return false;
	for (i = 0; i < name.len; i++)
		if (name.ptr[i] <= ' ' || name.ptr[i] > '~')
			return false;
	for (i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (name.len == strlen(own[i]) &&
			strncasecmp(name.ptr, own[i], name.len) == 0)
			return false;
	return name.len < 8 || strncasecmp(name.ptr, "webhook-", 8) != 0;
}

static int
read_headers(const struct section *s, struct endpoint *e, struct ch_err *err)
{
	struct ch_buf text = CH_BUF_INIT;
	struct ch_view rest, line;
	size_t n = 0;
	int rc;

	if (s->texts[SECTION_HEADER_FILE] == NULL)
		return CH_OK;
	rc = section_file(s, SECTION_HEADER_FILE, &text, err);
	rest = ch_view_trim(ch_buf_view(&text));
	while (rc == CH_OK && ch_view_split(&rest, '\n', &line)) {
		line = ch_view_trim(line);
		if (line.len == 0)
			continue;
		if (n == ENDPOINT_HEADERS_MAX || !is_header(line) ||
			memchr(line.ptr, '\0', line.len) != NULL ||
			memchr(line.ptr, '\r', line.len) != NULL)
			rc = section_refuse(s, SECTION_HEADER_FILE, err,
				"holds a line that is no \"Name: value\", one "
				"that the relay writes itself (content_type is "
				"a key), or more than 16 of them");
		else
			e->headers[n++] = ch_xviewdup(line);
	}
	wipe(&text);
	return rc;
}

static int
read_template(const struct section *s, struct endpoint *e, struct ch_err *err)
{
	struct ch_err why = CH_ERR_INIT;
	struct ch_buf text = CH_BUF_INIT;
	int rc;

	if (s->texts[SECTION_TEMPLATE_FILE] == NULL)
		return CH_OK;
	rc = section_file(s, SECTION_TEMPLATE_FILE, &text, err);
	if (rc == CH_OK) {
		e->template =
			template_new(ch_view_trim(ch_buf_view(&text)), &why);
		if (e->template == NULL)
			rc = section_refuse(s, SECTION_TEMPLATE_FILE, err,
				why.text);
	}
	wipe(&text);
	return rc;
}

static int
read_patterns(const struct section *s, enum section_key k, char **out,
	struct ch_err *err)
{
	struct ch_view rest = ch_view_of(section_text(s, k)), part;
	int64_t unused;
	size_t n = 0;
	int rc = section_number(s, k, &unused, err);

	while (rc == CH_OK && n < ENDPOINT_PATTERNS_MAX &&
		ch_view_split(&rest, ',', &part)) {
		part = ch_view_trim(part);
		if (part.len > 0)
			out[n++] = ch_xviewdup(part);
	}
	return rc;
}

static int
read_numbers(const struct section *s, struct endpoint *e, struct ch_err *err)
{
	int64_t body = 0, concurrency = 0, attempts = 0, skip = 0, inner = 0;
	const struct {
		enum section_key k;
		int64_t *to;
	} all[] = {{SECTION_BODY, &body}, {SECTION_TIMEOUT, &e->timeout_ms},
		{SECTION_CONCURRENCY, &concurrency},
		{SECTION_ATTEMPTS, &attempts},
		{SECTION_BACKOFF, &e->backoff_ms},
		{SECTION_BACKOFF_MAX, &e->backoff_max_ms},
		{SECTION_QUOTA_MAX, &e->quota_max_ms}, {SECTION_POLICY, &skip},
		{SECTION_ALLOW_PRIVATE, &inner}};
	int rc = CH_OK;
	size_t i;

	for (i = 0; rc == CH_OK && i < sizeof(all) / sizeof(*all); i++)
		rc = section_number(s, all[i].k, all[i].to, err);
	if (rc != CH_OK)
		return rc;
	e->body = (enum endpoint_body)body;
	e->concurrency = (int)concurrency;
	e->attempts = (int)attempts;
	e->blocks = skip == 0;
	e->allow_private = inner != 0;
	if (e->backoff_ms > e->backoff_max_ms)
		return section_refuse(s, SECTION_BACKOFF, err,
			"is longer than backoff_max: lower it or raise that");
	return CH_OK;
}

static int
read_content_type(const struct section *s, struct endpoint *e,
	struct ch_err *err)
{
	const char *text = section_text(s, SECTION_CONTENT_TYPE);
	const char *c;
	int64_t unused;
	int rc = section_number(s, SECTION_CONTENT_TYPE, &unused, err);

	for (c = text; rc == CH_OK && *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			rc = section_refuse(s, SECTION_CONTENT_TYPE, err,
				"has a character that no header may have");
	e->content_type = ch_xstrdup(text);
	return rc;
}

static void
endpoint_clear(struct endpoint *e)
{
	size_t i;

	free(e->url);
	free(e->content_type);
	for (i = 0; i < ENDPOINT_PATTERNS_MAX; i++) {
		free(e->aggregatetypes[i]);
		free(e->types[i]);
	}
	for (i = 0; i < ENDPOINT_HEADERS_MAX; i++)
		free(e->headers[i]);
	template_free(e->template);
	explicit_bzero(e->keys, sizeof(e->keys));
}

static int
add_endpoint(const struct section *s, struct endpoints *out, struct ch_err *err)
{
	struct endpoint *e;
	int rc;

	if (s->name[0] == '\0')
		return CH_OK;
	out->items = ch_xrealloc(out->items, out->count + 1, sizeof(*e));
	e = &out->items[out->count++];
	*e = (struct endpoint){.key_count = 0};
	(void)snprintf(e->name, sizeof(e->name), "%s", s->name);
	(void)snprintf(e->target, sizeof(e->target), "webhook:%s", s->name);
	rc = read_url(s, e, err);
	if (rc == CH_OK)
		rc = read_keys(s, e, err);
	if (rc == CH_OK)
		rc = read_patterns(s, SECTION_AGGREGATETYPE, e->aggregatetypes,
			err);
	if (rc == CH_OK)
		rc = read_patterns(s, SECTION_TYPE, e->types, err);
	if (rc == CH_OK)
		rc = read_headers(s, e, err);
	if (rc == CH_OK)
		rc = read_template(s, e, err);
	if (rc == CH_OK)
		rc = read_content_type(s, e, err);
	return rc == CH_OK ? read_numbers(s, e, err) : rc;
}

/* ---- lines ---- */

static int
begin_section(struct section *s, struct ch_view line, int number,
	struct endpoints *out, struct ch_err *err)
{
	size_t i;
	int rc = add_endpoint(s, out, err);

	if (rc == CH_OK)
		rc = section_begin(s, line, number, err);
	if (rc != CH_OK)
		return rc;
	for (i = 0; i < out->count; i++)
		if (strcmp(out->items[i].name, s->name) == 0)
			return ch_err_set(err, CH_ECONFIG,
				"%s:%d: [%s] is there twice: rename one",
				s->path, number, s->name);
	if (out->count == ENDPOINTS_MAX)
		return ch_err_set(err, CH_ECONFIG,
			"%s:%d: [%s] is one more than %d endpoints: let a "
			"second relay, of another slot, send the rest",
			s->path, number, s->name, ENDPOINTS_MAX);
	return CH_OK;
}

int
endpoints_parse(struct ch_view text, const char *path, struct endpoints *out,
	struct ch_err *err)
{
	struct section s = {.path = path};
	struct ch_view line;
	int rc = CH_OK, number = 0;

	*out = (struct endpoints){NULL, 0};
	while (rc == CH_OK && ch_view_split(&text, '\n', &line)) {
		line = ch_view_trim(line);
		number++;
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		rc = line.ptr[0] == '['
			? begin_section(&s, line, number, out, err)
			: section_add(&s, line, number, err);
	}
	if (rc == CH_OK)
		rc = add_endpoint(&s, out, err);
	section_clear(&s);
	if (rc == CH_OK && out->count == 0)
		rc = ch_err_set(err, CH_ECONFIG,
			"%s has no endpoint: begin one with [name], or leave "
			"`webhooks` empty",
			path);
	if (rc != CH_OK)
		endpoints_free(out);
	return rc;
}

int
endpoints_read(const char *path, struct endpoints *out, struct ch_err *err)
{
	FILE *f = fopen(path, "rbe");
	struct ch_buf text = CH_BUF_INIT;
	char block[4096];
	size_t n;
	int rc;

	*out = (struct endpoints){NULL, 0};
	if (f == NULL) {
		ch_err_errno(err, errno, "webhooks = \"%s\"", path);
		if (err != NULL)
			err->code = CH_ECONFIG;
		return CH_ECONFIG;
	}
	while ((n = fread(block, 1, sizeof(block), f)) > 0 &&
		text.len <= FILE_MAX)
		ch_buf_add(&text, block, n);
	if (ferror(f) != 0 || text.len > FILE_MAX)
		rc = ch_err_set(err, CH_ECONFIG,
			"webhooks = \"%s\" is no file that can be read, or is "
			"over %d bytes",
			path, FILE_MAX);
	else
		rc = endpoints_parse(ch_buf_view(&text), path, out, err);
	(void)fclose(f);
	ch_buf_free(&text);
	return rc;
}

void
endpoints_free(struct endpoints *e)
{
	size_t i;

	for (i = 0; i < e->count; i++)
		endpoint_clear(&e->items[i]);
	free(e->items);
	*e = (struct endpoints){NULL, 0};
}

/* ---- filters ---- */

/* `*` stands for any text, everything else for itself. Linear: only the last
 * star is ever tried again. */
static bool
fits(const char *pattern, struct ch_view text)
{
	const char *star = NULL;
	size_t i = 0, again = 0;

	while (i < text.len) {
		if (*pattern == '*') {
			star = ++pattern;
			again = i;
		} else if (*pattern != '\0' && *pattern == text.ptr[i]) {
			pattern++;
			i++;
		} else if (star != NULL) {
			pattern = star;
			i = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool
fits_any(char *const *patterns, struct ch_view text)
{
	for (; *patterns != NULL; patterns++)
		if (fits(*patterns, text))
			return true;
	return false;
}

bool
endpoint_wants(const struct endpoint *e, struct ch_view aggregatetype,
	struct ch_view type)
{
	return fits_any(e->aggregatetypes, aggregatetype) &&
		fits_any(e->types, type);
}
