/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hosted sparse extents (Virtual Disk Format 5.0, "Hosted Sparse Extents" and "Stream-Optimized
 * Compressed"): what Workstation, Fusion, VirtualBox and qemu-img write, and what is in OVA files.
 *
 * A stream is written from front to back: its header says that the directory stands at the end,
 * where a copy of the header, the footer, knows the place:
 *
 *	header, descriptor, (marker, grain)..., (marker, table)..., marker, directory,
 *	marker, footer, marker of the end
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmdk.h"

#define FLAG_LINE_ENDS  (1u << 0)
#define FLAG_REDUNDANT  (1u << 1)
#define FLAG_ZEROS      (1u << 2)
#define FLAG_COMPRESSED (1u << 16)
#define FLAG_MARKERS    (1u << 17)
#define FLAGS_KNOWN     (FLAG_LINE_ENDS | FLAG_REDUNDANT | FLAG_ZEROS | FLAG_COMPRESSED | FLAG_MARKERS)

#define GD_AT_END     UINT64_MAX
#define COMPRESS_NONE 0
#define COMPRESS_ZLIB 1
#define VERSION_MAX   3
#define PER_TABLE_MAX 512 /* all that is written */
/* The usual grain has 128 sectors. A compressed one that cannot be packed takes somewhat more than
 * it has, and no more than a chunk is read at a time. */
#define GRAIN_MAX      (1u << 21)
#define GRAIN_MAX_ZLIB (RUN_CHUNK_MAX / 2 / VMDK_SECTOR)
#define MARKER_FOOTER  3

struct sparse_header {
	uint8_t magic_number[4];       /* +0x00 */
	le32 version;                  /* +0x04 */
	le32 flags;                    /* +0x08 */
	le64 capacity;                 /* +0x0c these and the following in sectors */
	le64 grain_size;               /* +0x14 */
	le64 descriptor_offset;        /* +0x1c */
	le64 descriptor_size;          /* +0x24 */
	le32 num_gtes_per_gt;          /* +0x2c */
	le64 rgd_offset;               /* +0x30 */
	le64 gd_offset;                /* +0x38 */
	le64 over_head;                /* +0x40 */
	uint8_t unclean_shutdown;      /* +0x48 */
	uint8_t single_end_line_char;  /* +0x49 */
	uint8_t non_end_line_char;     /* +0x4a */
	uint8_t double_end_line_char1; /* +0x4b */
	uint8_t double_end_line_char2; /* +0x4c */
	le16 compress_algorithm;       /* +0x4d */
	uint8_t pad[433];              /* +0x4f */
};
_Static_assert(sizeof(struct sparse_header) == VMDK_SECTOR, "VDF 5.0, SparseExtentHeader");

struct marker {
	le64 val;  /* +0x00 sectors that follow */
	le32 size; /* +0x08 not 0: a compressed grain */
	le32 type; /* +0x0c */
	uint8_t pad[496];
};
_Static_assert(sizeof(struct marker) == VMDK_SECTOR, "VDF 5.0, Marker");

bool vmdk_is_hosted(const uint8_t *head, size_t len)
{
	return len >= 4 && memcmp(head, "KDMV", 4) == 0;
}

static int check_flags(const struct sparse_header *h, struct platter_error *err)
{
	uint32_t flags = le32_get(h->flags), version = le32_get(h->version);
	uint16_t algorithm = le16_get(h->compress_algorithm);

	if (version < 1 || version > VERSION_MAX)
		return err_set(err, ENOTSUP, "sparse extent version %u, expected 1 to %d", version,
		               VERSION_MAX);
	if (flags & ~FLAGS_KNOWN)
		return err_set(err, ENOTSUP, "unknown flags %08x in the sparse header",
		               flags & ~FLAGS_KNOWN);
	if ((flags & FLAG_LINE_ENDS) && memcmp(&h->single_end_line_char, "\n \r\n", 4) != 0)
		return err_set(err, EINVAL,
		               "line ends in it were changed: it was transferred as text");
	if (!(flags & FLAG_COMPRESSED))
		return 0;
	if (algorithm != COMPRESS_ZLIB)
		return err_set(err, ENOTSUP,
		               "grains compressed by algorithm %u, expected %d (zlib)", algorithm,
		               COMPRESS_ZLIB);
	if (!(flags & FLAG_MARKERS))
		return err_set(err, ENOTSUP, "compressed grains without markers are not supported");
	return codec_require(CODEC_ZLIB, err);
}

static int check_sizes(const struct sparse_header *h, struct platter_error *err)
{
	uint64_t capacity = le64_get(h->capacity), grain = le64_get(h->grain_size);
	uint32_t per_table = le32_get(h->num_gtes_per_gt);
	uint32_t max = le32_get(h->flags) & FLAG_COMPRESSED ? GRAIN_MAX_ZLIB : GRAIN_MAX;

	if (capacity > VMDK_SECTORS_MAX)
		return err_set(err, EFBIG,
		               "a sparse extent of %" PRIu64 " sectors, at most %" PRIu64, capacity,
		               VMDK_SECTORS_MAX);
	if (!is_pow2(grain) || grain > max)
		return err_set(err, EINVAL,
		               "grains of %" PRIu64 " sectors, expected a power of two up to %u",
		               grain, max);
	if (per_table == 0 || per_table > PER_TABLE_MAX)
		return err_set(err, EINVAL, "grain tables of %u entries, expected 1 to %d",
		               per_table, PER_TABLE_MAX);
	return 0;
}

/* Take the place of the directory from the footer. */
static int read_footer(struct dev *dev, struct sparse_header *h, struct platter_error *err)
{
	struct {
		struct marker marker;
		struct sparse_header header;
		struct marker end;
	} tail;
	const struct sparse_header *f = &tail.header;
	bool room = dev->size >= sizeof *h + sizeof tail;
	int r = room ? dev_pread(dev, &tail, sizeof tail, dev->size - sizeof tail) : 0;

	if (r)
		return err_set(err, -r, "its footer cannot be read: %s", strerror(-r));
	if (!room || le32_get(tail.marker.type) != MARKER_FOOTER ||
	    le32_get(tail.marker.size) != 0 ||
	    !vmdk_is_hosted(f->magic_number, sizeof f->magic_number))
		return err_set(err, EINVAL,
		               "a stream without its footer in the last 1024 bytes: the file, of "
		               "%" PRIu64 " bytes, was cut off or never finished",
		               dev->size);
	if (memcmp(&f->version, &h->version,
	           offsetof(struct sparse_header, descriptor_offset) -
	                   offsetof(struct sparse_header, version)) != 0 ||
	    le32_get(f->num_gtes_per_gt) != le32_get(h->num_gtes_per_gt))
		return err_set(err, EINVAL, "the footer is not that of the header");
	if (le64_get(f->gd_offset) == GD_AT_END)
		return err_set(err, EINVAL, "the footer does not say where the grain directory is");
	h->gd_offset = f->gd_offset;
	return 0;
}

static int read_directory(struct vmdk_grains *g, uint64_t sector, struct platter_error *err)
{
	void *table;
	le32 *entries;
	int r;

	if (sector > VMDK_SECTORS_MAX)
		return err_set(err, EINVAL, "the grain directory stands at sector %" PRIu64,
		               sector);
	if (!range_ok(sector * VMDK_SECTOR, g->ntables * sizeof *entries, g->dev->size))
		return err_set(err, EINVAL,
		               "the grain directory at byte %" PRIu64
		               " passes the end of the file at %" PRIu64,
		               sector * VMDK_SECTOR, g->dev->size);
	r = dev_read_table(g->dev, sector * VMDK_SECTOR, g->ntables, sizeof *entries,
	                   g->ntables * sizeof *entries, "grain directory", &table, err);
	entries = table;
	for (size_t i = 0; !r && i < g->ntables; i++) {
		g->tables[i] = (uint64_t)le32_get(entries[i]) * VMDK_SECTOR;
		r = vmdk_grains_check_table(g, i, err);
	}
	free(table);
	return r;
}

/*
 * The second directory has tables of its own, so that it stands in for the first as a whole. It
 * does so when the first is damaged, which is -EINVAL: what cannot be read is said to be that.
 */
static int read_directories(struct vmdk_grains *g, const struct sparse_header *h,
                            struct vmdk_budget *budget, bool *redundant, struct platter_error *err)
{
	struct vmdk_budget again = *budget;
	int r = read_directory(g, le64_get(h->gd_offset), err);

	if (!r)
		r = vmdk_grains_check(g, budget, err);
	*redundant = r == -EINVAL && (le32_get(h->flags) & FLAG_REDUNDANT) != 0 &&
	             read_directory(g, le64_get(h->rgd_offset), NULL) == 0 &&
	             vmdk_grains_check(g, &again, NULL) == 0;
	if (*redundant)
		*budget = again;
	return *redundant ? 0 : r;
}

static void fill_info(const struct sparse_header *h, struct vmdk_hosted_info *info)
{
	uint64_t start = le64_get(h->descriptor_offset), count = le64_get(h->descriptor_size);

	*info = (struct vmdk_hosted_info){
		.capacity = le64_get(h->capacity),
		.unclean = h->unclean_shutdown != 0,
	};
	if (start == 0)
		return;
	/* What is too large stays so, and is refused by whoever reads it. */
	info->descriptor_start = min64(start, VMDK_SECTORS_MAX) * VMDK_SECTOR;
	info->descriptor_bytes = min64(count, VMDK_SECTORS_MAX) * VMDK_SECTOR;
}

int vmdk_hosted_open(struct dev *dev, struct vmdk_budget *budget, struct vmdk_grains *g,
                     struct vmdk_hosted_info *info, struct platter_error *err)
{
	struct sparse_header h;
	uint32_t flags;
	int r;

	r = image_read_head(dev, &h, sizeof h, err);
	if (r == DRIVER_NOT_MINE)
		return err_set(err, EINVAL, "cut off: %" PRIu64 " bytes, a sparse header has %zu",
		               dev->size, sizeof h);
	if (r)
		return r;
	r = check_flags(&h, err);
	fill_info(&h, info);
	if (r || info->capacity == 0)
		return r;
	r = check_sizes(&h, err);
	if (!r && le64_get(h.gd_offset) == GD_AT_END)
		r = read_footer(dev, &h, err);
	if (r)
		return r;
	flags = le32_get(h.flags);
	*g = (struct vmdk_grains){
		.dev = dev,
		.size = info->capacity * VMDK_SECTOR,
		.grain_shift = (unsigned)__builtin_ctzll(le64_get(h.grain_size) * VMDK_SECTOR),
		.per_table = le32_get(h.num_gtes_per_gt),
		.entry = flags & FLAG_ZEROS ? VMDK_ENTRY_SECTOR_ZEROS : VMDK_ENTRY_SECTOR,
		.compressed = (flags & FLAG_COMPRESSED) != 0,
	};
	r = vmdk_grains_alloc(g, budget, err);
	return r ? r : read_directories(g, &h, budget, &info->redundant, err);
}
