/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_accounts: assets, and accounts from their opening to their end.
 *
 * Thread: belongs to the model's.
 */
#ifndef TESTS_PROPERTY_MODEL_ACCOUNTS_H
#define TESTS_PROPERTY_MODEL_ACCOUNTS_H

#include "model_step.h"

void model_asset_define(struct step *s);
void model_account_open(struct step *s);
void model_account_limit(struct step *s);
void model_account_close(struct step *s);

#endif
