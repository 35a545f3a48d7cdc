/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_versions: which client libraries this process really runs with.
 *
 * Thread: any.
 */
#ifndef CH_IO_LIB_VERSIONS_H
#define CH_IO_LIB_VERSIONS_H

#include "base/str.h"

/* "librdkafka 2.14.2\nlibpq 15.20\n..." */
void ch_lib_versions(struct ch_buf *out);
const char *ch_lib_version_kafka(void);

#endif
