/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the VMDK driver share; vmdk.c tells how they fit together. */
#ifndef PLATTER_VMDK_H
#define PLATTER_VMDK_H

#include "drivers.h"
#include "ondisk.h"

#define VMDK_SECTOR 512u

/* Sectors that a disk or extent may have, so that byte offsets fit. */
#define VMDK_SECTORS_MAX (DEV_SIZE_MAX / VMDK_SECTOR)

/* ---- the descriptor (vmdk-descriptor.c) ---- */

enum vmdk_type {
	VMDK_FLAT,     /* FLAT, VMFS: bytes as they are */
	VMDK_ZERO,     /* ZERO: no file */
	VMDK_SPARSE,   /* SPARSE, VMFSSPARSE: hosted sparse or COWD, as the file's magic says */
	VMDK_SESPARSE, /* SESPARSE */
};

/* An extent as a line of the descriptor has it. */
struct vmdk_line {
	enum vmdk_type type;
	uint64_t sectors, offset; /* offset: where in a flat file it begins, in sectors */
	const char *name;         /* as written, "" = none */
};

struct vmdk_descriptor {
	char *text; /* what the strings point into */
	bool has_cid;
	uint32_t cid, parent_cid;
	const char *parent_hint, *encoding; /* "" = none */
	struct vmdk_line *lines;
	size_t nlines;
};

/* Whether the head of a file is that of a descriptor. */
bool vmdk_is_descriptor(const uint8_t *head, size_t len);

/* Read the descriptor that takes len bytes of dev at off, a NUL ending it early. The caller frees
 * *d with vmdk_descriptor_free, after a failure too. */
int vmdk_descriptor_read(struct dev *dev, uint64_t off, uint64_t len, struct vmdk_descriptor *d,
                         struct platter_error *err);
void vmdk_descriptor_free(struct vmdk_descriptor *d);

/* The name of a file, in UTF-8 where the descriptor says what it is in. */
#define VMDK_NAME_MAX 1024
int vmdk_name(const struct vmdk_descriptor *d, const char *name, char out[VMDK_NAME_MAX],
              struct platter_error *err);

/* ---- grains (vmdk-grains.c) ---- */

/* How an entry of a grain table is written. */
enum vmdk_entry {
	VMDK_ENTRY_SECTOR,       /* 32 bits, a sector of the file; 0: none */
	VMDK_ENTRY_SECTOR_ZEROS, /* the same, and 1 is a grain of zeros */
	VMDK_ENTRY_SESPARSE,     /* 64 bits */
};

/* A sparse extent: grains, found through a directory of tables. */
struct vmdk_grains {
	struct dev *dev;
	uint64_t size; /* bytes of disk */
	unsigned grain_shift;
	uint32_t per_table; /* entries of a table */
	enum vmdk_entry entry;
	bool compressed;
	uint64_t first_grain; /* seSparse: the byte where grains begin */
	uint64_t *tables;     /* where each table stands, in bytes; 0: none */
	size_t ntables;
};

/*
 * What opening an image may cost in all, however many extents it has: a bound on what is held, and
 * on the tables that are looked through so that a file which was cut off is not taken.
 */
struct vmdk_budget {
	uint64_t tables; /* that directories may have */
	uint64_t reads, bytes;
};

/* Set tables (zeroed) and ntables, after size, grain_shift and per_table. */
int vmdk_grains_alloc(struct vmdk_grains *g, struct vmdk_budget *budget, struct platter_error *err);

/* Whether the table lies inside the file; i: its number, for the message. */
int vmdk_grains_check_table(const struct vmdk_grains *g, size_t i, struct platter_error *err);

/* Look through the tables for grains past the end of the file. */
int vmdk_grains_check(const struct vmdk_grains *g, struct vmdk_budget *budget,
                      struct platter_error *err);

/*
 * As a driver's map, off being of the extent. What the extent does not hold is RUN_PARENT.
 * Compressed grains are RUN_MADE, of which the caller fills in offset and make.
 */
int vmdk_grains_map(const struct vmdk_grains *g, struct cache *cache, uint64_t off,
                    struct run *run);

/* Unpack the compressed grain that holds byte off to data. */
int vmdk_grains_unpack(const struct vmdk_grains *g, struct cache *cache, uint64_t off, void *data,
                       size_t size);

/* ---- the kinds of sparse extents ---- */

/* vmdk-hosted.c */
struct vmdk_hosted_info {
	uint64_t capacity;                           /* sectors; 0: it only carries a descriptor */
	uint64_t descriptor_start, descriptor_bytes; /* 0 bytes: none */
	bool unclean, redundant; /* not closed; the redundant directory was taken */
};

bool vmdk_is_hosted(const uint8_t *head, size_t len);
int vmdk_hosted_open(struct dev *dev, struct vmdk_budget *budget, struct vmdk_grains *g,
                     struct vmdk_hosted_info *info, struct platter_error *err);

/* vmdk-cowd.c */
bool vmdk_is_cowd(const uint8_t *head, size_t len);
int vmdk_cowd_open(struct dev *dev, struct vmdk_budget *budget, struct vmdk_grains *g,
                   bool *unclean, struct platter_error *err);

/* vmdk-sesparse.c */
bool vmdk_is_sesparse(const uint8_t *head, size_t len);
int vmdk_sesparse_open(struct dev *dev, struct vmdk_budget *budget, struct vmdk_grains *g,
                       struct platter_error *err);

#endif
