/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock: see clock.h.
 *
 * Days are turned into dates and back with the civil-calendar arithmetic of
 * Howard Hinnant ("chrono-compatible low-level date algorithms"): years are
 * counted from March, in eras of 400 years, so that leap days come last and no
 * table, no time zone file and no lock is needed.
 */
#include "clock.h"

#include <time.h>

#define US_PER_SECOND INT64_C(1000000)
#define PG_EPOCH_US (CH_DAYS_1970_TO_2000 * CH_US_PER_DAY)
#define YEAR_0_US (INT64_C(-719528) * CH_US_PER_DAY)
#define YEAR_10000_US (INT64_C(2932897) * CH_US_PER_DAY)

struct date {
	int64_t year;
	int month; /* 1 to 12 */
	int day;   /* 1 to 31 */
};

static struct ch_time
real_wall(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (struct ch_time){(int64_t)ts.tv_sec * US_PER_SECOND +
		(int64_t)ts.tv_nsec / 1000};
}

static struct ch_mono
real_mono(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (struct ch_mono){
		(int64_t)ts.tv_sec * INT64_C(1000000000) + (int64_t)ts.tv_nsec};
}

const struct ch_clock ch_clock_real = {real_wall, real_mono, NULL};

static struct ch_time
fake_wall(void *ctx)
{
	return ((const struct ch_clock_fake *)ctx)->wall;
}

static struct ch_mono
fake_mono(void *ctx)
{
	return ((const struct ch_clock_fake *)ctx)->mono;
}

struct ch_clock
ch_clock_of_fake(struct ch_clock_fake *f)
{
	return (struct ch_clock){fake_wall, fake_mono, f};
}

void
ch_clock_fake_advance(struct ch_clock_fake *f, int64_t us)
{
	f->wall.us += us;
	f->mono.ns += us * 1000;
}

int64_t
ch_mono_ms_since(struct ch_mono now, struct ch_mono then)
{
	return (now.ns - then.ns) / 1000000;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0 ? 1 : 0);
}

static int64_t
days_of_date(struct date d)
{
	int64_t year = d.month <= 2 ? d.year - 1 : d.year;
	int64_t era = floor_div(year, 400);
	int64_t year_of_era = year - era * 400;
	int64_t month = d.month > 2 ? d.month - 3 : d.month + 9;
	int64_t day_of_year = (153 * month + 2) / 5 + d.day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 -
		year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

static struct date
date_of_days(int64_t days)
{
	int64_t shifted = days + 719468;
	int64_t era = floor_div(shifted, 146097);
	int64_t doe = shifted - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t month = (5 * doy + 2) / 153; /* 0 is March */
	struct date d;

	d.day = (int)(doy - (153 * month + 2) / 5 + 1);
	d.month = (int)(month < 10 ? month + 3 : month - 9);
	d.year = yoe + era * 400 + (d.month <= 2 ? 1 : 0);
	return d;
}

/* Writes v with exactly n digits. */
static void
put_digits(char *out, int n, int64_t v)
{
	while (n > 0) {
		out[--n] = (char)('0' + v % 10);
		v /= 10;
	}
}

size_t
ch_time_format(struct ch_time t, char out[CH_TIME_TEXT_MAX])
{
	static const char shape[CH_TIME_TEXT_MAX] =
		"0000-00-00T00:00:00.000000Z";
	int64_t days;
	int64_t us;
	struct date d;

	if (t.us < YEAR_0_US)
		t.us = YEAR_0_US;
	if (t.us >= YEAR_10000_US)
		t.us = YEAR_10000_US - 1;
	days = ch_time_day(t);
	us = t.us - days * CH_US_PER_DAY;
	d = date_of_days(days);
	memcpy(out, shape, sizeof(shape));
	put_digits(out, 4, d.year);
	put_digits(out + 5, 2, d.month);
	put_digits(out + 8, 2, d.day);
	put_digits(out + 11, 2, us / (3600 * US_PER_SECOND));
	put_digits(out + 14, 2, us / (60 * US_PER_SECOND) % 60);
	put_digits(out + 17, 2, us / US_PER_SECOND % 60);
	put_digits(out + 20, 6, us % US_PER_SECOND);
	return sizeof(shape) - 1;
}

/* Reads exactly n digits; false when one is none or *value is outside. */
static bool
take_digits(const char *p, int n, int min, int max, int *value)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (p[i] - '0');
	}
	*value = v;
	return v >= min && v <= max;
}

static int
days_in_month(int year, int month)
{
	static const int days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool
take_date(const char *p, int64_t *days)
{
	int year;
	int month;
	int day;

	if (p[4] != '-' || p[7] != '-' ||
		!take_digits(p, 4, 1970, 9999, &year) ||
		!take_digits(p + 5, 2, 1, 12, &month) ||
		!take_digits(p + 8, 2, 1, days_in_month(year, month), &day))
		return false;
	*days = days_of_date((struct date){year, month, day});
	return true;
}

static bool
take_time(const char *p, int64_t *seconds)
{
	int hour;
	int minute;
	int second;

	if (p[2] != ':' || p[5] != ':' || !take_digits(p, 2, 0, 23, &hour) ||
		!take_digits(p + 3, 2, 0, 59, &minute) ||
		!take_digits(p + 6, 2, 0, 59, &second))
		return false;
	*seconds = (int64_t)hour * 3600 + (int64_t)minute * 60 + second;
	return true;
}

/* "" or '.' and 1 to 6 digits, as microseconds. */
static bool
take_fraction(struct ch_view text, int64_t *us)
{
	int value;

	*us = 0;
	if (text.len == 0)
		return true;
	if (text.len < 2 || text.len > 7 || text.ptr[0] != '.' ||
		!take_digits(text.ptr + 1, (int)text.len - 1, 0, 999999,
			&value))
		return false;
	for (size_t n = text.len - 1; n < 6; n++)
		value *= 10;
	*us = value;
	return true;
}

bool
ch_time_parse(struct ch_view text, struct ch_time *out)
{
	const size_t whole = sizeof("2026-11-21T09:41:02") - 1;
	int64_t days;
	int64_t seconds;
	int64_t us;

	if (text.len < whole + 1 || text.ptr[10] != 'T' ||
		text.ptr[text.len - 1] != 'Z')
		return false;
	if (!take_date(text.ptr, &days) ||
		!take_time(text.ptr + 11, &seconds) ||
		!take_fraction((struct ch_view){text.ptr + whole,
				       text.len - whole - 1},
			&us))
		return false;
	out->us = days * CH_US_PER_DAY + seconds * US_PER_SECOND + us;
	return true;
}

int64_t
ch_time_day(struct ch_time t)
{
	return floor_div(t.us, CH_US_PER_DAY);
}

int64_t
ch_time_to_pg(struct ch_time t)
{
	int64_t pg;

	if (t.us == INT64_MAX)
		return INT64_MAX;
	return __builtin_sub_overflow(t.us, PG_EPOCH_US, &pg) ? INT64_MIN : pg;
}

struct ch_time
ch_time_from_pg(int64_t pg_us)
{
	struct ch_time t;

	if (pg_us == INT64_MIN)
		t.us = INT64_MIN;
	else if (__builtin_add_overflow(pg_us, PG_EPOCH_US, &t.us))
		t.us = INT64_MAX;
	return t;
}
