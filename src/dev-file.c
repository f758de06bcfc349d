/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A regular file or block device as a read-only device. There is no other way to an image's
 * bytes, and the descriptor is O_RDONLY: nothing above can modify an original.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dev.h"
#include "fileio.h"
#include "ondisk.h"

struct dev_file {
	struct dev dev;
	int fd;
	uint32_t sector; /* 0 for a regular file */
	uint64_t room;
};

static int file_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	return fileio_pread(((struct dev_file *)dev)->fd, buf, len, off);
}

static int file_extent(struct dev *dev, uint64_t off, struct dev_extent *ext)
{
	struct dev_file *f = (struct dev_file *)dev;
	off_t data, hole;

	/* The descriptor's file position is nobody's: all reads are preads. */
	data = lseek(f->fd, (off_t)off, SEEK_DATA);
	if (data < 0 && errno == ENXIO) {
		/* No more data, or the file was cut before off: only the former is a hole. */
		if (lseek(f->fd, 0, SEEK_END) < (off_t)dev->size)
			return -EIO;
		*ext = (struct dev_extent){.length = dev->size - off, .hole = true};
		return 0;
	}
	if (data < 0) /* SEEK_DATA is not supported: all data, which is true of any file */
		return 0;
	if ((uint64_t)data > off) {
		*ext = (struct dev_extent){.length = (uint64_t)data - off, .hole = true};
		return 0;
	}
	hole = lseek(f->fd, (off_t)off, SEEK_HOLE);
	if (hole > (off_t)off)
		ext->length = (uint64_t)hole - off;
	return 0;
}

static uint64_t file_room(struct dev *dev)
{
	return ((struct dev_file *)dev)->room;
}

static void file_close(struct dev *dev)
{
	struct dev_file *f = (struct dev_file *)dev;

	close(f->fd);
	free(f);
}

static const struct dev_ops file_ops = {
	.pread = file_pread,
	.extent = file_extent,
	.room = file_room,
	.close = file_close,
};

/* Size, sector and room of what fd is open on. */
static int file_measure(int fd, struct dev_file *f, uint64_t *size, struct platter_error *err)
{
	struct stat st;
	int sector = 0;

	if (fstat(fd, &st) < 0)
		return err_set(err, errno, "%s", strerror(errno));
	if (S_ISBLK(st.st_mode)) {
		if (ioctl(fd, BLKGETSIZE64, size) < 0 || ioctl(fd, BLKSSZGET, &sector) < 0)
			return err_set(err, errno, "size of the block device: %s", strerror(errno));
		f->sector = (uint32_t)sector;
		f->room = *size;
	} else if (S_ISREG(st.st_mode)) {
		*size = (uint64_t)st.st_size;
		f->room = (uint64_t)st.st_blocks * 512;
	} else {
		return err_set(err, S_ISDIR(st.st_mode) ? EISDIR : EINVAL,
		               "a %s, expected a regular file or a block device",
		               S_ISDIR(st.st_mode)    ? "directory"
		               : S_ISCHR(st.st_mode)  ? "character device"
		               : S_ISFIFO(st.st_mode) ? "FIFO"
		                                      : "special file");
	}
	if (*size > DEV_SIZE_MAX)
		return err_set(err, EFBIG, "%llu bytes, at most %llu", (unsigned long long)*size,
		               (unsigned long long)DEV_SIZE_MAX);
	return 0;
}

/* O_NONBLOCK: opening a FIFO must not hang; it changes nothing for files and disks. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

/* Takes over fd. */
static int wrap(int fd, struct dev **out, struct platter_error *err)
{
	struct dev_file *f = calloc(1, sizeof *f);
	uint64_t size;
	int r = f ? file_measure(fd, f, &size, err) : err_set(err, ENOMEM, "no memory");

	if (r) {
		free(f);
		close(fd);
		return r;
	}
	f->fd = fd;
	dev_init(&f->dev, &file_ops, size);
	*out = &f->dev;
	return 0;
}

int dev_file_open(const char *path, struct dev **out, struct platter_error *err)
{
	int fd = open(path, OPEN_FLAGS);

	*out = NULL;
	return fd < 0 ? err_set(err, errno, "%s", strerror(errno)) : wrap(fd, out, err);
}

int dev_file_open_at(int dirfd, const char *name, struct dev **out, struct platter_error *err)
{
	struct stat st;
	int fd;

	*out = NULL;
	/* Opening a device may do something to it. Between this look and the open somebody may put
	 * one there, but then it was not the image that named it. */
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(err, errno, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, EPERM, "a %s, expected a regular file",
		               S_ISLNK(st.st_mode)   ? "symbolic link"
		               : S_ISDIR(st.st_mode) ? "directory"
		                                     : "special file");
	fd = openat(dirfd, name, OPEN_FLAGS | O_NOFOLLOW);
	return fd < 0 ? err_set(err, errno, "%s", strerror(errno)) : wrap(fd, out, err);
}

int dev_file_fd(const struct dev *dev)
{
	return dev->ops == &file_ops ? ((const struct dev_file *)dev)->fd : -1;
}

uint32_t dev_file_sector(const struct dev *dev)
{
	return dev->ops == &file_ops ? ((const struct dev_file *)dev)->sector : 0;
}
