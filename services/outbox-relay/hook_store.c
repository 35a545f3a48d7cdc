/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_store: arguments and rows of services/outbox-relay/sql/webhook_*.sql.
 */
#include "hook_store.h"

#include <inttypes.h>
#include <stdio.h>

#include "hook_answer.h"
#include "letter.h"
#include "message.h"
#include "outbox_relay_sql.h"

static const struct ch_pg_stmt own_stmt = {
	"endpoints_own", outbox_relay_sql_endpoints_own};
static const struct ch_pg_stmt put_stmt = {
	"webhook_put", outbox_relay_sql_webhook_put};
static const struct ch_pg_stmt page_stmt = {
	"webhook_page", outbox_relay_sql_webhook_page};
static const struct ch_pg_stmt empty_stmt = {
	"webhook_empty", outbox_relay_sql_webhook_empty};
static const struct ch_pg_stmt done_stmt = {
	"webhook_done", outbox_relay_sql_webhook_done};
static const struct ch_pg_stmt again_stmt = {
	"webhook_again", outbox_relay_sql_webhook_again};
static const struct ch_pg_stmt later_stmt = {
	"webhook_later", outbox_relay_sql_webhook_later};
static const struct ch_pg_stmt bury_stmt = {
	"webhook_bury", outbox_relay_sql_webhook_bury};
static const struct ch_pg_stmt look_stmt = {
	"webhook_look", outbox_relay_sql_webhook_look};
static const struct ch_pg_stmt figures_stmt = {
	"webhook_figures", outbox_relay_sql_webhook_figures};
static const struct ch_pg_stmt forget_stmt = {
	"webhook_forget", outbox_relay_sql_webhook_forget};

int
hook_store_own(struct ch_pg *session, struct ch_pg_array *endpoints,
	PGresult **out, struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_array(&args, endpoints);
	return ch_pg_query(session, &own_stmt, &args, out, err);
}

/* ---- events come in ---- */

void
hook_rows_init(struct hook_rows *r)
{
	ch_pg_array_init(&r->endpoint, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&r->digest, CH_PG_BYTEA_ARRAY);
	ch_pg_array_init(&r->key, CH_PG_BYTEA_ARRAY);
	ch_pg_array_init(&r->event, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&r->aggregatetype, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&r->type, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&r->body, CH_PG_BYTEA_ARRAY);
	ch_pg_array_init(&r->traceparent, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&r->at, CH_PG_TIMESTAMPTZ_ARRAY);
	ch_pg_array_init(&r->content, CH_PG_INT4_ARRAY);
	r->count = r->bytes = 0;
}

static void
each_array(struct hook_rows *r, void (*fn)(struct ch_pg_array *a))
{
	struct ch_pg_array *all[] = {&r->endpoint, &r->digest, &r->key,
		&r->event, &r->aggregatetype, &r->type, &r->body,
		&r->traceparent, &r->at, &r->content};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(*all); i++)
		fn(all[i]);
	r->count = r->bytes = 0;
}

void
hook_rows_clear(struct hook_rows *r)
{
	each_array(r, ch_pg_array_clear);
}

void
hook_rows_free(struct hook_rows *r)
{
	each_array(r, ch_pg_array_free);
}

static struct ch_view
header_of(const struct message *m, const char *name)
{
	size_t i;

	for (i = 0; i < m->header_count; i++)
		if (strcmp(m->headers[i].name, name) == 0 &&
			ch_view_is_utf8(m->headers[i].value) &&
			memchr(m->headers[i].value.ptr, '\0',
				m->headers[i].value.len) == NULL)
			return m->headers[i].value;
	return (struct ch_view){NULL, 0};
}

void
hook_rows_names(const struct event *e, struct ch_arena *arena,
	struct ch_view *aggregatetype, struct ch_view *type)
{
	struct message m = {.header_count = 0};

	if (e->source == EVENT_OUTBOX) {
		*aggregatetype = event_field(e, OUTBOX_TYPE_OF_AGGREGATE);
		*type = event_field(e, OUTBOX_TYPE);
		return;
	}
	/* of an application's row only its message is left */
	(void)message_of(e, arena, &m, NULL);
	*aggregatetype = event_field(e, WAITED_TOPIC);
	*type = header_of(&m, "ce_type");
	if (type->ptr == NULL)
		*type = header_of(&m, "type");
	if (type->ptr == NULL)
		*type = CH_VIEW("");
}

/* What keeps order: the key, or else the row itself. */
static void
add_digest(struct ch_pg_array *a, struct ch_view key, struct ch_view id)
{
	struct ch_sha256 d = ch_sha256_of(key.ptr != NULL ? key : id);

	if (key.ptr == NULL)
		d = ch_sha256_of((struct ch_view){
			(const char *)d.bytes, sizeof(d.bytes)});
	ch_pg_array_bytea(a,
		(struct ch_view){(const char *)d.bytes, sizeof(d.bytes)});
}

static void
add_text(struct ch_pg_array *a, struct ch_view v)
{
	if (v.ptr != NULL)
		ch_pg_array_text(a, v);
	else
		ch_pg_array_null(a);
}

static void
add_bytes(struct ch_pg_array *a, struct ch_view v)
{
	if (v.ptr != NULL)
		ch_pg_array_bytea(a, v);
	else
		ch_pg_array_null(a);
}

void
hook_rows_add(struct hook_rows *r, const char *endpoint, const struct event *e)
{
	struct ch_arena arena = CH_ARENA_INIT;
	struct ch_view aggregatetype, type, key = event_key(e);
	struct message m = {.header_count = 0};
	char id[EVENT_ID_MAX];

	event_id(e, id);
	hook_rows_names(e, &arena, &aggregatetype, &type);
	(void)message_of(e, &arena, &m, NULL);
	ch_pg_array_text(&r->endpoint, ch_view_of(endpoint));
	add_digest(&r->digest, key, ch_view_of(id));
	add_bytes(&r->key, key);
	ch_pg_array_text(&r->event, ch_view_of(id));
	ch_pg_array_text(&r->aggregatetype, aggregatetype);
	ch_pg_array_text(&r->type, type);
	add_bytes(&r->body, m.value);
	add_text(&r->traceparent, header_of(&m, "traceparent"));
	ch_pg_array_time(&r->at, event_time(e));
	ch_pg_array_i32(&r->content, (int32_t)event_content(e));
	r->count++;
	r->bytes += m.value.len + key.len;
	ch_arena_free(&arena);
}

int
hook_store_put(struct ch_pg *pg, struct hook_rows *r, struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_array(&args, &r->endpoint);
	ch_pg_arg_array(&args, &r->digest);
	ch_pg_arg_array(&args, &r->key);
	ch_pg_arg_array(&args, &r->event);
	ch_pg_arg_array(&args, &r->aggregatetype);
	ch_pg_arg_array(&args, &r->type);
	ch_pg_arg_array(&args, &r->body);
	ch_pg_arg_array(&args, &r->traceparent);
	ch_pg_arg_array(&args, &r->at);
	ch_pg_arg_array(&args, &r->content);
	return ch_pg_send(pg, &put_stmt, &args, err);
}

int64_t
hook_store_reused(const PGresult *res, struct ch_view *id)
{
	struct ch_pg_row r = ch_pg_row(res, 0);
	int64_t rows = ch_pg_next_i64(&r);

	*id = ch_pg_next_text_null(&r);
	return rows;
}

/* ---- deliveries go out ---- */

int
hook_store_page(struct ch_pg *pg, const char *endpoint,
	struct ch_pg_array *busy, size_t limit, int64_t bytes, bool newest,
	struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, endpoint);
	ch_pg_arg_array(&args, busy);
	ch_pg_arg_i64(&args, (int64_t)limit);
	ch_pg_arg_bool(&args, newest);
	ch_pg_arg_i64(&args, bytes);
	return ch_pg_send(pg, &page_stmt, &args, err);
}

static struct ch_view
kept(struct ch_arena *arena, struct ch_view v)
{
	return v.ptr != NULL ? ch_arena_view(arena, v)
			     : (struct ch_view){NULL, 0};
}

int
hook_store_row(const PGresult *res, int i, struct ch_arena *arena,
	struct hook_delivery *out, int64_t *version, struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, i);
	struct ch_view digest = ch_pg_next_bytea(&r);
	bool none;

	*version = ch_pg_next_i64(&r);
	if (digest.len != sizeof(out->key_digest))
		return ch_err_set(err, CH_EPROTO,
			"webhook_keys: a digest of %zu bytes", digest.len);
	memcpy(out->key_digest, digest.ptr, digest.len);
	out->id = ch_pg_next_i64_null(&r, &none);
	if (none)
		return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
	out->event_id = kept(arena, ch_pg_next_text(&r));
	out->webhook_id = kept(arena, ch_pg_next_text(&r));
	out->key = kept(arena, ch_pg_next_bytea_null(&r));
	out->aggregatetype = kept(arena, ch_pg_next_text(&r));
	out->type = kept(arena, ch_pg_next_text(&r));
	out->body = kept(arena, ch_pg_next_bytea_null(&r));
	out->traceparent = kept(arena, ch_pg_next_text_null(&r));
	out->at = ch_pg_next_time(&r);
	out->attempts = ch_pg_next_i32(&r);
	out->replays = ch_pg_next_i32(&r);
	out->refused_at = ch_pg_next_time_null(&r, &none);
	out->quota_since = ch_pg_next_time_null(&r, &none);
	out->content = (uint32_t)ch_pg_next_i32(&r);
	return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
}

int
hook_store_empty(struct ch_pg *pg, const char *endpoint,
	struct ch_pg_array *digests, struct ch_pg_array *versions,
	struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, endpoint);
	ch_pg_arg_array(&args, digests);
	ch_pg_arg_array(&args, versions);
	return ch_pg_send(pg, &empty_stmt, &args, err);
}

/* ---- what became of them ---- */

/* $1 to $4: its number alone may be another's, where the database was set back
 * to an earlier state while it was in hand; and it may have been put back from a
 * letter since, which this answer says nothing of. */
static void
name_delivery(struct ch_pg_args *args, const struct endpoint *e,
	const struct hook_flight *f)
{
	ch_pg_args_clear(args);
	ch_pg_arg_i64(args, f->delivery.id);
	ch_pg_arg_text(args, f->delivery.event_id);
	ch_pg_arg_str(args, e->name);
	ch_pg_arg_i32(args, f->delivery.replays);
}

static int
send_done(struct ch_pg *pg, const struct endpoint *e,
	const struct hook_flight *f, struct ch_err *err)
{
	struct ch_pg_args args;

	name_delivery(&args, e, f);
	ch_pg_arg_i32(&args, f->status);
	return ch_pg_send(pg, &done_stmt, &args, err);
}

static int
send_again(struct ch_pg *pg, const struct endpoint *e,
	const struct hook_flight *f, struct ch_err *err)
{
	struct ch_pg_args args;

	name_delivery(&args, e, f);
	ch_pg_arg_i32(&args, f->delivery.attempts + 1);
	ch_pg_arg_i32(&args, f->status);
	ch_pg_arg_bytea(&args, ch_buf_view(&f->response));
	ch_pg_arg_i64(&args, f->wait_ms);
	return ch_pg_send(pg, &again_stmt, &args, err);
}

static int
send_later(struct ch_pg *pg, const struct endpoint *e,
	const struct hook_flight *f, struct ch_time now, struct ch_err *err)
{
	struct ch_pg_args args;

	name_delivery(&args, e, f);
	ch_pg_arg_time(&args, now);
	ch_pg_arg_i32(&args, f->status);
	ch_pg_arg_bool(&args, f->failure == FAILURE_QUOTA);
	ch_pg_arg_bytea(&args, ch_buf_view(&f->response));
	return ch_pg_send(pg, &later_stmt, &args, err);
}

struct letter_headers {
	struct ch_pg_array names, values;
};

static void
add_header(struct letter_headers *h, const char *name, struct ch_view value)
{
	if (value.ptr == NULL)
		return;
	ch_pg_array_bytea(&h->names, ch_view_of(name));
	ch_pg_array_bytea(&h->values, value);
}

/* What is known of the event and of the last answer. */
static void
letter_headers_of(struct letter_headers *h, const struct hook_flight *f)
{
	const struct hook_delivery *d = &f->delivery;
	char number[16];

	ch_pg_array_init(&h->names, CH_PG_BYTEA_ARRAY);
	ch_pg_array_init(&h->values, CH_PG_BYTEA_ARRAY);
	add_header(h, "id", d->webhook_id);
	add_header(h, "aggregatetype", d->aggregatetype);
	add_header(h, "type", d->type);
	add_header(h, "traceparent", d->traceparent);
	(void)snprintf(number, sizeof(number), "%d", f->status);
	add_header(h, "ch_webhook_status", ch_view_of(number));
	if (f->response.len > 0)
		add_header(h, "ch_webhook_response", ch_buf_view(&f->response));
	(void)snprintf(number, sizeof(number), "%" PRId32, d->replays);
	if (d->replays > 0)
		add_header(h, "ch_replay_count", ch_view_of(number));
}

/* Another letter each time that it comes back from a replay, and of each event
 * that has this id. */
static struct ch_uuid
letter_of(const struct endpoint *e, const struct hook_delivery *d)
{
	struct ch_buf row = CH_BUF_INIT;
	struct ch_uuid id;

	ch_buf_addv(&row, d->event_id);
	if (d->content != 0)
		ch_buf_printf(&row, "/%08" PRIx32, d->content);
	if (d->replays > 0)
		ch_buf_printf(&row, "#%" PRId32, d->replays);
	id = letter_id(d->at, CH_VIEW("webhook"), ch_buf_view(&row),
		ch_view_of(e->target));
	ch_buf_free(&row);
	return id;
}

static int
send_bury(struct ch_pg *pg, const struct endpoint *e,
	const struct hook_flight *f, struct ch_err *err)
{
	struct ch_uuid letter = letter_of(e, &f->delivery);
	struct ch_buf reason = CH_BUF_INIT;
	struct letter_headers h;
	struct ch_pg_args args;
	char class[HOOK_ANSWER_CLASS_MAX];
	int rc;

	letter_headers_of(&h, f);
	hook_answer_class(f, class);
	hook_answer_reason(f, &reason);
	name_delivery(&args, e, f);
	ch_pg_arg_uuid(&args, &letter);
	ch_pg_arg_array(&args, &h.names);
	ch_pg_arg_array(&args, &h.values);
	ch_pg_arg_str(&args, class);
	ch_pg_arg_str(&args, ch_buf_str(&reason));
	ch_pg_arg_i32(&args, f->delivery.attempts + 1);
	ch_pg_arg_i32(&args, f->status);
	ch_pg_arg_bool(&args, e->blocks && f->delivery.key.ptr != NULL);
	rc = ch_pg_send(pg, &bury_stmt, &args, err);
	ch_pg_array_free(&h.names);
	ch_pg_array_free(&h.values);
	ch_buf_free(&reason);
	return rc;
}

int
hook_store_settle(struct ch_pg *pg, const struct endpoint *e,
	const struct hook_flight *f, struct ch_time now, struct ch_err *err)
{
	switch (f->verdict) {
	case HOOK_DONE:
		return send_done(pg, e, f, err);
	case HOOK_AGAIN:
		return send_again(pg, e, f, err);
	case HOOK_BURY:
		return send_bury(pg, e, f, err);
	case HOOK_LATER:
		return send_later(pg, e, f, now, err);
	}
	return CH_OK;
}

bool
hook_store_settled(const PGresult *res)
{
	bool same;

	return ch_pg_get_bool(res, 0, 0, &same) && same;
}

/* ---- all endpoints ---- */

static int
send_names(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	struct ch_pg_array *names, struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_array(&args, names);
	return ch_pg_send(pg, stmt, &args, err);
}

int
hook_store_look(struct ch_pg *pg, struct ch_pg_array *names, struct ch_err *err)
{
	return send_names(pg, &look_stmt, names, err);
}

int
hook_store_figures(struct ch_pg *pg, struct ch_pg_array *names,
	struct ch_err *err)
{
	return send_names(pg, &figures_stmt, names, err);
}

int
hook_store_forget(struct ch_pg *pg, int64_t age_ms, struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, age_ms);
	return ch_pg_send(pg, &forget_stmt, &args, err);
}
