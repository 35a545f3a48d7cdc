/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin: the port that operators, probes and Prometheus ask.
 *
 *	/livez	 200 while the loop turned within half of the watchdog's limit
 *	/readyz	 200 when the daemon can do its job, else 503; ?verbose: a line
 *		 for each check
 *	/metrics Prometheus text
 *	/config	 the effective configuration, secrets masked
 *
 * It runs on the network thread and reads only atomics and texts that the main
 * thread has left for it, so it answers while the main thread waits.
 *
 * Thread: start and stop main; publish main.
 */
#ifndef CH_DAEMON_ADMIN_H
#define CH_DAEMON_ADMIN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "daemon/metrics.h"
#include "daemon/watchdog.h"
#include "io/http_server.h"

struct ch_admin;

struct ch_admin_options {
	const char *service;
	const char *version;
	const char *listen;
	struct ch_metrics *metrics;
	const struct ch_watchdog *watchdog;
};

int ch_admin_start(struct ch_admin **out, struct ch_net *net,
	const struct ch_admin_options *opt, struct ch_err *err);
void ch_admin_stop(struct ch_admin *a);
struct ch_http_server *ch_admin_server(struct ch_admin *a);
/* What /readyz says from now on; text is copied. */
void ch_admin_publish_ready(struct ch_admin *a, bool ready,
	struct ch_view text);
/* What /config says from now on (JSON). */
void ch_admin_publish_config(struct ch_admin *a, struct ch_view json);

#endif
