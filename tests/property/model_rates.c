/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_rates: see model_rates.h. Sliding windows: every counted command is
 * kept as one stamp for as long as it may still count.
 */
#include "model_rates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_rules.h"
#include "serial_model.h"

static bool
lists(const struct serial_rate *r, const json_t *body)
{
	for (size_t k = 0; k < r->type_count; k++) {
		if (strcmp(r->types[k], model_body_type(body)) == 0)
			return !model_is_fact(body);
	}
	return false;
}

/* How often the command counts for the rule: itself, and each member. Facts do
 * not. */
static int64_t
weight(const struct step *s, const struct serial_rate *r)
{
	bool group = strcmp(s->c->type, "group") == 0;
	int64_t n = 0;

	if (r->org != NULL && strcmp(r->org, s->org) != 0)
		return 0;
	n = lists(r, s->c->root);
	for (size_t i = 0; group && i < model_body_count(s->c); i++)
		n += lists(r, model_body(s->c, i));
	return n;
}

static int64_t
limit_of(const struct step *s, const struct serial_rate *r)
{
	int share = s->now->part % r->shares;

	if (r->per_actor)
		return r->most;
	return r->most / r->shares + (share < r->most % r->shares);
}

static struct window *
window_of(struct step *s, const struct serial_rate *r)
{
	const char *actor =
		json_string_value(json_object_get(s->c->root, "actor"));
	char share[32];
	char *name;
	struct window *w;

	(void)snprintf(share, sizeof(share), "%d", s->now->part % r->shares);
	name = model_joined(r->name,
		!r->per_actor		? share
			: actor != NULL ? actor
					: "");
	w = model_named(s, ROW_WINDOW, name);
	if (w == NULL)
		w = model_make(s->m, ROW_WINDOW, s->org, name);
	w->window_us = r->window_us;
	free(name);
	return w;
}

/* How many stamps have left the window. They are forgotten only when a command
 * is counted: another one may be decided at an earlier time, as long as nothing
 * was written. */
static size_t
gone(const struct window *w, int64_t now)
{
	size_t n = 0;

	while (n < w->count && w->stamps[n] <= now - w->window_us)
		n++;
	return n;
}

static int64_t
inside(const struct window *w, int64_t now)
{
	return (int64_t)(w->count - gone(w, now));
}

static void
forget(struct window *w, int64_t now)
{
	size_t n = gone(w, now);

	w->count -= n;
	if (n > 0)
		memmove(w->stamps, w->stamps + n,
			w->count * sizeof(*w->stamps));
}

static void
count(struct window *w, int64_t times, int64_t now)
{
	forget(w, now);
	for (; times > 0; times--) {
		if (w->count == w->cap) {
			w->cap = w->cap > 0 ? w->cap * 2 : 8;
			w->stamps = model_need(realloc(w->stamps,
				w->cap * sizeof(*w->stamps)));
		}
		w->stamps[w->count++] = now;
	}
}

/* The rule with the fewest remaining is told, then the first by name. */
static void
tell(struct step *s, const struct serial_rate *r)
{
	const struct window *w = window_of(s, r);
	size_t first = gone(w, s->now->decided_at);
	int64_t limit = limit_of(s, r);
	int64_t remaining = limit - inside(w, s->now->decided_at);

	if (remaining < 0)
		remaining = 0;
	if (s->rate.rule != NULL &&
		(s->rate.remaining < remaining ||
			(s->rate.remaining == remaining &&
				strcmp(s->rate.rule, r->name) < 0)))
		return;
	s->rate.rule = r->name;
	s->rate.limit = limit;
	s->rate.remaining = remaining;
	s->rate.counted = w->count > first;
	s->rate.reset = w->count > first ? w->stamps[first] + w->window_us : 0;
}

void
model_rates_count(struct step *s)
{
	for (size_t i = 0; i < s->now->rate_count; i++) {
		const struct serial_rate *r = &s->now->rates[i];
		int64_t n = weight(s, r);

		if (n > 0)
			count(window_of(s, r), n, s->now->decided_at);
	}
}

bool
model_rates_pass(struct step *s)
{
	bool pass = true;

	for (size_t i = 0; i < s->now->rate_count; i++) {
		const struct serial_rate *r = &s->now->rates[i];
		int64_t n = weight(s, r);

		if (n > 0 &&
			inside(window_of(s, r), s->now->decided_at) + n >
				limit_of(s, r))
			pass = false;
	}
	if (pass && !s->c->dry_run && !s->only_asks)
		model_rates_count(s);
	for (size_t i = 0; i < s->now->rate_count; i++) {
		if (weight(s, &s->now->rates[i]) > 0)
			tell(s, &s->now->rates[i]);
	}
	return pass;
}

void
serial_forget_rate(struct serial_model *m, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < m->slot_count; i++) {
		for (struct row *r = m->slots[i]; r != NULL; r = r->chain) {
			struct window *w = (struct window *)(void *)r;

			if (r->kind == ROW_WINDOW &&
				strncmp(r->name, name, len) == 0 &&
				r->name[len] == MODEL_JOINT[0])
				w->count = 0;
		}
	}
}
