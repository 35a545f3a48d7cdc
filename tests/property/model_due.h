/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_due: holds and reservations that run out.
 *
 * Thread: belongs to the model's.
 */
#ifndef TESTS_PROPERTY_MODEL_DUE_H
#define TESTS_PROPERTY_MODEL_DUE_H

#include "model_step.h"

/* What is due on the owners that a command names, before it is decided. */
void model_settle_named(struct step *s);
/* What is due on these accounts: those that a page of payments locks. */
void model_settle_accounts(struct step *s, const struct row_list *accounts);
/* A new hold or reservation may be the owner's next that is due. */
void model_is_due(int64_t *next_due, bool expires, int64_t expires_at);

#endif
