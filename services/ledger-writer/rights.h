/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rights: may this role write the books? Asked on every new connection, before
 * anything is claimed: a wrong role would otherwise show as batches that fail
 * for ever, each with another error.
 *
 * Thread: loop only.
 */
#ifndef LEDGER_RIGHTS_H
#define LEDGER_RIGHTS_H

#include "session.h"

/* 0; CH_ECONFIG: no, err says what is missing and what mends it; anything else:
 * it could not be asked. */
int rights_check(struct session *s, struct ch_err *err);

#endif
