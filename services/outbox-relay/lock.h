/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock: one relay of a slot leads, and it alone sends.
 *
 * A session lock of the SQL connection; of relays that share a polled table one
 * a shard (shards.h). Who stands still loses it: PostgreSQL ends a session that
 * is silent, a standby one that waits for its relay in the middle of a call. So
 * who has it proves that before it sends: nothing came from the session that
 * was not asked for, and it has answered within LOCK_TRUSTED_MS; else it is
 * asked.
 *
 * Thread: loop only.
 */
#ifndef RELAY_LOCK_H
#define RELAY_LOCK_H

#include <stdbool.h>

#include "base/err.h"

struct relay;

/* PostgreSQL ends the SQL session of a relay that is silent for so long (it is
 * stopped, or its machine is), and the lock goes with it. */
#define LOCK_SILENT "15s"
#define LOCK_TRUSTED_MS 10000 /* less than that */

/* *taken: it is ours now. */
int lock_take(struct relay *r, bool *taken, struct ch_err *err);
/* Ends the session of a leader that stands still, every few seconds. */
int lock_end_holder(struct relay *r, struct ch_err *err);
/* CH_OK: it is ours still. Else the SQL session has ended, and it with it. */
int lock_prove(struct relay *r, struct ch_err *err);

#endif
