/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checked entrances of struct dev: every range is compared here, once, for all devices. */
#include "config.h"

#include "dev.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"

void dev_init(struct dev *dev, const struct dev_ops *ops, uint64_t size)
{
	assert(size <= DEV_SIZE_MAX);
	*dev = (struct dev){.ops = ops, .size = size, .refs = 1};
}

struct dev *dev_ref(struct dev *dev)
{
	__atomic_add_fetch(&dev->refs, 1, __ATOMIC_RELAXED);
	return dev;
}

void dev_unref(struct dev *dev)
{
	if (dev && __atomic_sub_fetch(&dev->refs, 1, __ATOMIC_ACQ_REL) == 0)
		dev->ops->close(dev);
}

bool dev_writable(const struct dev *dev)
{
	return dev->ops->pwrite != NULL;
}

int dev_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	if (!range_ok(off, len, dev->size))
		return -EIO;
	return len ? dev->ops->pread(dev, buf, len, off) : 0;
}

static int check_write(const struct dev *dev, uint64_t len, uint64_t off)
{
	if (!dev_writable(dev))
		return -EROFS;
	return range_ok(off, len, dev->size) ? 0 : -ENOSPC;
}

int dev_pwrite(struct dev *dev, const void *buf, size_t len, uint64_t off)
{
	int r = check_write(dev, len, off);

	return r || !len ? r : dev->ops->pwrite(dev, buf, len, off);
}

int dev_zero(struct dev *dev, uint64_t off, uint64_t len)
{
	int r = check_write(dev, len, off);

	return r || !len ? r : dev->ops->zero(dev, off, len);
}

int dev_flush(struct dev *dev)
{
	return dev->ops->flush ? dev->ops->flush(dev) : 0;
}

int dev_extent(struct dev *dev, uint64_t off, struct dev_extent *ext)
{
	int r;

	if (off >= dev->size)
		return -EINVAL;
	*ext = (struct dev_extent){.length = dev->size - off};
	if (!dev->ops->extent)
		return 0;
	r = dev->ops->extent(dev, off, ext);
	if (r)
		return r;
	assert(ext->length > 0);
	ext->length = min64(ext->length, dev->size - off);
	return 0;
}

int dev_seek(struct dev *dev, uint64_t off, bool data, uint64_t *found)
{
	struct dev_extent ext;
	int r;

	if (off >= dev->size)
		return -ENXIO;
	while (off < dev->size) {
		r = dev_extent(dev, off, &ext);
		if (r)
			return r;
		if (ext.hole != data) {
			*found = off;
			return 0;
		}
		off += ext.length;
	}
	if (data)
		return -ENXIO;
	*found = dev->size;
	return 0;
}

uint64_t dev_room(struct dev *dev)
{
	return dev->ops->room ? min64(dev->ops->room(dev), dev->size) : dev->size;
}

int dev_read_table(struct dev *dev, uint64_t off, uint64_t count, size_t entry, size_t max,
                   const char *what, void **out, struct platter_error *err)
{
	uint64_t bytes;
	void *table;
	int r;

	assert(max <= DEV_TABLE_MAX);
	*out = NULL;
	if (!ckd_mul64(&bytes, count, entry) || bytes > max)
		return err_set(err, EFBIG, "%s has %llu entries of %zu bytes, at most %zu bytes",
		               what, (unsigned long long)count, entry, max);
	if (!range_ok(off, bytes, dev->size))
		return err_set(err, EIO, "%s of %llu bytes at %llu passes the end at %llu", what,
		               (unsigned long long)bytes, (unsigned long long)off,
		               (unsigned long long)dev->size);
	if (bytes == 0)
		return 0;
	table = malloc(bytes);
	if (!table)
		return err_set(err, ENOMEM, "%s: no memory for %llu bytes", what,
		               (unsigned long long)bytes);
	r = dev_pread(dev, table, bytes, off);
	if (r) {
		free(table);
		return err_set(err, -r, "%s at %llu cannot be read: %s", what,
		               (unsigned long long)off, strerror(-r));
	}
	*out = table;
	return 0;
}
