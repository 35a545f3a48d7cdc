/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target: the schema into which the books are replayed: the tables of the books
 * as the real ones are, and views (source_<table>) of what is read of those.
 *
 * The connection's search_path is this schema alone, so that every statement of
 * the writer finds its tables here, and none can name the books. The views have
 * rules that make a write to them nothing.
 *
 * Thread: main.
 */
#ifndef LEDGER_TARGET_H
#define LEDGER_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "session.h"

/* A table of the books: what compare.c joins it by, and which of its rows were
 * as they are at a time already (SQL over a, the books' row, and $1; NULL: that
 * cannot be told). only: SQL over a row of either side, NULL: all; the others may
 * be there or not. */
struct target_table {
	const char *name; /* NULL ends the table */
	const char *key;
	const char *settled;
	const char *only;
};
extern const struct target_table target_tables[];

/* The names of both schemas must be plain ([a-z_][a-z0-9_]*): CH_EINVAL. */
int target_check_name(const char *name, struct ch_err *err);
/* Makes the schema (it may be there, with nothing in it: else CH_EEXIST) and
 * sets the search_path. */
int target_make(struct session *s, const char *schema, const char *source,
	struct ch_err *err);
/* Copies the rows of a snapshot. */
int target_load(struct session *s, int64_t snapshot, struct ch_err *err);

/* Lets PostgreSQL know how large the tables are by now. */
int target_analyze(struct session *s, struct ch_err *err);

/* Rate rules were changed while the log was written: each change has a number
 * among the batches', and stands in the audit trail. */
struct target_rules {
	PGresult *changes; /* event_id, number */
	int next;
	int64_t from; /* numbers below were taken in */
	bool any;     /* rules are in force */
};
/* Reads the changes from a number on that were not read yet. */
int target_read_rules(struct session *s, struct target_rules *t,
	struct ch_err *err);
/* Makes those below a batch's number; INT64_MAX: all that were read. */
int target_change_rules(struct session *s, struct target_rules *t,
	int64_t before, struct ch_err *err);

#endif
