/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alert: rows in the outbox that end on fleet.alerts.
 *
 * Written outside of batches, each in a statement of its own; an alert that
 * cannot be written is logged and given up, since the metric and the log say
 * the same.
 *
 * Thread: loop only.
 */
#ifndef LEDGER_ALERT_H
#define LEDGER_ALERT_H

#include "lock_rows.h"
#include "partition.h"
#include "session.h"

void alert_partition_stopped(struct session *s, const struct partition *p,
	const struct ch_err *why);
/* It was stopped because PostgreSQL once had that greater offset. */
void alert_partition_rewound(struct session *s, const struct partition *p,
	int64_t seen, const struct ch_err *why);
/* So many first records of its log were gone when it was begun. */
void alert_partition_begun_late(struct session *s, const struct partition *p,
	int64_t records);
/* The record at that offset cannot be applied, and why convicts it of nothing:
 * its partition waits. */
void alert_partition_waits(struct session *s, const struct partition *p,
	int64_t offset, const char *why);
/* A hold or reservation whose expiry PostgreSQL refuses, or a market a page of
 * whose settlement it refuses, was set aside. */
void alert_set_aside(struct session *s, const struct due_ref *due,
	const struct ch_err *why, const char *mend);
/* A row that the books need is gone; why names it. */
void alert_row_missing(struct session *s, const struct ch_err *why);

#endif
