/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: a batch of records together with the partitions they came from.
 *
 * The deciding half (batch.h) knows streams by number; a load knows which
 * partition each is, where its offset moves to, and whether its records are
 * still good (partition.turn). Loads are cut, filtered and rebuilt here, so
 * that a batch that failed can be tried in smaller parts.
 *
 * Thread: loop only. Pure.
 */
#ifndef LEDGER_LOAD_H
#define LEDGER_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch.h"
#include "partition.h"

/* What one partition gives to a load; same index as batch.streams. */
struct load_part {
	struct partition *p;
	uint32_t turn;	      /* of p, when the records were read */
	int64_t next_offset;  /* behind the last record; -1: no record */
	int32_t leader_epoch; /* of the last record */
	size_t records;
};

struct load {
	struct batch batch;
	struct load_part *parts;
	size_t part_count, part_cap;
	/* A page of a settlement: its market, behind which position it begins,
	 * and whether no page follows. Its positions are named in the books.
	 * NULL: none. */
	struct market *pay;
	int64_t pay_cursor;
	bool pay_last;
};

/* Its transaction is committed: the partition stands behind its last record. */
void load_part_moved(const struct load_part *lp);

struct load *load_new(const struct command_limits *limits);
void load_free(struct load *l);
/* Forgets records and partitions. */
void load_clear(struct load *l);
/* Has it nothing to apply? */
static inline bool
load_empty(const struct load *l)
{
	return l->batch.count == 0;
}

/* Adds one record of p, which is OWNED. May replace *l. */
void load_add(struct load **l, struct partition *p,
	const struct batch_record *r);
/* Makes `to` (empty) of from's entries [first, last), less those of partitions
 * that have turned since; `from` keeps everything. */
void load_copy(struct load *to, const struct load *from, size_t first,
	size_t last);
/* The same of the first `most` records of `only`; NULL: of all partitions that
 * are not tried alone. */
void load_copy_of(struct load *to, const struct load *from,
	const struct partition *only, size_t most);
/* Do all records still belong to their partitions? */
bool load_is_good(const struct load *l);
/* Drops the records of partitions that have turned: the two loads change
 * places. *spare must be empty and is left empty. */
void load_filter(struct load **l, struct load **spare);
/* The rows are locked and loaded: batch.pay is what is to be paid. Nothing when
 * somebody else has paid the page or settled the market meanwhile. */
void load_fill_page(struct load *l);
/* Makes the lowest owned commands partition the only stream of l, which is
 * empty: it numbers the rows of a sweep. False: none is owned. */
bool load_take_lowest(struct load *l, const struct partitions *ps);

#endif
