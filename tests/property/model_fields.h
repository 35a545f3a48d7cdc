/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_fields: which fields each type of command has, and what each of them
 * must look like (commands.md). Everything here is refused as `invalid`.
 *
 * Part of the serial model (serial_model.h). Thread: any.
 */
#ifndef TESTS_PROPERTY_MODEL_FIELDS_H
#define TESTS_PROPERTY_MODEL_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define MODEL_MOVES_MAX 32
#define MODEL_MEMBERS_MAX 64
#define MODEL_UNIT_SCALE 8

struct field {
	const char *name;
	bool required;
	bool (*ok)(const json_t *v);
};
struct shape {
	const char *type;
	struct field fields[14];
};

/* NULL: no such type. */
const struct shape *model_shape(const char *type);
const struct field *model_field(const struct shape *shape, const char *name);
/* Required fields are there, and those that must go together agree. */
bool model_shape_complete(const struct shape *shape, const json_t *body);

/* 1 to max bytes without control characters; else NULL. */
const char *model_name_of(const json_t *v, size_t max);
bool model_is_text(const json_t *v, size_t max, bool controls);

#endif
