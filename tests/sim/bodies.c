/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bodies: see bodies.h.
 */
#include "bodies.h"

#include <stdio.h>
#include <string.h>

#include "world.h"

static const char *const accounts[] = {"a0", "a1", "a2", "a3", "a0", "a1",
	"bank", "fee", "s0", "s1", "s2", "n0", "n1"};
static const char *const stakes[] = {"s0", "s1", "s0", "s2"};
#define STAKES (sizeof(stakes) / sizeof(stakes[0]))
#define PICK(w, list)                                                          \
	((list)[world_below((w), (unsigned)(sizeof(list) / sizeof((list)[0])))])
#define HOT 3 /* so many of a list, in a history where all meet */
#define HOLDS 9
#define TRADES 48 /* transactions, on half as many positions */
#define CHASED 2  /* one in so many is ended as soon as it is made */

void
bodies_reset(struct bodies *b)
{
	b->id_count = 0;
	b->next = NULL;
	b->last_hold = 0;
	b->last_reservation = 0;
	b->last_order = 0;
	b->last_trade = 0;
	b->bad = 0;
}

static void
open_body(struct bodies *b, const char *type)
{
	ch_buf_clear(&b->text);
	ch_buf_printf(&b->text, "\"type\":\"%s\"", type);
}

/* ---- pieces ---- */

static const char *
any_account(struct world *w)
{
	return w->plan.hot ? accounts[world_below(w, HOT)] : PICK(w, accounts);
}

/* Often what was made last: perhaps somebody is just making it. */
static unsigned
any_made(const struct bodies *b, struct world *w, unsigned last)
{
	return b->is_chasing || world_one_in(w, 2) ? last
						   : world_below(w, HOLDS);
}

/* One draw a call, so that every compiler draws in the same order. */
static void
put(struct bodies *b, const char *member, const char *value)
{
	ch_buf_printf(&b->text, ",\"%s\":\"%s\"", member, value);
}

static void
put_number(struct bodies *b, const char *member, const char *before,
	unsigned number)
{
	ch_buf_printf(&b->text, ",\"%s\":\"%s%u\"", member, before, number);
}

static void
put_amount(struct bodies *b, struct world *w, unsigned most)
{
	unsigned units = world_below(w, most);

	ch_buf_printf(&b->text, ",\"amount\":\"%u.%02u\"", units,
		1 + world_below(w, 99));
}

/* Soon, or at once. */
static void
put_deadline(struct bodies *b, struct world *w)
{
	char text[CH_TIME_TEXT_MAX];
	int64_t in = world_one_in(w, 3) ? (int64_t)world_below(w, 30000)
					: (int64_t)world_below(w, 3000000);

	if (world_one_in(w, 4))
		return;
	(void)ch_time_format((struct ch_time){w->now.us + in}, text);
	put(b, "expires_at", text);
}

/* Now and then the version that the row is to have; often it has another. */
static void
put_version(struct bodies *b, struct world *w, const char *kind,
	const char *name)
{
	if (world_one_in(w, 4))
		ch_buf_printf(&b->text,
			",\"expected_version\":{\"%s\":{\"%s\":%u}}", kind,
			name, world_below(w, 4));
}

static void
remember_id(struct bodies *b, const char *suffix)
{
	(void)snprintf(b->ids[b->id_count++ % BODIES_IDS], sizeof(b->ids[0]),
		"%.36s%.2s", b->id, suffix);
}

/* ---- money ---- */

static void
post(struct bodies *b, struct world *w)
{
	unsigned moves = 1 + (world_one_in(w, 4) ? world_below(w, 3) : 0);

	open_body(b, "transfer.post");
	ch_buf_adds(&b->text, ",\"moves\":[");
	for (unsigned i = 0; i < moves; i++) {
		ch_buf_printf(&b->text, "%s{\"from\":\"%s\"", i > 0 ? "," : "",
			any_account(w));
		put(b, "to", any_account(w));
		put_amount(b, w, 30);
		ch_buf_addc(&b->text, '}');
	}
	ch_buf_addc(&b->text, ']');
	remember_id(b, "");
}

static void
reverse(struct bodies *b, struct world *w)
{
	unsigned n = b->id_count < BODIES_IDS ? b->id_count : BODIES_IDS;

	open_body(b, "transfer.reverse");
	put(b, "transfer",
		n > 0 ? b->ids[world_below(w, n)]
		      : "01890000-0000-7000-8000-000000000000");
}

static void capture(struct bodies *b, struct world *w);

static void
place(struct bodies *b, struct world *w)
{
	b->next = world_one_in(w, CHASED) ? capture : NULL;
	open_body(b, "hold.place");
	put(b, "from", any_account(w));
	b->last_hold = world_below(w, HOLDS);
	put_number(b, "hold", "h", b->last_hold);
	put_amount(b, w, 20);
	put_deadline(b, w);
}

/* Its expiry will be refused, and nobody speaks of it again. */
static void
place_bad(struct bodies *b, struct world *w)
{
	char text[CH_TIME_TEXT_MAX];

	(void)ch_time_format((struct ch_time){w->now.us + 50000 +
				     world_below(w, 1500000)},
		text);
	open_body(b, "hold.place");
	put(b, "from", any_account(w));
	put_number(b, "hold", "bad", b->bad++);
	put(b, "amount", "0.01");
	put(b, "expires_at", text);
}

static void
capture(struct bodies *b, struct world *w)
{
	open_body(b, "hold.capture");
	put_number(b, "hold", "h", any_made(b, w, b->last_hold));
	put(b, "to", any_account(w));
	if (world_one_in(w, 2))
		put_amount(b, w, 12);
}

static void
release_hold(struct bodies *b, struct world *w)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "h%u", any_made(b, w, b->last_hold));
	open_body(b, "hold.void");
	put(b, "hold", name);
	put_version(b, w, "hold", name);
}

/* ---- accounts ---- */

static void
open_account(struct bodies *b, struct world *w)
{
	open_body(b, "account.open");
	put_number(b, "account", "n", world_below(w, 4));
	put(b, "asset", "USD");
	if (world_one_in(w, 3))
		put(b, "floor", "-20.00");
}

static void
limit(struct bodies *b, struct world *w)
{
	const char *account = any_account(w);

	open_body(b, "account.limit");
	put(b, "account", account);
	put_number(b, "floor", "-", world_below(w, 40));
	put_version(b, w, "account", account);
}

static void
close_account(struct bodies *b, struct world *w)
{
	open_body(b, "account.close");
	if (world_one_in(w, 8))
		put(b, "account", any_account(w));
	else
		put_number(b, "account", "n", world_below(w, 4));
}

/* ---- stock ---- */

static void
stock(struct bodies *b, struct world *w)
{
	bool receives = world_one_in(w, 2);

	open_body(b, receives ? "stock.receive" : "stock.adjust");
	put_number(b, "sku", "k", world_below(w, 3));
	put_number(b, receives ? "qty" : "delta", receives ? "" : "-",
		1 + world_below(w, 4));
}

static void end_reservation(struct bodies *b, struct world *w);

static void
reserve(struct bodies *b, struct world *w)
{
	b->next = world_one_in(w, CHASED) ? end_reservation : NULL;
	open_body(b, "stock.reserve");
	put_number(b, "sku", "k", world_below(w, 2));
	b->last_reservation = world_below(w, HOLDS);
	put_number(b, "reservation", "r", b->last_reservation);
	put_number(b, "qty", "", 1 + world_below(w, 5));
	put_deadline(b, w);
}

static void
end_reservation(struct bodies *b, struct world *w)
{
	open_body(b,
		world_one_in(w, 2) ? "reservation.commit"
				   : "reservation.release");
	put_number(b, "reservation", "r", any_made(b, w, b->last_reservation));
}

/* ---- orders, trades, markets ---- */

static void
put_order(struct bodies *b, struct world *w)
{
	if (!b->is_chasing && world_one_in(w, 2))
		b->last_order = world_below(w, BODIES_ORDERS);
	put_number(b, "order", "o", b->last_order);
	b->is_ordered = true;
}

static void
move_order(struct bodies *b, struct world *w)
{
	static const char *const moves[] = {
		"order.accept", "order.cancel", "order.lost", "order.accept"};

	open_body(b, PICK(w, moves));
	put_order(b, w);
}

static void
place_order(struct bodies *b, struct world *w)
{
	b->next = world_one_in(w, CHASED) ? move_order : NULL;
	open_body(b, "order.place");
	put_order(b, w);
	put(b, "market", "m0");
	put(b, "side", "BUY");
	put(b, "qty", "5");
}

/* As a producer may know of one, beside the venue. */
static void
fill_order(struct bodies *b, struct world *w)
{
	open_body(b, "order.fill");
	put_order(b, w);
	put_number(b, "fill", "f", world_below(w, 4));
	put_number(b, "qty", "", 1 + world_below(w, 3));
}

static void
order(struct bodies *b, struct world *w)
{
	if (world_one_in(w, 2))
		place_order(b, w);
	else if (world_one_in(w, 2))
		fill_order(b, w);
	else
		move_order(b, w);
}

/* What a transaction was is in its number, so that who reports it again says
 * the same; now and then not. */
static void
put_deal(struct bodies *b, struct world *w)
{
	unsigned n = b->last_trade;

	if (world_one_in(w, 12))
		n++;
	put(b, "account", stakes[n % STAKES]);
	n /= STAKES;
	put_number(b, "market", "m", n % 3);
	put(b, "outcome", n / 3 % 2 == 0 ? "YES" : "NO");
	put(b, "side", "BUY");
}

static void
trade(struct bodies *b, struct world *w)
{
	b->next = !b->is_chasing && world_one_in(w, CHASED) ? trade : NULL;
	if (!b->is_chasing)
		b->last_trade = world_below(w, TRADES);
	open_body(b, "trade.record");
	put_deal(b, w);
	put_number(b, "tx", "t", b->last_trade);
	put_number(b, "position", "", world_below(w, 9));
	put_number(b, "lock", "", world_below(w, 20));
	if (world_one_in(w, 3)) {
		ch_buf_adds(&b->text, ",\"skim\":{\"to\":\"bank\"");
		put_amount(b, w, 5);
		ch_buf_addc(&b->text, '}');
	}
	if (world_one_in(w, 6))
		ch_buf_adds(&b->text, ",\"settled\":true");
}

static void
deploy(struct bodies *b, struct world *w)
{
	open_body(b, "pool.deploy");
	put_number(b, "market", "m", world_below(w, 3));
	put_number(b, "address", "x", world_below(w, 100));
}

static void
settle(struct bodies *b, struct world *w)
{
	open_body(b, "market.settle");
	put_number(b, "market", "m", world_below(w, 2));
	put(b, "from", world_one_in(w, 6) ? "a0" : "bank");
	ch_buf_adds(&b->text, ",\"payouts\":{\"YES\":\"1\",\"NO\":\"0.335\"}");
}

/* ---- groups ---- */

static void
group(struct bodies *b, struct world *w)
{
	static void (*const members[])(struct bodies * b, struct world * w) = {
		post, post, place, reserve, stock, capture, place_order,
		fill_order, trade};
	struct ch_buf all = CH_BUF_INIT;
	unsigned n = 2 + world_below(w, 2);

	for (unsigned i = 0; i < n; i++) {
		PICK(w, members)(b, w);
		ch_buf_printf(&all, "%s{%s}", i > 0 ? "," : "",
			ch_buf_str(&b->text));
	}
	open_body(b, "group");
	ch_buf_printf(&b->text, ",\"commands\":[%s]", ch_buf_str(&all));
	remember_id(b, "/0");
	ch_buf_free(&all);
}

void
bodies_opening(struct bodies *b)
{
	static const char *const opened[] = {
		"a0", "a1", "a2", "a3", "s0", "s1", "s2"};
	struct ch_buf funds = CH_BUF_INIT;

	open_body(b, "group");
	ch_buf_adds(&b->text,
		",\"commands\":[{\"type\":\"asset.define\","
		"\"asset\":\"USD\",\"scale\":2},{\"type\":\"account.open\","
		"\"account\":\"bank\",\"asset\":\"USD\",\"floor\":null},"
		"{\"type\":\"account.open\",\"account\":\"fee\",\"asset\":"
		"\"USD\",\"floor\":null,\"shards\":2}");
	for (size_t i = 0; i < sizeof(opened) / sizeof(opened[0]); i++) {
		ch_buf_printf(&b->text,
			",{\"type\":\"account.open\","
			"\"account\":\"%s\",\"asset\":\"USD\"}",
			opened[i]);
		ch_buf_printf(&funds,
			"%s{\"from\":\"bank\",\"to\":\"%s\","
			"\"amount\":\"60.00\"}",
			i > 0 ? "," : "", opened[i]);
	}
	ch_buf_printf(&b->text,
		",{\"type\":\"transfer.post\",\"moves\":[%s]},"
		"{\"type\":\"stock.receive\",\"sku\":\"k0\",\"qty\":\"9\"},"
		"{\"type\":\"stock.receive\",\"sku\":\"k1\",\"qty\":\"20\"},"
		"{\"type\":\"order.place\",\"order\":\"o0\",\"market\":\"m0\","
		"\"side\":\"SELL\",\"qty\":\"9\"}]",
		ch_buf_str(&funds));
	ch_buf_free(&funds);
}

/* ---- any ---- */

/* in_market: in a history that is about orders and trades. */
static const struct {
	void (*make)(struct bodies *b, struct world *w);
	unsigned weight, in_market;
} makers[] = {{post, 20, 8}, {place, 15, 3}, {capture, 8, 2},
	{release_hold, 3, 1}, {place_bad, 1, 1}, {reverse, 5, 1},
	{open_account, 3, 1}, {limit, 2, 1}, {close_account, 2, 1},
	{stock, 5, 1}, {reserve, 12, 2}, {end_reservation, 6, 1},
	{order, 9, 36}, {trade, 16, 36}, {deploy, 2, 2}, {settle, 3, 2},
	{group, 7, 7}};

static unsigned
weight_of(const struct world *w, size_t maker)
{
	return w->plan.market ? makers[maker].in_market : makers[maker].weight;
}

static void
make(struct bodies *b, struct world *w)
{
	unsigned sum = 0;
	unsigned roll;
	size_t i = 0;

	b->is_ordered = false;
	b->is_chasing = b->next != NULL;
	if (b->is_chasing) {
		bodies_maker *next = b->next;

		b->next = NULL;
		next(b, w);
		return;
	}
	for (size_t k = 0; k < sizeof(makers) / sizeof(makers[0]); k++)
		sum += weight_of(w, k);
	roll = world_below(w, sum);
	while (roll >= weight_of(w, i))
		roll -= weight_of(w, i++);
	makers[i].make(b, w);
}

bool
bodies_any(struct bodies *b, struct world *w)
{
	bool is_poison = world_one_in(w, 60);

	make(b, w);
	if (world_one_in(w, 3))
		put_number(b, "actor", "u", world_below(w, 2));
	if (is_poison)
		put(b, "ref", WORLD_POISON);
	else if (world_one_in(w, 30))
		ch_buf_adds(&b->text, ",\"dry_run\":true");
	return is_poison;
}
