/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox-relay: committed rows to Kafka, at least once, in order per key.
 */
#include "daemon/daemon.h"
#include "dlq.h"
#include "loop.h"
#include "params.h"

static const char examples[] =
	"# the configuration alone: status 0, or 78 and the reason\n"
	"outbox-relay --config=relay.conf --check-config\n"
	"# beside an application's own outbox table, from the WAL\n"
	"outbox-relay --config=relay.conf --outbox-table=public.outbox \\\n"
	"    --schema=outbox_relay --publication=outbox_relay \\\n"
	"    --slot=outbox_relay --outbox-order-by=seq\n"
	"# what is wrong, by line\n"
	"curl -s '127.0.0.1:9603/readyz?verbose'\n"
	"# refused deliveries: which causes, one of them, again\n"
	"outbox-relay --config=relay.conf dlq group --by class,fingerprint\n"
	"outbox-relay --config=relay.conf dlq show 019de1a3-8a56-7c0e-b54b-6ad2c6bd1c7e\n"
	"outbox-relay --config=relay.conf dlq replay --topic orders.v1 \\\n"
	"    --reason 'limit raised, INC-12' --dry-run\n";
static const char see_also[] =
	"docs/operator.md               what to watch, what to do at 3 a.m.\n"
	"docs/alone.md                  without the ledger: install, polling, Debezium\n"
	"docs/reference/outbox-relay.md parameters and metrics as tables\n"
	"docs/protocols/relay.md        what holds from a commit to a delivery\n"
	"deploy/prometheus/outbox-relay.rules.yml   the alerts\n"
	"ledger-writer(1), psql(1), kcat(1)\n";

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
			.command_page = relay_command_page,
			.examples = examples,
			.see_also = see_also,
			.watchdog_ms = 60000,
		});
}
