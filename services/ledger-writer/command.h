/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command: one record's value, read strictly into what it asks for.
 *
 * Everything that can be refused without looking into the books is refused
 * here, and only here: types of fields, unknown fields, sizes, characters,
 * amounts that are no decimals or not above zero. Amounts stay text: their
 * scale belongs to the asset. Quantities are whole, so they are read.
 *
 * A refusal keeps what could be read (id, organisation, type), since an
 * `invalid` answer is owed to whoever can be named: of a value that is no JSON
 * or too large, that is what json_salvage.h finds.
 *
 * Ownership: all is in the reader's arena, and views point into the value or
 * the arena: both must outlive the command.
 * Thread: any; an arena belongs to one thread.
 */
#ifndef LEDGER_WRITER_COMMAND_H
#define LEDGER_WRITER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/money.h"
#include "base/str.h"
#include "base/uuid.h"
#include "ledger.h"

struct org;
struct asset;
struct account;
struct sku;
struct hold;
struct reservation;
struct transfer;
struct order;
struct fill;
struct market;
struct position;
struct trade_row;

/* A quantity as sent. More than an int64 is not malformed: the books refuse it
 * (out_of_stock, amount_exceeds_hold, overflow). */
struct command_qty {
	struct ch_qty qty; /* undefined when huge, but for its sign */
	bool huge;
};

/* Units of positions and orders, as sent: decimals at COMMAND_UNITS_SCALE. */
#define COMMAND_UNITS_SCALE 8
struct command_units {
	struct ch_view text;
	struct ch_amount value;	       /* when status is OK */
	enum ch_decimal_status status; /* OK, FRACTION or OVERFLOW */
};

struct command_deadline {
	bool set;
	struct ch_time at; /* when set */
};

/* Pointers to rows are filled by books_resolve(); decoding leaves NULL. */
struct command_move {
	struct ch_view from_name;
	struct ch_view to_name;
	struct ch_view amount; /* decimal text > 0 */
	struct account *from;
	struct account *to;
};

struct asset_define {
	struct ch_view name;
	int scale; /* 0 to CH_SCALE_MAX */
	struct asset *asset;
};

struct account_open {
	struct ch_view name;
	struct ch_view asset_name;
	bool has_floor;	      /* false: "floor":null, none at all */
	struct ch_view floor; /* decimal text <= 0; "0" when absent */
	int shards;	      /* 0: one row */
	struct account *account;
	struct asset *asset;
};

struct account_limit {
	struct ch_view name;
	bool has_floor;
	struct ch_view floor; /* decimal text of any sign, when has_floor */
	struct account *account;
};

struct account_close {
	struct ch_view name;
	struct account *account;
};

struct transfer_post {
	struct command_move *moves;
	size_t count; /* 1 to LEDGER_MOVES_MAX */
};

struct transfer_reverse {
	struct ch_view name; /* as sent: <id>, or <id>/<index> */
	struct ch_uuid id;
	int32_t member; /* -1: a command of its own */
	struct transfer *transfer;
};

struct hold_place {
	struct ch_view from_name;
	struct ch_view name; /* of the hold; the id's text by default */
	struct ch_view amount;
	struct command_deadline deadline;
	struct account *from;
	struct hold *hold;
};

struct hold_end { /* hold.capture and hold.void */
	struct ch_view name;
	struct ch_view to_name; /* never with void */
	struct ch_view amount;	/* ptr NULL: all of it */
	struct hold *hold;
	struct account *to;
};

struct stock_receive {
	struct ch_view sku_name;
	struct command_qty qty;
	struct sku *sku;
};

struct stock_adjust {
	struct ch_view sku_name;
	struct command_qty delta; /* not 0 */
	struct sku *sku;
};

struct stock_reserve {
	struct ch_view sku_name;
	struct ch_view name; /* of the reservation; the id's text by default */
	struct command_qty qty;
	struct command_deadline deadline;
	struct sku *sku;
	struct reservation *reservation;
};

struct reservation_end { /* reservation.commit and reservation.release */
	struct ch_view name;
	bool has_qty; /* false: all of it; never with release */
	struct command_qty qty;
	struct reservation *reservation;
};

struct group {
	struct command *members;
	size_t count; /* 1 to LEDGER_GROUP_MAX */
};

struct order_place {
	struct ch_view name; /* of the order; the id's text by default */
	struct ch_view market_name;
	struct ch_view side;
	struct command_units qty;
	struct ch_view price; /* ptr NULL when absent */
	struct order *order;
};

struct order_move { /* order.accept, order.fill, order.cancel, order.lost */
	struct ch_view name;
	struct ch_view fill_name; /* only fills, as the next two */
	struct command_units qty;
	struct ch_view price; /* ptr NULL when absent */
	struct order *order;
	struct fill *fill;
};

struct trade_record {
	struct ch_view account_name; /* the stake */
	struct ch_view market_name;
	struct ch_view outcome;
	struct ch_view side;
	struct ch_view tx;
	struct command_units position; /* >= 0 */
	struct ch_view lock;	       /* decimal text >= 0 */
	struct ch_view qty;	       /* kept; ptr NULL when absent */
	struct ch_view price;	       /* kept; ptr NULL when absent */
	struct ch_view skim;	       /* decimal text > 0; ptr NULL: none */
	struct ch_view skim_to_name;
	bool has_belief;
	struct command_units belief; /* 0 to 1 */
	struct command_units meta;
	bool settled;
	struct account *account;
	struct account *skim_to;
	struct market *market;
	struct position *row;
	struct trade_row *trade;
};

struct pool_deploy {
	struct ch_view market_name;
	struct ch_view address;
	struct market *market;
};

struct market_payout {
	struct ch_view outcome;
	struct ch_amount price; /* a unit's, at COMMAND_UNITS_SCALE, >= 0 */
	ch_wide units; /* of it in all positions, as in the table: loaded */
};

struct market_settle {
	struct ch_view market_name;
	struct ch_view from_name;
	struct ch_view payouts_text; /* JSON as sent */
	struct market_payout *payouts;
	size_t payout_count; /* 1 to LEDGER_PAYOUTS_MAX */
	struct market *market;
	struct account *from;
	struct market_settle *next; /* of the same market; books' own */
};

/* One entry of expected_version. Decoding has made sure that the command
 * itself names the row. */
enum version_kind {
	VERSION_ACCOUNT,
	VERSION_SKU,
	VERSION_HOLD,
	VERSION_RESERVATION,
	VERSION_ORDER,
	VERSION_MARKET,
	VERSION_POSITION
};
struct version_wish {
	enum version_kind kind;
	struct ch_view name;
	int64_t version; /* >= 0; 0: the row is not there yet */
	void *row;	 /* begins with struct row */
};

/* A member of a group has type, ref, reason, meta, wishes and its union; org
 * and actor are the group's. */
struct command {
	struct ch_uuid id;
	struct ch_view id_text; /* as sent */
	struct ch_view org_name;
	struct org *org; /* filled by books_resolve() */
	enum command_type type;
	struct ch_view actor;	    /* "" when absent; never a NULL pointer */
	struct ch_view ref;	    /* ptr NULL when absent */
	struct ch_view reason;	    /* ptr NULL when absent */
	struct ch_view meta;	    /* JSON as sent; ptr NULL when absent */
	struct ch_view traceparent; /* ptr NULL when absent or no W3C form */
	/* Of the answer; ptr NULL: the record's. */
	struct ch_view answer_key;
	bool dry_run;
	struct version_wish *wishes;
	size_t wish_count;
	/* SHA-256 of the canonical JSON without id and traceparent. */
	struct ch_sha256 payload_hash;
	union {
		struct asset_define asset_define;
		struct account_open account_open;
		struct account_limit account_limit;
		struct account_close account_close;
		struct transfer_post transfer_post;
		struct transfer_reverse transfer_reverse;
		struct hold_place hold_place;
		struct hold_end hold_end;
		struct stock_receive stock_receive;
		struct stock_adjust stock_adjust;
		struct stock_reserve stock_reserve;
		struct reservation_end reservation_end;
		struct group group;
		struct order_place order_place;
		struct order_move order_move;
		struct trade_record trade_record;
		struct pool_deploy pool_deploy;
		struct market_settle market_settle;
	} as;
};

/* Why a record was refused. error_class: "malformed" (no JSON object),
 * "invalid" (a field), "oversize",
 * "poison" (the database refused it alone, twice). */
struct command_refusal {
	const char *error_class; /* static */
	bool has_id;		 /* id is text that an answer can repeat */
	bool has_org;		 /* org is a proper organisation's name */
	struct ch_view id;
	struct ch_view org;
	struct ch_view type;	    /* len 0 when it could not be read */
	struct ch_view traceparent; /* ptr NULL when it could not be read */
	struct ch_view reason;	    /* the field, the value, the limit */
};

struct command_limits {
	size_t value_max; /* bytes of a record's value */
};

/* What a reader works with. The parse tree goes into scratch, which is reset
 * by each call and may be shared; what the command keeps goes into arena. */
struct command_reader {
	struct command_limits limits;
	struct ch_view only_org;  /* of the next record's topic; len 0: any */
	struct ch_time record_at; /* of the next record; us 0: it has none */
	struct ch_arena *arena;
	struct ch_arena scratch;
	struct ch_buf text;
};
void command_reader_init(struct command_reader *r, struct ch_arena *arena,
	const struct command_limits *limits);
void command_reader_free(struct command_reader *r);

/*
 * Reads a value (ptr NULL: a tombstone, refused). true: *out is the command.
 * false: *refusal says why. What the record says of itself (id, org, type) is
 * in *refusal either way: a readable command may turn out to be poison.
 */
bool command_decode(struct command_reader *r, struct ch_view value,
	struct command *out, struct command_refusal *refusal);

/* It happened already, by its type or by what it says of itself: no pause and
 * no rate rule refuses it, whatever its list. */
bool command_is_fact(const struct command *c);

/* The default name of what member `index` of a group makes: <id>/<index>; and
 * the other way round. false: it is neither an id nor such a name. */
bool command_member_name(struct ch_view text, struct ch_uuid *id,
	int32_t *member);

/* Is it a name: 1 to max bytes of UTF-8 without control characters (below
 * U+0020, U+007F to U+009F)? */
bool command_name_ok(struct ch_view name, size_t max);
/* A decimal in the one form that counts: "4" for "4", "4.0" and "4.00000000". */
struct ch_view command_decimal_form(struct ch_view decimal);
/* A name of an organisation? "trading" is everybody's scope in pauses. */
bool command_org_ok(struct ch_view name);

#endif
