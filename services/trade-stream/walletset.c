/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walletset: see walletset.h.
 *
 * An open table of 20-byte keys, at most half full, a power of two wide; a
 * probe walks to the next place. The zero address marks an empty place; that
 * it may be a member itself is a flag of its own.
 */
#include "walletset.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"

#define SLOTS_MIN 16
#define SHOWN_MAX 60 /* bytes of a bad line in the error */

struct walletset {
	uint8_t (*slots)[WALLET_LEN];
	size_t mask;
	size_t count;
	uint64_t seed;
	bool has_zero;
};

static const uint8_t zero_key[WALLET_LEN];

static bool
is_zero(const uint8_t *key)
{
	return memcmp(key, zero_key, WALLET_LEN) == 0;
}

/* Two rounds of a 64-bit multiply-xorshift over all 20 bytes. */
static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ (h >> 29);
}

static size_t
place_of(const struct walletset *set, const uint8_t *key)
{
	uint64_t a;
	uint64_t b;
	uint32_t c;
	uint64_t h;

	memcpy(&a, key, sizeof(a));
	memcpy(&b, key + sizeof(a), sizeof(b));
	memcpy(&c, key + sizeof(a) + sizeof(b), sizeof(c));
	h = mix(mix(mix(set->seed, a), b), c);
	h = mix(h, h >> 32);
	return (size_t)h & set->mask;
}

/* Where key stands, or the empty place where it would. */
static uint8_t *
find(const struct walletset *set, const uint8_t *key)
{
	size_t i = place_of(set, key);

	while (!is_zero(set->slots[i]) &&
		memcmp(set->slots[i], key, WALLET_LEN) != 0)
		i = (i + 1) & set->mask;
	return set->slots[i];
}

static void
insert(struct walletset *set, const uint8_t *key)
{
	uint8_t *slot;

	if (is_zero(key)) {
		set->count += set->has_zero ? 0 : 1;
		set->has_zero = true;
		return;
	}
	slot = find(set, key);
	if (!is_zero(slot))
		return;
	memcpy(slot, key, WALLET_LEN);
	set->count++;
}

bool
walletset_has(const struct walletset *set, const uint8_t key[WALLET_LEN])
{
	return is_zero(key) ? set->has_zero : !is_zero(find(set, key));
}

size_t
walletset_count(const struct walletset *set)
{
	return set->count;
}

static struct ch_view
without_comment(struct ch_view line)
{
	const char *hash =
		line.len > 0 ? memchr(line.ptr, '#', line.len) : NULL;

	if (hash != NULL)
		line.len = (size_t)(hash - line.ptr);
	return ch_view_trim(line);
}

static bool
read_wallet(struct ch_view v, uint8_t key[WALLET_LEN])
{
	if (v.len != WALLET_TEXT_MAX - 1 || v.ptr[0] != '0' || v.ptr[1] != 'x')
		return false;
	v.ptr += 2;
	v.len -= 2;
	return ch_hex_decode(v, key, WALLET_LEN);
}

static struct walletset *
make(struct ch_view text, uint64_t seed)
{
	struct walletset *set = ch_xcalloc(1, sizeof(*set));
	size_t lines = 1;
	size_t slots = SLOTS_MIN;

	for (size_t i = 0; i < text.len; i++)
		lines += text.ptr[i] == '\n' ? 1 : 0;
	while (slots < 2 * lines)
		slots *= 2;
	set->slots = ch_xcalloc(slots, sizeof(*set->slots));
	set->mask = slots - 1;
	set->seed = seed;
	return set;
}

static int
fill(struct walletset *set, struct ch_view text, struct ch_err *err)
{
	struct ch_view line;
	uint8_t key[WALLET_LEN];

	for (unsigned long n = 1; ch_view_split(&text, '\n', &line); n++) {
		line = without_comment(line);
		if (line.len == 0)
			continue;
		if (!read_wallet(line, key)) {
			if (line.len > SHOWN_MAX)
				line.len = SHOWN_MAX;
			return ch_err_set(err, CH_EINVAL,
				"line %lu: '%.*s' is no wallet; write 0x and "
				"40 hex digits, one wallet a line",
				n, CH_VIEW_ARG(line));
		}
		insert(set, key);
	}
	if (set->count == 0)
		return ch_err_set(err, CH_EINVAL,
			"it names no wallet, so nothing would be published; "
			"leave the param wallets empty to publish all");
	return 0;
}

int
walletset_parse(struct walletset **out, struct ch_view text, uint64_t seed,
	struct ch_err *err)
{
	struct walletset *set = make(text, seed);
	int rc = fill(set, text, err);

	if (rc != 0) {
		walletset_free(set);
		return rc;
	}
	*out = set;
	return 0;
}

void
walletset_free(struct walletset *set)
{
	if (set == NULL)
		return;
	free(set->slots);
	free(set);
}
