/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2, versions 2 and 3, as QEMU's docs/interop/qcow2.rst has it. All integers are big-endian.
 *
 * The file consists of clusters of 512 bytes to 2 MiB; the first begins with the header, header
 * extensions and the backing file's name. The L1 table is contiguous, an L2 table is one cluster
 * ("Cluster mapping"). An L2 entry is of one of these kinds:
 *
 *   standard     bits 9 to 55 are the place of a cluster; 0: the backing file tells, or zeros. With
 *                an external data file that is the offset on the disk, and 0 counts when bit 63 is
 *                set. Bit 0 (version 3): zeros, wherever it points to.
 *   compressed   bit 62. The lower bits are the place of the first packed byte, those above it, as
 *                many as cluster_bits - 8, how many sectors of 512 bytes follow the first one.
 *                Where the packed data ends in the last one is not said.
 *   extended     16 bytes: as above without bit 0, then two bits for each of 32 subclusters:
 *                allocated (bits 0 to 31), zeros (bits 32 to 63).
 *
 * Refcounts and bitmaps are for writers. So is the dirty bit, which says that refcounts may be
 * stale: the mapping that reads go by is as good as after any power cut. The corrupt bit says that
 * QEMU met damage in some table and forbids writing until it is repaired; QEMU itself goes on
 * reading. Every entry is checked here before it is used, so such an image is opened too, with a
 * note: it is often the only copy of what somebody wants back.
 */
#include "config.h"

#include "qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define L1_OFFSET     UINT64_C(0x00fffffffffffe00)
#define L2_OFFSET     UINT64_C(0x00fffffffffffe00)
#define L2_COPIED     ((uint64_t)1 << 63)
#define L2_COMPRESSED ((uint64_t)1 << 62)
#define L2_ZERO       ((uint64_t)1)

#define SUBCLUSTER_BITS 5 /* 32 in a cluster */

static uint64_t cluster_size(const struct qtables *t)
{
	return (uint64_t)1 << t->cluster_bits;
}

static int l1_entry(const struct qtables *t, const uint8_t *entry, uint64_t *table)
{
	*table = be64_at(entry) & L1_OFFSET;
	return *table & (cluster_size(t) - 1) ? -EIO : 0;
}

static int compressed(const struct qcow2 *q, uint64_t entry, uint64_t off, struct run *run)
{
	unsigned bits = 62 - (q->t.cluster_bits - 8);
	uint64_t at = entry & (((uint64_t)1 << bits) - 1);
	uint64_t sectors = (entry >> bits & ((1u << (q->t.cluster_bits - 8)) - 1)) + 1;

	if (q->data != q->t.file || at >= q->t.file->size)
		return -EIO;
	run->kind = RUN_PACKED;
	run->dev = q->t.file;
	run->offset = at;
	run->codec = q->codec;
	/* The last sector of the file need not be whole. */
	run->packed = (uint32_t)min64(sectors * 512 - (at & 511), q->t.file->size - at);
	run->unpacked = (uint32_t)cluster_size(&q->t);
	run->skip = (uint32_t)(off & (cluster_size(&q->t) - 1));
	return 0;
}

static void standard(const struct qcow2 *q, uint64_t host, uint64_t off, struct run *run)
{
	run->kind = RUN_RAW;
	run->dev = q->data;
	run->offset = host + (off & (cluster_size(&q->t) - 1));
}

/* allocated: host is a place, and not only 0. */
static int subclusters(const struct qcow2 *q, uint64_t bitmap, bool allocated, uint64_t host,
                       uint64_t off, struct run *run)
{
	uint32_t data = (uint32_t)bitmap, zero = (uint32_t)(bitmap >> 32), same;
	unsigned bits = q->t.cluster_bits - SUBCLUSTER_BITS;
	unsigned first = (unsigned)(off >> bits & 31), n;

	if ((data & zero) || (data && !allocated))
		return -EIO;
	if (data >> first & 1) {
		standard(q, host, off, run);
		same = data;
	} else if (zero >> first & 1) {
		run->kind = RUN_ZERO;
		same = zero;
	} else {
		qtables_unallocated(&q->t, off, run);
		same = ~(data | zero);
	}
	same = ~(same >> first); /* ones at the top, unless all 32 are the same */
	n = same ? (unsigned)__builtin_ctz(same) : 32;
	run->length = ((uint64_t)n << bits) - (off & (((uint64_t)1 << bits) - 1));
	return 0;
}

static int l2_entry(const struct qtables *t, const uint8_t *p, uint64_t off, struct run *run)
{
	const struct qcow2 *q = (const struct qcow2 *)t;
	bool external = q->data != t->file, allocated;
	uint64_t entry = be64_at(p), host = entry & L2_OFFSET;

	run->length = cluster_size(t) - (off & (cluster_size(t) - 1));
	if (entry & L2_COMPRESSED)
		return compressed(q, entry, off, run);
	allocated = host || (external && (entry & L2_COPIED));
	if (host & (cluster_size(t) - 1))
		return -EIO;
	if (external && allocated && host != align_down(off, cluster_size(t)))
		return -EIO;
	if (q->extended)
		return subclusters(q, be64_at(p + 8), allocated, host, off, run);
	if (entry & L2_ZERO) {
		if (!q->zero_flag)
			return -EIO;
		run->kind = RUN_ZERO;
	} else if (allocated) {
		standard(q, host, off, run);
	} else {
		qtables_unallocated(t, off, run);
	}
	return 0;
}

/* ---- opening ---- */

int qcow2_take_l1(struct qcow2 *q, uint64_t off, uint64_t entries, struct platter_error *err)
{
	struct qtables *t = &q->t;
	uint64_t needed = qtables_l1_needed(t);

	if (entries > QCOW2_L1_BYTES_MAX / sizeof(be64))
		return err_set(err, EFBIG, "the L1 table has %llu entries, at most %llu",
		               (unsigned long long)entries,
		               (unsigned long long)(QCOW2_L1_BYTES_MAX / sizeof(be64)));
	if (entries < needed)
		return err_set(err, EINVAL,
		               "the L1 table has %llu entries, a disk of %llu bytes takes %llu",
		               (unsigned long long)entries, (unsigned long long)t->size,
		               (unsigned long long)needed);
	if (off & (cluster_size(t) - 1))
		return err_set(err, EINVAL,
		               "the L1 table stands at %llu, expected a multiple of the cluster "
		               "size, %llu",
		               (unsigned long long)off, (unsigned long long)cluster_size(t));
	if (!range_ok(off, needed * sizeof(be64), t->file->size))
		return err_set(err, EIO,
		               "the L1 table of %llu entries at %llu passes the end at %llu",
		               (unsigned long long)needed, (unsigned long long)off,
		               (unsigned long long)t->file->size);
	t->l1_offset = off;
	t->l1_entries = needed;
	return 0;
}

static int open_backing(struct image *image, const struct qcow2_header *h,
                        const struct qcow2_extensions *x, struct platter_error *err)
{
	char *name;
	int r = qtables_backing_name(image->file, be64_get(h->backing_file_offset),
	                             be32_get(h->backing_file_size),
	                             (uint64_t)1 << be32_get(h->cluster_bits), &name, err);

	if (r)
		return r;
	r = image_open_parent(image, "backing file", name, x->backing_format, err);
	free(name);
	return r;
}

/* The other files, once everything in this one is known to be supported. */
static int open_others(struct image *image, struct qcow2 *q, const struct qcow2_header *h,
                       const struct qcow2_extensions *x, struct platter_error *err)
{
	int r = 0;

	if (be64_get(h->incompatible_features) & QCOW2_DATA_FILE) {
		if (!x->data_file)
			return err_set(err, EINVAL,
			               "its data is in another file, whose name it does not hold");
		r = chain_open(image->chain, "data file", x->data_file, &q->data, err);
	}
	if (!r && be64_get(h->backing_file_offset)) {
		q->t.backed = true;
		r = open_backing(image, h, x, err);
	}
	return r;
}

static void note_state(struct image *image, const struct qcow2_header *h)
{
	uint64_t incompatible = be64_get(h->incompatible_features);

	if (incompatible & QCOW2_DIRTY)
		image_note(image, "dirty: it was not closed cleanly; what matters to writers only, "
		                  "its refcounts, may be stale");
	if (incompatible & QCOW2_CORRUPT)
		image_note(image, "marked as corrupt: QEMU found damage in its tables and does not "
		                  "write to it any more; what can be read may be incomplete");
}

static void set_geometry(struct qcow2 *q, struct image *image, const struct qcow2_header *h)
{
	uint64_t incompatible = be64_get(h->incompatible_features);

	q->extended = incompatible & QCOW2_EXTENDED_L2;
	q->zero_flag = be32_get(h->version) >= 3;
	q->codec = incompatible & QCOW2_COMPRESSION ? CODEC_ZSTD : CODEC_DEFLATE;
	q->data = image->file;
	q->t = (struct qtables){
		.file = image->file,
		.cache = image->cache,
		.size = be64_get(h->size),
		.cluster_bits = be32_get(h->cluster_bits),
		.entry_bits = q->extended ? 4 : 3,
		.l1_entry = l1_entry,
		.l2_entry = l2_entry,
	};
	q->t.l2_bits = q->t.cluster_bits - q->t.entry_bits;
}

static int open_tables(struct image *image, struct qcow2 *q, const struct qcow2_header *h,
                       const struct qcow2_extensions *x, struct platter_error *err)
{
	int r = qcow2_check_features(h, x, err);

	if (!r) {
		set_geometry(q, image, h);
		r = qcow2_take_l1(q, be64_get(h->l1_table_offset), be32_get(h->l1_size), err);
	}
	if (!r)
		r = qcow2_read_snapshots(image, q, h, err);
	if (!r)
		r = open_others(image, q, h, x, err);
	return r ? r : qtables_check(&q->t, &image->packed, err);
}

static int qcow2_open(struct image *image, struct platter_error *err)
{
	struct qcow2_extensions x = {0};
	struct qcow2_header h;
	struct qcow2 *q;
	int r = qcow2_read_header(image->file, &h, err);

	if (r)
		return r;
	q = calloc(1, sizeof *q);
	if (!q)
		return err_set(err, ENOMEM, "no memory");
	r = qcow2_read_extensions(image->file, &h, &x, err);
	if (!r)
		r = open_tables(image, q, &h, &x, err);
	qcow2_free_extensions(&x);
	if (r) {
		free(q);
		return r;
	}
	note_state(image, &h);
	image->self = q;
	image->size = q->t.size;
	return 0;
}

const struct format_driver format_qcow2 = {
	.name = "qcow2",
	.qemu = "qcow2",
	.id = 2,
	.snapshots = true,
	.says_parent = true,
	.open = qcow2_open,
	.map = qtables_map,
};
