/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox-relay: committed rows to Kafka, at least once, in order per key.
 */
#include "daemon/daemon.h"
#include "dlq.h"
#include "loop.h"
#include "params.h"

int
main(int argc, char **argv)
{
	return ch_daemon_main(argc, argv,
		&(struct ch_daemon){
			.name = "outbox-relay",
			.summary =
				"relays committed rows of PostgreSQL to Kafka and "
				"keeps the dead letters",
			.params = relay_params,
			.metrics = relay_metrics,
			.admin_port = 9603,
			.check = relay_params_check,
			.start = relay_start,
			.step = relay_step,
			.drain = relay_drain,
			.stop = relay_stop,
			.ready = relay_ready,
			.subcommands = relay_subcommands,
			.watchdog_ms = 60000,
		});
}
