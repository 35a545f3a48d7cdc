/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_guard: see api_guard.h.
 */
#include "api_guard.h"

#include <strings.h>

#include "base/mem.h"

static const char *const local_names[] = {
	"localhost", "127.0.0.1", "[::1]", NULL};

/* Without the port: "[::1]:80" is [::1]. A port is nothing that a page of
 * another host could use to look like us. */
static struct ch_view
name_of(struct ch_view host)
{
	size_t i = host.len;

	while (i > 0 && host.ptr[i - 1] >= '0' && host.ptr[i - 1] <= '9')
		i--;
	if (i > 0 && i < host.len && host.ptr[i - 1] == ':')
		host.len = i - 1;
	return host;
}

static bool
same_name(struct ch_view v, const char *name)
{
	return v.len == strlen(name) && v.len > 0 &&
		strncasecmp(v.ptr, name, v.len) == 0;
}

static bool
is_one_of(struct ch_view v, const char *const *names)
{
	for (; *names != NULL; names++)
		if (same_name(v, *names))
			return true;
	return false;
}

static bool
is_same(struct ch_view a, struct ch_view b)
{
	return a.len > 0 && a.len == b.len &&
		strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

bool
api_guard_is_loopback(const char *listen)
{
	struct ch_view name = name_of(ch_view_of(listen));
	size_t i;

	if (is_one_of(name, local_names))
		return true;
	if (!ch_view_starts(name, CH_VIEW("127.")))
		return false;
	for (i = 0; i < name.len; i++)
		if (name.ptr[i] != '.' &&
			(name.ptr[i] < '0' || name.ptr[i] > '9'))
			return false; /* a host's name */
	return true;
}

static int
check_host(const struct api_guard *g, const struct api_visitor *v,
	struct ch_err *err)
{
	struct ch_view name = name_of(v->host);

	if (is_one_of(name, local_names) || is_one_of(name, g->hosts) ||
		is_same(name, name_of(ch_view_of(g->listen))))
		return 0;
	ch_err_set(err, CH_EINVAL,
		"Host is \"%.*s\", which is no name of this relay: add it to "
		"api_hosts, or ask for localhost or the listen address",
		(int)(v->host.len < 128 ? v->host.len : 128),
		v->host.ptr != NULL ? v->host.ptr : "");
	return 403;
}

static int
check_origin(const struct api_visitor *v, struct ch_err *err)
{
	struct ch_view rest = v->origin;

	if (rest.ptr == NULL)
		return 0; /* no browser, or a plain visit */
	if (ch_view_starts(rest, CH_VIEW("https://")))
		rest = (struct ch_view){rest.ptr + 8, rest.len - 8};
	else if (ch_view_starts(rest, CH_VIEW("http://")))
		rest = (struct ch_view){rest.ptr + 7, rest.len - 7};
	if (is_same(rest, v->host))
		return 0;
	ch_err_set(err, CH_EINVAL,
		"Origin is \"%.*s\", and Host is \"%.*s\": pages of other "
		"hosts may not ask",
		(int)(v->origin.len < 128 ? v->origin.len : 128), v->origin.ptr,
		(int)(v->host.len < 128 ? v->host.len : 128),
		v->host.ptr != NULL ? v->host.ptr : "");
	return 403;
}

static int
check_rights(const struct api_visitor *v, const struct api_bearer *who,
	struct ch_err *err)
{
	if (!v->changes || !who->reads_only)
		return 0;
	ch_err_set(err, CH_EINVAL,
		"the token of %s only reads: its line in api_token_file ends "
		"in :read",
		who->name);
	return 403;
}

static int
check_token(const struct api_guard *g, const struct api_visitor *v,
	const struct api_bearer **who, struct ch_err *err)
{
	struct ch_view token = v->authorization;

	if (v->changes && g->tokens == NULL) {
		ch_err_set(err, CH_EINVAL,
			"this relay's API is read only: set api_token_file to "
			"let people change something");
		return 403;
	}
	if (token.ptr == NULL && !v->changes && !g->read_token)
		return 0;
	if (token.ptr == NULL) {
		ch_err_set(err, CH_EINVAL,
			"a token is needed: send Authorization: Bearer "
			"<token>, one of api_token_file");
		return 401;
	}
	if (g->tokens != NULL && token.len > 7 &&
		strncasecmp(token.ptr, "Bearer ", 7) == 0)
		*who = api_tokens_find(g->tokens,
			(struct ch_view){token.ptr + 7, token.len - 7});
	if (*who != NULL)
		return check_rights(v, *who, err);
	ch_err_set(err, CH_EINVAL,
		"the token is not known: expected Authorization: Bearer "
		"<token>, one of api_token_file");
	return 401;
}

int
api_guard_check(const struct api_guard *g, const struct api_visitor *v,
	const struct api_bearer **who, struct ch_err *err)
{
	int status = check_host(g, v, err);

	*who = NULL;
	if (status == 0)
		status = check_origin(v, err);
	return status != 0 ? status : check_token(g, v, who, err);
}
