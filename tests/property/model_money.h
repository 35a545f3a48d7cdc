/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_money: moves of money, and the commands that are nothing else.
 *
 * Thread: belongs to the model's.
 */
#ifndef TESTS_PROPERTY_MODEL_MONEY_H
#define TESTS_PROPERTY_MODEL_MONEY_H

#include "model_step.h"

struct move {
	struct account *from, *to;
	big amount;
	bool covered; /* was set aside before: no free funds are needed */
};

/* account_not_found, account_closed; NULL when it is not there. */
struct account *model_payee(struct step *s, const char *name);
/* What a payer may spend: balance - held - floor; no floor: without end. */
bool model_can_pay(const struct balance *b, big amount);
/* Move by move, each checked on the balances as the ones before left them; the
 * balances change when nothing at all is refused. */
void model_run_moves(struct step *s, const struct move *moves, size_t count);

void model_transfer_post(struct step *s);
void model_transfer_reverse(struct step *s);
/* The moves of the transfer that the body reverses; NULL: it reverses none. */
const json_t *model_moves_to_reverse(const struct step *s, const json_t *body);

#endif
