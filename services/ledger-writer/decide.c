/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide: see decide.h.
 *
 *	record -> gates, in order, the first that closes answers
 *	       -> books: wishes for versions, then the rule of the type
 *
 * Gates refuse for reasons outside of the books: they take no id. What the
 * books say, applied or refused, takes the id for good, unless it was a dry
 * run. A venue's fill is a fact, which nobody sends under another id: what is
 * not applied of it takes no id either and is rejected, to be replayed. Nothing here reads a clock or does I/O: the same records, rows and
 * context give the same decisions.
 */
#include "decide.h"

#include "account_rules.h"
#include "hold_rules.h"
#include "market_rules.h"
#include "order_rules.h"
#include "rates.h"
#include "stock_rules.h"
#include "trade_rules.h"
#include "transfer_rules.h"

struct gate_case {
	const struct batch_entry *entry;
	const struct command *command; /* when entry is readable */
	const struct batch_context *context;
	bool is_fill; /* a record of a venue: it has no producer */
	struct ruling *ruling;
	enum decision decision; /* when a gate closes */
};

/* ---- the gates: true lets the record pass ---- */

static bool
gate_readable(struct gate_case *g)
{
	const struct command_refusal *refusal = &g->entry->refusal;

	if (g->entry->readable && g->entry->poison == NULL)
		return true;
	ruling_refuse(g->ruling, STATUS_INVALID, "%.*s",
		CH_VIEW_ARG(refusal->reason));
	g->decision = DECISION_REJECT;
	return false;
}

static bool
refuse_age(struct gate_case *g, enum ledger_status status, const char *why)
{
	struct ch_time sent = ch_uuid_time(&g->command->id);
	char text[CH_TIME_TEXT_MAX];

	(void)ch_time_format(sent, text);
	ruling_refuse(g->ruling, status, "the id was made at %s, %s", text,
		why);
	return false;
}

static bool
gate_key_age(struct gate_case *g)
{
	if (g->entry->known->day >= g->context->lowest_day)
		return true;
	return refuse_age(g, STATUS_KEY_EXPIRED,
		g->is_fill ? "before the oldest day that is kept: replay its "
			     "letter"
			   : "before the oldest day that is kept: send the "
			     "command under a new id");
}

static bool
gate_known_id(struct gate_case *g)
{
	const struct known_id *known = g->entry->known;

	if (known->row.state != ROW_LOADED)
		return true;
	if (ch_digest_eq(known->payload_hash.bytes,
		    g->command->payload_hash.bytes, CH_SHA256_LEN)) {
		g->decision = DECISION_DUPLICATE;
		return false;
	}
	ruling_refuse(g->ruling, STATUS_KEY_REUSED,
		"the id was taken by a command with another payload: send this "
		"one under a new id");
	return false;
}

/* By the earlier of both times: clocks that were ahead leave books whose time is
 * not yet, and an id of it has no day to be written to. Behind the known ids,
 * since they took some of that time. */
static bool
gate_future(struct gate_case *g)
{
	struct ch_time sent = ch_uuid_time(&g->command->id);
	int64_t now = g->context->decided_at.us - g->context->ahead_us;

	if (sent.us - now <= LEDGER_FUTURE_US)
		return true;
	return refuse_age(g, STATUS_KEY_IN_FUTURE,
		"more than 300 s ahead: set the clock of the producer");
}

/* Read again after a restart of its partition, and its id was not taken: it
 * was refused then. What its producer did about that is not known here: sent
 * again under another id, the intention would be applied twice. A fill counts
 * once whatever it is sent under. */
static bool
gate_read_again(struct gate_case *g)
{
	const struct batch_record *record = &g->entry->record;

	if (!record->read_again || g->is_fill)
		return true;
	ruling_refuse(g->ruling, STATUS_SUPERSEDED,
		"the record at offset %lld was decided when it was first read, "
		"and its first answer stands: to have it decided anew, send it "
		"again",
		(long long)record->offset);
	return false;
}

static bool
pauses_type(const struct batch_pause *p, const struct command *c)
{
	for (size_t i = 0; i < p->type_count; i++) {
		if (ch_view_eq_str(p->types[i], command_types[c->type].name))
			return true;
	}
	return false;
}

/* A group is paused with any of its members. */
static bool
pauses(const struct batch_pause *p, const struct command *c)
{
	const struct group *g = &c->as.group;

	if (!ch_view_eq_str(p->scope, "trading") &&
		!ch_view_eq(p->scope, c->org_name))
		return false;
	if (!command_is_fact(c) && pauses_type(p, c))
		return true;
	for (size_t i = 0; c->type == COMMAND_GROUP && i < g->count; i++) {
		if (!command_is_fact(&g->members[i]) &&
			pauses_type(p, &g->members[i]))
			return true;
	}
	return false;
}

static bool
gate_pause(struct gate_case *g)
{
	const struct batch_context *context = g->context;

	for (size_t i = 0; i < context->pause_count; i++) {
		const struct batch_pause *p = &context->pauses[i];

		if (!pauses(p, g->command))
			continue;
		ruling_refuse(g->ruling, STATUS_TRADING_PAUSED,
			"%.*s is paused: %.*s", CH_VIEW_ARG(p->scope),
			CH_VIEW_ARG(p->reason));
		return false;
	}
	return true;
}

static bool
gate_rate(struct gate_case *g)
{
	return rates_pass(g->ruling, g->context->rates, g->context->rate_count,
		g->command);
}

static const struct gate {
	const char *name;
	bool (*pass)(struct gate_case *g);
} gates[] = {
	{"unreadable", gate_readable},
	{"key age", gate_key_age},
	{"known id", gate_known_id},
	{"future", gate_future},
	{"read again", gate_read_again},
	{"pause", gate_pause},
	{"rate limit", gate_rate},
};

/* ---- the books ---- */

static void group_rule(struct ruling *r, const struct command *c);

static void (*const rules[COMMAND_TYPES])(struct ruling *r,
	const struct command *c) = {
	[COMMAND_ASSET_DEFINE] = account_rules_define_asset,
	[COMMAND_ACCOUNT_OPEN] = account_rules_open,
	[COMMAND_ACCOUNT_LIMIT] = account_rules_limit,
	[COMMAND_ACCOUNT_CLOSE] = account_rules_close,
	[COMMAND_TRANSFER_POST] = transfer_rules_post,
	[COMMAND_TRANSFER_REVERSE] = transfer_rules_reverse,
	[COMMAND_HOLD_PLACE] = hold_rules_place,
	[COMMAND_HOLD_CAPTURE] = hold_rules_capture,
	[COMMAND_HOLD_VOID] = hold_rules_void,
	[COMMAND_STOCK_RECEIVE] = stock_rules_receive,
	[COMMAND_STOCK_ADJUST] = stock_rules_adjust,
	[COMMAND_STOCK_RESERVE] = stock_rules_reserve,
	[COMMAND_RESERVATION_COMMIT] = stock_rules_commit,
	[COMMAND_RESERVATION_RELEASE] = stock_rules_release,
	[COMMAND_GROUP] = group_rule,
	[COMMAND_ORDER_PLACE] = order_rules_place,
	[COMMAND_ORDER_ACCEPT] = order_rules_accept,
	[COMMAND_ORDER_FILL] = order_rules_fill,
	[COMMAND_ORDER_CANCEL] = order_rules_cancel,
	[COMMAND_ORDER_LOST] = order_rules_lost,
	[COMMAND_TRADE_RECORD] = trade_rules_record,
	[COMMAND_POOL_DEPLOY] = market_rules_deploy,
	[COMMAND_MARKET_SETTLE] = market_rules_settle,
};

static void
check_version(struct ruling *r, const struct version_wish *w)
{
	const struct row *row = w->row;
	/* a row that is not there has version 0 */
	int64_t version = row_is_there(row) ? row->version : 0;

	if (row->kind == ROW_ACCOUNT &&
		((const struct account *)w->row)->shards > 0)
		ruling_refuse(r, STATUS_VERSION_UNSUPPORTED,
			"\"%.*s\" has shards: it has no version of its own",
			CH_VIEW_ARG(w->name));
	else if (version != w->version)
		ruling_refuse(r, STATUS_VERSION_CONFLICT,
			"\"%.*s\" has version %lld, %lld is expected",
			CH_VIEW_ARG(w->name), (long long)version,
			(long long)w->version);
}

static void
apply_rule(struct ruling *r, const struct command *c)
{
	/* what is known already is confirmed, however the rows stand by now */
	for (size_t i = 0; i < c->wish_count && !trade_rules_is_known(c); i++)
		check_version(r, &c->wishes[i]);
	rules[c->type](r, c);
}

/* Members in order, each on the rows as the earlier ones left them; the first
 * refusal takes all of it back. */
static void
group_rule(struct ruling *r, const struct command *c)
{
	const struct group *g = &c->as.group;
	size_t i = 0;

	while (i < g->count && ruling_open(r))
		apply_rule(r, &g->members[i++]);
	if (ruling_open(r))
		return;
	r->failed_index = i - 1;
	r->failed_status = r->status;
	r->status = STATUS_GROUP_FAILED;
	ruling_drop_effects(r);
	books_undo_to(r->books, r->counted);
}

static enum decision
pass_gates(struct gate_case *g)
{
	for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++) {
		if (!gates[i].pass(g))
			return g->decision;
	}
	g->ruling->counted = books_touched_count(g->ruling->books);
	apply_rule(g->ruling, g->command);
	return g->command->dry_run ? DECISION_ANSWER : DECISION_LOG;
}

enum decision
decide_entry(struct ruling *r, struct books *books,
	const struct batch_entry *entry, const struct batch_context *context,
	const struct batch_stream *stream)
{
	enum decision d;
	struct gate_case g = {.entry = entry,
		.command = &entry->command,
		.context = context,
		.is_fill = stream->fills,
		.ruling = r,
		.decision = DECISION_ANSWER};

	ruling_begin(r, books,
		&(struct ruling_of){context->decided_at, stream->stream,
			stream->part, &entry->command.id, context->lowest_day});
	d = pass_gates(&g);
	if (stream->fills && d != DECISION_DUPLICATE && !ruling_open(r))
		return DECISION_REJECT;
	return d;
}
