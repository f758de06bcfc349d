/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the ISO 9660 driver share: the on-disk structures of ECMA-119 (4th edition,
 * section 8 for the volume descriptors, 9.1 for the directory record), and the reader's own.
 *
 * The reader keeps nothing but struct iso, which does not change after open: each call takes
 * what it needs from the image again. A node number is the byte offset of a directory record in
 * the device: for an ordinary file or directory the record in its parent, for the root and for
 * what Rock Ridge relocated the "." record at the start of the directory itself.
 */
#ifndef PLATTER_ISO9660_H
#define PLATTER_ISO9660_H

#include <time.h>

#include "dev.h"
#include "drivers.h"
#include "ondisk.h"
#include "run.h"

/* The Logical Sector (ECMA-119 6.1.2). Logical Blocks may be smaller, sectors may not. */
#define ISO_SECTOR 2048u

/* The sectors of a session before its volume descriptors. */
#define ISO_SYSTEM_AREA 16u

/* A directory record's length is a byte. */
#define ISO_RECORD_MAX 255u

/* A name as this reader makes it: 110 UCS-2 units are at most 330 bytes of UTF-8. */
#define ISO_NAME_MAX 384u

/* A directory of two million files; nothing in the format stops an image from claiming 4 GiB. */
#define ISO_DIRECTORY_MAX ((uint64_t)256 << 20)

/* Extents of one file: 2048 of 4 GiB fill the largest volume. */
#define ISO_SECTIONS_MAX 4096u

/* ECMA-119 7.2.3 and 7.3.3: a number in both byte orders. Linux reads the first, so do writers'
 * own readers; where the halves differ nobody has tested the second. */
typedef struct {
	le16 le;
	be16 be;
} both16;
typedef struct {
	le32 le;
	be32 be;
} both32;

static inline uint32_t both32_get(both32 v)
{
	return le32_get(v.le);
}

static inline uint32_t both16_get(both16 v)
{
	return le16_get(v.le);
}

/* ECMA-119 9.1 */
struct iso_record {
	uint8_t length;                     /* +0x00 of Directory Record (LEN_DR) */
	uint8_t extended_attribute_length;  /* +0x01 in Logical Blocks, before the data */
	both32 location_of_extent;          /* +0x02 first Logical Block */
	both32 data_length;                 /* +0x0a */
	uint8_t recording_date_and_time[7]; /* +0x12 */
	uint8_t file_flags;                 /* +0x19 */
	uint8_t file_unit_size;             /* +0x1a */
	uint8_t interleave_gap_size;        /* +0x1b */
	both16 volume_sequence_number;      /* +0x1c */
	uint8_t length_of_file_identifier;  /* +0x20 (LEN_FI) */
	uint8_t file_identifier[];          /* +0x21, then a pad byte when LEN_FI is even */
};

_Static_assert(sizeof(struct iso_record) == 0x21, "ECMA-119 9.1");

#define ISO_FLAG_DIRECTORY    0x02
#define ISO_FLAG_ASSOCIATED   0x04
#define ISO_FLAG_RESERVED     0x60
#define ISO_FLAG_MULTI_EXTENT 0x80

/* ECMA-119 8.4 (primary) and 8.5 (supplementary): the fields that are used have one layout. */
struct iso_descriptor {
	uint8_t volume_descriptor_type;    /* +0x000 */
	uint8_t standard_identifier[5];    /* +0x001 "CD001" */
	uint8_t volume_descriptor_version; /* +0x006 */
	uint8_t volume_flags;              /* +0x007 supplementary only */
	uint8_t system_identifier[32];     /* +0x008 */
	uint8_t volume_identifier[32];     /* +0x028 */
	uint8_t unused_field_1[8];         /* +0x048 */
	both32 volume_space_size;          /* +0x050 in Logical Blocks */
	uint8_t escape_sequences[32];      /* +0x058 supplementary only */
	both16 volume_set_size;            /* +0x078 */
	both16 volume_sequence_number;     /* +0x07c */
	both16 logical_block_size;         /* +0x080 */
	uint8_t path_tables[24];           /* +0x084 six fields, not used */
	uint8_t root[34];                  /* +0x09c Directory Record for Root Directory */
	uint8_t rest[1858];                /* +0x0be */
};

_Static_assert(offsetof(struct iso_descriptor, volume_space_size) == 0x50, "ECMA-119 8.4.8");
_Static_assert(offsetof(struct iso_descriptor, logical_block_size) == 0x80, "ECMA-119 8.4.12");
_Static_assert(offsetof(struct iso_descriptor, root) == 0x9c, "ECMA-119 8.4.18");
_Static_assert(sizeof(struct iso_descriptor) == ISO_SECTOR, "ECMA-119 8.4");

enum iso_tree {
	ISO_TREE_ROCK_RIDGE,
	ISO_TREE_JOLIET,
	ISO_TREE_PLAIN,
};

/* One open filesystem: one tree of one session. */
struct iso {
	struct dev *dev;
	uint32_t block; /* Logical Block size */
	enum iso_tree tree;
	bool lower;
	uint64_t root;      /* where the root directory begins: its node too */
	uint32_t root_size; /* bytes */
	uint32_t skip;      /* System Use bytes before the first SUSP entry */
	uint32_t root_skip; /* the same in the root's "." record */
};

/* ---- records and directories: iso9660-record.c ---- */

/* Bytes of the System Use field, NULL when there are none. */
const uint8_t *iso_system_use(const struct iso_record *rec, size_t *len);

/* Where a record's data begins, in bytes. */
uint64_t iso_data_start(const struct iso *iso, const struct iso_record *rec);

/* Whether it is the record of the directory itself or of its parent. */
static inline bool iso_is_dot(const struct iso_record *rec)
{
	return rec->length_of_file_identifier == 1 && rec->file_identifier[0] == 0;
}

static inline bool iso_is_dot_dot(const struct iso_record *rec)
{
	return rec->length_of_file_identifier == 1 && rec->file_identifier[0] == 1;
}

/*
 * The identifier as a name, by the rules of the tree but without Rock Ridge, into a buffer of
 * ISO_NAME_MAX bytes. Returns its length.
 */
size_t iso_identifier_name(const struct iso *iso, const struct iso_record *rec, char *name);

/* ECMA-119 9.1.5 and 8.4.26.1; a date that is not given or not one is 0. */
struct timespec iso_time_short(const uint8_t t[7]);
struct timespec iso_time_long(const uint8_t t[17]);

/* A walk over consecutive directory records. */
struct iso_walk {
	struct dev *dev;
	uint64_t pos, end; /* of the next record and of the last one, in the device */
	uint8_t *window;   /* what was read last */
	uint64_t window_off;
	size_t window_len, window_next;
};

void iso_walk_begin(struct iso_walk *walk, struct dev *dev, uint64_t pos, uint64_t end);

/*
 * The next record, which stays valid until the next call, and its offset. 1; 0 at the end; -EIO
 * for one that is broken, after which the walk goes on at the next sector (reading fails again
 * and again where the device does, but the walk always comes to its end).
 */
int iso_walk_next(struct iso_walk *walk, const struct iso_record **rec, uint64_t *off);

void iso_walk_end(struct iso_walk *walk);

/* The record at off, copied. -EIO when it is broken. */
int iso_record_read(struct dev *dev, uint64_t off, uint8_t buf[ISO_RECORD_MAX]);

/* ---- System Use Sharing Protocol, Rock Ridge: iso9660-susp.c ---- */

/* How a file is packed: the ZF entry. */
struct iso_zisofs {
	bool known; /* algorithm and version are ones that can be read */
	enum codec codec;
	uint8_t pointer;     /* bytes of a block pointer */
	uint32_t header;     /* bytes before the pointers */
	uint8_t block_shift; /* log2 of the unpacked block */
	uint64_t size;       /* unpacked */
};

/* Bits of iso_susp.have: the entries that were there. */
enum {
	ISO_SUSP_SP = 1 << 0,
	ISO_SUSP_RRIP = 1 << 1, /* an ER that names Rock Ridge, or an RR */
	ISO_SUSP_NM = 1 << 2,
	ISO_SUSP_PX = 1 << 3,
	ISO_SUSP_SERIAL = 1 << 4, /* PX with a serial number */
	ISO_SUSP_SL = 1 << 5,
	ISO_SUSP_CL = 1 << 6,
	ISO_SUSP_RE = 1 << 7,
	ISO_SUSP_ZF = 1 << 8,
	ISO_SUSP_SF = 1 << 9,
	ISO_SUSP_MTIME = 1 << 10,
	ISO_SUSP_ATIME = 1 << 11,
	ISO_SUSP_CTIME = 1 << 12,
};

/* What the entries of one record say. Fields are set where .have has their bit. */
struct iso_susp {
	uint32_t have;
	uint32_t skip; /* SP */
	uint32_t mode, nlink, uid, gid, serial;
	uint32_t child; /* CL: first block of the directory */
	struct timespec mtime, atime, ctime;
	struct iso_zisofs zisofs;
	uint64_t sparse_size;
	size_t name_len; /* past ISO_NAME_MAX when it does not fit */
	char name[ISO_NAME_MAX];
	size_t link_len;
	bool link_unsupported; /* has a component that means nothing here */

	/* For the time of parsing. */
	bool name_more, link_more, link_slash;
	char *link;       /* where the target goes; may be NULL */
	size_t link_size; /* more is only counted */
};

/*
 * Reads continuation areas. One serves many records, so that areas that stand in one place are
 * read once, and bounds what they may cost altogether.
 */
struct iso_areas {
	const struct iso *iso;
	uint32_t records, windows, record_windows;
	uint64_t off;
	size_t len;
	uint8_t data[2 * ISO_SECTOR];
};

void iso_areas_begin(struct iso_areas *areas, const struct iso *iso);

/*
 * All entries of a record at the given offset into its System Use field. The caller has set
 * susp->link and link_size. only (may be NULL): the caller wants this name and no other, so what
 * follows another complete name need not be read; NM is set then and the name differs.
 */
int iso_susp_read(struct iso_areas *areas, const struct iso_record *rec, uint32_t skip,
                  const char *only, size_t only_len, struct iso_susp *susp);

/* ---- volume descriptors, sessions, choice of a tree: iso9660-volume.c ---- */

bool iso_volume_probe(struct dev *dev);

/* Fill in all of iso but the options. The returns are those of fs_driver.open. */
int iso_volume_open(struct iso *iso, const struct fs_options *opt, struct platter_error *err);

/* ---- nodes: iso9660.c ---- */

/* A stretch of a file's stored bytes. */
struct iso_extent {
	uint64_t start; /* in the device; may pass its end */
	uint64_t len;
};

/* A node, taken apart. */
struct iso_entry {
	uint64_t node;
	uint64_t stored; /* bytes of all extents */
	struct iso_susp susp;
	uint8_t record[ISO_RECORD_MAX];
};

static inline const struct iso_record *iso_entry_record(const struct iso_entry *entry)
{
	return (const struct iso_record *)entry->record;
}

/* The stretch that begins at byte off of a file's stored bytes, as long as it goes. */
int iso_stored(const struct iso *iso, const struct iso_entry *entry, uint64_t off,
               struct iso_extent *ext);

/* ---- zisofs: iso9660-zisofs.c ---- */

/* The ZF entry at p (16 bytes). */
void iso_zisofs_entry(const uint8_t *p, struct iso_zisofs *zisofs);

/* run_map_fn of a packed file. */
int iso_zisofs_map(const struct iso *iso, const struct iso_entry *entry, uint64_t off,
                   struct run *run);

#endif
