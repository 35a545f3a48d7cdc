/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: see record.h.
 */
#include "record.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"

static void
add_time(struct ch_buf *b, const char *name, struct ch_time t)
{
	char text[CH_TIME_TEXT_MAX];
	size_t n = ch_time_format(t, text);

	ch_json_add_member(b, name, (struct ch_view){text, n});
}

static void
add_text(struct ch_buf *b, const char *name, const char *text)
{
	ch_json_add_member(b, name, ch_view_of(text));
}

static void
add_trade(struct ch_buf *b, const struct trade *t, struct ch_sha256 id)
{
	char hex[2 * CH_SHA256_LEN + 1];

	ch_hex_encode(id.bytes, sizeof(id.bytes), hex);
	ch_buf_addc(b, '{');
	add_text(b, "trade_id", hex);
	add_text(b, "condition_id", t->condition);
	ch_json_add_member(b, "asset", t->asset);
	add_text(b, "wallet", t->wallet);
	add_text(b, "side", trade_side_name(t->side));
	add_text(b, "price", t->price);
	add_text(b, "size", t->size);
	ch_json_add_member(b, "outcome", t->outcome);
	ch_json_add_member_i64(b, "outcome_index", t->outcome_index);
	add_text(b, "tx_hash", t->tx);
	add_time(b, "traded_at", t->traded_at);
	add_time(b, "sent_at", t->sent_at);
	add_text(b, "source", trade_source_name(t->source));
	ch_json_add_member(b, "title", t->title);
	ch_json_add_member(b, "slug", t->slug);
	ch_buf_addc(b, '}');
}

struct record *
record_new(const struct trade *trade, struct ch_sha256 id,
	struct ch_mono received, struct ch_buf *scratch)
{
	struct record *r;

	ch_buf_clear(scratch);
	add_trade(scratch, trade, id);
	r = ch_xmalloc(sizeof(*r) + scratch->len);
	r->state = RECORD_WAITING;
	memcpy(r->key, trade->condition, sizeof(r->key));
	r->received = received;
	r->len = scratch->len;
	memcpy(r->value, scratch->ptr, scratch->len);
	return r;
}

size_t
record_bytes(const struct record *r)
{
	return sizeof(*r) + r->len;
}
