/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint: the file of endpoints, a section at a time: first its texts by key,
 * then, at its end, what they mean together.
 *
 * A refusal stands for the first mistake of the file; nothing of a file with a
 * mistake is used.
 */
#include "endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/params.h"

#define FILE_MAX 262144
#define NAMED_FILE_MAX 65536
#define ORIGIN_MAX 192

enum key {
	KEY_URL,
	KEY_URL_FILE,
	KEY_AGGREGATETYPE,
	KEY_TYPE,
	KEY_SECRET_FILE,
	KEY_SECRET_FILE_NEXT,
	KEY_SIGN,
	KEY_HEADER_FILE,
	KEY_BODY,
	KEY_TEMPLATE_FILE,
	KEY_CONTENT_TYPE,
	KEY_TIMEOUT,
	KEY_CONCURRENCY,
	KEY_ATTEMPTS,
	KEY_BACKOFF,
	KEY_BACKOFF_MAX,
	KEY_QUOTA_MAX,
	KEY_POLICY,
	KEY_ALLOW_HTTP,
	KEY_ALLOW_PRIVATE,
	KEYS
};

static const struct ch_param rows[KEYS + 1] = {
	[KEY_URL] = {"url", CH_PARAM_URL, "", 0, 0, "https|http", 0, NULL},
	[KEY_URL_FILE] = {"url_file", CH_PARAM_PATH, "", 0, 0, NULL, 0, NULL},
	[KEY_AGGREGATETYPE] = {"aggregatetype", CH_PARAM_LIST, "*", 1,
		ENDPOINT_PATTERNS_MAX, NULL, 0, NULL},
	[KEY_TYPE] = {"type", CH_PARAM_LIST, "*", 1, ENDPOINT_PATTERNS_MAX,
		NULL, 0, NULL},
	[KEY_SECRET_FILE] = {"secret_file", CH_PARAM_PATH, "", 0, 0, NULL, 0,
		NULL},
	[KEY_SECRET_FILE_NEXT] = {"secret_file_next", CH_PARAM_PATH, "", 0, 0,
		NULL, 0, NULL},
	[KEY_SIGN] = {"sign", CH_PARAM_BOOL, "true", 0, 0, NULL, 0, NULL},
	[KEY_HEADER_FILE] = {"header_file", CH_PARAM_PATH, "", 0, 0, NULL, 0,
		NULL},
	[KEY_BODY] = {"body", CH_PARAM_ENUM, "standard", 0, 0,
		"standard|payload", 0, NULL},
	[KEY_TEMPLATE_FILE] = {"template_file", CH_PARAM_PATH, "", 0, 0, NULL,
		0, NULL},
	[KEY_CONTENT_TYPE] = {"content_type", CH_PARAM_STRING,
		"application/json", 3, 100, NULL, 0, NULL},
	[KEY_TIMEOUT] = {"timeout", CH_PARAM_DURATION, "15s", 100, 60000, NULL,
		0, NULL},
	[KEY_CONCURRENCY] = {"concurrency", CH_PARAM_INT, "4", 1,
		ENDPOINT_CONCURRENCY_MAX, NULL, 0, NULL},
	[KEY_ATTEMPTS] = {"attempts", CH_PARAM_INT, "12", 1, 100, NULL, 0,
		NULL},
	[KEY_BACKOFF] = {"backoff", CH_PARAM_DURATION, "2s", 10, 3600000, NULL,
		0, NULL},
	[KEY_BACKOFF_MAX] = {"backoff_max", CH_PARAM_DURATION, "1h", 10,
		86400000, NULL, 0, NULL},
	[KEY_QUOTA_MAX] = {"quota_max", CH_PARAM_DURATION, "24h", 100,
		INT64_C(2592000000), NULL, 0, NULL},
	[KEY_POLICY] = {"policy", CH_PARAM_ENUM, "block", 0, 0, "block|skip", 0,
		NULL},
	[KEY_ALLOW_HTTP] = {"allow_http", CH_PARAM_BOOL, "false", 0, 0, NULL, 0,
		NULL},
	[KEY_ALLOW_PRIVATE] = {"allow_private", CH_PARAM_BOOL, "false", 0, 0,
		NULL, 0, NULL},
	[KEYS] = {NULL, CH_PARAM_STRING, NULL, 0, 0, NULL, 0, NULL},
};

/* One section as it stands in the file. */
struct section {
	const char *path;
	char name[ENDPOINT_NAME_MAX + 1]; /* "": before the first one */
	int line;
	char *texts[KEYS]; /* NULL: not given */
	int lines[KEYS];
};

static void
section_clear(struct section *s)
{
	size_t k;

	for (k = 0; k < KEYS; k++)
		free(s->texts[k]);
	*s = (struct section){.path = s->path};
}

/* ---- what stands under a key ---- */

static const char *
text_of(const struct section *s, enum key k)
{
	return s->texts[k] != NULL ? s->texts[k] : rows[k].def;
}

static void
origin_of(const struct section *s, enum key k, char out[ORIGIN_MAX])
{
	int line = s->texts[k] != NULL ? s->lines[k] : s->line;

	(void)snprintf(out, ORIGIN_MAX, "%.150s:%d", s->path, line);
}

static int
refuse(const struct section *s, enum key k, struct ch_err *err,
	const char *what)
{
	char origin[ORIGIN_MAX];

	origin_of(s, k, origin);
	return ch_err_set(err, CH_ECONFIG, "[%s] %s = \"%.100s\" %s (from %s)",
		s->name, rows[k].name, text_of(s, k), what, origin);
}

static int
number_of(const struct section *s, enum key k, int64_t *out, struct ch_err *err)
{
	char origin[ORIGIN_MAX];
	int rc;

	origin_of(s, k, origin);
	rc = ch_param_number(&rows[k], text_of(s, k), origin, out, err);
	return rc == CH_OK ? rc : ch_err_wrap(err, "[%s]", s->name);
}

/* The file that is named, without white space around it. */
static int
file_of(const struct section *s, enum key k, struct ch_buf *out,
	struct ch_err *err)
{
	char block[4096];
	FILE *f = fopen(text_of(s, k), "rbe");
	size_t n;
	bool broken;

	if (f == NULL)
		return refuse(s, k, err,
			errno == ENOENT ? "is no file that is there"
					: "cannot be opened: see who may read "
					  "it");
	while ((n = fread(block, 1, sizeof(block), f)) > 0 &&
		out->len <= NAMED_FILE_MAX)
		ch_buf_add(out, block, n);
	broken = ferror(f) != 0;
	(void)fclose(f);
	if (broken)
		return refuse(s, k, err, "cannot be read: is it a file?");
	if (out->len > NAMED_FILE_MAX)
		return refuse(s, k, err, "is over 64 KiB");
	if (ch_view_trim(ch_buf_view(out)).len == 0)
		return refuse(s, k, err, "is an empty file");
	return CH_OK;
}

static void
wipe(struct ch_buf *b)
{
	if (b->ptr != NULL)
		explicit_bzero(b->ptr, b->len);
	ch_buf_free(b);
}

/* ---- what it means ---- */

static int
read_keys_of(const struct section *s, enum key k, struct endpoint *e,
	struct ch_err *err)
{
	struct ch_err why = CH_ERR_INIT;
	struct ch_buf text = CH_BUF_INIT;
	struct ch_view rest, line;
	int rc = file_of(s, k, &text, err);

	rest = ch_view_trim(ch_buf_view(&text));
	while (rc == CH_OK && ch_view_split(&rest, '\n', &line)) {
		line = ch_view_trim(line);
		if (line.len == 0)
			continue;
		if (e->key_count == SIGNATURE_KEYS)
			rc = refuse(s, k, err,
				"holds a third key: at most two, the new one "
				"first, until every receiver has it");
		else if (signature_key_read(line, &e->keys[e->key_count],
				 &why) != CH_OK)
			rc = refuse(s, k, err, why.text);
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
	int rc = number_of(s, KEY_SIGN, &sign, err);

	if (rc != CH_OK)
		return rc;
	if (sign == 0 && s->texts[KEY_SECRET_FILE] == NULL)
		return CH_OK;
	if (sign == 0)
		return refuse(s, KEY_SIGN, err,
			"stands beside a secret_file: take one of them out");
	if (s->texts[KEY_SECRET_FILE] == NULL)
		return refuse(s, KEY_SECRET_FILE, err,
			"is missing: name a file with a key, or set sign = "
			"false for a receiver that checks none");
	rc = read_keys_of(s, KEY_SECRET_FILE, e, err);
	if (rc == CH_OK && s->texts[KEY_SECRET_FILE_NEXT] != NULL)
		rc = read_keys_of(s, KEY_SECRET_FILE_NEXT, e, err);
	return rc;
}

static int
read_url(const struct section *s, struct endpoint *e, struct ch_err *err)
{
	enum key k = s->texts[KEY_URL] != NULL ? KEY_URL : KEY_URL_FILE;
	struct ch_buf text = CH_BUF_INIT;
	int64_t number, http;
	char origin[ORIGIN_MAX];
	int rc;

	if (s->texts[k] == NULL)
		return refuse(s, KEY_URL, err,
			"is missing: where do its events go?");
	if (k == KEY_URL_FILE)
		rc = file_of(s, k, &text, err);
	else
		rc = (ch_buf_adds(&text, s->texts[k]), CH_OK);
	if (rc == CH_OK)
		e->url = ch_xviewdup(ch_view_trim(ch_buf_view(&text)));
	wipe(&text);
	if (rc != CH_OK)
		return rc;
	origin_of(s, k, origin);
	if (ch_param_number(&rows[KEY_URL], e->url, origin, &number, err) !=
		CH_OK)
		/* a secret one is not repeated */
		return k == KEY_URL
			? ch_err_wrap(err, "[%s]", s->name)
			: refuse(s, k, err, "holds no URL of https or http");
	if (strlen(e->url) > 2000 || strchr(e->url, '@') != NULL)
		return refuse(s, k, err,
			"is over 2000 bytes, or has a user in it: put "
			"\"Authorization: ...\" into a header_file");
	rc = number_of(s, KEY_ALLOW_HTTP, &http, err);
	e->allow_http = http != 0;
	if (rc == CH_OK && !e->allow_http &&
		strncmp(e->url, "https://", 8) != 0)
		return refuse(s, k, err,
			"is not https: set allow_http = true where the network "
			"between is trusted");
	return rc;
}

static int
read_headers(const struct section *s, struct endpoint *e, struct ch_err *err)
{
	struct ch_buf text = CH_BUF_INIT;
	struct ch_view rest, line;
	size_t n = 0;
	int rc;

	if (s->texts[KEY_HEADER_FILE] == NULL)
		return CH_OK;
	rc = file_of(s, KEY_HEADER_FILE, &text, err);
	rest = ch_view_trim(ch_buf_view(&text));
	while (rc == CH_OK && ch_view_split(&rest, '\n', &line)) {
		line = ch_view_trim(line);
		if (line.len == 0)
			continue;
		if (n == ENDPOINT_HEADERS_MAX || line.ptr[0] == ':' ||
			memchr(line.ptr, ':', line.len) == NULL ||
			memchr(line.ptr, '\0', line.len) != NULL ||
			memchr(line.ptr, '\r', line.len) != NULL)
			rc = refuse(s, KEY_HEADER_FILE, err,
				"holds a line that is no \"Name: value\", or "
				"more than 16 of them");
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

	if (s->texts[KEY_TEMPLATE_FILE] == NULL)
		return CH_OK;
	rc = file_of(s, KEY_TEMPLATE_FILE, &text, err);
	if (rc == CH_OK) {
		e->template =
			template_new(ch_view_trim(ch_buf_view(&text)), &why);
		if (e->template == NULL)
			rc = refuse(s, KEY_TEMPLATE_FILE, err, why.text);
	}
	wipe(&text);
	return rc;
}

static int
read_patterns(const struct section *s, enum key k, char **out,
	struct ch_err *err)
{
	struct ch_view rest = ch_view_of(text_of(s, k)), part;
	int64_t unused;
	size_t n = 0;
	int rc = number_of(s, k, &unused, err);

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
		enum key k;
		int64_t *to;
	} all[] = {{KEY_BODY, &body}, {KEY_TIMEOUT, &e->timeout_ms},
		{KEY_CONCURRENCY, &concurrency}, {KEY_ATTEMPTS, &attempts},
		{KEY_BACKOFF, &e->backoff_ms},
		{KEY_BACKOFF_MAX, &e->backoff_max_ms},
		{KEY_QUOTA_MAX, &e->quota_max_ms}, {KEY_POLICY, &skip},
		{KEY_ALLOW_PRIVATE, &inner}};
	int rc = CH_OK;
	size_t i;

	for (i = 0; rc == CH_OK && i < sizeof(all) / sizeof(*all); i++)
		rc = number_of(s, all[i].k, all[i].to, err);
	if (rc != CH_OK)
		return rc;
	e->body = (enum endpoint_body)body;
	e->concurrency = (int)concurrency;
	e->attempts = (int)attempts;
	e->blocks = skip == 0;
	e->allow_private = inner != 0;
	if (e->backoff_ms > e->backoff_max_ms)
		return refuse(s, KEY_BACKOFF, err,
			"is longer than backoff_max: lower it or raise that");
	return CH_OK;
}

static int
read_content_type(const struct section *s, struct endpoint *e,
	struct ch_err *err)
{
	const char *text = text_of(s, KEY_CONTENT_TYPE);
	const char *c;
	int64_t unused;
	int rc = number_of(s, KEY_CONTENT_TYPE, &unused, err);

	for (c = text; rc == CH_OK && *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			rc = refuse(s, KEY_CONTENT_TYPE, err,
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
		rc = read_patterns(s, KEY_AGGREGATETYPE, e->aggregatetypes,
			err);
	if (rc == CH_OK)
		rc = read_patterns(s, KEY_TYPE, e->types, err);
	if (rc == CH_OK)
		rc = read_headers(s, e, err);
	if (rc == CH_OK)
		rc = read_template(s, e, err);
	if (rc == CH_OK)
		rc = read_content_type(s, e, err);
	return rc == CH_OK ? read_numbers(s, e, err) : rc;
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

static int
begin_section(struct section *s, struct ch_view line, int number,
	struct endpoints *out, struct ch_err *err)
{
	struct ch_view name = {line.ptr + 1, line.len - 2};
	size_t i;
	int rc = add_endpoint(s, out, err);

	if (rc != CH_OK)
		return rc;
	section_clear(s);
	s->line = number;
	if (line.ptr[line.len - 1] != ']' || !name_is_legal(name))
		return ch_err_set(err, CH_ECONFIG,
			"%s:%d: \"%.*s\": an endpoint's name is [name] of "
			"a-z, 0-9, - and _, at most %d of them",
			s->path, number, (int)(line.len < 60 ? line.len : 60),
			line.ptr, ENDPOINT_NAME_MAX);
	(void)ch_view_copy(name, s->name, sizeof(s->name));
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

static int
add_key(struct section *s, struct ch_view line, int number, struct ch_err *err)
{
	const char *equals = memchr(line.ptr, '=', line.len);
	size_t at = equals != NULL ? (size_t)(equals - line.ptr) : line.len;
	struct ch_view name = ch_view_trim((struct ch_view){line.ptr, at});
	struct ch_view value;
	size_t k = 0;

	while (k < KEYS && !ch_view_eq_str(name, rows[k].name))
		k++;
	if (equals == NULL || k == KEYS || s->name[0] == '\0')
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
			: add_key(&s, line, number, err);
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
