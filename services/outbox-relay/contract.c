/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract: columns found once a table, then one pass a row into buffers that
 * are kept.
 *
 * Headers are written as two bytea[] in PostgreSQL's binary format, the form
 * in which a message is stored when it is parked: what message.c reads from
 * outbox_retry it reads from here as well.
 */
#include "contract.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/hex.h"
#include "base/mem.h"
#include "column.h"
#include "placements.h"
#include "rewrite.h"

#define BYTEA_OID 17
#define ARRAY_COUNT_AT 12

struct headers {
	struct ch_buf names, values;
	uint32_t count;
};

struct contract {
	char *table, *prefix, *context, *run_id, *cloudevents;
	struct column id, key, payload, route_by, type;
	struct placements placed;
	int column_count; /* of a row */
	struct contract_type *types;
	size_t type_count;
	struct rewrite *rewrite; /* NULL: the prefix counts */
	enum contract_missing missing;
	enum contract_value value_as;
	bool tombstone;
	/* one row */
	struct headers headers;
	struct ch_buf topic, key_text, value, id_text, scratch;
};

/* ---- options ---- */

static int
check_options(const struct contract *c, const struct contract_options *opt,
	struct ch_err *err)
{
	struct ch_view rest = ch_view_of(opt->table), schema, table;

	if (!ch_view_split(&rest, '.', &schema) || schema.len == 0 ||
		!ch_view_split(&rest, '\0', &table) || table.len == 0)
		return ch_err_set(err, CH_ECONFIG,
			"outbox_table = \"%s\" is not <schema>.<table>: write "
			"public.%s if it lies there",
			opt->table, opt->table);
	if (c->placed.envelope && opt->value != CONTRACT_JSON)
		return ch_err_set(err, CH_ECONFIG,
			"outbox_placements has an envelope, which only JSON "
			"can show: set outbox_value = json, as Debezium's "
			"JsonConverter");
	return CH_OK;
}

static struct column
named(const char *name, const char *param)
{
	return (struct column){.name = ch_xstrdup(name), .param = param};
}

struct contract *
contract_new(const struct contract_options *opt, struct ch_err *err)
{
	struct contract *c = ch_xcalloc(1, sizeof(*c));

	c->table = ch_xstrdup(opt->table);
	c->prefix = ch_xstrdup(opt->prefix);
	c->context = ch_xstrdup(opt->context);
	c->run_id = ch_xstrdup(opt->run_id);
	c->cloudevents = ch_xstrdup(opt->cloudevents);
	c->id = named(opt->id, "outbox_id");
	c->key = named(opt->key, "outbox_key");
	c->payload = named(opt->payload, "outbox_payload");
	c->route_by = named(opt->route_by, "outbox_route_by");
	c->type = named(opt->type, "outbox_type");
	c->missing = opt->missing;
	c->value_as = opt->value;
	c->tombstone = opt->tombstone;
	if (placements_read(&c->placed, opt->placements, err) != CH_OK ||
		check_options(c, opt, err) != CH_OK)
		goto fail;
	if (opt->regex[0] == '\0')
		return c;
	c->rewrite = rewrite_new(opt->regex, opt->replacement, err);
	if (c->rewrite != NULL)
		return c;
fail:
	contract_free(c);
	return NULL;
}

static void
free_texts(struct contract *c)
{
	struct ch_buf *bufs[] = {&c->headers.names, &c->headers.values,
		&c->topic, &c->key_text, &c->value, &c->id_text, &c->scratch};
	char *texts[] = {c->table, c->prefix, c->context, c->run_id,
		c->cloudevents, c->id.name, c->key.name, c->payload.name,
		c->route_by.name, c->type.name};
	size_t i;

	for (i = 0; i < sizeof(bufs) / sizeof(*bufs); i++)
		ch_buf_free(bufs[i]);
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		free(texts[i]);
}

void
contract_free(struct contract *c)
{
	if (c == NULL)
		return;
	free_texts(c);
	placements_free(&c->placed);
	free(c->types);
	rewrite_free(c->rewrite);
	free(c);
}

bool
contract_is_of(const struct contract *c, struct ch_view schema,
	struct ch_view table)
{
	struct ch_view rest = ch_view_of(c->table), own;

	return ch_view_split(&rest, '.', &own) && ch_view_eq(own, schema) &&
		ch_view_eq(rest, table);
}

/* ---- columns ---- */

static struct contract_type *
known(const struct contract *c, uint32_t told)
{
	size_t i;

	for (i = 0; i < c->type_count; i++)
		if (c->types[i].told == told)
			return &c->types[i];
	return NULL;
}

void
contract_know(struct contract *c, const struct contract_type *types,
	size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		struct contract_type *t = known(c, types[i].told);

		if (t == NULL) {
			c->types = ch_xrealloc(c->types, c->type_count + 1,
				sizeof(*c->types));
			t = &c->types[c->type_count++];
		}
		*t = types[i];
	}
}

static void
set_type(const struct contract *c, struct column *own,
	const struct pgoutput_column *as)
{
	const struct contract_type *t = known(c, as->type);

	own->type = t != NULL ? t->type : as->type;
	own->kind = column_kind_of(own->type,
		t != NULL ? t->modifier : as->modifier);
}

static int
find(struct contract *c, struct column *own,
	const struct pgoutput_column *columns, int count, bool may_miss,
	struct ch_err *err)
{
	own->at = -1;
	for (int i = 0; i < count && own->at < 0; i++)
		if (ch_view_eq_str(columns[i].name, own->name))
			own->at = i;
	if (own->at < 0 && may_miss)
		return CH_OK;
	if (own->at < 0)
		return ch_err_set(err, CH_ECONFIG,
			"table %s has no column \"%s\", which %s names: name "
			"another, or publish the column",
			c->table, own->name, own->param);
	set_type(c, own, &columns[own->at]);
	if (own->kind != COLUMN_OTHER)
		return CH_OK;
	if (columns[own->at].called.len > 0)
		return ch_err_set(err, CH_ECONFIG,
			"%s.%s (%s) is of type %.*s, known are " COLUMN_TYPES
			": change the type or leave it out",
			c->table, own->name, own->param,
			CH_VIEW_ARG(columns[own->at].called));
	return ch_err_set(err, CH_ECONFIG,
		"%s.%s (%s) has type %" PRIu32 ":%" PRId32
		", known are " COLUMN_TYPES ": change the type or leave it out",
		c->table, own->name, own->param, own->type,
		columns[own->at].modifier);
}

static int
learn_placements(struct contract *c, const struct pgoutput_column *columns,
	int count, struct ch_err *err)
{
	bool may_miss = c->missing == CONTRACT_MISSING_IGNORE;
	size_t i;
	int rc;

	for (i = 0; i < c->placed.count; i++) {
		struct placement *p = &c->placed.all[i];

		rc = find(c, &p->column, columns, count, may_miss, err);
		if (rc != CH_OK)
			return rc;
		if (p->place == PLACE_PARTITION && p->column.at >= 0 &&
			p->column.type != COLUMN_INT4_OID)
			return ch_err_set(err, CH_ECONFIG,
				"%s.%s (outbox_placements) has type %" PRIu32
				", a partition must be an integer (int4)",
				c->table, p->column.name, p->column.type);
	}
	return CH_OK;
}

int
contract_learn(struct contract *c, const struct pgoutput_column *columns,
	int count, struct ch_err *err)
{
	struct column *own[] = {&c->id, &c->key, &c->payload, &c->route_by};
	size_t i;
	int rc;

	c->column_count = count;
	for (i = 0; i < sizeof(own) / sizeof(*own); i++) {
		rc = find(c, own[i], columns, count, false, err);
		if (rc != CH_OK)
			return rc;
	}
	if (c->cloudevents[0] != '\0') {
		rc = find(c, &c->type, columns, count, false, err);
		if (rc != CH_OK)
			return rc;
	}
	return learn_placements(c, columns, count, err);
}

/* ---- headers ---- */

static void
array_begin(struct ch_buf *b)
{
	ch_buf_clear(b);
	ch_buf_add_be32(b, 1); /* dimension */
	ch_buf_add_be32(b, 1); /* may have nulls */
	ch_buf_add_be32(b, BYTEA_OID);
	ch_buf_add_be32(b, 0); /* count: set at the end */
	ch_buf_add_be32(b, 1); /* lower bound */
}

static void
array_end(struct ch_buf *b, uint32_t count)
{
	ch_put_be32(b->ptr + ARRAY_COUNT_AT, count);
}

static void
array_add(struct ch_buf *b, struct ch_view v)
{
	ch_buf_add_be32(b, v.ptr != NULL ? (uint32_t)v.len : UINT32_MAX);
	ch_buf_addv(b, v);
}

static void
add_header(struct contract *c, const char *name, struct ch_view value)
{
	array_add(&c->headers.names, ch_view_of(name));
	array_add(&c->headers.values, value);
	c->headers.count++;
}

static void
add_context(struct contract *c)
{
	if (c->context[0] == '\0')
		return;
	add_header(c, "__debezium.context.connectorLogicalName",
		ch_view_of(c->context));
	add_header(c, "__debezium.context.taskId", CH_VIEW("0"));
	add_header(c, "__debezium.context.connectorName",
		CH_VIEW("postgresql"));
	add_header(c, "__debezium.context.runId", ch_view_of(c->run_id));
}

/* Empty, not NULL, when there is nothing in it. */
static struct ch_view
whole(const struct ch_buf *b)
{
	return (struct ch_view){b->len > 0 ? b->ptr : "", b->len};
}

/* The text of a column in b; ptr NULL: null. */
static int
text_of(struct ch_buf *b, const struct column *own,
	const struct ch_view *fields, struct ch_view *out, struct ch_err *err)
{
	int rc = CH_OK;

	ch_buf_clear(b);
	*out = (struct ch_view){NULL, 0};
	if (fields[own->at].ptr == NULL)
		return CH_OK;
	rc = column_add_text(b, own->kind, fields[own->at], err);
	if (rc == CH_OK)
		*out = whole(b);
	return rc;
}

static int
add_column_headers(struct contract *c, const struct ch_view *fields,
	struct ch_err *err)
{
	struct ch_view value;
	size_t i;
	int rc;

	for (i = 0; i < c->placed.count; i++) {
		const struct placement *p = &c->placed.all[i];

		if (p->place != PLACE_HEADER || p->column.at < 0)
			continue;
		rc = text_of(&c->scratch, &p->column, fields, &value, err);
		if (rc != CH_OK)
			return rc;
		add_header(c, p->alias, value);
	}
	return CH_OK;
}

/* The binary mode of CloudEvents 1.0 over Kafka. */
static int
add_cloudevents(struct contract *c, const struct ch_view *fields,
	struct ch_view id, struct ch_view key, struct ch_time at,
	struct ch_err *err)
{
	char time[CH_TIME_TEXT_MAX];
	struct ch_view type;
	int rc;

	if (c->cloudevents[0] == '\0')
		return CH_OK;
	rc = text_of(&c->scratch, &c->type, fields, &type, err);
	if (rc != CH_OK)
		return rc;
	/* both are needed: without them it is no CloudEvent, and says so */
	if (id.len == 0 || type.len == 0)
		return CH_OK;
	(void)ch_time_format(at, time);
	add_header(c, "ce_specversion", CH_VIEW("1.0"));
	add_header(c, "ce_id", id);
	add_header(c, "ce_source", ch_view_of(c->cloudevents));
	add_header(c, "ce_type", type);
	if (key.len > 0)
		add_header(c, "ce_subject", key);
	add_header(c, "ce_time", ch_view_of(time));
	if (c->value_as == CONTRACT_JSON || column_is_json(c->payload.type))
		add_header(c, "content-type", CH_VIEW("application/json"));
	return CH_OK;
}

static int
write_headers(struct contract *c, const struct ch_view *fields,
	struct ch_view id, struct ch_view key, struct ch_time at,
	struct ch_err *err)
{
	int rc;

	array_begin(&c->headers.names);
	array_begin(&c->headers.values);
	c->headers.count = 0;
	add_context(c);
	add_header(c, "id", id);
	rc = add_column_headers(c, fields, err);
	if (rc == CH_OK)
		rc = add_cloudevents(c, fields, id, key, at, err);
	array_end(&c->headers.names, c->headers.count);
	array_end(&c->headers.values, c->headers.count);
	return rc;
}

/* ---- value, topic, partition ---- */

static int
add_json(struct contract *c, const struct column *own,
	const struct ch_view *fields, struct ch_err *err)
{
	if (fields[own->at].ptr != NULL)
		return column_add_json(&c->value, own->kind, fields[own->at],
			err);
	ch_buf_adds(&c->value, "null");
	return CH_OK;
}

static int
write_envelope(struct contract *c, const struct ch_view *fields,
	struct ch_err *err)
{
	size_t i;
	int rc;

	ch_buf_adds(&c->value, "{\"payload\":");
	rc = add_json(c, &c->payload, fields, err);
	for (i = 0; rc == CH_OK && i < c->placed.count; i++) {
		const struct placement *p = &c->placed.all[i];

		if (p->place != PLACE_ENVELOPE || p->column.at < 0)
			continue;
		ch_buf_addc(&c->value, ',');
		(void)column_add_json(&c->value, COLUMN_TEXT,
			ch_view_of(p->alias), err);
		ch_buf_addc(&c->value, ':');
		rc = add_json(c, &p->column, fields, err);
	}
	ch_buf_addc(&c->value, '}');
	return rc;
}

static int
write_value(struct contract *c, const struct ch_view *fields,
	struct ch_view *out, struct ch_err *err)
{
	struct ch_view payload = fields[c->payload.at];
	int rc = CH_OK;

	ch_buf_clear(&c->value);
	*out = (struct ch_view){NULL, 0};
	if (c->tombstone &&
		(payload.ptr == NULL ||
			column_is_blank(c->payload.kind, payload)))
		return CH_OK;
	if (c->placed.envelope)
		rc = write_envelope(c, fields, err);
	else if (c->value_as == CONTRACT_JSON)
		rc = add_json(c, &c->payload, fields, err);
	else if (payload.ptr == NULL)
		return CH_OK;
	else if (c->payload.kind == COLUMN_BYTES)
		ch_buf_addv(&c->value, payload);
	else
		rc = column_add_text(&c->value, c->payload.kind, payload, err);
	*out = whole(&c->value);
	return rc;
}

/* A topic that cannot be is empty: the row is parked for its name. */
static int
write_topic(struct contract *c, const struct ch_view *fields,
	struct ch_err *err)
{
	struct ch_view value;
	int rc = text_of(&c->scratch, &c->route_by, fields, &value, err);

	ch_buf_clear(&c->topic);
	if (rc != CH_OK || value.ptr == NULL)
		return rc;
	if (c->rewrite == NULL) {
		ch_buf_adds(&c->topic, c->prefix);
		ch_buf_addv(&c->topic, value);
	} else if (rewrite_apply(c->rewrite, value, &c->topic, NULL) != CH_OK) {
		ch_buf_clear(&c->topic);
	}
	return CH_OK;
}

/* That of the last placed column, null or not. */
static struct ch_view
partition_of(const struct contract *c, const struct ch_view *fields)
{
	struct ch_view part = {NULL, 0};
	size_t i;

	for (i = 0; i < c->placed.count; i++)
		if (c->placed.all[i].place == PLACE_PARTITION &&
			c->placed.all[i].column.at >= 0)
			part = fields[c->placed.all[i].column.at];
	return part;
}

/* ---- the row's name ---- */

static struct ch_sha256
digest_of_row(const struct contract *c, const struct ch_view *fields)
{
	struct ch_sha256_run *run = ch_sha256_begin();
	char len[4];
	int i;

	for (i = 0; i < c->column_count; i++) {
		bool null = fields[i].ptr == NULL;

		ch_put_be32(len, null ? UINT32_MAX : (uint32_t)fields[i].len);
		ch_sha256_add(run, len, sizeof(len));
		if (!null)
			ch_sha256_add(run, fields[i].ptr, fields[i].len);
	}
	return ch_sha256_end(run);
}

/* What letters and webhooks know the row by; the header has the id as it is.
 * Two rows must never share a name, or the second counts as sent: an id that
 * is too long is its digest, and where none is, and no transaction is known,
 * the name is that of all that the row holds. */
static struct ch_view
row_id_of(struct contract *c, const struct ch_view *fields, struct ch_view id,
	const struct contract_origin *from)
{
	bool named = id.ptr != NULL && id.len > 0;
	struct ch_sha256 d;

	if (named && id.len < EVENT_ID_MAX)
		return id;
	ch_buf_clear(&c->scratch);
	if (!named && from->xid != 0) {
		ch_buf_printf(&c->scratch, "%" PRIu32 "-%" PRIu32, from->xid,
			from->place);
		return ch_buf_view(&c->scratch);
	}
	d = named ? ch_sha256_of(id) : digest_of_row(c, fields);
	ch_buf_add_hex(&c->scratch, d.bytes, (EVENT_ID_MAX - 1) / 2);
	return ch_buf_view(&c->scratch);
}

struct event *
contract_event(struct contract *c, const struct ch_view *fields,
	const struct contract_origin *from, struct ch_err *err)
{
	struct ch_view out[WAITED_FIELDS] = {{NULL, 0}}, id;
	char number[8], at[8];

	ch_put_be64(number, (uint64_t)from->number);
	ch_put_be64(at, (uint64_t)ch_time_to_pg(from->at));
	if (text_of(&c->id_text, &c->id, fields, &id, err) != CH_OK ||
		text_of(&c->key_text, &c->key, fields, &out[WAITED_KEY], err) !=
			CH_OK ||
		write_topic(c, fields, err) != CH_OK ||
		write_value(c, fields, &out[WAITED_VALUE], err) != CH_OK ||
		write_headers(c, fields, id, out[WAITED_KEY], from->at, err) !=
			CH_OK)
		return NULL;
	out[WAITED_NUMBER] = (struct ch_view){number, sizeof(number)};
	out[WAITED_TOPIC] = whole(&c->topic);
	out[WAITED_AT] = (struct ch_view){at, sizeof(at)};
	out[WAITED_PART] = partition_of(c, fields);
	out[WAITED_HEADER_NAMES] = ch_buf_view(&c->headers.names);
	out[WAITED_HEADER_VALUES] = ch_buf_view(&c->headers.values);
	out[WAITED_SOURCE] = ch_view_of(c->table);
	out[WAITED_ROW] = row_id_of(c, fields, id, from);
	return event_new(EVENT_APPLICATION, out, err);
}
