/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition: one topic partition as this process sees it.
 *
 *	assigned ──▶ WANTED ──claim──▶ OWNED ──fenced, new connection──▶ WANTED
 *	               │                 │
 *	               └─wrong log───────┴──▶ STOPPED      revoked: GONE (from all)
 *
 * Kafka says which partitions are wanted; only the epoch row in PostgreSQL
 * says that one is owned (fence.c). Objects live until the intake is closed,
 * so that records may point at them.
 *
 * Thread: loop only. Pure.
 */
#ifndef LEDGER_PARTITION_H
#define LEDGER_PARTITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/uuid.h"

enum topic_kind { TOPIC_COMMANDS, TOPIC_TRADES, TOPIC_FILLS };
#define TOPIC_KINDS 3

enum partition_state {
	PARTITION_GONE,	   /* not ours by Kafka's word */
	PARTITION_WANTED,  /* ours by Kafka's word; to be claimed at retry_at */
	PARTITION_OWNED,   /* claimed: records may be applied */
	PARTITION_STOPPED, /* its log is not the one that the offset is of */
};

/* Offsets [from, to). */
struct offset_range {
	int64_t from, to;
};

struct partition {
	const char *topic; /* interned by the consumer */
	int32_t part;
	enum topic_kind kind;
	enum partition_state state;
	uint32_t turn; /* raised whenever records read so far become void */
	struct ch_mono retry_at;
	size_t org_len; /* last bytes of topic that name its one org; 0: none */
	int64_t read_to;    /* behind the last record taken in this turn */
	uint32_t read_turn; /* the turn that read_to is of */
	bool hole_told;	    /* a hole was warned of already */
	int64_t hinted;	    /* next_offset last told to Kafka; -1: none */
	int32_t siblings;   /* partitions of the topic; 0: not known */
	bool outside;	    /* Kafka said: the offset is not in the log */
	int64_t cut;	    /* and: the log was cut there; -1: it did not */
	unsigned attempts;  /* claims that failed in a row */
	size_t alone;	  /* its records are tried alone, so many (apart.h); 0:
			   * with all others' */
	int64_t alone_to; /* until next_offset is there */
	unsigned held;	  /* tries in a row of the one that holds it up */
	bool told;	  /* of that one, to whom must look */
	bool placed;	  /* claimed since it was assigned: next_offset is so */
	int64_t end;	  /* of its log, as last heard; -1: not known */
	int64_t waits_at; /* next_offset when records were first seen behind */
	struct ch_mono waits_since; /* that moment; ns 0: none wait */

	/* As stored by the last claim or the last commit of ours. */
	int32_t stream;
	int64_t epoch;
	int64_t next_offset;
	int32_t leader_epoch; /* of the record before it; -1: not known */
	int64_t next_log_seq;
	char topic_id[CH_UUID_TEXT_MAX]; /* that the offset belongs to */
	int64_t in_doubt; /* offset whose commit got no answer; -1: none */
	/* The greatest next_offset that PostgreSQL was seen to have since it was
	 * assigned or restarted; -1: none. */
	int64_t seen;
	/* Of what comes, what was decided before a restart; ascending. */
	struct offset_range *decided;
	size_t decided_count, decided_cap;
};

struct partitions {
	struct partition **items; /* sorted by topic, part */
	size_t count;
	size_t cap;
};

/* Finds or adds; a new one is GONE. topic must be interned. */
struct partition *partitions_get(struct partitions *ps, const char *topic,
	int32_t part);
size_t partitions_count(const struct partitions *ps,
	enum partition_state state);
/* Is one held up by a record that somebody must look at? */
bool partitions_held(const struct partitions *ps);
void partitions_free(struct partitions *ps);
/* Leaves OWNED or STOPPED for WANTED at once; records read so far are void. */
void partition_want(struct partition *p, struct ch_mono retry_at);
/* The offset that was to come next, now that `offset` is read. */
int64_t partition_expect(struct partition *p, int64_t offset);
/* Records between next_offset and the end; -1: not known. */
int64_t partition_lag(const struct partition *p);
/* For how long next_offset has stood still with records behind it, as far as
 * these looks tell: its oldest record is at least so old. */
int64_t partition_waits_ms(struct partition *p, struct ch_mono now);
void partition_move(struct partition *p, enum partition_state to);
/* What PostgreSQL had before says nothing any more: it was restarted. */
void partition_forget_seen(struct partition *p);
void partition_forget_decided(struct partition *p);
void partition_add_decided(struct partition *p, int64_t from, int64_t to);
/* Was the record at that offset decided before the partition was restarted? */
bool partition_decided(const struct partition *p, int64_t offset);

#endif
