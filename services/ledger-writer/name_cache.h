/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name_cache: what the tables say about a name and never change again, so that
 * a batch asks PostgreSQL only for names that it has not met lately.
 *
 * Memory is bounded: two generations of NAME_CACHE_BYTES each, taken from the
 * system as they fill. A name that is met in the older one is copied to the
 * younger one; when that is full, the older one is forgotten whole and the two
 * change places. So a name stays that is met at least once a generation.
 *
 * Only facts of committed rows may be put in. They hold as long as the server
 * is the same one: name_cache_clear() after a connection is lost, since a
 * standby that was promoted may have lost the last names and numbers.
 *
 * Pure. Thread: belongs to one thread.
 */
#ifndef LEDGER_NAME_CACHE_H
#define LEDGER_NAME_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define NAME_CACHE_BYTES ((size_t)6 << 20) /* of one generation's facts */

enum name_kind {
	NAME_ASSET,
	NAME_ACCOUNT,
	NAME_SKU,
};

struct name_fact {
	int64_t id;	     /* account_id, sku_id */
	struct ch_view text; /* an account's asset */
	int32_t scale;	     /* the asset's */
	int32_t shards;	     /* an account's */
	/* Where the row that changes was seen last (io/pg.h, tid); 0: not
	 * known. A hint: whoever uses it looks whether that row is there. */
	uint64_t place;
};

struct name_cache;

struct name_cache *name_cache_new(void);
void name_cache_free(struct name_cache *c);
void name_cache_clear(struct name_cache *c);
/* false: not known. text is good until the next put or find. */
bool name_cache_find(struct name_cache *c, enum name_kind kind, int32_t org_id,
	struct ch_view name, struct name_fact *out);
void name_cache_put(struct name_cache *c, enum name_kind kind, int32_t org_id,
	struct ch_view name, const struct name_fact *fact);
/* Notes where the row is now; nothing when the name is not known. */
void name_cache_move(struct name_cache *c, enum name_kind kind, int32_t org_id,
	struct ch_view name, uint64_t place);
/* What is known of that name is wrong: it is not known any more. */
void name_cache_forget(struct name_cache *c, enum name_kind kind,
	int32_t org_id, struct ch_view name);
/* Names held, in both generations. */
size_t name_cache_count(const struct name_cache *c);

#endif
