/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rewrite: PCRE2 matches, the replacement is a list of pieces made once.
 *
 * Two matches, as Java's RegexRouter makes them: the whole value first (an
 * expression may match less when it need not reach the end), then the first
 * match anywhere, which is what is replaced.
 */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "rewrite.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <pcre2.h>

#include "base/mem.h"

#define NAME_MAX_LEN 64

/* Literal text, or (text.ptr NULL) a group. */
struct piece {
	char *text;
	size_t len;
	uint32_t group;
};

struct rewrite {
	pcre2_code *code;
	pcre2_match_data *match;
	struct piece *pieces;
	size_t count;
};

static void
add_piece(struct rewrite *w, struct ch_view text, uint32_t group)
{
	w->pieces = ch_xrealloc(w->pieces, w->count + 1, sizeof(*w->pieces));
	w->pieces[w->count++] = (struct piece){
		text.ptr != NULL ? ch_xviewdup(text) : NULL, text.len, group};
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static uint32_t
groups_of(const struct rewrite *w)
{
	uint32_t n = 0;

	(void)pcre2_pattern_info(w->code, PCRE2_INFO_CAPTURECOUNT, &n);
	return n;
}

/* "{name}" at s: adds the group and returns its length, or 0. */
static size_t
named_group(struct rewrite *w, const char *s)
{
	char name[NAME_MAX_LEN];
	const char *end = s[0] == '{' ? strchr(s, '}') : NULL;
	int n;

	if (end == NULL ||
		ch_view_copy((struct ch_view){s + 1, (size_t)(end - s - 1)},
			name, sizeof(name)) != CH_OK)
		return 0;
	n = pcre2_substring_number_from_name(w->code, (PCRE2_SPTR)name);
	if (n <= 0)
		return 0;
	add_piece(w, (struct ch_view){NULL, 0}, (uint32_t)n);
	return (size_t)(end - s) + 1;
}

/* Digits at s: as many as still name a group, at least one, as Java does. */
static size_t
numbered_group(struct rewrite *w, const char *s)
{
	uint32_t n, most = groups_of(w);
	size_t i;

	if (!is_digit(s[0]) || (uint32_t)(s[0] - '0') > most)
		return 0;
	n = (uint32_t)(s[0] - '0');
	for (i = 1; is_digit(s[i]); i++) {
		if (n * 10 + (uint32_t)(s[i] - '0') > most)
			break;
		n = n * 10 + (uint32_t)(s[i] - '0');
	}
	add_piece(w, (struct ch_view){NULL, 0}, n);
	return i;
}

static int
read_replacement(struct rewrite *w, const char *s, struct ch_err *err)
{
	const char *p = s;
	size_t n;

	while (*p != '\0') {
		if (*p == '$') {
			n = named_group(w, p + 1);
			if (n == 0)
				n = numbered_group(w, p + 1);
			if (n == 0)
				return ch_err_set(err, CH_ECONFIG,
					"replacement \"%s\": \"%.20s\" names "
					"no group of the expression (groups "
					"are $1 or ${name}; write \\$ for a "
					"dollar sign)",
					s, p);
			p += n + 1;
			continue;
		}
		if (*p == '\\' && *++p == '\0')
			return ch_err_set(err, CH_ECONFIG,
				"replacement \"%s\" ends with a backslash: "
				"write two for one",
				s);
		n = 1 + strcspn(p + 1, "$\\");
		add_piece(w, (struct ch_view){p, n}, 0);
		p += n;
	}
	return CH_OK;
}

/* The last character of what begins at p and stands for itself: "\\Q...\\E" or a
 * backslash and what it takes the meaning from. NULL: nothing does. */
static const char *
end_of_quoted(const char *p)
{
	const char *end;

	if (p[0] != '\\' || p[1] == '\0')
		return NULL;
	if (p[1] != 'Q')
		return p + 1;
	end = strstr(p, "\\E");
	return end != NULL ? end + 1 : p + strlen(p) - 1;
}

/* Behind "[", "[^", and a "]" that does not end the class. */
static const char *
begin_of_class(const char *p)
{
	p += p[1] == '^';
	return p[1] == ']' ? p + 1 : p;
}

/* What Java and PCRE2 both take, for different things: in a class a class and
 * "&&", and the flag U. NULL: nothing of it. */
static const char *
other_in_java(const char *p)
{
	bool class = false;

	for (; *p != '\0'; p++) {
		const char *end = end_of_quoted(p);

		if (end != NULL) {
			p = end;
		} else if (!class && *p == '[') {
			class = true;
			p = begin_of_class(p);
		} else if (class && (*p == '[' || strncmp(p, "&&", 2) == 0)) {
			return p;
		} else if (*p == ']') {
			class = false;
		} else if (!class && strncmp(p, "(?", 2) == 0 &&
			p[2 + strspn(p + 2, "imsx-")] == 'U') {
			return p;
		}
	}
	return NULL;
}

static int
refuse_other_in_java(const char *regex, struct ch_err *err)
{
	const char *at = other_in_java(regex);

	if (at == NULL)
		return CH_OK;
	return ch_err_set(err, CH_ECONFIG,
		"expression \"%s\": at character %td Java means something else "
		"by \"%.2s\" than PCRE2: write it without a class or && in a "
		"class (\\[ is a bracket), and without the flag U",
		regex, at - regex, at);
}

struct rewrite *
rewrite_new(const char *regex, const char *replacement, struct ch_err *err)
{
	struct rewrite *w = ch_xcalloc(1, sizeof(*w));
	PCRE2_UCHAR text[160];
	PCRE2_SIZE at = 0;
	int code = 0;

	if (refuse_other_in_java(regex, err) != CH_OK) {
		rewrite_free(w);
		return NULL;
	}
	w->code = pcre2_compile((PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED,
		PCRE2_UTF, &code, &at, NULL);
	if (w->code == NULL) {
		(void)pcre2_get_error_message(code, text, sizeof(text));
		ch_err_set(err, CH_ECONFIG,
			"expression \"%s\": %s at character %zu: mend it there",
			regex, (const char *)text, at);
		rewrite_free(w);
		return NULL;
	}
	/* without a JIT compiler it works as well, slower */
	(void)pcre2_jit_compile(w->code, PCRE2_JIT_COMPLETE);
	w->match = pcre2_match_data_create_from_pattern(w->code, NULL);
	if (w->match == NULL)
		abort();
	if (read_replacement(w, replacement, err) != CH_OK) {
		rewrite_free(w);
		return NULL;
	}
	return w;
}

void
rewrite_free(struct rewrite *w)
{
	size_t i;

	if (w == NULL)
		return;
	for (i = 0; i < w->count; i++)
		free(w->pieces[i].text);
	free(w->pieces);
	pcre2_match_data_free(w->match);
	pcre2_code_free(w->code);
	free(w);
}

/* 1: matched, 0: not, negative: given up. */
static int
try(struct rewrite *w, struct ch_view value, uint32_t options,
	struct ch_err *err)
{
	int rc = pcre2_match(w->code, (PCRE2_SPTR)value.ptr, value.len, 0,
		options, w->match, NULL);

	if (rc >= 0)
		return 1;
	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	return ch_err_set(err, CH_EINVAL,
		"the topic's expression gave up on \"%.*s\" (code %d): make "
		"the expression simpler",
		CH_VIEW_ARG(value), rc);
}

int
rewrite_apply(struct rewrite *w, struct ch_view value, struct ch_buf *out,
	struct ch_err *err)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(w->match);
	int rc = try(w, value, PCRE2_ANCHORED | PCRE2_ENDANCHORED, err);
	size_t i;

	if (rc > 0)
		rc = try(w, value, 0, err);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		ch_buf_addv(out, value);
		return CH_OK;
	}
	ch_buf_add(out, value.ptr, at[0]);
	for (i = 0; i < w->count; i++) {
		const struct piece *p = &w->pieces[i];

		if (p->text != NULL)
			ch_buf_add(out, p->text, p->len);
		else if (at[2 * p->group] != PCRE2_UNSET)
			ch_buf_add(out, value.ptr + at[2 * p->group],
				at[2 * p->group + 1] - at[2 * p->group]);
	}
	ch_buf_add(out, value.ptr + at[1], value.len - at[1]);
	return CH_OK;
}
