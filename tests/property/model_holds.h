/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_holds: money set aside.
 *
 * Thread: belongs to the model's.
 */
#ifndef TESTS_PROPERTY_MODEL_HOLDS_H
#define TESTS_PROPERTY_MODEL_HOLDS_H

#include "model_step.h"

void model_hold_place(struct step *s);
void model_hold_capture(struct step *s);
void model_hold_void(struct step *s);
/* A timer's decision of its own; s: whose time and sink it takes. */
void model_hold_expire(struct step *s, struct hold *h);

#endif
