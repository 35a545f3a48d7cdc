/* SPDX-License-Identifier: Apache-2.0 */
/*
 * placements: see placements.h.
 *
 * The envelope is a JSON object, whose payload is one of its members: a name
 * that comes twice is read by each parser as it likes. Headers are a list, in
 * which a name may come again.
 */
#include "placements.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int
read_place(struct ch_view word, enum place *out)
{
	static const char *const words[] = {"header", "envelope", "partition"};
	int i;

	for (i = 0; i < 3; i++)
		if (ch_view_eq_str(word, words[i])) {
			*out = (enum place)i;
			return CH_OK;
		}
	return CH_EINVAL;
}

static int
read_one(struct placement *p, const char *text, struct ch_err *err)
{
	struct ch_view rest = ch_view_of(text), name, word, alias;

	if (!ch_view_split(&rest, ':', &name) || name.len == 0 ||
		!ch_view_split(&rest, ':', &word) ||
		read_place(word, &p->place) != CH_OK)
		return ch_err_set(err, CH_ECONFIG,
			"outbox_placements: \"%s\" is not "
			"<column>:header|envelope|partition[:<alias>]",
			text);
	if (!ch_view_split(&rest, '\0', &alias))
		alias = name;
	if (alias.len == 0 || ch_view_eq_str(alias, "payload"))
		return ch_err_set(err, CH_ECONFIG,
			"outbox_placements: \"%s\" has the alias \"%.*s\": "
			"give another, \"payload\" is taken",
			text, CH_VIEW_ARG(alias));
	p->column = (struct column){
		.name = ch_xviewdup(name), .param = "outbox_placements"};
	p->alias = ch_xviewdup(alias);
	return CH_OK;
}

static int
refuse_twice(const struct placements *p, const struct placement *last,
	struct ch_err *err)
{
	size_t i;

	for (i = 0; last->place == PLACE_ENVELOPE && &p->all[i] < last; i++)
		if (p->all[i].place == PLACE_ENVELOPE &&
			strcmp(p->all[i].alias, last->alias) == 0)
			return ch_err_set(err, CH_ECONFIG,
				"outbox_placements: the envelope has two "
				"\"%s\": give one of them another alias",
				last->alias);
	return CH_OK;
}

int
placements_read(struct placements *out, const char *const *list,
	struct ch_err *err)
{
	size_t n = 0;

	while (list != NULL && list[n] != NULL)
		n++;
	out->all = ch_xcalloc(n + 1, sizeof(*out->all));
	while (out->count < n) {
		struct placement *p = &out->all[out->count];
		int rc = read_one(p, list[out->count], err);

		if (rc != CH_OK)
			return rc;
		out->count++;
		out->envelope |= p->place == PLACE_ENVELOPE;
		rc = refuse_twice(out, p, err);
		if (rc != CH_OK)
			return rc;
	}
	return CH_OK;
}

void
placements_free(struct placements *p)
{
	size_t i;

	for (i = 0; i < p->count; i++) {
		free(p->all[i].column.name);
		free(p->all[i].alias);
	}
	free(p->all);
}
