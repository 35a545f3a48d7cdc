/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker: Kafka as ledger-writer uses it: a topic of commands and one of fills,
 * whose partitions hold records, with holes in the offsets; a group that spreads
 * the partitions over the processes that are members.
 *
 * `part` numbers the partitions of both topics through: those of commands come
 * first, so that theirs are Kafka's numbers, too.
 *
 * A partition is taken from its owner by a call back when that one polls, and
 * given to the next owner after that: or before, when the owner was not heard
 * of for too long, and now and then just so, since the promise must not rest
 * on Kafka's.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_BROKER_H
#define TESTS_SIM_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "io/kafka_consumer.h"
#include "serial_model.h"

#define BROKER_COMMAND_PARTS 4
#define BROKER_FILL_PARTS 2
#define BROKER_PARTS (BROKER_COMMAND_PARTS + BROKER_FILL_PARTS)
#define BROKER_SESSION_US INT64_C(8000000)

struct world;
struct proc;

struct sim_record {
	int64_t offset;
	int64_t at_ms;	   /* its time, as the producer says */
	const char *value; /* NULL: a tombstone */
	size_t len;
	struct serial_command *command;
	bool is_poison; /* PostgreSQL will not take it */
	unsigned reads; /* handed out so often */
	bool is_judged;
};

struct topic_part {
	struct sim_record *records;
	size_t count, cap;
	int64_t end;	   /* the next offset */
	int64_t committed; /* by the group; 0: nothing */
	int owner; /* number of the process that it was given to; 0: none */
	int given; /* the one that is to have it once the owner has let go */
};

/* What one client knows of one partition. */
struct sim_assigned {
	bool assigned;
	bool started;
	bool paused;
	int64_t position;
	/* calls back that wait for a poll */
	bool to_assign, to_revoke, lost;
};

struct ch_kafka_consumer {
	struct proc *process;
	struct ch_kafka_consumer_events events;
	void *ctx;
	bool joined;
	bool finished; /* its static name was taken */
	struct sim_assigned parts[BROKER_PARTS];
};

struct broker {
	struct world *world;
	struct ch_arena arena; /* of values */
	struct topic_part parts[BROKER_PARTS];
	int command_parts;
	int part_count; /* of both topics */
};

void broker_open(struct broker *b, struct world *w, int command_parts,
	int fill_parts);
void broker_close(struct broker *b);
bool broker_has_fills(const struct broker *b, int part);
/* Both ways between `part` and what Kafka calls it. */
const char *broker_topic(const struct broker *b, int part);
int broker_partition(const struct broker *b, int part);
int broker_part(const struct broker *b, struct ch_view topic, int partition);
/* Copies the value, takes ownership of the command, and gives the record its
 * offset; hole: one is left out before it. */
void broker_produce(struct broker *b, int part, const struct sim_record *record,
	bool hole);
/* The record of that offset, or NULL. */
struct sim_record *broker_record(struct broker *b, int part, int64_t offset);
/* Has somebody to own what nobody does, and members that join share. */
void broker_turn(struct broker *b);
/* Gives one partition to another member. */
void broker_rebalance(struct broker *b);
/* That process has left the group, or is not heard of any more. */
void broker_left(struct broker *b, struct proc *p);
/* Another membership has taken its static name: its client is finished. */
void broker_take_name(struct broker *b, struct proc *p);
/* The partition was let go by its owner: whoever is to have it gets it. */
void broker_let_go(struct broker *b, int part, struct proc *by);
/* Is there something for this client to poll? */
bool broker_has_work(const struct broker *b, const struct ch_kafka_consumer *c);

#endif
