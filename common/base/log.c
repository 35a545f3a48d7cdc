/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: see log.h.
 *
 * A line is built in a buffer on the stack, without allocation, so that even
 * mem.c can log, and goes out in one write(2): lines of threads never mix.
 * Both shapes escape values the same way (JSON's escapes, also for DEL and the
 * C1 controls, which a terminal would obey), so no value can end its line or
 * its quotes.
 *
 * A line that grows over LINE_MAX_LEN loses the rest of the value that was
 * being written and all later fields, and says cut=true.
 */
#include "log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"

#define LINE_MAX_LEN ((size_t)8 * 1024)
/* Always left free: `"`, ` cut=true` or `,"cut":true`, `}` and a newline. */
#define LINE_TAIL ((size_t)32)
#define NUMBER_MAX ((size_t)20)

struct line {
	char text[LINE_MAX_LEN];
	size_t len;
	bool json;
	bool cut;
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static char service_name[64];
static atomic_bool as_json;
static atomic_int min_level = CH_LOG_INFO;
static atomic_uint_fast64_t dropped;

void
ch_log_init(const char *service, enum ch_log_level min, bool json)
{
	(void)snprintf(service_name, sizeof(service_name), "%s", service);
	atomic_store(&as_json, json);
	ch_log_level_set(min);
}

void
ch_log_level_set(enum ch_log_level min)
{
	atomic_store_explicit(&min_level, (int)min, memory_order_relaxed);
}

enum ch_log_level
ch_log_level_get(void)
{
	return (enum ch_log_level)atomic_load_explicit(&min_level,
		memory_order_relaxed);
}

int
ch_log_level_parse(const char *name, enum ch_log_level *out)
{
	for (int i = CH_LOG_DEBUG; i <= CH_LOG_ERROR; i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum ch_log_level)i;
			return 0;
		}
	}
	return CH_EINVAL;
}

uint64_t
ch_log_dropped(void)
{
	return atomic_load(&dropped);
}

/* Adds all n bytes or, when they do not fit, none and marks the line. */
static bool
put(struct line *l, const char *bytes, size_t n)
{
	if (l->cut || n > LINE_MAX_LEN - LINE_TAIL - l->len) {
		l->cut = true;
		return false;
	}
	memcpy(l->text + l->len, bytes, n);
	l->len += n;
	return true;
}

/* For the tail, which LINE_TAIL keeps room for. */
static void
put_tail(struct line *l, const char *s)
{
	size_t n = strlen(s);

	memcpy(l->text + l->len, s, n);
	l->len += n;
}

static bool
must_escape(const char *p, size_t n)
{
	unsigned char c = (unsigned char)p[0];

	if (n == 2) /* U+0080 to U+009F */
		return c == 0xc2 && (unsigned char)p[1] < 0xa0;
	return n == 1 && (c < 0x20 || c == 0x7f || c == '"' || c == '\\');
}

static bool
put_escape(struct line *l, const char *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char c = (unsigned char)p[n - 1];
	char hex[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};

	switch (c) {
	case '"':
		return put(l, "\\\"", 2);
	case '\\':
		return put(l, "\\\\", 2);
	case '\n':
		return put(l, "\\n", 2);
	case '\r':
		return put(l, "\\r", 2);
	case '\t':
		return put(l, "\\t", 2);
	default:
		return put(l, hex, sizeof(hex));
	}
}

static bool
put_character(struct line *l, const char *p, size_t n)
{
	if (n == 0)
		return put(l, "\xef\xbf\xbd", 3);
	return must_escape(p, n) ? put_escape(l, p, n) : put(l, p, n);
}

static void
put_quoted(struct line *l, struct ch_view v)
{
	size_t i = 0;

	if (!put(l, "\"", 1))
		return;
	while (i < v.len) {
		size_t n = ch_utf8_next(v.ptr + i, v.len - i);

		if (!put_character(l, v.ptr + i, n))
			break;
		i += n > 0 ? n : 1;
	}
	put_tail(l, "\"");
}

static bool
is_plain(struct ch_view v)
{
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.ptr[i];

		if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return true;
}

static void
put_text(struct line *l, struct ch_view v)
{
	if (l->json || !is_plain(v) ||
		v.len > LINE_MAX_LEN - LINE_TAIL - l->len)
		put_quoted(l, v);
	else
		(void)put(l, v.ptr, v.len);
}

/* `key=` or `"key":`, with what parts it from the field before. Only where
 * room for a number or for an opening quote is left as well. */
static bool
put_key(struct line *l, const char *key)
{
	size_t n = strlen(key);

	if (l->cut || n + 4 + NUMBER_MAX > LINE_MAX_LEN - LINE_TAIL - l->len) {
		l->cut = true;
		return false;
	}
	if (l->json) {
		(void)put(l, ",\"", l->text[l->len - 1] == '{' ? 0 : 1);
		(void)put(l, "\"", 1);
		(void)put(l, key, n);
		return put(l, "\":", 2);
	}
	(void)put(l, " ", l->len > 0 ? 1 : 0);
	(void)put(l, key, n);
	return put(l, "=", 1);
}

static void
put_str_field(struct line *l, const char *key, struct ch_view v)
{
	if (v.len > 0 && put_key(l, key))
		put_text(l, v);
}

static void
put_number_field(struct line *l, const char *key, bool negative, uint64_t v)
{
	char digits[NUMBER_MAX];
	size_t at = sizeof(digits);

	if (!put_key(l, key))
		return;
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	if (negative)
		digits[--at] = '-';
	(void)put(l, digits + at, sizeof(digits) - at);
}

static void
put_bool_field(struct line *l, const char *key, bool v)
{
	if (put_key(l, key))
		(void)put(l, v ? "true" : "false", v ? 4 : 5);
}

static void
put_field(struct line *l, const struct ch_field *f)
{
	switch (f->type) {
	case CH_FIELD_STR:
		put_str_field(l, f->key, ch_view_of(f->as.s));
		break;
	case CH_FIELD_VIEW:
		put_str_field(l, f->key, f->as.v);
		break;
	case CH_FIELD_INT:
		put_number_field(l, f->key, f->as.i < 0,
			f->as.i < 0 ? -(uint64_t)f->as.i : (uint64_t)f->as.i);
		break;
	case CH_FIELD_UINT:
		put_number_field(l, f->key, false, f->as.u);
		break;
	case CH_FIELD_BOOL:
		put_bool_field(l, f->key, f->as.b);
		break;
	case CH_FIELD_END:
	default:
		break;
	}
}

static void
begin(struct line *l, enum ch_log_level level, const char *event)
{
	char when[CH_TIME_TEXT_MAX];
	size_t n = ch_time_format(ch_clock_wall(&ch_clock_real), when);

	l->len = 0;
	l->cut = false;
	l->json = atomic_load_explicit(&as_json, memory_order_relaxed);
	if (l->json) {
		(void)put(l, "{", 1);
		put_str_field(l, "ts", (struct ch_view){when, n});
	} else {
		(void)put(l, when, n);
	}
	put_str_field(l, "level", ch_view_of(level_names[level]));
	put_str_field(l, "svc", ch_view_of(service_name));
	put_str_field(l, "event", ch_view_of(event));
}

static void
finish(struct line *l)
{
	if (l->cut)
		put_tail(l, l->json ? ",\"cut\":true" : " cut=true");
	put_tail(l, l->json ? "}\n" : "\n");
}

/* A pipe that has room for a part of the line only gets the rest by a second
 * write, lest the next line begins in the middle of this one. */
static void
send_line(const struct line *l)
{
	size_t sent = 0;

	while (sent < l->len) {
		ssize_t n = write(STDERR_FILENO, l->text + sent, l->len - sent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			atomic_fetch_add(&dropped, 1);
			return;
		}
		sent += (size_t)n;
	}
}

void
ch_log_write(enum ch_log_level level, const char *event,
	const struct ch_field *fields)
{
	int saved = errno;
	struct line l;

	if (level < ch_log_level_get())
		return;
	begin(&l, level, event);
	for (; fields->type != CH_FIELD_END; fields++)
		put_field(&l, fields);
	finish(&l);
	send_line(&l);
	errno = saved;
}
