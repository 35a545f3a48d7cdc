/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err: see err.h.
 *
 * Every text is formatted beside the error first and copied in afterwards, so
 * that an error's old text may be an argument of its new one. Texts are kept to
 * one line here, once, so that no caller has to care. Nothing here can fail: a
 * text that does not fit is cut.
 */
#include "err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#undef ch_err_set /* what only the analyzer is told; see err.h */

static void
one_line(char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
	}
}

/* snprintf() cuts between any two bytes; half a character must not stay. */
static void
drop_half_character(char *text, size_t len)
{
	size_t back = 1;
	unsigned char lead;
	size_t want;

	while (back < 4 && back < len &&
		((unsigned char)text[len - back] & 0xc0) == 0x80)
		back++;
	lead = (unsigned char)text[len - back];
	want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (want > back)
		text[len - back] = '\0';
}

static void
take_text(struct ch_err *err, const char *text)
{
	size_t len = strlen(text);

	if (len >= sizeof(err->text))
		len = sizeof(err->text) - 1;
	memcpy(err->text, text, len);
	err->text[len] = '\0';
	if (len == sizeof(err->text) - 1)
		drop_half_character(err->text, len);
	one_line(err->text);
}

int
ch_err_set(struct ch_err *err, enum ch_code code, const char *fmt, ...)
{
	char text[CH_ERR_TEXT_MAX];
	va_list ap;

	if (err == NULL)
		return (int)code;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	take_text(err, text);
	err->code = code;
	err->sqlstate[0] = '\0';
	return (int)code;
}

int
ch_err_errno(struct ch_err *err, int errnum, const char *fmt, ...)
{
	char text[CH_ERR_TEXT_MAX];
	char all[2 * CH_ERR_TEXT_MAX + 2];
	char reason[128];
	va_list ap;

	if (err == NULL)
		return CH_EIO;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)snprintf(all, sizeof(all), "%s: %s", text,
		strerror_r(errnum, reason, sizeof(reason)));
	take_text(err, all);
	err->code = CH_EIO;
	err->sqlstate[0] = '\0';
	return CH_EIO;
}

int
ch_err_wrap(struct ch_err *err, const char *fmt, ...)
{
	char context[CH_ERR_TEXT_MAX];
	char all[2 * CH_ERR_TEXT_MAX + 2];
	va_list ap;

	if (err == NULL)
		return CH_EIO;
	va_start(ap, fmt);
	(void)vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	(void)snprintf(all, sizeof(all), "%s: %s", context, err->text);
	take_text(err, all);
	return (int)err->code;
}

void
ch_err_clear(struct ch_err *err)
{
	if (err == NULL)
		return;
	err->code = CH_OK;
	err->sqlstate[0] = '\0';
	err->text[0] = '\0';
}

const char *
ch_code_name(enum ch_code code)
{
	static const char *const names[] = {"OK", "EINVAL", "ERANGE",
		"ENOTFOUND", "EFULL", "ETIMEOUT", "EIO", "ECLOSED", "ESQL",
		"EKAFKA", "EFENCED", "ECONFIG", "EPROTO", "EEXIST"};
	int index = -(int)code;

	if (index < 0 || (size_t)index >= sizeof(names) / sizeof(names[0]))
		return "EUNKNOWN";
	return names[index];
}
