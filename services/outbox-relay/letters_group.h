/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letters_group: dead letters counted by what they have in common.
 *
 * An operator of a million letters first asks what sorts of them there are; of
 * each sort there are its number, its bytes, its oldest and its newest. The
 * words of --by and their SQL are one table, so that nothing an operator writes
 * becomes part of a statement.
 *
 * Only reads. Errors as in io/pg.h.
 *
 * Thread: any, with a connection of its own.
 */
#ifndef RELAY_LETTERS_GROUP_H
#define RELAY_LETTERS_GROUP_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "io/pg.h"
#include "letters_query.h"

#define LETTERS_GROUP_MAX 8

/* What tells the sorts apart: names that are the module's own, for good. */
struct letters_group {
	const char *names[LETTERS_GROUP_MAX];
	size_t count;
};
/* "topic,class,fingerprint,message,key,age,kind,state": some of these. CH_EINVAL
 * says which are known. An empty text groups by nothing: all are one. */
int letters_group_read(struct ch_view text, struct letters_group *out,
	struct ch_err *err);
/* One row of each sort, at most f->limit, the most frequent first; *out is the
 * caller's to clear. */
int letters_group(struct ch_pg *pg, const struct letters_filter *f,
	const struct letters_group *by, PGresult **out, struct ch_err *err);

/* One such row. Views are valid until the PGresult is cleared. */
struct letters_sort {
	int64_t letters, bytes;
	struct ch_time oldest, newest;		 /* of letters > 0 */
	struct ch_view names[LETTERS_GROUP_MAX]; /* ptr NULL: none */
};
int letters_sort(const PGresult *res, int i, const struct letters_group *by,
	struct letters_sort *out, struct ch_err *err);

#endif
