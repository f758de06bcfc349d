/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "ondisk.h"

int fileio_pread(int fd, void *buf, size_t len, uint64_t off)
{
	char *p = buf;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)off);

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

int fileio_pwrite(int fd, const void *buf, size_t len, uint64_t off)
{
	const char *p = buf;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)off);

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

int fileio_allocate(int fd, int mode, uint64_t off, uint64_t len)
{
	while (fallocate(fd, mode, (off_t)off, (off_t)len) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int fileio_zero(int fd, uint64_t off, uint64_t len)
{
	static const char zeros[65536];
	int r = fileio_allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len);

	/* What a block device and old filesystems say. */
	if (r != -EOPNOTSUPP && r != -ENODEV && r != -EINVAL)
		return r;
	for (r = 0; len && !r;) {
		size_t n = (size_t)min64(len, sizeof zeros);

		r = fileio_pwrite(fd, zeros, n, off);
		off += n;
		len -= n;
	}
	return r;
}
