/* SPDX-License-Identifier: Apache-2.0 */
/*
 * threshold: see threshold.h.
 *
 * Fails towards the pause: an organisation that cannot be told apart (no name,
 * a name too long, one more than the limit) makes the scope everybody.
 */
#include "threshold.h"

int
threshold_parse(const char *text, struct threshold *out, struct ch_err *err)
{
	struct ch_view v = ch_view_trim(ch_view_of(text));
	*out = (struct threshold){.never = ch_view_eq_str(v, "never")};
	if (out->never || ch_view_int(v, 0, INT64_MAX, &out->above) == 0)
		return 0;
	return ch_err_set(err, CH_ECONFIG,
		"\"%s\" is no threshold: give \"never\", or the difference in "
		"minor units (a whole number from 0) above which to pause",
		text);
}

enum threshold_action
threshold_weigh(const struct threshold *t, bool found, int64_t difference)
{
	if (!found)
		return THRESHOLD_OK;
	return !t->never && difference > t->above ? THRESHOLD_PAUSE
						  : THRESHOLD_ALERT;
}

void
scopes_init(struct scopes *s, size_t limit)
{
	s->limit = limit <= THRESHOLD_SCOPES_MAX ? limit : THRESHOLD_SCOPES_MAX;
	s->count = 0;
	s->everybody = false;
}

static const char *
find(const struct scopes *s, struct ch_view org)
{
	for (size_t i = 0; i < s->count; i++)
		if (ch_view_eq_str(org, s->orgs[i]))
			return s->orgs[i];
	return NULL;
}

void
scopes_add(struct scopes *s, struct ch_view org)
{
	if (s->everybody || find(s, org) != NULL)
		return;
	if (org.len == 0 || s->count == s->limit ||
		ch_view_copy(org, s->orgs[s->count], THRESHOLD_ORG_MAX) != 0)
		s->everybody = true;
	else
		s->count++;
}

const char *
scopes_of(const struct scopes *s, struct ch_view org)
{
	return s->everybody ? THRESHOLD_EVERYBODY : find(s, org);
}
