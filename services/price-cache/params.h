/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params: what an operator may set on price-cache.
 *
 * Thread: read on the main thread.
 */
#ifndef PRICE_CACHE_PARAMS_H
#define PRICE_CACHE_PARAMS_H

#include "daemon/params.h"
#include "desk.h"

extern const struct ch_param price_cache_params[];

/* Rules across keys. CH_ECONFIG. */
int price_cache_params_check(const struct ch_params *p, struct ch_err *err);
/* The desk's part of them. */
struct desk_limits price_cache_limits(const struct ch_params *p);

#endif
