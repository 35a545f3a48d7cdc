/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walletfile: see walletfile.h.
 *
 * The whole file is read before any of it is looked at, so a set is never half
 * of one. (A writer should put a new file in place by rename.)
 */
#include "walletfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"

#define READ_STEP 65536

static int
read_all(int fd, struct ch_buf *out, struct ch_err *err)
{
	ssize_t n;

	do {
		ch_buf_reserve(out, READ_STEP);
		n = read(fd, out->ptr + out->len, READ_STEP);
		if (n < 0 && errno != EINTR)
			return ch_err_errno(err, errno, "read");
		if (n > 0)
			out->len += (size_t)n;
		if (out->len > WALLETFILE_MAX)
			return ch_err_set(err, CH_ERANGE,
				"it is larger than %u bytes", WALLETFILE_MAX);
	} while (n != 0);
	return 0;
}

static int
open_file(const char *path, int *fd, struct ch_err *err)
{
	struct stat st;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0)
		return ch_err_errno(err, errno, "open");
	if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode))
		return 0;
	(void)close(*fd);
	return ch_err_set(err, CH_EINVAL, "it is no regular file");
}

static int
read_set(struct walletset **out, const char *path, struct ch_err *err)
{
	struct ch_buf text = CH_BUF_INIT;
	uint64_t seed;
	int fd;
	int rc = open_file(path, &fd, err);

	if (rc != 0)
		return rc;
	ch_rng_secure(&seed, sizeof(seed));
	rc = read_all(fd, &text, err);
	if (rc == 0)
		rc = walletset_parse(out, ch_buf_view(&text), seed, err);
	(void)close(fd);
	ch_buf_free(&text);
	return rc;
}

int
walletfile_read(struct walletset **out, const char *path, struct ch_err *err)
{
	if (path[0] == '\0') {
		*out = NULL;
		return 0;
	}
	if (read_set(out, path, err) == 0)
		return 0;
	(void)ch_err_wrap(err, "wallets file %s", path);
	if (err != NULL)
		err->code = CH_ECONFIG;
	return CH_ECONFIG;
}
