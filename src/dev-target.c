/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file or block device that is written: what `export` makes, and the image that `commit` changes.
 * Nothing that is mounted is ever opened this way.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "dev.h"
#include "ondisk.h"

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
	char *p = buf;

	while (len) {
		ssize_t n = pread(fd_of(dev), p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int target_pwrite(struct dev *dev, const void *buf, size_t len, uint64_t off)
{
	const char *p = buf;

	while (len) {
		ssize_t n = pwrite(fd_of(dev), p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int target_zero(struct dev *dev, uint64_t off, uint64_t len)
{
	static const char zeros[65536];
	int r = 0;

	if (fallocate(fd_of(dev), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
	              (off_t)len) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENODEV && errno != EINVAL)
		return -errno;
	for (; len && !r;) {
		size_t n = (size_t)min64(len, sizeof zeros);

		r = target_pwrite(dev, zeros, n, off);
		off += n;
		len -= n;
	}
	return r;
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
