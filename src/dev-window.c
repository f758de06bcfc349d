/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A range of another device: a partition, a gap, a boot image. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "dev.h"
#include "ondisk.h"

struct dev_window {
	struct dev dev;
	struct dev *lower;
	uint64_t start;
};

static int window_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	struct dev_window *w = (struct dev_window *)dev;

	return dev_pread(w->lower, buf, len, w->start + off);
}

static int window_pwrite(struct dev *dev, const void *buf, size_t len, uint64_t off)
{
	struct dev_window *w = (struct dev_window *)dev;

	return dev_pwrite(w->lower, buf, len, w->start + off);
}

static int window_zero(struct dev *dev, uint64_t off, uint64_t len)
{
	struct dev_window *w = (struct dev_window *)dev;

	return dev_zero(w->lower, w->start + off, len);
}

static int window_flush(struct dev *dev)
{
	return dev_flush(((struct dev_window *)dev)->lower);
}

static int window_extent(struct dev *dev, uint64_t off, struct dev_extent *ext)
{
	struct dev_window *w = (struct dev_window *)dev;

	return dev_extent(w->lower, w->start + off, ext);
}

static uint64_t window_room(struct dev *dev)
{
	return dev_room(((struct dev_window *)dev)->lower);
}

static void window_close(struct dev *dev)
{
	struct dev_window *w = (struct dev_window *)dev;

	dev_unref(w->lower);
	free(w);
}

static const struct dev_ops window_ro_ops = {
	.pread = window_pread,
	.extent = window_extent,
	.room = window_room,
	.close = window_close,
};

static const struct dev_ops window_rw_ops = {
	.pread = window_pread,
	.pwrite = window_pwrite,
	.zero = window_zero,
	.flush = window_flush,
	.extent = window_extent,
	.room = window_room,
	.close = window_close,
};

int dev_window(struct dev *lower, uint64_t start, uint64_t size, struct dev **out)
{
	struct dev_window *w;

	*out = NULL;
	if (!range_ok(start, size, lower->size))
		return -EINVAL;
	w = malloc(sizeof *w);
	if (!w)
		return -ENOMEM;
	dev_init(&w->dev, dev_writable(lower) ? &window_rw_ops : &window_ro_ops, size);
	w->lower = dev_ref(lower);
	w->start = start;
	*out = &w->dev;
	return 0;
}
