/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_page: the next letters of a plan, decided in one transaction.
 *
 * A page has no two letters of a key, since the second one may go only when it
 * is known what became of the first. What locks more than its own letter (an
 * edit its originals, an endpoint's letter a delivery) is alone in its page: no
 * two transactions wait for each other.
 *
 * Round trips, whatever it holds: the plan, the letters, BEGIN, all checks and
 * locks, all that is written, COMMIT. Letters are written in their order up to
 * the first of which nothing is known; the rest stays as it was.
 *
 * Memory: PLAN_PAGE_BYTES of values, or one letter's.
 *
 * Thread: belongs to one thread, which waits.
 */
#ifndef RELAY_PLAN_PAGE_H
#define RELAY_PLAN_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "io/pg.h"
#include "letters.h"
#include "plans.h"
#include "replay.h"

#define PLAN_PAGE_BYTES ((int64_t)4 << 20)

struct plan_page_letter {
	struct letters_row row;
	bool kept;		   /* its row was found */
	struct replay_letter *act; /* NULL: nothing is done with it */
	const char *outcome, *detail;
	char behind[80];
};

struct plan_page {
	const struct plans_row *plan;
	struct plans_next next;
	int count, acts; /* acts: how many of them something is done with */
	struct plan_page_letter letters[PLANS_PAGE];
	struct replay_letter acting[PLANS_PAGE];
	PGresult *rows;
	struct ch_arena arena;
};

/* NULL is allowed. */
void plan_page_free(struct plan_page *page);
/* Nothing is known of plan's letters yet. */
struct plan_page *plan_page_new(const struct plans_row *plan);

/* Reads as many of page->next as may go together: bytes_max of them, at least
 * one. No transaction is open. */
int plan_page_read(struct plan_page *page, struct ch_pg *pg, int64_t bytes_max,
	struct ch_err *err);
/* Begins the transaction: as plans_begun(); the acting letters are locked, and
 * what the ledger says of them is read. On an error there may be one, to be
 * rolled back. */
int plan_page_begin(struct plan_page *page, struct ch_pg *pg,
	struct ch_err *err);
/* Writes and commits the letters up to the first that is not known; *written:
 * how many. On an error there may be a transaction, and none is written. */
int plan_page_write(struct plan_page *page, struct ch_pg *pg, int *written,
	struct ch_err *err);

#endif
