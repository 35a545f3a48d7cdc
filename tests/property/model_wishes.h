/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_wishes: expected_version.
 *
 * Thread: belongs to the model's.
 */
#ifndef TESTS_PROPERTY_MODEL_WISHES_H
#define TESTS_PROPERTY_MODEL_WISHES_H

#include "model_step.h"

/* Refuses when a row that the body names has another version: with a member of
 * a group, as the earlier ones left it. */
void model_check_versions(struct step *s);

#endif
