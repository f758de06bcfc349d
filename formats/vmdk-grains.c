/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grains of sparse extents. An extent is cut into grains; a directory, which is held, says where
 * tables stand, and an entry of a table where a grain does. Tables are read as they are needed.
 * A compressed grain has a header in front (Virtual Disk Format 5.0, "Stream-Optimized
 * Compressed"): which sector of the disk it is, and how long.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "vmdk.h"

/* Entries that one answer looks at; a table that is not there counts as one. */
#define LOOK_MAX 1024

struct grain_marker {
	le64 lba;  /* +0x0 */
	le32 size; /* +0x8 of the compressed data that follows */
};
_Static_assert(sizeof(struct grain_marker) == 12, "VDF 5.0, compressed grain");

enum kind { GRAIN_NONE, GRAIN_ZERO, GRAIN_DATA, GRAIN_BAD };

struct grain {
	enum kind kind;
	uint64_t offset; /* GRAIN_DATA: in the file, in bytes */
};

static uint64_t grain_bytes(const struct vmdk_grains *g)
{
	return (uint64_t)1 << g->grain_shift;
}

static uint64_t grain_count(const struct vmdk_grains *g)
{
	return g->size ? ((g->size - 1) >> g->grain_shift) + 1 : 0;
}

static size_t entry_bytes(const struct vmdk_grains *g)
{
	return g->entry == VMDK_ENTRY_SESPARSE ? sizeof(le64) : sizeof(le32);
}

static size_t table_bytes(const struct vmdk_grains *g)
{
	return g->per_table * entry_bytes(g);
}

int vmdk_grains_alloc(struct vmdk_grains *g, struct vmdk_budget *budget, struct platter_error *err)
{
	uint64_t count = (grain_count(g) + g->per_table - 1) / g->per_table;

	if (count > budget->tables)
		return err_set(err, EFBIG,
		               "an extent of %" PRIu64 " bytes in %" PRIu64 " grain tables, at "
		               "most %" PRIu64 " are held",
		               g->size, count, budget->tables);
	budget->tables -= count;
	g->ntables = (size_t)count;
	g->tables = calloc(g->ntables ? g->ntables : 1, sizeof *g->tables);
	return g->tables ? 0 : err_set(err, ENOMEM, "no memory");
}

int vmdk_grains_check_table(const struct vmdk_grains *g, size_t i, struct platter_error *err)
{
	if (g->tables[i] == 0 || range_ok(g->tables[i], table_bytes(g), g->dev->size))
		return 0;
	return err_set(err, EINVAL,
	               "grain table %zu at byte %" PRIu64 " passes the end of the file at %" PRIu64,
	               i, g->tables[i], g->dev->size);
}

/* ---- entries ---- */

static struct grain of_sector(uint32_t sector, bool zeros)
{
	if (sector == 0)
		return (struct grain){.kind = GRAIN_NONE};
	if (sector == 1 && zeros)
		return (struct grain){.kind = GRAIN_ZERO};
	return (struct grain){.kind = GRAIN_DATA, .offset = (uint64_t)sector * VMDK_SECTOR};
}

/* The upper 4 bits are the kind; the next 12 are the lower part of the number, 48 the upper. */
static struct grain of_sesparse(const struct vmdk_grains *g, uint64_t v)
{
	uint64_t number = (v >> 48 & 0xfff) | (v & UINT64_C(0xffffffffffff)) << 12, at;

	switch (v >> 60) {
	case 0:
		return (struct grain){.kind = v ? GRAIN_BAD : GRAIN_NONE};
	case 1: /* given back by the guest's UNMAP */
	case 2:
		return (struct grain){.kind = GRAIN_ZERO};
	case 3:
		if (ckd_mul64(&at, number, grain_bytes(g)) && ckd_add64(&at, at, g->first_grain))
			return (struct grain){.kind = GRAIN_DATA, .offset = at};
	}
	return (struct grain){.kind = GRAIN_BAD};
}

static struct grain entry_get(const struct vmdk_grains *g, const void *table, size_t i)
{
	if (g->entry == VMDK_ENTRY_SESPARSE)
		return of_sesparse(g, le64_get(((const le64 *)table)[i]));
	return of_sector(le32_get(((const le32 *)table)[i]), g->entry == VMDK_ENTRY_SECTOR_ZEROS);
}

/* ---- looking for what is missing ---- */

/* The last grain may be stored as far as the disk goes only. */
static uint64_t stored_bytes(const struct vmdk_grains *g, uint64_t number)
{
	if (g->compressed)
		return sizeof(struct grain_marker);
	return min64(grain_bytes(g), g->size - (number << g->grain_shift));
}

static int check_grain(const struct vmdk_grains *g, uint64_t number, struct grain grain,
                       struct platter_error *err)
{
	if (grain.kind == GRAIN_BAD)
		return err_set(err, EINVAL, "grain %" PRIu64 " is entered as what no grain can be",
		               number);
	if (grain.kind != GRAIN_DATA ||
	    range_ok(grain.offset, stored_bytes(g, number), g->dev->size))
		return 0;
	return err_set(err, EINVAL,
	               "grain %" PRIu64 " at byte %" PRIu64
	               " passes the end of the file at %" PRIu64,
	               number, grain.offset, g->dev->size);
}

/* Look through a table; *last is the furthest grain so far. */
static int check_table(const struct vmdk_grains *g, size_t i, void *table, uint64_t *last,
                       struct platter_error *err)
{
	uint64_t first = (uint64_t)i * g->per_table;
	uint64_t count = min64(g->per_table, grain_count(g) - first);
	int r = dev_pread(g->dev, table, table_bytes(g), g->tables[i]);

	if (r)
		return err_set(err, -r, "grain table %zu cannot be read: %s", i, strerror(-r));
	for (uint64_t k = 0; !r && k < count; k++) {
		struct grain grain = entry_get(g, table, k);

		r = check_grain(g, first + k, grain, err);
		*last = max64(*last, grain.offset);
	}
	return r;
}

/* How long compressed grains are, the grains say themselves: the furthest one is asked. */
static int check_last(const struct vmdk_grains *g, uint64_t last, struct platter_error *err)
{
	struct grain_marker marker;
	int r = dev_pread(g->dev, &marker, sizeof marker, last);

	if (r)
		return err_set(err, -r, "the grain at byte %" PRIu64 " cannot be read: %s", last,
		               strerror(-r));
	if (range_ok(last + sizeof marker, le32_get(marker.size), g->dev->size))
		return 0;
	return err_set(err, EINVAL,
	               "the grain of %u bytes at byte %" PRIu64 " passes the end of the file at "
	               "%" PRIu64,
	               le32_get(marker.size), last, g->dev->size);
}

int vmdk_grains_check(const struct vmdk_grains *g, struct vmdk_budget *budget,
                      struct platter_error *err)
{
	size_t len = table_bytes(g);
	void *table = malloc(len);
	int r = table ? 0 : err_set(err, ENOMEM, "no memory");
	uint64_t last = 0;

	for (size_t i = 0; !r && i < g->ntables && budget->reads && budget->bytes >= len; i++) {
		if (!g->tables[i])
			continue;
		r = check_table(g, i, table, &last, err);
		budget->reads--;
		budget->bytes -= len;
	}
	free(table);
	return r || !last || !g->compressed ? r : check_last(g, last, err);
}

/* ---- the map ---- */

/* Whether a grain follows n others of which this is the first. */
static bool goes_on(const struct vmdk_grains *g, struct grain first, uint64_t n, struct grain next)
{
	if (n == 0)
		return true;
	if (next.kind != first.kind)
		return false;
	if (first.kind != GRAIN_DATA)
		return true;
	return !g->compressed && next.offset - first.offset == n << g->grain_shift;
}

struct span {
	struct grain first;
	uint64_t count;
};

/* Go on through one table, from grain i to stop. */
static int extend(const struct vmdk_grains *g, struct cache *cache, uint64_t i, uint64_t stop,
                  struct span *span)
{
	size_t table = (size_t)(i / g->per_table);
	const struct cache_chunk *chunk;
	int r;

	if (!g->tables[table]) {
		if (goes_on(g, span->first, span->count, (struct grain){.kind = GRAIN_NONE}))
			span->count += stop - i;
		return 0;
	}
	r = run_table(cache, g->dev, g->tables[table], table_bytes(g), &chunk);
	if (r)
		return r;
	for (; i < stop; i++) {
		struct grain next = entry_get(g, chunk->data, i % g->per_table);

		if (span->count == 0)
			span->first = next;
		if (!goes_on(g, span->first, span->count, next))
			break;
		span->count++;
	}
	cache_put(cache, chunk);
	return 0;
}

static int find(const struct vmdk_grains *g, struct cache *cache, uint64_t number,
                struct span *span)
{
	uint64_t end = grain_count(g), i = number;
	unsigned looked = 0;

	*span = (struct span){.first = {.kind = GRAIN_NONE}};
	while (i < end && looked < LOOK_MAX) {
		uint64_t stop = min64(end, (i / g->per_table + 1) * g->per_table);
		int r;

		looked += g->tables[i / g->per_table] ? g->per_table : 1;
		r = extend(g, cache, i, stop, span);
		if (r)
			return r;
		i = number + span->count;
		if (i < stop)
			break;
	}
	return 0;
}

int vmdk_grains_map(const struct vmdk_grains *g, struct cache *cache, uint64_t off, struct run *run)
{
	uint64_t number = off >> g->grain_shift, within = off & (grain_bytes(g) - 1);
	struct span span;
	int r = find(g, cache, number, &span);

	if (r)
		return r;
	run->length = min64((span.count << g->grain_shift) - within, g->size - off);
	switch (span.first.kind) {
	case GRAIN_BAD:
		return -EIO;
	case GRAIN_NONE:
		run->kind = RUN_PARENT;
		return 0;
	case GRAIN_ZERO:
		run->kind = RUN_ZERO;
		return 0;
	case GRAIN_DATA:
		break;
	}
	if (g->compressed) {
		run->kind = RUN_MADE;
		run->unpacked = (uint32_t)grain_bytes(g);
		run->skip = (uint32_t)within;
		return 0;
	}
	run->kind = RUN_RAW;
	run->dev = g->dev;
	return ckd_add64(&run->offset, span.first.offset, within) ? 0 : -EIO;
}

/* ---- compressed grains ---- */

/* The last grain of an extent may be packed as far as the extent goes only. */
static int inflate(const struct vmdk_grains *g, uint64_t number, const void *packed, size_t len,
                   void *data, size_t size)
{
	uint64_t rest = g->size - (number << g->grain_shift);
	int r = codec_unpack(CODEC_ZLIB, packed, len, data, size);

	if (r != -EIO || rest >= size)
		return r;
	memset((char *)data + rest, 0, size - (size_t)rest);
	return codec_unpack(CODEC_ZLIB, packed, len, data, (size_t)rest);
}

int vmdk_grains_unpack(const struct vmdk_grains *g, struct cache *cache, uint64_t off, void *data,
                       size_t size)
{
	uint64_t number = off >> g->grain_shift;
	struct grain_marker marker;
	struct span span;
	void *packed;
	size_t len;
	int r = find(g, cache, number, &span);

	if (!r && (span.first.kind != GRAIN_DATA || size != grain_bytes(g)))
		r = -EIO;
	if (!r)
		r = dev_pread(g->dev, &marker, sizeof marker, span.first.offset);
	if (r)
		return r;
	len = le32_get(marker.size);
	if (le64_get(marker.lba) != (number << g->grain_shift) / VMDK_SECTOR || len == 0 ||
	    len > RUN_CHUNK_MAX)
		return -EIO;
	packed = malloc(len);
	if (!packed)
		return -ENOMEM;
	r = dev_pread(g->dev, packed, len, span.first.offset + sizeof marker);
	if (!r)
		r = inflate(g, number, packed, len, data, size);
	free(packed);
	return r;
}
