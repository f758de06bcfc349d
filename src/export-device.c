/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block device that a disk is written back onto, which must be nothing that the disk itself is
 * read from: not the device under the image or an overlay's image, nor a part of it or the whole of
 * it, and no loop device over one of the files.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "export.h"

/* The device's folder in sysfs: that of a partition lies in that of its disk. */
static char *sysfs_of(const struct stat *st)
{
	char link[64];

	snprintf(link, sizeof link, "/sys/dev/block/%u:%u", major(st->st_rdev), minor(st->st_rdev));
	return realpath(link, NULL);
}

static bool lies_in(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Whether two devices are one disk, or parts of one that hold each other. */
static bool same_disk(const struct stat *a, const struct stat *b)
{
	char *one = sysfs_of(a), *other = sysfs_of(b);
	bool same = a->st_rdev == b->st_rdev ||
	            (one && other && (lies_in(one, other) || lies_in(other, one)));

	free(one);
	free(other);
	return same;
}

/* Whether a file that is read is the device, or what the device is a loop device over. */
static bool is_under(const struct stat *file, const struct stat *device,
                     const struct loop_info64 *loop)
{
	if (S_ISBLK(file->st_mode))
		return same_disk(file, device);
	return loop && file->st_dev == loop->lo_device && file->st_ino == loop->lo_inode;
}

static int refuse_own(struct export_job *x, const struct stat *device)
{
	struct loop_info64 info, *loop = ioctl(x->fd, LOOP_GET_STATUS64, &info) == 0 ? &info : NULL;
	const struct platter *p = x->p;
	struct stat st;

	for (size_t i = 0; i < image_file_count(p->container); i++)
		if (fstat(dev_file_fd(image_file(p->container, i)), &st) == 0 &&
		    is_under(&st, device, loop))
			return err_set(x->err, EBUSY, "%s: is the same disk as %s", x->dst, x->src);
	if (p->overlay_path && stat(p->overlay_path, &st) == 0 && is_under(&st, device, loop))
		return err_set(x->err, EBUSY, "%s: is the same disk as %s", x->dst,
		               p->overlay_path);
	return 0;
}

static int check(struct export_job *x, uint64_t *size)
{
	off_t end = lseek(x->fd, 0, SEEK_END);
	struct stat st;

	if (fstat(x->fd, &st) < 0 || end < 0)
		return err_set(x->err, errno, "%s: %s", x->dst, strerror(errno));
	if (!S_ISBLK(st.st_mode))
		return err_set(x->err, ENOTBLK, "%s: is not a block device", x->dst);
	*size = (uint64_t)end;
	if (*size < x->from->size)
		return err_set(x->err, ENOSPC, "%s: a device of %llu bytes, the disk has %llu",
		               x->dst, (unsigned long long)*size,
		               (unsigned long long)x->from->size);
	return refuse_own(x, &st);
}

int export_open_device(struct export_job *x, uint64_t *size)
{
	int r;

	/* One that is mounted, or part of something that is in use, says EBUSY. */
	x->fd = open(x->dst, O_RDWR | O_EXCL | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (x->fd < 0)
		return err_set(x->err, errno, "%s: %s", x->dst,
		               errno == EBUSY ? "is mounted or otherwise in use" : strerror(errno));
	r = check(x, size);
	if (r)
		close(x->fd);
	else if (*size > x->from->size)
		export_note(x, "%s: the last %llu bytes of the device are left as they are", x->dst,
		            (unsigned long long)(*size - x->from->size));
	return r;
}
