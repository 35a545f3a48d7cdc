/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params: what an operator may set on trade-stream.
 *
 * Thread: read on the main thread.
 */
#ifndef TRADE_STREAM_PARAMS_H
#define TRADE_STREAM_PARAMS_H

#include "daemon/params.h"

extern const struct ch_param trade_stream_params[];

/* Rules across keys; reads the wallet file too. CH_ECONFIG. */
int trade_stream_params_check(const struct ch_params *p, struct ch_err *err);

#endif
