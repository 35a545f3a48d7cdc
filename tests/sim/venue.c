/* SPDX-License-Identifier: Apache-2.0 */
/*
 * venue: see venue.h.
 */
#include "venue.h"

#include "world.h"

#define VALUE_MAX ((size_t)64 * 1024)
#define FILLS 6
#define DAY_MS INT64_C(86400000)

void
venue_reset(struct venue *v)
{
	v->count = 0;
}

void
venue_free(struct venue *v)
{
	ch_buf_free(&v->text);
}

/* ---- records ---- */

static void
produce(struct world *w, struct ch_view value, int64_t at_ms, bool is_poison)
{
	int part = broker_any_part(&w->broker, BROKER_FILLS);

	broker_produce(&w->broker, part,
		&(struct sim_record){.at_ms = at_ms,
			.value = value.ptr,
			.len = value.len,
			.command = serial_fill_new(value.ptr, value.len,
				VALUE_MAX, at_ms),
			.is_poison = is_poison},
		world_one_in(w, 25));
}

/* Of the record; far away at times: its fill has an id that is too old, or
 * from the future. */
static int64_t
any_time(struct world *w)
{
	int64_t at = w->now.us / 1000 - (int64_t)world_below(w, 100);

	if (world_one_in(w, 50))
		at -= 2 * DAY_MS;
	else if (world_one_in(w, 50))
		at += 295000 + (int64_t)world_below(w, 10000);
	return at;
}

static void
open_record(struct venue *v, const char *fill, unsigned order)
{
	ch_buf_clear(&v->text);
	ch_buf_printf(&v->text,
		"{\"fill_id\":\"%s\",\"org\":\"acme\",\"order\":\"o%u\","
		"\"traded_at\":\"2026-09-01T00:00:00Z\"",
		fill, order);
}

static void
put_member(struct venue *v, const char *name, const char *value)
{
	ch_buf_printf(&v->text, ",\"%s\":\"%s\"", name, value);
}

/* longer: the same, in other words. */
static void
tell(struct venue *v, struct world *w, const struct venue_report *r,
	bool longer)
{
	char fill[16];

	(void)snprintf(fill, sizeof(fill), "f%u", r->fill);
	open_record(v, fill, r->order);
	ch_buf_printf(&v->text, ",\"qty\":\"%u%s\"", r->qty,
		longer ? ".00" : "");
	if (r->price > 0)
		ch_buf_printf(&v->text, ",\"price\":\"0.%u%s\"", r->price,
			longer ? "0" : "");
	if (longer)
		put_member(v, "source", "backfill");
	ch_buf_addc(&v->text, '}');
	produce(w, ch_buf_view(&v->text), r->at_ms, false);
}

/* ---- reports ---- */

static void
report_new(struct venue *v, struct world *w, unsigned order)
{
	struct venue_report *r = &v->sent[v->count % VENUE_REPORTS];

	v->count++;
	r->order = order;
	r->fill = world_below(w, FILLS);
	r->qty = 1 + world_below(w, 3);
	r->price = world_below(w, 3);
	r->at_ms = any_time(w);
	tell(v, w, r, world_one_in(w, 4));
	/* the same through another partition at the same moment */
	if (world_one_in(w, 6))
		tell(v, w, r, world_one_in(w, 2));
}

/* A letter that is replayed comes so, too. */
static void
report_again(struct venue *v, struct world *w)
{
	size_t n = v->count < VENUE_REPORTS ? v->count : VENUE_REPORTS;
	struct venue_report r = v->sent[world_below(w, (unsigned)n)];

	if (world_one_in(w, 6))
		r.qty++;
	else if (world_one_in(w, 6))
		r.price = 3;
	if (!world_one_in(w, 3))
		r.at_ms = any_time(w);
	tell(v, w, &r, world_one_in(w, 3));
}

static void
report_odd(struct venue *v, struct world *w, unsigned order)
{
	static const char *const quantities[] = {
		"0.000000001", "999999999999.5", "5.5", "0", "1.", "-1"};
	bool is_poison = world_one_in(w, 2);

	open_record(v, is_poison ? VENUE_POISON : "odd", order);
	put_member(v, "qty", is_poison ? "1" : quantities[world_below(w, 6)]);
	ch_buf_addc(&v->text, '}');
	produce(w, ch_buf_view(&v->text), any_time(w), is_poison);
}

static void
report_broken(struct world *w)
{
	static const char *const broken[] = {"", "[]", "{\"fill_id\":\"f0\"}",
		"{\"fill_id\":\"f0\",\"org\":\"a/b\",\"order\":\"o0\","
		"\"qty\":\"1\",\"traded_at\":\"2026-09-01T00:00:00Z\"}"};
	unsigned i = world_below(w, 5);

	produce(w, i == 4 ? (struct ch_view){NULL, 0} : ch_view_of(broken[i]),
		any_time(w), false);
}

void
venue_report(struct venue *v, struct world *w, unsigned order)
{
	if (v->count > 0 && world_one_in(w, 3))
		report_again(v, w);
	else if (world_one_in(w, 10))
		report_odd(v, w, order);
	else if (world_one_in(w, 25))
		report_broken(w);
	else
		report_new(v, w, order);
}
