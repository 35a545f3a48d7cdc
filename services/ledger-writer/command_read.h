/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_read: the pieces that the families of commands are read with.
 *
 * A field is a name, whether it must be there, a reading function, and the
 * place that it fills, as an offset from where its object is kept (a command,
 * a move). A reading function stores the value or refuses it with the field's
 * name, what was sent and what is allowed.
 *
 * Private to command*.c. Thread: as command.h.
 */
#ifndef LEDGER_WRITER_COMMAND_READ_H
#define LEDGER_WRITER_COMMAND_READ_H

#include "base/json.h"
#include "command.h"

struct reading {
	struct command_reader *reader;
	struct ch_view value;
	struct command *c; /* the command, or the member, that is read */
	struct command_refusal *refusal;
	const struct ch_json *expected_version; /* checked last: needs names */
};

/* out: where the field's place is. */
typedef bool field_fn(struct reading *r, const char *name,
	const struct ch_json *v, void *out);
struct field {
	const char *name;
	bool required;
	field_fn *read;
	size_t at;
};
struct field_table {
	const struct field *fields;
	size_t count;
};
#define FIELD(member) offsetof(struct command, as.member)
#define FIELDS(table)                                                          \
	{                                                                      \
		(table), sizeof(table) / sizeof((table)[0])                    \
	}

/* The fields of each type, besides those of every command. */
extern const struct field_table command_money_fields[COMMAND_TYPES];
extern const struct field_table command_stock_fields[COMMAND_TYPES];
extern const struct field_table command_trade_fields[COMMAND_TYPES];

/* false always, with the reason kept. */
bool command_refuse(struct reading *r, const char *error_class, const char *fmt,
	...) __attribute__((format(printf, 3, 4)));
bool command_refuse_value(struct reading *r, const char *name,
	const struct ch_json *v, const char *wanted);
/* The head of a text, cut between characters, for a reason. */
struct ch_view command_shown(struct ch_view v);
/* The text where it outlives the parse tree. */
struct ch_view command_keep(struct reading *r, struct ch_view v);
/* The members of an object into base, by one or two tables (common may be
 * NULL): unknown ones are refused, required ones must be there. what: of a
 * command, its type; of another object, its own name, with which the names of
 * its members begin in reasons. */
struct object_form {
	const char *what;
	bool inner;
	const struct field_table *own;
	const struct field_table *common;
};
bool command_read_object(struct reading *r, const struct ch_json *object,
	const struct object_form *form, void *base);

/* Each fills what stands behind its name. */
field_fn command_read_name;	/* struct ch_view */
field_fn command_read_amount;	/* struct ch_view, > 0 */
field_fn command_read_amount0;	/* struct ch_view, >= 0 */
field_fn command_read_price;	/* struct ch_view, kept only */
field_fn command_read_side;	/* struct ch_view, BUY or SELL */
field_fn command_read_units;	/* struct command_units, > 0 */
field_fn command_read_units0;	/* struct command_units, >= 0 */
field_fn command_read_qty;	/* struct command_qty, > 0 */
field_fn command_read_delta;	/* struct command_qty, not 0 */
field_fn command_read_deadline; /* struct command_deadline */
field_fn command_read_flag;	/* bool */
bool command_read_i64(const struct ch_json *v, int64_t min, int64_t max,
	int64_t *out);
/* Decimal text of any size: its sign and how many digits follow the point. */
bool command_read_decimal(struct reading *r, const char *name,
	const struct ch_json *v, int *sign, int *digits);

/* expected_version: each row must be one that the command names. */
bool command_read_versions(struct reading *r);

#endif
