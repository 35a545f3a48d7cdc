/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alert: what a person must look at.
 */
#include "alert.h"

#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "ledger_writer_sql.h"

static const struct ch_pg_stmt alert_stmt = {
	"", ledger_writer_sql_insert_alert};
/* The outbox may have no partition of this day. */
static int
insert(struct session *s, const struct ch_pg_args *a, struct ch_err *err)
{
	int rc = session_query(s, &alert_stmt, a, NULL, err);
	if (rc != CH_ESQL ||
		ch_pg_failure(s->pg)->class != CH_PG_PARTITION_MISSING ||
		session_ensure_partitions(s, NULL, err) != 0)
		return rc;
	return session_query(s, &alert_stmt, a, NULL, err);
}

static void
send_alert(struct session *s, const char *type, struct ch_view key,
	struct ch_view payload)
{
	struct ch_err err = CH_ERR_INIT;
	struct ch_pg_args a;
	struct ch_uuid id = ch_uuid_v7(ch_clock_wall(s->rt->clock), &s->rng);
	ch_pg_args_clear(&a);
	ch_pg_arg_uuid(&a, &id);
	ch_pg_arg_text(&a, key);
	ch_pg_arg_str(&a, type);
	ch_pg_arg_text(&a, payload);
	if (insert(s, &a, &err) != 0)
		ch_error("alert.lost", CH_S("type", type), CH_V("key", key),
			CH_ERR(&err));
}

/* What is said of a partition; the members that follow are its own. */
static void
begin_partition(struct ch_buf *body, const char *type,
	const struct partition *p, int64_t next_offset)
{
	ch_buf_addc(body, '{');
	ch_json_add_member(body, "alert", ch_view_of(type));
	ch_json_add_member(body, "topic", ch_view_of(p->topic));
	ch_json_add_member_i64(body, "partition", p->part);
	ch_json_add_member_i64(body, "next_offset", next_offset);
}

static void
send_partition(struct session *s, const char *type, const struct partition *p,
	struct ch_buf *body, const char *reason)
{
	struct ch_buf key = CH_BUF_INIT;
	ch_buf_printf(&key, "ledger-writer/%s/%d", p->topic, p->part);
	ch_json_add_member(body, "reason", ch_view_of(reason));
	ch_buf_addc(body, '}');
	send_alert(s, type, ch_buf_view(&key), ch_buf_view(body));
	ch_buf_free(&key);
	ch_buf_free(body);
}

void
alert_partition_stopped(struct session *s, const struct partition *p,
	const struct ch_err *why)
{
	struct ch_buf body = CH_BUF_INIT;
	begin_partition(&body, "partition.stopped", p, p->next_offset);
	send_partition(s, "partition.stopped", p, &body, why->text);
}

void
alert_partition_rewound(struct session *s, const struct partition *p,
	int64_t seen, const struct ch_err *why)
{
	struct ch_buf body = CH_BUF_INIT;
	begin_partition(&body, "partition.rewound", p, p->next_offset);
	ch_json_add_member_i64(&body, "seen_offset", seen);
	ch_json_add_member_i64(&body, "records", seen - p->next_offset);
	send_partition(s, "partition.rewound", p, &body, why->text);
}

void
alert_partition_begun_late(struct session *s, const struct partition *p,
	int64_t records)
{
	struct ch_buf body = CH_BUF_INIT;
	begin_partition(&body, "partition.begun_late", p, records);
	ch_json_add_member_i64(&body, "records", records);
	send_partition(s, "partition.begun_late", p, &body,
		"its first records were gone before it was ever read");
}

void
alert_partition_waits(struct session *s, const struct partition *p,
	int64_t offset, const char *why)
{
	struct ch_buf body = CH_BUF_INIT;
	begin_partition(&body, "partition.waits", p, p->next_offset);
	ch_json_add_member_i64(&body, "offset", offset);
	send_partition(s, "partition.waits", p, &body, why);
}

void
alert_set_aside(struct session *s, const struct due_ref *due,
	const struct ch_err *why, const char *mend)
{
	const char *kind = aside_kind_name(due->kind);
	struct ch_buf key = CH_BUF_INIT;
	struct ch_buf body = CH_BUF_INIT;
	char type[32], id[32];
	(void)snprintf(type, sizeof(type), "%s.set_aside", kind);
	(void)snprintf(id, sizeof(id), "%s_id", kind);
	ch_buf_printf(&key, "ledger-writer/%s/%lld", kind,
		(long long)due->number);
	ch_buf_addc(&body, '{');
	ch_json_add_member(&body, "alert", ch_view_of(type));
	ch_json_add_member_i64(&body, id, due->number);
	ch_json_add_member(&body, "reason", ch_view_of(why->text));
	ch_json_add_member(&body, "mend", ch_view_of(mend));
	ch_buf_addc(&body, '}');
	send_alert(s, type, ch_buf_view(&key), ch_buf_view(&body));
	ch_buf_free(&key);
	ch_buf_free(&body);
}

void
alert_row_missing(struct session *s, const struct ch_err *why)
{
	struct ch_buf body = CH_BUF_INIT;
	ch_buf_addc(&body, '{');
	ch_json_add_member(&body, "alert", CH_VIEW("row.missing"));
	ch_json_add_member(&body, "reason", ch_view_of(why->text));
	ch_buf_addc(&body, '}');
	ch_error("row.missing", CH_ERR(why),
		CH_S("mend", "bring the row back: its partitions wait"));
	send_alert(s, "row.missing", CH_VIEW("ledger-writer/row"),
		ch_buf_view(&body));
	ch_buf_free(&body);
}
