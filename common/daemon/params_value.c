/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params_value: from the text of one value to its meaning, and the masking of
 * secrets.
 *
 * Invariant: an error names the key, the value (masked where it may hold a
 * secret), what is wrong with it, what is allowed, and where it was read.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/params_impl.h"

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit durations[] = {{"d", 86400000}, {"h", 3600000},
	{"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};
static const struct unit sizes[] = {{"GiB", (int64_t)1 << 30},
	{"MiB", (int64_t)1 << 20}, {"KiB", (int64_t)1 << 10}, {"", 1},
	{NULL, 0}};

static void
add_in_units(struct ch_buf *out, const struct unit *units, int64_t v)
{
	while (units[1].name != NULL && v % units->factor != 0)
		units++;
	ch_buf_add_i64(out, v / units->factor);
	if (v == 0)
		return;
	ch_buf_adds(out, units->name);
}

/* "250ms", "1h": the shortest exact form. */
static void
add_duration(struct ch_buf *out, int64_t ms)
{
	add_in_units(out, durations, ms);
}

static void
add_bytes(struct ch_buf *out, int64_t bytes)
{
	add_in_units(out, sizes, bytes);
}

static void
add_limit(struct ch_buf *out, const struct ch_param *p, int64_t v)
{
	if (p->type == CH_PARAM_DURATION)
		add_duration(out, v);
	else if (p->type == CH_PARAM_BYTES)
		add_bytes(out, v);
	else
		ch_buf_add_i64(out, v);
}

void
ch_param_add_limits(struct ch_buf *out, const struct ch_param *p)
{
	if (p->type == CH_PARAM_BOOL)
		ch_buf_adds(out, "true or false");
	else if (p->choices != NULL)
		ch_buf_adds(out, p->choices);
	else if (p->min != 0 || p->max != 0) {
		add_limit(out, p, p->min);
		ch_buf_adds(out, " to ");
		add_limit(out, p, p->max);
		if (p->type == CH_PARAM_STRING)
			ch_buf_adds(out, " bytes");
		if (p->type == CH_PARAM_LIST)
			ch_buf_adds(out, " items");
	}
}

static int
refuse(const struct param_value *v, struct ch_err *err, const char *problem)
{
	struct ch_buf shown = CH_BUF_INIT, limits = CH_BUF_INIT;

	(void)ch_param_mask_passwords(&shown, v->text);
	ch_param_add_limits(&limits, v->param);
	(void)ch_err_set(err, CH_ECONFIG, "%s: \"%s\" %s%s%s%s (from %s)",
		v->param->name, ch_buf_str(&shown), problem,
		limits.len > 0 ? " (allowed: " : "",
		limits.len > 0 ? ch_buf_str(&limits) : "",
		limits.len > 0 ? ")" : "",
		v->origin[0] != '\0' ? v->origin : "the default");
	ch_buf_free(&shown);
	ch_buf_free(&limits);
	return CH_ECONFIG;
}

static bool
in_limits(const struct ch_param *p, int64_t n)
{
	return (p->min == 0 && p->max == 0) || (n >= p->min && n <= p->max);
}

static int
read_number(struct param_value *v, const struct unit *units, struct ch_err *err)
{
	struct ch_view text = ch_view_of(v->text);
	size_t digits = strspn(v->text, "-0123456789");
	int64_t n;

	if (text.len == 0) {
		v->number = 0;
		return 0;
	}
	if (ch_view_int((struct ch_view){text.ptr, digits}, INT64_MIN,
		    INT64_MAX, &n) < 0)
		return refuse(v, err,
			units == durations
				? "is no duration like 250ms, 30s, 5m, 2h or 1d"
				: units == sizes
				? "is no size like 4096, 64KiB or 1GiB"
				: "is no whole number");
	if (units == NULL && digits != text.len)
		return refuse(v, err, "is no whole number");
	while (units != NULL && units->name != NULL &&
		strcmp(units->name, v->text + digits) != 0)
		units++;
	if (units != NULL && units->name == NULL) {
		if (n != 0 || digits != text.len)
			return refuse(v, err,
				v->param->type == CH_PARAM_DURATION
					? "needs one of the units ms, s, m, h, d"
					: "has none of the units KiB, MiB, GiB");
	} else if (units != NULL &&
		__builtin_mul_overflow(n, units->factor, &n))
		return refuse(v, err, "is too large");
	if (!in_limits(v->param, n))
		return refuse(v, err, "is out of limits");
	v->number = n;
	return 0;
}

static int
read_bool(struct param_value *v, struct ch_err *err)
{
	v->number = strcmp(v->text, "true") == 0;
	if (v->number == 0 && strcmp(v->text, "false") != 0 &&
		v->text[0] != '\0')
		return refuse(v, err, "is no yes or no");
	return 0;
}

/* Which of "a|b|c" is text, or -1. */
static int
choice(const char *choices, struct ch_view text)
{
	struct ch_view rest = ch_view_of(choices), part;

	for (int i = 0; ch_view_split(&rest, '|', &part); i++)
		if (ch_view_eq(part, text))
			return i;
	return -1;
}

static int
read_url(struct param_value *v, struct ch_err *err)
{
	const char *end = strstr(v->text, "://");

	if (v->text[0] == '\0')
		return 0;
	if (end == NULL || end[3] == '\0' || end[3] == '/')
		return refuse(v, err, "is no URL (scheme://host...)");
	if (v->param->choices != NULL &&
		choice(v->param->choices,
			(struct ch_view){v->text, (size_t)(end - v->text)}) < 0)
		return refuse(v, err, "has a scheme that is not allowed");
	for (const char *c = v->text; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ')
			return refuse(v, err, "has white space in it");
	return 0;
}

static int
read_list(struct param_value *v, struct ch_err *err)
{
	struct ch_view rest = ch_view_of(v->text), part;
	size_t n = 1;

	for (const char *c = v->text; *c != '\0'; c++)
		n += *c == ',';
	v->list = ch_xcalloc(n + 1, sizeof(char *));
	while (rest.len > 0 && ch_view_split(&rest, ',', &part)) {
		part = ch_view_trim(part);
		if (part.len == 0)
			return refuse(v, err, "has an empty item");
		v->list[v->list_count++] = ch_xviewdup(part);
	}
	if (!in_limits(v->param, (int64_t)v->list_count))
		return refuse(v, err, "has too few or too many items");
	return 0;
}

int
ch_param_secret_file(const char *path, struct ch_buf *out, struct ch_err *err)
{
	struct stat st;
	char block[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return ch_err_errno(err, errno, "cannot open %s", path);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return ch_err_set(err, CH_ECONFIG, "%s is a directory", path);
	}
	while ((n = read(fd, block, sizeof(block))) > 0 &&
		out->len + (size_t)n <= PARAM_SECRET_MAX)
		ch_buf_add(out, block, (size_t)n);
	close(fd);
	if (n < 0)
		return ch_err_errno(err, errno, "cannot read %s", path);
	if (n > 0)
		return ch_err_set(err, CH_ECONFIG, "%s is over %d bytes", path,
			PARAM_SECRET_MAX);
	if (out->len > 0 && out->ptr[out->len - 1] == '\n')
		out->ptr[--out->len] = '\0';
	if (out->len > 0 && out->ptr[out->len - 1] == '\r')
		out->ptr[--out->len] = '\0';
	if (out->len == 0)
		return ch_err_set(err, CH_ECONFIG, "%s is empty", path);
	return 0;
}

static int
read_secret(struct param_value *v, struct ch_err *err)
{
	struct ch_err why = CH_ERR_INIT;

	ch_buf_clear(&v->secret);
	if (v->text[0] == '\0' ||
		ch_param_secret_file(v->text, &v->secret, &why) == 0)
		return 0;
	return ch_err_set(err, CH_ECONFIG, "%s_file: %s (from %s)",
		v->param->name, why.text, v->origin);
}

int
ch_param_value_read(struct param_value *v, struct ch_err *err)
{
	switch (v->param->type) {
	case CH_PARAM_INT:
		return read_number(v, NULL, err);
	case CH_PARAM_DURATION:
		return read_number(v, durations, err);
	case CH_PARAM_BYTES:
		return read_number(v, sizes, err);
	case CH_PARAM_BOOL:
		return read_bool(v, err);
	case CH_PARAM_ENUM:
		v->number = choice(v->param->choices, ch_view_of(v->text));
		return v->number < 0 ? refuse(v, err, "is no choice") : 0;
	case CH_PARAM_URL:
		return read_url(v, err);
	case CH_PARAM_LIST:
		return read_list(v, err);
	case CH_PARAM_SECRET:
		return read_secret(v, err);
	case CH_PARAM_STRING:
		if (v->origin[0] != '\0' &&
			!in_limits(v->param, (int64_t)strlen(v->text)))
			return refuse(v, err, "is too short or too long");
		return 0;
	case CH_PARAM_PATH:
	case CH_PARAM_CONNINFO:
	case CH_PARAM_GROUP:
		return 0;
	}
	return 0;
}

int
ch_param_number(const struct ch_param *param, const char *text,
	const char *origin, int64_t *number, struct ch_err *err)
{
	struct param_value v = {.param = param, .text = ch_xstrdup(text)};
	int rc;

	(void)ch_view_copy(ch_view_of(origin), v.origin, sizeof(v.origin));
	rc = ch_param_value_read(&v, err);
	*number = v.number;
	ch_param_value_clear(&v);
	return rc;
}

void
ch_param_value_clear(struct param_value *v)
{
	free(v->text);
	for (size_t i = 0; i < v->list_count; i++)
		free(v->list[i]);
	free(v->list);
	if (v->secret.ptr != NULL)
		explicit_bzero(v->secret.ptr, v->secret.len);
	ch_buf_free(&v->secret);
	for (size_t i = 0; i < v->pair_count; i++) {
		free(v->pairs[i].key);
		free(v->pairs[i].text);
	}
	free(v->pairs);
	memset(v, 0, sizeof(*v));
}

bool
ch_param_value_same(const struct param_value *a, const struct param_value *b)
{
	if (strcmp(a->text, b->text) != 0 || a->pair_count != b->pair_count ||
		!ch_view_eq(ch_buf_view(&a->secret), ch_buf_view(&b->secret)))
		return false;
	for (size_t i = 0; i < a->pair_count; i++)
		if (strcmp(a->pairs[i].key, b->pairs[i].key) != 0 ||
			strcmp(a->pairs[i].text, b->pairs[i].text) != 0)
			return false;
	return true;
}

bool
ch_param_is_secret_key(const char *key)
{
	return strstr(key, "password") != NULL ||
		strstr(key, "secret") != NULL ||
		strstr(key, "key.pem") != NULL ||
		strstr(key, "oauthbearer.config") != NULL;
}

/* The end of a password that begins at p: up to ';' '&' or white space, or the
 * closing quote. */
static const char *
value_end(const char *p)
{
	if (*p != '\'')
		return p + strcspn(p, " \t&;");
	for (p++; *p != '\0' && *p != '\''; p++)
		if (*p == '\\' && p[1] != '\0')
			p++;
	return *p == '\'' ? p + 1 : p;
}

static const char *
end_of_userinfo_password(const char *authority, const char **begin)
{
	size_t len = strcspn(authority, "/?#");
	const char *at = memrchr(authority, '@', len);
	const char *colon;

	if (at == NULL)
		return NULL;
	colon = memchr(authority, ':', (size_t)(at - authority));
	if (colon == NULL || colon + 1 == at)
		return NULL;
	*begin = colon + 1;
	return at;
}

bool
ch_param_mask_passwords(struct ch_buf *out, const char *text)
{
	const char *scheme = strstr(text, "://");
	const char *begin = NULL, *end = NULL;
	bool found = false;

	if (scheme != NULL)
		end = end_of_userinfo_password(scheme + 3, &begin);
	for (const char *p = text; *p != '\0';) {
		if (p == begin) {
			ch_buf_adds(out, PARAM_MASK);
			found = true;
			p = end;
		} else if (strncasecmp(p, "password", 8) == 0 &&
			p[8 + strspn(p + 8, " \t")] == '=') {
			const char *value = strchr(p, '=') + 1;

			value += strspn(value, " \t");
			ch_buf_add(out, p, (size_t)(value - p));
			found = found || value_end(value) > value;
			ch_buf_adds(out, PARAM_MASK);
			p = value_end(value);
		} else
			ch_buf_addc(out, *p++);
	}
	return found;
}
