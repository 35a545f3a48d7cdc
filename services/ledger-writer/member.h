/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member: members of the JSON objects that the ledger writes, in its own
 * types: answers and events print an amount, a time or a place in the log in
 * one way.
 *
 * Thread: any; a buffer belongs to one thread.
 */
#ifndef LEDGER_WRITER_MEMBER_H
#define LEDGER_WRITER_MEMBER_H

#include "base/clock.h"
#include "base/json.h"
#include "base/money.h"
#include "base/str.h"

void member_amount(struct ch_buf *out, const char *name, struct ch_amount a,
	int scale);
void member_units(struct ch_buf *out, const char *name, struct ch_amount a);
void member_qty(struct ch_buf *out, const char *name, struct ch_qty q);
void member_time(struct ch_buf *out, const char *name, struct ch_time t);
/* Left out when text.ptr is NULL. */
void member_text(struct ch_buf *out, const char *name, struct ch_view text);
/* "seq":"<stream>-<log_seq>" */
void member_seq(struct ch_buf *out, int32_t stream, int64_t log_seq);

#endif
