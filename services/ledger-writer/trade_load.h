/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trade_load: records of market.trades that wait to be stored.
 *
 * Thread: loop only. Pure.
 */
#ifndef LEDGER_TRADE_LOAD_H
#define LEDGER_TRADE_LOAD_H

#include "batch.h"
#include "load.h"
#include "partition.h"
#include "trade.h"

struct trade_entry {
	size_t part; /* index into parts */
	struct batch_record record;
	struct trade trade;	 /* when class is NULL */
	const char *error_class; /* static; NULL: to be stored */
	struct ch_view reason;
	char sqlstate[6]; /* "": not refused by PostgreSQL */
};

struct trade_load {
	struct ch_arena arena;
	size_t value_max;
	struct load_part *parts; /* in order of first record */
	size_t part_count, part_cap;
	struct trade_entry *entries;
	size_t count, cap;
	size_t bytes;
};

struct trade_load *trade_load_new(size_t value_max);
void trade_load_free(struct trade_load *t);
void trade_load_clear(struct trade_load *t);
/* Copies and decodes. */
void trade_load_add(struct trade_load *t, struct partition *p,
	const struct batch_record *r);
/* Drops the first n entries, and those of partitions that have turned. */
void trade_load_drop(struct trade_load *t, size_t n);
/* The parts of the first n entries, ascending by stream, each with the offset
 * behind its last record. Returns how many; out has room for part_count. */
size_t trade_load_parts(const struct trade_load *t, size_t n,
	struct load_part *out);

#endif
