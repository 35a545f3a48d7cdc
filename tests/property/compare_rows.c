/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare_rows: see compare_rows.h.
 */
#include "compare_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "compare_side.h"

char *
compare_rows_result(struct ch_view text, bool timer)
{
	char *copy = ch_xviewdup(text);

	side_cut(copy, ",\"reason\":\"");
	side_cut(copy, ",\"seq\":\"");
	if (timer)
		side_cut(copy, "\"id\":\"");
	return copy;
}

bool
compare_rows_is_timer(const struct batch_out *out, int32_t pos)
{
	size_t i = 0;

	/* timers are settled first, or are alone in their batch */
	while (i < out->log_count && out->log[i].timer && out->log[i].pos < pos)
		i++;
	return i < out->log_count && out->log[i].timer &&
		out->log[i].pos == pos;
}

char *
compare_rows_posting(const struct posting_row *p, bool timer,
	struct ch_time decided_at)
{
	const struct account *a = p->account;
	const struct row *row = a->whole != NULL ? &a->whole->row : &a->row;
	char id[2 * sizeof(p->command_id.bytes) + 1] = "";
	struct ch_buf t = CH_BUF_INIT;
	char *text;

	if (!timer)
		ch_hex_encode(p->command_id.bytes, sizeof(p->command_id.bytes),
			id);
	ch_buf_printf(&t, "%.*s|%.*s|%d|%d|%lld|%lld|%s|%lld",
		CH_VIEW_ARG(row->org->row.name), CH_VIEW_ARG(row->name),
		a->shard, p->leg, (long long)p->amount.minor,
		(long long)p->balance_after.minor, id,
		(long long)decided_at.us);
	text = ch_xviewdup(ch_buf_view(&t));
	ch_buf_free(&t);
	return text;
}

static bool
is_timers(const char *type)
{
	return strcmp(type, "reservation.expired") == 0 ||
		strcmp(type, "hold.expired") == 0 ||
		strcmp(type, "market.settled") == 0;
}

char *
compare_rows_event(const struct event_row *e, bool *timer)
{
	char *payload = compare_rows_result(e->payload, false);
	struct ch_buf t = CH_BUF_INIT;
	char *text;

	*timer = is_timers(e->type);
	if (*timer)
		side_cut(payload, ",\"command_id\":\"");
	ch_buf_printf(&t, "%s %s", e->type, payload);
	text = ch_xviewdup(ch_buf_view(&t));
	ch_buf_free(&t);
	free(payload);
	return text;
}
