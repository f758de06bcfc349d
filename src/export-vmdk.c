/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * monolithicSparse:
 *
 *   header | descriptor | directory, tables | directory, tables | grains
 *
 * All tables are there, in a row, those without entries as holes of the file.
 */
#include "config.h"

#include "export-vmdk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export-blocks.h"

#define DESCRIPTOR_BYTES ((VMDK_OVERHEAD - 1) * VMDK_SECTOR)

/* ---- for both kinds ---- */

void vmdk_header(struct vmdk_header *h, uint64_t sectors)
{
	*h = (struct vmdk_header){
		.version = le32_put(1),
		.flags = le32_put(VMDK_LINE_ENDS),
		.capacity = le64_put(sectors),
		.grain_size = le64_put(VMDK_GRAIN),
		.descriptor_offset = le64_put(1),
		.descriptor_size = le64_put(VMDK_OVERHEAD - 1),
		.num_gtes_per_gt = le32_put(VMDK_ENTRIES),
		.line_ends = {'\n', ' ', '\r', '\n'},
	};
	memcpy(&h->magic_number, "KDMV", 4);
}

/* Disks of more than 8 GiB are made with 255 heads and 63 sectors, as a BIOS counts them. */
static void geometry(uint64_t sectors, uint64_t *cylinders, unsigned *heads)
{
	*heads = sectors > 16777216 ? 255 : 16;
	*cylinders = min64((sectors + *heads * 63 - 1) / (*heads * 63), UINT32_MAX);
}

int vmdk_put_descriptor(struct export_job *x, const char *kind, uint64_t sectors)
{
	const char *slash = strrchr(x->dst, '/'), *name = slash ? slash + 1 : x->dst;
	char text[DESCRIPTOR_BYTES] = "";
	uint64_t cylinders;
	unsigned heads;
	le32 id;
	int r = export_random(x, &id, sizeof id);

	if (r)
		return r;
	if (strpbrk(name, "\"\n\r"))
		return err_set(x->err, EINVAL,
		               "%s: a quotation mark or a line end, which a name in a VMDK "
		               "descriptor cannot have",
		               x->dst);
	geometry(sectors, &cylinders, &heads);
	snprintf(text, sizeof text,
	         "# Disk DescriptorFile\n"
	         "version=1\n"
	         "CID=%08x\n"
	         "parentCID=ffffffff\n"
	         "createType=\"%s\"\n"
	         "\n"
	         "# Extent description\n"
	         "RW %llu SPARSE \"%s\"\n"
	         "\n"
	         "# The Disk Data Base\n"
	         "#DDB\n"
	         "\n"
	         "ddb.virtualHWVersion = \"4\"\n"
	         "ddb.geometry.cylinders = \"%llu\"\n"
	         "ddb.geometry.heads = \"%u\"\n"
	         "ddb.geometry.sectors = \"63\"\n"
	         "ddb.adapterType = \"%s\"\n",
	         /* all ones is no identity, but that of no parent */
	         le32_get(id) & 0xfffffffeu, kind, (unsigned long long)sectors, name,
	         (unsigned long long)cylinders, heads, heads == 16 ? "ide" : "lsilogic");
	return export_write(x, text, sizeof text, VMDK_SECTOR);
}

int vmdk_check_sector(struct export_job *x, uint64_t sector)
{
	if (sector <= UINT32_MAX)
		return 0;
	return err_set(x->err, EOVERFLOW, "%s: a file of 2 TiB is the most that vmdk can address",
	               x->dst);
}

/* ---- monolithicSparse ---- */

struct vmdk_writer {
	struct export_table grains; /* all grain tables: they are in a row */
	struct export_blocks blocks;
	uint64_t directory[2]; /* sectors */
	uint64_t sectors, tables;
};

static int placed(void *self, uint64_t index, uint64_t at)
{
	struct vmdk_writer *w = self;
	le32 sector = le32_put((uint32_t)(at / VMDK_SECTOR));
	int r = vmdk_check_sector(w->grains.x, at / VMDK_SECTOR);

	return r ? r : export_table_set(&w->grains, index, &sector);
}

static uint64_t directory_sectors(const struct vmdk_writer *w)
{
	return align_up(w->tables * sizeof(le32), VMDK_SECTOR) / VMDK_SECTOR;
}

/* Where both copies of directory and tables stand, and the grains behind them. */
static int lay_out(struct vmdk_writer *w)
{
	uint64_t each = directory_sectors(w) + w->tables * VMDK_TABLE;
	uint64_t grains = align_up(VMDK_OVERHEAD + 2 * each, VMDK_GRAIN);

	w->directory[1] = VMDK_OVERHEAD;
	w->directory[0] = VMDK_OVERHEAD + each;
	w->grains.at = (w->directory[0] + directory_sectors(w)) * VMDK_SECTOR;
	w->grains.copy = (w->directory[1] + directory_sectors(w)) * VMDK_SECTOR;
	w->grains.entry = sizeof(le32);
	w->grains.count = w->tables * VMDK_ENTRIES;
	export_table_begin(&w->grains);
	w->blocks.block = VMDK_GRAIN * VMDK_SECTOR;
	w->blocks.next = grains * VMDK_SECTOR;
	return vmdk_check_sector(w->grains.x, grains);
}

static int put_directory(struct vmdk_writer *w, unsigned copy)
{
	le32 *entries = calloc(directory_sectors(w), VMDK_SECTOR);
	uint64_t first = w->directory[copy] + directory_sectors(w);
	int r;

	if (!entries)
		return export_no_memory(w->grains.x);
	for (uint64_t i = 0; i < w->tables; i++)
		entries[i] = le32_put((uint32_t)(first + i * VMDK_TABLE));
	r = export_write(w->grains.x, entries, directory_sectors(w) * VMDK_SECTOR,
	                 w->directory[copy] * VMDK_SECTOR);
	free(entries);
	return r;
}

static int put_header(struct vmdk_writer *w, uint64_t over_head)
{
	struct vmdk_header h;

	vmdk_header(&h, w->sectors);
	h.flags = le32_put(VMDK_LINE_ENDS | VMDK_COPY);
	h.rgd_offset = le64_put(w->directory[1]);
	h.gd_offset = le64_put(w->directory[0]);
	h.over_head = le64_put(over_head);
	return export_write(w->grains.x, &h, sizeof h, 0);
}

static int put_all(struct vmdk_writer *w)
{
	int r = lay_out(w);
	uint64_t over_head = w->blocks.next / VMDK_SECTOR;

	if (!r)
		r = export_blocks_put(&w->blocks);
	if (!r)
		r = export_table_finish(&w->grains);
	for (unsigned copy = 0; copy < 2 && !r; copy++)
		r = put_directory(w, copy);
	if (!r)
		r = export_set_size(w->grains.x, w->blocks.next);
	if (!r)
		r = vmdk_put_descriptor(w->grains.x, "monolithicSparse", w->sectors);
	return r ? r : put_header(w, over_head);
}

int export_vmdk(struct export_job *x)
{
	uint64_t sectors = export_sectors(x);
	int r = export_check_size(x, "vmdk", VMDK_DISK_MAX);
	struct vmdk_writer *w = r ? NULL : calloc(1, sizeof *w);

	if (!w)
		return r ? r : export_no_memory(x);
	w->grains.x = x;
	w->blocks.x = x;
	w->blocks.placed = placed;
	w->blocks.self = w;
	w->sectors = sectors;
	w->tables = (sectors * VMDK_SECTOR + VMDK_COVERS - 1) / VMDK_COVERS;
	r = put_all(w);
	free(w);
	return r;
}
