/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * El Torito Bootable CD-ROM Format Specification, version 1.0, sections 2.0 to 2.5: the boot
 * images that a boot catalogue on an optical disc lists, each as an entry with a number from 1.
 *
 * The catalogue says how much of an image the firmware loads, not how long it is. Emulated floppies
 * have their size, an image that holds a FAT or an MBR says its own; UEFI 2.10, section 13.3.2.1,
 * lets one reach to the end of the disc.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "drivers.h"
#include "ondisk.h"
#include "text.h"

#define SECTOR           2048u
#define FIRST_DESCRIPTOR 16u
/* A disc has three or four descriptors; the terminator is missing only from broken ones. */
#define DESCRIPTORS_MAX  64u
#define TYPE_BOOT_RECORD 0u
#define TYPE_TERMINATOR  255u
#define VIRTUAL_SECTOR   512u
/* 32 entries of section 2.0 to a sector: far more than firmware would show. */
#define CATALOG_ENTRIES_MAX 512u

#define VALIDATION_HEADER   0x01
#define SECTION_HEADER      0x90
#define SECTION_HEADER_LAST 0x91
#define SECTION_EXTENSION   0x44
#define BOOTABLE            0x88
#define NOT_BOOTABLE        0x00
#define MEDIA_MASK          0x0f
#define MEDIA_NONE          0
#define MEDIA_HARD_DISK     4
#define PLATFORM_EFI        0xef

struct boot_record {
	uint8_t type;                    /* +0x00 */
	char standard_identifier[5];     /* +0x01 */
	uint8_t version;                 /* +0x06 */
	char boot_system_identifier[32]; /* +0x07 */
	uint8_t boot_identifier[32];     /* +0x27 */
	le32 boot_catalog;               /* +0x47, sector */
};
_Static_assert(sizeof(struct boot_record) == 0x4b, "El Torito 1.0, figure 7");

struct validation_entry {
	uint8_t header_id;   /* +0x00 */
	uint8_t platform_id; /* +0x01 */
	le16 reserved;       /* +0x02 */
	char id_string[24];  /* +0x04 */
	le16 checksum;       /* +0x1c */
	uint8_t key[2];      /* +0x1e: 55 aa */
};
_Static_assert(sizeof(struct validation_entry) == 32, "El Torito 1.0, figure 2");

struct section_header {
	uint8_t header_indicator; /* +0x00 */
	uint8_t platform_id;      /* +0x01 */
	le16 section_entries;     /* +0x02 */
	char id_string[28];       /* +0x04 */
};
_Static_assert(sizeof(struct section_header) == 32, "El Torito 1.0, figure 4");

/* The initial/default entry and section entries are the same up to here. */
struct boot_entry {
	uint8_t boot_indicator;  /* +0x00 */
	uint8_t boot_media_type; /* +0x01 */
	le16 load_segment;       /* +0x02 */
	uint8_t system_type;     /* +0x04 */
	uint8_t unused;          /* +0x05 */
	le16 sector_count;       /* +0x06, of 512 bytes */
	le32 load_rba;           /* +0x08, sector of the disc */
	uint8_t selection[20];   /* +0x0c */
};
_Static_assert(sizeof(struct boot_entry) == 32, "El Torito 1.0, figures 3 and 5");

union catalog_entry {
	uint8_t b[32];
	struct validation_entry validation;
	struct section_header header;
	struct boot_entry boot;
};
_Static_assert(sizeof(union catalog_entry) == 32, "El Torito 1.0, section 2.0");

static const char *name_of_platform(uint8_t platform)
{
	switch (platform) {
	case 0x00:
		return "x86 BIOS";
	case 0x01:
		return "PowerPC";
	case 0x02:
		return "Mac";
	case PLATFORM_EFI:
		return "UEFI";
	default:
		return NULL;
	}
}

/* Look for the boot record among the volume descriptors. */
static bool find_boot_record(struct dev *disk, struct boot_record *rec)
{
	static const char system[32] = "EL TORITO SPECIFICATION";

	for (uint64_t i = 0; i < DESCRIPTORS_MAX; i++) {
		if (dev_pread(disk, rec, sizeof *rec, (FIRST_DESCRIPTOR + i) * SECTOR) ||
		    memcmp(rec->standard_identifier, "CD001", 5) != 0 ||
		    rec->type == TYPE_TERMINATOR)
			return false;
		if (rec->type == TYPE_BOOT_RECORD &&
		    memcmp(rec->boot_system_identifier, system, sizeof system) == 0)
			return true;
	}
	return false;
}

/* The bytes that an image says it has: those of its FAT, or up to the last partition's end. */
static uint64_t size_of_contents(struct dev *disk, uint64_t start)
{
	uint8_t b[512];
	uint64_t size = 0;
	uint32_t bytes;
	le32 first, count;
	le16 word;

	if (dev_pread(disk, b, sizeof b, start) || b[510] != 0x55 || b[511] != 0xaa)
		return 0;
	memcpy(&word, b + 0x0b, sizeof word);
	bytes = le16_get(word);
	if (is_pow2(bytes) && bytes >= 512 && bytes <= 4096 && is_pow2(b[0x0d]) && b[0x10] != 0) {
		memcpy(&word, b + 0x13, sizeof word);
		memcpy(&count, b + 0x20, sizeof count);
		return (uint64_t)bytes * (le16_get(word) ? le16_get(word) : le32_get(count));
	}
	for (size_t at = 446; at < 510; at += 16) {
		memcpy(&first, b + at + 8, sizeof first);
		memcpy(&count, b + at + 12, sizeof count);
		if ((b[at] & 0x7f) != 0)
			return 0;
		if (le32_get(count) != 0)
			size = max64(size, ((uint64_t)le32_get(first) + le32_get(count)) *
			                           VIRTUAL_SECTOR);
	}
	return size;
}

static uint64_t size_of_image(struct dev *disk, const struct boot_entry *e, uint8_t platform,
                              uint64_t start)
{
	static const uint32_t floppy_kib[] = {0, 1200, 1440, 2880};
	unsigned media = e->boot_media_type & MEDIA_MASK;
	uint32_t count = le16_get(e->sector_count);
	uint64_t loaded = (uint64_t)count * VIRTUAL_SECTOR;

	if (media > MEDIA_NONE && media < MEDIA_HARD_DISK)
		return (uint64_t)floppy_kib[media] * 1024;
	loaded = max64(loaded, size_of_contents(disk, start));
	if (platform == PLATFORM_EFI && count <= 1 && loaded <= VIRTUAL_SECTOR)
		return disk->size > start ? disk->size - start : 0;
	return loaded;
}

static int add_image(struct dev *disk, struct table *table, const struct boot_entry *e,
                     uint8_t platform, const char *id, size_t id_len)
{
	struct partition part = {
		.number = (uint32_t)table->nparts + 1,
		/* 32 bits times 2048: no overflow. */
		.start = (uint64_t)le32_get(e->load_rba) * SECTOR,
		.type_name = name_of_platform(platform),
		.bootable = e->boot_indicator == BOOTABLE,
	};

	snprintf(part.type, sizeof part.type, "0x%02x", platform);
	text_plain(id, strnlen(id, id_len), part.name, sizeof part.name);
	part.size = size_of_image(disk, e, platform, part.start);
	if (e->boot_indicator != BOOTABLE && e->boot_indicator != NOT_BOOTABLE)
		partition_problem(&part, "boot indicator %02x, expected 88 or 00",
		                  e->boot_indicator);
	else if ((e->boot_media_type & MEDIA_MASK) > MEDIA_HARD_DISK)
		partition_problem(&part, "boot media type %u, expected 0 to %u",
		                  e->boot_media_type & MEDIA_MASK, MEDIA_HARD_DISK);
	else if (part.size == 0)
		partition_problem(&part, "the catalogue gives no size");
	return table_add(table, &part);
}

static bool check_validation(const struct validation_entry *v, struct table *table)
{
	const le16 *words = (const le16 *)v;
	uint16_t sum = 0;

	if (v->header_id != VALIDATION_HEADER || v->key[0] != 0x55 || v->key[1] != 0xaa) {
		table_problem(table,
		              "the boot catalogue begins with %02x and key %02x%02x, expected 01 "
		              "and 55aa",
		              v->header_id, v->key[0], v->key[1]);
		return false;
	}
	for (size_t i = 0; i < sizeof *v / sizeof *words; i++)
		sum = (uint16_t)(sum + le16_get(words[i]));
	if (sum != 0)
		table_problem(table, "the checksum of the boot catalogue is off by %04x", sum);
	return true;
}

static int walk_sections(struct dev *disk, const union catalog_entry *cat, size_t count,
                         struct table *table)
{
	size_t i = 2;

	while (i < count && (cat[i].b[0] == SECTION_HEADER || cat[i].b[0] == SECTION_HEADER_LAST)) {
		const struct section_header *h = &cat[i++].header;
		uint32_t left = le16_get(h->section_entries);

		for (; left > 0 && i < count; i++) {
			int r;

			if (cat[i].b[0] == SECTION_EXTENSION)
				continue;
			r = add_image(disk, table, &cat[i].boot, h->platform_id, h->id_string,
			              sizeof h->id_string);
			if (r)
				return r;
			left--;
		}
		while (i < count && cat[i].b[0] == SECTION_EXTENSION)
			i++;
		if (left > 0)
			table_problem(table,
			              "a section of the boot catalogue has %u entries, %" PRIu32
			              " of them past its end",
			              le16_get(h->section_entries), left);
		if (h->header_indicator == SECTION_HEADER_LAST)
			break;
	}
	return 0;
}

static int walk_catalog(struct dev *disk, const union catalog_entry *cat, size_t count,
                        struct table *table)
{
	static const union catalog_entry blank;
	const struct validation_entry *v = &cat[0].validation;
	int r = 0;

	if (!check_validation(v, table))
		return 0;
	if (count > 1 && memcmp(&cat[1], &blank, sizeof blank) != 0)
		r = add_image(disk, table, &cat[1].boot, v->platform_id, v->id_string,
		              sizeof v->id_string);
	return r ? r : walk_sections(disk, cat, count, table);
}

static int eltorito_scan(struct dev *disk, uint32_t sector, struct table *table,
                         struct platter_error *err)
{
	struct boot_record rec;
	uint64_t at, count;
	void *cat;
	int r;

	/* Optical sectors have 2048 bytes, whatever those of the disk that holds the image. */
	(void)sector;
	if (!find_boot_record(disk, &rec))
		return DRIVER_NOT_MINE;
	table->scheme = "eltorito";
	table->sector = SECTOR;
	at = (uint64_t)le32_get(rec.boot_catalog) * SECTOR;
	count = at < disk->size ? (disk->size - at) / sizeof(union catalog_entry) : 0;
	count = min64(count, CATALOG_ENTRIES_MAX);
	if (count == 0) {
		table_problem(table,
		              "the boot catalogue is said to be at byte %" PRIu64
		              ", the disc has %" PRIu64,
		              at, disk->size);
		return 0;
	}
	r = dev_read_table(disk, at, count, sizeof(union catalog_entry),
	                   CATALOG_ENTRIES_MAX * sizeof(union catalog_entry), "the boot catalogue",
	                   &cat, err);
	if (r)
		return r;
	r = walk_catalog(disk, cat, count, table);
	free(cat);
	return r ? err_set(err, -r, "the boot catalogue cannot be held in memory") : 0;
}

const struct partition_driver boot_eltorito = {
	.name = "eltorito",
	.scan = eltorito_scan,
};
