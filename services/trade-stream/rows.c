/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: see rows.h.
 *
 * Refused frames are counted by reason, each; logged are a few a second, with
 * the first bytes (the log escapes them) and how many were left out.
 */
#include "rows.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/ratelimit.h"
#include "filter.h"
#include "ordinal.h"
#include "record.h"

#define ARENA_KEEP 65536
#define SHOWN_MAX 200 /* bytes of a bad frame in the log */
#define LOGGED_PER_SECOND 1
#define LOGGED_BURST 10

struct rows {
	struct rows_options opt;
	const struct walletset *wallets;
	struct ordinal_table *ordinals;
	struct ch_arena arena;
	struct ch_buf scratch;
	struct ch_ratelimit logged;
	uint64_t unlogged;
};

struct rows *
rows_new(const struct rows_options *opt, const struct walletset *wallets)
{
	struct rows *r = ch_xcalloc(1, sizeof(*r));

	r->opt = *opt;
	r->wallets = wallets;
	r->ordinals = ordinal_new((size_t)opt->identity_keys,
		opt->identity_window_ms);
	ch_ratelimit_init(&r->logged, LOGGED_PER_SECOND, LOGGED_BURST,
		ch_clock_mono(opt->clock));
	return r;
}

void
rows_free(struct rows *r)
{
	if (r == NULL)
		return;
	ordinal_free(r->ordinals);
	ch_arena_free(&r->arena);
	ch_buf_free(&r->scratch);
	free(r);
}

void
rows_watch(struct rows *r, const struct walletset *wallets)
{
	r->wallets = wallets;
}

/* Foreign text, cut, and as text that a log can show. */
static void
log_frame(struct rows *r, const struct frame *f, struct ch_view message)
{
	struct ch_view shown = message;

	if (!ch_ratelimit_take(&r->logged, 1, ch_clock_mono(r->opt.clock))) {
		r->unlogged++;
		return;
	}
	if (shown.len > SHOWN_MAX)
		shown.len = SHOWN_MAX;
	ch_warn("feed.frame", CH_S("kind", frame_kind_name(f->kind)),
		CH_S("reason", frame_reason_name(f->reason)),
		CH_U("bytes", message.len), CH_U("unlogged", r->unlogged),
		CH_V("begins", shown));
	r->unlogged = 0;
}

static enum rows_verdict
take_other(struct rows *r, const struct frame *f, struct ch_view message)
{
	struct meters *m = r->opt.meters;

	ch_series_add(m->frames[f->kind], 1);
	if (f->kind == FRAME_REFUSED)
		ch_series_add(m->refused[f->reason], 1);
	if (f->kind == FRAME_REFUSED || f->kind == FRAME_NOTICE)
		log_frame(r, f, message);
	return ROWS_OTHER;
}

static void
count_row(struct rows *r, enum trade_source source)
{
	struct meters *m = r->opt.meters;

	ch_series_add(m->rows[source], 1);
	ch_series_set(m->last_row[source], ch_clock_wall(r->opt.clock).us);
}

static enum rows_verdict
queue_row(struct rows *r, uint64_t connection, const struct trade *trade)
{
	struct meters *m = r->opt.meters;
	struct ch_mono now = ch_clock_mono(r->opt.clock);
	struct ordinal_key key = ordinal_key_of(trade);
	struct ordinal_taken n =
		ordinal_take(r->ordinals, connection, &key, now);
	struct record *record;

	if (n.repeated) {
		ch_series_add(m->repeated, 1);
		return ROWS_DATA;
	}
	record = record_new(trade, ordinal_trade_id(trade, n.ordinal), now,
		&r->scratch);
	if (ch_ring_push(r->opt.queue, record, record_bytes(record)) != 0) {
		ordinal_give_back(r->ordinals, connection, &key);
		ch_series_add(m->dropped, 1);
		free(record);
		return ROWS_FULL;
	}
	ch_metric_add(m->metrics, TM_QUEUED, 1);
	return ROWS_DATA;
}

static enum rows_verdict
take_trade(struct rows *r, uint64_t connection, const struct frame *f)
{
	struct meters *m = r->opt.meters;
	const struct trade *t = &f->trade;
	int64_t lag = ch_clock_wall(r->opt.clock).us - t->sent_at.us;

	count_row(r, t->source);
	ch_metric_observe(m->metrics, TM_FEED_LAG, lag > 0 ? lag : 0);
	if (r->wallets != NULL && !walletset_has(r->wallets, t->wallet_key)) {
		ch_series_add(m->unwatched, 1);
		return ROWS_DATA;
	}
	if (!r->opt.publish[t->source])
		return ROWS_DATA;
	if (f->cut)
		ch_metric_add(m->metrics, TM_CUT, 1);
	return queue_row(r, connection, t);
}

enum rows_verdict
rows_take(struct rows *r, uint64_t connection, struct ch_view message,
	enum trade_source *source)
{
	struct frame f;

	if (r->wallets != NULL &&
		filter_is_unwatched(r->wallets, message, source)) {
		count_row(r, *source);
		ch_series_add(r->opt.meters->unwatched, 1);
		return ROWS_DATA;
	}
	ch_arena_reset(&r->arena, ARENA_KEEP);
	if (frame_decode(&r->arena, message, ch_clock_wall(r->opt.clock), &f) !=
		FRAME_TRADE)
		return take_other(r, &f, message);
	*source = f.trade.source;
	return take_trade(r, connection, &f);
}
