/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An overlay in memory becomes one in a file. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"

int platter_keep_pause(struct platter *p, struct platter_error *err)
{
	if (p->blank)
		return err_set(err, ENOTSUP,
		               "is a disk in memory without an image to keep an overlay of; "
		               "platter convert makes its node a file");
	if (!p->overlay || overlay_pause(p->overlay) != 0)
		return err_set(err, EINVAL, "has no overlay in memory");
	return 0;
}

void platter_keep_resume(struct platter *p)
{
	overlay_resume(p->overlay);
}

static int lock(int fd, struct platter_error *err)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &l) < 0
	               ? err_set(err, errno, "cannot be locked: %s", strerror(errno))
	               : 0;
}

int platter_keep_write(struct platter *p, int fd, struct platter_error *err)
{
	struct overlay *from = p->overlay;
	struct ovl_header h;
	int r = ovl_header_init(&h, p->image->size, err);

	if (!r)
		r = lock(fd, err);
	if (r)
		return r;
	h.base = overlay_header(from)->base;
	ovl_header_set_hint(&h, p->path);
	return overlay_copy_to_file(from, overlay_dev(from), fd, &h, p->image, NULL, err);
}

/* An io over a descriptor of its own for the same open file, on which the lock is. */
static int open_io(int fd, struct overlay_io **io, struct platter_error *err)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int r = own < 0 ? -errno : overlay_io_file(own, io);

	if (r && own >= 0)
		close(own);
	return r ? err_set(err, -r, "%s", strerror(-r)) : 0;
}

int platter_keep_switch(struct platter *p, int fd, const char *path, struct platter_error *err)
{
	char *copy = strdup(path);
	struct overlay_io *io;
	struct ovl_header h;
	int slot, r = copy ? open_io(fd, &io, err) : err_set(err, ENOMEM, "no memory");

	if (!r) {
		r = ovl_header_read(io, false, &h, &slot, err);
		if (r)
			io->ops->close(io);
	}
	if (!r && (r = overlay_adopt(p->overlay, io, &h, slot)) != 0)
		err_set(err, -r, "%s", strerror(-r));
	if (r) {
		free(copy);
		return r;
	}
	free(p->overlay_path);
	p->overlay_path = copy;
	return 0;
}
