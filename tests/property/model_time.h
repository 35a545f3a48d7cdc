/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_time: RFC 3339 in UTC, to and from microseconds since 1970.
 *
 * Part of the serial model (serial_model.h). Thread: any.
 */
#ifndef TESTS_PROPERTY_MODEL_TIME_H
#define TESTS_PROPERTY_MODEL_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* From 1970 on, at most six digits of a second, and a Z at the end. */
bool model_time_read(const char *s, int64_t *us);
void model_time_print(char out[64], int64_t us);

#endif
