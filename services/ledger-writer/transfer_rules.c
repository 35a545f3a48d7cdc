/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer_rules: see transfer_rules.h.
 *
 * A transfer is ruled in three steps: check every move against the rows (what
 * is named is there, open, of one asset, at that scale); then run the moves on
 * balances of their own; then, when nothing was refused, write the balances
 * into the rows. Only the last step changes the books.
 */
#include "transfer_rules.h"

#include "account_rules.h"

#define LEGS_MAX (2 * LEDGER_MOVES_MAX)

struct running {
	struct account *row;
	ch_wide balance;
};

struct leg {
	struct account *row;
	ch_wide amount;
	ch_wide balance_after;
};

struct run {
	struct running rows[LEGS_MAX];
	size_t count;
	struct leg legs[LEGS_MAX];
	size_t leg_count;
};

/* ---- the moves against the rows ---- */

static ch_wide
check_move(struct ruling *r, const struct command_move *m, size_t index)
{
	bool from =
		account_rules_usable(r, m->from, m->from_name, "moves", index);
	bool to = account_rules_usable(r, m->to, m->to_name, "moves", index);

	if (!from || !to)
		return 0;
	if (m->from->asset != m->to->asset)
		ruling_refuse(r, STATUS_ASSET_MISMATCH,
			"moves[%zu]: \"%.*s\" holds %.*s, \"%.*s\" holds %.*s",
			index, CH_VIEW_ARG(m->from_name),
			CH_VIEW_ARG(m->from->asset->row.name),
			CH_VIEW_ARG(m->to_name),
			CH_VIEW_ARG(m->to->asset->row.name));
	return account_rules_amount(r, m->from->asset, m->amount, "moves",
		index);
}

/* ---- the moves on balances of their own ---- */

static ch_wide *
running_balance(struct run *run, struct account *row)
{
	struct running *last;

	for (size_t i = 0; i < run->count; i++) {
		if (run->rows[i].row == row)
			return &run->rows[i].balance;
	}
	last = &run->rows[run->count++];
	last->row = row;
	last->balance = row->balance.minor;
	return &last->balance;
}

static void
refuse_shortage(struct ruling *r, const struct command_move *m, size_t index,
	ch_wide available)
{
	const struct asset *asset = m->from->asset;
	char text[CH_AMOUNT_TEXT_MAX];

	ruling_refuse(r, STATUS_INSUFFICIENT_FUNDS,
		"moves[%zu]: \"%.*s\" has %s %.*s available, %.*s is asked",
		index, CH_VIEW_ARG(m->from_name),
		account_rules_text(available, asset->scale, text),
		CH_VIEW_ARG(asset->row.name), CH_VIEW_ARG(m->amount));
}

static void
run_leg(struct ruling *r, struct run *run, struct account *row, ch_wide amount)
{
	ch_wide *balance = running_balance(run, row);

	*balance += amount;
	if (!account_rules_fits(*balance) || !account_rules_fits(amount) ||
		!account_rules_fits(-amount))
		ruling_refuse(r, STATUS_OVERFLOW,
			"the balance of \"%.*s\" would leave the range of %d "
			"fraction digits",
			CH_VIEW_ARG(row->row.name), row->asset->scale);
	run->legs[run->leg_count++] = (struct leg){row, amount, *balance};
}

static void
run_move(struct ruling *r, struct run *run, const struct command_move *m,
	size_t index, ch_wide amount)
{
	struct account *from = account_rules_row(r, m->from);
	ch_wide available;

	if (from->has_floor) {
		available = *running_balance(run, from) - from->held.minor -
			from->floor.minor;
		if (available < amount)
			refuse_shortage(r, m, index, available);
	}
	run_leg(r, run, from, -amount);
	run_leg(r, run, account_rules_row(r, m->to), amount);
}

static void
write_rows(struct ruling *r, const struct run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		struct account *row = run->rows[i].row;

		books_touch(r->books, &row->row, r->at);
		row->balance.minor = (int64_t)run->rows[i].balance;
	}
	for (size_t i = 0; i < run->leg_count; i++) {
		const struct leg *l = &run->legs[i];

		ruling_post(r, l->row, (struct ch_amount){(int64_t)l->amount},
			(struct ch_amount){(int64_t)l->balance_after});
	}
}

/* All moves, in their order. False: refused. */
static bool
run_moves(struct ruling *r, const struct command_move *moves, size_t count)
{
	ch_wide amounts[LEDGER_MOVES_MAX];
	struct run run;

	run.count = 0;
	run.leg_count = 0;
	for (size_t i = 0; i < count; i++)
		amounts[i] = check_move(r, &moves[i], i);
	if (!ruling_open(r))
		return false;
	for (size_t i = 0; i < count; i++)
		run_move(r, &run, &moves[i], i, amounts[i]);
	if (!ruling_open(r))
		return false;
	write_rows(r, &run);
	return true;
}

void
transfer_rules_post(struct ruling *r, const struct command *c)
{
	const struct transfer_post *post = &c->as.transfer_post;

	(void)run_moves(r, post->moves, post->count);
}

/* ---- transfer.reverse ---- */

/* Refused, or never sent; or applied on a day that nobody can look up. */
static void
refuse_unknown(struct ruling *r, const struct transfer_reverse *reverse)
{
	struct ch_time sent = ch_uuid_time(&reverse->transfer->id);
	struct ch_time lowest = {r->lowest_day * CH_US_PER_DAY};
	char day[CH_TIME_TEXT_MAX];
	char limit[CH_TIME_TEXT_MAX];

	(void)ch_time_format(sent, day);
	(void)ch_time_format(lowest, limit);
	if (ch_time_day(sent) < r->lowest_day)
		ruling_refuse(r, STATUS_TRANSFER_NOT_FOUND,
			"transfer: \"%.*s\" is of %.10s, and the log is kept from "
			"%.10s on: what it moved is in that day's archive, post "
			"the opposite of it",
			CH_VIEW_ARG(reverse->name), day, limit);
	else
		ruling_refuse(r, STATUS_TRANSFER_NOT_FOUND,
			"transfer: \"%.*s\" was never sent, or was refused",
			CH_VIEW_ARG(reverse->name));
}

static void
check_transfer(struct ruling *r, const struct transfer_reverse *reverse)
{
	const struct transfer *t = reverse->transfer;

	if (t->fact == TRANSFER_UNKNOWN)
		refuse_unknown(r, reverse);
	else if (t->fact == TRANSFER_OTHER)
		ruling_refuse(r, STATUS_NOT_REVERSIBLE,
			"transfer: \"%.*s\" is no transfer.post",
			CH_VIEW_ARG(reverse->name));
	else if (row_is_there(&t->row))
		ruling_refuse(r, STATUS_ALREADY_REVERSED,
			"transfer: \"%.*s\" was reversed before",
			CH_VIEW_ARG(reverse->name));
}

void
transfer_rules_reverse(struct ruling *r, const struct command *c)
{
	struct transfer *t = c->as.transfer_reverse.transfer;
	struct command_move moves[LEDGER_MOVES_MAX];
	size_t n = t->fact == TRANSFER_POSTED ? t->move_count : 0;

	check_transfer(r, &c->as.transfer_reverse);
	for (size_t i = 0; i < n; i++) {
		const struct command_move *m = &t->moves[n - 1 - i];

		moves[i] = (struct command_move){.from_name = m->to_name,
			.to_name = m->from_name,
			.amount = m->amount,
			.from = m->to,
			.to = m->from};
	}
	if (!run_moves(r, moves, n))
		return;
	books_create(r->books, &t->row, r->at);
	t->reversed_by = r->id;
}
