/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_compare: one load through the batching core and through the serial
 * model, compared line by line.
 *
 * After each batch, and after each page of a settlement: answers in order,
 * postings in order, events in order, and the timers' answers, postings and
 * events as sets (a batch settles them first, the model when it meets their
 * account or SKU). At the end: every row of both.
 *
 * Thread: belongs to one thread.
 */
#ifndef TESTS_PROPERTY_LEDGER_COMPARE_H
#define TESTS_PROPERTY_LEDGER_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compare_core.h"
#include "ledger_load.h"
#include "serial_model.h"

struct ledger_compare {
	const struct ledger_load *load;
	struct serial_command **commands; /* of the load's items */
	size_t batch_size;		  /* 0: random sizes, 1 to 900 */
	uint64_t seed;			  /* of sizes, retries and pages */
	enum mem_store_bug bug;
	/* what came of it */
	size_t batches, pages;
	struct core_counts counts;
	char difference[4096]; /* "" : equal */
};

/* true: equal. */
bool ledger_compare_run(struct ledger_compare *c);

#endif
