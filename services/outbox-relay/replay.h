/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: dead letters to their topics once more, and the decisions stored.
 *
 * A rejected record goes to the topic it came from, a delivery to the topic
 * that refused it (a webhook's is put back in its place), a foreign letter to
 * the one that its headers name: original bytes, key, headers and partition,
 * without what a dead-letter queue has added; ch_replay_count is one more,
 * ch_letter_id names the letter. The letter is locked while it is
 * sent; the state changes only after Kafka's acknowledgement. A crash between
 * the two leaves it pending: sent again, it is the same record with the same
 * id.
 *
 * Thread: any, with a connection of its own.
 */
#ifndef RELAY_REPLAY_H
#define RELAY_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "daemon/params.h"
#include "io/pg.h"
#include "letters.h"
#include "letters_decision.h"
#include "resend.h"

/* What came back so often is quarantined, unless its operator says another
 * number. */
#define REPLAY_TIMES_MAX 5

struct replay;

struct replay_options {
	const char *actor, *reason;
	int32_t replays_max;
	int64_t plan; /* 0: by hand */
	bool again;   /* though it was sent and may still be taken */
	/* replay_letters() sends there what replay_redirect() lets; NULL: as it is */
	const char *to;
	struct resend_leave leave; /* to send at all: none is asked for */
};

/* Opens a producer (no network yet). NULL with CH_ECONFIG. */
struct replay *replay_open(const struct ch_params *p,
	const struct replay_options *opt, struct ch_err *err);
void replay_close(struct replay *r);

/* What the letter says against it: CH_OK, CH_EEXIST (decided, or sent), CH_ERANGE
 * (too often, its id's day is gone, no topic is known, or nothing is
 * there to send). Reads only. */
int replay_check(struct ch_pg *pg, const struct letters_row *row,
	const struct replay_options *opt, struct ch_err *err);
/* The row as it is to be sent when `to` (NULL: as it is) says where: a foreign
 * letter, and one of ours whose topic can be none, goes there by its key; the
 * letter keeps what it was. CH_EEXIST: of any other the topic is known for
 * certain. `to` must live as long as the row is used. */
int replay_redirect(struct letters_row *row, const char *to,
	struct ch_err *err);
/* May this be a topic, or is it an endpoint (webhook:<name>)? Not so of a row of
 * ours of which no topic can be made, nor of a foreign letter without headers. */
bool replay_is_target(struct ch_view topic);
/* Is it the loop guard that refuses it? */
bool replay_looped(const struct letters_row *row, int32_t replays_max);

/* A letter that is locked, and what is to be written of it. */
struct replay_letter {
	struct letters_row *row;
	struct letters_command command; /* what the ledger says of it */
	bool endpoint_missing;		/* no running relay has it */
	struct ch_err said;

	/* !known: it was not sent, or nothing is known of it. rc: as replay_one()'s;
	 * after CH_OK and CH_ERANGE the decision is to be written if there is one. */
	bool known, decides;
	int rc;
	struct letters_decision decision;
	struct letter_command named; /* what decision.command points to */
	struct resend_record record;
};
/* Sends the letters and makes up their decisions. No two of them have one key; one
 * that is put back to an endpoint is alone. What a decision points to is in the
 * arena. Not CH_OK: why the first that is not known is not; those before it are. */
int replay_letters(struct replay *r, struct replay_letter *letters,
	size_t count, struct ch_arena *arena, struct ch_err *err);
/* Is it put back for the relay to send it, not sent from here? */
bool replay_puts_back(const struct letters_row *row);
/* Asks what a letter's `endpoint_missing` is, of one that is put back. */
int replay_look(struct replay_letter *l, struct ch_pg *pg, struct ch_err *err);

/* By hand, in a transaction of its own. CH_OK; as replay_check(), and CH_ERANGE has
 * quarantined it when it looped, or says that its partition is not there, that
 * its topic refuses this record for good (it is too large), or that a foreign
 * letter's topic is not there or refuses it (a header's word stops nobody
 * else's replay); CH_ENOTFOUND (no such topic), CH_ETIMEOUT (no
 * acknowledgement: it may still arrive), CH_EKAFKA, or as in io/pg.h. */
int replay_one(struct replay *r, struct ch_pg *pg, struct letters_row *row,
	struct ch_err *err);

/* Is the transaction that holds what is sent there still? PostgreSQL ends that of
 * a call that stands still, and whoever wakes asks first. *heard: when it was
 * heard of, as the next call wants it. */
int replay_prove(struct ch_pg *pg, struct ch_mono now, struct ch_mono *heard,
	struct ch_err *err);

#endif
