/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trade-stream: takes the market's trades in from an exchange's WebSocket and
 * publishes each of them, exactly as sent, to Kafka.
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
			.name = "trade-stream",
			.summary = "publishes the trades of an exchange's "
				   "WebSocket to Kafka",
			.params = trade_stream_params,
			.metrics = trade_stream_metrics,
			.admin_port = 9601,
			.check = trade_stream_params_check,
			.start = loop_start,
			.step = loop_step,
			.drain = loop_drain,
			.stop = loop_stop,
			.ready = loop_ready,
			.reload = loop_reload,
		});
}
