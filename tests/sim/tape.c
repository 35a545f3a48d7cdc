/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tape: see tape.h.
 */
#include "tape.h"

#include <stdio.h>

#include "world.h"

#define TRADES 8
#define DAY_US INT64_C(86400000000)
#define SIXTY_ZEROS                                                            \
	"000000000000000000000000000000000000000000000000000000000000"

/* ---- what is to come of it ---- */

const char *
tape_letter(const struct tape_print *p, int64_t lowest_day, int64_t at)
{
	if (!p->is_readable)
		return "invalid";
	if (p->traded_at < lowest_day * DAY_US)
		return "trade_expired";
	return p->traded_at > at + DAY_US ? "invalid" : NULL;
}

unsigned
tape_number(struct ch_view id)
{
	return id.len == 32 ? (unsigned char)id.ptr[31] : ~0u;
}

/* ---- records ---- */

/* The same for each record of one trade. */
static int64_t
time_of(const struct world *w, unsigned number)
{
	int64_t day = world_lowest_day(w) * DAY_US;

	if (number % TRADES == 0)
		return day - 1;
	if (number % TRADES == 1)
		return day + 5 * DAY_US;
	return day + (int64_t)number * 1000000;
}

static void
produce(struct world *w, struct ch_view value, const struct tape_print *p,
	bool is_poison)
{
	int part = broker_any_part(&w->broker, BROKER_TRADES);

	broker_produce(&w->broker, part,
		&(struct sim_record){.at_ms = w->now.us / 1000,
			.value = value.ptr,
			.len = value.len,
			.print = *p,
			.is_poison = is_poison},
		world_one_in(w, 25));
}

static void
print_broken(struct world *w)
{
	static const char *const broken[] = {"", "[]", "{\"trade_id\":\"0\"}"};
	struct tape_print p = {.is_readable = false};
	unsigned i = world_below(w, 4);

	produce(w, i == 3 ? (struct ch_view){NULL, 0} : ch_view_of(broken[i]),
		&p, false);
}

/* Another number for what is refused: each record of a trade is the same. */
static void
print_trade(struct world *w, unsigned number, bool is_poison)
{
	struct tape_print p = {number, time_of(w, number), true};
	char at[CH_TIME_TEXT_MAX];
	char text[1024];

	(void)ch_time_format((struct ch_time){p.traded_at}, at);
	(void)snprintf(text, sizeof(text),
		"{\"trade_id\":\"" SIXTY_ZEROS "%04x\","
		"\"condition_id\":\"0x" SIXTY_ZEROS "0001\",\"asset\":\"1\","
		"\"wallet\":\"0x0000000000000000000000000000000000000002\","
		"\"side\":\"BUY\",\"price\":\"0.5\",\"size\":\"%d\","
		"\"tx_hash\":\"0x" SIXTY_ZEROS "0003\",\"traded_at\":\"%s\","
		"\"source\":\"trades\"}",
		number, is_poison ? TAPE_POISON : 1, at);
	produce(w, ch_view_of(text), &p, is_poison);
}

void
tape_report(struct world *w)
{
	if (world_one_in(w, 20))
		print_broken(w);
	else if (world_one_in(w, 20))
		print_trade(w, TRADES + 2, true);
	else
		print_trade(w, world_below(w, TRADES), false);
}
