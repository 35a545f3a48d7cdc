/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker: Kafka as ledger-writer uses it: topics of commands, of fills and of
 * trades, whose partitions hold records, with holes in the offsets; a group that
 * spreads the partitions over the processes that are members.
 *
 * `part` numbers the partitions of all topics through: those of commands come
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
#include "tape.h"

enum broker_topic { BROKER_COMMANDS, BROKER_FILLS, BROKER_TRADES };
#define BROKER_TOPICS 3
#define BROKER_PARTS 8 /* of all topics, at most */
#define BROKER_SESSION_US INT64_C(8000000)

struct world;
struct proc;

struct sim_record {
	int64_t offset;
	int64_t at_ms;	   /* its time, as the producer says */
	const char *value; /* NULL: a tombstone */
	size_t len;
	struct serial_command *command; /* NULL: it is a trade */
	struct tape_print print;	/* that trade */
	bool is_poison;			/* PostgreSQL will not take it */
	unsigned reads;			/* handed out so often */
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
	int first[BROKER_TOPICS + 1]; /* part of each topic */
	int part_count;
};

/* So many partitions of each topic. */
void broker_open(struct broker *b, struct world *w,
	const int parts[BROKER_TOPICS]);
void broker_close(struct broker *b);
enum broker_topic broker_topic_of(const struct broker *b, int part);
/* Both ways between `part` and what Kafka calls it. */
const char *broker_topic_name(const struct broker *b, int part);
int broker_partition(const struct broker *b, int part);
int broker_part(const struct broker *b, struct ch_view topic, int partition);
/* How many the topic has that this part is of. */
int broker_siblings(const struct broker *b, int part);
/* One of that topic's, by chance. */
int broker_any_part(struct broker *b, enum broker_topic topic);
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
