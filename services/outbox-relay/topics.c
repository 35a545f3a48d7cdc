/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topics: an array by number.
 */
#include "topics.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
topics_init(struct topics *s)
{
	*s = (struct topics){0};
	ch_rng_seed_system(&s->rng);
}

void
topics_free(struct topics *s)
{
	free(s->all);
}

struct topic *
topics_of(struct topics *s, const struct route_topic *route)
{
	int n = route->number;

	if (n >= s->count) {
		s->all = ch_xrealloc(s->all, (size_t)n + 1, sizeof(*s->all));
		memset(&s->all[s->count], 0,
			(size_t)(n + 1 - s->count) * sizeof(*s->all));
		s->count = n + 1;
	}
	if (s->all[n].route == NULL)
		target_init(&s->all[n].target, route->name, &s->rng);
	s->all[n].route = route;
	return &s->all[n];
}

struct topic *
topics_next(const struct topics *s, const struct topic *after)
{
	int i = after != NULL ? after->route->number + 1 : 0;

	while (i < s->count && s->all[i].route == NULL)
		i++;
	return i < s->count ? &s->all[i] : NULL;
}

/* ---- whose trial is next ---- */

void
topics_let_try(struct topics *s, struct topic *t)
{
	t->due = true;
	s->any_due = true;
}

bool
topics_let_waiting_ask(struct topics *s, struct ch_mono now)
{
	struct topic *t = NULL;
	bool any = false;

	while ((t = topics_next(s, t)) != NULL) {
		if (target_due(&t->target, now) != 0)
			continue;
		t->target.waiting = false;
		if (target_is_open(&t->target))
			any = true;
		else
			topics_let_try(s, t);
	}
	return any;
}

bool
topics_is_due(const struct topics *s, const struct event *e)
{
	int n = e->topic->number;

	return n < s->count && s->all[n].due;
}

bool
topics_choose(struct topics *s, const struct event *e)
{
	struct topic *t = &s->all[e->topic->number];

	if (t->target.on_trial)
		return false;
	if (t->chosen == NULL)
		t->chosen = e;
	return t->chosen == e ||
		(event_key(e).ptr != NULL &&
			ch_view_eq(event_key(e), event_key(t->chosen)));
}

void
topics_chosen(struct topics *s)
{
	int i;

	for (i = 0; i < s->count; i++) {
		s->all[i].due = false;
		s->all[i].chosen = NULL;
	}
	s->any_due = false;
}

static void
look_again(struct topics *s, struct topic *t)
{
	if (target_is_open(&t->target))
		t->target.waiting = true;
	else
		topics_let_try(s, t);
}

void
topics_look_again(struct topics *s, const struct route_topic *route)
{
	look_again(s, topics_of(s, route));
}

void
topics_look_at_all(struct topics *s)
{
	struct topic *t = NULL;

	while ((t = topics_next(s, t)) != NULL)
		look_again(s, t);
}

/* ---- all of them ---- */

void
topics_drop(struct topics *s, struct ch_mono now)
{
	struct topic *t = NULL;

	while ((t = topics_next(s, t)) != NULL)
		target_drop(&t->target, now);
}

static void
sooner(int64_t *next, int64_t ms)
{
	if (ms >= 0 && (*next < 0 || ms < *next))
		*next = ms;
}

int64_t
topics_next_ms(const struct topics *s, struct ch_mono now)
{
	const struct topic *t = NULL;
	int64_t next = -1;

	while ((t = topics_next(s, t)) != NULL) {
		sooner(&next, target_due(&t->target, now));
		sooner(&next, presence_next_ms(&t->presence, now));
	}
	return next;
}

int
topics_missing(const struct topics *s)
{
	const struct topic *t = NULL;
	int n = 0;

	while ((t = topics_next(s, t)) != NULL)
		n += t->presence.state == PRESENCE_MISSING;
	return n;
}
