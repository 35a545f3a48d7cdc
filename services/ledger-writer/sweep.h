/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweep: holds and reservations that ran out while nobody asked for their
 * account or SKU, and the holders of settled markets.
 *
 * A batch settles what is due on the rows that it touches; for the rest, each
 * owner looks now and then at what its own partitions made, and one of them at
 * what partitions made that nobody owns any more. The settlement is
 * a batch without records, numbered by the lowest partition; so is a page of
 * payments, whose progress is in the market's row, so that whoever takes the
 * partition over goes on where it stopped. What PostgreSQL refuses alone, twice,
 * is set aside with an alert (aside.h), a settlement as a whole since its pages
 * follow one another, and never stands in the way of others.
 *
 * Thread: loop only.
 */
#ifndef LEDGER_SWEEP_H
#define LEDGER_SWEEP_H

#include "apply.h"
#include "intake.h"

struct sweep {
	const struct ch_runtime *rt;
	struct session *session;
	struct intake *intake;
	struct apply *apply;
	struct load *load;
	struct ch_pg_array aside; /* numbers set aside, as sent */
	struct ch_mono next_at;
	int64_t most; /* of each kind in one settlement; falls after refusals */
	bool refused; /* something was, in the last sweep_owners() */
	int64_t page; /* positions that one page pays: LEDGER_PAGE, but in tests */
};

/* What came of looking for something due. */
enum sweep_end {
	SWEEP_NOTHING, /* nothing was due */
	SWEEP_SOME,    /* something was settled, or set aside: look again */
	SWEEP_FAILED,  /* for now: nothing is known */
};

void sweep_init(struct sweep *w, struct apply *apply, struct intake *intake);
void sweep_free(struct sweep *w);
/* Does something when its time has come. */
void sweep_turn(struct sweep *w);
/* Settles what is due at `at` or now on the accounts and SKUs of these books,
 * without their commands, in so many transactions at most; what is refused
 * alone is set aside. */
#define SWEEP_ALL 64  /* for one command's owners; a page's holders */
#define SWEEP_A_FEW 8 /* for one turn of the loop */
enum sweep_end sweep_owners(struct sweep *w, const struct books *b,
	struct ch_time at, int transactions);
/* Names the positions behind `cursor` that the next page of m pays, at most
 * `page`, and their holders, into the load; pay_last: no page follows. 0 or a
 * code of io/pg.h. */
int sweep_name_positions(struct session *s, struct load *l, struct market *m,
	int64_t cursor, int64_t page, struct ch_err *err);
int sweep_wait_ms(const struct sweep *w);

#endif
