/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally: see tally.h.
 */
#include "tally.h"

#include <string.h>

#include "world.h"

struct mark {
	const char *text; /* in an answer */
	enum sim_event event;
};

/* The first that is there. */
static void
count_mark(struct world *w, const char *answer, const struct mark *marks,
	size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strstr(answer, marks[i].text) == NULL)
			continue;
		world_count(w, marks[i].event);
		return;
	}
}

#define COUNT_MARK(w, answer, marks)                                           \
	count_mark((w), (answer), (marks), sizeof(marks) / sizeof((marks)[0]))

void
tally_fill(struct world *w, const char *answer)
{
	static const struct mark marks[] = {
		{",\"duplicate\":true}", EVENT_FILL_DUPLICATE},
		{",\"confirmed\":true", EVENT_FILL_KNOWN},
		{",\"state\":\"cancelled\"", EVENT_FILL_LATE},
		{"\"applied\"", EVENT_FILL},
		{"\"order_not_found\"", EVENT_FILL_EARLY},
		{"\"illegal_order_move\"", EVENT_FILL_OVER},
		{"\"fact_mismatch\"", EVENT_FILL_MISMATCH},
		{"\"key_", EVENT_FILL_AGED},
		{"\"invalid_amount\"", EVENT_FILL_FRACTION},
		{"", EVENT_FILL_UNREADABLE}};

	COUNT_MARK(w, answer, marks);
}

static unsigned
count_of(const char *text, const char *part)
{
	unsigned n = 0;

	while ((text = strstr(text, part)) != NULL) {
		text += strlen(part);
		n++;
	}
	return n;
}

void
tally_command(struct world *w, const char *answer)
{
	static const struct mark marks[] = {
		{",\"duplicate\":true}", EVENT_DUPLICATE},
		{"\"status\":\"rate_limited\"", EVENT_RATE_LIMITED}};
	static const struct mark trades[] = {
		{",\"confirmed\":true", EVENT_TRADE_KNOWN},
		{"\"fact_mismatch\"", EVENT_TRADE_MISMATCH}};

	COUNT_MARK(w, answer, marks);
	if (strstr(answer, "\"type\":\"trade.record\"") == NULL)
		return;
	COUNT_MARK(w, answer, trades);
	if (count_of(answer, "\"lock\":") > 2)
		world_count(w, EVENT_SKIMMED);
}
