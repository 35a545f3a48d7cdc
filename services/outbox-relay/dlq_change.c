/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq_change: letters replayed, discarded or edited, one transaction each.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dlq_private.h"
#include "replay.h"

#define FILE_MAX 100000000
#define DIFFERENCE_SHOWN 400

static int
discard_one(struct dlq *d, struct letters_row *row, struct ch_err *err)
{
	struct letters_decision decision = {.action = "dlq.discard",
		.actor = d->actor,
		.reason = d->reason,
		.state = LETTER_DISCARDED};
	int rc = letters_lock(d->pg, row, err);

	if (rc != CH_OK)
		return rc;
	if (!letter_may(LETTER_DISCARD, row->state, row->replays, 0, err)) {
		(void)ch_pg_rollback(d->pg, NULL);
		return err->code;
	}
	decision.replays = row->replays;
	return letters_decide(d->pg, row, &decision, err);
}

/* One call's letters, and those of them that were not sent and stay open: what
 * follows of their keys must not pass them. */
struct change {
	struct dlq *d;
	const PGresult *res;
	bool replaying;
	struct replay *replay; /* NULL: nothing is sent */
	int *open;
	size_t open_count;
};

/* CH_EEXIST with the reason in err when an earlier letter of its key stays
 * open. */
static int
check_behind(const struct change *c, const struct letters_row *row,
	struct ch_err *err)
{
	char id[CH_UUID_TEXT_MAX];
	struct letters_row first;
	size_t i;

	for (i = 0; i < c->open_count && row->key.ptr != NULL; i++) {
		if (letters_row(c->res, c->open[i], &first, err) != CH_OK)
			return CH_EPROTO;
		(void)replay_redirect(&first, c->d->to, NULL);
		if (!ch_view_eq(first.topic, row->topic) ||
			!ch_view_eq(first.key, row->key))
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

static int
check_only(struct dlq *d, const struct letters_row *row, bool replay,
	struct ch_err *err)
{
	if (replay)
		return replay_check(d->pg, row, (int32_t)d->replays_max, err);
	return letter_may(LETTER_DISCARD, row->state, row->replays, 0, err)
		? CH_OK
		: (int)err->code;
}

static int
say_done(const struct change *c, const struct letters_row *row)
{
	char id[CH_UUID_TEXT_MAX];

	if (c->d->dry_run) {
		printf("would %s  ", c->replaying ? "replay" : "discard");
		dlq_print_line(c->d, row);
	} else {
		ch_uuid_format(&row->id, id);
		printf("%s  %s\n", id, c->replaying ? "replayed" : "discarded");
	}
	return DLQ_DONE;
}

static int
say_broken(const struct letters_row *row, const struct ch_err *err)
{
	char id[CH_UUID_TEXT_MAX];

	ch_uuid_format(&row->id, id);
	(void)fprintf(stderr, "%s: failed: %s\n", id, err->text);
	return DLQ_FAILED;
}

/* *stays_open: it was refused, and not because it was decided already. */
static int
change_one(const struct change *c, struct letters_row *row, bool *stays_open)
{
	struct dlq *d = c->d;
	struct ch_err err = CH_ERR_INIT;
	int rc = replay_redirect(row, d->to, &err);

	if (rc == CH_OK && c->replaying)
		rc = check_behind(c, row, &err);
	*stays_open = rc == CH_EEXIST;
	if (rc == CH_OK && d->dry_run)
		rc = check_only(d, row, c->replaying, &err);
	else if (rc == CH_OK)
		rc = c->replaying ? replay_one(c->replay, d->pg, row, &err)
				  : discard_one(d, row, &err);
	if (rc == CH_EEXIST || rc == CH_ERANGE) {
		*stays_open |= rc == CH_ERANGE || row->state == LETTER_EDITED;
		return dlq_say_refused(row, &err);
	}
	return rc == CH_OK ? say_done(c, row) : say_broken(row, &err);
}

static int
change_rows(struct change *c)
{
	struct ch_err err = CH_ERR_INIT;
	struct letters_row row;
	bool stays_open = false;
	int worst = DLQ_DONE, rc, i;

	for (i = 0; i < PQntuples(c->res); i++) {
		if (letters_row(c->res, i, &row, &err) != CH_OK)
			return dlq_say_failed(&err);
		rc = change_one(c, &row, &stays_open);
		if (rc == DLQ_FAILED)
			return rc; /* what follows must not pass it */
		if (rc != DLQ_DONE)
			worst = rc;
		if (stays_open)
			c->open[c->open_count++] = i;
	}
	return worst;
}

static int
change_all(struct dlq *d, const PGresult *res)
{
	struct change c = {.d = d,
		.res = res,
		.replaying = ch_view_eq_str(ch_view_of(d->verb), "replay")};
	struct ch_err err = CH_ERR_INIT;
	int rc;

	if (c.replaying && !d->dry_run && strcmp(d->two_person, "off") != 0) {
		(void)fprintf(stderr,
			"dlq: two_person is %s: nobody replays alone; dlq plan "
			"it, and let somebody else approve it\n",
			d->two_person);
		return DLQ_REFUSED;
	}
	if (c.replaying && !d->dry_run) {
		c.replay = replay_open(d->rt->params,
			&(struct replay_options){d->actor, d->reason,
				(int32_t)d->replays_max, 0},
			&err);
		if (c.replay == NULL) {
			(void)dlq_say_failed(&err);
			return CH_EXIT_CONFIG;
		}
	}
	c.open = ch_xcalloc((size_t)PQntuples(res) + 1, sizeof(*c.open));
	rc = change_rows(&c);
	free(c.open);
	replay_close(c.replay);
	return rc;
}

int
dlq_change(struct dlq *d)
{
	struct ch_err err = CH_ERR_INIT;
	PGresult *res;
	int rc, rest;

	if (letters_find(d->pg, &d->filter, &res, &err) != CH_OK)
		return dlq_say_failed(&err);
	rc = change_all(d, res);
	rest = dlq_report_rest(d, res, true);
	PQclear(res);
	return rc == DLQ_DONE ? rest : rc;
}

/* ---- edit ---- */

/* The whole file, at most FILE_MAX bytes. */
static int
read_file(const char *name, struct ch_buf *out, struct ch_err *err)
{
	FILE *f = strcmp(name, "-") == 0 ? stdin : fopen(name, "rbe");
	char part[8192];
	size_t n;
	int rc = CH_OK;

	if (f == NULL)
		return ch_err_errno(err, errno, "--set-file %s", name);
	do {
		n = fread(part, 1, sizeof(part), f);
		ch_buf_add(out, part, n);
	} while (n > 0 && out->len <= FILE_MAX);
	if (ferror(f) != 0)
		rc = ch_err_errno(err, errno, "--set-file %s", name);
	else if (out->len > FILE_MAX)
		rc = ch_err_set(err, CH_ERANGE,
			"--set-file %s: more than %d bytes: no topic takes a "
			"record like that",
			name, FILE_MAX);
	if (f != stdin)
		(void)fclose(f);
	return rc;
}

static int
edit_row(struct dlq *d, struct letters_row *row, struct ch_view value)
{
	struct letters_edit edit = {.value = value,
		.actor = d->actor,
		.reason = d->reason != NULL ? d->reason : "dry run",
		.now = d->now,
		.dry_run = d->dry_run};
	struct letter_difference c = letter_difference_of(row->value, value);
	char id[CH_UUID_TEXT_MAX], original[CH_UUID_TEXT_MAX];
	struct ch_err err = CH_ERR_INIT;
	struct ch_uuid made;
	int rc = letters_edit(d->pg, row, &edit, &made, &err);

	if (rc == CH_EEXIST)
		return dlq_say_refused(row, &err);
	if (rc != CH_OK)
		return dlq_say_failed(&err);
	ch_uuid_format(&row->id, original);
	ch_uuid_format(&made, id);
	printf("at byte %zu\n- ", c.at);
	dlq_print_safe(c.removed, DIFFERENCE_SHOWN);
	printf("\n+ ");
	dlq_print_safe(c.inserted, DIFFERENCE_SHOWN);
	if (d->dry_run)
		printf("\nwould edit %s\n", original);
	else
		printf("\n%s  edited from %s\n", id, original);
	return DLQ_DONE;
}

int
dlq_edit(struct dlq *d)
{
	struct ch_buf value = CH_BUF_INIT;
	struct ch_err err = CH_ERR_INIT;
	struct letters_row row;
	PGresult *res = NULL;
	int rc;

	/* an empty file is an empty value, not a null one */
	ch_buf_reserve(&value, 1);
	if (read_file(d->file, &value, &err) != CH_OK ||
		letters_find(d->pg, &d->filter, &res, &err) != CH_OK)
		rc = dlq_say_failed(&err);
	else if (PQntuples(res) == 0)
		rc = dlq_report_rest(d, res, true);
	else if (letters_row(res, 0, &row, &err) != CH_OK)
		rc = dlq_say_failed(&err);
	else
		rc = edit_row(d, &row, ch_buf_view(&value));
	PQclear(res);
	ch_buf_free(&value);
	return rc;
}
