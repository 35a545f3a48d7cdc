/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roff: what man(7) would take for its own, escaped.
 */
#include "daemon/roff.h"

void
ch_roff_add(struct ch_buf *out, const char *text)
{
	bool line_begins = out->len == 0 || out->ptr[out->len - 1] == '\n';

	for (const char *c = text; *c != '\0'; c++) {
		if (line_begins && (*c == '.' || *c == '\''))
			ch_buf_adds(out, "\\&");
		switch (*c) {
		case '\\':
			ch_buf_adds(out, "\\e");
			break;
		case '-':
			ch_buf_adds(out, "\\-");
			break;
		case '\'':
			ch_buf_adds(out, "\\(aq");
			break;
		case '`':
			ch_buf_adds(out, "\\(ga");
			break;
		case '^':
			ch_buf_adds(out, "\\(ha");
			break;
		case '~':
			ch_buf_adds(out, "\\(ti");
			break;
		default:
			ch_buf_addc(out, *c);
			break;
		}
		line_begins = *c == '\n';
	}
}

void
ch_roff_add_example(struct ch_buf *out, const char *text)
{
	ch_buf_adds(out, ".EX\n");
	ch_roff_add(out, text);
	if (out->ptr[out->len - 1] != '\n')
		ch_buf_addc(out, '\n');
	ch_buf_adds(out, ".EE\n");
}
