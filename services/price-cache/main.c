/* SPDX-License-Identifier: Apache-2.0 */
/*
 * price-cache: one upstream call per market per TTL, whatever the crowd; the
 * last price when the upstreams fail.
 */
#include "daemon/daemon.h"
#include "loop.h"
#include "meters.h"
#include "params.h"

int
main(int argc, char **argv)
{
	return ch_daemon_main(argc, argv,
		&(struct ch_daemon){
			.name = "price-cache",
			.summary = "serves market prices by HTTP from a cache "
				   "in front of two price APIs",
			.params = price_cache_params,
			.metrics = price_cache_metrics,
			.admin_port = 9605,
			.check = price_cache_params_check,
			.start = loop_start,
			.step = loop_step,
			.drain = loop_drain,
			.stop = loop_stop,
			.ready = loop_ready,
		});
}
