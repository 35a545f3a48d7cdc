/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreign: SQL around foreign_letters and foreign_cursors.
 */
#include "foreign.h"

#include <inttypes.h>

#include "outbox_relay_sql.h"

#define TIME_MAX_MS INT64_C(253402300799999) /* the year 9999 */

static const struct ch_pg_stmt cursors_stmt = {
	"foreign_cursors", outbox_relay_sql_foreign_cursors};
static const struct ch_pg_stmt store_stmt = {
	"foreign_store", outbox_relay_sql_foreign_store};
static const struct ch_pg_stmt move_stmt = {
	"foreign_move", outbox_relay_sql_foreign_move};

static int
read_cursor(const PGresult *res, int i, struct foreign_cursor *out,
	int32_t count, bool *was_another, struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, i);
	int32_t part = ch_pg_next_i32(&r);
	struct foreign_cursor c = {.known = true};
	bool same;

	c.next = ch_pg_next_i64(&r);
	c.newest = ch_pg_next_time(&r);
	same = ch_pg_next_bool(&r);
	if (!ch_pg_row_ok(&r, err))
		return CH_EPROTO;
	if (!same)
		*was_another = true;
	else if (part >= 0 && part < count)
		out[part] = c;
	return CH_OK;
}

int
foreign_cursors(struct ch_pg *pg, const struct foreign_log *log,
	struct foreign_cursor *out, int32_t count, bool *was_another,
	struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res;
	int rc, i;

	*was_another = false;
	for (i = 0; i < count; i++)
		out[i] = (struct foreign_cursor){.known = false};
	ch_pg_args_clear(&args);
	ch_pg_arg_uuid(&args, &log->id);
	ch_pg_arg_str(&args, log->cluster);
	ch_pg_arg_str(&args, log->topic);
	rc = ch_pg_query(pg, &cursors_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++)
		rc = read_cursor(res, i, out, count, was_another, err);
	PQclear(res);
	return rc;
}

/* Of the place in the log alone: whoever reads it again makes the same one. */
static struct ch_uuid
letter_of(const struct foreign_log *log, const struct foreign_record *r)
{
	struct ch_time at = {0};
	struct ch_buf name = CH_BUF_INIT;
	struct ch_uuid id;

	if (r->timestamp_ms > 0 && r->timestamp_ms <= TIME_MAX_MS)
		at.us = r->timestamp_ms * 1000;
	ch_buf_add(&name, log->id.bytes, sizeof(log->id.bytes));
	ch_buf_printf(&name, "/%" PRId32 "/%" PRId64, r->part, r->offset);
	id = ch_uuid_v7_named(at, ch_buf_view(&name));
	ch_buf_free(&name);
	return id;
}

static void
add_origin(struct ch_pg_args *args, const struct dialect_origin *o)
{
	bool named = o->topic.ptr != NULL;

	ch_pg_arg_str(args, dialect_name(o->dialect));
	ch_pg_arg_text(args, named ? o->topic : CH_VIEW(""));
	if (named && o->part >= 0)
		ch_pg_arg_i32(args, o->part);
	else
		ch_pg_arg_null(args, CH_PG_INT4);
	if (named && o->offset >= 0)
		ch_pg_arg_i64(args, o->offset);
	else
		ch_pg_arg_null(args, CH_PG_INT8);
	if (o->timestamp_ms >= 0 && o->timestamp_ms <= TIME_MAX_MS)
		ch_pg_arg_time(args, (struct ch_time){o->timestamp_ms * 1000});
	else
		ch_pg_arg_null(args, CH_PG_TIMESTAMPTZ);
}

static void
add_headers(const struct foreign_record *r, struct ch_pg_array *names,
	struct ch_pg_array *values)
{
	size_t i;

	ch_pg_array_init(names, CH_PG_BYTEA_ARRAY);
	ch_pg_array_init(values, CH_PG_BYTEA_ARRAY);
	for (i = 0; i < r->header_count; i++) {
		ch_pg_array_bytea(names, ch_view_of(r->headers[i].name));
		if (r->headers[i].value.ptr != NULL)
			ch_pg_array_bytea(values, r->headers[i].value);
		else
			ch_pg_array_null(values);
	}
}

int
foreign_put(struct ch_pg *pg, const struct foreign_log *log,
	const struct foreign_record *r, const char *actor, struct ch_err *err)
{
	const struct dialect_origin *o = &r->origin;
	struct ch_uuid id = letter_of(log, r);
	struct ch_pg_array names, values;
	struct ch_pg_args args;
	int rc;

	add_headers(r, &names, &values);
	ch_pg_args_clear(&args);
	ch_pg_arg_uuid(&args, &id);
	ch_pg_arg_uuid(&args, &log->id);
	ch_pg_arg_str(&args, log->topic);
	ch_pg_arg_i32(&args, r->part);
	ch_pg_arg_i64(&args, r->offset);
	add_origin(&args, o);
	ch_pg_arg_bytea(&args, r->key);
	ch_pg_arg_bytea(&args, r->value);
	ch_pg_arg_array(&args, &names);
	ch_pg_arg_array(&args, &values);
	ch_pg_arg_text(&args, o->class);
	ch_pg_arg_text(&args, o->reason);
	ch_pg_arg_i32(&args, o->attempts);
	ch_pg_arg_time(&args, r->at);
	if (o->has_letter)
		ch_pg_arg_uuid(&args, &o->letter);
	else
		ch_pg_arg_null(&args, CH_PG_UUID);
	ch_pg_arg_i32(&args, o->replays);
	ch_pg_arg_str(&args, actor);
	rc = ch_pg_pipeline_add(pg, &store_stmt, &args, err);
	ch_pg_array_free(&names);
	ch_pg_array_free(&values);
	return rc;
}

int
foreign_outcome(const PGresult *res, enum foreign_outcome *out,
	struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, 0);
	bool stored = ch_pg_next_bool(&r), known = ch_pg_next_bool(&r);
	bool returned = ch_pg_next_bool(&r);

	*out = returned	 ? FOREIGN_RETURNED
		: stored ? FOREIGN_STORED
		: known	 ? FOREIGN_KNOWN
			 : FOREIGN_REPEATED;
	return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
}

int
foreign_move(struct ch_pg *pg, const struct foreign_log *log, int32_t part,
	const struct foreign_cursor *to, const char *actor, struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_uuid(&args, &log->id);
	ch_pg_arg_i32(&args, part);
	ch_pg_arg_str(&args, log->cluster);
	ch_pg_arg_str(&args, log->topic);
	ch_pg_arg_i64(&args, to->next);
	ch_pg_arg_time(&args, to->newest);
	ch_pg_arg_bool(&args, to->back);
	ch_pg_arg_str(&args, actor);
	return ch_pg_pipeline_add(pg, &move_stmt, &args, err);
}
