/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * seSparse extents: the snapshots of ESXi from 6.5 on, and of disks beyond 2 TB. VMware published
 * no specification; this is what its files show, as S. Eiderman described it to qemu-devel in 2019.
 *
 * All numbers have 64 bits, those of places are sectors. Tables and grains are numbered from where
 * the area of each begins. A header that is rewritten while the disk is in use says whether the
 * journal has changes of tables that still have to be made.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmdk.h"

#define CONST_MAGIC    UINT64_C(0x00000000cafebabe)
#define VOLATILE_MAGIC UINT64_C(0x00000000cafecafe)
#define SE_VERSION     UINT64_C(0x0000000200000001)
#define GRAIN_SECTORS  8
#define TABLE_SECTORS  64
#define PER_TABLE      4096

struct const_header {
	le64 magic;                            /* +0x00 */
	le64 version;                          /* +0x08 */
	le64 capacity;                         /* +0x10 */
	le64 grain_size;                       /* +0x18 */
	le64 grain_table_size;                 /* +0x20 */
	le64 flags;                            /* +0x28 */
	le64 reserved[4];                      /* +0x30 */
	le64 volatile_offset, volatile_size;   /* +0x50 */
	le64 journal_header_offset;            /* +0x60 */
	le64 journal_header_size;              /* +0x68 */
	le64 journal_offset, journal_size;     /* +0x70 */
	le64 grain_dir_offset, grain_dir_size; /* +0x80 */
	le64 grain_tables_offset;              /* +0x90 */
	le64 grain_tables_size;                /* +0x98 */
	le64 free_bitmap_offset;               /* +0xa0 */
	le64 free_bitmap_size;                 /* +0xa8 */
	le64 backmap_offset, backmap_size;     /* +0xb0 */
	le64 grains_offset, grains_size;       /* +0xc0 */
	uint8_t pad[304];                      /* +0xd0 */
};
_Static_assert(sizeof(struct const_header) == VMDK_SECTOR, "seSparse constant header");
_Static_assert(offsetof(struct const_header, grains_offset) == 0xc0, "seSparse constant header");

struct volatile_header {
	le64 magic;               /* +0x00 */
	le64 free_gt_number;      /* +0x08 */
	le64 next_txn_seq_number; /* +0x10 */
	le64 replay_journal;      /* +0x18 */
	uint8_t pad[480];
};
_Static_assert(sizeof(struct volatile_header) == VMDK_SECTOR, "seSparse volatile header");

bool vmdk_is_sesparse(const uint8_t *head, size_t len)
{
	static const uint8_t magic[16] = {0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0,
	                                  1,    0,    0,    0,    2, 0, 0, 0};

	return len >= sizeof magic && memcmp(head, magic, sizeof magic) == 0;
}

static int check(const struct const_header *h, struct platter_error *err)
{
	if (le64_get(h->magic) != CONST_MAGIC)
		return err_set(err, EINVAL,
		               "begins with %016" PRIx64 ", a seSparse extent with %016" PRIx64,
		               le64_get(h->magic), CONST_MAGIC);
	if (le64_get(h->version) != SE_VERSION)
		return err_set(err, ENOTSUP, "seSparse version %" PRIx64 ", expected %" PRIx64,
		               le64_get(h->version), SE_VERSION);
	if (le64_get(h->flags) != 0)
		return err_set(err, ENOTSUP, "unknown flags %" PRIx64 " in the seSparse header",
		               le64_get(h->flags));
	if (le64_get(h->grain_size) != GRAIN_SECTORS)
		return err_set(err, ENOTSUP, "seSparse grains of %" PRIu64 " sectors, expected %d",
		               le64_get(h->grain_size), GRAIN_SECTORS);
	if (le64_get(h->grain_table_size) != TABLE_SECTORS)
		return err_set(err, ENOTSUP,
		               "seSparse grain tables of %" PRIu64 " sectors, expected %d",
		               le64_get(h->grain_table_size), TABLE_SECTORS);
	if (le64_get(h->capacity) > VMDK_SECTORS_MAX)
		return err_set(err, EFBIG,
		               "a seSparse extent of %" PRIu64 " sectors, at most %" PRIu64,
		               le64_get(h->capacity), VMDK_SECTORS_MAX);
	return 0;
}

static int check_volatile(struct dev *dev, uint64_t sector, struct platter_error *err)
{
	struct volatile_header v;
	bool room =
		sector <= VMDK_SECTORS_MAX && range_ok(sector * VMDK_SECTOR, sizeof v, dev->size);
	int r = room ? dev_pread(dev, &v, sizeof v, sector * VMDK_SECTOR) : 0;

	if (r)
		return err_set(err, -r,
		               "the volatile seSparse header at sector %" PRIu64
		               " cannot be read: %s",
		               sector, strerror(-r));
	if (!room || le64_get(v.magic) != VOLATILE_MAGIC)
		return err_set(err, EINVAL, "no volatile seSparse header at sector %" PRIu64,
		               sector);
	if (le64_get(v.replay_journal) != 0)
		return err_set(err, ENOTSUP,
		               "a seSparse extent whose journal was not replayed: it is in use, or "
		               "was not closed");
	return 0;
}

/* A table's number, from an entry of the directory. */
static int table_place(const struct const_header *h, uint64_t entry, uint64_t *at)
{
	uint64_t number = entry & UINT32_MAX, area = le64_get(h->grain_tables_offset);

	*at = 0;
	if (entry == 0)
		return 0;
	if (entry >> 32 != 0x10000000 || area > VMDK_SECTORS_MAX ||
	    !range_ok(number * TABLE_SECTORS, TABLE_SECTORS, le64_get(h->grain_tables_size)))
		return -EINVAL;
	*at = (area + number * TABLE_SECTORS) * VMDK_SECTOR;
	return 0;
}

static int read_directory(struct vmdk_grains *g, const struct const_header *h,
                          struct platter_error *err)
{
	uint64_t start = le64_get(h->grain_dir_offset);
	void *table;
	le64 *entries;
	int r;

	if (start > VMDK_SECTORS_MAX ||
	    g->ntables > min64(le64_get(h->grain_dir_size), VMDK_SECTORS_MAX) * VMDK_SECTOR / 8)
		return err_set(err, EINVAL,
		               "an extent of %" PRIu64 " bytes needs %zu grain tables, its "
		               "directory of %" PRIu64 " sectors stands at sector %" PRIu64,
		               g->size, g->ntables, le64_get(h->grain_dir_size), start);
	r = dev_read_table(g->dev, start * VMDK_SECTOR, g->ntables, sizeof *entries,
	                   g->ntables * sizeof *entries, "grain directory", &table, err);
	entries = table;
	for (size_t i = 0; !r && i < g->ntables; i++) {
		uint64_t entry = le64_get(entries[i]);

		if (table_place(h, entry, &g->tables[i]) != 0)
			r = err_set(err, EINVAL,
			            "entry %zu of the grain directory is %016" PRIx64
			            ", which is no table's",
			            i, entry);
		else
			r = vmdk_grains_check_table(g, i, err);
	}
	free(table);
	return r;
}

int vmdk_sesparse_open(struct dev *dev, struct vmdk_budget *budget, struct vmdk_grains *g,
                       struct platter_error *err)
{
	struct const_header h;
	int r;

	r = image_read_head(dev, &h, sizeof h, err);
	if (r == DRIVER_NOT_MINE)
		return err_set(err, EINVAL, "cut off: %" PRIu64 " bytes, a seSparse header has %zu",
		               dev->size, sizeof h);
	if (r)
		return r;
	r = check(&h, err);
	if (!r)
		r = check_volatile(dev, le64_get(h.volatile_offset), err);
	if (r)
		return r;
	*g = (struct vmdk_grains){
		.dev = dev,
		.size = le64_get(h.capacity) * VMDK_SECTOR,
		.grain_shift = (unsigned)__builtin_ctz(GRAIN_SECTORS * VMDK_SECTOR),
		.per_table = PER_TABLE,
		.entry = VMDK_ENTRY_SESPARSE,
		.first_grain = min64(le64_get(h.grains_offset), VMDK_SECTORS_MAX) * VMDK_SECTOR,
	};
	r = vmdk_grains_alloc(g, budget, err);
	if (!r)
		r = read_directory(g, &h, err);
	return r ? r : vmdk_grains_check(g, budget, err);
}
