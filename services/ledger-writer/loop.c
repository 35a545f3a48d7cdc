/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: what happens when.
 *
 * Batches form by themselves: while one is with PostgreSQL, session.c calls
 * intake_gather() for the next. A turn never waits for Kafka; between turns the
 * skeleton sleeps until a record, a timer or a retry is due.
 *
 * Two loads at most hold commands: `now`, which is applied until it is
 * committed or void, and intake.next, which gathers. A third exists only while
 * a poison command is looked for or a load that is too large is cut, a fourth
 * while partitions are tried alone.
 */
#include "loop.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "alert.h"
#include "apart.h"
#include "apply.h"
#include "fence.h"
#include "health.h"
#include "intake.h"
#include "meters.h"
#include "poison.h"
#include "rights.h"
#include "session.h"
#include "sweep.h"
#include "trades.h"

#define KAFKA_FD 0
#define HOUSEKEEPING_MS 1000
#define FAILURES_MAX 5	     /* batches given up in a row: not ready */
#define APART_AFTER 10	     /* then each partition is tried alone */
#define ALONE_AFTER 4	     /* and alone so often where it is tried at once */
#define HELD_TOLD 3	     /* a record that fails alone so often is told */
#define HELD_MS 2000	     /* it is tried again after so long, at most */
#define HELD_DOWN_MS 30000   /* the same when it costs the connection */
#define PARTITIONS_MS 600000 /* how often coming days' partitions are made */
#define TOLD_MS 5000	     /* and again after one was: it is told then */

struct loop {
	const struct ch_runtime *rt;
	struct session session;
	struct intake intake;
	struct fence fence;
	struct apply apply;
	struct poison poison;
	struct apart apart;
	struct trades trades;
	struct sweep sweep;
	struct health health;
	struct load *now;
	unsigned failed; /* loads of commands in a row, refusals apart */
	struct ch_backoff backoff; /* of what failed for now */
	struct ch_mono again_at;
	struct ch_mono housekept_at;
	struct ch_mono partitions_at;
	bool connected;
};

static struct ch_mono
mono(const struct loop *l)
{
	return ch_clock_mono(l->rt->clock);
}

/* What came in is counted as polling; an empty look is not. */
static void
gather(void *ctx)
{
	struct loop *l = ctx;
	struct ch_mono began = mono(l);
	size_t before = l->intake.next->batch.count + l->intake.trades->count;
	intake_gather(&l->intake);
	if (l->intake.next->batch.count + l->intake.trades->count > before)
		ch_series_observe(l->apply.phases[PHASE_POLL],
			(mono(l).ns - began.ns) / 1000);
}

static int
gather_fd(void *ctx)
{
	return intake_fd(&((struct loop *)ctx)->intake);
}

int
loop_start(void **state, const struct ch_runtime *rt, struct ch_err *err)
{
	struct loop *l = ch_xcalloc(1, sizeof(*l));
	l->rt = rt;
	l->backoff = (struct ch_backoff){.base_ms = 20, .cap_ms = 2000};
	int rc = session_open(&l->session, rt, err);
	if (rc == 0)
		rc = intake_open(&l->intake, rt, err);
	if (rc != 0) {
		session_close(&l->session);
		free(l);
		return rc;
	}
	const struct command_limits *limits =
		&l->intake.next->batch.reader.limits;
	l->session.meanwhile = gather;
	l->session.meanwhile_fd = gather_fd;
	l->session.ctx = l;
	fence_init(&l->fence, rt, &l->session, &l->intake);
	apply_init(&l->apply, rt, &l->session, &l->fence);
	poison_init(&l->poison, limits);
	apart_init(&l->apart, limits);
	trades_init(&l->trades, &l->apply);
	sweep_init(&l->sweep, &l->apply, &l->intake);
	health_init(&l->health, rt, &l->session);
	l->now = load_new(limits);
	*state = l;
	return 0;
}

void
loop_stop(void *state)
{
	struct loop *l = state;
	intake_commit_hints(&l->intake);
	health_free(&l->health);
	sweep_free(&l->sweep);
	trades_free(&l->trades);
	poison_free(&l->poison);
	apart_free(&l->apart);
	apply_free(&l->apply);
	load_free(l->now);
	intake_close(&l->intake, 5000);
	session_close(&l->session);
	free(l);
}

/* ---- the connection ---- */

/* *up: PostgreSQL can be used. After a loss nothing that was read counts. Not 0:
 * this role will never do. */
static int
connect_if_due(struct loop *l, bool *up, struct ch_err *err)
{
	struct ch_err why = CH_ERR_INIT;

	*up = false;
	if (l->connected && !session_is_up(&l->session)) {
		l->connected = false;
		intake_disown_all(&l->intake, mono(l));
		load_clear(l->now);
		poison_clear(&l->poison);
		apart_clear(&l->apart);
	}
	if (!session_ready(&l->session))
		return 0;
	if (!l->connected && rights_check(&l->session, &why) != 0) {
		if (why.code == CH_ECONFIG) {
			*err = why;
			return err->code;
		}
		ch_warn("rights.not_read", CH_ERR(&why));
		if (!session_is_up(&l->session))
			return 0;
	}
	l->connected = true;
	*up = true;
	return 0;
}

/* The Kafka client is finished. A static member that was fenced gets another
 * one, and with it other partitions; anything else ends the process. */
static int
start_over(struct loop *l, struct ch_err *err)
{
	if (!intake_was_fenced(&l->intake)) {
		*err = l->intake.fatal;
		return err->code;
	}
	load_clear(l->now);
	load_clear(l->intake.next);
	trade_load_clear(l->intake.trades);
	poison_clear(&l->poison);
	apart_clear(&l->apart);
	l->fence.described = NULL;
	return intake_reopen(&l->intake, err);
}

/* ---- commands ---- */

static void
wait_a_little(struct loop *l)
{
	int64_t ms = ch_backoff_next(&l->backoff, &l->session.rng);
	l->again_at.ns = mono(l).ns + ms * 1000000;
}

static bool
waiting(const struct loop *l)
{
	return ch_mono_ms_since(mono(l), l->again_at) < 0;
}

/* The next load in hand; false: there is none. */
static bool
take_load(struct loop *l)
{
	if (!load_is_good(l->now)) {
		struct load *spare =
			load_new(&l->intake.next->batch.reader.limits);
		load_filter(&l->now, &spare);
		load_free(spare);
	}
	if (!load_empty(l->now))
		return true;
	load_clear(l->now);
	if (poison_active(&l->poison)) {
		poison_take(&l->poison, l->now);
		if (load_empty(l->now)) /* all of them void */
			poison_passed(&l->poison);
		return !load_empty(l->now);
	}
	if (apart_active(&l->apart)) {
		apart_take(&l->apart, l->now);
		return !load_empty(l->now);
	}
	if (load_empty(l->intake.next)) {
		l->apply.failures = 0; /* nothing in hand that could fail */
		return false;
	}
	struct load *t = l->now;
	l->now = l->intake.next;
	l->intake.next = t;
	CH_FAILPOINT("ledger.after_poll");
	if (!load_is_good(l->now))
		return false;
	if (apart_wants(l->now)) {
		apart_begin(&l->apart, &l->now);
		apart_take(&l->apart, l->now);
	}
	return !load_empty(l->now);
}

/* ---- partitions that are tried alone ---- */

static void
tell_held(struct loop *l, struct partition *p)
{
	int64_t offset = l->now->batch.entries[0]->record.offset;
	if (p->held < HELD_TOLD || p->told)
		return;
	p->told = true;
	ch_error("partition.waits", CH_S("topic", p->topic),
		CH_I("part", p->part), CH_I("offset", offset),
		CH_S("sqlstate", l->apply.sqlstate),
		CH_S("error", l->apply.why),
		CH_S("mend",
			"mend what the error names: the record is tried again "
			"until then, and the others go on"));
	alert_partition_waits(&l->session, p, offset, l->apply.why);
}

/* The load in hand, of one partition, failed. */
static void
hold_back(struct loop *l)
{
	struct partition *p = l->now->parts[0].p;
	int64_t ms = 0;
	if (apart_failed(l->now)) {
		struct ch_backoff b = {.base_ms = 200,
			.cap_ms = session_is_up(&l->session) ? HELD_MS
							     : HELD_DOWN_MS,
			.attempt = p->held};
		ms = ch_backoff_next(&b, &l->session.rng);
		tell_held(l, p);
	}
	fence_let_go(&l->fence, p, ms);
}

static void
part(struct loop *l)
{
	apart_put(l->now);
	for (size_t i = 0; i < l->now->part_count; i++)
		fence_let_go(&l->fence, l->now->parts[i].p, 0);
	ch_warn("batch.apart", CH_U("partitions", l->now->part_count),
		CH_S("sqlstate", l->apply.sqlstate),
		CH_S("error", l->apply.why));
}

/* The load in hand failed, whatever for. True: it is void, and its partitions
 * are tried alone. again: it would be decided anew at once, and knows by now
 * what it has to lock. */
static bool
stand_apart(struct loop *l, bool again)
{
	struct load *now = l->now;
	bool alone = apart_is_alone(now);
	unsigned enough = !alone ? APART_AFTER : again ? ALONE_AFTER : 1;
	if (l->apply.clock_wrong || load_empty(now) || ++l->failed < enough)
		return false;
	if (alone)
		hold_back(l);
	else
		part(l);
	l->failed = 0;
	l->apply.again = 0; /* what is read again learns anew what to lock */
	l->apply.conflicts = 0;
	ch_backoff_reset(&l->backoff);
	load_clear(now);
	return true;
}

static void
passed_alone(struct loop *l)
{
	struct partition *p = l->now->parts[0].p;
	if (p->told)
		ch_info("partition.goes_on", CH_S("topic", p->topic),
			CH_I("part", p->part),
			CH_I("next_offset", p->next_offset));
	if (apart_passed(&l->apart, l->now))
		fence_let_go(&l->fence, p, 0);
}

static void
applied(struct loop *l, const char *kind)
{
	ch_series_add(ch_metrics_series(l->rt->metrics, LM_BATCHES, kind), 1);
	ch_metric_observe(l->rt->metrics, LM_BATCH_RECORDS,
		(int64_t)l->now->batch.count);
	if (apart_is_alone(l->now))
		passed_alone(l);
	load_clear(l->now);
	ch_backoff_reset(&l->backoff);
	l->failed = 0;
	if (poison_active(&l->poison))
		poison_passed(&l->poison);
}

/* The command in hand is refused alone, whatever else is done: its record goes
 * to rejected in the transaction of its offset. */
static void
park(struct loop *l)
{
	batch_park(&l->now->batch, 0, l->apply.sqlstate,
		ch_view_of(l->apply.why));
	enum apply_end end = apply_load(&l->apply, l->now, 0, true);
	if (end != APPLY_DONE) {
		load_clear(l->now); /* it is taken, refused and parked anew */
		wait_a_little(l);
		return;
	}
	ch_error("command.parked", CH_S("topic", l->now->parts[0].p->topic),
		CH_I("part", l->now->parts[0].p->part),
		CH_I("offset", l->now->parts[0].next_offset - 1),
		CH_S("sqlstate", l->apply.sqlstate),
		CH_S("error", l->apply.why));
	ch_metric_add(l->rt->metrics, LM_POISON, 1);
	applied(l, "parked");
}

static void
refused(struct loop *l)
{
	if (!poison_active(&l->poison)) {
		poison_suspect(&l->poison, &l->now);
		return;
	}
	if (poison_refused(&l->poison) == POISON_TRY) {
		load_clear(l->now);
		return;
	}
	switch (sweep_owners(&l->sweep, &l->now->batch.books,
		l->apply.locks.context.decided_at, SWEEP_ALL)) {
	case SWEEP_NOTHING: /* so it is the command that is refused */
		park(l);
		return;
	case SWEEP_SOME:
		if (!poison_acquit(&l->poison, l->sweep.refused)) {
			park(l);
			return;
		}
		break;
	case SWEEP_FAILED: /* nothing is known of it yet */
		(void)stand_apart(l, true);
		break;
	}
	load_clear(l->now);
}

/* More is due on its owners than goes into one transaction: that is settled by
 * the time that it would have had, some in each turn, and then it is decided. */
static void
settle_first(struct loop *l)
{
	if (sweep_owners(&l->sweep, &l->now->batch.books,
		    l->apply.locks.context.decided_at,
		    SWEEP_A_FEW) != SWEEP_SOME &&
		!stand_apart(l, false))
		wait_a_little(l);
}

static void
apply_commands(struct loop *l)
{
	if (!take_load(l))
		return;
	enum apply_end end =
		apply_load(&l->apply, l->now, l->apply.due_most, false);
	switch (end) {
	case APPLY_DONE:
		applied(l, "commands");
		break;
	case APPLY_DUE:
		settle_first(l);
		break;
	case APPLY_LARGE:
		poison_cut(&l->poison, &l->now, l->now->batch.fits);
		break;
	case APPLY_ROWS:
		refused(l);
		break;
	case APPLY_LATER:
		if (!stand_apart(l, false))
			wait_a_little(l);
		break;
	case APPLY_AGAIN:
	case APPLY_DOWN:
		(void)stand_apart(l, end == APPLY_AGAIN);
		break;
	case APPLY_FENCED: /* take_load() drops what is void */
		break;
	}
}

static void
store_trades(struct loop *l)
{
	if (l->intake.trades->count == 0)
		return;
	if (trades_store(&l->trades, l->intake.trades) == APPLY_LATER)
		wait_a_little(l);
}

/* ---- housekeeping ---- */

static void
publish_lag(struct loop *l)
{
	intake_hear_ends(&l->intake);
	for (size_t i = 0; i < l->intake.partitions.count; i++) {
		const struct partition *p = l->intake.partitions.items[i];
		char part[16];
		(void)snprintf(part, sizeof(part), "%d", p->part);
		struct ch_series *s = ch_metrics_series(l->rt->metrics, LM_LAG,
			p->topic, part);
		int64_t lag = partition_lag(p);
		if (lag < 0)
			ch_series_hide(s);
		else
			ch_series_set(s, lag);
	}
}

/* Of the oldest record: in hand its own word tells, in Kafka for how long its
 * partition has stood still. */
static int64_t
oldest_us(struct loop *l)
{
	const struct batch *b =
		!load_empty(l->now) ? &l->now->batch : &l->intake.next->batch;
	int64_t age = 0;
	if (b->count > 0 && b->entries[0]->record.has_timestamp)
		age = ch_clock_wall(l->rt->clock).us -
			b->entries[0]->record.timestamp.us;
	for (size_t i = 0; i < l->intake.partitions.count; i++) {
		int64_t us = partition_waits_ms(l->intake.partitions.items[i],
				     mono(l)) *
			1000;
		age = us > age ? us : age;
	}
	return age > 0 ? age : 0;
}

static void
publish_pending(struct loop *l)
{
	ch_metric_set(l->rt->metrics, LM_LAG_SECONDS, oldest_us(l));
	ch_metric_set(l->rt->metrics, LM_PENDING,
		(int64_t)(l->now->batch.count + l->intake.next->batch.count +
			l->intake.trades->count));
}

static void
next_partitions(struct loop *l, int64_t ms)
{
	l->partitions_at.ns = mono(l).ns + ms * INT64_C(1000000);
}

static void
make_partitions_ahead(struct loop *l)
{
	struct ch_err err = CH_ERR_INIT;
	int32_t made = 0;
	if (l->apply.partitions_made)
		next_partitions(l, TOLD_MS);
	l->apply.partitions_made = false;
	if (ch_mono_ms_since(mono(l), l->partitions_at) < 0)
		return;
	int rc = session_ensure_partitions(&l->session, &made, &err);
	next_partitions(l, made > 0 ? TOLD_MS : PARTITIONS_MS);
	if (rc != 0)
		ch_error("partitions.not_made", CH_ERR(&err),
			CH_S("mend",
				"let the schema's owner run "
				"ensure_partitions(), each day"));
}

/* Batches look at the clock themselves; this is for when there are none. */
static void
look_at_clock(struct loop *l)
{
	struct ch_err err = CH_ERR_INIT;
	bool right = locks_clock_is_right(&l->apply.locks, &err);
	if (!right && !l->apply.clock_wrong)
		ch_error("clock.wrong", CH_ERR(&err));
	l->apply.clock_wrong = !right;
	ch_series_set(ch_metrics_series(l->rt->metrics, LM_CLOCK_OFFSET, NULL),
		l->apply.locks.clock_offset_us);
}

/* Also while PostgreSQL is away: then most of all. */
static void
publish(struct loop *l)
{
	const struct partitions *ps = &l->intake.partitions;
	publish_lag(l);
	publish_pending(l);
	ch_metric_set(l->rt->metrics, LM_OWNED,
		(int64_t)partitions_count(ps, PARTITION_OWNED));
	ch_metric_set(l->rt->metrics, LM_STOPPED,
		(int64_t)partitions_count(ps, PARTITION_STOPPED));
}

static void
keep_house(struct loop *l)
{
	if (ch_mono_ms_since(mono(l), l->housekept_at) < HOUSEKEEPING_MS)
		return;
	l->housekept_at = mono(l);
	publish(l);
	if (!l->connected || !session_is_up(&l->session)) {
		ch_series_hide(ch_metrics_get(l->rt->metrics, LM_CLOCK_OFFSET));
		return;
	}
	CH_FAILPOINT("ledger.before_offset_commit");
	intake_commit_hints(&l->intake);
	look_at_clock(l);
	make_partitions_ahead(l);
	health_turn(&l->health);
	fence_check_topics(&l->fence);
}

/* ---- a turn ---- */

static int
at_most(int wait, int other)
{
	return other >= 0 && other < wait ? other : wait;
}

/* How long nothing has to be done, if nothing comes. */
static int
idle_ms(const struct loop *l)
{
	int wait = HOUSEKEEPING_MS;
	if (waiting(l))
		return at_most(wait,
			(int)-ch_mono_ms_since(mono(l), l->again_at) + 1);
	if (!load_empty(l->now) || poison_active(&l->poison) ||
		apart_active(&l->apart) || !load_empty(l->intake.next) ||
		l->intake.trades->count > 0)
		return 0;
	wait = at_most(wait, fence_wait_ms(&l->fence));
	return at_most(wait, sweep_wait_ms(&l->sweep));
}

int
loop_step(void *state, struct ch_err *err)
{
	struct loop *l = state;
	gather(l);
	if (l->intake.fatal.code != CH_OK && start_over(l, err) != 0)
		return err->code;
	if (l->intake.doubtful) /* before anything that was read is used */
		fence_check_topics(&l->fence);
	int wait;
	bool up;
	if (connect_if_due(l, &up, err) != 0)
		return err->code;
	if (up) {
		bool claimed = fence_claim_next(&l->fence);
		if (!waiting(l)) {
			apply_commands(l);
			store_trades(l);
			sweep_turn(&l->sweep);
		}
		wait = claimed ? 0 : idle_ms(l);
	} else {
		wait = at_most(200, session_wait_ms(&l->session));
	}
	keep_house(l);
	ch_runtime_watch_fd(l->rt, KAFKA_FD, intake_fd(&l->intake), 1);
	return wait;
}

bool
loop_ready(void *state, struct ch_buf *v)
{
	struct loop *l = state;
	const struct partitions *ps = &l->intake.partitions;
	bool ok = true;
	ok &= ch_ready_line(v, "postgres", session_is_up(&l->session),
		l->session.why.text);
	ok &= ch_ready_line(v, "kafka",
		ch_kafka_consumer_reachable(l->intake.consumer),
		"no broker answers");
	ok &= ch_ready_line(v, "partitions",
		partitions_count(ps, PARTITION_WANTED) == 0,
		"some are assigned and not claimed yet");
	ok &= ch_ready_line(v, "log",
		partitions_count(ps, PARTITION_STOPPED) == 0,
		"partitions are stopped: see fleet.alerts");
	ok &= ch_ready_line(v, "batches",
		l->apply.failures < FAILURES_MAX && !partitions_held(ps),
		l->apply.why);
	ok &= ch_ready_line(v, "clock", !l->apply.clock_wrong,
		"the clock is too far from PostgreSQL's");
	return ok;
}
