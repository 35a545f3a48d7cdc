/* SPDX-License-Identifier: Apache-2.0 */
/*
 * absence: see absence.h.
 */
#include "absence.h"

#include <stdint.h>
#include <string.h>

#include "base/json.h"

#define NAME_OF_TRADES "trade.record"

/* Types that make rows which other commands name. */
static const char *const makers[] = {"asset.define", "account.open",
	"hold.place", "stock.receive", "stock.reserve", "order.place",
	NAME_OF_TRADES, "pool.deploy"};

static bool
is_maker(struct ch_view type)
{
	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
		if (ch_view_eq_str(type, makers[i]))
			return true;
	}
	return false;
}

static bool
ends_in_not_found(struct ch_view status)
{
	static const char end[] = "_not_found";
	size_t n = sizeof(end) - 1;

	return status.len > n &&
		memcmp(status.ptr + status.len - n, end, n) == 0;
}

static bool
is_ground_of_one(struct ch_view type, struct ch_view status)
{
	return ends_in_not_found(status) ||
		ch_view_eq_str(status, "version_conflict") ||
		ch_view_eq_str(type, NAME_OF_TRADES);
}

/* The type of a group's member; len 0: it has none. */
static struct ch_view
type_of(const struct ch_json *member)
{
	struct ch_view type = {NULL, 0};

	(void)ch_json_str(member, "type", &type);
	return type;
}

static bool
is_ground_of_group(const struct absence_row *row, struct ch_arena *arena)
{
	const struct ch_json *failed =
		ch_json_get(ch_json_parse(arena, row->result, SIZE_MAX, NULL),
			"failed");
	const struct ch_json *members =
		ch_json_get(ch_json_parse(arena, row->command, SIZE_MAX, NULL),
			"commands");
	const struct ch_json *member = members != NULL ? members->child : NULL;
	struct ch_view status = {NULL, 0};
	int64_t index = 0;

	(void)ch_json_str(failed, "status", &status);
	(void)ch_json_i64(failed, "index", &index);
	for (; member != NULL && index > 0; index--, member = member->next) {
		if (is_maker(type_of(member)))
			return true;
	}
	return is_ground_of_one(type_of(member), status);
}

bool
absence_is_ground(const struct absence_row *row, struct ch_arena *arena)
{
	if (ch_view_eq_str(row->status, "applied"))
		return false;
	if (ch_view_eq_str(row->status, "group_failed"))
		return is_ground_of_group(row, arena);
	return is_ground_of_one(row->type, row->status);
}
