/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq_list: what reads only: list, show, export, count, group.
 */
#include <inttypes.h>
#include <stdio.h>

#include "dlq_private.h"
#include "letter_json.h"

static void
print_json(const struct letters_row *r, bool whole)
{
	struct ch_buf b = CH_BUF_INIT;

	ch_buf_addc(&b, '{');
	letter_json_letter(&b, r, whole);
	dlq_print_object(&b);
}

static int
print_found(struct dlq *d, const PGresult *res, bool whole, struct ch_err *err)
{
	struct letters_row row;
	int i;

	for (i = 0; i < PQntuples(res); i++) {
		if (letters_row(res, i, &row, err) != CH_OK)
			return CH_EPROTO;
		if (d->form == DLQ_JSON)
			print_json(&row, whole);
		else if (whole)
			dlq_print_letter(&row, d->form);
		else
			dlq_print_line(d, &row);
	}
	return CH_OK;
}

static int
print_whole(struct dlq *d, const PGresult *found, struct ch_err *err)
{
	int rc = CH_OK, at, count = 0;
	PGresult *res;

	for (at = 0; rc == CH_OK && at < PQntuples(found); at += count) {
		rc = letters_whole(d->pg, found, at, &count, &res, err);
		if (rc == CH_OK)
			rc = print_found(d, res, true, err);
		PQclear(res);
	}
	return rc;
}

int
dlq_report_missing(const struct dlq *d, int64_t found)
{
	int64_t named = (int64_t)d->filter.id_count;

	if (found >= named)
		return DLQ_DONE;
	(void)fprintf(stderr,
		"dlq: %" PRId64 " of the letters named do not exist, or do not "
		"fit the filter\n",
		named - found);
	return DLQ_REFUSED;
}

int
dlq_report_rest(const struct dlq *d, const PGresult *res, bool changes)
{
	struct letters_row first = {.fitting = 0};
	int64_t seen = PQntuples(res);

	if (seen > 0 && letters_row(res, 0, &first, NULL) != CH_OK)
		return DLQ_FAILED;
	if (first.fitting > seen)
		(void)fprintf(stderr,
			"dlq: %" PRId64 " of %" PRId64
			" letters that fit; %" PRId64
			" more with --limit %" PRId64 "\n",
			seen, first.fitting, first.fitting - seen,
			first.fitting);
	if (dlq_report_missing(d, first.fitting) != DLQ_DONE)
		return DLQ_REFUSED;
	if (changes && seen == 0) {
		(void)fprintf(stderr, "dlq: no letter fits\n");
		return DLQ_REFUSED;
	}
	return DLQ_DONE;
}

int
dlq_list(struct dlq *d)
{
	bool show = ch_view_eq_str(ch_view_of(d->verb), "show");
	struct ch_err err = CH_ERR_INIT;
	PGresult *res;
	int rc, rest;

	d->filter.value_max = 1;
	if (letters_find(d->pg, &d->filter, &res, &err) != CH_OK)
		return dlq_say_failed(&err);
	rc = show ? print_whole(d, res, &err)
		  : print_found(d, res, false, &err);
	rest = dlq_report_rest(d, res, false);
	PQclear(res);
	return rc == CH_OK ? rest : dlq_say_failed(&err);
}

/* ---- export ---- */

/* One page; *count is what was on it. */
static int
export_page(struct dlq *d, int *count, struct ch_err *err)
{
	PGresult *res;
	int rc = letters_page(d->pg, &res, err);

	if (rc != CH_OK)
		return rc;
	*count = PQntuples(res);
	d->form = DLQ_JSON;
	rc = print_whole(d, res, err);
	PQclear(res);
	return rc;
}

int
dlq_export(struct dlq *d)
{
	struct ch_err err = CH_ERR_INIT;
	int64_t all = 0;
	int rc, count = 1;

	d->filter.value_max = 1;
	rc = letters_open(d->pg, &d->filter, &err);
	if (rc != CH_OK)
		return dlq_say_failed(&err);
	while (rc == CH_OK && count > 0) {
		rc = export_page(d, &count, &err);
		all += count;
	}
	letters_close(d->pg);
	if (rc != CH_OK)
		return dlq_say_failed(&err);
	if (fflush(stdout) != 0 || ferror(stdout) != 0) {
		(void)fprintf(stderr,
			"dlq: the output could not be written: "
			"the export is not whole\n");
		return DLQ_FAILED;
	}
	(void)fprintf(stderr, "dlq: %" PRId64 " letters exported\n", all);
	return DLQ_DONE;
}

/* ---- sorts ---- */

static void
print_sort(const struct dlq *d, const struct letters_sort *s)
{
	size_t c;

	printf("%8" PRId64 "  ", s->letters);
	if (s->letters > 0)
		dlq_print_age(d->now.us - s->oldest.us);
	printf("  %10" PRId64 " B", s->bytes);
	for (c = 0; c < d->by.count; c++) {
		printf("  ");
		dlq_print_safe(s->names[c].ptr != NULL ? s->names[c]
						       : CH_VIEW("(none)"),
			160);
	}
	printf("\n");
}

static void
print_sort_json(const struct dlq *d, const struct letters_sort *s)
{
	struct ch_buf b = CH_BUF_INIT;

	ch_buf_addc(&b, '{');
	letter_json_sort(&b, &d->by, s);
	dlq_print_object(&b);
}

int
dlq_group(struct dlq *d)
{
	struct ch_err err = CH_ERR_INIT;
	struct letters_sort sort;
	PGresult *res;
	int rc = letters_group(d->pg, &d->filter, &d->by, &res, &err), i;
	size_t c;

	if (rc != CH_OK)
		return dlq_say_failed(&err);
	if (d->form != DLQ_JSON) {
		printf(" letters  oldest       bytes");
		for (c = 0; c < d->by.count; c++)
			printf("  %s", d->by.names[c]);
		printf("\n");
	}
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		rc = letters_sort(res, i, &d->by, &sort, &err);
		if (rc == CH_OK && d->form == DLQ_JSON)
			print_sort_json(d, &sort);
		else if (rc == CH_OK)
			print_sort(d, &sort);
	}
	if (rc == CH_OK && PQntuples(res) == d->filter.limit)
		(void)fprintf(stderr,
			"dlq: the %" PRId64 " most frequent; more with "
			"--limit\n",
			d->filter.limit);
	PQclear(res);
	return rc == CH_OK ? DLQ_DONE : dlq_say_failed(&err);
}
