/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the UDIF driver share. See dmg.c for the format. */
#ifndef PLATTER_DMG_H
#define PLATTER_DMG_H

#include "drivers.h"
#include "ondisk.h"

#define DMG_SECTOR ((uint64_t)512)

/* An Apple partition map of 63 entries and the gaps between them make 127. */
#define DMG_TABLES_MAX 1024

/* A chunk of the disk that holds something; what no chunk holds is zeros. */
struct dmg_chunk {
	uint64_t start, sectors; /* of the disk */
	uint64_t offset;         /* in the file */
	uint32_t packed;         /* bytes; 0: it stands there as it is */
	uint16_t skip;           /* packed: sectors that it unpacks to before start */
	uint8_t codec;           /* packed: an enum codec */
};

_Static_assert(sizeof(struct dmg_chunk) == 32, "half a million are held in 16 MiB");

/* A checksum as it stands in the trailer and in the tables. */
struct udif_checksum {
	be32 type;         /* +0x00 2: CRC-32 */
	be32 size;         /* +0x04 in bits */
	uint8_t data[128]; /* +0x08 */
};

_Static_assert(sizeof(struct udif_checksum) == 136, "UDIF checksum");

#define DMG_CHECKSUM_CRC32 2u

struct dmg {
	struct dev *file;
	uint64_t data_fork; /* where offsets are counted from */
	uint64_t sectors;   /* of the disk; while the tables are read UINT64_MAX: not known */
	struct dmg_chunk *chunks;
	size_t count, allocated;
	struct image_gap **gaps; /* per table */
	size_t tables;
	size_t listed;   /* chunks that the tables list */
	uint64_t end;    /* of the table that reaches furthest */
	uint64_t told;   /* sectors that the tables tell of */
	uint32_t master; /* CRC-32 of the tables' checksums */
};

/* ---- dmg-forks.c: where the tables stand ---- */

/* Give every table of the property list, or of the resource fork, to dmg_add_table. */
int dmg_read_plist(struct image *image, struct dmg *dmg, uint64_t off, uint64_t len,
                   struct platter_error *err);
int dmg_read_fork(struct image *image, struct dmg *dmg, uint64_t off, uint64_t len,
                  struct platter_error *err);

/* ---- dmg-table.c: what they say ---- */

/* Take in one table. name: what it belongs to, for messages. */
int dmg_add_table(struct image *image, struct dmg *dmg, const uint8_t *bytes, size_t len,
                  const char *name, struct platter_error *err);

/* Once all are there: sort the chunks and make them disjoint. */
int dmg_settle(struct image *image, struct dmg *dmg, struct platter_error *err);

/* The last chunk that begins at or before that sector: its index + 1, 0: none. */
size_t dmg_find(const struct dmg *dmg, uint64_t sector);

#endif
