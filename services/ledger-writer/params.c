/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params: the table of what an operator may set.
 *
 * One row makes the flag, the variable, the line in the file, --help and the
 * reference page. What the promise rests on (offsets, isolation, commits) has
 * no row: it cannot be set.
 */
#include "params.h"

#include <string.h>

#include "daemon/client_check.h"
#include "daemon/client_params.h"
#include "io/kafka_consumer.h"

/* A claim must outlast the wait after which it ends a stopped owner (fence.c,
 * 2 s): below that it would give up first, each time. */
#define LOCK_MS_MIN 2500

const struct ch_param ledger_params[] = {
	CH_CLIENT_BOOTSTRAP(0, CH_PARAM_REQUIRED | CH_PARAM_DAEMON, ""),
	CH_CLIENT_KAFKA,
	{.name = "group",
		.type = CH_PARAM_STRING,
		.def = "ledger-writer",
		.min = 1,
		.max = 249,
		.help = "consumer group; it spreads partitions, nothing more"},
	{.name = "group_protocol",
		.type = CH_PARAM_ENUM,
		.def = "classic",
		.choices = "classic|consumer",
		.help = "Kafka's group protocol (consumer: KIP-848)"},
	CH_CLIENT_ID("ledger-writer", 128,
		"client id towards Kafka, owner name in consumer_partitions"),
	{.name = "instance",
		.type = CH_PARAM_STRING,
		.max = 128,
		.help = "static member id, where the platform gives stable "
			"names; empty: a dynamic member"},
	{.name = "session_timeout",
		.type = CH_PARAM_DURATION,
		.def = "45s",
		.min = 1000,
		.max = 1800000,
		.help = "after so long without a sign the group gives this "
			"writer's partitions away"},
	{.name = "commands_topics",
		.type = CH_PARAM_LIST,
		.def = "ledger.commands",
		.min = 0,
		.max = 64,
		.help = "topics with commands"},
	{.name = "trades_topics",
		.type = CH_PARAM_LIST,
		.def = "market.trades",
		.min = 0,
		.max = 16,
		.help = "topics with trades for trades_public; may be empty"},
	{.name = "fills_topics",
		.type = CH_PARAM_LIST,
		.def = "market.fills",
		.min = 0,
		.max = 16,
		.help = "topics with fills of our own orders, each applied as "
			"an order.fill; may be empty"},
	{.name = "bound_topics",
		.type = CH_PARAM_STRING,
		.max = 249,
		.help = "prefix of topics with commands that each belong to "
			"the one organisation named by the rest: with "
			"ledger.commands. (dot included) the topic "
			"ledger.commands.acme is acme's; empty: none is bound"},
	{.name = "prefetch",
		.type = CH_PARAM_BYTES,
		.def = "8MiB",
		.min = 1048576,
		.max = 1073741824,
		.help = "bytes that the Kafka client may hold ahead"},
	CH_CLIENT_DATABASE(CH_PARAM_REQUIRED, ""), CH_CLIENT_PASSFILE,
	CH_CLIENT_SCHEMA("the books"),
	{.name = "lock_timeout",
		.type = CH_PARAM_DURATION,
		.def = "2500ms",
		.min = LOCK_MS_MIN,
		.max = 60000,
		.help = "longest wait for any lock; then the batch is tried "
			"again whole"},
	{.name = "call_timeout",
		.type = CH_PARAM_DURATION,
		.def = "20s",
		.min = 1000,
		.max = 300000,
		.help = "longest wait for an answer of PostgreSQL; then the "
			"connection is given up"},
	{.name = "batch_records",
		.type = CH_PARAM_INT,
		.def = "2000",
		.min = 1,
		.max = 20000,
		.help = "most records in one transaction"},
	{.name = "batch_bytes",
		.type = CH_PARAM_BYTES,
		.def = "2MiB",
		.min = 65536,
		.max = 67108864,
		.help = "most bytes of records in one transaction"},
	{.name = "record_bytes",
		.type = CH_PARAM_BYTES,
		.def = "64KiB",
		.min = 1024,
		.max = 1048576,
		.help = "a larger record is refused unread"},
	{.name = "health_every",
		.type = CH_PARAM_DURATION,
		.def = "15s",
		.min = 1000,
		.max = 3600000,
		.help = "how often PostgreSQL is asked what makes hot rows slow "
			"(ch.health())"},
	{.name = "sweep_every",
		.type = CH_PARAM_DURATION,
		.def = "1s",
		.min = 50,
		.max = 60000,
		.help = "how often expired reservations of idle partitions are "
			"looked for"},
	{.name = "sweep_rows",
		.type = CH_PARAM_INT,
		.def = "1000",
		.min = 1,
		.max = 10000,
		.help = "most holds, and most reservations, that run out in "
			"one transaction"},
	{.name = "aside_retry",
		.type = CH_PARAM_DURATION,
		.def = "10m",
		.min = 1000,
		.max = 86400000,
		.help = "after so long an expiry or a settlement that "
			"PostgreSQL refused, and that was set aside, is tried "
			"again"},
	{.name = "expired_trades",
		.type = CH_PARAM_ENUM,
		.def = "reject",
		.choices = "reject|drop",
		.help = "a trade older than the kept days: parked in rejected, "
			"or only counted"},
	{.name = "clock_tolerance",
		.type = CH_PARAM_DURATION,
		.def = "5s",
		.min = 1,
		.max = 60000,
		.help = "how far the clock may be from PostgreSQL's before the "
			"writer stops deciding"},
	{.name = "topic_check",
		.type = CH_PARAM_DURATION,
		.def = "15s",
		.min = 100,
		.max = 3600000,
		.help = "how often the topics' ids are compared with those the "
			"offsets belong to"},
	{.name = NULL}};

/* A bound topic must name somebody. */
static int
check_bound(const struct ch_params *p, struct ch_err *err)
{
	const char *prefix = ch_params_str(p, "bound_topics");
	size_t n = 0;
	const char *const *names = ch_params_list(p, "commands_topics", &n);
	for (size_t i = 0; i < n; i++)
		if (prefix[0] != '\0' && strcmp(names[i], prefix) == 0)
			return ch_err_set(err, CH_ECONFIG,
				"bound_topics (from %s): the topic \"%s\" is "
				"the prefix itself and names no organisation: "
				"end the prefix with a dot",
				ch_params_origin(p, "bound_topics"), prefix);
	return 0;
}

int
ledger_params_check(const struct ch_params *p, struct ch_err *err)
{
	size_t commands = 0;
	size_t trades = 0;
	size_t fills = 0;
	(void)ch_params_list(p, "commands_topics", &commands);
	(void)ch_params_list(p, "trades_topics", &trades);
	(void)ch_params_list(p, "fills_topics", &fills);
	if (commands + trades + fills == 0)
		return ch_err_set(err, CH_ECONFIG,
			"commands_topics, trades_topics and fills_topics are "
			"all empty: name at least one topic");
	if (ch_params_bytes(p, "batch_bytes") <
		ch_params_bytes(p, "record_bytes"))
		return ch_err_set(err, CH_ECONFIG,
			"batch_bytes (from %s) is less than record_bytes (from "
			"%s): no record of that size would fit a batch",
			ch_params_origin(p, "batch_bytes"),
			ch_params_origin(p, "record_bytes"));
	if (check_bound(p, err) != 0)
		return CH_ECONFIG;
	if (ch_client_check_kafka(p, ch_kafka_consumer_reserved, err) != 0)
		return CH_ECONFIG;
	return ch_client_check_database(p, "passfile", err);
}
