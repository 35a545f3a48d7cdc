/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plans: replay plans in PostgreSQL: made, approved, stopped, and their cursor.
 *
 * States: planned -> approved -> running -> done, with running -> stopped ->
 * running in between, and cancelled from any of them but done. Whatever changes
 * a plan is a function of the schema that checks what may follow and writes the
 * audit row: people have no right to its tables themselves. The letters are
 * chosen when the plan is made; the approval keeps their number and digest, and
 * each step is checked against it. The cursor moves in the transaction that
 * decides the letter, so that a run that was killed goes on at the first letter
 * that is not decided.
 *
 * Codes: CH_ENOTFOUND (no such plan), CH_EEXIST (not in the right state), and
 * as in io/pg.h.
 *
 * Thread: any, with a connection of its own.
 */
#ifndef RELAY_PLANS_H
#define RELAY_PLANS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/pg.h"
#include "letters_query.h"

struct plans_wish {
	/* JSON: how the letters were named, and as "to" where foreign ones go */
	const char *selection;
	const char *reason, *actor, *two_person;
	int64_t per_second, bytes_per_second; /* 0: no limit */
	int64_t canary, canary_returns;
	int32_t replays_max;
	bool discards; /* else they are sent again */
	bool dry_run;  /* it takes no number, and cannot be committed */
};

/* How the letters are sent. to: where foreign ones go; NULL: where they came
 * from. again: those too whose last sending may still be taken. */
struct plans_sending {
	const char *to;
	bool again;
};
/* How the letters were named, as JSON, for those who approve and who audit, and
 * how they are sent. where: the expression as it was written; NULL: none. */
void plans_selection(const struct letters_filter *f, const char *where,
	const struct plans_sending *s, struct ch_buf *out);
/* Inside of a transaction, which a dry run takes back: makes the plan and chooses its letters;
 * CH_ENOTFOUND when none fits. */
int plans_make(struct ch_pg *pg, const struct plans_wish *w,
	const struct letters_filter *f, int64_t *plan, int64_t *letters,
	struct ch_err *err);
int plans_approve(struct ch_pg *pg, int64_t plan, const char *actor,
	const char *reason, const char *two_person, struct ch_err *err);

struct plans_turn {
	const char *state, *detail;
	const char *actor, *reason;
};
int plans_turn(struct ch_pg *pg, int64_t plan, const struct plans_turn *t,
	struct ch_err *err);
/* The run may go on behind its canary. CH_EEXIST: it has not passed. */
int plans_canary(struct ch_pg *pg, int64_t plan, const char *actor,
	struct ch_err *err);

/* Of a run, which goes on where it stopped; for_good: cancelled. */
int plans_stop(struct ch_pg *pg, int64_t plan, bool for_good, const char *actor,
	const char *reason, struct ch_err *err);
/* Ends the transaction of any of the above, of which rc came: commits, unless
 * it failed or it is a dry run. */
int plans_settle(struct ch_pg *pg, int rc, bool dry_run, struct ch_err *err);
/* *rule: what the configuration asks for; becomes what the schema's owner does
 * where that is stricter. */
int plans_rule(struct ch_pg *pg, const char **rule, struct ch_err *err);
/* CH_EEXIST: it is not approved, or nothing is left of it, or two_person asks
 * for more now than it was approved under. */
int plans_runnable(struct ch_pg *pg, int64_t plan, const char *two_person,
	struct ch_err *err);

/* Views are valid until the PGresult is cleared. */
struct plans_row {
	int64_t id;
	struct ch_view state, state_reason, selection, reason, planned_by;
	struct ch_time planned_at;
	struct ch_view two_person, approved_by;
	int64_t per_second, bytes_per_second, canary, canary_returns;
	bool canary_passed;
	int32_t replays_max;
	int64_t letters, next_place;
	int64_t sent, refused, quarantined, held, returned;
	struct ch_view to; /* of foreign letters; empty: where they came from */
	bool again, discards;
	int64_t discarded;
	int64_t missing; /* of those named: not there, or not fitting */
};
/* plan 0: the newest `limit` ones; else CH_ENOTFOUND when there is none. */
int plans_find(struct ch_pg *pg, int64_t plan, int64_t limit, PGresult **out,
	struct ch_err *err);
int plans_row(const PGresult *res, int i, struct plans_row *out,
	struct ch_err *err);

/* What became of a letter of the plan, and why; state: where it stands now. */
struct plans_letter {
	int64_t place, part, bytes;
	struct ch_uuid id;
	struct ch_view outcome, detail, topic, state;
	struct ch_time at;
	bool by_key;  /* else to part */
	bool ageless; /* planned before letters had their times there */
};
#define PLANS_OUTCOMES                                                         \
	"waiting, sent, discarded, refused, quarantined, held, or unsent for " \
	"the last three"
/* outcome: one of PLANS_OUTCOMES; "": any. after: the place before the first. */
struct plans_look {
	int64_t plan, after, limit;
	const char *outcome;
};
bool plans_is_outcome(const char *text);
/* CH_ENOTFOUND: there is no such plan. */
int plans_letters(struct ch_pg *pg, const struct plans_look *look,
	PGresult **out, struct ch_err *err);
int plans_letter(const PGresult *res, int i, struct plans_letter *out,
	struct ch_err *err);

/* What is still to be sent, and where to. */
struct plans_target {
	struct ch_view topic;
	bool by_key; /* else to part */
	int64_t part, letters, keys, bytes;
	struct ch_time oldest;
};
int plans_target(const PGresult *res, int i, struct plans_target *out,
	struct ch_err *err);
int plans_targets(struct ch_pg *pg, int64_t plan, PGresult **out,
	struct ch_err *err);
/* Open letters of the same keys that the plan would pass. */
int plans_overtaken(struct ch_pg *pg, int64_t plan, int64_t *out,
	struct ch_err *err);
/* The next letters' ids; at most max. */
int plans_sample(struct ch_pg *pg, int64_t plan, struct ch_uuid *ids, int max,
	int *count, struct ch_err *err);

/* CH_EEXIST when another session runs it. */
int plans_own(struct ch_pg *pg, int64_t plan, struct ch_err *err);

/* Letters that are looked at, and sent, together. */
#define PLANS_PAGE 100
struct plans_due {
	struct ch_uuid id;
	int64_t bytes; /* of its value */
	bool again;    /* one before it in the page has its key */
	/* an earlier one of its key; "" = none */
	char behind[CH_UUID_TEXT_MAX];
};
struct plans_next {
	bool running;
	int64_t place; /* of the first */
	int count;     /* 0: no letter is left */
	struct plans_due letters[PLANS_PAGE];
};
/* At most max of the next letters. */
int plans_next(struct ch_pg *pg, int64_t plan, int max, struct plans_next *out,
	struct ch_err *err);
/* Of a pipeline, inside of a transaction: may the first `count` of them be
 * decided now? Refused (plans_refusal()) when one is not what was approved. */
int plans_begin_add(struct ch_pg *pg, int64_t plan,
	const struct plans_next *page, int count, struct ch_err *err);
/* The answer; CH_ECLOSED: the plan was stopped meanwhile. */
int plans_begun(const PGresult *res, int64_t plan, struct ch_err *err);
/* rc of a call that a function of the schema has refused: with its advice, as
 * CH_EEXIST or CH_ENOTFOUND. */
int plans_refusal(struct ch_pg *pg, int rc, struct ch_err *err);
/* Of a pipeline, inside of it: what became of the letter there, and the cursor
 * behind it. */
int plans_end_add(struct ch_pg *pg, int64_t plan, int64_t place,
	const char *outcome, const char *detail, struct ch_err *err);

struct plans_returns {
	int64_t sent, judged, returned;
};
int plans_returns(struct ch_pg *pg, int64_t plan, struct plans_returns *out,
	struct ch_err *err);

#endif
