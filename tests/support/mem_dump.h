/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem_dump: mem_store's tables as text, in the form of serial_dump()
 * (tests/property/serial_model.h), which this shares no code with.
 *
 * Private to mem_*.c. Thread: belongs to one thread.
 */
#ifndef TESTS_SUPPORT_MEM_DUMP_H
#define TESTS_SUPPORT_MEM_DUMP_H

#include "mem_rows.h"
#include "rates.h"

struct mem_dump_of {
	const struct mem_rows *rows;
	const struct rate_rule *rules;
	size_t rule_count;
	struct ch_time last_at;
};
/* The caller frees it. Postings that do not add up are put into problem. */
char *mem_dump(const struct mem_dump_of *of, char *problem, size_t size);

#endif
