/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * streamOptimized, which OVA archives hold: written, and to be read, from front to back.
 *
 *   header | descriptor | grains, table | grains, table | ... | directory | footer | end
 *
 * A grain is a zlib stream behind a marker of 12 bytes: the sector of the disk that it begins with,
 * and its length. All else has a marker of a sector in front: how many sectors follow, 0, and what
 * they are. The header says that the directory is at the end; the footer, a second header, says
 * where. Tables without entries are not there.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "export-vmdk.h"

#define GD_AT_END UINT64_MAX
#define GRAINS_AT VMDK_GRAIN /* sectors */

enum { MARKER_END = 0, MARKER_TABLE = 1, MARKER_DIRECTORY = 2, MARKER_FOOTER = 3 };

struct vmdk_grain_marker {
	le64 lba;
	le32 size;
};
_Static_assert(sizeof(struct vmdk_grain_marker) == 12, "grain marker");

struct vmdk_marker {
	le64 num_sectors;
	le32 size; /* 0: no grain */
	le32 type;
	uint8_t pad[496];
};
_Static_assert(sizeof(struct vmdk_marker) == 512, "marker");

struct stream_writer {
	struct export_job *x;
	uint64_t next; /* sector of the file */
	uint64_t sectors, tables;
	le32 *directory;
	le32 table[VMDK_ENTRIES];
	uint64_t index; /* of .table in .directory */
	bool used;      /* it has entries */
	char grain[sizeof(struct vmdk_grain_marker) + EXPORT_PACKED_MAX];
};

/* Behind all that is there, in whole sectors. */
static int append(struct stream_writer *w, const void *buf, size_t len)
{
	int r = vmdk_check_sector(w->x, w->next);

	if (!r)
		r = export_write(w->x, buf, len, w->next * VMDK_SECTOR);
	w->next += (len + VMDK_SECTOR - 1) / VMDK_SECTOR;
	return r;
}

static int append_marker(struct stream_writer *w, uint64_t sectors, uint32_t type)
{
	struct vmdk_marker m = {.num_sectors = le64_put(sectors), .type = le32_put(type)};

	return append(w, &m, sizeof m);
}

static int finish_table(struct stream_writer *w)
{
	int r;

	if (!w->used)
		return 0;
	r = append_marker(w, VMDK_TABLE, MARKER_TABLE);
	w->directory[w->index] = le32_put((uint32_t)w->next);
	if (!r)
		r = append(w, w->table, sizeof w->table);
	memset(w->table, 0, sizeof w->table);
	w->used = false;
	return r;
}

static int put_grain(struct stream_writer *w, const char *packed, size_t len, uint64_t off)
{
	uint64_t number = off / (VMDK_GRAIN * VMDK_SECTOR);
	struct vmdk_grain_marker m = {le64_put(off / VMDK_SECTOR), le32_put((uint32_t)len)};
	int r = 0;

	if (w->index != number / VMDK_ENTRIES)
		r = finish_table(w);
	w->index = number / VMDK_ENTRIES;
	w->table[number % VMDK_ENTRIES] = le32_put((uint32_t)w->next);
	w->used = true;
	memcpy(w->grain, &m, sizeof m);
	memcpy(w->grain + sizeof m, packed, len);
	return r ? r : append(w, w->grain, sizeof m + len);
}

static int put_item(void *self, const struct export_item *item)
{
	struct stream_writer *w = self;
	int r = 0;

	for (size_t i = 0; i < item->len / EXPORT_UNIT && !r; i++) {
		size_t len = item->packed_len[i];

		if (len)
			r = put_grain(w, item->packed + i * EXPORT_PACKED_MAX, len,
			              item->off + i * EXPORT_UNIT);
		else if (!export_zero(item->buf + i * EXPORT_UNIT, EXPORT_UNIT))
			r = export_no_memory(w->x);
	}
	return r;
}

static void make_header(const struct stream_writer *w, uint64_t directory, struct vmdk_header *h)
{
	vmdk_header(h, w->sectors);
	h->version = le32_put(3);
	h->flags = le32_put(VMDK_LINE_ENDS | VMDK_PACKED | VMDK_MARKERS);
	h->gd_offset = le64_put(directory);
	h->over_head = le64_put(GRAINS_AT);
	h->compress_algorithm = le16_put(VMDK_DEFLATE);
}

static int put_end(struct stream_writer *w)
{
	size_t bytes = align_up(w->tables * sizeof(le32), VMDK_SECTOR);
	struct vmdk_header footer;
	int r = append_marker(w, bytes / VMDK_SECTOR, MARKER_DIRECTORY);

	make_header(w, w->next, &footer);
	if (!r)
		r = append(w, w->directory, bytes);
	if (!r)
		r = append_marker(w, 1, MARKER_FOOTER);
	if (!r)
		r = append(w, &footer, sizeof footer);
	return r ? r : append_marker(w, 0, MARKER_END);
}

static int put_all(struct stream_writer *w)
{
	struct vmdk_header h;
	int r = export_walk(w->x, put_item, w);

	if (!r)
		r = finish_table(w);
	if (!r)
		r = put_end(w);
	if (!r)
		r = vmdk_put_descriptor(w->x, "streamOptimized", w->sectors);
	make_header(w, GD_AT_END, &h);
	return r ? r : export_write(w->x, &h, sizeof h, 0);
}

int export_vmdk_stream(struct export_job *x)
{
	uint64_t sectors = export_sectors(x);
	int r = export_check_size(x, "vmdk", VMDK_DISK_MAX);
	struct stream_writer *w = r ? NULL : calloc(1, sizeof *w);

	if (!w)
		return r ? r : export_no_memory(x);
	w->x = x;
	w->next = GRAINS_AT;
	w->sectors = sectors;
	w->tables = (sectors * VMDK_SECTOR + VMDK_COVERS - 1) / VMDK_COVERS;
	w->directory = calloc(align_up(w->tables * sizeof(le32), VMDK_SECTOR), 1);
	r = w->directory ? put_all(w) : export_no_memory(x);
	free(w->directory);
	free(w);
	return r;
}
