/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands: see commands.h.
 *
 * Accounts may go far below zero, so that every payment passes a check that is
 * nonetheless made, and no case needs its accounts filled first.
 */
#include "commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIXED 4		   /* set-up records before the numbered accounts */
#define DUPLICATE_AGE 5000 /* old enough to have been committed */
#define FLOOR "\"-1000000000000\""

const char *const commands_case_names[COMMANDS_CASES] = {
	"setup", "hot", "pair", "uniform"};

uint64_t
commands_setup_count(uint64_t accounts)
{
	return FIXED + accounts;
}

/* Random numbers of one record, whatever came before it. */
static struct ch_rng
rng_of(const struct commands *c, uint64_t number)
{
	struct ch_rng r;

	ch_rng_seed(&r, c->seed ^ (number * UINT64_C(0x9e3779b97f4a7c15)));
	return r;
}

static void
make_id(const struct commands *c, uint64_t number, struct ch_rng *r,
	char out[CH_UUID_TEXT_MAX])
{
	int64_t ms = c->base_ms + (int64_t)(number / COMMANDS_PER_MS);
	struct ch_uuid id = ch_uuid_v7((struct ch_time){ms * 1000}, r);
	int i;

	for (i = 0; i < 4; i++)
		id.bytes[12 + i] = (uint8_t)(number >> (24 - 8 * i));
	ch_uuid_format(&id, out);
}

static void __attribute__((format(printf, 4, 5)))
compose(struct commands_record *out, const char *owner, const char *type,
	const char *fmt, ...)
{
	va_list ap;
	int n;

	snprintf(out->key, sizeof(out->key), "acme/%s", owner);
	n = snprintf(out->value, sizeof(out->value),
		"{\"id\":\"%s\",\"org\":\"acme\",\"type\":\"%s\","
		"\"actor\":\"bench\",",
		out->id, type);
	va_start(ap, fmt);
	n += vsnprintf(out->value + n, sizeof(out->value) - (size_t)n, fmt, ap);
	va_end(ap);
	out->value_len = (size_t)n;
}

static void
pay(struct commands_record *out, struct ch_rng *r, bool refused,
	const char *from, const char *to)
{
	const char *amount = refused ? "50000000000000" : "";
	char cents[24];

	snprintf(cents, sizeof(cents), "%u.%02u", (unsigned)ch_rng_below(r, 90),
		1 + (unsigned)ch_rng_below(r, 99));
	compose(out, from, "transfer.post",
		"\"moves\":[{\"from\":\"%s\","
		"\"to\":\"%s\",\"amount\":\"%s\"}]}",
		from, to, refused ? amount : cents);
}

static void
reserve(struct commands_record *out, struct ch_rng *r, bool refused)
{
	compose(out, "hot-sku", "stock.reserve",
		"\"sku\":\"hot-sku\","
		"\"qty\":\"%u%s\"}",
		1 + (unsigned)ch_rng_below(r, 3),
		refused ? "000000000000000" : "");
}

static void
account_name(char out[24], uint64_t n)
{
	snprintf(out, 24, "a%06u", (unsigned)n);
}

static void
open_account(struct commands_record *out, const char *name)
{
	compose(out, "setup", "account.open",
		"\"account\":\"%s\","
		"\"asset\":\"USD\",\"floor\":" FLOOR "}",
		name);
}

static void
make_setup(struct commands_record *out, uint64_t number)
{
	char name[24];

	switch (number) {
	case 0:
		compose(out, "setup", "asset.define",
			"\"asset\":\"USD\",\"scale\":2}");
		return;
	case 1:
		open_account(out, "hot");
		return;
	case 2:
		open_account(out, "peer");
		return;
	case 3:
		compose(out, "setup", "stock.receive",
			"\"sku\":\"hot-sku\","
			"\"qty\":\"1000000000000\"}");
		return;
	default:
		account_name(name, number - FIXED);
		open_account(out, name);
	}
}

static bool
is_duplicate(const struct commands *c, uint64_t number)
{
	struct ch_rng r = rng_of(c, ~number);

	return c->duplicates > 0 && number >= DUPLICATE_AGE &&
		ch_rng_below(&r, 100) < c->duplicates;
}

void
commands_make(const struct commands *c, uint64_t number,
	struct commands_record *out)
{
	char from[24], to[24];
	uint64_t a, step;
	struct ch_rng r;
	bool refused;

	while (is_duplicate(c, number))
		number -= DUPLICATE_AGE;
	r = rng_of(c, number);
	make_id(c, number, &r, out->id);
	refused = ch_rng_below(&r, 100) < c->refusals;
	a = ch_rng_below(&r, c->accounts);
	step = 1 + ch_rng_below(&r, c->accounts - 1);
	account_name(from, a);
	account_name(to, (a + step) % c->accounts);
	if (c->which == COMMANDS_SETUP)
		make_setup(out, number);
	else if (c->which == COMMANDS_PAIR)
		pay(out, &r, refused, "hot", "peer");
	else if (c->which == COMMANDS_UNIFORM)
		pay(out, &r, refused, from, to);
	else if (number % 2 == 0)
		pay(out, &r, refused, "hot", to);
	else
		reserve(out, &r, refused);
}

bool
commands_number_of(struct ch_view text, uint32_t *number)
{
	static const char lead[] = "{\"id\":\"";
	size_t skip = sizeof(lead) - 1;
	uint32_t n = 0;
	size_t i;

	if (text.len < skip + 36 || memcmp(text.ptr, lead, skip) != 0)
		return false;
	for (i = skip + 28; i < skip + 36; i++) {
		char ch = text.ptr[i];

		if (ch >= '0' && ch <= '9')
			n = n * 16 + (uint32_t)(ch - '0');
		else if (ch >= 'a' && ch <= 'f')
			n = n * 16 + (uint32_t)(ch - 'a') + 10;
		else
			return false;
	}
	*number = n;
	return true;
}
