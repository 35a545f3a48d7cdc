/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target: see target.h. The breaker counts; this says what its answers mean.
 */
#include "target.h"

#include <inttypes.h>
#include <stdio.h>

#define OPEN_MS 500
#define OPEN_MAX_MS 30000
#define HOPE_MS 1000
/* Shorter than a record rests that was answered unclearly (retry.c) in the long
 * run, so that the trial is another's one day. */
#define UNCLEAR_MS 1000

void
target_init(struct target *t, const char *name, struct ch_rng *rng)
{
	static const struct ch_breaker_limits limits = {
		1, OPEN_MS, OPEN_MAX_MS};

	*t = (struct target){.on_trial = false};
	ch_breaker_init(&t->breaker, name, &limits, rng);
}

bool
target_is_open(const struct target *t)
{
	return ch_breaker_state(&t->breaker) != CH_BREAKER_CLOSED;
}

enum target_answer
target_ask(struct target *t, bool suspect, struct ch_mono now)
{
	if (!target_is_open(t) && !suspect)
		return TARGET_SEND;
	if (!t->on_trial && ch_breaker_allows(&t->breaker, now))
		return TARGET_TRY;
	if (t->refusing && !t->on_trial)
		return TARGET_REFUSES;
	t->waiting = true;
	return TARGET_WAIT;
}

void
target_sent(struct target *t, struct ch_mono now)
{
	if (t->in_hand++ == 0)
		t->moved = now;
}

void
target_tried(struct target *t, struct ch_mono now)
{
	t->pass = ch_breaker_enter(&t->breaker, now);
	t->on_trial = true;
}

static void
note(struct target *t, enum failure f, const char *code, const char *text,
	struct ch_mono now)
{
	if (!target_is_open(t))
		t->since = now;
	t->cause = f;
	(void)snprintf(t->why, sizeof(t->why), "%s: %s", code, text);
}

static void
fail(struct target *t, enum failure f, struct ch_breaker_pass pass,
	struct ch_mono now)
{
	if (f == FAILURE_QUOTA)
		ch_breaker_limited(&t->breaker, pass, -1, now);
	else if (f == FAILURE_UNCLEAR)
		ch_breaker_limited(&t->breaker, pass, UNCLEAR_MS, now);
	else
		ch_breaker_failed(&t->breaker, pass, now);
}

/* Does it say that the topic takes nothing now? */
static bool
is_of_topic(enum failure f)
{
	return f == FAILURE_OUTAGE || f == FAILURE_QUOTA ||
		f == FAILURE_PERMANENT || f == FAILURE_DENIED;
}

enum failure
target_patience(struct target *t, enum failure f, int64_t patience_ms,
	struct ch_mono now)
{
	/* who is away says nothing of rights */
	if (f == FAILURE_OUTAGE || f == FAILURE_QUOTA)
		return f;
	if (f != FAILURE_DENIED) {
		t->denied.ns = 0;
		return f;
	}
	if (t->denied.ns == 0)
		t->denied = now;
	return ch_mono_ms_since(now, t->denied) < patience_ms
		? FAILURE_DENIED
		: FAILURE_PERMANENT;
}

/* A success of before an unclear answer says nothing about what comes after. */
static void
remember(struct target *t, enum failure f)
{
	if (f == FAILURE_NONE)
		t->taken = true;
	else if (f == FAILURE_UNCLEAR)
		t->taken = false;
}

static void
open_for(struct target *t, enum failure f, const char *code, const char *text,
	struct ch_mono now)
{
	note(t, f, code, text, now);
	fail(t, f, ch_breaker_enter(&t->breaker, now), now);
}

bool
target_denied(struct target *t, const char *code, const char *text,
	struct ch_mono now)
{
	(void)target_patience(t, FAILURE_DENIED, INT64_MAX, now);
	if (target_is_open(t))
		return false;
	open_for(t, FAILURE_DENIED, code, text, now);
	return true;
}

/* What was in hand is taken, the last of it now: that answers as a trial would. */
static void
close_moving(struct target *t, enum failure f, struct ch_mono now)
{
	t->stuck = t->stuck && f == FAILURE_NONE;
	if (!t->stuck || t->in_hand > 0 || t->on_trial)
		return;
	t->stuck = false;
	t->breaker.until = now;
	ch_breaker_ok(&t->breaker, ch_breaker_enter(&t->breaker, now));
}

bool
target_reported(struct target *t, enum failure f, const char *code,
	const char *text, struct ch_mono now)
{
	if (t->in_hand > 0)
		t->in_hand--;
	t->moved = now;
	remember(t, f);
	close_moving(t, f, now);
	if (!is_of_topic(f) || target_is_open(t))
		return false;
	open_for(t, f, code, text, now);
	return true;
}

enum failure
target_judged(struct target *t, enum failure f, const char *code,
	const char *text, struct ch_mono now)
{
	bool others = t->taken;

	t->on_trial = t->stuck = false;
	t->judged = now;
	remember(t, f);
	if (is_of_topic(f) || (f == FAILURE_UNCLEAR && !others)) {
		note(t, f, code, text, now);
		fail(t, f, t->pass, now);
		return f;
	}
	ch_breaker_ok(&t->breaker, t->pass);
	t->refusing = false;
	return f == FAILURE_UNCLEAR ? FAILURE_TRANSIENT : f;
}

void
target_drop(struct target *t, struct ch_mono now)
{
	t->in_hand = 0;
	t->stuck = false;
	if (t->on_trial)
		(void)target_judged(t, FAILURE_OUTAGE, "dropped",
			"its trial was given up", now);
}

void
target_refuse(struct target *t)
{
	t->refusing = target_is_open(t);
}

void
target_hope(struct target *t, struct ch_mono now)
{
	if (t->refusing && !t->on_trial &&
		ch_mono_ms_since(now, t->judged) >= HOPE_MS)
		t->breaker.until = now;
}

bool
target_open_stuck(struct target *t, int64_t outage_ms, struct ch_mono now)
{
	char text[80];

	if (t->in_hand == 0 || target_is_open(t) ||
		ch_mono_ms_since(now, t->moved) < outage_ms)
		return false;
	(void)snprintf(text, sizeof(text),
		"%zu records, none acknowledged for %" PRId64 " ms", t->in_hand,
		ch_mono_ms_since(now, t->moved));
	open_for(t, FAILURE_OUTAGE, "silent", text, now);
	t->stuck = true;
	return true;
}

int64_t
target_due(const struct target *t, struct ch_mono now)
{
	if (!t->waiting || t->on_trial)
		return -1;
	if (ch_breaker_allows(&t->breaker, now))
		return 0;
	return (t->breaker.until.ns - now.ns) / 1000000 + 1;
}
