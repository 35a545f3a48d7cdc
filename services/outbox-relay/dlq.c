/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq: options, which verb, and the connection.
 *
 * Everything selects alike: ids, filters, or an expression. A change without
 * ids needs at least one of the others, so that a slip does not replay a whole
 * queue.
 */
#include "dlq.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit.h"
#include "base/log.h"
#include "base/mem.h"
#include "burial.h"
#include "dialect.h"
#include "dlq_private.h"
#include "params.h"
#include "plan_run.h"
#include "plans.h"
#include "replay.h"

#define LIMIT_MAX 1000000
/* A call that stands still in a letter (a stopped terminal) must not hold it:
 * PostgreSQL ends its session, as that of a plan's run (plan_run.c). */
#define HELD_MS 15000

static const char usage_text[] =
	"usage: outbox-relay [params] dlq <verb> ...\n"
	"  list     [filter] [--json]\n"
	"  count    [filter]                how many, how old, how large\n"
	"  group    --by LIST [filter] [--json]\n"
	"           LIST of topic,class,fingerprint,message,key,age,kind,state\n"
	"  show     <letter>... [--json|--hex|--pretty]\n"
	"  keys     [--json] [--limit N]    what waits behind letters, since when\n"
	"  endpoints [--json] [--limit N]   webhooks that wait, and for whom\n"
	"  bury     <endpoint> --reason R   what waits for an endpoint that no\n"
	"           relay has becomes letters, to be discarded, or replayed\n"
	"           when it is back\n"
	"  export   [filter]                JSON lines with headers and value\n"
	"  replay   <letter>...|filter --reason R [--to TOPIC] [--again]\n"
	"           --to: where foreign letters go, by their keys, and those\n"
	"           that no topic can be made of; needed for these, and where\n"
	"           headers name no topic; --again: those too that were\n"
	"           replayed and may still be taken\n"
	"  discard  <letter>...|filter --reason R\n"
	"  edit     <letter> --set-file FILE --reason R   (- is stdin)\n"
	"  edit     <letter> --new-id --reason R\n"
	"           a rejected command that is too old to be taken under its id\n"
	"  import   <topic>... --reason R [--from earliest|latest|2h|RFC3339]\n"
	"           [--follow] [--json]     records of another system's\n"
	"           dead-letter topics (Kafka Connect, Spring, Kafka Streams,\n"
	"           share groups) become letters of kind foreign; without\n"
	"           --from it goes on where the last import ended\n"
	"  plan     <letter>...|filter --reason R [--rate N] [--bytes-rate N]\n"
	"           [--canary N [--canary-returns N]] [--two-person] [--to TOPIC]\n"
	"           [--again]; with --discard they are discarded, not sent\n"
	"  approve  <plan> --reason R [--two-person]\n"
	"  run      <plan> [--canary-wait 60s]\n"
	"  stop     <plan> --reason R       run goes on where it stopped\n"
	"  cancel   <plan> --reason R       for good\n"
	"  plans    [<plan>] [--json]\n"
	"  plans    <plan> --letters [--outcome O] [--limit N] [--json]\n"
	"           what became of them: waiting, sent, discarded, refused,\n"
	"           quarantined, held, or unsent for the last three\n"
	"filter:  --topic T --class C --key K --since 2h|RFC3339 --limit N\n"
	"         --state pending|replayed|resolved|discarded|quarantined|"
	"edited|any\n"
	"         --where \"class = 'x' and topic ~ '^ledger' and age > 2h and\n"
	"         not header.tenant in ('a', 'b')\"\n"
	"         fields topic class reason fingerprint state kind row letter\n"
	"         original sqlstate key value partition offset attempts replays\n"
	"         bytes age at header.<name>; = != ~ !~ < <= > >= in; and or not\n"
	"         ( )\n"
	"changes: --dry-run --actor A (who you are, for the audit trail; else\n"
	"         $USER or the login); replay and plan: --max-replays N (5);\n"
	"         replay, discard and run: --quiet, without a line a letter\n"
	"exit:    0 done, 1 failed, 2 refused or none found, 64 usage, "
	"69 no PostgreSQL\n";

/* ---- verbs ---- */

enum subject {
	SUBJECT_LETTERS,
	SUBJECT_PLAN,
	SUBJECT_TOPICS,
	SUBJECT_ENDPOINT
};

struct verb {
	const char *name;
	int (*run)(struct dlq *d);
	enum subject subject;
	bool changes;  /* it needs a primary */
	bool reasoned; /* it needs --reason, unless it is a dry run */
	bool chosen;   /* it needs ids or a filter; a plan's number; topics */
	const char *takes; /* its options, as they stand in `options` */
};

#define FILTER "tcksSwl"
#define CHANGE "ran"

static const struct verb verbs[] = {
	{"list", dlq_list, SUBJECT_LETTERS, false, false, false, FILTER "j"},
	{"show", dlq_list, SUBJECT_LETTERS, false, false, true, FILTER "jhp"},
	{"export", dlq_export, SUBJECT_LETTERS, false, false, false,
		FILTER "j"},
	{"count", dlq_group, SUBJECT_LETTERS, false, false, false, FILTER "j"},
	{"group", dlq_group, SUBJECT_LETTERS, false, false, false, FILTER "bj"},
	{"endpoints", dlq_endpoints, SUBJECT_ENDPOINT, false, false, false,
		"lj"},
	{"bury", dlq_bury, SUBJECT_ENDPOINT, true, true, true, CHANGE},
	{"keys", dlq_keys, SUBJECT_LETTERS, false, false, false, "lj"},
	{"replay", dlq_change, SUBJECT_LETTERS, true, true, true,
		FILTER CHANGE "mTAq"},
	{"discard", dlq_change, SUBJECT_LETTERS, true, true, true,
		FILTER CHANGE "q"},
	{"edit", dlq_edit, SUBJECT_LETTERS, true, true, true, CHANGE "fi"},
	{"import", dlq_import, SUBJECT_TOPICS, true, true, true, CHANGE "Moj"},
	{"plan", dlq_plan, SUBJECT_LETTERS, true, true, true,
		FILTER CHANGE "mRBCF2TAD"},
	{"approve", dlq_approve, SUBJECT_PLAN, true, true, true, CHANGE "2"},
	{"run", dlq_run, SUBJECT_PLAN, true, false, true, "anW2q"},
	{"stop", dlq_stop, SUBJECT_PLAN, true, true, true, CHANGE},
	{"cancel", dlq_stop, SUBJECT_PLAN, true, true, true, CHANGE},
	{"plans", dlq_plans, SUBJECT_PLAN, false, false, false, "LOlj"},
};

#define VERBS (sizeof(verbs) / sizeof(*verbs))

static const struct verb *
find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < VERBS; i++)
		if (strcmp(name, verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

static void
print_verbs(void)
{
	size_t i;

	for (i = 0; i < VERBS; i++)
		(void)fprintf(stderr, "%s%s",
			i > 0 ? " " : "verbs: ", verbs[i].name);
	(void)fputc('\n', stderr);
}

/* The verb's lines of the usage. */
static void
print_usage(FILE *to, const struct verb *verb)
{
	const char *line = usage_text, *end;
	size_t len = strlen(verb->name);
	bool shown = false;

	for (; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		if (strncmp(line, "   ", 3) != 0)
			shown = strncmp(line, "  ", 2) == 0 &&
				strncmp(line + 2, verb->name, len) == 0 &&
				line[2 + len] == ' ';
		if (shown)
			(void)fprintf(to, "%.*s\n", (int)(end - line), line);
	}
}

bool
relay_command_page(const char *command, const char *word)
{
	const struct verb *verb =
		strcmp(command, "dlq") == 0 ? find_verb(word) : NULL;

	if (verb == NULL)
		return false;
	printf("usage: outbox-relay [params] dlq ...\n");
	print_usage(stdout, verb);
	dlq_help_options(verb->takes);
	dlq_help_example(verb->name);
	printf("exit: 0 done, 1 failed, 2 refused or none found, 64 usage, "
	       "69 no PostgreSQL\n"
	       "all verbs: outbox-relay dlq --help, or man outbox-relay\n");
	return true;
}

static int
usage(const struct verb *verb, const char *problem)
{
	(void)fprintf(stderr, "dlq: %s\n", problem);
	if (verb == NULL)
		print_verbs();
	else
		print_usage(stderr, verb);
	(void)fprintf(stderr,
		verb == NULL
			? "all of it: outbox-relay dlq --help, or man "
			  "outbox-relay\n"
			: "its options: outbox-relay dlq %s --help; all of it: "
			  "dlq --help, or man outbox-relay\n",
		verb != NULL ? verb->name : "");
	return CH_EXIT_USAGE;
}

static bool
is_verb(const struct dlq *d, const char *name)
{
	return strcmp(d->verb, name) == 0;
}

/* ---- options ---- */

static bool
parse_since(struct dlq *d, const char *text)
{
	int64_t us;

	d->filter.has_since = true;
	if (ch_time_parse(ch_view_of(text), &d->filter.since))
		return true;
	if (!filter_duration(ch_view_of(text), &us))
		return false;
	d->filter.since.us = d->now.us - us;
	return true;
}

static const char *
take_state(struct dlq *d, const char *value)
{
	enum letter_state state;

	if (!letter_state_of(ch_view_of(value), &state) &&
		strcmp(value, "any") != 0)
		return "--state is pending, replayed, resolved, discarded, "
		       "quarantined, edited or any";
	d->filter.state = value;
	return NULL;
}

static const char *
take_filter(struct dlq *d, int option, const char *value)
{
	switch (option) {
	case 't':
		d->filter.topic = value;
		break;
	case 'c':
		d->filter.class = value;
		break;
	case 'k':
		d->filter.key = value;
		break;
	case 'w':
		d->where_text = value;
		break;
	default:
		if (!parse_since(d, value))
			return "--since is like 90s, 30m, 2h, 1d, or RFC 3339";
		break;
	}
	d->filtered = true;
	return NULL;
}

static const char *
take_duration(struct dlq *d, const char *value)
{
	int64_t us;

	if (!filter_duration(ch_view_of(value), &us))
		return "--canary-wait is a duration: 90s, 30m, 2h or 1d";
	d->canary_wait_ms = us / 1000;
	return NULL;
}

/* Options that are numbers, their limits, and where they go. */
static const char *
take_number(struct dlq *d, int option, const char *value)
{
	const struct {
		int option;
		int64_t min, max;
		int64_t *to;
		const char *problem;
	} numbers[] = {
		{'l', 1, LIMIT_MAX, &d->filter.limit,
			"--limit is a number from 1 to 1000000"},
		{'m', 1, 1000, &d->replays_max,
			"--max-replays is a number from 1 to 1000"},
		{'R', 1, 1000000, &d->per_second,
			"--rate is letters a second, from 1 to 1000000"},
		{'B', 1, INT64_C(1000000000), &d->bytes_per_second,
			"--bytes-rate is bytes a second, from 1 to 1000000000"},
		{'C', 1, LIMIT_MAX, &d->canary,
			"--canary is a number from 1 to 1000000"},
		{'F', 0, LIMIT_MAX, &d->canary_returns,
			"--canary-returns is a number from 0 to 1000000"},
	};
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (numbers[i].option == option)
			return ch_view_int(ch_view_of(value), numbers[i].min,
				       numbers[i].max, numbers[i].to) == CH_OK
				? NULL
				: numbers[i].problem;
	return "unknown option";
}

static const char *
take_from(struct dlq *d, const char *value)
{
	int64_t us;

	d->from = IMPORT_TIME;
	if (strcmp(value, "earliest") == 0)
		d->from = IMPORT_EARLIEST;
	else if (strcmp(value, "latest") == 0)
		d->from = IMPORT_LATEST;
	else if (filter_duration(ch_view_of(value), &us))
		d->from_time.us = d->now.us - us;
	else if (!ch_time_parse(ch_view_of(value), &d->from_time))
		return "--from is earliest, latest, like 30m, 2h, 1d, or "
		       "RFC 3339";
	return NULL;
}

static const char *
take_option(struct dlq *d, int option, const char *value)
{
	switch (option) {
	case 't':
	case 'c':
	case 'k':
	case 'w':
	case 'S':
		return take_filter(d, option, value);
	case 's':
		return take_state(d, value);
	case 'b':
		return letters_group_read(ch_view_of(value), &d->by,
			       &d->said) == CH_OK
			? NULL
			: d->said.text;
	case 'r':
		d->reason = value;
		return NULL;
	case 'a':
		d->actor = value;
		return NULL;
	case 'f':
		d->file = value;
		return NULL;
	case 'T':
		d->to = value;
		return NULL;
	case 'M':
		return take_from(d, value);
	case 'o':
		d->follow = true;
		return NULL;
	case 'W':
		return take_duration(d, value);
	case 'j':
		d->form = DLQ_JSON;
		return NULL;
	case 'h':
		d->form = DLQ_HEX;
		return NULL;
	case 'p':
		d->form = DLQ_PRETTY;
		return NULL;
	case 'n':
		d->dry_run = true;
		return NULL;
	case 'i':
		d->new_id = true;
		return NULL;
	case 'A':
		d->again = true;
		return NULL;
	case 'D':
		d->discard = true;
		return NULL;
	case 'q':
		d->quiet = true;
		return NULL;
	case 'L':
		d->planned = true;
		return NULL;
	case 'O':
		d->outcome = value;
		return plans_is_outcome(value) ? NULL
					       : "--outcome is " PLANS_OUTCOMES;
	case '2':
		if (strcmp(d->two_person, "off") == 0)
			d->two_person = "actor";
		return NULL;
	default:
		return take_number(d, option, value);
	}
}

static const char *
take_plan(struct dlq *d, int argc, char **argv)
{
	if (argc == 0)
		return NULL;
	if (argc > 1 ||
		ch_view_int(ch_view_of(argv[0]), 1, INT64_MAX, &d->plan) !=
			CH_OK)
		return "one plan is named, by its number (see `dlq plans`)";
	return NULL;
}

static const char *
take_ids(struct dlq *d, int argc, char **argv)
{
	int i;

	if (argc > IDS_MAX)
		return "more than 10000 letters at once: use a filter";
	d->ids = ch_xcalloc((size_t)argc + 1, sizeof(*d->ids));
	for (i = 0; i < argc; i++)
		if (!ch_uuid_parse_any(ch_view_of(argv[i]), &d->ids[i]))
			return "a letter is named by its id (a UUID; see "
			       "`dlq list`)";
	d->filter.ids = d->ids;
	d->filter.id_count = letters_ids_once(d->ids, (size_t)argc);
	return NULL;
}

/* Also as letters name it. */
static const char *
take_endpoint(struct dlq *d, const struct verb *verb, int argc, char **argv)
{
	if (argc != (verb->chosen ? 1 : 0))
		return verb->chosen ? "name one endpoint (see `dlq endpoints`)"
				    : "endpoints takes no names";
	if (argc == 1)
		d->endpoint = burial_endpoint(argv[0]);
	return NULL;
}

static const char *
take_topics(struct dlq *d, int argc, char **argv)
{
	int i, j;

	if (argc > IMPORT_TOPICS_MAX)
		return "more than 100 topics at once";
	for (i = 0; i < argc; i++)
		for (j = 0; j < i; j++)
			if (strcmp(argv[i], argv[j]) == 0)
				return "a topic is named twice";
	for (i = 0; i < argc; i++)
		if (!dialect_is_topic(ch_view_of(argv[i])))
			return "a topic's name has letters, digits, '.', '_', "
			       "'-', at most 249";
	d->topics = (const char *const *)argv;
	d->topic_count = (size_t)argc;
	return NULL;
}

static const struct option options[] = {{"topic", 1, NULL, 't'},
	{"class", 1, NULL, 'c'}, {"key", 1, NULL, 'k'}, {"state", 1, NULL, 's'},
	{"since", 1, NULL, 'S'}, {"where", 1, NULL, 'w'},
	{"limit", 1, NULL, 'l'}, {"by", 1, NULL, 'b'},
	{"max-replays", 1, NULL, 'm'}, {"rate", 1, NULL, 'R'},
	{"bytes-rate", 1, NULL, 'B'}, {"canary", 1, NULL, 'C'},
	{"canary-returns", 1, NULL, 'F'}, {"canary-wait", 1, NULL, 'W'},
	{"set-file", 1, NULL, 'f'}, {"reason", 1, NULL, 'r'},
	{"actor", 1, NULL, 'a'}, {"json", 0, NULL, 'j'}, {"hex", 0, NULL, 'h'},
	{"pretty", 0, NULL, 'p'}, {"dry-run", 0, NULL, 'n'},
	{"to", 1, NULL, 'T'}, {"from", 1, NULL, 'M'}, {"follow", 0, NULL, 'o'},
	{"two-person", 0, NULL, '2'}, {"new-id", 0, NULL, 'i'},
	{"again", 0, NULL, 'A'}, {"discard", 0, NULL, 'D'},
	{"letters", 0, NULL, 'L'}, {"outcome", 1, NULL, 'O'},
	{"quiet", 0, NULL, 'q'}, {NULL, 0, NULL, 0}};

/* An option that would be passed over is refused: who writes --rate expects
 * one. */
static const char *
check_taken(struct dlq *d, const struct verb *verb, int option)
{
	const struct option *o = options;
	struct ch_buf of = CH_BUF_INIT;
	size_t i;

	if (strchr(verb->takes, option) != NULL)
		return NULL;
	while (o->val != option)
		o++;
	for (i = 0; i < VERBS; i++)
		if (strchr(verbs[i].takes, option) != NULL)
			ch_buf_printf(&of, "%s%s", of.len > 0 ? ", " : "",
				verbs[i].name);
	ch_err_set(&d->said, CH_EINVAL, "--%s is no option of %s, but of %s",
		o->name, verb->name, ch_buf_str(&of));
	ch_buf_free(&of);
	return d->said.text;
}

/* What getopt_long() does not take. */
static const char *
say_untaken(struct dlq *d, int c, const char *word)
{
	if (c == ':')
		ch_err_set(&d->said, CH_EINVAL, "%s needs a value", word);
	else if (optopt > 0 && strncmp(word, "--", 2) == 0)
		ch_err_set(&d->said, CH_EINVAL, "%s takes no value", word);
	else if (optopt > 0)
		ch_err_set(&d->said, CH_EINVAL,
			"-%c: options are words, like --topic", optopt);
	else
		ch_err_set(&d->said, CH_EINVAL, "there is no option %s", word);
	return d->said.text;
}

static const char *
parse(struct dlq *d, const struct verb *verb, int argc, char **argv)
{
	const char *problem = NULL;
	int c;

	optind = 0; /* a new scan; argv[0] is the verb */
	opterr = 0;
	/* no other thread yet: NOLINTNEXTLINE(concurrency-mt-unsafe) */
	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		problem = c == ':' || c == '?'
			? say_untaken(d, c, argv[optind - 1])
			: check_taken(d, verb, c);
		if (problem == NULL)
			problem = take_option(d, c, optarg);
		if (problem != NULL)
			return problem;
	}
	argc -= optind;
	argv += optind;
	switch (verb->subject) {
	case SUBJECT_PLAN:
		return take_plan(d, argc, argv);
	case SUBJECT_TOPICS:
		return take_topics(d, argc, argv);
	case SUBJECT_ENDPOINT:
		return take_endpoint(d, verb, argc, argv);
	case SUBJECT_LETTERS:
		break;
	}
	return take_ids(d, argc, argv);
}

/* ---- what is missing, and what is meant without words ---- */

static const char *
check_plan_verb(const struct dlq *d, const struct verb *verb)
{
	if (verb->chosen && d->plan == 0)
		return "name the plan by its number (see `dlq plans`)";
	if (d->planned && d->plan == 0)
		return "--letters is of one plan: name it by its number";
	if (d->outcome != NULL && !d->planned)
		return "--outcome is of --letters";
	return NULL;
}

static const char *
check_topics_verb(const struct dlq *d, const struct verb *verb)
{
	if (verb->chosen && d->topic_count == 0)
		return "name the dead-letter topics that are to be read";
	if (d->follow && d->dry_run)
		return "--dry-run reads to the end, and --follow has none";
	return NULL;
}

static const char *
check_letters_verb(const struct dlq *d, const struct verb *verb)
{
	if (is_verb(d, "show") && d->filter.id_count == 0)
		return "show needs the id of a letter";
	if (is_verb(d, "edit") &&
		(d->filter.id_count != 1 || d->new_id == (d->file != NULL)))
		return "edit needs the id of one letter, and --set-file or "
		       "--new-id";
	if (is_verb(d, "group") && d->by.count == 0)
		return "group needs --by";
	if (is_verb(d, "plan") && d->limited)
		return "a plan has no --limit: say in the filter what is meant";
	if (verb->chosen && d->filter.id_count == 0 && !d->filtered)
		return "name the letters by id, or give a filter";
	return NULL;
}

static const char *
check_verb(const struct dlq *d, const struct verb *verb)
{
	if (verb->reasoned && !d->dry_run &&
		(d->reason == NULL || *d->reason == '\0'))
		return "a change needs --reason";
	if (*d->actor == '\0')
		return "--actor is empty: who are you?";
	if (!ch_view_is_utf8(ch_view_of(d->actor)) ||
		(d->reason != NULL && !ch_view_is_utf8(ch_view_of(d->reason))))
		return "--reason and --actor are stored as text: write them in "
		       "UTF-8";
	if (d->discard && (d->to != NULL || d->again || d->canary > 0))
		return "what is discarded is not sent: no --to, --again or "
		       "--canary";
	if (d->to != NULL && !dialect_is_topic(ch_view_of(d->to)))
		return "--to is no legal name of a topic";
	if (verb->subject == SUBJECT_ENDPOINT)
		return NULL;
	if (verb->subject == SUBJECT_PLAN)
		return check_plan_verb(d, verb);
	return verb->subject == SUBJECT_TOPICS ? check_topics_verb(d, verb)
					       : check_letters_verb(d, verb);
}

static void
complete(struct dlq *d, const struct verb *verb)
{
	d->limited = d->filter.limit > 0;
	/* what is named by id is meant whole */
	if (!d->limited)
		d->filter.limit = verb->run == dlq_export	  ? INT64_MAX
			: verb->changes || d->filter.id_count > 0 ? IDS_MAX
								  : LIST_MAX;
	letters_filter_complete(&d->filter);
}

/* ---- the connection ---- */

/* The client's own words are for who asks for them: what failed is said here. */
static void
lower_log(const struct dlq *d)
{
	if (!ch_params_is_set(d->rt->params, "log_level"))
		ch_log_level_set(CH_LOG_ERROR);
}

static int
say_unconnected(const struct dlq *d, const struct ch_err *err)
{
	(void)fprintf(stderr, "dlq: %s\n", err->text);
	if (*ch_params_str(d->rt->params, "database_url") == '\0')
		(void)fprintf(stderr,
			"dlq: which database? --database_url=..., or "
			"--config=relay.conf, before dlq\n");
	else if (strstr(err->text, "no password supplied") != NULL)
		(void)fprintf(stderr,
			"dlq: name a file of mode 0600 that has it: "
			"...?passfile=/path, lines "
			"host:port:database:user:password\n");
	return CH_EXIT_UNAVAILABLE;
}

/* What a PostgreSQL's refusal means here. The schema's own ones have a hint. */
static void
hint_refusal(const struct dlq *d)
{
	const struct ch_pg_failure *failure = ch_pg_failure(d->pg);
	const char *state = failure->sqlstate;

	if (strcmp(state, "42501") == 0 && failure->hint[0] == '\0')
		(void)fprintf(stderr,
			"dlq: this login lacks the right: use one that is in "
			"role ch_operator (alone: outbox_relay_operator)\n");
	else if (strcmp(state, "42P01") == 0 || strcmp(state, "42883") == 0)
		(void)fprintf(stderr,
			"dlq: is the schema installed in this database, and of "
			"this version, under the name of --schema (%s)?\n",
			ch_params_str(d->rt->params, "schema"));
}

static int
connect_and_run(struct dlq *d, const struct verb *verb)
{
	struct ch_err err = CH_ERR_INIT;
	struct ch_pg_params params = {
		.conninfo = ch_params_str(d->rt->params, "database_url"),
		.application_name = "outbox-relay dlq",
		.search_path = ch_params_str(d->rt->params, "schema"),
		.call_timeout_ms = 60000,
		.idle_in_transaction_ms =
			verb->run == dlq_change || verb->run == dlq_edit
			? HELD_MS
			: 0,
		.read_write = verb->changes,
	};
	int rc;

	lower_log(d);
	destination_look_init(&d->look, d->rt->params);
	d->pg = ch_pg_new(&params, &err);
	if (d->pg == NULL || ch_pg_connect(d->pg, &err) != CH_OK)
		rc = say_unconnected(d, &err);
	else
		rc = verb->run(d);
	if (rc == DLQ_FAILED || rc == DLQ_REFUSED)
		hint_refusal(d);
	ch_pg_free(d->pg);
	destination_look_end(&d->look);
	return rc;
}

static int
read_and_run(struct dlq *d, const struct verb *verb, int argc, char **argv)
{
	struct ch_err err = CH_ERR_INIT;
	const char *problem = parse(d, verb, argc, argv);

	if (problem == NULL && d->where_text != NULL) {
		if (filter_compile(ch_view_of(d->where_text),
			    LETTERS_FILTER_ARG, &d->where, &err) != CH_OK)
			return usage(verb, err.text);
		d->filter.where = &d->where;
	}
	if (problem == NULL) {
		complete(d, verb);
		problem = check_verb(d, verb);
	}
	return problem != NULL ? usage(verb, problem)
			       : connect_and_run(d, verb);
}

static int
run_dlq(const struct ch_runtime *rt, int argc, char **argv)
{
	char self[AUDIT_SELF_MAX];
	struct dlq d = {.rt = rt,
		.replays_max = REPLAY_TIMES_MAX,
		.canary_wait_ms = PLAN_RUN_CANARY_WAIT_MS,
		.two_person = relay_params_two_person(rt->params),
		.actor = audit_self(self),
		.now = ch_clock_wall(rt->clock)};
	const struct verb *verb = argc < 2 ? NULL : find_verb(argv[1]);
	int rc;

	if (verb == NULL && argc > 1)
		ch_err_set(&d.said, CH_EINVAL, "there is no verb %s", argv[1]);
	if (verb == NULL)
		return usage(NULL, argc < 2 ? "what to do?" : d.said.text);
	d.verb = argv[1];
	rc = read_and_run(&d, verb, argc - 1, argv + 1);
	filter_free(&d.where);
	free(d.ids);
	return rc;
}

const struct ch_subcommand relay_subcommands[] = {
	{"dlq", "dlq list|count|group|show|export|replay|discard|edit|import|plan|...",
		"the dead letters: see them, send them again, put them away",
		run_dlq, usage_text},
	{NULL, NULL, NULL, NULL, NULL},
};
