/* SPDX-License-Identifier: Apache-2.0 */
/* base64: RFC 4648's own examples, and what is none. */
#include "check_suite.h"

#include "base/base64.h"

static const struct {
	const char *plain, *coded;
} examples[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
	{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
	{"\xff\xfe\xfd", "//79"}};

START_TEST(the_examples_of_the_rfc_both_ways)
{
	struct ch_buf b = CH_BUF_INIT;
	char back[16];
	size_t i, n;

	for (i = 0; i < COUNT(examples); i++) {
		ch_buf_clear(&b);
		ch_base64_add(&b, examples[i].plain, strlen(examples[i].plain));
		ck_assert_str_eq(ch_buf_str(&b), examples[i].coded);
		ck_assert(ch_base64_decode(ch_buf_view(&b), back, sizeof(back),
			&n));
		ck_assert_uint_eq(n, strlen(examples[i].plain));
		ck_assert_mem_eq(back, examples[i].plain, n);
	}
	ch_buf_free(&b);
}
END_TEST

START_TEST(what_is_no_base64_is_refused)
{
	static const char *const wrong[] = {"Z", "Zg",
		"Zg=", "Zm9v=", "Zh==", "Zm9=", "====", "Zm 9", "Zm9-",
		"Z===", "Zg==Zg=="};
	char out[16];
	size_t i, n;

	for (i = 0; i < COUNT(wrong); i++)
		ck_assert_msg(!ch_base64_decode(ch_view_of(wrong[i]), out,
				      sizeof(out), &n) &&
				n == 0,
			"%s", wrong[i]);
	ck_assert(!ch_base64_decode(CH_VIEW("Zm9vYmFy"), out, 5, &n));
	ck_assert(ch_base64_decode(CH_VIEW("Zm9vYmFy"), out, 6, &n));
}
END_TEST

SUITE_MAIN("base64", the_examples_of_the_rfc_both_ways,
	what_is_no_base64_is_refused)
