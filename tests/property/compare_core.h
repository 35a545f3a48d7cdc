/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare_core: the batching core over mem_store, as one side of a comparison:
 * the only place of the property test that knows struct batch and mem_store.
 *
 * Thread: belongs to one thread.
 */
#ifndef TESTS_PROPERTY_COMPARE_CORE_H
#define TESTS_PROPERTY_COMPARE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compare_side.h"
#include "ledger.h"
#include "ledger_load.h"
#include "mem_store.h"

struct core_counts {
	size_t retries, applied, refused, duplicates, rejected;
	size_t timers, postings, events;
	size_t by_status[STATUS_COUNT];
};

struct core;

struct core *core_new(enum mem_store_bug bug, uint64_t seed,
	struct core_counts *counts);
void core_free(struct core *c);
/* The items from, ... to - 1 as one batch, polled at the last one's clock;
 * sometimes decided, rolled back and decided again. What it said is added to
 * out; false when it could not decide (out->problem). */
bool core_batch(struct core *c, const struct ledger_load *load, size_t from,
	size_t to, struct side *out);
/* A batch without records that pays one page of that market, at that clock.
 * false: this core pays none, and nothing has happened. */
bool core_pay_page(struct core *c, const char *org, const char *market,
	size_t page_size, int64_t clock, struct side *out);
/* Of the last batch. */
int64_t core_decided_at(const struct core *c);
int64_t core_batch_number(const struct core *c);
/* The first violated check of the tables; NULL: none. */
const char *core_problem(const struct core *c);
/* As serial_dump(). The caller frees it. */
char *core_dump(struct core *c);

#endif
