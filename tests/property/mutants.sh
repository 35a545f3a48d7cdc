#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Mutation check of the ledger's property test: each line below breaks one rule
# in a copy of the deciding modules; the property test must find every one.
#
#	make mutants COMMANDS= SEED= T=file
#	tests/property/mutants.sh [commands] [file]	(SEED= as in the property test)
#
# A file's name (rates.c) tries its mutants only.
# Ends with "N found, N missed" and status 1 when one was missed. It compiles
# on its own: no make target needs to exist.
set -euo pipefail
cd "$(dirname "$0")/../.."

commands=${1:-16000}
only=${2:-}
seed=${SEED:-11}
work=$(mktemp -d)
pure=$(sed -nE 's/^Pure modules: (.*)/\1/p' services/ledger-writer/README.md | tr -d ',')
trap 'rm -rf "$work"' EXIT

# file | text, its first occurrence | what stands there instead ('\\|': '|')
mutants=$(cat <<'END'
transfer_rules.c|if (available < amount)|if (available <= amount)
transfer_rules.c|- from->held.minor -|- from->held.minor +
transfer_rules.c|!account_rules_fits(*balance)|false
transfer_rules.c|if (m->from->asset != m->to->asset)|if (false)
transfer_rules.c|	*balance += amount;|	*balance += amount + (amount > 5000 && amount < 6000);
transfer_rules.c|if (run->rows[i].row == row)|if (i == 0 && run->rows[i].row == row)
transfer_rules.c|&t->moves[n - 1 - i]|&t->moves[i]
transfer_rules.c|else if (row_is_there(&t->row))|else if (false)
account_rules.c|		return beyond;|		return (ch_wide)1 << 100;
account_rules.c|held != 0)|false)
account_rules.c|if (account_rules_row(r, a)->closed)|if (false)
account_rules.c|(ch_wide)a->balance.minor - a->held.minor < floor.minor)|(ch_wide)a->balance.minor < floor.minor)
account_rules.c|		row_of(r, a, i)->closed = true;|		row_of(r, a, 0)->closed = true;
hold_rules.c|account_rules_available(a) < amount)|account_rules_available(a) <= amount)
hold_rules.c|	h->account->held.minor -= h->amount.minor;|	h->account->held.minor -= h->captured.minor;
hold_rules.c|h->expires_at.us <= at.us|h->expires_at.us < at.us
hold_rules.c|if (amount > h->amount.minor)|if (amount > h->amount.minor + 1)
hold_rules.c|	if (row_is_there(&h->row))|	if (row_is_there(&h->row) && h->state == HOLD_HELD)
stock_rules.c|reserve->qty.qty.units > available(sku).units|reserve->qty.qty.units > sku->on_hand.units
stock_rules.c|r->expires_at.us <= at.us|r->expires_at.us < at.us - 5000
stock_rules.c|	take(&sku->on_hand, gone);|	take(&sku->on_hand, res->qty);
stock_rules.c|status = STATUS_RESERVATION_RELEASED;|status = STATUS_RESERVATION_COMMITTED;
order_rules.c|m->qty.value.minor <= o->qty.minor - o->filled.minor)|m->qty.value.minor <= o->qty.minor)
order_rules.c|whole = o->filled.minor == o->qty.minor;|whole = o->filled.minor >= o->qty.minor - 1;
order_rules.c|	if (row_is_there(&m->fill->row)) {|	if (false) {
trade_rules.c|	if (x->remainder != y->remainder)|	if (false)
trade_rules.c|order[i]->lock++;|s->shares[i].lock++;
trade_rules.c|- lock_before(t, s) + s->lock;|+ s->lock;
trade_rules.c|sum * left / a->balance.minor;|(sum * left + a->balance.minor - 1) / a->balance.minor;
trade_rules.c|(to_itself ? 0 : s->skim)|s->skim
market_rules.c|(void)add_product(&m->owed, p->qty.minor, price);|m->owed = 0, (void)add_product(&m->owed, p->qty.minor, price);
market_rules.c|(ch_wide)p->qty.minor - p->stored_qty.minor,|(ch_wide)p->qty.minor,
market_rules.c|	return !holder->closed &&|	return
market_rules.c|	p->account->held.minor -= p->lock.minor;|	p->account->held.minor -= 0;
rates.c|w->stamps[w->first] <= until|w->stamps[w->first] < until
rates.c|bool taken = pass && !c->dry_run;|bool taken = pass;
rates.c|+ (share < rule->most % rule->shares)|
rates.c|k.counted + k.weight <= k.limit|k.counted + 1 <= k.limit
books.c|	row->version++;|	row->version += 2;
books.c|	row->last_at = at;|	(void)at;
books.c|memcpy(u->row, &u->image, kinds[u->row->kind].size);|(void)u;
ruling.c|if (status >= r->status)|if (r->status != STATUS_APPLIED)
decide.c|> LEDGER_FUTURE_US|> 2 * LEDGER_FUTURE_US
decide.c|decided_at.us - g->context->ahead_us|decided_at.us
decide.c|known->row.state != ROW_LOADED)|known->row.state != ROW_LOADED \|\| known->row.created)
decide.c|		check_version(r, &c->wishes[i]);|		(void)check_version;
command.c|	return command_types[c->type].fact|	return false
rates.c|			return !command_is_fact(c);|			return true;
decide.c|	books_undo_to(r->books, r->counted);|
decide.c|	r->failed_index = i - 1;|	r->failed_index = i;
batch.c|	batch_timers_settle(&w);|
batch.c|if (d == DECISION_LOG)|if (d != DECISION_REJECT)
batch_timers.c|	qsort(due, n, sizeof(*due), compare_due);|
command.c|ch_view_eq_str(v->name, "traceparent")|ch_view_eq_str(v->name, "ref")
result.c|if (h->dry_run)|if (false)
END
)

compile()
{
	gcc -std=c17 -D_GNU_SOURCE -O1 -w -Icommon -I"$work/src" -Itests/support \
		-Itests/property "$work"/src/*.c \
		tests/support/mem_{dump,rows,store}.c tests/property/{model_*,serial_model,load_*,ledger_load,ledger_damage,compare_*,ledger_compare,test_ledger_batches}.c \
		"$work/base.a" -o "$work/test" -lcheck_pic -lsubunit -lm -lrt -ljansson -lcrypto -pthread \
		2>"$work/errors"
}

copy_sources()
{
	rm -rf "$work/src"
	mkdir "$work/src"
	for m in $pure; do
		cp "services/ledger-writer/$m".[ch] "$work/src/"
	done
}

for f in common/base/*.c; do
	gcc -std=c17 -D_GNU_SOURCE -O1 -w -Icommon -c "$f" -o "$work/$(basename "$f").o"
done
ar rcs "$work/base.a" "$work"/*.o
echo "SEED=$seed COMMANDS=$commands"
export SEED=$seed COMMANDS=$commands CK_RUN_CASE=equal CK_FORK=yes
copy_sources
compile || { cat "$work/errors"; exit 1; }
"$work/test" >/dev/null || { echo "the sources as they are do not pass"; exit 1; }

found=0 missed=0
while IFS='|' read -r file from to; do
	[[ -z $only || $file == "$only" ]] || continue
	to=${to//\\|/|}
	copy_sources
	FROM=$from TO=$to perl -0pi -e 's/\Q$ENV{FROM}\E/$ENV{TO}/ and $done = 1; END {exit !$done}' \
		"$work/src/$file" || { echo "no such text in $file: $from"; exit 1; }
	if ! compile; then
		echo "does not compile: $file: $from"
		cat "$work/errors"
		exit 1
	fi
	if timeout 120 "$work/test" >/dev/null 2>&1; then
		missed=$((missed + 1))
		echo "MISSED $file: $from -> $to"
	else
		found=$((found + 1))
		echo "found  $file: $from"
	fi
done <<<"$mutants"
echo "$found found, $missed missed"
((found + missed > 0)) || { echo "no mutants of $only"; exit 1; }
((missed == 0))
