/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device without contents: what a new disk, or one in memory, is before it is written to. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dev.h"

static int blank_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	(void)dev;
	(void)off;
	memset(buf, 0, len);
	return 0;
}

static int blank_extent(struct dev *dev, uint64_t off, struct dev_extent *ext)
{
	*ext = (struct dev_extent){.length = dev->size - off, .hole = true};
	return 0;
}

static uint64_t blank_room(struct dev *dev)
{
	(void)dev;
	return 0;
}

static void blank_close(struct dev *dev)
{
	free(dev);
}

static const struct dev_ops blank_ops = {
	.pread = blank_pread,
	.extent = blank_extent,
	.room = blank_room,
	.close = blank_close,
};

int dev_blank(uint64_t size, struct dev **out)
{
	*out = calloc(1, sizeof **out);
	if (!*out)
		return -ENOMEM;
	dev_init(*out, &blank_ops, size);
	return 0;
}
