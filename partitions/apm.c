/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Apple Partition Map, Inside Macintosh: Devices, chapter 3 ("Driver Descriptor Record" and
 * "Partition Map"). Block 0 says how long a block is; the map begins in block 1, one entry to a
 * block, and describes itself as one of its partitions.
 *
 * A disc may carry the map twice, for 512 and for 2048 byte blocks: the one at the block size of
 * block 0 counts, as for Linux. Where no map stands there, block 0 is wrong or missing, and a map
 * is looked for at the sector size that the core asks about.
 *
 * Free space has entries too. They keep their numbers, but are no partitions: what they cover is
 * a gap.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "drivers.h"
#include "ondisk.h"
#include "text.h"

#define DDM_SIGNATURE   0x4552u /* "ER" */
#define PM_SIGNATURE    0x504du /* "PM" */
#define APM_BOOTABLE    0x08u
#define APM_TYPE_OF_MAP "Apple_partition_map"
/* Linux takes as many; a map of common size has room for 63. */
#define APM_ENTRIES_MAX 256u
#define APM_BLOCK_MAX   4096u

struct apm_ddm {
	be16 sbSig;       /* +0x00 */
	be16 sbBlkSize;   /* +0x02 */
	be32 sbBlkCount;  /* +0x04 */
	be16 sbDevType;   /* +0x08 */
	be16 sbDevId;     /* +0x0a */
	be32 sbData;      /* +0x0c */
	be16 sbDrvrCount; /* +0x10 */
};
_Static_assert(sizeof(struct apm_ddm) == 0x12, "Inside Macintosh: Devices, 3-22");

struct apm_entry {
	be16 pmSig;          /* +0x00 */
	be16 pmSigPad;       /* +0x02 */
	be32 pmMapBlkCnt;    /* +0x04, entries in the map */
	be32 pmPyPartStart;  /* +0x08 */
	be32 pmPartBlkCnt;   /* +0x0c */
	char pmPartName[32]; /* +0x10 */
	char pmParType[32];  /* +0x30 */
	be32 pmLgDataStart;  /* +0x50 */
	be32 pmDataCnt;      /* +0x54 */
	be32 pmPartStatus;   /* +0x58 */
};
_Static_assert(sizeof(struct apm_entry) == 0x5c, "Inside Macintosh: Devices, 3-25");

static const struct {
	const char *type, *name;
} type_names[] = {
	{APM_TYPE_OF_MAP, "Partition map"},
	{"Apple_Boot", "Apple boot"},
	{"Apple_Bootstrap", "NewWorld bootblock"},
	{"Apple_Driver", "Driver"},
	{"Apple_Driver43", "SCSI driver"},
	{"Apple_Driver43_CD", "CD-ROM driver"},
	{"Apple_DriverATAPI", "ATAPI driver"},
	{"Apple_Driver_ATA", "ATA driver"},
	{"Apple_Driver_ATAPI", "ATAPI driver"},
	{"Apple_Driver_IOKit", "I/O Kit driver"},
	{"Apple_FWDriver", "FireWire driver"},
	{"Apple_HFS", "Apple HFS/HFS+"},
	{"Apple_HFSX", "Apple HFSX"},
	{"Apple_APFS", "Apple APFS"},
	{"Apple_MFS", "Macintosh File System"},
	{"Apple_PRODOS", "ProDOS"},
	{"Apple_Patches", "Patches"},
	{"Apple_RAID", "Apple RAID"},
	{"Apple_UFS", "Apple UFS"},
	{"Apple_UNIX_SVR2", "Linux or A/UX"},
	{"DOS_FAT_12", "FAT12"},
	{"DOS_FAT_16", "FAT16"},
	{"DOS_FAT_32", "FAT32"},
	{"Windows_FAT_16", "FAT16"},
	{"Windows_FAT_32", "FAT32"},
	{"Windows_NTFS", "NTFS"},
};

/* Types of entries that hold no partition. */
static const char *const free_types[] = {"Apple_Free", "Apple_Void", "Apple_Scratch",
                                         "Apple_Extra"};

static const char *name_of_type(const char *type)
{
	for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
		if (strcmp(type_names[i].type, type) == 0)
			return type_names[i].name;
	return NULL;
}

static bool is_free(const char *type)
{
	for (size_t i = 0; i < sizeof free_types / sizeof *free_types; i++)
		if (strcmp(free_types[i], type) == 0)
			return true;
	return false;
}

static bool is_entry(const struct apm_entry *e)
{
	return be16_get(e->pmSig) == PM_SIGNATURE;
}

/* Whether a map begins in the second block, of block bytes each. */
static bool map_at(struct dev *disk, uint32_t block)
{
	struct apm_entry e;

	return dev_pread(disk, &e, sizeof e, block) == 0 && is_entry(&e);
}

/* A field of fixed length that a NUL may end before. */
static void field(const char *in, size_t size, char *out, size_t out_size)
{
	text_plain(in, strnlen(in, size), out, out_size);
}

static int add_entry(struct table *table, const struct apm_entry *e, uint32_t number,
                     uint32_t block)
{
	struct partition part = {
		.number = number,
		/* 32 bits times a block of at most 4096 bytes: no overflow. */
		.start = (uint64_t)be32_get(e->pmPyPartStart) * block,
		.size = (uint64_t)be32_get(e->pmPartBlkCnt) * block,
		.bootable = (be32_get(e->pmPartStatus) & APM_BOOTABLE) != 0,
	};

	field(e->pmParType, sizeof e->pmParType, part.type, sizeof part.type);
	field(e->pmPartName, sizeof e->pmPartName, part.name, sizeof part.name);
	part.type_name = name_of_type(part.type);
	return is_free(part.type) ? 0 : table_add(table, &part);
}

/*
 * How many entries to read: what the first one says, if the disk and good sense allow it, else
 * as many as those allow. said: what it says.
 */
static uint32_t count_entries(struct dev *disk, uint32_t block, uint32_t *said)
{
	uint32_t room = (uint32_t)min64(disk->size / block - 1, APM_ENTRIES_MAX);
	struct apm_entry first;

	*said = 0;
	if (dev_pread(disk, &first, sizeof first, block) == 0)
		*said = be32_get(first.pmMapBlkCnt);
	return *said >= 1 && *said <= room ? *said : room;
}

/* Whether one of the entries is the map's own. */
static bool describes_itself(const uint8_t *map, uint32_t count, uint32_t block)
{
	static const char type[32] = APM_TYPE_OF_MAP;

	for (uint32_t i = 0; i < count; i++) {
		const struct apm_entry *e = (const struct apm_entry *)(map + (size_t)i * block);

		if (is_entry(e) && memcmp(e->pmParType, type, sizeof APM_TYPE_OF_MAP) == 0)
			return true;
	}
	return false;
}

static int add_map(struct table *table, const uint8_t *map, uint32_t count, uint32_t block)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct apm_entry *e = (const struct apm_entry *)(map + (size_t)i * block);
		int r;

		if (!is_entry(e)) {
			table_problem(table,
			              "the partition map ends after %" PRIu32 " of %" PRIu32
			              " entries",
			              i, count);
			return 0;
		}
		r = add_entry(table, e, i + 1, block);
		if (r)
			return r;
	}
	return 0;
}

static int apm_scan(struct dev *disk, uint32_t sector, struct table *table,
                    struct platter_error *err)
{
	uint32_t block, said_block, count, said;
	struct apm_ddm ddm;
	void *map;
	int r;

	if (disk->size < 2 * (uint64_t)sector || dev_pread(disk, &ddm, sizeof ddm, 0))
		return DRIVER_NOT_MINE;
	said_block = be16_get(ddm.sbSig) == DDM_SIGNATURE ? be16_get(ddm.sbBlkSize) : 0;
	block = said_block;
	if (!is_pow2(block) || block < 512 || block > APM_BLOCK_MAX || !map_at(disk, block))
		block = sector;
	if (!map_at(disk, block))
		return DRIVER_NOT_MINE;

	count = count_entries(disk, block, &said);
	r = dev_read_table(disk, block, count, block, APM_ENTRIES_MAX * APM_BLOCK_MAX,
	                   "the partition map", &map, err);
	if (r)
		return r;
	/* Two letters are a weak signature: what block 0 does not announce must vouch for itself.
	 */
	if (block != said_block && !describes_itself(map, count, block)) {
		free(map);
		return DRIVER_NOT_MINE;
	}
	table->scheme = "apm";
	table->sector = block;
	if (block != said_block)
		table_problem(table,
		              "block 0 says that blocks have %" PRIu32
		              " bytes, the partition map is made for %" PRIu32,
		              said_block, block);
	if (count != said)
		table_problem(table,
		              "the partition map says that it has %" PRIu32
		              " entries, there can be 1 to %" PRIu32,
		              said, count);
	r = add_map(table, map, count, block);
	free(map);
	return r ? err_set(err, -r, "the partition map cannot be held in memory") : 0;
}

const struct partition_driver partition_apm = {
	.name = "apm",
	.scan = apm_scan,
};
