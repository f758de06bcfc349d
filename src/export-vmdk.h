/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VMDK with all in one file (VMware, "Virtual Disk Format", 5.0, "Hosted Sparse Extent Metadata"
 * and "Stream-Optimized Compressed Sparse Extents"). Little-endian, offsets in sectors of 512
 * bytes. The disk is a row of grains of 64 KiB. A grain table tells where 512 of them are in the
 * file (0: nowhere, zeros), a grain directory where the grain tables are. What the two kinds have
 * in common is here.
 */
#ifndef PLATTER_EXPORT_VMDK_H
#define PLATTER_EXPORT_VMDK_H

#include "export.h"
#include "ondisk.h"

#define VMDK_SECTOR   ((uint64_t)512)
#define VMDK_GRAIN    ((uint64_t)128) /* sectors */
#define VMDK_ENTRIES  512             /* of a grain table */
#define VMDK_TABLE    (VMDK_ENTRIES * sizeof(le32) / VMDK_SECTOR)
#define VMDK_COVERS   (VMDK_ENTRIES * VMDK_GRAIN * VMDK_SECTOR)
#define VMDK_OVERHEAD 21 /* sectors of header and descriptor */

/* The grain directory of a larger one is more than platter itself agrees to hold; QEMU's limit is
 * eight times as much. */
#define VMDK_DISK_MAX ((uint64_t)128 << 40)

struct vmdk_header {
	le32 magic_number;
	le32 version;
	le32 flags;
	le64 capacity;
	le64 grain_size;
	le64 descriptor_offset;
	le64 descriptor_size;
	le32 num_gtes_per_gt;
	le64 rgd_offset; /* of a second copy of directory and tables */
	le64 gd_offset;
	le64 over_head; /* what is in front of the first grain */
	uint8_t unclean_shutdown;
	char line_ends[4]; /* a transfer as text would change them */
	le16 compress_algorithm;
	uint8_t pad[433];
};
_Static_assert(offsetof(struct vmdk_header, gd_offset) == 56, "gd_offset");
_Static_assert(sizeof(struct vmdk_header) == 512, "header");

#define VMDK_LINE_ENDS 1u /* a flag: .line_ends is there */
#define VMDK_COPY      2u /* the second copy is there */
#define VMDK_PACKED    0x10000u
#define VMDK_MARKERS   0x20000u
#define VMDK_DEFLATE   1

/* Fill in what is the same in both kinds. */
void vmdk_header(struct vmdk_header *h, uint64_t sectors);

/* Write the descriptor behind the header: text that says what kind it is and of what file. */
int vmdk_put_descriptor(struct export_job *x, const char *kind, uint64_t sectors);

/* The sectors of the file that a grain begins with are numbered by 32 bits. */
int vmdk_check_sector(struct export_job *x, uint64_t sector);

#endif
