/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay: the service's one object, and what its metrics are called.
 *
 *	source (tail or scan) -> inflight -> pump -> sink_kafka
 *	                              |-> park (PostgreSQL)
 *	                              '-> hooks (PostgreSQL, then HTTP)
 *	             progress <- delivered position
 *
 * relay.c makes it, loop.c turns it, session.c decides where rows come from,
 * pump.c moves them.
 *
 * Thread: loop only.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "api.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/sm.h"
#include "contract.h"
#include "daemon/daemon.h"
#include "hook_orphans.h"
#include "hooks.h"
#include "horizon.h"
#include "inflight.h"
#include "io/pg.h"
#include "park.h"
#include "position.h"
#include "progress.h"
#include "publication.h"
#include "queue.h"
#include "reread.h"
#include "retry.h"
#include "rhythm.h"
#include "route.h"
#include "scan.h"
#include "shards.h"
#include "sink_kafka.h"
#include "tail.h"

/* Rows of relay_metrics in params.c, in its order. */
enum relay_metric {
	RELAY_READ,
	RELAY_PRODUCED,
	RELAY_DELIVERED,
	RELAY_REPEATED,
	RELAY_PASSED,
	RELAY_PARKED,
	RELAY_WAITING,
	RELAY_RELEASED,
	RELAY_REFUSED,
	RELAY_REBUILT,
	RELAY_SESSIONS,
	RELAY_IN_FLIGHT,
	RELAY_IN_FLIGHT_BYTES,
	RELAY_LATENCY,
	RELAY_OLDEST,
	RELAY_BLOCKED_KEYS,
	RELAY_REMEMBERED,
	RELAY_LETTERS_OPEN,
	RELAY_SLOT_RETAINED,
	RELAY_SLOT_RETAINED_MAX,
	RELAY_SLOT_LAG,
	RELAY_SLOT_ACTIVE,
	RELAY_LEADER,
	RELAY_SOURCE_POLL,
	RELAY_SCANNED,
	RELAY_MISSING_TOPICS,
	RELAY_UPDATES,
	RELAY_HELD_KEYS,
	RELAY_BREAKER,
	RELAY_THROTTLED,
	RELAY_DELETED,
	RELAY_TAKEN,
	RELAY_SHARDS,
	RELAY_PARTITIONS_MISSING,
	RELAY_HOOK_PENDING,
	RELAY_HOOK_OLDEST,
	RELAY_HOOK_DELIVERED,
	RELAY_HOOK_FAILED,
	RELAY_HOOK_LETTERS,
	RELAY_HOOK_BLOCKED,
	RELAY_HOOK_BLOCKED_SINCE,
	RELAY_HOOK_BREAKER,
	RELAY_HOOK_ORPHANED
};

enum relay_state {
	RELAY_OFFLINE,	/* no SQL connection */
	RELAY_STANDBY,	/* another relay holds the slot's lock */
	RELAY_LEADING,	/* the lock is ours; no source yet */
	RELAY_SCANNING, /* a re-scan of the tables, then the slot */
	RELAY_TAILING,
	RELAY_POLLING
};

enum relay_source { RELAY_SOURCE_AUTO, RELAY_SOURCE_WAL, RELAY_SOURCE_SCAN };

#define RELAY_IN_HAND 65536 /* places */

/* Series of one topic's label. */
struct relay_series {
	const char *label; /* NULL: not asked for yet */
	struct ch_series *produced, *delivered, *open;
};

struct relay {
	const struct ch_runtime *rt;
	struct ch_pg *pg; /* SQL: lock, progress, parking, scans */
	struct tail *tail;
	struct inflight *inflight;
	struct retry *retry;
	struct route_table *routes;
	struct park *park;
	struct scan *scan;
	struct contract *contract; /* of an application's table; or NULL */
	struct reread *reread;	   /* the same */
	struct queue *queue;	   /* the same, polled */
	struct shards *shards;	   /* several relays poll it; or NULL */
	struct sink_kafka *sink;
	struct hooks *hooks; /* NULL: no endpoints */
	struct hook_orphans orphans;
	struct api *api; /* NULL: not asked for */
	struct progress progress;
	struct position position;
	struct ch_sm state;
	struct ch_backoff backoff;
	struct ch_rng rng;
	struct rhythm rhythm;
	struct ch_arena arena;	     /* one message */
	struct relay_series *series; /* by topic number */
	int series_count;
	struct ch_series *latency, *kafka_open;

	/* configuration */
	enum relay_source source;
	int64_t poll_ms, inflight_bytes, ready_ms, retained_max;
	char *slot, *publication, *table;
	enum tail_update on_update;
	bool first_whole; /* an application's rows of before are sent */
	bool no_order;	  /* an application's table is read as it lies */

	/* now */
	struct ch_mono now;
	struct ch_time wall;
	bool may_send; /* session_may_send() of this turn */
	bool draining;
	struct ch_mono drain_since;
	bool told_open;		/* a series of RELAY_BREAKER is not 0 */
	struct ch_mono wake_at; /* a held key may be tried again; 0: none */
	struct ch_mono park_at; /* letters were locked: not before; 0: they are
				 * not */
	/* the same of rows that wait behind them: read and swept */
	struct ch_mono waiting_at;
	bool scan_done;		/* its rows may be in flight */
	bool rounds;		/* of the tables: the next is behind the last */
	struct horizon horizon; /* of that re-scan */
	uint64_t commits_before; /* that were read before this stream */
	bool more;		 /* the pump stopped for fairness */
	/* rows that the sink has not reported, by a hash of topic and key */
	uint32_t in_hand[RELAY_IN_HAND];
	/* of this turn: rows that were put aside before, and rows of such an id
	 * that are other events */
	unsigned passed, reused;
	char passed_id[EVENT_ID_MAX], reused_id[EVENT_ID_MAX];
	struct ch_mono read_at, send_at, sent_at, published_at;
	struct ch_mono retry_at, poll_at, looked_at, slot_at;
	struct ch_mono delete_at, balanced_at, partitions_at;
	int64_t partitions_missing; /* at the last look */
	struct ch_mono unreleased;  /* keys wait for a moment since; 0: none */
	struct ch_mono kept_at;	    /* the SQL session, while a slot is made */
	size_t leaving_rows;	    /* taken of shards to be given up */
	/* fewer than before, then; or, of none, not to be chosen before */
	struct ch_mono leaving_at;
	struct ch_mono state_since;
	bool other_leads; /* asked for while STANDBY, and refused */
	bool left; /* another led, or we did not begin to: nothing is in flight,
		    * and what is put aside is not known */
	bool unsure;		 /* what of the rows in flight is put aside */
	struct ch_mono freed_at; /* STANDBY: looked whether it stands still */
	int32_t reader; /* of the slot, told to end since we lead; 0: none */
	struct ch_mono proven_at; /* the SQL session, and the lock with it */
	struct ch_err fatal;	  /* the daemon ends with it */
	int refusals; /* of the walsender, in a row, while SQL answered */
	bool slot_active;
	int64_t retained_bytes;
	char slot_status[16];
	char trouble[CH_ERR_TEXT_MAX];	 /* why there is no source; "": none */
	char undeleted[CH_ERR_TEXT_MAX]; /* why rows are not; "": they are */
	/* while tailing: how the table is to be published again, or that it was
	 * not for a while; "": it is */
	char unpublished[CH_ERR_TEXT_MAX];
	bool published_again;	/* it was not for a while */
	struct publication how; /* of outbox_table */
	struct ch_mono table_at;
};

/* ---- relay.c: made of its settings ---- */

int relay_new(struct relay **out, const struct ch_runtime *rt,
	struct ch_err *err);
void relay_free(struct relay *r);

/* ---- session.c: from nothing to a source ---- */

void session_init(struct relay *r);
/* One step towards a source. Never waits long but for a slot being made. */
void session_turn(struct relay *r);
/* Gives up the source and the lock; err says why (logged). */
void session_lose(struct relay *r, const struct ch_err *err);
/* The stream broke, the lock is still ours. */
void session_restart(struct relay *r, const struct ch_err *err);
void session_close(struct relay *r);
/* Of the walsender's long commands, ctx is the relay: keeps watchdog and SQL
 * session, and the lock with it, from ending. false: stop, or it has ended. */
bool session_keep_alive(void *ctx);
/* The table that is tailed is not published any more, seen at lsn: what the
 * stream has up to there is still delivered; then nothing is read until it is
 * mended (why says how), and the table is read whole. Durable when it returns:
 * negative when it could not be. */
int session_unpublished(struct relay *r, uint64_t lsn, const struct ch_err *why,
	struct ch_err *err);
/* It is published, but was not for a while, and what is read next comes after
 * that: the table is read whole, before it. As above. */
int session_published_again(struct relay *r, const struct ch_err *why,
	struct ch_err *err);
/* As far as we know: in a state from which rows are read. */
bool session_is_leader(const struct relay *r);
/* May something be sent, now? While the lock is proven to be ours (lock.h); the
 * session is lost when it is not. */
bool session_may_send(struct relay *r);
/* The position is known, if all of a re-scan is delivered by now. */
void session_settle_position(struct relay *r);
/* The rows of the polled table that are this relay's. */
const struct queue_part *session_part(const struct relay *r);

/* ---- source.c: the WAL, or why not ---- */

/* Connects the tail. CH_ECONFIG: this role cannot read this server's WAL; err
 * names the cause and the remedy. CH_EFENCED: it is not the server of the SQL
 * session. Others: not known now, as in io/pg.h. */
int source_open_wal(struct relay *r, struct ch_err *err);
/* The application's table by polling: may it be? CH_ECONFIG: no, and what to
 * do. */
int source_open_queue(struct relay *r, struct ch_err *err);
/* Does the publication have the application's table, and its inserts?
 * CH_ECONFIG: no, and what to do; *missed: rows may be written meanwhile that
 * the slot never has. */
int source_check_table(struct relay *r, bool *missed, struct ch_err *err);
/* It does: has it had them all the time, as far as is known? *missed: no, and
 * why says so. Negative when the SQL connection failed. */
int source_check_past(struct relay *r, bool *missed, struct ch_err *why,
	struct ch_err *err);
/* Has it the columns that the contract needs, of types that are known? As it is
 * now. CH_ECONFIG: no, and what to do. */
int source_check_columns(struct relay *r, struct ch_err *err);
/* Is it published, and was it, still? Now and then while it is tailed, see
 * session_unpublished(). Negative when the SQL connection failed. */
int source_watch_table(struct relay *r, struct ch_err *err);
/* The stream tells the table anew, in transaction xid: the same again, before a
 * row behind that is taken. */
int source_learned(struct relay *r, uint32_t xid, struct ch_err *err);
/* May this role read all rows of it? CH_ECONFIG: no, and what to do. */
int source_check_rows(struct relay *r, struct ch_err *err);
/* Polling for want of the WAL: asks once a minute; true: it can be read. */
bool source_wal_came(struct relay *r);

/* ---- poll.c: an application's table, read and deleted from ---- */

#define POLL_BALANCE_MS 500

/* Of outbox_table, when source allows polling. */
void poll_open(struct relay *r, const struct ch_params *p);
/* One page; true: there is more. */
bool poll_read(struct relay *r);
/* What is delivered goes out of the table. */
void poll_delete(struct relay *r);
/* Shards move between the relays that share it; nothing when there are none. */
void poll_balance(struct relay *r);

/* ---- pump.c: from inflight to Kafka or PostgreSQL ---- */

/* Moves what can be moved. 0, or negative when the SQL connection failed. */
int pump_turn(struct relay *r, struct ch_err *err);
/* Everything read is delivered or parked. */
bool pump_is_idle(const struct relay *r);
/* Rows are gathered until then; in the past: they go at once. */
struct ch_mono pump_send_at(const struct relay *r);
/* park_sweep(); later, where the table is locked. */
int pump_sweep(struct relay *r, struct ch_err *err);
/* Drops what is in flight: another relay goes on, or a new session reads it
 * again. */
void pump_drop(struct relay *r);
void pump_reported(void *ctx, struct event *e, const struct sink_report *rep);

#endif
