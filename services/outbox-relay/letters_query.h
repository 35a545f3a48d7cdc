/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letters_query: a selection of letters as SQL text and arguments.
 *
 * The SQL files hold {where}, and letters_where.sql {filter}: what stands
 * there is made of this service's own words and $n only (filter.h), so that no
 * value of an operator or of a record is ever part of a statement.
 *
 * Thread: any; a query belongs to one thread.
 */
#ifndef RELAY_LETTERS_QUERY_H
#define RELAY_LETTERS_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/uuid.h"
#include "filter.h"
#include "io/pg.h"

#define LETTERS_FREE_ARG 7   /* $7 is the statement's own: a limit, a plan */
#define LETTERS_AFTER_ARG 8  /* $8: the page before ended there */
#define LETTERS_FILTER_ARG 9 /* the expression's first */

/* Zero members do not filter. */
struct letters_filter {
	const struct ch_uuid *ids;
	size_t id_count;
	const char *topic, *class, *key, *state;
	bool has_since;
	struct ch_time since;
	const struct filter *where;  /* compiled from LETTERS_FILTER_ARG on */
	const struct ch_uuid *after; /* only what is behind this letter */
	int64_t limit;		     /* > 0 */
	int value_max;	/* bytes of a value that are read; 0: all */
	bool uncounted; /* of what fits, limit + 1 at most are counted */
};

struct letters_query {
	struct ch_buf sql;
	struct ch_pg_array ids;
	struct ch_pg_args args;
	struct ch_pg_stmt stmt; /* never prepared: each text is another */
};

/* In an order of their own, each once; returns how many are left. */
size_t letters_ids_once(struct ch_uuid *ids, size_t count);
/* What is meant without words: "any" is no wish; without ids, and without a
 * state in the expression, what is pending. */
void letters_filter_complete(struct letters_filter *f);

/* The statement of this template, $7 = free_arg. What f points to must live
 * until it was sent. */
void letters_query_init(struct letters_query *q, const char *template,
	const struct letters_filter *f, int64_t free_arg);
void letters_query_free(struct letters_query *q);
/* Exchanges {name} in the SQL. */
void letters_query_put(struct letters_query *q, const char *name,
	const char *words);

#endif
