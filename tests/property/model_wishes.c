/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_wishes: see model_wishes.h. A row that is not there has version 0.
 */
#include "model_wishes.h"

#include <stdlib.h>
#include <string.h>

/* The parts of a position's name are the body's own fields. */
static struct position *
own_position(const struct step *s)
{
	char *half =
		model_joined(model_text(s, "account"), model_text(s, "market"));
	char *name = model_joined(half, model_text(s, "outcome"));
	struct position *p = model_named(s, ROW_POSITION, name);

	free(half);
	free(name);
	return p;
}

static void
check_account(struct step *s, const char *name, int64_t wish)
{
	const struct account *a = model_named(s, ROW_ACCOUNT, name);

	if (a != NULL && a->shards > 0)
		model_refuse(s, "version_unsupported");
	else if (wish != (a != NULL ? a->balances[0]->v.stamp.version : 0))
		model_refuse(s, "version_conflict");
}

static int64_t
version_of(const struct step *s, const char *kind, const char *name)
{
	if (strcmp(kind, "sku") == 0) {
		const struct sku *k = model_named(s, ROW_SKU, name);

		return k != NULL ? k->v.stamp.version : 0;
	}
	if (strcmp(kind, "hold") == 0) {
		const struct hold *h = model_named(s, ROW_HOLD, name);

		return h != NULL ? h->v.stamp.version : 0;
	}
	if (strcmp(kind, "reservation") == 0) {
		const struct reservation *r =
			model_named(s, ROW_RESERVATION, name);

		return r != NULL ? r->v.stamp.version : 0;
	}
	if (strcmp(kind, "order") == 0) {
		const struct order *o = model_named(s, ROW_ORDER, name);

		return o != NULL ? o->v.stamp.version : 0;
	}
	if (strcmp(kind, "market") == 0) {
		const struct market *m = model_named(s, ROW_MARKET, name);

		return m != NULL ? m->v.stamp.version : 0;
	}
	const struct position *p = own_position(s);

	return p != NULL ? p->v.stamp.version : 0;
}

void
model_check_versions(struct step *s)
{
	json_t *kinds = json_object_get(s->body, "expected_version");
	const char *kind;
	const char *name;
	json_t *rows;
	json_t *v;

	json_object_foreach (kinds, kind, rows) {
		json_object_foreach (rows, name, v) {
			if (strcmp(kind, "account") == 0)
				check_account(s, name, json_integer_value(v));
			else if (version_of(s, kind, name) !=
				json_integer_value(v))
				model_refuse(s, "version_conflict");
		}
	}
}
