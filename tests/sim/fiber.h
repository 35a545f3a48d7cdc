/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fiber: a function with a stack of its own, so that code which waits can be
 * left in the middle and gone on with later, in one thread.
 *
 * The loop of ledger-writer is written to block. In the simulation each writer
 * is a fiber: whatever would wait in a poll(2) yields instead, and the
 * scheduler chooses who goes on.
 *
 * Thread: all of one thread; fibers do not resume each other.
 */
#ifndef TESTS_SIM_FIBER_H
#define TESTS_SIM_FIBER_H

#include <stdbool.h>

struct fiber;

struct fiber *fiber_new(void);
/* It must not be in the middle of something. */
void fiber_free(struct fiber *f);
/* The next fiber_resume() calls fn(arg). */
void fiber_begin(struct fiber *f, void (*fn)(void *arg), void *arg);
/* Goes on with it until it yields or ends. */
void fiber_resume(struct fiber *f);
/* Inside of a fiber: back to whoever resumed it. */
void fiber_yield(struct fiber *f);
/* Has fn returned? */
bool fiber_ended(const struct fiber *f);

#endif
