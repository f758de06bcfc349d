/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Apple's Universal Disk Image Format, .dmg. There is no specification; this is from the fields'
 * descriptions in the manual of hdiutil(1), Jonathan Levin's "Demystifying the DMG File Format" and
 * the UDIF chapter of the keramics project's format notes, checked on images that hdiutil made. All
 * numbers are big-endian.
 *
 *   data fork (packed chunks)   property list or resource fork   trailer ("koly", 512 bytes)
 *
 * The trailer stands at the end of the file, or at its beginning where the image was written as a
 * stream. It says where the tables are: in a property list in XML (resource-fork, blkx: an array
 * with one table as data for each partition and each gap between them), or, in images from before
 * Mac OS X 10.2, as resources of type blkx in a resource fork. An image without tables is the disk
 * as it is, with a trailer.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dmg.h"

#define KOLY_VERSION 4u

struct udif_trailer {
	uint8_t signature[4];                 /* +0x000 "koly" */
	be32 version;                         /* +0x004 */
	be32 header_size;                     /* +0x008 512 */
	be32 flags;                           /* +0x00c */
	be64 running_data_fork_offset;        /* +0x010 */
	be64 data_fork_offset;                /* +0x018 */
	be64 data_fork_length;                /* +0x020 */
	be64 rsrc_fork_offset;                /* +0x028 */
	be64 rsrc_fork_length;                /* +0x030 */
	be32 segment_number;                  /* +0x038 from 1, or 0 */
	be32 segment_count;                   /* +0x03c 0 or 1: not segmented */
	uint8_t segment_id[16];               /* +0x040 */
	struct udif_checksum data_checksum;   /* +0x050 of the data fork, packed */
	be64 xml_offset;                      /* +0x0d8 */
	be64 xml_length;                      /* +0x0e0 */
	uint8_t reserved1[120];               /* +0x0e8 */
	struct udif_checksum master_checksum; /* +0x160 of the tables' checksums */
	be32 image_variant;                   /* +0x1e8 */
	be64 sector_count;                    /* +0x1ec */
	uint8_t reserved2[12];                /* +0x1f4 */
};

_Static_assert(sizeof(struct udif_trailer) == 512, "UDIF trailer");
_Static_assert(offsetof(struct udif_trailer, xml_offset) == 0xd8, "UDIF trailer");
_Static_assert(offsetof(struct udif_trailer, sector_count) == 0x1ec, "UDIF trailer");

static bool is_koly(const struct udif_trailer *t)
{
	return memcmp(t->signature, "koly", 4) == 0;
}

/*
 * Encrypted images say so in their first bytes (version 2) or in their last (version 1); what is
 * encrypted is an image like this one.
 */
static int check_plain(const struct udif_trailer *head, const struct udif_trailer *tail,
                       struct platter_error *err)
{
	bool v1 = memcmp((const char *)(tail + 1) - 8, "cdsaencr", 8) == 0;
	bool v2 = memcmp(head, "encrcdsa", 8) == 0;

	if (!v1 && !v2)
		return 0;
	return err_set(err, EOPNOTSUPP, "an encrypted Apple disk image (%s): not supported",
	               v2 ? "encrcdsa" : "cdsaencr");
}

static int read_trailer(struct dev *file, struct udif_trailer *t, struct platter_error *err)
{
	struct udif_trailer head;
	int r;

	if (file->size < sizeof *t)
		return DRIVER_NOT_MINE;
	r = dev_pread(file, t, sizeof *t, file->size - sizeof *t);
	if (!r)
		r = dev_pread(file, &head, sizeof head, 0);
	if (r)
		return err_set(err, -r, "the first and the last 512 bytes: %s", strerror(-r));
	r = check_plain(&head, t, err);
	if (r || is_koly(t))
		return r;
	*t = head;
	return is_koly(t) ? 0 : DRIVER_NOT_MINE;
}

static int check_trailer(const struct udif_trailer *t, struct platter_error *err)
{
	if (be32_get(t->version) != KOLY_VERSION)
		return err_set(err, EOPNOTSUPP, "UDIF version %u, expected %u",
		               be32_get(t->version), KOLY_VERSION);
	if (be32_get(t->header_size) != sizeof *t)
		return err_set(err, EINVAL, "UDIF trailer of %u bytes, expected %zu",
		               be32_get(t->header_size), sizeof *t);
	if (be32_get(t->segment_count) > 1)
		return err_set(err, EOPNOTSUPP,
		               "segment %u of %u: an image in segments is not supported",
		               be32_get(t->segment_number), be32_get(t->segment_count));
	if (be64_get(t->sector_count) > DEV_SIZE_MAX / DMG_SECTOR)
		return err_set(err, EFBIG, "%" PRIu64 " sectors, at most %" PRIu64,
		               be64_get(t->sector_count), DEV_SIZE_MAX / DMG_SECTOR);
	return 0;
}

/* An image without tables: the data fork is the disk. */
static int take_whole(struct image *image, struct dmg *dmg, const struct udif_trailer *t,
                      struct platter_error *err)
{
	uint64_t sectors = be64_get(t->sector_count), len = be64_get(t->data_fork_length);
	struct image_sum sum = {.digest = "crc32", .length = len, .what = "data fork"};

	if (sectors == 0 || len < sectors * DMG_SECTOR ||
	    !range_ok(dmg->data_fork, len, dmg->file->size))
		return err_set(err, EINVAL,
		               "no tables, and a data fork of %" PRIu64 " bytes at %" PRIu64
		               " of %" PRIu64 " for %" PRIu64 " sectors",
		               len, dmg->data_fork, dmg->file->size, sectors);
	dmg->chunks = calloc(1, sizeof *dmg->chunks);
	if (!dmg->chunks)
		return err_set(err, ENOMEM, "no memory");
	dmg->chunks[dmg->count++] =
		(struct dmg_chunk){.sectors = sectors, .offset = dmg->data_fork};
	if (be32_get(t->data_checksum.type) != DMG_CHECKSUM_CRC32 || len != sectors * DMG_SECTOR)
		return 0;
	memcpy(sum.value, t->data_checksum.data, 4);
	return image_add_sum(image, &sum) ? err_set(err, ENOMEM, "no memory") : 0;
}

static int read_tables(struct image *image, struct dmg *dmg, const struct udif_trailer *t,
                       struct platter_error *err)
{
	be32 master;
	int r = 0;

	if (be64_get(t->xml_length))
		r = dmg_read_plist(image, dmg, be64_get(t->xml_offset), be64_get(t->xml_length),
		                   err);
	else if (be64_get(t->rsrc_fork_length))
		r = dmg_read_fork(image, dmg, be64_get(t->rsrc_fork_offset),
		                  be64_get(t->rsrc_fork_length), err);
	if (r)
		return r;
	if (dmg->tables == 0)
		return take_whole(image, dmg, t, err);
	memcpy(master.b, t->master_checksum.data, 4);
	if (be32_get(t->master_checksum.type) == DMG_CHECKSUM_CRC32 &&
	    be32_get(master) != dmg->master)
		image_note(image, "the master checksum is %08x, that of the tables' checksums %08x",
		           be32_get(master), dmg->master);
	return dmg_settle(image, dmg, err);
}

static void dmg_close(void *self)
{
	struct dmg *dmg = self;

	for (size_t i = 0; i < dmg->tables; i++)
		free(dmg->gaps[i]);
	free(dmg->gaps);
	free(dmg->chunks);
	free(dmg);
}

static int dmg_open(struct image *image, struct platter_error *err)
{
	struct udif_trailer t;
	struct dmg *dmg;
	int r = read_trailer(image->file, &t, err);

	if (!r)
		r = check_trailer(&t, err);
	if (r)
		return r;
	dmg = calloc(1, sizeof *dmg);
	if (!dmg)
		return err_set(err, ENOMEM, "no memory");
	dmg->file = image->file;
	dmg->data_fork = be64_get(t.data_fork_offset);
	dmg->sectors = be64_get(t.sector_count) ? be64_get(t.sector_count) : UINT64_MAX;
	r = read_tables(image, dmg, &t, err);
	if (r) {
		dmg_close(dmg);
		return r;
	}
	for (size_t i = 0; i < dmg->count; i++)
		image->packed |= dmg->chunks[i].packed != 0;
	image->self = dmg;
	image->size = dmg->sectors * DMG_SECTOR;
	return 0;
}

static int dmg_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct dmg *dmg = self;
	uint64_t sector = off / DMG_SECTOR;
	size_t i = dmg_find(dmg, sector);
	const struct dmg_chunk *c = i ? &dmg->chunks[i - 1] : NULL;

	(void)node;
	if (!c || sector - c->start >= c->sectors) {
		uint64_t end = i < dmg->count ? dmg->chunks[i].start : dmg->sectors;

		*run = (struct run){.kind = RUN_ZERO, .length = end * DMG_SECTOR - off};
		return 0;
	}
	*run = (struct run){
		.kind = c->packed ? RUN_PACKED : RUN_RAW,
		.length = (c->start + c->sectors) * DMG_SECTOR - off,
		.dev = dmg->file,
		.offset = c->offset,
	};
	off -= c->start * DMG_SECTOR;
	if (!c->packed) {
		run->offset += off;
		return 0;
	}
	run->codec = c->codec;
	run->packed = c->packed;
	run->unpacked = (uint32_t)((c->skip + c->sectors) * DMG_SECTOR);
	run->skip = (uint32_t)(c->skip * DMG_SECTOR + off);
	return 0;
}

const struct format_driver format_dmg = {
	.name = "dmg",
	.qemu = "dmg",
	.id = 9,
	.open = dmg_open,
	.map = dmg_map,
	.close = dmg_close,
};
