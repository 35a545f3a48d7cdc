/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_letters: letters read, and changed by name.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "api_private.h"
#include "audit.h"
#include "base/hex.h"
#include "blocked.h"
#include "letter_change.h"
#include "letter_json.h"
#include "letter_renewal.h"
#include "letters_decision.h"
#include "letters_group.h"
#include "plans.h"
#include "replay.h"

#define EXPORT_MAX 1000 /* letters of one page */
#define HISTORY_MAX 100

/* ---- reading ---- */

/* Where PostgreSQL does not answer nothing can be changed either. */
static void
learn_rule(struct api_desk *d)
{
	const char *rule = d->two_person;
	int rc = CH_EIO;

	if (ch_pg_is_up(d->pg))
		rc = plans_rule(d->pg, &rule, NULL);
	if (!ch_pg_is_up(d->pg) && ch_pg_connect(d->pg, NULL) == CH_OK)
		rc = plans_rule(d->pg, &rule, NULL);
	if (rc == CH_OK)
		d->rule = rule;
}

static int
get_status(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	char said[CH_ERR_TEXT_MAX];
	int64_t plan = api_run_plan(d->run, 0, said);

	(void)err;
	learn_rule(d);
	ch_buf_addc(&c->out, '{');
	ch_json_add_member(&c->out, "service", ch_view_of(d->rt->service));
	ch_json_add_member(&c->out, "version", ch_view_of(d->rt->version));
	ch_json_add_member(&c->out, "actor",
		ch_view_of(c->actor != NULL ? c->actor : ""));
	ch_json_add_member_bool(&c->out, "read_only", d->read_only);
	ch_json_add_member_bool(&c->out, "may_change", c->may_change);
	ch_json_add_member(&c->out, "two_person", ch_view_of(d->rule));
	ch_json_add_member_i64(&c->out, "running", plan);
	ch_json_add_member(&c->out, "last_run", ch_view_of(said));
	ch_buf_addc(&c->out, '}');
	return CH_OK;
}

/* Where the next page begins, when there is one; "" else. */
static int
next_of(const PGresult *res, int shown, char next[CH_UUID_TEXT_MAX],
	int64_t *fitting, struct ch_err *err)
{
	struct letters_row row;

	next[0] = '\0';
	*fitting = 0;
	if (PQntuples(res) == 0)
		return CH_OK;
	if (letters_row(res, shown - 1, &row, err) != CH_OK)
		return CH_EPROTO;
	*fitting = row.fitting;
	if (row.fitting > shown)
		ch_uuid_format(&row.id, next);
	return CH_OK;
}

static int
list_page(struct api_desk *d, struct api_call *c, const struct api_selection *s,
	struct ch_err *err)
{
	char next[CH_UUID_TEXT_MAX];
	PGresult *res;
	int64_t fitting;
	int rc = letters_find(d->pg, &s->f, &res, err);

	if (rc != CH_OK)
		return rc;
	ch_buf_addc(&c->out, '{');
	rc = api_add_letters(c, "letters", res, err);
	if (rc == CH_OK)
		rc = next_of(res, PQntuples(res), next, &fitting, err);
	PQclear(res);
	if (rc != CH_OK)
		return rc;
	ch_json_add_member_i64(&c->out, "fitting", fitting);
	if (next[0] != '\0')
		ch_json_add_member(&c->out, "next", ch_view_of(next));
	ch_buf_addc(&c->out, '}');
	return CH_OK;
}

static int
get_letters(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	struct api_selection s;
	int rc = api_call_select(c, 0, &s, err);

	s.f.value_max = 1;
	if (rc == CH_OK)
		rc = api_call_limit(c, API_LETTERS_MAX, &s.f.limit, err);
	if (rc == CH_OK)
		rc = list_page(d, c, &s, err);
	api_selection_free(&s);
	return rc;
}

/* The letter that the path names; *res is the caller's. */
static int
find_named(struct api_desk *d, const struct api_call *c, int value_max,
	PGresult **res, struct letters_row *row, struct ch_err *err)
{
	struct letters_filter f = {
		.id_count = 1, .limit = 1, .value_max = value_max};
	struct ch_uuid id;
	int rc;

	*res = NULL;
	if (!ch_uuid_parse_any(ch_view_of(c->name), &id))
		return ch_err_set(err, CH_EINVAL,
			"\"%.40s\" is no letter's id (a UUID)", c->name);
	f.ids = &id;
	rc = letters_find(d->pg, &f, res, err);
	if (rc == CH_OK && PQntuples(*res) == 0)
		rc = ch_err_set(err, CH_ENOTFOUND, "there is no letter %s",
			c->name);
	if (rc == CH_OK)
		rc = letters_row(*res, 0, row, err);
	return rc;
}

static int
add_past(struct api_desk *d, struct api_call *c, const struct letters_row *row,
	struct ch_err *err)
{
	char id[CH_UUID_TEXT_MAX];
	PGresult *res;
	int rc = letters_sendings(d->pg, &row->id, &res, err);

	if (rc != CH_OK)
		return rc;
	rc = api_add_texts(c, "sendings", res, 0, err);
	PQclear(res);
	ch_uuid_format(&row->id, id);
	if (rc == CH_OK)
		rc = audit_find(d->pg, id, 0, HISTORY_MAX, &res, err);
	if (rc != CH_OK)
		return rc;
	rc = api_add_texts(c, "history", res, 1, err);
	PQclear(res);
	return rc;
}

static int
get_letter(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	struct letters_row row;
	PGresult *res;
	bool cut;
	int rc = find_named(d, c, API_VALUE_MAX, &res, &row, err);

	if (rc == CH_OK) {
		cut = row.bytes > (int64_t)row.value.len;
		/* the cut may go through a character */
		while (cut && row.value.len + 4 > API_VALUE_MAX &&
			!ch_view_is_utf8(row.value))
			row.value.len--;
		ch_buf_addc(&c->out, '{');
		letter_json_letter(&c->out, &row, true);
		ch_json_add_member_bool(&c->out, "value_cut", cut);
		ch_json_add_member(&c->out, "decided_by", row.actor);
		ch_json_add_member(&c->out, "decided_why", row.state_reason);
		rc = add_past(d, c, &row, err);
		ch_buf_addc(&c->out, '}');
	}
	PQclear(res);
	return rc;
}

static int
add_groups(struct api_desk *d, struct api_call *c,
	const struct api_selection *s, const struct letters_group *by,
	struct ch_err *err)
{
	struct letters_sort sort;
	PGresult *res;
	int rc = letters_group(d->pg, &s->f, by, &res, err), i;

	if (rc != CH_OK)
		return rc;
	ch_buf_adds(&c->out, "{\"groups\":[");
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		rc = letters_sort(res, i, by, &sort, err);
		if (rc != CH_OK)
			break;
		ch_json_add_comma(&c->out);
		ch_buf_addc(&c->out, '{');
		letter_json_sort(&c->out, by, &sort);
		ch_buf_addc(&c->out, '}');
	}
	ch_buf_adds(&c->out, "]}");
	PQclear(res);
	return rc;
}

static int
get_groups(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	const char *list = c->arguments[API_BY];
	struct letters_group by;
	struct api_selection s;
	int rc = api_call_select(c, 0, &s, err);

	if (rc == CH_OK)
		rc = letters_group_read(
			ch_view_of(list != NULL ? list : "class,fingerprint"),
			&by, err);
	if (rc == CH_OK)
		rc = api_call_limit(c, API_LETTERS_MAX, &s.f.limit, err);
	if (rc == CH_OK)
		rc = add_groups(d, c, &s, &by, err);
	api_selection_free(&s);
	return rc;
}

/* ---- export ---- */

static int
add_lines(struct api_call *c, const PGresult *res, struct ch_err *err)
{
	struct letters_row row;
	int i;

	for (i = 0; i < PQntuples(res); i++) {
		if (letters_row(res, i, &row, err) != CH_OK)
			return CH_EPROTO;
		ch_buf_addc(&c->out, '{');
		letter_json_letter(&c->out, &row, true);
		ch_buf_adds(&c->out, "}\n");
	}
	return CH_OK;
}

/* First which letters, then the values of those that fit on the page. */
static int
export_page(struct api_desk *d, struct api_call *c,
	const struct api_selection *s, struct ch_err *err)
{
	PGresult *found, *res = NULL;
	int64_t fitting;
	int count = 0, rc = letters_find(d->pg, &s->f, &found, err);

	if (rc != CH_OK)
		return rc;
	if (PQntuples(found) > 0)
		rc = letters_whole(d->pg, found, 0, &count, &res, err);
	if (rc == CH_OK && count > 0)
		rc = next_of(found, count, c->next, &fitting, err);
	if (rc == CH_OK && count > 0)
		rc = add_lines(c, res, err);
	PQclear(res);
	PQclear(found);
	return rc;
}

static int
get_export(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	struct api_selection s;
	int rc = api_call_select(c, 0, &s, err);

	s.f.value_max = 1;
	s.f.uncounted = true;
	c->content_type = "application/x-ndjson";
	if (rc == CH_OK)
		rc = api_call_limit(c, EXPORT_MAX, &s.f.limit, err);
	if (rc == CH_OK)
		rc = export_page(d, c, &s, err);
	api_selection_free(&s);
	return rc;
}

/* ---- audit ---- */

static int
get_audit(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	const char *cursor = c->arguments[API_CURSOR];
	int64_t before = 0, limit = 0;
	PGresult *res;
	int rc, n;

	if (cursor != NULL &&
		ch_view_int(ch_view_of(cursor), 1, INT64_MAX, &before) != CH_OK)
		return ch_err_set(err, CH_EINVAL,
			"cursor is \"%.40s\", expected what `next` said",
			cursor);
	rc = api_call_limit(c, API_LETTERS_MAX, &limit, err);
	if (rc == CH_OK)
		rc = audit_find(d->pg, c->arguments[API_SUBJECT], before, limit,
			&res, err);
	if (rc != CH_OK)
		return rc;
	ch_buf_addc(&c->out, '{');
	rc = api_add_texts(c, "events", res, 1, err);
	n = PQntuples(res);
	if (n == limit && ch_pg_get_i64(res, n - 1, 0, &before)) {
		ch_json_add_name(&c->out, "next");
		ch_buf_printf(&c->out, "\"%" PRId64 "\"", before);
	}
	ch_buf_addc(&c->out, '}');
	PQclear(res);
	return rc;
}

static int
get_keys(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	struct blocked_key k = {.fitting = 0};
	int64_t limit = 0;
	PGresult *res;
	int rc = api_call_limit(c, API_LETTERS_MAX, &limit, err), i;

	if (rc == CH_OK)
		rc = blocked_find(d->pg, limit, &res, err);
	if (rc != CH_OK)
		return rc;
	ch_buf_adds(&c->out, "{\"keys\":[");
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		rc = blocked_row(res, i, &k, err);
		ch_json_add_comma(&c->out);
		if (rc == CH_OK)
			blocked_json(&c->out, &k, c->now);
	}
	ch_buf_addc(&c->out, ']');
	ch_json_add_member_i64(&c->out, "fitting", k.fitting);
	ch_buf_addc(&c->out, '}');
	PQclear(res);
	return rc;
}

/* ---- replay and discard ---- */

static void
add_result(void *ctx, const struct letters_row *row, int rc,
	const struct ch_err *err)
{
	struct api_call *c = ctx;
	char id[CH_UUID_TEXT_MAX];
	bool refused = rc == CH_EEXIST || rc == CH_ERANGE;

	ch_uuid_format(&row->id, id);
	ch_json_add_comma(&c->out);
	ch_buf_addc(&c->out, '{');
	ch_json_add_member(&c->out, "letter_id", ch_view_of(id));
	ch_json_add_member(&c->out, "outcome",
		ch_view_of(rc == CH_OK	  ? "done"
				: refused ? "refused"
					  : "failed"));
	ch_json_add_member(&c->out, "detail", ch_view_of(err->text));
	ch_buf_addc(&c->out, '}');
}

static int
change_found(struct api_desk *d, struct api_call *c, bool replaying,
	const struct letters_filter *f, const PGresult *res, struct ch_err *err)
{
	struct ch_buf selection = CH_BUF_INIT;
	struct destination_look look;
	struct letter_change change = {.pg = d->pg,
		.params = d->rt->params,
		.actor = c->actor,
		.two_person = d->two_person,
		.replaying = replaying,
		.again = api_call_flag(c, "again"),
		.dry_run = api_call_flag(c, "dry_run"),
		.look = &look,
		.told = add_result,
		.ctx = c};
	int64_t replays_max = REPLAY_TIMES_MAX;
	struct letter_changes n;
	int rc = api_call_reason(c, &change.reason, err);

	if (rc == CH_OK)
		rc = api_call_to(c, &change.to, err);
	if (rc == CH_OK)
		rc = api_call_number(c, "max_replays", 1, 1000, &replays_max,
			err);
	if (rc != CH_OK)
		return rc;
	change.replays_max = (int32_t)replays_max;
	plans_selection(f, NULL,
		&(struct plans_sending){change.to, change.again}, &selection);
	change.selection = ch_buf_str(&selection);
	ch_buf_adds(&c->out, "{\"results\":[");
	destination_look_init(&look, d->rt->params);
	rc = letter_change_run(&change, res, &n, err);
	ch_buf_free(&selection);
	ch_buf_addc(&c->out, ']');
	api_add_unlooked(c, &look);
	destination_look_end(&look);
	if (rc != CH_OK)
		return rc;
	ch_json_add_member_bool(&c->out, "dry_run", change.dry_run);
	ch_json_add_member_i64(&c->out, "done", n.done);
	ch_json_add_member_i64(&c->out, "refused", n.refused);
	ch_json_add_member_i64(&c->out, "missing",
		(int64_t)f->id_count - PQntuples(res));
	ch_json_add_member_bool(&c->out, "failed", n.failed);
	ch_buf_addc(&c->out, '}');
	if (n.failed)
		c->status = 502;
	else if (n.refused > 0 || (int64_t)f->id_count > PQntuples(res))
		c->status = 409;
	return CH_OK;
}

static int
change(struct api_desk *d, struct api_call *c, bool replaying,
	struct ch_err *err)
{
	struct letters_filter *f;
	struct api_selection s;
	PGresult *res = NULL;
	int rc = api_call_select(c, API_CHANGE_MAX, &s, err);

	f = &s.f;
	f->limit = API_CHANGE_MAX;
	f->value_max = 1;
	if (rc == CH_OK && f->id_count == 0)
		rc = ch_err_set(err, CH_EINVAL,
			"body: \"ids\" is missing: name the letters; many at "
			"once: make a plan");
	if (rc == CH_OK)
		rc = letters_find(d->pg, f, &res, err);
	if (rc == CH_OK)
		rc = change_found(d, c, replaying, f, res, err);
	PQclear(res);
	api_selection_free(&s);
	return rc;
}

static int
post_replay(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	return change(d, c, true, err);
}

static int
post_discard(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	return change(d, c, false, err);
}

/* ---- edit ---- */

/* The letter's own value, but for its command's id. */
static int
renewed_value(struct api_desk *d, struct api_call *c,
	const struct letters_row *row, struct ch_view *out, struct ch_err *err)
{
	struct ch_buf value = CH_BUF_INIT;
	int rc;

	if (ch_json_get(c->doc, "value") != NULL ||
		ch_json_get(c->doc, "value_hex") != NULL)
		return ch_err_set(err, CH_EINVAL,
			"body: \"new_id\" stands instead of a value");
	rc = letter_renewal_of(d->pg, row, c->now, &value, err);
	*out = ch_arena_view(&c->arena, ch_buf_view(&value));
	ch_buf_free(&value);
	return rc;
}

/* The new value: text, or bytes in hex. */
static int
value_of(struct api_call *c, struct ch_view *out, struct ch_err *err)
{
	struct ch_view hex;
	char *bytes;

	if (ch_json_str(c->doc, "value", out))
		return CH_OK;
	if (!ch_json_str(c->doc, "value_hex", &hex))
		return ch_err_set(err, CH_EINVAL,
			"body: expected \"value\", \"value_hex\" for bytes "
			"that are no text, or \"new_id\": true");
	bytes = ch_arena_alloc(&c->arena, hex.len / 2 + 1);
	if (!ch_hex_decode(hex, bytes, hex.len / 2))
		return ch_err_set(err, CH_EINVAL,
			"body: \"value_hex\" is no hexadecimal text");
	*out = (struct ch_view){bytes, hex.len / 2};
	return CH_OK;
}

static int
edit_found(struct api_desk *d, struct api_call *c, struct letters_row *row,
	struct ch_err *err)
{
	struct letters_edit edit = {.actor = c->actor,
		.now = c->now,
		.dry_run = api_call_flag(c, "dry_run")};
	struct letter_difference difference;
	char id[CH_UUID_TEXT_MAX];
	struct ch_uuid made;
	int rc = api_call_flag(c, "new_id")
		? renewed_value(d, c, row, &edit.value, err)
		: value_of(c, &edit.value, err);

	if (rc == CH_OK)
		rc = api_call_reason(c, &edit.reason, err);
	if (rc == CH_OK)
		rc = letters_edit(d->pg, row, &edit, &made, err);
	if (rc != CH_OK)
		return rc;
	difference = letter_difference_of(row->value, edit.value);
	ch_uuid_format(&made, id);
	ch_buf_addc(&c->out, '{');
	ch_json_add_member_bool(&c->out, "dry_run", edit.dry_run);
	if (!edit.dry_run)
		ch_json_add_member(&c->out, "letter_id", ch_view_of(id));
	ch_json_add_member(&c->out, "original", ch_view_of(c->name));
	ch_json_add_name(&c->out, "difference");
	letter_difference_json(&c->out, &difference);
	ch_buf_addc(&c->out, '}');
	return CH_OK;
}

static int
post_edit(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	struct letters_row row;
	PGresult *res;
	int rc = find_named(d, c, 0, &res, &row, err);

	if (rc == CH_OK)
		rc = edit_found(d, c, &row, err);
	PQclear(res);
	return rc;
}

static const struct api_member replay_members[] = {{"ids", CH_JSON_ARRAY},
	{"reason", CH_JSON_STRING}, {"dry_run", CH_JSON_TRUE},
	{"max_replays", CH_JSON_NUMBER}, {"to", CH_JSON_STRING},
	{"again", CH_JSON_TRUE}, {NULL, CH_JSON_NULL}};
static const struct api_member discard_members[] = {{"ids", CH_JSON_ARRAY},
	{"reason", CH_JSON_STRING}, {"dry_run", CH_JSON_TRUE},
	{NULL, CH_JSON_NULL}};
static const struct api_member edit_members[] = {{"value", CH_JSON_STRING},
	{"value_hex", CH_JSON_STRING}, {"new_id", CH_JSON_TRUE},
	{"reason", CH_JSON_STRING}, {"dry_run", CH_JSON_TRUE},
	{NULL, CH_JSON_NULL}};

const struct api_endpoint api_letter_endpoints[] = {
	{CH_HTTP_GET, "status", get_status, NULL, true},
	{CH_HTTP_GET, "letters", get_letters, NULL, false},
	{CH_HTTP_GET, "letters/*", get_letter, NULL, false},
	{CH_HTTP_GET, "groups", get_groups, NULL, false},
	{CH_HTTP_GET, "export", get_export, NULL, false},
	{CH_HTTP_GET, "audit", get_audit, NULL, false},
	{CH_HTTP_GET, "keys", get_keys, NULL, false},
	{CH_HTTP_POST, "letters/replay", post_replay, replay_members, false},
	{CH_HTTP_POST, "letters/discard", post_discard, discard_members, false},
	{CH_HTTP_POST, "letters/*/edit", post_edit, edit_members, false},
	{CH_HTTP_GET, NULL, NULL, NULL, false},
};
