/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archived_log: days of the log that were dropped, from their files into the
 * target schema, so that a replay reads them as if they were there.
 *
 * A file is taken only with the digest that was recorded when the day went.
 *
 * Thread: main.
 */
#ifndef LEDGER_ARCHIVED_LOG_H
#define LEDGER_ARCHIVED_LOG_H

#include "session.h"

/* dir NULL: no files are at hand. snapshot 0: from the beginning. Loads what is
 * in dir of the dropped days. CH_ENOTFOUND: a day with rows that are needed is
 * not to be had. */
int archived_log_load(struct session *s, int64_t snapshot, const char *dir,
	struct ch_err *err);

#endif
