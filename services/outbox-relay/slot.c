/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot: a plan of what was found, and its steps.
 */
#include "slot.h"

#include "base/log.h"
#include "outbox_relay_sql.h"
#include "relay.h"

static const struct ch_pg_stmt free_slot_stmt = {
	"relay_slot_free", outbox_relay_sql_slot_free};

enum slot_plan
slot_plan(const struct walsender_slot_found *slot, uint64_t known)
{
	switch (slot->is) {
	case WALSENDER_SLOT_FREE:
		if (known == 0)
			return SLOT_SCAN;
		return slot->confirmed_lsn <= known ? SLOT_STREAM
						    : SLOT_LEAVE_MOVED;
	case WALSENDER_SLOT_MISSING:
		return SLOT_MAKE;
	case WALSENDER_SLOT_LOST:
		return SLOT_MAKE_ANEW;
	case WALSENDER_SLOT_ACTIVE:
		return SLOT_END_READER;
	case WALSENDER_SLOT_FOREIGN:
		break;
	}
	return SLOT_REFUSE;
}

int
slot_forget(struct relay *r, struct ch_err *err)
{
	position_forget(&r->position);
	return progress_save(&r->progress, r->pg, r->inflight, err);
}

static int
make_slot(struct relay *r, bool drop, char **before, struct ch_err *err)
{
	int rc = slot_forget(r, err);

	if (rc == CH_OK && drop)
		rc = walsender_slot_drop(tail_walsender(r->tail), err);
	if (rc == CH_OK)
		rc = walsender_slot_create(tail_walsender(r->tail),
			&r->position.slot_lsn, before, err);
	if (rc == CH_OK)
		ch_warn("relay.slot_made", CH_S("slot", r->slot),
			CH_S("then", "re-scan of the tables"));
	return rc;
}

/* What lies between it will not send. */
static int
leave_moved(struct relay *r, uint64_t slot_lsn, struct ch_err *err)
{
	char ours[PROGRESS_LSN_TEXT_MAX], its[PROGRESS_LSN_TEXT_MAX];

	progress_lsn_text(position_of_slot(&r->position), ours);
	progress_lsn_text(slot_lsn, its);
	ch_warn("relay.slot_moved", CH_S("slot", r->slot),
		CH_S("delivered_lsn", ours), CH_S("slot_lsn", its),
		CH_S("then", "re-scan of the tables"));
	return slot_forget(r, err);
}

static int
end_reader(struct relay *r, int32_t reader, struct ch_err *err)
{
	bool known = r->reader == reader;
	struct ch_pg_args args;
	int rc;

	if (r->reader != 0 && !known)
		return ch_err_set(err, CH_EEXIST,
			"slot %s is read by another process (backend %d), "
			"which came when the relay had ended the one before: "
			"stop it, or set another `slot`",
			r->slot, reader);
	r->reader = reader;
	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, r->slot);
	ch_pg_arg_i32(&args, reader);
	rc = ch_pg_query(r->pg, &free_slot_stmt, &args, NULL, err);
	if (rc != CH_OK)
		return ch_err_wrap(err,
			"slot %s is read by another process: end backend %d",
			r->slot, reader);
	if (!known)
		ch_warn("relay.reader_ended", CH_S("slot", r->slot),
			CH_I("backend", reader));
	return ch_err_set(err, CH_EEXIST,
		"slot %s is read by backend %d still, which was told to end",
		r->slot, reader);
}

/* It has all that is written from here on. */
static int
take(struct relay *r, const struct walsender_slot_found *slot,
	enum slot_plan plan, char **before, struct ch_err *err)
{
	int rc = CH_OK;

	if (plan == SLOT_LEAVE_MOVED)
		rc = leave_moved(r, slot->confirmed_lsn, err);
	r->position.slot_lsn = slot->confirmed_lsn;
	if (plan == SLOT_MAKE || plan == SLOT_MAKE_ANEW)
		rc = make_slot(r, plan == SLOT_MAKE_ANEW, before, err);
	return rc;
}

int
slot_use(struct relay *r, bool *scan, char **before, struct ch_err *err)
{
	struct walsender_slot_found slot;
	enum slot_plan plan;
	int rc = walsender_slot_look(tail_walsender(r->tail), &slot, err);

	if (rc != CH_OK)
		return rc;
	plan = slot_plan(&slot, position_of_slot(&r->position));
	*scan = plan != SLOT_STREAM;
	switch (plan) {
	case SLOT_STREAM:
		return CH_OK;
	case SLOT_SCAN:
	case SLOT_LEAVE_MOVED:
	case SLOT_MAKE:
	case SLOT_MAKE_ANEW:
		return take(r, &slot, plan, before, err);
	case SLOT_END_READER:
		return end_reader(r, slot.reader, err);
	case SLOT_REFUSE:
		break;
	}
	return ch_err_set(err, CH_ECONFIG,
		"slot %s belongs to "
		"another plugin or database: set `slot`",
		r->slot);
}
