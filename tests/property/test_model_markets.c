/* SPDX-License-Identifier: Apache-2.0 */
/* The serial model: trades and settlement (model_scenario.h). */
#include "check_suite.h"
#include "model_scenario.h"

/* ---- trades ---- */

#define SKIM(amount, to) ",'skim':{'amount':'" amount "','to':'" to "'}"

START_TEST(trades_set_positions_and_confirm)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		DEFINE("YEN", "0"),
		OPEN_WORLD,
		OPEN("a"),
		{"'type':'account.open','account':'y','asset':'YEN',"
		 "'floor':null",
			OK("{'account':'y','asset':'YEN',"
			   "'balance':'0','held':'0','version':1}")},
		{POST("w", "a", "10.00"),
			OK(BAL("w", "-10.00", "0.00", 2) "," BAL("a", "10.00",
				"0.00", 2))},
		{TRADE("m", "YES", "t1", "10",
			 "6.20") ",'qty':'10','price':'0.62',"
				 "'belief':{'belief':'0.7','meta':'0.05'}",
			OK(BAL("a", "10.00", "6.20", 3)) MARKETS(MARKET("m",
				"open", 1)) POSITIONS(POSITION("m", "YES",
				"10.00000000", "6.20", 1)) TRADES(TX("t1",
				"recorded")) "\n"
					     "E trade.recorded {'account':'a','market':'m',"
					     "'outcome':'YES','tx':'t1','side':'BUY',"
					     "'state':'recorded','position':'10.00000000',"
					     "'lock':'6.20','qty':'10','price':'0.62',"
					     "'belief':'0.70000000','meta':'0.05000000'}"},
		/* the position is set, the market not touched */
		{TRADE("m", "YES", "t2", "15",
			 "9.30") ",'settled':true,"
				 "'expected_version':{'position':{'a/m/YES':1}}",
			OK(BAL("a", "10.00", "9.30", 4)) POSITIONS(POSITION("m",
				"YES", "15.00000000", "9.30",
				2)) TRADES(TX("t2",
				"confirmed")) "\n"
					      "E trade.confirmed {'account':'a','market':'m',"
					      "'outcome':'YES','tx':'t2','side':'BUY',"
					      "'state':'confirmed','position':'15.00000000',"
					      "'lock':'9.30'}"},
		/* known: confirmed whatever else it says, but for whose it is */
		{TRADE("m", "YES", "t1", "0.000000000001",
			 "777777") ",'expected_version':{'position':{'a/m/YES':9}}",
			OK() TRADES(TX("t1",
				"confirmed")) ",'confirmed':true\n"
					      "E trade.confirmed {'account':'a','market':'m',"
					      "'outcome':'YES','tx':'t1','side':'BUY',"
					      "'state':'confirmed'}"},
		{TRADE("m", "YES", "t1", "1", "1"), OK() ",'confirmed':true"},
		{TRADE("m", "YES", "t2", "1", "1"), OK() ",'confirmed':true"},
		{TRADE("m", "NO", "t1", "1", "1"), NO("fact_mismatch")},
		{TRADE("m", "YES", "t1", "1", "1") SKIM("1", "none"),
			NO("account_not_found")},
		/* locks count as held */
		{POST("a", "w", "0.71"), NO("insufficient_funds")},
		{TRADE("m", "NO", "t3", "1", "0.71"), NO("insufficient_funds")},
		{TRADE("m", "NO", "t3", "1", "0.70"),
			OK(BAL("a", "10.00", "10.00", 5)) POSITIONS(
				POSITION("m", "NO", "1.00000000", "0.70", 1))
				TRADES(TX("t3", "recorded"))},
		{TRADE("m", "YES", "t4", "0", "0"),
			OK(BAL("a", "10.00", "0.70", 6)) POSITIONS(POSITION("m",
				"YES", "0.00000000", "0.00", 3))
				TRADES(TX("t4", "recorded"))},
		{TRADE("m", "YES", "t5", "0.000000001", "0"),
			NO("invalid_amount")},
		{TRADE("m", "YES", "t5", "92233720368.54775808", "0"),
			NO("overflow")},
		{TRADE("m", "YES", "t5", "1", "99999999999999999999"),
			NO("insufficient_funds")},
		{TRADE("m", "YES", "t5", "1", "1") SKIM("1", "y"),
			NO("asset_mismatch")},
		{TRADE("m", "YES", "t5", "1",
			 "1") ",'belief':{'belief':'1.1','meta':'0'}",
			"X\n" NO("invalid")},
		{"'type':'trade.record','account':'y','market':'m','outcome':"
		 "'YES','side':'SELL','tx':'t6','position':'1','lock':'1'",
			NO("asset_mismatch")},
	};

	PLAY(lines);
}
END_TEST

/* Locks of 1.00, 1.00 and 1.01 (T = 301) and a skim of 1.00 of 7.00: the new
 * sum is floor(301 * 600 / 700) = 258. Each for itself: 85, 85, 86 (rests 500,
 * 500, 400 of 700): two units are missing, the two rests of 500 get them. */
START_TEST(a_skim_scales_all_locks)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		{POST("w", "a", "7.00"),
			OK(BAL("w", "-7.00", "0.00", 2) "," BAL("a", "7.00",
				"0.00", 2))},
		{TRADE("m2", "A", "t1", "1", "1.00"),
			OK(BAL("a", "7.00", "1.00", 3)) MARKETS(MARKET("m2",
				"open", 1)) POSITIONS(POSITION("m2", "A",
				"1.00000000", "1.00", 1))
				TRADES(TX("t1", "recorded"))},
		{TRADE("m1", "B", "t2", "1", "1.00"),
			OK(BAL("a", "7.00", "2.00", 4)) MARKETS(MARKET("m1",
				"open", 1)) POSITIONS(POSITION("m1", "B",
				"1.00000000", "1.00", 1))
				TRADES(TX("t2", "recorded"))},
		{TRADE("m1", "A", "t3", "1", "1.01"),
			OK(BAL("a", "7.00", "3.01", 5)) POSITIONS(POSITION("m1",
				"A", "1.00000000", "1.01", 1))
				TRADES(TX("t3", "recorded"))},
		{TRADE("m3", "C", "t4", "2", "0") SKIM("7.01", "w"),
			NO("insufficient_funds")},
		{TRADE("m3", "C", "t4", "2", "0.50") SKIM("1.00", "w"),
			OK(BAL("a", "6.00", "3.08", 6) "," BAL("w", "-6.00",
				"0.00", 3)) MARKETS(MARKET("m3", "open",
				1)) POSITIONS(POSITION("m1", "A", "1.00000000",
				"0.86", 2) "," POSITION("m1", "B", "1.00000000",
				"0.86", 2) "," POSITION("m2", "A", "1.00000000",
				"0.86", 2) "," POSITION("m3", "C", "2.00000000",
				"0.50", 1)) TRADES(TX("t4",
				"recorded")) "\n"
					     "P a|0|0|-100|600\nP w|0|1|100|-600\n"
					     "E trade.recorded {'account':'a','market':'m3',"
					     "'outcome':'C','tx':'t4','side':'BUY',"
					     "'state':'recorded','position':'2.00000000',"
					     "'lock':'0.50','skim':'1.00'}"},
		/* its own lock is scaled with the others, then set: 86, 86, 86,
		 * 50 of 6.00, 5.99 left: 308 * 599 / 600 = 307; rests 514, 514,
		 * 514, 550; floors 85, 85, 85, 49 = 304: three units, the last
		 * one's first, then the first in byte order: its own lock does
		 * not change by that, so it is touched last */
		{TRADE("m1", "A", "t5", "3", "1.00") SKIM("0.01", "w"),
			OK(BAL("a", "5.99", "3.21", 7) "," BAL("w", "-5.99",
				"0.00", 4)) POSITIONS(POSITION("m2", "A",
				"1.00000000", "0.85", 3) "," POSITION("m1", "A",
				"3.00000000", "1.00", 3))
				TRADES(TX("t5", "recorded"))},
		/* a skim of all of it: nothing can be at stake after it */
		{TRADE("m1", "A", "t6", "3", "0.01") SKIM("5.99", "w"),
			NO("insufficient_funds")},
		{TRADE("m1", "A", "t6", "3", "0") SKIM("5.99", "w"),
			OK(BAL("a", "0.00", "0.00", 8) "," BAL("w", "0.00",
				"0.00", 5)) POSITIONS(POSITION("m1", "A",
				"3.00000000", "0.00", 4) "," POSITION("m1", "B",
				"1.00000000", "0.00", 3) "," POSITION("m2", "A",
				"1.00000000", "0.00", 4) "," POSITION("m3", "C",
				"2.00000000", "0.00", 2))
				TRADES(TX("t6", "recorded"))},
	};

	PLAY(lines);
}
END_TEST

START_TEST(a_pool_is_deployed_once)
{
	static const struct line lines[] = {
		{"'type':'pool.deploy','market':'m','address':'0xabc'",
			OK() ",'markets':[{'market':'m','state':'open',"
			     "'address':'0xabc','version':1}]\n"
			     "E pool.deployed {'market':'m','address':'0xabc',"
			     "'version':1}"},
		{"'type':'pool.deploy','market':'m','address':'0xdef'",
			"'pool_exists','pool':{'market':'m','address':'0xabc'},"
			"'balances':[]"},
		{GROUP("{'type':'pool.deploy','market':'m','address':'0xdef'}"),
			FAILED(0, "pool_exists")},
		DEFINE("USD", "2"),
		OPEN("a"),
		/* its first trade gives it an asset */
		{TRADE("m", "A", "t1", "1", "0"),
			OK(BAL("a", "0.00", "0.00",
				2)) ",'markets':[{'market':'m','state':'open',"
				    "'address':'0xabc','version':2}]" POSITIONS(
					    POSITION("m", "A", "1.00000000",
						    "0.00", 1))
					    TRADES(TX("t1", "recorded"))},
		{TRADE("n", "A", "t2", "1", "0"),
			OK(BAL("a", "0.00", "0.00", 3)) MARKETS(MARKET("n",
				"open", 1)) POSITIONS(POSITION("n", "A",
				"1.00000000", "0.00", 1))
				TRADES(TX("t2", "recorded"))},
		{"'type':'pool.deploy','market':'n','address':'0xdef',"
		 "'expected_version':{'market':{'n':1}}",
			OK() ",'markets':[{'market':'n','state':'open',"
			     "'address':'0xdef','version':2}]"},
		{"'type':'market.settle','market':'n','from':'a',"
		 "'payouts':{'A':'0'}",
			OK(BAL("a", "0.00", "0.00",
				4)) ",'markets':[{'market':'n','state':'settling',"
				    "'address':'0xdef','version':3}]"},
		{"'type':'pool.deploy','market':'n','address':'0xdef'",
			NO("market_settled")},
	};

	PLAY(lines);
}
END_TEST

/* Nothing is taken, so nothing is too much; a skim of such a stake is. */
START_TEST(a_stake_below_zero_trades_unless_it_is_skimmed)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		{"'type':'account.open','account':'a','asset':'USD',"
		 "'floor':'-9.00'",
			OK("{'account':'a','asset':'USD',"
			   "'balance':'0.00','held':'0.00','version':1}")},
		{POST("a", "w", "5.00"),
			OK(BAL("a", "-5.00", "0.00", 2) "," BAL("w", "5.00",
				"0.00", 2))},
		{TRADE("m", "YES", "t1", "1", "4.01"),
			NO("insufficient_funds")},
		{TRADE("m", "YES", "t1", "1", "4.00"),
			OK(BAL("a", "-5.00", "4.00", 3)) MARKETS(MARKET("m",
				"open", 1)) POSITIONS(POSITION("m", "YES",
				"1.00000000", "4.00", 1))
				TRADES(TX("t1", "recorded"))},
		{TRADE("m", "YES", "t2", "0", "0") SKIM("0.01", "w"),
			NO("insufficient_funds")},
		{TRADE("m", "YES", "t2", "0", "0"),
			OK(BAL("a", "-5.00", "0.00", 4)) POSITIONS(POSITION("m",
				"YES", "0.00000000", "0.00", 2))
				TRADES(TX("t2", "recorded"))},
	};

	PLAY(lines);
}
END_TEST

/* ---- settlement ---- */

#define OF(who, outcome, tx, position, lock)                                   \
	"'type':'trade.record','account':'" who "','market':'m',"              \
	"'outcome':'" outcome "','side':'BUY','tx':'" tx                       \
	"','position':'" position "','lock':'" lock "'"
#define HELD_BY(who, outcome, qty, paid, version)                              \
	"{'account':'" who "','market':'m','outcome':'" outcome                \
	"','qty':'" qty "','lock':'0.00','paid':'" paid                        \
	"','version':" #version "}"
#define TRADED(who, outcome, qty, lock, tx, born)                              \
	OK(BAL(who, "0.00", lock, 2))                                          \
	born POSITIONS("{'account':'" who "','market':'m','outcome':'" outcome \
		       "','qty':'" qty "','lock':'" lock "','version':1}")     \
		TRADES(TX(tx, "recorded"))

/* Three holders, one who lost, and one of the three is closed meanwhile.
 * YES pays 0.335: 1, 1 and 1 units are worth 33.5 minor units each; the sums
 * are 33.5, 67, 100.5: so 33, 34 and 33 are paid, 100 in all. */
START_TEST(a_settlement_pays_the_exact_total)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN("b"),
		OPEN("c"),
		OPEN("d"),
		OPEN("e"),
		OPEN("p"),
		OPEN_WORLD,
		{OF("b", "YES", "t1", "1", "0"),
			TRADED("b", "YES", "1.00000000", "0.00", "t1",
				MARKETS(MARKET("m", "open", 1)))},
		{OF("c", "YES", "t2", "1", "0"),
			TRADED("c", "YES", "1.00000000", "0.00", "t2", "")},
		{OF("d", "NO", "t3", "5", "0"),
			TRADED("d", "NO", "5.00000000", "0.00", "t3", "")},
		{OF("e", "YES", "t4", "1", "0"),
			TRADED("e", "YES", "1.00000000", "0.00", "t4", "")},
		{POST("w", "p", "0.99"),
			OK(BAL("w", "-0.99", "0.00", 2) "," BAL("p", "0.99",
				"0.00", 2))},
		{"'type':'market.settle','market':'m','from':'p',"
		 "'payouts':{'YES':'0.335'}",
			NO("insufficient_funds")},
		{POST("w", "p", "0.02"),
			OK(BAL("w", "-1.01", "0.00", 3) "," BAL("p", "1.01",
				"0.00", 3))},
		{"'type':'market.settle','market':'x','from':'p',"
		 "'payouts':{'YES':'0.335'}",
			NO("market_not_found")},
		{"'type':'market.settle','market':'m','from':'p',"
		 "'payouts':{'YES':'1000000.1'}",
			"X\n" NO("invalid")},
		{"'type':'market.settle','market':'m','from':'p',"
		 "'payouts':{}",
			"X\n" NO("invalid")},
		{"'type':'market.settle','market':'m','from':'p',"
		 "'payouts':{'YES':'1000000'},'dry_run':true",
			NO("insufficient_funds") ",'dry_run':true"},
		{"'type':'market.settle','market':'m','from':'p',"
		 "'payouts':{'YES':'0.335'}",
			OK(BAL("p", "1.01", "1.00", 4)) MARKETS(MARKET("m",
				"settling",
				2)) "\n"
				    "E market.settling {'market':'m','payer':'p',"
				    "'total':'1.00','version':2}"},
		{OF("b", "YES", "t5", "9", "0"), NO("market_settled")},
		{OF("b", "YES", "t1", "9", "0"),
			OK() TRADES(TX("t1", "confirmed")) ",'confirmed':true"},
		{"'type':'account.close','account':'e'",
			OK(BAL("e", "0.00", "0.00", 3))},
		{"@pay m 2",
			"T 'market.pay','status':'applied','balances':[" BAL(
				"p", "0.34", "0.33", 5) "," BAL("b", "0.33",
				"0.00", 3) "," BAL("c", "0.34", "0.00",
				3) "]" MARKETS(MARKET("m", "settling",
				3)) POSITIONS(HELD_BY("b", "YES", "1.00000000",
				"0.33", 2) "," HELD_BY("c", "YES", "1.00000000",
				"0.34", 2)) "\nQ p|0|0|-33|68\nQ b|0|1|33|33\n"
					    "Q p|0|2|-34|34\nQ c|0|3|34|34"},
		/* d lost; e is closed: 33 stay with the payer */
		{"@pay m 2",
			"T 'market.pay','status':'applied','balances':[" BAL(
				"p", "0.34", "0.00", 6) "]" MARKETS(MARKET("m",
				"settled", 4)) POSITIONS(HELD_BY("d", "NO",
				"5.00000000", "0.00",
				2)) "\nU market.settled {'market':'m','paid':'0.67',"
				    "'unpaid':'0.33','holders':3,'unpaid_holders':1,"
				    "'version':4}"},
		{"@pay m 2", "! a payment for what is not settling: m"},
		{"'type':'market.settle','market':'m','from':'p',"
		 "'payouts':{'YES':'0'}",
			NO("market_settled")},
	};

	PLAY(lines);
}
END_TEST

/* A page locks the accounts that it pays: what is due on them comes first. It
 * releases locks; half units at scale 0 go by the sum: 0.5, 1.0, 1.5. */
START_TEST(a_page_releases_locks_and_settles_what_is_due)
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
		{TRADE("m", "YES", "t1", "0.005", "3.00"),
			OK(BAL("a", "10.00", "9.00", 4)) MARKETS(MARKET("m",
				"open", 1)) POSITIONS(POSITION("m", "YES",
				"0.00500000", "3.00", 1))
				TRADES(TX("t1", "recorded"))},
		{TRADE("m", "NO", "t2", "0.005", "1.00"),
			OK(BAL("a", "10.00", "10.00", 5)) POSITIONS(
				POSITION("m", "NO", "0.00500000", "1.00", 1))
				TRADES(TX("t2", "recorded"))},
		{"'type':'market.settle','market':'m','from':'w',"
		 "'payouts':{'YES':'1','NO':'1'}",
			OK(BAL("w", "-10.00", "0.01", 3))
				MARKETS(MARKET("m", "settling", 2))},
		{"@+5", ""},
		{"@pay m 500",
			"T 'hold.expire','status':'applied','balances':[" BAL("a", "10.00", "4.00", 6) "]" HOLDS(
				"{'hold':'h1','account':'a','amount':'6.00',"
				"'state':'expired','expires_at':"
				"'2026-11-21T10:00:05.000000Z'}") "\n"
								  "T 'market.pay','status':'applied','balances':[" BAL(
									  "w",
									  "-10.01",
									  "0.00",
									  4) "," BAL("a",
									  "10.01",
									  "0.00",
									  7) "]" MARKETS(MARKET("m",
									  "settled",
									  3))
									  POSITIONS(
										  "{'account':'a','market':'m','outcome':'YES',"
										  "'qty':'0.00500000','lock':'0.00',"
										  "'paid':'0.00','version':2},"
										  "{'account':'a','market':'m','outcome':'NO',"
										  "'qty':'0.00500000','lock':'0.00',"
										  "'paid':'0.01','version':2}")},
	};

	PLAY(lines);
}
END_TEST

START_TEST(a_market_without_positions_ends_with_an_empty_page)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN("p"),
		{"'type':'pool.deploy','market':'m','address':'x'",
			OK() ",'markets':[{'market':'m','state':'open',"
			     "'address':'x','version':1}]"},
		{"'type':'market.settle','market':'m','from':'p',"
		 "'payouts':{'YES':'1'}",
			OK(BAL("p", "0.00", "0.00",
				2)) ",'markets':[{'market':'m','state':'settling',"
				    "'address':'x','version':2}]"},
		{"@pay m 500",
			"T 'market.pay','status':'applied','balances':[" BAL(
				"p", "0.00", "0.00",
				3) "],"
				   "'markets':[{'market':'m','state':'settled',"
				   "'address':'x','version':3}]\n"
				   "U market.settled {'market':'m','paid':'0.00',"
				   "'unpaid':'0.00','holders':0,'unpaid_holders':0,"
				   "'version':3}"},
	};

	PLAY(lines);
}
END_TEST

SUITE_MAIN("model_markets", trades_set_positions_and_confirm,
	a_skim_scales_all_locks, a_pool_is_deployed_once,
	a_stake_below_zero_trades_unless_it_is_skimmed,
	a_settlement_pays_the_exact_total,
	a_page_releases_locks_and_settles_what_is_due,
	a_market_without_positions_ends_with_an_empty_page)
