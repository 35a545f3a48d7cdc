/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare_core: see compare_core.h. The core's rows become texts in
 * compare_rows.c.
 */
#include "compare_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "batch.h"
#include "compare_rows.h"
#include "load_sets.h"

#define TYPES_MAX 24 /* of one pause or rule */
#define RULES_MAX 64

struct core {
	struct ch_rng rng;
	struct batch batch;
	struct mem_store *store;
	struct core_counts *counts;
	int64_t number;
	struct ch_time decided_at; /* of the batch before */
	const char *rule_names[RULES_MAX];
	size_t rule_count;
	struct rate_rule rules[LOAD_SET_RATES];
	struct ch_view rate_types[LOAD_SET_RATES][TYPES_MAX];
	size_t page_size; /* 0: no page is to be paid */
};

struct core *
core_new(enum mem_store_bug bug, uint64_t seed, struct core_counts *counts)
{
	struct command_limits limits = {.value_max = (size_t)64 * 1024};
	struct core *c = ch_xcalloc(1, sizeof(*c));

	c->counts = counts;
	ch_rng_seed(&c->rng, seed);
	batch_init(&c->batch, &limits);
	for (int i = 0; i < LEDGER_LOAD_STREAMS; i++)
		(void)batch_add_stream(&c->batch, 3 + 5 * i,
			ledger_load_parts[i], CH_VIEW("ledger.commands"));
	c->store = mem_store_new(bug);
	return c;
}

void
core_free(struct core *c)
{
	batch_free(&c->batch);
	mem_store_free(c->store);
	free(c);
}

int64_t
core_decided_at(const struct core *c)
{
	return c->decided_at.us;
}

int64_t
core_batch_number(const struct core *c)
{
	return c->number;
}

const char *
core_problem(const struct core *c)
{
	return mem_store_problem(c->store);
}

char *
core_dump(struct core *c)
{
	return mem_store_dump(c->store);
}

/* ---- what the core said ---- */

/* What the core says of where a row stands must be in its answer. */
static void
check_answer(const struct core *c, size_t stream, int64_t log_seq,
	enum ledger_status status, struct ch_view result, struct side *out)
{
	char seq[64];
	bool has_reason =
		memmem(result.ptr, result.len, ",\"reason\":\"", 11) != NULL;

	(void)snprintf(seq, sizeof(seq), ",\"seq\":\"%d-%lld\",",
		c->batch.streams[stream].stream, (long long)log_seq);
	if (memmem(result.ptr, result.len, seq, strlen(seq)) == NULL ||
		has_reason != (status != STATUS_APPLIED))
		side_problem(out, "seq %s or the reason is not right in %.*s",
			seq, CH_VIEW_ARG(result));
}

static void
take_log(struct core *c, const struct log_row *l, struct side *out)
{
	check_answer(c, l->stream, l->log_seq, l->status, l->result, out);
	side_add(out, l->timer ? TIMERS : ANSWERS,
		compare_rows_result(l->result, l->timer));
	c->counts->timers += l->timer;
	if (!l->timer)
		*(l->status == STATUS_APPLIED ? &c->counts->applied
					      : &c->counts->refused) += 1;
}

static void
take_answer(struct core *c, const struct answer_row *a, struct side *out)
{
	bool again = strcmp(a->status_name, "duplicate") == 0;

	if (!again)
		check_answer(c, a->stream, a->log_seq, a->status, a->result,
			out);
	c->counts->duplicates += again;
	side_add(out, ANSWERS, compare_rows_result(a->result, false));
}

/* The three tables merged by pos. */
static void
take_rows(struct core *c, struct side *side)
{
	const struct batch_out *out = &c->batch.out;
	size_t l = 0, a = 0, j = 0;

	for (int32_t pos = 0; pos < out->next_pos; pos++) {
		if (l < out->log_count && out->log[l].pos == pos) {
			take_log(c, &out->log[l++], side);
		} else if (a < out->answer_count &&
			out->answers[a].pos == pos) {
			take_answer(c, &out->answers[a++], side);
		} else if (j < out->rejected_count &&
			out->rejected[j].pos == pos) {
			side_add(side, ANSWERS, ch_xstrdup(""));
			c->counts->rejected++;
			j++;
		} else {
			side_problem(side, "no row has pos %d", pos);
		}
	}
}

static void
take_postings(struct core *c, struct side *out)
{
	const struct batch_out *rows = &c->batch.out;

	for (size_t i = 0; i < rows->posting_count; i++) {
		const struct posting_row *p = &rows->postings[i];
		bool timer = compare_rows_is_timer(rows, p->pos);

		side_add(out, timer ? TIMER_POSTINGS : POSTINGS,
			compare_rows_posting(p, timer, c->decided_at));
	}
	c->counts->postings += rows->posting_count;
}

static void
take_events(struct core *c, struct side *out)
{
	for (size_t i = 0; i < c->batch.out.event_count; i++) {
		bool timer;
		char *text =
			compare_rows_event(&c->batch.out.events[i], &timer);

		side_add(out, timer ? TIMER_EVENTS : EVENTS, text);
	}
	c->counts->events += c->batch.out.event_count;
}

/* The value of a member of a timer's answer, up to its closing quote. */
static struct ch_view
member_of(const char *text, const char *start)
{
	const char *at = strstr(text, start);

	if (at == NULL)
		return CH_VIEW("");
	at += strlen(start);
	return (struct ch_view){at, strcspn(at, "\"")};
}

/* By deadline, organisation, hold before reservation, name. */
static void
check_timer_order(struct side *out)
{
	static const char *const keys[] = {
		"\"expires_at\":\"", "\"org\":\"", "\"type\":\""};
	const struct lines *l = &out->channels[TIMERS];

	for (size_t i = 1; i < l->count; i++) {
		int order = 0;

		for (unsigned k = 0; k < 3 && order == 0; k++)
			order = ch_view_cmp(member_of(l->texts[i - 1], keys[k]),
				member_of(l->texts[i], keys[k]));
		if (order > 0 && strstr(l->texts[i], "market.pay") == NULL)
			side_problem(out, "timers out of order: %s",
				l->texts[i]);
	}
}

/* ---- one batch ---- */

/* The model's set, in the core's words. */
static size_t
copy_pauses(const struct serial_now *now,
	struct batch_pause out[LOAD_SET_PAUSES],
	struct ch_view types[LOAD_SET_PAUSES][TYPES_MAX])
{
	for (size_t n = 0; n < now->pause_count; n++) {
		const struct serial_pause *p = &now->pauses[n];

		for (size_t i = 0; i < p->type_count; i++)
			types[n][i] = ch_view_of(p->types[i]);
		out[n] = (struct batch_pause){ch_view_of(p->scope), types[n],
			p->type_count, CH_VIEW("a test")};
	}
	return now->pause_count;
}

/* A rule keeps its number from set to set: the place of its name. */
static int32_t
rule_id(struct core *c, const char *name)
{
	size_t i = 0;

	while (i < c->rule_count && strcmp(c->rule_names[i], name) != 0)
		i++;
	if (i == c->rule_count) {
		if (i == RULES_MAX)
			abort();
		c->rule_names[c->rule_count++] = name;
	}
	return (int32_t)i + 1;
}

static void
set_rates(struct core *c, struct batch_context *context,
	const struct serial_now *now)
{
	for (size_t n = 0; n < now->rate_count; n++) {
		const struct serial_rate *r = &now->rates[n];

		for (size_t i = 0; i < r->type_count; i++)
			c->rate_types[n][i] = ch_view_of(r->types[i]);
		c->rules[n] = (struct rate_rule){rule_id(c, r->name),
			ch_view_of(r->name), ch_view_of(r->org), r->per_actor,
			c->rate_types[n], r->type_count, r->most, r->window_us,
			r->shares};
	}
	context->rates = c->rules;
	context->rate_count = now->rate_count;
	mem_store_rates(c->store, c->rules, now->rate_count);
}

static struct ch_time
load_rows(struct core *c, int64_t clock)
{
	struct ch_time at;

	mem_store_load(c->store, &c->batch);
	if (c->page_size > 0)
		mem_store_page(c->store, &c->batch);
	at = batch_decided_at(&c->batch, (struct ch_time){clock});
	mem_store_load_due(c->store, &c->batch, at);
	return at;
}

/* What is cut is decided again like what PostgreSQL has refused. */
static int
decide_some(struct core *c, struct batch_context *context, struct ch_err *err)
{
	int rc;

	context->out_most = 1 + ch_rng_below(&c->rng, 4000);
	rc = batch_decide(&c->batch, context, err);
	context->out_most = 0;
	return rc == CH_EFULL && c->batch.fits > 0 &&
			c->batch.fits < c->batch.count
		? 0
		: rc;
}

static bool
decide(struct core *c, struct batch_context *context, int64_t clock,
	struct side *out)
{
	bool again = ch_rng_chance(&c->rng, 1, 6);
	struct ch_err err = CH_ERR_INIT;

	for (;; again = false) {
		context->number = ++c->number;
		context->decided_at = load_rows(c, clock - (again ? 7000 : 0));
		if (books_missing(&c->batch.books) != 0)
			side_problem(out, "rows are missing");
		else if ((again ? decide_some(c, context, &err)
				: batch_decide(&c->batch, context, &err)) != 0)
			side_problem(out, "decide: %s", err.text);
		if (out->problem[0] != '\0')
			return false;
		if (!again)
			return true;
		c->counts->retries++;
		batch_reset(&c->batch);
	}
}

static void
take_all(struct core *c, const struct batch_context *context, struct side *out)
{
	if (context->decided_at.us < c->decided_at.us)
		side_problem(out, "decided_at goes back");
	c->decided_at = context->decided_at;
	take_rows(c, out);
	take_postings(c, out);
	take_events(c, out);
	check_timer_order(out);
	mem_store_commit(c->store, &c->batch, context);
	for (unsigned k = 0; k < STATUS_COUNT; k++)
		c->counts->by_status[k] += c->batch.counts.by_status[k];
}

bool
core_batch(struct core *c, const struct ledger_load *load, size_t from,
	size_t to, struct side *out)
{
	const struct ledger_load_item *items = load->items;
	struct batch_pause pauses[LOAD_SET_PAUSES];
	struct ch_view types[LOAD_SET_PAUSES][TYPES_MAX];
	struct batch_context context = {
		.pauses = pauses, .lowest_day = load->lowest_day};
	struct serial_now now = {.decided_at = 0};

	load_sets_at(load, &items[to - 1], &now);
	context.pause_count = copy_pauses(&now, pauses, types);
	set_rates(c, &context, &now);
	batch_clear(&c->batch);
	for (size_t i = from; i < to; i++)
		(void)batch_add(&c->batch, items[i].stream,
			&(struct batch_record){.offset = (int64_t)i,
				.key = CH_VIEW("key"),
				.read_again = items[i].read_again,
				.value = {items[i].value, items[i].len}});
	if (!decide(c, &context, items[to - 1].clock, out))
		return false;
	take_all(c, &context, out);
	return true;
}

bool
core_pay_page(struct core *c, const char *org, const char *market,
	size_t page_size, int64_t clock, struct side *out)
{
	struct batch_context context = {.number = 0};
	bool done;

	batch_clear(&c->batch);
	c->page_size = page_size;
	done = mem_store_want_page(c->store, &c->batch, ch_view_of(org),
		       ch_view_of(market), page_size) &&
		decide(c, &context, clock, out);
	c->page_size = 0;
	if (done)
		take_all(c, &context, out);
	return done;
}
