/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What FAT12, FAT16 and FAT32 mark as free (Microsoft, "FAT: General Overview of On-Disk Format",
 * 1.03; ECMA-107). Little-endian. Behind the boot sector and others that are reserved stand the
 * copies of the table, then (not in FAT32) the root directory, then the clusters, which are
 * numbered from 2. An entry of 0 in the table is a free cluster; entries have 12, 16 or 32 bits, of
 * the last of which 28 count.
 *
 * Relied on is only a filesystem that was unmounted cleanly, and a table whose copies are alike.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"
#include "used-fs.h"

#define FAT12_MAX 4084 /* clusters; more are FAT16 */

#define DIRTY 3u /* in the state byte: not unmounted, and errors seen */

#define MIRROR_OFF  0x80u /* in ext_flags: only one table is in use, */
#define ACTIVE_MASK 0x0fu /* this one */

/* How much of the table is held. */
#define WINDOW ((size_t)64 << 10)

struct fat_boot {
	uint8_t jump[3];
	char oem_name[8];
	uint8_t bytes_per_sec[2]; /* these are not aligned in any way */
	uint8_t sec_per_clus;
	le16 rsvd_sec_cnt;
	uint8_t num_fats;
	le16 root_ent_cnt;
	le16 tot_sec_16;
	uint8_t media;
	le16 fat_sz_16;
	le16 sec_per_trk;
	le16 num_heads;
	le32 hidd_sec;
	le32 tot_sec_32;
	union {
		struct {
			uint8_t drv_num;
			uint8_t state;
		} fat16;
		struct {
			le32 fat_sz_32;
			le16 ext_flags;
			le16 fs_ver;
			le32 root_clus;
			le16 fs_info;
			le16 bk_boot_sec;
			uint8_t reserved[12];
			uint8_t drv_num;
			uint8_t state;
		} fat32;
	};
};
_Static_assert(offsetof(struct fat_boot, rsvd_sec_cnt) == 14, "rsvd_sec_cnt");
_Static_assert(offsetof(struct fat_boot, tot_sec_32) == 32, "tot_sec_32");
_Static_assert(offsetof(struct fat_boot, fat16.state) == 0x25, "state");
_Static_assert(offsetof(struct fat_boot, fat32.ext_flags) == 40, "ext_flags");
_Static_assert(offsetof(struct fat_boot, fat32.state) == 0x41, "state");

struct fat {
	struct dev *part;
	unsigned bits; /* of an entry */
	uint64_t table, table_bytes;
	uint64_t copy; /* where the second table stands, 0: none that counts */
	uint64_t data; /* where cluster 2 stands */
	uint64_t cluster, clusters;

	uint64_t window; /* byte of the table that .bytes begins with, UINT64_MAX: none is held */
	uint8_t bytes[WINDOW], other[WINDOW];
};

/* ---- the table ---- */

static int load(struct fat *f, uint64_t at, struct platter_error *err)
{
	size_t len = (size_t)min64(WINDOW, f->table_bytes - at);
	int r;

	if (f->window == at)
		return 0;
	f->window = UINT64_MAX;
	r = dev_pread(f->part, f->bytes, len, f->table + at);
	if (!r && f->copy)
		r = dev_pread(f->part, f->other, len, f->copy + at);
	if (r)
		return err_set(err, -r, "its table: %s", strerror(-r));
	if (f->copy && memcmp(f->bytes, f->other, len) != 0)
		return err_set(err, EIO, "the copies of its table differ");
	f->window = at;
	return 0;
}

static int get_entry(struct fat *f, uint64_t n, uint32_t *entry, struct platter_error *err)
{
	/* A table of 12 bits has at most 6 KiB: no entry lies across the end of a window. */
	uint64_t at = n * f->bits / 8;
	int r = load(f, align_down(at, WINDOW), err);
	const uint8_t *p = f->bytes + at % WINDOW;

	if (r)
		return r;
	*entry = p[0] | (uint32_t)p[1] << 8;
	if (f->bits == 12)
		*entry = n % 2 ? *entry >> 4 : *entry & 0xfff;
	else if (f->bits == 32)
		*entry |= (uint32_t)(p[2] | (p[3] & 0xf) << 8) << 16;
	return 0;
}

/* ---- opening ---- */

static bool geometry_is_possible(const struct fat_boot *b, uint32_t sector)
{
	return is_pow2(sector) && sector >= 512 && sector <= 4096 && is_pow2(b->sec_per_clus) &&
	       le16_get(b->rsvd_sec_cnt) && b->num_fats >= 1 && b->num_fats <= 4;
}

static int read_geometry(struct fat *f, const struct fat_boot *b, struct platter_error *err)
{
	uint32_t sector = b->bytes_per_sec[0] | (uint32_t)b->bytes_per_sec[1] << 8;
	uint64_t total = le16_get(b->tot_sec_16), size = le16_get(b->fat_sz_16), before;

	if (!geometry_is_possible(b, sector))
		return err_set(err, EINVAL,
		               "sectors of %u bytes, %u to a cluster, %u reserved, %u tables",
		               sector, b->sec_per_clus, le16_get(b->rsvd_sec_cnt), b->num_fats);
	if (!total)
		total = le32_get(b->tot_sec_32);
	f->bits = size ? 16 : 32;
	if (!size)
		size = le32_get(b->fat32.fat_sz_32);
	before = le16_get(b->rsvd_sec_cnt) + b->num_fats * size +
	         ((uint64_t)le16_get(b->root_ent_cnt) * 32 + sector - 1) / sector;
	if (before >= total || total > f->part->size / sector)
		return err_set(err, EINVAL, "%llu sectors of %u bytes in %llu bytes",
		               (unsigned long long)total, sector,
		               (unsigned long long)f->part->size);
	f->cluster = (uint64_t)sector * b->sec_per_clus;
	f->clusters = (total - before) / b->sec_per_clus;
	if (f->bits == 16 && f->clusters <= FAT12_MAX)
		f->bits = 12;
	f->table = (uint64_t)le16_get(b->rsvd_sec_cnt) * sector;
	f->table_bytes = size * sector;
	f->copy = b->num_fats > 1 ? f->table + f->table_bytes : 0;
	f->data = before * sector;
	if (f->clusters + 2 <= f->table_bytes * 8 / f->bits)
		return 0;
	return err_set(err, EINVAL, "%llu clusters, and a table of %llu bytes",
	               (unsigned long long)f->clusters, (unsigned long long)f->table_bytes);
}

static void choose_table(struct fat *f, const struct fat_boot *b)
{
	unsigned flags = le16_get(b->fat32.ext_flags);

	if (f->bits != 32 || !(flags & MIRROR_OFF))
		return;
	f->table += (flags & ACTIVE_MASK) * f->table_bytes;
	f->copy = 0;
}

/* The table's second entry has two bits that are taken away while the filesystem is mounted, and
 * when errors were seen. */
static int check_state(struct fat *f, const struct fat_boot *b, struct platter_error *err)
{
	uint32_t fine = f->bits == 16 ? 0xc000 : f->bits == 32 ? 0x0c000000 : 0, entry;
	int r = get_entry(f, 1, &entry, err);

	if (r)
		return r;
	if (((f->bits == 32 ? b->fat32.state : b->fat16.state) & DIRTY) || (entry & fine) != fine)
		return err_set(err, EBUSY, "it was not unmounted cleanly, or has errors");
	return 0;
}

static int fat_open(struct dev *part, void **self, struct platter_error *err)
{
	struct fat *f = calloc(1, sizeof *f);
	struct fat_boot b;
	int r = f ? dev_pread(part, &b, sizeof b, 0) : -ENOMEM;

	if (r) {
		free(f);
		return err_set(err, -r, "its boot sector: %s", strerror(-r));
	}
	f->part = part;
	f->window = UINT64_MAX;
	r = read_geometry(f, &b, err);
	if (!r) {
		choose_table(f, &b);
		if (!range_ok(f->table, f->table_bytes, f->data))
			r = err_set(err, EINVAL, "table %u of %u is in use",
			            le16_get(b.fat32.ext_flags) & ACTIVE_MASK, b.num_fats);
	}
	if (!r)
		r = check_state(f, &b, err);
	if (r)
		free(f);
	else
		*self = f;
	return r;
}

static int fat_next(void *self, uint64_t off, uint64_t *begin, uint64_t *end,
                    struct platter_error *err)
{
	struct fat *f = self;
	uint64_t n = off > f->data ? (off - f->data) / f->cluster : 0, from;
	uint32_t entry = 1;
	int r = 0;

	for (; n < f->clusters; n++) {
		r = get_entry(f, n + 2, &entry, err);
		if (r)
			return r;
		if (!entry)
			break;
	}
	if (n == f->clusters)
		return -ENXIO;
	for (from = n; n < f->clusters && n - from < STRETCH_MAX && !entry && !r; n++)
		r = n + 1 < f->clusters ? get_entry(f, n + 3, &entry, err) : 0;
	*begin = f->data + from * f->cluster;
	*end = f->data + n * f->cluster;
	return r;
}

static void fat_close(void *self)
{
	free(self);
}

const struct used_fs used_fat = {fat_open, fat_next, fat_close};
