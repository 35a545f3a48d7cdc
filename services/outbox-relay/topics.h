/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topics: what is known of each topic that rows go to: is it there (presence.h),
 * is it sent to now (target.h), and whose trial is next.
 *
 * Whose trial: of a topic that flows one suspect is tried at a time, and not
 * all rows that wait are looked at for each trial: beside thousands of suspects
 * no other topic's rows would be. So a topic becomes due when the next suspect
 * can be tried. The owner then asks its waiting rows in order, wakes those of
 * no suspect's key and those that are chosen (one key's of each topic), and
 * says when it has asked all. Until one is chosen none is tried, so that none
 * passes an earlier one of its key.
 *
 * Invariants: a topic's place is its route's number; pointers to a topic hold
 * until topics_of() meets another one.
 *
 * Thread: belongs to one thread. `now` is passed in.
 */
#ifndef RELAY_TOPICS_H
#define RELAY_TOPICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/rng.h"
#include "event.h"
#include "presence.h"
#include "route.h"
#include "target.h"

struct topic {
	const struct route_topic *route; /* NULL: never met */
	struct presence presence;
	struct target target;
	bool told_partition; /* that rows name one that is not there */
	bool due;	     /* it flows, and another suspect can be tried */
	const struct event *chosen; /* this one; in one pass only */
};

/* Not to be moved: breakers draw from its rng. */
struct topics {
	struct topic *all;
	int count;
	bool any_due;
	struct ch_rng rng;
};

void topics_init(struct topics *s);
void topics_free(struct topics *s);
/* Of a route; met now, if it was not. */
struct topic *topics_of(struct topics *s, const struct route_topic *route);
/* All that were met: the one after, NULL: the first. NULL at the end. */
struct topic *topics_next(const struct topics *s, const struct topic *after);

/* Another suspect of it can be tried. */
void topics_let_try(struct topics *s, struct topic *t);
/* Breakers whose time is over; true: rows of one that was open can go. */
bool topics_let_waiting_ask(struct topics *s, struct ch_mono now);
bool topics_is_due(const struct topics *s, const struct event *e);
/* The row's topic is due: is it the one to be tried? */
bool topics_choose(struct topics *s, const struct event *e);
/* All rows were asked. */
void topics_chosen(struct topics *s);
/* The chosen one was not tried after all. */
void topics_look_again(struct topics *s, const struct route_topic *route);
/* One that rested, of whatever topic, can be tried. */
void topics_look_at_all(struct topics *s);

/* What is in flight will not be reported. */
void topics_drop(struct topics *s, struct ch_mono now);
/* Milliseconds until one of them has something to do; -1: none has. */
int64_t topics_next_ms(const struct topics *s, struct ch_mono now);
/* Those that do not exist. */
int topics_missing(const struct topics *s);

#endif
