/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip_file: a gzipped file that appears whole or not at all, with the SHA-256
 * of its bytes.
 *
 * It is written beside its place as .<name>.part; gzip_file_sync() makes it
 * durable, gzip_file_publish() gives it its name, never over a file that is
 * there. No time stands in it, so that equal contents give equal bytes.
 *
 * Thread: belongs to one thread.
 */
#ifndef LEDGER_GZIP_FILE_H
#define LEDGER_GZIP_FILE_H

#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"

struct gzip_file;

/* dir must be there. NULL with err set. */
struct gzip_file *gzip_file_open(const char *dir, const char *name,
	struct ch_err *err);
int gzip_file_add(struct gzip_file *f, struct ch_view bytes,
	struct ch_err *err);
/* Ends the file and makes it durable; its digest and length. */
int gzip_file_sync(struct gzip_file *f, struct ch_sha256 *digest,
	int64_t *length, struct ch_err *err);
/* After gzip_file_sync(). CH_EEXIST: there is a file of that name. */
int gzip_file_publish(struct gzip_file *f, struct ch_err *err);
/* Frees; what was not published is removed. */
void gzip_file_close(struct gzip_file *f);

/* Hands a gzipped file's contents to take, piece by piece; stops at its first
 * code. */
int gzip_file_read(const char *path,
	int (*take)(void *ctx, struct ch_view bytes, struct ch_err *err),
	void *ctx, struct ch_err *err);
/* The digest of a file that is there. CH_ENOTFOUND: there is none. */
int gzip_file_digest(const char *path, struct ch_sha256 *digest,
	struct ch_err *err);

#endif
