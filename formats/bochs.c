/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Growing images of the Bochs PC emulator (its user manual, appendix "Redolog"; bximage writes
 * them). All numbers are little-endian, sectors have 512 bytes.
 *
 * A header, the catalogue with an entry for each extent of the disk, and extents: a bitmap of the
 * extent's sectors, padded to whole sectors, and their data. An entry of 0xffffffff is an extent
 * that is not there; others count the extents, each with its bitmap, from the catalogue's end on. A
 * sector whose bit is clear is zeros.
 *
 * Undoable and volatile redologs have the same layout, but hold the difference to an image that
 * they do not name: it is only known to whoever configured the emulator. They are refused.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "bitrun.h"
#include "cache.h"
#include "drivers.h"
#include "ondisk.h"
#include "text.h"

#define MAGIC     "Bochs Virtual HD Image"
#define SECTOR    512u
#define VERSION_1 0x00010000u
#define VERSION_2 0x00020000u
#define ABSENT    0xffffffffu

/* bximage goes up to 8 MiB. */
#define EXTENT_MAX ((uint32_t)64 << 20)

/* A catalogue up to this size is checked when the image is opened. */
#define CHECK_BYTES ((uint64_t)4 << 20)

struct bochs_header {
	char magic[32];   /* +0x00 */
	char type[16];    /* +0x20 "Redolog" */
	char subtype[16]; /* +0x30 "Growing", "Undoable", "Volatile" */
	le32 version;     /* +0x40 */
	le32 header;      /* +0x44 bytes of the header */
	le32 catalog;     /* +0x48 entries */
	le32 bitmap;      /* +0x4c bytes of an extent's bitmap */
	le32 extent;      /* +0x50 bytes of an extent */
	union {
		struct {
			le64 disk; /* +0x54 bytes */
		} version_1;
		struct {
			le32 timestamp; /* +0x54 of the image that this is the difference to */
			le64 disk;      /* +0x58 bytes */
		} version_2;
	} specific;
	uint8_t padding[416];
};
_Static_assert(sizeof(struct bochs_header) == 512, "Bochs redolog header, version 2");

struct bochs {
	struct dev *file;
	struct cache *cache;
	uint64_t size, extents;
	uint64_t catalog, data; /* offsets in the file */
	uint32_t extent;        /* bytes of the disk in each */
	uint32_t bitmap;        /* bytes that each one's bitmap takes, whole sectors */
};

static uint32_t entry_get(const struct run_entries *entries, uint64_t i)
{
	return le32_at(entries->at + i * sizeof(le32));
}

static int entries_from(const struct bochs *b, uint64_t extent, struct run_entries *entries)
{
	return run_entries(b->cache, b->file, b->catalog, b->extents, sizeof(le32), extent,
	                   entries);
}

/* Where the extent of that number in the file begins, with its bitmap; it may pass the end. */
static uint64_t place_of(const struct bochs *b, uint32_t entry)
{
	return b->data + (uint64_t)entry * (b->bitmap + b->extent);
}

/* Whether an extent of the disk can stand there: the last one may be cut. */
static bool in_file(const struct bochs *b, uint64_t extent, uint32_t entry)
{
	uint64_t bytes = min64(b->extent, b->size - extent * b->extent);

	return range_ok(place_of(b, entry), b->bitmap + bytes, b->file->size);
}

static int check_catalog(const struct bochs *b, struct platter_error *err)
{
	struct run_entries entries;

	for (uint64_t extent = 0; extent < b->extents; extent += entries.count) {
		int r = entries_from(b, extent, &entries);
		uint32_t e = ABSENT;
		uint64_t i;

		if (r)
			return err_set(err, -r, "the catalogue cannot be read: %s", strerror(-r));
		for (i = 0; i < entries.count; i++) {
			e = entry_get(&entries, i);
			if (e != ABSENT && !in_file(b, extent + i, e))
				break;
		}
		run_entries_put(b->cache, &entries);
		if (i < entries.count)
			return err_set(err, EINVAL,
			               "extent %" PRIu64 " stands at %" PRIu64
			               " and passes the end of the file at %" PRIu64 " bytes",
			               extent + i, place_of(b, e), b->file->size);
	}
	return 0;
}

static int check_kind(const struct bochs_header *h, struct platter_error *err)
{
	char type[17], subtype[17];
	uint32_t version = le32_get(h->version);

	text_plain(h->type, strnlen(h->type, sizeof h->type), type, sizeof type);
	text_plain(h->subtype, strnlen(h->subtype, sizeof h->subtype), subtype, sizeof subtype);
	if (version != VERSION_1 && version != VERSION_2)
		return err_set(err, ENOTSUP,
		               "version %08" PRIx32 " of Bochs images, expected %08x or "
		               "%08x",
		               version, VERSION_1, VERSION_2);
	if (strcmp(type, "Redolog") != 0)
		return err_set(err, ENOTSUP, "a Bochs image of type \"%s\", expected \"Redolog\"",
		               type);
	if (strcmp(subtype, "Growing") != 0)
		return err_set(
			err, ENOTSUP,
			"a Bochs redolog of subtype \"%s\", which is the difference to an image "
			"that it does not name; expected \"Growing\"",
			subtype);
	return 0;
}

static int use_header(struct bochs *b, const struct bochs_header *h, struct platter_error *err)
{
	uint32_t bits = le32_get(h->bitmap), entries = le32_get(h->catalog);

	b->size = le64_get(le32_get(h->version) == VERSION_1 ? h->specific.version_1.disk
	                                                     : h->specific.version_2.disk);
	b->extent = le32_get(h->extent);
	b->catalog = le32_get(h->header);
	if (b->extent == 0 || b->extent % SECTOR || b->extent > EXTENT_MAX)
		return err_set(err, EINVAL,
		               "extents of %" PRIu32
		               " bytes, expected whole sectors, at most %" PRIu32,
		               b->extent, EXTENT_MAX);
	if ((uint64_t)bits * 8 < b->extent / SECTOR || bits > EXTENT_MAX / SECTOR)
		return err_set(err, EINVAL,
		               "bitmaps of %" PRIu32 " bytes for extents of %" PRIu32 " sectors",
		               bits, b->extent / SECTOR);
	if (b->size == 0 || b->size > DEV_SIZE_MAX || (b->size - 1) / b->extent >= entries)
		return err_set(err, EINVAL,
		               "a disk of %" PRIu64 " bytes, the catalogue has %" PRIu32
		               " extents of %" PRIu32,
		               b->size, entries, b->extent);
	b->bitmap = (uint32_t)align_up(bits, SECTOR);
	b->extents = (b->size - 1) / b->extent + 1;
	b->data = b->catalog + (uint64_t)entries * sizeof(le32);
	if (b->catalog < sizeof *h || b->data > b->file->size)
		return err_set(err, EINVAL,
		               "the catalogue at %" PRIu64 ", %" PRIu32
		               " entries, passes the end of the file at %" PRIu64 " bytes",
		               b->catalog, entries, b->file->size);
	return b->extents * sizeof(le32) <= CHECK_BYTES ? check_catalog(b, err) : 0;
}

static int bochs_open(struct image *image, struct platter_error *err)
{
	struct bochs_header h;
	struct bochs *b;
	int r;

	r = image_read_head(image->file, &h, sizeof h, err);
	if (r)
		return r;
	if (strncmp(h.magic, MAGIC, sizeof h.magic) != 0)
		return DRIVER_NOT_MINE;
	r = check_kind(&h, err);
	if (r)
		return r;
	b = calloc(1, sizeof *b);
	if (!b)
		return err_set(err, ENOMEM, "no memory");
	b->file = image->file;
	b->cache = image->cache;
	r = use_header(b, &h, err);
	if (r) {
		free(b);
		return r;
	}
	image->self = b;
	image->size = b->size;
	return 0;
}

static int map_extent(const struct bochs *b, uint32_t entry, uint64_t off, struct run *run)
{
	uint32_t in = (uint32_t)(off % b->extent);
	uint64_t at = place_of(b, entry), n;
	const struct cache_chunk *bitmap;
	bool set;
	int r;

	if (!in_file(b, off / b->extent, entry))
		return -EIO;
	r = run_table(b->cache, b->file, at, b->bitmap, &bitmap);
	if (r)
		return r;
	n = bit_run(bitmap->data, in / SECTOR, b->extent / SECTOR, false, &set);
	cache_put(b->cache, bitmap);
	run->kind = set ? RUN_RAW : RUN_ZERO;
	run->dev = b->file;
	run->offset = at + b->bitmap + in;
	run->length = (in / SECTOR + n) * SECTOR - in;
	return 0;
}

static int bochs_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct bochs *b = self;
	uint64_t extent = off / b->extent, n = 1;
	uint32_t in = (uint32_t)(off % b->extent), entry;
	struct run_entries entries;
	int r;

	(void)node;
	r = entries_from(b, extent, &entries);
	if (r)
		return r;
	entry = entry_get(&entries, 0);
	while (entry == ABSENT && n < entries.count && entry_get(&entries, n) == ABSENT)
		n++;
	run_entries_put(b->cache, &entries);
	if (entry != ABSENT)
		return map_extent(b, entry, off, run);
	run->kind = RUN_ZERO;
	run->length = n * b->extent - in;
	return 0;
}

const struct format_driver format_bochs = {
	.name = "bochs",
	.qemu = "bochs",
	.id = 24,
	.open = bochs_open,
	.map = bochs_map,
};
