/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A dynamic VHDX ([MS-VHDX], "Virtual Hard Disk v2 File Format"). Little-endian; checksums are
 * CRC-32C. What stands where, in KiB, and the section that tells of it:
 *
 *        0  file type identifier     2.2.1
 *    64 128 headers                  2.2.2  the one with the higher sequence number holds
 *   192 256 region tables            2.2.3  the same one twice
 *     1024  log, 1 MiB               2.3    empty: the headers name none
 *     2048  metadata, 1 MiB          2.6
 *     3072  block allocation table   2.5    64 bits for every block of the disk, and one for the
 *                                           sector bitmaps of as many as make 4 GiB, unused here
 *           blocks                          each at a whole MiB
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "export-blocks.h"
#include "ondisk.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define TIB ((uint64_t)1 << 40)

#define HEADERS_AT  (64 * KIB)
#define REGIONS_AT  (192 * KIB)
#define COPY_AFTER  (64 * KIB)
#define LOG_AT      (1 * MIB)
#define METADATA_AT (2 * MIB)
#define BAT_AT      (3 * MIB)
#define ITEMS_AT    (64 * KIB) /* in the metadata region, behind its table */

#define DISK_MAX (64 * TIB)
#define SECTOR   512u
#define PHYSICAL 4096u
/* Large blocks would be as many holes, which not everybody who copies the file keeps; small ones
 * make the table of a large disk large. */
#define BLOCK_SMALL (2 * MIB)
#define BLOCK_LARGE (32 * MIB)
#define SMALL_MAX   (4 * TIB)

#define FULLY_PRESENT 6

struct guid {
	le32 a;
	le16 b, c;
	uint8_t d[8];
};
_Static_assert(sizeof(struct guid) == 16, "guid");

#define GUID(a0, b0, c0, ...)                                                                      \
	{                                                                                          \
		.a = {{(a0)&0xff, (a0) >> 8 & 0xff, (a0) >> 16 & 0xff, (a0) >> 24}},               \
		.b = {{(b0)&0xff, (b0) >> 8}}, .c = {{(c0)&0xff, (c0) >> 8}}, .d = {__VA_ARGS__},  \
	}

struct vhdx_identifier {
	char signature[8];
	le16 creator[256];
};
_Static_assert(sizeof(struct vhdx_identifier) == 520, "identifier");

struct vhdx_header {
	char signature[4];
	le32 checksum;
	le64 sequence_number;
	uint8_t file_write_guid[16];
	uint8_t data_write_guid[16];
	uint8_t log_guid[16]; /* zeros: the log is empty */
	le16 log_version;
	le16 version;
	le32 log_length;
	le64 log_offset;
	uint8_t reserved[4016];
};
_Static_assert(offsetof(struct vhdx_header, log_version) == 64, "log_version");
_Static_assert(sizeof(struct vhdx_header) == 4096, "header");

struct vhdx_region {
	struct guid guid;
	le64 file_offset;
	le32 length;
	le32 required;
};
_Static_assert(sizeof(struct vhdx_region) == 32, "region");

struct vhdx_regions {
	char signature[4];
	le32 checksum;
	le32 entry_count;
	le32 reserved;
	struct vhdx_region entries[2047];
	uint8_t padding[16];
};
_Static_assert(sizeof(struct vhdx_regions) == 65536, "region table");

struct vhdx_item {
	struct guid item_id;
	le32 offset; /* from the beginning of the region */
	le32 length;
	le32 flags;
	le32 reserved;
};
_Static_assert(sizeof(struct vhdx_item) == 32, "metadata entry");

#define IS_DISK     2u /* the item tells of the disk, not of the file */
#define IS_REQUIRED 4u

struct vhdx_metadata {
	char signature[8];
	le16 reserved;
	le16 entry_count;
	uint8_t reserved2[20];
	struct vhdx_item entries[5];
};
_Static_assert(offsetof(struct vhdx_metadata, entries) == 32, "metadata table");

/* The items, one behind the other. */
struct vhdx_values {
	le32 block_size;
	le32 file_flags; /* blocks may be missing, and there is no parent */
	le64 virtual_disk_size;
	uint8_t virtual_disk_id[16];
	le32 logical_sector_size;
	le32 physical_sector_size;
};
_Static_assert(sizeof(struct vhdx_values) == 40, "metadata values");

struct vhdx_writer {
	struct export_table bat;
	struct export_blocks blocks;
	uint64_t ratio; /* blocks that one sector bitmap is for */
};

static int placed(void *self, uint64_t index, uint64_t at)
{
	struct vhdx_writer *w = self;
	le64 entry = le64_put(at | FULLY_PRESENT);

	return export_table_set(&w->bat, index + index / w->ratio, &entry);
}

static int put_identifier(struct export_job *x)
{
	static const char creator[] = "platter " PACKAGE_VERSION;
	struct vhdx_identifier id = {0};

	memcpy(id.signature, "vhdxfile", sizeof id.signature);
	for (size_t i = 0; i < sizeof creator; i++)
		id.creator[i] = le16_put((uint8_t)creator[i]);
	return export_write(x, &id, sizeof id, 0);
}

static int put_headers(struct export_job *x)
{
	struct vhdx_header h = {
		.version = le16_put(1),
		.log_length = le32_put((uint32_t)MIB),
		.log_offset = le64_put(LOG_AT),
	};
	int r = export_random(x, h.file_write_guid, sizeof h.file_write_guid);

	if (!r)
		r = export_random(x, h.data_write_guid, sizeof h.data_write_guid);
	memcpy(h.signature, "head", sizeof h.signature);
	for (uint64_t i = 0; i < 2 && !r; i++) {
		h.sequence_number = le64_put(i + 1);
		h.checksum = le32_put(0);
		h.checksum = le32_put(crc32c(&h, sizeof h));
		r = export_write(x, &h, sizeof h, HEADERS_AT + i * COPY_AFTER);
	}
	return r;
}

static int put_regions(struct export_job *x, uint64_t bat_length)
{
	static const struct guid bat =
		GUID(0x2dc27766u, 0xf623, 0x4200, 0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08);
	static const struct guid metadata =
		GUID(0x8b7ca206u, 0x4790, 0x4b9a, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e);
	struct vhdx_regions t = {
		.entry_count = le32_put(2),
		.entries = {{bat, le64_put(BAT_AT), le32_put((uint32_t)bat_length), le32_put(1)},
	                    {metadata, le64_put(METADATA_AT), le32_put((uint32_t)MIB),
	                     le32_put(1)}},
	};
	int r;

	memcpy(t.signature, "regi", sizeof t.signature);
	t.checksum = le32_put(crc32c(&t, sizeof t));
	r = export_write(x, &t, sizeof t, REGIONS_AT);
	return r ? r : export_write(x, &t, sizeof t, REGIONS_AT + COPY_AFTER);
}

static int put_metadata(struct export_job *x, uint64_t block, uint64_t size)
{
	static const struct {
		struct guid id;
		size_t offset, length;
		uint32_t flags;
	} items[] = {
		{GUID(0xcaa16737u, 0xfa36, 0x4d43, 0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b),
	         offsetof(struct vhdx_values, block_size), 8, IS_REQUIRED},
		{GUID(0x2fa54224u, 0xcd1b, 0x4876, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8),
	         offsetof(struct vhdx_values, virtual_disk_size), 8, IS_DISK | IS_REQUIRED},
		{GUID(0xbeca12abu, 0xb2e6, 0x4523, 0x93, 0xef, 0xc3, 0x09, 0xe0, 0x00, 0xc7, 0x46),
	         offsetof(struct vhdx_values, virtual_disk_id), 16, IS_DISK | IS_REQUIRED},
		{GUID(0x8141bf1du, 0xa96f, 0x4709, 0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f),
	         offsetof(struct vhdx_values, logical_sector_size), 4, IS_DISK | IS_REQUIRED},
		{GUID(0xcda348c7u, 0x445d, 0x4471, 0x9c, 0xc9, 0xe9, 0x88, 0x52, 0x51, 0xc5, 0x56),
	         offsetof(struct vhdx_values, physical_sector_size), 4, IS_DISK | IS_REQUIRED},
	};
	struct vhdx_metadata t = {.entry_count = le16_put(5)};
	struct vhdx_values v = {
		.block_size = le32_put((uint32_t)block),
		.virtual_disk_size = le64_put(size),
		.logical_sector_size = le32_put(SECTOR),
		.physical_sector_size = le32_put(PHYSICAL),
	};
	int r = export_random(x, v.virtual_disk_id, sizeof v.virtual_disk_id);

	memcpy(t.signature, "metadata", sizeof t.signature);
	for (size_t i = 0; i < 5; i++)
		t.entries[i] = (struct vhdx_item){
			.item_id = items[i].id,
			.offset = le32_put((uint32_t)(ITEMS_AT + items[i].offset)),
			.length = le32_put((uint32_t)items[i].length),
			.flags = le32_put(items[i].flags),
		};
	if (!r)
		r = export_write(x, &t, sizeof t, METADATA_AT);
	return r ? r : export_write(x, &v, sizeof v, METADATA_AT + ITEMS_AT);
}

static int put_all(struct vhdx_writer *w, uint64_t size, uint64_t bat_length)
{
	struct export_job *x = w->bat.x;
	int r = export_blocks_put(&w->blocks);

	if (!r)
		r = export_table_finish(&w->bat);
	if (!r)
		r = export_set_size(x, w->blocks.next);
	if (!r)
		r = put_metadata(x, w->blocks.block, size);
	if (!r)
		r = put_regions(x, bat_length);
	if (!r)
		r = put_headers(x);
	return r ? r : put_identifier(x);
}

int export_vhdx(struct export_job *x)
{
	uint64_t size = export_sectors(x) * SECTOR, blocks, bat_length;
	uint64_t block = size > SMALL_MAX ? BLOCK_LARGE : BLOCK_SMALL;
	int r = export_check_size(x, "vhdx", DISK_MAX);
	struct vhdx_writer *w = r ? NULL : calloc(1, sizeof *w);

	if (!w)
		return r ? r : export_no_memory(x);
	blocks = (size + block - 1) / block;
	w->ratio = ((uint64_t)1 << 23) * SECTOR / block;
	w->bat.x = x;
	w->bat.at = BAT_AT;
	w->bat.entry = sizeof(le64);
	w->bat.count = blocks + (blocks - 1) / w->ratio;
	export_table_begin(&w->bat);
	bat_length = align_up(w->bat.count * sizeof(le64), MIB);
	w->blocks = (struct export_blocks){
		.x = x,
		.block = block,
		.next = BAT_AT + bat_length,
		.placed = placed,
		.self = w,
	};
	r = put_all(w, size, bat_length);
	free(w);
	return r;
}
