/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What VDI, VMDK, VHD and VHDX have in common: the disk in blocks of one size, those with something
 * in them one behind the other in the file, in the order of the disk, and a table of where they
 * are. Inside a block zeros are holes of the file.
 */
#ifndef PLATTER_EXPORT_BLOCKS_H
#define PLATTER_EXPORT_BLOCKS_H

#include "export.h"

#define TABLE_PAGE ((size_t)64 << 10)

/* A table at `at` of the file, whose entries are set in ascending order. Pages of which none was
 * set are written when they are not to be zeros. */
struct export_table {
	struct export_job *x;
	uint64_t at;
	size_t entry;   /* bytes of one */
	uint64_t count; /* of entries */
	uint8_t unset;  /* each byte of an entry that is not set */
	uint64_t page;  /* the one that is held */
	bool used;      /* something in it is set */
	uint64_t copy;  /* where the same stands again, or 0 */
	char bytes[TABLE_PAGE];
};

void export_table_begin(struct export_table *t);
int export_table_set(struct export_table *t, uint64_t index, const void *entry);
int export_table_finish(struct export_table *t);

struct export_blocks {
	struct export_job *x;
	uint64_t block;  /* bytes of one */
	uint64_t next;   /* where in the file the next one's room begins */
	uint64_t before; /* bytes of that room in front of the contents */
	/* Note that block index stands at `at` (behind what is before it); -errno after the
	 * message. */
	int (*placed)(void *self, uint64_t index, uint64_t at);
	void *self;

	uint64_t index, at; /* of the last one; no block when .at is 0 */
	uint64_t count;     /* of those that were placed */
};

/* Write all that is on the disk. */
int export_blocks_put(struct export_blocks *b);

#endif
