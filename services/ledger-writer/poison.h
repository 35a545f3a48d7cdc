/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poison: finding the one command that PostgreSQL refuses.
 *
 * A load that was refused for something in its rows becomes the suspects; they
 * are tried in their order, in halves, so that the rest is applied and the
 * culprit stands alone after about 2 log2(n) transactions. Alone it is tried
 * twice; then what is due on its owners is settled without it (a timer may be
 * the culprit). If something due was refused, or settled for the first time, its
 * refusals count for nothing; if there was nothing, or all that was due went
 * well a second time (on some owners something always runs out), it is the
 * command itself, and it is parked.
 *
 * A load that is too large for one transaction is tried in parts in the same
 * way, with nobody suspected.
 *
 * A load that is too large for one transaction is tried in parts in the same
 * way, with nobody suspected.
 *
 * Thread: loop only. Pure.
 */
#ifndef LEDGER_POISON_H
#define LEDGER_POISON_H

#include <stdbool.h>
#include <stddef.h>

#include "load.h"

struct poison {
	struct load *suspects; /* empty: none */
	size_t at;	       /* those before are dealt with */
	size_t end;	       /* a culprit is among those before this one */
	size_t span;	       /* how many are tried next */
	unsigned alone;	       /* refusals of the one at `at` */
	bool acquitted;	       /* that one was, once */
};

enum poison_next {
	POISON_TRY,    /* take the next part and apply it */
	POISON_SETTLE, /* settle what is due without the one in hand: park it
			* when nothing was due, else acquit and try again */
};

void poison_init(struct poison *p, const struct command_limits *limits);
void poison_free(struct poison *p);
bool poison_active(const struct poison *p);
/* The load in hand was refused: it becomes the suspects; *now is left empty. */
void poison_suspect(struct poison *p, struct load **now);
/* Fills `now`, which is empty, with the next part. */
void poison_take(struct poison *p, struct load *now);
/* The load in hand is too large, its first `fits` entries are not: they are next,
 * and then the rest. It becomes the suspects, unless it is of them. */
void poison_cut(struct poison *p, struct load **now, size_t fits);
/* The part in hand is committed. */
void poison_passed(struct poison *p);
/* The part in hand was refused. */
enum poison_next poison_refused(struct poison *p);
/* Something was due: the refusals so far may have been its. False: not again,
 * unless it was refused, too. */
bool poison_acquit(struct poison *p, bool due_refused);
/* Forgets all: the records will be read again. */
void poison_clear(struct poison *p);

#endif
