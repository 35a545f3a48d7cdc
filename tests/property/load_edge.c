/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_edge: see load_bodies.h. What dice hardly meet: a figure that is one unit
 * within a rule's bound or beyond it, a moment that is exactly a deadline.
 *
 * Scripts are groups on names of their own, so that every balance is known; as
 * a group they are undone whole when their last step is refused.
 */
#include <stdio.h>

#include "base/clock.h"
#include "load_bodies.h"

/* Its first step: a new account with ten dollars, or with no floor and none. */
static void
begin(struct making *m, bool funded)
{
	load_open(m, load_org(m), "group");
	ch_buf_printf(&m->body,
		",\"commands\":[{\"type\":\"account.open\",\"account\":"
		"\"edge:%u\",\"asset\":\"USD\"%s}",
		++m->edges, funded ? "" : ",\"floor\":null");
	if (funded)
		ch_buf_printf(&m->body,
			",{\"type\":\"transfer.post\",\"moves\":[{\"from\":"
			"\"world\",\"to\":\"edge:%u\",\"amount\":\"10.00\"}]}",
			m->edges);
}

static void
place(struct making *m, const char *amount)
{
	ch_buf_printf(&m->body,
		",{\"type\":\"hold.place\",\"from\":\"edge:%u\",\"amount\":"
		"\"%s\",\"hold\":\"edge:%u\"}",
		m->edges, amount, m->edges);
}

static void
end(struct making *m)
{
	ch_buf_addc(&m->body, ']');
}

/* ---- scripts ---- */

/* It has nothing, and owes: as long as something is held. */
static void
close_with_hold(struct making *m)
{
	begin(m, false);
	place(m, "5.00");
	if (load_chance(m, 300))
		ch_buf_printf(&m->body,
			",{\"type\":\"hold.void\",\"hold\":\"edge:%u\"}",
			m->edges);
	ch_buf_printf(&m->body,
		",{\"type\":\"account.close\",\"account\":\"edge:%u\"}",
		m->edges);
	end(m);
}

static void
limit_over_hold(struct making *m)
{
	static const char *const floors[] = {"6.00", "6.01", "10.00"};

	begin(m, true);
	place(m, "4.00");
	ch_buf_printf(&m->body,
		",{\"type\":\"account.limit\",\"account\":\"edge:%u\","
		"\"floor\":\"%s\"}",
		m->edges, LOAD_PICK(m, floors));
	end(m);
}

static void
hold_all(struct making *m)
{
	static const char *const amounts[] = {"9.99", "10.00", "10.01"};

	begin(m, true);
	place(m, LOAD_PICK(m, amounts));
	end(m);
}

static void
capture_all(struct making *m)
{
	static const char *const amounts[] = {"3.99", "4.00", "4.01"};

	begin(m, true);
	place(m, "4.00");
	ch_buf_printf(&m->body,
		",{\"type\":\"hold.capture\",\"hold\":\"edge:%u\",\"to\":\"hot\","
		"\"amount\":\"%s\"}",
		m->edges, LOAD_PICK(m, amounts));
	end(m);
}

static void
add_fill(struct making *m, const char *fill, const char *qty)
{
	ch_buf_printf(&m->body,
		",{\"type\":\"order.fill\",\"order\":\"edge:%u\",\"fill\":\"%s\","
		"\"qty\":\"%s\"}",
		m->edges, fill, qty);
}

/* The least that can be missing. */
static void
fill_almost(struct making *m)
{
	load_open(m, load_org(m), "group");
	ch_buf_printf(&m->body,
		",\"commands\":[{\"type\":\"order.place\",\"order\":\"edge:%u\","
		"\"market\":\"edge\",\"side\":\"BUY\",\"qty\":\"2\"}",
		++m->edges);
	add_fill(m, "a", "1.99999999");
	if (load_chance(m, 600))
		add_fill(m, "b",
			load_chance(m, 500) ? "0.00000001" : "0.00000002");
	end(m);
}

/* The stake pays the skim to itself: it is no smaller by that. */
static void
skim_to_itself(struct making *m)
{
	static const char *const locks[] = {"9.01", "10.00", "10.01"};

	begin(m, true);
	ch_buf_printf(&m->body,
		",{\"type\":\"trade.record\",\"account\":\"edge:%u\",\"market\":"
		"\"edge\",\"outcome\":\"YES\",\"side\":\"BUY\",\"tx\":\"edge:%u\","
		"\"position\":\"1\",\"lock\":\"%s\",\"skim\":{\"amount\":"
		"\"1.00\",\"to\":\"edge:%u\"}}",
		m->edges, m->edges, LOAD_PICK(m, locks), m->edges);
	end(m);
}

/* ---- moments ---- */

static void
set_date(struct making *m, const char *org, enum load_date_kind kind,
	int64_t in)
{
	m->date = (struct load_date){m->clock + in, org, kind, ++m->edges};
}

static void
place_until(struct making *m)
{
	const char *org = load_org(m);
	char until[CH_TIME_TEXT_MAX];

	set_date(m, org, LOAD_DATE_HOLD, 3000 + load_below(m, 40000));
	(void)ch_time_format((struct ch_time){m->date.at}, until);
	load_open(m, org, "hold.place");
	ch_buf_printf(&m->body,
		",\"from\":\"world\",\"amount\":\"1.00\",\"hold\":\"date:%u\","
		"\"expires_at\":\"%s\"",
		m->date.number, until);
}

static void
counted_transfer(struct making *m, const char *org)
{
	load_open(m, org, "transfer.post");
	ch_buf_printf(&m->body,
		",\"moves\":[{\"from\":\"world\",\"to\":\"hot\",\"amount\":"
		"\"0.01\"}],\"actor\":\"edge\"");
}

void
load_keep_date(struct making *m)
{
	const char *org = m->date.org;

	m->date.org = NULL;
	if (m->date.kind == LOAD_DATE_RATE) {
		counted_transfer(m, org);
		return;
	}
	load_open(m, org, "hold.void");
	ch_buf_printf(&m->body, ",\"hold\":\"date:%u\"", m->date.number);
}

static void
make_date(struct making *m)
{
	const char *org = load_org(m);

	if (!m->counted) {
		place_until(m);
		return;
	}
	set_date(m, org, LOAD_DATE_RATE, LOAD_BURST_US);
	counted_transfer(m, org);
}

void
load_edge(struct making *m)
{
	static load_body *const scripts[] = {close_with_hold, limit_over_hold,
		hold_all, capture_all, fill_almost, skim_to_itself};

	if (m->group_org != NULL) /* a group in a group is refused */
		load_transfer(m);
	else if (m->date.org == NULL && load_chance(m, 500))
		make_date(m);
	else
		LOAD_PICK(m, scripts)(m);
}
