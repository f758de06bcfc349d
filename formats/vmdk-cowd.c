/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * COWD extents (Virtual Disk Format 5.0, "ESXi Host Sparse Extents"): the snapshots of ESX up to
 * 6.0, and the disks of VMware before version 4. Grains of usually one sector, 4096 of them in a
 * table, all numbers of 32 bits.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmdk.h"

#define PER_TABLE 4096
#define GRAIN_MAX (1u << 21)

struct cowd_header {
	uint8_t magic_number[4];  /* +0x000 */
	le32 version;             /* +0x004 */
	le32 flags;               /* +0x008 */
	le32 num_sectors;         /* +0x00c */
	le32 grain_size;          /* +0x010 in sectors */
	le32 gd_offset;           /* +0x014 in sectors */
	le32 num_gd_entries;      /* +0x018 */
	le32 free_sector;         /* +0x01c */
	uint8_t of_parent[1028];  /* +0x020 or the geometry of one that has none */
	le32 generation;          /* +0x424 */
	uint8_t name[60];         /* +0x428 */
	uint8_t description[512]; /* +0x464 */
	le32 saved_generation;    /* +0x664 */
	uint8_t reserved[8];      /* +0x668 */
	le32 unclean_shutdown;    /* +0x670 */
	uint8_t padding[396];     /* +0x674 */
};
_Static_assert(sizeof(struct cowd_header) == 2048, "VDF 5.0, COWDisk_Header");
_Static_assert(offsetof(struct cowd_header, unclean_shutdown) == 0x670, "VDF 5.0, COWDisk_Header");

bool vmdk_is_cowd(const uint8_t *head, size_t len)
{
	return len >= 4 && memcmp(head, "COWD", 4) == 0;
}

static int check(const struct cowd_header *h, struct platter_error *err)
{
	uint32_t grain = le32_get(h->grain_size);

	if (le32_get(h->version) != 1)
		return err_set(err, ENOTSUP, "COWD version %u, expected 1", le32_get(h->version));
	if (!is_pow2(grain) || grain > GRAIN_MAX)
		return err_set(err, EINVAL,
		               "grains of %u sectors, expected a power of two up to %u", grain,
		               GRAIN_MAX);
	return 0;
}

static int read_directory(struct vmdk_grains *g, const struct cowd_header *h,
                          struct platter_error *err)
{
	uint32_t listed = le32_get(h->num_gd_entries);
	void *table;
	le32 *entries;
	int r;

	if (listed < g->ntables)
		return err_set(err, EINVAL,
		               "an extent of %" PRIu64 " bytes needs %zu grain tables, its "
		               "directory has %u",
		               g->size, g->ntables, listed);
	r = dev_read_table(g->dev, (uint64_t)le32_get(h->gd_offset) * VMDK_SECTOR, g->ntables,
	                   sizeof *entries, g->ntables * sizeof *entries, "grain directory", &table,
	                   err);
	entries = table;
	for (size_t i = 0; !r && i < g->ntables; i++) {
		g->tables[i] = (uint64_t)le32_get(entries[i]) * VMDK_SECTOR;
		r = vmdk_grains_check_table(g, i, err);
	}
	free(table);
	return r;
}

int vmdk_cowd_open(struct dev *dev, struct vmdk_budget *budget, struct vmdk_grains *g,
                   bool *unclean, struct platter_error *err)
{
	struct cowd_header h;
	int r;

	r = image_read_head(dev, &h, sizeof h, err);
	if (r == DRIVER_NOT_MINE)
		return err_set(err, EINVAL, "cut off: %" PRIu64 " bytes, a COWD header has %zu",
		               dev->size, sizeof h);
	if (r)
		return r;
	r = check(&h, err);
	if (r)
		return r;
	*unclean = le32_get(h.unclean_shutdown) != 0;
	*g = (struct vmdk_grains){
		.dev = dev,
		.size = (uint64_t)le32_get(h.num_sectors) * VMDK_SECTOR,
		.grain_shift = (unsigned)__builtin_ctz(le32_get(h.grain_size)) + 9,
		.per_table = PER_TABLE,
		.entry = VMDK_ENTRY_SECTOR,
	};
	r = vmdk_grains_alloc(g, budget, err);
	if (!r)
		r = read_directory(g, &h, err);
	return r ? r : vmdk_grains_check(g, budget, err);
}
