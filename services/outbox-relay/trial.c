/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trial: see trial.h. One record of a topic at a time has nothing to keep in
 * order, so the client is a plain one: not idempotent, without retries.
 */
#include "trial.h"

#include <stdlib.h>

#include "base/mem.h"

#define TRIAL_MS 5000
#define TRIAL_IDLE_MS 60000

struct trial {
	struct trial_options opt;
	struct ch_kafka_conf *conf;
	struct ch_kafka_producer *producer; /* NULL: not needed */
	struct ch_mono used;
};

struct trial *
trial_new(const struct trial_options *opt)
{
	struct trial *t = ch_xcalloc(1, sizeof(*t));

	t->opt = *opt;
	t->conf = ch_kafka_conf_copy(opt->conf);
	return t;
}

void
trial_free(struct trial *t)
{
	if (t == NULL)
		return;
	trial_drop(t);
	ch_kafka_conf_free(t->conf);
	free(t);
}

static int
open_client(struct trial *t, struct ch_err *err)
{
	struct ch_kafka_producer_params params = {
		.conf = t->conf,
		.client_id = t->opt.client_id,
		.message_max_bytes = t->opt.message_max_bytes,
		.message_timeout_ms = TRIAL_MS,
		.not_idempotent = true,
		.no_retries = true,
		.statistics_ms = -1,
		.delivered = t->opt.reported,
		.ctx = t->opt.ctx,
	};

	t->producer = ch_kafka_producer_open(&params, err);
	return t->producer != NULL ? CH_OK : CH_EKAFKA;
}

int
trial_send(struct trial *t, const struct ch_kafka_message *m,
	struct ch_mono now, struct ch_err *err)
{
	t->used = now;
	if (t->producer == NULL && open_client(t, err) != CH_OK)
		return CH_EKAFKA;
	return ch_kafka_producer_send(t->producer, m, err);
}

void
trial_turn(struct trial *t, struct ch_mono now)
{
	if (t->producer == NULL)
		return;
	ch_kafka_producer_poll(t->producer, 0);
	if (ch_kafka_producer_pending(t->producer) == 0 &&
		ch_mono_ms_since(now, t->used) >= TRIAL_IDLE_MS)
		trial_drop(t);
}

void
trial_drop(struct trial *t)
{
	if (t->producer != NULL)
		(void)ch_kafka_producer_close(t->producer, 0);
	t->producer = NULL;
}

size_t
trial_pending(const struct trial *t)
{
	return t->producer != NULL ? ch_kafka_producer_pending(t->producer) : 0;
}

int
trial_fd(const struct trial *t)
{
	return t->producer != NULL ? ch_kafka_producer_fd(t->producer) : -1;
}
