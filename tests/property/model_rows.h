/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_rows: the rows of the serial model, found by kind, organisation and
 * name, and a journal that takes a step's changes back.
 *
 * Every row begins with struct row; what can change of it stands in its last
 * member v, which begins with a stamp when the row has a version. A step
 * touches a row before it changes v: that keeps its first image, raises the
 * version once and stamps the time.
 *
 * Names of several parts are joined by MODEL_JOINT, which no name can hold.
 * Texts that rows keep from commands are the commands' own, which outlive the
 * model (serial_model.h). Thread: belongs to one thread.
 */
#ifndef TESTS_PROPERTY_MODEL_ROWS_H
#define TESTS_PROPERTY_MODEL_ROWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model_decimal.h"
#include "serial_model.h"

#define MODEL_JOINT "\x01"

enum row_kind {
	ROW_ASSET = 'd',
	ROW_ACCOUNT = 'a', /* what never changes of it */
	ROW_BALANCE = 'b', /* an account's money, or a shard's; not by name */
	ROW_SKU = 's',
	ROW_HOLD = 'h',
	ROW_RESERVATION = 'r',
	ROW_ORDER = 'o',
	ROW_FILL = 'f', /* <order>, <fill> */
	ROW_MARKET = 'm',
	ROW_POSITION = 'p', /* <account>, <market>, <outcome> */
	ROW_TRADE = 't',    /* <tx> */
	ROW_REVERSAL = 'v', /* <id in hex>, <member or -1> */
	ROW_WINDOW = 'w',   /* <rule>, <actor or share> */
	ROW_KNOWN = 'k'	    /* <id in hex> */
};

struct row {
	enum row_kind kind;
	char *org, *name;
	struct row *chain; /* the next with the same hash */
	uint64_t step;	   /* the last that touched it */
};

struct stamp {
	int64_t version, last_at;
};

/* Rows of one owner, in the order in which they were made. */
struct row_list {
	struct row **rows;
	size_t count, cap;
};

struct asset {
	struct row row;
	int scale;
};

struct account {
	struct row row;
	const char *asset;
	int scale;
	int shards; /* 0: none, and one balance */
	struct balance **balances;
	struct row_list holds, positions;
	int64_t next_due; /* no open hold is due before */
};

struct balance {
	struct row row;
	struct account *account;
	int shard;
	struct balance_values {
		struct stamp stamp;
		int64_t balance, held, floor;
		bool has_floor, closed;
	} v;
};

struct sku {
	struct row row;
	struct row_list reservations;
	int64_t next_due; /* no open reservation is due before */
	struct sku_values {
		struct stamp stamp;
		int64_t on_hand, reserved;
	} v;
};

struct hold {
	struct row row;
	struct account *account;
	int64_t amount, expires_at;
	bool expires;
	struct hold_values {
		struct stamp stamp;
		const char *state;
		int64_t captured;
	} v;
};

struct reservation {
	struct row row;
	struct sku *sku;
	int64_t qty, expires_at;
	bool expires;
	struct reservation_values {
		struct stamp stamp;
		const char *state;
		int64_t committed;
	} v;
};

struct order {
	struct row row;
	const char *market, *side, *price; /* price NULL: none */
	int64_t qty;
	struct order_values {
		struct stamp stamp;
		const char *state;
		int64_t filled;
	} v;
};

struct fill {
	struct row row;
	const char *price; /* NULL: none */
	int64_t qty;
};

struct market {
	struct row row;
	struct row_list positions;
	struct market_values {
		struct stamp stamp;
		const char *state;
		const char *asset;   /* NULL: no trade yet */
		const char *address; /* NULL: not deployed */
		struct account *payer;
		const json_t *payouts;
		int64_t reserved, paid, unpaid, holders, unpaid_holders;
		size_t next; /* index of the first position not yet settled */
		big owed;    /* exact sum of units * price so far, in 1e-16 */
	} v;
};

struct position {
	struct row row;
	struct account *account;
	struct market *market;
	const char *outcome;
	struct position_values {
		struct stamp stamp;
		int64_t qty, lock, belief, meta, paid;
		bool has_belief, has_paid;
	} v;
};

struct trade {
	struct row row;
	const char *account, *market, *outcome, *side;
	const char *qty, *price; /* NULL: none */
	int64_t position, lock, skim;
	struct trade_values {
		struct stamp stamp;
		const char *state;
	} v;
};

struct reversal {
	struct row row;
	char by[33];
};

struct window {
	struct row row;
	int64_t *stamps; /* ascending */
	size_t count, cap;
	int64_t window_us;
};

struct known {
	struct row row;
	const struct serial_command *command;
	char *result;
	bool applied;
};

struct change {
	struct row *row;
	void *image; /* of v; NULL: the row was made */
};

struct serial_model {
	bool auto_expire;
	struct row **slots;
	size_t slot_count, count;
	uint64_t steps;
	int64_t last_at; /* of the last decision */
	/* the running step's changes, in the order of first touch */
	struct change *changes;
	size_t change_count, change_cap;
	struct row_list settled; /* markets, from settling on */
};

void *model_find(const struct serial_model *m, enum row_kind kind,
	const char *org, const char *name);
/* A row outside of any step: windows and known ids. */
void *model_make(struct serial_model *m, enum row_kind kind, const char *org,
	const char *name);

/* A step of changes, which is either kept or taken back. */
void model_begin(struct serial_model *m);
void model_keep(struct serial_model *m);
void model_take_back(struct serial_model *m);
/* Version 1 for rows that have one. */
void *model_create(struct serial_model *m, enum row_kind kind, const char *org,
	const char *name, int64_t at);
struct balance *model_create_balance(struct serial_model *m, struct account *a,
	int64_t at);
/* false: the row was changed later than at, so the log cannot be right. */
bool model_touch(struct serial_model *m, struct row *row, int64_t at);
/* Adds a row to its owner's list; taken back with the row. */
void model_add(struct row_list *list, struct row *row);

/* "a" MODEL_JOINT "b"; the caller frees it. */
char *model_joined(const char *a, const char *b);
/* The balance that a record through that partition sees. */
struct balance *model_balance(const struct account *a, int part);
bool model_is_closed(const struct account *a);

#endif
