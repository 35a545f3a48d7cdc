/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names: from the names in commands to the numbers of rows (protocol section
 * 3, step 1).
 *
 * Unlocked and outside of the transaction: what it reads never changes once it
 * is there. Organisations are made when they are missing. What is absent now
 * may appear before the locks are taken: then the unique index says so and the
 * batch is decided again. What was read is kept (name_cache.h) as long as the
 * connection lives.
 *
 * Thread: loop only.
 */
#ifndef LEDGER_NAMES_H
#define LEDGER_NAMES_H

#include "base/map.h"
#include "books.h"
#include "name_cache.h"
#include "session.h"

struct names {
	struct session *session;
	struct ch_map *orgs;	  /* name to number */
	struct name_cache *cache; /* the other names, those met lately */
	uint64_t connection;	  /* whose answers both hold */
	struct row **asked;	  /* rows behind the arrays under way */
	size_t cap;
	struct ch_pg_array org_ids, texts, uuids, days;
	struct command_reader reader; /* of commands in the log */
	struct ch_arena logged;	      /* the last one read, */
	struct command command;	      /* decoded, */
	bool is_command;	      /* if it is one */
};

void names_init(struct names *n, struct session *s);
void names_free(struct names *n);
/* A row was not where a name said: all is asked for anew. */
void names_forget(struct names *n);
/* Finds all that b names and does not know yet. 0 or a code of io/pg.h. */
int names_find(struct names *n, struct script *sc, struct books *b,
	struct ch_err *err);

#endif
