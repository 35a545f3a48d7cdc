/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter: a lexer, a parser by recursive descent, and one writer for each type
 * of field. The parser writes SQL as it reads; nothing is kept as a tree.
 */
#include "filter.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "letter.h"

enum token_kind {
	TOKEN_WORD,
	TOKEN_STRING,
	TOKEN_NUMBER,
	TOKEN_DURATION,
	TOKEN_SIGN, /* an operator, a bracket or a comma */
	TOKEN_END,
	TOKEN_OPEN_STRING,
	TOKEN_UNKNOWN
};

struct token {
	enum token_kind kind;
	size_t at;	     /* its first byte */
	struct ch_view text; /* as it stands */
	struct ch_view str;  /* a string without its quotes */
	int64_t number;
};

enum field_type {
	FIELD_TEXT,
	FIELD_CLASS,
	FIELD_BYTES,
	FIELD_NUMBER,
	FIELD_AGE,
	FIELD_TIME,
	FIELD_HEADER
};

struct field {
	const char *name;
	enum field_type type;
	const char *sql;
};

static const struct field fields[] = {
	{"topic", FIELD_TEXT, "topic"},
	{"class", FIELD_CLASS, "error_class"},
	{"reason", FIELD_TEXT, "reason"},
	{"fingerprint", FIELD_TEXT, "fingerprint"},
	{"state", FIELD_TEXT, "state"},
	{"kind", FIELD_TEXT, "kind"},
	{"row", FIELD_TEXT, "row_id"},
	{"letter", FIELD_TEXT, "letter_id::text"},
	{"original", FIELD_TEXT, "original_id::text"},
	{"sqlstate", FIELD_TEXT, "sqlstate"},
	{"key", FIELD_BYTES, "record_key"},
	{"value", FIELD_BYTES, "value"},
	{"partition", FIELD_NUMBER, "part"},
	{"offset", FIELD_NUMBER, "src_offset"},
	{"attempts", FIELD_NUMBER, "attempts"},
	{"replays", FIELD_NUMBER, "replay_count"},
	{"bytes", FIELD_NUMBER, "octet_length(value)"},
	{"age", FIELD_AGE, "extract(epoch FROM now() - at) * 1000000"},
	{"at", FIELD_TIME, "at"},
};

#define FIELD_NAMES                                                            \
	"a field: topic class reason fingerprint state kind row letter "       \
	"original sqlstate key value partition offset attempts replays bytes " \
	"age at header.<name>"

struct parser {
	struct ch_view text;
	size_t pos;
	struct token token; /* the next one */
	unsigned depth;
	int first_arg;
	struct filter *out;
	struct ch_err *err;
};

/* A field as it was named in the expression. */
struct operand {
	const struct field *field;
	struct ch_view header;
};

/* ---- words ---- */

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

bool
filter_duration(struct ch_view text, int64_t *us)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	int64_t n;
	size_t i;

	if (text.len < 2)
		return false;
	for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (text.ptr[text.len - 1] != units[i].unit)
			continue;
		if (ch_view_int((struct ch_view){text.ptr, text.len - 1}, 0,
			    100000, &n) != CH_OK)
			return false;
		*us = n * units[i].seconds * 1000000;
		return true;
	}
	return false;
}

static void
read_word(struct parser *p, struct token *t)
{
	size_t end = t->at;

	while (end < p->text.len && is_word(p->text.ptr[end]))
		end++;
	t->text.len = end - t->at;
	t->kind = TOKEN_UNKNOWN;
	if (ch_view_int(t->text, INT64_MIN, INT64_MAX, &t->number) == CH_OK)
		t->kind = TOKEN_NUMBER;
	else if (filter_duration(t->text, &t->number))
		t->kind = TOKEN_DURATION;
	else if (isalpha((unsigned char)*t->text.ptr))
		t->kind = TOKEN_WORD;
}

/* Up to the quote that is not doubled. */
static void
read_string(struct parser *p, struct token *t)
{
	char quote = p->text.ptr[t->at];
	size_t in = t->at + 1, out = 0;
	char *copy = ch_arena_alloc(&p->out->arena, p->text.len);

	t->kind = TOKEN_OPEN_STRING;
	for (; in < p->text.len; in++) {
		if (p->text.ptr[in] == quote) {
			in++;
			if (in >= p->text.len || p->text.ptr[in] != quote) {
				t->kind = TOKEN_STRING;
				break;
			}
		}
		copy[out++] = p->text.ptr[in];
	}
	t->text.len = in - t->at;
	t->str = (struct ch_view){copy, out};
}

static void
read_sign(struct parser *p, struct token *t)
{
	static const char *const signs[] = {
		"!=", "!~", "<=", ">=", "=", "~", "<", ">", "(", ")", ","};
	struct ch_view rest = {p->text.ptr + t->at, p->text.len - t->at};
	size_t i;

	t->kind = TOKEN_UNKNOWN;
	t->text.len = ch_utf8_next(rest.ptr, rest.len);
	for (i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
		if (ch_view_starts(rest, ch_view_of(signs[i]))) {
			t->kind = TOKEN_SIGN;
			t->text.len = strlen(signs[i]);
			return;
		}
	}
}

static void
next(struct parser *p)
{
	struct token *t = &p->token;
	char c;

	while (p->pos < p->text.len &&
		isspace((unsigned char)p->text.ptr[p->pos]))
		p->pos++;
	*t = (struct token){.kind = TOKEN_END, .at = p->pos};
	if (p->pos == p->text.len)
		return;
	t->text = (struct ch_view){p->text.ptr + p->pos, 0};
	c = *t->text.ptr;
	if (c == '\'' || c == '"')
		read_string(p, t);
	else if (is_word(c))
		read_word(p, t);
	else
		read_sign(p, t);
	p->pos += t->text.len;
}

/* ---- refusals ---- */

static int
expected(struct parser *p, const char *what)
{
	struct token *t = &p->token;
	char found[40];
	size_t i, n = t->text.len < 32 ? t->text.len : 32;

	for (i = 0; i < n; i++)
		found[i] = isprint((unsigned char)t->text.ptr[i])
			? t->text.ptr[i]
			: '?';
	found[n] = '\0';
	p->out->wrong_at = t->at + 1;
	if (t->kind == TOKEN_OPEN_STRING)
		return ch_err_set(p->err, CH_EINVAL,
			"filter, byte %zu: the text that begins here has no "
			"closing quote; a quote inside is doubled",
			t->at + 1);
	return ch_err_set(p->err, CH_EINVAL,
		"filter, byte %zu: found %s%s%s, expected %s", t->at + 1,
		t->kind == TOKEN_END ? "the end" : "`", found,
		t->kind == TOKEN_END ? "" : "`", what);
}

static bool
is_sign(const struct parser *p, const char *sign)
{
	return p->token.kind == TOKEN_SIGN &&
		ch_view_eq_str(p->token.text, sign);
}

static bool
is_keyword(const struct parser *p, const char *word)
{
	return p->token.kind == TOKEN_WORD &&
		p->token.text.len == strlen(word) &&
		strncasecmp(p->token.text.ptr, word, p->token.text.len) == 0;
}

/* ---- arguments ---- */

static int
add_arg(struct parser *p, const struct filter_arg *arg)
{
	struct filter *f = p->out;

	p->out->wrong_at = p->token.at + 1;
	if (f->arg_count == FILTER_ARGS_MAX)
		return ch_err_set(p->err, CH_EINVAL,
			"filter, byte %zu: more than %d values: select with ~ "
			"and a pattern, or in several calls",
			p->token.at + 1, FILTER_ARGS_MAX);
	f->args[f->arg_count] = *arg;
	ch_buf_printf(&f->sql, "$%d", p->first_arg + (int)f->arg_count);
	f->arg_count++;
	return CH_OK;
}

static int
text_arg(struct parser *p, enum filter_type type)
{
	struct filter_arg arg = {.type = type, .text = p->token.str};

	if (p->token.kind != TOKEN_STRING)
		return expected(p, "a text in quotes");
	return add_arg(p, &arg);
}

static int
number_arg(struct parser *p, enum token_kind kind, const char *what)
{
	struct filter_arg arg = {
		.type = FILTER_NUMBER, .number = p->token.number};

	return p->token.kind == kind ? add_arg(p, &arg) : expected(p, what);
}

static int
time_arg(struct parser *p)
{
	static const char what[] = "a time like '2026-11-29T08:00:00Z'";
	struct filter_arg arg = {.type = FILTER_TIME};
	struct ch_time t;

	if (p->token.kind != TOKEN_STRING || !ch_time_parse(p->token.str, &t))
		return expected(p, what);
	arg.number = t.us;
	return add_arg(p, &arg);
}

/* ---- comparisons ---- */

/* EXISTS, so that a header that stands twice matches by either value. */
static int
write_header(struct parser *p, struct ch_view name, const char *op)
{
	struct filter_arg arg = {.type = FILTER_BYTES, .text = name};
	bool matches = *op == '~';
	int rc;

	ch_buf_adds(&p->out->sql,
		"EXISTS (SELECT FROM unnest(header_names, header_values) "
		"AS h (n, v) WHERE h.n = ");
	rc = add_arg(p, &arg);
	if (rc != CH_OK)
		return rc;
	ch_buf_adds(&p->out->sql,
		matches ? " AND letter_text(h.v) ~ " : " AND h.v = ");
	rc = text_arg(p, matches ? FILTER_TEXT : FILTER_BYTES);
	ch_buf_addc(&p->out->sql, ')');
	return rc;
}

static int
write_value(struct parser *p, const struct field *f, const char *op)
{
	switch (f->type) {
	case FIELD_NUMBER:
		return number_arg(p, TOKEN_NUMBER, "a number");
	case FIELD_AGE:
		return number_arg(p, TOKEN_DURATION,
			"a duration: 90s, 30m, 2h or 1d");
	case FIELD_TIME:
		return time_arg(p);
	case FIELD_BYTES:
		return text_arg(p, *op == '~' ? FILTER_TEXT : FILTER_BYTES);
	case FIELD_CLASS:
		/* by its name of before, too */
		if (*op != '~')
			p->token.str = letter_class(p->token.str);
		break;
	case FIELD_TEXT:
	case FIELD_HEADER:
		break;
	}
	return text_arg(p, FILTER_TEXT);
}

/* The token is the value, and is taken. */
static int
write_comparison(struct parser *p, const struct operand *o, const char *op)
{
	struct ch_buf *sql = &p->out->sql;
	bool as_text = o->field->type == FIELD_BYTES && *op == '~';
	int rc;

	if (o->field->type == FIELD_HEADER) {
		rc = write_header(p, o->header, op);
	} else {
		ch_buf_printf(sql, "coalesce(%s%s%s %s ",
			as_text ? "letter_text(" : "", o->field->sql,
			as_text ? ")" : "", op);
		rc = write_value(p, o->field, op);
		ch_buf_adds(sql, ", false)");
	}
	if (rc == CH_OK)
		next(p);
	return rc;
}

static int
write_list(struct parser *p, const struct operand *o)
{
	int rc;

	if (!is_sign(p, "("))
		return expected(p, "( and the values");
	ch_buf_addc(&p->out->sql, '(');
	next(p);
	for (;;) {
		rc = write_comparison(p, o, "=");
		if (rc != CH_OK)
			return rc;
		if (!is_sign(p, ","))
			break;
		ch_buf_adds(&p->out->sql, " OR ");
		next(p);
	}
	if (!is_sign(p, ")"))
		return expected(p, ", or )");
	ch_buf_addc(&p->out->sql, ')');
	next(p);
	return CH_OK;
}

static const struct field header_field = {"header", FIELD_HEADER, NULL};

static int
read_operand(struct parser *p, struct operand *out)
{
	struct ch_view v = p->token.text, prefix = CH_VIEW("header.");
	size_t i;

	if (p->token.kind != TOKEN_WORD)
		return expected(p, FIELD_NAMES);
	if (ch_view_starts(v, prefix)) {
		*out = (struct operand){&header_field,
			{v.ptr + prefix.len, v.len - prefix.len}};
		next(p);
		if (out->header.len > 0)
			return CH_OK;
		if (p->token.kind != TOKEN_STRING)
			return expected(p, "the header's name");
		out->header = p->token.str;
		next(p);
		return CH_OK;
	}
	for (i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		if (!ch_view_eq_str(v, fields[i].name))
			continue;
		*out = (struct operand){&fields[i], {NULL, 0}};
		if (ch_view_eq_str(v, "state"))
			p->out->names_state = true;
		next(p);
		return CH_OK;
	}
	return expected(p, FIELD_NAMES);
}

static int
read_operator(struct parser *p, const struct field *f, const char **op)
{
	static const char *const texts[] = {"=", "!=", "~", "!~", NULL};
	static const char *const orders[] = {
		"=", "!=", "<", "<=", ">", ">=", NULL};
	bool ordered = f->type == FIELD_NUMBER || f->type == FIELD_AGE ||
		f->type == FIELD_TIME;
	const char *const *known = ordered ? orders : texts;

	for (; *known != NULL; known++) {
		if (is_sign(p, *known)) {
			*op = *known;
			next(p);
			return CH_OK;
		}
	}
	return expected(p,
		ordered ? "one of = != < <= > >= in" : "one of = != ~ !~ in");
}

static int
comparison(struct parser *p)
{
	struct operand o = {&header_field, {NULL, 0}};
	const char *op = "=";
	bool negated;
	int rc = read_operand(p, &o);

	if (rc != CH_OK)
		return rc;
	negated = is_keyword(p, "not");
	if (negated)
		next(p);
	if (negated && !is_keyword(p, "in"))
		return expected(p, "in");
	if (is_keyword(p, "in")) {
		next(p);
		ch_buf_adds(&p->out->sql, negated ? "NOT " : "");
		return write_list(p, &o);
	}
	rc = read_operator(p, o.field, &op);
	if (rc != CH_OK)
		return rc;
	if (*op == '!') {
		ch_buf_adds(&p->out->sql, "NOT ");
		op++;
	}
	return write_comparison(p, &o, op);
}

/* ---- expressions ---- */

static int expression(struct parser *p);

/* The recursion is bounded by p->depth. */
static int
brackets(struct parser *p)
{
	int rc;

	next(p);
	ch_buf_addc(&p->out->sql, '(');
	rc = expression(p);
	if (rc != CH_OK)
		return rc;
	if (!is_sign(p, ")"))
		return expected(p, "and, or or )");
	ch_buf_addc(&p->out->sql, ')');
	next(p);
	return CH_OK;
}

static int
factor(struct parser *p)
{
	int rc;

	p->out->wrong_at = p->token.at + 1;
	if (p->depth == FILTER_DEPTH_MAX)
		return ch_err_set(p->err, CH_EINVAL,
			"filter, byte %zu: more than %d levels of not and ( )",
			p->token.at + 1, FILTER_DEPTH_MAX);
	p->depth++;
	if (is_keyword(p, "not")) {
		next(p);
		ch_buf_adds(&p->out->sql, "NOT ");
		rc = factor(p);
	} else if (is_sign(p, "(")) {
		rc = brackets(p);
	} else {
		rc = comparison(p);
	}
	p->depth--;
	return rc;
}

static int
expression(struct parser *p)
{
	int rc = factor(p);

	while (rc == CH_OK && (is_keyword(p, "and") || is_keyword(p, "or"))) {
		ch_buf_adds(&p->out->sql,
			is_keyword(p, "and") ? " AND " : " OR ");
		next(p);
		rc = factor(p);
	}
	return rc;
}

int
filter_compile(struct ch_view text, int first_arg, struct filter *out,
	struct ch_err *err)
{
	struct parser p = {
		.text = text, .first_arg = first_arg, .out = out, .err = err};
	int rc;

	*out = (struct filter){.arg_count = 0};
	if (text.len > FILTER_TEXT_MAX)
		return ch_err_set(err, CH_EINVAL,
			"filter: %zu bytes, at most %d: select with ~ and a "
			"pattern, or in several calls",
			text.len, FILTER_TEXT_MAX);
	if (!ch_view_is_utf8(text) ||
		(text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL))
		return ch_err_set(err, CH_EINVAL,
			"filter, byte 1: it is no UTF-8 text");
	next(&p);
	rc = expression(&p);
	if (rc == CH_OK && p.token.kind != TOKEN_END)
		rc = expected(&p, "and, or or the end");
	return rc;
}

void
filter_free(struct filter *f)
{
	ch_buf_free(&f->sql);
	ch_arena_free(&f->arena);
}
