/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filesystems that can be asked what they do not use; used.c asks them. */
#ifndef PLATTER_USED_FS_H
#define PLATTER_USED_FS_H

#include "dev.h"
#include "err.h"

/* Units that one answer takes together at most: more would be gone through too often. */
#define STRETCH_MAX 65536

struct used_fs {
	/* Look at the filesystem on part, which outlives it. 0, or -errno and in err why its marks
	 * are not to be relied on. */
	int (*open)(struct dev *part, void **self, struct platter_error *err);

	/*
	 * The first free stretch of part that ends after off: it may begin before, and may be
	 * followed by another without a gap. -ENXIO: there is none; otherwise -errno and in err why
	 * the marks from here on are not to be relied on. One thread at a time.
	 */
	int (*next)(void *self, uint64_t off, uint64_t *begin, uint64_t *end,
	            struct platter_error *err);
	void (*close)(void *self);
};

extern const struct used_fs used_ext, used_fat, used_ntfs;

#endif
