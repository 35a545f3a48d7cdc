/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_stock: SKUs and reservations on them.
 *
 * Thread: belongs to the model's.
 */
#ifndef TESTS_PROPERTY_MODEL_STOCK_H
#define TESTS_PROPERTY_MODEL_STOCK_H

#include "model_step.h"

void model_stock_receive(struct step *s);
void model_stock_adjust(struct step *s);
void model_stock_reserve(struct step *s);
void model_reservation_commit(struct step *s);
void model_reservation_release(struct step *s);
/* A timer's decision of its own; s: whose time and sink it takes. */
void model_reservation_expire(struct step *s, struct reservation *r);

#endif
