/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VHD, Virtual Hard Disk Image Format Specification 1.0 (Microsoft, 2006): the disks of Virtual PC,
 * Virtual Server, Hyper-V, Azure and XenServer. All numbers are big-endian, sectors have 512 bytes.
 *
 * A fixed disk is its contents and a footer. A dynamic one begins with a copy of the footer, which
 * says where the header is, which says where the block allocation table is: for each block the
 * sector where it begins, or 0xffffffff. A block is a bitmap, a bit per sector, and its data. A
 * differencing disk is the same, but what it does not hold is its parent's.
 *
 * In a differencing disk the bitmap says which sectors are its own. In a dynamic one it says which
 * were ever written; Windows and QEMU read such a block without asking it, and so does this.
 *
 * How large the disk is: Virtual PC, Virtual Server and QEMU show what the geometry in the footer
 * holds, everybody else the size that stands beside it; as all do where the geometry is at its end.
 */
#include "config.h"

#include "vhd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "bitrun.h"
#include "cache.h"
#include "text.h"

#define SECTOR          512u
#define UNUSED          0xffffffffu
#define DISK_FIXED      2u
#define DISK_DYNAMIC    3u
#define DISK_DIFFERENCE 4u

/* 65535 cylinders, 16 heads, 255 sectors: no larger disk has a geometry. */
#define GEOMETRY_MAX ((uint64_t)65535 * 16 * 255 * SECTOR)

/* A table up to this size is checked when the image is opened; that of a disk of 2 TiB has 4 MiB.
 */
#define CHECK_BYTES ((uint64_t)4 << 20)

static uint64_t disk_size(const struct vhd_footer *footer)
{
	uint64_t size = be64_get(footer->current_size);
	uint64_t geometry =
		(uint64_t)be16_get(footer->cylinders) * footer->heads * footer->sectors * SECTOR;
	const char *creator = footer->creator_application;
	bool counts = memcmp(creator, "vpc ", 4) == 0 || memcmp(creator, "vs  ", 4) == 0 ||
	              memcmp(creator, "qemu", 4) == 0;

	return counts && geometry && geometry < GEOMETRY_MAX && geometry < size ? geometry : size;
}

static int check_footer(const struct vhd_footer *footer, struct platter_error *err)
{
	uint32_t version = be32_get(footer->file_format_version);
	uint32_t type = be32_get(footer->disk_type);

	if (version >> 16 != 1)
		return err_set(err, ENOTSUP, "version %" PRIu32 ".%" PRIu32 " of VHD, expected 1.0",
		               version >> 16, version & 0xffff);
	if (type < DISK_FIXED || type > DISK_DIFFERENCE)
		return err_set(err, ENOTSUP, "disk type %" PRIu32 ", expected %u to %u", type,
		               DISK_FIXED, DISK_DIFFERENCE);
	return 0;
}

static int open_fixed(const struct vhd *vhd, struct platter_error *err)
{
	/* All that is there may be the disk's, for a footer of 511 bytes as well. */
	uint64_t have = vhd->file->size - (SECTOR - 1);

	if (vhd->size > align_down(have, SECTOR))
		return err_set(err, EINVAL,
		               "a fixed disk of %" PRIu64 " bytes, the file holds %" PRIu64,
		               vhd->size, align_down(have, SECTOR));
	return 0;
}

static int check_header(const struct vhd_header *h, struct platter_error *err)
{
	size_t at = offsetof(struct vhd_header, checksum);
	uint32_t sum = vhd_checksum(h, sizeof *h, at);
	uint32_t version = be32_get(h->header_version), block = be32_get(h->block_size);

	if (memcmp(h->cookie, "cxsparse", sizeof h->cookie) != 0)
		return err_set(err, EINVAL, "no dynamic disk header where the footer says");
	if (!sum_matches(sum, be32_get(h->checksum)))
		return err_set(err, EINVAL,
		               "the checksum of the dynamic disk header is %08" PRIx32
		               ", recorded %08" PRIx32,
		               sum, be32_get(h->checksum));
	if (version >> 16 != 1)
		return err_set(err, ENOTSUP,
		               "version %" PRIu32 ".%" PRIu32
		               " of the dynamic disk header, expected 1.0",
		               version >> 16, version & 0xffff);
	if (!is_pow2(block) || block < SECTOR)
		return err_set(err, EINVAL,
		               "a block size of %" PRIu32 ", expected a power of two from %u on",
		               block, SECTOR);
	return 0;
}

/* Bytes of the disk that a block holds: the last one may be cut. */
static uint64_t block_bytes(const struct vhd *vhd, uint64_t block)
{
	return min64((uint64_t)1 << vhd->shift, vhd->size - (block << vhd->shift));
}

static bool block_in_file(const struct vhd *vhd, uint64_t block, uint32_t sector)
{
	return range_ok((uint64_t)sector * SECTOR, vhd->bitmap + block_bytes(vhd, block),
	                vhd->file->size);
}

static uint32_t entry_get(const struct run_entries *entries, uint64_t i)
{
	return be32_at(entries->at + i * sizeof(be32));
}

static int entries_from(const struct vhd *vhd, uint64_t block, struct run_entries *entries)
{
	return run_entries(vhd->cache, vhd->file, vhd->table, vhd->blocks, sizeof(be32), block,
	                   entries);
}

static int check_table(const struct vhd *vhd, struct platter_error *err)
{
	struct run_entries entries;

	for (uint64_t block = 0; block < vhd->blocks; block += entries.count) {
		int r = entries_from(vhd, block, &entries);
		uint64_t i;
		uint32_t e = 0;

		if (r)
			return err_set(err, -r, "the block allocation table cannot be read: %s",
			               strerror(-r));
		for (i = 0; i < entries.count; i++) {
			e = entry_get(&entries, i);
			if (e != UNUSED && !block_in_file(vhd, block + i, e))
				break;
		}
		run_entries_put(vhd->cache, &entries);
		if (i < entries.count)
			return err_set(err, EINVAL,
			               "block %" PRIu64 " stands at sector %" PRIu32
			               " and passes the end of the file at %" PRIu64 " bytes",
			               block + i, e, vhd->file->size);
	}
	return 0;
}

static int open_dynamic(struct image *image, struct vhd *vhd, const struct vhd_footer *footer,
                        struct platter_error *err)
{
	uint64_t at = be64_get(footer->data_offset), last;
	struct vhd_header h;
	uint32_t max;
	int r;

	if (!range_ok(at, sizeof h, vhd->file->size))
		return err_set(err, EINVAL,
		               "the dynamic disk header at %" PRIu64
		               " passes the end of the file at %" PRIu64 " bytes",
		               at, vhd->file->size);
	r = dev_pread(vhd->file, &h, sizeof h, at);
	if (r)
		return err_set(err, -r, "the dynamic disk header cannot be read: %s", strerror(-r));
	r = check_header(&h, err);
	if (r)
		return r;
	vhd->shift = (uint8_t)__builtin_ctz(be32_get(h.block_size));
	vhd->bitmap = (uint32_t)align_up((be32_get(h.block_size) / SECTOR + 7) / 8, SECTOR);
	vhd->table = be64_get(h.table_offset);
	max = be32_get(h.max_table_entries);
	last = vhd->size ? (vhd->size - 1) >> vhd->shift : 0;
	if (last >= max)
		return err_set(err, EINVAL,
		               "a disk of %" PRIu64 " bytes has %" PRIu64
		               " blocks, the block allocation table %" PRIu32,
		               vhd->size, last + 1, max);
	vhd->blocks = last + 1;
	if (!range_ok(vhd->table, vhd->blocks * sizeof(be32), vhd->file->size))
		return err_set(err, EINVAL,
		               "the block allocation table at %" PRIu64 ", %" PRIu64
		               " entries, passes the end of the file at %" PRIu64 " bytes",
		               vhd->table, vhd->blocks, vhd->file->size);
	if (vhd->blocks * sizeof(be32) <= CHECK_BYTES)
		r = check_table(vhd, err);
	if (!r && vhd->differencing)
		r = vhd_parent_open(image, &h, err);
	return r;
}

static int vhd_open(struct image *image, struct platter_error *err)
{
	struct vhd_footer footer;
	struct vhd *vhd;
	int r;

	r = vhd_footer_read(image, &footer, err);
	if (!r)
		r = check_footer(&footer, err);
	if (r)
		return r;
	vhd = calloc(1, sizeof *vhd);
	if (!vhd)
		return err_set(err, ENOMEM, "no memory");
	vhd->file = image->file;
	vhd->cache = image->cache;
	vhd->size = disk_size(&footer);
	vhd->fixed = be32_get(footer.disk_type) == DISK_FIXED;
	vhd->differencing = be32_get(footer.disk_type) == DISK_DIFFERENCE;
	memcpy(vhd->unique_id, footer.unique_id, sizeof vhd->unique_id);
	r = vhd->fixed ? open_fixed(vhd, err) : open_dynamic(image, vhd, &footer, err);
	if (r) {
		free(vhd);
		return r;
	}
	if (footer.saved_state)
		image_note(image, "belongs to a virtual machine in saved state");
	image->self = vhd;
	image->size = vhd->size;
	return 0;
}

/* What no block holds, from off on: as many blocks in a row as the entries at hand tell. */
static void map_unused(const struct vhd *vhd, const struct run_entries *entries, uint64_t off,
                       struct run *run)
{
	uint64_t n = 1;

	while (n < entries->count && entry_get(entries, n) == UNUSED)
		n++;
	run->kind = vhd->differencing ? RUN_PARENT : RUN_ZERO;
	run->offset = off;
	run->length = (((off >> vhd->shift) + n) << vhd->shift) - off;
}

/* Sectors of a differencing disk's block: those in a row that the bitmap says the same of. */
static int map_sectors(const struct vhd *vhd, uint64_t at, uint64_t off, struct run *run)
{
	uint64_t in = off & (((uint64_t)1 << vhd->shift) - 1), first = in / SECTOR, n;
	const struct cache_chunk *bitmap;
	bool own;
	int r;

	r = run_table(vhd->cache, vhd->file, at, vhd->bitmap, &bitmap);
	if (r)
		return r;
	n = bit_run(bitmap->data, first, ((uint64_t)1 << vhd->shift) / SECTOR, true, &own);
	cache_put(vhd->cache, bitmap);
	run->length = (first + n) * SECTOR - in;
	if (own)
		return 0;
	run->kind = RUN_PARENT;
	run->offset = off;
	return 0;
}

static int map_block(const struct vhd *vhd, uint32_t sector, uint64_t off, struct run *run)
{
	uint64_t at = (uint64_t)sector * SECTOR, in = off & (((uint64_t)1 << vhd->shift) - 1);

	if (!block_in_file(vhd, off >> vhd->shift, sector))
		return -EIO;
	run->kind = RUN_RAW;
	run->dev = vhd->file;
	run->offset = at + vhd->bitmap + in;
	run->length = ((uint64_t)1 << vhd->shift) - in;
	return vhd->differencing ? map_sectors(vhd, at, off, run) : 0;
}

static int vhd_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct vhd *vhd = self;
	struct run_entries entries;
	uint32_t sector;
	int r;

	(void)node;
	if (vhd->fixed) {
		*run = (struct run){RUN_RAW, vhd->size - off, vhd->file, off, 0, 0, 0, 0, NULL};
		return 0;
	}
	r = entries_from(vhd, off >> vhd->shift, &entries);
	if (r)
		return r;
	sector = entry_get(&entries, 0);
	if (sector == UNUSED)
		map_unused(vhd, &entries, off, run);
	run_entries_put(vhd->cache, &entries);
	return sector == UNUSED ? 0 : map_block(vhd, sector, off, run);
}

const struct format_driver format_vhd = {
	.name = "vhd",
	.qemu = "vpc",
	.id = 7,
	.open = vhd_open,
	.map = vhd_map,
};
