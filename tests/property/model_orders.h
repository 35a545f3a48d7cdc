/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_orders: orders and their fills.
 *
 * Thread: belongs to the model's.
 */
#ifndef TESTS_PROPERTY_MODEL_ORDERS_H
#define TESTS_PROPERTY_MODEL_ORDERS_H

#include "model_step.h"

void model_order_place(struct step *s);
void model_order_accept(struct step *s);
void model_order_fill(struct step *s);
void model_order_cancel(struct step *s);
void model_order_lost(struct step *s);

#endif
