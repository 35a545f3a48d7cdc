/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_endpoints: webhooks' endpoints with deliveries that wait; those of an
 * endpoint that is nobody's buried.
 */
#include "api_private.h"
#include "burial.h"

static int
add_waiting(struct api_call *c, const PGresult *res, int count,
	struct ch_err *err)
{
	struct burial_waiting w;
	int i;

	for (i = 0; i < count; i++) {
		if (burial_row(res, i, &w, err) != CH_OK)
			return CH_EPROTO;
		ch_json_add_comma(&c->out);
		burial_json(&c->out, &w);
	}
	return CH_OK;
}

static int
get_endpoints(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	int64_t limit = 0;
	PGresult *res;
	int rc = api_call_limit(c, API_LETTERS_MAX, &limit, err);
	bool more;

	if (rc == CH_OK) /* one more, to see that there is one */
		rc = burial_find(d->pg, NULL, limit + 1, &res, err);
	if (rc != CH_OK)
		return rc;
	more = PQntuples(res) > limit;
	ch_buf_adds(&c->out, "{\"endpoints\":[");
	rc = add_waiting(c, res, more ? (int)limit : PQntuples(res), err);
	ch_buf_addc(&c->out, ']');
	ch_json_add_member_bool(&c->out, "more", more);
	ch_buf_addc(&c->out, '}');
	PQclear(res);
	return rc;
}

static int
endpoint_of(struct api_call *c, const char **out, struct ch_err *err)
{
	const char *name = api_call_text(c, "endpoint");

	if (name == NULL || *name == '\0')
		return ch_err_set(err, CH_EINVAL,
			"body: \"endpoint\" is missing: name one of GET "
			"endpoints");
	*out = burial_endpoint(name);
	return CH_OK;
}

static int
post_bury(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	struct burial b = {
		.actor = c->actor, .dry_run = api_call_flag(c, "dry_run")};
	int64_t letters = 0;
	int rc = endpoint_of(c, &b.endpoint, err);

	if (rc == CH_OK)
		rc = api_call_reason(c, &b.reason, err);
	if (rc == CH_OK)
		rc = burial_run(d->pg, &b, &letters, err);
	if (rc == CH_OK && letters == 0)
		rc = ch_err_set(err, CH_ENOTFOUND,
			"nothing waits for endpoint %s", b.endpoint);
	if (rc != CH_OK)
		return rc;
	ch_buf_addc(&c->out, '{');
	ch_json_add_member(&c->out, "endpoint", ch_view_of(b.endpoint));
	ch_json_add_member_bool(&c->out, "dry_run", b.dry_run);
	ch_json_add_member_i64(&c->out, "letters", letters);
	ch_json_add_member_bool(&c->out, "more",
		letters == (b.dry_run ? BURIAL_COUNTED : BURIAL_AT_ONCE));
	ch_buf_addc(&c->out, '}');
	return CH_OK;
}

static const struct api_member bury_members[] = {{"endpoint", CH_JSON_STRING},
	{"reason", CH_JSON_STRING}, {"dry_run", CH_JSON_TRUE},
	{NULL, CH_JSON_NULL}};

const struct api_endpoint api_webhook_endpoints[] = {
	{CH_HTTP_GET, "endpoints", get_endpoints, NULL, false},
	{CH_HTTP_POST, "endpoints/bury", post_bury, bury_members, false},
	{CH_HTTP_GET, NULL, NULL, NULL, false},
};
