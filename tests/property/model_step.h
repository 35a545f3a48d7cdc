/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_step: one decision of the serial model: a command, or a timer.
 *
 * A rule looks at the rows, refuses as often as it likes (the first in the
 * precedence is the answer), and changes rows only while nothing was refused.
 * What it touched is what the answer shows. A dry run does all of it and is
 * taken back.
 *
 * Thread: belongs to one thread.
 */
#ifndef TESTS_PROPERTY_MODEL_STEP_H
#define TESTS_PROPERTY_MODEL_STEP_H

#include "model_command.h"
#include "model_rows.h"
#include "model_text.h"

struct text_list {
	struct text *texts;
	size_t count, cap;
};

struct step {
	struct serial_model *m;
	const struct serial_command *c; /* NULL: a timer's */
	const struct serial_now *now;
	serial_sink *sink;
	void *ctx;
	bool only_asks; /* nothing is kept, nothing is counted */
	const char *org, *type;
	/* what is being decided: the command, or a member of the group */
	const json_t *body;
	char default_name[MODEL_NAME_SIZE];
	const char *status;
	struct text_list postings, events;
	/* what an answer has besides rows */
	size_t failed_index;
	const char *failed_status; /* NULL: no member failed */
	const struct market *pool; /* NULL: no pool_exists */
	bool confirmed;
	struct {
		const char *rule; /* NULL: none applies */
		int64_t limit, remaining, reset;
		bool counted; /* there is one to leave the window */
	} rate;
};

/* c NULL: a timer, whose org and type the caller sets. */
void model_step_init(struct step *s, struct serial_model *m,
	const struct serial_command *c, const struct serial_now *now,
	serial_sink *sink, void *ctx);
void model_step_free(struct step *s);

void model_refuse(struct step *s, const char *status);
bool model_applied(const struct step *s);
/* A text field of the body; NULL: absent. */
const char *model_text(const struct step *s, const char *name);
void *model_named(const struct step *s, enum row_kind kind, const char *name);
/* The value at that scale; refuses more digits than it has (invalid_amount). */
big model_amount(struct step *s, const char *text, int scale);

/* Before v of a row is changed; says so when time goes back. */
void model_change(struct step *s, struct row *row);
void model_problem(struct step *s, const char *what, const char *name);

void model_posting(struct step *s, const struct balance *b, int64_t amount,
	int64_t after);
/* "<type> {org": the caller adds members, then ends it. */
struct text *model_event(struct step *s, const char *type);
void model_event_end(struct step *s, struct text *t);

/* The canonical answer, with the rows that were touched; the caller frees it. */
char *model_answer(const struct step *s, const char *status);
/* A timer's answer, postings and events leave, and its changes are kept. */
void model_timer_end(struct step *s);
/* A list's texts, one line each. */
void model_tell(struct step *s, enum serial_line kind,
	const struct text_list *list);

#endif
