/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger: the words that all of ledger-writer's modules share: the types of
 * commands, the statuses of answers, and the limits of what may be sent.
 *
 * Both tables are the C side of schema/messages (statuses.json, command.*.schema.json); a unit
 * test holds them against each other.
 *
 * Reading order of the deciding half: ledger.h, command.h (what was asked),
 * books.h (what is known), decide.h (the gates and rules), batch.h (all of it
 * over one batch, and what must be written).
 *
 * Thread: constants only.
 */
#ifndef LEDGER_WRITER_LEDGER_H
#define LEDGER_WRITER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define LEDGER_ORG_MAX 64     /* bytes of an organisation's name */
#define LEDGER_NAME_MAX 128   /* bytes of any other name */
#define LEDGER_ACTOR_MAX 128  /* bytes */
#define LEDGER_REF_MAX 128    /* bytes */
#define LEDGER_REASON_MAX 512 /* bytes */
#define LEDGER_META_MAX 1024  /* bytes of JSON, as sent */
#define LEDGER_MOVES_MAX 32   /* moves of one transfer */
#define LEDGER_GROUP_MAX 64   /* commands of one group */
#define LEDGER_SHARDS_MAX 256 /* rows of one account */
#define LEDGER_PAYOUTS_MAX 64 /* outcomes of one settlement */
#define LEDGER_PRICE_MAX 81   /* characters of a price that is only kept */
/* bytes of the rows that an answer shows: Kafka takes no more than a megabyte,
 * and only the log needs the whole */
#define LEDGER_ANSWER_ROWS_MAX 524288
#define LEDGER_PAGE 500 /* positions that one page of a settlement pays */
#define LEDGER_FUTURE_US INT64_C(300000000) /* an id may be this far ahead */

enum command_type {
	COMMAND_ASSET_DEFINE,
	COMMAND_ACCOUNT_OPEN,
	COMMAND_ACCOUNT_LIMIT,
	COMMAND_ACCOUNT_CLOSE,
	COMMAND_TRANSFER_POST,
	COMMAND_TRANSFER_REVERSE,
	COMMAND_HOLD_PLACE,
	COMMAND_HOLD_CAPTURE,
	COMMAND_HOLD_VOID,
	COMMAND_STOCK_RECEIVE,
	COMMAND_STOCK_ADJUST,
	COMMAND_STOCK_RESERVE,
	COMMAND_RESERVATION_COMMIT,
	COMMAND_RESERVATION_RELEASE,
	COMMAND_GROUP,
	COMMAND_ORDER_PLACE,
	COMMAND_ORDER_ACCEPT,
	COMMAND_ORDER_FILL,
	COMMAND_ORDER_CANCEL,
	COMMAND_ORDER_LOST,
	COMMAND_TRADE_RECORD,
	COMMAND_POOL_DEPLOY,
	COMMAND_MARKET_SETTLE,
	COMMAND_TYPES
};

struct command_type_row {
	const char *name;
	bool fact; /* see command_is_fact() */
};
extern const struct command_type_row command_types[COMMAND_TYPES];
/* The type of that name, or COMMAND_TYPES. */
enum command_type command_type_of(struct ch_view name);

/* The types of rows that timers write: something ran out, or holders were
 * paid. */
#define LEDGER_EXPIRE_RESERVATION "reservation.expire"
#define LEDGER_EXPIRE_HOLD "hold.expire"
#define LEDGER_PAY_MARKET "market.pay"

/*
 * Statuses, in the order of precedence: when several refusals fit one command,
 * over all its moves, the smallest is the answer. STATUS_APPLIED is the
 * largest, so that "the worst so far" is a minimum.
 */
enum ledger_status {
	/* the gates */
	STATUS_INVALID,
	STATUS_KEY_EXPIRED,
	STATUS_KEY_IN_FUTURE,
	STATUS_KEY_REUSED,
	STATUS_SUPERSEDED,
	STATUS_TRADING_PAUSED,
	STATUS_RATE_LIMITED,
	/* the books: what is named is not there */
	STATUS_ASSET_NOT_FOUND,
	STATUS_ACCOUNT_NOT_FOUND,
	STATUS_HOLD_NOT_FOUND,
	STATUS_SKU_NOT_FOUND,
	STATUS_RESERVATION_NOT_FOUND,
	STATUS_TRANSFER_NOT_FOUND,
	STATUS_ORDER_NOT_FOUND,
	STATUS_MARKET_NOT_FOUND,
	/* it is there, and may not be used so */
	STATUS_ACCOUNT_CLOSED,
	STATUS_MARKET_SETTLED,
	STATUS_VERSION_UNSUPPORTED,
	STATUS_VERSION_CONFLICT,
	STATUS_ACCOUNT_SHARDED,
	STATUS_ASSET_MISMATCH,
	STATUS_INVALID_AMOUNT,
	/* lifecycles that have moved on */
	STATUS_HOLD_CAPTURED,
	STATUS_HOLD_VOIDED,
	STATUS_HOLD_EXPIRED,
	STATUS_RESERVATION_COMMITTED,
	STATUS_RESERVATION_RELEASED,
	STATUS_RESERVATION_EXPIRED,
	STATUS_ALREADY_REVERSED,
	STATUS_NOT_REVERSIBLE,
	STATUS_ILLEGAL_ORDER_MOVE,
	STATUS_FACT_MISMATCH,
	STATUS_NOT_EMPTY,
	/* amounts */
	STATUS_AMOUNT_EXCEEDS_HOLD,
	STATUS_INSUFFICIENT_FUNDS,
	STATUS_OUT_OF_STOCK,
	STATUS_OVERFLOW,
	/* what is to be made is there already: last, since a refusal before
	 * these would rest on absence unsaid */
	STATUS_ASSET_EXISTS,
	STATUS_ACCOUNT_EXISTS,
	STATUS_HOLD_EXISTS,
	STATUS_RESERVATION_EXISTS,
	STATUS_ORDER_EXISTS,
	STATUS_POOL_EXISTS,
	STATUS_GROUP_FAILED,
	STATUS_APPLIED,
	STATUS_COUNT
};

struct ledger_status_row {
	const char *name; /* as in answers */
	/* Decided by the books, so that the answer takes the id for good
	 * (unless the command was a dry run). */
	bool takes_id;
};
extern const struct ledger_status_row ledger_statuses[STATUS_COUNT];

#endif
