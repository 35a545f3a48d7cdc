/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serial_model: the ledger as one would write it without any hurry: one
 * command at a time, on plain rows, from protocols/semantics.md and
 * protocols/commands.md.
 *
 * It is the judge of ledger-writer, so it shares no code with it and none with
 * common/: jansson reads the JSON, amounts are __int128, text is snprintf. It
 * takes the time of each decision as an input, since a batch decides once for
 * all of its commands.
 *
 * Answers are given in a canonical form, in which two things are left out
 * because they belong to the run and not to the decision: "seq", and the text
 * of "reason". A timer's id is derived by the writer; it is left out as well,
 * also of its postings and events.
 *
 * Modules (model_*.h): text, decimal, time, json, id: words; fields, command,
 * fills: what was asked; rows, show, dump: what is known; step: one decision; due:
 * what runs out; wishes, rates: gates; accounts, money, holds, stock, orders,
 * trades, settlement, group: the rules.
 *
 * Thread: a model belongs to one thread. Out of memory aborts.
 */
#ifndef TESTS_PROPERTY_SERIAL_MODEL_H
#define TESTS_PROPERTY_SERIAL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct serial_pause {
	const char *scope; /* "trading", or an organisation */
	const char *const *types;
	size_t type_count;
};

struct serial_rate {
	const char *name;
	const char *org; /* NULL: every organisation */
	bool per_actor;	 /* false: scope "org", in shares */
	const char *const *types;
	size_t type_count;
	int64_t most, window_us;
	int shares; /* >= 1; 1 per actor */
};

struct serial_now {
	int64_t decided_at; /* microseconds since 1970 */
	int64_t ahead_us;   /* that is of the clock, by which ids are too new */
	int64_t lowest_day; /* days since 1970: older ids are expired */
	const struct serial_pause *pauses;
	size_t pause_count;
	const struct serial_rate *rates;
	size_t rate_count;
	int part;	 /* the record's partition: shards, shares of rates */
	bool read_again; /* it was decided before its partition was restarted */
};

/* What a step leaves, one line each, in order. */
enum serial_line {
	SERIAL_RESULT,	 /* canonical JSON */
	SERIAL_REJECTED, /* "" : the record went to `rejected` */
	SERIAL_POSTING,	 /* org|account|shard|leg|amount|balance_after|id|
			 * decided_at; leg counts through the command */
	SERIAL_EVENT,	 /* type and payload */
	SERIAL_TIMER,	 /* the result of an expiry, or of a page of payments */
	SERIAL_TIMER_POSTING, /* its id is left empty */
	SERIAL_TIMER_EVENT,
	SERIAL_PROBLEM /* the log itself cannot be right; says why */
};
typedef void serial_sink(void *ctx, enum serial_line kind, const char *text);

/* A record's value, parsed. May be applied to many models, and must outlive
 * them: they keep its texts, and compare later ones with the same id with it. */
struct serial_command;
/* value NULL: a tombstone. */
struct serial_command *serial_command_new(const char *value, size_t len,
	size_t value_max);
/* A record of market.fills. record_ms: its time in Kafka, since 1970; -1: it
 * has none. */
struct serial_command *serial_fill_new(const char *value, size_t len,
	size_t value_max, int64_t record_ms);
void serial_command_free(struct serial_command *c);
/* Could it be read? (Unreadable ones are rejected.) */
bool serial_command_readable(const struct serial_command *c);

struct serial_model;
/* auto_expire: settle what is due on the accounts and SKUs that a command
 * names (those behind holds, reservations and transfers included) before it is
 * decided. Without it (replay of a log) expiries are steps of their own, and a
 * command that sees one due and unsettled is a problem. */
struct serial_model *serial_model_new(bool auto_expire);
void serial_model_free(struct serial_model *m);

void serial_apply(struct serial_model *m, const struct serial_command *c,
	const struct serial_now *now, serial_sink *sink, void *ctx);
/* Takes a decision from the log as it is, without its own opinion: for answers
 * that rested on the absence of a row (*_not_found) and for parked records.
 * result: canonical; takes_id: it is given again to the same id, and counts in
 * the windows of rates. */
void serial_accept(struct serial_model *m, const struct serial_command *c,
	const struct serial_now *now, const char *result, bool takes_id);
/* What serial_apply() would answer, but for its rate: nothing is changed, due
 * rows are not looked at. NULL when it cannot be read. The caller frees it. */
char *serial_would(struct serial_model *m, const struct serial_command *c,
	const struct serial_now *now);
/* What serial_apply() would answer to a record that the writer parked as
 * poison. The caller frees it; NULL when no answer is owed. */
char *serial_parked(const struct serial_command *c,
	const struct serial_now *now);
/* A timer's row of a log. type: "hold.expire" or "reservation.expire". */
void serial_expire(struct serial_model *m, const char *org, const char *type,
	const char *name, const struct serial_now *now, serial_sink *sink,
	void *ctx);

#define SERIAL_PAGE 500
/* One page of a settlement: pays the next page_size positions at most, in the
 * order in which they were made. A problem when the market is not settling. */
void serial_pay_page(struct serial_model *m, const char *org,
	const char *market, size_t page_size, const struct serial_now *now,
	serial_sink *sink, void *ctx);
/* Replay: the numbers of positions belong to the run (a sequence). The
 * market's positions are paid in this order: accounts[i], outcomes[i]. False
 * when that is not all of them, each once; then nothing changes. */
bool serial_pay_order(struct serial_model *m, const char *org,
	const char *market, const char *const *accounts,
	const char *const *outcomes, size_t count);
/* Replay: the rule of that name was dropped, or made anew: its windows begin
 * empty. */
void serial_forget_rate(struct serial_model *m, const char *name);
/* The i-th market that is being settled, oldest first. false: no more. */
bool serial_settling(const struct serial_model *m, size_t i, const char **org,
	const char **market);

/*
 * Every row, one JSON line each, sorted. The caller frees the text. "row" is
 * "<kind>/<org>/<name>"; the parts of a name are joined by "/". Figures are
 * minor units, units at scale 8, and microseconds; members marked ? are left
 * out when there is none (a flag: when it is false).
 *
 *	d/org/asset                    scale
 *	a/org/account                  asset balance held floor? closed? version
 *	                               last_at; an account with shards has a line
 *	                               a/org/account/shard for each
 *	s/org/sku                      on_hand reserved version last_at
 *	h/org/hold                     account amount state captured expires_at?
 *	                               version last_at
 *	r/org/reservation              sku state qty committed expires_at? version
 *	                               last_at
 *	o/org/order                    market side qty filled price? state version
 *	                               last_at
 *	f/org/order/fill               qty price?
 *	m/org/market                   asset? address? state payer? reserved paid
 *	                               unpaid holders unpaid_holders version last_at
 *	p/org/account/market/outcome   qty lock belief? meta? paid? version last_at
 *	t/org/tx                       account market outcome side position lock
 *	                               skim qty? price? state
 *	v/org/id in hex/member or -1   by (the reversing id in hex)
 *	w/org/rule/actor or share      stamps: those inside of the window that ends
 *	                               with the last decision of the model; a
 *	                               window without any has no line
 */
char *serial_dump(const struct serial_model *m);

#endif
