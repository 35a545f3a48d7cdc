/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem_store: the ledger's tables in memory, for tests of the deciding half.
 *
 * It does for a batch what apply.c does with PostgreSQL: discovery, loading,
 * what is due, pages of settlements, and writing what was decided, with the
 * tables' own checks (unique names, floors, reserved <= on_hand). A violated
 * check is reported, never ignored.
 *
 * Seeded bugs (enum mem_store_bug) are mistakes that an apply.c could make:
 * a test proves that the property test would find each.
 *
 * Thread: belongs to one thread.
 */
#ifndef TESTS_SUPPORT_MEM_STORE_H
#define TESTS_SUPPORT_MEM_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"
#include "batch.h"

enum mem_store_bug {
	MEM_STORE_SOUND,
	MEM_STORE_FORGETS_IDS,	   /* a known id is not loaded, 1 in 50 */
	MEM_STORE_LOSES_AN_UPDATE, /* a dirty SKU is not written, 1 in 500 */
	MEM_STORE_STALE_ROWS,	   /* an account is loaded one version old */
	MEM_STORE_SKIPS_DUE,	   /* what is due is not loaded */
	MEM_STORE_LOSES_A_POSTING, /* 1 in 2000 */
	MEM_STORE_FORGETS_LAST_AT, /* a stream's last time is not kept */
	MEM_STORE_BUGS
};

struct mem_store;
struct mem_row;
struct mem_rows;

struct mem_store *mem_store_new(enum mem_store_bug bug);
void mem_store_free(struct mem_store *s);
/* The rules whose windows are loaded from now on; they must outlive it. */
void mem_store_rates(struct mem_store *s, const struct rate_rule *rules,
	size_t n);

/* Sets the streams' last time and next log_seq, then discovers and loads all
 * rows of the batch's books. */
void mem_store_load(struct mem_store *s, struct batch *b);
/* The holds and reservations due by `at` on the loaded accounts and SKUs. */
void mem_store_load_due(struct mem_store *s, struct batch *b,
	struct ch_time at);
/* Fills a batch without records with the next page, of at most `most`
 * positions, of a market that is settling. False: it is not. Call
 * mem_store_load() behind it, then mem_store_page(). */
bool mem_store_want_page(struct mem_store *s, struct batch *b,
	struct ch_view in_org, struct ch_view market, size_t most);
void mem_store_page(struct mem_store *s, struct batch *b);
/* Writes what was decided. */
void mem_store_commit(struct mem_store *s, struct batch *b,
	const struct batch_context *context);

/* ---- mem_store_load() in steps, for whoever takes locks in between ---- */

/* Unlocked: numbers, and what else never changes once it is there. */
void mem_store_discover(struct mem_store *s, struct books *b);
/* The partition's last time and next log_seq. */
void mem_store_stream(struct mem_store *s, struct batch_stream *stream);
/* The values of a WANTED row, if the table has it. */
void mem_store_load_row(struct mem_store *s, struct books *b, struct row *row);
void mem_store_load_holdings(struct mem_store *s, struct books *b);
void mem_store_load_ids(struct mem_store *s, struct books *b);
/* What is due, of an owner that is loaded. */
void mem_store_load_due_row(struct books *b, struct row *owner,
	const struct row *stored);
/* The deadline of a hold or reservation; INT64_MAX: it has none. */
int64_t mem_store_deadline(const struct row *row);
/* For looking (mem_rows.h). */
struct mem_rows *mem_store_tables(struct mem_store *s);

/* The first violated check, or NULL. */
const char *mem_store_problem(const struct mem_store *s);
/* As serial_dump(): one JSON line a row, sorted; of windows, what is inside of
 * them at the last commit. The caller frees it. */
char *mem_store_dump(struct mem_store *s);

#endif
