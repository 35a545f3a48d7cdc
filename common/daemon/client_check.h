/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_check: the part of a service's check() that the libraries towards
 * the network decide: the properties below `kafka`, `bootstrap`,
 * `database_url`, `passfile`, listen addresses. Every refusal names the key,
 * what is wrong, and where it was read. Files are opened, the network is not
 * touched.
 *
 * Thread: main, at start.
 */
#ifndef CH_DAEMON_CLIENT_CHECK_H
#define CH_DAEMON_CLIENT_CHECK_H

#include "daemon/params.h"

/* `bootstrap` (a list; may be empty) and the group `kafka`: unknown
 * properties, wrong values, files, and those that the service decides itself
 * (reserved, as ch_kafka_producer_reserved; ends with NULL). CH_ECONFIG. */
int ch_client_check_kafka(const struct ch_params *p,
	const char *const *reserved, struct ch_err *err);
/* The CONNINFO `database_url` and the files that it names, and the file of the
 * PATH `passfile_key` (NULL: the service has no such key). CH_ECONFIG. */
int ch_client_check_database(const struct ch_params *p,
	const char *passfile_key, struct ch_err *err);
/* A STRING that a server listens on. CH_ECONFIG. */
int ch_client_check_listen(const struct ch_params *p, const char *key,
	struct ch_err *err);
/* A PATH that will be read: a regular file that can be opened, or "".
 * CH_ECONFIG. */
int ch_client_check_file(const struct ch_params *p, const char *key,
	struct ch_err *err);

#endif
