/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_rests: whom an answer can name when a value is no document: the
 * strings that still stand in its outermost braces.
 *
 * Part of the serial model (serial_model.h). Thread: any.
 */
#ifndef TESTS_PROPERTY_MODEL_RESTS_H
#define TESTS_PROPERTY_MODEL_RESTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* An object, within the limits of levels and values? root may be NULL. */
bool model_is_document(const json_t *root);
/* An object of strings, and of nulls where no string could be read. */
json_t *model_rests_of(const char *value, size_t len);

#endif
