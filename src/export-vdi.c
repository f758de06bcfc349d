/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A dynamic VDI, version 1.1: VirtualBox's format (VDICore.h there). Little-endian.
 *
 *   header          512 bytes
 *   block map       32 bits for every block (1 MiB) of the disk: its number in the file, or that it
 *                   is not there and reads as zeros
 *   blocks          from the next whole MiB on
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "export-blocks.h"
#include "ondisk.h"

#define BLOCK       ((uint64_t)1 << 20)
#define MAP_AT      512
#define SIGNATURE   0xbeda107fu
#define VDI_VERSION 0x00010001u
#define DYNAMIC     1
#define SECTOR      512u
#define NOT_THERE   0xff /* each byte of such an entry */
/* QEMU's limit: header and map are below 2 GiB. */
#define BLOCKS_MAX (((uint64_t)INT32_MAX + 1 - MAP_AT) / sizeof(le32))

struct vdi_geometry {
	le32 cylinders;
	le32 heads;
	le32 sectors;
	le32 sector_size;
};
_Static_assert(sizeof(struct vdi_geometry) == 16, "geometry");

struct vdi_header {
	char text[64];
	le32 signature;
	le32 version;
	le32 header_size; /* of what follows, up to and with lchs */
	le32 image_type;
	le32 image_flags;
	char description[256];
	le32 offset_bmap;
	le32 offset_data;
	struct vdi_geometry legacy; /* 0: to be chosen by who uses it */
	le32 unused;
	le64 disk_size;
	le32 block_size;
	le32 block_extra;
	le32 blocks_in_image;
	le32 blocks_allocated;
	uint8_t uuid_image[16];
	uint8_t uuid_last_snap[16];
	uint8_t uuid_link[16]; /* zeros: it has no parent */
	uint8_t uuid_parent[16];
	struct vdi_geometry lchs;
	uint8_t padding[40];
};
_Static_assert(offsetof(struct vdi_header, offset_bmap) == 0x154, "offset_bmap");
_Static_assert(offsetof(struct vdi_header, disk_size) == 0x170, "disk_size");
_Static_assert(offsetof(struct vdi_header, uuid_image) == 0x188, "uuid_image");
_Static_assert(offsetof(struct vdi_header, lchs) == 0x1c8, "lchs");
_Static_assert(sizeof(struct vdi_header) == MAP_AT, "header");

struct vdi_writer {
	struct export_table map;
	struct export_blocks blocks;
	uint64_t data; /* where the blocks begin */
};

static int placed(void *self, uint64_t index, uint64_t at)
{
	struct vdi_writer *w = self;
	le32 number = le32_put((uint32_t)((at - w->data) / BLOCK));

	return export_table_set(&w->map, index, &number);
}

static int put_header(struct vdi_writer *w, uint64_t size)
{
	struct export_job *x = w->map.x;
	struct vdi_header h = {
		.text = "<<< Oracle VM VirtualBox Disk Image >>>\n",
		.signature = le32_put(SIGNATURE),
		.version = le32_put(VDI_VERSION),
		.header_size = le32_put(offsetof(struct vdi_header, padding) -
	                                offsetof(struct vdi_header, header_size)),
		.image_type = le32_put(DYNAMIC),
		.offset_bmap = le32_put(MAP_AT),
		.offset_data = le32_put((uint32_t)w->data),
		.legacy.sector_size = le32_put(SECTOR),
		.disk_size = le64_put(size),
		.block_size = le32_put((uint32_t)BLOCK),
		.blocks_in_image = le32_put((uint32_t)w->map.count),
		.blocks_allocated = le32_put((uint32_t)w->blocks.count),
		.lchs.sector_size = le32_put(SECTOR),
	};
	int r = export_random(x, h.uuid_image, sizeof h.uuid_image);

	if (!r)
		r = export_random(x, h.uuid_last_snap, sizeof h.uuid_last_snap);
	return r ? r : export_write(x, &h, sizeof h, 0);
}

static int put_all(struct vdi_writer *w, uint64_t size)
{
	int r = export_blocks_put(&w->blocks);

	if (!r)
		r = export_table_finish(&w->map);
	if (!r)
		r = export_set_size(w->map.x, w->blocks.next);
	return r ? r : put_header(w, size);
}

int export_vdi(struct export_job *x)
{
	uint64_t size = export_sectors(x) * SECTOR;
	int r = export_check_size(x, "vdi", BLOCKS_MAX * BLOCK);
	struct vdi_writer *w = r ? NULL : calloc(1, sizeof *w);

	if (!w)
		return r ? r : export_no_memory(x);
	w->map.x = x;
	w->map.at = MAP_AT;
	w->map.entry = sizeof(le32);
	w->map.count = (size + BLOCK - 1) / BLOCK;
	w->map.unset = NOT_THERE;
	export_table_begin(&w->map);
	w->data = align_up(MAP_AT + w->map.count * sizeof(le32), BLOCK);
	w->blocks = (struct export_blocks){
		.x = x,
		.block = BLOCK,
		.next = w->data,
		.placed = placed,
		.self = w,
	};
	r = put_all(w, size);
	free(w);
	return r;
}
