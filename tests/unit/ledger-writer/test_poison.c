/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poison and load: the culprits are found, the others pass, in their order,
 * within the promised number of tries.
 */
#include "check_suite.h"

#include "base/rng.h"
#include "load.h"
#include "poison.h"

#define RECORDS_MAX 600

static const struct command_limits limits = {.value_max = 65536};

static struct partition parts[3];

static void
setup(void)
{
	for (int i = 0; i < 3; i++)
		parts[i] = (struct partition){.topic = "t",
			.part = i,
			.state = PARTITION_OWNED,
			.stream = 10 + i,
			.in_doubt = -1};
}

static void
add(struct load **l, int part, int64_t offset)
{
	load_add(l, &parts[part],
		&(struct batch_record){.offset = offset,
			.key = CH_VIEW("k"),
			.value = CH_VIEW("not json")});
}

static bool
has_culprit(const struct load *l, const bool *bad)
{
	for (size_t i = 0; i < l->batch.count; i++)
		if (bad[l->batch.entries[i]->record.offset])
			return true;
	return false;
}

/* Plays the loop: counts transactions, checks the order of what passes. Nothing
 * is ever due, so that who is alone is parked. */
static unsigned
play(size_t n, const bool *bad, size_t *parked)
{
	struct poison p;
	struct load *now = load_new(&limits);
	int64_t next = 0;
	unsigned tries = 1;
	poison_init(&p, &limits);
	for (size_t i = 0; i < n; i++)
		add(&now, (int)(i % 3), (int64_t)i);
	poison_suspect(&p, &now);
	*parked = 0;
	while (poison_active(&p)) {
		ck_assert(load_empty(now));
		poison_take(&p, now);
		ck_assert_uint_lt(++tries, 100000);
		if (has_culprit(now, bad)) {
			if (poison_refused(&p) != POISON_SETTLE) {
				load_clear(now);
				continue;
			}
			ck_assert_uint_eq(now->batch.count, 1);
			(*parked)++;
		}
		for (size_t i = 0; i < now->batch.count; i++)
			ck_assert_int_eq(now->batch.entries[i]->record.offset,
				next++);
		load_clear(now);
		poison_passed(&p);
	}
	ck_assert_int_eq(next, (int64_t)n);
	load_free(now);
	poison_free(&p);
	return tries;
}

START_TEST(one_culprit_is_parked_alone_in_few_tries)
{
	bool bad[RECORDS_MAX] = {false};
	size_t parked;
	bad[_i * 37 % 512] = true;
	ck_assert_uint_le(play(512, bad, &parked), 2 * 9 + 8);
	ck_assert_uint_eq(parked, 1);
}
END_TEST

START_TEST(any_set_of_culprits_is_found)
{
	const char *seed = getenv("SEED");
	struct ch_rng rng;
	uint64_t base = seed != NULL ? strtoull(seed, NULL, 10) : 1;
	ch_rng_seed(&rng, base + (uint64_t)_i);
	bool bad[RECORDS_MAX] = {false};
	size_t n = 1 + ch_rng_below(&rng, RECORDS_MAX - 1);
	size_t want = 0;
	size_t parked;
	for (size_t i = 0; i < n; i++) {
		bad[i] =
			0 != ch_rng_chance(&rng, 1, 1 + ch_rng_below(&rng, 50));
		want += bad[i];
	}
	(void)play(n, bad, &parked);
	ck_assert_uint_eq(parked, want);
}
END_TEST

/* Nobody is suspected; each part that is taken may be too large again, and one of
 * them may be refused. */
START_TEST(what_is_too_large_is_applied_in_parts_in_its_order)
{
	struct poison p;
	struct load *now = load_new(&limits);
	struct ch_rng rng;
	int64_t next = 0;
	unsigned tries = 0;
	ch_rng_seed(&rng, 77 + (uint64_t)_i);
	poison_init(&p, &limits);
	for (int i = 0; i < RECORDS_MAX; i++)
		add(&now, i % 3, i);
	while (!load_empty(now)) {
		size_t most = 1 + ch_rng_below(&rng, 40);
		ck_assert_uint_lt(++tries, 10000);
		if (now->batch.count > most) {
			poison_cut(&p, &now, most);
			ck_assert(load_empty(now));
			ck_assert(poison_active(&p));
		} else if (poison_active(&p) && ch_rng_chance(&rng, 1, 9)) {
			(void)poison_refused(&p); /* found innocent later */
			(void)poison_acquit(&p, true);
			load_clear(now);
		} else {
			for (size_t i = 0; i < now->batch.count; i++)
				ck_assert_int_eq(
					now->batch.entries[i]->record.offset,
					next++);
			load_clear(now);
			poison_passed(&p);
		}
		if (poison_active(&p))
			poison_take(&p, now);
	}
	ck_assert_int_eq(next, RECORDS_MAX);
	load_free(now);
	poison_free(&p);
}
END_TEST

static enum poison_next
refuse_alone(struct poison *p, struct load *now)
{
	poison_take(p, now);
	ck_assert_uint_eq(now->batch.count, 1);
	load_clear(now);
	return poison_refused(p);
}

/* As long as something due is refused, or was settled for the first time, a
 * refusal is not the command's fault. */
START_TEST(what_is_due_and_refused_is_settled_without_it_however_often)
{
	struct poison p;
	struct load *now = load_new(&limits);
	poison_init(&p, &limits);
	add(&now, 0, 0);
	poison_suspect(&p, &now); /* the first refusal */
	ck_assert_int_eq(refuse_alone(&p, now), POISON_SETTLE);
	for (int i = 0; i < 3; i++) {
		ck_assert(poison_acquit(&p, i > 0));
		ck_assert_int_eq(refuse_alone(&p, now), POISON_TRY);
		ck_assert_int_eq(refuse_alone(&p, now), POISON_SETTLE);
	}
	ck_assert(!poison_acquit(&p, false));
	/* the settlement failed for now: it is asked for again */
	ck_assert_int_eq(refuse_alone(&p, now), POISON_SETTLE);
	poison_take(&p, now);
	poison_passed(&p);
	ck_assert(!poison_active(&p));
	load_free(now);
	poison_free(&p);
}
END_TEST

START_TEST(streams_stay_ascending_whatever_the_order_of_arrival)
{
	struct load *l = load_new(&limits);
	add(&l, 2, 5);
	add(&l, 0, 7);
	add(&l, 1, 9);
	add(&l, 2, 6);
	ck_assert_uint_eq(l->part_count, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(l->batch.streams[i].stream, 10 + i);
	ck_assert_int_eq(l->parts[2].next_offset, 7);
	ck_assert_int_eq(l->parts[0].next_offset, 8);
	ck_assert_uint_eq(l->batch.count, 4);
	ck_assert_int_eq(l->batch.entries[0]->record.offset, 5);
	load_free(l);
}
END_TEST

START_TEST(records_of_a_partition_that_was_taken_away_are_dropped)
{
	struct load *l = load_new(&limits);
	struct load *spare = load_new(&limits);
	add(&l, 0, 1);
	add(&l, 1, 1);
	add(&l, 0, 2);
	ck_assert(load_is_good(l));
	partition_move(&parts[0], PARTITION_GONE);
	ck_assert(!load_is_good(l));
	load_filter(&l, &spare);
	ck_assert(load_is_good(l));
	ck_assert_uint_eq(l->batch.count, 1);
	ck_assert_uint_eq(l->part_count, 1);
	ck_assert_ptr_eq(l->parts[0].p, &parts[1]);
	/* it comes back: what is read now counts, what was read does not */
	partition_move(&parts[0], PARTITION_WANTED);
	partition_move(&parts[0], PARTITION_OWNED);
	add(&l, 0, 1);
	ck_assert(load_is_good(l));
	ck_assert_uint_eq(l->batch.count, 2);
	load_free(l);
	load_free(spare);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("poison");
	TCase *c = tcase_create("all");
	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_loop_test(c, one_culprit_is_parked_alone_in_few_tries, 0, 14);
	tcase_add_loop_test(c, any_set_of_culprits_is_found, 0, 20);
	tcase_add_loop_test(c,
		what_is_too_large_is_applied_in_parts_in_its_order, 0, 20);
	tcase_add_test(c,
		what_is_due_and_refused_is_settled_without_it_however_often);
	tcase_add_test(c, streams_stay_ascending_whatever_the_order_of_arrival);
	tcase_add_test(c,
		records_of_a_partition_that_was_taken_away_are_dropped);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	return run_made(suite());
}
