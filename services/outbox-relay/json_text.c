/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_text: without recursion; a byte is kept for each container that is open.
 */
#include "json_text.h"

#include <string.h>

struct reader {
	const char *at, *end;
	struct ch_buf open; /* what closes them, outermost first */
};

static bool
is_at(const struct reader *r, char c)
{
	return r->at < r->end && *r->at == c;
}

static bool
take(struct reader *r, char c)
{
	if (!is_at(r, c))
		return false;
	r->at++;
	return true;
}

static bool
is_one_of(const struct reader *r, const char *set)
{
	return r->at < r->end && memchr(set, *r->at, strlen(set)) != NULL;
}

static void
skip_space(struct reader *r)
{
	while (is_one_of(r, " \t\r\n"))
		r->at++;
}

static bool
read_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
		return false;
	r->at += n;
	return true;
}

static bool
read_digits(struct reader *r)
{
	const char *first = r->at;

	while (is_one_of(r, "0123456789"))
		r->at++;
	return r->at > first;
}

static bool
read_number(struct reader *r)
{
	(void)take(r, '-');
	if (!take(r, '0') && !read_digits(r))
		return false;
	if (take(r, '.') && !read_digits(r))
		return false;
	if (!is_one_of(r, "eE"))
		return true;
	r->at++;
	if (is_one_of(r, "+-"))
		r->at++;
	return read_digits(r);
}

static bool
read_escape(struct reader *r)
{
	int i;

	if (!is_one_of(r, "\"\\/bfnrtu"))
		return false;
	if (*r->at++ != 'u')
		return true;
	for (i = 0; i < 4; i++) {
		if (!is_one_of(r, "0123456789abcdefABCDEF"))
			return false;
		r->at++;
	}
	return true;
}

static bool
read_string(struct reader *r)
{
	if (!take(r, '"'))
		return false;
	while (r->at < r->end && (unsigned char)*r->at >= ' ') {
		if (take(r, '"'))
			return true;
		if (*r->at++ == '\\' && !read_escape(r))
			return false;
	}
	return false;
}

static bool
read_scalar(struct reader *r)
{
	if (is_at(r, '"'))
		return read_string(r);
	return read_word(r, "true") || read_word(r, "false") ||
		read_word(r, "null") || read_number(r);
}

static bool
read_name(struct reader *r)
{
	skip_space(r);
	if (!read_string(r))
		return false;
	skip_space(r);
	return take(r, ':');
}

static char
innermost(const struct reader *r)
{
	return r->open.len > 0 ? r->open.ptr[r->open.len - 1] : '\0';
}

/* Up to the end of a scalar, or into an empty container. */
static bool
begin_value(struct reader *r)
{
	char c;

	for (;;) {
		skip_space(r);
		if (!is_one_of(r, "{["))
			return read_scalar(r);
		c = *r->at++ == '{' ? '}' : ']';
		ch_buf_addc(&r->open, c);
		skip_space(r);
		if (is_at(r, c))
			return true;
		if (c == '}' && !read_name(r))
			return false;
	}
}

/* Behind a value: what ends with it. */
static void
end_containers(struct reader *r)
{
	skip_space(r);
	while (r->open.len > 0 && take(r, innermost(r))) {
		r->open.len--;
		skip_space(r);
	}
}

static bool
read_text(struct reader *r)
{
	for (;;) {
		if (!begin_value(r))
			return false;
		end_containers(r);
		if (r->open.len == 0)
			return r->at == r->end;
		if (!take(r, ','))
			return false;
		if (innermost(r) == '}' && !read_name(r))
			return false;
	}
}

bool
json_text_is(struct ch_view text)
{
	struct reader r = {text.ptr, text.ptr + text.len, CH_BUF_INIT};
	bool is = ch_view_is_utf8(text) && read_text(&r);

	ch_buf_free(&r.open);
	return is;
}
