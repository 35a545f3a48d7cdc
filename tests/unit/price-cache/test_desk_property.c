/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The desk against a random world: markets that exist, do not, close or
 * resolve; upstreams that answer, lie idle, fail, limit and refuse; clients
 * that ask for a few of many markets. Time is a number.
 */
#include "desk_world.h"

#define MARKETS 60
#define CALLS_MAX 512
#define STEPS 40000
#define QUESTIONS_MAX 4096

struct sent { /* a call that the world has not answered yet */
	uint64_t id;
	enum lane lane;
	int64_t started, due;
	size_t count;
	struct market_id ids[256];
};

struct market {
	int existence; /* 0 no, 1 open, 2 closed, 3 resolved */
	int milli;
	/* the model: what the newest-started answer said */
	int64_t started, received;
	int told; /* -1: none yet */
	int flying[UPSTREAMS];
};

struct asked {
	bool open;
	int64_t deadline;
};

struct world {
	struct ch_rng rng;
	struct desk_limits limits;
	struct desk *desk;
	int64_t now;
	int mood[UPSTREAMS]; /* 0 fine, 1 slow, 2 failing, 3 limiting */
	struct market market[MARKETS];
	struct sent *sent;
	size_t sent_count;
	struct asked asked[QUESTIONS_MAX];
	uint64_t next_ref;
	uint64_t answered, stale, fresh, errors, calls[UPSTREAMS];
};

static unsigned
number_of(const struct market_id *id)
{
	return id->bytes[30] * 256u + id->bytes[31];
}

static struct moment
now_of(const struct world *w)
{
	return at_ms(w->now);
}

/* What a client is told must be right: never nothing where there is a price
 * young enough, never another price than the newest. */
static void
check_entry(struct world *w, const struct cache_entry *e)
{
	const struct market *m = &w->market[number_of(&e->id)];
	enum cache_status s = desk_status(w->desk, e, now_of(w));
	int64_t age = w->now - m->received;

	if (s <= CACHE_PINNED) {
		ck_assert_int_eq(world_milli(e), m->told);
		w->fresh += s == CACHE_FRESH;
		w->stale += s == CACHE_STALE;
	}
	if (s == CACHE_FRESH)
		ck_assert(age < w->limits.cache.ttl_ms);
	if (m->told >= 0 && m->received >= 0 &&
		age < w->limits.cache.stale_max_ms && e->price != NULL)
		ck_assert_msg(s <= CACHE_PINNED, "market %u: %s with a price",
			number_of(&e->id), cache_status_name(s));
	if (s == CACHE_UNKNOWN)
		ck_assert_int_ne(m->existence, 1);
	w->errors += s >= CACHE_ERROR;
}

/* Who was let go at the deadline was waiting for something until then. */
static void
check_late(const struct question *q)
{
	bool asking = false;

	for (size_t i = 0; i < q->count; i++)
		asking |= ((struct cache_entry *)q->items[i])->plan.asking;
	ck_assert_msg(asking, "a waiter was forgotten until its deadline");
}

static void
close_question(struct world *w, struct question *q)
{
	if (q->late)
		check_late(q);
	for (size_t i = 0; i < q->count; i++)
		check_entry(w, q->items[i]);
	w->answered++;
	desk_close(w->desk, q);
}

static void
take_done(struct world *w)
{
	struct question *q;

	while ((q = desk_next_done(w->desk)) != NULL) {
		struct asked *a = &w->asked[q->ref % QUESTIONS_MAX];

		ck_assert_msg(a->open, "question %llu came twice",
			(unsigned long long)q->ref);
		ck_assert_msg(w->now <= a->deadline + 20,
			"question answered %lld ms after its deadline",
			(long long)(w->now - a->deadline));
		a->open = false;
		close_question(w, q);
	}
}

static void
take_calls(struct world *w)
{
	struct desk_call call;

	while (desk_next_call(w->desk, &call, now_of(w))) {
		struct sent *s = &w->sent[w->sent_count++];
		enum upstream_id u = lane_upstream(call.lane);

		ck_assert_uint_le(w->sent_count, CALLS_MAX);
		ck_assert_uint_ge(call.count, 1);
		ck_assert_int_le((int)call.count,
			(int)w->limits.batch[call.lane]);
		*s = (struct sent){.id = call.id,
			.lane = call.lane,
			.started = w->now,
			.count = call.count};
		s->due = w->now + 1 +
			(int64_t)ch_rng_below(&w->rng,
				w->mood[u] == 1 ? 4000 : 120);
		for (size_t i = 0; i < call.count; i++) {
			struct market *m;

			s->ids[i] = call.entries[i]->id;
			m = &w->market[number_of(&s->ids[i])];
			ck_assert_int_eq(m->flying[u], 0);
			m->flying[u] = 1;
			if (call.lane == LANE_MIDPOINTS)
				ck_assert(price_has_tokens(
					call.entries[i]->price));
		}
		w->calls[u]++;
	}
}

static bool
lane_has(enum lane lane, int existence)
{
	if (lane == LANE_OPEN || lane == LANE_MIDPOINTS)
		return existence == 1;
	if (lane == LANE_CLOSED)
		return existence >= 2;
	return existence != 0;
}

static void
tell_prices(struct world *w, const struct sent *s, struct price_list *list)
{
	for (size_t i = 0; i < s->count; i++) {
		struct market *m = &w->market[number_of(&s->ids[i])];
		enum market_state state = m->existence == 1 ? MARKET_OPEN
			: m->existence == 2		    ? MARKET_CLOSED
							    : MARKET_RESOLVED;

		if (!lane_has(s->lane, m->existence))
			continue;
		world_add(list,
			world_price(s->ids[i], m->milli, state,
				s->ids[i].bytes[31] % 3 != 0));
	}
}

/* The model follows the rule of the cache: the newer call wins, a resolved
 * market is for good. */
static void
model_prices(struct world *w, const struct sent *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct market *m = &w->market[number_of(&s->ids[i])];

		if (!lane_has(s->lane, m->existence) ||
			(m->told >= 0 && s->started < m->started))
			continue;
		m->told = m->milli;
		m->started = s->started;
		m->received = w->now;
	}
}

static void
answer_call(struct world *w, size_t at)
{
	struct sent s = w->sent[at];
	enum upstream_id u = lane_upstream(s.lane);
	struct price_list list = {NULL, 0, 0, 0};
	struct desk_answer a = {.call = s.id,
		.outcome = DESK_ANSWERED,
		.retry_after_ms = -1,
		.prices = &list};
	int mood = w->mood[u];

	w->sent[at] = w->sent[--w->sent_count];
	for (size_t i = 0; i < s.count; i++)
		w->market[number_of(&s.ids[i])].flying[u] = 0;
	if (mood == 2 && ch_rng_chance(&w->rng, 9, 10)) {
		a.outcome = DESK_FAILED;
		a.reason = REASON_STATUS;
	} else if (mood == 3) {
		a.outcome = DESK_LIMITED;
		a.reason = REASON_RATE_LIMITED;
		a.retry_after_ms = (int64_t)ch_rng_below(&w->rng, 5000) - 1;
	} else if (ch_rng_chance(&w->rng, 1, 50)) {
		a.outcome = DESK_TOO_MANY;
		a.reason = REASON_STATUS;
	} else {
		tell_prices(w, &s, &list);
		model_prices(w, &s);
		if (ch_rng_chance(&w->rng, 1, 20))
			list.bad = 1;
	}
	desk_answer(w->desk, &a, now_of(w));
	ck_assert_ptr_null(list.items);
}

static void
answer_due(struct world *w)
{
	for (size_t i = 0; i < w->sent_count;) {
		if (w->sent[i].due <= w->now)
			answer_call(w, i);
		else
			i++;
	}
}

static void
ask(struct world *w)
{
	struct market_id ids[8];
	size_t count = 0;
	size_t want = 1 + ch_rng_below(&w->rng, 6);
	struct question *q;
	struct asked *a = &w->asked[w->next_ref % QUESTIONS_MAX];

	while (count < want) {
		unsigned n = (unsigned)ch_rng_below(&w->rng, MARKETS);
		struct market_id id = id_of(n);
		bool twice = false;

		for (size_t i = 0; i < count; i++)
			twice |= market_id_eq(&ids[i], &id);
		if (!twice)
			ids[count++] = id;
	}
	q = desk_ask(w->desk, ids, count, now_of(w));
	if (q == NULL)
		return;
	if (q->pending == 0) {
		close_question(w, q);
		return;
	}
	ck_assert(!a->open);
	*a = (struct asked){true, w->now + w->limits.budget_ms};
	q->ref = w->next_ref++;
}

static void
change_world(struct world *w)
{
	struct market *m = &w->market[ch_rng_below(&w->rng, MARKETS)];

	if (ch_rng_chance(&w->rng, 1, 400))
		w->mood[ch_rng_below(&w->rng, UPSTREAMS)] =
			(int)ch_rng_below(&w->rng, 4);
	if (ch_rng_chance(&w->rng, 1, 3))
		w->mood[0] = w->mood[1] =
			ch_rng_chance(&w->rng, 1, 300) ? 0 : w->mood[1];
	if (m->existence == 1)
		m->milli = 1 + (int)ch_rng_below(&w->rng, 998);
	if (m->existence == 1 && ch_rng_chance(&w->rng, 1, 2000))
		m->existence = 2;
	else if (m->existence == 2 && ch_rng_chance(&w->rng, 1, 2000))
		m->existence = 3;
}

static void
world_init(struct world *w, uint64_t seed)
{
	*w = (struct world){.limits = world_limits()};
	ch_rng_seed(&w->rng, seed);
	w->limits.refresh_ahead_ms = ch_rng_chance(&w->rng, 1, 2) ? 400 : 0;
	w->limits.cache.max_unknown = 24;
	w->limits.cache.max_markets = ch_rng_chance(&w->rng, 1, 2) ? 20 : 1000;
	w->limits.batch[LANE_OPEN] = 8;
	w->limits.batch[LANE_CLOSED] = 8;
	w->limits.batch[LANE_MIDPOINTS] = 10;
	w->limits.upstream[ch_rng_below(&w->rng, 2)].per_second = 40;
	w->limits.cache.stale_max_ms = 60000;
	w->sent = calloc(CALLS_MAX, sizeof(*w->sent));
	for (int i = 0; i < MARKETS; i++)
		w->market[i] = (struct market){.existence = i % 7 == 0 ? 0
				: i % 7 == 1			       ? 2
								       : 1,
			.milli = 1 + i,
			.received = -1,
			.told = -1};
	w->desk = desk_new(&w->limits, seed, world_received, NULL,
		now_of(w).mono);
}

static void
turn(struct world *w)
{
	int64_t due;

	desk_tick(w->desk, now_of(w));
	take_done(w);
	answer_due(w);
	take_done(w);
	take_calls(w);
	take_done(w);
	due = desk_due_ms(w->desk, now_of(w));
	ck_assert_int_ge((int)due, -1);
}

static void
drain(struct world *w)
{
	for (int64_t end = w->now + 20000; w->now < end; w->now += 5)
		turn(w);
	ck_assert_uint_eq(desk_waiting(w->desk), 0);
	ck_assert_uint_eq(w->sent_count, 0);
	for (int i = 0; i < QUESTIONS_MAX; i++)
		ck_assert(!w->asked[i].open);
	for (int u = 0; u < UPSTREAMS; u++)
		ck_assert_int_eq((int)desk_upstreams(w->desk)->flying[u], 0);
}

static void
run_world(uint64_t seed)
{
	static struct world w;

	world_init(&w, seed);
	for (int i = 0; i < STEPS; i++) {
		w.now += (int64_t)ch_rng_below(&w.rng, 12);
		change_world(&w);
		if (ch_rng_chance(&w.rng, 1, 2))
			ask(&w);
		turn(&w);
		/* A limit may be passed by what is held, and by nothing else. */
		ck_assert_uint_le(cache_count(desk_cache(w.desk), false), 24);
	}
	drain(&w);
	printf("seed %llu: %llu questions, %llu calls, markets told fresh %llu "
	       "stale %llu error %llu\n",
		(unsigned long long)seed, (unsigned long long)w.answered,
		(unsigned long long)(w.calls[0] + w.calls[1]),
		(unsigned long long)w.fresh, (unsigned long long)w.stale,
		(unsigned long long)w.errors);
	ck_assert(w.fresh > 0 && w.stale > 0 && w.errors > 0);
	desk_free(w.desk);
	free(w.sent);
}

START_TEST(no_waiter_is_lost_and_no_key_is_in_two_calls_of_an_upstream)
{
	uint64_t seed = suite_seed();

	for (uint64_t i = 0; i < 10; i++)
		run_world(seed + i);
}
END_TEST

SUITE_MAIN("desk_property",
	no_waiter_is_lost_and_no_key_is_in_two_calls_of_an_upstream)
