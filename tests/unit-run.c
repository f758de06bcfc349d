/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Map, then read: zero, raw, packed and parent runs behind one source. */
#include "config.h"

#include "run.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "cache.h"
#include "ondisk.h"
#include "testdev.h"

#define UNIT 4096u

/* Four units: zeros, raw bytes, a packed chunk, the parent's; then raw again without an end. */
struct layout {
	struct dev *file;
	uint32_t packed; /* length of the packed chunk, which stands at 1 MiB */
	unsigned maps;
	bool endless_nothing;
};

static int map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	struct layout *l = self;
	uint64_t unit = off / UNIT, in = off % UNIT;

	CHECK(node == 5);
	l->maps++;
	run->length = l->endless_nothing ? 0 : UNIT - in;
	switch (unit) {
	case 0:
		run->kind = RUN_ZERO;
		return 0;
	case 1:
		*run = (struct run){RUN_RAW, run->length, l->file, 100 + in, 0, 0, 0, 0, NULL};
		return 0;
	case 2:
		*run = (struct run){.kind = RUN_PACKED,
		                    .length = run->length,
		                    .dev = l->file,
		                    .offset = 1 << 20,
		                    .codec = CODEC_ZLIB,
		                    .packed = l->packed,
		                    .unpacked = UNIT,
		                    .skip = (uint32_t)in};
		return 0;
	case 3:
		run->kind = RUN_PARENT;
		run->offset = off;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static struct dev *file_with_chunk(struct layout *l)
{
	struct dev *file;
	unsigned char chunk[UNIT], packed[2 * UNIT];
	uLongf n = sizeof packed;

	for (unsigned i = 0; i < UNIT; i++)
		chunk[i] = (unsigned char)(i * 7 >> 3);
	CHECK(compress(packed, &n, chunk, UNIT) == Z_OK);
	CHECK(dev_memory(NULL, (1 << 20) + n, true, &file) == 0);
	for (unsigned i = 0; i < UNIT; i++)
		CHECK(dev_pwrite(file, &(char){(char)i}, 1, 100 + i) == 0);
	CHECK(dev_pwrite(file, packed, n, 1 << 20) == 0);
	l->file = file;
	l->packed = (uint32_t)n;
	return file;
}

static void reads_across_kinds(const struct run_source *src)
{
	unsigned char buf[4 * UNIT];

	memset(buf, 0xee, sizeof buf);
	CHECK(run_read(src, buf, sizeof buf, 0) == 0);
	for (unsigned i = 0; i < UNIT; i++) {
		CHECK(buf[i] == 0);
		CHECK(buf[UNIT + i] == (unsigned char)i);
		CHECK(buf[2 * UNIT + i] == (unsigned char)(i * 7 >> 3));
	}
	CHECK(testdev_is_pattern(buf + 3 * UNIT, 1000, 3 * UNIT));
	/* The parent ends 1000 bytes into the unit: beyond it are zeros. */
	for (unsigned i = 1000; i < UNIT; i++)
		CHECK(buf[3 * UNIT + i] == 0);
	CHECK(run_read(src, buf, 10, 2 * UNIT - 5) == 0);
	CHECK(buf[4] == (unsigned char)(UNIT - 1) && buf[5] == 0 && buf[6] == 0);
}

static void a_chunk_is_unpacked_once(const struct run_source *src)
{
	struct cache_counters before, after;
	char buf[16];

	cache_get_counters(src->cache, &before);
	for (unsigned i = 0; i < 100; i++)
		CHECK(run_read(src, buf, sizeof buf, 2 * UNIT + i) == 0);
	cache_get_counters(src->cache, &after);
	CHECK(after.makes - before.makes <= 1);
}

static void extents_follow_the_map(const struct run_source *src)
{
	struct dev_extent e;

	CHECK(run_extent(src, 10, &e) == 0 && e.hole && e.length == UNIT - 10);
	CHECK(run_extent(src, UNIT, &e) == 0 && !e.hole);
	CHECK(run_extent(src, 2 * UNIT, &e) == 0 && !e.hole);
	CHECK(run_extent(src, 3 * UNIT, &e) == 0 && !e.hole && e.length == 1000);
	CHECK(run_extent(src, 3 * UNIT + 1000, &e) == 0 && e.hole);
}

static void damage_is_an_error(struct run_source *src, struct layout *l)
{
	char buf[UNIT];

	CHECK(run_read(src, buf, 1, 4 * UNIT) == -EOPNOTSUPP);
	CHECK(run_read(src, buf, 2, src->size - 1) == -EIO);
	l->endless_nothing = true;
	CHECK(run_read(src, buf, 1, 0) == -EIO);
	l->endless_nothing = false;
	/* A chunk that unpacks to less than it says, is cut, or is absurd. The cache must not help.
	 */
	cache_free(src->cache);
	src->cache = cache_new(1 << 20);
	l->packed--;
	CHECK(run_read(src, buf, 1, 2 * UNIT) == -EIO);
	l->packed = 0;
	CHECK(run_read(src, buf, 1, 2 * UNIT) == -EIO);
	l->packed = RUN_CHUNK_MAX + 1;
	CHECK(run_read(src, buf, 1, 2 * UNIT) == -EIO);
}

/* From any entry to the table's end, whatever the blocks that it is read in. */
static void entries_are_the_tables(void)
{
	const uint64_t off = 4096, total = 20001;
	struct dev *dev = testdev_pattern(off + total * 8);
	struct cache *cache = cache_new(1 << 20);
	struct run_entries e;
	uint64_t i;

	for (i = 1; i < total; i += e.count) {
		CHECK(run_entries(cache, dev, off, total, 8, i, &e) == 0);
		CHECK(e.count >= 1 && e.count <= total - i);
		CHECK(testdev_is_pattern(e.at, e.count * 8, off + i * 8));
		run_entries_put(cache, &e);
	}
	CHECK(i == total);
	/* A table that is not all there. */
	CHECK(run_entries(cache, dev, off + 8, total, 8, total - 1, &e) == -EIO);
	cache_free(cache);
	dev_unref(dev);
}

int main(void)
{
	struct layout l = {0};
	struct dev *file = file_with_chunk(&l), *parent = testdev_pattern(3 * UNIT + 1000), *d;
	struct run_source src = {.map = map,
	                         .self = &l,
	                         .node = 5,
	                         .size = 5 * UNIT,
	                         .parent = parent,
	                         .cache = cache_new(1 << 20)};
	char buf[8];

	entries_are_the_tables();
	reads_across_kinds(&src);
	a_chunk_is_unpacked_once(&src);
	extents_follow_the_map(&src);
	CHECK(dev_mapped(&src, 1234, &d) == 0);
	CHECK(dev_pread(d, buf, 8, 3 * UNIT) == 0 && testdev_is_pattern(buf, 8, 3 * UNIT));
	CHECK(dev_room(d) == 1234 && !dev_writable(d));
	dev_unref(d);
	damage_is_an_error(&src, &l);
	cache_free(src.cache);
	dev_unref(parent);
	dev_unref(file);
	return 0;
}
