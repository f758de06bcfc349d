/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metadata of a VHDX, [MS-VHDX] 2.6: a table of items, each a GUID and where in the region its
 * value stands. An item that is required and not known here means a disk that is not understood.
 */
#include "config.h"

#include "vhdx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "text.h"

#define TABLE_BYTES ((size_t)64 << 10)
#define ENTRIES_MAX 2047u
#define REQUIRED    4u
#define HAS_PARENT  2u

#define BLOCK_MIN ((uint32_t)1 << 20)
#define BLOCK_MAX ((uint32_t)256 << 20)
#define DISK_MAX  ((uint64_t)64 << 40)

/* [MS-VHDX] 2.6.1.1 */
struct metadata_header {
	uint8_t signature[8]; /* +0x0 "metadata" */
	le16 reserved;        /* +0x8 */
	le16 entry_count;     /* +0xa */
	uint8_t reserved2[20];
};
_Static_assert(sizeof(struct metadata_header) == 32, "[MS-VHDX] 2.6.1.1");

/* [MS-VHDX] 2.6.1.2 */
struct metadata_entry {
	uint8_t item_id[16]; /* +0x00 */
	le32 offset;         /* +0x10 in the region */
	le32 length;         /* +0x14 */
	le32 flags;          /* +0x18 is user, is virtual disk, is required */
	le32 reserved;       /* +0x1c */
};
_Static_assert(sizeof(struct metadata_entry) == 32, "[MS-VHDX] 2.6.1.2");

enum item {
	FILE_PARAMETERS,
	VIRTUAL_DISK_SIZE,
	LOGICAL_SECTOR_SIZE,
	PARENT_LOCATOR,
	PHYSICAL_SECTOR_SIZE,
	VIRTUAL_DISK_ID,
	ITEMS
};

static const struct {
	const char *guid, *name;
	uint32_t length; /* 0: any */
} known[ITEMS] = {
	[FILE_PARAMETERS] = {"caa16737-fa36-4d43-b3b6-33f0aa44e76b", "file parameters", 8},
	[VIRTUAL_DISK_SIZE] = {"2fa54224-cd1b-4876-b211-5dbed83bf4b8", "virtual disk size", 8},
	[LOGICAL_SECTOR_SIZE] = {"8141bf1d-a96f-4709-ba47-f233a8faab5f", "logical sector size", 4},
	[PARENT_LOCATOR] = {"a8d35f2d-b30b-454d-abf7-d3d84834ab0c", "parent locator", 0},
	[PHYSICAL_SECTOR_SIZE] = {"cda348c7-445d-4471-9cc9-e9885251c556", "physical sector size",
                                  0},
	[VIRTUAL_DISK_ID] = {"beca12ab-b2e6-4523-93ef-c309e000c746", "virtual disk id", 0},
};

/* Where the items that were found stand in the file; those of length 0 were not. */
static int find_items(const struct vhdx_region *metadata, const uint8_t *table,
                      struct vhdx_region at[ITEMS], struct platter_error *err)
{
	struct metadata_header h;

	memcpy(&h, table, sizeof h);
	if (memcmp(h.signature, "metadata", sizeof h.signature) != 0)
		return err_set(err, EINVAL, "the metadata table has no \"metadata\" signature");
	if (le16_get(h.entry_count) > ENTRIES_MAX)
		return err_set(err, EINVAL, "the metadata table has %u entries, at most %u",
		               le16_get(h.entry_count), ENTRIES_MAX);
	for (unsigned i = 0; i < le16_get(h.entry_count); i++) {
		struct metadata_entry e;
		unsigned item = 0;
		char guid[37];

		memcpy(&e, table + sizeof h + i * sizeof e, sizeof e);
		text_guid(e.item_id, guid);
		while (item < ITEMS && strcmp(known[item].guid, guid) != 0)
			item++;
		if (item == ITEMS && !(le32_get(e.flags) & REQUIRED))
			continue;
		if (item == ITEMS)
			return err_set(err, ENOTSUP, "needs the unknown metadata item %s", guid);
		if (!range_ok(le32_get(e.offset), le32_get(e.length), metadata->length) ||
		    (known[item].length && le32_get(e.length) != known[item].length))
			return err_set(err, EINVAL,
			               "the %s has %" PRIu32 " bytes at %" PRIu32
			               " of the metadata's %" PRIu32,
			               known[item].name, le32_get(e.length), le32_get(e.offset),
			               metadata->length);
		at[item] = (struct vhdx_region){metadata->offset + le32_get(e.offset),
		                                le32_get(e.length)};
	}
	return 0;
}

/* The value of an item, at most 8 bytes. */
static int read_item(struct dev *file, const struct vhdx_region at[ITEMS], enum item item,
                     void *value, struct platter_error *err)
{
	int r;

	if (!at[item].length)
		return err_set(err, EINVAL, "the metadata has no %s", known[item].name);
	r = dev_pread(file, value, known[item].length, at[item].offset);
	return r ? err_set(err, -r, "the %s cannot be read: %s", known[item].name, strerror(-r))
	         : 0;
}

static int check(const struct vhdx_parameters *p, struct platter_error *err)
{
	if (!is_pow2(p->block_size) || p->block_size < BLOCK_MIN || p->block_size > BLOCK_MAX)
		return err_set(err, EINVAL,
		               "a block size of %" PRIu32
		               ", expected a power of two from 1 MiB to 256 MiB",
		               p->block_size);
	if (p->sector != 512 && p->sector != 4096)
		return err_set(err, EINVAL,
		               "a logical sector size of %" PRIu32 ", expected 512 or 4096",
		               p->sector);
	if (p->size == 0 || p->size > DISK_MAX || p->size % p->sector)
		return err_set(err, EINVAL,
		               "a virtual disk of %" PRIu64
		               " bytes, expected whole sectors of %" PRIu32 ", at most 64 TiB",
		               p->size, p->sector);
	if (p->has_parent && !p->parent_locator.length)
		return err_set(err, EINVAL, "has a parent, but the metadata no parent locator");
	return 0;
}

static int read_items(struct dev *file, const struct vhdx_region at[ITEMS],
                      struct vhdx_parameters *out, struct platter_error *err)
{
	le32 parameters[2], sector;
	le64 size;
	int r;

	r = read_item(file, at, FILE_PARAMETERS, parameters, err);
	if (!r)
		r = read_item(file, at, VIRTUAL_DISK_SIZE, &size, err);
	if (!r)
		r = read_item(file, at, LOGICAL_SECTOR_SIZE, &sector, err);
	if (r)
		return r;
	*out = (struct vhdx_parameters){
		.size = le64_get(size),
		.block_size = le32_get(parameters[0]),
		.sector = le32_get(sector),
		.has_parent = (le32_get(parameters[1]) & HAS_PARENT) != 0,
		.parent_locator = at[PARENT_LOCATOR],
	};
	return check(out, err);
}

int vhdx_parameters_read(struct dev *file, const struct vhdx_region *metadata,
                         struct vhdx_parameters *out, struct platter_error *err)
{
	struct vhdx_region at[ITEMS] = {0};
	void *table;
	int r;

	r = dev_read_table(file, metadata->offset, 1, TABLE_BYTES, TABLE_BYTES,
	                   "the metadata table", &table, err);
	if (r)
		return r;
	r = find_items(metadata, table, at, err);
	free(table);
	return r ? r : read_items(file, at, out, err);
}
