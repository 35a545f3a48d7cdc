/* SPDX-License-Identifier: Apache-2.0 */
/*
 * market_sink: see market_sink.h.
 */
#include "market_sink.h"

#include <stdlib.h>

#include "base/backoff.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/pg.h"
#include "price_cache_sql.h"

#define BATCH 500
#define RETRY_MIN_MS 250
#define RETRY_MAX_MS 15000
#define IDLE_MS 1000
#define CONNECT_S 2
#define CALL_MS 5000
#define MS_NS INT64_C(1000000)
#define COLUMNS 9

static const struct ch_pg_stmt upsert = {
	"upsert_markets", price_cache_sql_upsert_markets};
static const struct ch_pg_stmt load = {"", price_cache_sql_load_markets};

struct market_sink {
	struct market_sink_options opt;
	struct ch_pg *pg;
	struct latest *latest;
	struct update *batch[BATCH];
	size_t batch_count;
	struct ch_pg_array columns[COLUMNS];
	struct ch_backoff backoff;
	struct ch_rng rng;
	struct ch_mono next; /* not before */
	bool restored;
	bool failing;
};

static const enum ch_pg_oid column_types[COLUMNS] = {CH_PG_TEXT_ARRAY,
	CH_PG_TEXT_ARRAY, CH_PG_TEXT_ARRAY, CH_PG_TEXT_ARRAY, CH_PG_TEXT_ARRAY,
	CH_PG_TEXT_ARRAY, CH_PG_TEXT_ARRAY, CH_PG_TIMESTAMPTZ_ARRAY,
	CH_PG_TIMESTAMPTZ_ARRAY};

int
market_sink_open(struct market_sink **out,
	const struct market_sink_options *opt, struct ch_err *err)
{
	struct market_sink *s = ch_xcalloc(1, sizeof(*s));
	struct ch_pg_params pg = {
		.conninfo = opt->database_url,
		.application_name = "price-cache",
		.passfile = opt->passfile[0] != '\0' ? opt->passfile : NULL,
		.search_path = opt->schema,
		.connect_timeout_s = CONNECT_S,
		.call_timeout_ms = CALL_MS,
		.statement_timeout_ms = CALL_MS,
		.read_write = true,
	};

	s->opt = *opt;
	s->backoff = (struct ch_backoff){
		.base_ms = RETRY_MIN_MS, .cap_ms = RETRY_MAX_MS};
	ch_rng_seed_system(&s->rng);
	s->latest = latest_new(opt->max_markets);
	for (int i = 0; i < COLUMNS; i++)
		ch_pg_array_init(&s->columns[i], column_types[i]);
	if (opt->database_url[0] != '\0') {
		s->pg = ch_pg_new(&pg, err);
		if (s->pg == NULL) {
			market_sink_close(s);
			return CH_ECONFIG;
		}
	}
	*out = s;
	return 0;
}

void
market_sink_put(struct market_sink *s, struct update *u)
{
	if (s->pg == NULL) {
		update_free(u);
		return;
	}
	if (latest_put(s->latest, u))
		ch_series_add(s->opt.meters->dropped_store, 1);
}

/* ---- writing ---- */

static void
add_text(struct ch_pg_array *column, struct ch_buf *b,
	void (*add)(struct ch_buf *, const struct update *),
	const struct update *u)
{
	ch_buf_clear(b);
	add(b, u);
	ch_pg_array_text(column, ch_buf_view(b));
}

static void
fill_columns(struct market_sink *s)
{
	struct ch_pg_array *c = s->columns;
	struct ch_buf text = CH_BUF_INIT;
	char id[MARKET_ID_TEXT + 1];

	for (int i = 0; i < COLUMNS; i++)
		ch_pg_array_clear(&c[i]);
	for (size_t i = 0; i < s->batch_count; i++) {
		const struct update *u = s->batch[i];

		market_id_format(&u->price->id, id);
		ch_pg_array_text(&c[0], ch_view_of(id));
		ch_pg_array_text(&c[1], ch_view_of(u->price->question));
		add_text(&c[2], &text, update_add_names, u);
		add_text(&c[3], &text, update_add_prices, u);
		add_text(&c[4], &text, update_add_tokens, u);
		ch_pg_array_text(&c[5],
			ch_view_of(market_state_name(u->price->state)));
		ch_pg_array_text(&c[6], ch_view_of(upstream_name(u->source)));
		ch_pg_array_time(&c[7], u->as_of);
		ch_pg_array_time(&c[8], u->changed_at);
	}
	ch_buf_free(&text);
}

static int
write_batch(struct market_sink *s, struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res = NULL;
	int rc;

	fill_columns(s);
	ch_pg_args_clear(&args);
	for (int i = 0; i < COLUMNS; i++)
		ch_pg_arg_array(&args, &s->columns[i]);
	rc = ch_pg_query(s->pg, &upsert, &args, &res, err);
	PQclear(res);
	return rc;
}

static void
take_batch(struct market_sink *s)
{
	struct update *u;

	while (s->batch_count < BATCH && (u = latest_take(s->latest)) != NULL)
		s->batch[s->batch_count++] = u;
}

/* Written, or to be tried again behind what came since. */
static void
end_batch(struct market_sink *s, bool written)
{
	struct ch_metrics *m = s->opt.meters->metrics;

	ch_metric_add(m, written ? PM_STORED : PM_STORE_FAILURES,
		written ? (int64_t)s->batch_count : 1);
	for (size_t i = 0; i < s->batch_count; i++) {
		if (written)
			update_free(s->batch[i]);
		else
			market_sink_put(s, s->batch[i]);
	}
	s->batch_count = 0;
}

/* ---- reading back ---- */

static bool
read_texts(const PGresult *res, int row, int col,
	struct ch_pg_array_reader *reader)
{
	return ch_pg_get_array(res, row, col, reader) &&
		reader->element == CH_PG_TEXT;
}

static bool
read_outcomes(const PGresult *res, int row, struct price *p)
{
	struct ch_pg_array_reader names, prices, tokens;
	struct ch_view name, text, token;

	if (!read_texts(res, row, 2, &names) ||
		!read_texts(res, row, 3, &prices) ||
		!read_texts(res, row, 4, &tokens))
		return false;
	for (int i = 0; i < p->count; i++) {
		struct price_outcome *o = &p->outcome[i];

		if (!ch_pg_array_next(&names, &name) ||
			!ch_pg_array_next(&prices, &text) ||
			!ch_pg_array_next(&tokens, &token) ||
			ch_view_copy(name, o->name, sizeof(o->name)) != 0 ||
			!price_text_copy(text, o->text) ||
			ch_view_copy(token, o->token, sizeof(o->token)) != 0)
			return false;
	}
	return true;
}

static bool
read_price(const PGresult *res, int row, struct price *p)
{
	struct ch_view id, question, status;

	if (!ch_pg_get_text(res, row, 0, &id) || !market_id_parse(id, &p->id) ||
		!ch_pg_get_text(res, row, 1, &question) ||
		ch_view_copy(question, p->question, sizeof(p->question)) != 0 ||
		!ch_pg_get_text(res, row, 5, &status) ||
		!read_outcomes(res, row, p))
		return false;
	p->state = ch_view_eq_str(status, "open")  ? MARKET_OPEN
		: ch_view_eq_str(status, "closed") ? MARKET_CLOSED
						   : MARKET_RESOLVED;
	return true;
}

/* NULL when the row is not one of ours (an operator may have edited it). */
static struct update *
read_row(const PGresult *res, int row)
{
	struct ch_pg_array_reader names;
	struct ch_view source;
	struct update *u;

	if (!read_texts(res, row, 2, &names) || names.left < 1 ||
		names.left > PRICE_OUTCOMES_MAX)
		return NULL;
	u = ch_xcalloc(1, sizeof(*u));
	u->price = price_new(names.left);
	if (!read_price(res, row, u->price) ||
		!ch_pg_get_text(res, row, 6, &source) ||
		!ch_pg_get_time(res, row, 7, &u->as_of)) {
		update_free(u);
		return NULL;
	}
	u->source = ch_view_eq_str(source, upstream_name(UPSTREAM_FALLBACK))
		? UPSTREAM_FALLBACK
		: UPSTREAM_PRIMARY;
	return u;
}

static int
restore(struct market_sink *s, struct ch_err *err)
{
	struct ch_pg_args args;
	struct update **updates;
	PGresult *res = NULL;
	size_t count = 0;
	int rc;

	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, (int64_t)s->opt.max_markets);
	rc = ch_pg_query(s->pg, &load, &args, &res, err);
	if (rc != 0)
		return rc;
	updates = ch_xcalloc((size_t)PQntuples(res) + 1, sizeof(*updates));
	/* The oldest first, so that the newest are the last to be evicted. */
	for (int row = PQntuples(res) - 1; row >= 0; row--) {
		updates[count] = read_row(res, row);
		count += updates[count] != NULL ? 1 : 0;
	}
	PQclear(res);
	ch_info("markets.restored", CH_U("markets", count));
	ch_metric_add(s->opt.meters->metrics, PM_RESTORED, (int64_t)count);
	s->opt.restored(s->opt.ctx, updates, count);
	free(updates);
	s->restored = true;
	return 0;
}

/* ---- turning ---- */

static void
postpone(struct market_sink *s, const struct ch_err *err)
{
	int64_t ms = ch_backoff_next(&s->backoff, &s->rng);

	s->next.ns = ch_clock_mono(s->opt.clock).ns + ms * MS_NS;
	if (!s->failing)
		ch_warn("markets.not_written", CH_ERR(err),
			CH_S("class",
				ch_pg_class_name(ch_pg_retry_class(s->pg))),
			CH_U("waiting", latest_count(s->latest)));
	s->failing = true;
}

static int
prepare(struct market_sink *s, struct ch_err *err)
{
	int rc = ch_pg_is_up(s->pg) ? 0 : ch_pg_connect(s->pg, err);

	if (rc == 0 && !s->restored)
		rc = restore(s, err);
	return rc;
}

static int
write_due(struct market_sink *s, struct ch_err *err)
{
	int rc = 0;

	take_batch(s);
	if (s->batch_count == 0)
		return 0;
	rc = write_batch(s, err);
	end_batch(s, rc == 0);
	return rc;
}

int
market_sink_turn(struct market_sink *s)
{
	struct ch_err err = CH_ERR_INIT;
	struct ch_mono now = ch_clock_mono(s->opt.clock);
	int64_t left = -ch_mono_ms_since(now, s->next);

	if (s->pg == NULL)
		return IDLE_MS;
	if (left > 0)
		return left < IDLE_MS ? (int)left + 1 : IDLE_MS;
	if (prepare(s, &err) != 0 || write_due(s, &err) != 0) {
		postpone(s, &err);
	} else {
		if (s->failing)
			ch_info("markets.written_again");
		s->failing = false;
		ch_backoff_reset(&s->backoff);
		s->next.ns = now.ns + s->opt.every_ms * MS_NS;
	}
	ch_metric_set(s->opt.meters->metrics, PM_STORE_PENDING,
		(int64_t)latest_count(s->latest));
	return (int)(s->opt.every_ms < IDLE_MS ? s->opt.every_ms : IDLE_MS);
}

bool
market_sink_is_idle(const struct market_sink *s)
{
	return s->pg == NULL || s->failing || latest_count(s->latest) == 0;
}

void
market_sink_close(struct market_sink *s)
{
	if (s == NULL)
		return;
	if (latest_count(s->latest) > 0)
		ch_warn("markets.left",
			CH_U("markets", latest_count(s->latest)));
	latest_free(s->latest);
	for (int i = 0; i < COLUMNS; i++)
		ch_pg_array_free(&s->columns[i]);
	ch_pg_free(s->pg);
	free(s);
}
