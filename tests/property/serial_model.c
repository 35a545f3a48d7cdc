/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serial_model: see serial_model.h. Here are the gates in their order; the
 * rules are in model_rules.c and what it names.
 *
 * Naive on purpose: each rule is written as the page says it, statuses are
 * text, the precedence is a list of names.
 */
#include "serial_model.h"

#include <stdlib.h>
#include <string.h>

#include "model_command.h"
#include "model_due.h"
#include "model_rates.h"
#include "model_rules.h"
#include "model_step.h"

/* ---- pause ---- */

static bool
lists(const struct serial_pause *p, const struct serial_command *c,
	const json_t *body)
{
	if (strcmp(p->scope, "trading") != 0 && strcmp(p->scope, c->org) != 0)
		return false;
	for (size_t k = 0; k < p->type_count; k++) {
		if (strcmp(p->types[k], model_body_type(body)) == 0)
			return !model_is_fact(body);
	}
	return false;
}

/* A group is paused by its own type, and with any of its members. */
static bool
is_paused(const struct step *s)
{
	for (size_t i = 0; i < s->now->pause_count; i++) {
		const struct serial_pause *p = &s->now->pauses[i];

		if (lists(p, s->c, s->c->root))
			return true;
		for (size_t k = 0; k < model_body_count(s->c); k++) {
			if (lists(p, s->c, model_body(s->c, k)))
				return true;
		}
	}
	return false;
}

/* ---- answers ---- */

/* A venue's word that is not applied is kept as a letter, too: once. */
static void
say(struct step *s, const char *status)
{
	char *text = model_answer(s, status);

	if (s->c->is_fill && !s->now->read_again)
		s->sink(s->ctx, SERIAL_REJECTED, "");
	s->sink(s->ctx, SERIAL_RESULT, text);
	free(text);
}

static void
say_again(struct step *s, const struct known *known)
{
	struct text t = {NULL, 0, 0};

	model_put(&t, known->result);
	t.p[--t.len] = '\0';
	model_put(&t, ",\"duplicate\":true}");
	s->sink(s->ctx, SERIAL_RESULT, t.p);
	free(t.p);
}

/* result: becomes the model's. */
static void
remember(struct serial_model *m, const struct serial_command *c, char *result,
	bool is_applied)
{
	struct known *known = model_make(m, ROW_KNOWN, c->org, c->key.hex);

	known->command = c;
	known->result = result;
	known->applied = is_applied;
}

static void
by_the_books(struct step *s)
{
	char *text;

	model_begin(s->m);
	model_decide(s);
	if (s->c->is_fill && !model_applied(s)) {
		say(s, s->status); /* and it takes no id */
		return;
	}
	text = model_answer(s, s->status);
	s->sink(s->ctx, SERIAL_RESULT, text);
	if (s->c->dry_run || s->only_asks) {
		model_take_back(s->m);
		free(text);
		return;
	}
	model_keep(s->m);
	remember(s->m, s->c, text, model_applied(s));
	if (!model_applied(s))
		return;
	model_tell(s, SERIAL_POSTING, &s->postings);
	model_tell(s, SERIAL_EVENT, &s->events);
}

/* ---- the gates ---- */

static void
pass_gates(struct step *s)
{
	const struct serial_command *c = s->c;
	const struct known *known = model_named(s, ROW_KNOWN, c->key.hex);

	model_begin(s->m); /* no row has been touched so far */
	if (c->key.ms / 86400000 < s->now->lowest_day)
		say(s, "key_expired");
	else if (known != NULL &&
		json_equal(known->command->payload, c->payload))
		say_again(s, known);
	else if (known != NULL)
		say(s, "key_reused");
	else if (c->key.ms * 1000 >
		s->now->decided_at - s->now->ahead_us + 300000000)
		say(s, "key_in_future");
	else if (s->now->read_again && !c->is_fill)
		say(s, "superseded");
	else if (is_paused(s))
		say(s, "trading_paused");
	else if (!model_rates_pass(s))
		say(s, "rate_limited");
	else
		by_the_books(s);
}

void
serial_apply(struct serial_model *m, const struct serial_command *c,
	const struct serial_now *now, serial_sink *sink, void *ctx)
{
	struct step s;

	model_step_init(&s, m, c, now, sink, ctx);
	if (!c->readable) {
		if (!now->read_again)
			sink(ctx, SERIAL_REJECTED, "");
		if (c->id != NULL && c->org != NULL)
			say(&s, "invalid");
	} else {
		model_settle_named(&s);
		pass_gates(&s);
	}
	model_step_free(&s);
}

static void
keep_text(void *ctx, enum serial_line kind, const char *text)
{
	char **kept = ctx;

	if (kind == SERIAL_RESULT)
		*kept = model_need(strdup(text));
}

char *
serial_would(struct serial_model *m, const struct serial_command *c,
	const struct serial_now *now)
{
	char *text = NULL;
	struct step s;

	model_step_init(&s, m, c, now, keep_text, &text);
	s.only_asks = true;
	if (c->readable)
		pass_gates(&s);
	model_step_free(&s);
	return text;
}

void
serial_accept(struct serial_model *m, const struct serial_command *c,
	const struct serial_now *now, const char *result, bool takes_id)
{
	struct step s;

	if (!takes_id || !c->readable ||
		model_find(m, ROW_KNOWN, c->org, c->key.hex) != NULL)
		return;
	model_step_init(&s, m, c, now, NULL, NULL);
	model_rates_count(&s);
	remember(m, c, model_need(strdup(result)), false);
	model_step_free(&s);
}

char *
serial_parked(const struct serial_command *c, const struct serial_now *now)
{
	struct step s;

	if (c->id == NULL || c->org == NULL || c->is_fill)
		return NULL;
	model_step_init(&s, NULL, c, now, NULL, NULL);
	return model_answer(&s, "invalid");
}
