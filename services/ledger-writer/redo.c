/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redo: see redo.h.
 */
#include "redo.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "absence.h"
#include "ledger_writer_sql.h"
#include "market_fill.h"
#include "renumber.h"
#include "sweep.h"

#define AGAIN_MAX 5
#define NODES_MAX 256 /* of a timer's payload */

static const struct ch_pg_stmt copy_orgs = {
	"replay_orgs", ledger_writer_sql_replay_orgs};
static const struct ch_pg_stmt find_market = {
	"replay_market", ledger_writer_sql_replay_market};

void
redo_init(struct redo *r, struct session *s)
{
	struct command_limits any = {.value_max = SIZE_MAX};

	*r = (struct redo){.session = s, .load = load_new(&any)};
	names_init(&r->names, s);
	locks_init(&r->locks, s);
	writer_init(&r->writer, s, r->names.cache);
	script_init(&r->script, s);
}

void
redo_free(struct redo *r)
{
	names_free(&r->names);
	locks_free(&r->locks);
	writer_free(&r->writer);
	script_free(&r->script);
	load_free(r->load);
	free(r->places);
	free(r->of);
	free(r->timers);
	ch_arena_free(&r->arena);
}

/* ---- what the log says of a row ---- */

static bool
has_status(const struct history_row *row, const char *status)
{
	return ch_view_eq_str(row->status, status);
}

static enum batch_stood
stood_as(struct redo *r, const struct history_row *row)
{
	if (has_status(row, "applied"))
		return STOOD_APPLIED;
	return absence_is_ground(&(struct absence_row){row->type, row->status,
					 row->command, row->result},
		       &r->arena)
		? STOOD_ABSENT
		: STOOD_REFUSED;
}

/* ---- filling the load ---- */

/* A stream of fills is known by its first record. A fill's id has the time that
 * its record had. */
static bool
is_fills(struct redo *r, const struct history_row *row)
{
	struct command_reader *reader = &r->load->batch.reader;
	struct command_refusal refusal;
	struct command c;

	if (row->from->kind == HISTORY_UNKNOWN) {
		row->from->kind = HISTORY_COMMANDS;
		if (!command_decode(reader, row->command, &c, &refusal) &&
			market_fill_decode(reader, row->command, &c, &refusal))
			row->from->kind = HISTORY_FILLS;
	}
	return row->from->kind == HISTORY_FILLS;
}

static size_t
stream_at(const struct batch *b, int32_t stream)
{
	size_t i = 0;

	while (i < b->stream_count && b->streams[i].stream != stream)
		i++;
	return i;
}

/* The streams of the rows, ascending as batch.h wants them. */
static void
add_streams(struct redo *r, const struct history_row *rows, size_t n)
{
	struct batch *b = &r->load->batch;
	int32_t last = 0;

	for (;;) {
		const struct history_row *least = NULL;

		for (size_t i = 0; i < n; i++)
			if (rows[i].from->stream > last &&
				(least == NULL ||
					rows[i].from->stream <
						least->from->stream))
				least = &rows[i];
		if (least == NULL)
			return;
		last = least->from->stream;
		(void)batch_add_stream(b, last, least->from->part,
			ch_view_of(least->from->topic));
	}
}

static void
make_room(struct redo *r, size_t n)
{
	if (n <= r->cap)
		return;
	r->cap = n * 2;
	r->places = ch_xrealloc(r->places, r->cap, sizeof(*r->places));
	r->of = ch_xrealloc(r->of, r->cap, sizeof(struct history_row *));
	r->timers =
		ch_xrealloc(r->timers, r->cap, sizeof(struct history_row *));
}

static void
add_entry(struct redo *r, const struct history_row *row)
{
	struct batch *b = &r->load->batch;
	struct batch_place place = {stood_as(r, row), row->pos, row->log_seq};
	struct batch_record record = {.offset = row->src_offset,
		.key = row->record_key,
		.value = row->command};
	size_t stream = stream_at(b, row->from->stream);

	if (place.stood == STOOD_ABSENT) {
		r->counts.absent++;
		if (!r->has_rules)
			return;
	}
	if (is_fills(r, row)) {
		batch_mark_fills(b, stream);
		record.has_timestamp = true;
		record.timestamp = ch_uuid_time(&row->id);
	}
	r->places[b->count] = place;
	r->of[b->count] = row;
	(void)batch_add(b, stream, &record);
}

static void
add_rows(struct redo *r, const struct history_row *rows, size_t n)
{
	load_clear(r->load);
	ch_arena_reset(&r->arena, 65536);
	r->timer_count = 0;
	make_room(r, n);
	add_streams(r, rows, n);
	for (size_t i = 0; i < n; i++) {
		if (rows[i].timer)
			r->timers[r->timer_count++] = &rows[i];
		else
			add_entry(r, &rows[i]);
	}
}

/* ---- timers ---- */

/* What a timer's row is about: the named members of its payload. */
static struct ch_view
timer_member(struct redo *r, const struct history_row *row, const char *name)
{
	const struct ch_json *j =
		ch_json_parse(&r->arena, row->command, NODES_MAX, NULL);
	struct ch_view v = {NULL, 0};

	(void)ch_json_str(j, name, &v);
	return v;
}

static int64_t
timer_count(struct redo *r, const struct history_row *row, const char *name)
{
	const struct ch_json *j =
		ch_json_parse(&r->arena, row->command, NODES_MAX, NULL);
	int64_t n = 0;

	(void)ch_json_i64(j, name, &n);
	return n;
}

static struct org *
timer_org(struct redo *r, const struct history_row *row)
{
	return books_org(&r->load->batch.books, timer_member(r, row, "org"));
}

/* Names the page that the row paid, as sweep.c does. How many positions it had
 * is the log's: whoever paid may have had to take fewer at a time. */
static int
name_page(struct redo *r, const struct history_row *row, struct ch_err *err)
{
	struct books *b = &r->load->batch.books;
	struct org *org = timer_org(r, row);
	struct market *m = books_market(b, org, timer_member(r, row, "market"));
	struct ch_pg_args a;
	PGresult *res = NULL;

	m->wants_change = true;
	org->org_id = row->org_id;
	ch_pg_args_clear(&a);
	ch_pg_arg_i32(&a, row->org_id);
	ch_pg_arg_text(&a, m->row.name);
	int rc = ch_pg_query(r->session->pg, &find_market, &a, &res, err);
	if (rc == 0 && PQntuples(res) == 1) {
		struct ch_pg_row p = ch_pg_row(res, 0);
		m->row.number = ch_pg_next_i64(&p);
		(void)books_account(b, org, ch_pg_next_text(&p));
		int64_t cursor = ch_pg_next_i64(&p);
		r->load->pay = m;
		rc = ch_pg_row_ok(&p, err)
			? sweep_name_positions(r->session, r->load, m, cursor,
				  timer_count(r, row, "positions"), err)
			: err->code;
	}
	PQclear(res);
	return rc;
}

static int
name_timers(struct redo *r, struct ch_err *err)
{
	struct books *b = &r->load->batch.books;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->timer_count; i++) {
		const struct history_row *row = r->timers[i];

		if (ch_view_eq_str(row->type, LEDGER_EXPIRE_HOLD))
			(void)books_hold(b, timer_org(r, row),
				timer_member(r, row, "hold"));
		else if (ch_view_eq_str(row->type, LEDGER_EXPIRE_RESERVATION))
			(void)books_reservation(b, timer_org(r, row),
				timer_member(r, row, "reservation"));
		else if (ch_view_eq_str(row->type, LEDGER_PAY_MARKET))
			rc = name_page(r, row, err);
		else
			rc = ch_err_set(err, CH_EPROTO,
				"a timer of type %.*s in the log",
				CH_VIEW_ARG(row->type));
	}
	return rc;
}

/* What is due and did not run out in this batch (it was set aside then, or its
 * owner was not locked) does not run out in it now. */
static void
set_others_aside(struct redo *r)
{
	struct books *b = &r->load->batch.books;

	for (size_t i = 0; i < books_count(b, ROW_HOLD); i++)
		books_hold_at(b, i)->set_aside = true;
	for (size_t i = 0; i < books_count(b, ROW_RESERVATION); i++)
		books_reservation_at(b, i)->set_aside = true;
	for (size_t i = 0; i < r->timer_count; i++) {
		const struct history_row *row = r->timers[i];

		if (ch_view_eq_str(row->type, LEDGER_EXPIRE_HOLD))
			books_hold(b, timer_org(r, row),
				timer_member(r, row, "hold"))
				->set_aside = false;
		else if (ch_view_eq_str(row->type, LEDGER_EXPIRE_RESERVATION))
			books_reservation(b, timer_org(r, row),
				timer_member(r, row, "reservation"))
				->set_aside = false;
	}
}

/* ---- rows ---- */

/* Organisations are made outside of batches: a new one is copied. */
static int
know_orgs(struct redo *r, const struct history_row *rows, size_t n,
	struct ch_err *err)
{
	int32_t most = 0;
	PGresult *res = NULL;

	for (size_t i = 0; i < n; i++)
		if (rows[i].org_id > most)
			most = rows[i].org_id;
	if (most <= r->org_known)
		return 0;
	int rc = ch_pg_query(r->session->pg, &copy_orgs, NULL, &res, err);
	PQclear(res);
	if (rc == 0)
		r->org_known = most;
	return rc;
}

static int
take_rows(struct redo *r, struct ch_err *err)
{
	struct batch *b = &r->load->batch;
	enum lock_end end = LOCK_AGAIN;
	int rc = names_find(&r->names, &r->script, &b->books, err);

	if (rc != 0)
		return rc;
	books_want_shards(&b->books, batch_parts(b), b->stream_count);
	for (int turn = 0; end == LOCK_AGAIN && turn < AGAIN_MAX; turn++) {
		if (turn > 0)
			batch_reset(b);
		end = locks_take_rows(&r->locks, &r->script, r->load, err);
	}
	if (end == LOCK_HELD)
		return 0;
	return err->code != CH_OK ? (int)err->code
				  : ch_err_set(err, CH_EIO, "rows not had");
}

/* ---- comparing ---- */

/* The log row at that place, or NULL; *at only goes forward: both rise. */
static const struct log_row *
log_row_at(const struct batch_out *out, size_t *at, int32_t pos)
{
	while (*at < out->log_count && out->log[*at].pos < pos)
		(*at)++;
	return *at < out->log_count && out->log[*at].pos == pos ? &out->log[*at]
								: NULL;
}

static void
tell(struct redo *r, const struct history_row *row,
	const struct redo_difference *d)
{
	r->counts.differ++;
	if (r->differs != NULL)
		r->differs(r->ctx, row, d);
}

static void
differ(struct redo *r, const struct history_row *row, struct ch_view replayed,
	const char *why)
{
	tell(r, row, &(struct redo_difference){row->result, replayed, why});
}

/* No row of the log came of it: what then? */
static void
compare_missing(struct redo *r, const struct history_row *row)
{
	const struct batch_out *out = &r->load->batch.out;

	for (size_t i = 0; i < out->answer_count; i++) {
		if (out->answers[i].pos != row->pos)
			continue;
		differ(r, row, out->answers[i].result, "a gate closed");
		return;
	}
	for (size_t i = 0; i < out->rejected_count; i++) {
		if (out->rejected[i].pos != row->pos)
			continue;
		differ(r, row, out->rejected[i].reason, "it cannot be read");
		return;
	}
	differ(r, row, (struct ch_view){NULL, 0},
		"nothing of that kind was to be done");
}

static void
compare_row(struct redo *r, const struct history_row *row, size_t *at)
{
	const struct log_row *made =
		log_row_at(&r->load->batch.out, at, row->pos);
	struct ch_view hash;

	if (made == NULL || made->timer != row->timer) {
		compare_missing(r, row);
		return;
	}
	hash.ptr = (const char *)made->payload_hash.bytes;
	hash.len = sizeof(made->payload_hash.bytes);
	if (!ch_view_eq(row->result, made->result))
		differ(r, row, made->result, "another answer");
	else if (memcmp(row->id.bytes, made->id.bytes, sizeof(row->id.bytes)) !=
		0)
		differ(r, row, made->result, "the id is another");
	else if (!ch_view_eq(row->hash, hash))
		differ(r, row, made->result,
			"the command is not the one that was hashed");
	else if (!ch_view_eq(row->changes, made->changes))
		tell(r, row,
			&(struct redo_difference){
				row->changes, made->changes, "other changes"});
}

static void
compare(struct redo *r)
{
	size_t at = 0;

	r->counts.applied += (int64_t)r->timer_count;
	for (size_t i = 0; i < r->timer_count; i++)
		compare_row(r, r->timers[i], &at);
	for (size_t i = 0; i < r->load->batch.count; i++) {
		enum batch_stood stood = r->places[i].stood;

		if (stood == STOOD_ABSENT)
			continue;
		r->counts.applied += stood == STOOD_APPLIED;
		r->counts.refused += stood == STOOD_REFUSED;
		compare_row(r, r->of[i], &at);
	}
}

/* ---- one batch ---- */

static void
decide(struct redo *r, const struct history_row *first)
{
	struct batch *b = &r->load->batch;
	struct batch_context *c = &r->locks.context;
	struct batch_place timers = {STOOD_APPLIED, 0, 0};

	load_fill_page(r->load);
	set_others_aside(r);
	c->number = first->batch;
	c->decided_at = first->decided_at;
	if (r->timer_count > 0) {
		timers.pos = r->timers[0]->pos;
		timers.log_seq = r->timers[0]->log_seq;
	}
	batch_redo(b, c, r->timer_count > 0 ? &timers : NULL, r->places);
}

int
redo_batch(struct redo *r, const struct history_row *rows, size_t n,
	struct ch_err *err)
{
	struct batch *b = &r->load->batch;
	int rc;

	r->counts.batches++;
	r->counts.rows += (int64_t)n;
	add_rows(r, rows, n);
	if (b->count == 0 && r->timer_count == 0)
		return 0;
	rc = know_orgs(r, rows, n, err);
	if (rc == 0)
		rc = name_timers(r, err);
	if (rc == 0)
		rc = take_rows(r, err);
	if (rc != 0)
		return ch_err_wrap(err, "batch %lld", (long long)rows[0].batch);
	decide(r, &rows[0]);
	compare(r);
	r->counts.postings += (int64_t)b->out.posting_count;
	rc = renumber(r->session, &b->books, err);
	if (rc == 0)
		rc = writer_write_books(&r->writer, &r->script, r->load,
			&r->locks, err);
	return rc == 0
		? 0
		: ch_err_wrap(err, "batch %lld", (long long)rows[0].batch);
}
