/* SPDX-License-Identifier: Apache-2.0 */
/*
 * park: the queue of rows to put aside, and the release of blocked keys.
 *
 * Order of a blocked key: the letter, then its waiting rows by retry_id, then
 * the stream. A release reads a page of waiting rows, of many keys, while the
 * owner's cursor stands at the end, so nothing of a key is between them and the
 * stream; a key stays blocked (newer rows queue behind) until a page held the
 * last of its rows. Between two pages the owner reads and sends other rows.
 *
 * Failure: a crash after a waiting row was delivered and before it was swept
 * delivers it again, with its id.
 */
#include "park.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/pg_rows.h"
#include "letter.h"
#include "message.h"
#include "outbox_relay_sql.h"

#define WRITE_MAX 500 /* rows in one transaction */
#define PATIENCE_MS 20
#define LOOK_MAX 10000 /* letters asked about at a time */

/* One page of a release. */
#define RELEASE_KEYS 500
#define RELEASE_ROWS 2000
#define RELEASE_BYTES (1 << 20)

struct parked {
	struct parked *next;
	struct event *e;
	bool waits; /* behind letter; else it is a letter itself */
	bool blocks;
	struct ch_uuid letter;
	char class[48];
	char reason[CH_ERR_TEXT_MAX];
};

struct released {
	struct released *next;
	struct ch_uuid letter;
	int topic;
	char *key;
	size_t key_len;
	int64_t after; /* retry_id read so far */
};

struct park {
	struct retry *retry;
	struct route_table *routes;
	bool own;
	struct parked *head, **tail;
	size_t queued;
	struct released *released, **released_end;
	struct ch_pg_array delivered; /* retry_ids to be swept */
	struct ch_buf name;	      /* of a topic that is none */
	struct park_counts counts;
};

static const struct ch_pg_stmt remembered_stmt = {
	"relay_remembered", outbox_relay_sql_letters_remembered};
static const struct ch_pg_stmt readable_stmt = {
	"relay_readable", outbox_relay_sql_letters_readable};
static const struct ch_pg_stmt blocking_stmt = {
	"relay_blocking", outbox_relay_sql_letters_blocking};
static const struct ch_pg_stmt released_stmt = {
	"relay_released", outbox_relay_sql_letters_released};
static const struct ch_pg_stmt park_stmt = {
	"relay_park", outbox_relay_sql_letter_park};
static const struct ch_pg_stmt wait_stmt = {
	"relay_wait", outbox_relay_sql_retry_put};
static const struct ch_pg_stmt again_stmt = {
	"relay_wait_again", outbox_relay_sql_retry_again};
static const struct ch_pg_stmt move_stmt = {
	"relay_retry_move", outbox_relay_sql_retry_move};
static const struct ch_pg_stmt rows_stmt = {
	"relay_retry_rows", outbox_relay_sql_retry_rows};
static const struct ch_pg_stmt done_stmt = {
	"relay_retry_done", outbox_relay_sql_retry_done};

struct park *
park_new(struct retry *retry, struct route_table *routes, bool own)
{
	struct park *p = ch_xcalloc(1, sizeof(*p));

	p->retry = retry;
	p->routes = routes;
	p->own = own;
	p->tail = &p->head;
	p->released_end = &p->released;
	ch_pg_array_init(&p->delivered, CH_PG_INT8_ARRAY);
	return p;
}

static void
released_free(struct released *r)
{
	free(r->key);
	free(r);
}

void
park_clear(struct park *p)
{
	struct parked *q;
	struct released *r;

	while ((q = p->head) != NULL) {
		p->head = q->next;
		free(q);
	}
	while ((r = p->released) != NULL) {
		p->released = r->next;
		released_free(r);
	}
	p->tail = &p->head;
	p->released_end = &p->released;
	p->queued = 0;
	ch_pg_array_clear(&p->delivered);
	retry_clear(p->retry);
}

void
park_free(struct park *p)
{
	if (p == NULL)
		return;
	park_clear(p);
	ch_pg_array_free(&p->delivered);
	ch_buf_free(&p->name);
	free(p);
}

/* ---- what is known at the start ---- */

static bool
remember_row(void *ctx, const PGresult *res)
{
	struct park *p = ctx;
	struct ch_pg_row r = ch_pg_row(res, 0);
	struct ch_view origin = ch_pg_next_text(&r);
	struct ch_view row_id = ch_pg_next_text(&r);

	retry_remember(p->retry, origin, row_id, (uint32_t)ch_pg_next_i32(&r));
	return true;
}

/* One by one: they may be many. */
static int
load_remembered(struct park *p, struct ch_pg *pg, struct ch_err *err)
{
	struct ch_pg_row_sink sink = {.take = remember_row, .ctx = p};
	int rc = ch_pg_rows(pg, p->own ? &readable_stmt : &remembered_stmt,
		NULL, &sink, err);

	PQclear(sink.end);
	return rc;
}

static int
ask_blocking(struct ch_pg *pg, const struct queue_part *part, PGresult **res,
	struct ch_err *err)
{
	struct ch_pg_array shards;
	struct ch_pg_args args;
	int rc;

	queue_part_shards(part, &shards);
	ch_pg_args_clear(&args);
	ch_pg_arg_i32(&args, part->of);
	ch_pg_arg_array(&args, &shards);
	rc = ch_pg_query(pg, &blocking_stmt, &args, res, err);
	ch_pg_array_free(&shards);
	return rc;
}

int
park_leave(struct park *p, struct ch_pg *pg, const struct queue_part *part,
	struct ch_err *err)
{
	struct route_topic *topic;
	PGresult *res;
	int rc = ask_blocking(pg, part, &res, err), i;

	if (rc != CH_OK)
		return ch_err_wrap(err, "leave blocked keys");
	for (i = 0; i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);

		(void)ch_pg_next_uuid(&r);
		topic = route_stored(p->routes, ch_pg_next_text(&r), NULL);
		if (topic != NULL)
			retry_unblock(p->retry, topic->number,
				ch_pg_next_bytea(&r));
	}
	PQclear(res);
	return CH_OK;
}

int
park_load(struct park *p, struct ch_pg *pg, const struct queue_part *part,
	struct ch_err *err)
{
	park_clear(p);
	return park_add(p, pg, part, err);
}

int
park_add(struct park *p, struct ch_pg *pg, const struct queue_part *part,
	struct ch_err *err)
{
	struct route_topic *topic;
	PGresult *res;
	int rc, i;

	rc = load_remembered(p, pg, err);
	if (rc == CH_OK)
		rc = ask_blocking(pg, part, &res, err);
	if (rc != CH_OK)
		return ch_err_wrap(err, "load the dead letters");
	for (i = 0; i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		struct ch_uuid letter = ch_pg_next_uuid(&r);

		topic = route_stored(p->routes, ch_pg_next_text(&r), NULL);
		if (topic != NULL)
			retry_block(p->retry, topic->number,
				ch_pg_next_bytea(&r), &letter);
	}
	PQclear(res);
	return CH_OK;
}

/* ---- putting aside ---- */

/* Valid until the next call. Where there is no topic, because no topic may have
 * that name or there are too many: the name that it would have. */
static struct ch_view
topic_name(struct park *p, const struct event *e)
{
	if (e->topic != NULL)
		return ch_view_of(e->topic->name);
	ch_buf_clear(&p->name);
	route_name(p->routes, e, &p->name);
	return ch_buf_view(&p->name);
}

/* Also of a waiting row, which was an application's or the ledger's. */
static uint32_t
content_of(const struct park *p, const struct event *e)
{
	return p->own ? 0 : event_content(e);
}

/* Known from now on, not from when it is durable: that may take a while, and its
 * table be read again meanwhile. */
static struct parked *
enqueue(struct park *p, struct event *e)
{
	struct parked *q = ch_xcalloc(1, sizeof(*q));
	char id[EVENT_ID_MAX];

	event_id(e, id);
	retry_remember(p->retry, event_origin(e), ch_view_of(id),
		content_of(p, e));
	q->e = e;
	e->state = EVENT_PARKING;
	*p->tail = q;
	p->tail = &q->next;
	p->queued++;
	return q;
}

/* Two rows of one id and one moment are two letters. */
static struct ch_uuid
name_letter(struct park *p, const struct event *e, const char *id)
{
	char row[EVENT_ID_MAX + 16];

	(void)snprintf(row, sizeof(row), p->own ? "%s" : "%s/%08" PRIx32, id,
		content_of(p, e));
	return letter_id(event_time(e), event_origin(e), ch_view_of(row),
		topic_name(p, e));
}

void
park_refuse(struct park *p, struct event *e, const char *class,
	const char *reason)
{
	struct parked *q = enqueue(p, e);
	char id[EVENT_ID_MAX];

	event_id(e, id);
	q->letter = name_letter(p, e, id);
	q->blocks = e->topic != NULL && e->topic->policy == ROUTE_BLOCK &&
		event_key(e).ptr != NULL;
	ch_view_copy(ch_view_of(class), q->class, sizeof(q->class));
	ch_view_copy(ch_view_of(reason), q->reason, sizeof(q->reason));
	if (q->blocks)
		retry_block(p->retry, e->topic->number, event_key(e),
			&q->letter);
	ch_error("relay.parked", CH_S("row", id),
		CH_V("source", event_origin(e)),
		CH_V("topic", topic_name(p, e)), CH_S("class", class),
		CH_S("reason", reason), CH_B("blocks_key", q->blocks));
}

void
park_wait(struct park *p, struct event *e, const struct ch_uuid *letter)
{
	struct parked *q = enqueue(p, e);

	q->waits = true;
	q->letter = *letter;
}

size_t
park_queued(const struct park *p)
{
	return p->queued;
}

struct row_args {
	struct ch_pg_args args;
	struct ch_pg_array names, values;
	struct ch_arena arena;
	struct ch_buf reason;
	char id[EVENT_ID_MAX];
};

/* source, row_id, topic, part, key, value, headers: what both tables have. */
static void
row_args_add(struct row_args *a, struct park *p, const struct event *e)
{
	struct message m;
	size_t i;

	/* headers that cannot be read are left out; the rest is kept */
	(void)message_of(e, &a->arena, &m, NULL);
	event_id(e, a->id);
	ch_pg_arg_text(&a->args, event_origin(e));
	ch_pg_arg_str(&a->args, a->id);
	ch_pg_arg_text(&a->args, topic_name(p, e));
	if (m.part >= 0)
		ch_pg_arg_i32(&a->args, m.part);
	else
		ch_pg_arg_null(&a->args, CH_PG_INT4);
	ch_pg_arg_bytea(&a->args, m.key);
	ch_pg_arg_bytea(&a->args, m.value);
	ch_pg_array_init(&a->names, CH_PG_BYTEA_ARRAY);
	ch_pg_array_init(&a->values, CH_PG_BYTEA_ARRAY);
	for (i = 0; i < m.header_count; i++) {
		ch_pg_array_bytea(&a->names, ch_view_of(m.headers[i].name));
		if (m.headers[i].value.ptr != NULL)
			ch_pg_array_bytea(&a->values, m.headers[i].value);
		else
			ch_pg_array_null(&a->values);
	}
	ch_pg_arg_array(&a->args, &a->names);
	ch_pg_arg_array(&a->args, &a->values);
}

/* Of a waiting row that became a letter: else, read back anew, one key had two
 * letters with rows behind each. */
static int
move_waiting(struct ch_pg *pg, const struct parked *q, struct ch_err *err)
{
	struct ch_view old = event_field(q->e, WAITED_LETTER);
	struct ch_uuid letter;
	struct ch_pg_args args;

	if (q->e->source != EVENT_RETRY || q->waits || !q->blocks ||
		old.len != sizeof(letter.bytes))
		return CH_OK;
	memcpy(letter.bytes, old.ptr, sizeof(letter.bytes));
	ch_pg_args_clear(&args);
	ch_pg_arg_uuid(&args, &q->letter);
	ch_pg_arg_uuid(&args, &letter);
	ch_pg_arg_i64(&args, q->e->order);
	return ch_pg_pipeline_add(pg, &move_stmt, &args, err);
}

/* A row that waited has to wait again, behind another letter. */
static int
wait_again(struct ch_pg *pg, const struct parked *q, struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_uuid(&args, &q->letter);
	ch_pg_arg_i64(&args, q->e->order);
	return ch_pg_pipeline_add(pg, &again_stmt, &args, err);
}

static int
write_one(struct park *p, struct ch_pg *pg, const struct parked *q,
	struct ch_err *err)
{
	struct row_args a = {.arena = CH_ARENA_INIT, .reason = CH_BUF_INIT};
	int rc;

	if (q->waits && q->e->source == EVENT_RETRY)
		return wait_again(pg, q, err);
	ch_pg_args_clear(&a.args);
	ch_pg_arg_uuid(&a.args, &q->letter);
	row_args_add(&a, p, q->e);
	if (!q->waits) {
		ch_pg_arg_str(&a.args, q->class);
		/* a text that PostgreSQL refuses would stop the relay */
		ch_buf_add_printable(&a.reason, ch_view_of(q->reason),
			sizeof(q->reason));
		ch_pg_arg_str(&a.args, ch_buf_str(&a.reason));
		ch_pg_arg_i32(&a.args, q->e->attempts > 0 ? q->e->attempts : 1);
		ch_pg_arg_bool(&a.args, q->blocks);
	}
	rc = ch_pg_pipeline_add(pg, q->waits ? &wait_stmt : &park_stmt, &a.args,
		err);
	ch_pg_array_free(&a.names);
	ch_pg_array_free(&a.values);
	ch_buf_free(&a.reason);
	ch_arena_free(&a.arena);
	return rc;
}

/* BEGIN, and who has locked a table is not waited for. */
static int
add_begin(struct ch_pg *pg, struct ch_err *err)
{
	static const struct ch_pg_stmt
		begin = {"", "BEGIN"},
		patience = {"", "SET LOCAL lock_timeout = '20ms'"};
	int rc = ch_pg_pipeline_add(pg, &begin, NULL, err);

	return rc == CH_OK ? ch_pg_pipeline_add(pg, &patience, NULL, err) : rc;
}

static int
run_commit(struct ch_pg *pg, struct ch_err *err)
{
	static const struct ch_pg_stmt commit = {"", "COMMIT"};
	int rc = ch_pg_pipeline_add(pg, &commit, NULL, err);

	if (rc != CH_OK)
		return rc;
	rc = ch_pg_pipeline_run(pg, NULL, ch_pg_pipeline_count(pg), NULL, err);
	if (rc == CH_ESQL)
		(void)ch_pg_rollback(pg, NULL);
	return rc;
}

static int
write_batch(struct park *p, struct ch_pg *pg, size_t *n, struct ch_err *err)
{
	static const struct ch_pg_stmt durable = {
		"", "SET LOCAL synchronous_commit = on"};
	const struct parked *q;
	int rc;

	*n = 0;
	rc = add_begin(pg, err);
	if (rc == CH_OK)
		rc = ch_pg_pipeline_add(pg, &durable, NULL, err);
	for (q = p->head; rc == CH_OK && q != NULL && *n < WRITE_MAX;
		q = q->next) {
		rc = write_one(p, pg, q, err);
		if (rc == CH_OK)
			rc = move_waiting(pg, q, err);
		++*n;
	}
	CH_FAILPOINT("relay.in_park");
	return rc == CH_OK ? run_commit(pg, err) : rc;
}

int
park_write(struct park *p, struct ch_pg *pg, struct inflight *f,
	struct ch_err *err)
{
	struct parked *q;
	size_t n, i;
	int rc = write_batch(p, pg, &n, err);

	if (rc != CH_OK)
		return ch_err_wrap(err, "park %zu rows", n);
	CH_FAILPOINT("relay.after_park");
	for (i = 0; i < n; i++) {
		q = p->head;
		assert(q != NULL);
		p->head = q->next;
		if (p->head == NULL)
			p->tail = &p->head;
		p->queued--;
		p->counts.letters += !q->waits;
		p->counts.waiting += q->waits;
		if (q->e->source == EVENT_RETRY && !q->waits)
			park_delivered(p, q->e);
		inflight_done(f, q->e);
		free(q);
	}
	return CH_OK;
}

/* ---- releasing ---- */

bool
park_wants_release(const struct park *p)
{
	return p->released != NULL;
}

static void
release_key(struct park *p, struct retry_key *k)
{
	struct released *r = ch_xcalloc(1, sizeof(*r));

	k->released = true;
	r->letter = k->letter;
	r->topic = k->topic;
	r->key = ch_xviewdup((struct ch_view){k->key, k->len});
	r->key_len = k->len;
	*p->released_end = r;
	p->released_end = &r->next;
}

static int
ask_released(struct ch_pg *pg, struct retry_key *const *keys, size_t count,
	PGresult **res, struct ch_err *err)
{
	struct ch_pg_array letters;
	struct ch_pg_args args;
	size_t i;
	int rc;

	ch_pg_array_init(&letters, CH_PG_UUID_ARRAY);
	for (i = 0; i < count; i++)
		ch_pg_array_uuid(&letters, &keys[i]->letter);
	ch_pg_args_clear(&args);
	ch_pg_arg_array(&args, &letters);
	/* who has locked the table, to write it anew, is not waited for */
	rc = ch_pg_query_patient(pg, PATIENCE_MS, &released_stmt, &args, res,
		err);
	ch_pg_array_free(&letters);
	return rc != CH_OK && ch_pg_lock_not_had(err) ? CH_OK : rc;
}

int
park_look(struct park *p, struct ch_pg *pg, struct ch_err *err)
{
	struct retry_key **keys;
	PGresult *res = NULL;
	int64_t place;
	size_t count;
	int rc = CH_OK, i;

	if (retry_blocked(p->retry) == 0)
		return CH_OK;
	keys = ch_xcalloc(LOOK_MAX, sizeof(struct retry_key *));
	count = retry_next_blocked(p->retry, keys, LOOK_MAX);
	if (count > 0)
		rc = ask_released(pg, keys, count, &res, err);
	for (i = 0; i < PQntuples(res); i++)
		if (ch_pg_get_i64(res, i, 0, &place) && place >= 1 &&
			(size_t)place <= count)
			release_key(p, keys[place - 1]);
	PQclear(res);
	free(keys);
	return rc == CH_OK ? rc : ch_err_wrap(err, "look at blocked keys");
}

struct release {
	struct released *keys[RELEASE_KEYS];
	int64_t rows[RELEASE_KEYS];  /* read of each */
	int64_t after[RELEASE_KEYS]; /* the last of them */
	size_t count;
	int64_t most; /* rows of one key */
	size_t whole; /* keys before this one were not cut off by bytes */
};

static int
ask_page(const struct release *g, struct ch_pg *pg, PGresult **res,
	struct ch_err *err)
{
	struct ch_pg_array letters, after;
	struct ch_pg_args args;
	size_t i;
	int rc;

	ch_pg_array_init(&letters, CH_PG_UUID_ARRAY);
	ch_pg_array_init(&after, CH_PG_INT8_ARRAY);
	for (i = 0; i < g->count; i++) {
		ch_pg_array_uuid(&letters, &g->keys[i]->letter);
		ch_pg_array_i64(&after, g->keys[i]->after);
	}
	ch_pg_args_clear(&args);
	ch_pg_arg_array(&args, &letters);
	ch_pg_arg_array(&args, &after);
	ch_pg_arg_i64(&args, g->most);
	ch_pg_arg_i64(&args, RELEASE_BYTES);
	rc = ch_pg_query_patient(pg, PATIENCE_MS, &rows_stmt, &args, res, err);
	ch_pg_array_free(&letters);
	ch_pg_array_free(&after);
	return rc == CH_OK ? rc : ch_err_wrap(err, "read waiting rows");
}

/* Columns of retry_rows.sql behind the row's own. */
enum { PAGE_PLACE = WAITED_FIELDS, PAGE_FOUND };

static int
read_waiting(struct release *g, const PGresult *res, int row,
	struct inflight *f, struct ch_err *err)
{
	struct ch_view fields[WAITED_FIELDS];
	int64_t number = 0, found = 0;
	struct event *e;
	size_t place;
	int i;

	for (i = 0; i < WAITED_FIELDS; i++)
		fields[i] = ch_pg_value(res, row, i);
	if (!ch_pg_get_i64(res, row, PAGE_PLACE, &number) || number < 1 ||
		(size_t)number > g->count ||
		!ch_pg_get_i64(res, row, PAGE_FOUND, &found))
		return ch_err_set(err, CH_EPROTO, "a waiting row of no key");
	e = event_new(EVENT_RETRY, fields, err);
	if (e == NULL)
		return CH_EPROTO;
	place = (size_t)number - 1;
	g->after[place] = e->order;
	g->rows[place]++;
	g->whole = found > PQntuples(res) ? place : g->count;
	inflight_add(f, e);
	return CH_OK;
}

static int
read_page(struct release *g, const PGresult *res, struct inflight *f,
	struct ch_time now, struct ch_err *err)
{
	int rc = CH_OK, i;

	g->whole = g->count;
	inflight_begin(f, now);
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++)
		rc = read_waiting(g, res, i, f, err);
	if (rc == CH_OK)
		inflight_end(f, 0, NULL);
	else
		inflight_abandon(f);
	return rc;
}

static void
unblock(struct park *p, struct released *r)
{
	struct ch_view key = {r->key, r->key_len};
	struct retry_key *k = retry_blocked_key(p->retry, r->topic, key);

	/* one of the waiting rows may have been refused meanwhile: then its
	 * letter can be asked about now */
	if (k != NULL && memcmp(&k->letter, &r->letter, sizeof(k->letter)) != 0)
		k->released = false;
	else
		retry_unblock(p->retry, r->topic, key);
	ch_debug("relay.key_released",
		CH_S("topic", route_topic_at(p->routes, r->topic)->name),
		CH_V("key", key));
	p->counts.released++;
	released_free(r);
}

/* Keys all of whose rows are read flow again. */
static void
unblock_read(struct park *p, const struct release *g)
{
	struct released **at = &p->released, *r;
	size_t i;

	for (i = 0; i < g->count; i++) {
		r = *at;
		if (g->rows[i] > 0)
			r->after = g->after[i];
		if (i >= g->whole || g->rows[i] == g->most) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		unblock(p, r);
	}
	if (*at == NULL)
		p->released_end = at;
}

int
park_release(struct park *p, struct ch_pg *pg, struct inflight *f,
	struct ch_time now, struct ch_err *err)
{
	struct release g = {.count = 0};
	struct released *r;
	uint64_t before = p->counts.released;
	PGresult *res;
	int rc;

	for (r = p->released; r != NULL && g.count < RELEASE_KEYS; r = r->next)
		g.keys[g.count++] = r;
	if (g.count == 0)
		return CH_OK;
	g.most = RELEASE_ROWS / (int64_t)g.count;
	rc = ask_page(&g, pg, &res, err);
	if (rc != CH_OK)
		return rc;
	rc = read_page(&g, res, f, now, err);
	PQclear(res);
	if (rc != CH_OK)
		return rc;
	unblock_read(p, &g);
	ch_info("relay.keys_released",
		CH_U("keys", p->counts.released - before),
		CH_U("blocked", retry_blocked(p->retry)));
	return CH_OK;
}

void
park_delivered(struct park *p, const struct event *e)
{
	ch_pg_array_i64(&p->delivered, e->order);
}

bool
park_is_swept(const struct park *p)
{
	return p->delivered.count == 0;
}

int
park_sweep(struct park *p, struct ch_pg *pg, struct ch_err *err)
{
	struct ch_pg_args args;
	int rc;

	if (park_is_swept(p))
		return CH_OK;
	ch_pg_args_clear(&args);
	ch_pg_arg_array(&args, &p->delivered);
	rc = add_begin(pg, err);
	if (rc == CH_OK)
		rc = ch_pg_pipeline_add(pg, &done_stmt, &args, err);
	if (rc == CH_OK)
		rc = run_commit(pg, err);
	if (rc != CH_OK)
		return ch_err_wrap(err, "sweep outbox_retry");
	ch_pg_array_clear(&p->delivered);
	return CH_OK;
}

const struct park_counts *
park_counts(const struct park *p)
{
	return &p->counts;
}
