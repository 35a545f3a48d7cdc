/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest: see digest.h.
 *
 * libcrypto looks an algorithm up by name in its providers, which costs more
 * than hashing a short message: SHA-256 is fetched once per process, and each
 * thread keeps one context for ch_sha256_of(). A libcrypto without SHA-256, or
 * one that fails in memory, leaves nothing to go on with: it aborts, as
 * running out of memory does.
 */
#include "digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "log.h"
#include "mem.h"

struct ch_sha256_run {
	EVP_MD_CTX *ctx;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t context_key;
static EVP_MD *sha256;

static void
must(bool ok, const char *call)
{
	if (ok)
		return;
	ch_error("digest.libcrypto_failed", CH_S("call", call));
	abort();
}

static void
free_context(void *ctx)
{
	EVP_MD_CTX_free(ctx);
}

static void
set_up(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	must(sha256 != NULL, "EVP_MD_fetch");
	must(pthread_key_create(&context_key, free_context) == 0,
		"pthread_key_create");
}

static EVP_MD_CTX *
new_context(void)
{
	EVP_MD_CTX *ctx;

	must(pthread_once(&once, set_up) == 0, "pthread_once");
	ctx = EVP_MD_CTX_new();
	must(ctx != NULL, "EVP_MD_CTX_new");
	return ctx;
}

static EVP_MD_CTX *
context_of_thread(void)
{
	static __thread EVP_MD_CTX *mine;

	if (mine == NULL) {
		mine = new_context();
		must(pthread_setspecific(context_key, mine) == 0,
			"pthread_setspecific");
	}
	return mine;
}

static struct ch_sha256
finish(EVP_MD_CTX *ctx)
{
	struct ch_sha256 out;

	must(EVP_DigestFinal_ex(ctx, out.bytes, NULL) == 1,
		"EVP_DigestFinal_ex");
	return out;
}

struct ch_sha256
ch_sha256_of(struct ch_view v)
{
	EVP_MD_CTX *ctx = context_of_thread();

	must(EVP_DigestInit_ex2(ctx, sha256, NULL) == 1, "EVP_DigestInit_ex2");
	must(EVP_DigestUpdate(ctx, v.ptr, v.len) == 1, "EVP_DigestUpdate");
	return finish(ctx);
}

struct ch_sha256
ch_hmac_sha256(struct ch_view key, struct ch_view v)
{
	struct ch_sha256 out;
	unsigned len = 0;

	must(key.len <= INT_MAX, "HMAC: key length");
	must(HMAC(EVP_sha256(), key.len > 0 ? key.ptr : "", (int)key.len,
		     (const unsigned char *)(v.len > 0 ? v.ptr : ""), v.len,
		     out.bytes, &len) != NULL &&
			len == sizeof(out.bytes),
		"HMAC");
	return out;
}

bool
ch_digest_eq(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

struct ch_sha256_run *
ch_sha256_begin(void)
{
	struct ch_sha256_run *r = ch_xmalloc(sizeof(*r));

	r->ctx = new_context();
	must(EVP_DigestInit_ex2(r->ctx, sha256, NULL) == 1,
		"EVP_DigestInit_ex2");
	return r;
}

void
ch_sha256_add(struct ch_sha256_run *r, const void *p, size_t n)
{
	must(EVP_DigestUpdate(r->ctx, p, n) == 1, "EVP_DigestUpdate");
}

struct ch_sha256
ch_sha256_end(struct ch_sha256_run *r)
{
	struct ch_sha256 out = finish(r->ctx);

	EVP_MD_CTX_free(r->ctx);
	free(r);
	return out;
}

uint64_t
ch_hash64(const void *p, size_t n)
{
	const uint8_t *bytes = p;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++) {
		h ^= bytes[i];
		h *= UINT64_C(0x100000001b3);
	}
	return h;
}

static uint32_t
le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
		(uint32_t)p[3] << 24;
}

uint32_t
ch_murmur2(const void *p, size_t n)
{
	const uint32_t m = 0x5bd1e995;
	const uint8_t *bytes = p;
	uint32_t h = 0x9747b28c ^ (uint32_t)n;
	size_t left = n;

	for (; left >= 4; bytes += 4, left -= 4) {
		uint32_t k = le32(bytes) * m;

		k ^= k >> 24;
		h = h * m ^ k * m;
	}
	if (left == 3)
		h ^= (uint32_t)bytes[2] << 16;
	if (left >= 2)
		h ^= (uint32_t)bytes[1] << 8;
	if (left >= 1) {
		h ^= bytes[0];
		h *= m;
	}
	h ^= h >> 13;
	h *= m;
	return h ^ h >> 15;
}

int32_t
ch_murmur2_partition(struct ch_view key, int32_t partitions)
{
	uint32_t positive = ch_murmur2(key.ptr, key.len) & 0x7fffffff;

	return (int32_t)(positive % (uint32_t)partitions);
}
