/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_prices: any bytes as the answer of each upstream, and as the ids of a
 * client's question (libFuzzer).
 *
 * Holds: a price that was taken has between 1 and PRICE_OUTCOMES_MAX outcomes,
 * each a plain decimal from 0 to 1; a refused answer adds nothing; ids are
 * counted within the caller's limit, each once.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "price.h"

#define IDS_MAX 50

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
check_price(const struct price *p)
{
	char text[PRICE_TEXT_MAX];

	require(p->count >= 1 && p->count <= PRICE_OUTCOMES_MAX);
	for (int i = 0; i < p->count; i++) {
		const struct price_outcome *o = &p->outcome[i];

		require(price_text_copy(ch_view_of(o->text), text));
		require(memchr(o->name, '\0', sizeof(o->name)) != NULL);
		require(memchr(o->token, '\0', sizeof(o->token)) != NULL);
	}
	require(memchr(p->question, '\0', sizeof(p->question)) != NULL);
}

static void
check_list(struct price_list *l, int rc)
{
	require(rc == 0 || l->count == 0);
	for (size_t i = 0; i < l->count; i++)
		check_price(l->items[i]);
	price_list_free(l);
	memset(l, 0, sizeof(*l));
}

static void
check_midpoints(struct ch_view body)
{
	struct price_list l = {NULL, 0, 0, 0};
	struct price *base = price_new(2);

	(void)ch_view_copy(CH_VIEW("12"), base->outcome[0].token,
		sizeof(base->outcome[0].token));
	(void)ch_view_copy(CH_VIEW("34"), base->outcome[1].token,
		sizeof(base->outcome[1].token));
	check_list(&l, price_decode_midpoints(&l, body, &base, 1, NULL));
	free(base);
}

static void
check_ids(struct ch_view text)
{
	static struct market_id ids[IDS_MAX];
	char detail[ANSWER_DETAIL_MAX] = "";
	size_t count = 0;

	if (answer_parse_ids(text, IDS_MAX, ids, &count, detail) != IDS_OK) {
		require(memchr(detail, '\0', sizeof(detail)) != NULL &&
			detail[0] != '\0');
		return;
	}
	require(count >= 1 && count <= IDS_MAX);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			require(!market_id_eq(&ids[i], &ids[j]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct ch_view body = {(const char *)bytes, size};
	struct price_list l = {NULL, 0, 0, 0};

	check_list(&l, price_decode_gamma(&l, body, NULL));
	check_list(&l, price_decode_clob(&l, body, NULL));
	check_midpoints(body);
	check_ids(body);
	return 0;
}
