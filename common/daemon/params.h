/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params: configuration from one table, read once, checked whole.
 *
 * Where a value comes from, strongest first:
 *	flag		--drain-deadline=30s
 *	environment	LEDGER_WRITER_DRAIN_DEADLINE, then CH_DRAIN_DEADLINE
 *	file		--config FILE, lines `drain_deadline = 30s`; # begins a
 *			comment line
 *	default		of the table
 * (The service's own variable wins over CH_, which all daemons of a fleet may
 * share; an empty variable counts as not set.) An unknown flag or file key is
 * an error; an unknown variable of the service's prefix is logged, since
 * Kubernetes puts such ones there by itself.
 * Every refusal names the key, the value, what is wrong and where it was read;
 * the daemon then exits with status 78.
 *
 * Secrets: a CH_PARAM_SECRET "api_key" is only ever given as the name of a file,
 * key `api_key_file`. Giving the secret itself is refused everywhere, above
 * all in argv. A password inside a CH_PARAM_URL or CH_PARAM_CONNINFO is
 * refused in argv and masked in every output.
 *
 * Groups: a CH_PARAM_GROUP "kafka" takes any key below it, `kafka.linger.ms =
 * 5` (flag --kafka.linger.ms=5, environment CH_KAFKA__LINGER_MS), and hands
 * them on as pairs. Secret members (password, secret, key.pem or
 * oauthbearer.config in the name) are given as `kafka.sasl.password_file`.
 *
 * Thread: main only, since a reload changes values; strings stay valid until
 * the next reload. What is not reloadable may be read by any thread: a reload
 * leaves it as it is.
 */
#ifndef CH_DAEMON_PARAMS_H
#define CH_DAEMON_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum ch_param_type {
	CH_PARAM_STRING,   /* min, max: length in bytes */
	CH_PARAM_INT,	   /* decimal integer in [min, max] */
	CH_PARAM_DURATION, /* 250ms 30s 5m 2h 1d; min, max in ms */
	CH_PARAM_BYTES,	   /* 4096 64KiB 16MiB 2GiB; min, max in bytes */
	CH_PARAM_BOOL,	   /* true or false */
	CH_PARAM_ENUM,	   /* one of choices */
	CH_PARAM_PATH,	   /* a file that may be opened later */
	CH_PARAM_URL,	   /* scheme among choices: "http|https" */
	CH_PARAM_CONNINFO, /* libpq: URI or key=value */
	CH_PARAM_LIST,	   /* comma-separated; min, max: number of items */
	CH_PARAM_SECRET,   /* contents of the file <name>_file, <= 64 KiB, one
			      trailing newline cut */
	CH_PARAM_GROUP	   /* pass-through pairs below <name>. */
};

#define CH_PARAM_REQUIRED 1u   /* no default: must be given */
#define CH_PARAM_RELOADABLE 2u /* SIGHUP may change it */
#define CH_PARAM_DAEMON 4u     /* with REQUIRED: not of a command (dlq ...) */

struct ch_param {
	const char *name; /* lower case, underscores; NULL ends the table */
	enum ch_param_type type;
	const char *def; /* as the user would write it; NULL: empty / 0 */
	int64_t min;	 /* both 0: no limit (but INT >= 0 is not implied) */
	int64_t max;
	const char *choices; /* "kv|json" */
	unsigned flags;
	const char *help; /* one sentence, no full stop needed */
};

struct ch_params;

/* Reads argv, environment and file against both tables (either may be
 * NULL). envp ends with NULL. Non-option arguments are left for
 * ch_params_args(). CH_ECONFIG with err set on the first problem. */
int ch_params_read(struct ch_params **out, const char *service,
	const struct ch_param *const tables[], int argc, char **argv,
	char **envp, struct ch_err *err);
void ch_params_free(struct ch_params *p);
/* Reads again (same argv and environment, the file and the secret files anew).
 * On an error nothing changes. A changed key that is not reloadable is left
 * as it was and named in *ignored (comma-separated; may be NULL). */
int ch_params_reload(struct ch_params *p, struct ch_buf *ignored,
	struct ch_err *err);

/* Typed reads by name. Asking for a name or type that the table does not have
 * is our bug and asserts. */
const char *ch_params_str(const struct ch_params *p, const char *name);
/* STRING, PATH, URL, CONNINFO, ENUM; "" when unset */
int64_t ch_params_int(const struct ch_params *p, const char *name);
int64_t ch_params_ms(const struct ch_params *p, const char *name);
int64_t ch_params_bytes(const struct ch_params *p, const char *name);
bool ch_params_bool(const struct ch_params *p, const char *name);
int ch_params_enum(const struct ch_params *p, const char *name); /* index */
struct ch_view ch_params_secret(const struct ch_params *p, const char *name);
/* ends with NULL; *count may be NULL */
const char *const *ch_params_list(const struct ch_params *p, const char *name,
	size_t *count);
/* Calls fn for each pair of a group: key without the group's name
 * ("linger.ms"). */
void ch_params_group(const struct ch_params *p, const char *name,
	void (*fn)(void *ctx, const char *key, const char *value), void *ctx);
bool ch_params_is_set(const struct ch_params *p, const char *name);
/* given by flag, environment or file */
/* Where the value was read, for refusals: "flag --x", "environment CH_X",
 * "/etc/x.conf:12", "the default". The second: of a group's member, which
 * ch_params_group() has shown. */
const char *ch_params_origin(const struct ch_params *p, const char *name);
const char *ch_params_member_origin(const struct ch_params *p,
	const char *group, const char *key);

/* One value of a file of a service's own (a file of endpoints), read and refused
 * as a row of a table is: *number as ch_params_int(), _ms(), _bytes(), _bool()
 * or _enum() would give it, 0 for texts. origin: where it was read. */
int ch_param_number(const struct ch_param *param, const char *text,
	const char *origin, int64_t *number, struct ch_err *err);

/* Two DURATIONs of which the first may not be longer: CH_ECONFIG names both and
 * where they were read. */
int ch_params_check_order(const struct ch_params *p, const char *less,
	const char *more, struct ch_err *err);

/* Non-option arguments ("dlq list"); those after "--" or after the first
 * one are not looked at. */
int ch_params_args(const struct ch_params *p, char ***argv);

/* Output. Secrets are masked everywhere. */
void ch_params_help(struct ch_buf *out, const char *service,
	const char *summary, const struct ch_param *const tables[]);
void ch_params_dump(struct ch_buf *out, const struct ch_params *p);
/* `key = value  # from` lines */
void ch_params_dump_json(struct ch_buf *out, const struct ch_params *p);
void ch_params_sample(struct ch_buf *out, const char *service,
	const struct ch_param *const tables[]);
void ch_params_reference(struct ch_buf *out, const char *service,
	const struct ch_param *const tables[]); /* Markdown */
/* The files that options name, for a man page. */
void ch_params_man_files(struct ch_buf *out,
	const struct ch_param *const tables[]);
/* The options of a man page, and where else they may stand. */
void ch_params_man(struct ch_buf *out, const char *service,
	const struct ch_param *const tables[]);

#endif
