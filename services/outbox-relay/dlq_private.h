/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq_private: what the files of the dlq command share.
 *
 *	dlq.c	      options, which verb, connection
 *	dlq_list.c    list, show, export, count, group: read only
 *	dlq_keys.c    keys: what waits behind letters
 *	dlq_change.c  replay, discard, edit: letters one by one
 *	dlq_import.c  import: letters of other systems' topics
 *	dlq_plan.c    plan, approve, run, stop, plans
 *	dlq_endpoints.c  endpoints, bury: deliveries that wait
 *	dlq_print.c   how letters look
 *	dlq_help.c    options and examples of a verb
 *
 * Thread: main.
 */
#ifndef RELAY_DLQ_PRIVATE_H
#define RELAY_DLQ_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"
#include "daemon/daemon.h"
#include "destination.h"
#include "filter.h"
#include "forecast.h"
#include "import.h"
#include "io/pg.h"
#include "letters.h"
#include "letters_decision.h"
#include "letters_group.h"

#define IDS_MAX 10000
#define LIST_MAX 100 /* without --limit */
#define VALUE_SHOWN 4096

enum dlq_exit { DLQ_DONE = 0, DLQ_FAILED = 1, DLQ_REFUSED = 2 };

enum dlq_form { DLQ_PLAIN, DLQ_JSON, DLQ_HEX, DLQ_PRETTY };

struct dlq {
	const struct ch_runtime *rt;
	struct ch_pg *pg;
	struct letters_filter filter;
	struct filter where; /* --where, compiled */
	struct ch_uuid *ids;
	struct letters_group by;
	struct ch_err said; /* what is wrong with an option's value */
	const char *verb, *actor, *reason, *where_text, *file;
	enum dlq_form form;
	int64_t replays_max;
	bool dry_run, filtered, limited, new_id, again, discard;
	int64_t lacking; /* targets of the plan that cannot take it */
	bool quiet;	 /* no line a letter that went well */
	struct ch_time now;
	struct destination_look look;
	const char *to; /* of a replay: the topic of foreign letters */
	/* of imports */
	const char *const *topics;
	size_t topic_count;
	enum import_from from;
	struct ch_time from_time;
	bool follow;
	const char *endpoint; /* of bury */
	/* of plans */
	int64_t plan;	     /* 0: none named */
	bool planned;	     /* its letters are shown */
	const char *outcome; /* of those; NULL: any */
	const char *two_person;
	int64_t per_second, bytes_per_second, canary, canary_returns;
	int64_t canary_wait_ms;
};

/* ---- printing ---- */

void dlq_print_safe(struct ch_view v, size_t max);
void dlq_print_age(int64_t us);
void dlq_print_line(const struct dlq *d, const struct letters_row *r);
void dlq_print_letter(const struct letters_row *r, enum dlq_form form);
/* One line of the members in b, which begin with {; frees b. */
void dlq_print_object(struct ch_buf *b);
/* On stderr; returns the exit status. */
int dlq_say_failed(const struct ch_err *err);
/* When Kafka did not answer. */
void dlq_hint_kafka(int rc);
int dlq_say_refused(const struct letters_row *r, const struct ch_err *err);

/* How far a long change is, on stderr, every two seconds; short ones say
 * nothing. */
struct dlq_progress {
	const struct ch_clock *clock;
	struct forecast forecast;
};
void dlq_progress_begin(struct dlq_progress *p, const struct dlq *d,
	int64_t done, int64_t total);
void dlq_progress_step(struct dlq_progress *p); /* one more is done */
void dlq_progress_look(struct dlq_progress *p); /* it goes on */
void dlq_progress_end(const struct dlq_progress *p);

/* ---- a verb's own page, on stdout ---- */

/* takes: of the verb, as letters of getopt_long(). */
void dlq_help_options(const char *takes);
void dlq_help_example(const char *verb);

/* ---- verbs: each returns an exit status ---- */

int dlq_list(struct dlq *d); /* list and show */
int dlq_export(struct dlq *d);
int dlq_group(struct dlq *d); /* group and count */
int dlq_keys(struct dlq *d);
int dlq_endpoints(struct dlq *d);
int dlq_bury(struct dlq *d);
int dlq_change(struct dlq *d); /* replay and discard */
int dlq_edit(struct dlq *d);
int dlq_import(struct dlq *d);
int dlq_plan(struct dlq *d);
int dlq_approve(struct dlq *d);
int dlq_run(struct dlq *d);
int dlq_stop(struct dlq *d);
int dlq_plans(struct dlq *d);

/* Says what could not be asked (destination.h). */
void dlq_report_unlooked(const struct dlq *d);

/* Of those named; DLQ_REFUSED when some are missing. */
int dlq_report_missing(const struct dlq *d, int64_t found);
/* Says what is not there, and what the limit has left out. */
int dlq_report_rest(const struct dlq *d, const PGresult *res, bool changes);

#endif
