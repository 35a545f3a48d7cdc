/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params: the relay's configuration and metrics, as tables.
 *
 * Thread: any; constant.
 */
#ifndef RELAY_PARAMS_H
#define RELAY_PARAMS_H

#include "base/err.h"
#include "daemon/metrics.h"
#include "daemon/params.h"
#include "contract.h"
#include "route.h"

extern const struct ch_param relay_params[];
extern const struct ch_metric_desc relay_metrics[]; /* enum relay_metric */

/* Checks across keys; CH_ECONFIG. */
int relay_params_check(const struct ch_params *p, struct ch_err *err);
/* NULL with CH_ECONFIG. The caller's. */
struct route_table *relay_params_routes(const struct ch_params *p,
	struct ch_err *err);
/* Of outbox_table, which is not "". NULL with CH_ECONFIG. The caller's. */
struct contract *relay_params_contract(const struct ch_params *p,
	struct ch_err *err);
/* Who must approve a replay: "off", "actor" or "role". */
const char *relay_params_two_person(const struct ch_params *p);

#endif
