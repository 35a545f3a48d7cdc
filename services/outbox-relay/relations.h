/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relations: the tables of a replication stream, and where their columns are.
 *
 * pgoutput names each table before its first row, by a number that its rows
 * carry, and again when it has changed; the name is looked up once and the
 * places of its columns are kept under the number.
 *
 * A row of a table that is not known is an error, not a row passed over: a
 * publication without publish_via_partition_root would otherwise lose
 * everything without a word. Beside an application's table others may be
 * published; that its own name is, source.c has asked.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef RELAY_RELATIONS_H
#define RELAY_RELATIONS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "contract.h"
#include "event.h"
#include "pgoutput.h"

enum relation_rows {
	RELATION_REFUSED,    /* none of the ledger's tables: the stream ends */
	RELATION_PASSED,     /* published beside the application's table */
	RELATION_LEDGER,     /* by place[] */
	RELATION_APPLICATION /* by the contract, which knows its columns */
};

struct relation {
	uint32_t id;
	enum relation_rows rows;  /* what becomes of them */
	enum event_source source; /* LEDGER */
	int columns;
	int8_t place[PGOUTPUT_COLUMNS_MAX]; /* of each column; -1: unused */
	char *name;
};

struct relations {
	const char *schema;	   /* the ledger's */
	struct contract *contract; /* or NULL: the ledger's tables are read */
	struct relation *all;
	size_t count;
};

/* Both are the caller's, and outlive it. */
void relations_init(struct relations *s, const char *schema,
	struct contract *contract);
void relations_free(struct relations *s);
/* Numbers are of one stream. */
void relations_forget(struct relations *s);
/* A RELATION message. An error, when rows of the table cannot be read. */
int relations_learn(struct relations *s, const struct pgoutput_message *m,
	struct ch_err *err);
/* NULL: it was never named. */
const struct relation *relations_find(const struct relations *s, uint32_t id);

#endif
