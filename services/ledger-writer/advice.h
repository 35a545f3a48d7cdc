/* SPDX-License-Identifier: Apache-2.0 */
/*
 * advice: what each status means for whoever is on call, and what to do next.
 *
 * Thread: constants only. Pure.
 */
#ifndef LEDGER_ADVICE_H
#define LEDGER_ADVICE_H

#include "base/str.h"

/* One sentence, for a status as it stands in an answer ("duplicate" included).
 * Never NULL. */
const char *advice_of(struct ch_view status);

#endif
