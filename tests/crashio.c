/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "crashio.h"

#include <errno.h>
#include <string.h>

#include "testdev.h"

static struct crashio *of(struct overlay_io *io)
{
	return (struct crashio *)io;
}

static int crash_pread(struct overlay_io *io, void *buf, size_t len, uint64_t off)
{
	struct crashio *c = of(io);

	c->preads++;
	if (off > c->size || len > c->size - off)
		return -EIO;
	memcpy(buf, c->now + off, len);
	return 0;
}

/* Each whole sector as it is now becomes one more version that may or may not reach the disk. */
static void remember(struct crashio *c, uint64_t off, uint64_t len)
{
	for (uint64_t s = off / CRASH_SECTOR; s * CRASH_SECTOR < off + len; s++) {
		if (c->npending == c->allocated) {
			c->allocated = c->allocated ? 2 * c->allocated : 256;
			c->pending = reallocarray(c->pending, c->allocated, sizeof *c->pending);
			CHECK(c->pending);
		}
		c->pending[c->npending].sector = s;
		memcpy(c->pending[c->npending].data, c->now + s * CRASH_SECTOR, CRASH_SECTOR);
		c->npending++;
	}
}

static int crash_pwrite(struct overlay_io *io, const void *buf, size_t len, uint64_t off)
{
	struct crashio *c = of(io);

	c->pwrites++;
	if (c->fail_pwrite)
		return -c->fail_pwrite;
	CHECK(off <= c->size && len <= c->size - off);
	memcpy(c->now + off, buf, len);
	remember(c, off, len);
	if (c->hook && off < c->data_off)
		c->hook(c->hook_arg);
	return 0;
}

static int crash_punch(struct overlay_io *io, uint64_t off, uint64_t len)
{
	struct crashio *c = of(io);

	c->punches++;
	CHECK(off <= c->size && len <= c->size - off);
	memset(c->now + off, 0, len);
	remember(c, off, len);
	return 0;
}

static int crash_reserve(struct overlay_io *io, uint64_t off, uint64_t len)
{
	(void)off;
	(void)len;
	return -of(io)->fail_reserve;
}

static int crash_sync(struct overlay_io *io)
{
	struct crashio *c = of(io);

	c->syncs++;
	if (c->fail_sync)
		return -c->fail_sync;
	if (c->hook)
		c->hook(c->hook_arg);
	/* What was written when fdatasync was called is durable; nothing can come in between here.
	 */
	memcpy(c->durable, c->now, c->size);
	c->npending = 0;
	if (c->hook)
		c->hook(c->hook_arg);
	return 0;
}

static int crash_extent(struct overlay_io *io, uint64_t off, struct dev_extent *ext)
{
	*ext = (struct dev_extent){.length = of(io)->size - off};
	return 0;
}

static uint64_t crash_room(struct overlay_io *io)
{
	return of(io)->size;
}

/* The test looks into it after the overlay is closed: crashio_free ends it. */
static void crash_close(struct overlay_io *io)
{
	(void)io;
}

static const struct overlay_io_ops crash_ops = {
	.pread = crash_pread,
	.pwrite = crash_pwrite,
	.punch = crash_punch,
	.reserve = crash_reserve,
	.sync = crash_sync,
	.extent = crash_extent,
	.room = crash_room,
	.close = crash_close,
};

struct crashio *crashio_new(uint64_t size, uint64_t data_off, uint8_t filler)
{
	struct crashio *c = calloc(1, sizeof *c);

	CHECK(c && size % CRASH_SECTOR == 0);
	c->io.ops = &crash_ops;
	c->size = size;
	c->data_off = data_off;
	c->now = malloc(size);
	c->durable = malloc(size);
	CHECK(c->now && c->durable);
	memset(c->now, filler, size);
	memset(c->durable, filler, size);
	return c;
}

static void put(struct crashio *c, const struct crash_write *w)
{
	memcpy(c->now + w->sector * CRASH_SECTOR, w->data, CRASH_SECTOR);
}

struct crashio *crashio_crash(const struct crashio *c, uint32_t (*next)(void))
{
	struct crashio *n = crashio_new(c->size, c->data_off, 0);
	uint32_t keep = next() % 101;
	bool in_order = next() % 4 == 0;
	size_t limit = in_order && c->npending ? next() % (c->npending + 1) : c->npending;

	memcpy(n->now, c->durable, c->size);
	for (size_t i = 0; i < limit; i++)
		if (in_order || next() % 100 < keep)
			put(n, &c->pending[i]);
	/* An older version of a sector may be the last to arrive. */
	for (int i = 0; !in_order && c->npending && i < 4; i++)
		put(n, &c->pending[next() % c->npending]);
	for (int i = 0; c->npending && i < 3; i++) {
		uint64_t s = c->pending[next() % c->npending].sector;

		if (s * CRASH_SECTOR < c->data_off && next() % 2)
			for (unsigned b = 0; b < CRASH_SECTOR; b++)
				n->now[s * CRASH_SECTOR + b] = (uint8_t)next();
	}
	memcpy(n->durable, n->now, c->size);
	return n;
}

void crashio_free(struct crashio *c)
{
	free(c->pending);
	free(c->durable);
	free(c->now);
	free(c);
}
