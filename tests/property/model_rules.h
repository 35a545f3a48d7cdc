/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_rules: the rule of each type, and a group, which is several of them.
 *
 * Thread: belongs to the model's.
 */
#ifndef TESTS_PROPERTY_MODEL_RULES_H
#define TESTS_PROPERTY_MODEL_RULES_H

#include "model_step.h"

/* Decides the command by the books, in a step that has begun: afterwards
 * s->status tells, and a refusal has been taken back. */
void model_decide(struct step *s);
/* Does a pause that lists `type` refuse the body? A fact is never refused. */
bool model_is_fact(const json_t *body);

#endif
