/* SPDX-License-Identifier: Apache-2.0 */
/* The serial model: accounts and money (model_scenario.h). */
#include "check_suite.h"
#include "model_scenario.h"

/* ---- accounts ---- */

START_TEST(accounts_have_limits_and_an_end)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		{POST("w", "a", "10.00"),
			OK(BAL("w", "-10.00", "0.00", 2) "," BAL("a", "10.00",
				"0.00", 2))},
		{POST("a", "w", "10.01"), NO("insufficient_funds")},
		/* credit */
		{"'type':'account.limit','account':'a','floor':'-5'",
			OK(BAL("a", "10.00", "0.00", 3))},
		{POST("a", "w", "15.00"),
			OK(BAL("a", "-5.00", "0.00", 4) "," BAL("w", "5.00",
				"0.00", 3))},
		{"'type':'account.limit','account':'a','floor':'-4.99'",
			NO("insufficient_funds")},
		{"'type':'account.limit','account':'a','floor':'-4.999'",
			NO("invalid_amount")},
		{"'type':'account.limit','account':'a',"
		 "'floor':'99999999999999999999'",
			NO("insufficient_funds")},
		{"'type':'account.limit','account':'a',"
		 "'floor':'-92233720368547758.09'",
			NO("overflow")},
		{"'type':'account.limit','account':'a'", "X\n" NO("invalid")},
		{"'type':'account.close','account':'a'", NO("not_empty")},
		{POST("w", "a", "5.00"),
			OK(BAL("w", "0.00", "0.00", 4) "," BAL("a", "0.00",
				"0.00", 5))},
		/* a closed account takes part in nothing, and its name is taken */
		{"'type':'account.close','account':'a'",
			OK(BAL("a", "0.00", "0.00", 6))},
		{"'type':'account.close','account':'a'", NO("account_closed")},
		{"'type':'account.limit','account':'a','floor':null",
			NO("account_closed")},
		{POST("w", "a", "1.00"), NO("account_closed")},
		{"'type':'account.open','account':'a','asset':'USD'",
			NO("account_exists")},
		{"'type':'account.close','account':'none'",
			NO("account_not_found")},
	};

	PLAY(lines);
}
END_TEST

START_TEST(shards_are_one_account_in_rows)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN("a"),
		{"'type':'account.open','account':'s','asset':'USD',"
		 "'shards':2",
			"X\n" NO("invalid")},
		{"'type':'account.open','account':'s','asset':'USD',"
		 "'floor':'0','shards':2",
			"X\n" NO("invalid")},
		{"'type':'account.open','account':'s','asset':'USD',"
		 "'floor':null,'shards':3,'expected_version':{'account':"
		 "{'s':0}}",
			OK()},
		{"@part 7", ""},
		{POST("s", "a", "3.00"),
			OK(BAL("a", "3.00", "0.00",
				2)) "\n"
				    "P s|1|0|-300|-300\nP a|0|1|300|300"},
		{"@part 2", ""},
		{POST("a", "s", "3.00"),
			OK(BAL("a", "0.00", "0.00",
				3)) "\n"
				    "P a|0|0|-300|0\nP s|2|1|300|300"},
		/* reversed in the shard of the reversing partition */
		{"@part 0", ""},
		{"'type':'transfer.reverse','transfer':'$9'",
			OK(BAL("a", "3.00", "0.00",
				4)) "\n"
				    "P s|0|0|-300|-300\nP a|0|1|300|300"},
		{POST("a", "s", "3.00"), OK(BAL("a", "0.00", "0.00", 5))},
		{"'type':'hold.place','from':'s','amount':'1'",
			NO("account_sharded")},
		{"'type':'account.limit','account':'s','floor':'0'",
			NO("account_sharded")},
		{"'type':'account.close','account':'s','expected_version':"
		 "{'account':{'s':1}}",
			NO("version_unsupported")},
		/* -300 + 300 + 0 */
		{"'type':'account.close','account':'s'", OK()},
		{POST("a", "s", "3.00"), NO("account_closed")},
	};

	PLAY(lines);
}
END_TEST

/* ---- money ---- */

START_TEST(holds_end_once)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		OPEN("b"),
		{POST("w", "a", "10.00"),
			OK(BAL("w", "-10.00", "0.00", 2) "," BAL("a", "10.00",
				"0.00", 2))},
		{PLACE("a", "6.00", "h1"),
			OK(BAL("a", "10.00", "6.00", 3))
				HOLDS(HOLD("h1", "a", "6.00", "held"))},
		{PLACE("a", "4.01", "h2"), NO("insufficient_funds")},
		{PLACE("a", "1.00", "h1"), NO("hold_exists")},
		{PLACE("a", "1.001", "h2"), NO("invalid_amount")},
		{PLACE("a", "1.00", "h2") UNTIL("00:00"), NO("hold_expired")},
		{POST("a", "b", "4.01"), NO("insufficient_funds")},
		{"'type':'account.limit','account':'a','floor':'4.01'",
			NO("insufficient_funds")},
		/* a part releases the rest; the payer first */
		{CAPTURE("h1", "b") ",'amount':'6.01'",
			NO("amount_exceeds_hold")},
		{CAPTURE("h1", "b") ",'amount':'2.5'",
			OK(BAL("a", "7.50", "0.00", 4) "," BAL("b", "2.50",
				"0.00", 2))
				HOLDS("{'hold':'h1','account':'a','amount':'6.00',"
				      "'state':'captured','captured':'2.50'}") "\n"
									       "P a|0|0|-250|750\nP b|0|1|250|250\n"
									       "E hold.captured {'account':'a','asset':'USD',"
									       "'hold':'h1','amount':'6.00','captured':'2.50',"
									       "'to':'b','balance':'7.50','held':'0.00','version':4}"},
		{CAPTURE("h1", "b"), NO("hold_captured")},
		{"'type':'hold.void','hold':'h1'", NO("hold_captured")},
		{"'type':'hold.void','hold':'none'", NO("hold_not_found")},
		/* the default name is the id; a capture may go to the payer */
		{"'type':'hold.place','from':'a','amount':'1.00',"
		 "'expires_at':'2026-11-21T10:00:05.000001Z'",
			OK(BAL("a", "7.50", "1.00", 5)) HOLDS(
				"{'hold':'$18','account':'a','amount':'1.00',"
				"'state':'held','expires_at':"
				"'2026-11-21T10:00:05.000001Z'}")},
		{CAPTURE("$18", "a"),
			OK(BAL("a", "7.50", "0.00", 6)) HOLDS(
				"{'hold':'$18','account':'a','amount':'1.00',"
				"'state':'captured','captured':'1.00',"
				"'expires_at':'2026-11-21T10:00:05.000001Z'}") "\n"
									       "P a|0|0|-100|650\nP a|0|1|100|750"},
		{PLACE("a", "7.50", "h3"),
			OK(BAL("a", "7.50", "7.50", 7))
				HOLDS(HOLD("h3", "a", "7.50", "held"))},
		{"'type':'hold.void','hold':'h3'",
			OK(BAL("a", "7.50", "0.00", 8)) HOLDS(HOLD("h3", "a",
				"7.50",
				"voided")) "\n"
					   "E hold.voided {'account':'a','asset':'USD',"
					   "'hold':'h3','amount':'7.50','balance':'7.50',"
					   "'held':'0.00','version':8}"},
		{CAPTURE("h3", "b"), NO("hold_voided")},
		{CAPTURE("h3", "none"), NO("account_not_found")},
	};

	PLAY(lines);
}
END_TEST

#define EXPIRED(name, time, version)                                             \
	"T 'hold.expire','status':'applied','balances':[" BAL("a", "10.00",      \
		"0.00",                                                          \
		version) "]" HOLDS("{'hold':'" name                              \
				   "','account':'a','amount':'6.00','state':"    \
				   "'expired','expires_at':'2026-11-21T10:" time \
				   ".000000Z'}") "\n"

START_TEST(holds_run_out_at_their_deadline)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		{POST("w", "a", "10.00"),
			OK(BAL("w", "-10.00", "0.00", 2) "," BAL("a", "10.00",
				"0.00", 2))},
		{PLACE("a", "6.00", "h1") UNTIL("00:05"),
			OK(BAL("a", "10.00", "6.00", 3)) HOLDS(
				"{'hold':'h1','account':'a','amount':'6.00',"
				"'state':'held','expires_at':"
				"'2026-11-21T10:00:05.000000Z'}")},
		{"@+4", ""},
		{POST("a", "w", "5.00"), NO("insufficient_funds")},
		/* due when expires_at <= decided_at; before the command */
		{"@+1", ""},
		{CAPTURE("h1", "w"),
			EXPIRED("h1", "00:05",
				4) "U hold.expired {'account':'a','asset':'USD',"
				   "'hold':'h1','amount':'6.00','balance':'10.00',"
				   "'held':'0.00','version':4}\n" NO(
					   "hold_expired")},
		/* any command that names the account settles it, a dry one too */
		{PLACE("a", "6.00", "h2") UNTIL("00:06"),
			OK(BAL("a", "10.00", "6.00", 5)) HOLDS(
				"{'hold':'h2','account':'a','amount':'6.00',"
				"'state':'held','expires_at':"
				"'2026-11-21T10:00:06.000000Z'}")},
		{"@+1", ""},
		{POST("w", "a", "1.00") ",'dry_run':true",
			EXPIRED("h2", "00:06", 6)
				OK(BAL("w", "-11.00", "0.00", 3) "," BAL("a",
					"11.00", "0.00", 7)) ",'dry_run':true"},
		/* so does one that would make a hold of a name that it has */
		{PLACE("a", "6.00", "h3") UNTIL("00:07"),
			OK(BAL("a", "10.00", "6.00", 7)) HOLDS(
				"{'hold':'h3','account':'a','amount':'6.00',"
				"'state':'held','expires_at':"
				"'2026-11-21T10:00:07.000000Z'}")},
		{"@+1", ""},
		{PLACE("w", "1.00", "h3"),
			EXPIRED("h3", "00:07", 8) NO("hold_exists")},
		/* and one that reverses a transfer of it */
		{PLACE("a", "6.00", "h4") UNTIL("00:08"),
			OK(BAL("a", "10.00", "6.00", 9)) HOLDS(
				"{'hold':'h4','account':'a','amount':'6.00',"
				"'state':'held','expires_at':"
				"'2026-11-21T10:00:08.000000Z'}")},
		{"@+1", ""},
		{"'type':'transfer.reverse','transfer':'$4'",
			EXPIRED("h4", "00:08", 10) OK(BAL("a", "0.00", "0.00",
				11) "," BAL("w", "0.00", "0.00", 3))},
	};

	PLAY(lines);
}
END_TEST

START_TEST(transfers_are_reversed_once)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		OPEN("b"),
		/* a dip is refused although the net would be fine */
		{"'type':'transfer.post','moves':[" MOVE("a", "b",
			 "1.00") "," MOVE("w", "a", "1.00") "]",
			NO("insufficient_funds")},
		{"'type':'transfer.post','moves':[" MOVE("w", "a",
			 "3.00") "," MOVE("a", "b", "2.00") "]",
			OK(BAL("w", "-3.00", "0.00", 2) "," BAL("a", "1.00",
				"0.00", 2) "," BAL("b", "2.00", "0.00", 2))},
		/* last move first */
		{"'type':'transfer.reverse','transfer':'$6','dry_run':true",
			OK(BAL("b", "0.00", "0.00", 3) "," BAL("a", "0.00",
				"0.00", 3) "," BAL("w", "0.00", "0.00",
				3)) ",'dry_run':true"},
		{POST("b", "w", "0.01"),
			OK(BAL("b", "1.99", "0.00", 3) "," BAL("w", "-2.99",
				"0.00", 3))},
		{"'type':'transfer.reverse','transfer':'$6'",
			NO("insufficient_funds")},
		{POST("w", "b", "0.01"),
			OK(BAL("w", "-3.00", "0.00", 4) "," BAL("b", "2.00",
				"0.00", 4))},
		{"'type':'transfer.reverse','transfer':'$6'",
			OK(BAL("b", "0.00", "0.00", 5) "," BAL("a", "0.00",
				"0.00", 3) "," BAL("w", "0.00", "0.00",
				5)) "\n"
				    "P b|0|0|-200|0\nP a|0|1|200|300\n"
				    "P a|0|2|-300|0\nP w|0|3|300|0"},
		{"'type':'transfer.reverse','transfer':'$6'",
			NO("already_reversed")},
		{"'type':'transfer.reverse','transfer':'$11'",
			NO("not_reversible")},
		{"'type':'transfer.reverse','transfer':'$3'",
			NO("not_reversible")},
		{"'type':'transfer.reverse','transfer':'$5'",
			NO("transfer_not_found")},
		{"'type':'transfer.reverse','transfer':'$7'",
			NO("transfer_not_found")},
		{"'type':'transfer.reverse','transfer':'$60'",
			NO("transfer_not_found")},
		{"'type':'transfer.reverse','transfer':'$6/0'",
			NO("transfer_not_found")},
		{"'type':'transfer.reverse','transfer':'x'",
			"X\n" NO("invalid")},
		{"'type':'transfer.reverse','transfer':'$6/64'",
			"X\n" NO("invalid")},
		/* an account that was closed meanwhile */
		{POST("w", "a", "1.00"),
			OK(BAL("w", "-1.00", "0.00", 6) "," BAL("a", "1.00",
				"0.00", 4))},
		{POST("a", "w", "1.00"),
			OK(BAL("a", "0.00", "0.00", 5) "," BAL("w", "0.00",
				"0.00", 7))},
		{"'type':'account.close','account':'a'",
			OK(BAL("a", "0.00", "0.00", 6))},
		{"'type':'transfer.reverse','transfer':'$22'",
			NO("account_closed")},
	};

	PLAY(lines);
}
END_TEST

START_TEST(amounts_leave_no_int64)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		{"'type':'account.open','account':'x','asset':'USD',"
		 "'floor':null",
			OK(BAL("x", "0.00", "0.00", 1))},
		{POST("a", "w", "92233720368547758.08"),
			NO("insufficient_funds")},
		{POST("w", "a", "92233720368547758.08"), NO("overflow")},
		{POST("w", "a", "92233720368547758.07"),
			OK(BAL("w", "-92233720368547758.07", "0.00", 2) "," BAL(
				"a", "92233720368547758.07", "0.00", 2))},
		{POST("x", "a", "0.01"), NO("overflow")},
		{POST("w", "x", "0.02"), NO("overflow")},
		{PLACE("a", "92233720368547758.08", "h"),
			NO("insufficient_funds")},
		{PLACE("x", "92233720368547758.08", "h"), NO("overflow")},
		{PLACE("x", "92233720368547758.07", "h"),
			OK(BAL("x", "0.00", "92233720368547758.07", 2))
				HOLDS(HOLD("h", "x", "92233720368547758.07",
					"held"))},
		{PLACE("x", "0.01", "h2"), NO("overflow")},
		{CAPTURE("h", "a"), NO("overflow")},
		/* what w could not lose any more cannot be set aside */
		{"'type':'trade.record','account':'x','market':'m','outcome':"
		 "'YES','side':'BUY','tx':'t','position':'1','lock':'0'",
			OK(BAL("x", "0.00", "92233720368547758.07",
				3)) ",'markets':[{'market':'m','state':'open','version':1}],"
				    "'positions':[{'account':'x','market':'m','outcome':"
				    "'YES','qty':'1.00000000','lock':'0.00','version':1}],"
				    "'trades':[{'tx':'t','state':'recorded'}]"},
		{"'type':'market.settle','market':'m','from':'w',"
		 "'payouts':{'YES':'0.02'}",
			NO("overflow")},
		{"'type':'market.settle','market':'m','from':'w',"
		 "'payouts':{'YES':'0.01'}",
			OK(BAL("w", "-92233720368547758.07", "0.01",
				3)) ",'markets':[{'market':'m','state':'settling',"
				    "'version':2}]"},
	};

	PLAY(lines);
}
END_TEST

SUITE_MAIN("model_money", accounts_have_limits_and_an_end,
	shards_are_one_account_in_rows, holds_end_once,
	holds_run_out_at_their_deadline, transfers_are_reversed_once,
	amounts_leave_no_int64)
