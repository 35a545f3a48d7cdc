/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: where the feed server's frames come from: a seed, or a recorded
 * file.
 *
 * A file holds frames, one a line, sent as they stand; or one JSON document
 * {"name", "events": [...]} with the fields of a recorded session, from which
 * frames are made.
 *
 * Thread: belongs to one thread.
 */
#ifndef FEED_SERVER_SOURCE_H
#define FEED_SERVER_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

struct source_options {
	uint64_t seed;
	unsigned markets;
	unsigned wallets;
	const char *file; /* NULL: from the seed */
	bool loop;	  /* begin again at the file's end */
	bool restamp;	  /* a file's time stamps become the present */
};

struct source;

int source_open(struct source **out, const struct source_options *opt,
	struct ch_err *err);
void source_close(struct source *s);
/* Puts the next frame into out; false at the end of a file. */
bool source_next(struct source *s, struct ch_time now, struct ch_buf *out);

#endif
