/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params: see params.h. Names that go into SQL text of the walsender (slot,
 * publication) are held to a set of letters that needs no quoting.
 */
#include "params.h"

#include <stdio.h>

#include "api_guard.h"
#include "api_tokens.h"
#include "base/clock.h"
#include "base/rng.h"
#include "base/uuid.h"
#include "daemon/client_check.h"
#include "endpoint.h"
#include "failure.h"
#include "relay.h"

#define MS_HOUR 3600000
#define MS_DAY 86400000
#define MIB ((int64_t)1048576)

const struct ch_param relay_params[] = {
	{"bootstrap", CH_PARAM_LIST, "localhost:9092", 1, 64, NULL, 0,
		"Kafka brokers to ask first"},
	{"database_url", CH_PARAM_CONNINFO, "dbname=countinghouse", 0, 0, NULL,
		0,
		"PostgreSQL, as role ch_relay (alone, outbox_relay); the "
		"password by passfile"},
	{"schema", CH_PARAM_STRING, "ch", 1, 63, NULL, 0,
		"schema that holds the relay's tables: ch is the ledger's; "
		"alone, outbox_relay"},
	{"client_id", CH_PARAM_STRING, "outbox-relay", 1, 128, NULL, 0,
		"how this process calls itself to Kafka and PostgreSQL"},
	{"slot", CH_PARAM_STRING, "ch_relay", 1, 63, NULL, 0,
		"replication slot, of one relay and its standbys; made when "
		"missing. ch_relay is the ledger's; each outbox_table of a "
		"database has another"},
	{"publication", CH_PARAM_STRING, "ch_relay", 1, 63, NULL, 0,
		"publication that the schema's deploy has made (ch_relay), or "
		"install.sql (outbox_relay)"},
	{"source", CH_PARAM_ENUM, "auto", 0, 0, "auto|wal|poll", 0,
		"where rows come from; auto: the WAL where it can be read"},
	{"poll_interval", CH_PARAM_DURATION, "100ms", 10, 60000, NULL, 0,
		"pause between two rounds of polling that found nothing"},
	{"shards", CH_PARAM_INT, "1", 1, SHARDS_MAX, NULL, 0,
		"source = poll of an outbox_table: into how many parts its "
		"keys are cut, which all relays of this slot share out among "
		"them; 1: one leads, others stand by"},
	{"results_topic", CH_PARAM_STRING, "ledger.results", 1, 249, NULL, 0,
		"topic of command_log and answers"},
	{"results_policy", CH_PARAM_STRING, "block", 1, 32, NULL, 0,
		"later results of a key whose result was refused: block (they "
		"wait), skip, or skip-after-<attempts>"},
	{"outbox_prefix", CH_PARAM_STRING, "outbox.event.", 1, 200, NULL, 0,
		"topic of an outbox row: this and its aggregatetype"},
	{"outbox_policy", CH_PARAM_STRING, "block", 1, 32, NULL, 0,
		"later events of a key whose event was refused: block (they "
		"wait), skip, or skip-after-<attempts>"},
	{"routes", CH_PARAM_LIST, "", 0, 256, NULL, 0,
		"exceptions: <aggregatetype>=<topic>[:<policy>]"},
	{"outage_after", CH_PARAM_DURATION, "10s", 1000, MS_HOUR, NULL, 0,
		"a topic that acknowledges nothing for so long while brokers "
		"answer is away: one record at a time tries it"},
	{"outbox_table", CH_PARAM_STRING, "", 0, 127, NULL, 0,
		"<schema>.<table>: an application's own outbox instead of the "
		"ledger's tables, by Debezium's contract"},
	{"outbox_id", CH_PARAM_STRING, "id", 1, 63, NULL, 0,
		"its column for header id (table.field.event.id)"},
	{"outbox_key", CH_PARAM_STRING, "aggregateid", 1, 63, NULL, 0,
		"its column for the key (table.field.event.key)"},
	{"outbox_payload", CH_PARAM_STRING, "payload", 1, 63, NULL, 0,
		"its column for the value (table.field.event.payload)"},
	{"outbox_route_by", CH_PARAM_STRING, "aggregatetype", 1, 63, NULL, 0,
		"its column for the topic (route.by.field)"},
	{"outbox_type", CH_PARAM_STRING, "type", 1, 63, NULL, 0,
		"its column for ce_type"},
	{"outbox_order_by", CH_PARAM_STRING, "", 0, 63, NULL, 0,
		"its column that is oldest first, for polling and for reading "
		"the table whole; empty: as the rows lie"},
	{"outbox_time", CH_PARAM_STRING, "created_at", 1, 63, NULL, 0,
		"its column of when a row was written (timestamptz), which "
		"polled rows are aged from; where there is none, from when "
		"they are read"},
	{"outbox_topic_regex", CH_PARAM_STRING, "", 0, 500, NULL, 0,
		"route.topic.regex; empty: outbox_prefix and the column"},
	{"outbox_topic_replacement", CH_PARAM_STRING,
		"outbox.event.${routedByValue}", 0, 500, NULL, 0,
		"route.topic.replacement, with $1 and ${name}"},
	{"outbox_placements", CH_PARAM_LIST, "", 0, 64, NULL, 0,
		"table.fields.additional.placement: "
		"<column>:header|envelope|partition[:<alias>]"},
	{"outbox_missing", CH_PARAM_ENUM, "error", 0, 0, "error|ignore", 0,
		"a placed column that the table has not "
		"(table.field.additional.missing)"},
	{"outbox_value", CH_PARAM_ENUM, "payload", 0, 0, "payload|json", 0,
		"value.converter: the payload as it is, or as JsonConverter "
		"without schemas writes it"},
	{"outbox_tombstone", CH_PARAM_BOOL, "false", 0, 0, NULL, 0,
		"route.tombstone.on.empty.payload"},
	{"outbox_on_update", CH_PARAM_ENUM, "warn", 0, 0, "warn|error|fatal", 0,
		"table.op.invalid.behavior: a row that is changed"},
	{"outbox_snapshot", CH_PARAM_ENUM, "initial", 0, 0, "initial|no_data",
		0,
		"snapshot.mode: are rows sent that lay there before the first "
		"start?"},
	{"outbox_context", CH_PARAM_STRING, "", 0, 200, NULL, 0,
		"topic.prefix told in headers __debezium.context.*, as by "
		"extended.headers.enabled; empty: none"},
	{"outbox_cloudevents", CH_PARAM_STRING, "", 0, 200, NULL, 0,
		"ce_source: adds the headers of CloudEvents; empty: none"},
	{"topic_wait", CH_PARAM_DURATION, "10s", 0, MS_HOUR, NULL, 0,
		"how long a missing topic is waited for before rows are parked"},
	{"denied_wait", CH_PARAM_DURATION, "60s", 0, MS_DAY, NULL, 0,
		"how long a topic is waited for that may not be written to, "
		"before rows are parked; its rows fill inflight meanwhile"},
	{"message_max", CH_PARAM_BYTES, "1000000", 1024, 100000000, NULL, 0,
		"largest record; the topics' max.message.bytes must allow it"},
	{"linger", CH_PARAM_DURATION, "0ms", 0, 1000, NULL, 0,
		"how long a record may wait for others of its batch"},
	{"gather", CH_PARAM_DURATION, "4ms", 0, 1000, NULL, 0,
		"from 1,000 rows a second on, rows are gathered for so long; "
		"0: each goes at once"},
	{"inflight", CH_PARAM_BYTES, "8MiB", 65536, 1024 * MIB, NULL, 0,
		"rows read and not delivered; reading pauses above it; the "
		"transaction that is being read comes on top, whole"},
	{"ready_delay", CH_PARAM_DURATION, "30s", 1000, MS_HOUR, NULL, 0,
		"not ready when the oldest undelivered row is older"},
	{"retained_max", CH_PARAM_BYTES, "4GiB", 0, 1024 * (1024 * MIB), NULL,
		0,
		"not ready when the slot keeps more WAL than this; 0: no limit"},
	{"dlq_two_person", CH_PARAM_ENUM, "off", 0, 0, "off|actor|role", 0,
		"replays and discards need a plan, approved by another person, "
		"or also under another database role, than it was planned by"},
	{"api_listen", CH_PARAM_STRING, "", 0, 255, NULL, 0,
		"where the dead letters' HTTP API and console listen; empty: "
		"nowhere; 127.0.0.1:9607 is a good place"},
	{"api_database_url", CH_PARAM_CONNINFO, "", 0, 0, NULL, 0,
		"PostgreSQL for the API, as role ch_operator (alone, one in "
		"outbox_relay_operator); the password by passfile"},
	{"api_token_file", CH_PARAM_PATH, "", 0, 0, NULL, 0,
		"who may change letters by the API: lines <name>:<token>, or "
		"<name>:<token>:read for who may only read, a token of 20 to "
		"256 characters; mode "
		"0600; empty: nobody, it is read only"},
	{"api_read_token", CH_PARAM_BOOL, "false", 0, 0, NULL, 0,
		"reading by the API needs a token too; must be true where "
		"api_listen is not loopback, or api_hosts names a proxy"},
	{"api_hosts", CH_PARAM_LIST, "", 0, 16, NULL, 0,
		"names that browsers know the API by, beside localhost and "
		"api_listen's: a proxy's"},
	{"webhooks", CH_PARAM_PATH, "", 0, 0, NULL, 0,
		"file of HTTP endpoints that events go to as well; empty: none"},
	{"webhooks_ca", CH_PARAM_PATH, "", 0, 0, NULL, 0,
		"certificates that endpoints are verified by; empty: the "
		"system's"},
	{"webhooks_remember", CH_PARAM_DURATION, "8d", 60000,
		366 * (24 * (int64_t)MS_HOUR), NULL, 0,
		"an event read again within it makes no second delivery; longer "
		"than the outbox keeps its rows"},
	{"kafka", CH_PARAM_GROUP, NULL, 0, 0, NULL, 0,
		"properties of librdkafka"},
	{NULL, CH_PARAM_STRING, NULL, 0, 0, NULL, 0, NULL},
};

const struct ch_metric_desc relay_metrics[] = {
	[RELAY_READ] = {"relay_rows_read_total", CH_COUNTER, CH_UNIT_NONE,
		"Rows taken from the WAL or the tables", {NULL}, NULL, 0},
	[RELAY_PRODUCED] = {"relay_rows_produced_total", CH_COUNTER,
		CH_UNIT_NONE,
		"Records given to the Kafka client, repetitions "
		"included",
		{"route"}, NULL, 0},
	[RELAY_DELIVERED] = {"relay_rows_delivered_total", CH_COUNTER,
		CH_UNIT_NONE, "Records acknowledged by Kafka", {"route"}, NULL,
		0},
	[RELAY_REPEATED] = {"relay_rows_repeated_total", CH_COUNTER,
		CH_UNIT_NONE, "Rows read again and passed over", {NULL}, NULL,
		0},
	[RELAY_PASSED] = {"relay_rows_passed_over_total", CH_COUNTER,
		CH_UNIT_NONE,
		"Rows read again that were put aside before (a dead letter or "
		"a waiting row has them), and so not sent",
		{NULL}, NULL, 0},
	[RELAY_PARKED] = {"relay_letters_total", CH_COUNTER, CH_UNIT_NONE,
		"Deliveries refused for good and stored as dead letters",
		{NULL}, NULL, 0},
	[RELAY_WAITING] = {"relay_rows_blocked_total", CH_COUNTER, CH_UNIT_NONE,
		"Rows put aside behind a blocked key", {NULL}, NULL, 0},
	[RELAY_RELEASED] = {"relay_keys_released_total", CH_COUNTER,
		CH_UNIT_NONE, "Blocked keys that flow again", {NULL}, NULL, 0},
	[RELAY_REFUSED] = {"relay_refusals_total", CH_COUNTER, CH_UNIT_NONE,
		"Attempts that Kafka refused, each of one row sent alone; "
		"outages and quotas spend none",
		{NULL}, NULL, 0},
	[RELAY_REBUILT] = {"relay_resends_total", CH_COUNTER, CH_UNIT_NONE,
		"Times that sending began again at the first undelivered row",
		{NULL}, NULL, 0},
	[RELAY_SESSIONS] = {"relay_streams_total", CH_COUNTER, CH_UNIT_NONE,
		"Replication streams begun", {NULL}, NULL, 0},
	[RELAY_IN_FLIGHT] = {"relay_in_flight_rows", CH_GAUGE, CH_UNIT_NONE,
		"Rows read and neither delivered nor parked", {NULL}, NULL, 0},
	[RELAY_IN_FLIGHT_BYTES] = {"relay_in_flight_bytes", CH_GAUGE,
		CH_UNIT_BYTES, "Memory of the rows in flight", {NULL}, NULL, 0},
	[RELAY_LATENCY] = {"relay_delivery_seconds", CH_HISTOGRAM,
		CH_UNIT_SECONDS,
		"From the row's decision to Kafka's "
		"acknowledgement",
		{NULL}, NULL, 0},
	[RELAY_OLDEST] = {"relay_oldest_undelivered_seconds", CH_GAUGE,
		CH_UNIT_SECONDS,
		"Age of the oldest commit in flight: since its commit (WAL), "
		"since its oldest row was written (polled or scanned), since "
		"it was read (an application's table read whole, or without "
		"outbox_time)",
		{NULL}, NULL, 0},
	[RELAY_BLOCKED_KEYS] = {"relay_blocked_keys", CH_GAUGE, CH_UNIT_NONE,
		"Keys that wait behind a dead letter", {NULL}, NULL, 0},
	[RELAY_REMEMBERED] = {"relay_remembered_rows", CH_GAUGE, CH_UNIT_NONE,
		"Rows put aside before that are passed over when they are read "
		"again, 24 to 48 bytes each",
		{NULL}, NULL, 0},
	[RELAY_LETTERS_OPEN] = {"relay_letters_pending", CH_GAUGE, CH_UNIT_NONE,
		"Refused deliveries that no operator has decided, counted up "
		"to 10000; rejected records are not",
		{NULL}, NULL, 0},
	[RELAY_SLOT_RETAINED] = {"relay_slot_retained_bytes", CH_GAUGE,
		CH_UNIT_BYTES, "WAL that the slot keeps from being removed",
		{NULL}, NULL, 0},
	[RELAY_SLOT_RETAINED_MAX] = {"relay_slot_retained_max_bytes", CH_GAUGE,
		CH_UNIT_BYTES, "retained_max; 0: no limit", {NULL}, NULL, 0},
	[RELAY_SLOT_LAG] = {"relay_slot_lag_bytes", CH_GAUGE, CH_UNIT_BYTES,
		"WAL behind the confirmed position", {NULL}, NULL, 0},
	[RELAY_SLOT_ACTIVE] = {"relay_slot_active", CH_GAUGE, CH_UNIT_NONE,
		"1 when a relay reads the slot", {NULL}, NULL, 0},
	[RELAY_LEADER] = {"relay_leader", CH_GAUGE, CH_UNIT_NONE,
		"1 when this process relays, 0 on standby", {NULL}, NULL, 0},
	[RELAY_SOURCE_POLL] = {"relay_polling", CH_GAUGE, CH_UNIT_NONE,
		"1 when rows come by polling instead of the WAL", {NULL}, NULL,
		0},
	[RELAY_SCANNED] = {"relay_rows_scanned_total", CH_COUNTER, CH_UNIT_NONE,
		"Rows read from the tables", {NULL}, NULL, 0},
	[RELAY_MISSING_TOPICS] = {"relay_missing_topics", CH_GAUGE,
		CH_UNIT_NONE, "Topics that rows go to and that do not exist",
		{NULL}, NULL, 0},
	[RELAY_UPDATES] = {"relay_updates_total", CH_COUNTER, CH_UNIT_NONE,
		"Updates of rows of an application's outbox, never sent",
		{NULL}, NULL, 0},
	[RELAY_HELD_KEYS] = {"relay_held_keys", CH_GAUGE, CH_UNIT_NONE,
		"Keys with an event on trial, which wait between its attempts",
		{NULL}, NULL, 0},
	[RELAY_BREAKER] = {"relay_breaker_open", CH_GAUGE, CH_UNIT_NONE,
		"Topics of the route that take nothing now and are tried by "
		"one record at a time; kafka: 1 when no broker answers",
		{"route"}, NULL, 0},
	[RELAY_THROTTLED] = {"relay_throttled_total", CH_COUNTER, CH_UNIT_NONE,
		"Pauses that a broker's quota asked for", {NULL}, NULL, 0},
	[RELAY_DELETED] = {"relay_rows_deleted_total", CH_COUNTER, CH_UNIT_NONE,
		"Rows of a polled outbox table deleted after their delivery",
		{NULL}, NULL, 0},
	[RELAY_TAKEN] = {"relay_rows_taken", CH_GAUGE, CH_UNIT_NONE,
		"Rows of a polled outbox table read and not deleted yet",
		{NULL}, NULL, 0},
	[RELAY_SHARDS] = {"relay_shards", CH_GAUGE, CH_UNIT_NONE,
		"Shards of a polled outbox table that are this relay's", {NULL},
		NULL, 0},
	[RELAY_PARTITIONS_MISSING] = {"relay_partitions_missing", CH_GAUGE,
		CH_UNIT_NONE,
		"Time partitions of an outbox table that should be there ahead "
		"and are not",
		{NULL}, NULL, 0},
	[RELAY_HOOK_PENDING] = {"relay_webhook_pending", CH_GAUGE, CH_UNIT_NONE,
		"Deliveries that are not done, counted up to 100000",
		{"endpoint"}, NULL, 0},
	[RELAY_HOOK_OLDEST] = {"relay_webhook_oldest_seconds", CH_GAUGE,
		CH_UNIT_SECONDS, "Age of the event that waits longest",
		{"endpoint"}, NULL, 0},
	[RELAY_HOOK_DELIVERED] = {"relay_webhook_delivered_total", CH_COUNTER,
		CH_UNIT_NONE, "Deliveries that the endpoint took", {"endpoint"},
		NULL, 0},
	[RELAY_HOOK_FAILED] = {"relay_webhook_failures_total", CH_COUNTER,
		CH_UNIT_NONE,
		"Requests that were not taken, by what that means",
		{"endpoint", "failure"}, NULL, ENDPOINTS_MAX *FAILURES},
	[RELAY_HOOK_LETTERS] = {"relay_webhook_letters_total", CH_COUNTER,
		CH_UNIT_NONE, "Deliveries that became dead letters",
		{"endpoint"}, NULL, 0},
	[RELAY_HOOK_BLOCKED] = {"relay_webhook_blocked_keys", CH_GAUGE,
		CH_UNIT_NONE, "Keys that wait behind a dead letter",
		{"endpoint"}, NULL, 0},
	[RELAY_HOOK_BLOCKED_SINCE] = {"relay_webhook_blocked_seconds", CH_GAUGE,
		CH_UNIT_SECONDS, "How long the first of them has waited",
		{"endpoint"}, NULL, 0},
	[RELAY_HOOK_BREAKER] = {"relay_webhook_breaker", CH_GAUGE, CH_UNIT_NONE,
		"0: sends; 1: waits, the endpoint is away; 2: tries once",
		{"endpoint"}, NULL, 0},
	[RELAY_HOOK_ORPHANED] = {"relay_webhook_orphaned", CH_GAUGE,
		CH_UNIT_NONE,
		"Deliveries that are not done, of an endpoint that no running "
		"relay has, counted up to 100000",
		{"endpoint"}, NULL, 0},
	{NULL, CH_COUNTER, CH_UNIT_NONE, NULL, {NULL}, NULL, 0},
};

static int
check_identifier(const struct ch_params *p, const char *key, struct ch_err *err)
{
	const char *s = ch_params_str(p, key);
	const char *c;

	for (c = s; *c != '\0'; c++)
		if (!((*c >= 'a' && *c <= 'z') || *c == '_' ||
			    (*c >= '0' && *c <= '9')))
			return ch_err_set(err, CH_ECONFIG,
				"%s = \"%s\": only "
				"a-z, 0-9 and _ are allowed (from %s)",
				key, s, ch_params_origin(p, key));
	return CH_OK;
}

static int
check_table(const struct ch_params *p, struct ch_err *err)
{
	struct contract *contract;
	size_t rules = 0;

	if (ch_params_str(p, "outbox_table")[0] == '\0')
		return CH_OK;
	(void)ch_params_list(p, "routes", &rules);
	if (rules > 0)
		return ch_err_set(err, CH_ECONFIG,
			"routes (from %s) are for the ledger's outbox: with "
			"outbox_table set outbox_topic_regex instead",
			ch_params_origin(p, "routes"));
	if (ch_params_enum(p, "source") == RELAY_SOURCE_SCAN &&
		ch_params_str(p, "outbox_order_by")[0] == '\0')
		return ch_err_set(err, CH_ECONFIG,
			"source = poll (from %s) reads %s oldest first: set "
			"outbox_order_by to an integer column that a sequence "
			"fills",
			ch_params_origin(p, "source"),
			ch_params_str(p, "outbox_table"));
	contract = relay_params_contract(p, err);
	contract_free(contract);
	return contract != NULL ? CH_OK : CH_ECONFIG;
}

static int
check_shards(const struct ch_params *p, struct ch_err *err)
{
	if (ch_params_int(p, "shards") == 1)
		return CH_OK;
	if (ch_params_str(p, "outbox_table")[0] == '\0' ||
		ch_params_enum(p, "source") != RELAY_SOURCE_SCAN)
		return ch_err_set(err, CH_ECONFIG,
			"shards (from %s) are of an application's table that "
			"is polled: set outbox_table and source = poll, or "
			"shards = 1",
			ch_params_origin(p, "shards"));
	if (ch_params_str(p, "webhooks")[0] != '\0')
		return ch_err_set(err, CH_ECONFIG,
			"shards (from %s) with webhooks (from %s): an endpoint "
			"is served by one relay, for breaker and order per "
			"key, and these would each serve it; set shards = 1, "
			"or read the WAL (source = wal), where one leads",
			ch_params_origin(p, "shards"),
			ch_params_origin(p, "webhooks"));
	return CH_OK;
}

/* Whoever listens for others, by a proxy too, asks them who they are. */
static int
check_api_reach(const struct ch_params *p, struct ch_err *err)
{
	bool read_token = ch_params_bool(p, "api_read_token");
	const char *listen = ch_params_str(p, "api_listen");
	size_t hosts = 0;

	if (!read_token && !api_guard_is_loopback(listen))
		return ch_err_set(err, CH_ECONFIG,
			"api_listen = %s (from %s) can be reached from "
			"outside: set api_read_token = true and "
			"api_token_file, or listen on 127.0.0.1",
			listen, ch_params_origin(p, "api_listen"));
	(void)ch_params_list(p, "api_hosts", &hosts);
	if (!read_token && hosts > 0)
		return ch_err_set(err, CH_ECONFIG,
			"api_hosts (from %s) names a proxy, which reaches "
			"api_listen = %s for others: set api_read_token = true "
			"and api_token_file",
			ch_params_origin(p, "api_hosts"), listen);
	if (read_token && ch_params_str(p, "api_token_file")[0] == '\0')
		return ch_err_set(err, CH_ECONFIG,
			"api_read_token = true (from %s), and there are no "
			"tokens: set api_token_file",
			ch_params_origin(p, "api_read_token"));
	return CH_OK;
}

static int
check_api(const struct ch_params *p, struct ch_err *err)
{
	const char *url = ch_params_str(p, "api_database_url");
	const char *file = ch_params_str(p, "api_token_file");
	struct api_tokens *tokens = NULL;
	bool secret;

	if (ch_params_str(p, "api_listen")[0] == '\0')
		return CH_OK;
	if (ch_client_check_listen(p, "api_listen", err) != CH_OK ||
		check_api_reach(p, err) != CH_OK)
		return CH_ECONFIG;
	if (url[0] == '\0')
		return ch_err_set(err, CH_ECONFIG,
			"api_listen is set (from %s) and api_database_url is "
			"not: name the database, as role ch_operator",
			ch_params_origin(p, "api_listen"));
	if (ch_pg_target_check(url, NULL, &secret, err) != CH_OK)
		return ch_err_wrap(err, "api_database_url (from %s)",
			ch_params_origin(p, "api_database_url"));
	if (file[0] != '\0' && api_tokens_read(&tokens, file, err) != CH_OK)
		return ch_err_wrap(err, "api_token_file (from %s)",
			ch_params_origin(p, "api_token_file"));
	api_tokens_free(tokens);
	return CH_OK;
}

/* An application's event has a type where a header of its record says one. */
static bool
tells_type(const struct ch_params *p)
{
	const char *const *placed =
		ch_params_list(p, "outbox_placements", NULL);
	const char *alias;

	if (ch_params_str(p, "outbox_table")[0] == '\0' ||
		ch_params_str(p, "outbox_cloudevents")[0] != '\0')
		return true;
	for (; *placed != NULL; placed++) {
		alias = strstr(*placed, ":header:");
		if (strcmp(*placed, "type:header") == 0 ||
			strcmp(*placed, "ce_type:header") == 0)
			return true;
		if (alias != NULL &&
			(strcmp(alias, ":header:type") == 0 ||
				strcmp(alias, ":header:ce_type") == 0))
			return true;
	}
	return false;
}

/* Without a type a filter takes no event, and nobody would be told. */
static int
check_type_filters(const struct ch_params *p, const struct endpoints *all,
	struct ch_err *err)
{
	const char *const *type;
	size_t i;

	for (i = 0; i < all->count && !tells_type(p); i++) {
		type = (const char *const *)all->items[i].types;
		while (*type != NULL && (*type)[strspn(*type, "*")] != '\0')
			type++;
		if (*type == NULL)
			return ch_err_set(err, CH_ECONFIG,
				"[%s] type = \"%s\" takes no event of "
				"outbox_table: no header says their type; set "
				"outbox_placements = <column>:header:type or "
				"outbox_cloudevents, or take the filter out",
				all->items[i].name, all->items[i].types[0]);
	}
	return CH_OK;
}

static int
check_webhooks(const struct ch_params *p, struct ch_err *err)
{
	const char *path = ch_params_str(p, "webhooks");
	struct endpoints endpoints;
	char **argv;
	int rc;

	/* an operator's command does not need the endpoints' secrets */
	if (path[0] == '\0' || ch_params_args(p, &argv) > 0)
		return CH_OK;
	rc = endpoints_read(path, &endpoints, err);
	if (rc != CH_OK)
		return rc;
	rc = check_type_filters(p, &endpoints, err);
	endpoints_free(&endpoints);
	return rc;
}

static int
read_policy(const struct ch_params *p, const char *key, struct route_rule *out,
	struct ch_err *err)
{
	const char *text = ch_params_str(p, key);

	if (route_rule_read(ch_view_of(text), out))
		return CH_OK;
	return ch_err_set(err, CH_ECONFIG,
		"%s = \"%s\" (from %s) is no policy: write %s", key, text,
		ch_params_origin(p, key), route_rule_forms);
}

static int
check_routes(const struct ch_params *p, struct ch_err *err)
{
	struct route_table *routes;
	struct route_rule rule;

	if (read_policy(p, "results_policy", &rule, err) != CH_OK ||
		read_policy(p, "outbox_policy", &rule, err) != CH_OK)
		return CH_ECONFIG;
	routes = relay_params_routes(p, err);
	if (routes == NULL) {
		(void)ch_err_wrap(err,
			"routes (from %s), results_topic (from "
			"%s) or outbox_prefix (from %s)",
			ch_params_origin(p, "routes"),
			ch_params_origin(p, "results_topic"),
			ch_params_origin(p, "outbox_prefix"));
		return CH_ECONFIG;
	}
	route_free(routes);
	return CH_OK;
}

int
relay_params_check(const struct ch_params *p, struct ch_err *err)
{
	int rc = check_identifier(p, "slot", err);

	if (rc == CH_OK)
		rc = check_identifier(p, "publication", err);
	if (rc == CH_OK)
		rc = check_identifier(p, "schema", err);
	if (rc != CH_OK)
		return rc;
	rc = check_table(p, err);
	if (rc == CH_OK)
		rc = check_shards(p, err);
	if (rc == CH_OK)
		rc = check_webhooks(p, err);
	if (rc != CH_OK)
		return rc;
	if (check_routes(p, err) != CH_OK)
		return CH_ECONFIG;
	if (ch_client_check_kafka(p, ch_kafka_producer_reserved, err) != 0)
		return CH_ECONFIG;
	if (check_api(p, err) != CH_OK)
		return CH_ECONFIG;
	return ch_client_check_database(p, NULL, err);
}

struct route_table *
relay_params_routes(const struct ch_params *p, struct ch_err *err)
{
	struct route_rule results, outbox;

	if (read_policy(p, "results_policy", &results, err) != CH_OK ||
		read_policy(p, "outbox_policy", &outbox, err) != CH_OK)
		return NULL;
	return route_new(
		&(struct route_options){
			.results_topic = ch_params_str(p, "results_topic"),
			.outbox_prefix = ch_params_str(p, "outbox_prefix"),
			.results_policy = results,
			.outbox_policy = outbox,
			.rules = ch_params_list(p, "routes", NULL)},
		err);
}

struct contract *
relay_params_contract(const struct ch_params *p, struct ch_err *err)
{
	char run_id[CH_UUID_TEXT_MAX];
	struct ch_uuid u;
	struct ch_rng rng;

	ch_rng_seed_system(&rng);
	u = ch_uuid_v7(ch_clock_wall(&ch_clock_real), &rng);
	ch_uuid_format(&u, run_id);
	return contract_new(
		&(struct contract_options){
			.table = ch_params_str(p, "outbox_table"),
			.id = ch_params_str(p, "outbox_id"),
			.key = ch_params_str(p, "outbox_key"),
			.payload = ch_params_str(p, "outbox_payload"),
			.route_by = ch_params_str(p, "outbox_route_by"),
			.type = ch_params_str(p, "outbox_type"),
			.prefix = ch_params_str(p, "outbox_prefix"),
			.regex = ch_params_str(p, "outbox_topic_regex"),
			.replacement =
				ch_params_str(p, "outbox_topic_replacement"),
			.placements =
				ch_params_list(p, "outbox_placements", NULL),
			.missing = (enum contract_missing)ch_params_enum(p,
				"outbox_missing"),
			.value = (enum contract_value)ch_params_enum(p,
				"outbox_value"),
			.tombstone = ch_params_bool(p, "outbox_tombstone"),
			.context = ch_params_str(p, "outbox_context"),
			.run_id = run_id,
			.cloudevents = ch_params_str(p, "outbox_cloudevents")},
		err);
}

const char *
relay_params_two_person(const struct ch_params *p)
{
	static const char *const names[] = {"off", "actor", "role"};

	return names[ch_params_enum(p, "dlq_two_person")];
}
