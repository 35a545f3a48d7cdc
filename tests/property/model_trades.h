/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_trades: the platform's own trades, positions, and markets' pools.
 *
 * Thread: belongs to the model's.
 */
#ifndef TESTS_PROPERTY_MODEL_TRADES_H
#define TESTS_PROPERTY_MODEL_TRADES_H

#include "model_step.h"

void model_trade_record(struct step *s);
void model_pool_deploy(struct step *s);
/* Is the body a trade whose transaction is known? Then not even an expected
 * version is looked at before it is confirmed. */
bool model_trade_is_known(const struct step *s);

#endif
