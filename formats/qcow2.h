/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the qcow2 driver share: qcow2.c has the format's description. */
#ifndef PLATTER_QCOW2_H
#define PLATTER_QCOW2_H

#include "ondisk.h"
#include "qtables.h"

struct qcow2_header {
	be32 magic;                   /* +0x00 */
	be32 version;                 /* +0x04 */
	be64 backing_file_offset;     /* +0x08 */
	be32 backing_file_size;       /* +0x10 */
	be32 cluster_bits;            /* +0x14 */
	be64 size;                    /* +0x18 */
	be32 crypt_method;            /* +0x20 */
	be32 l1_size;                 /* +0x24 entries */
	be64 l1_table_offset;         /* +0x28 */
	be64 refcount_table_offset;   /* +0x30 */
	be32 refcount_table_clusters; /* +0x38 */
	be32 nb_snapshots;            /* +0x3c */
	be64 snapshots_offset;        /* +0x40 */
	/* version 3 */
	be64 incompatible_features; /* +0x48 */
	be64 compatible_features;   /* +0x50 */
	be64 autoclear_features;    /* +0x58 */
	be32 refcount_order;        /* +0x60 */
	be32 header_length;         /* +0x64 */
	uint8_t compression_type;   /* +0x68, when header_length reaches so far */
	uint8_t padding[7];         /* +0x69 */
};
_Static_assert(offsetof(struct qcow2_header, l1_table_offset) == 0x28, "l1_table_offset");
_Static_assert(offsetof(struct qcow2_header, incompatible_features) == 72, "version 2 ends");
_Static_assert(offsetof(struct qcow2_header, compression_type) == 104, "version 3's minimum");
_Static_assert(sizeof(struct qcow2_header) == 112, "header");

#define QCOW2_DIRTY       ((uint64_t)1 << 0)
#define QCOW2_CORRUPT     ((uint64_t)1 << 1)
#define QCOW2_DATA_FILE   ((uint64_t)1 << 2)
#define QCOW2_COMPRESSION ((uint64_t)1 << 3)
#define QCOW2_EXTENDED_L2 ((uint64_t)1 << 4)

/* QEMU's limit of an L1 table. */
#define QCOW2_L1_BYTES_MAX ((uint64_t)32 << 20)

struct qcow2 {
	struct qtables t; /* first */
	struct dev *data; /* holds the standard clusters: t.file, or the external data file */
	bool zero_flag;   /* bit 0 of an L2 entry has a meaning */
	bool extended;    /* L2 entries have subclusters */
	enum codec codec;
};

/* What header extensions say. Strings are terminated, to be freed; NULL: not there. */
struct qcow2_extensions {
	char *backing_format, *data_file;
	uint8_t *feature_names;
	uint32_t feature_names_length;
};

/* qcow2-header.c: the checked header (of version 2: with what version 3 would say) ... */
int qcow2_read_header(struct dev *file, struct qcow2_header *h, struct platter_error *err);
/* ... its extensions ... */
int qcow2_read_extensions(struct dev *file, const struct qcow2_header *h,
                          struct qcow2_extensions *x, struct platter_error *err);
void qcow2_free_extensions(struct qcow2_extensions *x);
/* ... and whether all that it needs is known here. */
int qcow2_check_features(const struct qcow2_header *h, const struct qcow2_extensions *x,
                         struct platter_error *err);

/* qcow2-snapshot.c: report the internal snapshots; when one is wished for, q becomes it. */
int qcow2_read_snapshots(struct image *image, struct qcow2 *q, const struct qcow2_header *h,
                         struct platter_error *err);

/* Take the L1 table of so many entries at off, for a disk of q->t.size. */
int qcow2_take_l1(struct qcow2 *q, uint64_t off, uint64_t entries, struct platter_error *err);

#endif
