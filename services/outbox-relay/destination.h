/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destination: is there what a letter is to be sent to? In words, for dry runs
 * and for who makes a plan: they promise nothing that cannot happen.
 *
 * Kafka is asked, and need not answer: then names are checked, and why no more
 * is. It is a look: what is missing now may be there when it is sent.
 *
 * Thread: belongs to one thread, which waits (topic_look.h).
 */
#ifndef RELAY_DESTINATION_H
#define RELAY_DESTINATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "daemon/params.h"
#include "io/pg.h"
#include "topic_look.h"

struct destination_look {
	const struct ch_params *params;
	struct topic_look *topics; /* NULL: no topic was looked for */
	struct ch_err unlooked;	   /* why none can be */
};

struct destination {
	bool lacks;	 /* it cannot be sent there */
	char words[128]; /* what is known of it; "": nothing is */
};

void destination_look_init(struct destination_look *l,
	const struct ch_params *params);
void destination_look_end(struct destination_look *l);

/* A topic, or an endpoint (webhook:<name>). part < 0: by the key. */
struct destination destination_of(struct destination_look *l, struct ch_pg *pg,
	struct ch_view topic, int64_t part);
/* Why it is not known of all whether they exist; NULL: it is. */
const char *destination_untold(const struct destination_look *l);

#endif
