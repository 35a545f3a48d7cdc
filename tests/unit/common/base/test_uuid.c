/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "base/uuid.h"
#include "check_suite.h"

/* RFC 9562, appendix A.6; and the example of the ULID specification. */
#define V7 "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
#define ULID "01ARZ3NDEKTSV4RRFFQ69G5FAV"

static void
must_be(const struct ch_uuid *u, const char *hex)
{
	char text[33];

	ch_hex_encode(u->bytes, sizeof(u->bytes), text);
	ck_assert_str_eq(text, hex);
}

START_TEST(a_v7_is_read_printed_and_tells_its_time)
{
	char text[CH_UUID_TEXT_MAX];
	struct ch_uuid u;

	ck_assert(ch_uuid_parse(CH_VIEW(V7), &u));
	must_be(&u, "017f22e279b07cc398c4dc0c0c07398f");
	ck_assert_int_eq(ch_uuid_time(&u).us, INT64_C(1645557742000000));
	ch_uuid_format(&u, text);
	ck_assert_str_eq(text, V7);
	ck_assert(ch_uuid_parse(CH_VIEW("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"),
		&u));
	must_be(&u, "017f22e279b07cc398c4dc0c0c07398f");
}
END_TEST

START_TEST(a_ulid_is_read_in_both_cases_and_tells_its_time)
{
	struct ch_uuid u;

	ck_assert(ch_uuid_parse(CH_VIEW(ULID), &u));
	must_be(&u, "01563e3ab5d3d6764c61efb99302bd5b");
	ck_assert_int_eq(ch_uuid_time(&u).us, INT64_C(1469922850259000));
	ck_assert(ch_uuid_parse(CH_VIEW("01arz3ndektsv4rrffq69g5fav"), &u));
	must_be(&u, "01563e3ab5d3d6764c61efb99302bd5b");
}
END_TEST

START_TEST(the_smallest_and_the_largest_ulid_pass)
{
	struct ch_uuid u;

	ck_assert(ch_uuid_parse(CH_VIEW("00000000000000000000000000"), &u));
	must_be(&u, "00000000000000000000000000000000");
	ck_assert_int_eq(ch_uuid_time(&u).us, 0);
	ck_assert(ch_uuid_parse(CH_VIEW("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), &u));
	must_be(&u, "ffffffffffffffffffffffffffffffff");
	ck_assert_int_eq(ch_uuid_time(&u).us, ((INT64_C(1) << 48) - 1) * 1000);
}
END_TEST

START_TEST(other_ids_are_refused_and_change_nothing)
{
	static const char *const cases[] = {"", "x",
		"017f22e2-79b0-4cc3-98c4-dc0c0c07398f", /* version 4 */
		"017f22e2-79b0-8cc3-98c4-dc0c0c07398f",
		"017f22e2-79b0-7cc3-78c4-dc0c0c07398f", /* variant 01 */
		"017f22e2-79b0-7cc3-c8c4-dc0c0c07398f", /* variant 11 */
		"017f22e279b07cc398c4dc0c0c07398f",
		"{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
		"017f22e27-9b0-7cc3-98c4-dc0c0c07398f",
		"017f22e2-79b0-7cc3-98c4_dc0c0c07398f",
		"017f22e2--9b0-7cc3-98c4-dc0c0c07398f",
		"8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "80000000000000000000000000",
		"01ARZ3NDEKTSV4RRFFQ69G5FA", "01ARZ3NDEKTSV4RRFFQ69G5FAVX",
		"01ARZ3NDEKTSV4RRFFQ69G5FAI", "01ARZ3NDEKTSV4RRFFQ69G5FAL",
		"01ARZ3NDEKTSV4RRFFQ69G5FAO", "01ARZ3NDEKTSV4RRFFQ69G5FAU",
		"01arz3ndektsv4rrffq69g5fai", "01ARZ3NDEKTSV4RRFFQ69G5FA-",
		"O1ARZ3NDEKTSV4RRFFQ69G5FAV"};
	struct ch_uuid before;

	memset(before.bytes, 0x5a, sizeof(before.bytes));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ch_uuid u = before;

		ck_assert_msg(!ch_uuid_parse(ch_view_of(cases[i]), &u), "%s",
			cases[i]);
		ck_assert_mem_eq(u.bytes, before.bytes, sizeof(u.bytes));
	}
	ck_assert(!ch_uuid_parse((struct ch_view){NULL, 0}, &before));
}
END_TEST

START_TEST(a_nul_inside_is_refused)
{
	char ulid[] = ULID;
	char v7[] = V7;
	struct ch_uuid u;

	ulid[10] = '\0';
	v7[10] = '\0';
	ck_assert(!ch_uuid_parse((struct ch_view){ulid, 26}, &u));
	ck_assert(!ch_uuid_parse((struct ch_view){v7, 36}, &u));
	ck_assert(!ch_uuid_parse_any((struct ch_view){v7, 36}, &u));
}
END_TEST

START_TEST(any_takes_every_version_but_no_ulid)
{
	struct ch_uuid u;

	ck_assert(ch_uuid_parse_any(
		CH_VIEW("919108f7-52d1-4320-9bac-f847db4148a8"), &u));
	must_be(&u, "919108f752d143209bacf847db4148a8");
	ck_assert(ch_uuid_parse_any(
		CH_VIEW("00000000-0000-0000-0000-000000000000"), &u));
	ck_assert(!ch_uuid_parse_any(CH_VIEW(ULID), &u));
}
END_TEST

START_TEST(made_ids_are_valid_carry_their_time_and_differ)
{
	const struct ch_time now = {INT64_C(1795254062123456)};
	struct ch_uuid before = {{0}};
	struct ch_rng rng;

	ch_rng_seed(&rng, 1);
	for (int i = 0; i < 1000; i++) {
		char text[CH_UUID_TEXT_MAX];
		struct ch_uuid u = ch_uuid_v7(now, &rng);
		struct ch_uuid back;

		ch_uuid_format(&u, text);
		ck_assert(ch_uuid_parse(ch_view_of(text), &back));
		ck_assert_mem_eq(u.bytes, back.bytes, sizeof(u.bytes));
		ck_assert_int_eq(ch_uuid_time(&u).us,
			INT64_C(1795254062123000));
		ck_assert_mem_ne(u.bytes, before.bytes, sizeof(u.bytes));
		before = u;
	}
}
END_TEST

START_TEST(times_outside_of_48_bits_are_clamped)
{
	struct ch_rng rng;
	struct ch_uuid u;

	ch_rng_seed(&rng, 1);
	u = ch_uuid_v7((struct ch_time){-1}, &rng);
	ck_assert_int_eq(ch_uuid_time(&u).us, 0);
	u = ch_uuid_v7((struct ch_time){INT64_MAX}, &rng);
	ck_assert_int_eq(ch_uuid_time(&u).us, ((INT64_C(1) << 48) - 1) * 1000);
}
END_TEST

START_TEST(a_named_id_depends_on_name_and_time_only)
{
	const struct ch_time t = {INT64_C(1795254062123456)};
	struct ch_uuid a = ch_uuid_v7_named(t, CH_VIEW("expiry:1"));
	struct ch_uuid b = ch_uuid_v7_named(t, CH_VIEW("expiry:1"));
	struct ch_uuid c = ch_uuid_v7_named(t, CH_VIEW("expiry:2"));
	char text[CH_UUID_TEXT_MAX];

	ck_assert_mem_eq(a.bytes, b.bytes, sizeof(a.bytes));
	ck_assert_mem_ne(a.bytes, c.bytes, sizeof(a.bytes));
	ch_uuid_format(&a, text);
	ck_assert(ch_uuid_parse(ch_view_of(text), &b));
	ck_assert_int_eq(ch_uuid_time(&a).us, INT64_C(1795254062123000));
}
END_TEST

SUITE_MAIN("uuid", a_v7_is_read_printed_and_tells_its_time,
	a_ulid_is_read_in_both_cases_and_tells_its_time,
	the_smallest_and_the_largest_ulid_pass,
	other_ids_are_refused_and_change_nothing, a_nul_inside_is_refused,
	any_takes_every_version_but_no_ulid,
	made_ids_are_valid_carry_their_time_and_differ,
	times_outside_of_48_bits_are_clamped,
	a_named_id_depends_on_name_and_time_only)
