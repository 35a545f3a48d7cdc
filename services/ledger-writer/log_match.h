/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_match: does the offset that PostgreSQL has of a partition belong to the
 * log that Kafka has, and is either of them missing what it once had?
 *
 * The two keep one history between them. Kafka's part was lost when the topic
 * is another one, when its first records are gone unread, or when its log ended
 * before the stored offset at any time since. PostgreSQL's part was lost when a
 * greater offset was seen in it before: by this process, or by the group, whose
 * offset is committed to Kafka only behind PostgreSQL's COMMIT. An operator's
 * restart (ch.restart_partition) takes the ids away, and with them what was
 * seen.
 *
 * Thread: any. Pure.
 */
#ifndef LEDGER_LOG_MATCH_H
#define LEDGER_LOG_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LOG_ID_MAX 64 /* bytes of a cluster's or topic's id, with its NUL */

/* What the row said, and what Kafka says. */
struct log_facts {
	int64_t epoch, next_offset, next_log_seq, stream;
	int64_t decided_to;   /* what was decided before a restart ends there */
	int64_t cut_at;	      /* the log was seen to end there; -1: no such */
	int64_t leader_epoch; /* of the record before next_offset; or -1 */
	char cluster[LOG_ID_MAX], topic_id[LOG_ID_MAX];
	char real_cluster[LOG_ID_MAX], real_topic_id[LOG_ID_MAX];
	bool fresh;	   /* never read before */
	int64_t low, high; /* high INT64_MAX: not asked */
	int64_t committed; /* by the group; -1: nothing */
	int64_t seen;	   /* the greatest offset PostgreSQL had; -1: none */
};

enum log_match {
	LOG_MATCHES,
	LOG_IS_ANOTHER, /* than the one that the offset is of: by its ids */
	LOG_IS_SHORT,	/* it does not have the offset, or once had not */
	LOG_IS_AHEAD,	/* PostgreSQL lost decisions */
};

/* An operator has restarted it, and nobody has claimed it since. */
bool log_was_restarted(const struct log_facts *f);
/* why says what does not match, unless LOG_MATCHES. */
enum log_match log_match(const struct log_facts *f, struct ch_err *why);

#endif
