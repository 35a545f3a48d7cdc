/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fence: taking a partition for this process, so that nobody else can write
 * for it.
 *
 * A claim raises the partition's epoch in one autocommit statement. It waits
 * for the old owner's open transaction; from then on the old owner's fence
 * finds no row. An owner that was stopped with its locks held does not finish:
 * after 2 s its backend is ended, and so are writers' backends that the claim
 * waits for. The same claim settles a COMMIT whose answer was lost: the stored
 * offset says whether it happened.
 *
 * Before records flow, the log is checked: cluster id, topic id, and whether
 * the stored offset lies in the log. If not, the partition stops with an alert
 * (a recreated topic would be skipped in silence otherwise); others go on.
 *
 * Thread: loop only.
 */
#ifndef LEDGER_FENCE_H
#define LEDGER_FENCE_H

#include "io/kafka_topic.h"
#include "intake.h"
#include "session.h"

struct fence {
	const struct ch_runtime *rt;
	struct session *session;
	struct intake *intake;
	struct ch_mono checked_at; /* topics' ids */
	const char *described;	   /* interned; NULL: none */
	struct ch_mono described_at;
	struct ch_kafka_topic description; /* of `described` */
};

void fence_init(struct fence *f, const struct ch_runtime *rt,
	struct session *session, struct intake *intake);
/* Claims one wanted partition whose time has come; false: there is none. One a
 * turn, so that the rest of the loop goes on. */
bool fence_claim_next(struct fence *f);
/* Milliseconds until the next claim is due; -1: none is wanted. */
int fence_wait_ms(const struct fence *f);
/* Looks whether topics are still those that the offsets belong to; does
 * something every `topic_check` only, or when Kafka does not know one. */
void fence_check_topics(struct fence *f);
/* Its records are void: claimed again after so many milliseconds, if it is ours
 * still, and read again from the stored offset. */
void fence_let_go(struct fence *f, struct partition *p, int64_t ms);
/* After a fence that found another owner: claim again after some jitter, if
 * Kafka still says that it is ours. */
void fence_lost(struct fence *f, struct partition *p);

#endif
