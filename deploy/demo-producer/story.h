/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story: what the demo's customers do, command by command, from a seed.
 *
 * Two organisations. `shop` sells: most orders are for one SKU (the console),
 * reserved, then paid and committed, or released, or left to expire. `market`
 * trades: users pay the house and the house pays winners, so that one account
 * stands in a third of all commands. A small share is resent (duplicates),
 * resent changed (key_reused), refused by the books, or malformed.
 *
 * Pure: time and randomness come from the caller. Thread: one.
 */
#ifndef CH_DEMO_STORY_H
#define CH_DEMO_STORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/rng.h"
#include "base/str.h"

enum story_kind {
	STORY_FRESH,	  /* an id that was never sent before */
	STORY_DUPLICATE,  /* a record sent before, byte for byte */
	STORY_KEY_REUSED, /* an id sent before with another payload */
	STORY_MALFORMED	  /* nothing that the ledger can read */
};
const char *story_kind_name(enum story_kind k);

#define STORY_ID_MAX 40
#define STORY_KEY_MAX 64
#define STORY_VALUE_MAX 512

struct story_record {
	enum story_kind kind;
	char id[STORY_ID_MAX]; /* "" when malformed */
	char org[16];
	char key[STORY_KEY_MAX];
	char value[STORY_VALUE_MAX];
	size_t value_len;
};

struct story;

struct story *story_new(uint64_t seed);
void story_free(struct story *s);
/* The next record; the first ones open accounts and stock shelves. */
void story_next(struct story *s, struct ch_time now, struct story_record *out);

#endif
