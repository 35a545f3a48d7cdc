/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letters_query: placeholders exchanged, arguments in their order.
 */
#include "letters_query.h"

#include <stdlib.h>

#include "letter.h"
#include "outbox_relay_sql.h"

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ch_uuid));
}

size_t
letters_ids_once(struct ch_uuid *ids, size_t count)
{
	size_t i, kept = 0;

	if (count == 0)
		return 0;
	qsort(ids, count, sizeof(*ids), compare_ids);
	for (i = 1; i < count; i++)
		if (compare_ids(&ids[kept], &ids[i]) != 0)
			ids[++kept] = ids[i];
	return kept + 1;
}

void
letters_query_put(struct letters_query *q, const char *name, const char *words)
{
	const char *sql = ch_buf_str(&q->sql), *at;
	struct ch_buf whole = CH_BUF_INIT;
	struct ch_buf mark = CH_BUF_INIT;

	ch_buf_printf(&mark, "{%s}", name);
	at = strstr(sql, ch_buf_str(&mark));
	if (at != NULL) {
		ch_buf_add(&whole, sql, (size_t)(at - sql));
		ch_buf_adds(&whole, words);
		ch_buf_adds(&whole, at + mark.len);
		ch_buf_free(&q->sql);
		q->sql = whole;
	}
	q->stmt = (struct ch_pg_stmt){"", ch_buf_str(&q->sql)};
	ch_buf_free(&mark);
}

static void
add_wishes(struct letters_query *q, const struct letters_filter *f)
{
	size_t i;

	for (i = 0; i < f->id_count; i++)
		ch_pg_array_uuid(&q->ids, &f->ids[i]);
	if (f->id_count > 0)
		ch_pg_arg_array(&q->args, &q->ids);
	else
		ch_pg_arg_null(&q->args, CH_PG_UUID_ARRAY);
	ch_pg_arg_str(&q->args, f->topic);
	ch_pg_arg_str(&q->args,
		f->class == NULL ? NULL
				 : letter_class(ch_view_of(f->class)).ptr);
	ch_pg_arg_bytea(&q->args, ch_view_of(f->key));
	ch_pg_arg_str(&q->args, f->state);
	if (f->has_since)
		ch_pg_arg_time(&q->args, f->since);
	else
		ch_pg_arg_null(&q->args, CH_PG_TIMESTAMPTZ);
}

static void
add_values(struct ch_pg_args *args, const struct filter *where)
{
	const struct filter_arg *arg;
	size_t i;

	for (i = 0; i < where->arg_count; i++) {
		arg = &where->args[i];
		switch (arg->type) {
		case FILTER_TEXT:
			ch_pg_arg_text(args, arg->text);
			break;
		case FILTER_BYTES:
			ch_pg_arg_bytea(args, arg->text);
			break;
		case FILTER_NUMBER:
			ch_pg_arg_i64(args, arg->number);
			break;
		case FILTER_TIME:
			ch_pg_arg_time(args, (struct ch_time){arg->number});
			break;
		}
	}
}

void
letters_filter_complete(struct letters_filter *f)
{
	if (f->state != NULL && strcmp(f->state, "any") == 0)
		f->state = NULL;
	else if (f->state == NULL && f->id_count == 0 &&
		(f->where == NULL || !f->where->names_state))
		f->state = "pending";
}

void
letters_query_init(struct letters_query *q, const char *template,
	const struct letters_filter *f, int64_t free_arg)
{
	*q = (struct letters_query){.sql = CH_BUF_INIT};
	ch_buf_adds(&q->sql, template);
	letters_query_put(q, "where", outbox_relay_sql_letters_where);
	letters_query_put(q, "filter",
		f->where != NULL ? ch_buf_str(&f->where->sql) : "true");
	ch_pg_array_init(&q->ids, CH_PG_UUID_ARRAY);
	ch_pg_args_clear(&q->args);
	add_wishes(q, f);
	ch_pg_arg_i64(&q->args, free_arg);
	if (f->after != NULL)
		ch_pg_arg_uuid(&q->args, f->after);
	else
		ch_pg_arg_null(&q->args, CH_PG_UUID);
	if (f->where != NULL)
		add_values(&q->args, f->where);
}

void
letters_query_free(struct letters_query *q)
{
	ch_buf_free(&q->sql);
	ch_pg_array_free(&q->ids);
}
