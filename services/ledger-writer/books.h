/* SPDX-License-Identifier: Apache-2.0 */
/*
 * books: the rows that one batch names, held in memory.
 *
 * A batch names rows (books_resolve() as its commands are added, books_*()
 * for hints and what discovery finds); apply.c looks the names up, locks the
 * rows in one order and loads them; decide.c changes them; apply.c writes each
 * changed row once. The pointers in commands stay good over a roll back
 * (books_reset()), so that deciding again hashes nothing.
 *
 * Every kind of row begins with struct row, which holds what all have: name,
 * number, version, last change. What differs between kinds is one table in
 * books.c.
 *
 * A row's life:
 *
 *	WANTED --*_absent()--> ABSENT --decide--> LOADED (created, dirty)
 *	   |                      ^
 *	   +---*_load()--> LOADED --decide--> LOADED (dirty)
 *
 * books_reset(): every row WANTED again. Immutable facts that a table gave
 * (numbers, an account's asset and shards, a reservation's SKU, a transfer's
 * moves) are kept and need no second discovery; what the batch itself created
 * is forgotten.
 *
 * An account with shards is a row that never changes (its number and asset)
 * and one row a shard, which holds balance, version and all: books_shard().
 *
 * Numbers of created rows: 0 after deciding; write.c draws one from the
 * sequence for each row with `created` before it writes, in the order in which
 * they were made (postings point to rows, not to numbers).
 *
 * Ownership: rows and names are in the books' arena until books_clear().
 * Thread: belongs to one thread.
 */
#ifndef LEDGER_WRITER_BOOKS_H
#define LEDGER_WRITER_BOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/money.h"
#include "base/str.h"
#include "base/uuid.h"
#include "command.h"
#include "states.h"

enum row_kind {
	ROW_ORG,
	ROW_ASSET,
	ROW_ACCOUNT,
	ROW_SKU,
	ROW_HOLD,
	ROW_RESERVATION,
	ROW_TRANSFER,
	ROW_ORDER,
	ROW_FILL,
	ROW_MARKET,
	ROW_POSITION,
	ROW_TRADE,
	ROW_RATE,
	ROW_ID,
	ROW_KINDS
};

enum row_state {
	ROW_WANTED, /* named; what the table holds is not known yet */
	ROW_ABSENT, /* looked up under the locks: not there */
	ROW_LOADED  /* its values are known, and it is locked */
};

/* Every row begins with this. */
struct row {
	struct org *org; /* NULL for an org itself */
	struct ch_view
		name; /* what it is found by; may hold NULs (row_name()) */
	uint64_t hash;
	enum row_kind kind;
	enum row_state state;
	bool created;	    /* by this batch: INSERT */
	bool dirty;	    /* changed by this batch (also set when created) */
	uint32_t undo_mark; /* books' own */
	uint64_t made;	    /* when created: its place among all created */
	int64_t number;	    /* <kind>_id; 0: not known */
	int64_t version;
	struct ch_time last_at;
};
static inline bool
row_is_there(const struct row *row)
{
	return row->state == ROW_LOADED;
}

/* org_id 0: not looked up, or made by nobody yet. The table orgs is filled by
 * names.c outside of the books' rules, before any gate: an org exists when it is
 * named by a command that is no dry run. */
struct org {
	struct row row;
	int32_t org_id;
	bool is_wanted; /* to be made when it is not there */
};

/* Immutable; not locked. */
struct asset {
	struct row row;
	int scale;
};

/* One row of balances; or, when shards > 0, what its shards have in common. */
struct account {
	struct row row;
	struct asset *asset;   /* known with the number */
	int shards;	       /* 0: none; known with the number */
	struct account *whole; /* of a shard: the account */
	int shard;	       /* of a shard: its place; else 0 */
	bool all_shards;       /* a command needs every shard of it */
	bool wants_locks;      /* a skim needs every position with a lock */
	uint64_t place; /* of its row of balances; a hint until it is locked */
	struct position *positions; /* named by this batch, linked by next */
	/* values */
	struct ch_amount balance;
	struct ch_amount held;
	bool has_floor;
	struct ch_amount floor; /* when has_floor */
	bool closed;
	bool new_terms; /* floor or closed were changed */
};

struct sku {
	struct row row;
	/* values */
	struct ch_qty on_hand;
	struct ch_qty reserved;
};

struct hold {
	struct row row;
	struct account *account; /* known with the number */
	bool set_aside;		 /* as reservation.set_aside */
	/* values */
	struct ch_amount amount;
	struct ch_amount captured;
	enum hold_state state;
	bool expires;
	struct ch_time expires_at; /* when expires */
	int32_t stream;		   /* that made it: whose owner sweeps it */
};

struct reservation {
	struct row row;
	struct sku *sku; /* known with the number */
	/* Its settlement alone was refused by the database: no timer row until
	 * an operator has looked; commands find it expired. Survives a reset. */
	bool set_aside;
	/* values */
	struct ch_qty qty;
	struct ch_qty committed;
	enum reservation_state state;
	bool expires;
	struct ch_time expires_at; /* when expires */
	int32_t stream;		   /* that made it: whose owner sweeps it */
};

/* The reversal of a transfer: it is there once the transfer was reversed. What
 * the transfer was is a fact of the log, found by discovery. */
enum transfer_fact {
	TRANSFER_UNKNOWN, /* not looked up, or not in the kept log */
	TRANSFER_POSTED,  /* its moves are known */
	TRANSFER_OTHER	  /* a command that is no transfer */
};
struct transfer {
	struct row row; /* name: 16 bytes of the id, 4 of the member */
	struct ch_uuid id;
	int32_t member; /* of a group; -1: a command of its own */
	enum transfer_fact fact;
	bool fact_is_ours; /* posted by this batch: forgotten by a reset */
	const struct command_move *moves; /* with their accounts */
	size_t move_count;
	/* values */
	struct ch_uuid reversed_by;
};

struct order {
	struct row row;
	/* values */
	struct ch_view market;
	struct ch_view side;
	struct ch_amount qty; /* units */
	struct ch_amount filled;
	struct ch_view price; /* ptr NULL: none */
	enum order_state state;
};

struct fill {
	struct row row; /* name: the order's, NUL, the fill's */
	struct order *order;
	struct ch_view fill_name;
	/* values */
	struct ch_amount qty;	   /* units */
	struct ch_view price;	   /* ptr NULL: none */
	struct ch_uuid command_id; /* when created */
};

struct market {
	struct row row;
	bool wants_change; /* a command may change it: no shared lock */
	/* Those that this batch names, linked by next: each needs the units of
	 * the outcomes that it pays. */
	struct market_settle *settles;
	/* values */
	struct ch_view asset;	/* of its stakes; len 0: no trade yet */
	struct ch_view address; /* len 0: not deployed */
	enum market_state state;
	/* The settlement. */
	struct account *payer;
	struct ch_view payouts; /* JSON as sent; ptr NULL: none */
	struct ch_amount reserved, paid, unpaid;
	int64_t holders, unpaid_holders, page, cursor;
	ch_wide owed;	/* sum of units * price so far */
	int32_t stream; /* whose owner pays the pages */
};

struct position {
	struct row row; /* name: account's, NUL, market's, NUL, outcome */
	struct account *account;
	struct market *market;
	struct ch_view outcome;
	struct position *next; /* of the same account */
	/* values */
	struct ch_amount qty; /* units */
	struct ch_amount lock;
	struct ch_amount stored_qty; /* as in the table; 0 when created */
	bool has_belief;
	struct ch_amount belief, meta; /* units, when has_belief */
	bool is_paid;
	struct ch_amount paid; /* when is_paid */
};

struct trade_row {
	struct row row; /* name: the transaction */
	/* values */
	struct ch_view account, market, outcome, side; /* names */
	enum trade_state state;
	/* When created, or confirmed. */
	const struct position *position;
	struct ch_amount skim;
	struct ch_amount qty_after, lock_after;
	struct ch_view qty, price; /* ptr NULL: none */
	struct ch_uuid recorded_by;
	struct ch_uuid by; /* who confirmed it */
};

/* The window of one rule for one actor, or one share of an organisation. */
struct rate_window {
	struct row row; /* name: rule_id, NUL, subject */
	int32_t rule_id;
	struct ch_view subject;
	/* values */
	int64_t *stamps; /* ascending; microseconds since 1970 */
	size_t count, cap;
	size_t first; /* stamps before it have left the window */
};

/* An id of this batch: what command_log holds for (org, id, day). */
struct known_id {
	struct row row; /* row.name: the 16 bytes of the id */
	struct ch_uuid id;
	int64_t day;   /* days since 1970-01-01 of the id's own time */
	int64_t asked; /* which statement asks for it; lock's own */
	size_t named;  /* its place among those of the batch; lock's own */
	struct ch_sha256 payload_hash;
	struct ch_view result; /* as stored */
	bool is_unread; /* there is one, and it was not read: result is empty */
};

/* Rows of one kind in the order in which they were named. */
struct row_set {
	struct row **rows;
	size_t count;
	size_t cap;
	struct row **slots; /* open addressing; books' own */
	size_t slot_count;
};

struct books {
	struct ch_arena arena;
	struct row_set sets[ROW_KINDS];
	struct undo *undo; /* books' own: images of the running command */
	size_t undo_count;
	size_t undo_cap;
	uint32_t undo_mark;
	uint64_t made;	   /* rows created so far */
	struct ch_buf key; /* books' own: names that are put together */
};

/* The i-th row of a kind, i < sets[kind].count. */
#define BOOKS_AT(name, type, kind)                                             \
	static inline struct type *books_##name##_at(const struct books *b,    \
		size_t i)                                                      \
	{                                                                      \
		return (struct type *)(void *)b->sets[kind].rows[i];           \
	}
BOOKS_AT(org, org, ROW_ORG)
BOOKS_AT(asset, asset, ROW_ASSET)
BOOKS_AT(account, account, ROW_ACCOUNT)
BOOKS_AT(sku, sku, ROW_SKU)
BOOKS_AT(hold, hold, ROW_HOLD)
BOOKS_AT(reservation, reservation, ROW_RESERVATION)
BOOKS_AT(transfer, transfer, ROW_TRANSFER)
BOOKS_AT(order, order, ROW_ORDER)
BOOKS_AT(fill, fill, ROW_FILL)
BOOKS_AT(market, market, ROW_MARKET)
BOOKS_AT(position, position, ROW_POSITION)
BOOKS_AT(trade, trade_row, ROW_TRADE)
BOOKS_AT(rate, rate_window, ROW_RATE)
BOOKS_AT(id, known_id, ROW_ID)
#undef BOOKS_AT
static inline size_t
books_count(const struct books *b, enum row_kind kind)
{
	return b->sets[kind].count;
}

void books_init(struct books *b);
void books_free(struct books *b);
/* Forgets everything: before the next batch. */
void books_clear(struct books *b);
/* The transaction was rolled back: decide again from fresh rows. */
void books_reset(struct books *b);

/* The row of that name, made WANTED when it is new. Used by books_resolve(),
 * by discovery, and for hints. Names are copied. */
struct org *books_org(struct books *b, struct ch_view name);
struct asset *books_asset(struct books *b, struct org *org,
	struct ch_view name);
struct account *books_account(struct books *b, struct org *org,
	struct ch_view name);
struct sku *books_sku(struct books *b, struct org *org, struct ch_view name);
struct hold *books_hold(struct books *b, struct org *org, struct ch_view name);
struct transfer *books_transfer(struct books *b, struct org *org,
	const struct ch_uuid *id, int32_t member);
struct order *books_order(struct books *b, struct org *org,
	struct ch_view name);
struct fill *books_fill(struct books *b, struct order *order,
	struct ch_view name);
struct trade_row *books_trade(struct books *b, struct org *org,
	struct ch_view tx);
struct known_id *books_id(struct books *b, struct org *org,
	const struct ch_uuid *id);
/* Both accounts of each move. */
void books_moves(struct books *b, struct org *org, struct transfer_post *post);
struct reservation *books_reservation(struct books *b, struct org *org,
	struct ch_view name);
struct market *books_market(struct books *b, struct org *org,
	struct ch_view name);
struct position *books_position(struct books *b, struct account *account,
	struct market *market, struct ch_view outcome);
struct rate_window *books_rate(struct books *b, struct org *org,
	int32_t rule_id, struct ch_view subject);

/* The account of that name if the batch names it, or NULL. */
struct account *books_find_account(struct books *b, struct org *org,
	struct ch_view name);

/* Row i of an account with shards, i < shards. */
struct account *books_shard(struct books *b, struct account *whole, int i);
/* The rows that commands of these partitions touch of accounts with shards,
 * and all of those that a command closes: WANTED. Call it after discovery. */
void books_want_shards(struct books *b, const int32_t *parts, size_t n);
/* The transfer of that name if the batch names one, or NULL. */
struct transfer *books_find_transfer(struct books *b, struct org *org,
	const struct ch_uuid *id, int32_t member);

/* Fills every row pointer of a decoded command; returns its known id. */
struct known_id *books_resolve(struct books *b, struct command *c);

/* --- discovery (unlocked; immutable facts only) --------------------- */

/* The account exists: its number, its shards, and its asset with the scale
 * that the row repeats. The asset counts as loaded by this; so does an account
 * with shards, which holds no values of its own. */
void books_found_account(struct books *b, struct account *a, int64_t number,
	struct ch_view asset_name, int scale, int shards);
void books_found_sku(struct sku *s, int64_t number);
/* The hold exists on that account, the reservation on that SKU, which becomes
 * WANTED when nothing else names it: look at accounts and SKUs again after. */
void books_found_hold(struct books *b, struct hold *h, int64_t number,
	struct ch_view account_name);
void books_found_reservation(struct books *b, struct reservation *r,
	int64_t number, struct ch_view sku_name, int64_t sku_number);
/* The transfer was posted with these moves (accounts become WANTED), which the
 * caller keeps as long as the books; NULL: it is something else. */
void books_found_transfer(struct books *b, struct transfer *t,
	struct command_move *moves, size_t count);

/* --- loading, after the locks ---------------------------------------- */

/* The caller fills the values of its struct, number, version and last_at
 * included, and then says that they are there. The row must be WANTED. */
void books_loaded(struct row *row);
void books_load_asset(struct asset *a, int scale);
/* The id is in command_log. result is copied; ptr NULL: it was not read. */
void books_load_id(struct books *b, struct known_id *k,
	const struct ch_sha256 *payload_hash, struct ch_view result);
/* Every row that is still WANTED and whose number is not known is ABSENT now
 * (as are assets and ids). Call it last: it states that all were looked up. */
void books_close_lookup(struct books *b);

/*
 * Rows that must be locked and are not: whose number is known but whose values
 * are missing, as the owner of a hold that was made since discovery. 0: the
 * batch may be decided. Otherwise: roll back, books_reset(), and do it again;
 * the rows are in the sets now.
 */
size_t books_missing(const struct books *b);

/* The latest last_at of all loaded rows; the epoch when there is none. */
struct ch_time books_last_at(const struct books *b);

/* --- while deciding: called by the rules, not by apply.c -------------- */

/*
 * A command's changes can be taken back (dry runs, refusals, groups). begin;
 * then books_touch() before a row is changed: it keeps the first image, raises
 * the version once, stamps last_at and marks the row dirty; then keep or undo.
 * Created rows are made by books_create(): all values zero, version 1.
 */
void books_begin(struct books *b);
void books_keep(struct books *b);
void books_undo(struct books *b);
/* Only what was touched after books_touched_count() was `count`. */
void books_undo_to(struct books *b, size_t count);
void books_touch(struct books *b, struct row *row, struct ch_time at);
/* The row must be ABSENT; what names it stays. */
void books_create(struct books *b, struct row *row, struct ch_time at);
/* The rows that the running command has touched, in the order of first touch:
 * they make its result. */
size_t books_touched_count(const struct books *b);
const struct row *books_touched(const struct books *b, size_t i);
/* The same row as it was before the command; ABSENT when it was made. */
const struct row *books_touched_before(const struct books *b, size_t i);

#endif
