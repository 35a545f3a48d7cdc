/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge: see judge.h. Lines of the model are compared as they come, with what
 * the batch under way has left.
 */
#include "judge.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "absence.h"
#include "judge_tape.h"
#include "tally.h"
#include "world.h"

struct judging {
	struct world *w;
	struct serial_model *model;
	struct serial_now now;
	size_t next_change; /* of pauses */
	int64_t latest;	    /* decision */
	/* the batch under way */
	const struct frozen *f;
	bool concurrent;    /* with one before it: it may have missed rows */
	size_t last_commit; /* of those before it, and one more */
	size_t posting, event;
	const struct outcome *o; /* whose answer is due */
	bool answered;
	bool rejected, told_rejected; /* by the log, by the model */
	bool is_fill;
	struct ch_arena arena; /* names for the model */
};

static void
differ(struct judging *j, const char *what, const char *log, const char *model)
{
	world_fail(j->w,
		"batch %lld pos %d %s partition %d offset %lld, %s:\n"
		"  log:   %.1400s\n  model: %.1400s",
		(long long)j->f->context.number, j->o->pos, j->o->topic,
		j->o->part, (long long)j->o->offset, what, log, model);
}

static bool
failed(const struct judging *j)
{
	return j->w->failure[0] != '\0';
}

/* ---- what the model says ---- */

static void
hear_effect(struct judging *j, const char *what, const char *text,
	const char *const *lines, size_t count, size_t *at)
{
	const char *line = *at < count ? lines[*at] : "(none)";

	(*at)++;
	if (strcmp(line, text) != 0)
		differ(j, what, line, text);
}

static bool
is_applied(const struct outcome *o)
{
	return strstr(o->result, ",\"status\":\"applied\"") != NULL;
}

static bool
is_duplicate(const char *result)
{
	return strstr(result, ",\"duplicate\":true}") != NULL;
}

/* A hold whose expiry PostgreSQL refuses is set aside, and stays. And who is
 * refused, or repeated, may name a row that was made after it looked: at a later
 * time, or one that is due by now, with an owner that this batch has not locked. */
static bool
is_excused(const struct judging *j, const char *problem)
{
	bool may_have_missed = j->concurrent &&
		(!is_applied(j->o) || is_duplicate(j->o->result));

	if (strstr(problem, "due and not settled") != NULL)
		return may_have_missed || strstr(problem, ": bad") != NULL;
	return strstr(problem, "decided_at goes back") != NULL &&
		may_have_missed;
}

/* Refused for now, because another batch that took the id was still open: it
 * rests on the absence of the id, and changes nothing. */
static bool
did_not_know_the_id(const struct outcome *o, const char *model)
{
	return (strstr(o->result, "\"status\":\"trading_paused\"") != NULL ||
		       strstr(o->result, "\"status\":\"rate_limited\"") !=
			       NULL) &&
		(strstr(model, "\"status\":\"key_reused\"") != NULL ||
			is_duplicate(model));
}

static void
hear_answer(struct judging *j, const char *text)
{
	if (j->answered)
		differ(j, "answer", "(no more)", text);
	else if (j->concurrent && did_not_know_the_id(j->o, text))
		world_count(j->w, EVENT_FROM_LOG);
	else if (strcmp(j->o->result, text) != 0)
		differ(j, "answer", j->o->result, text);
	j->answered = true;
}

static void
hear(void *ctx, enum serial_line kind, const char *text)
{
	struct judging *j = ctx;

	switch (kind) {
	case SERIAL_RESULT:
	case SERIAL_TIMER:
		hear_answer(j, text);
		break;
	case SERIAL_REJECTED:
		j->told_rejected = true;
		if (!j->rejected)
			differ(j, "rejected", j->o->result, "(rejected)");
		break;
	case SERIAL_POSTING:
	case SERIAL_TIMER_POSTING:
		hear_effect(j, "posting", text, j->f->postings,
			j->f->posting_count, &j->posting);
		break;
	case SERIAL_EVENT:
	case SERIAL_TIMER_EVENT:
		hear_effect(j, "event", text, j->f->events, j->f->event_count,
			&j->event);
		break;
	case SERIAL_PROBLEM:
		if (!is_excused(j, text))
			differ(j, "problem", j->o->result, text);
		break;
	}
}

/* ---- records ---- */

#define NOT_FOUND "order_not_found\""

/* By the rules that a replay goes by. Only what was made by batches that were
 * open when this one looked can be missed: without such a batch the answer has
 * to be the model's. */
static bool
rests_on_absence(struct judging *j, const struct sim_record *r)
{
	static const char mark[] = ",\"status\":\"";
	const char *result = j->o->result;
	const char *status = strstr(result, mark);
	struct absence_row row = {.result = ch_view_of(result)};

	if (!j->concurrent || is_duplicate(result))
		return false;
	if (strstr(result, ",\"dry_run\":true,") != NULL)
		return true;
	if (status == NULL)
		return false;
	status += sizeof(mark) - 1;
	if (j->rejected) /* a fill that came before its order */
		return strncmp(status, NOT_FOUND, sizeof(NOT_FOUND) - 1) == 0;
	if (!j->o->takes_id)
		return false;
	row.type = ch_view_of(j->o->type);
	row.status = (struct ch_view){status, strcspn(status, "\"")};
	row.command = (struct ch_view){r->value, r->len};
	return absence_is_ground(&row, &j->arena);
}

/* The answer of a rejected record is the next row, if it has one. */
static bool
has_answer_behind(const struct judging *j, size_t i)
{
	const struct outcome *o = &j->f->outcomes[i];

	return i + 1 < j->f->outcome_count && !o[1].timer &&
		o[1].kind == OUTCOME_ANSWER && o[1].stream == o->stream &&
		o[1].offset == o->offset;
}

static struct sim_record *
record_of(struct judging *j)
{
	struct broker *b = &j->w->broker;
	int part = broker_part(b, ch_view_of(j->o->topic), j->o->part);
	struct sim_record *r = broker_record(b, part, j->o->offset);

	if (r == NULL)
		world_fail(j->w,
			"an outcome of no record: %s partition %d "
			"offset %lld",
			j->o->topic, j->o->part, (long long)j->o->offset);
	else if (r->is_judged)
		world_fail(j->w,
			"%s partition %d offset %lld has two outcomes; "
			"the second in batch %lld: %s",
			j->o->topic, j->o->part, (long long)j->o->offset,
			(long long)j->f->context.number, j->o->result);
	else
		r->is_judged = true;
	j->is_fill = broker_topic_of(b, part) == BROKER_FILLS;
	return failed(j) ? NULL : r;
}

static void
judge_parked(struct judging *j, const struct sim_record *r)
{
	char *text = serial_parked(r->command, &j->now);

	world_count(j->w, j->is_fill ? EVENT_FILL_PARKED : EVENT_PARKED);
	if (!r->is_poison)
		differ(j, "parked", "an innocent", r->value);
	j->answered = false;
	if (text != NULL) {
		j->o++;
		hear(j, SERIAL_RESULT, text);
	}
	free(text);
}

/* The letter of a fill that can be read has the status for its class. */
static void
judge_letter(struct judging *j, const struct sim_record *r,
	const char *error_class)
{
	char status[64];

	(void)snprintf(status, sizeof(status), ",\"status\":\"%s\"",
		error_class);
	if (!j->told_rejected)
		differ(j, "rejected", "a record that is not", r->value);
	else if (serial_command_readable(r->command) &&
		strstr(j->o->result, status) == NULL)
		differ(j, "letter", error_class, j->o->result);
}

static void
judge_read(struct judging *j, const struct sim_record *r, bool answer_behind)
{
	const char *error_class = j->o->error_class;

	j->rejected = j->o->kind == OUTCOME_REJECTED;
	j->told_rejected = false;
	j->answered = j->rejected && !answer_behind; /* none is owed */
	if (answer_behind)
		j->o++; /* hear() compares the answer with that row's */
	if (j->is_fill)
		tally_fill(j->w, j->o->result);
	else
		tally_command(j->w, j->o->result);
	if (rests_on_absence(j, r)) {
		world_count(j->w, EVENT_FROM_LOG);
		serial_accept(j->model, r->command, &j->now, j->o->result,
			j->o->takes_id);
		return;
	}
	serial_apply(j->model, r->command, &j->now, hear, j);
	if (!j->answered)
		differ(j, "answer", j->o->result, "(none)");
	if (j->rejected)
		judge_letter(j, r, error_class);
}

/* ---- timers ---- */

/* The value of a member of a timer's payload; its names have no escapes. */
static const char *
member(struct judging *j, const char *name)
{
	const char *at = strstr(j->o->command, name);

	if (at == NULL)
		return "";
	at += strlen(name);
	return ch_arena_str(&j->arena, (struct ch_view){at, strcspn(at, "\"")});
}

/* The numbers of positions belong to the run. */
static void
order_positions(struct judging *j, const char *market)
{
	struct mem_rows *rows = mem_store_tables(j->w->server.store);
	struct org org = {.row.name = ch_view_of(j->o->org)};
	struct row named = {
		.kind = ROW_MARKET, .org = &org, .name = ch_view_of(market)};
	const struct mem_row *m = mem_rows_find(rows, &named);
	size_t n = m != NULL ? m->positions.count : 0;
	const char **accounts =
		ch_arena_calloc(&j->arena, n + 1, sizeof(char *));
	const char **outcomes =
		ch_arena_calloc(&j->arena, n + 1, sizeof(char *));

	for (size_t i = 0; i < n; i++) {
		const struct position *p = (const void *)m->positions.rows[i];

		accounts[i] = ch_arena_str(&j->arena, p->account->row.name);
		outcomes[i] = ch_arena_str(&j->arena, p->outcome);
	}
	if (!serial_pay_order(j->model, j->o->org, market, accounts, outcomes,
		    n))
		differ(j, "page", j->o->command, "other positions");
}

static void
judge_page(struct judging *j)
{
	const char *market = member(j, "\"market\":\"");
	const char *at = strstr(j->o->command, "\"positions\":");
	size_t n = at != NULL ? strtoul(at + 12, NULL, 10) : 0;

	world_count(j->w, EVENT_PAGE);
	if (strstr(j->o->result, "\"settling\"") != NULL)
		world_count(j->w, EVENT_PAGE_MORE);
	if (strstr(j->o->command, "\"page\":1,") != NULL)
		order_positions(j, market);
	serial_pay_page(j->model, j->o->org, market, n, &j->now, hear, j);
}

static void
judge_timer(struct judging *j)
{
	j->answered = false;
	if (strcmp(j->o->type, "market.pay") == 0) {
		judge_page(j);
	} else {
		world_count(j->w, EVENT_EXPIRED);
		serial_expire(j->model, j->o->org, j->o->type,
			member(j,
				strcmp(j->o->type, "hold.expire") == 0
					? "\"hold\":\""
					: "\"reservation\":\""),
			&j->now, hear, j);
	}
	if (!j->answered)
		differ(j, "timer", j->o->result, "(none)");
}

/* ---- batches ---- */

static void
turn_pauses(struct judging *j, int64_t number)
{
	const struct server *s = &j->w->server;

	while (j->next_change < s->change_count &&
		s->changes[j->next_change].number < number)
		server_pauses(s->changes[j->next_change++].set, &j->now);
}

static void
judge_outcome(struct judging *j, size_t *i)
{
	bool behind = has_answer_behind(j, *i);
	const struct sim_record *r;

	j->o = &j->f->outcomes[*i];
	if (j->w->tells)
		(void)fprintf(stderr, "%lld.%d %s %d offset %lld: %s\n",
			(long long)j->f->context.number, j->o->pos, j->o->topic,
			j->o->part, (long long)j->o->offset,
			j->o->timer ? j->o->command : j->o->result);
	j->now.part = j->o->part;
	if (j->o->timer) {
		judge_timer(j);
		return;
	}
	r = record_of(j);
	if (r == NULL)
		return;
	*i += j->o->kind == OUTCOME_REJECTED && behind;
	if (j->o->kind == OUTCOME_REJECTED && j->o->is_poison)
		judge_parked(j, r);
	else
		judge_read(j, r, behind);
}

static void
judge_batch(struct judging *j, const struct frozen *f)
{
	j->f = f;
	j->concurrent = j->last_commit > f->begun;
	if (f->committed >= j->last_commit)
		j->last_commit = f->committed + 1;
	j->posting = 0;
	j->event = 0;
	turn_pauses(j, f->context.number);
	j->now.decided_at = f->context.decided_at.us;
	if (f->outcome_count > 0 && j->now.decided_at > j->latest)
		j->latest = j->now.decided_at;
	for (size_t i = 0; i < f->outcome_count && !failed(j); i++)
		judge_outcome(j, &i);
	if (!failed(j) &&
		(j->posting != f->posting_count || j->event != f->event_count))
		differ(j, "effects", "more than the model", "fewer");
	ch_arena_reset(&j->arena, 16384);
}

static int
by_number(const void *a, const void *b)
{
	const struct frozen *x = *(const struct frozen *const *)a;
	const struct frozen *y = *(const struct frozen *const *)b;

	return (x->context.number > y->context.number) -
		(x->context.number < y->context.number);
}

static void
judge_log(struct judging *j)
{
	const struct server *s = &j->w->server;
	const struct frozen **log =
		ch_xcalloc(s->log_count + 1, sizeof(struct frozen *));

	for (size_t i = 0; i < s->log_count; i++)
		log[i] = s->log[i];
	qsort(log, s->log_count, sizeof(struct frozen *), by_number);
	for (size_t i = 0; i < s->log_count && !failed(j); i++) {
		if (i > 0 && by_number(&log[i - 1], &log[i]) == 0)
			world_fail(j->w, "two batches have the number %lld",
				(long long)log[i]->context.number);
		if (log[i]->is_trades)
			judge_tape(j->w, log[i]);
		else
			judge_batch(j, log[i]);
	}
	free(log);
}

/* ---- the whole ---- */

static void
judge_log_seqs(struct world *w)
{
	int64_t next[SERVER_PARTS + 1] = {0};

	for (size_t i = 0; i < w->server.log_count; i++) {
		const struct frozen *f = w->server.log[i];

		for (size_t k = 0; k < f->outcome_count; k++) {
			const struct outcome *o = &f->outcomes[k];

			if (++next[o->stream] == o->log_seq)
				continue;
			world_fail(w,
				"batch %lld: log_seq %lld of stream %d, "
				"%lld would be next",
				(long long)f->context.number,
				(long long)o->log_seq, o->stream,
				(long long)next[o->stream]);
			return;
		}
	}
}

static void
judge_records(struct world *w)
{
	for (int i = 0; i < w->broker.first[BROKER_TRADES]; i++) {
		const struct topic_part *t = &w->broker.parts[i];

		for (size_t k = 0; k < t->count; k++) {
			if (!t->records[k].is_judged)
				world_fail(w,
					"%s partition %d offset %lld has no "
					"outcome: %s",
					broker_topic_name(&w->broker, i),
					broker_partition(&w->broker, i),
					(long long)t->records[k].offset,
					t->records[k].value != NULL
						? t->records[k].value
						: "null");
		}
	}
	judge_tape_records(w);
}

static void
judge_due(struct world *w)
{
	const struct mem_rows *rows = mem_store_tables(w->server.store);

	for (unsigned k = ROW_ACCOUNT; k <= ROW_SKU; k++) {
		for (size_t i = 0; i < rows->all[k].count; i++) {
			const struct mem_row *m =
				(const void *)rows->all[k].rows[i];

			for (size_t n = 0; n < m->open.count; n++) {
				const struct row *row = m->open.rows[n];

				if (mem_store_deadline(row) <= w->now.us &&
					!server_is_bad(row))
					world_fail(w,
						"\"%.*s\" has run out and "
						"is not settled",
						CH_VIEW_ARG(row->name));
			}
		}
	}
}

static void
ignore(void *ctx, enum serial_line kind, const char *text)
{
	(void)ctx;
	(void)kind;
	(void)text;
}

/* Windows are shown as they are at the last decision, and answers that are
 * taken from the log are none of the model's: it is told the time. */
static void
tell_time(struct judging *j)
{
	struct serial_command *nothing = serial_command_new("", 0, 1);

	j->now.decided_at = j->latest;
	serial_apply(j->model, nothing, &j->now, ignore, NULL);
	serial_command_free(nothing);
}

static void
judge_rows(struct judging *j)
{
	char *log = mem_store_dump(j->w->server.store);
	char *model = serial_dump(j->model);
	size_t at = 0;
	size_t line = 0;

	for (; log[at] == model[at] && log[at] != '\0'; at++)
		line = log[at] == '\n' ? at + 1 : line;
	if (log[at] != model[at])
		world_fail(j->w,
			"rows at the end:\n  tables: %.*s\n  model:  "
			"%.*s",
			(int)strcspn(log + line, "\n"), log + line,
			(int)strcspn(model + line, "\n"), model + line);
	else if (mem_store_problem(j->w->server.store) != NULL)
		world_fail(j->w, "%s", mem_store_problem(j->w->server.store));
	free(log);
	free(model);
}

void
judge(struct world *w)
{
	struct judging j = {.w = w, .model = serial_model_new(false)};

	j.now.lowest_day = world_lowest_day(w);
	world_serial_rates(w, &j.now);
	judge_log_seqs(w);
	if (!failed(&j))
		judge_log(&j);
	if (!failed(&j))
		judge_records(w);
	if (!failed(&j))
		judge_due(w);
	if (!failed(&j)) {
		tell_time(&j);
		judge_rows(&j);
	}
	serial_model_free(j.model);
	ch_arena_free(&j.arena);
}
