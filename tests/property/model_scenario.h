/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_scenario: the serial model by itself, against answers that people wrote
 * down from protocols/semantics.md and protocols/commands.md.
 *
 * A scenario is a list of lines: a command without its id and organisation, and
 * what must come of it. ' stands for ", $3 for the id of the third line. What
 * must come of it, one line each:
 *
 *	'applied',...	the answer, from its status up to its time
 *	P a|0|0|-1|9	a posting: account, shard, leg, amount, balance after
 *	E type {...}	an event, without organisation, id and time
 *	T type ...	a timer's answer, as above; Q its posting, U its event
 *	! text		a problem; X: rejected
 *
 * P, E, Q and U are compared when one is expected; T, ! and X always. Lines that
 * begin with @ are no commands: @+5 moves the clock on by as many seconds, @part
 * 3 the following commands to that partition, @pay m 2 pays a page of two, @pause
 * a,b and @rate name,scope,most,seconds,shares,types set what is in force.
 */
#ifndef MODEL_SCENARIO_H
#define MODEL_SCENARIO_H

#include <stddef.h>

struct line {
	const char *command;
	const char *expected;
};

/* Plays them in order from 2026-11-21T10:00:00Z on; a line of which something
 * else came fails the test that runs. At most 63 lines. */
void play(const struct line *lines, size_t count);

#define PLAY(lines) play(lines, sizeof(lines) / sizeof((lines)[0]))

/* ---- words of the scenarios ---- */

#define NONE "'balances':[]"
#define OK(...) "'applied','balances':[" __VA_ARGS__ "]"
#define NO(status) "'" status "','balances':[]"
#define BAL(account, balance, held, version)                                   \
	"{'account':'" account "','asset':'USD','balance':'" balance           \
	"','held':'" held "','version':" #version "}"
#define SKU(sku, on_hand, reserved, version)                                   \
	"{'sku':'" sku "','on_hand':'" on_hand "','reserved':'" reserved       \
	"','version':" #version "}"
#define STOCK(...) ",'stock':[" __VA_ARGS__ "]"
#define HOLDS(...) ",'holds':[" __VA_ARGS__ "]"
#define ORDERS(...) ",'orders':[" __VA_ARGS__ "]"
#define MARKETS(...) ",'markets':[" __VA_ARGS__ "]"
#define POSITIONS(...) ",'positions':[" __VA_ARGS__ "]"
#define TRADES(...) ",'trades':[" __VA_ARGS__ "]"
#define HOLD(name, account, amount, state)                                     \
	"{'hold':'" name "','account':'" account "','amount':'" amount         \
	"','state':'" state "'}"
#define DEFINE(asset, scale)                                                   \
	{                                                                      \
		"'type':'asset.define','asset':'" asset "','scale':" scale,    \
			OK()                                                   \
	}
#define OPEN(account)                                                          \
	{                                                                      \
		"'type':'account.open','account':'" account "','asset':'USD'", \
			OK(BAL(account, "0.00", "0.00", 1))                    \
	}
#define OPEN_WORLD                                                                \
	{                                                                         \
		"'type':'account.open','account':'w','asset':'USD','floor':null", \
			OK(BAL("w", "0.00", "0.00", 1))                           \
	}
#define MOVE(from, to, amount)                                                 \
	"{'from':'" from "','to':'" to "','amount':'" amount "'}"
#define POST(from, to, amount)                                                 \
	"'type':'transfer.post','moves':[" MOVE(from, to, amount) "]"
#define PLACE(from, amount, name)                                              \
	"'type':'hold.place','from':'" from "','amount':'" amount              \
	"','hold':'" name "'"
#define CAPTURE(name, to)                                                      \
	"'type':'hold.capture','hold':'" name "','to':'" to "'"
#define GROUP(...) "'type':'group','commands':[" __VA_ARGS__ "]"
#define FAILED(index, status)                                                  \
	"'group_failed','failed':{'index':" #index ",'status':'" status        \
	"'},'balances':[]"
#define TRADE(market, outcome, tx, position, lock)                             \
	"'type':'trade.record','account':'a','market':'" market                \
	"','outcome':'" outcome "','side':'BUY','tx':'" tx                     \
	"','position':'" position "','lock':'" lock "'"
#define POSITION(market, outcome, qty, lock, version)                          \
	"{'account':'a','market':'" market "','outcome':'" outcome             \
	"','qty':'" qty "','lock':'" lock "','version':" #version "}"
#define MARKET(name, state, version)                                           \
	"{'market':'" name "','state':'" state "','version':" #version "}"
#define TX(tx, state) "{'tx':'" tx "','state':'" state "'}"
#define UNTIL(time) ",'expires_at':'2026-11-21T10:" time "Z'"

#endif
