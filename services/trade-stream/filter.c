/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter: see filter.h.
 */
#include "filter.h"

#include "base/hex.h"

#define WALLET_MEMBER "\"proxyWallet\":\"0x"
#define WALLET_NAME "proxyWallet"
#define TOPIC_MEMBER "\"topic\":\"activity\""
#define TRADES_MEMBER "\"type\":\"trades\""
#define ORDERS_MEMBER "\"type\":\"orders_matched\""

/* What stands behind the first needle; ptr NULL when there is none. */
static struct ch_view
behind(struct ch_view text, struct ch_view needle)
{
	const char *p;
	const char *end;

	if (text.len == 0)
		return (struct ch_view){NULL, 0};
	p = memmem(text.ptr, text.len, needle.ptr, needle.len);
	if (p == NULL)
		return (struct ch_view){NULL, 0};
	end = text.ptr + text.len;
	p += needle.len;
	return (struct ch_view){p, (size_t)(end - p)};
}

static bool
holds(struct ch_view text, struct ch_view needle)
{
	return behind(text, needle).ptr != NULL;
}

/* The wallet of a frame that names exactly one. */
static bool
only_wallet(struct ch_view text, uint8_t key[WALLET_LEN])
{
	struct ch_view rest = behind(text, CH_VIEW(WALLET_MEMBER));
	struct ch_view first = behind(text, CH_VIEW(WALLET_NAME));
	struct ch_view digits = {rest.ptr, (size_t)2 * WALLET_LEN};

	if (rest.ptr == NULL || rest.len <= digits.len ||
		rest.ptr[digits.len] != '"')
		return false;
	return !holds(first, CH_VIEW(WALLET_NAME)) &&
		ch_hex_decode(digits, key, WALLET_LEN);
}

/* Topic and type stand behind the payload, in the last bytes. */
static bool
type_of(struct ch_view text, enum trade_source *source)
{
	struct ch_view rest = behind(text, CH_VIEW(TOPIC_MEMBER));

	if (rest.ptr == NULL)
		return false;
	if (holds(rest, CH_VIEW(TRADES_MEMBER)))
		*source = TRADE_TRADES;
	else if (holds(rest, CH_VIEW(ORDERS_MEMBER)))
		*source = TRADE_ORDERS_MATCHED;
	else
		return false;
	return true;
}

bool
filter_is_unwatched(const struct walletset *set, struct ch_view text,
	enum trade_source *source)
{
	uint8_t key[WALLET_LEN];

	return text.len > 1 && text.ptr[0] == '{' &&
		text.ptr[text.len - 1] == '}' && only_wallet(text, key) &&
		!walletset_has(set, key) && type_of(text, source);
}
