/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgoutput: the frames of a logical replication stream, read strictly.
 *
 * Two layers: the walsender's frames (XLogData, keepalive, our status update)
 * and inside XLogData the messages of the output plugin pgoutput, protocol 1.
 * Every length is checked against the bytes that are there; trailing bytes
 * are an error. Views point into the input. A table may have more columns than
 * are kept: beside ours others may be published.
 *
 * Thread: any. Pure.
 */
#ifndef RELAY_PGOUTPUT_H
#define RELAY_PGOUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

#define PGOUTPUT_COLUMNS_MAX 128
#define PGOUTPUT_STATUS_LEN 34

enum pgoutput_frame_kind { PGOUTPUT_XLOG_DATA, PGOUTPUT_KEEPALIVE };

struct pgoutput_frame {
	enum pgoutput_frame_kind kind;
	uint64_t start; /* XLogData: position of the message; may be 0 */
	uint64_t end;	/* the server's position (walEnd) */
	struct ch_time sent_at;
	bool reply; /* keepalive: answer at once */
	struct ch_view body;
};

/* CH_EPROTO when the bytes are no such frame. */
int pgoutput_frame_read(struct ch_view bytes, struct pgoutput_frame *out,
	struct ch_err *err);
/* "Written, flushed and applied up to flushed": exactly PGOUTPUT_STATUS_LEN
 * bytes. reply asks the server for a keepalive. */
void pgoutput_status_write(uint8_t out[PGOUTPUT_STATUS_LEN], uint64_t flushed,
	struct ch_time now, bool reply);

enum pgoutput_kind {
	PGOUTPUT_BEGIN,
	PGOUTPUT_COMMIT,
	PGOUTPUT_RELATION,
	PGOUTPUT_INSERT,
	PGOUTPUT_UPDATE, /* its relation; the rows are not read */
	PGOUTPUT_OTHER	 /* type, origin, message, truncate, delete */
};

struct pgoutput_column {
	struct ch_view name;
	uint32_t type;
	int32_t modifier;      /* of the type; -1: none */
	struct ch_view called; /* the type; a stream does not tell: empty */
};

struct pgoutput_value {
	char format; /* 'n' null, 't' text, 'b' binary; 'u' is refused */
	struct ch_view bytes; /* ptr NULL: null */
};

struct pgoutput_message {
	enum pgoutput_kind kind;
	char letter;
	uint64_t lsn;		     /* BEGIN, COMMIT: of the commit record */
	uint64_t end_lsn;	     /* COMMIT: what an acknowledgement names */
	struct ch_time committed_at; /* BEGIN, COMMIT */
	uint32_t xid;		     /* BEGIN */
	uint32_t relation;	     /* RELATION, INSERT, UPDATE */
	struct ch_view schema, table; /* RELATION */
	int count; /* of columns or values; the first PGOUTPUT_COLUMNS_MAX
		    * of them are kept */
	struct pgoutput_column columns[PGOUTPUT_COLUMNS_MAX];
	struct pgoutput_value values[PGOUTPUT_COLUMNS_MAX];
};

/* CH_EPROTO: broken. */
int pgoutput_read(struct ch_view body, struct pgoutput_message *out,
	struct ch_err *err);

#endif
