/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params: see params.h. Collects the sources from weakest to strongest, so
 * that the last assignment wins; then gives each winner its meaning.
 *
 * Invariant: after ch_params_read() every value is within its table's limits.
 * A reload builds a second set beside the first and swaps single values only
 * when all of it was right.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/params_impl.h"

#define FILE_MAX ((size_t)1 << 20)
#define PAIRS_MAX 256

static struct param_value *
find_value(const struct ch_params *p, struct ch_view key)
{
	for (size_t i = 0; i < p->count; i++)
		if (ch_view_eq_str(key, p->values[i].param->name))
			return &p->values[i];
	return NULL;
}

/* "api_key_file" finds the secret api_key. */
static struct param_value *
find_secret(const struct ch_params *p, struct ch_view key)
{
	struct param_value *v;

	if (key.len <= 5 || memcmp(key.ptr + key.len - 5, "_file", 5) != 0)
		return NULL;
	v = find_value(p, (struct ch_view){key.ptr, key.len - 5});
	return v != NULL && v->param->type == CH_PARAM_SECRET ? v : NULL;
}

/* "kafka.linger.ms" finds the group kafka. */
static struct param_value *
find_group(const struct ch_params *p, struct ch_view key)
{
	const char *dot = memchr(key.ptr, '.', key.len);
	struct param_value *v;

	if (dot == NULL || dot + 1 == key.ptr + key.len)
		return NULL;
	v = find_value(p, (struct ch_view){key.ptr, (size_t)(dot - key.ptr)});
	return v != NULL && v->param->type == CH_PARAM_GROUP ? v : NULL;
}

static size_t
distance(const char *a, struct ch_view b)
{
	size_t row[65];
	size_t n = b.len < 64 ? b.len : 64;

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diag = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t sub = diag + (a[i - 1] != b.ptr[j - 1]);
			size_t gap =
				(row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diag = row[j];
			row[j] = sub < gap ? sub : gap;
		}
	}
	return row[n];
}

static int
unknown_key(const struct ch_params *p, struct ch_view key, const char *origin,
	struct ch_err *err)
{
	const char *near = NULL;
	size_t best = 3;

	for (size_t i = 0; i < p->count; i++) {
		size_t d = distance(p->values[i].param->name, key);

		if (d < best) {
			best = d;
			near = p->values[i].param->name;
		}
	}
	return ch_err_set(err, CH_ECONFIG,
		"%.*s: no such key (from %s)%s%s%s; --help lists all",
		CH_VIEW_ARG(key), origin, near != NULL ? "; did you mean " : "",
		near != NULL ? near : "", near != NULL ? "?" : "");
}

static void
set_text(struct param_value *v, struct ch_view text, const char *origin)
{
	free(v->text);
	v->text = ch_xviewdup(text);
	(void)snprintf(v->origin, sizeof(v->origin), "%s", origin);
}

/* The value of `kafka.x_file`: the file's contents. */
static int
read_member_secret(const struct param_value *v, const char *name,
	struct ch_view path, const char *origin, struct ch_buf *out,
	struct ch_err *err)
{
	char *file = ch_xviewdup(path);
	int rc = ch_param_secret_file(file, out, err);

	free(file);
	if (rc < 0)
		(void)ch_err_wrap(err, "%s.%s_file (from %s)", v->param->name,
			name, origin);
	return rc;
}

static struct param_pair *
find_pair(struct param_value *v, const char *name)
{
	struct param_pair *pair;

	for (size_t i = 0; i < v->pair_count; i++)
		if (strcmp(v->pairs[i].key, name) == 0)
			return &v->pairs[i];
	if (v->pair_count == PAIRS_MAX)
		return NULL;
	v->pairs = ch_xrealloc(v->pairs, v->pair_count + 1, sizeof(*v->pairs));
	pair = &v->pairs[v->pair_count++];
	memset(pair, 0, sizeof(*pair));
	pair->key = ch_xstrdup(name);
	return pair;
}

static int
set_pair(struct param_value *v, const char *name, struct ch_view text,
	const char *origin, struct ch_err *err)
{
	struct param_pair *pair = find_pair(v, name);

	if (pair == NULL)
		return ch_err_set(err, CH_ECONFIG, "%s: over %d members",
			v->param->name, PAIRS_MAX);
	free(pair->text);
	pair->text = ch_xviewdup(text);
	pair->secret = ch_param_is_secret_key(name);
	(void)snprintf(pair->origin, sizeof(pair->origin), "%s", origin);
	return 0;
}

static int
assign_pair(struct param_value *v, struct ch_view key, struct ch_view text,
	const char *origin, struct ch_err *err)
{
	char *name = ch_xviewdup(key);
	size_t n = strlen(name);
	struct ch_buf secret = CH_BUF_INIT;
	int rc = 0;

	if (n > 5 && strcmp(name + n - 5, "_file") == 0) {
		name[n - 5] = '\0';
		rc = read_member_secret(v, name, text, origin, &secret, err);
		text = ch_buf_view(&secret);
	} else if (ch_param_is_secret_key(name))
		rc = ch_err_set(err, CH_ECONFIG,
			"%s.%s: a secret is not given here (from %s); put it "
			"into a file and give %s.%s_file",
			v->param->name, name, origin, v->param->name, name);
	if (rc == 0)
		rc = set_pair(v, name, text, origin, err);
	if (secret.ptr != NULL)
		explicit_bzero(secret.ptr, secret.len);
	ch_buf_free(&secret);
	free(name);
	return rc;
}

static int
password_in_argv(const struct param_value *v, struct ch_view text,
	const char *origin, struct ch_err *err)
{
	struct ch_buf masked = CH_BUF_INIT;
	char *copy = ch_xviewdup(text);
	bool found = (v->param->type == CH_PARAM_URL ||
			     v->param->type == CH_PARAM_CONNINFO) &&
		ch_param_mask_passwords(&masked, copy);

	ch_buf_free(&masked);
	free(copy);
	if (!found)
		return 0;
	return ch_err_set(err, CH_ECONFIG,
		"%s: a password in the command line can be read by everybody "
		"on this machine (from %s); use the environment, the file%s",
		v->param->name, origin,
		v->param->type == CH_PARAM_CONNINFO
			? ", PGPASSFILE or a passfile= in it"
			: "");
}

static int
assign(struct ch_params *p, struct ch_view key, struct ch_view text,
	const char *origin, struct ch_err *err)
{
	bool argv = strncmp(origin, "flag ", 5) == 0;
	struct param_value *v = find_value(p, key);

	if (v != NULL && v->param->type == CH_PARAM_SECRET)
		return ch_err_set(err, CH_ECONFIG,
			"%s: a secret is not given here (from %s); put it into "
			"a file and give %s_file",
			v->param->name, origin, v->param->name);
	if (v == NULL)
		v = find_secret(p, key);
	if (v == NULL && (v = find_group(p, key)) != NULL) {
		size_t skip = strlen(v->param->name) + 1;

		return assign_pair(v,
			(struct ch_view){key.ptr + skip, key.len - skip}, text,
			origin, err);
	}
	if (v == NULL || v->param->type == CH_PARAM_GROUP)
		return unknown_key(p, key, origin, err);
	if (argv && password_in_argv(v, text, origin, err) < 0)
		return CH_ECONFIG;
	if (memchr(text.ptr != NULL ? text.ptr : "", '\0', text.len) != NULL)
		return ch_err_set(err, CH_ECONFIG,
			"%s: a NUL byte in the value (from %s)", v->param->name,
			origin);
	set_text(v, text, origin);
	return 0;
}

/* ---- the command line ---- */

/* "--drain-deadline" becomes "drain_deadline"; a group's member keeps its
 * own spelling after the first dot. */
static void
flag_to_key(struct ch_view flag, char *key)
{
	bool member = false;

	for (size_t i = 0; i < flag.len; i++) {
		member = member || flag.ptr[i] == '.';
		key[i] = flag.ptr[i] == '-' && !member ? '_' : flag.ptr[i];
	}
	key[flag.len] = '\0';
}

static int
read_flag(struct ch_params *p, int *i, bool only_config, struct ch_err *err)
{
	const char *arg = p->argv[*i] + 2;
	size_t name_len = strcspn(arg, "=");
	char key[128], origin[PARAM_ORIGIN_MAX];
	const char *text = arg[name_len] == '=' ? arg + name_len + 1 : NULL;
	struct param_value *v;

	if (name_len == 0 || name_len >= sizeof(key))
		return ch_err_set(err, CH_ECONFIG,
			"%.40s: no such flag; "
			"--help lists all",
			p->argv[*i]);
	flag_to_key((struct ch_view){arg, name_len}, key);
	(void)snprintf(origin, sizeof(origin), "flag --%.*s", (int)name_len,
		arg);
	v = find_value(p, ch_view_of(key));
	if (text == NULL && v != NULL && v->param->type == CH_PARAM_BOOL)
		text = "true";
	else if (text == NULL && *i + 1 < p->argc &&
		(v != NULL || find_secret(p, ch_view_of(key)) != NULL ||
			find_group(p, ch_view_of(key)) != NULL))
		text = p->argv[++*i];
	if (only_config && strcmp(key, "config") != 0)
		return 0;
	if (text == NULL && v == NULL)
		return unknown_key(p, ch_view_of(key), origin, err);
	if (text == NULL)
		return ch_err_set(err, CH_ECONFIG, "%s: no value (from %s)",
			key, origin);
	return assign(p, ch_view_of(key), ch_view_of(text), origin, err);
}

static int
read_argv(struct ch_params *p, bool only_config, struct ch_err *err)
{
	int i = 1;

	for (; i < p->argc; i++) {
		if (strcmp(p->argv[i], "--") == 0) {
			i++;
			break;
		}
		if (p->argv[i][0] != '-')
			break;
		if (p->argv[i][1] != '-')
			return ch_err_set(err, CH_ECONFIG,
				"%.40s: no such "
				"flag; --help lists all",
				p->argv[i]);
		if (read_flag(p, &i, only_config, err) < 0)
			return CH_ECONFIG;
	}
	p->first_arg = i;
	return 0;
}

/* ---- the environment ---- */

/* "KAFKA__SASL_MECHANISM" becomes "kafka.sasl.mechanism", and a trailing
 * "_FILE" of a member stays "_file". */
static bool
env_to_key(struct ch_view name, char *key, size_t size)
{
	const char *sep = memmem(name.ptr, name.len, "__", 2);
	size_t n = 0;

	if (name.len == 0 || name.len + 1 > size)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		bool member = sep != NULL && name.ptr + i >= sep;
		char c = (char)tolower((unsigned char)name.ptr[i]);

		if (name.ptr + i == sep)
			i++;
		key[n++] = c == '_' && member ? '.' : c;
	}
	key[n] = '\0';
	if (sep != NULL && n > 5 && strcmp(key + n - 5, ".file") == 0)
		key[n - 5] = '_';
	return true;
}

static bool
env_known(const struct ch_params *p, struct ch_view key)
{
	struct param_value *v = find_value(p, key);

	return (v != NULL && v->param->type != CH_PARAM_GROUP) ||
		find_secret(p, key) != NULL || find_group(p, key) != NULL;
}

/* All variables with this prefix. Unknown ones of the service's own prefix
 * are only logged: Kubernetes sets <SERVICE>_PORT and the like by itself. */
static int
read_env(struct ch_params *p, const char *prefix, bool own, struct ch_err *err)
{
	size_t n = strlen(prefix);

	for (char **e = p->envp; e != NULL && *e != NULL; e++) {
		const char *eq = strchr(*e, '=');
		char key[128], origin[PARAM_ORIGIN_MAX];

		/* An empty variable is one that was not set (compose). */
		if (eq == NULL || eq[1] == '\0' ||
			strncmp(*e, prefix, n) != 0 ||
			!env_to_key((struct ch_view){*e + n,
					    (size_t)(eq - *e) - n},
				key, sizeof(key)))
			continue;
		(void)snprintf(origin, sizeof(origin), "environment %.*s",
			(int)(eq - *e), *e);
		if (!env_known(p, ch_view_of(key))) {
			if (own)
				ch_warn("config.unknown_variable",
					CH_S("variable", origin + 12));
			continue;
		}
		if (assign(p, ch_view_of(key), ch_view_of(eq + 1), origin,
			    err) < 0)
			return CH_ECONFIG;
	}
	return 0;
}

/* ---- the file ---- */

struct seen {
	struct ch_view key;
	int line;
};

static int
read_line(struct ch_params *p, const char *path, int number,
	struct ch_view line, struct ch_err *err)
{
	struct ch_view key;
	char origin[PARAM_ORIGIN_MAX];

	line = ch_view_trim(line);
	if (line.len == 0 || line.ptr[0] == '#')
		return 0;
	(void)snprintf(origin, sizeof(origin), "%s:%d", path, number);
	if (memchr(line.ptr, '=', line.len) == NULL)
		return ch_err_set(err, CH_ECONFIG,
			"%s: \"%.*s\" is not `key = value`", origin,
			(int)(line.len < 60 ? line.len : 60), line.ptr);
	(void)ch_view_split(&line, '=', &key);
	key = ch_view_trim(key);
	if (ch_view_eq_str(key, "config"))
		return ch_err_set(err, CH_ECONFIG,
			"config: a file cannot name another (from %s)", origin);
	return assign(p, key, ch_view_trim(line), origin, err);
}

/* A key given twice in one file is a mistake. */
static int
check_twice(const char *path, struct ch_view text, struct ch_err *err)
{
	struct seen *seen = NULL;
	size_t n = 0;
	int number = 0, rc = 0;
	struct ch_view line, key;

	while (rc == 0 && text.len > 0 && ch_view_split(&text, '\n', &line)) {
		number++;
		line = ch_view_trim(line);
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		(void)ch_view_split(&line, '=', &key);
		key = ch_view_trim(key);
		for (size_t i = 0; rc == 0 && i < n; i++)
			if (ch_view_eq(seen[i].key, key))
				rc = ch_err_set(err, CH_ECONFIG,
					"%.*s: given twice in %s, lines %d "
					"and %d",
					CH_VIEW_ARG(key), path, seen[i].line,
					number);
		seen = ch_xrealloc(seen, n + 1, sizeof(*seen));
		seen[n++] = (struct seen){key, number};
	}
	free(seen);
	return rc;
}

static int
read_text(struct ch_params *p, const char *path, struct ch_view text,
	struct ch_err *err)
{
	struct ch_view line;
	int number = 0;

	if (check_twice(path, text, err) < 0)
		return CH_ECONFIG;
	while (text.len > 0 && ch_view_split(&text, '\n', &line))
		if (read_line(p, path, ++number, line, err) < 0)
			return CH_ECONFIG;
	return 0;
}

static int
read_file(struct ch_params *p, const char *path, const char *origin,
	struct ch_err *err)
{
	FILE *f = fopen(path, "re");
	struct ch_buf text = CH_BUF_INIT;
	char block[4096];
	size_t n;
	int rc = 0;

	if (f == NULL)
		return ch_err_errno(err, errno,
			"config: cannot open \"%s\" "
			"(from %s)",
			path, origin);
	while ((n = fread(block, 1, sizeof(block), f)) > 0 &&
		text.len + n <= FILE_MAX)
		ch_buf_add(&text, block, n);
	if (ferror(f))
		rc = ch_err_set(err, CH_ECONFIG,
			"config: cannot read \"%s\" "
			"(from %s)",
			path, origin);
	else if (n > 0)
		rc = ch_err_set(err, CH_ECONFIG,
			"config: \"%s\" is over 1 MiB "
			"(from %s)",
			path, origin);
	else
		rc = read_text(p, path, ch_buf_view(&text), err);
	(void)fclose(f);
	ch_buf_free(&text);
	return rc;
}

/* ---- all together ---- */

static int
find_config(struct ch_params *p, struct ch_err *err)
{
	char own[96];
	const char *const names[] = {own, "CH_CONFIG"};
	struct param_value *v = find_value(p, CH_VIEW("config"));

	if (v == NULL || read_argv(p, true, err) < 0)
		return v == NULL ? 0 : CH_ECONFIG;
	(void)snprintf(own, sizeof(own), "%sCONFIG", p->prefix);
	for (size_t i = 0; v->origin[0] == '\0' && i < 2; i++)
		for (char **e = p->envp; e != NULL && *e != NULL; e++) {
			size_t n = strlen(names[i]);
			char origin[PARAM_ORIGIN_MAX];

			if (strncmp(*e, names[i], n) != 0 || (*e)[n] != '=' ||
				(*e)[n + 1] == '\0')
				continue;
			(void)snprintf(origin, sizeof(origin), "environment %s",
				names[i]);
			set_text(v, ch_view_of(*e + n + 1), origin);
		}
	if (v->text[0] == '\0')
		return 0;
	return read_file(p, v->text, v->origin, err);
}

/* Is the flag behind the command word, where the command's own options are? */
static bool
comes_late(const struct ch_params *p, const char *name)
{
	size_t n = strlen(name);

	for (int i = p->first_arg + 1; i < p->argc; i++)
		if (strncmp(p->argv[i], "--", 2) == 0 &&
			strncmp(p->argv[i] + 2, name, n) == 0 &&
			(p->argv[i][2 + n] == '=' || p->argv[i][2 + n] == '\0'))
			return true;
	return false;
}

static int
check_required(const struct ch_params *p, const struct param_value *v,
	struct ch_err *err)
{
	char upper[80];
	const char *file = v->param->type == CH_PARAM_SECRET ? "_file" : "";
	size_t n = 0;

	if ((v->param->flags & CH_PARAM_REQUIRED) == 0 || v->text[0] != '\0' ||
		v->pair_count > 0)
		return 0;
	if ((v->param->flags & CH_PARAM_DAEMON) != 0 && p->first_arg < p->argc)
		return 0;
	if (v->origin[0] != '\0')
		return ch_err_set(err, CH_ECONFIG,
			"%s%s: required, and empty "
			"(from %s)",
			v->param->name, file, v->origin);
	if (comes_late(p, v->param->name))
		return ch_err_set(err, CH_ECONFIG,
			"%s: required, and given behind the command: "
			"parameters go before it (--%s=... %s)",
			v->param->name, v->param->name, p->argv[p->first_arg]);
	for (; v->param->name[n] != '\0' && n < sizeof(upper) - 1; n++)
		upper[n] = (char)toupper((unsigned char)v->param->name[n]);
	upper[n] = '\0';
	return ch_err_set(err, CH_ECONFIG,
		"%s%s: required, and not given by a flag, %s%s%s, CH_%s%s or "
		"`%s%s = ...` in the file",
		v->param->name, file, p->prefix, upper,
		file[0] != '\0' ? "_FILE" : "", upper,
		file[0] != '\0' ? "_FILE" : "", v->param->name, file);
}

static int
fill(struct ch_params *p, struct ch_err *err)
{
	for (size_t i = 0; i < p->count; i++) {
		const char *def = p->values[i].param->def;

		p->values[i].text = ch_xstrdup(def != NULL ? def : "");
	}
	if (find_config(p, err) < 0 || read_env(p, "CH_", false, err) < 0 ||
		read_env(p, p->prefix, true, err) < 0 ||
		read_argv(p, false, err) < 0)
		return CH_ECONFIG;
	for (size_t i = 0; i < p->count; i++)
		if (check_required(p, &p->values[i], err) < 0 ||
			ch_param_value_read(&p->values[i], err) < 0)
			return CH_ECONFIG;
	return 0;
}

static void
add_table(struct ch_params *p, const struct ch_param *table)
{
	for (; table->name != NULL; table++) {
		assert(find_value(p, ch_view_of(table->name)) == NULL);
		assert(table->help != NULL);
		assert(table->type != CH_PARAM_ENUM ||
			(table->def != NULL && table->choices != NULL));
		p->values = ch_xrealloc(p->values, p->count + 1,
			sizeof(*p->values));
		memset(&p->values[p->count], 0, sizeof(*p->values));
		p->values[p->count++].param = table;
	}
}

int
ch_params_read(struct ch_params **out, const char *service,
	const struct ch_param *const tables[], int argc, char **argv,
	char **envp, struct ch_err *err)
{
	struct ch_params *p = ch_xcalloc(1, sizeof(*p));
	size_t n = 0;

	p->service = ch_xstrdup(service);
	for (; service[n] != '\0' && n < sizeof(p->prefix) - 2; n++)
		p->prefix[n] = service[n] == '-'
			? '_'
			: (char)toupper((unsigned char)service[n]);
	p->prefix[n] = '_';
	p->argc = argc;
	p->argv = argv;
	p->envp = envp;
	for (; tables[p->table_count] != NULL; p->table_count++)
		add_table(p, tables[p->table_count]);
	if (fill(p, err) < 0) {
		ch_params_free(p);
		if (err != NULL) /* also where a file could not be read */
			err->code = CH_ECONFIG;
		return CH_ECONFIG;
	}
	*out = p;
	return 0;
}

void
ch_params_free(struct ch_params *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->count; i++)
		ch_param_value_clear(&p->values[i]);
	free(p->values);
	free(p->service);
	free(p);
}

int
ch_params_reload(struct ch_params *p, struct ch_buf *ignored,
	struct ch_err *err)
{
	struct ch_params fresh = *p;

	fresh.values = ch_xcalloc(p->count, sizeof(*fresh.values));
	for (size_t i = 0; i < p->count; i++)
		fresh.values[i].param = p->values[i].param;
	if (fill(&fresh, err) < 0) {
		for (size_t i = 0; i < p->count; i++)
			ch_param_value_clear(&fresh.values[i]);
		free(fresh.values);
		return CH_ECONFIG;
	}
	for (size_t i = 0; i < p->count; i++) {
		struct param_value *old = &p->values[i];
		struct param_value *now = &fresh.values[i];

		if ((old->param->flags & CH_PARAM_RELOADABLE) != 0) {
			struct param_value swap = *old;

			*old = *now;
			*now = swap;
		} else if (!ch_param_value_same(old, now) && ignored != NULL)
			ch_buf_printf(ignored, "%s%s",
				ignored->len > 0 ? "," : "", old->param->name);
		ch_param_value_clear(now);
	}
	free(fresh.values);
	return 0;
}

/* ---- typed reads ---- */

#define TYPE(t) (1u << CH_PARAM_##t)

static const struct param_value *
get(const struct ch_params *p, const char *name, unsigned types)
{
	const struct param_value *v = find_value(p, ch_view_of(name));

	assert(v != NULL); /* the table has no such name */
	assert((types & 1u << v->param->type) != 0); /* or another type */
	return v;
}

const char *
ch_params_str(const struct ch_params *p, const char *name)
{
	return get(p, name,
		TYPE(STRING) | TYPE(PATH) | TYPE(URL) | TYPE(CONNINFO) |
			TYPE(ENUM))
		->text;
}

int64_t
ch_params_int(const struct ch_params *p, const char *name)
{
	return get(p, name, TYPE(INT))->number;
}

int64_t
ch_params_ms(const struct ch_params *p, const char *name)
{
	return get(p, name, TYPE(DURATION))->number;
}

int64_t
ch_params_bytes(const struct ch_params *p, const char *name)
{
	return get(p, name, TYPE(BYTES))->number;
}

bool
ch_params_bool(const struct ch_params *p, const char *name)
{
	return get(p, name, TYPE(BOOL))->number != 0;
}

int
ch_params_enum(const struct ch_params *p, const char *name)
{
	return (int)get(p, name, TYPE(ENUM))->number;
}

struct ch_view
ch_params_secret(const struct ch_params *p, const char *name)
{
	return ch_buf_view(&get(p, name, TYPE(SECRET))->secret);
}

const char *const *
ch_params_list(const struct ch_params *p, const char *name, size_t *count)
{
	const struct param_value *v = get(p, name, TYPE(LIST));

	if (count != NULL)
		*count = v->list_count;
	return (const char *const *)v->list;
}

void
ch_params_group(const struct ch_params *p, const char *name,
	void (*fn)(void *ctx, const char *key, const char *value), void *ctx)
{
	const struct param_value *v = get(p, name, TYPE(GROUP));

	for (size_t i = 0; i < v->pair_count; i++)
		fn(ctx, v->pairs[i].key, v->pairs[i].text);
}

bool
ch_params_is_set(const struct ch_params *p, const char *name)
{
	const struct param_value *v = find_value(p, ch_view_of(name));

	assert(v != NULL);
	return v->origin[0] != '\0' || v->pair_count > 0;
}

const char *
ch_params_origin(const struct ch_params *p, const char *name)
{
	const struct param_value *v = find_value(p, ch_view_of(name));

	assert(v != NULL);
	return v->origin[0] != '\0' ? v->origin : "the default";
}

const char *
ch_params_member_origin(const struct ch_params *p, const char *group,
	const char *key)
{
	const struct param_value *v = get(p, group, TYPE(GROUP));

	for (size_t i = 0; i < v->pair_count; i++)
		if (strcmp(v->pairs[i].key, key) == 0)
			return v->pairs[i].origin;
	assert(false); /* the group has no such member */
	return "";
}

int
ch_params_args(const struct ch_params *p, char ***argv)
{
	*argv = p->argv + p->first_arg;
	return p->argc - p->first_arg;
}

int
ch_params_check_order(const struct ch_params *p, const char *less,
	const char *more, struct ch_err *err)
{
	long long a = ch_params_ms(p, less);
	long long b = ch_params_ms(p, more);

	if (a <= b)
		return 0;
	return ch_err_set(err, CH_ECONFIG,
		"%s is %lld ms (from %s) and %s is %lld ms (from %s): set %s "
		"to at most %s",
		less, a, ch_params_origin(p, less), more, b,
		ch_params_origin(p, more), less, more);
}
