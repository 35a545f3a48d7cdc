/* SPDX-License-Identifier: Apache-2.0 */
/* The serial model: stock, groups and orders (model_scenario.h). */
#include "check_suite.h"
#include "model_scenario.h"

/* ---- stock ---- */

START_TEST(stock_is_adjusted_down_to_what_is_reserved)
{
	static const struct line lines[] = {
		{"'type':'stock.adjust','sku':'k','delta':'5'",
			NO("sku_not_found")},
		{"'type':'stock.receive','sku':'k','qty':'10'",
			OK() STOCK(SKU("k", "10", "0", 1))},
		{"'type':'stock.reserve','sku':'k','qty':'4',"
		 "'reservation':'r'",
			OK() STOCK(SKU("k", "10", "4",
				2)) ",'reservations':[{'reservation':'r','sku':'k',"
				    "'qty':'4','state':'reserved'}]"},
		{"'type':'stock.adjust','sku':'k','delta':'-7'",
			NO("out_of_stock")},
		{"'type':'stock.adjust','sku':'k','delta':'-6'",
			OK() STOCK(SKU("k", "4", "4",
				3)) "\n"
				    "E stock.adjusted {'sku':'k','qty':'-6','on_hand':'4',"
				    "'reserved':'4','version':3}"},
		{"'type':'stock.adjust','sku':'k','delta':'0'",
			"X\n" NO("invalid")},
		{"'type':'stock.adjust','sku':'k','delta':'1.5'",
			"X\n" NO("invalid")},
		{"'type':'stock.adjust','sku':'k',"
		 "'delta':'9223372036854775804'",
			NO("overflow")},
		{"'type':'stock.adjust','sku':'k',"
		 "'delta':'-99999999999999999999'",
			NO("out_of_stock")},
		{"'type':'stock.adjust','sku':'k','delta':'2',"
		 "'expected_version':{'sku':{'k':3}}",
			OK() STOCK(SKU("k", "6", "4", 4))},
	};

	PLAY(lines);
}
END_TEST

/* ---- groups ---- */

START_TEST(a_group_is_all_or_nothing)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		{GROUP("{" POST("w", "a",
			 "5.00") "},"
				 "{'type':'stock.receive','sku':'k','qty':'3'},"
				 "{'type':'hold.place','from':'a','amount':'2.00',"
				 "'expected_version':{'account':{'a':2},'hold':"
				 "{'$4/2':0}}},"
				 "{'type':'hold.capture','hold':'$4/2','to':'w',"
				 "'amount':'1.00'},"
				 "{'type':'stock.reserve','sku':'k','qty':'1'}"),
			OK(BAL("w", "-4.00", "0.00", 2) "," BAL("a", "4.00",
				"0.00", 2)) STOCK(SKU("k", "3", "1", 1))
				HOLDS("{'hold':'$4/2','account':'a','amount':'2.00',"
				      "'state':'captured','captured':'1.00'}") ",'reservations':[{'reservation':'$4/4','sku':'k',"
									       "'qty':'1','state':'reserved'}]\n"
									       "P w|0|0|-500|-500\nP a|0|1|500|500\n"
									       "P a|0|2|-100|400\nP w|0|3|100|-400\n"
									       "E stock.received {'sku':'k','qty':'3','on_hand':'3',"
									       "'reserved':'0','version':1}\n"
									       "E hold.captured {'account':'a','asset':'USD',"
									       "'hold':'$4/2','amount':'2.00','captured':'1.00',"
									       "'to':'w','balance':'4.00','held':'0.00','version':2}\n"
									       "E stock.reserved {'sku':'k','qty':'1','on_hand':'3',"
									       "'reserved':'1','version':1,'reservation':'$4/4'}"},
		/* the first that is refused refuses all of it */
		{GROUP("{" POST("a", "w",
			 "4.00") "},"
				 "{" POST("a", "w",
					 "0.01") "},"
						 "{" POST("a", "none",
							 "0.01") "}"),
			FAILED(1, "insufficient_funds")},
		{GROUP("{" POST("a", "w",
			 "1.00") ",'expected_version':"
				 "{'account':{'a':2}}},"
				 "{" POST("a", "w",
					 "1.00") ",'expected_version':"
						 "{'account':{'a':2}}}"),
			FAILED(1, "version_conflict")},
		/* a group's own transfers can be reversed only after it */
		{GROUP("{" POST("w", "a",
			 "1.00") "},"
				 "{'type':'transfer.reverse','transfer':'$7/0'}"),
			FAILED(1, "transfer_not_found")},
		{"'type':'transfer.reverse','transfer':'$7/0'",
			NO("transfer_not_found")},
		{"'type':'transfer.reverse','transfer':'$4'",
			NO("not_reversible")},
		{"'type':'transfer.reverse','transfer':'$4/1'",
			NO("not_reversible")},
		{"'type':'transfer.reverse','transfer':'$4/5'",
			NO("transfer_not_found")},
		{POST("w", "a", "1.00"),
			OK(BAL("w", "-5.00", "0.00", 3) "," BAL("a", "5.00",
				"0.00", 3))},
		{GROUP("{'type':'transfer.reverse','transfer':'$4/0'},"
		       "{'type':'transfer.reverse','transfer':'$4/0'}"),
			FAILED(1, "already_reversed")},
		{"'type':'transfer.reverse','transfer':'$4/0'",
			OK(BAL("a", "0.00", "0.00", 4) "," BAL("w", "0.00",
				"0.00", 4))},
		{"'type':'transfer.reverse','transfer':'$4/0'",
			NO("already_reversed")},
		{GROUP("{" POST("w", "a", "1.00") "}") ",'dry_run':true",
			OK(BAL("w", "-1.00", "0.00", 5) "," BAL("a", "1.00",
				"0.00", 5)) ",'dry_run':true"},
		/* what a member cannot be or have */
		{GROUP(""), "X\n" NO("invalid")},
		{GROUP("{" POST("w", "a", "1.00") "}") ",'expected_version':{}",
			"X\n" NO("invalid")},
		{GROUP("{" GROUP("{" POST("w", "a", "1.00") "}") "}"),
			"X\n" NO("invalid")},
		{GROUP("{" POST("w", "a", "1.00") ",'dry_run':false}"),
			"X\n" NO("invalid")},
		{GROUP("{" POST("w", "a", "1.00") ",'actor':'x'}"),
			"X\n" NO("invalid")},
		{GROUP("{'type':'market.settle','market':'m','from':'w',"
		       "'payouts':{'YES':'1'}}"),
			"X\n" NO("invalid")},
		{GROUP("{" POST("w", "a", "1.00") ",'ref':'r','meta':[1],"
						  "'reason':'why'}"),
			OK(BAL("w", "-1.00", "0.00", 5) "," BAL("a", "1.00",
				"0.00", 5))},
	};

	PLAY(lines);
}
END_TEST

/* ---- orders ---- */

#define ORDER(name, filled, state, version)                                    \
	OK()                                                                   \
	ORDERS("{'order':'" name "','market':'m','side':'BUY',"                \
	       "'qty':'10.00000000','filled':'" filled "','state':'" state     \
	       "','version':" #version "}")
#define ON_ORDER(verb) "'type':'order." verb "','order':'o'"
#define FILL(name, qty) ON_ORDER("fill") ",'fill':'" name "','qty':'" qty "'"

START_TEST(orders_move_as_the_table_says)
{
	static const struct line lines[] = {
		{"'type':'order.place','order':'o','market':'m','side':'BUY',"
		 "'qty':'10','price':'0.62'",
			ORDER("o", "0.00000000", "placed",
				1) "\nE order.placed {'order':'o','market':'m',"
				   "'side':'BUY','qty':'10.00000000','filled':'0.00000000',"
				   "'state':'placed','version':1,'price':'0.62'}"},
		{"'type':'order.place','order':'o','market':'m','side':'BUY',"
		 "'qty':'10'",
			NO("order_exists")},
		{"'type':'order.place','market':'m','side':'HOLD','qty':'10'",
			"X\n" NO("invalid")},
		{"'type':'order.place','market':'m','side':'SELL',"
		 "'qty':'92233720368.54775808'",
			NO("overflow")},
		{"'type':'order.place','market':'m','side':'SELL',"
		 "'qty':'0.123456789'",
			NO("invalid_amount")},
		{ON_ORDER("accept"),
			ORDER("o", "0.00000000", "pending",
				2) "\n"
				   "E order.accepted {'order':'o','market':'m',"
				   "'side':'BUY','qty':'10.00000000','filled':'0.00000000',"
				   "'state':'pending','version':2}"},
		{ON_ORDER("accept"), NO("illegal_order_move")},
		{FILL("f1", "4") ",'price':'0.610'",
			ORDER("o", "4.00000000", "partial",
				3) "\n"
				   "E order.partially_filled {'order':'o','market':'m',"
				   "'side':'BUY','qty':'10.00000000','filled':'4.00000000',"
				   "'state':'partial','version':3,'fill':'f1',"
				   "'fill_qty':'4.00000000','price':'0.610'}"},
		/* known: confirmed, and nothing else */
		{FILL("f1", "4.0"), OK() ",'confirmed':true"},
		{FILL("f1", "3"), NO("fact_mismatch")},
		{FILL("f1", "4") ",'price':'0.6100'", OK() ",'confirmed':true"},
		{FILL("f1", "4") ",'price':'0.611'", NO("fact_mismatch")},
		{FILL("f2", "6.00000001"), NO("illegal_order_move")},
		{FILL("f2", "99999999999999999999"), NO("illegal_order_move")},
		{ON_ORDER("cancel"), ORDER("o", "4.00000000", "cancelled", 4)},
		{ON_ORDER("lost"), NO("illegal_order_move")},
		{ON_ORDER("cancel"), NO("illegal_order_move")},
		/* a fact counts after that, too, and it stays cancelled */
		{FILL("f2", "5"),
			ORDER("o", "9.00000000", "cancelled",
				5) "\n"
				   "E order.partially_filled {'order':'o','market':'m',"
				   "'side':'BUY','qty':'10.00000000','filled':'9.00000000',"
				   "'state':'cancelled','version':5,'fill':'f2',"
				   "'fill_qty':'5.00000000'}"},
		{FILL("f3", "1"),
			ORDER("o", "10.00000000", "filled",
				6) "\n"
				   "E order.filled {'order':'o','market':'m',"
				   "'side':'BUY','qty':'10.00000000','filled':'10.00000000',"
				   "'state':'filled','version':6,'fill':'f3',"
				   "'fill_qty':'1.00000000'}"},
		{FILL("f4", "1"), NO("illegal_order_move")},
		{FILL("f3", "1"), OK() ",'confirmed':true"},
		{ON_ORDER("cancel"), NO("illegal_order_move")},
		{"'type':'order.cancel','order':'none'", NO("order_not_found")},
	};

	PLAY(lines);
}
END_TEST

START_TEST(a_lost_order_may_be_found)
{
	static const struct line lines[] = {
		{"'type':'order.place','order':'o','market':'m','side':'BUY',"
		 "'qty':'10','expected_version':{'market':{'m':0}}",
			"X\n" NO("invalid")},
		{"'type':'order.place','order':'o','market':'m','side':'BUY',"
		 "'qty':'10','expected_version':{'order':{'o':0}}",
			ORDER("o", "0.00000000", "placed", 1)},
		{ON_ORDER("lost"), ORDER("o", "0.00000000", "lost", 2)},
		{ON_ORDER("lost"), NO("illegal_order_move")},
		{ON_ORDER("accept"), NO("illegal_order_move")},
		{FILL("f1", "1") ",'expected_version':{'order':{'o':1}}",
			NO("version_conflict")},
		{FILL("f1", "1"), ORDER("o", "1.00000000", "partial", 3)},
		{ON_ORDER("lost"), ORDER("o", "1.00000000", "lost", 4)},
		{ON_ORDER("cancel"), ORDER("o", "1.00000000", "cancelled", 5)},
		{FILL("f2", "9"), ORDER("o", "10.00000000", "filled", 6)},
		/* a group with a known fill says so */
		{GROUP("{" FILL("f2", "9") "}"), OK() ",'confirmed':true"},
	};

	PLAY(lines);
}
END_TEST

SUITE_MAIN("model_orders", stock_is_adjusted_down_to_what_is_reserved,
	a_group_is_all_or_nothing, orders_move_as_the_table_says,
	a_lost_order_may_be_found)
