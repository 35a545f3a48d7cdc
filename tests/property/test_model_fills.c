/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of market.fills in the serial model, against answers that people wrote
 * down from protocols/commands.md section 6 and protocols/semantics.md.
 */
#include "check_suite.h"
#include <string.h>

#include "serial_model.h"

#define START INT64_C(1795255200000000) /* 2026-11-21T10:00:00Z */
#define START_MS (START / 1000)
#define DAY INT64_C(86400000000)
#define RECORDS_MAX 32
#define PLACE                                                                  \
	"{\"id\":\"01a1fd8c-e680-7000-8000-000000000001\",\"org\":\"acme\","   \
	"\"type\":\"order.place\",\"order\":\"o\",\"market\":\"m\",\"side\":"  \
	"\"BUY\",\"qty\":\"10\"}"
#define FILL(name, qty, more)                                                  \
	"{\"fill_id\":\"" name "\",\"org\":\"acme\",\"order\":\"o\",\"qty\":"  \
	"\"" qty "\",\"traded_at\":\"2026-09-01T00:00:00.5Z\"" more "}"

static struct serial_model *model;
static struct serial_now now;
static struct serial_command *records[RECORDS_MAX];
static size_t count;
/* what the last one left */
static unsigned letters;
static char answer[1024];

static void
set_up(void)
{
	model = serial_model_new(true);
	now = (struct serial_now){
		.decided_at = START, .lowest_day = START / DAY - 1};
	count = 0;
}

static void
tear_down(void)
{
	serial_model_free(model);
	for (size_t i = 0; i < count; i++)
		serial_command_free(records[i]);
}

static void
take(void *ctx, enum serial_line kind, const char *text)
{
	(void)ctx;
	if (kind == SERIAL_REJECTED)
		letters++;
	if (kind == SERIAL_RESULT)
		(void)snprintf(answer, sizeof(answer), "%s", text);
}

static void
apply(struct serial_command *c)
{
	records[count++] = c;
	letters = 0;
	answer[0] = '\0';
	serial_apply(model, c, &now, take, NULL);
}

static void
place(void)
{
	apply(serial_command_new(PLACE, strlen(PLACE), 4096));
	ck_assert_ptr_nonnull(strstr(answer, "\"applied\""));
}

static void
report(const char *value, int64_t record_ms)
{
	apply(serial_fill_new(value, strlen(value), 4096, record_ms));
}

static void
expect_applied(const char *shows)
{
	ck_assert_uint_eq(letters, 0);
	ck_assert_msg(strstr(answer, "\"status\":\"applied\"") != NULL, "%s",
		answer);
	ck_assert_msg(strstr(answer, shows) != NULL, "%s", answer);
}

static void
expect_letter(const char *status)
{
	ck_assert_uint_eq(letters, 1);
	ck_assert_msg(strstr(answer, status) != NULL, "%s", answer);
	ck_assert_ptr_null(strstr(answer, "\"applied\""));
}

START_TEST(a_fill_before_its_order_is_a_letter_and_takes_no_id)
{
	report(FILL("f", "4", ""), START_MS);
	expect_letter("\"order_not_found\"");
	place();
	report(FILL("f", "4", ""), START_MS);
	expect_applied("\"filled\":\"4.00000000\"");
}
END_TEST

START_TEST(a_report_is_its_time_and_what_counts_of_it)
{
	place();
	report(FILL("f", "4", ",\"price\":\"0.50\""), START_MS);
	expect_applied("\"filled\":\"4.00000000\"");
	report(FILL("f", "4.00", ",\"price\":\"0.5\",\"source\":\"x\""),
		START_MS);
	expect_applied(",\"duplicate\":true}");
	report(FILL("f", "4", ",\"price\":\"0.50\""), START_MS + 1);
	expect_applied(",\"confirmed\":true");
	report(FILL("f", "4", ""), START_MS);
	expect_applied(",\"confirmed\":true");
	report(FILL("f", "5", ""), START_MS);
	expect_letter("\"fact_mismatch\"");
	report(FILL("f", "4", ",\"price\":\"0.51\""), START_MS);
	expect_letter("\"fact_mismatch\"");
	report(FILL("g", "6.00000001", ""), START_MS);
	expect_letter("\"illegal_order_move\"");
	report(FILL("g", "0.000000001", ""), START_MS);
	expect_letter("\"invalid_amount\"");
}
END_TEST

/* printf '{"fill":"f","order":"o","org":"acme","price":"0.5","qty":"4"}' |
 * sha256sum, and the time and the bits of a UUIDv7 put into it. */
START_TEST(the_id_is_a_uuid_of_the_records_time_and_the_digest)
{
	place();
	report(FILL("f", "4.0", ",\"price\":\"0.50\""), START_MS);
	expect_applied("\"id\":\"01a1fd8c-6900-7f98-8d26-a8ca45c26a33\"");
	report(FILL("f", "4.0", ",\"price\":\"0.50\""), -1); /* the trade's */
	expect_letter("\"key_expired\"");
	ck_assert_ptr_nonnull(strstr(answer,
		"\"id\":\"01a05a43-fdf4-7f98-8d26-a8ca45c26a33\""));
}
END_TEST

START_TEST(the_time_of_the_record_closes_the_gate)
{
	place();
	report(FILL("f", "1", ""), START_MS - 2 * DAY / 1000);
	expect_letter("\"key_expired\"");
	report(FILL("f", "1", ""), START_MS + 300001);
	expect_letter("\"key_in_future\"");
	report(FILL("f", "1", ""), START_MS + 300000);
	expect_applied("\"filled\":\"1.00000000\"");
}
END_TEST

START_TEST(read_again_it_is_decided_and_leaves_no_second_letter)
{
	now.read_again = true;
	report(FILL("f", "1", ""), START_MS);
	ck_assert_uint_eq(letters, 0);
	ck_assert_ptr_nonnull(strstr(answer, "\"order_not_found\""));
	now.read_again = false;
	place();
	now.read_again = true;
	report(FILL("f", "1", ""), START_MS);
	expect_applied("\"filled\":\"1.00000000\"");
}
END_TEST

START_TEST(what_cannot_be_read_is_owed_no_answer)
{
	static const char *const broken[] = {"", "[]", "{\"fill_id\":\"f\"}",
		FILL("f", "0", ""), FILL("f", "1.", ""), FILL("", "1", ""),
		FILL("f", "1", ",\"price\":\"-1\""),
		FILL("f", "1", ",\"qty\":\"1\"")};

	place();
	for (size_t i = 0; i < COUNT(broken); i++) {
		report(broken[i], START_MS);
		ck_assert_msg(letters == 1 && answer[0] == '\0', "%s",
			broken[i]);
	}
	apply(serial_fill_new(NULL, 0, 4096, START_MS));
	ck_assert_uint_eq(letters, 1);
}
END_TEST

FIXTURE_MAIN("model_fills", set_up, tear_down,
	a_fill_before_its_order_is_a_letter_and_takes_no_id,
	a_report_is_its_time_and_what_counts_of_it,
	the_id_is_a_uuid_of_the_records_time_and_the_digest,
	the_time_of_the_record_closes_the_gate,
	read_again_it_is_decided_and_leaves_no_second_letter,
	what_cannot_be_read_is_owed_no_answer)
