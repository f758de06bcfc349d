/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables that qcow, qcow2 and QED have in common: an L1 table whose entries say where L2 tables
 * stand, whose entries say where clusters stand. What an entry means is the format's own.
 *
 * Tables are read in blocks of 4 KiB through the cache, none is held: the L1 table of a disk of
 * 8 TiB may have 32 MiB.
 */
#ifndef PLATTER_QTABLES_H
#define PLATTER_QTABLES_H

#include "drivers.h"

/* The first member of a format's own struct. */
struct qtables {
	struct dev *file;
	struct cache *cache;
	uint64_t size;                  /* of the disk */
	uint64_t l1_offset, l1_entries; /* no more than the disk takes */
	unsigned cluster_bits;
	unsigned l2_bits;    /* an L2 table has 1 << this entries */
	unsigned entry_bits; /* of 1 << this bytes; L1 entries have 8 */
	bool backed;         /* what no table tells of is the parent's */

	/* Where an entry of L1 says that the L2 table is, 0: nowhere; or -EIO. */
	int (*l1_entry)(const struct qtables *t, const uint8_t *entry, uint64_t *table);
	/*
	 * As run_map_fn: what the entry of off's cluster says of the bytes from off on, to the end
	 * of the cluster at most.
	 */
	int (*l2_entry)(const struct qtables *t, const uint8_t *entry, uint64_t off,
	                struct run *run);
};

/* How many entries of L1 a disk of t->size takes. */
uint64_t qtables_l1_needed(const struct qtables *t);

/*
 * Follow the tables as far as that is cheap: 1 MiB of L1, and 2 MiB of L2 tables. What they point
 * to must be there. *packed is false when all was seen and nothing is compressed.
 */
int qtables_check(const struct qtables *t, bool *packed, struct platter_error *err);

/* As run_map_fn, self begins with a struct qtables. */
int qtables_map(void *self, uint64_t node, uint64_t off, struct run *run);

/* Bytes that no cluster holds: the parent's or zeros. */
void qtables_unallocated(const struct qtables *t, uint64_t off, struct run *run);

/*
 * The name of the backing file, len bytes at off, terminated; to be freed. end: what it must lie
 * below.
 */
int qtables_backing_name(struct dev *file, uint64_t off, uint64_t len, uint64_t end, char **name,
                         struct platter_error *err);

#endif
