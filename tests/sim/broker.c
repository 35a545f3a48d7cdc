/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker: see broker.h. Its clients are twin_kafka.c.
 */
#include "broker.h"

#include <stdlib.h>

#include "world.h"

#define SPREAD_IN 8 /* turns */

static const char *const names[BROKER_TOPICS] = {
	[BROKER_COMMANDS] = "ledger.commands",
	[BROKER_FILLS] = "market.fills",
	[BROKER_TRADES] = "market.trades"};

void
broker_open(struct broker *b, struct world *w, const int parts[BROKER_TOPICS])
{
	*b = (struct broker){.world = w};
	for (int i = 0; i < BROKER_TOPICS; i++)
		b->first[i + 1] = b->first[i] + parts[i];
	b->part_count = b->first[BROKER_TOPICS];
}

static void
free_command(const struct sim_record *r)
{
	if (r->command != NULL)
		serial_command_free(r->command);
}

void
broker_close(struct broker *b)
{
	for (int i = 0; i < b->part_count; i++) {
		struct topic_part *t = &b->parts[i];

		for (size_t k = 0; k < t->count; k++)
			free_command(&t->records[k]);
		free(t->records);
	}
	ch_arena_free(&b->arena);
}

/* ---- partitions ---- */

enum broker_topic
broker_topic_of(const struct broker *b, int part)
{
	enum broker_topic topic = BROKER_COMMANDS;

	while (part >= b->first[topic + 1])
		topic++;
	return topic;
}

const char *
broker_topic_name(const struct broker *b, int part)
{
	return names[broker_topic_of(b, part)];
}

int
broker_partition(const struct broker *b, int part)
{
	return part - b->first[broker_topic_of(b, part)];
}

int
broker_part(const struct broker *b, struct ch_view topic, int partition)
{
	int i = 0;

	while (!ch_view_eq_str(topic, names[i]))
		i++;
	return b->first[i] + partition;
}

int
broker_siblings(const struct broker *b, int part)
{
	enum broker_topic topic = broker_topic_of(b, part);

	return b->first[topic + 1] - b->first[topic];
}

int
broker_any_part(struct broker *b, enum broker_topic topic)
{
	int n = b->first[topic + 1] - b->first[topic];

	return b->first[topic] + (int)world_below(b->world, (unsigned)n);
}

/* ---- records ---- */

static void
wake_owner(struct broker *b, const struct topic_part *t)
{
	if (t->owner != 0)
		proc_poke(&b->world->processes[t->owner - 1]);
}

void
broker_produce(struct broker *b, int part, const struct sim_record *record,
	bool hole)
{
	struct topic_part *t = &b->parts[part];
	struct sim_record *r;

	if (t->count == t->cap) {
		t->cap = t->cap > 0 ? t->cap * 2 : 32;
		t->records =
			ch_xrealloc(t->records, t->cap, sizeof(*t->records));
	}
	if (hole) {
		world_count(b->world, EVENT_HOLE);
		t->end++;
	}
	r = &t->records[t->count++];
	*r = *record;
	r->offset = t->end++;
	if (r->value != NULL)
		r->value = ch_arena_str(&b->arena,
			(struct ch_view){r->value, r->len});
	wake_owner(b, t);
}

struct sim_record *
broker_record(struct broker *b, int part, int64_t offset)
{
	struct topic_part *t = &b->parts[part];

	for (size_t i = 0; i < t->count; i++) {
		if (t->records[i].offset == offset)
			return &t->records[i];
	}
	return NULL;
}

bool
broker_has_work(const struct broker *b, const struct ch_kafka_consumer *c)
{
	if (c->finished)
		return true;
	for (int i = 0; i < b->part_count; i++) {
		const struct sim_assigned *a = &c->parts[i];

		if (a->to_assign || a->to_revoke ||
			(a->started && !a->paused &&
				a->position < b->parts[i].end))
			return true;
	}
	return false;
}

/* ---- the group ---- */

/* A heartbeat is not sent by who is stopped or dead. */
static bool
is_silent(const struct world *w, const struct proc *p)
{
	if (!p->alive || p->killed)
		return true;
	return p->stopped_until != 0 &&
		w->now.us - p->stopped_at > BROKER_SESSION_US;
}

/* Whoever would be given a partition. */
static bool
is_member(const struct proc *p)
{
	return !is_silent(p->world, p) && !p->leaving && p->consumer != NULL &&
		p->consumer->joined && !p->consumer->finished;
}

static struct proc *
any_member(struct broker *b, int but)
{
	struct world *w = b->world;
	struct proc *found = NULL;
	unsigned seen = 0;

	for (int i = 0; i < w->process_count; i++) {
		struct proc *p = &w->processes[i];

		if (p->number != but && is_member(p) &&
			world_below(w, ++seen) == 0)
			found = p;
	}
	return found;
}

static void
give(struct broker *b, int part, struct proc *p)
{
	struct topic_part *t = &b->parts[part];

	t->owner = p->number;
	t->given = 0;
	p->consumer->parts[part].to_assign = true;
	proc_poke(p);
}

void
broker_let_go(struct broker *b, int part, struct proc *by)
{
	struct topic_part *t = &b->parts[part];
	struct proc *next;

	if (t->owner != by->number)
		return; /* it was given away over its head */
	next = t->given > 0 ? &b->world->processes[t->given - 1] : NULL;
	t->owner = 0;
	t->given = 0;
	if (next != NULL && is_member(next))
		give(b, part, next);
}

static void
take_from(struct broker *b, int part, struct proc *p, bool lost)
{
	struct ch_kafka_consumer *c = p->consumer;

	b->parts[part].owner = 0;
	b->parts[part].given = 0;
	if (c == NULL)
		return;
	c->parts[part].to_assign = false;
	if (c->parts[part].assigned) {
		c->parts[part].to_revoke = true;
		c->parts[part].lost = lost;
	}
}

void
broker_left(struct broker *b, struct proc *p)
{
	for (int i = 0; i < b->part_count; i++) {
		if (b->parts[i].owner == p->number)
			take_from(b, i, p, true);
	}
}

void
broker_take_name(struct broker *b, struct proc *p)
{
	world_count(b->world, EVENT_NAME_TAKEN);
	broker_left(b, p);
	p->consumer->finished = true;
	proc_poke(p);
}

/* From its owner, who is told, to another. */
static void
move_part(struct broker *b, int part, struct proc *next)
{
	struct topic_part *t = &b->parts[part];
	struct proc *owner = &b->world->processes[t->owner - 1];

	world_count(b->world, EVENT_REBALANCED);
	if (world_one_in(b->world, 5)) {
		world_count(b->world, EVENT_TWO_OWNERS);
		take_from(b, part, owner, true);
		give(b, part, next);
	} else {
		owner->consumer->parts[part].to_revoke = true;
		owner->consumer->parts[part].lost = false;
		t->given = next->number;
	}
	proc_poke(owner);
}

/* Can it be taken from somebody in order? */
static bool
is_movable(const struct broker *b, int part)
{
	const struct topic_part *t = &b->parts[part];
	const struct proc *owner;

	if (t->owner == 0 || t->given != 0)
		return false;
	owner = &b->world->processes[t->owner - 1];
	return owner->consumer != NULL && owner->consumer->parts[part].assigned;
}

/* How many are, or will be, that process's. */
static int
count_parts(const struct broker *b, const struct proc *p)
{
	int n = 0;

	for (int i = 0; i < b->part_count; i++)
		n += b->parts[i].given != 0 ? b->parts[i].given == p->number
					    : b->parts[i].owner == p->number;
	return n;
}

/* Whoever has none gets one of who has several: members that join share. */
static void
spread(struct broker *b)
{
	int part = (int)world_below(b->world, (unsigned)b->part_count);
	struct proc *next = any_member(b, b->parts[part].owner);

	if (next != NULL && is_movable(b, part) && count_parts(b, next) == 0 &&
		count_parts(b, &b->world->processes[b->parts[part].owner - 1]) >
			1)
		move_part(b, part, next);
}

/* Somebody is to own what nobody does. */
static void
give_out(struct broker *b)
{
	struct world *w = b->world;

	for (int i = 0; i < b->part_count; i++) {
		struct topic_part *t = &b->parts[i];
		struct proc *owner;

		if (t->owner != 0) {
			owner = &w->processes[t->owner - 1];
			if (!is_silent(w, owner))
				continue;
			if (owner->alive && !owner->killed)
				world_count(w, EVENT_MEMBER_LOST);
			take_from(b, i, owner, true);
		}
		owner = any_member(b, 0);
		if (owner != NULL)
			give(b, i, owner);
	}
}

void
broker_turn(struct broker *b)
{
	give_out(b);
	if (world_one_in(b->world, SPREAD_IN))
		spread(b);
}

void
broker_rebalance(struct broker *b)
{
	int part = (int)world_below(b->world, (unsigned)b->part_count);
	struct proc *next = any_member(b, b->parts[part].owner);

	if (next != NULL && is_movable(b, part))
		move_part(b, part, next);
}
