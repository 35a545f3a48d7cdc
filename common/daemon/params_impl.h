/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params_impl: what params.c (reading), params_value.c (one value's text to
 * its meaning) and params_print.c (help, reference, dump) share. Nobody else
 * includes it.
 *
 * Thread: main.
 */
#ifndef CH_DAEMON_PARAMS_IMPL_H
#define CH_DAEMON_PARAMS_IMPL_H

#include "base/mem.h"
#include "daemon/params.h"

#define PARAM_ORIGIN_MAX 192
#define PARAM_SECRET_MAX 65536
#define PARAM_MASK "****"

struct param_pair { /* a member of a group */
	char *key;
	char *text;
	char origin[PARAM_ORIGIN_MAX];
	bool secret;
};

struct param_value {
	const struct ch_param *param;
	char *text; /* as given or the default; a secret: its file's name */
	char origin[PARAM_ORIGIN_MAX]; /* "" default */
	int64_t number; /* INT, DURATION (ms), BYTES, BOOL, ENUM (index) */
	struct ch_buf secret;
	char **list; /* ends with NULL */
	size_t list_count;
	struct param_pair *pairs; /* GROUP */
	size_t pair_count;
};

struct ch_params {
	char *service;
	char prefix[80]; /* "LEDGER_WRITER_" */
	int argc;
	char **argv;
	char **envp;
	int first_arg; /* index of the first non-option argument */
	struct param_value *values;
	size_t count;
	size_t table_count;
};

/* params_value.c */
/* Reads v->text into v's meaning. The error names key, value, problem and
 * origin. */
int ch_param_value_read(struct param_value *v, struct ch_err *err);
void ch_param_value_clear(struct param_value *v);
bool ch_param_value_same(const struct param_value *a,
	const struct param_value *b);
int ch_param_secret_file(const char *path, struct ch_buf *out,
	struct ch_err *err);
/* Appends text with passwords masked; true when there was one. */
bool ch_param_mask_passwords(struct ch_buf *out, const char *text);
bool ch_param_is_secret_key(const char *group_key);
void ch_param_add_limits(struct ch_buf *out, const struct ch_param *p);

#endif
