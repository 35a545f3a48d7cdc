/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_answer: see hook_answer.h.
 */
#include "hook_answer.h"

#include <stdio.h>

#define REASON_SHOWN 200

void
hook_answer_class(const struct hook_flight *f, char out[HOOK_ANSWER_CLASS_MAX])
{
	static const char *const names[] = {[CH_HTTP_OK] = "",
		[CH_HTTP_TIMEOUT] = "http_timeout",
		[CH_HTTP_CONNECT] = "http_connect",
		[CH_HTTP_TLS] = "http_tls",
		[CH_HTTP_PROTOCOL] = "http_protocol",
		[CH_HTTP_TOO_LARGE] = "http_too_large",
		[CH_HTTP_CANCELLED] = "http_cancelled",
		[CH_HTTP_OTHER] = "http_other"};

	if (f->class == CH_HTTP_OK)
		(void)snprintf(out, HOOK_ANSWER_CLASS_MAX, "http_%d",
			f->status);
	else
		(void)snprintf(out, HOOK_ANSWER_CLASS_MAX, "%s",
			names[f->class]);
}

/* The response stands between quotes, which its fingerprint leaves out. */
void
hook_answer_reason(const struct hook_flight *f, struct ch_buf *b)
{
	struct ch_buf shown = CH_BUF_INIT;
	size_t i;

	if (f->class != CH_HTTP_OK) {
		ch_buf_add_printable(b, ch_view_of(f->reason), REASON_SHOWN);
		return;
	}
	ch_buf_add_printable(&shown, ch_buf_view(&f->response), REASON_SHOWN);
	for (i = 0; i < shown.len; i++)
		if (shown.ptr[i] == '"')
			shown.ptr[i] = '\'';
	ch_buf_printf(b, "answered %d%s: \"%s\"", f->status,
		f->status >= 300 && f->status < 400
			? " (redirects are not followed: name its end as url)"
			: "",
		ch_buf_str(&shown));
	ch_buf_free(&shown);
}
