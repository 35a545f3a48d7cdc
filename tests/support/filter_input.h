/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_input: bytes as a filter expression, and what must hold of what they
 * become; for the fuzz target and for the unit test that replays its corpus.
 *
 * What is compiled has balanced brackets, no quote, backslash, semicolon or
 * comment, and each argument stands in it exactly once; what is refused names a
 * place; nothing of a value is in the SQL.
 */
#ifndef TEST_FILTER_INPUT_H
#define TEST_FILTER_INPUT_H

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"

#define FILTER_INPUT_FIRST 8

static inline const char *
filter_broken_sql(const char *sql)
{
	int open = 0;

	for (const char *c = sql; *c != '\0'; c++) {
		if (strchr("'\"\\;", *c) != NULL || !isprint((unsigned char)*c))
			return "no byte of a literal is in the SQL";
		open += *c == '(' ? 1 : *c == ')' ? -1 : 0;
		if (open < 0)
			return "a bracket opens before it closes";
	}
	if (open != 0)
		return "each bracket closes";
	if (strstr(sql, "--") != NULL || strstr(sql, "/*") != NULL)
		return "no comment is in the SQL";
	return NULL;
}

static inline const char *
filter_broken_args(const struct filter *f)
{
	size_t next = 0;

	for (const char *c = ch_buf_str(&f->sql); *c != '\0'; c++)
		if (*c == '$' &&
			strtoul(c + 1, NULL, 10) != FILTER_INPUT_FIRST + next++)
			return "arguments stand in their order";
	if (next != f->arg_count || next > FILTER_ARGS_MAX)
		return "each argument stands once, and they are bounded";
	return NULL;
}

/* Compiles it; the rule that does not hold. */
static inline const char *
filter_check(const void *bytes, size_t size)
{
	struct ch_err err = CH_ERR_INIT;
	const char *broken = NULL;
	struct filter f;

	if (filter_compile((struct ch_view){bytes, size}, FILTER_INPUT_FIRST,
		    &f, &err) == CH_OK) {
		broken = filter_broken_sql(ch_buf_str(&f.sql));
		if (broken == NULL)
			broken = filter_broken_args(&f);
	} else if (err.code != CH_EINVAL ||
		strncmp(err.text, "filter", 6) != 0) {
		broken = "a refusal is the expression's";
	}
	filter_free(&f);
	return broken;
}

#endif
