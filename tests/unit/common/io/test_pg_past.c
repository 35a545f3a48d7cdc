/* SPDX-License-Identifier: Apache-2.0 */
/* pg_result: times that something is aged from are never of the future. */
#include "check_suite.h"

#include <string.h>

#include "io/pg.h"

#define NOW 1700000000000000

/* One column of this type, one row for each value; NULL: a null. */
static PGresult *
result_of(Oid type, const int64_t *const *values, int count)
{
	PGresult *res = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc column = {.name = (char *)(uintptr_t) "at",
		.format = 1,
		.typid = type,
		.typlen = 8,
		.atttypmod = -1};
	char bytes[8];
	int i;

	ck_assert(PQsetResultAttrs(res, 1, &column));
	for (i = 0; i < count; i++) {
		if (values[i] != NULL)
			ch_put_be64(bytes, (uint64_t)*values[i]);
		ck_assert(PQsetvalue(res, i, 0,
			values[i] != NULL ? bytes : NULL,
			values[i] != NULL ? 8 : -1));
	}
	return res;
}

START_TEST(only_a_time_of_the_past_counts)
{
	const struct ch_time now = {NOW};
	const int64_t past = ch_time_to_pg((struct ch_time){NOW - 5});
	const int64_t older = ch_time_to_pg((struct ch_time){NOW - 9});
	const int64_t future = ch_time_to_pg((struct ch_time){NOW + 5});
	const int64_t never = INT64_MIN;
	const int64_t *values[] = {&past, &future, NULL, &never, &older};
	PGresult *res = result_of(CH_PG_TIMESTAMPTZ, values, 5);
	PGresult *other;

	ck_assert_int_eq(ch_pg_get_past(res, 0, 0, now).us, NOW - 5);
	ck_assert_int_eq(ch_pg_get_past(res, 1, 0, now).us, NOW);
	ck_assert_int_eq(ch_pg_get_past(res, 2, 0, now).us, NOW);
	ck_assert_int_eq(ch_pg_get_past(res, 3, 0, now).us, NOW);
	ck_assert_int_eq(ch_pg_get_past(res, 4, 0, now).us, NOW - 9);
	ck_assert_int_eq(ch_pg_get_past(res, 0, -1, now).us, NOW);
	other = result_of(CH_PG_INT8, values, 5);
	ck_assert_int_eq(ch_pg_get_past(other, 0, 0, now).us, NOW);
	PQclear(res);
	PQclear(other);
}
END_TEST

SUITE_MAIN("pg_past", only_a_time_of_the_past_counts)
