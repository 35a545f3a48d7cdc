/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resend: records of dead letters to Kafka once more, several in flight, each
 * with an acknowledgement of its own.
 *
 * A broker refuses whole batches, and the producer, which sends without gaps,
 * ends with a refusal. So when one of many is not acknowledged, all that were
 * not are sent again by a new producer, each alone: what is refused then is
 * refused for itself. Such a record may stand twice, with the same id.
 *
 * Order: that of the array, but for such a second try; so two records of one key
 * do not go in one call.
 *
 * Thread: belongs to one thread, which waits.
 */
#ifndef RELAY_RESEND_H
#define RELAY_RESEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "daemon/params.h"
#include "io/kafka_producer.h"
#include "message.h"

struct resend;

/* May it send still? Asked before each record, and while it waits. Not CH_OK:
 * nothing more is sent, nor waited for. may NULL: always. */
struct resend_leave {
	int (*may)(void *ctx, struct ch_err *err);
	void *ctx;
};

/* Opens a producer (no network yet). NULL with CH_ECONFIG. */
struct resend *resend_open(const struct ch_params *p,
	const struct resend_leave *leave, struct ch_err *err);
/* NULL is allowed. */
void resend_close(struct resend *s);

struct resend_record {
	const char *topic;
	struct message message;
	bool foreign; /* only a header has named the topic */

	/* What became of it. !known: not acknowledged, nor refused. */
	bool known;
	int rc; /* CH_OK, or CH_ERANGE: refused for good, `said` has the reason */
	struct ch_err *said;
	int32_t part;
	int64_t offset;
	/* the last report */
	enum ch_kafka_class class;
	bool reported;
};

/* Is its topic there, and the partition that it names? CH_ERANGE: that they are
 * not is this record's matter alone; CH_ENOTFOUND: of all that go there. */
int resend_check(struct resend *s, const struct resend_record *rec,
	struct ch_err *err);
/* CH_OK: all are known. Else why the first of the others is not: CH_ETIMEOUT (no
 * acknowledgement: it may still arrive), CH_EKAFKA, what its leave says, ... */
int resend_all(struct resend *s, struct resend_record *const *records,
	size_t count, struct ch_err *err);

#endif
