/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: PostgreSQL as ledger-writer uses it: committed tables (mem_store),
 * backends with at most one transaction each, locks, the rows of
 * consumer_partitions, the pause lock, a sequence.
 *
 * Tables hold committed rows only. A transaction's own rows wait in `writes`
 * (frozen.h) until its COMMIT; nobody else could see them, and whoever may
 * change them has their locks. Unique keys of open transactions are listed, so
 * that another one that inserts the same key waits, as it would there.
 *
 * Nothing in here waits: server_*_take() says whether the lock is had now, and
 * the twins let their process wait between two tries.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_SERVER_H
#define TESTS_SIM_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "frozen.h"
#include "mem_rows.h"
#include "mem_store.h"
#include "serial_model.h"

#define SERVER_PARTS 8	   /* BROKER_PARTS: `part` is numbered as there */
#define SERVER_BACKENDS 30 /* bits of mem_row.shared_by */
#define SERVER_IDLE_US INT64_C(5000000)
#define SERVER_PAUSE_SETS 3

struct world;
struct proc;

/* A row of consumer_partitions; next_log_seq and last_at are in mem_store. */
struct fence_row {
	bool exists;
	int32_t stream;
	int64_t epoch, next_offset;
	int owner_pid;
	unsigned locked_by; /* backend's number; 0: nobody */
};

struct fence_move {
	int part;
	int64_t next_offset;
};

enum backend_state {
	BACKEND_FREE,	    /* no connection */
	BACKEND_IDLE,	    /* between transactions */
	BACKEND_OPEN,	    /* in a transaction */
	BACKEND_COMMITTING, /* it has the COMMIT, and not done it */
	BACKEND_ENDED,	    /* terminated: the client does not know yet */
};

struct backend {
	unsigned number; /* from 1, its place in the table */
	int pid;
	enum backend_state state;
	bool has_client; /* false: whoever it worked for is gone */
	int64_t acts_at; /* without a client: when it notices, or commits */
	bool will_commit;
	bool busy;	      /* with a statement: it is not idle */
	bool in_copy;	      /* no timeout ends it there */
	int64_t copies_since; /* in_copy */
	bool zombie; /* BUG_ZOMBIE_COMMITS: ended, and still able to commit */
	int claims;  /* part + 1 of a claim that it will do without a client */
	int64_t since; /* of its last statement, or of its transaction */
	bool has_pause_lock;
	struct mem_row **rows; /* locked */
	size_t row_count, row_cap;
	struct fence_move moves[SERVER_PARTS];
	int move_count;
	char **keys; /* unique ones that it has inserted */
	size_t key_count, key_cap;
	struct frozen *writes; /* NULL: none so far */
	/* What it waits for now; all 0: nothing. */
	const struct mem_row *waits_row;
	int waits_part;		/* part + 1 */
	unsigned waits_backend; /* for its unique key */
};

/* A change of pauses, in the order of numbers. */
struct pause_change {
	int64_t number;
	int set;
};

struct server {
	struct world *world;
	struct mem_store *store;
	struct backend backends[SERVER_BACKENDS];
	int next_pid;
	int64_t number; /* batch_seq */
	struct fence_row fences[SERVER_PARTS];
	int32_t next_stream;
	int pauses;	      /* the set in force */
	int pauses_wanted;    /* whoever changes them waits for the lock */
	int64_t pauses_since; /* he began to; 0: nobody waits */
	struct pause_change *changes;
	size_t change_count, change_cap;
	struct public_trade *trades;
	size_t trade_count, trade_cap;
	struct frozen **log; /* in the order of commits */
	size_t log_count, log_cap;
	char **orgs; /* names; org_id is the place, from 1 */
	size_t org_count;
	int64_t down_until;
	int64_t log_seq_kept[SERVER_PARTS +
		1]; /* BUG_LOG_SEQ_KEPT, by stream */
};

void server_open(struct server *s, struct world *w);
void server_close(struct server *s);
/* What happens by itself as time goes on. */
void server_turn(struct server *s);
/* The next time at which something does; INT64_MAX: none. */
int64_t server_next(const struct server *s);
/* As pg_ctl restart -m immediate: every transaction is gone. */
void server_restart(struct server *s);
int32_t server_org_id(struct server *s, struct ch_view name);
/* The pauses of a set: the model's form. */
void server_pauses(int set, struct serial_now *now);
/* A hold whose expiry PostgreSQL refuses, so that it is set aside. */
bool server_is_bad(const struct row *row);
/* Changes pauses as soon as the lock is had; false: somebody is at it. */
bool server_wants_pauses(struct server *s, int set);

/* ---- connections ---- */

/* NULL: the server is down, or has no more. */
struct backend *server_connect(struct server *s);
/* The client has closed it, or is gone; late: it notices after a while, and
 * what it was doing goes on. */
void server_leave(struct server *s, struct backend *b, bool late);
/* Rolls back and ends it. */
void server_end(struct server *s, struct backend *b);
/* Ends those whom that backend waits for, and the one that the partition's row
 * names. Returns how many. */
int server_end_blockers(struct server *s, const struct backend *of, int part,
	int *pids, int most);

/* Ends those but `but` whose COPY has waited for its client for so long. */
int server_end_stopped(struct server *s, const struct backend *but,
	int64_t for_us, int *pids, int most);

/* ---- transactions ---- */

void server_begin(struct server *s, struct backend *b);
void server_rollback(struct server *s, struct backend *b);
void server_commit(struct server *s, struct backend *b);

/* ---- locks: true: it is had ---- */

bool server_take_pause_lock(struct server *s, struct backend *b);
bool server_take_row(struct server *s, struct backend *b, struct mem_row *m,
	bool shared);
/* For the fence and for claims. */
bool server_take_fence(struct server *s, struct backend *b, int part);
/* A unique key is inserted: 1, 0: another transaction has to end first, -1: it
 * is there already. */
int server_insert_key(struct server *s, struct backend *b,
	const struct row *row);
/* The same of a key that is no row's of mem_store. */
int server_insert_name(struct server *s, struct backend *b, const char *key,
	bool is_there);
bool server_has_trade(const struct server *s, const struct public_trade *t);

/* ---- statements ---- */

/* The fence of one partition, whose row is locked: false: no row is as it
 * should be. */
bool server_move_offset(struct server *s, struct backend *b, int part,
	int64_t epoch, int64_t previous, int64_t next);
/* Raises the epoch, in a transaction of its own. The row must be free. */
void server_claim(struct server *s, struct backend *b, int part);

#endif
