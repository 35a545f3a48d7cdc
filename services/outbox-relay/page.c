/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page: see page.h. Twice as many as fitted are asked for, so that one large
 * row does not make the next pages small; a page that had room for more doubles.
 */
#include "page.h"

#define FIRST_ROWS 64

void
page_init(struct page *p)
{
	*p = (struct page){.ask = FIRST_ROWS};
}

void
page_begin(struct page *p)
{
	p->taken = 0;
	p->bytes = 0;
}

bool
page_take(struct page *p, size_t bytes)
{
	p->taken++;
	p->bytes += bytes;
	return p->bytes < PAGE_BYTES;
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

bool
page_end(struct page *p, int64_t found)
{
	bool full = p->bytes >= PAGE_BYTES;

	if (found < p->ask && found == p->taken)
		return false;
	if (full)
		p->ask = least(2 * p->taken, p->ask);
	else
		p->ask = least(2 * p->ask, PAGE_ROWS);
	return true;
}
