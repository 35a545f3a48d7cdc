/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_time: see model_time.h.
 */
#include "model_time.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int64_t
days_of(int64_t y, int64_t m, int64_t d)
{
	static const int before[] = {
		0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int64_t past = y - 1;
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return past * 365 + past / 4 - past / 100 + past / 400 + before[m - 1] +
		(m > 2 && leap) + d - 1 - 719162;
}

static int
month_days(int y, int m)
{
	static const int days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return m == 2 && leap ? 29 : days[m - 1];
}

bool
model_time_read(const char *s, int64_t *us)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	int y, mo, d, h, mi, se;
	int64_t fraction = 0;
	int n = 0;

	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		if (shape[i] == 'd' ? !is_digit(s[i]) : s[i] != shape[i])
			return false;
	}
	if (sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d", &y, &mo, &d, &h, &mi, &se) !=
		6)
		return false;
	if (y < 1970 || mo < 1 || mo > 12 || d < 1 || d > month_days(y, mo) ||
		h > 23 || mi > 59 || se > 59)
		return false;
	s += sizeof(shape) - 1;
	if (*s == '.') {
		for (s++; is_digit(*s); s++, n++)
			fraction = fraction * 10 + (*s - '0');
		if (n == 0 || n > 6)
			return false;
	}
	for (; n < 6; n++)
		fraction *= 10;
	*us = (((days_of(y, mo, d) * 24 + h) * 60 + mi) * 60 + se) * 1000000 +
		fraction;
	return strcmp(s, "Z") == 0;
}

void
model_time_print(char out[64], int64_t us)
{
	int64_t day = us / 86400000000;
	int64_t rest = us % 86400000000;
	int y = (int)(1970 + day / 366);
	int m = 1;

	while (days_of(y + 1, 1, 1) <= day)
		y++;
	while (m < 12 && days_of(y, m + 1, 1) <= day)
		m++;
	(void)snprintf(out, 64, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", y, m,
		(int)(day - days_of(y, m, 1)) + 1, (int)(rest / 3600000000),
		(int)(rest / 60000000 % 60), (int)(rest / 1000000 % 60),
		(int)(rest % 1000000));
}
