/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_step: see model_step.h.
 */
#include "model_step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_show.h"

/* schema/messages/statuses.json, without the gates. */
static const char *const precedence[] = {"asset_not_found", "account_not_found",
	"hold_not_found", "sku_not_found", "reservation_not_found",
	"transfer_not_found", "order_not_found", "market_not_found",
	"account_closed", "market_settled", "version_unsupported",
	"version_conflict", "account_sharded", "asset_mismatch",
	"invalid_amount", "hold_captured", "hold_voided", "hold_expired",
	"reservation_committed", "reservation_released", "reservation_expired",
	"already_reversed", "not_reversible", "illegal_order_move",
	"fact_mismatch", "not_empty", "amount_exceeds_hold",
	"insufficient_funds", "out_of_stock", "overflow", "asset_exists",
	"account_exists", "hold_exists", "reservation_exists", "order_exists",
	"pool_exists", "group_failed", "applied"};

void
model_step_init(struct step *s, struct serial_model *m,
	const struct serial_command *c, const struct serial_now *now,
	serial_sink *sink, void *ctx)
{
	*s = (struct step){.m = m,
		.c = c,
		.now = now,
		.sink = sink,
		.ctx = ctx,
		.status = "applied"};
	if (c != NULL) {
		s->org = c->org;
		s->type = c->type;
		s->body = c->root;
	}
	if (m != NULL && m->last_at < now->decided_at)
		m->last_at = now->decided_at;
}

static void
free_list(struct text_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->texts[i].p);
	free(l->texts);
}

void
model_step_free(struct step *s)
{
	free_list(&s->postings);
	free_list(&s->events);
}

/* ---- refusing ---- */

static int
rank(const char *status)
{
	int i = 0;

	while (strcmp(precedence[i], status) != 0)
		i++;
	return i;
}

void
model_refuse(struct step *s, const char *status)
{
	if (rank(status) < rank(s->status))
		s->status = status;
}

bool
model_applied(const struct step *s)
{
	return strcmp(s->status, "applied") == 0;
}

/* ---- reading ---- */

const char *
model_text(const struct step *s, const char *name)
{
	return json_string_value(json_object_get(s->body, name));
}

void *
model_named(const struct step *s, enum row_kind kind, const char *name)
{
	return model_find(s->m, kind, s->org, name);
}

big
model_amount(struct step *s, const char *text, int scale)
{
	int sign, fraction;

	(void)model_decimal_ok(text, &sign, &fraction);
	if (fraction > scale)
		model_refuse(s, "invalid_amount");
	return model_decimal_value(text, scale);
}

/* ---- changing ---- */

void
model_problem(struct step *s, const char *what, const char *name)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "%s: %s", what, name);
	s->sink(s->ctx, SERIAL_PROBLEM, text);
}

void
model_change(struct step *s, struct row *row)
{
	if (!model_touch(s->m, row, s->now->decided_at))
		model_problem(s, "decided_at goes back", row->name);
}

static struct text *
one_more(struct text_list *l)
{
	if (l->count == l->cap) {
		l->cap = l->cap > 0 ? l->cap * 2 : 4;
		l->texts = model_need(realloc(l->texts,
			l->cap * sizeof(struct text)));
	}
	l->texts[l->count] = (struct text){NULL, 0, 0};
	return &l->texts[l->count++];
}

/* org|account|shard|leg|amount|balance_after|id|decided_at */
void
model_posting(struct step *s, const struct balance *b, int64_t amount,
	int64_t after)
{
	size_t leg = s->postings.count;
	struct text *t = one_more(&s->postings);
	char rest[256];

	model_put(t, s->org);
	model_put(t, "|");
	model_put(t, b->account->row.name);
	(void)snprintf(rest, sizeof(rest), "|%d|%zu|%lld|%lld|%s|%lld",
		b->shard, leg, (long long)amount, (long long)after,
		s->c != NULL ? s->c->key.hex : "",
		(long long)s->now->decided_at);
	model_put(t, rest);
}

struct text *
model_event(struct step *s, const char *type)
{
	struct text *t = one_more(&s->events);

	model_put(t, type);
	model_put(t, " {");
	model_put_member(t, "org", s->org);
	return t;
}

void
model_event_end(struct step *s, struct text *t)
{
	if (s->c != NULL)
		model_put_member(t, "command_id", s->c->id);
	model_put_time(t, "decided_at", s->now->decided_at);
	model_put(t, "}");
}

/* ---- telling ---- */

/* What a refusal names. */
static void
put_refusal(struct text *t, const struct step *s)
{
	if (s->failed_status != NULL) {
		model_put_name(t, "failed");
		model_put(t, "{");
		model_put_number(t, "index", (int64_t)s->failed_index);
		model_put_member(t, "status", s->failed_status);
		model_put(t, "}");
	}
	if (s->pool != NULL) {
		model_put_name(t, "pool");
		model_put(t, "{");
		model_put_member(t, "market", s->pool->row.name);
		model_put_member(t, "address", s->pool->v.address);
		model_put(t, "}");
	}
}

static void
put_further(struct text *t, const struct step *s)
{
	if (s->confirmed)
		model_put(t, ",\"confirmed\":true");
	if (s->rate.rule != NULL) {
		model_put_name(t, "rate");
		model_put(t, "{");
		model_put_member(t, "rule", s->rate.rule);
		model_put_number(t, "limit", s->rate.limit);
		model_put_number(t, "remaining", s->rate.remaining);
		if (s->rate.counted)
			model_put_time(t, "reset", s->rate.reset);
		model_put(t, "}");
	}
}

char *
model_answer(const struct step *s, const char *status)
{
	struct text t = {NULL, 0, 0};

	model_put(&t, "{");
	if (s->c != NULL)
		model_put_member(&t, "id", s->c->id);
	model_put_member(&t, "org", s->org);
	if (s->type != NULL)
		model_put_member(&t, "type", s->type);
	model_put_member(&t, "status", status);
	put_refusal(&t, s);
	model_show_rows(&t, s->m);
	put_further(&t, s);
	if (s->c != NULL && s->c->dry_run)
		model_put(&t, ",\"dry_run\":true");
	model_put_time(&t, "decided_at", s->now->decided_at);
	model_put(&t, "}");
	return t.p;
}

void
model_tell(struct step *s, enum serial_line kind, const struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		s->sink(s->ctx, kind, list->texts[i].p);
}

void
model_timer_end(struct step *s)
{
	char *text = model_answer(s, "applied");

	s->sink(s->ctx, SERIAL_TIMER, text);
	free(text);
	model_tell(s, SERIAL_TIMER_POSTING, &s->postings);
	model_tell(s, SERIAL_TIMER_EVENT, &s->events);
	model_keep(s->m);
	model_step_free(s);
}
