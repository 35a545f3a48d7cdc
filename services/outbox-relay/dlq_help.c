/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq_help: `dlq <verb> --help`: what each option means, and a line to begin
 * with.
 */
#include <stdio.h>
#include <string.h>

#include "dlq_private.h"

struct word {
	char option;
	const char *usage, *help;
};

static const struct word filters[] = {
	{'t', "--topic T", "of this topic, or of an endpoint: webhook:<name>"},
	{'c', "--class C", "of this error class"},
	{'k', "--key K", "of this key"},
	{'S', "--since T", "not older: 90s, 30m, 2h, 1d, or RFC 3339"},
	{'s', "--state S",
		"pending (without it), replayed, resolved, discarded,\n"
		"                      quarantined, edited, any"},
	{'w', "--where EXPR",
		"\"class = 'x' and age > 2h\"; dlq --help has the words"},
	{'l', "--limit N", "so many at most (list: 100; a plan has none)"},
	{0, NULL, NULL},
};

static const struct word others[] = {
	{'b', "--by LIST", "by what they are counted, with commas between"},
	{'j', "--json", "for programs: a document a line"},
	{'h', "--hex", "the value byte by byte"},
	{'p', "--pretty", "a JSON value, indented"},
	{'f', "--set-file FILE", "the new value; - is stdin"},
	{'i', "--new-id", "the same value, but for its command's id"},
	{'M', "--from WHERE",
		"earliest, latest, 30m, 2h, 1d, or RFC 3339 (where the last\n"
		"                      import ended)"},
	{'o', "--follow", "goes on with what comes, until it is stopped"},
	{'T', "--to TOPIC", "where those go whose topic is not known"},
	{'A', "--again", "those too that were replayed and may still be taken"},
	{'m', "--max-replays N", "back so often, it is quarantined (5)"},
	{'R', "--rate N", "letters a second (no limit)"},
	{'B', "--bytes-rate N", "bytes a second (no limit)"},
	{'C', "--canary N", "waits for the word on the first N, then goes on"},
	{'F', "--canary-returns N", "so many of these may come back (0)"},
	{'W', "--canary-wait T", "how long it waits for that word (60s)"},
	{'2', "--two-person", "somebody else has to approve it"},
	{'D', "--discard", "they are discarded, not sent"},
	{'L', "--letters", "what became of the plan's letters"},
	{'O', "--outcome O",
		"of these: waiting, sent, discarded, refused, quarantined,\n"
		"                      held, unsent (the last three)"},
	{'q', "--quiet", "no line for a letter that went well"},
	{'r', "--reason R",
		"why: it is kept in audit_events; a dry run needs none"},
	{'a', "--actor A", "who you are ($USER, or the login)"},
	{'n', "--dry-run", "says what would be done, and changes nothing"},
	{0, NULL, NULL},
};

static const char *const examples[][2] = {
	{"list", "list --class too_large --since 2h"},
	{"show", "show 019de1a3-8a56-7c0e-b54b-6ad2c6bd1c7e --hex"},
	{"export", "export --topic orders.v1 > letters.jsonl"},
	{"count", "count --where \"age > 1d\""},
	{"group", "group --by class,fingerprint"},
	{"keys", "keys --limit 20"},
	{"endpoints", "endpoints"},
	{"bury", "bury partner --reason 'the partner is gone' --dry-run"},
	{"replay",
		"replay --topic orders.v1 \\\n"
		"      --reason 'limit raised, INC-12' --dry-run"},
	{"discard", "discard --key k17 --reason 'test data, INC-12' --dry-run"},
	{"edit",
		"edit 019de1a3-8a56-7c0e-b54b-6ad2c6bd1c7e --set-file new.json "
		"\\\n      --reason 'currency mended, INC-12' --dry-run"},
	{"import", "import orders.DLT --reason 'INC-12' --dry-run"},
	{"plan",
		"plan --class too_large --rate 50 --canary 10 \\\n"
		"      --reason 'limit raised, INC-12' --dry-run"},
	{"approve", "approve 4 --reason 'checked with ann'"},
	{"run", "run 4"},
	{"stop", "stop 4 --reason 'the consumer is slow'"},
	{"cancel", "cancel 4 --reason 'not needed any more'"},
	{"plans", "plans 4 --letters --outcome unsent"},
};

static void
print_words(const char *title, const struct word *w, const char *takes)
{
	bool titled = false;

	for (; w->usage != NULL; w++) {
		if (strchr(takes, w->option) == NULL)
			continue;
		if (!titled)
			printf("%s:\n", title);
		titled = true;
		printf("  %-19s %s\n", w->usage, w->help);
	}
}

void
dlq_help_options(const char *takes)
{
	print_words("filter", filters, takes);
	print_words("options", others, takes);
}

void
dlq_help_example(const char *verb)
{
	size_t i;

	for (i = 0; i < sizeof(examples) / sizeof(*examples); i++)
		if (strcmp(examples[i][0], verb) == 0)
			printf("example:\n  outbox-relay --config=relay.conf "
			       "dlq %s\n",
				examples[i][1]);
}
