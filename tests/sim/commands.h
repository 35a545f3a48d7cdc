/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands: what producers send in one history: tens of commands on few names,
 * so that they meet: hot accounts, the same holds and markets over and over,
 * ids sent again, also through two partitions at once, groups, reversals of
 * what was sent before, values that nobody can read, commands whose row
 * PostgreSQL refuses. A venue (venue.h) reports fills of their orders meanwhile,
 * and a feed (tape.h) what everybody trades.
 *
 * The first command of each history opens the books (one group, the same in all
 * of them).
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_COMMANDS_H
#define TESTS_SIM_COMMANDS_H

#include <stddef.h>

struct world;
struct commands;

struct commands *commands_new(void);
void commands_free(struct commands *c);
/* Another history. */
void commands_reset(struct commands *c);
/* How many were sent, the first one and reports included; repetitions do not
 * count. */
size_t commands_sent(const struct commands *c);
/* Sends the first one, to partition 0. */
void commands_open(struct commands *c, struct world *w);
/* Sends the next one, or what venue or feed report; perhaps twice. */
void commands_send(struct commands *c, struct world *w);

#endif
