/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_show: rows as people see them: in answers and in the dump.
 *
 * Thread: belongs to the model's.
 */
#ifndef TESTS_PROPERTY_MODEL_SHOW_H
#define TESTS_PROPERTY_MODEL_SHOW_H

#include "model_rows.h"
#include "model_text.h"

/* ,"balances":[...] and each other kind that has rows: what the running step
 * has touched, in the order of first touch. m NULL: no rows. */
void model_show_rows(struct text *t, const struct serial_model *m);

#endif
