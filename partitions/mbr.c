/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MBR ("DOS") partition tables and their chains of EBRs. There is no standard; the layout is that
 * of the PC DOS 2 master boot record (UEFI 2.10, section 5.2.1, describes it), and what is listed
 * under which number follows Linux.
 *
 * The sector's signature is that of every PC boot sector, so the work lies in saying no: to code
 * where entries should be, to a boot sector of a filesystem, to a table without any entry.
 *
 * A protective MBR is asked for only after no GPT was found at any sector size. It is reported as
 * what it is, with a problem, rather than hidden.
 *
 * LBAs here have 32 bits, and a chain adds two of them: in 64 bits no sum or product of theirs
 * and a sector size can overflow.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "drivers.h"
#include "ondisk.h"

#define MBR_SIZE            512u
#define SECTOR_MAX          4096u
#define TYPE_EMPTY          0x00
#define TYPE_EXTENDED       0x05
#define TYPE_EXTENDED_LBA   0x0f
#define TYPE_LINUX_EXTENDED 0x85
#define TYPE_PROTECTIVE     0xee

#define FIRST_LOGICAL 5u
/* Linux takes about as many; each costs one read, and a chain can be made as long as the disk. */
#define LOGICAL_MAX 256u
#define EBR_MAX     256u

struct mbr_record {
	uint8_t boot_indicator;  /* +0x0: 0x80 active, else 0 */
	uint8_t starting_chs[3]; /* +0x1 */
	uint8_t os_type;         /* +0x4 */
	uint8_t ending_chs[3];   /* +0x5 */
	le32 starting_lba;       /* +0x8 */
	le32 size_in_lba;        /* +0xc */
};
_Static_assert(sizeof(struct mbr_record) == 16, "UEFI 2.10 table 5.2");

struct mbr {
	uint8_t boot_code[440];      /* +0x000 */
	le32 unique_disk_signature;  /* +0x1b8 */
	le16 unknown;                /* +0x1bc */
	struct mbr_record record[4]; /* +0x1be */
	uint8_t signature[2];        /* +0x1fe: 55 aa */
};
_Static_assert(sizeof(struct mbr) == MBR_SIZE, "UEFI 2.10 table 5.1");

/* What FAT, NTFS and exFAT have at the beginning of their boot sectors. */
struct boot_sector {
	uint8_t jump[3];             /* +0x00 */
	char oem[8];                 /* +0x03 */
	le16 bytes_per_sector;       /* +0x0b */
	uint8_t sectors_per_cluster; /* +0x0d */
	le16 reserved_sectors;       /* +0x0e */
	uint8_t fats;                /* +0x10 */
	le16 root_entries;           /* +0x11 */
	le16 total_sectors_16;       /* +0x13 */
	uint8_t media;               /* +0x15 */
	le16 fat_size_16;            /* +0x16 */
	uint8_t geometry[8];         /* +0x18 */
	le32 total_sectors_32;       /* +0x20 */
	le32 fat_size_32;            /* +0x24 */
	uint8_t other[8];            /* +0x28 */
	le64 ntfs_mft_lcn;           /* +0x30 */
	uint8_t more[24];            /* +0x38 */
	le32 exfat_fat_offset;       /* +0x50 */
	uint8_t code[0x6c - 0x54];   /* +0x54 */
	uint8_t exfat_sector_shift;  /* +0x6c */
};
_Static_assert(offsetof(struct boot_sector, exfat_fat_offset) == 0x50, "exFAT spec, 3.1");
_Static_assert(sizeof(struct boot_sector) == 0x6d, "up to where exFAT's fields are needed");

static const struct {
	uint8_t type;
	const char *name;
} type_names[] = {
	{0x00, "Empty"},
	{0x01, "FAT12"},
	{0x04, "FAT16 <32M"},
	{0x05, "Extended"},
	{0x06, "FAT16"},
	{0x07, "HPFS/NTFS/exFAT"},
	{0x0a, "OS/2 Boot Manager"},
	{0x0b, "W95 FAT32"},
	{0x0c, "W95 FAT32 (LBA)"},
	{0x0e, "W95 FAT16 (LBA)"},
	{0x0f, "W95 Ext'd (LBA)"},
	{0x11, "Hidden FAT12"},
	{0x12, "Compaq diagnostics"},
	{0x14, "Hidden FAT16 <32M"},
	{0x16, "Hidden FAT16"},
	{0x17, "Hidden HPFS/NTFS"},
	{0x1b, "Hidden W95 FAT32"},
	{0x1c, "Hidden W95 FAT32 (LBA)"},
	{0x1e, "Hidden W95 FAT16 (LBA)"},
	{0x27, "Hidden NTFS WinRE"},
	{0x39, "Plan 9"},
	{0x41, "PPC PReP Boot"},
	{0x42, "Windows dynamic disk"},
	{0x4d, "QNX4.x"},
	{0x63, "GNU HURD or SysV"},
	{0x81, "Minix / old Linux"},
	{0x82, "Linux swap / Solaris"},
	{0x83, "Linux"},
	{0x84, "OS/2 hidden or Intel hibernation"},
	{0x85, "Linux extended"},
	{0x88, "Linux plaintext"},
	{0x8e, "Linux LVM"},
	{0xa5, "FreeBSD"},
	{0xa6, "OpenBSD"},
	{0xa7, "NeXTSTEP"},
	{0xa8, "Darwin UFS"},
	{0xa9, "NetBSD"},
	{0xab, "Darwin boot"},
	{0xaf, "HFS / HFS+"},
	{0xbe, "Solaris boot"},
	{0xbf, "Solaris"},
	{0xcd, "ISO 9660 (hybrid disc)"},
	{0xda, "Non-FS data"},
	{0xde, "Dell Utility"},
	{0xe8, "LUKS"},
	{0xea, "Linux extended boot"},
	{0xeb, "BeOS fs"},
	{0xee, "GPT protective"},
	{0xef, "EFI (FAT-12/16/32)"},
	{0xfb, "VMware VMFS"},
	{0xfc, "VMware VMKCORE"},
	{0xfd, "Linux raid autodetect"},
};

/* One scan. */
struct scan {
	struct dev *disk;
	uint32_t sector;
	struct table *table;
	uint32_t disk_id;
	uint32_t next;          /* number of the next logical partition */
	uint64_t seen[EBR_MAX]; /* LBAs of the EBRs read so far */
	unsigned nseen;
};

/* An extended partition: where its chain may go. In LBA. */
struct outer {
	uint32_t number;
	uint64_t start, size;
};

static const char *name_of_type(uint8_t type)
{
	for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
		if (type_names[i].type == type)
			return type_names[i].name;
	return NULL;
}

static bool is_extended(const struct mbr_record *r)
{
	return r->os_type == TYPE_EXTENDED || r->os_type == TYPE_EXTENDED_LBA ||
	       r->os_type == TYPE_LINUX_EXTENDED;
}

static bool is_used(const struct mbr_record *r)
{
	return le32_get(r->size_in_lba) != 0;
}

static bool is_signed(const struct mbr *mbr)
{
	return mbr->signature[0] == 0x55 && mbr->signature[1] == 0xaa;
}

/* ---- is it a table at all? ---- */

/* Flags as a table has them, and something to list. */
static bool has_entries(const struct mbr *mbr)
{
	bool used = false;

	for (size_t i = 0; i < 4; i++) {
		if ((mbr->record[i].boot_indicator & 0x7f) != 0)
			return false;
		used = used || is_used(&mbr->record[i]);
	}
	return used;
}

/*
 * Whether the entries cannot but be meant: each lies on the disk behind the sector itself, and
 * those that are not used are blank. Boot code or text never looks like that.
 */
static bool is_convincing(const struct mbr *mbr, uint64_t blocks)
{
	static const struct mbr_record blank;

	for (size_t i = 0; i < 4; i++) {
		const struct mbr_record *r = &mbr->record[i];
		uint64_t start = le32_get(r->starting_lba), size = le32_get(r->size_in_lba);

		if (memcmp(r, &blank, sizeof blank) == 0)
			continue;
		if (r->os_type == TYPE_EMPTY || start == 0 || !range_ok(start, size, blocks))
			return false;
	}
	return true;
}

static bool is_plausible_fat(const struct boot_sector *b)
{
	uint16_t bytes = le16_get(b->bytes_per_sector);

	return is_pow2(bytes) && bytes >= 512 && bytes <= 4096 && is_pow2(b->sectors_per_cluster) &&
	       le16_get(b->reserved_sectors) != 0 && b->fats >= 1 && b->fats <= 4 &&
	       (b->media == 0xf0 || b->media >= 0xf8) &&
	       (le16_get(b->total_sectors_16) != 0 || le32_get(b->total_sectors_32) != 0) &&
	       (le16_get(b->fat_size_16) != 0 || le32_get(b->fat_size_32) != 0);
}

/* Whether the bytes at off are these. */
static bool stands_at(struct dev *disk, uint64_t off, const void *bytes, size_t len)
{
	uint8_t have[8];

	return len <= sizeof have && dev_pread(disk, have, len, off) == 0 &&
	       memcmp(have, bytes, len) == 0;
}

static bool has_mft(struct dev *disk, const struct boot_sector *b)
{
	uint64_t cluster = (uint64_t)le16_get(b->bytes_per_sector) * b->sectors_per_cluster;
	uint64_t mft;

	return ckd_mul64(&mft, le64_get(b->ntfs_mft_lcn), cluster) &&
	       stands_at(disk, mft, "FILE", 4);
}

static bool has_exfat_fat(struct dev *disk, const struct boot_sector *b)
{
	static const uint8_t first[4] = {0xf8, 0xff, 0xff, 0xff};

	return b->exfat_sector_shift >= 9 && b->exfat_sector_shift <= 12 &&
	       stands_at(disk, (uint64_t)le32_get(b->exfat_fat_offset) << b->exfat_sector_shift,
	                 first, sizeof first);
}

/* Every FAT begins with the media byte and then ones. */
static bool has_fat(struct dev *disk, const struct boot_sector *b)
{
	const uint8_t first[3] = {b->media, 0xff, 0xff};

	return stands_at(disk,
	                 (uint64_t)le16_get(b->reserved_sectors) * le16_get(b->bytes_per_sector),
	                 first, sizeof first);
}

/*
 * Whether the sector belongs to a filesystem. Boot loaders keep the parameter block of a former
 * filesystem when they make an MBR of its boot sector (GRUB does), and mkfs.fat can write a token
 * entry into the boot sector of a FAT: where the entries convince, the filesystem must show more
 * of itself than its boot sector.
 */
static bool is_filesystem(struct dev *disk, const struct mbr *mbr, bool convincing)
{
	static const char *const others[] = {"HPFS", "-FVE-FS-", "ReFS"};
	struct boot_sector b;

	memcpy(&b, mbr, sizeof b);
	if (memcmp(b.oem, "NTFS    ", 8) == 0)
		return !convincing || has_mft(disk, &b);
	if (memcmp(b.oem, "EXFAT   ", 8) == 0)
		return !convincing || has_exfat_fat(disk, &b);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (memcmp(b.oem, others[i], strlen(others[i])) == 0)
			return !convincing;
	return is_plausible_fat(&b) && (!convincing || has_fat(disk, &b));
}

static bool ebr_at(struct dev *disk, uint64_t off)
{
	static const uint8_t signature[2] = {0x55, 0xaa};
	uint64_t at;

	return ckd_add64(&at, off, offsetof(struct mbr, signature)) &&
	       stands_at(disk, at, signature, sizeof signature);
}

/*
 * Nothing in an MBR says how long a sector is, but where an extended partition's first EBR stands
 * does. True when it stands where larger sectors put it, and not where these do.
 */
static bool has_larger_sectors(struct dev *disk, const struct mbr *mbr, uint32_t sector)
{
	for (size_t i = 0; i < 4; i++) {
		const struct mbr_record *r = &mbr->record[i];
		uint64_t lba = le32_get(r->starting_lba);

		if (!is_used(r) || !is_extended(r) || lba == 0)
			continue;
		if (ebr_at(disk, lba * sector))
			return false;
		for (uint32_t larger = sector * 2; larger <= SECTOR_MAX; larger *= 2)
			if (ebr_at(disk, lba * larger))
				return true;
	}
	return false;
}

/* ---- entries ---- */

static int add_record(struct scan *s, const struct mbr_record *r, uint32_t number, uint64_t lba,
                      const struct outer *outer)
{
	uint64_t size = le32_get(r->size_in_lba);
	struct partition part = {
		.number = number,
		.start = lba * s->sector,
		.size = size * s->sector,
		.type_name = name_of_type(r->os_type),
		.bootable = r->boot_indicator == 0x80,
		.container = !outer && is_extended(r),
	};

	snprintf(part.type, sizeof part.type, "0x%02x", r->os_type);
	/* udev too gives no PARTUUID on a disk without an identity. */
	if (s->disk_id != 0)
		snprintf(part.uuid, sizeof part.uuid, "%08" PRIx32 "-%02" PRIx32, s->disk_id,
		         number);
	if (outer && (lba < outer->start || !range_ok(lba - outer->start, size, outer->size)))
		partition_problem(&part, "passes the extended partition %" PRIu32 " around it",
		                  outer->number);
	if (r->os_type == TYPE_PROTECTIVE)
		partition_problem(&part, "protects a GPT, but there is none");
	return table_add(s->table, &part);
}

static bool was_seen(const struct scan *s, uint64_t lba)
{
	for (unsigned i = 0; i < s->nseen; i++)
		if (s->seen[i] == lba)
			return true;
	return false;
}

/* Read the EBR at lba; false, with the problem said, where the chain ends. */
static bool read_ebr(struct scan *s, const struct outer *outer, uint64_t lba, struct mbr *ebr)
{
	if (lba < outer->start || lba - outer->start >= outer->size) {
		table_problem(s->table,
		              "an EBR at LBA %" PRIu64 " lies outside the extended partition "
		              "%" PRIu32 " (LBA %" PRIu64 " to %" PRIu64 ")",
		              lba, outer->number, outer->start, outer->start + outer->size - 1);
		return false;
	}
	if (was_seen(s, lba)) {
		table_problem(s->table, "the chain of EBRs comes back to LBA %" PRIu64, lba);
		return false;
	}
	if (s->nseen == EBR_MAX) {
		table_problem(s->table, "the chain of EBRs has more than %u links", EBR_MAX);
		return false;
	}
	s->seen[s->nseen++] = lba;
	if (dev_pread(s->disk, ebr, sizeof *ebr, lba * s->sector)) {
		table_problem(s->table,
		              "the EBR at LBA %" PRIu64 " cannot be read; the disk has %" PRIu64
		              " bytes",
		              lba, s->disk->size);
		return false;
	}
	if (!is_signed(ebr)) {
		table_problem(s->table,
		              "the EBR at LBA %" PRIu64 " ends with %02x%02x, expected 55aa", lba,
		              ebr->signature[0], ebr->signature[1]);
		return false;
	}
	return true;
}

/* The last two entries often hold rubbish: Linux takes them when they fit where they are. */
static bool fits(const struct mbr_record *r, uint64_t ebr, uint64_t ebr_size,
                 const struct outer *outer)
{
	uint64_t start = le32_get(r->starting_lba), size = le32_get(r->size_in_lba);

	return start + size <= ebr_size && range_ok(ebr + start - outer->start, size, outer->size);
}

/* The data entries of one EBR. */
static int add_logicals(struct scan *s, const struct outer *outer, const struct mbr *ebr,
                        uint64_t lba, uint64_t ebr_size)
{
	for (size_t i = 0; i < 4; i++) {
		const struct mbr_record *r = &ebr->record[i];
		int e;

		if (!is_used(r) || is_extended(r) || (i >= 2 && !fits(r, lba, ebr_size, outer)))
			continue;
		if (s->next - FIRST_LOGICAL >= LOGICAL_MAX) {
			table_problem(s->table,
			              "more than %u logical partitions; the rest is "
			              "not listed",
			              LOGICAL_MAX);
			return 0;
		}
		e = add_record(s, r, s->next++, lba + le32_get(r->starting_lba), outer);
		if (e)
			return e;
	}
	return 0;
}

/*
 * Follow the chain: in each EBR, entries count from the EBR itself, and the link to the next one
 * from the start of the extended partition. Links may go back (a partition deleted and made anew
 * is the last in the chain), so what ends a loop is having been there.
 */
static int walk_chain(struct scan *s, const struct outer *outer)
{
	uint64_t lba = outer->start, size = outer->size;
	struct mbr ebr;

	while (read_ebr(s, outer, lba, &ebr)) {
		size_t i = 0;
		int r = add_logicals(s, outer, &ebr, lba, size);

		if (r)
			return r;
		while (i < 4 && !(is_used(&ebr.record[i]) && is_extended(&ebr.record[i])))
			i++;
		if (i == 4)
			break;
		lba = outer->start + le32_get(ebr.record[i].starting_lba);
		size = le32_get(ebr.record[i].size_in_lba);
	}
	return 0;
}

static int add_primaries(struct scan *s, const struct mbr *mbr)
{
	bool protective = false;

	for (uint32_t i = 0; i < 4; i++) {
		const struct mbr_record *r = &mbr->record[i];
		int e;

		if (!is_used(r))
			continue;
		protective = protective || r->os_type == TYPE_PROTECTIVE;
		e = add_record(s, r, i + 1, le32_get(r->starting_lba), NULL);
		if (e)
			return e;
	}
	if (protective)
		table_problem(s->table, "a protective MBR, but no GPT was found; it may be lost");
	return 0;
}

static int add_chains(struct scan *s, const struct mbr *mbr)
{
	for (uint32_t i = 0; i < 4; i++) {
		const struct mbr_record *r = &mbr->record[i];
		struct outer outer = {
			.number = i + 1,
			.start = le32_get(r->starting_lba),
			.size = le32_get(r->size_in_lba),
		};
		int e = is_used(r) && is_extended(r) ? walk_chain(s, &outer) : 0;

		if (e)
			return e;
	}
	return 0;
}

/* A GPT comes before an MBR, so the core does not look for the one that gpt.c left to it. */
static void say_gpt(struct scan *s)
{
	if (stands_at(s->disk, s->sector, "EFI PART", 8))
		table_problem(s->table, "a GPT stands behind the MBR, which has no protective "
		                        "entry; the MBR is used");
}

static int mbr_scan(struct dev *disk, uint32_t sector, struct table *table,
                    struct platter_error *err)
{
	struct scan s = {
		.disk = disk,
		.sector = sector,
		.table = table,
		.next = FIRST_LOGICAL,
	};
	struct mbr mbr;
	int r;

	if (disk->size < sizeof mbr)
		return DRIVER_NOT_MINE;
	r = dev_pread(disk, &mbr, sizeof mbr, 0);
	if (r)
		return err_set(err, -r, "the first sector cannot be read");
	if (!is_signed(&mbr) || !has_entries(&mbr) ||
	    is_filesystem(disk, &mbr, is_convincing(&mbr, disk->size / sector)) ||
	    has_larger_sectors(disk, &mbr, sector))
		return DRIVER_NOT_MINE;

	table->scheme = "mbr";
	table->sector = sector;
	s.disk_id = le32_get(mbr.unique_disk_signature);
	if (s.disk_id != 0)
		snprintf(table->uuid, sizeof table->uuid, "%08" PRIx32, s.disk_id);
	r = add_primaries(&s, &mbr);
	if (!r)
		r = add_chains(&s, &mbr);
	if (r)
		return err_set(err, -r, "the partition table cannot be held in memory");
	say_gpt(&s);
	return 0;
}

const struct partition_driver partition_mbr = {
	.name = "mbr",
	.sector_unsaid = true,
	.scan = mbr_scan,
};
