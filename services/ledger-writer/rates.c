/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rates: see rates.h.
 */
#include "rates.h"

#include <stdio.h>

struct reckoning {
	struct rate_window *window;
	int64_t weight;
	int64_t limit;
	int64_t counted; /* inside of the window, before this command */
};

/* Facts count for nothing: a limit that refused one would lose it. */
static bool
counts_one(const struct rate_rule *rule, const struct command *c)
{
	for (size_t i = 0; i < rule->type_count; i++) {
		if (ch_view_eq_str(rule->types[i], command_types[c->type].name))
			return !command_is_fact(c);
	}
	return false;
}

int64_t
rates_weight(const struct rate_rule *rule, const struct command *c)
{
	int64_t n = counts_one(rule, c);

	if (rule->org.len > 0 && !ch_view_eq(rule->org, c->org_name))
		return 0;
	for (size_t i = 0; c->type == COMMAND_GROUP && i < c->as.group.count;
		i++)
		n += counts_one(rule, &c->as.group.members[i]);
	return n;
}

struct rate_window *
rates_window(struct books *b, const struct rate_rule *rule,
	const struct command *c, int32_t part)
{
	char share[16];
	int n;

	if (rule->by_actor)
		return books_rate(b, c->org, rule->rule_id, c->actor);
	n = snprintf(share, sizeof(share), "%d", part % rule->shares);
	return books_rate(b, c->org, rule->rule_id,
		(struct ch_view){share, (size_t)n});
}

/* Whole and rest are dealt out: the first shares get one more. */
static int64_t
limit_of(const struct rate_rule *rule, int32_t part)
{
	int32_t share = part % rule->shares;

	return rule->most / rule->shares + (share < rule->most % rule->shares);
}

/* Stamps that have left the window stay in the row until it is written. */
static void
leave(struct rate_window *w, int64_t until)
{
	while (w->first < w->count && w->stamps[w->first] <= until)
		w->first++;
}

/* A window that nobody has yet may be another batch's at this moment, unseen:
 * so it is made even where nothing is counted, and the row's unique key has the
 * later of the two decide again. Kept at once: nothing of the command is touched
 * yet, and what it is refused for takes the window away no more. A dry run makes
 * nothing: its answer may rest on what is not there. */
static void
make(struct ruling *r, struct rate_window *w)
{
	if (row_is_there(&w->row))
		return;
	books_create(r->books, &w->row, r->at);
	books_keep(r->books);
	books_begin(r->books);
}

static struct reckoning
reckon(struct ruling *r, const struct rate_rule *rule, const struct command *c)
{
	struct reckoning k = {.weight = rates_weight(rule, c)};

	if (k.weight == 0)
		return k;
	k.window = rates_window(r->books, rule, c, r->part);
	if (!c->dry_run)
		make(r, k.window);
	k.limit = limit_of(rule, r->part);
	leave(k.window, r->at.us - rule->window_us);
	k.counted = (int64_t)(k.window->count - k.window->first);
	return k;
}

/* Is it tighter than what was noted before? */
static void
note(struct ruling *r, const struct rate_rule *rule, const struct reckoning *k,
	int64_t taken)
{
	struct ruling_rate rate = {.rule = rule->name,
		.limit = k->limit,
		.remaining = k->limit - k->counted - taken};
	bool any = k->counted + taken > 0;

	if (rate.remaining < 0) /* the limit was lowered meanwhile */
		rate.remaining = 0;
	if (r->rate.rule.ptr != NULL &&
		(r->rate.remaining < rate.remaining ||
			(r->rate.remaining == rate.remaining &&
				ch_view_cmp(r->rate.rule, rate.rule) < 0)))
		return;
	rate.has_reset = any;
	rate.reset.us = rule->window_us +
		(k->counted > 0 ? k->window->stamps[k->window->first]
				: r->at.us);
	r->rate = rate;
}

/* Room for n more stamps, without those that have left. */
static void
make_room(struct books *b, struct rate_window *w, size_t n)
{
	size_t left = w->count - w->first;
	size_t need = left + n;
	int64_t *fresh;

	if (w->count + n <= w->cap)
		return;
	fresh = ch_arena_alloc(&b->arena, 2 * need * sizeof(*fresh));
	if (left > 0)
		memcpy(fresh, w->stamps + w->first, left * sizeof(*fresh));
	w->stamps = fresh;
	w->cap = 2 * need;
	w->count = left;
	w->first = 0;
}

static void
count(struct ruling *r, const struct reckoning *k)
{
	struct rate_window *w = k->window;

	books_touch(r->books, &w->row, r->at);
	make_room(r->books, w, (size_t)k->weight);
	for (int64_t i = 0; i < k->weight; i++)
		w->stamps[w->count++] = r->at.us;
}

bool
rates_pass(struct ruling *r, const struct rate_rule *rules, size_t n,
	const struct command *c)
{
	bool pass = true;

	for (size_t i = 0; i < n; i++) {
		struct reckoning k = reckon(r, &rules[i], c);
		bool fits = k.counted + k.weight <= k.limit;

		if (k.weight == 0 || fits)
			continue;
		if (pass)
			ruling_refuse(r, STATUS_RATE_LIMITED,
				"%.*s: %lld in the last %lld s, at most %lld are "
				"allowed: send it again later",
				CH_VIEW_ARG(rules[i].name),
				(long long)k.counted,
				(long long)(rules[i].window_us / 1000000),
				(long long)k.limit);
		pass = false;
	}
	for (size_t i = 0; i < n; i++) {
		struct reckoning k = reckon(r, &rules[i], c);
		bool taken = pass && !c->dry_run;

		if (k.weight == 0)
			continue;
		note(r, &rules[i], &k, taken ? k.weight : 0);
		if (taken)
			count(r, &k);
	}
	return pass;
}
