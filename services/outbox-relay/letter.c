/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letter: names and rules; what is stored about them is dlq's and park's.
 */
#include "letter.h"

#include <inttypes.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"

#define COMMAND_NODES_MAX 4096

struct ch_uuid
letter_id(struct ch_time at, struct ch_view origin, struct ch_view row_id,
	struct ch_view topic)
{
	struct ch_buf name = CH_BUF_INIT;
	struct ch_uuid id;

	/* a topic and a table have no '/' in their names */
	ch_buf_addv(&name, topic);
	ch_buf_addc(&name, '/');
	ch_buf_addv(&name, origin);
	ch_buf_addc(&name, '/');
	ch_buf_addv(&name, row_id);
	id = ch_uuid_v7_named(at, ch_buf_view(&name));
	ch_buf_free(&name);
	return id;
}

static const char *const state_names[] = {
	[LETTER_PENDING] = "pending",
	[LETTER_REPLAYED] = "replayed",
	[LETTER_RESOLVED] = "resolved",
	[LETTER_DISCARDED] = "discarded",
	[LETTER_QUARANTINED] = "quarantined",
	[LETTER_EDITED] = "edited",
};

const char *
letter_state_name(enum letter_state s)
{
	return state_names[s];
}

bool
letter_state_of(struct ch_view name, enum letter_state *out)
{
	size_t i;

	for (i = 0; i < sizeof(state_names) / sizeof(*state_names); i++) {
		if (ch_view_eq_str(name, state_names[i])) {
			*out = (enum letter_state)i;
			return true;
		}
	}
	return false;
}

bool
letter_may(enum letter_action action, enum letter_state state, int32_t replays,
	int32_t replays_max, struct ch_err *err)
{
	if (state == LETTER_RESOLVED || state == LETTER_DISCARDED) {
		ch_err_set(err, CH_EEXIST, "it is %s: nothing is left to do",
			letter_state_name(state));
		return false;
	}
	if (state == LETTER_EDITED) {
		ch_err_set(err, CH_EEXIST,
			"it was edited, and another letter stands for it: "
			"decide that one (dlq list --where \"original = "
			"'<this id>'\")");
		return false;
	}
	if (action == LETTER_EDIT && state == LETTER_REPLAYED) {
		ch_err_set(err, CH_EEXIST,
			"it was replayed and may have been taken: an edit "
			"beside it could count twice");
		return false;
	}
	if (action == LETTER_REPLAY && state == LETTER_REPLAYED) {
		ch_err_set(err, CH_EEXIST,
			"it was replayed already, %" PRId32
			" times, and may have been taken: see dlq show, then "
			"--again to send it once more",
			replays);
		return false;
	}
	if ((action == LETTER_REPLAY || action == LETTER_REPLAY_AGAIN) &&
		replays >= replays_max) {
		ch_err_set(err, CH_ERANGE,
			"it was replayed %" PRId32
			" times already%s: mend the cause, then "
			"raise --max-replays (now %" PRId32 ")",
			replays,
			state == LETTER_REPLAYED ? "" : " and came back",
			replays_max);
		return false;
	}
	return true;
}

struct letter_difference
letter_difference_of(struct ch_view old, struct ch_view fresh)
{
	size_t least = old.len < fresh.len ? old.len : fresh.len;
	size_t head = 0, tail = 0;

	while (head < least && old.ptr[head] == fresh.ptr[head])
		head++;
	while (tail < least - head &&
		old.ptr[old.len - 1 - tail] == fresh.ptr[fresh.len - 1 - tail])
		tail++;
	return (struct letter_difference){.at = head,
		.removed = {old.ptr != NULL ? old.ptr + head : NULL,
			old.len - head - tail},
		.inserted = {fresh.ptr != NULL ? fresh.ptr + head : NULL,
			fresh.len - head - tail}};
}

bool
letter_command_of(struct ch_view value, struct letter_command *out)
{
	struct ch_arena arena = CH_ARENA_INIT;
	const struct ch_json *doc;
	struct ch_view id, org;
	bool found = false;

	doc = value.ptr != NULL
		? ch_json_parse(&arena, value, COMMAND_NODES_MAX, NULL)
		: NULL;
	if (doc != NULL && doc->type == CH_JSON_OBJECT &&
		ch_json_str(doc, "id", &id) && ch_uuid_parse(id, &out->id) &&
		ch_json_str(doc, "org", &org) &&
		ch_view_copy(org, out->org, sizeof(out->org)) == CH_OK) {
		out->day = ch_time_day(ch_uuid_time(&out->id));
		found = true;
	}
	ch_arena_free(&arena);
	return found;
}

bool
letter_command_renew(struct ch_view value, const struct ch_uuid *id,
	struct ch_buf *out)
{
	struct ch_arena arena = CH_ARENA_INIT;
	char text[CH_UUID_TEXT_MAX];
	struct letter_command known;
	struct ch_view old;
	size_t at;

	if (!letter_command_of(value, &known))
		return false;
	old = ch_json_get(ch_json_parse(&arena, value, COMMAND_NODES_MAX, NULL),
		"id")
		      ->text;
	ch_uuid_format(id, text);
	at = (size_t)(old.ptr - value.ptr);
	ch_buf_add(out, value.ptr, at);
	ch_buf_printf(out, "\"%s\"", text);
	ch_buf_add(out, old.ptr + old.len, value.len - at - old.len);
	ch_arena_free(&arena);
	return true;
}

struct ch_view
letter_class(struct ch_view name)
{
	return ch_view_eq_str(name, "MSG_SIZE_TOO_LARGE")
		? CH_VIEW(LETTER_TOO_LARGE)
		: name;
}

void
letter_difference_json(struct ch_buf *b, const struct letter_difference *d)
{
	ch_buf_addc(b, '{');
	ch_json_add_member_i64(b, "at", (int64_t)d->at);
	ch_json_add_name(b, "removed");
	ch_buf_addc(b, '"');
	ch_buf_add_hex(b, d->removed.ptr, d->removed.len);
	ch_buf_adds(b, "\",\"inserted\":\"");
	ch_buf_add_hex(b, d->inserted.ptr, d->inserted.len);
	ch_buf_adds(b, "\"}");
}
