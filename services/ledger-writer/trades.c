/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trades: one transaction a load. A trade that PostgreSQL refuses is found by
 * halving what is tried, and goes to rejected alone.
 */
#include "trades.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "ledger_writer_sql.h"
#include "meters.h"
#include "tables.h"

#define FUTURE_US CH_US_PER_DAY

static const struct ch_pg_stmt begin = {"begin", "BEGIN"};
static const struct ch_pg_stmt draw_number = {
	"draw_number", ledger_writer_sql_draw_number};
static const struct ch_pg_stmt lowest_day = {
	"lowest_day", ledger_writer_sql_lowest_day};
static const struct ch_pg_stmt insert_trades = {
	"insert_trades", ledger_writer_sql_insert_trades};
static const struct ch_pg_stmt close_batch = {
	"close_batch", ledger_writer_sql_close_batch};

static const enum ch_pg_oid column_types[14] = {CH_PG_BYTEA_ARRAY,
	CH_PG_TIMESTAMPTZ_ARRAY, CH_PG_TEXT_ARRAY, CH_PG_TEXT_ARRAY,
	CH_PG_TEXT_ARRAY, CH_PG_TEXT_ARRAY, CH_PG_TEXT_ARRAY, CH_PG_TEXT_ARRAY,
	CH_PG_TEXT_ARRAY, CH_PG_TEXT_ARRAY, CH_PG_TEXT_ARRAY, CH_PG_INT4_ARRAY,
	CH_PG_INT8_ARRAY, CH_PG_INT8_ARRAY};

/* One transaction on its way. */
struct storing {
	struct trades *t;
	struct trade_load *load;
	size_t n; /* entries of the load that take part */
	struct load_part *parts;
	size_t part_count;
	int64_t *next_log_seq; /* of each part */
	int64_t number;
	struct ch_time at;
	size_t rows, known, expired, rejected;
	struct partition *fenced;
	bool clock_wrong;
};

void
trades_init(struct trades *t, struct apply *apply)
{
	*t = (struct trades){.apply = apply};
	for (size_t i = 0; i < 14; i++)
		ch_pg_array_init(&t->cols[i], column_types[i]);
}

void
trades_free(struct trades *t)
{
	for (size_t i = 0; i < 14; i++)
		ch_pg_array_free(&t->cols[i]);
}

/* ---- the fence ---- */

static int
read_fences(struct storing *s, const struct script *sc, size_t first,
	struct ch_err *err)
{
	for (size_t i = 0; i < s->part_count; i++) {
		const PGresult *res = script_result(sc, first + i);
		if (PQntuples(res) != 1) {
			s->fenced = s->parts[i].p;
			return ch_err_set(err, CH_EFENCED,
				"another owner has taken %s/%d over",
				s->fenced->topic, s->fenced->part);
		}
		struct ch_pg_row r = ch_pg_row(res, 0);
		(void)ch_pg_next_i32(&r);
		s->next_log_seq[i] = ch_pg_next_i64(&r);
		struct ch_time last = ch_pg_next_time(&r);
		if (!ch_pg_row_ok(&r, err))
			return err->code;
		if (last.us > s->at.us)
			s->at = last;
	}
	return 0;
}

static int
read_number(struct storing *s, const PGresult *number, const PGresult *lowest,
	struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(number, 0);
	s->number = ch_pg_next_i64(&r);
	s->t->apply->locks.theirs = ch_pg_next_time(&r);
	if (!ch_pg_row_ok(&r, err) ||
		!ch_pg_get_day(lowest, 0, 0, &s->t->lowest_day))
		return ch_err_set(err, CH_EPROTO,
			"retention has no row for trades_public");
	return 0;
}

/* The time that a wrong clock wrote would stay the partition's for good. */
static int
take_time(struct storing *s, struct ch_time before, struct ch_time after,
	struct ch_err *err)
{
	struct apply *a = s->t->apply;
	s->clock_wrong = locks_clock_is_wrong(&a->locks, before, after, err);
	a->clock_wrong = s->clock_wrong;
	if (after.us > s->at.us)
		s->at = after;
	return s->clock_wrong ? err->code : 0;
}

static int
take_fences(struct storing *s, struct ch_err *err)
{
	struct script *sc = &s->t->apply->script;
	struct ch_time before = ch_clock_wall(s->t->apply->rt->clock);
	struct ch_pg_args a;
	script_add(sc, &begin, NULL);
	size_t first = sc->count;
	locks_queue_fences(sc, s->parts, s->part_count);
	size_t number = script_add(sc, &draw_number, NULL);
	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, "trades_public");
	size_t lowest = script_add(sc, &lowest_day, &a);
	int rc = script_run(sc, err);
	struct ch_time after = ch_clock_wall(s->t->apply->rt->clock);
	if (rc == 0)
		rc = read_fences(s, sc, first, err);
	if (rc == 0)
		rc = read_number(s, script_result(sc, number),
			script_result(sc, lowest), err);
	if (rc == 0)
		rc = take_time(s, before, after, err);
	script_clear(sc);
	return rc;
}

/* ---- what goes where ---- */

/* Against the kept days and the clock, both known only now. */
static void
check_time(struct storing *s, struct trade_entry *e)
{
	if (e->error_class != NULL &&
		strcmp(e->error_class, "trade_expired") != 0)
		return;
	e->error_class = NULL;
	if (ch_time_day(e->trade.traded_at) < s->t->lowest_day) {
		e->error_class = "trade_expired";
		e->reason = CH_VIEW("traded_at is before the days that are "
				    "kept");
	} else if (e->trade.traded_at.us > s->at.us + FUTURE_US) {
		e->error_class = "invalid";
		e->reason = CH_VIEW("traded_at is more than a day ahead");
	}
}

static void
add_trade(struct storing *s, const struct trade_entry *e)
{
	struct ch_pg_array *c = s->t->cols;
	const struct trade *t = &e->trade;
	ch_pg_array_bytea(&c[0],
		(struct ch_view){
			(const char *)t->trade_id, sizeof(t->trade_id)});
	ch_pg_array_time(&c[1], t->traded_at);
	ch_pg_array_text(&c[2], t->condition_id);
	ch_pg_array_text(&c[3], t->asset);
	ch_pg_array_text(&c[4], t->wallet);
	ch_pg_array_text(&c[5], t->side);
	ch_pg_array_text(&c[6], t->price);
	ch_pg_array_text(&c[7], t->size);
	ch_pg_array_text(&c[8], t->outcome);
	ch_pg_array_text(&c[9], t->tx_hash);
	ch_pg_array_text(&c[10], t->source);
	ch_pg_array_i32(&c[11], s->load->parts[e->part].p->stream);
	ch_pg_array_i64(&c[12], e->record.offset);
	ch_pg_array_i64(&c[13], s->number);
	s->rows++;
}

/* One read again has its letter since it was first read. */
static bool
is_letter(const struct storing *s, const struct trade_entry *e)
{
	if (e->error_class == NULL || e->record.read_again)
		return false;
	return strcmp(e->error_class, "trade_expired") != 0 ||
		ch_params_enum(s->t->apply->rt->params, "expired_trades") == 0;
}

/* Sorts the entries into rows and refusals. Returns how many go to rejected. */
static size_t
sort_entries(struct storing *s)
{
	size_t letters = 0;
	for (size_t i = 0; i < 14; i++)
		ch_pg_array_clear(&s->t->cols[i]);
	s->rows = s->expired = s->rejected = 0;
	for (size_t i = 0; i < s->n; i++) {
		struct trade_entry *e = &s->load->entries[i];
		check_time(s, e);
		if (e->error_class == NULL) {
			add_trade(s, e);
			continue;
		}
		bool old = strcmp(e->error_class, "trade_expired") == 0;
		s->expired += old;
		s->rejected += !old;
		letters += is_letter(s, e);
	}
	return letters;
}

static int64_t
take_log_seq(struct storing *s, const struct partition *p)
{
	for (size_t i = 0; i < s->part_count; i++)
		if (s->parts[i].p == p)
			return s->next_log_seq[i]++;
	return 0;
}

static struct ch_uuid
letter_id(const struct storing *s, const struct partition *p, int64_t offset)
{
	char name[320];
	int n = snprintf(name, sizeof(name), "letter/%s/%d/%lld", p->topic,
		p->part, (long long)offset);
	return ch_uuid_v7_named(s->at, (struct ch_view){name, (size_t)n});
}

static void
put_letter(struct storing *s, struct rowset *rs, const struct trade_entry *e,
	int32_t pos)
{
	struct partition *p = s->load->parts[e->part].p;
	struct ch_uuid id = letter_id(s, p, e->record.offset);
	rowset_row(rs);
	rowset_i32(rs, p->stream);
	rowset_i64(rs, take_log_seq(s, p));
	rowset_i64(rs, s->number);
	rowset_i32(rs, pos);
	rowset_uuid(rs, &id);
	rowset_time(rs, s->at);
	rowset_str(rs, p->topic);
	rowset_i32(rs, p->part);
	rowset_i64(rs, e->record.offset);
	if (e->record.has_timestamp)
		rowset_time(rs, e->record.timestamp);
	else
		rowset_null(rs);
	rowset_bytea(rs, e->record.key);
	rowset_bytea(rs, e->record.value);
	rowset_headers(rs, e->record.headers, e->record.header_count);
	rowset_str(rs, e->error_class);
	rowset_text(rs, e->reason);
	rowset_str(rs, e->sqlstate[0] != '\0' ? e->sqlstate : NULL);
}

static int
write_letters(struct storing *s, size_t count, struct ch_err *err)
{
	struct rowset rs;
	int32_t pos = 0;
	if (count == 0)
		return 0;
	rowset_begin(&rs, &s->t->apply->script, &table_rejected, count, err);
	for (size_t i = 0; i < s->n; i++) {
		const struct trade_entry *e = &s->load->entries[i];
		if (is_letter(s, e))
			put_letter(s, &rs, e, pos++);
	}
	return rowset_end(&rs, err);
}

static void
queue_close(struct storing *s, struct script *sc)
{
	struct ch_pg_array topics, parts, seqs;
	struct ch_pg_args a;
	ch_pg_array_init(&topics, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&parts, CH_PG_INT4_ARRAY);
	ch_pg_array_init(&seqs, CH_PG_INT8_ARRAY);
	for (size_t i = 0; i < s->part_count; i++) {
		ch_pg_array_text(&topics, ch_view_of(s->parts[i].p->topic));
		ch_pg_array_i32(&parts, s->parts[i].p->part);
		ch_pg_array_i64(&seqs, s->next_log_seq[i]);
	}
	ch_pg_args_clear(&a);
	ch_pg_arg_array(&a, &topics);
	ch_pg_arg_array(&a, &parts);
	ch_pg_arg_array(&a, &seqs);
	ch_pg_arg_time(&a, s->at);
	script_add(sc, &close_batch, &a);
	ch_pg_array_free(&topics);
	ch_pg_array_free(&parts);
	ch_pg_array_free(&seqs);
}

static int
write_all(struct storing *s, struct ch_err *err)
{
	struct script *sc = &s->t->apply->script;
	struct ch_pg_args a;
	size_t letters = sort_entries(s);
	int rc = write_letters(s, letters, err);
	if (rc != 0)
		return rc;
	size_t inserted = sc->count;
	ch_pg_args_clear(&a);
	for (size_t i = 0; i < 14; i++)
		ch_pg_arg_array(&a, &s->t->cols[i]);
	if (s->rows > 0)
		script_add(sc, &insert_trades, &a);
	queue_close(s, sc);
	rc = script_run(sc, err);
	if (rc == 0 && s->rows > 0)
		s->known = s->rows -
			(size_t)ch_pg_affected(script_result(sc, inserted));
	script_clear(sc);
	return rc;
}

/* ---- outcomes ---- */

static void
list_days(const struct storing *s, struct day_list *l)
{
	l->count = 0;
	day_list_add(l, ch_time_day(s->at));
	for (size_t i = 0; i < s->n; i++) {
		const struct trade_entry *e = &s->load->entries[i];
		if (e->error_class == NULL)
			day_list_add(l, ch_time_day(e->trade.traded_at));
	}
}

/* Halves what is tried; a single one that is refused twice is parked. */
static enum apply_end
narrow(struct storing *s)
{
	struct trades *t = s->t;
	if (s->n > 1) {
		t->most = s->n / 2;
		t->alone = 0;
		return APPLY_AGAIN;
	}
	if (++t->alone < 2)
		return APPLY_AGAIN;
	struct trade_entry *e = &s->load->entries[0];
	e->error_class = "poison";
	e->reason = ch_arena_view(&s->load->arena, ch_view_of(t->apply->why));
	(void)snprintf(e->sqlstate, sizeof(e->sqlstate), "%s",
		t->apply->sqlstate);
	ch_metric_add(t->apply->rt->metrics, LM_POISON, 1);
	t->alone = 0;
	return APPLY_AGAIN;
}

static enum apply_end
failed(struct storing *s, const struct ch_err *err)
{
	struct apply *a = s->t->apply;
	if (s->fenced != NULL) {
		bool up = ch_pg_rollback(a->session->pg, NULL) == 0;
		fence_lost(a->fence, s->fenced);
		return up ? APPLY_FENCED : APPLY_DOWN;
	}
	if (s->clock_wrong)
		return ch_pg_rollback(a->session->pg, NULL) == 0
			? apply_clock_wrong(a, err)
			: APPLY_DOWN;
	list_days(s, &a->days);
	enum apply_end end = apply_failed(a, err);
	return end == APPLY_ROWS ? narrow(s) : end;
}

static void
count(const struct storing *s)
{
	struct ch_metrics *m = s->t->apply->rt->metrics;
	ch_series_add(ch_metrics_series(m, LM_TRADES, "stored"),
		(int64_t)(s->rows - s->known));
	ch_series_add(ch_metrics_series(m, LM_TRADES, "known"),
		(int64_t)s->known);
	ch_series_add(ch_metrics_series(m, LM_TRADES, "expired"),
		(int64_t)s->expired);
	ch_series_add(ch_metrics_series(m, LM_TRADES, "rejected"),
		(int64_t)s->rejected);
	ch_series_add(ch_metrics_series(m, LM_BATCHES, "trades"), 1);
}

static enum apply_end
store(struct storing *s)
{
	struct ch_err err = CH_ERR_INIT;
	if (take_fences(s, &err) != 0 || write_all(s, &err) != 0)
		return failed(s, &err);
	enum apply_end end = apply_commit(s->t->apply, s->parts, s->part_count);
	if (end != APPLY_DONE)
		return end;
	for (size_t i = 0; i < s->part_count; i++) {
		load_part_moved(&s->parts[i]);
		s->parts[i].p->next_log_seq = s->next_log_seq[i];
	}
	count(s);
	s->t->most = 0;
	s->t->alone = 0;
	s->t->apply->failures = 0;
	return APPLY_DONE;
}

enum apply_end
trades_store(struct trades *t, struct trade_load *l)
{
	trade_load_drop(l, 0);
	if (l->count == 0)
		return APPLY_DONE;
	struct storing s = {.t = t, .load = l, .n = l->count};
	if (t->most > 0 && t->most < s.n)
		s.n = t->most;
	s.parts = ch_xcalloc(l->part_count, sizeof(*s.parts));
	s.next_log_seq = ch_xcalloc(l->part_count, sizeof(int64_t));
	s.part_count = trade_load_parts(l, s.n, s.parts);
	enum apply_end end = store(&s);
	if (end == APPLY_DONE)
		trade_load_drop(l, s.n);
	free(s.parts);
	free(s.next_log_seq);
	return end;
}
