/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account_rules: see account_rules.h.
 */
#include "account_rules.h"

#include <assert.h>

/* ---- what all rules ask ---- */

struct account *
account_rules_row(const struct ruling *r, struct account *a)
{
	if (a->shards == 0)
		return a;
	return books_shard(r->books, a, r->part % a->shards);
}

bool
account_rules_usable(struct ruling *r, struct account *a, struct ch_view name,
	const char *field, size_t index)
{
	if (!row_is_there(&a->row)) {
		ruling_refuse(r, STATUS_ACCOUNT_NOT_FOUND,
			"%s[%zu]: account \"%.*s\" is not open", field, index,
			CH_VIEW_ARG(name));
		return false;
	}
	if (account_rules_row(r, a)->closed)
		ruling_refuse(r, STATUS_ACCOUNT_CLOSED,
			"%s[%zu]: account \"%.*s\" is closed", field, index,
			CH_VIEW_ARG(name));
	return true;
}

void
account_rules_whole(struct ruling *r, const struct account *a,
	const char *field)
{
	if (a->shards > 0)
		ruling_refuse(r, STATUS_ACCOUNT_SHARDED,
			"%s: account \"%.*s\" has %d shards: use one without",
			field, CH_VIEW_ARG(a->row.name), a->shards);
}

ch_wide
account_rules_amount(struct ruling *r, const struct asset *asset,
	struct ch_view text, const char *field, size_t index)
{
	struct ch_amount amount;
	ch_wide beyond = 0;

	switch (ch_amount_parse(text, asset->scale, &amount)) {
	case CH_DECIMAL_OK:
		return amount.minor;
	case CH_DECIMAL_OVERFLOW: /* rare: so the wide reader is for these */
		(void)ch_amount_parse_wide(text, asset->scale, &beyond);
		return beyond;
	case CH_DECIMAL_FRACTION:
	case CH_DECIMAL_MALFORMED:
		break;
	}
	ruling_refuse(r, STATUS_INVALID_AMOUNT,
		"%s[%zu]: %.*s has more than the %d fraction digits of \"%.*s\"",
		field, index, CH_VIEW_ARG(text), asset->scale,
		CH_VIEW_ARG(asset->row.name));
	return 0;
}

ch_wide
account_rules_available(const struct account *row)
{
	return (ch_wide)row->balance.minor - row->held.minor - row->floor.minor;
}

const char *
account_rules_text(ch_wide v, int scale, char out[CH_AMOUNT_TEXT_MAX])
{
	if (!account_rules_fits(v))
		return v < 0 ? "less" : "more";
	(void)ch_amount_format((struct ch_amount){(int64_t)v}, scale, out);
	return out;
}

/* ---- asset.define ---- */

void
account_rules_define_asset(struct ruling *r, const struct command *c)
{
	struct asset *asset = c->as.asset_define.asset;

	if (row_is_there(&asset->row))
		ruling_refuse(r, STATUS_ASSET_EXISTS,
			"asset \"%.*s\" is defined already, with scale %d",
			CH_VIEW_ARG(asset->row.name), asset->scale);
	if (!ruling_open(r))
		return;
	books_create(r->books, &asset->row, r->at);
	asset->scale = c->as.asset_define.scale;
}

/* ---- account.open ---- */

static bool
read_floor(struct ruling *r, const struct asset *asset, struct ch_view text,
	struct ch_amount *floor)
{
	switch (ch_amount_parse(text, asset->scale, floor)) {
	case CH_DECIMAL_OK:
		return true;
	case CH_DECIMAL_OVERFLOW:
		ruling_refuse(r, STATUS_OVERFLOW,
			"floor: %.*s is more than scale %d can hold",
			CH_VIEW_ARG(text), asset->scale);
		return false;
	case CH_DECIMAL_FRACTION:
	case CH_DECIMAL_MALFORMED:
		break;
	}
	ruling_refuse(r, STATUS_INVALID_AMOUNT,
		"floor: %.*s has more than the %d fraction digits of \"%.*s\"",
		CH_VIEW_ARG(text), asset->scale, CH_VIEW_ARG(asset->row.name));
	return false;
}

static void
create_shards(struct ruling *r, struct account *whole)
{
	for (int i = 0; i < whole->shards; i++) {
		struct account *a = books_shard(r->books, whole, i);

		/* the account was not there, so none of it is */
		a->row.state = ROW_ABSENT;
		books_create(r->books, &a->row, r->at);
	}
}

void
account_rules_open(struct ruling *r, const struct command *c)
{
	const struct account_open *open = &c->as.account_open;
	struct account *account = open->account;
	struct ch_amount floor = {0};

	if (!row_is_there(&open->asset->row))
		ruling_refuse(r, STATUS_ASSET_NOT_FOUND,
			"asset \"%.*s\" is not defined",
			CH_VIEW_ARG(open->asset_name));
	else if (open->has_floor)
		(void)read_floor(r, open->asset, open->floor, &floor);
	if (row_is_there(&account->row))
		ruling_refuse(r, STATUS_ACCOUNT_EXISTS,
			"account \"%.*s\" exists already: a name is never opened again",
			CH_VIEW_ARG(open->name));
	if (!ruling_open(r))
		return;
	books_create(r->books, &account->row, r->at);
	account->asset = open->asset;
	account->shards = open->shards;
	account->has_floor = open->has_floor;
	account->floor = floor;
	create_shards(r, account);
}

/* ---- account.limit ---- */

void
account_rules_limit(struct ruling *r, const struct command *c)
{
	const struct account_limit *limit = &c->as.account_limit;
	struct account *a = limit->account;
	struct ch_amount floor = {0};
	char text[CH_AMOUNT_TEXT_MAX];

	if (!account_rules_usable(r, a, limit->name, "account", 0))
		return;
	account_rules_whole(r, a, "account");
	if (limit->has_floor && !read_floor(r, a->asset, limit->floor, &floor))
		floor.minor =
			limit->floor.ptr[0] == '-' ? INT64_MIN : INT64_MAX;
	if (limit->has_floor &&
		(ch_wide)a->balance.minor - a->held.minor < floor.minor)
		ruling_refuse(r, STATUS_INSUFFICIENT_FUNDS,
			"floor: \"%.*s\" has %s less what is held, the floor would be %.*s",
			CH_VIEW_ARG(limit->name),
			account_rules_text((ch_wide)a->balance.minor -
					a->held.minor,
				a->asset->scale, text),
			CH_VIEW_ARG(limit->floor));
	if (!ruling_open(r))
		return;
	books_touch(r->books, &a->row, r->at);
	a->has_floor = limit->has_floor;
	a->floor = floor;
	a->new_terms = true;
}

/* ---- account.close ---- */

/* Row i of the account, however it is kept. */
static struct account *
row_of(const struct ruling *r, struct account *a, int i)
{
	return a->shards > 0 ? books_shard(r->books, a, i) : a;
}

void
account_rules_close(struct ruling *r, const struct command *c)
{
	struct account *a = c->as.account_close.account;
	int rows = a->shards > 0 ? a->shards : 1;
	ch_wide balance = 0;
	ch_wide held = 0;
	char text[CH_AMOUNT_TEXT_MAX];

	if (!account_rules_usable(r, a, c->as.account_close.name, "account", 0))
		return;
	for (int i = 0; i < rows; i++) {
		balance += row_of(r, a, i)->balance.minor;
		held += row_of(r, a, i)->held.minor;
	}
	if (balance != 0 || held != 0)
		ruling_refuse(r, STATUS_NOT_EMPTY,
			"account: \"%.*s\" holds %s%s: move it out first",
			CH_VIEW_ARG(a->row.name),
			account_rules_text(balance, a->asset->scale, text),
			held != 0 ? ", and something is held" : "");
	if (!ruling_open(r))
		return;
	for (int i = 0; i < rows; i++) {
		books_touch(r->books, &row_of(r, a, i)->row, r->at);
		row_of(r, a, i)->closed = true;
		row_of(r, a, i)->new_terms = true;
	}
}
