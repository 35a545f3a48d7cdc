/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge_tape: see judge_tape.h.
 */
#include "judge_tape.h"

#include <string.h>

#include "world.h"

static int
part_of_stream(const struct world *w, int32_t stream)
{
	int part = 0;

	while (part < w->broker.part_count &&
		w->server.fences[part].stream != stream)
		part++;
	return part;
}

/* what: that the log has of it. */
static struct sim_record *
record_of(struct world *w, int part, int64_t offset, const char *what)
{
	struct sim_record *r = part < w->broker.part_count
		? broker_record(&w->broker, part, offset)
		: NULL;

	if (r == NULL || broker_topic_of(&w->broker, part) != BROKER_TRADES)
		world_fail(w, "%s of no record: part %d offset %lld", what,
			part, (long long)offset);
	else if (r->is_judged)
		world_fail(w,
			"market.trades partition %d offset %lld has two "
			"outcomes; the second is %s",
			broker_partition(&w->broker, part), (long long)offset,
			what);
	else
		r->is_judged = true;
	return w->failure[0] == '\0' ? r : NULL;
}

static void
judge_row(struct world *w, const struct frozen *f, const struct public_trade *t)
{
	const struct sim_record *r = record_of(w, part_of_stream(w, t->stream),
		t->offset, "a row of trades_public");
	const char *letter;

	world_count(w, EVENT_PRINT);
	if (r == NULL)
		return;
	letter = tape_letter(&r->print, world_lowest_day(w),
		f->context.decided_at.us);
	if (letter != NULL || r->is_poison || r->print.number != t->number ||
		r->print.traded_at != t->traded_at)
		world_fail(w, "trade %u has a row, its record is %s: %s",
			t->number, letter != NULL ? letter : "another",
			r->value);
}

static void
judge_letter(struct world *w, const struct frozen *f, const struct outcome *o)
{
	int part = broker_part(&w->broker, ch_view_of(o->topic), o->part);
	const struct sim_record *r = record_of(w, part, o->offset, "a letter");
	const char *letter;

	world_count(w, o->is_poison ? EVENT_PRINT_PARKED : EVENT_PRINT_LETTER);
	if (r == NULL)
		return;
	letter = r->is_poison ? "poison"
			      : tape_letter(&r->print, world_lowest_day(w),
					f->context.decided_at.us);
	if (letter == NULL || strcmp(letter, o->error_class) != 0)
		world_fail(w, "a trade's letter says %s, it is %s: %s",
			o->error_class,
			letter != NULL ? letter : "to be stored",
			r->value != NULL ? r->value : "null");
}

void
judge_tape(struct world *w, const struct frozen *f)
{
	for (size_t i = 0; i < f->trade_count; i++)
		judge_row(w, f, &f->trades[i]);
	for (size_t i = 0; i < f->outcome_count; i++)
		judge_letter(w, f, &f->outcomes[i]);
}

/* ---- the whole ---- */

static void
judge_table(struct world *w)
{
	const struct server *s = &w->server;

	for (size_t i = 0; i < s->trade_count; i++) {
		for (size_t k = 0; k < i; k++) {
			if (s->trades[k].number == s->trades[i].number &&
				s->trades[k].traded_at ==
					s->trades[i].traded_at)
				world_fail(w,
					"trade %u stands twice in "
					"trades_public",
					s->trades[i].number);
		}
	}
}

/* One that was read when its trade had a row already leaves nothing. */
static void
judge_record(struct world *w, int part, const struct sim_record *r)
{
	struct public_trade t = {
		.number = r->print.number, .traded_at = r->print.traded_at};

	if (!r->is_judged &&
		(!r->print.is_readable || r->is_poison ||
			!server_has_trade(&w->server, &t)))
		world_fail(w,
			"market.trades partition %d offset %lld has no "
			"outcome: %s",
			broker_partition(&w->broker, part),
			(long long)r->offset,
			r->value != NULL ? r->value : "null");
}

void
judge_tape_records(struct world *w)
{
	const struct broker *b = &w->broker;

	judge_table(w);
	for (int i = b->first[BROKER_TRADES]; i < b->part_count; i++) {
		for (size_t k = 0; k < b->parts[i].count; k++)
			judge_record(w, i, &b->parts[i].records[k]);
	}
}
