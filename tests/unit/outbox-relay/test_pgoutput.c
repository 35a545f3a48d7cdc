/* SPDX-License-Identifier: Apache-2.0 */
/* pgoutput: what PostgreSQL sent is read; what is broken is refused. */
#include "check_suite.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "event.h"
#include "frames.h"
#include "corpus.h"
#include "pgoutput.h"
#include "pgoutput_input.h"
#include "seed.h"

static struct pgoutput_message message;

/* Exactly as long as it is, so that a read behind it is caught by ASan. */
static struct ch_view
bytes_of(const char *hex)
{
	size_t n = strlen(hex) / 2;
	char *p = ch_xmalloc(n > 0 ? n : 1);

	ck_assert(ch_hex_decode(ch_view_of(hex), p, n));
	return (struct ch_view){p, n};
}

static void
release(struct ch_view v)
{
	union {
		const char *from;
		char *to;
	} p = {v.ptr};

	free(p.to);
}

START_TEST(captured_transaction_is_read)
{
	static const enum pgoutput_kind kinds[] = {PGOUTPUT_BEGIN,
		PGOUTPUT_RELATION, PGOUTPUT_RELATION, PGOUTPUT_INSERT,
		PGOUTPUT_RELATION, PGOUTPUT_RELATION, PGOUTPUT_INSERT,
		PGOUTPUT_RELATION, PGOUTPUT_RELATION, PGOUTPUT_INSERT,
		PGOUTPUT_RELATION, PGOUTPUT_RELATION, PGOUTPUT_INSERT,
		PGOUTPUT_COMMIT};
	struct ch_err err = CH_ERR_INIT;
	size_t i;

	ck_assert_uint_eq(CAPTURED_COUNT, COUNT(kinds));
	for (i = 0; i < CAPTURED_COUNT; i++) {
		struct ch_view v = bytes_of(captured_frames[i]);

		ck_assert_msg(pgoutput_read(v, &message, &err) == CH_OK, "%s",
			err.text);
		ck_assert_int_eq(message.kind, kinds[i]);
		if (i == 1) {
			ck_assert(ch_view_eq_str(message.schema, "ch"));
			ck_assert(ch_view_eq_str(message.table, "command_log"));
			ck_assert_int_eq(message.count, 6);
			ck_assert(ch_view_eq_str(message.columns[1].name,
				"log_seq"));
			ck_assert_uint_eq(message.columns[1].type, 20);
		}
		if (i == 3) {
			ck_assert_uint_eq(message.relation, 0x40f9);
			ck_assert_uint_eq(ch_be64(message.values[1].bytes.ptr),
				41);
			ck_assert(ch_view_eq_str(message.values[4].bytes,
				"{\"ok\":1}"));
			ck_assert_ptr_null(message.values[5].bytes.ptr);
		}
		if (i == 13) {
			ck_assert_uint_eq(message.lsn, 0x85239d8);
			ck_assert_uint_eq(message.end_lsn, 0x8523a08);
		}
		release(v);
	}
}
END_TEST

START_TEST(every_cut_and_every_tail_is_refused)
{
	size_t i, n;

	for (i = 0; i < CAPTURED_COUNT; i++) {
		struct ch_view whole = bytes_of(captured_frames[i]);
		char *longer = ch_xcalloc(1, whole.len + 1);

		for (n = 0; n < whole.len; n++) {
			char *cut = ch_xmalloc(n > 0 ? n : 1);

			memcpy(cut, whole.ptr, n);
			ck_assert_int_eq(pgoutput_read((struct ch_view){cut, n},
						 &message, NULL),
				CH_EPROTO);
			free(cut);
		}
		memcpy(longer, whole.ptr, whole.len);
		ck_assert_int_eq(pgoutput_read((struct ch_view){longer,
						       whole.len + 1},
					 &message, NULL),
			CH_EPROTO);
		free(longer);
		release(whole);
	}
}
END_TEST

/* Whatever a byte becomes: an answer, and views inside of the input. */
START_TEST(mutations_stay_inside)
{
	struct ch_rng rng;
	int round, k;

	seed_rng(&rng);
	for (round = 0; round < 20000; round++) {
		struct ch_view v = bytes_of(
			captured_frames[ch_rng_below(&rng, CAPTURED_COUNT)]);
		char *p = ch_xmalloc(v.len);

		memcpy(p, v.ptr, v.len);
		for (k = 0; k < 3; k++)
			p[ch_rng_below(&rng, v.len)] = (char)ch_rng_next(&rng);
		if (pgoutput_read((struct ch_view){p, v.len}, &message, NULL) ==
				CH_OK &&
			message.kind == PGOUTPUT_INSERT)
			for (k = 0; k < message.count; k++)
				ck_assert(message.values[k].bytes.ptr == NULL ||
					(message.values[k].bytes.ptr >= p &&
						message.values[k].bytes.ptr +
								message.values[k]
									.bytes
									.len <=
							p + v.len));
		free(p);
		release(v);
	}
}
END_TEST

#define WIDE 1600U /* as many as PostgreSQL allows */

/* A message of that head, then `column` so often. */
static struct ch_view
wide_of(const char *head, const char *column, unsigned columns)
{
	struct ch_buf hex = CH_BUF_INIT;
	struct ch_view v;

	ch_buf_adds(&hex, head);
	ch_buf_printf(&hex, "%04x", WIDE);
	for (unsigned i = 0; i < columns; i++)
		ch_buf_adds(&hex, column);
	ch_buf_addc(&hex, '\0');
	v = bytes_of(ch_buf_view(&hex).ptr);
	ch_buf_free(&hex);
	return v;
}

START_TEST(columns_beyond_those_that_are_kept_are_passed_over)
{
	/* relation 1, public.w: columns "c", an int4 each; then their values */
	static const char *const heads[] = {
		"52000000017075626c696300770064", "49000000014e"};
	static const char *const columns[] = {
		"0063000000001700000000", "740000000137"};

	for (int i = 0; i < 2; i++) {
		struct ch_view v = wide_of(heads[i], columns[i], WIDE);

		ck_assert_int_eq(pgoutput_read(v, &message, NULL), CH_OK);
		ck_assert_uint_eq(message.relation, 1);
		ck_assert_int_eq(message.count, (int)WIDE);
		if (message.kind == PGOUTPUT_INSERT)
			ck_assert(ch_view_eq_str(
				message.values[PGOUTPUT_COLUMNS_MAX - 1].bytes,
				"7"));
		release(v);
		v = wide_of(heads[i], columns[i], WIDE - 1);
		ck_assert_int_eq(pgoutput_read(v, &message, NULL), CH_EPROTO);
		release(v);
		v = wide_of(heads[i], columns[i], WIDE + 1);
		ck_assert_int_eq(pgoutput_read(v, &message, NULL), CH_EPROTO);
		release(v);
	}
}
END_TEST

START_TEST(a_column_of_no_known_format_is_refused_wherever_it_is)
{
	struct ch_view v = wide_of("49000000014e", "740000000137", WIDE - 1);
	char *p = ch_xmalloc(v.len + 1);
	struct ch_err err = CH_ERR_INIT;

	memcpy(p, v.ptr, v.len);
	p[v.len] = 'u';
	ck_assert_int_eq(pgoutput_read((struct ch_view){p, v.len + 1}, &message,
				 &err),
		CH_EPROTO);
	ck_assert_ptr_nonnull(strstr(err.text, "unknown column format"));
	free(p);
	release(v);
}
END_TEST

START_TEST(frames_of_the_walsender)
{
	struct ch_view data = bytes_of("77000000000000000a000000000000000b"
				       "0003000000000000424344");
	struct ch_view keep = bytes_of("6b000000000000000c000300000000000001");
	struct ch_view wrong = bytes_of("7a00");
	struct pgoutput_frame f;
	size_t n;

	ck_assert_int_eq(pgoutput_frame_read(data, &f, NULL), CH_OK);
	ck_assert_int_eq(f.kind, PGOUTPUT_XLOG_DATA);
	ck_assert_uint_eq(f.end, 11);
	ck_assert(ch_view_eq_str(f.body, "BCD"));
	ck_assert_int_eq(pgoutput_frame_read(keep, &f, NULL), CH_OK);
	ck_assert_int_eq(f.kind, PGOUTPUT_KEEPALIVE);
	ck_assert_uint_eq(f.end, 12);
	ck_assert(f.reply);
	ck_assert_int_eq(pgoutput_frame_read(wrong, &f, NULL), CH_EPROTO);
	for (n = 0; n < keep.len; n++)
		ck_assert_int_eq(pgoutput_frame_read((struct ch_view){keep.ptr,
							     n},
					 &f, NULL),
			CH_EPROTO);
	release(data);
	release(keep);
	release(wrong);
}
END_TEST

START_TEST(status_has_the_position_three_times)
{
	uint8_t out[PGOUTPUT_STATUS_LEN];

	pgoutput_status_write(out, 0x0102030405060708,
		(struct ch_time){946684800000000 + 5}, true);
	ck_assert_int_eq(out[0], 'r');
	ck_assert_uint_eq(ch_be64(out + 1), 0x0102030405060708);
	ck_assert_uint_eq(ch_be64(out + 9), 0x0102030405060708);
	ck_assert_uint_eq(ch_be64(out + 17), 0x0102030405060708);
	ck_assert_uint_eq(ch_be64(out + 25), 5);
	ck_assert_int_eq(out[33], 1);
}
END_TEST

START_TEST(an_update_tells_its_table_alone)
{
	/* a row of one column, "x", is not looked at */
	static const char hex[] = "5500004a394e0001740000000178";
	struct ch_view v = bytes_of(hex);

	ck_assert_int_eq(pgoutput_read(v, &message, NULL), CH_OK);
	ck_assert_int_eq(message.kind, PGOUTPUT_UPDATE);
	ck_assert_uint_eq(message.relation, 0x4a39);
	ck_assert_int_eq(message.count, 0);
	v.len = 4;
	ck_assert_int_eq(pgoutput_read(v, &message, NULL), CH_EPROTO);
	release(v);
}
END_TEST

START_TEST(the_corpus_of_the_fuzzer_holds)
{
	corpus_replay("pgoutput", 100, pgoutput_check);
}
END_TEST

SUITE_MAIN("pgoutput", captured_transaction_is_read,
	every_cut_and_every_tail_is_refused, mutations_stay_inside,
	columns_beyond_those_that_are_kept_are_passed_over,
	a_column_of_no_known_format_is_refused_wherever_it_is,
	frames_of_the_walsender, status_has_the_position_three_times,
	an_update_tells_its_table_alone, the_corpus_of_the_fuzzer_holds)
