/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A dynamic VHD (Microsoft, "Virtual Hard Disk Image Format Specification", 1.0). Big-endian.
 *
 *   copy of the footer     512 bytes
 *   dynamic disk header    1024 bytes
 *   block allocation table 32 bits for every block (2 MiB) of the disk: the sector of the file that
 *                          its bitmap stands in, all ones when it is not there and reads as zeros
 *   blocks                 each a bitmap of its sectors, one sector long, and its contents
 *   footer                 512 bytes
 *
 * The bitmap stands at the end of a page, so that the contents begin with the next one: holes in
 * them can be holes of the file, and who writes to the disk later writes whole pages.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "export-blocks.h"
#include "ondisk.h"

#define BLOCK       ((uint64_t)2 << 20)
#define SECTOR      ((uint64_t)512)
#define PAGE        ((uint64_t)4096)
#define HEADER_AT   512
#define TABLE_AT    1536
#define NOT_THERE   0xff /* each byte of such an entry */
#define DISK_MAX    ((uint64_t)2040 << 30)
#define EPOCH       946684800 /* 2000-01-01 00:00 UTC */
#define FEATURES    2         /* a bit that is always set */
#define VHD_VERSION 0x00010000u
#define DYNAMIC     3

struct vhd_footer {
	char cookie[8];
	be32 features;
	be32 file_format_version;
	be64 data_offset;
	be32 time_stamp;
	char creator_application[4];
	be32 creator_version;
	char creator_host_os[4];
	be64 original_size;
	be64 current_size;
	be16 cylinders;
	uint8_t heads, sectors;
	be32 disk_type;
	be32 checksum; /* the ones' complement of the sum of all other bytes */
	uint8_t unique_id[16];
	uint8_t saved_state;
	uint8_t reserved[427];
};
_Static_assert(offsetof(struct vhd_footer, current_size) == 48, "current_size");
_Static_assert(offsetof(struct vhd_footer, checksum) == 64, "checksum");
_Static_assert(sizeof(struct vhd_footer) == 512, "footer");

struct vhd_header {
	char cookie[8];
	be64 data_offset;
	be64 table_offset;
	be32 header_version;
	be32 max_table_entries;
	be32 block_size;
	be32 checksum;
	uint8_t parent[16 + 4 + 4 + 512 + 8 * 24]; /* zeros: there is none */
	uint8_t reserved[256];
};
_Static_assert(offsetof(struct vhd_header, checksum) == 36, "checksum");
_Static_assert(sizeof(struct vhd_header) == 1024, "header");

struct vhd_writer {
	struct export_table table;
	struct export_blocks blocks;
};

static be32 checksum(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint32_t sum = 0;

	while (len--)
		sum += *p++;
	return be32_put(~sum);
}

static int placed(void *self, uint64_t index, uint64_t at)
{
	struct vhd_writer *w = self;
	be32 sector = be32_put((uint32_t)(at / SECTOR - 1));
	uint8_t all[SECTOR];
	int r;

	memset(all, 0xff, sizeof all);
	r = export_write(w->table.x, all, sizeof all, at - SECTOR);
	return r ? r : export_table_set(&w->table, index, &sector);
}

/* The geometry that goes with a size: the specification's appendix, "CHS Calculation". */
static void set_geometry(struct vhd_footer *f, uint64_t sectors)
{
	uint64_t total = min64(sectors, 65535 * 16 * 255), tracks, spt = 17, heads;

	if (total >= 65535 * 16 * 63) {
		spt = 255;
		heads = 16;
		tracks = total / spt;
	} else {
		tracks = total / spt;
		heads = max64((tracks + 1023) / 1024, 4);
		if (tracks >= heads * 1024 || heads > 16) {
			spt = 31;
			heads = 16;
			tracks = total / spt;
		}
		if (tracks >= heads * 1024) {
			spt = 63;
			heads = 16;
			tracks = total / spt;
		}
	}
	f->cylinders = be16_put((uint16_t)(tracks / heads));
	f->heads = (uint8_t)heads;
	f->sectors = (uint8_t)spt;
}

static int put_footers(struct vhd_writer *w, uint64_t sectors)
{
	struct vhd_footer f = {
		.features = be32_put(FEATURES),
		.file_format_version = be32_put(VHD_VERSION),
		.data_offset = be64_put(HEADER_AT),
		.time_stamp = be32_put((uint32_t)(time(NULL) - EPOCH)),
		.creator_version = be32_put(VHD_VERSION),
		.original_size = be64_put(sectors * SECTOR),
		.current_size = be64_put(sectors * SECTOR),
		.disk_type = be32_put(DYNAMIC),
	};
	int r = export_random(w->table.x, f.unique_id, sizeof f.unique_id);

	memcpy(f.cookie, "conectix", sizeof f.cookie);
	/* Who made it decides for many what the size is: of those that Windows made it is
	 * current_size, of all that they do not know what the geometry comes to. */
	memcpy(f.creator_application, "win ", sizeof f.creator_application);
	memcpy(f.creator_host_os, "Wi2k", sizeof f.creator_host_os);
	set_geometry(&f, sectors);
	f.checksum = checksum(&f, sizeof f);
	if (!r)
		r = export_write(w->table.x, &f, sizeof f, w->blocks.next);
	return r ? r : export_write(w->table.x, &f, sizeof f, 0);
}

static int put_header(struct vhd_writer *w)
{
	struct vhd_header h = {
		.table_offset = be64_put(TABLE_AT),
		.header_version = be32_put(VHD_VERSION),
		.max_table_entries = be32_put((uint32_t)w->table.count),
		.block_size = be32_put((uint32_t)BLOCK),
	};

	memcpy(h.cookie, "cxsparse", sizeof h.cookie);
	h.data_offset = be64_put(UINT64_MAX);
	h.checksum = checksum(&h, sizeof h);
	return export_write(w->table.x, &h, sizeof h, HEADER_AT);
}

static int put_all(struct vhd_writer *w, uint64_t sectors)
{
	int r = export_blocks_put(&w->blocks);

	if (!r)
		r = export_table_finish(&w->table);
	if (!r)
		r = put_header(w);
	return r ? r : put_footers(w, sectors);
}

int export_vhd(struct export_job *x)
{
	uint64_t sectors = export_sectors(x);
	int r = export_check_size(x, "vhd", DISK_MAX);
	struct vhd_writer *w = r ? NULL : calloc(1, sizeof *w);

	if (!w)
		return r ? r : export_no_memory(x);
	w->table.x = x;
	w->table.at = TABLE_AT;
	w->table.entry = sizeof(be32);
	w->table.count = (sectors * SECTOR + BLOCK - 1) / BLOCK;
	w->table.unset = NOT_THERE;
	export_table_begin(&w->table);
	w->blocks = (struct export_blocks){
		.x = x,
		.block = BLOCK,
		.next = align_up(TABLE_AT + w->table.count * sizeof(be32), PAGE),
		.before = PAGE,
		.placed = placed,
		.self = w,
	};
	r = put_all(w, sectors);
	free(w);
	return r;
}
