/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip_file: see gzip_file.h.
 */
#include "gzip_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <zlib.h>

#include "base/mem.h"

#define CHUNK 65536
#define GZIP_BITS (15 + 16)
#define LEVEL 6

struct gzip_file {
	int dir_fd;
	int fd;
	char *name; /* in dir */
	char *part; /* what it is called meanwhile; NULL: published */
	struct ch_sha256_run *digest;
	int64_t length;
	z_stream z;
	bool deflating;
	unsigned char out[CHUNK];
};

static int
fail(const struct gzip_file *f, const char *doing, struct ch_err *err)
{
	return ch_err_errno(err, errno, "%s %s", doing,
		f->part != NULL ? f->part : f->name);
}

struct gzip_file *
gzip_file_open(const char *dir, const char *name, struct ch_err *err)
{
	struct gzip_file *f = ch_xcalloc(1, sizeof(*f));
	struct ch_buf part = CH_BUF_INIT;

	ch_buf_printf(&part, ".%s.%ld.part", name, (long)getpid());
	f->name = ch_xstrdup(name);
	f->part = ch_xstrdup(ch_buf_str(&part));
	ch_buf_free(&part);
	f->digest = ch_sha256_begin();
	f->fd = -1;
	f->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0) {
		(void)ch_err_errno(err, errno, "directory %s", dir);
		gzip_file_close(f);
		return NULL;
	}
	f->fd = openat(f->dir_fd, f->part,
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (f->fd < 0) {
		(void)fail(f, "create", err);
		gzip_file_close(f);
		return NULL;
	}
	f->deflating = deflateInit2(&f->z, LEVEL, Z_DEFLATED, GZIP_BITS, 8,
			       Z_DEFAULT_STRATEGY) == Z_OK;
	if (f->deflating)
		return f;
	(void)ch_err_set(err, CH_EIO, "zlib: %s",
		f->z.msg != NULL ? f->z.msg : "no memory");
	gzip_file_close(f);
	return NULL;
}

static int
put(struct gzip_file *f, const unsigned char *p, size_t n, struct ch_err *err)
{
	ch_sha256_add(f->digest, p, n);
	f->length += (int64_t)n;
	while (n > 0) {
		ssize_t done = write(f->fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return fail(f, "write", err);
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* Until all input is taken; with Z_FINISH until the end is written. */
static int
pump(struct gzip_file *f, int flush, struct ch_err *err)
{
	int rc = 0;
	int state = Z_OK;

	do {
		f->z.next_out = f->out;
		f->z.avail_out = sizeof(f->out);
		state = deflate(&f->z, flush);
		if (state == Z_STREAM_ERROR)
			return ch_err_set(err, CH_EIO, "zlib: stream error");
		rc = put(f, f->out, sizeof(f->out) - f->z.avail_out, err);
	} while (rc == 0 &&
		(f->z.avail_out == 0 ||
			(flush == Z_FINISH && state != Z_STREAM_END)));
	return rc;
}

int
gzip_file_add(struct gzip_file *f, struct ch_view bytes, struct ch_err *err)
{
	f->z.next_in = (z_const unsigned char *)(uintptr_t)bytes.ptr;
	f->z.avail_in = (unsigned)bytes.len;
	return pump(f, Z_NO_FLUSH, err);
}

int
gzip_file_sync(struct gzip_file *f, struct ch_sha256 *digest, int64_t *length,
	struct ch_err *err)
{
	int rc = pump(f, Z_FINISH, err);

	if (rc == 0 && fsync(f->fd) != 0)
		rc = fail(f, "fsync", err);
	*digest = ch_sha256_end(f->digest);
	f->digest = NULL;
	*length = f->length;
	return rc;
}

/* link() and not rename(): it never replaces what is there. */
int
gzip_file_publish(struct gzip_file *f, struct ch_err *err)
{
	if (linkat(f->dir_fd, f->part, f->dir_fd, f->name, 0) != 0) {
		if (errno == EEXIST)
			return ch_err_set(err, CH_EEXIST, "%s is there already",
				f->name);
		return fail(f, "link", err);
	}
	(void)unlinkat(f->dir_fd, f->part, 0);
	free(f->part);
	f->part = NULL;
	return fsync(f->dir_fd) == 0 ? 0 : fail(f, "fsync directory of", err);
}

void
gzip_file_close(struct gzip_file *f)
{
	if (f == NULL)
		return;
	if (f->deflating)
		(void)deflateEnd(&f->z);
	if (f->fd >= 0)
		(void)close(f->fd);
	if (f->fd >= 0 && f->part != NULL)
		(void)unlinkat(f->dir_fd, f->part, 0);
	if (f->dir_fd >= 0)
		(void)close(f->dir_fd);
	if (f->digest != NULL)
		(void)ch_sha256_end(f->digest);
	free(f->name);
	free(f->part);
	free(f);
}

int
gzip_file_digest(const char *path, struct ch_sha256 *digest, struct ch_err *err)
{
	FILE *file = fopen(path, "rbe");
	char bytes[8192];
	size_t n;

	if (file == NULL && errno == ENOENT)
		return ch_err_set(err, CH_ENOTFOUND, "there is no %s", path);
	if (file == NULL)
		return ch_err_errno(err, errno, "%s", path);
	struct ch_sha256_run *run = ch_sha256_begin();
	while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
		ch_sha256_add(run, bytes, n);
	*digest = ch_sha256_end(run);
	int rc = ferror(file) != 0 ? ch_err_errno(err, errno, "%s", path) : 0;
	(void)fclose(file);
	return rc;
}

int
gzip_file_read(const char *path,
	int (*take)(void *ctx, struct ch_view bytes, struct ch_err *err),
	void *ctx, struct ch_err *err)
{
	gzFile file = gzopen(path, "rbe");
	char *bytes = ch_xmalloc(CHUNK);
	int rc = 0;
	int n = 0;

	if (file == NULL)
		rc = ch_err_errno(err, errno, "%s", path);
	while (rc == 0 && (n = gzread(file, bytes, CHUNK)) > 0)
		rc = take(ctx, (struct ch_view){bytes, (size_t)n}, err);
	if (rc == 0 && (n < 0 || gzeof(file) == 0))
		rc = ch_err_set(err, CH_EIO, "%s: %s", path, gzerror(file, &n));
	if (file != NULL && gzclose(file) != Z_OK && rc == 0)
		rc = ch_err_set(err, CH_EIO, "%s: it is cut short", path);
	free(bytes);
	return rc;
}
