/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QED, the QEMU enhanced disk, as QEMU's docs/interop/qed_spec.rst has it. All integers are
 * little-endian.
 *
 * The file consists of clusters of 4 KiB to 64 MiB; the first ones are the header's, in which the
 * backing file's name stands too. L1 and L2 tables have table_size clusters each; their entries are
 * offsets in the file, 0 for none. An L2 entry of 1 is a cluster of zeros.
 *
 * The feature bit "needs check" says that the image was not closed. What was not linked into the
 * tables by then is lost or leaked, what is linked is right: it is read, with a note.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"
#include "qtables.h"

#define MAGIC "QED"

#define FEATURE_BACKING_FILE ((uint64_t)1 << 0)
#define FEATURE_NEED_CHECK   ((uint64_t)1 << 1)
#define FEATURE_BACKING_RAW  ((uint64_t)1 << 2) /* QED_F_BACKING_FORMAT_NO_PROBE */
#define FEATURES_KNOWN       (FEATURE_BACKING_FILE | FEATURE_NEED_CHECK | FEATURE_BACKING_RAW)

#define CLUSTER_BITS    12u
#define CLUSTER_BITS_TO 26u
#define TABLE_SIZE_TO   16u

#define ENTRY_ZERO 1u

struct qed_header {
	uint8_t magic[4];             /* +0x00 */
	le32 cluster_size;            /* +0x04 */
	le32 table_size;              /* +0x08 clusters */
	le32 header_size;             /* +0x0c clusters */
	le64 features;                /* +0x10 */
	le64 compat_features;         /* +0x18 */
	le64 autoclear_features;      /* +0x20 */
	le64 l1_table_offset;         /* +0x28 */
	le64 image_size;              /* +0x30 */
	le32 backing_filename_offset; /* +0x38 */
	le32 backing_filename_size;   /* +0x3c */
};
_Static_assert(offsetof(struct qed_header, l1_table_offset) == 40, "l1_table_offset");
_Static_assert(sizeof(struct qed_header) == 64, "header");

static uint64_t cluster_size(const struct qtables *t)
{
	return (uint64_t)1 << t->cluster_bits;
}

static int l1_entry(const struct qtables *t, const uint8_t *entry, uint64_t *table)
{
	*table = le64_at(entry);
	return *table & (cluster_size(t) - 1) ? -EIO : 0;
}

static int l2_entry(const struct qtables *t, const uint8_t *p, uint64_t off, struct run *run)
{
	uint64_t entry = le64_at(p), skip = off & (cluster_size(t) - 1);

	run->length = cluster_size(t) - skip;
	if (entry == ENTRY_ZERO) {
		run->kind = RUN_ZERO;
	} else if (entry == 0) {
		qtables_unallocated(t, off, run);
	} else {
		if (entry & (cluster_size(t) - 1) ||
		    !range_ok(entry, cluster_size(t), DEV_SIZE_MAX))
			return -EIO;
		run->kind = RUN_RAW;
		run->dev = t->file;
		run->offset = entry + skip;
	}
	return 0;
}

static int check_header(const struct qed_header *h, struct platter_error *err)
{
	uint32_t cluster = le32_get(h->cluster_size), table = le32_get(h->table_size);
	uint64_t unknown = le64_get(h->features) & ~FEATURES_KNOWN;

	if (unknown)
		return err_set(err, EOPNOTSUPP, "needs a feature that is not supported: bit %u",
		               (unsigned)__builtin_ctzll(unknown));
	if (!is_pow2(cluster) || cluster < 1u << CLUSTER_BITS || cluster > 1u << CLUSTER_BITS_TO)
		return err_set(err, EINVAL,
		               "clusters of %u bytes, expected a power of two from %u to %u",
		               cluster, 1u << CLUSTER_BITS, 1u << CLUSTER_BITS_TO);
	if (!is_pow2(table) || table > TABLE_SIZE_TO)
		return err_set(err, EINVAL,
		               "tables of %u clusters, expected a power of two from 1 to %u", table,
		               TABLE_SIZE_TO);
	if (le64_get(h->image_size) % 512)
		return err_set(err, EINVAL, "a disk of %llu bytes, expected a multiple of 512",
		               (unsigned long long)le64_get(h->image_size));
	return 0;
}

static int read_header(struct dev *file, struct qed_header *h, struct platter_error *err)
{
	int r = image_read_head(file, h, sizeof h->magic, err);

	if (r)
		return r;
	if (memcmp(h->magic, MAGIC, sizeof h->magic) != 0)
		return DRIVER_NOT_MINE;
	if (file->size < sizeof *h)
		return err_set(err, EIO, "cut off in its header, after %llu bytes",
		               (unsigned long long)file->size);
	r = image_read_head(file, h, sizeof *h, err);
	return r ? r : check_header(h, err);
}

static int check_l1(struct qtables *t, struct platter_error *err)
{
	uint64_t needed = qtables_l1_needed(t);

	if (needed > (uint64_t)1 << t->l2_bits)
		return err_set(err, EFBIG,
		               "a disk of %llu bytes, its tables can hold %llu L2 tables",
		               (unsigned long long)t->size, 1ull << t->l2_bits);
	if (t->l1_offset & (cluster_size(t) - 1) || t->l1_offset == 0)
		return err_set(err, EINVAL,
		               "the L1 table stands at %llu, expected a multiple of the cluster "
		               "size, %llu",
		               (unsigned long long)t->l1_offset,
		               (unsigned long long)cluster_size(t));
	if (!range_ok(t->l1_offset, t->l1_entries * sizeof(le64), t->file->size))
		return err_set(err, EIO,
		               "the L1 table of %llu entries at %llu passes the end at %llu",
		               (unsigned long long)t->l1_entries, (unsigned long long)t->l1_offset,
		               (unsigned long long)t->file->size);
	t->l1_entries = needed;
	return 0;
}

static int open_backing(struct image *image, const struct qed_header *h, struct platter_error *err)
{
	uint64_t features = le64_get(h->features), end;
	char *name;
	int r;

	if (!(features & FEATURE_BACKING_FILE))
		return 0;
	end = (uint64_t)le32_get(h->header_size) * le32_get(h->cluster_size);
	r = qtables_backing_name(image->file, le32_get(h->backing_filename_offset),
	                         le32_get(h->backing_filename_size), end, &name, err);
	if (r)
		return r;
	r = image_open_parent(image, "backing file", name,
	                      features & FEATURE_BACKING_RAW ? "raw" : NULL, err);
	free(name);
	return r;
}

static int open_tables(struct image *image, struct qtables *t, const struct qed_header *h,
                       struct platter_error *err)
{
	uint32_t table = le32_get(h->table_size);
	int r;

	*t = (struct qtables){
		.file = image->file,
		.cache = image->cache,
		.size = le64_get(h->image_size),
		.l1_offset = le64_get(h->l1_table_offset),
		.cluster_bits = (unsigned)__builtin_ctz(le32_get(h->cluster_size)),
		.entry_bits = 3,
		.backed = le64_get(h->features) & FEATURE_BACKING_FILE,
		.l1_entry = l1_entry,
		.l2_entry = l2_entry,
	};
	t->l2_bits = t->cluster_bits + (unsigned)__builtin_ctz(table) - t->entry_bits;
	t->l1_entries = (uint64_t)1 << t->l2_bits;
	r = check_l1(t, err);
	if (!r)
		r = open_backing(image, h, err);
	return r ? r : qtables_check(t, &image->packed, err);
}

static int qed_open(struct image *image, struct platter_error *err)
{
	struct qed_header h;
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
	if (le64_get(h.features) & FEATURE_NEED_CHECK)
		image_note(image, "needs a check: it was not closed cleanly, and what was written "
		                  "last may be missing");
	image->self = t;
	image->size = t->size;
	return 0;
}

const struct format_driver format_qed = {
	.name = "qed",
	.qemu = "qed",
	.id = 4,
	.open = qed_open,
	.map = qtables_map,
};
