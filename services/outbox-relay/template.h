/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template: a body for a chat or pager service, made of an event.
 *
 *	{"text": "{{alert}} at {{detail.account}} ({{$time}})"}
 *
 * {{name}} is a field of the payload's JSON, {{a.b}} one within it; {{$id}},
 * {{$type}}, {{$aggregatetype}}, {{$key}}, {{$time}} and {{$payload}} are of the
 * event itself. Each is escaped as the inside of a JSON string, so that a
 * payload cannot break out of its place; what is not there is empty.
 *
 * Thread: a template belongs to one thread. Pure.
 */
#ifndef RELAY_TEMPLATE_H
#define RELAY_TEMPLATE_H

#include "base/err.h"
#include "base/str.h"

struct template;

struct template_event {
	struct ch_view id, type, aggregatetype, key, time, payload;
};

/* NULL with CH_EINVAL: a brace without its end, an unknown $name, or no JSON
 * once it is filled. */
struct template *template_new(struct ch_view text, struct ch_err *err);
void template_free(struct template *t);
void template_fill(const struct template *t, const struct template_event *e,
	struct ch_buf *out);

#endif
