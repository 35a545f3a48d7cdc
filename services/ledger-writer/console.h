/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console: what the operator's commands share (explain, snapshot, archive,
 * drop-day, upkeep, replay): options, a connection of their own, and printing that a
 * record's bytes cannot harm.
 *
 * Exit status: 0 done (replay: and equal); 1 something failed on the way; 2
 * refused, not found, or not equal; 64 wrong usage; 69 no PostgreSQL.
 *
 * Thread: main.
 */
#ifndef LEDGER_CONSOLE_H
#define LEDGER_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/daemon.h"
#include "io/pg.h"

enum console_exit { CONSOLE_DONE = 0, CONSOLE_FAILED = 1, CONSOLE_REFUSED = 2 };

/* An option: where its value goes. */
struct console_option {
	const char *name; /* without dashes; NULL ends the table */
	const char **text;
	bool *flag; /* when it takes no value */
};

/* Reads options (--name=value or --name value) out of argv, whose first is the
 * command's name; what is left are its words. False: it has said what is
 * wrong, and the manual's first line. */
bool console_options(const char *manual, const struct console_option *options,
	int argc, char **argv, int *words, char ***word);
int console_usage(const char *manual, const char *problem);
/* A change needs somebody and a reason. */
bool console_who(const char *manual, const char *actor, const char *reason);

/* Is it like 2026-10-20? */
bool console_day(const char *text);

/* Connected, with search_path at the books' schema, or NULL: it has said why.
 * writes: only a primary will do. */
struct ch_pg *console_connect(const struct ch_runtime *rt, const char *command,
	bool writes);
/* "<command>: <error>" on stderr; returns CONSOLE_FAILED, or CONSOLE_REFUSED
 * when PostgreSQL's own functions refused (their hint included). */
int console_failed(const struct ch_pg *pg, const char *command,
	const struct ch_err *err);

/* At most max bytes, control characters as \xNN. */
void console_print(struct ch_view v, size_t max);
/* "name      value" with a line's end. */
void console_pair(const char *name, struct ch_view v);

/* Counts with a rate on stderr, at most once a second; when it is a terminal
 * or not. of: how many there will be; 0: not known. */
struct console_progress {
	const struct ch_clock *clock;
	const char *what; /* "replayed" */
	struct ch_mono began, told;
	int64_t of;
};
void console_progress_begin(struct console_progress *p,
	const struct ch_clock *clock, const char *what, int64_t of);
void console_progress(struct console_progress *p, int64_t done);
/* Milliseconds since it began. */
int64_t console_progress_ms(const struct console_progress *p);

#endif
