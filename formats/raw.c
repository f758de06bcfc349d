/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw images: the file is the disk, byte for byte. Takes any file that no other format claims; an
 * empty one is no disk.
 */
#include "config.h"

#include <errno.h>

#include "drivers.h"

static int raw_open(struct image *image, struct platter_error *err)
{
	if (image->file->size == 0)
		return err_set(err, EINVAL, "0 bytes, expected at least 1");
	image->self = image->file;
	image->size = image->file->size;
	return 0;
}

static void raw_close(void *self)
{
	(void)self;
}

const struct format_driver format_raw = {
	.name = "raw",
	.qemu = "raw",
	.id = 1,
	.open = raw_open,
	.map = run_map_dev,
	.close = raw_close,
};
