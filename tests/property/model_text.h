/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_text: text that grows, and JSON written into it, member by member.
 *
 * Part of the serial model (serial_model.h). Thread: a text belongs to one.
 */
#ifndef TESTS_PROPERTY_MODEL_TEXT_H
#define TESTS_PROPERTY_MODEL_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
	char *p; /* NULL while empty */
	size_t len, cap;
};

/* p, or the end: a test that is out of memory has nothing more to say. */
void *model_need(void *p);

void model_put(struct text *t, const char *s);
/* Quoted, with \" \\ and control characters escaped. */
void model_put_string(struct text *t, const char *s);
/* "name": with a comma before it unless it is the first of its object. */
void model_put_name(struct text *t, const char *name);
void model_put_member(struct text *t, const char *name, const char *value);
void model_put_number(struct text *t, const char *name, int64_t value);
/* A decimal string at that scale. */
void model_put_decimal(struct text *t, const char *name, int64_t value,
	int scale);
/* RFC 3339 in UTC with six digits; us: microseconds since 1970. */
void model_put_time(struct text *t, const char *name, int64_t us);

#endif
