/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the VHDX driver share; vhdx.c describes the format. */
#ifndef PLATTER_FORMATS_VHDX_H
#define PLATTER_FORMATS_VHDX_H

#include "drivers.h"
#include "ondisk.h"

#define VHDX_MIB ((uint64_t)1 << 20)

/* [MS-VHDX] 2.2.2: one of the two headers. */
struct vhdx_header {
	uint8_t signature[4];        /* +0x00 "head" */
	le32 checksum;               /* +0x04 CRC-32C of the 4 KiB, itself being zero */
	le64 sequence_number;        /* +0x08 */
	uint8_t file_write_guid[16]; /* +0x10 */
	uint8_t data_write_guid[16]; /* +0x20 */
	uint8_t log_guid[16];        /* +0x30 zeros: nothing is in the log */
	le16 log_version;            /* +0x40 */
	le16 version;                /* +0x42 */
	le32 log_length;             /* +0x44 */
	le64 log_offset;             /* +0x48 */
	uint8_t reserved[4016];      /* +0x50 */
};
_Static_assert(sizeof(struct vhdx_header) == 4096, "[MS-VHDX] 2.2.2");

/* A part of the file that the region table names. */
struct vhdx_region {
	uint64_t offset;
	uint32_t length; /* 0: there is none */
};

/* What the metadata says of the disk, [MS-VHDX] 2.6.2. */
struct vhdx_parameters {
	uint64_t size;
	uint32_t block_size, sector;
	bool has_parent;
	struct vhdx_region parent_locator; /* where in the file it stands */
};

struct vhdx {
	struct dev *file; /* with the log's updates laid over it; a reference */
	struct cache *cache;
	uint64_t size;
	uint64_t blocks;       /* payload blocks */
	uint64_t bat, entries; /* the table's offset in the file, and how many of it count */
	uint32_t sector;
	uint8_t shift;       /* of the block size */
	uint8_t chunk_shift; /* payload blocks for each sector bitmap block */
	bool differencing;
	uint8_t data_write_guid[16];
};

/* The header that counts. */
int vhdx_header_read(struct image *image, struct vhdx_header *header, struct platter_error *err);

/*
 * The file as it is once its log is replayed: *out is file itself, or a device over it. Either way
 * a reference of the caller's.
 */
int vhdx_log_replay(struct image *image, const struct vhdx_header *header, struct dev **out,
                    struct platter_error *err);

/* From the region table. */
int vhdx_regions_read(struct dev *file, struct vhdx_region *bat, struct vhdx_region *metadata,
                      struct platter_error *err);

int vhdx_parameters_read(struct dev *file, const struct vhdx_region *metadata,
                         struct vhdx_parameters *out, struct platter_error *err);

/* Open the parent that the locator names, and see that it is the one. */
int vhdx_parent_open(struct image *image, struct dev *file, const struct vhdx_region *locator,
                     struct platter_error *err);

/* ---- a file with updates laid over it (vhdx-patch.c) ---- */

/* An update; what comes later in a list wins. */
struct vhdx_patch {
	uint64_t offset, length;
	const uint8_t *bytes; /* NULL: zeros */
};

/*
 * A device of size bytes: lower with count patches over it, and zeros past its end. Takes over
 * pages, which the patches' bytes point into and which it frees (on failure as well); patches are
 * copied.
 */
int vhdx_patch_dev(struct dev *lower, uint64_t size, const struct vhdx_patch *patches, size_t count,
                   void *pages, struct dev **out);

#endif
