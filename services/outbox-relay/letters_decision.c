/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letters_decision: SQL around the schema's functions that lock and decide.
 */
#include "letters_decision.h"

#include "base/rng.h"
#include "outbox_relay_sql.h"

static const struct ch_pg_stmt lock_stmt = {
	"dlq_lock", outbox_relay_sql_letter_lock};
static const struct ch_pg_stmt claim_stmt = {
	"dlq_claim", outbox_relay_sql_letter_claim};
static const struct ch_pg_stmt decide_stmt = {
	"dlq_decide", outbox_relay_sql_letter_decide};
static const struct ch_pg_stmt edit_stmt = {
	"dlq_edit", outbox_relay_sql_letter_edit};

static void
lock_args(struct ch_pg_args *args, const struct ch_uuid *id)
{
	ch_pg_args_clear(args);
	ch_pg_arg_uuid(args, id);
}

int
letters_lock_add(struct ch_pg *pg, const struct ch_uuid *id, struct ch_err *err)
{
	struct ch_pg_args args;

	lock_args(&args, id);
	return ch_pg_pipeline_add(pg, &lock_stmt, &args, err);
}

int
letters_locked(const PGresult *res, struct letters_row *row, struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, 0);

	if (!letter_state_of(ch_pg_next_text(&r), &row->state))
		return ch_err_set(err, CH_EPROTO, "letter_states: no state");
	row->replays = ch_pg_next_i32(&r);
	return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
}

/* Begins the transaction; on an error there is none. */
static int
begin_with(struct ch_pg *pg, const struct ch_pg_stmt *lock,
	const struct ch_pg_args *args, struct letters_row *row,
	struct ch_err *err)
{
	PGresult *res = NULL;
	int rc = ch_pg_begin(pg, err);

	if (rc == CH_OK)
		rc = ch_pg_query(pg, lock, args, &res, err);
	if (rc == CH_OK)
		rc = letters_locked(res, row, err);
	PQclear(res);
	if (rc != CH_OK)
		(void)ch_pg_rollback(pg, NULL);
	return rc;
}

static int
letters_lock(struct ch_pg *pg, struct letters_row *row, struct ch_err *err)
{
	struct ch_pg_args args;

	lock_args(&args, &row->id);
	return begin_with(pg, &lock_stmt, &args, row, err);
}

int
letters_claim(struct ch_pg *pg, struct letters_row *row, const char *actor,
	const char *reason, struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_uuid(&args, &row->id);
	ch_pg_arg_str(&args, actor);
	ch_pg_arg_str(&args, reason);
	return begin_with(pg, &claim_stmt, &args, row, err);
}

static void
add_command(struct ch_pg_args *args, const struct letter_command *c)
{
	if (c != NULL) {
		ch_pg_arg_str(args, c->org);
		ch_pg_arg_uuid(args, &c->id);
		ch_pg_arg_day(args, c->day);
		return;
	}
	ch_pg_arg_null(args, CH_PG_TEXT);
	ch_pg_arg_null(args, CH_PG_UUID);
	ch_pg_arg_null(args, CH_PG_DATE);
}

static void
decision_args(struct ch_pg_args *args, const struct letters_row *row,
	const struct letters_decision *d)
{
	ch_pg_args_clear(args);
	ch_pg_arg_uuid(args, &row->id);
	ch_pg_arg_str(args, letter_state_name(d->state));
	ch_pg_arg_str(args, d->actor);
	ch_pg_arg_str(args, d->reason);
	ch_pg_arg_i32(args, d->replays);
	ch_pg_arg_str(args, d->topic);
	ch_pg_arg_i32(args, d->part);
	ch_pg_arg_i64(args, d->offset);
	add_command(args, d->command);
	if (d->plan != 0)
		ch_pg_arg_i64(args, d->plan);
	else
		ch_pg_arg_null(args, CH_PG_INT8);
}

int
letters_write_add(struct ch_pg *pg, const struct letters_row *row,
	const struct letters_decision *d, struct ch_err *err)
{
	struct ch_pg_args args;

	decision_args(&args, row, d);
	return ch_pg_pipeline_add(pg, &decide_stmt, &args, err);
}

int
letters_write(struct ch_pg *pg, const struct letters_row *row,
	const struct letters_decision *d, struct ch_err *err)
{
	struct ch_pg_args args;
	bool written = false;
	PGresult *res;
	int rc;

	decision_args(&args, row, d);
	rc = ch_pg_query(pg, &decide_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	(void)ch_pg_get_bool(res, 0, 0, &written);
	PQclear(res);
	if (written)
		return CH_OK;
	return ch_err_set(err, CH_EEXIST,
		"its delivery is on its way already, or a later letter stands "
		"for it: see dlq list --topic %.*s",
		CH_VIEW_ARG(row->topic));
}

bool
letters_may_discard(const struct letters_row *row, struct ch_err *err)
{
	return letter_may(LETTER_DISCARD, row->state, row->replays, 0, err);
}

struct letters_decision
letters_discarded(const struct letters_row *row,
	const struct letters_discard *w)
{
	return (struct letters_decision){.actor = w->actor,
		.reason = w->reason,
		.state = LETTER_DISCARDED,
		.replays = row->replays,
		.plan = w->plan};
}

int
letters_discard(struct ch_pg *pg, struct letters_row *row,
	const struct letters_discard *w, struct ch_err *err)
{
	struct letters_decision d;
	int rc = letters_claim(pg, row, w->actor, w->reason, err);

	if (rc != CH_OK)
		return rc;
	d = letters_discarded(row, w);
	rc = letters_may_discard(row, err) ? letters_write(pg, row, &d, err)
					   : (int)err->code;
	if (rc == CH_OK && ch_pg_commit(pg, err) != CH_PG_COMMITTED)
		rc = CH_EIO;
	if (rc != CH_OK)
		(void)ch_pg_rollback(pg, NULL);
	return rc;
}

/* ---- edits ---- */

static int
write_edit(struct ch_pg *pg, const struct letters_row *row,
	const struct letters_edit *e, const struct ch_uuid *id,
	struct ch_err *err)
{
	struct letter_difference d = letter_difference_of(row->value, e->value);
	struct ch_buf difference = CH_BUF_INIT;
	struct ch_pg_args args;
	int rc;

	letter_difference_json(&difference, &d);
	ch_pg_args_clear(&args);
	ch_pg_arg_uuid(&args, &row->id);
	ch_pg_arg_uuid(&args, id);
	ch_pg_arg_bytea(&args, e->value);
	ch_pg_arg_str(&args, ch_buf_str(&difference));
	ch_pg_arg_str(&args, e->actor);
	ch_pg_arg_str(&args, e->reason);
	rc = ch_pg_query(pg, &edit_stmt, &args, NULL, err);
	ch_buf_free(&difference);
	return rc;
}

int
letters_edit(struct ch_pg *pg, struct letters_row *row,
	const struct letters_edit *e, struct ch_uuid *id, struct ch_err *err)
{
	struct ch_rng rng;
	int rc = letters_lock(pg, row, err);

	if (rc != CH_OK)
		return rc;
	ch_rng_seed_system(&rng);
	*id = ch_uuid_v7(e->now, &rng);
	if (!letter_may(LETTER_EDIT, row->state, row->replays, 0, err))
		rc = err->code;
	else if (ch_view_eq(row->value, e->value))
		rc = ch_err_set(err, CH_EEXIST,
			"the file holds what the letter has: nothing to edit");
	else
		rc = write_edit(pg, row, e, id, err);
	if (rc == CH_OK && !e->dry_run &&
		ch_pg_commit(pg, err) != CH_PG_COMMITTED)
		rc = CH_EIO;
	if (rc != CH_OK || e->dry_run)
		(void)ch_pg_rollback(pg, NULL);
	return rc;
}
