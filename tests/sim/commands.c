/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands: see commands.h.
 *
 * A body is a command without its id, so that the id can be sent again with
 * another one.
 */
#include "commands.h"

#include <stdlib.h>

#include "base/uuid.h"
#include "bodies.h"
#include "tape.h"
#include "venue.h"
#include "world.h"

#define SENT_MAX 256
#define VALUE_MAX ((size_t)64 * 1024)

struct sent {
	struct ch_uuid id;
	char *value;
	bool is_poison;
};

struct commands {
	struct bodies bodies;
	struct venue venue;
	struct ch_buf value;
	struct sent sent[SENT_MAX];
	size_t count; /* of sent */
	size_t made;
};

/* ---- life ---- */

struct commands *
commands_new(void)
{
	return ch_xcalloc(1, sizeof(struct commands));
}

void
commands_reset(struct commands *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->sent[i].value);
		c->sent[i].value = NULL;
	}
	c->count = 0;
	c->made = 0;
	bodies_reset(&c->bodies);
	venue_reset(&c->venue);
}

void
commands_free(struct commands *c)
{
	commands_reset(c);
	ch_buf_free(&c->bodies.text);
	ch_buf_free(&c->value);
	venue_free(&c->venue);
	free(c);
}

size_t
commands_sent(const struct commands *c)
{
	return c->made;
}

/* ---- sending ---- */

static int
any_part(struct world *w)
{
	return broker_any_part(&w->broker, BROKER_COMMANDS);
}

static void
produce(struct world *w, int part, struct ch_view value, bool is_poison)
{
	broker_produce(&w->broker, part,
		&(struct sim_record){.at_ms = w->now.us / 1000,
			.value = value.ptr,
			.len = value.len,
			.command = serial_command_new(value.ptr, value.len,
				VALUE_MAX),
			.is_poison = is_poison},
		world_one_in(w, 25));
}

static void
assemble(struct commands *c, const struct ch_uuid *id)
{
	char text[CH_UUID_TEXT_MAX];

	ch_uuid_format(id, text);
	ch_buf_clear(&c->value);
	ch_buf_printf(&c->value, "{\"id\":\"%s\",\"org\":\"acme\",%s}", text,
		ch_buf_str(&c->bodies.text));
}

static struct ch_uuid
new_id(struct world *w)
{
	int64_t at = w->now.us - (int64_t)world_below(w, 100000);

	if (world_one_in(w, 100))
		at -= (int64_t)2 * 86400 * 1000000;
	else if (world_one_in(w, 100))
		at += 295000000 + (int64_t)world_below(w, 10000000);
	return ch_uuid_v7((struct ch_time){at}, &w->rng);
}

static void
send_new(struct commands *c, struct world *w)
{
	struct ch_uuid id = new_id(w);
	struct sent *s =
		&c->sent[c->count < SENT_MAX ? c->count++ : SENT_MAX - 1];
	bool is_poison;

	ch_uuid_format(&id, c->bodies.id);
	is_poison = bodies_any(&c->bodies, w);
	assemble(c, &id);
	free(s->value);
	*s = (struct sent){id, ch_xviewdup(ch_buf_view(&c->value)), is_poison};
	produce(w, any_part(w), ch_buf_view(&c->value), is_poison);
	/* the same through another partition at the same moment */
	if (world_one_in(w, 20))
		produce(w, any_part(w), ch_buf_view(&c->value), is_poison);
	/* they meet, if through two partitions */
	if (c->bodies.is_ordered && world_one_in(w, 2))
		venue_report(&c->venue, w, c->bodies.last_order);
	if (c->bodies.next != NULL)
		send_new(c, w);
}

static void
send_again(struct commands *c, struct world *w)
{
	const struct sent *s = &c->sent[world_below(w, (unsigned)c->count)];
	bool is_poison = s->is_poison;

	if (world_one_in(w, 4)) {
		ch_uuid_format(&s->id, c->bodies.id);
		is_poison = bodies_any(&c->bodies, w);
		assemble(c, &s->id);
		produce(w, any_part(w), ch_buf_view(&c->value), is_poison);
	} else {
		produce(w, any_part(w), ch_view_of(s->value), is_poison);
	}
}

static void
send_broken(struct world *w)
{
	static const char *const broken[] = {"", "[]", "{", "{\"id\":1}",
		"{\"id\":\"not-an-id\",\"org\":\"acme\",\"type\":\"group\"}",
		"{\"id\":\"x\\u0000y\",\"org\":\"acme\"}"};
	unsigned i = world_below(w, 7);

	if (i == 6)
		produce(w, any_part(w), (struct ch_view){NULL, 0}, false);
	else
		produce(w, any_part(w), ch_view_of(broken[i]), false);
}

void
commands_open(struct commands *c, struct world *w)
{
	struct ch_uuid id = ch_uuid_v7((struct ch_time){w->now.us}, &w->rng);

	ch_uuid_format(&id, c->bodies.id);
	bodies_opening(&c->bodies);
	assemble(c, &id);
	produce(w, 0, ch_buf_view(&c->value), false);
	c->made++;
}

void
commands_send(struct commands *c, struct world *w)
{
	c->made++;
	if (world_one_in(w, w->plan.print_in))
		tape_report(w);
	else if (world_one_in(w, w->plan.fill_in))
		venue_report(&c->venue, w,
			world_one_in(w, 2) ? c->bodies.last_order
					   : world_below(w, BODIES_ORDERS));
	else if (c->count > 0 && world_one_in(w, 9))
		send_again(c, w);
	else if (world_one_in(w, 40))
		send_broken(w);
	else
		send_new(c, w);
}
