/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_page: cut, match, lock, write.
 */
#include "plan_page.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/failpoint.h"

struct plan_page *
plan_page_new(const struct plans_row *plan)
{
	struct plan_page *page = ch_xcalloc(1, sizeof(*page));

	page->plan = plan;
	return page;
}

static void
clear(struct plan_page *page)
{
	PQclear(page->rows);
	page->rows = NULL;
	ch_arena_reset(&page->arena, (size_t)PLAN_PAGE_BYTES);
}

void
plan_page_free(struct plan_page *page)
{
	if (page == NULL)
		return;
	clear(page);
	ch_arena_free(&page->arena);
	free(page);
}

/* ---- which letters ---- */

static void
cut(struct plan_page *page, int64_t bytes_max)
{
	const struct plans_due *l = page->next.letters;
	int64_t bytes = 0;
	int i;

	for (i = 0; i < page->next.count; i++) {
		bytes += l[i].bytes;
		if (i > 0 &&
			(bytes > bytes_max ||
				(l[i].again && !page->plan->discards)))
			break;
	}
	page->count = i;
}

static int
find(struct plan_page *page, struct ch_pg *pg, struct ch_err *err)
{
	struct ch_uuid ids[PLANS_PAGE];
	struct letters_filter named = {.ids = ids,
		.id_count = (size_t)page->count,
		.limit = page->count,
		.uncounted = true};
	int i;

	for (i = 0; i < page->count; i++)
		ids[i] = page->next.letters[i].id;
	return letters_find(pg, &named, &page->rows, err);
}

static int
place_of(const struct plan_page *page, const struct ch_uuid *id)
{
	int i = 0;

	while (i < page->count &&
		memcmp(&page->next.letters[i].id, id, sizeof(*id)) != 0)
		i++;
	return i;
}

static int
match(struct plan_page *page, struct ch_err *err)
{
	struct letters_row row;
	int n, place;

	for (n = 0; n < page->count; n++)
		page->letters[n] = (struct plan_page_letter){.outcome = ""};
	for (n = 0; n < PQntuples(page->rows); n++) {
		if (letters_row(page->rows, n, &row, err) != CH_OK)
			return CH_EPROTO;
		place = place_of(page, &row.id);
		if (place == page->count)
			continue;
		page->letters[place].row = row;
		page->letters[place].kept = true;
	}
	return CH_OK;
}

static bool
goes_alone(const struct plan_page *page, int i)
{
	const struct plan_page_letter *l = &page->letters[i];

	return l->kept &&
		(l->row.is_edit ||
			(!page->plan->discards && replay_puts_back(&l->row)));
}

static void
cut_before_alone(struct plan_page *page)
{
	int i;

	for (i = 1; i < page->count; i++)
		if (goes_alone(page, i) || goes_alone(page, i - 1))
			page->count = i;
}

/* Gone, or behind another one: known without a look at it. */
static void
choose_acting(struct plan_page *page)
{
	struct plan_page_letter *l;
	int i;

	page->acts = 0;
	for (i = 0; i < page->count; i++) {
		l = &page->letters[i];
		if (!l->kept ||
			(page->next.letters[i].behind[0] != '\0' &&
				!page->plan->discards))
			continue;
		l->act = &page->acting[page->acts++];
		*l->act = (struct replay_letter){.row = &l->row};
	}
}

int
plan_page_read(struct plan_page *page, struct ch_pg *pg, int64_t bytes_max,
	struct ch_err *err)
{
	int rc;

	clear(page);
	cut(page, bytes_max);
	rc = find(page, pg, err);
	if (rc == CH_OK)
		rc = match(page, err);
	if (rc != CH_OK)
		return rc;
	cut_before_alone(page);
	choose_acting(page);
	return CH_OK;
}

/* ---- the transaction ---- */

struct questions {
	bool commands[PLANS_PAGE]; /* asked of the acting letter */
	size_t count;
};

static int
ask(struct plan_page *page, struct ch_pg *pg, struct questions *q,
	struct ch_err *err)
{
	int i,
		rc = plans_begin_add(pg, page->plan->id, &page->next,
			page->count, err);

	for (i = 0; rc == CH_OK && i < page->acts; i++)
		rc = letters_lock_add(pg, &page->acting[i].row->id, err);
	for (i = 0; rc == CH_OK && i < page->acts; i++)
		rc = letters_command_add(pg, page->acting[i].row,
			&q->commands[i], err);
	q->count = ch_pg_pipeline_count(pg);
	return rc;
}

static int
take_answers(struct plan_page *page, const struct questions *q,
	PGresult *const *answers, struct ch_err *err)
{
	PGresult *const *answer = answers;
	int i, rc = CH_OK;

	for (i = 0; rc == CH_OK && i < page->acts; i++)
		rc = letters_locked(*answer++, page->acting[i].row, err);
	for (i = 0; rc == CH_OK && i < page->acts; i++)
		if (q->commands[i])
			rc = letters_commanded(*answer++,
				&page->acting[i].command, err);
	return rc;
}

int
plan_page_begin(struct plan_page *page, struct ch_pg *pg, struct ch_err *err)
{
	PGresult *answers[2 * PLANS_PAGE + 1];
	struct questions q;
	size_t failed = 0;
	int i, rc = ch_pg_begin(pg, err);

	if (rc == CH_OK)
		rc = ask(page, pg, &q, err);
	if (rc != CH_OK)
		return rc;
	rc = ch_pg_pipeline_run(pg, answers, q.count, &failed, err);
	if (rc == CH_OK)
		rc = plans_begun(answers[0], page->plan->id, err);
	else if (failed == 0)
		rc = plans_refusal(pg, rc, err);
	if (rc == CH_OK)
		rc = take_answers(page, &q, answers + 1, err);
	ch_pg_results_clear(answers, q.count);
	for (i = 0; rc == CH_OK && !page->plan->discards && i < page->acts; i++)
		rc = replay_look(&page->acting[i], pg, err);
	return rc;
}

/* What a letter's verdict means for the plan. */
static const char *
outcome_of(const struct plans_row *plan, const struct replay_letter *act)
{
	if (act->rc == CH_OK)
		return plan->discards ? "discarded" : "sent";
	if (act->rc == CH_EEXIST)
		return act->row->state == LETTER_EDITED ? "held" : "refused";
	return replay_looped(act->row, plan->replays_max) ? "quarantined"
							  : "held";
}

static void
conclude(struct plan_page *page, int i)
{
	struct plan_page_letter *l = &page->letters[i];
	char first[CH_UUID_TEXT_MAX];

	l->detail = "its row is not kept any more";
	l->outcome = "refused";
	if (l->act != NULL) {
		l->detail = l->act->rc == CH_OK ? "" : l->act->said.text;
		l->outcome = outcome_of(page->plan, l->act);
	} else if (l->kept) {
		/* apart: gcc's sanitizers see an overlap */
		ch_view_copy(ch_view_of(page->next.letters[i].behind), first,
			sizeof(first));
		(void)snprintf(l->behind, sizeof(l->behind),
			"behind %s, an earlier letter of its key", first);
		l->detail = l->behind;
		l->outcome = "held";
	}
}

/* An endpoint's delivery may turn out not to be dead now: the letter's verdict. */
static int
write_alone(struct replay_letter *act, struct ch_pg *pg, struct ch_err *err)
{
	struct ch_err said = CH_ERR_INIT;

	if (!act->decides)
		return CH_OK;
	act->decides = false;
	act->rc = letters_write(pg, act->row, &act->decision, &said);
	act->said = said;
	if (act->rc == CH_OK || act->rc == CH_EEXIST)
		return CH_OK;
	return ch_err_set(err, said.code, "%s", said.text);
}

static int
add(struct plan_page *page, struct ch_pg *pg, int i, struct ch_err *err)
{
	struct plan_page_letter *l = &page->letters[i];
	struct ch_buf detail = CH_BUF_INIT;
	int rc = CH_OK;

	if (l->act != NULL && replay_puts_back(&l->row))
		rc = write_alone(l->act, pg, err);
	conclude(page, i);
	if (rc == CH_OK && l->act != NULL && l->act->decides)
		rc = letters_write_add(pg, &l->row, &l->act->decision, err);
	if (rc != CH_OK)
		return rc;
	/* what a broker has said is stored as text, which PostgreSQL refuses
	 * when it is no UTF-8 */
	ch_buf_add_printable(&detail, ch_view_of(l->detail), CH_ERR_TEXT_MAX);
	rc = plans_end_add(pg, page->plan->id, page->next.place + i, l->outcome,
		ch_buf_str(&detail), err);
	ch_buf_free(&detail);
	return rc;
}

int
plan_page_write(struct plan_page *page, struct ch_pg *pg, int *written,
	struct ch_err *err)
{
	const struct replay_letter *act;
	int i, rc = CH_OK;

	*written = 0;
	for (i = 0; rc == CH_OK && i < page->count; i++) {
		act = page->letters[i].act;
		if (act != NULL && !act->known)
			break;
		rc = add(page, pg, i, err);
	}
	if (rc != CH_OK || i == 0)
		return rc;
	rc = ch_pg_pipeline_run(pg, NULL, ch_pg_pipeline_count(pg), NULL, err);
	if (rc != CH_OK)
		return plans_refusal(pg, rc, err);
	CH_FAILPOINT("relay.before_decision");
	if (ch_pg_commit(pg, err) != CH_PG_COMMITTED)
		return CH_EIO;
	*written = i;
	return CH_OK;
}
