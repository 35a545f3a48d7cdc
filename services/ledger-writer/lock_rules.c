/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock_rules: see lock_rules.h.
 */
#include "lock_rules.h"

#include <stdlib.h>

#include "ledger_writer_sql.h"

static const struct ch_pg_stmt read_pauses = {
	"read_pauses", ledger_writer_sql_read_pauses};
static const struct ch_pg_stmt read_rates = {
	"read_rates", ledger_writer_sql_read_rates};
static const struct ch_pg_stmt lock_rates = {
	"lock_rates", ledger_writer_sql_lock_rates};

static const struct ch_view *
keep_texts(const struct lock_rules *k, struct ch_pg_array_reader *r,
	size_t *count)
{
	struct ch_view *texts =
		ch_arena_calloc(k->arena, (size_t)r->left + 1, sizeof(*texts));
	struct ch_view v;
	*count = 0;
	while (ch_pg_array_next(r, &v))
		texts[(*count)++] = ch_arena_view(k->arena, v);
	return texts;
}

static int
load_pauses(const struct lock_rules *k, const PGresult *res, struct ch_err *err)
{
	int n = PQntuples(res);
	struct batch_pause *all =
		ch_arena_calloc(k->arena, (size_t)n + 1, sizeof(*all));
	for (int i = 0; i < n; i++) {
		struct ch_pg_array_reader r;
		struct ch_view v;
		if (!ch_pg_get_text(res, i, 0, &v) ||
			!ch_pg_get_array(res, i, 1, &r))
			return ch_err_set(err, CH_EPROTO, "pauses");
		all[i].scope = ch_arena_view(k->arena, v);
		all[i].types = keep_texts(k, &r, &all[i].type_count);
		if (ch_pg_get_text(res, i, 2, &v))
			all[i].reason = ch_arena_view(k->arena, v);
	}
	k->context->pauses = all;
	k->context->pause_count = (size_t)n;
	return 0;
}

static int
load_rule(const struct lock_rules *k, const PGresult *res, int i,
	struct rate_rule *rule, struct ch_err *err)
{
	struct ch_pg_array_reader types;
	struct ch_pg_row r = ch_pg_row(res, i);
	rule->rule_id = ch_pg_next_i32(&r);
	rule->name = ch_arena_view(k->arena, ch_pg_next_text(&r));
	rule->org = ch_arena_view(k->arena, ch_pg_next_text(&r));
	rule->by_actor = ch_pg_next_bool(&r);
	if (!ch_pg_get_array(res, i, r.col++, &types))
		return ch_err_set(err, CH_EPROTO, "types of a rate rule");
	rule->types = keep_texts(k, &types, &rule->type_count);
	rule->most = ch_pg_next_i64(&r);
	rule->window_us = ch_pg_next_i64(&r);
	rule->shares = ch_pg_next_i32(&r);
	return ch_pg_row_ok(&r, err) ? 0 : err->code;
}

static int
load_rates(const struct lock_rules *k, const PGresult *res, struct ch_err *err)
{
	int n = PQntuples(res);
	struct rate_rule *rules =
		ch_arena_calloc(k->arena, (size_t)n + 1, sizeof(*rules));
	int rc = 0;
	for (int i = 0; rc == 0 && i < n; i++)
		rc = load_rule(k, res, i, &rules[i], err);
	k->context->rates = rules;
	k->context->rate_count = (size_t)n;
	return rc;
}

void
lock_rules_queue(struct lock_rules *k, struct script *sc)
{
	k->pauses = script_add(sc, &read_pauses, NULL);
	k->rates = script_add(sc, &read_rates, NULL);
}

void
lock_rules_queue_rates(struct lock_rules *k, struct script *sc)
{
	k->pauses = SIZE_MAX;
	k->rates = script_add(sc, &read_rates, NULL);
}

int
lock_rules_load(const struct lock_rules *k, const struct script *sc,
	struct ch_err *err)
{
	int rc = 0;
	if (k->pauses != SIZE_MAX)
		rc = load_pauses(k, script_result(sc, k->pauses), err);
	return rc == 0 ? load_rates(k, script_result(sc, k->rates), err) : rc;
}

/* ---- the windows of the rates ---- */

static int
by_rate_key(const void *a, const void *b)
{
	const struct rate_window *x = *(struct rate_window *const *)a;
	const struct rate_window *y = *(struct rate_window *const *)b;
	if (x->row.org->org_id != y->row.org->org_id)
		return x->row.org->org_id < y->row.org->org_id ? -1 : 1;
	if (x->rule_id != y->rule_id)
		return x->rule_id < y->rule_id ? -1 : 1;
	return ch_view_cmp(x->subject, y->subject);
}

static int
load_window(struct books *b, const PGresult *res, int i,
	struct rate_window *const *windows, struct ch_err *err)
{
	struct ch_pg_array_reader stamps;
	struct ch_pg_row r = ch_pg_row(res, i);
	int64_t at = ch_pg_next_i64(&r);
	struct ch_view v;
	if (r.bad != 0 || !ch_pg_get_array(res, i, r.col++, &stamps))
		return ch_err_set(err, CH_EPROTO, "stamps of a rate window");
	struct rate_window *w = windows[at - 1];
	w->cap = (size_t)stamps.left;
	w->stamps =
		ch_arena_alloc(&b->arena, (w->cap + 1) * sizeof(*w->stamps));
	while (ch_pg_array_next(&stamps, &v) && v.len == sizeof(int64_t))
		w->stamps[w->count++] = (int64_t)ch_be64(v.ptr);
	w->row.last_at = ch_pg_next_time(&r);
	if (!ch_pg_row_ok(&r, err))
		return err->code;
	books_loaded(&w->row);
	return 0;
}

void
lock_windows_queue(struct lock_windows *w, struct books *b,
	struct ch_arena *arena, struct script *sc)
{
	size_t n = books_count(b, ROW_RATE);
	struct ch_pg_array org_ids, rule_ids, subjects;
	struct ch_pg_args a;
	w->items = ch_arena_alloc(arena, (n + 1) * sizeof(*w->items));
	for (size_t i = 0; i < n; i++)
		w->items[i] = books_rate_at(b, i);
	qsort(w->items, n, sizeof(*w->items), by_rate_key);
	ch_pg_array_init(&org_ids, CH_PG_INT4_ARRAY);
	ch_pg_array_init(&rule_ids, CH_PG_INT4_ARRAY);
	ch_pg_array_init(&subjects, CH_PG_TEXT_ARRAY);
	for (size_t i = 0; i < n; i++) {
		ch_pg_array_i32(&org_ids, w->items[i]->row.org->org_id);
		ch_pg_array_i32(&rule_ids, w->items[i]->rule_id);
		ch_pg_array_text(&subjects, w->items[i]->subject);
	}
	ch_pg_args_clear(&a);
	ch_pg_arg_array(&a, &org_ids);
	ch_pg_arg_array(&a, &rule_ids);
	ch_pg_arg_array(&a, &subjects);
	w->at = script_add(sc, &lock_rates, &a);
	ch_pg_array_free(&org_ids);
	ch_pg_array_free(&rule_ids);
	ch_pg_array_free(&subjects);
}

int
lock_windows_load(const struct lock_windows *w, struct books *b,
	const struct script *sc, struct ch_err *err)
{
	const PGresult *res = script_result(sc, w->at);
	int rc = 0;
	for (int i = 0; rc == 0 && i < PQntuples(res); i++)
		rc = load_window(b, res, i, w->items, err);
	return rc;
}
