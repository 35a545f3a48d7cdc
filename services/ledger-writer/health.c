/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health: see health.h.
 */
#include "health.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "ledger_writer_sql.h"
#include "meters.h"

#define TOLD_AGAIN_MS 600000 /* a fault that lasts is logged so often */
#define MILLION 1000000

static const struct ch_pg_stmt look = {"", ledger_writer_sql_health};

#define NO_METER (-1) /* no figure of its own besides LM_HEALTH_OK */

/* Which metric shows a check's value, in which unit, and whether it has the
 * subject (a table) as its label. */
static const struct shown {
	const char *check;
	int meter;   /* enum ledger_meter */
	int64_t per; /* value is in millionths: divided by this */
	bool by_table;
} shown[] = {
	{"oldest_snapshot_seconds", LM_SNAPSHOT_AGE, 1, false},
	{"prepared_transaction_seconds", NO_METER, 1, false},
	{"slot_xmin_transactions", NO_METER, 1, false},
	{"slot_wal_bytes", NO_METER, 1, false},
	{"lock_wait_seconds", LM_LOCK_WAIT, 1, false},
	{"pause_lock_seconds", NO_METER, 1, false},
	{"sees_all_sessions", NO_METER, 1, false},
	{"writer_passes_row_security", NO_METER, 1, false},
	{"hot_update_ratio", LM_HOT_RATIO, 1, true},
	{"dead_rows", LM_DEAD_ROWS, MILLION, true},
	{"sequential_scans", LM_SEQ_SCANS, MILLION, true},
	{"missing_partitions", LM_MISSING_PARTITIONS, MILLION, true},
	{"books_snapshot_seconds", LM_BOOKS_SNAPSHOT_AGE, 1, false},
	{"overdue_days", LM_OVERDUE_DAYS, MILLION, true},
};
#define SHOWN (sizeof(shown) / sizeof(shown[0]))

struct finding {
	struct ch_view check, subject, mend;
	int64_t value, limit; /* millionths */
	bool ok;
};

void
health_init(struct health *h, const struct ch_runtime *rt,
	struct session *session)
{
	*h = (struct health){.rt = rt,
		.session = session,
		.next_at = ch_clock_mono(rt->clock),
		.told = ch_map_new()};
}

void
health_free(struct health *h)
{
	ch_map_free(h->told, free);
}

static void
show_table(struct health *h, const struct shown *s, const struct finding *f)
{
	struct ch_metrics *m = h->rt->metrics;
	char table[80];
	if (ch_view_copy(f->subject, table, sizeof(table)) != 0)
		return;
	ch_series_set(ch_metrics_series(m, s->meter, table), f->value / s->per);
	ch_series_set(ch_metrics_series(m, LM_HEALTH_OK, s->check, table),
		f->ok);
}

/* bad: how many faults of each check that has no table. */
static void
show(struct health *h, const struct finding *f, int bad[SHOWN])
{
	for (size_t i = 0; i < SHOWN; i++) {
		const struct shown *s = &shown[i];
		if (!ch_view_eq_str(f->check, s->check))
			continue;
		if (s->by_table) {
			show_table(h, s, f);
			continue;
		}
		bad[i] += !f->ok;
		if (s->meter != NO_METER)
			ch_metric_set(h->rt->metrics, s->meter,
				f->value / s->per);
	}
}

/* A check whose subjects (slots, sessions) are gone is well again. */
static void
show_whole(struct health *h, const int bad[SHOWN])
{
	for (size_t i = 0; i < SHOWN; i++) {
		if (!shown[i].by_table)
			ch_series_set(ch_metrics_series(h->rt->metrics,
					      LM_HEALTH_OK, shown[i].check, ""),
				bad[i] == 0);
	}
}

/* Has it not been said lately? */
static bool
is_news(struct health *h, struct ch_view key)
{
	struct ch_mono now = ch_clock_mono(h->rt->clock);
	struct ch_mono *at = ch_map_get(h->told, key);
	if (at != NULL && ch_mono_ms_since(now, *at) < TOLD_AGAIN_MS)
		return false;
	if (at == NULL) {
		at = ch_xcalloc(1, sizeof(*at));
		(void)ch_map_put(h->told, key, at);
	}
	*at = now;
	return true;
}

static void
tell(struct health *h, const struct finding *f)
{
	struct ch_buf key = CH_BUF_INIT;
	ch_buf_addv(&key, f->check);
	ch_buf_addc(&key, '/');
	ch_buf_addv(&key, f->subject);
	if (f->ok)
		free(ch_map_del(h->told, ch_buf_view(&key)));
	else if (is_news(h, ch_buf_view(&key)))
		ch_warn("health", CH_V("check", f->check),
			CH_V("subject", f->subject),
			CH_I("value_millionths", f->value),
			CH_I("limit_millionths", f->limit),
			CH_V("mend", f->mend));
	ch_buf_free(&key);
}

static bool
read_finding(const PGresult *res, int i, struct finding *f, struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, i);
	f->check = ch_pg_next_text(&r);
	f->subject = ch_pg_next_text(&r);
	f->value = ch_pg_next_i64(&r);
	f->limit = ch_pg_next_i64(&r);
	f->ok = ch_pg_next_bool(&r);
	f->mend = ch_pg_next_text(&r);
	return ch_pg_row_ok(&r, err);
}

static int
ask(struct health *h, PGresult **res, struct ch_err *err)
{
	struct ch_pg_args a;
	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, ch_params_str(h->rt->params, "client_id"));
	return session_query(h->session, &look, &a, res, err);
}

static int
read_findings(struct health *h, const PGresult *res, struct ch_err *err)
{
	int bad[SHOWN] = {0};
	int64_t faults = 0;
	for (int i = 0; i < PQntuples(res); i++) {
		struct finding f;
		if (!read_finding(res, i, &f, err))
			return err->code;
		faults += !f.ok;
		show(h, &f, bad);
		tell(h, &f);
	}
	show_whole(h, bad);
	ch_metric_set(h->rt->metrics, LM_HEALTH_FAULTS, faults);
	return 0;
}

void
health_turn(struct health *h)
{
	struct ch_mono now = ch_clock_mono(h->rt->clock);
	struct ch_err err = CH_ERR_INIT;
	PGresult *res = NULL;
	if (ch_mono_ms_since(now, h->next_at) < 0)
		return;
	h->next_at.ns =
		now.ns + ch_params_ms(h->rt->params, "health_every") * MILLION;
	if (ask(h, &res, &err) != 0 || read_findings(h, res, &err) != 0)
		ch_warn("health.not_read", CH_ERR(&err));
	PQclear(res);
}
