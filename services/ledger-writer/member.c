/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member: see member.h.
 */
#include "member.h"

#include "command.h"

void
member_amount(struct ch_buf *out, const char *name, struct ch_amount a,
	int scale)
{
	char text[CH_AMOUNT_TEXT_MAX];
	size_t n = ch_amount_format(a, scale, text);

	ch_json_add_member(out, name, (struct ch_view){text, n});
}

void
member_units(struct ch_buf *out, const char *name, struct ch_amount a)
{
	member_amount(out, name, a, COMMAND_UNITS_SCALE);
}

void
member_qty(struct ch_buf *out, const char *name, struct ch_qty q)
{
	char text[CH_AMOUNT_TEXT_MAX];
	size_t n = ch_qty_format(q, text);

	ch_json_add_member(out, name, (struct ch_view){text, n});
}

void
member_time(struct ch_buf *out, const char *name, struct ch_time t)
{
	char text[CH_TIME_TEXT_MAX];
	size_t n = ch_time_format(t, text);

	ch_json_add_member(out, name, (struct ch_view){text, n});
}

void
member_text(struct ch_buf *out, const char *name, struct ch_view text)
{
	if (text.ptr != NULL)
		ch_json_add_member(out, name, text);
}

void
member_seq(struct ch_buf *out, int32_t stream, int64_t log_seq)
{
	ch_json_add_name(out, "seq");
	ch_buf_addc(out, '"');
	ch_buf_add_i64(out, stream);
	ch_buf_addc(out, '-');
	ch_buf_add_i64(out, log_seq);
	ch_buf_addc(out, '"');
}
