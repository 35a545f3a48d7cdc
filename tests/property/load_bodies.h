/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_bodies: one body of each type, with what makes it interesting. Each
 * leaves it in m->body.
 *
 * Thread: belongs to one thread.
 */
#ifndef TESTS_PROPERTY_LOAD_BODIES_H
#define TESTS_PROPERTY_LOAD_BODIES_H

#include "load_making.h"

typedef void load_body(struct making *m);

/* load_money.c */
load_body load_define, load_open_account, load_limit, load_close, load_transfer,
	load_edge_transfer, load_flood, load_reverse, load_place, load_capture,
	load_void;
/* load_stock.c */
load_body load_receive, load_adjust, load_reserve, load_commit, load_release;
/* load_market.c */
load_body load_order, load_order_move, load_fill, load_trade, load_pool,
	load_settle;
/* load_group.c: any body, of a group's member or by itself, by its weight */
load_body load_any, load_group;
/* load_edge.c: exactly at a rule's bound; what comes at the moment of m->date */
load_body load_edge, load_keep_date;
/* load_odd.c: what no decoder should take */
load_body load_odd;

#endif
