/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_id: see model_id.h.
 */
#include "model_id.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
read_uuid7(const char *s, unsigned char out[16])
{
	int n = 0;

	if (strlen(s) != 36)
		return false;
	for (int i = 0; i < 36; i++) {
		unsigned digit;
		char c[2] = {s[i], '\0'};

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (s[i] != '-')
				return false;
			continue;
		}
		if (strchr("0123456789abcdefABCDEF", s[i]) == NULL)
			return false;
		digit = (unsigned)strtoul(c, NULL, 16);
		if (n % 2 == 0)
			out[n / 2] = (unsigned char)(digit << 4);
		else
			out[n / 2] |= (unsigned char)digit;
		n++;
	}
	return out[6] >> 4 == 7 && out[8] >> 6 == 2;
}

static bool
read_ulid(const char *s, unsigned char out[16])
{
	static const char upper[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	static const char lower[] = "0123456789abcdefghjkmnpqrstvwxyz";
	__extension__ unsigned __int128 v = 0;

	if (strlen(s) != 26 || s[0] > '7')
		return false;
	for (int i = 0; i < 26; i++) {
		const char *at = strchr(upper, s[i]);
		ptrdiff_t digit;

		digit = at != NULL ? at - upper : -1;
		if (at == NULL && (at = strchr(lower, s[i])) != NULL)
			digit = at - lower;
		if (digit < 0)
			return false;
		v = v << 5 | (unsigned)digit;
	}
	for (int i = 15; i >= 0; i--, v >>= 8)
		out[i] = (unsigned char)v;
	return true;
}

bool
model_id_read(const char *s, struct model_id *id)
{
	unsigned char bytes[16];

	if (!read_uuid7(s, bytes) && !read_ulid(s, bytes))
		return false;
	for (int i = 0; i < 16; i++)
		(void)snprintf(id->hex + 2 * i, 3, "%02x", bytes[i]);
	id->ms = 0;
	for (int i = 0; i < 6; i++)
		id->ms = id->ms << 8 | bytes[i];
	return true;
}

bool
model_transfer_read(const char *s, struct model_id *id, int *member)
{
	const char *slash = strchr(s, '/');
	char text[40];
	const char *p;

	*member = MODEL_NO_MEMBER;
	if (slash == NULL)
		return model_id_read(s, id);
	if ((size_t)(slash - s) >= sizeof(text))
		return false;
	memcpy(text, s, (size_t)(slash - s));
	text[slash - s] = '\0';
	*member = 0;
	for (p = slash + 1; *p >= '0' && *p <= '9' && *member <= 63; p++)
		*member = *member * 10 + (*p - '0');
	return p > slash + 1 && *p == '\0' && *member <= 63 &&
		(slash[1] != '0' || slash[2] == '\0') &&
		model_id_read(text, id);
}
