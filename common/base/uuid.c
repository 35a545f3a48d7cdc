/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uuid: see uuid.h.
 *
 *	 48 bits ms | 4 version 7 | 12 random | 2 variant 10 | 62 random UUIDv7
 *	 48 bits ms | 80 random                                            ULID
 *
 * A parse writes *out only when all of the text is right.
 */
#include "uuid.h"

#include <string.h>

#include "digest.h"
#include "hex.h"

#define UUID_LEN 36
#define ULID_LEN 26
#define MS_MAX ((INT64_C(1) << 48) - 1)

bool
ch_uuid_parse_any(struct ch_view text, struct ch_uuid *out)
{
	char digits[32];
	size_t n = 0;

	if (text.len != UUID_LEN)
		return false;
	for (size_t i = 0; i < UUID_LEN; i++) {
		bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

		if (hyphen != (text.ptr[i] == '-'))
			return false;
		if (!hyphen)
			digits[n++] = text.ptr[i];
	}
	return ch_hex_decode((struct ch_view){digits, n}, out->bytes,
		sizeof(out->bytes));
}

/* Crockford's base 32 has no I, L, O, U. */
static int
base32_value(char c)
{
	static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	char upper = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	const char *found = memchr(alphabet, upper, sizeof(alphabet) - 1);

	return found != NULL ? (int)(found - alphabet) : -1;
}

/* 26 digits are 130 bits: the first one must be at most 7. */
static bool
parse_ulid(struct ch_view text, struct ch_uuid *out)
{
	unsigned __int128 all = 0;

	if (text.ptr[0] < '0' || text.ptr[0] > '7')
		return false;
	for (size_t i = 0; i < ULID_LEN; i++) {
		int value = base32_value(text.ptr[i]);

		if (value < 0)
			return false;
		all = all << 5 | (unsigned)value;
	}
	for (size_t i = sizeof(out->bytes); i-- > 0; all >>= 8)
		out->bytes[i] = (uint8_t)(all & 0xff);
	return true;
}

bool
ch_uuid_parse(struct ch_view text, struct ch_uuid *out)
{
	struct ch_uuid u;

	if (text.len == ULID_LEN)
		return parse_ulid(text, out);
	if (!ch_uuid_parse_any(text, &u) || u.bytes[6] >> 4 != 7 ||
		u.bytes[8] >> 6 != 2)
		return false;
	*out = u;
	return true;
}

struct ch_time
ch_uuid_time(const struct ch_uuid *u)
{
	int64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | u->bytes[i];
	return (struct ch_time){ms * 1000};
}

/* Time, version and variant over 16 bytes that are random so far. */
static void
stamp(struct ch_uuid *u, struct ch_time t)
{
	int64_t ms = t.us < 0 ? 0 : t.us / 1000;

	if (ms > MS_MAX)
		ms = MS_MAX;
	for (int i = 5; i >= 0; i--, ms >>= 8)
		u->bytes[i] = (uint8_t)(ms & 0xff);
	u->bytes[6] = (uint8_t)(0x70 | (u->bytes[6] & 0x0f));
	u->bytes[8] = (uint8_t)(0x80 | (u->bytes[8] & 0x3f));
}

struct ch_uuid
ch_uuid_v7(struct ch_time now, struct ch_rng *rng)
{
	uint64_t random[2] = {ch_rng_next(rng), ch_rng_next(rng)};
	struct ch_uuid u;

	memcpy(u.bytes, random, sizeof(u.bytes));
	stamp(&u, now);
	return u;
}

void
ch_uuid_format(const struct ch_uuid *u, char out[CH_UUID_TEXT_MAX])
{
	static const uint8_t group_bytes[] = {4, 2, 2, 2, 6};
	const uint8_t *p = u->bytes;

	for (size_t i = 0; i < sizeof(group_bytes); i++) {
		if (i > 0)
			*out++ = '-';
		ch_hex_encode(p, group_bytes[i], out);
		p += group_bytes[i];
		out += 2 * (size_t)group_bytes[i];
	}
}

struct ch_uuid
ch_uuid_v7_named(struct ch_time t, struct ch_view name)
{
	struct ch_sha256 digest = ch_sha256_of(name);
	struct ch_uuid u;

	memcpy(u.bytes, digest.bytes, sizeof(u.bytes));
	stamp(&u, t);
	return u;
}
