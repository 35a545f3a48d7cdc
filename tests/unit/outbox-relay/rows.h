/* SPDX-License-Identifier: Apache-2.0 */
/* rows: events for tests, made as the tail makes them. */
#ifndef TEST_RELAY_ROWS_H
#define TEST_RELAY_ROWS_H

#include <check.h>

#include "base/str.h"
#include "event.h"

static inline struct ch_view
be_view(struct ch_buf *b, uint64_t v, int bytes)
{
	ch_buf_clear(b);
	if (bytes == 4)
		ch_buf_add_be32(b, (uint32_t)v);
	else
		ch_buf_add_be64(b, v);
	return ch_buf_view(b);
}

static inline struct event *
result_row(int32_t stream, int64_t log_seq, const char *key, const char *text)
{
	struct ch_buf b[3] = {CH_BUF_INIT, CH_BUF_INIT, CH_BUF_INIT};
	struct ch_view fields[RESULT_FIELDS] = {
		[RESULT_STREAM] = be_view(&b[0], (uint64_t)stream, 4),
		[RESULT_LOG_SEQ] = be_view(&b[1], (uint64_t)log_seq, 8),
		[RESULT_AT] = be_view(&b[2], 0, 8),
		[RESULT_KEY] = ch_view_of(key),
		[RESULT_TEXT] = ch_view_of(text),
	};
	struct event *e = event_new(EVENT_COMMAND_LOG, fields, NULL);
	int i;

	for (i = 0; i < 3; i++)
		ch_buf_free(&b[i]);
	ck_assert_ptr_nonnull(e);
	return e;
}

static inline struct event *
outbox_row(int64_t seq, const char *type, const char *key, const char *payload)
{
	struct ch_buf b[2] = {CH_BUF_INIT, CH_BUF_INIT};
	struct ch_view fields[OUTBOX_FIELDS] = {
		[OUTBOX_SEQ] = be_view(&b[0], (uint64_t)seq, 8),
		[OUTBOX_ID] = {"0123456789abcdef", 16},
		[OUTBOX_AT] = be_view(&b[1], 0, 8),
		[OUTBOX_TYPE_OF_AGGREGATE] = ch_view_of(type),
		[OUTBOX_AGGREGATE] = ch_view_of(key),
		[OUTBOX_TYPE] = CH_VIEW("happened"),
		[OUTBOX_PAYLOAD] = ch_view_of(payload),
	};
	struct event *e = event_new(EVENT_OUTBOX, fields, NULL);

	ch_buf_free(&b[0]);
	ch_buf_free(&b[1]);
	ck_assert_ptr_nonnull(e);
	return e;
}

/* bytea[] in binary; a NULL element is null. */
static inline void
bytea_array(struct ch_buf *b, const char *const *items, size_t n)
{
	size_t i;

	ch_buf_add_be32(b, n > 0 ? 1 : 0);
	ch_buf_add_be32(b, 0);
	ch_buf_add_be32(b, 17);
	if (n == 0)
		return;
	ch_buf_add_be32(b, (uint32_t)n);
	ch_buf_add_be32(b, 1);
	for (i = 0; i < n; i++) {
		if (items[i] == NULL) {
			ch_buf_add_be32(b, UINT32_MAX);
			continue;
		}
		ch_buf_add_be32(b, (uint32_t)strlen(items[i]));
		ch_buf_adds(b, items[i]);
	}
}

static inline struct event *
rejected_row(const char *topic, int32_t part, struct ch_view names,
	struct ch_view values)
{
	struct ch_buf b[5] = {CH_BUF_INIT, CH_BUF_INIT, CH_BUF_INIT,
		CH_BUF_INIT, CH_BUF_INIT};
	struct ch_view fields[REJECTED_FIELDS] = {
		[REJECTED_STREAM] = be_view(&b[0], 1, 4),
		[REJECTED_LOG_SEQ] = be_view(&b[1], 9, 8),
		[REJECTED_AT] = be_view(&b[2], 0, 8),
		[REJECTED_LETTER] = {"fedcba9876543210", 16},
		[REJECTED_TOPIC] = ch_view_of(topic),
		[REJECTED_PART] = be_view(&b[3], (uint64_t)part, 4),
		[REJECTED_OFFSET] = be_view(&b[4], 77, 8),
		[REJECTED_KEY] = CH_VIEW("key"),
		[REJECTED_VALUE] = CH_VIEW("\0\xff"),
		[REJECTED_HEADER_NAMES] = names,
		[REJECTED_HEADER_VALUES] = values,
		[REJECTED_CLASS] = CH_VIEW("unreadable"),
		[REJECTED_REASON] = CH_VIEW("not JSON"),
	};
	struct event *e = event_new(EVENT_REJECTED, fields, NULL);
	int i;

	for (i = 0; i < 5; i++)
		ch_buf_free(&b[i]);
	ck_assert_ptr_nonnull(e);
	return e;
}

#endif
