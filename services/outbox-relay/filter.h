/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter: which dead letters are meant, as an expression that people write:
 *
 *	class = 'too_large' and topic ~ '^ledger' and age > 2h
 *	not (key in ('a', 'b') or header.tenant = 'x') and bytes < 1000
 *
 *	expression  term { or term }
 *	term	    factor { and factor }
 *	factor	    not factor | ( expression ) | comparison
 *	comparison  field ( = != ~ !~ < <= > >= ) value
 *		  | field [ not ] in ( value { , value } )
 *	value	    'text' "text" (a quote inside is doubled), 12, 90s 30m 2h 1d
 *
 * It becomes an SQL predicate over the view `letters` that holds words of this
 * module's own tables and $n, and nothing of the input: every value travels as
 * an argument. A field that is NULL equals nothing and matches nothing, so
 * that `not` always means the rest.
 *
 * Bounded: FILTER_TEXT_MAX bytes, FILTER_DEPTH_MAX levels, FILTER_ARGS_MAX
 * values. A refusal names the byte, what was found and what was expected.
 *
 * Thread: any. Pure.
 */
#ifndef RELAY_FILTER_H
#define RELAY_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define FILTER_TEXT_MAX 4096
#define FILTER_DEPTH_MAX 16
#define FILTER_ARGS_MAX 24

enum filter_type { FILTER_TEXT, FILTER_BYTES, FILTER_NUMBER, FILTER_TIME };

struct filter_arg {
	enum filter_type type;
	struct ch_view text; /* FILTER_TEXT, FILTER_BYTES */
	int64_t number;	     /* FILTER_NUMBER; FILTER_TIME: us since 1970 */
};

struct filter {
	struct ch_buf sql;
	struct filter_arg args[FILTER_ARGS_MAX];
	size_t arg_count;
	bool names_state; /* it says itself which states are meant */
	size_t wrong_at;  /* of a refusal: its byte, from 1; 0: none */
	struct ch_arena arena;
};

/* The first argument is $<first_arg>. CH_OK, or CH_EINVAL; filter_free() is
 * due in both cases. */
int filter_compile(struct ch_view text, int first_arg, struct filter *out,
	struct ch_err *err);
void filter_free(struct filter *f);

/* 90s, 30m, 2h, 1d: microseconds. */
bool filter_duration(struct ch_view text, int64_t *us);

#endif
