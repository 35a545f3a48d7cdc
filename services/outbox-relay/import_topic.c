/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_topic: cursors held against what the log has.
 */
#include "import_topic.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define AGAIN_MS 200 /* a broker is asked once more */

__attribute__((format(printf, 2, 3))) static void
warn(const struct import_source *s, const char *fmt, ...)
{
	struct ch_buf text = CH_BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	ch_buf_vprintf(&text, fmt, ap);
	va_end(ap);
	s->warned(s->ctx, ch_buf_str(&text));
	ch_buf_free(&text);
}

/* ---- where to begin ---- */

/* A partition that was just made, or whose leader moves, is not led for a
 * moment. */
static int
ask_ends(const struct import_source *s, const struct import_topic *t,
	int32_t part, int64_t *low, int64_t *high, struct ch_err *err)
{
	struct ch_mono began = ch_clock_mono(s->clock);
	int rc;

	do {
		rc = ch_kafka_consumer_query_watermarks(s->consumer,
			t->log.topic, part, IMPORT_ASK_MS, low, high, err);
		if (rc == CH_EKAFKA)
			(void)poll(NULL, 0, AGAIN_MS);
	} while (rc == CH_EKAFKA &&
		ch_mono_ms_since(ch_clock_mono(s->clock), began) <
			IMPORT_ASK_MS);
	return rc;
}

static int
wanted_start(const struct import_source *s, const struct import_topic *t,
	int32_t part, int64_t low, int64_t *start, struct ch_err *err)
{
	struct import_part *p = &t->parts[part];
	int rc = CH_OK;

	switch (s->from) {
	case IMPORT_CURSOR:
		*start = p->cursor.known ? p->cursor.next : low;
		break;
	case IMPORT_EARLIEST:
		*start = low;
		break;
	case IMPORT_LATEST:
		*start = p->end;
		break;
	case IMPORT_TIME:
		rc = ch_kafka_consumer_query_time(s->consumer, t->log.topic,
			part, s->from_time.us / 1000, IMPORT_ASK_MS, start,
			err);
		if (rc == CH_OK && *start < 0)
			*start = p->end;
		break;
	}
	return rc;
}

static void
tell_gone(const struct import_source *s, struct import_topic *t, int32_t part,
	int64_t from, int64_t to)
{
	t->counts.gone += to - from;
	warn(s,
		"%s[%" PRId32 "]: the log begins at %" PRId64
		", behind the cursor at %" PRId64 ": up to %" PRId64
		" records were dropped before they were imported; lengthen the "
		"topic's retention, or import with --follow",
		t->log.topic, part, to, from, to - from);
}

/* An unclean election of a leader does that. Who reads on at the old cursor
 * would miss what is written below it. */
static void
go_back(const struct import_source *s, struct import_topic *t, int32_t part,
	int64_t end)
{
	struct import_part *p = &t->parts[part];

	warn(s,
		"%s[%" PRId32 "]: the cursor is at %" PRId64
		", and the log ends at %" PRId64
		": it has lost its end; going on from there, where offsets "
		"that were imported count as imported",
		t->log.topic, part, p->position, end);
	p->position = end;
	p->cursor.next = end;
	p->cursor.back = true;
	p->moved = true;
}

/* From here on what is read lies inside of the log. */
static void
fit_to_log(const struct import_source *s, struct import_topic *t, int32_t part,
	int64_t low, int64_t end)
{
	struct import_part *p = &t->parts[part];

	if (p->position > end)
		go_back(s, t, part, end);
	if (p->position < low) {
		tell_gone(s, t, part, p->position, low);
		p->position = low;
	}
}

/* The cursor is stored though no letter was: so what is passed over is told
 * once, not by each import. */
static void
catch_up(struct import_part *p)
{
	if (p->position > p->cursor.next)
		p->cursor.next = p->position;
	p->moved = true;
}

static int
open_partition(const struct import_source *s, struct import_topic *t,
	int32_t part, struct ch_err *err)
{
	struct import_part *p = &t->parts[part];
	int64_t low;
	int rc = ask_ends(s, t, part, &low, &p->end, err);

	if (rc == CH_OK)
		rc = wanted_start(s, t, part, low, &p->position, err);
	if (rc != CH_OK)
		return rc;
	fit_to_log(s, t, part, low, p->end);
	if (p->cursor.known && p->position > p->cursor.next &&
		s->from != IMPORT_CURSOR)
		warn(s,
			"%s[%" PRId32
			"]: --from passes over the offsets %" PRId64
			" to %" PRId64 ", which were not imported",
			t->log.topic, part, p->cursor.next, p->position - 1);
	/* what is read again stands in its own time */
	if (!p->cursor.known || p->position < p->cursor.next)
		p->cursor.newest = (struct ch_time){0};
	catch_up(p);
	p->ended = p->position == p->end;
	return CH_OK;
}

/* Brokers before 2.8 give no id. */
static struct ch_uuid
log_id_of(const struct import_source *s, const char *topic,
	const struct ch_kafka_topic *facts)
{
	struct ch_buf name = CH_BUF_INIT;
	struct ch_uuid id;

	if (facts->has_id)
		return facts->id;
	ch_buf_printf(&name, "%s/%s", s->cluster, topic);
	id = ch_uuid_v7_named((struct ch_time){0}, ch_buf_view(&name));
	ch_buf_free(&name);
	return id;
}

static int
open_cursors(const struct import_source *s, struct import_topic *t,
	struct ch_err *err)
{
	struct foreign_cursor *cursors =
		ch_xcalloc((size_t)t->part_count, sizeof(*cursors));
	bool was_another, any = false;
	int rc = foreign_cursors(s->pg, &t->log, cursors, t->part_count,
		&was_another, err);
	int32_t i;

	t->parts = ch_xcalloc((size_t)t->part_count, sizeof(*t->parts));
	for (i = 0; i < t->part_count; i++) {
		t->parts[i].cursor = cursors[i];
		any |= cursors[i].known;
	}
	free(cursors);
	if (rc == CH_OK && was_another && !any)
		warn(s,
			"%s was made anew since the last import: it is read as "
			"another topic",
			t->log.topic);
	return rc;
}

int
import_topic_open(struct import_topic *t, const struct import_source *s,
	const char *name, struct ch_err *err)
{
	struct ch_kafka_topic facts;
	int rc = ch_kafka_topic_describe(ch_kafka_consumer_raw(s->consumer),
		name, IMPORT_ASK_MS, &facts, err);
	int32_t i;

	*t = (struct import_topic){
		.log = {.cluster = s->cluster, .topic = name}};
	if (rc != CH_OK)
		return rc;
	if (!facts.exists)
		return ch_err_set(err, CH_ENOTFOUND,
			"topic %s does not exist: nothing was imported", name);
	t->part_count = facts.partitions;
	t->log.id = log_id_of(s, name, &facts);
	rc = open_cursors(s, t, err);
	for (i = 0; rc == CH_OK && i < t->part_count; i++)
		rc = open_partition(s, t, i, err);
	return rc;
}

void
import_topic_close(struct import_topic *t)
{
	free(t->parts);
	t->parts = NULL;
}

int
import_topic_look(const struct import_topic *t, const struct import_source *s,
	struct ch_err *err)
{
	struct ch_kafka_topic facts;
	struct ch_uuid id;
	int rc = ch_kafka_topic_describe(ch_kafka_consumer_raw(s->consumer),
		t->log.topic, IMPORT_ASK_MS, &facts, err);

	if (rc != CH_OK)
		return rc;
	id = log_id_of(s, t->log.topic, &facts);
	if (!facts.exists ||
		memcmp(id.bytes, t->log.id.bytes, sizeof(id.bytes)) != 0)
		return ch_err_set(err, CH_ENOTFOUND,
			"topic %s was deleted while it was read", t->log.topic);
	return CH_OK;
}

/* ---- how far it is read ---- */

void
import_topic_positions(const struct import_topic *t,
	struct ch_kafka_position *out)
{
	int32_t i;

	for (i = 0; i < t->part_count; i++)
		out[i] = (struct ch_kafka_position){
			t->log.topic, i, t->parts[i].position};
}

void
import_topic_read(struct import_topic *t, int32_t part, int64_t offset)
{
	struct import_part *p = &t->parts[part];

	p->position = offset + 1;
	if (p->position >= p->end)
		p->ended = true;
}

void
import_topic_at_end(struct import_topic *t, int32_t part, int64_t offset)
{
	struct import_part *p = &t->parts[part];

	p->ended = true;
	p->position = offset;
	/* behind markers of transactions and what compaction took */
	if (offset > p->cursor.next) {
		p->cursor.next = offset;
		p->moved = true;
	}
}

bool
import_topic_is_read(const struct import_topic *t)
{
	int32_t i;

	for (i = 0; i < t->part_count; i++)
		if (!t->parts[i].ended)
			return false;
	return true;
}

/* The log dropped it while it was read. */
static int
restart_lost(const struct import_source *s, struct import_topic *t,
	int32_t part, struct ch_err *err)
{
	struct import_part *p = &t->parts[part];
	int64_t low, high;
	int rc = ask_ends(s, t, part, &low, &high, err);

	if (rc != CH_OK)
		return rc;
	fit_to_log(s, t, part, low, high);
	catch_up(p);
	p->lost = false;
	return ch_kafka_consumer_start(s->consumer, t->log.topic, part,
		p->position, err);
}

int
import_topic_restart(struct import_topic *t, const struct import_source *s,
	struct ch_err *err)
{
	int rc = CH_OK;
	int32_t i;

	for (i = 0; rc == CH_OK && i < t->part_count; i++)
		if (t->parts[i].lost)
			rc = restart_lost(s, t, i, err);
	return rc;
}

/* ---- what is stored ---- */

struct ch_time
import_topic_stored(struct import_topic *t, const struct ch_kafka_record *k,
	struct ch_time now)
{
	struct import_part *p = &t->parts[k->partition];
	struct ch_time at = now;

	if (k->timestamp_ms > 0 && k->timestamp_ms < now.us / 1000)
		at.us = k->timestamp_ms * 1000;
	if (at.us < p->cursor.newest.us)
		at = p->cursor.newest;
	p->cursor.newest = at;
	if (k->offset >= p->cursor.next)
		p->cursor.next = k->offset + 1;
	p->moved = true;
	return at;
}

int
import_topic_move(struct import_topic *t, struct ch_pg *pg, const char *actor,
	struct ch_err *err)
{
	struct import_part *p;
	int rc = CH_OK;
	int32_t i;

	for (i = 0; i < t->part_count; i++) {
		p = &t->parts[i];
		if (rc == CH_OK && p->moved)
			rc = foreign_move(pg, &t->log, i, &p->cursor, actor,
				err);
		p->moved = false;
		p->cursor.back = false;
	}
	return rc;
}
