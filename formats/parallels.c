/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parallels expanding images (QEMU docs/interop/parallels.txt): the .hds or .hdd files of Parallels
 * Desktop and Virtuozzo. All numbers are little-endian, sectors have 512 bytes.
 *
 * A header, the block allocation table with an entry for each cluster of the disk, and clusters. An
 * entry of 0 is a cluster of zeros; any other says where the cluster stands, in the older version
 * ("WithoutFreeSpace") in sectors, in the newer one ("WithouFreSpacExt") in clusters.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "drivers.h"
#include "ondisk.h"

#define MAGIC_OLD "WithoutFreeSpace"
#define MAGIC_NEW "WithouFreSpacExt"
#define SECTOR    512u
#define HEADER_2  2u /* the only version */
#define IN_USE    0x746f6e59u

/* Sectors of a cluster: 2 GiB. Parallels makes clusters of 1 MiB. */
#define TRACKS_MAX ((uint32_t)1 << 22)

/* A table up to this size is checked when the image is opened: that of a disk of 1 TiB in clusters
 * of 1 MiB has as much. */
#define CHECK_BYTES ((uint64_t)4 << 20)

struct parallels_header {
	char magic[16];      /* +0x00 */
	le32 version;        /* +0x10 */
	le32 heads;          /* +0x14 */
	le32 cylinders;      /* +0x18 */
	le32 tracks;         /* +0x1c sectors of a cluster */
	le32 nb_bat_entries; /* +0x20 */
	le64 nb_sectors;     /* +0x24 of the disk; the older version has 32 bits */
	le32 in_use;         /* +0x2c */
	le32 data_off;       /* +0x30 sectors */
	le32 flags;          /* +0x34 */
	le64 ext_off;        /* +0x38 sectors */
};
_Static_assert(sizeof(struct parallels_header) == 64, "parallels.txt, Header");

struct parallels {
	struct dev *file;
	struct cache *cache;
	uint64_t size, clusters;
	uint64_t cluster; /* bytes; any number of sectors */
	uint64_t unit;    /* of the table's entries, in bytes */
};

static uint64_t offset_of(const struct parallels *p, const struct run_entries *entries, uint64_t i)
{
	return le32_at(entries->at + i * sizeof(le32)) * p->unit;
}

static int entries_from(const struct parallels *p, uint64_t cluster, struct run_entries *entries)
{
	return run_entries(p->cache, p->file, sizeof(struct parallels_header), p->clusters,
	                   sizeof(le32), cluster, entries);
}

/* Bytes of the disk that a cluster holds: the last one may be cut. */
static uint64_t cluster_bytes(const struct parallels *p, uint64_t cluster)
{
	return min64(p->cluster, p->size - cluster * p->cluster);
}

static bool in_file(const struct parallels *p, uint64_t cluster, uint64_t offset)
{
	return range_ok(offset, cluster_bytes(p, cluster), p->file->size);
}

static int check_table(const struct parallels *p, struct platter_error *err)
{
	struct run_entries entries;

	for (uint64_t cluster = 0; cluster < p->clusters; cluster += entries.count) {
		int r = entries_from(p, cluster, &entries);
		uint64_t i, at = 0;

		if (r)
			return err_set(err, -r, "the block allocation table cannot be read: %s",
			               strerror(-r));
		for (i = 0; i < entries.count; i++) {
			at = offset_of(p, &entries, i);
			if (at && !in_file(p, cluster + i, at))
				break;
		}
		run_entries_put(p->cache, &entries);
		if (i < entries.count)
			return err_set(err, EINVAL,
			               "cluster %" PRIu64 " stands at %" PRIu64
			               " and passes the end of the file at %" PRIu64 " bytes",
			               cluster + i, at, p->file->size);
	}
	return 0;
}

static int use_header(struct parallels *p, const struct parallels_header *h, bool old,
                      struct platter_error *err)
{
	uint64_t sectors = le64_get(h->nb_sectors), entries = le32_get(h->nb_bat_entries);

	if (old)
		sectors &= UINT32_MAX;
	if (le32_get(h->version) != HEADER_2)
		return err_set(err, ENOTSUP, "version %" PRIu32 " of Parallels images, expected %u",
		               le32_get(h->version), HEADER_2);
	if (le32_get(h->tracks) == 0 || le32_get(h->tracks) > TRACKS_MAX)
		return err_set(err, EINVAL,
		               "clusters of %" PRIu32 " sectors, expected 1 to %" PRIu32,
		               le32_get(h->tracks), TRACKS_MAX);
	if (sectors == 0 || sectors > DEV_SIZE_MAX / SECTOR)
		return err_set(err, EINVAL, "a disk of %" PRIu64 " sectors", sectors);
	p->cluster = (uint64_t)le32_get(h->tracks) * SECTOR;
	p->unit = old ? SECTOR : p->cluster;
	p->size = sectors * SECTOR;
	p->clusters = (p->size - 1) / p->cluster + 1;
	if (p->clusters > entries)
		return err_set(err, EINVAL,
		               "a disk of %" PRIu64
		               " clusters, the block allocation table has %" PRIu64,
		               p->clusters, entries);
	if (!range_ok(sizeof *h, p->clusters * sizeof(le32), p->file->size))
		return err_set(err, EINVAL,
		               "the block allocation table, %" PRIu64
		               " entries, passes the end of the file at %" PRIu64 " bytes",
		               p->clusters, p->file->size);
	return p->clusters * sizeof(le32) <= CHECK_BYTES ? check_table(p, err) : 0;
}

static int parallels_open(struct image *image, struct platter_error *err)
{
	struct parallels_header h;
	struct parallels *p;
	bool old;
	int r;

	r = image_read_head(image->file, &h, sizeof h, err);
	if (r)
		return r;
	old = memcmp(h.magic, MAGIC_OLD, sizeof h.magic) == 0;
	if (!old && memcmp(h.magic, MAGIC_NEW, sizeof h.magic) != 0)
		return DRIVER_NOT_MINE;
	p = calloc(1, sizeof *p);
	if (!p)
		return err_set(err, ENOMEM, "no memory");
	p->file = image->file;
	p->cache = image->cache;
	r = use_header(p, &h, old, err);
	if (r) {
		free(p);
		return r;
	}
	if (le32_get(h.in_use) == IN_USE)
		image_note(image, "was not closed: whoever had it open may have left it half-way");
	image->self = p;
	image->size = p->size;
	return 0;
}

/* How many clusters in a row are zeros like the first one, or stand one behind the other. */
static uint64_t count_alike(const struct parallels *p, const struct run_entries *entries,
                            uint64_t cluster, uint64_t at)
{
	uint64_t n = 1;

	for (; n < entries->count; n++) {
		uint64_t next = offset_of(p, entries, n);

		if (at ? next != at + n * p->cluster || !in_file(p, cluster + n, next) : next != 0)
			break;
	}
	return n;
}

static int parallels_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct parallels *p = self;
	uint64_t cluster = off / p->cluster, in = off % p->cluster, at, n;
	struct run_entries entries;
	int r;

	(void)node;
	r = entries_from(p, cluster, &entries);
	if (r)
		return r;
	at = offset_of(p, &entries, 0);
	n = count_alike(p, &entries, cluster, at);
	run_entries_put(p->cache, &entries);
	if (at && !in_file(p, cluster, at))
		return -EIO;
	run->kind = at ? RUN_RAW : RUN_ZERO;
	run->dev = p->file;
	run->offset = at + in;
	run->length = n * p->cluster - in;
	return 0;
}

const struct format_driver format_parallels = {
	.name = "parallels",
	.qemu = "parallels",
	.id = 22,
	.open = parallels_open,
	.map = parallels_map,
};
