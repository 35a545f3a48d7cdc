/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letter_json: see letter_json.h.
 */
#include "letter_json.h"

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "message.h"

/* What a strict reader gets back byte for byte. */
static bool
is_json_text(struct ch_view v)
{
	return ch_view_is_utf8(v) &&
		(v.len == 0 || memchr(v.ptr, '\0', v.len) == NULL);
}

void
letter_json_bytes(struct ch_buf *b, const char *name, const char *hex_name,
	struct ch_view v)
{
	if (v.ptr == NULL) {
		ch_json_add_name(b, name);
		ch_buf_adds(b, "null");
	} else if (is_json_text(v)) {
		ch_json_add_member(b, name, v);
	} else {
		ch_json_add_name(b, hex_name);
		ch_buf_addc(b, '"');
		ch_buf_add_hex(b, v.ptr, v.len);
		ch_buf_addc(b, '"');
	}
}

static void
json_headers(struct ch_buf *b, const struct letters_row *r)
{
	struct ch_arena arena = CH_ARENA_INIT;
	struct message m;
	size_t i;

	ch_json_add_name(b, "headers");
	ch_buf_addc(b, '[');
	if (message_headers_of(r->names, r->values, 0, false, &arena, &m,
		    NULL) == CH_OK) {
		for (i = 0; i < m.header_count; i++) {
			ch_json_add_comma(b);
			ch_buf_addc(b, '{');
			ch_json_add_member(b, "name",
				ch_view_of(m.headers[i].name));
			letter_json_bytes(b, "value", "value_hex",
				m.headers[i].value);
			ch_buf_addc(b, '}');
		}
	}
	ch_buf_addc(b, ']');
	ch_arena_free(&arena);
}

void
letter_json_letter(struct ch_buf *b, const struct letters_row *r, bool whole)
{
	char text[CH_TIME_TEXT_MAX], id[CH_UUID_TEXT_MAX];

	ch_uuid_format(&r->id, id);
	ch_time_format(r->at, text);
	ch_json_add_member(b, "letter_id", ch_view_of(id));
	ch_json_add_member(b, "kind", ch_view_of(letters_kind(r)));
	ch_json_add_member(b, "state", ch_view_of(letter_state_name(r->state)));
	ch_json_add_member(b, "topic", r->topic);
	if (r->part >= 0)
		ch_json_add_member_i64(b, "partition", r->part);
	if (r->src_offset >= 0)
		ch_json_add_member_i64(b, "offset", r->src_offset);
	letter_json_bytes(b, "key", "key_hex", r->key);
	ch_json_add_member(b, "error_class", r->class);
	ch_json_add_member(b, "reason", r->reason);
	ch_json_add_member(b, "fingerprint", r->fingerprint);
	ch_json_add_member_i64(b, "attempts", r->attempts);
	ch_json_add_member_i64(b, "replay_count", r->replays);
	ch_json_add_member(b, "row_id", r->row_id);
	ch_json_add_member_bool(b, "blocks_key", r->blocks_key);
	if (r->is_edit) {
		ch_uuid_format(&r->original, id);
		ch_json_add_member(b, "original", ch_view_of(id));
	}
	ch_json_add_member(b, "at", ch_view_of(text));
	ch_json_add_member_i64(b, "bytes", r->bytes);
	if (whole) {
		json_headers(b, r);
		letter_json_bytes(b, "value", "value_hex", r->value);
	}
}

void
letter_json_sort(struct ch_buf *b, const struct letters_group *by,
	const struct letters_sort *s)
{
	char text[CH_TIME_TEXT_MAX];
	size_t c;

	ch_json_add_member_i64(b, "letters", s->letters);
	ch_json_add_member_i64(b, "bytes", s->bytes);
	if (s->letters > 0) {
		ch_time_format(s->oldest, text);
		ch_json_add_member(b, "oldest", ch_view_of(text));
		ch_time_format(s->newest, text);
		ch_json_add_member(b, "newest", ch_view_of(text));
	}
	for (c = 0; c < by->count; c++) {
		if (s->names[c].ptr != NULL) {
			ch_json_add_member(b, by->names[c], s->names[c]);
		} else {
			ch_json_add_name(b, by->names[c]);
			ch_buf_adds(b, "null");
		}
	}
}

void
letter_json_plan(struct ch_buf *b, const struct plans_row *p)
{
	char text[CH_TIME_TEXT_MAX];

	ch_time_format(p->planned_at, text);
	if (p->id > 0) {
		ch_json_add_member_i64(b, "plan", p->id);
	} else { /* of a dry run: nobody finds it again */
		ch_json_add_name(b, "plan");
		ch_buf_adds(b, "null");
	}
	ch_json_add_member(b, "kind",
		ch_view_of(p->discards ? "discard" : "replay"));
	ch_json_add_member(b, "state", p->state);
	ch_json_add_member(b, "state_reason", p->state_reason);
	ch_json_add_name(b, "selection");
	ch_buf_addv(b, p->selection);
	ch_json_add_member(b, "reason", p->reason);
	ch_json_add_member(b, "planned_by", p->planned_by);
	ch_json_add_member(b, "planned_at", ch_view_of(text));
	ch_json_add_member(b, "two_person", p->two_person);
	ch_json_add_member(b, "approved_by", p->approved_by);
	ch_json_add_member_i64(b, "per_second", p->per_second);
	ch_json_add_member_i64(b, "bytes_per_second", p->bytes_per_second);
	ch_json_add_member_i64(b, "canary", p->canary);
	ch_json_add_member_i64(b, "canary_returns", p->canary_returns);
	ch_json_add_member_bool(b, "canary_passed", p->canary_passed);
	ch_json_add_member_i64(b, "max_replays", p->replays_max);
	ch_json_add_member_i64(b, "letters", p->letters);
	ch_json_add_member_i64(b, "missing", p->missing);
	ch_json_add_member_i64(b, "next_place", p->next_place);
	ch_json_add_member_i64(b, "sent", p->sent);
	ch_json_add_member_i64(b, "returned", p->returned);
	ch_json_add_member_i64(b, "discarded", p->discarded);
	ch_json_add_member_i64(b, "refused", p->refused);
	ch_json_add_member_i64(b, "quarantined", p->quarantined);
	ch_json_add_member_i64(b, "held", p->held);
}

void
letter_json_planned(struct ch_buf *b, const struct plans_letter *l)
{
	char id[CH_UUID_TEXT_MAX], at[CH_TIME_TEXT_MAX];

	ch_uuid_format(&l->id, id);
	ch_time_format(l->at, at);
	ch_json_add_member_i64(b, "place", l->place);
	ch_json_add_member(b, "letter_id", ch_view_of(id));
	ch_json_add_member(b, "outcome", l->outcome);
	ch_json_add_member(b, "detail", l->detail);
	ch_json_add_member(b, "state", l->state);
	ch_json_add_member(b, "topic", l->topic);
	if (!l->by_key)
		ch_json_add_member_i64(b, "partition", l->part);
	ch_json_add_member_i64(b, "bytes", l->bytes);
	if (!l->ageless)
		ch_json_add_member(b, "at", ch_view_of(at));
}
