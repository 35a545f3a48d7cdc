/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: see server.h.
 */
#include "server.h"

#include <stdlib.h>

#include "base/mem.h"
#include "world.h"

#define PAUSE_PATIENCE_US INT64_C(2000000)

void
server_open(struct server *s, struct world *w)
{
	*s = (struct server){.world = w,
		.store = mem_store_new(MEM_STORE_SOUND),
		.next_pid = 1000,
		.next_stream = 1};
	for (unsigned i = 0; i < SERVER_BACKENDS; i++)
		s->backends[i].number = i + 1;
}

static void
free_keys(struct backend *b)
{
	for (size_t i = 0; i < b->key_count; i++)
		free(b->keys[i]);
	b->key_count = 0;
}

void
server_close(struct server *s)
{
	for (unsigned i = 0; i < SERVER_BACKENDS; i++) {
		struct backend *b = &s->backends[i];

		free_keys(b);
		free(b->keys);
		free(b->rows);
		frozen_free(b->writes);
	}
	for (size_t i = 0; i < s->log_count; i++)
		frozen_free(s->log[i]);
	free(s->log);
	free(s->trades);
	free(s->changes);
	for (size_t i = 0; i < s->org_count; i++)
		free(s->orgs[i]);
	free(s->orgs);
	mem_store_free(s->store);
}

int32_t
server_org_id(struct server *s, struct ch_view name)
{
	size_t i = 0;

	while (i < s->org_count && !ch_view_eq_str(name, s->orgs[i]))
		i++;
	if (i == s->org_count) {
		s->orgs = ch_xrealloc(s->orgs, ++s->org_count, sizeof(char *));
		s->orgs[i] = ch_xviewdup(name);
	}
	return (int32_t)i + 1;
}

/* ---- pauses ---- */

static const char *const trading[] = {
	"transfer.post", "stock.reserve", "trade.record"};
static const char *const holding[] = {"hold.place", "group", "order.place"};
static const struct serial_pause pause_sets[SERVER_PAUSE_SETS][1] = {
	[1] = {{"trading", trading, 3}},
	[2] = {{"acme", holding, 3}},
};

void
server_pauses(int set, struct serial_now *now)
{
	now->pauses = pause_sets[set];
	now->pause_count = set != 0;
}

bool
server_is_bad(const struct row *row)
{
	return row->kind == ROW_HOLD && row->name.len > 3 &&
		memcmp(row->name.ptr, "bad", 3) == 0;
}

bool
server_wants_pauses(struct server *s, int set)
{
	if (s->pauses_since != 0 || set == s->pauses)
		return false;
	s->pauses_wanted = set;
	s->pauses_since = s->world->now.us;
	return true;
}

static void
change_pauses(struct server *s)
{
	if (s->change_count == s->change_cap) {
		s->change_cap = s->change_cap > 0 ? s->change_cap * 2 : 8;
		s->changes = ch_xrealloc(s->changes, s->change_cap,
			sizeof(*s->changes));
	}
	s->changes[s->change_count++] =
		(struct pause_change){++s->number, s->pauses_wanted};
	s->pauses = s->pauses_wanted;
	s->pauses_since = 0;
	world_count(s->world, s->pauses != 0 ? EVENT_PAUSED : EVENT_RESUMED);
}

/* ---- the end of a transaction ---- */

static void
release(struct server *s, struct backend *b)
{
	unsigned bit = 1u << b->number;

	for (size_t i = 0; i < b->row_count; i++) {
		if (b->rows[i]->locked_by == b->number)
			b->rows[i]->locked_by = 0;
		b->rows[i]->shared_by &= ~bit;
	}
	b->row_count = 0;
	for (int i = 0; i < SERVER_PARTS; i++) {
		if (s->fences[i].locked_by == b->number)
			s->fences[i].locked_by = 0;
	}
	b->has_pause_lock = false;
	free_keys(b);
	b->waits_row = NULL;
	b->waits_part = 0;
	b->waits_backend = 0;
	for (int i = 0; i < s->world->process_count; i++)
		proc_poke(&s->world->processes[i]);
}

static void
forget_writes(struct server *s, struct backend *b)
{
	if (b->writes != NULL && b->writes->batch.stream_count > 0 &&
		s->world->bug == BUG_LOG_SEQ_KEPT)
		s->log_seq_kept[b->writes->batch.streams[0].stream]++;
	frozen_free(b->writes);
	b->writes = NULL;
	b->move_count = 0;
	b->in_copy = false;
	b->zombie = false;
}

void
server_begin(struct server *s, struct backend *b)
{
	b->state = BACKEND_OPEN;
	b->since = s->world->now.us;
}

void
server_rollback(struct server *s, struct backend *b)
{
	forget_writes(s, b);
	release(s, b);
	if (b->state == BACKEND_OPEN || b->state == BACKEND_COMMITTING)
		b->state = BACKEND_IDLE;
}

static void
note_commit(struct server *s, struct frozen *f)
{
	size_t timers = 0;

	for (size_t i = 0; i < f->outcome_count; i++)
		timers += f->outcomes[i].timer;
	s->world->counts->batches++;
	s->world->counts->records += f->records;
	if (timers > 0 && f->records == 0)
		world_count(s->world, EVENT_SWEPT);
	if (s->log_count == s->log_cap) {
		s->log_cap = s->log_cap > 0 ? s->log_cap * 2 : 64;
		s->log = ch_xrealloc(s->log, s->log_cap, sizeof(*s->log));
	}
	f->committed = s->log_count;
	s->log[s->log_count++] = f;
}

static void
keep_trades(struct server *s, const struct frozen *f)
{
	for (size_t i = 0; i < f->trade_count; i++) {
		if (s->trade_count == s->trade_cap) {
			s->trade_cap = s->trade_cap > 0 ? s->trade_cap * 2 : 16;
			s->trades = ch_xrealloc(s->trades, s->trade_cap,
				sizeof(*s->trades));
		}
		s->trades[s->trade_count++] = f->trades[i];
	}
}

void
server_commit(struct server *s, struct backend *b)
{
	const char *problem;

	for (int i = 0; i < b->move_count; i++)
		s->fences[b->moves[i].part].next_offset =
			b->moves[i].next_offset;
	if (b->writes != NULL) {
		mem_store_commit(s->store, &b->writes->batch,
			&b->writes->context);
		keep_trades(s, b->writes);
		note_commit(s, b->writes);
		b->writes = NULL;
	}
	problem = mem_store_problem(s->store);
	if (problem != NULL)
		world_fail(s->world, "a table refuses what is committed: %s",
			problem);
	forget_writes(s, b);
	release(s, b);
	b->state = BACKEND_IDLE;
}

/* ---- connections ---- */

struct backend *
server_connect(struct server *s)
{
	struct backend *b = s->backends;

	if (s->down_until > s->world->now.us)
		return NULL;
	while (b < s->backends + SERVER_BACKENDS && b->state != BACKEND_FREE)
		b++;
	if (b == s->backends + SERVER_BACKENDS)
		return NULL;
	b->state = BACKEND_IDLE;
	b->pid = s->next_pid++;
	b->has_client = true;
	b->will_commit = false;
	b->busy = false;
	b->claims = 0;
	b->since = s->world->now.us;
	return b;
}

void
server_leave(struct server *s, struct backend *b, bool late)
{
	b->has_client = false;
	b->busy = false;
	b->acts_at = s->world->now.us +
		(late ? 1 + world_below(s->world, 3000000) : 0);
	if (!late)
		server_turn(s);
}

void
server_end(struct server *s, struct backend *b)
{
	if (s->world->bug == BUG_ZOMBIE_COMMITS && b->writes != NULL &&
		b->has_client) {
		release(s, b); /* the mistake: it is not rolled back */
		b->zombie = true;
		return;
	}
	server_rollback(s, b);
	b->claims = 0;
	b->state = b->has_client ? BACKEND_ENDED : BACKEND_FREE;
}

static bool
is_alive(const struct backend *b)
{
	return b->state != BACKEND_FREE && b->state != BACKEND_ENDED;
}

/* pg_blocking_pids() */
static bool
blocks(const struct server *s, const struct backend *b,
	const struct backend *of)
{
	if (of->waits_row != NULL &&
		(of->waits_row->locked_by == b->number ||
			(of->waits_row->shared_by & 1u << b->number) != 0))
		return true;
	if (of->waits_part > 0 &&
		s->fences[of->waits_part - 1].locked_by == b->number)
		return true;
	return of->waits_backend == b->number;
}

int
server_end_blockers(struct server *s, const struct backend *of, int part,
	int *pids, int most)
{
	int n = 0;

	if (s->world->bug == BUG_OWNER_LIVES)
		return 0;
	for (unsigned i = 0; i < SERVER_BACKENDS && n < most; i++) {
		struct backend *b = &s->backends[i];

		if (b == of || !is_alive(b) ||
			(!blocks(s, b, of) &&
				b->pid != s->fences[part].owner_pid))
			continue;
		pids[n++] = b->pid;
		world_count(s->world, EVENT_ENDED);
		server_end(s, b);
	}
	return n;
}

int
server_end_stopped(struct server *s, const struct backend *but, int64_t for_us,
	int *pids, int most)
{
	int n = 0;

	for (unsigned i = 0; i < SERVER_BACKENDS && n < most; i++) {
		struct backend *b = &s->backends[i];

		if (b == but || !is_alive(b) || !b->in_copy ||
			s->world->now.us - b->copies_since <= for_us)
			continue;
		pids[n++] = b->pid;
		world_count(s->world, EVENT_COPY_ENDED);
		server_end(s, b);
	}
	return n;
}

void
server_restart(struct server *s)
{
	world_count(s->world, EVENT_RESTARTED);
	s->down_until = s->world->now.us + world_below(s->world, 1500000);
	for (unsigned i = 0; i < SERVER_BACKENDS; i++) {
		struct backend *b = &s->backends[i];

		if (!is_alive(b))
			continue;
		if (b->state == BACKEND_COMMITTING && world_one_in(s->world, 2))
			server_commit(s, b); /* just before it went down */
		server_end(s, b);
	}
}

/* ---- as time goes on ---- */

/* What it was sent goes on without the client. */
static void
act(struct server *s, struct backend *b)
{
	int part = b->claims - 1;

	if (b->state == BACKEND_COMMITTING && b->will_commit)
		server_commit(s, b);
	else if (part >= 0 && s->fences[part].exists &&
		s->fences[part].locked_by == 0)
		server_claim(s, b, part);
	b->claims = 0;
	server_rollback(s, b);
	b->state = BACKEND_FREE;
}

static bool
idles_too_long(const struct server *s, const struct backend *b)
{
	return b->has_client && b->state == BACKEND_OPEN && !b->busy &&
		!b->in_copy && s->world->now.us - b->since > SERVER_IDLE_US;
}

static void
turn_pauses(struct server *s)
{
	bool is_held = false;
	bool impatient = s->world->now.us - s->pauses_since > PAUSE_PATIENCE_US;

	if (s->pauses_since == 0)
		return;
	for (unsigned i = 0; i < SERVER_BACKENDS; i++) {
		struct backend *b = &s->backends[i];

		if (b->has_pause_lock && impatient &&
			s->world->now.us - b->since > PAUSE_PATIENCE_US) {
			world_count(s->world, EVENT_PAUSE_ENDED);
			server_end(s, b);
		}
		is_held = is_held || b->has_pause_lock;
	}
	if (!is_held)
		change_pauses(s);
}

void
server_turn(struct server *s)
{
	for (unsigned i = 0; i < SERVER_BACKENDS; i++) {
		struct backend *b = &s->backends[i];

		if (!is_alive(b))
			continue;
		if (!b->has_client && b->acts_at <= s->world->now.us) {
			act(s, b);
		} else if (idles_too_long(s, b)) {
			world_count(s->world, EVENT_IDLE_ENDED);
			server_end(s, b);
		}
	}
	turn_pauses(s);
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
server_next(const struct server *s)
{
	int64_t at = INT64_MAX;

	if (s->pauses_since != 0)
		at = s->pauses_since + PAUSE_PATIENCE_US + 1;
	if (at <= s->world->now.us)
		at = s->world->now.us + 100000;
	for (unsigned i = 0; i < SERVER_BACKENDS; i++) {
		const struct backend *b = &s->backends[i];

		if (!is_alive(b))
			continue;
		if (!b->has_client)
			at = least(at, b->acts_at);
		else if (b->state == BACKEND_OPEN && !b->busy && !b->in_copy)
			at = least(at, b->since + SERVER_IDLE_US + 1);
	}
	return at;
}

/* ---- locks ---- */

bool
server_take_pause_lock(struct server *s, struct backend *b)
{
	if (s->pauses_since != 0) /* he queues before us */
		return false;
	b->has_pause_lock = true;
	b->since = s->world->now.us;
	return true;
}

static void
remember_row(struct backend *b, struct mem_row *m)
{
	if (b->row_count == b->row_cap) {
		b->row_cap = b->row_cap > 0 ? b->row_cap * 2 : 32;
		b->rows = ch_xrealloc(b->rows, b->row_cap, sizeof(*b->rows));
	}
	b->rows[b->row_count++] = m;
}

bool
server_take_row(struct server *s, struct backend *b, struct mem_row *m,
	bool shared)
{
	unsigned bit = 1u << b->number;
	bool is_mine = m->locked_by == b->number;

	(void)s;
	b->waits_row = NULL;
	if (is_mine)
		return true;
	if (m->locked_by != 0 || (!shared && (m->shared_by & ~bit) != 0)) {
		b->waits_row = m;
		return false;
	}
	if (shared)
		m->shared_by |= bit;
	else
		m->locked_by = b->number;
	remember_row(b, m);
	return true;
}

bool
server_take_fence(struct server *s, struct backend *b, int part)
{
	struct fence_row *f = &s->fences[part];

	b->waits_part = 0;
	if (f->locked_by != 0 && f->locked_by != b->number) {
		b->waits_part = part + 1;
		return false;
	}
	f->locked_by = b->number;
	return true;
}

/* ---- unique keys ---- */

static char *
key_of(const struct row *row)
{
	struct ch_buf t = CH_BUF_INIT;
	char *key;

	ch_buf_printf(&t, "%d/%.*s/", (int)row->kind,
		CH_VIEW_ARG(row->org->row.name));
	for (size_t i = 0; i < row->name.len; i++) /* ids may hold NULs */
		ch_buf_printf(&t, "%02x", (unsigned char)row->name.ptr[i]);
	key = ch_xviewdup(ch_buf_view(&t));
	ch_buf_free(&t);
	return key;
}

static struct backend *
holder_of(struct server *s, const struct backend *but, const char *key)
{
	for (unsigned i = 0; i < SERVER_BACKENDS; i++) {
		struct backend *b = &s->backends[i];

		for (size_t k = 0; b != but && k < b->key_count; k++) {
			if (strcmp(b->keys[k], key) == 0)
				return b;
		}
	}
	return NULL;
}

int
server_insert_name(struct server *s, struct backend *b, const char *key,
	bool is_there)
{
	const struct backend *other;

	b->waits_backend = 0;
	for (size_t i = 0; !is_there && i < b->key_count; i++)
		is_there = strcmp(b->keys[i], key) == 0;
	if (is_there)
		return -1;
	other = holder_of(s, b, key);
	if (other != NULL) {
		b->waits_backend = other->number;
		return 0;
	}
	if (b->key_count == b->key_cap) {
		b->key_cap = b->key_cap > 0 ? b->key_cap * 2 : 32;
		b->keys = ch_xrealloc(b->keys, b->key_cap, sizeof(char *));
	}
	b->keys[b->key_count++] = ch_xviewdup(ch_view_of(key));
	return 1;
}

int
server_insert_key(struct server *s, struct backend *b, const struct row *row)
{
	char *key;
	int had;

	if (s->world->bug == BUG_NO_UNIQUE && row->kind == ROW_ID)
		return 1;
	key = key_of(row);
	had = server_insert_name(s, b, key,
		mem_rows_find(mem_store_tables(s->store), row) != NULL);
	free(key);
	return had;
}

/* ---- trades_public ---- */

bool
server_has_trade(const struct server *s, const struct public_trade *t)
{
	for (size_t i = 0; i < s->trade_count; i++) {
		if (s->trades[i].number == t->number &&
			s->trades[i].traded_at == t->traded_at)
			return true;
	}
	return false;
}

/* ---- statements ---- */

bool
server_move_offset(struct server *s, struct backend *b, int part, int64_t epoch,
	int64_t previous, int64_t next)
{
	struct fence_row *f = &s->fences[part];
	bool same_epoch = f->epoch == epoch;
	bool same_offset = f->next_offset == previous;
	enum broker_topic topic = broker_topic_of(&s->world->broker, part);

	if (s->world->bug == BUG_NO_FENCE ||
		(s->world->bug == BUG_FILLS_UNFENCED && topic == BROKER_FILLS))
		same_epoch = same_offset = true;
	if (s->world->bug == BUG_NO_OFFSET)
		same_offset = true;
	if (!f->exists || !same_epoch || !same_offset)
		return false;
	b->moves[b->move_count++] = (struct fence_move){part, next};
	if ((s->world->bug == BUG_FILL_LOST && topic == BROKER_FILLS) ||
		(s->world->bug == BUG_PRINT_LOST && topic == BROKER_TRADES))
		f->next_offset = next; /* the mistake: whatever comes of it */
	return true;
}

void
server_claim(struct server *s, struct backend *b, int part)
{
	s->fences[part].epoch++;
	s->fences[part].owner_pid = b->pid;
}
