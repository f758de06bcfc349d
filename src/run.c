/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "ondisk.h"

int run_map_dev(void *self, uint64_t node, uint64_t off, struct run *run)
{
	struct dev *dev = self;

	(void)node;
	*run = (struct run){
		.kind = RUN_RAW,
		.length = dev->size - off,
		.dev = dev,
		.offset = off,
	};
	return 0;
}

static int map(const struct run_source *src, uint64_t off, struct run *run)
{
	int r;

	*run = (struct run){0};
	r = src->map(src->self, src->node, off, run);
	if (r)
		return r;
	/* A driver's promise, kept here because a run of no bytes would loop for ever. */
	if (run->length == 0)
		return -EIO;
	run->length = min64(run->length, src->size - off);
	return 0;
}

static int unpack(void *arg, void *data, size_t size)
{
	const struct run *run = arg;
	void *packed = malloc(run->packed);
	int r;

	if (!packed)
		return -ENOMEM;
	r = dev_pread(run->dev, packed, run->packed, run->offset);
	if (!r)
		r = codec_unpack(run->codec, packed, run->packed, data, size);
	free(packed);
	return r;
}

/* The driver's own making of a chunk, as the cache calls it. */
struct making {
	void *self;
	const struct run *run;
};

static int make(void *arg, void *data, size_t size)
{
	const struct making *m = arg;

	return m->run->make(m->self, m->run->offset, data, size);
}

/* As cache_get, but the chunk has that size or it is an error: an image may tell of one place in
 * two ways. */
static int get_chunk(struct cache *cache, struct cache_key key, size_t size, cache_make_fn *fn,
                     void *arg, const struct cache_chunk **chunk)
{
	int r = cache_get(cache, key, size, fn, arg, chunk);

	if (!r && (*chunk)->size != size) {
		cache_put(cache, *chunk);
		r = -EIO;
	}
	return r;
}

static int read_chunk(const struct run_source *src, struct run *run, void *buf, size_t len)
{
	bool packed = run->kind == RUN_PACKED;
	struct cache_key key = {packed ? run->dev : src->self, run->offset};
	struct making making = {src->self, run};
	const struct cache_chunk *chunk;
	int r;

	if (run->unpacked > RUN_CHUNK_MAX || !range_ok(run->skip, len, run->unpacked) ||
	    (packed && (run->packed == 0 || run->packed > RUN_CHUNK_MAX)))
		return -EIO;
	r = get_chunk(src->cache, key, run->unpacked, packed ? unpack : make,
	              packed ? (void *)run : &making, &chunk);
	if (r)
		return r;
	memcpy(buf, (const char *)chunk->data + run->skip, len);
	cache_put(src->cache, chunk);
	return 0;
}

struct table_place {
	struct dev *dev;
	uint64_t off;
};

static int read_table(void *arg, void *data, size_t size)
{
	const struct table_place *t = arg;

	return dev_pread(t->dev, data, size, t->off);
}

int run_table(struct cache *cache, struct dev *dev, uint64_t off, size_t len,
              const struct cache_chunk **chunk)
{
	struct table_place place = {dev, off};
	/* An address inside the dev: tables and packed chunks of one place stay apart. */
	struct cache_key key = {(const char *)dev + 1, off};

	if (len == 0 || len > RUN_CHUNK_MAX)
		return -EIO;
	return get_chunk(cache, key, len, read_table, &place, chunk);
}

/* How much of a table is read at a time. */
#define ENTRIES_BYTES ((size_t)64 << 10)

/* How many entries are given at once: a map looks at them all for a long run, each time. */
#define ENTRIES_AHEAD ((uint64_t)256)

int run_entries(struct cache *cache, struct dev *dev, uint64_t off, uint64_t total, size_t size,
                uint64_t index, struct run_entries *out)
{
	uint64_t each = ENTRIES_BYTES / size, first = index / each * each;
	uint64_t count = min64(each, total - first);
	int r;

	r = run_table(cache, dev, off + first * size, (size_t)count * size, &out->chunk);
	if (r)
		return r;
	out->at = (const uint8_t *)out->chunk->data + (index - first) * size;
	out->count = min64(count - (index - first), ENTRIES_AHEAD);
	return 0;
}

void run_entries_put(struct cache *cache, const struct run_entries *entries)
{
	cache_put(cache, entries->chunk);
}

/* The parent may be shorter than its child: what it does not have is zeros. */
static int read_parent(const struct run_source *src, uint64_t off, void *buf, size_t len)
{
	uint64_t have = src->parent && off < src->parent->size ? src->parent->size - off : 0;
	size_t n = (size_t)min64(len, have);

	memset((char *)buf + n, 0, len - n);
	return n ? dev_pread(src->parent, buf, n, off) : 0;
}

int run_read(const struct run_source *src, void *buf, size_t len, uint64_t off)
{
	if (!range_ok(off, len, src->size))
		return -EIO;
	while (len) {
		struct run run;
		size_t n;
		int r = map(src, off, &run);

		if (r)
			return r;
		n = (size_t)min64(len, run.length);
		switch (run.kind) {
		case RUN_ZERO:
			memset(buf, 0, n);
			break;
		case RUN_RAW:
			r = dev_pread(run.dev, buf, n, run.offset);
			break;
		case RUN_PACKED:
		case RUN_MADE:
			r = read_chunk(src, &run, buf, n);
			break;
		case RUN_PARENT:
			r = read_parent(src, run.offset, buf, n);
			break;
		}
		if (r)
			return r;
		buf = (char *)buf + n;
		off += n;
		len -= n;
	}
	return 0;
}

/* Whether dev has a hole at off, and how far the answer goes. */
static int extent_below(struct dev *dev, uint64_t off, struct dev_extent *ext)
{
	struct dev_extent below;
	int r;

	if (off >= dev->size)
		return -EIO;
	r = dev_extent(dev, off, &below);
	if (r)
		return r;
	ext->hole = below.hole;
	ext->length = min64(ext->length, below.length);
	return 0;
}

int run_extent(const struct run_source *src, uint64_t off, struct dev_extent *ext)
{
	struct run run;
	int r = map(src, off, &run);

	if (r)
		return r;
	*ext = (struct dev_extent){.length = run.length};
	switch (run.kind) {
	case RUN_ZERO:
		ext->hole = true;
		return 0;
	case RUN_PACKED:
	case RUN_MADE:
		return 0;
	case RUN_RAW:
		return extent_below(run.dev, run.offset, ext);
	case RUN_PARENT:
		if (src->parent && run.offset < src->parent->size)
			return extent_below(src->parent, run.offset, ext);
		ext->hole = true;
		return 0;
	}
	return -EIO;
}
