/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What ext2, ext3 and ext4 mark as free (Linux, Documentation/filesystems/ext4: super.rst,
 * group_descr.rst, bitmaps.rst, blockgroup.rst). Little-endian. The filesystem is a row of groups
 * of blocks; a descriptor of each names the block of its bitmap, where a bit that is not set is a
 * free block, and how many of those there are.
 *
 * With checksums on descriptors a group may be marked as never used: then the block of its bitmap
 * holds anything, and used is what mkfs put there: copies of the superblock and the descriptors,
 * and the group's own bitmaps and inode table where they are in it.
 *
 * Relied on is only what is beyond doubt: a filesystem that was unmounted cleanly, with no features
 * but those known here, checksums that are right, and bitmaps with as many free blocks as the
 * descriptors say.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "ondisk.h"
#include "used-fs.h"

#define SUPER_AT    1024
#define MAGIC       0xef53
#define STATE_VALID 1
#define STATE_ERROR 2

#define COMPAT_SPARSE2 0x200u

#define INCOMPAT_RECOVER 0x4u
#define INCOMPAT_META_BG 0x10u
#define INCOMPAT_64BIT   0x80u
#define INCOMPAT_SEED    0x2000u
/* filetype, meta_bg, extents, 64bit, mmp, flex_bg, ea_inode, csum_seed, largedir, inline_data,
 * encrypt, casefold: none of them changes what the bitmaps say. */
#define INCOMPAT_KNOWN 0x3e7d2u

#define RO_SPARSE   0x1u
#define RO_GDT_CSUM 0x10u
#define RO_METADATA 0x400u /* checksums on all metadata */
/* sparse_super, large_file, btree_dir, huge_file, gdt_csum, dir_nlink, extra_isize, quota,
 * metadata_csum, readonly, project, verity, orphan_present. Not bigalloc: its bits are clusters. */
#define RO_KNOWN 0x1b57fu

#define GROUP_UNINIT 2u

struct ext_super {
	le32 s_inodes_count;
	le32 s_blocks_count_lo;
	le32 s_r_blocks_count_lo;
	le32 s_free_blocks_count_lo;
	le32 s_free_inodes_count;
	le32 s_first_data_block;
	le32 s_log_block_size;
	le32 s_log_cluster_size;
	le32 s_blocks_per_group;
	le32 s_clusters_per_group;
	le32 s_inodes_per_group;
	le32 s_mtime;
	le32 s_wtime;
	le16 s_mnt_count;
	le16 s_max_mnt_count;
	le16 s_magic;
	le16 s_state;
	uint8_t unused1[16];
	le32 s_rev_level;
	uint8_t unused2[8];
	le16 s_inode_size;
	le16 s_block_group_nr;
	le32 s_feature_compat;
	le32 s_feature_incompat;
	le32 s_feature_ro_compat;
	uint8_t s_uuid[16];
	uint8_t unused3[86];
	le16 s_reserved_gdt_blocks;
	uint8_t unused4[46];
	le16 s_desc_size;
	uint8_t unused5[4];
	le32 s_first_meta_bg;
	uint8_t unused6[72];
	le32 s_blocks_count_hi;
	uint8_t unused7[248];
	le32 s_backup_bgs[2];
	uint8_t unused8[28];
	le32 s_checksum_seed;
	uint8_t unused9[392];
	le32 s_checksum;
};
_Static_assert(offsetof(struct ext_super, s_magic) == 56, "s_magic");
_Static_assert(offsetof(struct ext_super, s_inode_size) == 88, "s_inode_size");
_Static_assert(offsetof(struct ext_super, s_uuid) == 104, "s_uuid");
_Static_assert(offsetof(struct ext_super, s_reserved_gdt_blocks) == 206, "s_reserved_gdt_blocks");
_Static_assert(offsetof(struct ext_super, s_first_meta_bg) == 260, "s_first_meta_bg");
_Static_assert(offsetof(struct ext_super, s_blocks_count_hi) == 336, "s_blocks_count_hi");
_Static_assert(offsetof(struct ext_super, s_backup_bgs) == 588, "s_backup_bgs");
_Static_assert(offsetof(struct ext_super, s_checksum_seed) == 624, "s_checksum_seed");
_Static_assert(sizeof(struct ext_super) == 1024, "superblock");

struct ext_group_desc {
	le32 bg_block_bitmap_lo;
	le32 bg_inode_bitmap_lo;
	le32 bg_inode_table_lo;
	le16 bg_free_blocks_count_lo;
	le16 bg_free_inodes_count_lo;
	le16 bg_used_dirs_count_lo;
	le16 bg_flags;
	le32 bg_exclude_bitmap_lo;
	le16 bg_block_bitmap_csum_lo;
	le16 bg_inode_bitmap_csum_lo;
	le16 bg_itable_unused_lo;
	le16 bg_checksum;
	/* from here on with 64bit only */
	le32 bg_block_bitmap_hi;
	le32 bg_inode_bitmap_hi;
	le32 bg_inode_table_hi;
	le16 bg_free_blocks_count_hi;
	uint8_t unused[10];
	le16 bg_block_bitmap_csum_hi;
	uint8_t unused2[6];
};
_Static_assert(offsetof(struct ext_group_desc, bg_checksum) == 30, "bg_checksum");
_Static_assert(offsetof(struct ext_group_desc, bg_block_bitmap_csum_hi) == 56, "csum_hi");
_Static_assert(sizeof(struct ext_group_desc) == 64, "group descriptor");

#define DESC_SIZE_MAX 1024

struct ext {
	struct dev *part;
	struct ext_super super;
	uint32_t block;         /* bytes of one */
	uint64_t blocks, first; /* all blocks; the first that is in a group */
	uint32_t per_group, desc_size;
	uint64_t groups, desc_blocks, table_blocks;
	uint32_t compat, incompat, ro;
	uint32_t seed; /* of checksums */

	uint64_t loaded; /* the group whose bitmap is held, UINT64_MAX: none */
	uint8_t *bitmap; /* of a block */
};

/* ---- checksums ---- */

/* CRC-16 (polynomial 0x8005, reflected), which descriptors had before CRC-32C came. */
static uint16_t crc16(uint16_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = (uint16_t)(crc >> 1 ^ (crc & 1 ? 0xa001 : 0));
	}
	return crc;
}

/* raw: desc_size bytes. */
static bool desc_sound(const struct ext *e, uint64_t group, const uint8_t *raw)
{
	const size_t at = offsetof(struct ext_group_desc, bg_checksum), behind = at + sizeof(le16);
	le32 number = le32_put((uint32_t)group);
	le16 stored, none = le16_put(0);

	memcpy(&stored, raw + at, sizeof stored);
	if (e->ro & RO_METADATA) {
		uint32_t crc = crc32c_more(e->seed, &number, sizeof number);

		crc = crc32c_more(crc, raw, at);
		crc = crc32c_more(crc, &none, sizeof none);
		crc = crc32c_more(crc, raw + behind, e->desc_size - behind);
		return le16_get(stored) == (crc & 0xffff);
	}
	if (e->ro & RO_GDT_CSUM) {
		uint16_t crc = crc16(0xffff, e->super.s_uuid, sizeof e->super.s_uuid);

		crc = crc16(crc, &number, sizeof number);
		crc = crc16(crc, raw, at);
		crc = crc16(crc, raw + behind, e->desc_size - behind);
		return le16_get(stored) == crc;
	}
	return true;
}

static bool bitmap_sound(const struct ext *e, const struct ext_group_desc *d)
{
	uint32_t crc, stored = le16_get(d->bg_block_bitmap_csum_lo), mask = 0xffff;

	if (!(e->ro & RO_METADATA))
		return true;
	crc = crc32c_more(e->seed, e->bitmap, e->per_group / 8);
	if (e->desc_size >= sizeof *d) {
		stored |= (uint32_t)le16_get(d->bg_block_bitmap_csum_hi) << 16;
		mask = ~0u;
	}
	return stored == (crc & mask);
}

/* ---- groups ---- */

static uint64_t group_start(const struct ext *e, uint64_t group)
{
	return e->first + group * e->per_group;
}

static uint32_t group_blocks(const struct ext *e, uint64_t group)
{
	return (uint32_t)min64(e->per_group, e->blocks - group_start(e, group));
}

static bool is_power_of(uint64_t n, uint64_t base)
{
	while (n > 1 && n % base == 0)
		n /= base;
	return n == 1;
}

/* Whether a copy of the superblock stands at the beginning of the group. */
static bool has_super(const struct ext *e, uint64_t group)
{
	if (group == 0)
		return true;
	if (e->compat & COMPAT_SPARSE2)
		return group == le32_get(e->super.s_backup_bgs[0]) ||
		       group == le32_get(e->super.s_backup_bgs[1]);
	if (!(e->ro & RO_SPARSE))
		return true;
	return group == 1 || is_power_of(group, 3) || is_power_of(group, 5) ||
	       is_power_of(group, 7);
}

static uint64_t descs_per_block(const struct ext *e)
{
	return e->block / e->desc_size;
}

/* Whether the group's descriptor stands in a group near it (meta_bg), and not in front of all. */
static bool is_meta(const struct ext *e, uint64_t group)
{
	return (e->incompat & INCOMPAT_META_BG) &&
	       group / descs_per_block(e) >= le32_get(e->super.s_first_meta_bg);
}

/* How many blocks at the beginning of the group hold superblock and descriptors. */
static uint64_t group_overhead(const struct ext *e, uint64_t group)
{
	uint64_t super = has_super(e, group), in = group % descs_per_block(e);

	if (is_meta(e, group))
		return super + (in == 0 || in == 1 || in == descs_per_block(e) - 1);
	return super ? 1 + e->desc_blocks + le16_get(e->super.s_reserved_gdt_blocks) : 0;
}

static int read_desc(const struct ext *e, uint64_t group, struct ext_group_desc *d,
                     struct platter_error *err)
{
	uint64_t n = descs_per_block(e), at = e->first + 1 + group / n;
	uint8_t raw[DESC_SIZE_MAX];
	int r;

	if (is_meta(e, group)) {
		uint64_t in = group / n * n;

		at = group_start(e, in) + has_super(e, in);
	}
	r = dev_pread(e->part, raw, e->desc_size, at * e->block + group % n * e->desc_size);
	if (r)
		return err_set(err, -r, "descriptor of group %llu: %s", (unsigned long long)group,
		               strerror(-r));
	if (!desc_sound(e, group, raw))
		return err_set(err, EIO, "descriptor of group %llu: wrong checksum",
		               (unsigned long long)group);
	*d = (struct ext_group_desc){0};
	memcpy(d, raw, min64(e->desc_size, sizeof *d));
	return 0;
}

static uint64_t join(le32 lo, le32 hi)
{
	return (uint64_t)le32_get(hi) << 32 | le32_get(lo);
}

/* Mark what of [at, at + n) lies in the group. */
static void mark(struct ext *e, uint64_t group, uint64_t at, uint64_t n)
{
	uint64_t start = group_start(e, group);

	for (uint64_t b = max64(at, start); b < at + n && b - start < group_blocks(e, group); b++)
		e->bitmap[(b - start) / 8] |= (uint8_t)(1u << (b - start) % 8);
}

/* The bitmap that a group has before it was ever used. */
static void make_bitmap(struct ext *e, uint64_t group, const struct ext_group_desc *d)
{
	memset(e->bitmap, 0, e->block);
	mark(e, group, group_start(e, group), group_overhead(e, group));
	mark(e, group, join(d->bg_block_bitmap_lo, d->bg_block_bitmap_hi), 1);
	mark(e, group, join(d->bg_inode_bitmap_lo, d->bg_inode_bitmap_hi), 1);
	mark(e, group, join(d->bg_inode_table_lo, d->bg_inode_table_hi), e->table_blocks);
}

static int read_bitmap(struct ext *e, uint64_t group, const struct ext_group_desc *d,
                       struct platter_error *err)
{
	uint64_t at = join(d->bg_block_bitmap_lo, d->bg_block_bitmap_hi);
	int r;

	if (at < e->first || at >= e->blocks)
		return err_set(err, EIO, "bitmap of group %llu: at block %llu of %llu",
		               (unsigned long long)group, (unsigned long long)at,
		               (unsigned long long)e->blocks);
	r = dev_pread(e->part, e->bitmap, e->block, at * e->block);
	if (r)
		return err_set(err, -r, "bitmap of group %llu: %s", (unsigned long long)group,
		               strerror(-r));
	if (!bitmap_sound(e, d))
		return err_set(err, EIO, "bitmap of group %llu: wrong checksum",
		               (unsigned long long)group);
	return 0;
}

static bool is_used(const struct ext *e, uint64_t bit)
{
	return e->bitmap[bit / 8] >> bit % 8 & 1;
}

static int check_count(const struct ext *e, uint64_t group, const struct ext_group_desc *d,
                       struct platter_error *err)
{
	uint32_t said = le16_get(d->bg_free_blocks_count_lo) |
	                (uint32_t)le16_get(d->bg_free_blocks_count_hi) << 16;
	uint32_t found = 0;

	for (uint32_t i = 0; i < group_blocks(e, group); i++)
		found += !is_used(e, i);
	if (found == said)
		return 0;
	return err_set(err, EIO, "group %llu: %u free blocks, its descriptor says %u",
	               (unsigned long long)group, found, said);
}

static int load_group(struct ext *e, uint64_t group, struct platter_error *err)
{
	bool flags = e->ro & (RO_METADATA | RO_GDT_CSUM);
	struct ext_group_desc d;
	int r;

	if (e->loaded == group)
		return 0;
	e->loaded = UINT64_MAX;
	r = read_desc(e, group, &d, err);
	if (!r && flags && (le16_get(d.bg_flags) & GROUP_UNINIT))
		make_bitmap(e, group, &d);
	else if (!r)
		r = read_bitmap(e, group, &d, err);
	if (!r)
		r = check_count(e, group, &d, err);
	if (!r)
		e->loaded = group;
	return r;
}

/* ---- opening ---- */

static int check_features(const struct ext *e, struct platter_error *err)
{
	uint16_t state = le16_get(e->super.s_state);
	uint32_t unknown = e->incompat & ~(INCOMPAT_KNOWN | INCOMPAT_RECOVER);

	if (e->incompat & INCOMPAT_RECOVER)
		return err_set(err, EBUSY, "its journal has to be replayed");
	if (!(state & STATE_VALID) || (state & STATE_ERROR))
		return err_set(err, EBUSY, "it was not unmounted cleanly, or has errors");
	if (unknown || (e->ro & ~RO_KNOWN))
		return err_set(err, ENOTSUP, "features 0x%x, 0x%x are not known here", unknown,
		               e->ro & ~RO_KNOWN);
	return 0;
}

static int check_sizes(struct ext *e, struct platter_error *err)
{
	const struct ext_super *s = &e->super;
	uint32_t log = le32_get(s->s_log_block_size), inode = le16_get(s->s_inode_size);
	uint64_t table = (uint64_t)le32_get(s->s_inodes_per_group) *
	                 (le32_get(s->s_rev_level) ? inode : 128);

	if (log > 6)
		return err_set(err, EINVAL, "blocks of 2^%u KiB", log);
	e->block = 1024u << log;
	e->first = le32_get(s->s_first_data_block);
	e->per_group = le32_get(s->s_blocks_per_group);
	e->blocks = le32_get(s->s_blocks_count_lo);
	e->desc_size = 32;
	if (e->incompat & INCOMPAT_64BIT) {
		e->blocks = join(s->s_blocks_count_lo, s->s_blocks_count_hi);
		e->desc_size = le16_get(s->s_desc_size);
	}
	if (e->first != (log == 0) || e->per_group == 0 || e->per_group % 8 ||
	    e->per_group > 8 * e->block)
		return err_set(err, EINVAL, "groups of %u blocks of %u bytes, the first at %llu",
		               e->per_group, e->block, (unsigned long long)e->first);
	if (!is_pow2(e->desc_size) || e->desc_size < 32 || e->desc_size > DESC_SIZE_MAX)
		return err_set(err, EINVAL, "descriptors of %u bytes", e->desc_size);
	if (e->blocks <= e->first || e->blocks > e->part->size / e->block)
		return err_set(err, EINVAL, "%llu blocks of %u bytes in %llu bytes",
		               (unsigned long long)e->blocks, e->block,
		               (unsigned long long)e->part->size);
	e->groups = (e->blocks - e->first + e->per_group - 1) / e->per_group;
	e->desc_blocks = (e->groups + descs_per_block(e) - 1) / descs_per_block(e);
	if (e->incompat & INCOMPAT_META_BG)
		e->desc_blocks = le32_get(s->s_first_meta_bg);
	e->table_blocks = (table + e->block - 1) / e->block;
	return 0;
}

static int read_super(struct ext *e, struct platter_error *err)
{
	struct ext_super *s = &e->super;
	int r = dev_pread(e->part, s, sizeof *s, SUPER_AT);

	if (r)
		return err_set(err, -r, "its superblock: %s", strerror(-r));
	if (le16_get(s->s_magic) != MAGIC)
		return err_set(err, EINVAL, "magic 0x%x, expected 0x%x", le16_get(s->s_magic),
		               MAGIC);
	if (le32_get(s->s_rev_level)) {
		e->compat = le32_get(s->s_feature_compat);
		e->incompat = le32_get(s->s_feature_incompat);
		e->ro = le32_get(s->s_feature_ro_compat);
	}
	e->seed = e->incompat & INCOMPAT_SEED ? le32_get(s->s_checksum_seed)
	                                      : crc32c_more(~0u, s->s_uuid, sizeof s->s_uuid);
	if ((e->ro & RO_METADATA) &&
	    crc32c_more(~0u, s, offsetof(struct ext_super, s_checksum)) != le32_get(s->s_checksum))
		return err_set(err, EIO, "its superblock: wrong checksum");
	r = check_features(e, err);
	return r ? r : check_sizes(e, err);
}

static void ext_close(void *self)
{
	struct ext *e = self;

	free(e->bitmap);
	free(e);
}

static int ext_open(struct dev *part, void **self, struct platter_error *err)
{
	struct ext *e = calloc(1, sizeof *e);
	int r;

	if (!e)
		return err_set(err, ENOMEM, "no memory");
	e->part = part;
	e->loaded = UINT64_MAX;
	r = read_super(e, err);
	if (!r && !(e->bitmap = malloc(e->block)))
		r = err_set(err, ENOMEM, "no memory");
	if (r)
		ext_close(e);
	else
		*self = e;
	return r;
}

static int ext_next(void *self, uint64_t off, uint64_t *begin, uint64_t *end,
                    struct platter_error *err)
{
	struct ext *e = self;
	uint64_t b = max64(off / e->block, e->first);

	while (b < e->blocks) {
		uint64_t group = (b - e->first) / e->per_group, start = group_start(e, group);
		uint64_t bit = b - start, n = group_blocks(e, group);
		int r = load_group(e, group, err);

		if (r)
			return r;
		while (bit < n && is_used(e, bit))
			bit++;
		b = start + bit;
		if (bit == n)
			continue;
		while (bit < n && !is_used(e, bit))
			bit++;
		*begin = b * e->block;
		*end = (start + bit) * e->block;
		return 0;
	}
	return -ENXIO;
}

const struct used_fs used_ext = {ext_open, ext_next, ext_close};
