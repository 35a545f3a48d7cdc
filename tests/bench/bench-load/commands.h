/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands: the commands of a benchmark, each a function of its number.
 *
 * No state is kept, so that a duplicate is simply the earlier number's record
 * again, byte for byte. The last eight hex digits of an id are the number, by
 * which a result finds its command.
 *
 * Thread: any.
 */
#ifndef BENCH_COMMANDS_H
#define BENCH_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

#define COMMANDS_PER_MS 20 /* ids' own time moves on as at 20,000 a second */

enum commands_case {
	COMMANDS_SETUP,	  /* asset, accounts, one SKU full of stock */
	COMMANDS_HOT,	  /* one account pays many; one SKU is reserved */
	COMMANDS_PAIR,	  /* one account pays one other */
	COMMANDS_UNIFORM, /* any account pays any other */
	COMMANDS_CASES
};

struct commands {
	enum commands_case which;
	uint64_t accounts; /* at least 2 */
	uint64_t seed;
	uint64_t duplicates; /* per cent */
	uint64_t refusals;   /* per cent */
	int64_t base_ms;     /* time of the first id */
};

struct commands_record {
	char id[CH_UUID_TEXT_MAX];
	char key[48];
	char value[512];
	size_t value_len;
};

extern const char *const commands_case_names[COMMANDS_CASES];
/* Records of the set-up: the fixed ones and one an account. */
uint64_t commands_setup_count(uint64_t accounts);
void commands_make(const struct commands *c, uint64_t number,
	struct commands_record *out);
/* The number in a result or an id; false when the text holds none. */
bool commands_number_of(struct ch_view text, uint32_t *number);

#endif
