/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apart: whichever records cannot be applied, all before the first of each
 * partition is, and each stands alone in the end; when it is mended all goes on
 * in order, and nothing is applied twice.
 */
#include "check_suite.h"
#include <string.h>

#include "apart.h"
#include "base/rng.h"

#define PARTS 3
#define RECORDS 40

static const struct command_limits limits = {.value_max = 65536};
static struct partition parts[PARTS];
static bool bad[PARTS][RECORDS];

static void
setup(void)
{
	for (int i = 0; i < PARTS; i++)
		parts[i] = (struct partition){.topic = "t",
			.part = i,
			.state = PARTITION_OWNED,
			.stream = 10 + i,
			.in_doubt = -1};
}

/* What a poll brings: up to `most` records of each partition. */
static void
gather(struct load **l, struct ch_rng *rng, unsigned most)
{
	for (int i = 0; i < PARTS; i++) {
		int64_t n = 1 + (int64_t)ch_rng_below(rng, most);
		for (int64_t at = parts[i].next_offset;
			at < RECORDS && at < parts[i].next_offset + n; at++)
			load_add(l, &parts[i],
				&(struct batch_record){.offset = at,
					.value = CH_VIEW("not json")});
	}
}

static bool
has_bad(const struct load *l)
{
	for (size_t i = 0; i < l->batch.count; i++) {
		const struct batch_entry *e = l->batch.entries[i];
		if (bad[l->parts[e->stream].p->part][e->record.offset])
			return true;
	}
	return false;
}

static void
read_again(struct partition *p)
{
	partition_move(p, PARTITION_WANTED);
	partition_move(p, PARTITION_OWNED);
}

static void
failed(struct load *now)
{
	if (apart_is_alone(now)) {
		(void)apart_failed(now);
		read_again(now->parts[0].p);
		return;
	}
	apart_put(now);
	for (size_t i = 0; i < now->part_count; i++)
		read_again(now->parts[i].p);
}

static void
pass(struct apart *a, struct load *now)
{
	for (size_t i = 0; i < now->batch.count; i++) {
		const struct batch_entry *e = now->batch.entries[i];
		struct partition *p = now->parts[e->stream].p;
		ck_assert_int_eq(e->record.offset, p->next_offset++);
	}
	if (apart_is_alone(now) && apart_passed(a, now))
		read_again(now->parts[0].p);
}

static void
play(struct apart *a, struct ch_rng *rng, int turns)
{
	struct load *now = load_new(&limits);
	for (int i = 0; i < turns; i++) {
		if (apart_active(a))
			apart_take(a, now);
		else
			gather(&now, rng, RECORDS);
		if (!apart_active(a) && apart_wants(now)) {
			apart_begin(a, &now);
			apart_take(a, now);
		}
		if (has_bad(now))
			failed(now);
		else
			pass(a, now);
		load_clear(now);
	}
	load_free(now);
}

static int64_t
first_bad(int part)
{
	int64_t at = 0;
	while (at < RECORDS && !bad[part][at])
		at++;
	return at;
}

START_TEST(each_partition_gets_as_far_as_its_first_that_cannot_be_applied)
{
	struct apart a;
	struct ch_rng rng;
	ch_rng_seed(&rng, (uint64_t)_i + 1);
	for (int i = 0; i < PARTS; i++)
		for (int at = 0; at < RECORDS; at++)
			bad[i][at] = 0 != ch_rng_chance(&rng, 1, 30);
	apart_init(&a, &limits);
	play(&a, &rng, 400);
	for (int i = 0; i < PARTS; i++) {
		ck_assert_int_eq(parts[i].next_offset, first_bad(i));
		if (first_bad(i) == RECORDS)
			continue;
		ck_assert_uint_eq(parts[i].alone, 1);
		ck_assert_uint_gt(parts[i].held, 1);
	}
	memset(bad, 0, sizeof(bad));
	play(&a, &rng, 400);
	for (int i = 0; i < PARTS; i++) {
		ck_assert_int_eq(parts[i].next_offset, RECORDS);
		ck_assert_uint_eq(parts[i].alone, 0);
	}
	apart_free(&a);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("apart");
	TCase *c = tcase_create("all");
	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_loop_test(c,
		each_partition_gets_as_far_as_its_first_that_cannot_be_applied,
		0, 200);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	return run_made(suite());
}
