/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_versions: see lib_versions.h. Run-time versions, not those of the
 * headers: what an operator has to compare with a bug report.
 */
#include "io/lib_versions.h"

#include <curl/curl.h>
#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <libwebsockets.h>
#include <openssl/crypto.h>

const char *
ch_lib_version_kafka(void)
{
	return rd_kafka_version_str();
}

void
ch_lib_versions(struct ch_buf *out)
{
	int pq = PQlibVersion();
	const char *lws = lws_get_library_version();

	ch_buf_printf(out,
		"librdkafka %s\nlibpq %d.%d\nlibcurl %s\n"
		"libwebsockets %.*s\n%s\n",
		rd_kafka_version_str(), pq / 10000, pq % 10000,
		curl_version_info(CURLVERSION_NOW)->version,
		(int)strcspn(lws, "- "), lws, OpenSSL_version(OPENSSL_VERSION));
}
