/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: one event per line on stderr, as key=value pairs or as JSON.
 *
 *   ch_info("batch.commit", CH_I("part", p), CH_S("topic", t));
 *   2026-11-21T09:41:02.123456Z level=info svc=ledger-writer
 *       event=batch.commit part=3 topic=ledger.commands        (one line)
 *
 * Values are quoted and escaped where they hold spaces, quotes, '=' or control
 * characters, so hostile text cannot forge a line. A line is written with one
 * write(2). Lines over 8 KiB are cut and marked. Secrets are never passed in.
 * Debug events belong to a mask (component) that can be toggled at run time.
 *
 * Thread: any. Errors: a line that cannot be written is dropped and counted.
 */
#ifndef CH_BASE_LOG_H
#define CH_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "str.h"

enum ch_log_level { CH_LOG_DEBUG, CH_LOG_INFO, CH_LOG_WARN, CH_LOG_ERROR };

enum ch_field_type {
	CH_FIELD_END,
	CH_FIELD_STR,
	CH_FIELD_VIEW,
	CH_FIELD_INT,
	CH_FIELD_UINT,
	CH_FIELD_BOOL
};

struct ch_field {
	const char *key;
	enum ch_field_type type;
	union {
		const char *s; /* NULL prints as "" */
		struct ch_view v;
		int64_t i;
		uint64_t u;
		bool b;
	} as;
};

#define CH_S(k, x) ((struct ch_field){(k), CH_FIELD_STR, {.s = (x)}})
#define CH_V(k, x) ((struct ch_field){(k), CH_FIELD_VIEW, {.v = (x)}})
#define CH_I(k, x) ((struct ch_field){(k), CH_FIELD_INT, {.i = (int64_t)(x)}})
#define CH_U(k, x) ((struct ch_field){(k), CH_FIELD_UINT, {.u = (uint64_t)(x)}})
#define CH_B(k, x) ((struct ch_field){(k), CH_FIELD_BOOL, {.b = (x)}})
/* error=<text> code=<name>, and sqlstate when there is one: expands to three
 * fields. */
#define CH_ERR(e)                                                              \
	CH_S("error", (e)->text), CH_S("code", ch_code_name((e)->code)),       \
		CH_S("sqlstate", (e)->sqlstate)

void ch_log_init(const char *service, enum ch_log_level min, bool json);
void ch_log_level_set(enum ch_log_level min);
enum ch_log_level ch_log_level_get(void);
/* 0 or CH_EINVAL for an unknown name ("debug", "info", "warn", "error"). */
int ch_log_level_parse(const char *name, enum ch_log_level *out);
/* Lines lost because stderr did not take them. */
uint64_t ch_log_dropped(void);

/* fields ends with a CH_FIELD_END entry. Fields with an empty string value
 * are left out. */
void ch_log_write(enum ch_log_level level, const char *event,
	const struct ch_field *fields);

#define CH_LOG_(level, event, ...)                                             \
	ch_log_write((level), (event),                                         \
		(const struct ch_field[]){                                     \
			__VA_ARGS__ __VA_OPT__(, ){NULL, CH_FIELD_END, {0}}})
#define ch_debug(event, ...)                                                   \
	do {                                                                   \
		if (ch_log_level_get() == CH_LOG_DEBUG)                        \
			CH_LOG_(CH_LOG_DEBUG, event, __VA_ARGS__);             \
	} while (0)
#define ch_info(event, ...) CH_LOG_(CH_LOG_INFO, event, __VA_ARGS__)
#define ch_warn(event, ...) CH_LOG_(CH_LOG_WARN, event, __VA_ARGS__)
#define ch_error(event, ...) CH_LOG_(CH_LOG_ERROR, event, __VA_ARGS__)

#endif
