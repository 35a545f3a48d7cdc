/* SPDX-License-Identifier: Apache-2.0 */
/* page: rows of any size, read by bytes. */
#include "check_suite.h"

#include "page.h"

/* One page of a table whose rows are so large; left: rows that it has. */
static int64_t
read_one(struct page *p, size_t size, int64_t left, bool *more)
{
	int64_t found = left < p->ask ? left : p->ask, i;
	bool taking = true;

	page_begin(p);
	for (i = 0; i < found && taking; i++)
		taking = page_take(p, size);
	ck_assert_uint_lt(p->bytes, PAGE_BYTES + size);
	*more = page_end(p, found);
	ck_assert_int_ge(p->ask, 1);
	ck_assert_int_le(p->ask, PAGE_ROWS);
	return p->taken;
}

static int
pages_of(struct page *p, size_t size, int64_t rows)
{
	bool more = true;
	int pages = 0;

	while (more) {
		rows -= read_one(p, size, rows, &more);
		pages++;
	}
	ck_assert_int_eq(rows, 0);
	return pages;
}

START_TEST(every_row_comes_whatever_its_size)
{
	static const size_t sizes[] = {
		0, 1, 300, 2000, 192000, PAGE_BYTES, 10 * PAGE_BYTES};
	struct page p;
	size_t i;

	for (i = 0; i < COUNT(sizes); i++) {
		page_init(&p);
		(void)pages_of(&p, sizes[i], 5000);
		(void)pages_of(&p, sizes[i], 0);
		(void)pages_of(&p, sizes[i], 1);
	}
}
END_TEST

START_TEST(small_rows_come_many_at_a_time)
{
	struct page p;

	page_init(&p);
	/* 64, 128, ..., 1024, then 2000 each, and one that says: no more */
	ck_assert_int_le(pages_of(&p, 300, 100000), 56);
	ck_assert_int_eq(p.ask, PAGE_ROWS);
	/* a table that is empty for a while leaves it so */
	(void)pages_of(&p, 300, 0);
	ck_assert_int_eq(p.ask, PAGE_ROWS);
}
END_TEST

START_TEST(what_is_asked_for_follows_the_size)
{
	struct page p;
	bool more;

	page_init(&p);
	(void)pages_of(&p, 300, 20000);
	(void)read_one(&p, PAGE_BYTES / 10, 100000, &more);
	ck_assert(more);
	ck_assert_int_eq(p.taken, 11);
	ck_assert_int_eq(p.ask, 22);
	/* rows of more than a page come one by one, one too many is asked for */
	(void)read_one(&p, 2 * PAGE_BYTES, 100000, &more);
	ck_assert_int_eq(p.taken, 1);
	ck_assert_int_eq(p.ask, 2);
}
END_TEST

SUITE_MAIN("page", every_row_comes_whatever_its_size,
	small_rows_come_many_at_a_time, what_is_asked_for_follows_the_size)
