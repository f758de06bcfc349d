/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole transfers to and from a file, as struct dev and overlay_io promise them: 0 or -errno. */
#ifndef PLATTER_FILEIO_H
#define PLATTER_FILEIO_H

#include <stddef.h>
#include <stdint.h>

/* -EIO when the file ends before: zeros would be silent damage. */
int fileio_pread(int fd, void *buf, size_t len, uint64_t off);

int fileio_pwrite(int fd, const void *buf, size_t len, uint64_t off);

/* fallocate(2). */
int fileio_allocate(int fd, int mode, uint64_t off, uint64_t len);

/* Make a range read as zeros: by a hole, or where there can be none by writing. */
int fileio_zero(int fd, uint64_t off, uint64_t len);

#endif
