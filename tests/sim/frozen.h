/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frozen: what a transaction has written, as a copy of its own: the batch's
 * memory is the client's, which may be gone or have forgotten it before the
 * server does the COMMIT.
 *
 * It holds what mem_store_commit() reads, and what the judge wants to know:
 * each outcome row, posting and event in the form of the serial model.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_FROZEN_H
#define TESTS_SIM_FROZEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "batch.h"

enum outcome_kind { OUTCOME_LOG, OUTCOME_ANSWER, OUTCOME_REJECTED };

/* A row of command_log, answers or rejected. */
struct outcome {
	enum outcome_kind kind;
	int32_t pos;
	int32_t stream;
	int32_t part; /* of its topic */
	const char *topic;
	int64_t log_seq;
	int64_t offset; /* not for a timer */
	bool timer;
	bool is_poison;
	const char *error_class; /* of a letter */
	bool takes_id;
	const char *type;    /* of a row of command_log */
	const char *command; /* a timer's: its payload */
	const char *org;
	const char *result; /* canonical; rejected: "" */
};

/* A row of trades_public. */
struct public_trade {
	unsigned number;   /* for its id */
	int64_t traded_at; /* microseconds since 1970 */
	int32_t stream;
	int64_t offset;
};

#define FROZEN_TRADES 512 /* and letters, of one transaction */

struct frozen {
	struct ch_arena arena;
	struct batch batch; /* streams, dirty rows, log and postings only */
	struct batch_context context;
	size_t records;	  /* of the batch */
	size_t begun;	  /* so many were committed when it began to look */
	size_t committed; /* its place among all commits */
	struct outcome *outcomes; /* by pos */
	size_t outcome_count;
	const char **postings, **events; /* canonical, in order */
	size_t posting_count, event_count;
	/* of trades: besides these only context, streams and outcomes */
	bool is_trades;
	struct public_trade *trades;
	size_t trade_count;
};

struct frozen *frozen_new(const struct batch *b,
	const struct batch_context *context);
/* One of trades, empty; then what it writes, in any order. Texts are copied. */
struct frozen *frozen_new_trades(void);
void frozen_add_trade(struct frozen *f, const struct public_trade *t);
void frozen_add_letter(struct frozen *f, const struct outcome *letter);
void frozen_add_stream(struct frozen *f, int32_t stream, int64_t next_log_seq);
void frozen_free(struct frozen *f);

#endif
