/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest: SHA-256 and HMAC-SHA-256, over libcrypto.
 *
 * Thread: any; a running digest belongs to one thread.
 */
#ifndef CH_BASE_DIGEST_H
#define CH_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

#define CH_SHA256_LEN 32

struct ch_sha256 {
	uint8_t bytes[CH_SHA256_LEN];
};

struct ch_sha256 ch_sha256_of(struct ch_view v);
struct ch_sha256 ch_hmac_sha256(struct ch_view key, struct ch_view v);
/* Compares without a timing difference. */
bool ch_digest_eq(const void *a, const void *b, size_t n);

struct ch_sha256_run; /* piece by piece */
struct ch_sha256_run *ch_sha256_begin(void);
void ch_sha256_add(struct ch_sha256_run *r, const void *p, size_t n);
struct ch_sha256 ch_sha256_end(struct ch_sha256_run *r); /* frees r */

/* 64-bit FNV-1a, for hash tables and sampling; not against an adversary. */
uint64_t ch_hash64(const void *p, size_t n);
/* Kafka's murmur2 (org.apache.kafka.common.utils.Utils.murmur2), and the
 * partition that Java's default partitioner gives to a key. */
uint32_t ch_murmur2(const void *p, size_t n);
int32_t ch_murmur2_partition(struct ch_view key, int32_t partitions);

#endif
