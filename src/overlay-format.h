/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The overlay's file, format POV1. All integers are little-endian.
 *
 *   0x00000          header slot 0
 *   0x10000          header slot 1 (64 KiB apart: not one torn unit)
 *   map_a = 0x20000  map slots A, npages of 4096 bytes
 *   map_b            map slots B, the same; aligned to 64 KiB
 *   data_off         byte X of the disk stands at data_off + X; aligned to 1 MiB, sparse
 *
 * Of the two header slots the valid one with the higher hseq holds. The map has a bit for every
 * block of the disk: 1, the block stands here (a hole reads as zeros); 0, the base has it and the
 * bytes here mean nothing. Page i of the map is the valid one of its two slots with the higher
 * seq; a slot that is all zeros or fails its checks is absent.
 *
 * Overlays form a chain. One with a parent (OVL_INCOMPAT_LAYERED) stands over the frozen overlay of
 * that name in its own folder: where its bit is 0, the parent decides. The parent is known by uuid
 * and by the hseq of the header that froze it, which no other header of it ever has. The undo of a
 * commit has no parent, but these two of the overlay that was committed, as it was before.
 */
#ifndef PLATTER_OVERLAY_FORMAT_H
#define PLATTER_OVERLAY_FORMAT_H

#include "ondisk.h"

#define OVL_MAGIC "PLTOVL\r\n"
#define OVL_MAJOR 1
#define OVL_MINOR 0

#define OVL_HEADER_SIZE     4096u
#define OVL_HEADER_1        0x10000u /* where slot 1 stands; slot 0 is at 0 */
#define OVL_MAP_A           0x20000u
#define OVL_MAP_ALIGN       0x10000u
#define OVL_DATA_ALIGN      0x100000u
#define OVL_BLOCK_BITS      12 /* the only size that this version makes and opens */
#define OVL_BLOCK           (1u << OVL_BLOCK_BITS)
#define OVL_PAGE_SIZE       4096u
#define OVL_BLOCKS_PER_PAGE 32512u /* bits in ovl_page.bits: 127 MiB of disk */
#define OVL_HINT_MAX        1024
#define OVL_PARENT_MAX      256 /* with the terminating NUL */
#define OVL_DEPTH_MAX       16  /* layers under the first one */

/* Incompatible features: a file with one that is not known here is refused by its name. */
#define OVL_INCOMPAT_FAST_COMMIT (1u << 0) /* reserved: fast-commit ring */
#define OVL_INCOMPAT_LAYERED     (1u << 1) /* has a parent */
#define OVL_INCOMPAT_COMMITTING  (1u << 2) /* a commit has begun to change the base */
#define OVL_INCOMPAT_KNOWN       (OVL_INCOMPAT_LAYERED | OVL_INCOMPAT_COMMITTING)
#define OVL_RO_COMPAT_KNOWN      0u

enum ovl_state {
	OVL_CLEAN = 0,
	OVL_OPEN = 1,
	OVL_SEALED = 2, /* frozen: the parent of others, never written again */
};

/* What the overlay was made over. */
struct ovl_base {
	le64 virtual_size; /* +0x00 */
	le64 file_size;    /* +0x08 */
	le64 mtime_ns;     /* +0x10 */
	le64 ctime_ns;     /* +0x18 */
	le64 dev;          /* +0x20 */
	le64 ino;          /* +0x28 */
	uint8_t quick[32]; /* +0x30 sha256 of a sample of the virtual disk; zeros: none */
	uint8_t full[32];  /* +0x50 sha256 of all of it; zeros: none */
	le64 seed;         /* +0x70 chooses the sample */
	le32 format;       /* +0x78 format_driver.id */
	le32 state;        /* +0x7c image.state: 0, or which snapshot in the image */
};

struct ovl_header {
	uint8_t magic[8];           /* +0x000 */
	le32 crc;                   /* +0x008 crc32c of +0x00c to the end */
	le32 header_size;           /* +0x00c */
	le16 major, minor;          /* +0x010 */
	le32 incompat;              /* +0x014 */
	le32 ro_compat;             /* +0x018 */
	le32 compat;                /* +0x01c */
	le64 hseq;                  /* +0x020 */
	uint8_t uuid[16];           /* +0x028 */
	le64 virtual_size;          /* +0x038 */
	uint8_t block_bits;         /* +0x040 */
	uint8_t state;              /* +0x041 enum ovl_state */
	le16 reserved_042;          /* +0x042 */
	le32 page_size;             /* +0x044 */
	le64 npages;                /* +0x048 */
	le64 map_a, map_b;          /* +0x050 */
	le64 reserved_060;          /* +0x060 */
	le64 ring;                  /* +0x068 */
	le64 data_off;              /* +0x070 */
	le64 file_size;             /* +0x078 */
	le64 created_ns;            /* +0x080 */
	le64 opened_ns;             /* +0x088 */
	struct ovl_base base;       /* +0x090 */
	uint8_t boot_id[16];        /* +0x110 */
	le64 mnt_id_unique;         /* +0x120 */
	le32 pid;                   /* +0x128 */
	le32 reserved_12c;          /* +0x12c */
	le64 seal_off;              /* +0x130 */
	le32 seal_crc;              /* +0x138 */
	le32 reserved_13c;          /* +0x13c */
	le16 hint_len;              /* +0x140 */
	uint8_t hint[OVL_HINT_MAX]; /* +0x142 path of the base: shown, never opened */
	uint8_t reserved_542[6];
	le64 parent_hseq;        /* +0x548 of the header that froze the parent */
	uint8_t parent_uuid[16]; /* +0x550 */
	uint8_t merged[32]; /* +0x560 committing: as base.quick, but of disk as the overlay shows it
	                     */
	le32 depth;         /* +0x580 layers below this one */
	char parent[OVL_PARENT_MAX]; /* +0x584 a plain name, terminated; "": none */
	uint8_t rest[OVL_HEADER_SIZE - 0x584 - OVL_PARENT_MAX];
};

_Static_assert(offsetof(struct ovl_header, uuid) == 0x28, "uuid");
_Static_assert(offsetof(struct ovl_header, npages) == 0x48, "npages");
_Static_assert(offsetof(struct ovl_header, base) == 0x90, "base");
_Static_assert(offsetof(struct ovl_header, boot_id) == 0x110, "boot_id");
_Static_assert(offsetof(struct ovl_header, hint) == 0x142, "hint");
_Static_assert(offsetof(struct ovl_header, parent_hseq) == 0x548, "parent");
_Static_assert(offsetof(struct ovl_header, parent) == 0x584, "parent's name");
_Static_assert(sizeof(struct ovl_header) == OVL_HEADER_SIZE, "header");

#define OVL_PAGE_MAGIC "PMAP"

struct ovl_page {
	le32 crc;                              /* +0x00 crc32c of +0x04 to the end */
	uint8_t magic[4];                      /* +0x04 */
	le64 index;                            /* +0x08 */
	le64 seq;                              /* +0x10 from 1 */
	uint8_t uuid_lo[8];                    /* +0x18 the first half of the header's uuid */
	uint8_t bits[OVL_BLOCKS_PER_PAGE / 8]; /* +0x20 least significant first */
};

_Static_assert(sizeof(struct ovl_page) == OVL_PAGE_SIZE, "map page");

#endif
