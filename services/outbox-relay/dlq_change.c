/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq_change: letters replayed, discarded or edited.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "dlq_private.h"
#include "letter_change.h"
#include "letter_renewal.h"
#include "plans.h"

#define FILE_MAX 100000000
#define DIFFERENCE_SHOWN 400

struct changing {
	struct dlq *d;
	struct dlq_progress progress;
};

static bool
is_replaying(const struct dlq *d)
{
	return ch_view_eq_str(ch_view_of(d->verb), "replay");
}

static void
say_done(const struct dlq *d, const struct letters_row *row)
{
	char id[CH_UUID_TEXT_MAX];

	if (d->quiet)
		return;
	if (d->dry_run) {
		printf("would %s  ", d->verb);
		dlq_print_line(d, row);
	} else {
		ch_uuid_format(&row->id, id);
		printf("%s  %s\n", id,
			is_replaying(d) ? "replayed" : "discarded");
	}
}

static void
told(void *ctx, const struct letters_row *row, int rc, const struct ch_err *err)
{
	struct changing *c = ctx;
	char id[CH_UUID_TEXT_MAX];

	if (rc == CH_OK) {
		say_done(c->d, row);
	} else if (rc == CH_EEXIST || rc == CH_ERANGE) {
		(void)dlq_say_refused(row, err);
	} else {
		ch_uuid_format(&row->id, id);
		(void)fprintf(stderr, "%s: failed: %s\n", id, err->text);
		dlq_hint_kafka(rc);
	}
	dlq_progress_step(&c->progress);
}

/* What would be passed, or is: nobody has named it. Not to know it is no reason
 * to send nothing. */
static void
warn_overtaken(const struct dlq *d, const PGresult *res)
{
	struct ch_err err = CH_ERR_INIT;
	char id[CH_UUID_TEXT_MAX];
	struct ch_uuid first;
	int64_t count = 0;

	if (letters_overtaken(d->pg, res, d->again, &count, &first, &err) !=
		CH_OK) {
		(void)fprintf(stderr,
			"dlq: whether older letters of these keys are "
			"overtaken was not seen: %s\n",
			err.text);
		return;
	}
	if (count == 0)
		return;
	ch_uuid_format(&first, id);
	(void)fprintf(stderr,
		"dlq: %" PRId64 " older open letters of these keys are not "
		"named and %s overtaken, the first of them %s: decide them "
		"first, or name them too\n",
		count, d->dry_run ? "would be" : "are", id);
}

static int
change_all(struct dlq *d, const char *selection, const PGresult *res)
{
	struct changing ctx = {.d = d};
	struct letter_change c = {.pg = d->pg,
		.params = d->rt->params,
		.actor = d->actor,
		.reason = d->reason,
		.two_person = d->two_person,
		.selection = selection,
		.replays_max = (int32_t)d->replays_max,
		.to = d->to,
		.again = d->again,
		.replaying = is_replaying(d),
		.dry_run = d->dry_run,
		.look = &d->look,
		.told = told,
		.ctx = &ctx};
	struct ch_err err = CH_ERR_INIT;
	struct letter_changes n;
	/* before a dry run says what it would do */
	int rc = letter_change_alone(&c, &err);

	if (rc == CH_OK) {
		if (c.replaying)
			warn_overtaken(d, res);
		dlq_progress_begin(&ctx.progress, d, 0, PQntuples(res));
		rc = letter_change_run(&c, res, &n, &err);
	}
	if (rc != CH_OK) {
		(void)dlq_say_failed(&err);
		return rc == CH_EFENCED	   ? DLQ_REFUSED
			: rc == CH_ECONFIG ? CH_EXIT_CONFIG
					   : DLQ_FAILED;
	}
	dlq_progress_end(&ctx.progress);
	dlq_report_unlooked(d);
	return n.failed ? DLQ_FAILED : n.refused > 0 ? DLQ_REFUSED : DLQ_DONE;
}

int
dlq_change(struct dlq *d)
{
	struct plans_sending sending = {.to = d->to, .again = d->again};
	struct ch_buf selection = CH_BUF_INIT;
	struct ch_err err = CH_ERR_INIT;
	PGresult *res;
	int rc, rest;

	d->filter.value_max = 1;
	if (letters_find(d->pg, &d->filter, &res, &err) != CH_OK)
		return dlq_say_failed(&err);
	plans_selection(&d->filter, d->where_text, &sending, &selection);
	rc = change_all(d, ch_buf_str(&selection), res);
	ch_buf_free(&selection);
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

/* The file's bytes; of --new-id the letter's own, but for the id. */
static int
edited_value(struct dlq *d, const struct letters_row *row, struct ch_buf *out,
	struct ch_err *err)
{
	/* an empty file is an empty value, not a null one */
	ch_buf_reserve(out, 1);
	return d->new_id ? letter_renewal_of(d->pg, row, d->now, out, err)
			 : read_file(d->file, out, err);
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

static int
edit_found(struct dlq *d, struct letters_row *row)
{
	struct ch_buf value = CH_BUF_INIT;
	struct ch_err err = CH_ERR_INIT;
	int rc = edited_value(d, row, &value, &err);

	if (rc == CH_OK)
		rc = edit_row(d, row, ch_buf_view(&value));
	else if (rc == CH_EEXIST)
		rc = dlq_say_refused(row, &err);
	else
		rc = dlq_say_failed(&err);
	ch_buf_free(&value);
	return rc;
}

int
dlq_edit(struct dlq *d)
{
	struct ch_err err = CH_ERR_INIT;
	struct letters_row row;
	PGresult *res = NULL;
	int rc;

	if (letters_find(d->pg, &d->filter, &res, &err) != CH_OK)
		rc = dlq_say_failed(&err);
	else if (PQntuples(res) == 0)
		rc = dlq_report_rest(d, res, true);
	else if (letters_row(res, 0, &row, &err) != CH_OK)
		rc = dlq_say_failed(&err);
	else
		rc = edit_found(d, &row);
	PQclear(res);
	return rc;
}
