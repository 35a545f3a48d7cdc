/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_class: SQLSTATE to what the owner should do (declared in pg.h).
 *
 * One table, longest prefix first: a five-character code wins over its
 * two-character class. A server that stops gives no SQLSTATE at all, only a
 * dead connection: that is "", RETRY.
 */
#include "pg.h"

#include <string.h>

static const struct {
	const char *prefix; /* 5 characters, 2, or "" */
	enum ch_pg_class class;
} table[] = {
	{"23505", CH_PG_CONFLICT},
	{"25006", CH_PG_READONLY},
	{"25P03", CH_PG_RETRY}, /* idle in transaction: session ended */
	{"42501", CH_PG_PERMISSION},
	{"55P03", CH_PG_RETRY}, /* lock_timeout, NOWAIT */
	{"55006", CH_PG_RETRY}, /* object in use (a slot, a database) */
	{"57P04", CH_PG_OTHER}, /* the database was dropped */
	{"08P01", CH_PG_OTHER}, /* we broke the protocol: again is no cure */
	{"08", CH_PG_RETRY},	/* connection */
	{"22", CH_PG_ROW},	/* value out of range, bad text ... */
	{"23", CH_PG_ROW},	/* constraints; see ch_pg_class_of for 23514 */
	{"28", CH_PG_PERMISSION},
	{"40", CH_PG_RETRY},  /* deadlock, serialization */
	{"53", CH_PG_RETRY},  /* disk full, memory, connections */
	{"P0001", CH_PG_ROW}, /* a trigger that raises */
	{"57", CH_PG_RETRY},  /* shutdown, cancel, starting up */
	{"58", CH_PG_RETRY},  /* the server's I/O */
	{"", CH_PG_RETRY},
};

static const char *const names[] = {
	[CH_PG_OK] = "ok",
	[CH_PG_RETRY] = "retry",
	[CH_PG_CONFLICT] = "conflict",
	[CH_PG_PARTITION_MISSING] = "partition_missing",
	[CH_PG_ROW] = "row",
	[CH_PG_READONLY] = "readonly",
	[CH_PG_PERMISSION] = "permission",
	[CH_PG_OTHER] = "other",
};

enum ch_pg_class
ch_pg_class_of(const char *sqlstate, bool has_constraint)
{
	size_t i, n;

	/* Success and warnings. */
	if (strncmp(sqlstate, "00", 2) == 0 || strncmp(sqlstate, "01", 2) == 0)
		return CH_PG_OK;
	if (strcmp(sqlstate, "23514") == 0 && !has_constraint)
		return CH_PG_PARTITION_MISSING;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		n = strlen(table[i].prefix);
		if (n == 0 && sqlstate[0] != '\0')
			continue;
		if (strncmp(sqlstate, table[i].prefix, n) == 0)
			return table[i].class;
	}
	return CH_PG_OTHER;
}

bool
ch_pg_lock_not_had(const struct ch_err *err)
{
	return err->code == CH_ESQL && strcmp(err->sqlstate, "55P03") == 0;
}

const char *ch_pg_class_name(enum ch_pg_class class)
{
	return names[class];
}
