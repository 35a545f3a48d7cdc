/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failpoint: see the header. The rules' file is looked at (stat) on every hit:
 * slow on purpose, test builds only. A file that cannot be read means that no
 * point acts. Invariant: what acts is in the log file before it acts.
 */
#include "failpoint.h"

#ifdef CH_FAILPOINTS

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "str.h"

#define NAME_MAX_LEN 64
#define POINTS_MAX 128
#define FILE_MAX 16384

struct rule {
	char name[NAME_MAX_LEN];
	char action[16];
	int64_t arg;
	int64_t nth; /* 0: each hit */
};

struct hit_count {
	char name[NAME_MAX_LEN];
	int64_t hits;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rule rules[POINTS_MAX];
static size_t rule_count;
static struct hit_count counts[POINTS_MAX];
static size_t count_count;
static struct timespec read_at;
static off_t read_size = -1;

/* "name=action[:arg][@nth]"; false when the line is none. */
static bool
parse_rule(struct ch_view line, struct rule *r)
{
	struct ch_view name, action, number;

	memset(r, 0, sizeof(*r));
	line = ch_view_trim(line);
	if (line.len == 0 || line.ptr[0] == '#' ||
		!ch_view_split(&line, '=', &name))
		return false;
	(void)ch_view_split(&line, '@', &action);
	number = line;
	if (number.len > 0 && ch_view_int(number, 1, INT64_MAX, &r->nth) != 0)
		return false;
	line = action;
	(void)ch_view_split(&line, ':', &action);
	if (line.len > 0 && ch_view_int(line, 0, 3600000, &r->arg) != 0)
		return false;
	return ch_view_copy(name, r->name, sizeof(r->name)) == 0 &&
		ch_view_copy(action, r->action, sizeof(r->action)) == 0;
}

static void
read_rules(const char *path)
{
	char text[FILE_MAX];
	struct ch_view rest, line;
	ssize_t n;
	int fd;

	rule_count = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text));
	(void)close(fd);
	rest = (struct ch_view){text, n > 0 ? (size_t)n : 0};
	while (rule_count < POINTS_MAX && ch_view_split(&rest, '\n', &line))
		if (parse_rule(line, &rules[rule_count]))
			rule_count++;
}

static void
refresh(void)
{
	const char *path = getenv("CH_FAILPOINTS_FILE");
	struct stat st;

	if (path == NULL || stat(path, &st) != 0) {
		rule_count = 0;
		read_size = -1;
		return;
	}
	if (st.st_size == read_size && st.st_mtim.tv_sec == read_at.tv_sec &&
		st.st_mtim.tv_nsec == read_at.tv_nsec)
		return;
	read_size = st.st_size;
	read_at = st.st_mtim;
	read_rules(path);
}

static int64_t
count_hit(const char *name)
{
	size_t i;

	for (i = 0; i < count_count; i++)
		if (strcmp(counts[i].name, name) == 0)
			return ++counts[i].hits;
	if (count_count == POINTS_MAX)
		return 0;
	(void)snprintf(counts[count_count].name, NAME_MAX_LEN, "%s", name);
	counts[count_count].hits = 1;
	count_count++;
	return 1;
}

static void
write_log(const struct rule *r)
{
	const char *path = getenv("CH_FAILPOINTS_LOG");
	struct ch_time now = ch_clock_wall(&ch_clock_real);
	char line[160];
	int fd, n;

	if (path == NULL)
		return;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	n = snprintf(line, sizeof(line), "%s %s %ld %lld\n", r->name, r->action,
		(long)getpid(), (long long)now.us);
	if (n > 0 && write(fd, line, (size_t)n) != n)
		(void)fputs("failpoint: short write to the log\n", stderr);
	(void)close(fd);
}

static bool
act(const struct rule *r)
{
	struct timespec t = {r->arg / 1000, (long)(r->arg % 1000) * 1000000};

	write_log(r);
	if (strcmp(r->action, "kill") == 0)
		(void)raise(SIGKILL);
	else if (strcmp(r->action, "stop") == 0)
		(void)kill(getpid(), SIGSTOP); /* all threads */
	else if (strcmp(r->action, "exit") == 0)
		_exit((int)r->arg);
	else if (strcmp(r->action, "sleep") == 0)
		(void)nanosleep(&t, NULL);
	return strcmp(r->action, "err") == 0;
}

bool
ch_failpoint_hit(const char *name)
{
	struct rule hit = {.name = ""};
	int64_t n;
	size_t i;

	(void)pthread_mutex_lock(&lock);
	refresh();
	n = count_hit(name);
	for (i = 0; i < rule_count; i++)
		if (strcmp(rules[i].name, name) == 0 &&
			(rules[i].nth == 0 || rules[i].nth == n)) {
			hit = rules[i];
			break;
		}
	(void)pthread_mutex_unlock(&lock);
	return hit.name[0] != '\0' && act(&hit);
}

#endif
