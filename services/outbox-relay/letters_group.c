/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letters_group: what letters are told apart by, and the statement of it.
 */
#include "letters_group.h"

#include "outbox_relay_sql.h"

/* What letters are told apart by. */
static const struct column {
	const char *name, *sql;
	bool is_bytes; /* shown as text */
} columns[] = {
	{"topic", "topic", false},
	{"class", "error_class", false},
	{"fingerprint", "fingerprint", false},
	{"message", "letter_pattern(reason)", false},
	{"key", "record_key", true},
	{"age",
		"CASE WHEN now() - at < interval '1 hour' THEN '< 1h' "
		"WHEN now() - at < interval '1 day' THEN '1h - 1d' "
		"WHEN now() - at < interval '7 days' THEN '1d - 7d' "
		"ELSE '> 7d' END",
		false},
	{"kind", "kind", false},
	{"state", "state", false},
};
#define COLUMNS (sizeof(columns) / sizeof(*columns))

static int
add_column(struct letters_group *by, struct ch_view name, struct ch_err *err)
{
	size_t i;

	for (i = 0; i < COLUMNS; i++)
		if (ch_view_eq_str(name, columns[i].name))
			break;
	if (i == COLUMNS || by->count == LETTERS_GROUP_MAX)
		return ch_err_set(err, CH_EINVAL,
			"--by \"%.*s\": it is a list of topic, class, "
			"fingerprint, message, key, age, kind, state",
			(int)(name.len < 64 ? name.len : 64), name.ptr);
	by->names[by->count++] = columns[i].name;
	/* what the fingerprint is of */
	if (ch_view_eq_str(name, "fingerprint") &&
		by->count < LETTERS_GROUP_MAX)
		by->names[by->count++] = "message";
	return CH_OK;
}

int
letters_group_read(struct ch_view text, struct letters_group *out,
	struct ch_err *err)
{
	struct ch_view part;
	int rc = CH_OK;

	*out = (struct letters_group){.count = 0};
	while (rc == CH_OK && ch_view_split(&text, ',', &part))
		rc = add_column(out, ch_view_trim(part), err);
	return rc;
}

static const struct column *
column_of(const char *name)
{
	size_t i = 0;

	while (i + 1 < COLUMNS && strcmp(columns[i].name, name) != 0)
		i++;
	return &columns[i];
}

/* The message that the fingerprint before it is of: any letter's of the sort. */
static bool
is_implied(const struct letters_group *by, size_t i)
{
	return i > 0 && strcmp(by->names[i], "message") == 0 &&
		strcmp(by->names[i - 1], "fingerprint") == 0;
}

/* {keys}, {names} and {places} tell the letters apart, {columns} show the
 * sorts. */
static void
put_columns(struct letters_query *q, const struct letters_group *by)
{
	struct ch_buf shown = CH_BUF_INIT, keys = CH_BUF_INIT;
	struct ch_buf names = CH_BUF_INIT, places = CH_BUF_INIT;
	const struct column *c;
	size_t i, n = 0;

	for (i = 0; i < by->count; i++) {
		if (is_implied(by, i)) {
			ch_buf_adds(&shown, ", letter_pattern(a_reason)");
			continue;
		}
		c = column_of(by->names[i]);
		ch_buf_printf(&keys, ", %s AS k%zu", c->sql, n);
		ch_buf_printf(&names, ", k%zu", n);
		ch_buf_printf(&shown,
			c->is_bytes ? ", letter_text(k%zu)" : ", k%zu", n);
		ch_buf_printf(&places, "%s%zu", n > 0 ? ", " : "", n + 6);
		n++;
	}
	letters_query_put(q, "columns", ch_buf_str(&shown));
	letters_query_put(q, "keys", ch_buf_str(&keys));
	letters_query_put(q, "names", ch_buf_str(&names));
	letters_query_put(q, "places", n > 0 ? ch_buf_str(&places) : "()");
	ch_buf_free(&shown);
	ch_buf_free(&keys);
	ch_buf_free(&names);
	ch_buf_free(&places);
}

int
letters_group(struct ch_pg *pg, const struct letters_filter *f,
	const struct letters_group *by, PGresult **out, struct ch_err *err)
{
	struct letters_query q;
	int rc;

	letters_query_init(&q, outbox_relay_sql_letters_group, f, f->limit);
	put_columns(&q, by);
	rc = ch_pg_query(pg, &q.stmt, &q.args, out, err);
	letters_query_free(&q);
	return rc;
}

int
letters_sort(const PGresult *res, int i, const struct letters_group *by,
	struct letters_sort *out, struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, i);
	bool none;
	size_t c;

	out->letters = ch_pg_next_i64(&r);
	out->oldest = ch_pg_next_time_null(&r, &none);
	out->newest = ch_pg_next_time_null(&r, &none);
	out->bytes = ch_pg_next_i64(&r);
	for (c = 0; c < by->count; c++)
		out->names[c] = ch_pg_next_text_null(&r);
	return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
}
