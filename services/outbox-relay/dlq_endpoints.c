/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq_endpoints: which endpoints have deliveries waiting, and who has them; and
 * those of an endpoint that is nobody's buried.
 */
#include <inttypes.h>
#include <stdio.h>

#include "burial.h"
#include "dlq_private.h"

static void
print_json(const struct burial_waiting *w)
{
	struct ch_buf b = CH_BUF_INIT;

	burial_json(&b, w);
	printf("%s\n", ch_buf_str(&b));
	ch_buf_free(&b);
}

static void
print_plain(const struct dlq *d, const struct burial_waiting *w)
{
	printf("%8" PRId64 "%s waiting  oldest", w->count,
		w->count == BURIAL_COUNTED ? "+" : "");
	dlq_print_age(d->now.us - w->since.us);
	printf("  ");
	dlq_print_safe(w->endpoint, 160);
	if (ch_view_eq_str(w->whose, "nobody")) {
		printf("  (no running relay has it: put it back into the file "
		       "of webhooks, or dlq bury ");
		dlq_print_safe(w->endpoint, 160);
		printf(")");
	} else if (ch_view_eq_str(w->whose, "unknown")) {
		printf("  (no running relay has it; one that may have it does "
		       "not run)");
	}
	printf("\n");
}

int
dlq_endpoints(struct dlq *d)
{
	struct ch_err err = CH_ERR_INIT;
	struct burial_waiting w;
	PGresult *res;
	int rc = burial_find(d->pg, NULL, d->filter.limit, &res, &err), i;

	if (rc != CH_OK)
		return dlq_say_failed(&err);
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		rc = burial_row(res, i, &w, &err);
		if (rc == CH_OK && d->form == DLQ_JSON)
			print_json(&w);
		else if (rc == CH_OK)
			print_plain(d, &w);
	}
	PQclear(res);
	return rc == CH_OK ? DLQ_DONE : dlq_say_failed(&err);
}

/* ---- bury ---- */

/* By as many transactions as it takes. */
static int
bury_all(struct dlq *d, int64_t *letters, struct ch_err *err)
{
	struct burial b = {.endpoint = d->endpoint,
		.actor = d->actor,
		.reason = d->reason != NULL ? d->reason : "dry run",
		.dry_run = d->dry_run};
	int64_t many = 1;
	int rc = CH_OK;

	for (*letters = 0; rc == CH_OK && many > 0; *letters += many) {
		rc = burial_run(d->pg, &b, &many, err);
		if (d->dry_run) {
			*letters = many;
			return rc;
		}
	}
	return rc;
}

static int
say_buried(const struct dlq *d, int64_t letters)
{
	if (letters == 0) {
		(void)fprintf(stderr, "dlq: nothing waits for endpoint %s\n",
			d->endpoint);
		return DLQ_REFUSED;
	}
	printf("%" PRId64 "%s deliveries %s letters of webhook:%s: dlq list "
	       "--topic webhook:%s, dlq discard, or dlq replay when it is "
	       "back\n",
		letters, d->dry_run && letters == BURIAL_COUNTED ? "+" : "",
		d->dry_run ? "would become" : "are", d->endpoint, d->endpoint);
	return DLQ_DONE;
}

int
dlq_bury(struct dlq *d)
{
	struct ch_err err = CH_ERR_INIT;
	int64_t letters;
	int rc = bury_all(d, &letters, &err);

	if (rc == CH_OK)
		return say_buried(d, letters);
	if (letters > 0)
		printf("%" PRId64 " deliveries are letters\n", letters);
	(void)dlq_say_failed(&err);
	return rc == CH_EEXIST ? DLQ_REFUSED : DLQ_FAILED;
}
