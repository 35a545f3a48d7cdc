/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params: what an operator may set on ledger-writer.
 *
 * Thread: read on the main thread.
 */
#ifndef LEDGER_PARAMS_H
#define LEDGER_PARAMS_H

#include "daemon/params.h"

extern const struct ch_param ledger_params[];

/* Rules across keys. CH_ECONFIG. */
int ledger_params_check(const struct ch_params *p, struct ch_err *err);

#endif
