/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_conf: see client_conf.h.
 *
 * What an operator may not set is refused before, by client_check: here a
 * refusal is librdkafka's own word about one property.
 */
#include "daemon/client_conf.h"

#include "base/str.h"

struct filling {
	struct ch_kafka_conf *conf;
	struct ch_err *err;
	int rc;
};

static void
add_property(void *ctx, const char *key, const char *value)
{
	struct filling *f = ctx;

	if (f->rc == 0)
		f->rc = ch_kafka_conf_set(f->conf, key, value, f->err);
}

struct ch_kafka_conf *
ch_client_kafka_conf(const struct ch_params *p, struct ch_err *err)
{
	struct filling f = {ch_kafka_conf_new(), err, 0};
	const char *const *broker = ch_params_list(p, "bootstrap", NULL);
	struct ch_buf brokers = CH_BUF_INIT;

	for (; *broker != NULL; broker++)
		ch_buf_printf(&brokers, "%s%s", brokers.len > 0 ? "," : "",
			*broker);
	add_property(&f, "bootstrap.servers", ch_buf_str(&brokers));
	ch_buf_free(&brokers);
	ch_params_group(p, "kafka", add_property, &f);
	if (f.rc == 0)
		return f.conf;
	ch_kafka_conf_free(f.conf);
	return NULL;
}
