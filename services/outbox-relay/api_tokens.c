/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_tokens: see api_tokens.h.
 */
#include "api_tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"

#define FILE_MAX 131072
#define TOKEN_MIN 20
#define TOKEN_MAX 256

struct token {
	struct api_bearer bearer;
	struct ch_sha256 digest;
};

struct api_tokens {
	struct token tokens[API_TOKENS_MAX];
	size_t count;
};

static bool
is_name(struct ch_view v)
{
	size_t i;

	if (v.len == 0 || v.len > API_NAME_MAX)
		return false;
	for (i = 0; i < v.len; i++)
		if (v.ptr[i] <= ' ' || v.ptr[i] > '~')
			return false;
	return true;
}

/* NULL, or what is wrong with it. */
static const char *
check_token(struct ch_view v)
{
	size_t i;

	if (v.len < TOKEN_MIN)
		return "the token has fewer than 20 characters, and could be "
		       "guessed; make one with: openssl rand -hex 24";
	if (v.len > TOKEN_MAX)
		return "the token is longer than 256 characters";
	for (i = 0; i < v.len; i++)
		if (v.ptr[i] <= ' ' || v.ptr[i] > '~')
			return "the token has a character that is not printable "
			       "ASCII, or a space; make one with: openssl rand "
			       "-hex 24";
	return NULL;
}

/* Is ":read" behind the token? Takes it away. */
static bool
take_read(struct ch_view *token)
{
	struct ch_view word = CH_VIEW(":read");

	if (token->len < word.len ||
		memcmp(token->ptr + token->len - word.len, word.ptr,
			word.len) != 0)
		return false;
	token->len -= word.len;
	return true;
}

/* NULL, or what is wrong with the line. */
static const char *
add_line(struct api_tokens *t, struct ch_view line)
{
	struct ch_view name = {NULL, 0}, token = line;
	struct token *fresh = &t->tokens[t->count];
	const char *problem;
	bool reads_only;

	if (!ch_view_split(&token, ':', &name) || name.len == line.len)
		return "expected <name>:<token>, or <name>:<token>:read";
	if (!is_name(name))
		return "the name has 1 to 64 printable characters, no space";
	reads_only = take_read(&token);
	problem = check_token(token);
	if (problem != NULL)
		return problem;
	if (t->count == API_TOKENS_MAX)
		return "more than 256 tokens";
	ch_view_copy(name, fresh->bearer.name, sizeof(fresh->bearer.name));
	fresh->bearer.reads_only = reads_only;
	fresh->digest = ch_sha256_of(token);
	if (api_tokens_find(t, token) != NULL)
		return "the token stands in an earlier line: who is it?";
	t->count++;
	return NULL;
}

/* Of the file's text. */
static int
read_text(struct api_tokens **out, struct ch_view text, const char *path,
	struct ch_err *err)
{
	struct api_tokens *t = ch_xcalloc(1, sizeof(*t));
	const char *problem = NULL;
	struct ch_view line;
	size_t number = 0;

	while (problem == NULL && ch_view_split(&text, '\n', &line)) {
		number++;
		line = ch_view_trim(line);
		if (line.len > 0 && line.ptr[0] != '#')
			problem = add_line(t, line);
	}
	if (problem == NULL && t->count == 0)
		problem = "no token is in it";
	if (problem == NULL) {
		*out = t;
		return CH_OK;
	}
	api_tokens_free(t);
	return ch_err_set(err, CH_ECONFIG, "%s, line %zu: %s", path, number,
		problem);
}

static int
read_fd(int fd, const char *path, struct ch_buf *out, struct ch_err *err)
{
	struct stat st;
	char block[4096];
	ssize_t n;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return ch_err_set(err, CH_ECONFIG, "%s is no regular file",
			path);
	if ((st.st_mode & (S_IRWXG | S_IRWXO | S_IXUSR)) != 0)
		return ch_err_set(err, CH_ECONFIG,
			"%s has mode %04o: others may read the tokens; "
			"chmod 600 %s",
			path, (unsigned)(st.st_mode & 07777), path);
	while ((n = read(fd, block, sizeof(block))) > 0 &&
		out->len + (size_t)n <= FILE_MAX)
		ch_buf_add(out, block, (size_t)n);
	if (n < 0)
		return ch_err_set(err, CH_ECONFIG, "%s cannot be read: %m",
			path);
	if (n > 0)
		return ch_err_set(err, CH_ECONFIG, "%s is over %d bytes", path,
			FILE_MAX);
	return CH_OK;
}

int
api_tokens_read(struct api_tokens **out, const char *path, struct ch_err *err)
{
	struct ch_buf text = CH_BUF_INIT;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int rc;

	*out = NULL;
	if (fd < 0)
		return ch_err_set(err, CH_ECONFIG, "%s cannot be opened: %m",
			path);
	rc = read_fd(fd, path, &text, err);
	(void)close(fd);
	if (rc == CH_OK)
		rc = read_text(out, ch_buf_view(&text), path, err);
	if (text.len > 0)
		explicit_bzero(text.ptr, text.len);
	ch_buf_free(&text);
	return rc;
}

void
api_tokens_free(struct api_tokens *t)
{
	free(t);
}

const struct api_bearer *
api_tokens_find(const struct api_tokens *t, struct ch_view token)
{
	struct ch_sha256 digest = ch_sha256_of(token);
	const struct api_bearer *found = NULL;
	size_t i;

	for (i = 0; i < t->count; i++)
		if (ch_digest_eq(&digest, &t->tokens[i].digest, sizeof(digest)))
			found = &t->tokens[i].bearer;
	return found;
}
