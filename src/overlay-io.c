/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "overlay-io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fileio.h"

struct io_file {
	struct overlay_io io;
	int fd;
	int witness; /* the same file, opened apart: it is told every error, too */
};

static int fd_of(struct overlay_io *io)
{
	return ((struct io_file *)io)->fd;
}

static int file_pread(struct overlay_io *io, void *buf, size_t len, uint64_t off)
{
	return fileio_pread(fd_of(io), buf, len, off);
}

/* A quota or a limit on file sizes (SIGXFSZ is ignored) that is reached is a full disk as well. */
static int full(int r)
{
	return r == -EFBIG || r == -EDQUOT ? -ENOSPC : r;
}

static int file_pwrite(struct overlay_io *io, const void *buf, size_t len, uint64_t off)
{
	return full(fileio_pwrite(fd_of(io), buf, len, off));
}

static int file_punch(struct overlay_io *io, uint64_t off, uint64_t len)
{
	return full(fileio_zero(fd_of(io), off, len));
}

static int file_reserve(struct overlay_io *io, uint64_t off, uint64_t len)
{
	return full(fileio_allocate(fd_of(io), 0, off, len));
}

static int file_sync(struct overlay_io *io)
{
	return fdatasync(fd_of(io)) < 0 ? -errno : 0;
}

static int file_sync_anew(struct overlay_io *io)
{
	int fd = ((struct io_file *)io)->witness;

	return fd >= 0 && fdatasync(fd) < 0 ? -errno : 0;
}

static int file_extent(struct overlay_io *io, uint64_t off, struct dev_extent *ext)
{
	off_t data = lseek(fd_of(io), (off_t)off, SEEK_DATA), hole;

	if (data < 0 && errno == ENXIO) {
		*ext = (struct dev_extent){.length = DEV_SIZE_MAX - off, .hole = true};
		return 0;
	}
	if (data > (off_t)off) {
		*ext = (struct dev_extent){.length = (uint64_t)data - off, .hole = true};
		return 0;
	}
	hole = data < 0 ? -1 : lseek(fd_of(io), (off_t)off, SEEK_HOLE);
	/* Where the filesystem cannot tell, all is data. */
	*ext = (struct dev_extent){.length = (hole > (off_t)off ? (uint64_t)hole : DEV_SIZE_MAX) -
	                                     off};
	return 0;
}

static uint64_t file_room(struct overlay_io *io)
{
	struct stat st;

	return fstat(fd_of(io), &st) < 0 ? 0 : (uint64_t)st.st_blocks * 512;
}

static void file_close(struct overlay_io *io)
{
	struct io_file *f = (struct io_file *)io;

	if (f->witness >= 0)
		close(f->witness);
	close(f->fd);
	free(f);
}

static const struct overlay_io_ops file_ops = {
	.pread = file_pread,
	.pwrite = file_pwrite,
	.punch = file_punch,
	.reserve = file_reserve,
	.sync = file_sync,
	.sync_anew = file_sync_anew,
	.extent = file_extent,
	.room = file_room,
	.close = file_close,
};

static const struct overlay_io_ops ram_ops = {
	.pread = file_pread,
	.pwrite = file_pwrite,
	.punch = file_punch,
	.reserve = file_reserve,
	.extent = file_extent,
	.room = file_room,
	.close = file_close,
};

static int io_new(int fd, const struct overlay_io_ops *ops, struct overlay_io **out)
{
	struct io_file *f = malloc(sizeof *f);

	*out = NULL;
	if (!f)
		return -ENOMEM;
	f->io.ops = ops;
	f->fd = fd;
	f->witness = -1;
	*out = &f->io;
	return 0;
}

int overlay_io_file(int fd, struct overlay_io **out)
{
	char path[64];
	int r = io_new(fd, &file_ops, out);

	if (r)
		return r;
	if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return 0;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	((struct io_file *)*out)->witness = open(path, O_RDWR | O_CLOEXEC);
	return 0;
}

int overlay_io_ram(uint64_t size, struct overlay_io **out, struct platter_error *err)
{
	int fd = memfd_create("platter-overlay", MFD_CLOEXEC), r;

	*out = NULL;
	if (fd < 0)
		return err_set(err, errno, "memory for the overlay: %s", strerror(errno));
	r = ftruncate(fd, (off_t)size) < 0 ? -errno : io_new(fd, &ram_ops, out);
	if (r) {
		close(fd);
		return err_set(err, -r, "memory for the overlay: %s", strerror(-r));
	}
	return 0;
}
