/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_command: a record's value, read: what serial_command (serial_model.h)
 * is inside of the model.
 *
 * A body is the object that holds a type's own fields: the command itself, or
 * a group's member. Thread: any; not changed once read.
 */
#ifndef TESTS_PROPERTY_MODEL_COMMAND_H
#define TESTS_PROPERTY_MODEL_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "model_id.h"
#include "serial_model.h"

#define MODEL_NAME_SIZE 256 /* of "<id>/<index>" with its end */

struct serial_command {
	json_t *root;
	json_t *rests;	  /* strings found in a value that is no document */
	json_t *payload;  /* without id and traceparent */
	const char *id;	  /* NULL: cannot be repeated in an answer */
	const char *org;  /* NULL: no proper organisation */
	const char *type; /* NULL: no proper text */
	struct model_id key;
	bool readable, dry_run;
	bool is_fill; /* a record of market.fills */
};

/* A proper organisation; else NULL. */
const char *model_org_of(const json_t *v);

/* The bodies of a command: its members when it is a group, else itself. */
size_t model_body_count(const struct serial_command *c);
const json_t *model_body(const struct serial_command *c, size_t i);
const char *model_body_type(const json_t *body);
/* What a hold, reservation or order of that body is called by default. */
void model_default_name(const struct serial_command *c, size_t i,
	char out[MODEL_NAME_SIZE]);
/* The name in that field, or the default for the types that make such a row;
 * NULL: the body names none. field: "hold", "reservation" or "order". */
const char *model_row_name(const json_t *body, const char *field,
	const char *default_name);

#endif
