/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes in memory as a device: for small generated nodes, and for tests. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dev.h"

struct dev_memory {
	struct dev dev;
	char bytes[];
};

static int memory_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	memcpy(buf, ((struct dev_memory *)dev)->bytes + off, len);
	return 0;
}

static int memory_pwrite(struct dev *dev, const void *buf, size_t len, uint64_t off)
{
	memcpy(((struct dev_memory *)dev)->bytes + off, buf, len);
	return 0;
}

static int memory_zero(struct dev *dev, uint64_t off, uint64_t len)
{
	memset(((struct dev_memory *)dev)->bytes + off, 0, len);
	return 0;
}

static void memory_close(struct dev *dev)
{
	free(dev);
}

static const struct dev_ops memory_ro_ops = {
	.pread = memory_pread,
	.close = memory_close,
};

static const struct dev_ops memory_rw_ops = {
	.pread = memory_pread,
	.pwrite = memory_pwrite,
	.zero = memory_zero,
	.close = memory_close,
};

int dev_memory(const void *bytes, size_t len, bool writable, struct dev **out)
{
	struct dev_memory *m = malloc(sizeof *m + len);

	*out = NULL;
	if (!m)
		return -ENOMEM;
	dev_init(&m->dev, writable ? &memory_rw_ops : &memory_ro_ops, len);
	if (bytes)
		memcpy(m->bytes, bytes, len);
	else
		memset(m->bytes, 0, len);
	*out = &m->dev;
	return 0;
}
