/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem_rows: mem_store's tables: deep copies of the books' rows, found by kind,
 * organisation and name.
 *
 * A stored row is a struct of the same type as in the books; what it points to
 * (its account, SKU, market) is a stored row again, and its texts are the
 * tables' own.
 *
 * Private to mem_*.c and to the simulation (tests/sim), whose server locks these
 * rows. Thread: belongs to one thread.
 */
#ifndef TESTS_SUPPORT_MEM_ROWS_H
#define TESTS_SUPPORT_MEM_ROWS_H

#include "base/map.h"
#include "books.h"

/* Rows that an owner has. */
struct mem_list {
	struct row **rows;
	size_t count, cap;
};

/* What the tables know of a row besides its columns. */
struct mem_row {
	struct row *row;	 /* first, so that both can be cast */
	int64_t posted;		 /* accounts: the sum of its postings */
	struct ch_amount before; /* accounts: the balance one version ago */
	int64_t version_before;
	struct mem_list open;	   /* accounts, SKUs: holds, reservations */
	int64_t next_due;	   /* no open one is due before */
	struct mem_list positions; /* accounts, markets: in order of number */
	/* Who has locked it, by numbers of the caller's: 0, or the one that may
	 * change it; a bit for each that reads it under a shared lock. */
	unsigned locked_by, shared_by;
};

/* A command that was applied: is it a transfer, and which. */
struct mem_transfer {
	struct command_move *moves; /* NULL: it is none */
	size_t count;
};

struct mem_rows {
	struct ch_arena arena;
	struct ch_map *maps[ROW_KINDS]; /* to struct mem_row */
	struct ch_map *orgs;		/* to struct org */
	struct ch_map *transfers;	/* to struct mem_transfer */
	struct mem_list all[ROW_KINDS]; /* struct mem_row as rows */
	int64_t next_number;
	struct ch_buf key;
};

void mem_rows_init(struct mem_rows *t);
void mem_rows_free(struct mem_rows *t);
/* The stored row of that name, or NULL. */
struct mem_row *mem_rows_find(struct mem_rows *t, const struct row *row);
/* The size of the struct of that kind. */
size_t mem_rows_size(enum row_kind kind);
/* A new one; NULL when there is one already. */
struct mem_row *mem_rows_insert(struct mem_rows *t, const struct row *row);
/* Columns from the books into the tables, or the other way round: texts are
 * copied into the arena, owners are left alone. */
void mem_rows_copy(struct row *to, const struct row *from,
	struct ch_arena *arena);
void mem_list_add(struct mem_list *l, struct row *row);
void mem_list_drop(struct mem_list *l, const struct row *row);
struct ch_view mem_rows_transfer_key(struct mem_rows *t, const struct org *org,
	const struct ch_uuid *id, int32_t member);

#endif
