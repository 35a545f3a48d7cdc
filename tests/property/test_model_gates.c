/* SPDX-License-Identifier: Apache-2.0 */
/* The serial model: rates, pauses and versions (model_scenario.h). */
#include "check_suite.h"
#include "model_scenario.h"

/* ---- the gates ---- */

#define RATE(rule, limit, remaining, reset)                                    \
	",'rate':{'rule':'" rule "','limit':" #limit                           \
	",'remaining':" #remaining ",'reset':'2026-11-21T10:00:" reset         \
	".000000Z'}"
#define RECEIVE(sku) "'type':'stock.receive','sku':'" sku "','qty':'1'"

/* A request, unlike what happened already, which no rule refuses. */
#define NEW_ASSET(asset) "'type':'asset.define','asset':'" asset "','scale':2"

START_TEST(rates_count_what_passed_the_gates)
{
	static const struct line lines[] = {
		{"@rate r,actor,2,10,1,asset.define,order.fill", ""},
		{NEW_ASSET("A"), OK() RATE("r", 2, 1, "10")},
		{NEW_ASSET("B") ",'dry_run':true",
			OK() RATE("r", 2, 1, "10") ",'dry_run':true"},
		{NEW_ASSET("B") ",'actor':'x'", OK() RATE("r", 2, 1, "10")},
		/* refused by the books: it counts */
		{"@+1", ""},
		{NEW_ASSET("A"), NO("asset_exists") RATE("r", 2, 0, "10")},
		{NEW_ASSET("C"), NO("rate_limited") RATE("r", 2, 0, "10")},
		{NEW_ASSET("C") ",'actor':''",
			NO("rate_limited") RATE("r", 2, 0, "10")},
		{NEW_ASSET("C") ",'dry_run':true",
			NO("rate_limited")
				RATE("r", 2, 0, "10") ",'dry_run':true"},
		{"'type':'stock.reserve','sku':'k','qty':'9'",
			NO("sku_not_found")},
		/* a fact is neither refused nor counted, whatever the rule says */
		{"'type':'order.fill','order':'o','fill':'f','qty':'1',"
		 "'price':'1'",
			NO("order_not_found")},
		/* (t - window, t]: the first leaves at 10 s */
		{"@+9", ""},
		{NEW_ASSET("D"), OK() RATE("r", 2, 0, "11")},
		/* nothing is counted: a dry run is told no reset */
		{"@+10", ""},
		{NEW_ASSET("E") ",'dry_run':true",
			OK() ",'rate':{'rule':'r','limit':2,'remaining':2},"
			     "'dry_run':true"},
		/* a group: each member */
		{GROUP("{" NEW_ASSET("E") "},{" NEW_ASSET("F") "},{" NEW_ASSET(
			 "G") "}"),
			NO("rate_limited") ",'rate':{'rule':'r','limit':2,'remaining':2}"},
		{GROUP("{" NEW_ASSET("E") "},{" NEW_ASSET("F") "}"),
			OK() RATE("r", 2, 0, "30")},
	};

	PLAY(lines);
}
END_TEST

START_TEST(an_organisations_rate_is_split_into_shares)
{
	static const struct line lines[] = {
		{"@rate z,org,5,10,2,asset.define,group", ""},
		{"@rate b,actor,2,10,1,asset.define", ""},
		{"@part 3", ""},
		/* share 1 of 2: 2 of 5; equal remaining: by name */
		{NEW_ASSET("A") ",'actor':'1'", OK() RATE("b", 2, 1, "10")},
		{NEW_ASSET("B") ",'actor':'2'", OK() RATE("z", 2, 0, "10")},
		{NEW_ASSET("C") ",'actor':'3'",
			NO("rate_limited") RATE("z", 2, 0, "10")},
		{"@part 4", ""},
		{NEW_ASSET("C") ",'actor':'3'", OK() RATE("b", 2, 1, "10")},
		{GROUP("{" NEW_ASSET("D") "}") ",'actor':'4'",
			OK() RATE("z", 3, 0, "10")},
		{GROUP("{'type':'stock.adjust','sku':'k','delta':'1'}"),
			NO("rate_limited") RATE("z", 3, 0, "10")},
	};

	PLAY(lines);
}
END_TEST

START_TEST(a_pause_refuses_requests_and_no_facts)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		{PLACE("w", "1.00", "h"),
			OK(BAL("w", "0.00", "1.00", 2))
				HOLDS(HOLD("h", "w", "1.00", "held"))},
		{"@pause transfer.post,hold.capture,trade.record", ""},
		{POST("w", "a", "1.00"), NO("trading_paused")},
		{POST("w", "a", "1.00") ",'dry_run':true",
			NO("trading_paused") ",'dry_run':true"},
		{GROUP("{" RECEIVE("k") "},{" POST("w", "a", "1.00") "}"),
			NO("trading_paused")},
		{CAPTURE("h", "a"),
			OK(BAL("w", "-1.00", "0.00", 3) "," BAL("a", "1.00",
				"0.00", 2))
				HOLDS("{'hold':'h','account':'w','amount':'1.00',"
				      "'state':'captured','captured':'1.00'}")},
		{TRADE("m", "A", "t1", "1", "0"), NO("trading_paused")},
		{TRADE("m", "A", "t1", "1", "0") ",'settled':false",
			NO("trading_paused")},
		{TRADE("m", "A", "t1", "1", "0") ",'settled':true",
			OK(BAL("a", "1.00", "0.00", 3)) MARKETS(MARKET("m",
				"open", 1)) POSITIONS(POSITION("m", "A",
				"1.00000000", "0.00", 1))
				TRADES(TX("t1", "confirmed"))},
	};

	PLAY(lines);
}
END_TEST

START_TEST(versions_are_of_rows_that_the_command_names)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		{PLACE("w", "1.00", "h") ",'expected_version':{'hold':{'h':0},"
					 "'account':{'w':1}}",
			OK(BAL("w", "0.00", "1.00", 2))
				HOLDS(HOLD("h", "w", "1.00", "held"))},
		{CAPTURE("h", "a") ",'expected_version':{'account':{'w':2}}",
			"X\n" NO("invalid")},
		{CAPTURE("h", "a") ",'expected_version':{'hold':{'h':0}}",
			NO("version_conflict")},
		{CAPTURE("h", "a") ",'expected_version':{'hold':{'h':1},"
				   "'account':{'a':1}}",
			OK(BAL("w", "-1.00", "0.00", 3) "," BAL("a", "1.00",
				"0.00", 2))
				HOLDS("{'hold':'h','account':'w','amount':'1.00',"
				      "'state':'captured','captured':'1.00'}")},
		{CAPTURE("h", "a") ",'expected_version':{'hold':{'h':2}}",
			NO("hold_captured")},
		{"'type':'transfer.reverse','transfer':'$1',"
		 "'expected_version':{'account':{'a':2}}",
			"X\n" NO("invalid")},
		{TRADE("m", "A", "t1", "1", "0") ",'expected_version':"
						 "{'position':{'a/m/B':0}}",
			"X\n" NO("invalid")},
		{TRADE("m", "A", "t1", "1", "0") ",'expected_version':"
						 "{'position':{'a/m/A':1}}",
			NO("version_conflict")},
		{TRADE("m", "A", "t1", "1",
			 "0") ",'expected_version':"
			      "{'position':{'a/m/A':0},'market':{'m':0}}",
			OK(BAL("a", "1.00", "0.00", 3)) MARKETS(MARKET("m",
				"open", 1)) POSITIONS(POSITION("m", "A",
				"1.00000000", "0.00", 1))
				TRADES(TX("t1", "recorded"))},
	};

	PLAY(lines);
}
END_TEST

SUITE_MAIN("model_gates", rates_count_what_passed_the_gates,
	an_organisations_rate_is_split_into_shares,
	a_pause_refuses_requests_and_no_facts,
	versions_are_of_rows_that_the_command_names)
