/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow, version 1: QEMU's first own format (its block/qcow.c; "The QCOW Image Format", Mark
 * McLoughlin, 2006). All integers are big-endian.
 *
 * Header, the backing file's name, the L1 table; then L2 tables and clusters as they were written.
 * L1 and L2 entries are offsets in the file, 0 for none. An L2 entry with bit 63 set is of a
 * compressed cluster (deflate): below that bit come, in as many bits as a cluster's size has, the
 * packed bytes, and below those where they begin.
 *
 * The format of the backing file is not recorded, so only one that looks like nothing but raw is
 * taken.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"
#include "qtables.h"

#define MAGIC      "QFI\xfb"
#define COMPRESSED ((uint64_t)1 << 63)

/* QEMU's limits. */
#define CLUSTER_BITS    9u
#define CLUSTER_BITS_TO 16u
#define L2_BITS         6u /* a table of 512 bytes */
#define L2_BITS_TO      13u

struct qcow_header {
	be32 magic;               /* +0x00 */
	be32 version;             /* +0x04 */
	be64 backing_file_offset; /* +0x08 */
	be32 backing_file_size;   /* +0x10 */
	be32 mtime;               /* +0x14 of the backing file */
	be64 size;                /* +0x18 */
	uint8_t cluster_bits;     /* +0x20 */
	uint8_t l2_bits;          /* +0x21 */
	be16 padding;             /* +0x22 */
	be32 crypt_method;        /* +0x24 */
	be64 l1_table_offset;     /* +0x28 */
};
_Static_assert(offsetof(struct qcow_header, cluster_bits) == 32, "cluster_bits");
_Static_assert(sizeof(struct qcow_header) == 48, "header");

static int l1_entry(const struct qtables *t, const uint8_t *entry, uint64_t *table)
{
	(void)t;
	*table = be64_at(entry);
	return 0;
}

static int l2_entry(const struct qtables *t, const uint8_t *p, uint64_t off, struct run *run)
{
	uint64_t entry = be64_at(p), cluster = (uint64_t)1 << t->cluster_bits;
	uint64_t skip = off & (cluster - 1);
	unsigned bits = 63 - t->cluster_bits;

	run->length = cluster - skip;
	run->dev = t->file;
	if (entry & COMPRESSED) {
		run->kind = RUN_PACKED;
		run->offset = entry & (((uint64_t)1 << bits) - 1);
		run->codec = CODEC_DEFLATE;
		run->packed = (uint32_t)(entry >> bits & (cluster - 1));
		run->unpacked = (uint32_t)cluster;
		run->skip = (uint32_t)skip;
		return run->packed && range_ok(run->offset, run->packed, t->file->size) ? 0 : -EIO;
	}
	if (entry == 0) {
		qtables_unallocated(t, off, run);
		return 0;
	}
	/* Sectors are never split. */
	if (entry & 511 || !range_ok(entry, cluster, DEV_SIZE_MAX))
		return -EIO;
	run->kind = RUN_RAW;
	run->offset = entry + skip;
	return 0;
}

static int check_header(const struct qcow_header *h, struct platter_error *err)
{
	if (h->cluster_bits < CLUSTER_BITS || h->cluster_bits > CLUSTER_BITS_TO)
		return err_set(err, EINVAL, "cluster_bits is %u, expected %u to %u",
		               h->cluster_bits, CLUSTER_BITS, CLUSTER_BITS_TO);
	if (h->l2_bits < L2_BITS || h->l2_bits > L2_BITS_TO)
		return err_set(err, EINVAL, "l2_bits is %u, expected %u to %u", h->l2_bits, L2_BITS,
		               L2_BITS_TO);
	if (be32_get(h->crypt_method) > 1)
		return err_set(err, EOPNOTSUPP, "encrypted, by the unknown method %u",
		               be32_get(h->crypt_method));
	if (be32_get(h->crypt_method))
		return err_set(err, EOPNOTSUPP, "encrypted (AES), which cannot be read");
	return 0;
}

static int read_header(struct dev *file, struct qcow_header *h, struct platter_error *err)
{
	int r = image_read_head(file, h, 8, err);

	if (r)
		return r;
	if (memcmp(&h->magic, MAGIC, sizeof h->magic) != 0 || be32_get(h->version) != 1)
		return DRIVER_NOT_MINE;
	if (file->size < sizeof *h)
		return err_set(err, EIO, "cut off in its header, after %llu bytes",
		               (unsigned long long)file->size);
	r = image_read_head(file, h, sizeof *h, err);
	return r ? r : check_header(h, err);
}

static int open_tables(struct image *image, struct qtables *t, const struct qcow_header *h,
                       struct platter_error *err)
{
	uint64_t bytes;
	char *name;
	int r;

	*t = (struct qtables){
		.file = image->file,
		.cache = image->cache,
		.size = be64_get(h->size),
		.l1_offset = be64_get(h->l1_table_offset),
		.cluster_bits = h->cluster_bits,
		.l2_bits = h->l2_bits,
		.entry_bits = 3,
		.backed = be64_get(h->backing_file_offset) != 0,
		.l1_entry = l1_entry,
		.l2_entry = l2_entry,
	};
	t->l1_entries = qtables_l1_needed(t);
	if (!ckd_mul64(&bytes, t->l1_entries, sizeof(be64)) ||
	    !range_ok(t->l1_offset, bytes, t->file->size))
		return err_set(err, EIO,
		               "the L1 table of %llu entries at %llu passes the end at %llu",
		               (unsigned long long)t->l1_entries, (unsigned long long)t->l1_offset,
		               (unsigned long long)t->file->size);
	if (t->backed) {
		r = qtables_backing_name(t->file, be64_get(h->backing_file_offset),
		                         be32_get(h->backing_file_size), t->file->size, &name, err);
		if (r)
			return r;
		r = image_open_parent(image, "backing file", name, NULL, err);
		free(name);
		if (r)
			return r;
	}
	return qtables_check(t, &image->packed, err);
}

static int qcow_open(struct image *image, struct platter_error *err)
{
	struct qcow_header h;
	struct qtables *t;
	int r = read_header(image->file, &h, err);

	if (r)
		return r;
	t = malloc(sizeof *t);
	if (!t)
		return err_set(err, ENOMEM, "no memory");
	r = open_tables(image, t, &h, err);
	if (r) {
		free(t);
		return r;
	}
	image->self = t;
	image->size = t->size;
	return 0;
}

const struct format_driver format_qcow = {
	.name = "qcow",
	.qemu = "qcow",
	.id = 3,
	.open = qcow_open,
	.map = qtables_map,
};
