/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reconciler: proves that the books are right, says when they are not, and
 * stops what must not go on. A table of contents; see loop.c.
 */
#include "daemon/daemon.h"
#include "loop.h"
#include "meters.h"
#include "params.h"

int
main(int argc, char **argv)
{
	return ch_daemon_main(argc, argv,
		&(struct ch_daemon){.name = "reconciler",
			.summary =
				"checks the books in PostgreSQL, keeps the breaks, "
				"alerts and pauses",
			.params = reconciler_params,
			.metrics = reconciler_metrics,
			.admin_port = 9604,
			.check = reconciler_params_check,
			.start = reconciler_start,
			.step = reconciler_step,
			.stop = reconciler_stop,
			.ready = reconciler_ready,
			.watchdog_ms = 60000});
}
