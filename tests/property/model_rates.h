/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_rates: how many commands an actor or an organisation may send.
 *
 * Thread: belongs to the model's.
 */
#ifndef TESTS_PROPERTY_MODEL_RATES_H
#define TESTS_PROPERTY_MODEL_RATES_H

#include "model_step.h"

/* May the command pass? If so it is counted, unless it is a dry run. What the
 * answer says of rates is left in the step. */
bool model_rates_pass(struct step *s);
/* Counts it without asking. */
void model_rates_count(struct step *s);

#endif
