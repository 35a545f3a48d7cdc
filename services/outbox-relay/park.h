/* SPDX-License-Identifier: Apache-2.0 */
/*
 * park: rows that cannot be delivered, made durable before their commit
 * counts as delivered.
 *
 * A refused row becomes a dead letter; where the topic's policy is `block`,
 * its key is blocked, and later rows of that key wait in outbox_retry. When an
 * operator has replayed or discarded the letter, the waiting rows are read
 * back in their order and sent, and only then does the key flow freely again.
 *
 * Thread: loop only.
 */
#ifndef RELAY_PARK_H
#define RELAY_PARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "inflight.h"
#include "io/pg.h"
#include "queue.h"
#include "retry.h"
#include "route.h"

struct park;

/* own: the rows are of the ledger's tables, of which it is known which days
 * are gone; else any row may be read again for ever. */
struct park *park_new(struct retry *retry, struct route_table *routes,
	bool own);
void park_free(struct park *p);
/* Forgets the queue and all keys and rows, before another park_load(). */
void park_clear(struct park *p);

/* Reads what is blocked, of the keys of a part, and what is put aside. */
int park_load(struct park *p, struct ch_pg *pg, const struct queue_part *part,
	struct ch_err *err);
/* The same of a further part, beside what is known. */
int park_add(struct park *p, struct ch_pg *pg, const struct queue_part *part,
	struct ch_err *err);
/* Forgets which keys of a part are blocked: it becomes another's. Of none of
 * its rows is anything queued, or in flight. */
int park_leave(struct park *p, struct ch_pg *pg, const struct queue_part *part,
	struct ch_err *err);

/* Takes the row (PARKING from now on). topic may be NULL when there is no
 * legal one. class: "too_large", ...; both texts are copied. */
void park_refuse(struct park *p, struct event *e, const char *class,
	const char *reason);
/* The row waits behind this letter. */
void park_wait(struct park *p, struct event *e, const struct ch_uuid *letter);
size_t park_queued(const struct park *p);
/* Writes what is queued, in order, in one transaction; then the rows are
 * done. On an error nothing is, and all of it comes again. Who has locked the
 * tables is not waited for (ch_pg_lock_not_had()). */
int park_write(struct park *p, struct ch_pg *pg, struct inflight *f,
	struct ch_err *err);

/* Is a released key waiting for its rows to be read? Then the owner calls
 * park_release() whenever its cursor is at the end and nothing is queued. */
bool park_wants_release(const struct park *p);
/* Asks which letters were decided: of many blocked keys some, in turn. */
int park_look(struct park *p, struct ch_pg *pg, struct ch_err *err);
/* Reads one page of rows of released keys into f. Neither this nor park_sweep()
 * waits for who has locked the table. */
int park_release(struct park *p, struct ch_pg *pg, struct inflight *f,
	struct ch_time now, struct ch_err *err);
/* Takes out of outbox_retry what was delivered. */
int park_sweep(struct park *p, struct ch_pg *pg, struct ch_err *err);
bool park_is_swept(const struct park *p);
/* A waiting row was delivered: swept later. */
void park_delivered(struct park *p, const struct event *e);

struct park_counts {
	uint64_t letters; /* written */
	uint64_t waiting; /* written to outbox_retry */
	uint64_t released;
};
const struct park_counts *park_counts(const struct park *p);

#endif
