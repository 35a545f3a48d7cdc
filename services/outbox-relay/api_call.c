/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_call: one request's arguments, checked, and its answer.
 *
 * A body may hold only what its endpoint knows, each of its type: a dry run
 * that was misspelt must not become a change.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "api_private.h"
#include "base/log.h"
#include "dialect.h"
#include "letter_json.h"

#define NODES_MAX 4096
#define KEY_SHOWN 1024
#define LIST_DEFAULT 100

static const char *const argument_names[API_ARGUMENTS] = {
	[API_WHERE] = "where",
	[API_STATE] = "state",
	[API_LIMIT] = "limit",
	[API_CURSOR] = "cursor",
	[API_BY] = "by",
	[API_SUBJECT] = "subject",
	[API_OUTCOME] = "outcome",
};

struct api_call *
api_call_new(const struct api_endpoint *e, struct ch_http_req *req,
	struct ch_view name, const struct api_bearer *who)
{
	struct api_call *c = ch_xcalloc(1, sizeof(*c));
	struct ch_view v;
	size_t i;

	c->endpoint = e;
	c->actor = who != NULL ? who->name : NULL;
	c->may_change = who != NULL && !who->reads_only;
	c->name = ch_arena_str(&c->arena, name);
	c->status = 200;
	c->content_type = "application/json";
	for (i = 0; i < API_ARGUMENTS; i++)
		if (ch_http_req_query(req, argument_names[i], &v) && v.len > 0)
			c->arguments[i] = ch_arena_str(&c->arena, v);
	c->body = ch_arena_view(&c->arena, ch_http_req_body(req));
	return c;
}

void
api_call_free(struct api_call *c)
{
	ch_arena_free(&c->arena);
	ch_buf_free(&c->out);
	free(c);
}

/* ---- the body ---- */

static const struct api_member *
find_member(const struct api_endpoint *e, struct ch_view name)
{
	const struct api_member *m = e->members;

	for (; m != NULL && m->name != NULL; m++)
		if (ch_view_eq_str(name, m->name))
			return m;
	return NULL;
}

static int
unknown_member(const struct api_endpoint *e, struct ch_view name,
	struct ch_err *err)
{
	struct ch_buf known = CH_BUF_INIT;
	const struct api_member *m = e->members;

	for (; m != NULL && m->name != NULL; m++)
		ch_buf_printf(&known, " %s", m->name);
	ch_err_set(err, CH_EINVAL, "body: found \"%.*s\", expected any of:%s",
		(int)(name.len < 64 ? name.len : 64), name.ptr,
		ch_buf_str(&known));
	ch_buf_free(&known);
	return CH_EINVAL;
}

static int
check_member(const struct api_endpoint *e, const struct ch_json *v,
	struct ch_err *err)
{
	static const char *const types[] = {[CH_JSON_NULL] = "null",
		[CH_JSON_TRUE] = "true or false",
		[CH_JSON_FALSE] = "true or false",
		[CH_JSON_NUMBER] = "a number",
		[CH_JSON_STRING] = "a string",
		[CH_JSON_ARRAY] = "an array",
		[CH_JSON_OBJECT] = "an object"};
	const struct api_member *m = find_member(e, v->name);

	if (m == NULL)
		return unknown_member(e, v->name, err);
	if (v->type == m->type ||
		(m->type == CH_JSON_TRUE && v->type == CH_JSON_FALSE))
		return CH_OK;
	return ch_err_set(err, CH_EINVAL, "body: \"%s\" is %.*s, expected %s",
		m->name, (int)(v->text.len < 64 ? v->text.len : 64),
		v->text.ptr, types[m->type]);
}

int
api_call_read(struct api_call *c, struct ch_err *err)
{
	const struct ch_json *v;
	int rc = CH_OK;

	if (c->endpoint->method == CH_HTTP_GET)
		return CH_OK;
	c->doc = ch_json_parse(&c->arena, c->body, NODES_MAX, err);
	if (c->doc == NULL)
		return ch_err_wrap(err, "body: expected a JSON object");
	if (c->doc->type != CH_JSON_OBJECT)
		return ch_err_set(err, CH_EINVAL,
			"body: expected a JSON object");
	for (v = c->doc->child; rc == CH_OK && v != NULL; v = v->next)
		rc = check_member(c->endpoint, v, err);
	return rc;
}

const char *
api_call_text(struct api_call *c, const char *name)
{
	const struct ch_json *v = ch_json_get(c->doc, name);

	return v != NULL && v->type == CH_JSON_STRING
		? ch_arena_str(&c->arena, v->str)
		: NULL;
}

bool
api_call_flag(const struct api_call *c, const char *name)
{
	bool on = false;

	return ch_json_bool(c->doc, name, &on) && on;
}

int
api_call_number(const struct api_call *c, const char *name, int64_t min,
	int64_t max, int64_t *out, struct ch_err *err)
{
	int64_t n;

	if (ch_json_get(c->doc, name) == NULL)
		return CH_OK;
	if (ch_json_i64(c->doc, name, &n) && n >= min && n <= max) {
		*out = n;
		return CH_OK;
	}
	return ch_err_set(err, CH_EINVAL,
		"body: \"%s\" is a number from %" PRId64 " to %" PRId64, name,
		min, max);
}

int
api_call_to(struct api_call *c, const char **out, struct ch_err *err)
{
	*out = api_call_text(c, "to");
	if (*out == NULL || dialect_is_topic(ch_view_of(*out)))
		return CH_OK;
	return ch_err_set(err, CH_EINVAL,
		"body: to: \"%.60s\" is no legal name of a topic: 1 to 249 of "
		"letters, digits, '.', '_' and '-'",
		*out);
}

int
api_call_reason(struct api_call *c, const char **out, struct ch_err *err)
{
	const char *reason = api_call_text(c, "reason");
	bool dry = api_call_flag(c, "dry_run");

	*out = "dry run";
	if (reason == NULL || *reason == '\0')
		return dry ? CH_OK
			   : ch_err_set(err, CH_EINVAL,
				     "body: \"reason\" is missing: say why; it "
				     "is kept in audit_events");
	if (strlen(reason) > API_REASON_MAX)
		return ch_err_set(err, CH_EINVAL,
			"body: \"reason\" has %zu bytes, at most %d",
			strlen(reason), API_REASON_MAX);
	*out = reason;
	return CH_OK;
}

int
api_call_limit(const struct api_call *c, int64_t most, int64_t *out,
	struct ch_err *err)
{
	const char *text = c->arguments[API_LIMIT];

	*out = most < LIST_DEFAULT ? most : LIST_DEFAULT;
	if (text == NULL ||
		ch_view_int(ch_view_of(text), 1, most, out) == CH_OK)
		return CH_OK;
	return ch_err_set(err, CH_EINVAL,
		"limit is \"%.32s\", expected a number from 1 to %" PRId64
		"; what is behind it comes with the cursor of `next`",
		text, most);
}

/* ---- which letters ---- */

static int
take_ids(struct api_call *c, size_t most, struct letters_filter *f,
	struct ch_err *err)
{
	const struct ch_json *list = ch_json_get(c->doc, "ids"), *v;
	struct ch_uuid *ids;

	if (list == NULL)
		return CH_OK;
	if (list->count == 0 || list->count > most)
		return ch_err_set(err, CH_EINVAL,
			"body: \"ids\" names %zu letters, expected 1 to %zu: "
			"name them in several requests, or plan their replay "
			"with \"where\"",
			list->count, most);
	ids = ch_arena_calloc(&c->arena, list->count, sizeof(*ids));
	f->ids = ids;
	for (v = list->child; v != NULL; v = v->next)
		if (v->type != CH_JSON_STRING ||
			!ch_uuid_parse_any(v->str, &ids[f->id_count++]))
			return ch_err_set(err, CH_EINVAL,
				"body: \"ids\" holds %.*s, expected letters' "
				"ids (UUIDs)",
				(int)(v->text.len < 64 ? v->text.len : 64),
				v->text.ptr);
	f->id_count = letters_ids_once(ids, f->id_count);
	return CH_OK;
}

static int
take_state(const char *text, struct letters_filter *f, struct ch_err *err)
{
	enum letter_state state;

	f->state = text;
	if (text == NULL || strcmp(text, "any") == 0 ||
		letter_state_of(ch_view_of(text), &state))
		return CH_OK;
	return ch_err_set(err, CH_EINVAL,
		"state is \"%.32s\", expected pending, replayed, resolved, "
		"discarded, quarantined, edited or any",
		text);
}

static int
take_cursor(const struct api_call *c, struct api_selection *s,
	struct ch_err *err)
{
	const char *text = c->arguments[API_CURSOR];

	if (text == NULL)
		return CH_OK;
	if (!ch_uuid_parse_any(ch_view_of(text), &s->after))
		return ch_err_set(err, CH_EINVAL,
			"cursor is \"%.40s\", expected what `next` said", text);
	s->f.after = &s->after;
	return CH_OK;
}

int
api_call_select(struct api_call *c, size_t ids_max, struct api_selection *s,
	struct ch_err *err)
{
	bool get = c->endpoint->method == CH_HTTP_GET;
	int rc;

	*s = (struct api_selection){.text = NULL};
	s->text = get ? c->arguments[API_WHERE] : api_call_text(c, "where");
	if (s->text != NULL && *s->text == '\0')
		s->text = NULL;
	rc = take_ids(c, ids_max, &s->f, err);
	if (rc == CH_OK)
		rc = take_state(get ? c->arguments[API_STATE]
				    : api_call_text(c, "state"),
			&s->f, err);
	if (rc == CH_OK)
		rc = take_cursor(c, s, err);
	if (rc == CH_OK && s->text != NULL) {
		rc = filter_compile(ch_view_of(s->text), LETTERS_FILTER_ARG,
			&s->where, err);
		c->wrong_at = rc != CH_OK ? s->where.wrong_at : 0;
		s->f.where = &s->where;
	}
	letters_filter_complete(&s->f);
	return rc;
}

void
api_selection_free(struct api_selection *s)
{
	filter_free(&s->where);
}

/* ---- answers ---- */

/* At most max bytes, and no half of a character. */
static struct ch_view
head_of(struct ch_view v, size_t max)
{
	bool text = ch_view_is_utf8(v);

	if (v.len <= max)
		return v;
	v.len = max;
	while (text && v.len > 0 && !ch_view_is_utf8(v))
		v.len--;
	return v;
}

void
api_add_unlooked(struct api_call *c, const struct destination_look *l)
{
	const char *why = destination_untold(l);

	if (why != NULL)
		ch_json_add_member(&c->out, "unlooked", ch_view_of(why));
}

int
api_add_letters(struct api_call *c, const char *name, const PGresult *res,
	struct ch_err *err)
{
	struct letters_row row;
	int i;

	ch_json_add_name(&c->out, name);
	ch_buf_addc(&c->out, '[');
	for (i = 0; i < PQntuples(res); i++) {
		if (letters_row(res, i, &row, err) != CH_OK)
			return CH_EPROTO;
		row.key = head_of(row.key, KEY_SHOWN);
		ch_json_add_comma(&c->out);
		ch_buf_addc(&c->out, '{');
		letter_json_letter(&c->out, &row, false);
		ch_buf_addc(&c->out, '}');
	}
	ch_buf_addc(&c->out, ']');
	return CH_OK;
}

int
api_add_texts(struct api_call *c, const char *name, const PGresult *res,
	int column, struct ch_err *err)
{
	struct ch_view text;
	int i;

	ch_json_add_name(&c->out, name);
	ch_buf_addc(&c->out, '[');
	for (i = 0; i < PQntuples(res); i++) {
		if (!ch_pg_get_text(res, i, column, &text))
			return ch_err_set(err, CH_EPROTO, "%s: no text", name);
		ch_json_add_comma(&c->out);
		ch_buf_addv(&c->out, text);
	}
	ch_buf_addc(&c->out, ']');
	return CH_OK;
}

void
api_call_refusal(struct ch_buf *out, const char *code, const char *said,
	const char *next, size_t wrong_at)
{
	ch_buf_adds(out, "{\"error\":{");
	ch_json_add_member(out, "code", ch_view_of(code));
	ch_json_add_member(out, "message", ch_view_of(said));
	ch_json_add_member(out, "next", ch_view_of(next));
	if (wrong_at > 0)
		ch_json_add_member_i64(out, "byte", (int64_t)wrong_at);
	ch_buf_adds(out, "}}");
}

struct failure {
	int rc, status;
	const char *code, *next;
};

static const struct failure failures[] = {
	{CH_EINVAL, 400, "invalid", "correct the request"},
	{CH_ENOTFOUND, 404, "not_found", "list what there is"},
	{CH_EEXIST, 409, "refused", "look at it again: it has changed"},
	{CH_ERANGE, 409, "refused", "look at the letter's past actions"},
	{CH_EFENCED, 403, "two_people",
		"make a plan, and let somebody else approve it"},
	{CH_ECLOSED, 503, "closing", "ask again"},
	{CH_EFULL, 503, "busy", "ask again in a moment"},
	{CH_EIO, 503, "no_database",
		"see that PostgreSQL runs and that api_database_url is right"},
	{CH_ETIMEOUT, 504, "too_slow",
		"select less: a topic, a class, an age; or ask the "
		"command line (outbox-relay dlq), which waits longer"},
	{CH_EKAFKA, 502, "kafka", "see that Kafka runs, then ask again"},
};

/* PostgreSQL's no: to a value (a regular expression), or to the time taken. */
static int
meaning_of(int rc, const struct ch_err *err)
{
	if (rc == CH_ESQL && strncmp(err->sqlstate, "22", 2) == 0)
		return CH_EINVAL;
	if (rc == CH_ESQL && strcmp(err->sqlstate, "57014") == 0)
		return CH_ETIMEOUT;
	return rc;
}

void
api_call_fail(struct api_call *c, int rc, const struct ch_err *err)
{
	struct failure f = {rc, 500, "failed", "see the relay's log"};
	size_t i;

	for (i = 0; i < sizeof(failures) / sizeof(*failures); i++)
		if (failures[i].rc == meaning_of(rc, err))
			f = failures[i];
	if (f.status >= 500)
		ch_warn("api.failed", CH_S("what", c->endpoint->path),
			CH_S("of", c->name), CH_ERR(err));
	ch_buf_clear(&c->out);
	c->status = f.status;
	c->content_type = "application/json";
	c->next[0] = '\0';
	api_call_refusal(&c->out, f.code, err->text, f.next,
		rc == CH_EINVAL ? c->wrong_at : 0);
}
