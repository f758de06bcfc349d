/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file or block device that is written: what `export` makes, and the image that `commit` changes.
 * Nothing that is mounted is ever opened this way.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "dev.h"
#include "fileio.h"

struct target {
	struct dev dev;
	int fd;
};

static int fd_of(struct dev *dev)
{
	return ((struct target *)dev)->fd;
}

static int target_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	return fileio_pread(fd_of(dev), buf, len, off);
}

static int target_pwrite(struct dev *dev, const void *buf, size_t len, uint64_t off)
{
	return fileio_pwrite(fd_of(dev), buf, len, off);
}

static int target_zero(struct dev *dev, uint64_t off, uint64_t len)
{
	return fileio_zero(fd_of(dev), off, len);
}

static int target_flush(struct dev *dev)
{
	return fsync(fd_of(dev)) < 0 ? -errno : 0;
}

static void target_close(struct dev *dev)
{
	free(dev);
}

static const struct dev_ops target_ops = {
	.pread = target_pread,
	.pwrite = target_pwrite,
	.zero = target_zero,
	.flush = target_flush,
	.close = target_close,
};

int dev_target(int fd, uint64_t size, struct dev **out)
{
	struct target *t = calloc(1, sizeof *t);

	*out = NULL;
	if (!t)
		return -ENOMEM;
	t->fd = fd;
	dev_init(&t->dev, &target_ops, size);
	*out = &t->dev;
	return 0;
}
