/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq_keys: which keys wait behind a dead letter, since when, why, and how much
 * of them: of topics and of endpoints alike.
 */
#include <inttypes.h>
#include <stdio.h>

#include "blocked.h"
#include "dlq_private.h"

static void
print_key_json(const struct dlq *d, const struct blocked_key *k)
{
	struct ch_buf b = CH_BUF_INIT;

	blocked_json(&b, k, d->now);
	printf("%s\n", ch_buf_str(&b));
	ch_buf_free(&b);
}

static void
print_key(const struct dlq *d, const struct blocked_key *k)
{
	char id[CH_UUID_TEXT_MAX];

	ch_uuid_format(&k->letter, id);
	printf("%s ", id);
	dlq_print_age(d->now.us - k->since.us);
	printf("  %8" PRId64 " waiting  ", k->waiting);
	dlq_print_safe(k->topic, 249);
	printf("  ");
	dlq_print_safe(k->key, 160);
	printf("  ");
	dlq_print_safe(k->class, 48);
	printf(": ");
	dlq_print_safe(k->reason, 160);
	printf("\n");
}

int
dlq_keys(struct dlq *d)
{
	struct ch_err err = CH_ERR_INIT;
	struct blocked_key k;
	PGresult *res;
	int rc, i;

	rc = blocked_find(d->pg, d->filter.limit, &res, &err);
	if (rc != CH_OK)
		return dlq_say_failed(&err);
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		rc = blocked_row(res, i, &k, &err);
		if (rc == CH_OK && d->form == DLQ_JSON)
			print_key_json(d, &k);
		else if (rc == CH_OK)
			print_key(d, &k);
	}
	if (rc == CH_OK && PQntuples(res) == d->filter.limit)
		(void)fprintf(stderr,
			"dlq: the %" PRId64 " that wait longest; more with "
			"--limit\n",
			d->filter.limit);
	PQclear(res);
	return rc == CH_OK ? DLQ_DONE : dlq_say_failed(&err);
}
