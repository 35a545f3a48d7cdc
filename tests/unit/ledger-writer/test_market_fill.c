/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A venue's fill: which reports of it are the same one.
 */
#include "check_suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "market_fill.h"

static struct ch_arena arena;
static struct command_reader reader;

static void
set_up(void)
{
	struct command_limits limits = {.value_max = 4096};

	command_reader_init(&reader, &arena, &limits);
}

static void
tear_down(void)
{
	command_reader_free(&reader);
	ch_arena_free(&arena);
}

static struct command
read_fill_of(const char *order, const char *qty, const char *more)
{
	char text[512];
	struct command c;
	struct command_refusal refusal;

	(void)snprintf(text, sizeof(text),
		"{\"fill_id\":\"f\",\"org\":\"acme\",\"order\":\"%s\","
		"\"qty\":\"%s\",\"traded_at\":\"2026-11-21T09:41:02Z\"%s}",
		order, qty, more);
	ck_assert_msg(market_fill_decode(&reader, ch_view_of(text), &c,
			      &refusal),
		"%s: %.*s", text, CH_VIEW_ARG(refusal.reason));
	return c;
}

static struct command
read_fill(const char *qty, const char *more)
{
	return read_fill_of("o", qty, more);
}

/* The id names what was reported, so both are the same, or neither. */
static bool
same_report(const struct command *a, const struct command *b)
{
	bool same = memcmp(a->id.bytes, b->id.bytes, 16) == 0;

	ck_assert(same ==
		ch_digest_eq(a->payload_hash.bytes, b->payload_hash.bytes,
			CH_SHA256_LEN));
	return same;
}

static bool
same(const char *qty, const char *other, const char *more)
{
	struct command a = read_fill(qty, "");
	struct command b = read_fill(other, more);

	return same_report(&a, &b);
}

START_TEST(one_trade_of_two_orders_is_two_fills)
{
	struct command a = read_fill_of("bid", "4", "");
	struct command b = read_fill_of("ask", "4", "");

	ck_assert(!same_report(&a, &b));
}
END_TEST

START_TEST(the_time_of_the_id_is_the_records)
{
	struct ch_time at = {INT64_C(1800000000123000)};
	struct command c;

	reader.record_at = at;
	c = read_fill("4", "");
	ck_assert_int_eq(ch_uuid_time(&c.id).us, at.us);
	reader.record_at.us = 0; /* it has none: the trade's */
	c = read_fill("4", "");
	ck_assert_int_eq(ch_uuid_time(&c.id).us, INT64_C(1795254062000000));
}
END_TEST

START_TEST(a_quantity_counts_by_its_value)
{
	ck_assert(same("4", "4.00", ""));
	ck_assert(same("4", "4.00000000", ",\"source\":\"backfill\""));
	ck_assert(same("40.5", "40.50", ""));
	ck_assert(same("100", "100.0", ""));
	ck_assert(!same("100", "1", ""));
	ck_assert(!same("40.5", "40.05", ""));
	ck_assert(!same("4", "4", ",\"price\":\"0.5\""));
}
END_TEST

START_TEST(a_quantity_that_is_refused_counts_as_sent)
{
	ck_assert(!same("4", "4.000000000", ""));
	ck_assert(!same("9223372036854775808", "9223372036854775809", ""));
	ck_assert(same("4.000000000", "4.000000000", ""));
}
END_TEST

static bool
same_price(const char *price, const char *other)
{
	char more[256];
	char more_of_other[256];
	struct command a;
	struct command b;

	(void)snprintf(more, sizeof(more), ",\"price\":\"%s\"", price);
	(void)snprintf(more_of_other, sizeof(more_of_other),
		",\"price\":\"%s\"", other);
	a = read_fill("4", more);
	b = read_fill("4", more_of_other);
	return same_report(&a, &b);
}

/* 80 digits are more than any integer holds. */
#define LONG_PRICE                                                             \
	"0.1234567890123456789012345678901234567890123456789012345678901234567"

START_TEST(a_price_counts_by_its_value)
{
	ck_assert(same_price("0.50", "0.5"));
	ck_assert(same_price("0.5", "0.500000000000"));
	ck_assert(same_price("1", "1.0"));
	ck_assert(same_price("0", "0.000"));
	ck_assert(same_price("100", "100.00"));
	ck_assert(same_price(LONG_PRICE, LONG_PRICE "0"));
	ck_assert(!same_price("0.5", "0.05"));
	ck_assert(!same_price("100", "1"));
	ck_assert(!same_price("10", "1.0"));
	ck_assert(!same_price(LONG_PRICE, LONG_PRICE "1"));
	ck_assert(!same("4", "4", ",\"price\":\"0\""));
}
END_TEST

FIXTURE_MAIN("market_fill", set_up, tear_down,
	one_trade_of_two_orders_is_two_fills, the_time_of_the_id_is_the_records,
	a_quantity_counts_by_its_value,
	a_quantity_that_is_refused_counts_as_sent, a_price_counts_by_its_value)
