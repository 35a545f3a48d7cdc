/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relations: an array, searched from its begin: there are few.
 */
#include "relations.h"

#include <stdlib.h>

#include "base/mem.h"

#define RELATIONS_MAX 4096

void
relations_init(struct relations *s, const char *schema,
	struct contract *contract)
{
	*s = (struct relations){.schema = schema, .contract = contract};
}

void
relations_forget(struct relations *s)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		free(s->all[i].name);
	s->count = 0;
}

void
relations_free(struct relations *s)
{
	relations_forget(s);
	free(s->all);
}

static struct relation *
find(const struct relations *s, uint32_t id)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		if (s->all[i].id == id)
			return &s->all[i];
	return NULL;
}

const struct relation *
relations_find(const struct relations *s, uint32_t id)
{
	return find(s, id);
}

static struct relation *
find_or_add(struct relations *s, uint32_t id, struct ch_err *err)
{
	struct relation *r = find(s, id);

	if (r != NULL)
		return r;
	if (s->count == RELATIONS_MAX) {
		ch_err_set(err, CH_ERANGE, "more than %d tables in the stream",
			RELATIONS_MAX);
		return NULL;
	}
	s->all = ch_xrealloc(s->all, s->count + 1, sizeof(*r));
	r = &s->all[s->count++];
	*r = (struct relation){.id = id};
	return r;
}

static enum relation_rows
rows_of(const struct relations *s, const struct pgoutput_message *m,
	enum event_source *source)
{
	if (s->contract != NULL)
		return contract_is_of(s->contract, m->schema, m->table)
			? RELATION_APPLICATION
			: RELATION_PASSED;
	return ch_view_eq_str(m->schema, s->schema) &&
			event_source_of(m->table, source) == CH_OK &&
			*source != EVENT_RETRY && *source != EVENT_APPLICATION
		? RELATION_LEDGER
		: RELATION_REFUSED;
}

static int
place_columns(struct relation *r, const struct pgoutput_message *m,
	struct ch_err *err)
{
	const char *const *names;
	int count, i, place, found = 0;

	names = event_columns(r->source, &count);
	for (i = 0; i < m->count; i++) {
		r->place[i] = -1;
		for (place = 0; place < count; place++)
			if (ch_view_eq_str(m->columns[i].name, names[place]))
				r->place[i] = (int8_t)place;
		found += r->place[i] >= 0;
	}
	if (found != count)
		return ch_err_set(err, CH_EPROTO,
			"table %s publishes %d of "
			"the %d columns that are needed: migrate the schema, "
			"or mend the publication's column list",
			r->name, found, count);
	return CH_OK;
}

static int
learn_columns(const struct relations *s, struct relation *r,
	const struct pgoutput_message *m, struct ch_err *err)
{
	if (m->count > PGOUTPUT_COLUMNS_MAX)
		return ch_err_set(err, CH_ERANGE,
			"table %s has %d columns, at most %d are read: publish "
			"a column list",
			r->name, m->count, PGOUTPUT_COLUMNS_MAX);
	if (r->rows == RELATION_APPLICATION)
		return contract_learn(s->contract, m->columns, m->count, err);
	return place_columns(r, m, err);
}

int
relations_learn(struct relations *s, const struct pgoutput_message *m,
	struct ch_err *err)
{
	struct relation *r = find_or_add(s, m->relation, err);

	if (r == NULL)
		return CH_ERANGE;
	free(r->name);
	r->name = ch_xviewdup(m->table);
	r->columns = m->count;
	r->rows = rows_of(s, m, &r->source);
	if (r->rows == RELATION_REFUSED || r->rows == RELATION_PASSED)
		return CH_OK;
	return learn_columns(s, r, m, err);
}
