/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_filter: any bytes as a filter expression (libFuzzer).
 *
 * Holds: what is compiled has balanced brackets, no quote, backslash,
 * semicolon or comment, and each argument stands in it exactly once; what is
 * refused names a place; nothing of a value is in the SQL.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"

#define FIRST 8

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
check_letters(const char *sql)
{
	int open = 0;

	for (const char *c = sql; *c != '\0'; c++) {
		require(strchr("'\"\\;", *c) == NULL &&
			isprint((unsigned char)*c));
		open += *c == '(' ? 1 : *c == ')' ? -1 : 0;
		require(open >= 0);
	}
	require(open == 0 && strstr(sql, "--") == NULL &&
		strstr(sql, "/*") == NULL);
}

static void
check_args(const struct filter *f)
{
	size_t next = 0;

	for (const char *c = ch_buf_str(&f->sql); *c != '\0'; c++)
		if (*c == '$') {
			require(strtoul(c + 1, NULL, 10) == FIRST + next);
			next++;
		}
	require(next == f->arg_count && next <= FILTER_ARGS_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct ch_err err = CH_ERR_INIT;
	struct filter f;

	if (filter_compile((struct ch_view){(const char *)bytes, size}, FIRST,
		    &f, &err) == CH_OK) {
		check_letters(ch_buf_str(&f.sql));
		check_args(&f);
	} else {
		require(err.code == CH_EINVAL &&
			strncmp(err.text, "filter", 6) == 0);
	}
	filter_free(&f);
	return 0;
}
