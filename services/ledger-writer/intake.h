/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake: records from Kafka into the batch that gathers.
 *
 * Kafka's callbacks only mark partitions (partition.h); claiming and starting
 * them is the loop's. A record of a partition that is not OWNED is dropped: it
 * will be read again from the stored offset.
 *
 * Bounded memory: at most one batch of commands and one of trades gather here;
 * when full nothing is polled, and when that lasts, partitions are paused so
 * that polling (which keeps the group's membership) may go on.
 *
 * Thread: loop only.
 */
#ifndef LEDGER_INTAKE_H
#define LEDGER_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "daemon/daemon.h"
#include "io/kafka_consumer.h"
#include "io/kafka_ends.h"
#include "load.h"
#include "partition.h"
#include "trade_load.h"

struct intake {
	const struct ch_runtime *rt;
	struct ch_kafka_consumer *consumer;
	struct ch_kafka_ends *ends; /* of logs that are not fetched now */
	struct partitions partitions;
	struct load *next;	       /* commands that gather */
	struct trade_load *trades;     /* trades that gather */
	size_t max_records, max_bytes; /* of one batch */
	struct ch_series *records[TOPIC_KINDS];
	bool doubtful; /* is each topic still the one it was? */
	bool draining; /* nothing more is taken in */
	bool paused;
	struct ch_mono polled_at;
	struct ch_err fatal;	    /* code 0: none */
	struct ch_mono reopen_from; /* before that a reopening is refused */
};

int intake_open(struct intake *in, const struct ch_runtime *rt,
	struct ch_err *err);
/* Leaves the group; frees everything. */
void intake_close(struct intake *in, int deadline_ms);
/* Is `fatal` that another membership took this static member's name? Kafka
 * says so also to the one process that has it, when an answer to its last
 * membership comes after it had to join anew. */
bool intake_was_fenced(const struct intake *in);
/* Leaves and joins again with a new consumer. No load may hold a record: what
 * was read is void, and so is every struct partition. Refused with `fatal`
 * when the last time was less than a minute ago: two processes with one
 * name would take it from each other for ever. */
int intake_reopen(struct intake *in, struct ch_err *err);
/* Takes in what is there without waiting, up to a bounded number of records.
 * Failures are kept in `fatal`. */
void intake_gather(struct intake *in);
/* The descriptor to wake for; -1 while nothing more is wanted. */
int intake_fd(const struct intake *in);
/* The connection is gone: what is owned must be claimed anew. */
void intake_disown_all(struct intake *in, struct ch_mono retry_at);
/* Lag hints for Kafka's own tools, of every owned partition. */
void intake_commit_hints(struct intake *in);
/* Hears where the logs end, of all partitions: what is fetched tells it; the
 * others are asked for, and known by a later call. */
void intake_hear_ends(struct intake *in);

#endif
