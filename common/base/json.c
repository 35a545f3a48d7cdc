/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: see json.h.
 *
 * The reader is one pass of recursive descent over the input, bounded by
 * CH_JSON_DEPTH_MAX calls. It copies nothing but strings that hold escapes.
 * `at` is the next byte to read; on the first error it stays where it is, and
 * the root call makes the text of it from that.
 *
 * Duplicate names: an object of up to DUP_LINEAR members compares each name
 * with those before it, behind a filter of 64 bits that mostly says "new"; a
 * larger one sorts its names once when it ends, so that a hostile document
 * costs n log n. Both compare unescaped names.
 */
#include "json.h"

#include <stdlib.h>

#define DUP_LINEAR 32 /* and the most members sorted by insertion */

struct reader {
	const char *start;
	const char *at;
	const char *end;
	struct ch_arena *arena;
	size_t nodes_left;
	const char *problem; /* NULL: none so far */
	int depth;
};

/* What ends the fast scan of a string: a quote, a backslash, a control
 * character, or a byte of a longer UTF-8 sequence. */
static inline bool
is_special(unsigned char c)
{
	return c < 0x20 || c >= 0x80 || c == '"' || c == '\\';
}

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Is one of eight bytes special? (The usual zero-byte trick; a borrow may
 * report a byte above a true one, never miss one.) */
static inline bool
has_special(uint64_t eight)
{
	uint64_t quote = eight ^ (ONES * '"');
	uint64_t backslash = eight ^ (ONES * '\\');
	uint64_t found = (eight - ONES * 0x20) | (quote - ONES) |
		(backslash - ONES) | eight;

	return (found & HIGHS) != 0;
}

static const char *
skip_plain(const char *p, const char *end)
{
	uint64_t eight;

	while (end - p >= (ptrdiff_t)sizeof(eight)) {
		memcpy(&eight, p, sizeof(eight));
		if (has_special(eight))
			break;
		p += sizeof(eight);
	}
	while (p < end && !is_special((unsigned char)*p))
		p++;
	return p;
}

static bool
fail(struct reader *r, const char *problem)
{
	if (r->problem == NULL)
		r->problem = problem;
	return false;
}

static inline void
skip_space(struct reader *r)
{
	while (r->at < r->end &&
		(*r->at == ' ' || *r->at == '\n' || *r->at == '\t' ||
			*r->at == '\r'))
		r->at++;
}

/* ---- strings ---- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The four digits of a \u escape at p, or -1. */
static int
hex4(const char *p, const char *end)
{
	int value = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(p[i]);

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

static char *
put_utf8(char *out, unsigned code)
{
	if (code < 0x80) {
		*out++ = (char)code;
	} else if (code < 0x800) {
		*out++ = (char)(0xc0 | code >> 6);
		*out++ = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*out++ = (char)(0xe0 | code >> 12);
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
		*out++ = (char)(0x80 | (code & 0x3f));
	} else {
		*out++ = (char)(0xf0 | code >> 18);
		*out++ = (char)(0x80 | (code >> 12 & 0x3f));
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
		*out++ = (char)(0x80 | (code & 0x3f));
	}
	return out;
}

/* Reads the escape of a Unicode character; r->at is behind its \u. */
static char *
unescape_unicode(struct reader *r, char *out)
{
	int code = hex4(r->at, r->end);
	int low;

	if (code <= 0) {
		(void)fail(r,
			code == 0 ? "\\u0000 in a string"
				  : "a \\u escape needs four hex digits");
		return NULL;
	}
	r->at += 4;
	if (code < 0xd800 || code > 0xdfff)
		return put_utf8(out, (unsigned)code);
	low = -1;
	if (r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u')
		low = hex4(r->at + 2, r->end);
	if (code > 0xdbff || low < 0xdc00 || low > 0xdfff) {
		(void)fail(r, "a lone surrogate in a string");
		return NULL;
	}
	r->at += 6;
	return put_utf8(out,
		0x10000 + (((unsigned)code - 0xd800) << 10) +
			((unsigned)low - 0xdc00));
}

/* Reads one escape; r->at is on its backslash. */
static char *
unescape(struct reader *r, char *out)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (r->end - r->at < 2) {
		(void)fail(r, "the string does not end");
		return NULL;
	}
	if (r->at[1] == 'u') {
		r->at += 2;
		return unescape_unicode(r, out);
	}
	found = memchr(from, r->at[1], sizeof(from) - 1);
	if (found == NULL) {
		(void)fail(r, "an unknown escape in a string");
		return NULL;
	}
	r->at += 2;
	*out++ = to[found - from];
	return out;
}

/* What the scan of a string stopped at is no quote and no escape: true when it
 * is a well-formed character, which is then skipped. */
static bool
take_wide(struct reader *r)
{
	size_t n;

	if (r->at == r->end)
		return fail(r, "the string does not end");
	if ((unsigned char)*r->at < 0x20)
		return fail(r, "a control character in a string");
	n = ch_utf8_next(r->at, (size_t)(r->end - r->at));
	if (n == 0)
		return fail(r, "bytes that are not UTF-8 in a string");
	r->at += n;
	return true;
}

/* Upper bound of the string's length, from its first byte on: where a quote
 * without a backslash before it stands. */
static size_t
length_bound(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && *p != '"')
		p += *p == '\\' && end - p > 1 ? 2 : 1;
	return (size_t)(p - start);
}

/* The rest of a string whose first escape is at r->at, into the arena. */
static bool
take_escaped(struct reader *r, const char *first, struct ch_view *out)
{
	size_t bound = length_bound(first, r->end);
	char *text = ch_arena_alloc(r->arena, bound + 1);
	char *fill = text;
	const char *run = first;

	while (r->at < r->end && *r->at != '"') {
		if (*r->at != '\\') {
			if (!take_wide(r))
				return false;
			r->at = skip_plain(r->at, r->end);
			continue;
		}
		memcpy(fill, run, (size_t)(r->at - run));
		fill = unescape(r, fill + (r->at - run));
		if (fill == NULL)
			return false;
		run = r->at;
		r->at = skip_plain(r->at, r->end);
	}
	if (r->at == r->end)
		return fail(r, "the string does not end");
	memcpy(fill, run, (size_t)(r->at - run));
	fill += r->at - run;
	*out = (struct ch_view){text, (size_t)(fill - text)};
	r->at++;
	return true;
}

/* r->at is on the opening quote. */
static bool
take_string(struct reader *r, struct ch_view *out)
{
	const char *first = ++r->at;

	for (;;) {
		r->at = skip_plain(r->at, r->end);
		if (r->at < r->end && *r->at == '"') {
			*out = (struct ch_view){first, (size_t)(r->at - first)};
			r->at++;
			return true;
		}
		if (r->at < r->end && *r->at == '\\')
			return take_escaped(r, first, out);
		if (!take_wide(r))
			return false;
	}
}

/* ---- numbers and words ---- */

static bool
take_digits(struct reader *r)
{
	const char *first = r->at;

	while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
		r->at++;
	return r->at > first || fail(r, "a number needs a digit here");
}

static bool
take_number(struct reader *r)
{
	if (*r->at == '-')
		r->at++;
	if (r->at < r->end && *r->at == '0')
		r->at++;
	else if (!take_digits(r))
		return false;
	if (r->at < r->end && *r->at == '.') {
		r->at++;
		if (!take_digits(r))
			return false;
	}
	if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
		r->at++;
		if (r->at < r->end && (*r->at == '+' || *r->at == '-'))
			r->at++;
		return take_digits(r);
	}
	return true;
}

static bool
take_word(struct reader *r, const char *word, size_t n)
{
	if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
		return fail(r, "no JSON value begins like this");
	r->at += n;
	return true;
}

/* ---- names that stand twice ---- */

static uint64_t
filter_bit(struct ch_view name)
{
	uint64_t h = name.len;

	if (name.len > 0)
		h += (uint64_t)(unsigned char)name.ptr[0] * 31 +
			(uint64_t)(unsigned char)name.ptr[name.len - 1] * 7 +
			(uint64_t)(unsigned char)name.ptr[name.len / 2];
	return UINT64_C(1) << (h & 63);
}

static bool
name_among(const struct ch_json *first, struct ch_view name)
{
	for (; first != NULL; first = first->next) {
		if (ch_view_eq(first->name, name))
			return true;
	}
	return false;
}

static int
by_name(const void *a, const void *b)
{
	const struct ch_json *const *x = a;
	const struct ch_json *const *y = b;

	return ch_view_cmp((*x)->name, (*y)->name);
}

/* Returns their number. Few members are put in their places one by one, which
 * beats qsort(). */
static size_t
sort_members(const struct ch_json *object, const struct ch_json **sorted)
{
	size_t n = 0;

	for (const struct ch_json *m = object->child; m != NULL; m = m->next) {
		size_t at = n++;

		while (object->count <= DUP_LINEAR && at > 0 &&
			ch_view_cmp(sorted[at - 1]->name, m->name) > 0) {
			sorted[at] = sorted[at - 1];
			at--;
		}
		sorted[at] = m;
	}
	if (object->count > DUP_LINEAR)
		qsort(sorted, n, sizeof(void *), by_name);
	return n;
}

static bool
names_differ(struct reader *r, const struct ch_json *object)
{
	const struct ch_json **sorted;
	size_t n;

	if (object->count <= DUP_LINEAR)
		return true;
	sorted = ch_arena_alloc(r->arena, object->count * sizeof(void *));
	n = sort_members(object, sorted);
	for (size_t i = 1; i < n; i++) {
		if (ch_view_eq(sorted[i - 1]->name, sorted[i]->name))
			return fail(r, "a name stands twice in this object");
	}
	return true;
}

/* ---- values ---- */

static struct ch_json *take_value(struct reader *r);

static struct ch_json *
new_node(struct reader *r, enum ch_json_type type)
{
	struct ch_json *v;

	if (r->nodes_left == 0) {
		(void)fail(r, "too many values in one document");
		return NULL;
	}
	r->nodes_left--;
	v = ch_arena_alloc(r->arena, sizeof(*v));
	memset(v, 0, sizeof(*v));
	v->type = type;
	return v;
}

/* Behind a member or an element: is there another one? `close` ends the
 * container, and is taken. */
static bool
take_comma(struct reader *r, char close, bool *more)
{
	skip_space(r);
	if (r->at < r->end && *r->at == ',') {
		r->at++;
		*more = true;
		return true;
	}
	if (r->at < r->end && *r->at == close) {
		r->at++;
		*more = false;
		return true;
	}
	return fail(r,
		close == ']' ? "expected ',' or ']'" : "expected ',' or '}'");
}

/* Is the container empty? r->at is on its opening bracket. */
static bool
take_empty(struct reader *r, char close)
{
	r->at++;
	skip_space(r);
	if (r->at == r->end || *r->at != close)
		return false;
	r->at++;
	return true;
}

static bool
take_name(struct reader *r, struct ch_view *name)
{
	skip_space(r);
	if (r->at == r->end || *r->at != '"')
		return fail(r, "expected a name in quotes");
	if (!take_string(r, name))
		return false;
	skip_space(r);
	if (r->at == r->end || *r->at != ':')
		return fail(r, "expected ':' behind the name");
	r->at++;
	return true;
}

static bool
take_members(struct reader *r, struct ch_json *object)
{
	const struct ch_json **link = &object->child;
	bool more = !take_empty(r, '}');
	uint64_t seen = 0;

	while (more) {
		struct ch_json *member;
		struct ch_view name;
		uint64_t bit;

		if (!take_name(r, &name))
			return false;
		bit = filter_bit(name);
		if ((seen & bit) != 0 && object->count <= DUP_LINEAR &&
			name_among(object->child, name))
			return fail(r, "a name stands twice in this object");
		seen |= bit;
		member = take_value(r);
		if (member == NULL)
			return false;
		member->name = name;
		*link = member;
		link = &member->next;
		object->count++;
		if (!take_comma(r, '}', &more))
			return false;
	}
	return names_differ(r, object);
}

static bool
take_elements(struct reader *r, struct ch_json *array)
{
	const struct ch_json **link = &array->child;
	bool more = !take_empty(r, ']');

	while (more) {
		struct ch_json *element = take_value(r);

		if (element == NULL)
			return false;
		*link = element;
		link = &element->next;
		array->count++;
		if (!take_comma(r, ']', &more))
			return false;
	}
	return true;
}

static bool
take_container(struct reader *r, struct ch_json *v)
{
	bool ok;

	if (r->depth == CH_JSON_DEPTH_MAX)
		return fail(r, "nested deeper than 32 levels");
	r->depth++;
	ok = v->type == CH_JSON_OBJECT ? take_members(r, v)
				       : take_elements(r, v);
	r->depth--;
	return ok;
}

static enum ch_json_type
type_by_first_byte(char c)
{
	switch (c) {
	case '{':
		return CH_JSON_OBJECT;
	case '[':
		return CH_JSON_ARRAY;
	case '"':
		return CH_JSON_STRING;
	case 't':
		return CH_JSON_TRUE;
	case 'f':
		return CH_JSON_FALSE;
	case 'n':
		return CH_JSON_NULL;
	default:
		return CH_JSON_NUMBER;
	}
}

static bool
take_content(struct reader *r, struct ch_json *v)
{
	switch (v->type) {
	case CH_JSON_OBJECT:
	case CH_JSON_ARRAY:
		return take_container(r, v);
	case CH_JSON_STRING:
		return take_string(r, &v->str);
	case CH_JSON_TRUE:
		return take_word(r, "true", 4);
	case CH_JSON_FALSE:
		return take_word(r, "false", 5);
	case CH_JSON_NULL:
		return take_word(r, "null", 4);
	case CH_JSON_NUMBER:
	default:
		if (*r->at != '-' && (*r->at < '0' || *r->at > '9'))
			return fail(r, "no JSON value begins like this");
		return take_number(r);
	}
}

static struct ch_json *
take_value(struct reader *r)
{
	struct ch_json *v;
	const char *first;

	skip_space(r);
	if (r->at == r->end) {
		(void)fail(r, "expected a value, but the document ends");
		return NULL;
	}
	v = new_node(r, type_by_first_byte(*r->at));
	first = r->at;
	if (v == NULL || !take_content(r, v))
		return NULL;
	v->text = (struct ch_view){first, (size_t)(r->at - first)};
	return v;
}

const struct ch_json *
ch_json_parse(struct ch_arena *arena, struct ch_view input, size_t max_nodes,
	struct ch_err *err)
{
	const char *start = input.ptr != NULL ? input.ptr : "";
	struct reader r = {
		start, start, start + input.len, arena, max_nodes, NULL, 0};
	const struct ch_json *root = take_value(&r);

	if (root != NULL) {
		skip_space(&r);
		if (r.at == r.end)
			return root;
		r.problem = "bytes behind the document's end";
	}
	(void)ch_err_set(err, CH_EINVAL, "not valid JSON at byte %zu: %s",
		(size_t)(r.at - r.start), r.problem);
	return NULL;
}

/* ---- access ---- */

const struct ch_json *
ch_json_get(const struct ch_json *obj, const char *name)
{
	struct ch_view wanted = ch_view_of(name);

	if (obj == NULL || obj->type != CH_JSON_OBJECT)
		return NULL;
	for (const struct ch_json *m = obj->child; m != NULL; m = m->next) {
		if (ch_view_eq(m->name, wanted))
			return m;
	}
	return NULL;
}

bool
ch_json_str(const struct ch_json *obj, const char *name, struct ch_view *out)
{
	const struct ch_json *m = ch_json_get(obj, name);

	if (m == NULL || m->type != CH_JSON_STRING)
		return false;
	*out = m->str;
	return true;
}

bool
ch_json_i64(const struct ch_json *obj, const char *name, int64_t *out)
{
	const struct ch_json *m = ch_json_get(obj, name);

	return m != NULL && m->type == CH_JSON_NUMBER &&
		ch_view_int(m->text, INT64_MIN, INT64_MAX, out) == 0;
}

bool
ch_json_bool(const struct ch_json *obj, const char *name, bool *out)
{
	const struct ch_json *m = ch_json_get(obj, name);

	if (m == NULL || (m->type != CH_JSON_TRUE && m->type != CH_JSON_FALSE))
		return false;
	*out = m->type == CH_JSON_TRUE;
	return true;
}

/* ---- writing ---- */

static void
add_escape(struct ch_buf *b, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	char text[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
	static const char from[] = "\"\\\b\f\n\r\t";
	static const char to[] = "\"\\bfnrt";
	const char *found = memchr(from, c, sizeof(from) - 1);

	if (found == NULL) {
		ch_buf_add(b, text, sizeof(text));
		return;
	}
	text[1] = to[found - from];
	ch_buf_add(b, text, 2);
}

static void
add_plain_string(struct ch_buf *b, struct ch_view v)
{
	char *out;

	ch_buf_reserve(b, v.len + 2);
	out = b->ptr + b->len;
	*out++ = '"';
	if (v.len > 0)
		memcpy(out, v.ptr, v.len);
	out += v.len;
	*out++ = '"';
	*out = '\0';
	b->len += v.len + 2;
}

void
ch_json_add_string(struct ch_buf *b, struct ch_view v)
{
	const char *p = v.ptr;
	const char *end = v.len > 0 ? p + v.len : p;

	if (skip_plain(p, end) == end) {
		add_plain_string(b, v);
		return;
	}
	ch_buf_addc(b, '"');
	while (p < end) {
		const char *run = p;
		size_t n;

		p = skip_plain(p, end);
		ch_buf_add(b, run, (size_t)(p - run));
		if (p == end)
			break;
		n = ch_utf8_next(p, (size_t)(end - p));
		if (n == 0)
			ch_buf_add(b, "\xef\xbf\xbd", 3);
		else if (n == 1)
			add_escape(b, (unsigned char)*p);
		else
			ch_buf_add(b, p, n);
		p += n > 0 ? n : 1;
	}
	ch_buf_addc(b, '"');
}

static void
canonical_members(struct ch_buf *out, const struct ch_json *object)
{
	const struct ch_json *few[DUP_LINEAR];
	const struct ch_json **sorted = few;
	size_t n;

	if (object->count > DUP_LINEAR)
		sorted = ch_xcalloc(object->count, sizeof(void *));
	n = sort_members(object, sorted);
	ch_buf_addc(out, '{');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			ch_buf_addc(out, ',');
		ch_json_add_string(out, sorted[i]->name);
		ch_buf_addc(out, ':');
		ch_json_canonical(out, sorted[i]);
	}
	ch_buf_addc(out, '}');
	if (sorted != few)
		free(sorted);
}

void
ch_json_canonical(struct ch_buf *out, const struct ch_json *v)
{
	if (v->type == CH_JSON_OBJECT) {
		canonical_members(out, v);
	} else if (v->type == CH_JSON_ARRAY) {
		ch_buf_addc(out, '[');
		for (const struct ch_json *e = v->child; e != NULL;
			e = e->next) {
			if (e != v->child)
				ch_buf_addc(out, ',');
			ch_json_canonical(out, e);
		}
		ch_buf_addc(out, ']');
	} else if (v->type == CH_JSON_STRING) {
		ch_json_add_string(out, v->str);
	} else {
		ch_buf_addv(out, v->text);
	}
}

void
ch_json_add_comma(struct ch_buf *b)
{
	char last = b->len > 0 ? b->ptr[b->len - 1] : '{';

	if (last != '{' && last != '[')
		ch_buf_addc(b, ',');
}

void
ch_json_add_name(struct ch_buf *b, const char *name)
{
	ch_json_add_comma(b);
	ch_json_add_string(b, ch_view_of(name));
	ch_buf_addc(b, ':');
}

void
ch_json_add_member(struct ch_buf *b, const char *name, struct ch_view str)
{
	ch_json_add_name(b, name);
	ch_json_add_string(b, str);
}

void
ch_json_add_member_i64(struct ch_buf *b, const char *name, int64_t v)
{
	ch_json_add_name(b, name);
	ch_buf_add_i64(b, v);
}

void
ch_json_add_member_bool(struct ch_buf *b, const char *name, bool v)
{
	ch_json_add_name(b, name);
	ch_buf_adds(b, v ? "true" : "false");
}
