/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signature: see signature.h.
 */
#include "signature.h"

#include <string.h>

#include "base/base64.h"
#include "base/digest.h"

int
signature_key_read(struct ch_view text, struct signature_key *out,
	struct ch_err *err)
{
	static const struct ch_view prefix = {"whsec_", 6};
	struct ch_view code;

	if (!ch_view_starts(text, prefix))
		return ch_err_set(err, CH_EINVAL,
			"a key begins with whsec_ and goes on in base64; make "
			"one with: echo whsec_$(openssl rand -base64 32)");
	code.ptr = text.ptr + prefix.len;
	code.len = text.len - prefix.len;
	if (!ch_base64_decode(code, out->bytes, sizeof(out->bytes),
		    &out->len) ||
		out->len < SIGNATURE_KEY_MIN)
		return ch_err_set(err, CH_EINVAL,
			"behind whsec_ stands base64 (with padding) of %d to "
			"%d bytes; make one with: echo whsec_$(openssl rand "
			"-base64 32)",
			SIGNATURE_KEY_MIN, SIGNATURE_KEY_MAX);
	return CH_OK;
}

void
signature_add(struct ch_buf *out, const struct signature_key *keys,
	size_t count, struct ch_view id, int64_t seconds, struct ch_view body)
{
	struct ch_buf signed_text = CH_BUF_INIT;
	struct ch_sha256 mac;
	size_t i;

	ch_buf_addv(&signed_text, id);
	ch_buf_addc(&signed_text, '.');
	ch_buf_add_i64(&signed_text, seconds);
	ch_buf_addc(&signed_text, '.');
	ch_buf_addv(&signed_text, body);
	for (i = 0; i < count; i++) {
		mac = ch_hmac_sha256(
			(struct ch_view){
				(const char *)keys[i].bytes, keys[i].len},
			ch_buf_view(&signed_text));
		ch_buf_adds(out, i > 0 ? " v1," : "v1,");
		ch_base64_add(out, mac.bytes, sizeof(mac.bytes));
	}
	ch_buf_free(&signed_text);
}
