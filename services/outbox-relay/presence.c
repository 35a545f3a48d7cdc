/* SPDX-License-Identifier: Apache-2.0 */
/*
 * presence: the states of presence.h, and when to ask again.
 */
#include "presence.h"

#include "base/log.h"

#define ASK_EVERY_MS 500
#define ASK_MISSING_MS 2000
#define RECOUNT_MS 30000

static void
ask_in(struct presence *p, int64_t ms, struct ch_mono now)
{
	p->ask_at = (struct ch_mono){now.ns + ms * 1000000};
}

void
presence_want(struct presence *p)
{
	p->wanted = true;
}

void
presence_hope(struct presence *p, struct ch_mono now)
{
	if (p->state != PRESENCE_MISSING)
		return;
	p->state = PRESENCE_UNKNOWN;
	p->absent = false;
	p->ask_at = now;
}

void
presence_doubt(struct presence *p)
{
	p->state = PRESENCE_UNKNOWN;
}

bool
presence_is_due(const struct presence *p, struct ch_mono now)
{
	return p->wanted && p->state != PRESENCE_KNOWN &&
		p->ask_at.ns <= now.ns;
}

static bool
found(struct presence *p, int32_t partitions, const char *name)
{
	if (p->state == PRESENCE_MISSING || p->absent)
		ch_info("sink.topic_found", CH_S("topic", name));
	p->state = PRESENCE_KNOWN;
	p->partitions = partitions;
	p->wanted = p->absent = false;
	return true;
}

bool
presence_answer(struct presence *p, const struct ch_kafka_topic *is,
	const char *name, int64_t wait_ms, struct ch_mono now)
{
	ask_in(p, ASK_EVERY_MS, now);
	if (is->exists)
		return found(p, is->partitions, name);
	if (!p->absent) {
		p->absent = true;
		p->absent_since = now;
	}
	if (ch_mono_ms_since(now, p->absent_since) < wait_ms)
		return false;
	ask_in(p, ASK_MISSING_MS, now);
	if (p->state == PRESENCE_MISSING)
		return false;
	p->state = PRESENCE_MISSING;
	ch_error("sink.topic_missing", CH_S("topic", name),
		CH_S("do", "create the topic, then dlq replay"));
	return true;
}

void
presence_denied(struct presence *p, struct ch_mono now)
{
	ask_in(p, ASK_EVERY_MS, now);
	p->state = PRESENCE_KNOWN;
	p->partitions = PRESENCE_UNTOLD;
	p->wanted = p->absent = false;
}

bool
presence_has(const struct presence *p, int32_t partition)
{
	return p->partitions == PRESENCE_UNTOLD || partition < p->partitions;
}

bool
presence_recount(struct presence *p, struct ch_mono now)
{
	if (p->counted.ns != 0 &&
		ch_mono_ms_since(now, p->counted) < RECOUNT_MS)
		return false;
	p->counted = now;
	p->state = PRESENCE_UNKNOWN;
	p->ask_at = now;
	p->wanted = true;
	return true;
}

void
presence_silence(struct presence *p, struct ch_mono now)
{
	ask_in(p, ASK_EVERY_MS, now);
}

int64_t
presence_next_ms(const struct presence *p, struct ch_mono now)
{
	if (!p->wanted || p->state == PRESENCE_KNOWN)
		return -1;
	return p->ask_at.ns > now.ns ? (p->ask_at.ns - now.ns) / 1000000 + 1
				     : 0;
}
