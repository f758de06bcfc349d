/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header section of a VHDX, [MS-VHDX] 2.2: two headers, of which the one with the higher
 * sequence number counts, and two copies of the region table.
 */
#include "config.h"

#include "vhdx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "crc32c.h"
#include "text.h"

#define HEADER_1    ((uint64_t)64 << 10)
#define HEADER_2    ((uint64_t)128 << 10)
#define TABLE_1     ((uint64_t)192 << 10)
#define TABLE_2     ((uint64_t)256 << 10)
#define TABLE_BYTES ((size_t)64 << 10)
#define ENTRIES_MAX 2047u
#define REQUIRED    1u

/* [MS-VHDX] 2.2.3.1 */
struct region_header {
	uint8_t signature[4]; /* +0x0 "regi" */
	le32 checksum;        /* +0x4 CRC-32C of the 64 KiB, itself being zero */
	le32 entry_count;     /* +0x8 */
	le32 reserved;        /* +0xc */
};
_Static_assert(sizeof(struct region_header) == 16, "[MS-VHDX] 2.2.3.1");

/* [MS-VHDX] 2.2.3.2 */
struct region_entry {
	uint8_t guid[16]; /* +0x00 */
	le64 file_offset; /* +0x10 */
	le32 length;      /* +0x18 */
	le32 required;    /* +0x1c bit 0 */
};
_Static_assert(sizeof(struct region_entry) == 32, "[MS-VHDX] 2.2.3.2");
_Static_assert(sizeof(struct region_header) + ENTRIES_MAX * sizeof(struct region_entry) <=
                       TABLE_BYTES,
               "the entries fit the table");

#define GUID_BAT      "2dc27766-f623-4200-9d64-115e9bfd4a08"
#define GUID_METADATA "8b7ca206-4790-4b9a-b8fe-575f050f886e"

/* ---- headers ---- */

/*
 * The copy of something that takes size bytes at off, in buf. 0: the file ends before it, 1: it is
 * there. One that cannot be read may be the one that counts, so that is an error.
 */
static int read_copy(struct dev *file, uint64_t off, void *buf, size_t size, const char *what,
                     struct platter_error *err)
{
	int r;

	if (!range_ok(off, size, file->size))
		return 0;
	r = dev_pread(file, buf, size, off);
	return r ? err_set(err, -r, "%s at %" PRIu64 " cannot be read: %s", what, off, strerror(-r))
	         : 1;
}

/* 1: the header at off is good, 0: it is damaged; or -errno. */
static int header_good(struct dev *file, uint64_t off, struct vhdx_header *h,
                       struct platter_error *err)
{
	int r = read_copy(file, off, h, sizeof *h, "the header", err);
	uint32_t crc;

	if (r <= 0 || memcmp(h->signature, "head", 4) != 0)
		return r < 0 ? r : 0;
	crc = le32_get(h->checksum);
	h->checksum = le32_put(0);
	return sum_matches(crc32c(h, sizeof *h), crc);
}

static int choose(struct image *image, const struct vhdx_header *h1, const struct vhdx_header *h2,
                  struct vhdx_header *out, struct platter_error *err)
{
	uint64_t n1 = h1 ? le64_get(h1->sequence_number) : 0;
	uint64_t n2 = h2 ? le64_get(h2->sequence_number) : 0;

	if (!h1 && !h2)
		return err_set(err, EINVAL, "neither of its two headers has a valid checksum");
	if (!h1 || !h2)
		image_note(image, "header %d of 2 is damaged", h1 ? 2 : 1);
	/* Disk2vhd writes the same header twice. */
	else if (n1 == n2 && memcmp(h1, h2, sizeof *h1) != 0)
		return err_set(err, EINVAL,
		               "its two headers differ, but both have sequence number %" PRIu64,
		               n1);
	*out = h1 && (!h2 || n1 >= n2) ? *h1 : *h2;
	return 0;
}

int vhdx_header_read(struct image *image, struct vhdx_header *header, struct platter_error *err)
{
	struct vhdx_header h1, h2;
	int good1 = header_good(image->file, HEADER_1, &h1, err);
	int good2 = good1 < 0 ? good1 : header_good(image->file, HEADER_2, &h2, err);
	int r;

	if (good2 < 0)
		return good2;
	r = choose(image, good1 ? &h1 : NULL, good2 ? &h2 : NULL, header, err);
	if (r)
		return r;
	if (le16_get(header->version) != 1)
		return err_set(err, ENOTSUP, "version %u of VHDX, expected 1",
		               le16_get(header->version));
	return 0;
}

/* ---- the region table ---- */

/* 1: the copy at off is good, and in table, TABLE_BYTES large. 0: it is damaged; or -errno. */
static int table_good(struct dev *file, uint64_t off, uint8_t *table, struct platter_error *err)
{
	struct region_header h;
	int r = read_copy(file, off, table, TABLE_BYTES, "the region table", err);

	if (r <= 0)
		return r;
	memcpy(&h, table, sizeof h);
	memset(table + offsetof(struct region_header, checksum), 0, sizeof h.checksum);
	return memcmp(h.signature, "regi", 4) == 0 &&
	       sum_matches(crc32c(table, TABLE_BYTES), le32_get(h.checksum)) &&
	       le32_get(h.entry_count) <= ENTRIES_MAX;
}

static int use_entry(struct dev *file, const struct region_entry *e, struct vhdx_region *bat,
                     struct vhdx_region *metadata, struct platter_error *err)
{
	struct vhdx_region region = {le64_get(e->file_offset), le32_get(e->length)};
	struct vhdx_region *to = NULL;
	char guid[37];

	text_guid(e->guid, guid);
	if (strcmp(guid, GUID_BAT) == 0)
		to = bat;
	else if (strcmp(guid, GUID_METADATA) == 0)
		to = metadata;
	if (!to) {
		if (le32_get(e->required) & REQUIRED)
			return err_set(err, ENOTSUP, "needs the unknown region %s", guid);
		return 0;
	}
	if (to->length)
		return err_set(err, EINVAL, "the region table has two regions %s", guid);
	if (region.offset < VHDX_MIB || region.offset % VHDX_MIB || !region.length ||
	    region.length % VHDX_MIB || !range_ok(region.offset, region.length, file->size))
		return err_set(err, EINVAL,
		               "region %s has %" PRIu32 " bytes at %" PRIu64
		               ", expected whole MiB before the end of the file at %" PRIu64,
		               guid, region.length, region.offset, file->size);
	*to = region;
	return 0;
}

static int use_table(struct dev *file, const uint8_t *table, struct vhdx_region *bat,
                     struct vhdx_region *metadata, struct platter_error *err)
{
	struct region_header h;

	memcpy(&h, table, sizeof h);
	for (uint32_t i = 0; i < le32_get(h.entry_count); i++) {
		struct region_entry e;
		int r;

		memcpy(&e, table + sizeof h + i * sizeof e, sizeof e);
		r = use_entry(file, &e, bat, metadata, err);
		if (r)
			return r;
	}
	if (!bat->length || !metadata->length)
		return err_set(err, EINVAL, "the region table names no %s",
		               bat->length ? "metadata" : "block allocation table");
	return 0;
}

int vhdx_regions_read(struct dev *file, struct vhdx_region *bat, struct vhdx_region *metadata,
                      struct platter_error *err)
{
	uint8_t *table = malloc(TABLE_BYTES);
	int r;

	*bat = *metadata = (struct vhdx_region){0};
	if (!table)
		return err_set(err, ENOMEM, "no memory");
	r = table_good(file, TABLE_1, table, err);
	if (r == 0)
		r = table_good(file, TABLE_2, table, err);
	if (r > 0)
		r = use_table(file, table, bat, metadata, err);
	else if (r == 0)
		r = err_set(err, EINVAL, "neither copy of the region table has a valid checksum");
	free(table);
	return r;
}
