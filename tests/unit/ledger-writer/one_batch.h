/* SPDX-License-Identifier: Apache-2.0 */
/*
 * one_batch: a batch of one stream of commands over the in-memory store, for
 * tests that ask what a batch of given commands does. One program includes it
 * once: it is that program's fixture.
 */
#ifndef ONE_BATCH_H
#define ONE_BATCH_H

#include "check_suite.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "batch.h"
#include "mem_store.h"

#define DAY INT64_C(86400000000)
#define NOW (INT64_C(20778) * DAY) /* 2026-11-21T00:00:00Z */
#define LOWEST 20777

static struct mem_store *store;
static struct batch batch;
static int64_t number;
static unsigned sent;

static void
set_up(void)
{
	struct command_limits limits = {.value_max = 65536};

	store = mem_store_new(MEM_STORE_SOUND);
	batch_init(&batch, &limits);
	(void)batch_add_stream(&batch, 1, 0, CH_VIEW("ledger.commands"));
}

static void
tear_down(void)
{
	batch_free(&batch);
	mem_store_free(store);
}

/* A command; its members behind the id and the organisation. */
static void __attribute__((format(printf, 1, 2))) add(const char *members, ...)
{
	char text[4096];
	int n = snprintf(text, sizeof(text),
		"{\"id\":\"%08llx-%04llx-7000-8000-%012x\",\"org\":\"acme\",",
		(unsigned long long)(NOW / 1000 >> 16),
		(unsigned long long)(NOW / 1000 & 0xffff), sent);
	va_list more;

	va_start(more, members);
	n += vsnprintf(text + n, sizeof(text) - (size_t)n, members, more);
	va_end(more);
	text[n] = '}';
	(void)batch_add(&batch, 0,
		&(struct batch_record){.offset = sent++,
			.key = CH_VIEW("k"),
			.value = {text, (size_t)n + 1}});
}

#endif
