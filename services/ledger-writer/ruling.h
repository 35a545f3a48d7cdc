/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ruling: what the books say to one command, as the rules work it out.
 *
 * It begins as `applied`. A rule names every refusal that fits; the ruling
 * keeps the first in the order of precedence, and the first text of that one.
 * A rule changes rows, and leaves postings and events, only when nothing was
 * refused (ruling_open()), after it has checked everything: so a refused
 * command leaves the books untouched, and the members of a group can be ruled
 * one after the other on the same rows.
 *
 * Ownership: rows belong to the books; texts to the ruling's owner.
 * Thread: belongs to one thread.
 */
#ifndef LEDGER_WRITER_RULING_H
#define LEDGER_WRITER_RULING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/money.h"
#include "base/str.h"
#include "base/uuid.h"
#include "books.h"
#include "ledger.h"

struct ruling_posting {
	const struct account *account; /* a shard stands for itself */
	struct ch_amount amount;       /* a debit is negative */
	struct ch_amount balance_after;
};

/* An event that an applied command leaves. Its payload says what the rows were
 * right then; the caller adds where it stands (command_id, seq, decided_at). */
struct ruling_event {
	const char *aggregatetype; /* static */
	const char *type;	   /* static */
	const struct row *owner;   /* the aggregate's id: <org>/<name> */
	size_t from, len;	   /* of event_text */
};

/* What the tightest rate rule says, for the answer. */
struct ruling_rate {
	struct ch_view rule; /* ptr NULL: no rule applies */
	int64_t limit;
	int64_t remaining; /* after this command */
	bool has_reset;
	struct ch_time
		reset; /* when the oldest counted one leaves the window */
};

struct ruling {
	struct books *books;
	struct ch_time at;  /* decided_at */
	int32_t stream;	    /* that the command came through */
	int32_t part;	    /* the same, within its topic */
	struct ch_uuid id;  /* of the command; a timer's rows: their own */
	int64_t lowest_day; /* that the log keeps, in days since 1970 */
	size_t counted; /* rows that the gates touched: a refusal keeps them */
	enum ledger_status status;
	struct ch_buf reason; /* of status; empty when applied */
	struct ruling_posting *postings;
	size_t posting_count, posting_cap;
	struct ruling_event *events;
	size_t event_count, event_cap;
	struct ch_buf event_text;
	/* Of a group that failed: the member, and its own status. */
	size_t failed_index;
	enum ledger_status failed_status;
	const struct market *pool; /* with pool_exists: the one that exists */
	bool confirmed;		   /* what the command reports was known */
	struct ruling_rate rate;
	struct ch_arena scratch; /* the running rule's own */
	size_t looked_at; /* bytes of it, of all rules since somebody set 0 */
};

/* Starts a command on the books: books_begin(). The first time r must be zero;
 * its buffers are kept from command to command. */
struct ruling_of {
	struct ch_time at;
	int32_t stream;
	int32_t part;
	const struct ch_uuid *id;
	int64_t lowest_day; /* 0: nothing old is asked for */
};
void ruling_begin(struct ruling *r, struct books *b,
	const struct ruling_of *of);
void ruling_free(struct ruling *r);
/* Keeps the refusal if none before it in precedence is there. */
void ruling_refuse(struct ruling *r, enum ledger_status status, const char *fmt,
	...) __attribute__((format(printf, 3, 4)));
/* Has nothing been refused yet? */
bool ruling_open(const struct ruling *r);
void ruling_post(struct ruling *r, const struct account *a,
	struct ch_amount amount, struct ch_amount balance_after);
/* Adds an event; what is appended to event_text until ruling_event_end() is
 * its payload, without the last brace. */
void ruling_event_begin(struct ruling *r, const char *aggregatetype,
	const char *type, const struct row *owner);
void ruling_event_end(struct ruling *r);
/* A refused group: nothing of its members stays. */
void ruling_drop_effects(struct ruling *r);

#endif
