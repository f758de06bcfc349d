/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Apple's sparse disk image, .sparseimage ("UDSP" to hdiutil). There is no specification; this is
 * from the .sparseimage chapter of the keramics project's format notes and the fields that the
 * author of apfs-fuse found. Numbers are big-endian, sectors have 512 bytes.
 *
 *   node of 4096 bytes   band   band ...   node   band ...
 *
 * A node lists which bands of the disk stand behind it, one after the other: number n + 1 in slot i
 * is band n, 0 an unused slot. The first node is the header, with 1008 slots, the others have 1010;
 * each says where the next one is.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "drivers.h"
#include "ondisk.h"

#define SECTOR       512u
#define NODE         4096u
#define SPRS_VERSION 3u
#define HEADER_SLOTS 1008u
#define INDEX_SLOTS  1010u

/* 16 MiB of memory: 2 TiB at the 1 MiB that hdiutil makes bands of. Larger disks get larger ones.
 */
#define BANDS_MAX ((uint64_t)2 << 20)

/* Twice what so many bands need. */
#define NODES_MAX 4096u

struct sparse_header {
	uint8_t signature[4];     /* +0x00 "sprs" */
	be32 version;             /* +0x04 3 */
	be32 sectors_per_band;    /* +0x08 */
	be32 flags;               /* +0x0c 1 */
	be32 total_sectors_low;   /* +0x10 */
	be64 next_node;           /* +0x14 in the file, 0: none */
	be64 total_sectors;       /* +0x1c */
	uint8_t reserved[28];     /* +0x24 */
	be32 bands[HEADER_SLOTS]; /* +0x40 */
};

_Static_assert(sizeof(struct sparse_header) == NODE, "sparse image header");

struct sparse_index {
	uint8_t signature[4];    /* +0x00 "sprs" */
	be32 number;             /* +0x04 */
	be32 flags;              /* +0x08 */
	be64 next_node;          /* +0x0c */
	uint8_t reserved[36];    /* +0x14 */
	be32 bands[INDEX_SLOTS]; /* +0x38 */
};

_Static_assert(sizeof(struct sparse_index) == NODE, "sparse image index node");

struct sparse {
	struct dev *file;
	uint64_t band, size; /* bytes */
	uint64_t count;      /* bands of the disk */
	uint64_t *bands;     /* where in the file each stands, 0: zeros */
};

static bool is_sprs(const uint8_t signature[4])
{
	return memcmp(signature, "sprs", 4) == 0;
}

/* Older headers, and disks of less than 2 TiB, may have the low half alone. */
static uint64_t total_sectors(const struct sparse_header *h)
{
	uint64_t total = be64_get(h->total_sectors);

	return total ? total : be32_get(h->total_sectors_low);
}

static int check_header(const struct sparse_header *h, struct sparse *s, struct platter_error *err)
{
	uint64_t total = total_sectors(h);
	uint32_t low = be32_get(h->total_sectors_low), band = be32_get(h->sectors_per_band);

	if (be32_get(h->version) != SPRS_VERSION)
		return err_set(err, EOPNOTSUPP, "sparse image version %u, expected %u",
		               be32_get(h->version), SPRS_VERSION);
	if (band == 0)
		return err_set(err, EINVAL, "bands of 0 sectors");
	if (total == 0 || total > DEV_SIZE_MAX / SECTOR || (low && low != (uint32_t)total))
		return err_set(err, EINVAL, "%" PRIu64 " sectors, whose lower half is %u", total,
		               low);
	s->band = (uint64_t)band * SECTOR;
	s->size = total * SECTOR;
	s->count = (total - 1) / band + 1;
	if (s->count > BANDS_MAX)
		return err_set(err, EFBIG, "%" PRIu64 " bands of %u sectors, at most %" PRIu64,
		               s->count, band, BANDS_MAX);
	return 0;
}

/* The band in that slot stands at `at` in the file. */
static int take_band(struct sparse *s, uint32_t number, uint64_t at, struct platter_error *err)
{
	uint64_t start = (uint64_t)(number - 1) * s->band;

	if (number > s->count)
		return err_set(err, EINVAL, "band %u of a disk of %" PRIu64, number, s->count);
	if (s->bands[number - 1])
		return err_set(err, EINVAL, "band %u stands at %" PRIu64 " and at %" PRIu64, number,
		               s->bands[number - 1], at);
	/* Of the last band the file may end where the disk does. */
	if (!range_ok(at, min64(s->band, s->size - start), s->file->size))
		return err_set(err, EINVAL,
		               "band %u at %" PRIu64 " passes the end of the file, %" PRIu64,
		               number, at, s->file->size);
	s->bands[number - 1] = at;
	return 0;
}

/* The bands that stand behind the node at off. */
static int take_slots(struct sparse *s, const be32 *slots, uint32_t count, uint64_t off,
                      struct platter_error *err)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = be32_get(slots[i]);
		int r = number ? take_band(s, number, off + NODE + i * s->band, err) : 0;

		if (r)
			return r;
	}
	return 0;
}

/* Nodes follow each other in the file, so that there is no way round in a circle. */
static int read_nodes(struct sparse *s, uint64_t next, struct platter_error *err)
{
	struct sparse_index node;
	uint64_t before = 0;
	unsigned nodes = 0;
	int r = 0;

	while (next && !r) {
		if (next <= before || next % SECTOR || !range_ok(next, NODE, s->file->size))
			return err_set(err, EINVAL,
			               "an index node at %" PRIu64 ", behind one at %" PRIu64
			               " in %" PRIu64 " bytes",
			               next, before, s->file->size);
		if (nodes++ == NODES_MAX)
			return err_set(err, EFBIG, "more than %u index nodes", NODES_MAX);
		r = dev_pread(s->file, &node, sizeof node, next);
		if (r)
			return err_set(err, -r, "index node at %" PRIu64 ": %s", next,
			               strerror(-r));
		if (!is_sprs(node.signature))
			return err_set(err, EINVAL, "no index node at %" PRIu64, next);
		r = take_slots(s, node.bands, INDEX_SLOTS, next, err);
		before = next;
		next = be64_get(node.next_node);
	}
	return r;
}

static void sparse_close(void *self)
{
	struct sparse *s = self;

	free(s->bands);
	free(s);
}

static int read_image(struct sparse *s, const struct sparse_header *h, struct platter_error *err)
{
	int r = check_header(h, s, err);

	if (r)
		return r;
	s->bands = calloc((size_t)s->count, sizeof *s->bands);
	if (!s->bands)
		return err_set(err, ENOMEM, "no memory");
	r = take_slots(s, h->bands, HEADER_SLOTS, 0, err);
	return r ? r : read_nodes(s, be64_get(h->next_node), err);
}

static int sparse_open(struct image *image, struct platter_error *err)
{
	struct sparse_header h;
	struct sparse *s;
	int r;

	r = image_read_head(image->file, h.signature, sizeof h.signature, err);
	if (r)
		return r;
	if (!is_sprs(h.signature))
		return DRIVER_NOT_MINE;
	if (image->file->size < sizeof h)
		return err_set(err, EINVAL, "%" PRIu64 " bytes, expected a header of %zu",
		               image->file->size, sizeof h);
	r = image_read_head(image->file, &h, sizeof h, err);
	if (r)
		return r;
	s = calloc(1, sizeof *s);
	if (!s)
		return err_set(err, ENOMEM, "no memory");
	s->file = image->file;
	r = read_image(s, &h, err);
	if (r) {
		sparse_close(s);
		return r;
	}
	image->self = s;
	image->size = s->size;
	return 0;
}

static int sparse_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct sparse *s = self;
	uint64_t first = off / s->band, i = first, at = s->bands[first];

	(void)node;
	/* Go on while what follows in the disk follows in the file. */
	while (++i < s->count && i - first < 4096)
		if (s->bands[i] != (at ? at + (i - first) * s->band : 0))
			break;
	*run = (struct run){
		.kind = at ? RUN_RAW : RUN_ZERO,
		.length = min64(i * s->band, s->size) - off,
		.dev = s->file,
		.offset = at ? at + off % s->band : 0,
	};
	return 0;
}

const struct format_driver format_sparseimage = {
	.name = "sparseimage",
	.id = 10,
	.open = sparse_open,
	.map = sparse_map,
	.close = sparse_close,
};
