/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VHDX, [MS-VHDX] "Virtual Hard Disk v2 (VHDX) File Format": the disks of Hyper-V, WSL 2 and Azure
 * Stack. All numbers are little-endian.
 *
 *   0        file type identifier, "vhdxfile"
 *   64 KiB   two headers and two copies of the region table (vhdx-header.c)
 *   1 MiB    from here on, in any order: the log (vhdx-log.c), the metadata (vhdx-metadata.c), the
 *            block allocation table, and blocks
 *
 * The table has an entry for each payload block, a state and an offset in MiB. Behind each chunk of
 * them, 2^23 sectors of the disk, stands one for a sector bitmap block of 1 MiB. Only differencing
 * disks have such: where a payload block is partially present, a set bit is a sector of this disk's
 * and any other is its parent's. Blocks that are not present at all are the parent's too; those in
 * other states have no contents, and are zeros.
 *
 * Entries of a log that was not written out may change any of that but the headers. So all is read
 * through a device that shows the file as it is with them.
 */
#include "config.h"

#include "vhdx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "bitrun.h"
#include "cache.h"

/* [MS-VHDX] 2.5.1.1; 5 is 3 as version 0.95 of the specification had it. */
#define BLOCK_NOT_PRESENT       0u
#define BLOCK_UNDEFINED         1u
#define BLOCK_ZERO              2u
#define BLOCK_UNMAPPED          3u
#define BLOCK_UNMAPPED_OLD      5u
#define BLOCK_FULLY_PRESENT     6u
#define BLOCK_PARTIALLY_PRESENT 7u

/* [MS-VHDX] 2.5.1.2 */
#define BITMAP_PRESENT 6u

/* Sectors that a sector bitmap block tells of. */
#define CHUNK_SECTORS ((uint64_t)1 << 23)

/* A table up to this size is checked when the image is opened: that of a disk of 8 TiB in blocks of
 * 32 MiB has 2 MiB. */
#define CHECK_BYTES ((uint64_t)4 << 20)

/* Where a block is. */
struct place {
	enum run_kind kind;
	uint64_t offset; /* RAW: in the file */
	bool partial;    /* RAW, but only where the bitmap says so */
};

static uint64_t chunk_ratio(const struct vhdx *v)
{
	return (uint64_t)1 << v->chunk_shift;
}

/* The entry of a payload block: a bitmap's stands behind each chunk. */
static uint64_t index_of(const struct vhdx *v, uint64_t block)
{
	return block + (block >> v->chunk_shift);
}

static int entries_from(const struct vhdx *v, uint64_t index, struct run_entries *entries)
{
	return run_entries(v->cache, v->file, v->bat, v->entries, sizeof(le64), index, entries);
}

static uint64_t entry_get(const struct run_entries *entries, uint64_t i)
{
	return le64_at(entries->at + i * sizeof(le64));
}

static uint32_t state_of(uint64_t entry)
{
	return entry & 7;
}

static uint64_t offset_of(uint64_t entry)
{
	return entry >> 20 << 20;
}

/* Bytes of the disk that a block holds: the last one may be cut. */
static uint64_t block_bytes(const struct vhdx *v, uint64_t block)
{
	return min64((uint64_t)1 << v->shift, v->size - (block << v->shift));
}

/* Whether such an entry can be; *place is where the block is then. */
static bool place_of(const struct vhdx *v, uint64_t block, uint64_t entry, struct place *place)
{
	*place = (struct place){.kind = RUN_ZERO, .offset = offset_of(entry)};
	switch (state_of(entry)) {
	case BLOCK_NOT_PRESENT:
		place->kind = v->differencing ? RUN_PARENT : RUN_ZERO;
		return true;
	case BLOCK_UNDEFINED:
	case BLOCK_ZERO:
	case BLOCK_UNMAPPED:
	case BLOCK_UNMAPPED_OLD:
		return true;
	case BLOCK_PARTIALLY_PRESENT:
		place->partial = true;
		if (!v->differencing)
			return false;
		/* fallthrough */
	case BLOCK_FULLY_PRESENT:
		place->kind = RUN_RAW;
		return place->offset >= VHDX_MIB &&
		       range_ok(place->offset, block_bytes(v, block), v->file->size);
	default:
		return false;
	}
}

/* Where in the file the bits of a block's sectors stand, and how many bytes they are. */
static int bitmap_of(const struct vhdx *v, uint64_t block, uint64_t *at, uint32_t *bytes)
{
	uint64_t chunk = block >> v->chunk_shift, entry;
	struct run_entries entries;
	int r;

	r = entries_from(v, chunk * (chunk_ratio(v) + 1) + chunk_ratio(v), &entries);
	if (r)
		return r;
	entry = entry_get(&entries, 0);
	run_entries_put(v->cache, &entries);
	if (state_of(entry) != BITMAP_PRESENT || offset_of(entry) < VHDX_MIB ||
	    !range_ok(offset_of(entry), VHDX_MIB, v->file->size))
		return -EIO;
	*bytes = (uint32_t)(((uint64_t)1 << v->shift) / v->sector / 8);
	*at = offset_of(entry) + (block & (chunk_ratio(v) - 1)) * *bytes;
	return 0;
}

/* ---- opening ---- */

static int check_entry(const struct vhdx *v, uint64_t block, uint64_t entry,
                       struct platter_error *err)
{
	struct place place;
	uint64_t at;
	uint32_t bytes;

	if (!place_of(v, block, entry, &place))
		return err_set(err, EINVAL,
		               "block %" PRIu64 " is in state %" PRIu32 " at %" PRIu64
		               " of a file of %" PRIu64 " bytes",
		               block, state_of(entry), offset_of(entry), v->file->size);
	if (place.partial && bitmap_of(v, block, &at, &bytes) != 0)
		return err_set(err, EINVAL,
		               "block %" PRIu64 " is partially present, but has no sector bitmap",
		               block);
	return 0;
}

static int check_table(const struct vhdx *v, struct platter_error *err)
{
	uint64_t block = 0;
	int r = 0;

	while (block < v->blocks && !r) {
		uint64_t first = index_of(v, block);
		struct run_entries entries;

		r = entries_from(v, first, &entries);
		if (r)
			return err_set(err, -r, "the block allocation table cannot be read: %s",
			               strerror(-r));
		for (; block < v->blocks && index_of(v, block) - first < entries.count && !r;
		     block++)
			r = check_entry(v, block, entry_get(&entries, index_of(v, block) - first),
			                err);
		run_entries_put(v->cache, &entries);
	}
	return r;
}

static int use_parameters(struct vhdx *v, const struct vhdx_parameters *p,
                          const struct vhdx_region *bat, struct platter_error *err)
{
	uint64_t chunks;

	v->size = p->size;
	v->sector = p->sector;
	v->differencing = p->has_parent;
	v->shift = (uint8_t)__builtin_ctz(p->block_size);
	v->chunk_shift = (uint8_t)__builtin_ctzll(CHUNK_SECTORS * p->sector / p->block_size);
	v->blocks = ((p->size - 1) >> v->shift) + 1;
	v->bat = bat->offset;
	/* A differencing disk has the bitmap's entry of its last chunk as well. */
	chunks = ((v->blocks - 1) >> v->chunk_shift) + 1;
	v->entries =
		v->differencing ? chunks * (chunk_ratio(v) + 1) : index_of(v, v->blocks - 1) + 1;
	if (v->entries > bat->length / sizeof(le64))
		return err_set(err, EINVAL,
		               "a disk of %" PRIu64 " bytes needs %" PRIu64
		               " entries, the block allocation table has %" PRIu64,
		               v->size, v->entries, bat->length / sizeof(le64));
	return v->entries * sizeof(le64) <= CHECK_BYTES ? check_table(v, err) : 0;
}

static int open_in(struct image *image, struct vhdx *v, struct platter_error *err)
{
	struct vhdx_region bat, metadata;
	struct vhdx_parameters p;
	struct vhdx_header h;
	int r;

	r = vhdx_header_read(image, &h, err);
	if (r)
		return r;
	memcpy(v->data_write_guid, h.data_write_guid, sizeof v->data_write_guid);
	r = vhdx_log_replay(image, &h, &v->file, err);
	if (!r)
		r = vhdx_regions_read(v->file, &bat, &metadata, err);
	if (!r)
		r = vhdx_parameters_read(v->file, &metadata, &p, err);
	if (!r)
		r = use_parameters(v, &p, &bat, err);
	if (!r && v->differencing)
		r = vhdx_parent_open(image, v->file, &p.parent_locator, err);
	return r;
}

static void vhdx_close(void *self)
{
	struct vhdx *v = self;

	dev_unref(v->file);
	free(v);
}

static int vhdx_open(struct image *image, struct platter_error *err)
{
	char magic[8];
	struct vhdx *v;
	int r;

	r = image_read_head(image->file, magic, sizeof magic, err);
	if (r)
		return r;
	if (memcmp(magic, "vhdxfile", sizeof magic) != 0)
		return DRIVER_NOT_MINE;
	v = calloc(1, sizeof *v);
	if (!v)
		return err_set(err, ENOMEM, "no memory");
	v->cache = image->cache;
	r = open_in(image, v, err);
	if (r) {
		vhdx_close(v);
		return r;
	}
	image->self = v;
	image->size = v->size;
	image->sector = v->sector;
	return 0;
}

/* ---- mapping ---- */

/* How many blocks in a row are as the first one, which is at place, and continue it. */
static uint64_t count_alike(const struct vhdx *v, const struct run_entries *entries, uint64_t block,
                            const struct place *place)
{
	uint64_t first = index_of(v, block), n = 1;

	for (; !place->partial && block + n < v->blocks; n++) {
		uint64_t i = index_of(v, block + n) - first;
		struct place next;

		if (i >= entries->count || !place_of(v, block + n, entry_get(entries, i), &next) ||
		    next.kind != place->kind || next.partial)
			break;
		if (next.kind == RUN_RAW && next.offset != place->offset + (n << v->shift))
			break;
	}
	return n;
}

/* Sectors of a block that is partially present: those in a row that the bitmap says the same of. */
static int map_sectors(const struct vhdx *v, uint64_t off, struct run *run)
{
	uint64_t size = (uint64_t)1 << v->shift, in = off & (size - 1), first = in / v->sector, n;
	const struct cache_chunk *bitmap;
	uint32_t bytes;
	uint64_t at;
	bool own;
	int r;

	r = bitmap_of(v, off >> v->shift, &at, &bytes);
	if (!r)
		r = run_table(v->cache, v->file, at, bytes, &bitmap);
	if (r)
		return r;
	n = bit_run(bitmap->data, first, size / v->sector, false, &own);
	cache_put(v->cache, bitmap);
	run->length = (first + n) * v->sector - in;
	if (!own) {
		run->kind = RUN_PARENT;
		run->offset = off;
	}
	return 0;
}

static int vhdx_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct vhdx *v = self;
	uint64_t block = off >> v->shift, in = off - (block << v->shift), n = 1;
	struct run_entries entries;
	struct place place;
	bool good;
	int r;

	(void)node;
	r = entries_from(v, index_of(v, block), &entries);
	if (r)
		return r;
	good = place_of(v, block, entry_get(&entries, 0), &place);
	if (good)
		n = count_alike(v, &entries, block, &place);
	run_entries_put(v->cache, &entries);
	if (!good)
		return -EIO;
	run->kind = place.kind;
	run->dev = v->file;
	run->offset = place.kind == RUN_RAW ? place.offset + in : off;
	run->length = (n << v->shift) - in;
	return place.partial ? map_sectors(v, off, run) : 0;
}

const struct format_driver format_vhdx = {
	.name = "vhdx",
	.qemu = "vhdx",
	.id = 8,
	.open = vhdx_open,
	.map = vhdx_map,
	.close = vhdx_close,
};
