/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract: Debezium's outbox event router as a function of one row of an
 * application's own table.
 *
 *	topic	  the routing column, rewritten or behind a prefix
 *	partition by the key, or a column placed there
 *	key	  a column
 *	headers	  [__debezium.context.*] id, columns placed there, [ce_*]
 *	value	  the payload; or JSON, with columns placed in an envelope
 *
 * A row becomes a finished message at once (an event whose fields are those
 * of outbox_retry), so that nothing behind here knows of columns. The table
 * that says what is equal to Debezium and what is not is in the README.
 *
 * Failure: options that do not fit are refused when the contract is made;
 * columns that are missing or of another type when the table is met. A row
 * always becomes an event: a topic that cannot be is parked later.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef RELAY_CONTRACT_H
#define RELAY_CONTRACT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "event.h"
#include "pgoutput.h"

enum contract_value { CONTRACT_PAYLOAD, CONTRACT_JSON };
enum contract_missing { CONTRACT_MISSING_ERROR, CONTRACT_MISSING_IGNORE };

struct contract_options {
	const char *table;				  /* "schema.table" */
	const char *id, *key, *payload, *route_by, *type; /* columns */
	const char *prefix;				  /* of topics */
	const char *regex, *replacement; /* regex "": the prefix counts */
	const char *const *placements; /* "column:place[:alias]"; may be NULL */
	enum contract_missing missing;
	enum contract_value value;
	bool tombstone;		 /* of a payload that is null or blank */
	const char *context;	 /* topic.prefix of __debezium.context; "" */
	const char *run_id;	 /* of __debezium.context */
	const char *cloudevents; /* ce_source; "": no such headers */
};

/* A type of the application's that is another one on the wire: a domain, an
 * enum. */
struct contract_type {
	uint32_t told, type;
	int32_t modifier;
};

struct contract;

/* NULL with CH_ECONFIG. Options are copied. */
struct contract *contract_new(const struct contract_options *opt,
	struct ch_err *err);
void contract_free(struct contract *c); /* NULL is allowed */
bool contract_is_of(const struct contract *c, struct ch_view schema,
	struct ch_view table);
/* Types that columns may be of from now on; those of before stay known. */
void contract_know(struct contract *c, const struct contract_type *types,
	size_t count);
/* Where the columns are that rows consist of from now on. CH_ECONFIG. */
int contract_learn(struct contract *c, const struct pgoutput_column *columns,
	int count, struct ch_err *err);

struct contract_origin {
	int64_t number;	   /* rises */
	struct ch_time at; /* commit */
	uint32_t xid;	   /* with place, names a row without an id; 0: none
			    * is known, and what the row holds is its name */
	uint32_t place;
};

/* fields[i] belongs to columns[i]; ptr NULL: null. NULL with CH_EPROTO. */
struct event *contract_event(struct contract *c, const struct ch_view *fields,
	const struct contract_origin *from, struct ch_err *err);

#endif
