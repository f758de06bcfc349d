/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "run.h"

struct mapped {
	struct dev dev;
	struct run_source src;
	uint64_t room;
};

static int mapped_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	return run_read(&((struct mapped *)dev)->src, buf, len, off);
}

static int mapped_extent(struct dev *dev, uint64_t off, struct dev_extent *ext)
{
	return run_extent(&((struct mapped *)dev)->src, off, ext);
}

static uint64_t mapped_room(struct dev *dev)
{
	return ((struct mapped *)dev)->room;
}

static void mapped_close(struct dev *dev)
{
	free(dev);
}

static const struct dev_ops mapped_ops = {
	.pread = mapped_pread,
	.extent = mapped_extent,
	.room = mapped_room,
	.close = mapped_close,
};

int dev_mapped(const struct run_source *src, uint64_t room, struct dev **out)
{
	struct mapped *m = malloc(sizeof *m);

	*out = NULL;
	if (!m)
		return -ENOMEM;
	dev_init(&m->dev, &mapped_ops, src->size);
	m->src = *src;
	m->room = room;
	*out = &m->dev;
	return 0;
}
