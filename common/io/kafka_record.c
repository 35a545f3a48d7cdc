/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_record: records in their owner's hands (declared in kafka_consumer.h).
 * A record keeps its client alive: librdkafka's memory is behind its views.
 */
#include "kafka_consumer_private.h"

#include <stdlib.h>

/* Waits for the client's own threads only: it left its group before. */
void
ch_kc_client_free(struct ch_kafka_client *k)
{
	rd_kafka_destroy_flags(k->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	ch_map_free(k->topics, ch_kc_topic_free);
	free(k);
}

void
ch_kafka_record_free(struct ch_kafka_record *r)
{
	if (r->message == NULL)
		return;
	rd_kafka_message_destroy(r->message);
	r->client->held--;
	if (r->client->closed && r->client->held == 0)
		ch_kc_client_free(r->client);
	*r = (struct ch_kafka_record){0};
}

static rd_kafka_headers_t *
headers_of(const struct ch_kafka_record *r)
{
	rd_kafka_headers_t *h = NULL;

	if (r->message == NULL || rd_kafka_message_headers(r->message, &h) != 0)
		return NULL;
	return h;
}

size_t
ch_kafka_record_header_count(const struct ch_kafka_record *r)
{
	rd_kafka_headers_t *h = headers_of(r);

	return h != NULL ? rd_kafka_header_cnt(h) : 0;
}

bool
ch_kafka_record_header_at(const struct ch_kafka_record *r, size_t idx,
	const char **name, struct ch_view *value)
{
	rd_kafka_headers_t *h = headers_of(r);
	const void *bytes;
	size_t n;

	if (h == NULL || rd_kafka_header_get_all(h, idx, name, &bytes, &n) != 0)
		return false;
	*value = (struct ch_view){bytes, n};
	return true;
}

bool
ch_kafka_record_header(const struct ch_kafka_record *r, const char *name,
	struct ch_view *value)
{
	rd_kafka_headers_t *h = headers_of(r);
	const void *bytes;
	size_t n;

	if (h == NULL || rd_kafka_header_get_last(h, name, &bytes, &n) != 0)
		return false;
	*value = (struct ch_view){bytes, n};
	return true;
}
