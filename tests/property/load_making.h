/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_making: what the load's bodies are made of: dice, names, amounts, and
 * what was named before, so that it can be named again.
 *
 * Thread: belongs to one thread.
 */
#ifndef TESTS_PROPERTY_LOAD_MAKING_H
#define TESTS_PROPERTY_LOAD_MAKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "base/str.h"

#define LOAD_RING 256
#define LOAD_NAME 96

/* Something that was made, or was tried to be. */
struct load_thing {
	const char *org;
	char name[LOAD_NAME];
	unsigned a, b, c; /* what the ring's owner likes to know */
};
struct load_ring {
	struct load_thing things[LOAD_RING];
	size_t count;
};

/* A moment that the clock will meet exactly, and what comes then. */
#define LOAD_BURST_US 100000 /* the window of the rules "burst" */
enum load_date_kind { LOAD_DATE_HOLD, LOAD_DATE_RATE };
struct load_date {
	int64_t at;
	const char *org; /* NULL: there is none */
	enum load_date_kind kind;
	unsigned number;
};

struct making {
	struct ch_rng rng;
	int64_t clock;
	struct ch_buf body; /* members, without braces and id */
	/* of the command, or of the group's member */
	char default_name[LOAD_NAME];
	const char *group_org; /* NULL: no member is being made */
	struct load_ring reservations, holds, transfers, orders, trades;
	unsigned opened;  /* accounts below that number were opened */
	unsigned tmp;	  /* so many short-lived accounts */
	unsigned markets; /* the oldest that is likely to be open */
	unsigned tx;
	unsigned edges; /* names of load_edge.c */
	struct load_date date;
	bool counted; /* rate rules are in force */
};

/* ---- dice ---- */

unsigned load_below(struct making *m, unsigned n);
bool load_chance(struct making *m, unsigned in_thousand);
#define LOAD_PICK(m, list)                                                     \
	((list)[load_below((m), (unsigned)(sizeof(list) / sizeof((list)[0])))])

/* ---- what was named before ---- */

void load_remember(struct load_ring *r, const char *org, const char *name,
	unsigned a, unsigned b, unsigned c);
/* Mostly one of the latest; a name that is not there when there is none. */
const struct load_thing *load_recall(struct making *m,
	const struct load_ring *r);

/* ---- names ---- */

extern const char *const load_orgs[3];
struct load_asset {
	const char *name;
	const char *scale;
};
extern const struct load_asset load_assets[3];
const char *load_org(struct making *m);

/* Accounts by number: 0 "hot" and 1 "world" (no floor) and 2 to 9 hold USD, 10
 * to 12 BTC, 13 and 14 YEN, and so on; then those from these bases on. */
enum {
	LOAD_WORLD = 1,
	LOAD_PURSE = 14, /* left to transfers at the edge */
	LOAD_BASE = 15,
	LOAD_TMP = 10000,   /* opened, closed and opened again; USD */
	LOAD_STAKE = 20000, /* stake accounts; USD; so many: LOAD_STAKES */
	LOAD_SHARD = 30000, /* with shards; the second one BTC */
	LOAD_BANK = 40000,  /* pays settlements; USD */
	LOAD_FULL = 40001,  /* holds all but 7 minor units of an int64; USD */
	LOAD_MINT = 40002   /* where that came from; no floor */
};
#define LOAD_STAKES 10
#define LOAD_SHARDS 3
void load_account_name(char out[LOAD_NAME], unsigned n);
unsigned load_asset_of(unsigned account);
unsigned load_account(struct making *m);
/* One of the latest of the short-lived ones. */
unsigned load_tmp(struct making *m);

/* ---- pieces of a body ---- */

void load_open(struct making *m, const char *org, const char *type);
/* actor, ref, meta, reason, dry_run, traceparent; a member has fewer. */
void load_extras(struct making *m);
void load_string(struct making *m, const char *name, const char *value);
void load_time(struct making *m, const char *name, int64_t us);
/* A deadline: soon, at once, or past already. */
void load_deadline(struct making *m);
/* The account's name as that member. */
void load_put_account(struct making *m, const char *member, unsigned account);
/* The text of an amount; sometimes at an edge, or none at all. */
void load_amount(struct making *m, unsigned asset, unsigned most);
void load_qty(struct making *m, unsigned most);
/* ,"expected_version":{"kind":{"name":n}} with n below most. */
void load_wish(struct making *m, const char *kind, const char *name,
	unsigned most);

#endif
