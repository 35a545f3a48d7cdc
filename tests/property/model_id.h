/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_id: the ids of commands, in both spellings, and names of transfers.
 *
 * Part of the serial model (serial_model.h). Thread: any.
 */
#ifndef TESTS_PROPERTY_MODEL_ID_H
#define TESTS_PROPERTY_MODEL_ID_H

#include <stdbool.h>
#include <stdint.h>

#define MODEL_NO_MEMBER (-1)

struct model_id {
	char hex[33]; /* its 16 bytes */
	int64_t ms;   /* its own time, since 1970 */
};

/* A UUIDv7, or a ULID. */
bool model_id_read(const char *s, struct model_id *id);
/* "<id>", or "<id>/<index of a group's member>", 0 to 63. */
bool model_transfer_read(const char *s, struct model_id *id, int *member);

#endif
