/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letter_change: see letter_change.h.
 */
#include "letter_change.h"

#include <stdlib.h>

#include "audit.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "letters_decision.h"
#include "plans.h"
#include "replay.h"

/* One call's letters, and those of them that were not sent and stay open: what
 * follows of their keys must not pass them. whole: the next ones with their
 * values, up to that place of the call's; they are read as they are needed. */
struct batch {
	const struct letter_change *c;
	const PGresult *res;
	PGresult *whole;
	int whole_next, whole_end;
	struct replay *replay; /* NULL: nothing is sent */
	struct ch_mono heard;  /* of PostgreSQL, while a letter is sent */
	int *open;
	size_t open_count;
};

static bool
is_same(const struct ch_uuid *a, const struct ch_uuid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Is the letter an edit of this one, or of an edit of it in the same call? They
 * are decided together. */
static bool
stands_for(const struct batch *b, const struct letters_row *row,
	const struct ch_uuid *first)
{
	struct letters_row at = *row, other;
	int i = 0;

	while (at.is_edit && !is_same(&at.original, first) &&
		i < PQntuples(b->res)) {
		if (letters_row(b->res, i++, &other, NULL) != CH_OK)
			return false;
		if (is_same(&other.id, &at.original)) {
			at = other;
			i = 0;
		}
	}
	return at.is_edit && is_same(&at.original, first);
}

/* CH_EEXIST with the reason in err when an earlier letter of its key stays
 * open. */
static int
check_behind(const struct batch *b, const struct letters_row *row,
	struct ch_err *err)
{
	char id[CH_UUID_TEXT_MAX];
	struct letters_row first;
	size_t i;

	for (i = 0; i < b->open_count && row->key.ptr != NULL; i++) {
		if (letters_row(b->res, b->open[i], &first, err) != CH_OK)
			return CH_EPROTO;
		(void)replay_redirect(&first, b->c->to, NULL);
		if (!ch_view_eq(first.topic, row->topic) ||
			!ch_view_eq(first.key, row->key) ||
			stands_for(b, row, &first.id))
			continue;
		ch_uuid_format(&first.id, id);
		return ch_err_set(err, CH_EEXIST,
			"it is behind %s, an earlier letter of its key that "
			"stays open: decide that one first, or name this one "
			"alone",
			id);
	}
	return CH_OK;
}

/* Nobody else may decide the letter while it is sent. */
static int
may_send(void *ctx, struct ch_err *err)
{
	struct batch *b = ctx;

	return replay_prove(b->c->pg, ch_clock_mono(&ch_clock_real), &b->heard,
		err);
}

/* What the letter stood for is decided with it. */
static void
close_originals(struct batch *b, const struct letters_row *row)
{
	struct letters_row first;
	size_t i, kept = 0;

	for (i = 0; i < b->open_count; i++)
		if (letters_row(b->res, b->open[i], &first, NULL) != CH_OK ||
			!stands_for(b, row, &first.id))
			b->open[kept++] = b->open[i];
	b->open_count = kept;
}

static int
check_replay(const struct letter_change *c, const struct letters_row *row,
	struct ch_err *err)
{
	struct destination is;
	int rc = replay_check(c->pg, row,
		&(struct replay_options){
			.replays_max = c->replays_max, .again = c->again},
		err);

	if (rc != CH_OK)
		return rc;
	is = destination_of(c->look, c->pg, row->topic, row->part);
	return is.lacks ? ch_err_set(err, CH_ERANGE, "to %.*s: %s",
				  CH_VIEW_ARG(row->topic), is.words)
			: CH_OK;
}

static int
check_only(const struct letter_change *c, const struct letters_row *row,
	struct ch_err *err)
{
	if (c->replaying)
		return check_replay(c, row, err);
	return letter_may(LETTER_DISCARD, row->state, row->replays, 0, err)
		? CH_OK
		: (int)err->code;
}

/* *stays_open: it was refused, and not because it was decided already. */
static int
change_one(const struct batch *b, struct letters_row *row, bool *stays_open,
	struct ch_err *err)
{
	const struct letter_change *c = b->c;
	int rc = replay_redirect(row, c->to, err);

	if (rc == CH_OK && c->replaying)
		rc = check_behind(b, row, err);
	*stays_open = rc == CH_EEXIST;
	if (rc == CH_OK && c->dry_run)
		rc = check_only(c, row, err);
	else if (rc == CH_OK)
		rc = c->replaying ? replay_one(b->replay, c->pg, row, err)
				  : letters_discard(c->pg, row,
					    &(struct letters_discard){
						    c->actor, c->reason, 0},
					    err);
	if (rc == CH_EEXIST || rc == CH_ERANGE)
		*stays_open |= rc == CH_ERANGE || row->state == LETTER_EDITED;
	return rc;
}

/* The letter at this place as it is to be sent. CH_EEXIST: it is gone. */
static int
read_whole(struct batch *b, int i, struct letters_row *row, struct ch_err *err)
{
	struct letters_row found = *row;
	int count, rc;

	if (i == b->whole_end) {
		PQclear(b->whole);
		b->whole_next = 0;
		rc = letters_whole(b->c->pg, b->res, i, &count, &b->whole, err);
		if (rc != CH_OK)
			return rc;
		b->whole_end = i + count;
	}
	if (b->whole_next < PQntuples(b->whole)) {
		rc = letters_row(b->whole, b->whole_next, row, err);
		if (rc != CH_OK)
			return rc;
		if (memcmp(&row->id, &found.id, sizeof(row->id)) == 0) {
			b->whole_next++;
			return CH_OK;
		}
	}
	*row = found;
	return ch_err_set(err, CH_EEXIST, "it is not there any more");
}

static int
change_rows(struct batch *b, struct letter_changes *out, struct ch_err *err)
{
	struct letters_row row;
	bool stays_open = false;
	int rc, i;

	for (i = 0; i < PQntuples(b->res) && !out->failed; i++) {
		struct ch_err said = CH_ERR_INIT;

		if (letters_row(b->res, i, &row, err) != CH_OK)
			return CH_EPROTO;
		stays_open = false;
		rc = b->c->replaying ? read_whole(b, i, &row, &said) : CH_OK;
		b->heard = ch_clock_mono(&ch_clock_real);
		if (rc == CH_OK)
			rc = change_one(b, &row, &stays_open, &said);
		b->c->told(b->c->ctx, &row, rc, &said);
		out->done += rc == CH_OK;
		out->refused += rc == CH_EEXIST || rc == CH_ERANGE;
		out->failed = rc != CH_OK && rc != CH_EEXIST && rc != CH_ERANGE;
		if (stays_open)
			b->open[b->open_count++] = i;
		else if (rc == CH_OK && row.is_edit)
			close_originals(b, &row);
	}
	return CH_OK;
}

/* Who meant what, and how much of it was done. */
static int
write_audit(const struct letter_change *c, const PGresult *res,
	const struct letter_changes *n, struct ch_err *err)
{
	struct ch_buf after = CH_BUF_INIT, subject = CH_BUF_INIT;
	int rc;

	ch_buf_printf(&subject, "%d letters", PQntuples(res));
	ch_buf_addc(&after, '{');
	ch_json_add_name(&after, "selection");
	ch_buf_adds(&after, c->selection);
	ch_json_add_name(&after, "counts");
	ch_buf_addc(&after, '{');
	ch_json_add_member_i64(&after, "found", PQntuples(res));
	ch_json_add_member_i64(&after, "done", n->done);
	ch_json_add_member_i64(&after, "refused", n->refused);
	ch_json_add_member_i64(&after, "failed", n->failed ? 1 : 0);
	ch_buf_adds(&after, "}}");
	rc = audit_write(c->pg,
		&(struct audit_call){.action = c->replaying ? "dlq.replayed"
							    : "dlq.discarded",
			.subject = ch_buf_str(&subject),
			.actor = c->actor,
			.reason = c->reason,
			.after = ch_buf_str(&after)},
		err);
	ch_buf_free(&after);
	ch_buf_free(&subject);
	return rc;
}

int
letter_change_alone(const struct letter_change *c, struct ch_err *err)
{
	const char *rule = c->two_person;
	int rc = plans_rule(c->pg, &rule, err);

	if (rc != CH_OK || strcmp(rule, "off") == 0)
		return rc;
	return ch_err_set(err, CH_EFENCED,
		"two_person is %s: nobody %s alone; dlq plan%s it, and let "
		"somebody else approve it",
		rule, c->replaying ? "replays" : "discards",
		c->replaying ? "" : " --discard");
}

int
letter_change_run(const struct letter_change *c, const PGresult *res,
	struct letter_changes *out, struct ch_err *err)
{
	struct batch b = {.c = c, .res = res};
	int rc = c->dry_run ? CH_OK : letter_change_alone(c, err);

	*out = (struct letter_changes){.failed = false};
	if (rc != CH_OK)
		return rc;
	if (c->replaying && !c->dry_run) {
		b.replay = replay_open(c->params,
			&(struct replay_options){.actor = c->actor,
				.reason = c->reason,
				.replays_max = c->replays_max,
				.again = c->again,
				.leave = {may_send, &b}},
			err);
		if (b.replay == NULL)
			return CH_ECONFIG;
	}
	b.open = ch_xcalloc((size_t)PQntuples(res) + 1, sizeof(*b.open));
	rc = change_rows(&b, out, err);
	if (rc == CH_OK && !c->dry_run && PQntuples(res) > 0)
		rc = write_audit(c, res, out, out->failed ? NULL : err);
	if (out->failed) /* and was told */
		rc = CH_OK;
	free(b.open);
	PQclear(b.whole);
	replay_close(b.replay);
	return rc;
}
