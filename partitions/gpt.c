/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GUID Partition Table, UEFI Specification 2.10, sections 5.2.3 (protective MBR) and 5.3 (GPT).
 * Finds the two copies of the table, checks them, chooses one and reports its entries.
 *
 * Which copy is used: the primary one when header and entry array are good, else a good backup
 * from the last block, or from where the primary header says. When neither is wholly good but a
 * header is, with only its entry array failing its CRC, the entries are listed all the same and
 * the table says that they are not verified: reading can harm nothing, every range is checked by
 * the core, and one bad bit in a name should not hide a disk. When no header is good, a GPT that
 * was evidently there is an empty table with the reasons, never the MBR in front of it.
 *
 * A GPT is meant only if the MBR says so: where an MBR has entries of its own and no protective
 * one, Linux and all partitioning tools go by the MBR (hybrid ISO images are made so), and so
 * does this.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "drivers.h"
#include "ondisk.h"
#include "text.h"

#define GPT_SIGNATURE   "EFI PART"
#define GPT_HEADER_MIN  92u
#define GPT_ENTRY_MIN   128u
#define GPT_ENTRY_MAX   4096u
#define GPT_ENTRIES_MAX TABLE_ENTRIES_MAX
/* 256 times what a disk has by custom, and yet no burden. */
#define GPT_ARRAY_MAX   ((size_t)4 << 20)
#define GPT_LEGACY_BOOT (UINT64_C(1) << 2)
#define GPT_BLOCK_MAX   4096u
#define MBR_PROTECTIVE  0xee

struct gpt_header {
	uint8_t signature[8];             /* +0x00 */
	le32 revision;                    /* +0x08 */
	le32 header_size;                 /* +0x0c */
	le32 header_crc32;                /* +0x10 */
	le32 reserved;                    /* +0x14 */
	le64 my_lba;                      /* +0x18 */
	le64 alternate_lba;               /* +0x20 */
	le64 first_usable_lba;            /* +0x28 */
	le64 last_usable_lba;             /* +0x30 */
	uint8_t disk_guid[16];            /* +0x38 */
	le64 partition_entry_lba;         /* +0x48 */
	le32 number_of_partition_entries; /* +0x50 */
	le32 size_of_partition_entry;     /* +0x54 */
	le32 partition_entry_array_crc32; /* +0x58 */
};
_Static_assert(sizeof(struct gpt_header) == GPT_HEADER_MIN, "UEFI 2.10 table 5.5");

struct gpt_entry {
	uint8_t partition_type_guid[16];   /* +0x00 */
	uint8_t unique_partition_guid[16]; /* +0x10 */
	le64 starting_lba;                 /* +0x20 */
	le64 ending_lba;                   /* +0x28, inclusive */
	le64 attributes;                   /* +0x30 */
	uint8_t partition_name[72];        /* +0x38, UTF-16LE */
};
_Static_assert(sizeof(struct gpt_entry) == GPT_ENTRY_MIN, "UEFI 2.10 table 5.6");

struct mbr_record {
	uint8_t boot_indicator;  /* +0x0 */
	uint8_t starting_chs[3]; /* +0x1 */
	uint8_t os_type;         /* +0x4 */
	uint8_t ending_chs[3];   /* +0x5 */
	le32 starting_lba;       /* +0x8 */
	le32 size_in_lba;        /* +0xc */
};
_Static_assert(sizeof(struct mbr_record) == 16, "UEFI 2.10 table 5.2");

struct mbr_sector {
	uint8_t boot_code[446];      /* +0x000 */
	struct mbr_record record[4]; /* +0x1be */
	uint8_t signature[2];        /* +0x1fe */
};
_Static_assert(sizeof(struct mbr_sector) == 512, "UEFI 2.10 table 5.1");

/* What stands in front of the GPT. */
enum mbr_kind {
	MBR_NONE,
	MBR_PURE,   /* a protective entry and nothing else */
	MBR_HYBRID, /* a protective entry beside others */
	MBR_OWN,    /* entries, but no protective one */
	MBR_OTHER,  /* signed, or the beginning of an Apple map: not a wiped sector */
};

enum copy_state {
	COPY_BAD,
	COPY_UNVERIFIED, /* the header is good, the CRC of the entry array is not */
	COPY_GOOD,
};

/* One of the two copies. */
struct copy {
	enum copy_state state;
	bool is_signed; /* the header's signature is there */
	uint64_t lba;
	struct gpt_header header;
	void *entries;
	char why[200]; /* it is not good */
};

struct type_name {
	char guid[37];
	const char *name;
};

static const struct type_name type_names[] = {
	{"c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "EFI System"},
	{"21686148-6449-6e6f-744e-656564454649", "BIOS boot"},
	{"024dee41-33e7-11d3-9d69-0008c781f39f", "MBR partition scheme"},
	{"e3c9e316-0b5c-4db8-817d-f92df00215ae", "Microsoft reserved"},
	{"ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "Microsoft basic data"},
	{"5808c8aa-7e8f-42e0-85d2-e1e90434cfb3", "Microsoft LDM metadata"},
	{"af9b60a0-1431-4f62-bc68-3311714a69ad", "Microsoft LDM data"},
	{"de94bba4-06d1-4d40-a16a-bfd50179d6ac", "Windows recovery environment"},
	{"e75caf8f-f680-4cee-afa3-b001e56efc2d", "Microsoft Storage Spaces"},
	{"0fc63daf-8483-4772-8e79-3d69d8477de4", "Linux filesystem"},
	{"0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "Linux swap"},
	{"e6d6d379-f507-44c2-a23c-238f2a3df928", "Linux LVM"},
	{"a19d880f-05fc-4d3b-a006-743f0f84911e", "Linux RAID"},
	{"933ac7e1-2eb4-4f13-b844-0e14e2aef915", "Linux home"},
	{"3b8f8425-20e0-4f3b-907f-1a25a76f98e8", "Linux server data"},
	{"4d21b016-b534-45c2-a9fb-5c16e091fd2d", "Linux variable data"},
	{"7ec6f557-3bc5-4aca-b293-16ef5df639d1", "Linux temporary data"},
	{"44479540-f297-41b2-9af7-d131d5f0458a", "Linux root (x86)"},
	{"4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "Linux root (x86-64)"},
	{"69dad710-2ce4-4e3c-b16c-21a1d49abed3", "Linux root (ARM)"},
	{"b921b045-1df0-41c3-af44-4c6f280d3fae", "Linux root (ARM-64)"},
	{"72ec70a6-cf74-40e6-bd49-4bda08e8f224", "Linux root (RISC-V-64)"},
	{"8484680c-9521-48c6-9c11-b0720656f69e", "Linux /usr (x86-64)"},
	{"2c7357ed-ebd2-46d9-aec1-23d437ec2bf5", "Linux root verity (x86-64)"},
	{"8da63339-0007-60c0-c436-083ac8230908", "Linux reserved"},
	{"bc13c2ff-59e6-4262-a352-b275fd6f7172", "Linux extended boot"},
	{"ca7d7ccb-63ed-4c53-861c-1742536059cc", "Linux LUKS"},
	{"9e1a2d38-c612-4316-aa26-8b49521e5a8b", "PowerPC PReP boot"},
	{"83bd6b9d-7f41-11dc-be0b-001560b84f0f", "FreeBSD boot"},
	{"516e7cb4-6ecf-11d6-8ff8-00022d09712b", "FreeBSD data"},
	{"516e7cb5-6ecf-11d6-8ff8-00022d09712b", "FreeBSD swap"},
	{"516e7cb6-6ecf-11d6-8ff8-00022d09712b", "FreeBSD UFS"},
	{"516e7cba-6ecf-11d6-8ff8-00022d09712b", "FreeBSD ZFS"},
	{"824cc7a0-36a8-11e3-890a-952519ad3f61", "OpenBSD data"},
	{"48465300-0000-11aa-aa11-00306543ecac", "Apple HFS/HFS+"},
	{"7c3457ef-0000-11aa-aa11-00306543ecac", "Apple APFS"},
	{"55465300-0000-11aa-aa11-00306543ecac", "Apple UFS"},
	{"52414944-0000-11aa-aa11-00306543ecac", "Apple RAID"},
	{"426f6f74-0000-11aa-aa11-00306543ecac", "Apple boot"},
	{"53746f72-6167-11aa-aa11-00306543ecac", "Apple Core storage"},
	{"6a898cc3-1dd2-11b2-99a6-080020736631", "Solaris /usr & Apple ZFS"},
	{"fe3a2a5d-4f32-41a7-b725-accc3285a309", "ChromeOS kernel"},
	{"3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec", "ChromeOS root fs"},
	{"aa31e02a-400f-11db-9590-000c2911d1b8", "VMware VMFS"},
	{"9d275380-40ad-11db-bf97-000c2911d1b8", "VMware Diagnostic"},
};

static const char *name_of_type(const char *guid)
{
	for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
		if (strcmp(type_names[i].guid, guid) == 0)
			return type_names[i].name;
	return NULL;
}

static enum mbr_kind mbr_kind(struct dev *disk)
{
	bool protective = false, own = false, flags = true;
	struct mbr_sector mbr;

	if (dev_pread(disk, &mbr, sizeof mbr, 0))
		return MBR_OTHER;
	if (mbr.signature[0] != 0x55 || mbr.signature[1] != 0xaa)
		return memcmp(mbr.boot_code, "ER", 2) == 0 ? MBR_OTHER : MBR_NONE;
	for (size_t i = 0; i < 4; i++) {
		const struct mbr_record *r = &mbr.record[i];

		flags = flags && (r->boot_indicator & 0x7f) == 0;
		if (r->os_type == MBR_PROTECTIVE)
			protective = true;
		else if (le32_get(r->size_in_lba) != 0)
			own = true;
	}
	if (protective)
		return own ? MBR_HYBRID : MBR_PURE;
	return own && flags ? MBR_OWN : MBR_OTHER;
}

static void copy_bad(struct copy *copy, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void copy_bad(struct copy *copy, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(copy->why, sizeof copy->why, fmt, ap);
	va_end(ap);
}

static uint32_t crc_of(const void *bytes, size_t len)
{
	return (uint32_t)crc32_z(0, bytes, len);
}

/* The CRC of a header is taken with its own field zero. */
static uint32_t header_crc(const uint8_t *block, uint32_t header_size)
{
	static const uint8_t zero[4];
	size_t at = offsetof(struct gpt_header, header_crc32);
	uLong crc = crc32_z(0, block, at);

	crc = crc32_z(crc, zero, sizeof zero);
	return (uint32_t)crc32_z(crc, block + at + 4, header_size - at - 4);
}

/* Read the header at copy->lba and check all of it that needs no other block. */
static bool read_header(struct dev *disk, uint32_t sector, struct copy *copy)
{
	const struct gpt_header *h = &copy->header;
	uint8_t block[GPT_BLOCK_MAX];
	uint32_t size, entry, count;

	if (dev_pread(disk, block, sector, copy->lba * sector)) {
		copy_bad(copy, "it cannot be read");
		return false;
	}
	memcpy(&copy->header, block, sizeof copy->header);
	copy->is_signed = memcmp(h->signature, GPT_SIGNATURE, sizeof h->signature) == 0;
	size = le32_get(h->header_size);
	entry = le32_get(h->size_of_partition_entry);
	count = le32_get(h->number_of_partition_entries);
	if (!copy->is_signed)
		copy_bad(copy, "it has no \"" GPT_SIGNATURE "\" signature");
	else if (size < GPT_HEADER_MIN || size > sector)
		copy_bad(copy, "its header has %" PRIu32 " bytes, expected %u to %" PRIu32, size,
		         GPT_HEADER_MIN, sector);
	else if (header_crc(block, size) != le32_get(h->header_crc32))
		copy_bad(copy, "the CRC of its header is %08" PRIx32 ", recorded %08" PRIx32,
		         header_crc(block, size), le32_get(h->header_crc32));
	else if (le64_get(h->my_lba) != copy->lba)
		copy_bad(copy, "it says that it stands at LBA %" PRIu64, le64_get(h->my_lba));
	else if (!is_pow2(entry) || entry < GPT_ENTRY_MIN || entry > GPT_ENTRY_MAX)
		copy_bad(copy,
		         "its entries have %" PRIu32 " bytes, expected a power of two from "
		         "%u to %u",
		         entry, GPT_ENTRY_MIN, GPT_ENTRY_MAX);
	else if (count == 0 || count > GPT_ENTRIES_MAX)
		copy_bad(copy, "it has %" PRIu32 " entries, expected 1 to %u", count,
		         GPT_ENTRIES_MAX);
	else
		return true;
	return false;
}

/* Look at the copy whose header stands at block lba, which lies on the disk. 0 or -ENOMEM. */
static int read_copy(struct dev *disk, uint32_t sector, uint64_t lba, struct copy *copy)
{
	const struct gpt_header *h = &copy->header;
	struct platter_error e;
	uint64_t at, entry, count;
	uint32_t crc;
	int r;

	*copy = (struct copy){.lba = lba};
	if (!read_header(disk, sector, copy))
		return 0;
	if (!ckd_mul64(&at, le64_get(h->partition_entry_lba), sector)) {
		copy_bad(copy, "its entries stand at LBA %" PRIu64,
		         le64_get(h->partition_entry_lba));
		return 0;
	}
	entry = le32_get(h->size_of_partition_entry);
	count = le32_get(h->number_of_partition_entries);
	r = dev_read_table(disk, at, count, entry, GPT_ARRAY_MAX, "its entry array", &copy->entries,
	                   &e);
	if (r) {
		copy_bad(copy, "%.180s", e.text);
		return r == -ENOMEM ? r : 0;
	}
	crc = crc_of(copy->entries, count * entry);
	if (crc == le32_get(h->partition_entry_array_crc32)) {
		copy->state = COPY_GOOD;
		return 0;
	}
	copy->state = COPY_UNVERIFIED;
	copy_bad(copy, "the CRC of its entries is %08" PRIx32 ", recorded %08" PRIx32, crc,
	         le32_get(h->partition_entry_array_crc32));
	return 0;
}

static void copy_free(struct copy *copy)
{
	free(copy->entries);
	copy->entries = NULL;
}

/*
 * The backup for a primary copy that is not good. The last block comes first: where the damaged
 * header says is only its word.
 */
static int find_backup(struct dev *disk, uint32_t sector, uint64_t last, const struct copy *primary,
                       struct copy *backup)
{
	uint64_t said = le64_get(primary->header.alternate_lba);
	struct copy other;
	int r;

	r = read_copy(disk, sector, last, backup);
	if (r || backup->state == COPY_GOOD)
		return r;
	if (!primary->is_signed || said <= 1 || said >= last)
		return 0;
	r = read_copy(disk, sector, said, &other);
	if (other.state > backup->state || (other.is_signed && !backup->is_signed)) {
		copy_free(backup);
		*backup = other;
	} else {
		copy_free(&other);
	}
	return r;
}

/* Both copies say the same, which their verified CRCs vouch for without comparing arrays. */
static bool same_contents(const struct gpt_header *a, const struct gpt_header *b)
{
	return memcmp(&a->first_usable_lba, &b->first_usable_lba,
	              offsetof(struct gpt_header, partition_entry_lba) -
	                      offsetof(struct gpt_header, first_usable_lba)) == 0 &&
	       memcmp(&a->number_of_partition_entries, &b->number_of_partition_entries, 12) == 0;
}

/* Say what is wrong with the backup of a good primary copy. */
static int check_backup(struct dev *disk, uint32_t sector, uint64_t last,
                        const struct copy *primary, struct table *table)
{
	uint64_t lba = le64_get(primary->header.alternate_lba);
	struct copy backup;
	int r;

	if (lba <= 1 || lba > last) {
		table_problem(table,
		              "the backup GPT is said to be at LBA %" PRIu64
		              ", the disk has LBA 0 to %" PRIu64,
		              lba, last);
		return 0;
	}
	r = read_copy(disk, sector, lba, &backup);
	if (backup.state != COPY_GOOD)
		table_problem(table, "the backup GPT at LBA %" PRIu64 " is damaged: %s", lba,
		              backup.why);
	else if (!same_contents(&primary->header, &backup.header))
		table_problem(table, "the primary and the backup GPT differ; the primary is used");
	if (lba != last)
		table_problem(table,
		              "the backup GPT is at LBA %" PRIu64
		              ", expected it in the last one, %" PRIu64,
		              lba, last);
	copy_free(&backup);
	return r;
}

/* start and size in bytes from the two LBAs; what cannot be is listed and said. */
static void set_range(struct partition *part, const struct gpt_header *h, uint64_t first,
                      uint64_t last, uint32_t sector)
{
	uint64_t lo = le64_get(h->first_usable_lba), hi = le64_get(h->last_usable_lba);

	if (!ckd_mul64(&part->start, first, sector))
		part->start = UINT64_MAX;
	if (last < first) {
		partition_problem(part, "ends at LBA %" PRIu64 ", before its start at %" PRIu64,
		                  last, first);
		return;
	}
	if (!ckd_mul64(&part->size, last - first, sector) ||
	    !ckd_add64(&part->size, part->size, sector))
		part->size = UINT64_MAX;
	if (part->start == UINT64_MAX || part->size == UINT64_MAX)
		partition_problem(part, "LBA %" PRIu64 " to %" PRIu64 " is more than 64 bits",
		                  first, last);
	else if (first < lo || last > hi)
		partition_problem(part,
		                  "LBA %" PRIu64 " to %" PRIu64 ", the table allows %" PRIu64
		                  " to %" PRIu64,
		                  first, last, lo, hi);
}

static int add_entry(struct table *table, const struct gpt_header *h, const struct gpt_entry *e,
                     uint32_t number, uint32_t sector)
{
	struct partition part = {.number = number};

	text_guid(e->partition_type_guid, part.type);
	text_guid(e->unique_partition_guid, part.uuid);
	part.type_name = name_of_type(part.type);
	text_from_utf16(e->partition_name, sizeof e->partition_name / 2, false, part.name,
	                sizeof part.name);
	part.bootable = (le64_get(e->attributes) & GPT_LEGACY_BOOT) != 0;
	set_range(&part, h, le64_get(e->starting_lba), le64_get(e->ending_lba), sector);
	return table_add(table, &part);
}

/* Report what a copy holds. */
static int use_copy(struct table *table, const struct copy *copy, uint32_t sector)
{
	static const uint8_t unused[16];
	const struct gpt_header *h = &copy->header;
	uint32_t count = le32_get(h->number_of_partition_entries);
	uint32_t step = le32_get(h->size_of_partition_entry);

	text_guid(h->disk_guid, table->uuid);
	table->source = copy->lba == 1 ? TABLE_SOURCE_PRIMARY : TABLE_SOURCE_BACKUP;
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *at = (const uint8_t *)copy->entries + (size_t)i * step;
		const struct gpt_entry *e = (const struct gpt_entry *)at;
		int r;

		if (memcmp(e->partition_type_guid, unused, sizeof unused) == 0)
			continue;
		r = add_entry(table, h, e, i + 1, sector);
		if (r)
			return r;
	}
	return 0;
}

static void say_mbr(struct table *table, enum mbr_kind mbr)
{
	if (mbr == MBR_HYBRID)
		table_problem(table, "hybrid MBR: it has entries beside the protective one; "
		                     "the GPT is used");
	else if (mbr != MBR_PURE)
		table_problem(table, "no protective MBR stands before the GPT");
}

/*
 * Whether the disk is better read with larger sectors: blocks of a former table with smaller ones
 * may be left over, and would be found first.
 */
static bool stands_at_larger(struct dev *disk, uint32_t sector)
{
	for (uint32_t s = sector * 2; s <= GPT_BLOCK_MAX; s *= 2) {
		struct copy copy = {.lba = 1};

		if (range_ok(s, s, disk->size) && read_header(disk, s, &copy))
			return true;
	}
	return false;
}

/*
 * A lone backup may be left from a former life of the disk. It counts when the front of the disk
 * speaks of a GPT, or was wiped or overwritten so that it speaks of nothing.
 */
static bool backup_counts(enum mbr_kind mbr, const struct copy *primary, const struct copy *backup)
{
	if (mbr == MBR_PURE || mbr == MBR_HYBRID || primary->is_signed)
		return true;
	return mbr == MBR_NONE && le64_get(backup->header.alternate_lba) == 1;
}

/* Nothing but a damaged primary copy, if that: choose as the head of this file says. */
static int scan_damaged(struct dev *disk, uint32_t sector, uint64_t last, enum mbr_kind mbr,
                        const struct copy *primary, struct table *table)
{
	const struct copy *use = NULL;
	struct copy backup;
	int r;

	r = find_backup(disk, sector, last, primary, &backup);
	if (r)
		goto out;
	if (backup.state > primary->state && backup_counts(mbr, primary, &backup))
		use = &backup;
	else if (primary->state != COPY_BAD)
		use = primary;
	if ((!use && !primary->is_signed) || stands_at_larger(disk, sector)) {
		r = DRIVER_NOT_MINE;
		goto out;
	}
	table_problem(table, "the primary GPT at LBA 1 is damaged: %s", primary->why);
	if (backup.state != COPY_GOOD)
		table_problem(table, "the backup GPT at LBA %" PRIu64 " is damaged: %s", backup.lba,
		              backup.why);
	if (!use)
		table_problem(table, "neither copy of the GPT can be read");
	else if (use->state != COPY_GOOD)
		table_problem(table, "the entries of the %s GPT are listed without a valid CRC",
		              use == &backup ? "backup" : "primary");
	else
		table_problem(table, "the backup GPT at LBA %" PRIu64 " is used", backup.lba);
	if (use)
		r = use_copy(table, use, sector);
out:
	copy_free(&backup);
	return r;
}

static int gpt_scan(struct dev *disk, uint32_t sector, struct table *table,
                    struct platter_error *err)
{
	uint64_t blocks = disk->size / sector;
	enum mbr_kind mbr;
	struct copy primary;
	int r;

	if (blocks < 3)
		return DRIVER_NOT_MINE;
	mbr = mbr_kind(disk);
	if (mbr == MBR_OWN)
		return DRIVER_NOT_MINE;
	r = read_copy(disk, sector, 1, &primary);
	if (!r && primary.state == COPY_GOOD) {
		r = check_backup(disk, sector, blocks - 1, &primary, table);
		if (!r)
			r = use_copy(table, &primary, sector);
	} else if (!r) {
		r = scan_damaged(disk, sector, blocks - 1, mbr, &primary, table);
	}
	copy_free(&primary);
	if (r < 0)
		return err_set(err, -r, "the GPT cannot be held in memory");
	if (r == 0) {
		say_mbr(table, mbr);
		table->scheme = "gpt";
		table->sector = sector;
	}
	return r;
}

const struct partition_driver partition_gpt = {
	.name = "gpt",
	.scan = gpt_scan,
};
