/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_settlement: the end of a market: the whole total is set aside at once,
 * then holders are paid page by page (serial_pay_page()).
 *
 * Thread: belongs to the model's.
 */
#ifndef TESTS_PROPERTY_MODEL_SETTLEMENT_H
#define TESTS_PROPERTY_MODEL_SETTLEMENT_H

#include "model_step.h"

void model_market_settle(struct step *s);

#endif
