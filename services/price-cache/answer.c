/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer: see answer.h.
 */
#include "answer.h"

#include <stdio.h>

#include "base/digest.h"
#include "base/json.h"

/* ---- one market ---- */

static void
add_time(struct ch_buf *b, const char *name, struct ch_time t)
{
	char text[CH_TIME_TEXT_MAX];
	size_t n = ch_time_format(t, text);

	ch_json_add_member(b, name, (struct ch_view){text, n});
}

static void
add_price(struct ch_buf *b, const struct cache_entry *e,
	enum cache_status status)
{
	const struct price *p = e->price;

	ch_json_add_member(b, "state", ch_view_of(market_state_name(p->state)));
	ch_json_add_name(b, "outcomes");
	ch_buf_addc(b, '[');
	for (int i = 0; i < p->count; i++) {
		ch_json_add_comma(b);
		ch_json_add_string(b, ch_view_of(p->outcome[i].name));
	}
	ch_buf_addc(b, ']');
	ch_json_add_name(b, "prices");
	ch_buf_addc(b, '[');
	for (int i = 0; i < p->count; i++) {
		ch_json_add_comma(b);
		ch_json_add_string(b, ch_view_of(p->outcome[i].text));
	}
	ch_buf_addc(b, ']');
	if (p->question[0] != '\0')
		ch_json_add_member(b, "question", ch_view_of(p->question));
	ch_json_add_member(b, "source", ch_view_of(upstream_name(e->source)));
	add_time(b, "changed_at", e->changed);
	if (status == CACHE_STALE)
		add_time(b, "as_of", e->as_of);
}

static void
add_market(struct ch_buf *b, const struct cache_entry *e,
	enum cache_status status, bool late)
{
	bool priced = status <= CACHE_PINNED;
	enum reason why =
		e->reason != REASON_NONE || !late ? e->reason : REASON_LATE;
	char id[MARKET_ID_TEXT + 1];

	market_id_format(&e->id, id);
	ch_json_add_comma(b);
	ch_buf_addc(b, '{');
	ch_json_add_member(b, "id", (struct ch_view){id, MARKET_ID_TEXT});
	ch_json_add_member(b, "status", ch_view_of(cache_status_name(status)));
	ch_json_add_member_bool(b, "stale", status == CACHE_STALE);
	if (priced)
		add_price(b, e, status);
	if ((status == CACHE_STALE || status == CACHE_ERROR) &&
		why != REASON_NONE)
		ch_json_add_member(b, "reason", ch_view_of(reason_name(why)));
	ch_buf_addc(b, '}');
}

/* ---- headers ---- */

struct freshness {
	int64_t least_ttl_ms; /* of all that is neither pinned nor unknown */
	bool live;	      /* there is one such */
};

static void
set_headers(struct answer *a, const struct question *q,
	const struct freshness *f)
{
	int64_t ttl_s = f->least_ttl_ms < 0 ? -((999 - f->least_ttl_ms) / 1000)
					    : f->least_ttl_ms / 1000;
	const char *fwd = q->cold ? "uri-miss" : "stale";

	if (a->count[CACHE_ERROR] > 0)
		(void)snprintf(a->cache_control, sizeof(a->cache_control),
			"no-store");
	else if (!f->live && a->count[CACHE_UNKNOWN] == 0)
		(void)snprintf(a->cache_control, sizeof(a->cache_control),
			"public, max-age=31536000, immutable");
	else
		(void)snprintf(a->cache_control, sizeof(a->cache_control),
			"public, max-age=%lld, stale-while-revalidate=2",
			ttl_s > 0 ? (long long)ttl_s : 0LL);
	if (a->waited)
		(void)snprintf(a->cache_status, sizeof(a->cache_status),
			"price-cache; fwd=%s%s%s", fwd,
			q->joined ? "; collapsed" : "",
			q->late ? "; detail=late" : "");
	else
		(void)snprintf(a->cache_status, sizeof(a->cache_status),
			"price-cache; hit; ttl=%lld",
			f->live ? (long long)ttl_s : 31536000LL);
	(void)snprintf(a->age, sizeof(a->age), "%lld",
		a->oldest_ms > 0 ? (long long)(a->oldest_ms / 1000) : 0LL);
	(void)snprintf(a->etag, sizeof(a->etag), "\"%016llx\"",
		(unsigned long long)ch_hash64(a->body.ptr, a->body.len));
}

static void
weigh(struct answer *a, struct freshness *f, const struct cache_entry *e,
	enum cache_status status, int64_t ttl_ms, struct moment now)
{
	a->count[status]++;
	if (status == CACHE_FRESH || status == CACHE_STALE) {
		int64_t age = ch_mono_ms_since(now.mono, e->started);

		f->live = true;
		if (ttl_ms < f->least_ttl_ms)
			f->least_ttl_ms = ttl_ms;
		if (age > a->oldest_ms)
			a->oldest_ms = age;
	}
}

void
answer_render(struct answer *out, const struct desk *d,
	const struct question *q, struct moment now)
{
	struct freshness f = {INT64_MAX, false};
	struct ch_buf body = out->body;

	*out = (struct answer){.body = body, .oldest_ms = -1};
	out->waited = now.mono.ns != q->asked.ns;
	ch_buf_adds(&out->body, "{\"prices\":[");
	for (size_t i = 0; i < q->count; i++) {
		const struct cache_entry *e = q->items[i];
		enum cache_status status = desk_status(d, e, now);

		if (status == CACHE_MISSING)
			status = CACHE_ERROR;
		weigh(out, &f, e, status,
			cache_ttl_ms(desk_cache(d), e, now.mono), now);
		add_market(&out->body, e, status, q->late);
	}
	ch_buf_adds(&out->body, "]}\n");
	if (!f.live)
		f.least_ttl_ms = 0;
	set_headers(out, q, &f);
}

const char *
answer_result(const struct answer *a, const struct question *q)
{
	if (a->count[CACHE_ERROR] > 0)
		return "error";
	if (a->count[CACHE_STALE] > 0)
		return "stale";
	if (!a->waited)
		return "hit";
	return q->joined ? "coalesced" : "miss";
}

bool
answer_matches(struct ch_view if_none_match, const char *etag)
{
	struct ch_view part;

	while (ch_view_split(&if_none_match, ',', &part)) {
		part = ch_view_trim(part);
		if (ch_view_starts(part, CH_VIEW("W/")))
			part = (struct ch_view){part.ptr + 2, part.len - 2};
		if (ch_view_eq_str(part, etag) || ch_view_eq_str(part, "*"))
			return true;
	}
	return false;
}

/* ---- the request ---- */

static bool
is_there(const struct market_id *ids, size_t count, const struct market_id *id)
{
	for (size_t i = 0; i < count; i++)
		if (market_id_eq(&ids[i], id))
			return true;
	return false;
}

enum ids_problem
answer_parse_ids(struct ch_view text, size_t max, struct market_id *out,
	size_t *count, char detail[ANSWER_DETAIL_MAX])
{
	struct ch_view part;
	size_t asked = 0;

	*count = 0;
	while (ch_view_split(&text, ',', &part)) {
		struct market_id id;

		if (!market_id_parse(part, &id)) {
			(void)snprintf(detail, ANSWER_DETAIL_MAX,
				"ids: \"%.*s\" (number %zu) is no market id: "
				"give \"0x\" and 64 hex digits",
				(int)(part.len < 80 ? part.len : 80), part.ptr,
				asked + 1);
			return IDS_MALFORMED;
		}
		if (++asked > max) {
			(void)snprintf(detail, ANSWER_DETAIL_MAX,
				"ids: more than %zu: ask in several requests",
				max);
			return IDS_TOO_MANY;
		}
		if (!is_there(out, *count, &id))
			out[(*count)++] = id;
	}
	if (asked > 0)
		return IDS_OK;
	(void)snprintf(detail, ANSWER_DETAIL_MAX,
		"ids is missing or empty: ?ids=<market id>[,<market id>...], "
		"at most %zu",
		max);
	return IDS_EMPTY;
}

void
answer_problem(struct ch_buf *out, int status, const char *title,
	const char *detail)
{
	ch_buf_addc(out, '{');
	ch_json_add_member(out, "type", CH_VIEW("about:blank"));
	ch_json_add_member(out, "title", ch_view_of(title));
	ch_json_add_member_i64(out, "status", status);
	ch_json_add_member(out, "detail", ch_view_of(detail));
	ch_buf_adds(out, "}\n");
}
