/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params_print: the table as help, sample file and reference page; the values
 * as a file and as JSON. Invariant: no secret and no password leaves here.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "daemon/params_impl.h"
#include "daemon/roff.h"

static const char *const type_names[] = {"text", "integer", "duration", "size",
	"boolean", "choice", "path", "URL", "connection string", "list",
	"secret", "group"};

typedef void (*each_fn)(struct ch_buf *out, const struct ch_param *p);

static void
each(struct ch_buf *out, const struct ch_param *const tables[], each_fn fn)
{
	for (size_t t = 0; tables[t] != NULL; t++)
		for (const struct ch_param *p = tables[t]; p->name != NULL; p++)
			fn(out, p);
}

static void
add_flag(struct ch_buf *out, const struct ch_param *p)
{
	for (const char *c = p->name; *c != '\0'; c++)
		ch_buf_addc(out, *c == '_' ? '-' : *c);
	if (p->type == CH_PARAM_SECRET)
		ch_buf_adds(out, "-file");
	if (p->type == CH_PARAM_GROUP)
		ch_buf_adds(out, ".<property>");
}

/* What it is, its limits, its default. */
static void
add_meaning(struct ch_buf *out, const struct ch_param *p)
{
	struct ch_buf limits = CH_BUF_INIT;

	ch_buf_adds(out, p->help);
	ch_param_add_limits(&limits, p);
	if (limits.len > 0)
		ch_buf_printf(out, "; %s", ch_buf_str(&limits));
	if (p->def != NULL && p->def[0] != '\0')
		ch_buf_printf(out, "; default %s", p->def);
	if ((p->flags & CH_PARAM_REQUIRED) != 0)
		ch_buf_adds(out, "; required");
	if ((p->flags & CH_PARAM_RELOADABLE) != 0)
		ch_buf_adds(out, "; reloadable");
	ch_buf_free(&limits);
}

static const char *
value_name(const struct ch_param *p)
{
	return p->type == CH_PARAM_SECRET ? "path" : type_names[p->type];
}

static void
help_line(struct ch_buf *out, const struct ch_param *p)
{
	size_t start = out->len;

	ch_buf_adds(out, "  --");
	add_flag(out, p);
	ch_buf_printf(out, "=<%s>", value_name(p));
	do
		ch_buf_addc(out, ' ');
	while (out->len - start < 36);
	add_meaning(out, p);
	ch_buf_addc(out, '\n');
}

static void
add_upper(struct ch_buf *out, const char *service)
{
	for (const char *c = service; *c != '\0'; c++)
		ch_buf_addc(out,
			*c == '-' ? '_'
				: *c >= 'a' && *c <= 'z'
				? (char)(*c - 'a' + 'A')
				: *c);
}

void
ch_params_help(struct ch_buf *out, const char *service, const char *summary,
	const struct ch_param *const tables[])
{
	ch_buf_printf(out, "%s: %s\n\nEach option is also the variable ",
		service, summary);
	add_upper(out, service);
	ch_buf_adds(out,
		"_<OPTION> or CH_<OPTION>, or a line\n`option = value` (with "
		"underscores) of the file that --config names.\nFlag wins over "
		"variable, variable over file, file over default.\n\n");
	each(out, tables, help_line);
}

static void
man_line(struct ch_buf *out, const struct ch_param *p)
{
	struct ch_buf text = CH_BUF_INIT;

	ch_buf_adds(out, ".TP\n\\fB\\-\\-");
	add_flag(&text, p);
	ch_roff_add(out, ch_buf_str(&text));
	ch_buf_printf(out, "\\fR=\\fI%s\\fR\n", value_name(p));
	ch_buf_clear(&text);
	add_meaning(&text, p);
	ch_roff_add(out, ch_buf_str(&text));
	ch_buf_addc(out, '\n');
	ch_buf_free(&text);
}

void
ch_params_man(struct ch_buf *out, const char *service,
	const struct ch_param *const tables[])
{
	ch_buf_adds(out, "Each option is also the variable\n.B ");
	add_upper(out, service);
	ch_buf_adds(out,
		"_OPTION\nor\n.BR CH_OPTION ,\nor a line\n"
		".RI \"\" option \" = \" value\n(with underscores) of the "
		"file that\n.B \\-\\-config\nnames. Flag wins over variable, "
		"variable over file, file over default.\n");
	each(out, tables, man_line);
}

static void
man_file(struct ch_buf *out, const struct ch_param *p)
{
	if (p->type == CH_PARAM_PATH || p->type == CH_PARAM_SECRET)
		man_line(out, p);
}

void
ch_params_man_files(struct ch_buf *out, const struct ch_param *const tables[])
{
	each(out, tables, man_file);
}

static void
sample_line(struct ch_buf *out, const struct ch_param *p)
{
	struct ch_buf limits = CH_BUF_INIT;

	if (strcmp(p->name, "config") == 0)
		return;
	ch_param_add_limits(&limits, p);
	ch_buf_printf(out, "# %s (%s%s%s%s%s)\n", p->help, type_names[p->type],
		limits.len > 0 ? ", " : "", ch_buf_str(&limits),
		(p->flags & CH_PARAM_REQUIRED) != 0 ? ", required" : "",
		(p->flags & CH_PARAM_RELOADABLE) != 0 ? ", reloadable" : "");
	ch_buf_printf(out, "#%s%s = %s\n\n", p->name,
		p->type == CH_PARAM_SECRET	    ? "_file"
			: p->type == CH_PARAM_GROUP ? ".<property>"
						    : "",
		p->def != NULL ? p->def : "");
	ch_buf_free(&limits);
}

void
ch_params_sample(struct ch_buf *out, const char *service,
	const struct ch_param *const tables[])
{
	ch_buf_printf(out,
		"# Sample configuration of %s: every key with its "
		"default.\n\n",
		service);
	each(out, tables, sample_line);
}

/* A '|' would end the table's cell. */
static void
add_cell(struct ch_buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '|')
			ch_buf_addc(out, '\\');
		ch_buf_addc(out, *text);
	}
}

static void
reference_line(struct ch_buf *out, const struct ch_param *p)
{
	struct ch_buf limits = CH_BUF_INIT;

	ch_param_add_limits(&limits, p);
	ch_buf_printf(out, "| `%s%s` | %s | ", p->name,
		p->type == CH_PARAM_SECRET	    ? "_file"
			: p->type == CH_PARAM_GROUP ? ".<property>"
						    : "",
		p->type == CH_PARAM_SECRET ? "path of a secret"
					   : type_names[p->type]);
	if ((p->flags & CH_PARAM_REQUIRED) != 0)
		ch_buf_adds(out, "required");
	else if (p->def != NULL && p->def[0] != '\0')
		ch_buf_printf(out, "`%s`", p->def);
	ch_buf_adds(out, " | ");
	add_cell(out, ch_buf_str(&limits));
	ch_buf_printf(out, " | %s | ",
		(p->flags & CH_PARAM_RELOADABLE) != 0 ? "SIGHUP" : "");
	add_cell(out, p->help);
	ch_buf_adds(out, " |\n");
	ch_buf_free(&limits);
}

void
ch_params_reference(struct ch_buf *out, const char *service,
	const struct ch_param *const tables[])
{
	ch_buf_adds(out,
		"Each key is also a flag (`--some-key=...`), and a "
		"variable (`");
	add_upper(out, service);
	ch_buf_adds(out,
		"_SOME_KEY`, or `CH_SOME_KEY` for all daemons).\n\n"
		"| key | type | default | allowed | reload | meaning |\n"
		"|---|---|---|---|---|---|\n");
	each(out, tables, reference_line);
}

/* ---- values ---- */

static void
add_shown(struct ch_buf *out, const struct param_value *v)
{
	if (v->param->type == CH_PARAM_SECRET)
		ch_buf_adds(out, v->text[0] != '\0' ? PARAM_MASK : "");
	else if (v->param->type == CH_PARAM_URL ||
		v->param->type == CH_PARAM_CONNINFO)
		(void)ch_param_mask_passwords(out, v->text);
	else
		ch_buf_adds(out, v->text);
}

static void
dump_pairs(struct ch_buf *out, const struct param_value *v)
{
	for (size_t i = 0; i < v->pair_count; i++)
		ch_buf_printf(out, "# from %s\n%s.%s = %s\n",
			v->pairs[i].origin, v->param->name, v->pairs[i].key,
			v->pairs[i].secret ? PARAM_MASK : v->pairs[i].text);
}

void
ch_params_dump(struct ch_buf *out, const struct ch_params *p)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct param_value *v = &p->values[i];

		if (v->param->type == CH_PARAM_GROUP) {
			dump_pairs(out, v);
			continue;
		}
		ch_buf_printf(out, "# from %s\n%s%s = ",
			v->origin[0] != '\0' ? v->origin : "default",
			v->param->name,
			v->param->type == CH_PARAM_SECRET ? "_file" : "");
		if (v->param->type == CH_PARAM_SECRET)
			ch_buf_adds(out, v->text);
		else
			add_shown(out, v);
		ch_buf_addc(out, '\n');
	}
}

static void
add_json(struct ch_buf *out, const char *name, struct ch_view value,
	const char *origin)
{
	ch_json_add_name(out, name);
	ch_buf_addc(out, '{');
	ch_json_add_member(out, "value", value);
	ch_json_add_member(out, "from",
		ch_view_of(origin[0] != '\0' ? origin : "default"));
	ch_buf_addc(out, '}');
}

void
ch_params_dump_json(struct ch_buf *out, const struct ch_params *p)
{
	struct ch_buf shown = CH_BUF_INIT;

	ch_buf_addc(out, '{');
	for (size_t i = 0; i < p->count; i++) {
		const struct param_value *v = &p->values[i];

		for (size_t j = 0; j < v->pair_count; j++) {
			char name[160];

			(void)snprintf(name, sizeof(name), "%s.%s",
				v->param->name, v->pairs[j].key);
			add_json(out, name,
				ch_view_of(v->pairs[j].secret
						? PARAM_MASK
						: v->pairs[j].text),
				v->pairs[j].origin);
		}
		if (v->param->type == CH_PARAM_GROUP)
			continue;
		ch_buf_clear(&shown);
		add_shown(&shown, v);
		add_json(out, v->param->name, ch_buf_view(&shown), v->origin);
	}
	ch_buf_addc(out, '}');
	ch_buf_free(&shown);
}
