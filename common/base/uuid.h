/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uuid: ids that carry their own time: UUIDv7 (RFC 9562) and ULID.
 *
 * Both are 128 bits whose first 48 are milliseconds since 1970. A command's
 * id is kept as those 16 bytes plus the text as sent, since the same bytes
 * have two spellings.
 *
 * Thread: any; generation takes the caller's rng.
 */
#ifndef CH_BASE_UUID_H
#define CH_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "rng.h"
#include "str.h"

#define CH_UUID_TEXT_MAX 37

struct ch_uuid {
	uint8_t bytes[16];
};

/* UUIDv7 (36 characters, hyphens, either case, version 7, variant 10) or
 * ULID (26 characters of Crockford's base 32, either case, first <= 7; no
 * aliases I, L, O). false for anything else. */
bool ch_uuid_parse(struct ch_view text, struct ch_uuid *out);
/* Any UUID version, for foreign tables. */
bool ch_uuid_parse_any(struct ch_view text, struct ch_uuid *out);
struct ch_time ch_uuid_time(const struct ch_uuid *u); /* ms grain */
/* Before 1970 counts as 1970. */
struct ch_uuid ch_uuid_v7(struct ch_time now, struct ch_rng *rng);
/* Lower case with hyphens. */
void ch_uuid_format(const struct ch_uuid *u, char out[CH_UUID_TEXT_MAX]);
/* A UUIDv7 whose random bits come from a digest of name: the same name and
 * time give the same id (timers, replays). */
struct ch_uuid ch_uuid_v7_named(struct ch_time t, struct ch_view name);

#endif
