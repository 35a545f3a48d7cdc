/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page: how many rows a reader asks for at a time, and when it has enough.
 *
 * Nobody knows how large rows are before they come. So a page ends with the
 * row that makes it PAGE_BYTES, and what was asked for beyond it is asked for
 * again; the next one asks for about as many as would have fitted.
 *
 * Memory: PAGE_BYTES and one row.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef RELAY_PAGE_H
#define RELAY_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_ROWS 2000 /* at most */
#define PAGE_BYTES ((size_t)2 << 20)

struct page {
	int64_t ask; /* rows to ask for */
	int64_t taken;
	size_t bytes;
};

/* A reader begins: nothing is known of its rows. */
void page_init(struct page *p);
void page_begin(struct page *p);
/* One row of so many bytes was taken. false: it was the last of the page. */
bool page_take(struct page *p, size_t bytes);
/* found: rows that came, those that were not taken too. true: there may be
 * more behind the taken ones. */
bool page_end(struct page *p, int64_t found);

#endif
