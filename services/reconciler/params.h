/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params: what an operator may set on the reconciler.
 *
 * Thread: read on the main thread.
 */
#ifndef RECONCILER_PARAMS_H
#define RECONCILER_PARAMS_H

#include "daemon/params.h"

extern const struct ch_param reconciler_params[];

/* Rules across keys. CH_ECONFIG. */
int reconciler_params_check(const struct ch_params *p, struct ch_err *err);

#endif
