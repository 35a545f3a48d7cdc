/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_json: where a value stands in JSON text, since `meta` is limited in
 * bytes as they were sent. Only for text that a parser has taken already.
 *
 * Part of the serial model (serial_model.h). Thread: any.
 */
#ifndef TESTS_PROPERTY_MODEL_JSON_H
#define TESTS_PROPERTY_MODEL_JSON_H

#include <stddef.h>

/* The value of that member, at its first byte; NULL: there is none. object: at
 * its brace, or NULL. */
const char *model_json_member(const char *object, const char *name);
/* The i-th element; array: at its bracket, or NULL. */
const char *model_json_element(const char *array, size_t i);
/* The bytes of a value; 0 for NULL. */
size_t model_json_length(const char *value);
/* The first byte that is no white space. */
const char *model_json_start(const char *p);

#endif
