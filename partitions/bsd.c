/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BSD disklabels on a whole disk, little-endian: disklabel(5) and <sys/disklabel.h> of 4.4BSD and
 * its descendants. A label inside a slice of an MBR is not looked for.
 *
 * Offsets count from the start of the disk. An image of one slice holds a label whose offsets
 * count from the start of the disk that it was cut from; its raw partition "c" is the slice, which
 * gives it away.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "drivers.h"
#include "ondisk.h"

#define BSD_MAGIC UINT32_C(0x82564557)
/* FreeBSD's and the largest of its kin; NetBSD and OpenBSD stop at 16. */
#define BSD_PARTITIONS_MAX 22u
#define BSD_RAW_PART       2u
#define BSD_UNUSED         0
#define OPENBSD_48_BIT     1

struct bsd_label {
	le32 d_magic;          /* +0x00 */
	le16 d_type;           /* +0x04 */
	le16 d_subtype;        /* +0x06 */
	char d_typename[16];   /* +0x08 */
	char d_packname[16];   /* +0x18 */
	le32 d_secsize;        /* +0x28 */
	le32 d_nsectors;       /* +0x2c */
	le32 d_ntracks;        /* +0x30 */
	le32 d_ncylinders;     /* +0x34 */
	le32 d_secpercyl;      /* +0x38 */
	le32 d_secperunit;     /* +0x3c */
	le16 d_sparespertrack; /* +0x40 */
	le16 d_sparespercyl;   /* +0x42 */
	le32 d_acylinders;     /* +0x44 */
	le16 d_rpm;            /* +0x48 */
	le16 d_interleave;     /* +0x4a */
	le16 d_trackskew;      /* +0x4c */
	le16 d_cylskew;        /* +0x4e */
	le32 d_headswitch;     /* +0x50 */
	le32 d_trkseek;        /* +0x54 */
	le32 d_flags;          /* +0x58 */
	le32 d_drivedata[5];   /* +0x5c */
	le16 d_secperunith;    /* +0x70, OpenBSD; spare elsewhere */
	le16 d_version;        /* +0x72, OpenBSD; spare elsewhere */
	le32 d_spare[4];       /* +0x74 */
	le32 d_magic2;         /* +0x84 */
	le16 d_checksum;       /* +0x88 */
	le16 d_npartitions;    /* +0x8a */
	le32 d_bbsize;         /* +0x8c */
	le32 d_sbsize;         /* +0x90 */
};
_Static_assert(sizeof(struct bsd_label) == 0x94, "4.4BSD sys/disklabel.h");

struct bsd_partition {
	le32 p_size;      /* +0x0 */
	le32 p_offset;    /* +0x4 */
	le32 p_fsize;     /* +0x8; OpenBSD: high 16 bits of p_offset, then of p_size */
	uint8_t p_fstype; /* +0xc */
	uint8_t p_frag;   /* +0xd */
	le16 p_cpg;       /* +0xe */
};
_Static_assert(sizeof(struct bsd_partition) == 16, "4.4BSD sys/disklabel.h");

/* A label, checked as far as it can be. */
struct bsd {
	struct bsd_label label;
	struct bsd_partition *parts;
	uint32_t count, sector;
	uint64_t base; /* sector of the disk that offsets count from */
};

static const char *const type_names[] = {
	[0] = "unused",   [1] = "swap",   [2] = "Version 6",      [3] = "Version 7",
	[4] = "System V", [5] = "4.1BSD", [6] = "Eighth Edition", [7] = "4.2BSD",
	[8] = "MSDOS",    [9] = "4.4LFS", [11] = "HPFS",          [12] = "ISO9660",
	[13] = "boot",    [14] = "vinum", [15] = "HFS",           [16] = "AdvFS",
	[17] = "ext2fs",  [18] = "NTFS",  [20] = "RAIDframe",     [27] = "ZFS",
};

static const char *name_of_type(uint8_t type)
{
	return type < sizeof type_names / sizeof *type_names ? type_names[type] : NULL;
}

/* Both magics stand at off: 64 bits that are nobody else's. */
static bool label_at(struct dev *disk, uint64_t off, struct bsd_label *label)
{
	return dev_pread(disk, label, sizeof *label, off) == 0 &&
	       le32_get(label->d_magic) == BSD_MAGIC && le32_get(label->d_magic2) == BSD_MAGIC;
}

/* Where the ports of the BSDs put their label; the PC's place first. */
static bool find_label(struct dev *disk, uint32_t sector, uint64_t *off, struct bsd_label *label)
{
	const uint64_t places[] = {sector, 64, 0, 128};

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		*off = places[i];
		if (label_at(disk, *off, label))
			return true;
	}
	return false;
}

static uint16_t xor16(const void *bytes, size_t len, uint16_t sum)
{
	const le16 *words = bytes;

	for (size_t i = 0; i < len / sizeof *words; i++)
		sum ^= le16_get(words[i]);
	return sum;
}

static bool has_48_bits(const struct bsd *bsd)
{
	return le16_get(bsd->label.d_version) == OPENBSD_48_BIT;
}

static uint64_t offset_of(const struct bsd *bsd, const struct bsd_partition *p)
{
	uint64_t high = has_48_bits(bsd) ? le32_get(p->p_fsize) & 0xffff : 0;

	return high << 32 | le32_get(p->p_offset);
}

static uint64_t size_of(const struct bsd *bsd, const struct bsd_partition *p)
{
	uint64_t high = has_48_bits(bsd) ? le32_get(p->p_fsize) >> 16 : 0;

	return high << 32 | le32_get(p->p_size);
}

static void check_label(struct bsd *bsd, uint32_t sector, struct table *table)
{
	uint32_t count = le16_get(bsd->label.d_npartitions);

	bsd->count = count <= BSD_PARTITIONS_MAX ? count : BSD_PARTITIONS_MAX;
	if (bsd->count != count)
		table_problem(table,
		              "the disklabel says that it has %" PRIu32 " partitions, at most %u",
		              count, BSD_PARTITIONS_MAX);
	bsd->sector = le32_get(bsd->label.d_secsize);
	if (is_pow2(bsd->sector) && bsd->sector >= 512 && bsd->sector <= 4096)
		return;
	table_problem(table,
	              "the disklabel says that sectors have %" PRIu32 " bytes; %" PRIu32
	              " is assumed",
	              bsd->sector, sector);
	bsd->sector = sector;
}

/* The XOR over the label with its partitions, its own checksum included, is zero. */
static void check_sum(const struct bsd *bsd, struct table *table)
{
	uint16_t sum = xor16(&bsd->label, sizeof bsd->label, 0);

	sum = xor16(bsd->parts, bsd->count * sizeof *bsd->parts, sum);
	if (sum != 0)
		table_problem(table, "the checksum of the disklabel is off by %04x", sum);
}

/* See the head of this file: only where the recorded place of "c" cannot be, and another can. */
static void find_base(struct bsd *bsd, uint64_t disk_size, struct table *table)
{
	uint64_t sectors = disk_size / bsd->sector, offset, size;

	if (bsd->count <= BSD_RAW_PART)
		return;
	offset = offset_of(bsd, &bsd->parts[BSD_RAW_PART]);
	size = size_of(bsd, &bsd->parts[BSD_RAW_PART]);
	if (offset == 0 || size == 0 || size > sectors || range_ok(offset, size, sectors))
		return;
	bsd->base = offset;
	table_problem(table,
	              "the disk is a slice cut out of another one at sector %" PRIu64
	              ": starts count from there",
	              offset);
}

static int add_partition(const struct bsd *bsd, uint32_t index, struct table *table)
{
	const struct bsd_partition *p = &bsd->parts[index];
	uint64_t offset = offset_of(bsd, p), size = size_of(bsd, p);
	struct partition part = {
		.number = index + 1,
		/* 48 bits times a sector of at most 4096 bytes: no overflow. */
		.size = size * bsd->sector,
		.type_name = name_of_type(p->p_fstype),
		/* A stretch without a use is the raw disk or slice, and lies under the others. */
		.container = p->p_fstype == BSD_UNUSED,
	};

	if (size == 0)
		return 0;
	if (offset < bsd->base)
		partition_problem(&part,
		                  "starts at sector %" PRIu64 ", before its slice at %" PRIu64,
		                  offset, bsd->base);
	part.start = (offset < bsd->base ? offset : offset - bsd->base) * bsd->sector;
	snprintf(part.type, sizeof part.type, "%u", p->p_fstype);
	return table_add(table, &part);
}

static int bsd_scan(struct dev *disk, uint32_t sector, struct table *table,
                    struct platter_error *err)
{
	struct bsd bsd = {0};
	void *parts;
	uint64_t off;
	int r;

	if (!find_label(disk, sector, &off, &bsd.label))
		return DRIVER_NOT_MINE;
	table->scheme = "bsd";
	check_label(&bsd, sector, table);
	table->sector = bsd.sector;
	r = dev_read_table(disk, off + sizeof bsd.label, bsd.count, sizeof *bsd.parts,
	                   BSD_PARTITIONS_MAX * sizeof *bsd.parts, "the disklabel", &parts, err);
	if (r)
		return r;
	bsd.parts = parts;
	check_sum(&bsd, table);
	find_base(&bsd, disk->size, table);
	for (uint32_t i = 0; i < bsd.count && !r; i++)
		r = add_partition(&bsd, i, table);
	free(parts);
	return r ? err_set(err, -r, "the disklabel cannot be held in memory") : 0;
}

const struct partition_driver partition_bsd = {
	.name = "bsd",
	.scan = bsd_scan,
};
