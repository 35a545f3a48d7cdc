/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "base/digest.h"
#include "base/hex.h"
#include "check_suite.h"

static const struct {
	const char *text;
	const char *hex;
} known[] = {
	{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"abc",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f200"
		"15ad"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db"
		"06c1"}};

static void
must_be(struct ch_sha256 digest, const char *hex)
{
	char text[2 * CH_SHA256_LEN + 1];

	ch_hex_encode(digest.bytes, sizeof(digest.bytes), text);
	ck_assert_str_eq(text, hex);
}

START_TEST(sha256_gives_the_known_answers)
{
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < COUNT(known); i++)
			must_be(ch_sha256_of(ch_view_of(known[i].text)),
				known[i].hex);
	}
	must_be(ch_sha256_of((struct ch_view){NULL, 0}), known[0].hex);
}
END_TEST

START_TEST(pieces_give_the_digest_of_the_whole)
{
	struct ch_sha256_run *r = ch_sha256_begin();
	char thousand[1000];

	memset(thousand, 'a', sizeof(thousand));
	for (int i = 0; i < 1000; i++) {
		ch_sha256_add(r, thousand, sizeof(thousand));
		ch_sha256_add(r, NULL, 0);
	}
	must_be(ch_sha256_end(r),
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a4"
		"97200e046d39ccc7112cd0");
}
END_TEST

static void *
digest_often(void *arg)
{
	for (int i = 0; i < 200; i++)
		must_be(ch_sha256_of(CH_VIEW("abc")), known[1].hex);
	return arg;
}

START_TEST(each_thread_has_its_own_context)
{
	pthread_t threads[4];

	for (size_t i = 0; i < COUNT(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, digest_often,
					 NULL),
			0);
	for (size_t i = 0; i < COUNT(threads); i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

/* RFC 4231, cases 1, 2 and 6. */
START_TEST(hmac_gives_the_answers_of_rfc_4231)
{
	char long_key[131];
	char key[20];

	memset(key, 0x0b, sizeof(key));
	memset(long_key, 0xaa, sizeof(long_key));
	must_be(ch_hmac_sha256((struct ch_view){key, sizeof(key)},
			CH_VIEW("Hi There")),
		"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32"
		"cff7");
	must_be(ch_hmac_sha256(CH_VIEW("Jefe"),
			CH_VIEW("what do ya want for nothing?")),
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec"
		"3843");
	must_be(ch_hmac_sha256((struct ch_view){long_key, sizeof(long_key)},
			CH_VIEW("Test Using Larger Than Block-Size Key - Hash "
				"Key First")),
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee3"
		"7f54");
	must_be(ch_hmac_sha256((struct ch_view){NULL, 0},
			(struct ch_view){NULL, 0}),
		"b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292"
		"c5ad");
}
END_TEST

START_TEST(digests_are_compared_over_all_bytes)
{
	struct ch_sha256 a = ch_sha256_of(CH_VIEW("a"));
	struct ch_sha256 b = a;

	ck_assert(ch_digest_eq(a.bytes, b.bytes, sizeof(a.bytes)));
	b.bytes[CH_SHA256_LEN - 1] ^= 1;
	ck_assert(!ch_digest_eq(a.bytes, b.bytes, sizeof(a.bytes)));
	ck_assert(ch_digest_eq(a.bytes, b.bytes, 0));
}
END_TEST

START_TEST(hash64_is_fnv_1a)
{
	ck_assert_uint_eq(ch_hash64("", 0), UINT64_C(0xcbf29ce484222325));
	ck_assert_uint_eq(ch_hash64("a", 1), UINT64_C(0xaf63dc4c8601ec8c));
	ck_assert_uint_eq(ch_hash64("foobar", 6), UINT64_C(0x85944171f73967e8));
}
END_TEST

/* The vectors of Kafka's own UtilsTest.testMurmur2. */
START_TEST(murmur2_is_that_of_kafkas_java_client)
{
	static const struct {
		const char *key;
		int32_t hash;
	} cases[] = {{"21", -973932308}, {"foobar", -790332482},
		{"a-little-bit-long-string", -985981536},
		{"a-little-bit-longer-string", -1486304829},
		{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
		{"abc", 479470107}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ch_view key = ch_view_of(cases[i].key);

		ck_assert_int_eq((int32_t)ch_murmur2(key.ptr, key.len),
			cases[i].hash);
		ck_assert_int_eq(ch_murmur2_partition(key, 12),
			(cases[i].hash & 0x7fffffff) % 12);
	}
}
END_TEST

START_TEST(every_key_has_one_partition_below_the_count)
{
	char key[64];

	for (size_t n = 0; n < sizeof(key); n++) {
		memset(key, (int)(0xff - n), sizeof(key));
		for (int32_t parts = 1; parts < 20; parts++) {
			int32_t p =
				ch_murmur2_partition((struct ch_view){key, n},
					parts);

			ck_assert_int_ge(p, 0);
			ck_assert_int_lt(p, parts);
		}
	}
	ck_assert_int_eq(ch_murmur2_partition((struct ch_view){NULL, 0}, 1), 0);
}
END_TEST

SUITE_MAIN("digest", sha256_gives_the_known_answers,
	pieces_give_the_digest_of_the_whole, each_thread_has_its_own_context,
	hmac_gives_the_answers_of_rfc_4231, digests_are_compared_over_all_bytes,
	hash64_is_fnv_1a, murmur2_is_that_of_kafkas_java_client,
	every_key_has_one_partition_below_the_count)
