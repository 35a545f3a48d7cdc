/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon: the one skeleton of every daemon. A main.c is one description and
 * one call:
 *
 *	int
 *	main(int argc, char **argv)
 *	{
 *		return ch_daemon_main(argc, argv, &(struct ch_daemon){
 *			.name = "ledger-writer",
 *			.summary = "applies ledger.commands to PostgreSQL",
 *			.params = ledger_params,
 *			.metrics = ledger_metrics,
 *			.admin_port = 9102,
 *			.start = ledger_start, .step = ledger_step,
 *			.drain = ledger_drain, .stop = ledger_stop,
 *			.ready = ledger_ready,
 *			.watchdog_ms = 30000 });
 *	}
 *
 * Order: SIGPIPE off, argv, config, (--check-config ends here), log, limits,
 * signals, network thread, admin server, start(), READY, loop, drain, stop().
 *
 * The loop, on the main thread: signals; ready() at most every 100 ms, its
 * answer cached for /readyz; step(); sleep as long as step() said, or until a
 * watched fd is readable, or a signal.
 *
 * Signals: first SIGTERM or SIGINT drains within drain_deadline; the second
 * exits at once (status CH_EXIT_FORCED). SIGHUP re-reads the configuration
 * (reload()); a bad file leaves everything as it was. SIGUSR1 switches debug
 * logging on and off.
 *
 * Thread: every callback runs on the main thread, unless it says otherwise.
 */
#ifndef CH_DAEMON_DAEMON_H
#define CH_DAEMON_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "daemon/metrics.h"
#include "daemon/params.h"
#include "io/http_server.h"
#include "io/net_thread.h"

/* Exit statuses, after sysexits.h where it has one. */
enum ch_exit {
	CH_EXIT_OK = 0,
	CH_EXIT_FAILURE = 1,	   /* step() failed for good; see the log */
	CH_EXIT_DRAIN_TIMEOUT = 3, /* drain_deadline passed, work was left */
	CH_EXIT_FORCED = 4,	   /* second SIGTERM or SIGINT */
	CH_EXIT_USAGE = 64,	   /* unknown subcommand */
	CH_EXIT_UNAVAILABLE = 69,  /* start() failed: a dependency */
	CH_EXIT_CONFIG = 78	   /* wrong configuration; also start() with
				      CH_ECONFIG */
};
/* The watchdog aborts (SIGABRT, status 134 in a shell). */

struct ch_loop; /* the skeleton's own */

/* What the skeleton gives a service; lives until stop() has returned. */
struct ch_runtime {
	const char *service;
	const char *version;
	struct ch_params *params;
	struct ch_metrics *metrics;
	struct ch_net *net;	      /* NULL in subcommands */
	struct ch_http_server *admin; /* NULL in subcommands */
	const struct ch_clock *clock;
	struct ch_loop *loop; /* the skeleton's own */
};

struct ch_subcommand {
	const char *name;  /* "dlq"; NULL ends the table */
	const char *usage; /* "dlq list|show|replay|discard [options]" */
	const char *help;
	/* argv[0] is the subcommand's name. Returns the exit status. Params are
	 * read and the log goes to stderr; no network thread, no admin. */
	int (*run)(const struct ch_runtime *rt, int argc, char **argv);
	/* What `<service> <name> --help` prints, without a configuration; NULL:
	 * usage and help. */
	const char *manual;
};

struct ch_daemon {
	const char *name;		      /* "ledger-writer" */
	const char *summary;		      /* one line */
	const struct ch_param *params;	      /* ends with name NULL */
	const struct ch_metric_desc *metrics; /* the same */
	int admin_port; /* default of admin_listen: 127.0.0.1:<port> */

	/* Checks across keys, for --check-config too: CH_ECONFIG. No I/O but
	 * reading files named in the configuration. May be NULL. */
	int (*check)(const struct ch_params *p, struct ch_err *err);
	/* 0, or negative with err set: CH_ECONFIG exits 78, others 69. Must not
	 * wait long for a dependency: start, and let ready() tell. */
	int (*start)(void **state, const struct ch_runtime *rt,
		struct ch_err *err);
	/* One turn of the loop. Returns how long to sleep before the next one
	 * in ms (0: not at all), or negative with err set: fatal, exit 1.
	 * May block for up to 1 s (a Kafka poll), far below watchdog_ms. */
	int (*step)(void *state, struct ch_err *err);
	/* After the first SIGTERM: called after each step() until it returns
	 * true or the deadline passes. The first call begins the drain. NULL:
	 * drained at once. */
	bool (*drain)(void *state);
	/* Closes and frees; also after a failed step(), not after a failed
	 * start() (which cleans up after itself). */
	void (*stop)(void *state);
	/* Can it do its job? Adds one line per check by ch_ready_line().
	 * Cheap: no I/O. NULL: always. */
	bool (*ready)(void *state, struct ch_buf *verbose);
	/* After a successful SIGHUP re-read. 0, or negative with err set: logged,
	 * the daemon goes on. NULL: nothing to tell. */
	int (*reload)(void *state, struct ch_err *err);
	const struct ch_subcommand *subcommands; /* may be NULL */
	/* What `<service> <command> <word> ... --help` prints, where that word
	 * has a page of its own; false: the command's manual. May be NULL. */
	bool (*command_page)(const char *command, const char *word);
	/* Of its manual page, may be NULL: command lines with what they are
	 * for; pages and files to read on, one a line. */
	const char *examples, *see_also;
	int watchdog_ms; /* default of the param `watchdog`; 0: 30000 */
};

/* Never returns before everything is closed; returns an enum ch_exit. */
int ch_daemon_main(int argc, char **argv, const struct ch_daemon *d);

/* "[+]postgres ok" or "[-]postgres <why>"; returns ok, so that ready() reads
 *	ok &= ch_ready_line(v, "postgres", up, "connecting since 12 s"); */
bool ch_ready_line(struct ch_buf *verbose, const char *name, bool ok,
	const char *why);

/* Sleeps on fd too; events as in poll(2); the service reads it in step().
 * Slots are 0 to 15, chosen by the service; fd -1 empties a slot.
 * Thread: main. */
void ch_runtime_watch_fd(const struct ch_runtime *rt, int slot, int fd,
	short events);
/* The sleep after this step() ends then at the latest, to some tens of
 * microseconds; the earliest of several calls. Thread: main. */
void ch_runtime_wake_at(const struct ch_runtime *rt, struct ch_mono then);
/* Has a SIGTERM come? For long work inside one step(). Thread: main. */
bool ch_runtime_stopping(const struct ch_runtime *rt);
/* Long legitimate work inside one step(): tells the watchdog that it still
 * moves. Thread: main. */
void ch_runtime_alive(const struct ch_runtime *rt);

#endif
