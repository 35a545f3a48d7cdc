/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: checks, records, decisions.
 */
#include "replay.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/failpoint.h"
#include "base/mem.h"
#include "dialect.h"
#include "message.h"

#define TRUSTED_MS 5000 /* a session that was heard of so lately */

struct replay {
	struct resend *resend;
	struct replay_options opt;
};

struct replay *
replay_open(const struct ch_params *p, const struct replay_options *opt,
	struct ch_err *err)
{
	struct resend *resend = resend_open(p, &opt->leave, err);
	struct replay *r;

	if (resend == NULL)
		return NULL;
	r = ch_xcalloc(1, sizeof(*r));
	r->resend = resend;
	r->opt = *opt;
	return r;
}

void
replay_close(struct replay *r)
{
	if (r == NULL)
		return;
	resend_close(r->resend);
	free(r);
}

static int32_t
count_of(const struct letters_row *row)
{
	int32_t before = message_replay_count(row->names, row->values);

	return before > row->replays ? before : row->replays;
}

/* One that is replayed has not come back: quarantined it could be edited, and
 * count twice when it is taken after all. */
bool
replay_looped(const struct letters_row *row, int32_t replays_max)
{
	return count_of(row) >= replays_max &&
		(row->state == LETTER_PENDING ||
			row->state == LETTER_QUARANTINED);
}

/* No topic has a ':' in its name. */
static bool
is_endpoint(struct ch_view topic)
{
	return ch_view_starts(topic, CH_VIEW("webhook:"));
}

bool
replay_is_target(struct ch_view topic)
{
	return dialect_is_topic(topic) || is_endpoint(topic);
}

int
replay_redirect(struct letters_row *row, const char *to, struct ch_err *err)
{
	if (to == NULL)
		return CH_OK;
	if (!row->is_foreign && replay_is_target(row->topic))
		return ch_err_set(err, CH_EEXIST,
			"--to is for foreign letters and for those that no "
			"topic can be made of: this one (%s) goes to %.*s",
			letters_kind(row), CH_VIEW_ARG(row->topic));
	row->topic = ch_view_of(to);
	row->part = -1;
	return CH_OK;
}

/* Both null would be sent as a tombstone of nothing, or worse. */
static int
check_copied(const struct letters_row *row, struct ch_err *err)
{
	if (!row->is_foreign || row->key.ptr != NULL || row->value.ptr != NULL)
		return CH_OK;
	return ch_err_set(err, CH_ERANGE,
		"it has neither key nor value: its dead-letter topic holds no "
		"copy of the record (share groups: "
		"errors.deadletterqueue.copy.record.enable); dlq show names "
		"where that stood: discard it, or dlq edit it to the value");
}

bool
replay_puts_back(const struct letters_row *row)
{
	return row->is_delivery && is_endpoint(row->topic);
}

/* It would leave the list for a delivery that nobody makes. */
static int
refuse_endpoint(const struct letters_row *row, struct ch_err *err)
{
	return ch_err_set(err, CH_ERANGE,
		"no running relay has the endpoint of %.*s: put it back into "
		"the file of webhooks, or discard the letter",
		CH_VIEW_ARG(row->topic));
}

static int
check_letter(const struct letters_row *row, const struct replay_options *opt,
	struct ch_err *err)
{
	if (!letter_may(opt->again ? LETTER_REPLAY_AGAIN : LETTER_REPLAY,
		    row->state, count_of(row), opt->replays_max, err))
		return err->code;
	if (check_copied(row, err) != CH_OK)
		return err->code;
	if (row->is_foreign && row->topic.len == 0)
		return ch_err_set(err, CH_ERANGE,
			"its headers name no topic that it came from: say which "
			"with --to TOPIC (of dlq replay or dlq plan)");
	if (!replay_is_target(row->topic))
		return ch_err_set(err, CH_ERANGE,
			"\"%.*s\" is no name that a topic can have: say which "
			"with --to TOPIC (of dlq replay or dlq plan)",
			CH_VIEW_ARG(row->topic));
	return CH_OK;
}

static int
check_command(const struct letters_command *c, struct ch_err *err)
{
	if (c->known && c->status[0] != '\0')
		return ch_err_set(err, CH_EEXIST,
			"the ledger has taken its id "
			"since: %s",
			c->status);
	if (c->known && c->expired)
		return ch_err_set(err, CH_ERANGE,
			"its id is older than the "
			"ledger keeps (before %s): it would be answered "
			"key_expired: see that nobody has sent it again, then "
			"dlq edit --new-id makes a letter of it under a new id, "
			"linked with this one: replay that",
			c->lowest_day);
	return CH_OK;
}

int
replay_check(struct ch_pg *pg, const struct letters_row *row,
	const struct replay_options *opt, struct ch_err *err)
{
	struct letters_command c;
	bool missing = false;
	int rc = check_letter(row, opt, err);

	if (rc == CH_OK && replay_puts_back(row))
		rc = letters_endpoint_missing(pg, row->topic, &missing, err);
	if (rc == CH_OK && missing)
		return refuse_endpoint(row, err);
	if (rc == CH_OK)
		rc = letters_command(pg, row, &c, err);
	return rc == CH_OK ? check_command(&c, err) : rc;
}

int
replay_look(struct replay_letter *l, struct ch_pg *pg, struct ch_err *err)
{
	return replay_puts_back(l->row)
		? letters_endpoint_missing(pg, l->row->topic,
			  &l->endpoint_missing, err)
		: CH_OK;
}

/* What was edited is another message: whoever drops repeated ids must not drop
 * it. The original's id is its header `id`, or else its letter's. */
static void
name_original(const struct letters_row *row, const char *id,
	struct ch_arena *arena, struct message *m)
{
	char original[CH_UUID_TEXT_MAX];
	struct message_header *last = &m->headers[m->header_count];
	struct message_header *h;

	ch_uuid_format(&row->original, original);
	*last = (struct message_header){
		"ch_original_id", ch_arena_view(arena, ch_view_of(original))};
	for (h = m->headers; h < last; h++) {
		if (strcmp(h->name, "ch_original_id") == 0)
			return; /* it was edited before, and came back */
		if (strcmp(h->name, "id") != 0)
			continue;
		last->value = h->value;
		h->value = ch_arena_view(arena, ch_view_of(id));
	}
	m->header_count++;
}

/* Whoever reads it again starts with the record as it was. */
static void
drop_dialects(struct message *m)
{
	size_t i, kept = 0;

	for (i = 0; i < m->header_count; i++)
		if (!dialect_adds(m->headers[i].name))
			m->headers[kept++] = m->headers[i];
	m->header_count = kept;
}

/* The record once more; *count is what its ch_replay_count says. */
static int
build(const struct letters_row *row, struct ch_arena *arena, struct message *m,
	int32_t *count, struct ch_err *err)
{
	char id[CH_UUID_TEXT_MAX], number[16];
	int rc;

	*m = (struct message){
		.key = row->key, .value = row->value, .part = row->part};
	rc = message_headers_of(row->names, row->values, 3, true, arena, m,
		err);
	if (rc != CH_OK)
		return rc;
	if (row->is_foreign)
		drop_dialects(m);
	*count = count_of(row) + 1;
	(void)snprintf(number, sizeof(number), "%" PRId32, *count);
	ch_uuid_format(&row->id, id);
	m->headers[m->header_count++] = (struct message_header){
		"ch_replay_count", ch_arena_view(arena, ch_view_of(number))};
	m->headers[m->header_count++] = (struct message_header){
		"ch_letter_id", ch_arena_view(arena, ch_view_of(id))};
	if (row->is_edit)
		name_original(row, id, arena, m);
	return CH_OK;
}

static struct letters_decision
decision(const struct replay *r, enum letter_state state, int32_t replays)
{
	return (struct letters_decision){.actor = r->opt.actor,
		.reason = r->opt.reason,
		.state = state,
		.replays = replays,
		.plan = r->opt.plan};
}

static void
quarantine(const struct replay *r, struct replay_letter *l)
{
	l->decides = l->row->state != LETTER_QUARANTINED;
	l->decision = decision(r, LETTER_QUARANTINED, l->row->replays);
	l->decision.plan = 0;
}

/* An endpoint's: the relay sends it, and says so in its state. */
static void
put_back(const struct replay *r, struct replay_letter *l,
	struct ch_arena *arena)
{
	l->decides = true;
	l->decision = decision(r, LETTER_REPLAYED, count_of(l->row) + 1);
	l->decision.topic = ch_arena_str(arena, l->row->topic);
}

/* The record, and what is decided once that is acknowledged. */
static int
make_record(const struct replay *r, struct replay_letter *l,
	struct ch_arena *arena, struct ch_err *err)
{
	const struct letters_row *row = l->row;
	struct resend_record *rec = &l->record;
	int32_t count;
	int rc;

	*rec = (struct resend_record){.topic = ch_arena_str(arena, row->topic),
		.message = {.part = row->part},
		.foreign = row->is_foreign,
		.said = &l->said};
	rc = resend_check(r->resend, rec, err);
	if (rc == CH_OK)
		rc = build(row, arena, &rec->message, &count, err);
	if (rc != CH_OK)
		return rc;
	l->decision = decision(r,
		row->is_delivery || row->is_foreign ? LETTER_RESOLVED
						    : LETTER_REPLAYED,
		count);
	l->decision.topic = rec->topic;
	if (!row->is_delivery && !row->is_foreign &&
		letter_command_of(row->value, &l->named))
		l->decision.command = &l->named;
	return CH_OK;
}

static bool
is_verdict(int rc)
{
	return rc == CH_OK || rc == CH_EEXIST || rc == CH_ERANGE;
}

/* *sends: its record is to be sent; else it is known what becomes of it. */
static int
prepare(const struct replay *r, struct replay_letter *l, struct ch_arena *arena,
	bool *sends)
{
	int rc = replay_redirect(l->row, r->opt.to, &l->said);

	*sends = false;
	if (rc == CH_OK)
		rc = check_letter(l->row, &r->opt, &l->said);
	if (rc == CH_OK && l->endpoint_missing)
		rc = refuse_endpoint(l->row, &l->said);
	if (rc == CH_OK)
		rc = check_command(&l->command, &l->said);
	if (rc == CH_ERANGE && replay_looped(l->row, r->opt.replays_max))
		quarantine(r, l);
	else if (rc == CH_OK && replay_puts_back(l->row))
		put_back(r, l, arena);
	else if (rc == CH_OK) {
		rc = make_record(r, l, arena, &l->said);
		*sends = rc == CH_OK;
	}
	l->rc = rc;
	l->known = is_verdict(rc) && !*sends;
	return is_verdict(rc) ? CH_OK : rc;
}

static void
take_report(struct replay_letter *l)
{
	const struct resend_record *rec = &l->record;

	l->known = rec->known;
	l->rc = rec->rc;
	l->decides = rec->known && rec->rc == CH_OK;
	l->decision.part = rec->part;
	l->decision.offset = rec->offset;
}

static int
send_prepared(struct replay *r, struct replay_letter *const *sent, size_t count,
	struct ch_arena *arena, struct ch_err *err)
{
	struct resend_record **records =
		ch_arena_alloc(arena, count * sizeof(struct resend_record *));
	size_t i;
	int rc;

	for (i = 0; i < count; i++)
		records[i] = &sent[i]->record;
	rc = resend_all(r->resend, records, count, err);
	for (i = 0; i < count; i++)
		take_report(sent[i]);
	if (rc == CH_OK)
		CH_FAILPOINT("relay.after_replay");
	return rc;
}

int
replay_letters(struct replay *r, struct replay_letter *letters, size_t count,
	struct ch_arena *arena, struct ch_err *err)
{
	struct replay_letter **sent =
		ch_arena_alloc(arena, count * sizeof(struct replay_letter *));
	size_t i, n = 0;
	bool sends;
	int rc = CH_OK, sent_rc = CH_OK;

	for (i = 0; i < count && rc == CH_OK; i++) {
		rc = prepare(r, &letters[i], arena, &sends);
		if (rc != CH_OK)
			ch_err_set(err, rc, "%s", letters[i].said.text);
		else if (sends)
			sent[n++] = &letters[i];
	}
	if (n > 0)
		sent_rc = send_prepared(r, sent, n, arena, err);
	return sent_rc != CH_OK ? sent_rc : rc;
}

/* Inside of the transaction that has locked it. */
static int
replay_locked(struct replay *r, struct ch_pg *pg, struct letters_row *row,
	struct ch_err *err)
{
	struct ch_arena arena = CH_ARENA_INIT;
	struct replay_letter l = {.row = row};
	int rc = replay_look(&l, pg, err);

	if (rc == CH_OK)
		rc = letters_command(pg, row, &l.command, err);
	if (rc == CH_OK)
		rc = replay_letters(r, &l, 1, &arena, err);
	if (rc == CH_OK && l.decides)
		rc = letters_write(pg, row, &l.decision, err);
	if (rc == CH_OK && l.rc != CH_OK)
		rc = ch_err_set(err, l.said.code, "%s", l.said.text);
	ch_arena_free(&arena);
	return rc;
}

int
replay_one(struct replay *r, struct ch_pg *pg, struct letters_row *row,
	struct ch_err *err)
{
	int rc = letters_claim(pg, row, r->opt.actor, r->opt.reason, err);
	struct ch_err failed = CH_ERR_INIT;

	if (rc != CH_OK)
		return rc;
	rc = replay_locked(r, pg, row, err);
	if ((rc == CH_OK || rc == CH_ERANGE || rc == CH_EEXIST) &&
		ch_pg_commit(pg, &failed) != CH_PG_COMMITTED)
		rc = ch_err_set(err, CH_EIO, "%s", failed.text);
	else if (rc != CH_OK)
		(void)ch_pg_rollback(pg, NULL);
	return rc;
}

int
replay_prove(struct ch_pg *pg, struct ch_mono now, struct ch_mono *heard,
	struct ch_err *err)
{
	struct pollfd p = {ch_pg_fd(pg), POLLIN, 0};

	if (ch_mono_ms_since(now, *heard) < TRUSTED_MS && poll(&p, 1, 0) == 0)
		return CH_OK;
	*heard = now;
	return ch_pg_exec(pg, "SELECT", err);
}
