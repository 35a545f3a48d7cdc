/* SPDX-License-Identifier: Apache-2.0 */
/* shards: what a member takes and gives, of what it sees. */
#include "check_suite.h"

#include "base/rng.h"
#include "seed.h"
#include "shards.h"

#define MEMBERS_MAX 12

struct fleet {
	int32_t of, members, free;
	int32_t has[MEMBERS_MAX];
};

static int32_t
wish_of(const struct fleet *f, int32_t member)
{
	struct shards_view v = {.of = f->of,
		.members = f->members,
		.mine = f->has[member],
		.free = f->free,
		.least = f->of};

	for (int32_t i = 0; i < f->members; i++)
		if (f->has[i] < v.least)
			v.least = f->has[i];
	return shards_wish(&v);
}

static void
act(struct fleet *f, int32_t member)
{
	int32_t wish = wish_of(f, member);

	ck_assert_int_le(wish, f->free);
	ck_assert_int_ge(wish, -f->has[member]);
	f->has[member] += wish;
	f->free -= wish;
}

static bool
is_quiet(const struct fleet *f)
{
	for (int32_t i = 0; i < f->members; i++)
		if (wish_of(f, i) != 0)
			return false;
	return true;
}

static void
settle(struct fleet *f, struct ch_rng *rng)
{
	for (int step = 0; step < 10000 && !is_quiet(f); step++)
		act(f, (int32_t)ch_rng_below(rng, (uint64_t)f->members));
	ck_assert(is_quiet(f));
	ck_assert_int_eq(f->free, 0);
	for (int32_t i = 0; i < f->members; i++) {
		ck_assert_int_ge(f->has[i], f->of / f->members);
		ck_assert_int_le(f->has[i],
			(f->of + f->members - 1) / f->members);
	}
}

static void
leave(struct fleet *f, int32_t member)
{
	f->free += f->has[member];
	f->has[member] = f->has[--f->members];
	f->has[f->members] = 0;
}

START_TEST(one_takes_all_at_once)
{
	struct fleet f = {.of = 8, .members = 1, .free = 8};

	act(&f, 0);
	ck_assert_int_eq(f.has[0], 8);
	ck_assert(is_quiet(&f));
}
END_TEST

START_TEST(who_has_none_is_given_one)
{
	struct fleet f = {.of = 4, .members = 3, .has = {2, 2, 0}};

	ck_assert_int_eq(wish_of(&f, 2), 0); /* none is free */
	act(&f, 0);
	ck_assert_int_eq(wish_of(&f, 0), 0); /* it is not for the giver */
	ck_assert_int_eq(wish_of(&f, 1), 0); /* one is enough */
	act(&f, 2);
	ck_assert(is_quiet(&f));
}
END_TEST

START_TEST(more_members_than_shards_are_quiet)
{
	struct fleet f = {.of = 2, .members = 3, .has = {1, 1, 0}};

	ck_assert(is_quiet(&f));
	leave(&f, 0);
	act(&f, 0);
	act(&f, 1);
	ck_assert(is_quiet(&f));
	ck_assert_int_eq(f.has[0] + f.has[1], 2);
}
END_TEST

/* Members come and go; whoever acts, and however often, all become quiet with
 * a fair share each. */
START_TEST(shares_become_fair)
{
	struct ch_rng rng;

	seed_rng(&rng);
	for (int run = 0; run < 2000; run++) {
		struct fleet f = {.members = 1};

		f.of = f.free = (int32_t)(1 + ch_rng_below(&rng, SHARDS_MAX));
		for (int change = 0; change < 12; change++) {
			if (f.members < MEMBERS_MAX &&
				ch_rng_below(&rng, 3) > 0)
				f.members++;
			else if (f.members > 1)
				leave(&f,
					(int32_t)ch_rng_below(&rng,
						(uint64_t)f.members));
			settle(&f, &rng);
		}
	}
}
END_TEST

SUITE_MAIN("shards", one_takes_all_at_once, who_has_none_is_given_one,
	more_members_than_shards_are_quiet, shares_become_fair)
