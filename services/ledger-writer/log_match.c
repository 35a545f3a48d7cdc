/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_match: see log_match.h.
 */
#include "log_match.h"

#include <inttypes.h>
#include <string.h>

static bool
id_differs(const char *stored, const char *real)
{
	return stored[0] != '\0' && real[0] != '\0' &&
		strcmp(stored, real) != 0;
}

bool
log_was_restarted(const struct log_facts *f)
{
	return f->cluster[0] == '\0' && f->topic_id[0] == '\0';
}

static bool
is_another(const struct log_facts *f, struct ch_err *why)
{
	if (id_differs(f->cluster, f->real_cluster))
		ch_err_set(why, CH_EFENCED,
			"the offset is of Kafka cluster %s, this one is %s",
			f->cluster, f->real_cluster);
	else if (id_differs(f->topic_id, f->real_topic_id))
		ch_err_set(why, CH_EFENCED,
			"the topic was made anew: the offset is of id %s, "
			"this one is %s",
			f->topic_id, f->real_topic_id);
	return why->code != CH_OK;
}

static bool
is_short(const struct log_facts *f, struct ch_err *why)
{
	if (!f->fresh && f->next_offset < f->low)
		ch_err_set(why, CH_ERANGE,
			"stored offset %" PRId64 " is before the log's first, "
			"%" PRId64 ": records were deleted unread",
			f->next_offset, f->low);
	else if (f->cut_at >= 0 && f->next_offset > f->cut_at)
		ch_err_set(why, CH_ERANGE,
			"the log was seen to end at %" PRId64 ", before the "
			"stored offset %" PRId64 " (leader epoch %" PRId64
			"): what is there now are other records",
			f->cut_at, f->next_offset, f->leader_epoch);
	else if (f->next_offset > f->high)
		ch_err_set(why, CH_ERANGE,
			"stored offset %" PRId64 " is behind the log's end, "
			"%" PRId64 ": records were lost or the topic made "
			"anew",
			f->next_offset, f->high);
	return why->code != CH_OK;
}

enum log_match
log_match(const struct log_facts *f, struct ch_err *why)
{
	if (is_another(f, why))
		return LOG_IS_ANOTHER;
	if (is_short(f, why))
		return LOG_IS_SHORT;
	if (log_was_restarted(f) || f->seen <= f->next_offset)
		return LOG_MATCHES;
	ch_err_set(why, CH_ERANGE,
		"stored offset %" PRId64 " is before %" PRId64 ", which "
		"PostgreSQL had stored already: it lost what was decided of "
		"%" PRId64 " offsets (restored from a backup, or a standby "
		"promoted)",
		f->next_offset, f->seen, f->seen - f->next_offset);
	return LOG_IS_AHEAD;
}
