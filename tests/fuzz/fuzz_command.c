/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_command: any bytes as the value of a command (libFuzzer).
 *
 * Holds what the ledger relies on: what is accepted has its names, counts and
 * quantities within their limits and decodes to the same hash again; what is
 * refused says why, and names only what was there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
check_qty(const struct command_qty *q)
{
	require(q->huge || q->qty.units > 0);
}

static void
check_transfer(const struct transfer_post *t)
{
	require(t->count >= 1 && t->count <= LEDGER_MOVES_MAX);
	for (size_t i = 0; i < t->count; i++) {
		require(command_name_ok(t->moves[i].from_name,
			LEDGER_NAME_MAX));
		require(command_name_ok(t->moves[i].to_name, LEDGER_NAME_MAX));
		require(t->moves[i].amount.len > 0);
	}
}

static void
check_command(const struct command *c)
{
	require(command_name_ok(c->org_name, LEDGER_ORG_MAX));
	require(c->id_text.len > 0 && c->actor.ptr != NULL);
	require(c->actor.len <= LEDGER_ACTOR_MAX);
	require(c->ref.len <= LEDGER_REF_MAX);
	require(c->reason.len <= LEDGER_REASON_MAX);
	require(c->meta.len <= LEDGER_META_MAX);
	for (size_t i = 0; i < c->wish_count; i++)
		require(c->wishes[i].version >= 0);
	if (c->type == COMMAND_TRANSFER_POST)
		check_transfer(&c->as.transfer_post);
	if (c->type == COMMAND_STOCK_RECEIVE)
		check_qty(&c->as.stock_receive.qty);
	if (c->type == COMMAND_STOCK_RESERVE)
		check_qty(&c->as.stock_reserve.qty);
	if (c->type == COMMAND_RESERVATION_COMMIT &&
		c->as.reservation_end.has_qty)
		check_qty(&c->as.reservation_end.qty);
}

static void
check_refusal(const struct command_refusal *r)
{
	static const char *const classes[] = {
		"malformed", "invalid", "oversize"};
	bool known = false;

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		known = known || strcmp(r->error_class, classes[i]) == 0;
	require(known && r->reason.len > 0);
	require(!r->has_id ||
		(r->id.len > 0 && r->id.len <= 128 && ch_view_is_utf8(r->id) &&
			memchr(r->id.ptr, '\0', r->id.len) == NULL));
	require(r->type.len == 0 || command_name_ok(r->type, LEDGER_NAME_MAX));
	require(r->traceparent.ptr == NULL || r->traceparent.len == 55);
	require(!r->has_org || command_name_ok(r->org, LEDGER_ORG_MAX));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct command_limits limits = {.value_max = (size_t)64 * 1024};
	struct ch_arena arena = CH_ARENA_INIT;
	struct ch_view value = {(const char *)bytes, size};
	struct command_reader reader;
	struct command_refusal refusal;
	struct command first, again;

	command_reader_init(&reader, &arena, &limits);
	if (command_decode(&reader, value, &first, &refusal)) {
		check_command(&first);
		require(command_decode(&reader, value, &again, &refusal));
		require(memcmp(&first.payload_hash, &again.payload_hash,
				sizeof(first.payload_hash)) == 0);
	} else
		check_refusal(&refusal);
	command_reader_free(&reader);
	ch_arena_free(&arena);
	return 0;
}
