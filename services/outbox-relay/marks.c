/* SPDX-License-Identifier: Apache-2.0 */
/*
 * marks: an array, searched from its begin. The first mark lies in the struct.
 */
#include "marks.h"

#include <stdlib.h>

#include "base/mem.h"

static struct mark *
find(struct marks *m, int32_t stream)
{
	if (m->last < m->count && m->all[m->last].stream == stream)
		return &m->all[m->last];
	for (m->last = 0; m->last < m->count; m->last++)
		if (m->all[m->last].stream == stream)
			return &m->all[m->last];
	return NULL;
}

static void
make_room(struct marks *m)
{
	if (m->all == NULL) {
		m->all = &m->only;
	} else if (m->all == &m->only) {
		m->all = ch_xcalloc(m->count + 1, sizeof(*m->all));
		m->all[0] = m->only;
	} else {
		m->all = ch_xrealloc(m->all, m->count + 1, sizeof(*m->all));
	}
}

void
marks_raise(struct marks *m, struct mark raised)
{
	struct mark *known = find(m, raised.stream);

	if (known == NULL) {
		make_room(m);
		m->all[m->count++] = raised;
	} else if (raised.seq > known->seq) {
		known->seq = raised.seq;
	}
}

void
marks_raise_all(struct marks *m, const struct marks *raised)
{
	size_t i;

	for (i = 0; i < raised->count; i++)
		marks_raise(m, raised->all[i]);
}

bool
marks_cover(const struct marks *m, struct mark asked)
{
	size_t i;

	for (i = 0; i < m->count; i++)
		if (m->all[i].stream == asked.stream)
			return asked.seq <= m->all[i].seq;
	return false;
}

bool
marks_at(const struct marks *m, size_t i, struct mark *out)
{
	if (i >= m->count)
		return false;
	*out = m->all[i];
	return true;
}

void
marks_clear(struct marks *m)
{
	m->count = 0;
}

void
marks_free(struct marks *m)
{
	if (m->all != &m->only)
		free(m->all);
	*m = (struct marks){0};
}
