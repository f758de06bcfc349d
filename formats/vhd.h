/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the VHD driver share; vhd.c describes the format. */
#ifndef PLATTER_FORMATS_VHD_H
#define PLATTER_FORMATS_VHD_H

#include "drivers.h"
#include "ondisk.h"

struct vhd_footer {
	uint8_t cookie[8];           /* +0x00 "conectix" */
	be32 features;               /* +0x08 */
	be32 file_format_version;    /* +0x0c major, minor: 16 bits each */
	be64 data_offset;            /* +0x10 of the dynamic disk header */
	be32 time_stamp;             /* +0x18 */
	char creator_application[4]; /* +0x1c */
	be32 creator_version;        /* +0x20 */
	be32 creator_host_os;        /* +0x24 */
	be64 original_size;          /* +0x28 */
	be64 current_size;           /* +0x30 */
	be16 cylinders;              /* +0x38 disk geometry */
	uint8_t heads;               /* +0x3a */
	uint8_t sectors;             /* +0x3b per track */
	be32 disk_type;              /* +0x3c */
	be32 checksum;               /* +0x40 */
	uint8_t unique_id[16];       /* +0x44 */
	uint8_t saved_state;         /* +0x54 */
	uint8_t reserved[427];       /* +0x55 */
};
_Static_assert(sizeof(struct vhd_footer) == 512, "VHD 1.0, Hard Disk Footer Format");

struct vhd_locator {
	uint8_t platform_code[4];  /* +0x00 */
	be32 platform_data_space;  /* +0x04 */
	be32 platform_data_length; /* +0x08 */
	be32 reserved;             /* +0x0c */
	be64 platform_data_offset; /* +0x10 */
};
_Static_assert(sizeof(struct vhd_locator) == 24, "VHD 1.0, Parent Locator Entries");

struct vhd_header {
	uint8_t cookie[8];                    /* +0x000 "cxsparse" */
	be64 data_offset;                     /* +0x008 */
	be64 table_offset;                    /* +0x010 */
	be32 header_version;                  /* +0x018 */
	be32 max_table_entries;               /* +0x01c */
	be32 block_size;                      /* +0x020 */
	be32 checksum;                        /* +0x024 */
	uint8_t parent_unique_id[16];         /* +0x028 */
	be32 parent_time_stamp;               /* +0x038 */
	be32 reserved1;                       /* +0x03c */
	uint8_t parent_unicode_name[512];     /* +0x040 UTF-16BE */
	struct vhd_locator parent_locator[8]; /* +0x240 */
	uint8_t reserved2[256];               /* +0x300 */
};
_Static_assert(sizeof(struct vhd_header) == 1024, "VHD 1.0, Dynamic Disk Header Format");

struct vhd {
	struct dev *file;
	struct cache *cache;
	uint64_t size, blocks, table; /* the table's offset in the file */
	uint32_t bitmap;              /* bytes before each block's data, whole sectors */
	uint8_t shift;                /* of the block size */
	bool fixed, differencing;
	uint8_t unique_id[16];
};

/*
 * The footer that counts; notes about a copy that does not. DRIVER_NOT_MINE when there is none.
 */
int vhd_footer_read(struct image *image, struct vhd_footer *footer, struct platter_error *err);

/* The ones' complement of the sum of all bytes but those of the checksum, which stands at `at`. */
uint32_t vhd_checksum(const void *bytes, size_t len, size_t at);

/* Open the parent that the header names, and see that it is the one. */
int vhd_parent_open(struct image *image, const struct vhd_header *header,
                    struct platter_error *err);

#endif
