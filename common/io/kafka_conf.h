/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_conf: librdkafka properties as an operator gives them.
 *
 * Properties come from -X name=value and from files of name=value lines; each
 * is checked by librdkafka the moment it is set, so that a wrong one is
 * refused at start with its name (CH_ECONFIG). What a module must own itself
 * (offsets, isolation, idempotence) it refuses by name: a reserved set is a
 * NULL-terminated list.
 *
 * Secrets (sasl.password and its kind) are never taken from argv: give
 * "<name>.file=/path" instead, or a property file. TLS verification cannot be
 * turned off. librdkafka's own log lines go to ch_log.
 *
 * Thread: one, at start. The consumer and the producer copy what they need.
 */
#ifndef CH_IO_KAFKA_CONF_H
#define CH_IO_KAFKA_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include <librdkafka/rdkafka.h>

#include "base/err.h"
#include "base/str.h"

#define CH_KAFKA_VERSION_MIN 0x020c0000 /* 2.12.0: see docs of common/io */
#define CH_KAFKA_SECRET_MAX 16384	/* bytes in a secret file */
#define CH_KAFKA_CONF_FILE_MAX 262144	/* bytes in a property file */

struct ch_kafka_conf;

/* CH_ECONFIG when the library loaded at run time is older than the floor. */
int ch_kafka_version_check(struct ch_err *err);

struct ch_kafka_conf *ch_kafka_conf_new(void);
void ch_kafka_conf_free(struct ch_kafka_conf *c);
struct ch_kafka_conf *ch_kafka_conf_copy(const struct ch_kafka_conf *c);

/* Sets one property (secrets too: value comes from the program itself). */
int ch_kafka_conf_set(struct ch_kafka_conf *c, const char *name,
	const char *value, struct ch_err *err);
/* "name=value" from argv or the environment: refuses secrets in the clear;
 * "sasl.password.file=/run/secrets/x" reads the file. */
int ch_kafka_conf_add(struct ch_kafka_conf *c, struct ch_view pair,
	struct ch_err *err);
/* A file of name=value lines; '#' comments and blank lines. Errors name path
 * and line. */
int ch_kafka_conf_file(struct ch_kafka_conf *c, const char *path,
	struct ch_err *err);

/* Was it set by one of the calls above? Its value, or NULL. */
const char *ch_kafka_conf_get(const struct ch_kafka_conf *c, const char *name);
/* CH_ECONFIG, naming the property, when one of a NULL-terminated list was
 * set by the operator; `owner` says who decides it ("ledger-writer"). */
int ch_kafka_conf_refuse(const struct ch_kafka_conf *c,
	const char *const *reserved, const char *owner, struct ch_err *err);
/* Calls fn for each property in the order set; secrets show as "***". For
 * /config. */
void ch_kafka_conf_each(const struct ch_kafka_conf *c,
	void (*fn)(void *ctx, const char *name, const char *value), void *ctx);

/* Do the properties fit together, and can the files that they name be read
 * (certificates, keys)? A client is made of them and ended, without brokers:
 * no network. CH_ECONFIG; the text names the property where librdkafka does. */
int ch_kafka_conf_check(const struct ch_kafka_conf *c, struct ch_err *err);

/* A librdkafka configuration with everything set and logs routed, for
 * rd_kafka_new(), which takes it over. For kafka_consumer, kafka_producer
 * and tools that use librdkafka themselves. */
rd_kafka_conf_t *ch_kafka_conf_build(const struct ch_kafka_conf *c);
/* Sets a property on such a configuration; CH_ECONFIG when refused. */
int ch_kafka_conf_force(rd_kafka_conf_t *rk, const char *name,
	const char *value, struct ch_err *err);
int ch_kafka_conf_force_int(rd_kafka_conf_t *rk, const char *name, int value,
	struct ch_err *err);

#endif
