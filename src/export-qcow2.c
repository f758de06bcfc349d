/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A qcow2 file, version 3, of clusters of 64 KiB. All integers are big-endian. The format is
 * QEMU's (docs/interop/qcow2.txt there); what is used of it here, by its sections:
 *
 *   Header              104 bytes: geometry and where the tables are. No feature bits are set.
 *   Header extensions   type, length, bytes, padded to 8; a type of 0 ends them. The only one here
 *                       is the format of the backing file; without it QEMU would guess.
 *   Backing file name   behind them, inside the first cluster, at most 1023 bytes. A name with a
 *                       colon before any slash would be a protocol.
 *   Refcounts           16 bits for every cluster of the file, in blocks of one cluster (32768
 *                       counts), found through the refcount table. Here every count is 1.
 *   Cluster mapping     the L1 table has an entry for every 512 MiB of disk: the place of an L2
 *                       table, which is one cluster of 8192 entries, each the place of a cluster of
 *                       data. Bit 63 says that its count is exactly 1. An L1 or L2 entry of 0:
 *                       nothing is held, the backing file tells, or else zeros. Bit 0 of an L2
 *                       entry: zeros, whatever the backing file has.
 *
 * The file is written from front to back:
 *
 *   first cluster | data ... L2 | data ... L2 | ... | L1 | refcount table | refcount blocks
 *
 * where each L2 table stands behind the data that it tells of. The first cluster is written last.
 */
#include "config.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "export.h"
#include "ondisk.h"

#define CLUSTER_BITS 16
#define CLUSTER      ((size_t)1 << CLUSTER_BITS)
#define L2_ENTRIES   (CLUSTER / sizeof(be64))
#define L2_COVERS    ((uint64_t)L2_ENTRIES << CLUSTER_BITS)
#define COUNTS       (CLUSTER / sizeof(be16)) /* in a refcount block */

/* QEMU's own limits. */
#define L1_BYTES_MAX ((uint64_t)32 << 20)
#define DISK_MAX     (L1_BYTES_MAX / sizeof(be64) * L2_COVERS)
#define NAME_MAX_LEN 1023
#define SECTOR       512u

#define ENTRY_COPIED    ((uint64_t)1 << 63)
#define ENTRY_ZERO      ((uint64_t)1)
#define EXT_BACKING_FMT 0xe2792acau

struct qcow2_header {
	be32 magic;
	be32 version;
	be64 backing_file_offset;
	be32 backing_file_size;
	be32 cluster_bits;
	be64 size;
	be32 crypt_method;
	be32 l1_size; /* entries */
	be64 l1_table_offset;
	be64 refcount_table_offset;
	be32 refcount_table_clusters;
	be32 nb_snapshots;
	be64 snapshots_offset;
	be64 incompatible_features;
	be64 compatible_features;
	be64 autoclear_features;
	be32 refcount_order; /* a count has 1 << this bits */
	be32 header_length;
};
_Static_assert(offsetof(struct qcow2_header, size) == 24, "size");
_Static_assert(offsetof(struct qcow2_header, l1_table_offset) == 40, "l1_table_offset");
_Static_assert(offsetof(struct qcow2_header, snapshots_offset) == 64, "snapshots_offset");
_Static_assert(offsetof(struct qcow2_header, refcount_order) == 96, "refcount_order");
_Static_assert(sizeof(struct qcow2_header) == 104, "header");

struct qcow2_extension {
	be32 type;
	be32 length;
};
_Static_assert(sizeof(struct qcow2_extension) == 8, "extension");
_Static_assert(EXPORT_UNIT % CLUSTER == 0, "reads are whole clusters");

struct writer {
	struct export_job *x;
	uint64_t next; /* where the next cluster of the file goes */
	be64 *l1;
	uint32_t l1_size;
	be64 l2[L2_ENTRIES];
	uint64_t l2_index;
	bool l2_used;
	char original[EXPORT_STEP];     /* what .buf is compared with */
	char backing[NAME_MAX_LEN + 1]; /* with .original */
};

static uint64_t clusters(uint64_t bytes)
{
	return align_up(bytes, CLUSTER) >> CLUSTER_BITS;
}

/* Write whole clusters behind all others; *at is where. */
static int append(struct writer *w, const void *buf, size_t len, uint64_t *at)
{
	int r = export_write(w->x, buf, len, w->next);

	*at = w->next;
	w->next += len;
	return r;
}

/* ---- mapping ---- */

static int finish_l2(struct writer *w)
{
	uint64_t at;
	int r;

	if (!w->l2_used)
		return 0;
	r = append(w, w->l2, sizeof w->l2, &at);
	w->l1[w->l2_index] = be64_put(at | ENTRY_COPIED);
	memset(w->l2, 0, sizeof w->l2);
	w->l2_used = false;
	return r;
}

/* Make the L2 table of the disk's byte off the current one; those before it are done with. */
static int begin_l2(struct writer *w, uint64_t off)
{
	int r = w->l2_index != off / L2_COVERS ? finish_l2(w) : 0;

	w->l2_index = off / L2_COVERS;
	return r;
}

static void set_entry(struct writer *w, uint64_t off, uint64_t entry)
{
	w->l2[off / CLUSTER % L2_ENTRIES] = be64_put(entry);
	w->l2_used = true;
}

/* ---- data ---- */

enum kind {
	KIND_ABSENT, /* reads right without being held */
	KIND_ZERO,   /* zeros that have to be said */
	KIND_DATA,
};

/* What has to be written of the cluster at `at` in the buffers. */
static enum kind kind_of(const struct writer *w, size_t at)
{
	const char *buf = w->x->buf + at;

	if (w->x->original && memcmp(buf, w->original + at, CLUSTER) == 0)
		return KIND_ABSENT;
	if (export_zero(buf, CLUSTER))
		return w->x->original ? KIND_ZERO : KIND_ABSENT;
	return KIND_DATA;
}

/* The clusters of one read, which all belong to the current L2 table. */
static int put_clusters(struct writer *w, size_t len, uint64_t off)
{
	uint64_t where = 0;
	int r = 0;

	for (size_t at = 0, n; at < len && !r; at += n) {
		enum kind kind = kind_of(w, at);

		for (n = CLUSTER; at + n < len && kind_of(w, at + n) == kind; n += CLUSTER)
			;
		if (kind == KIND_DATA)
			r = append(w, w->x->buf + at, n, &where);
		for (size_t i = 0; !r && kind != KIND_ABSENT && i < n; i += CLUSTER)
			set_entry(w, off + at + i,
			          kind == KIND_ZERO ? ENTRY_ZERO : (where + i) | ENTRY_COPIED);
	}
	return r;
}

/* Whole clusters of the disk, all of one L2 table. */
static int put_stretch(struct writer *w, size_t n, uint64_t off)
{
	struct export_job *x = w->x;
	/* The disk may end inside its last cluster; what is behind it has to read as zeros. */
	size_t inside = (size_t)min64(n, x->from->size - off);
	int r = begin_l2(w, off);

	memset(x->buf + inside, 0, n - inside);
	if (!r)
		r = export_read(x, x->from, x->buf, inside, off);
	if (!r && x->original) {
		memset(w->original + inside, 0, n - inside);
		r = export_read(x, x->original, w->original, inside, off);
	}
	return r ? r : put_clusters(w, n, off);
}

static int put_data(struct writer *w)
{
	uint64_t off = 0;
	size_t n;
	int r;

	while (!(r = export_next(w->x, off, &off, &n)) && n) {
		n = (size_t)min64(n, L2_COVERS - off % L2_COVERS);
		r = put_stretch(w, n, off);
		if (r)
			return r;
		off += n;
	}
	return r ? r : finish_l2(w);
}

/* ---- what stands behind the data ---- */

static int put_l1(struct writer *w, uint64_t *at)
{
	size_t bytes = clusters(w->l1_size * sizeof(be64)) << CLUSTER_BITS;

	return append(w, w->l1, bytes, at);
}

/*
 * Refcount table and blocks count themselves as well, so adding some may call for more: a block
 * counts 32768 clusters and the table names 8192 blocks in each of its own, so this soon ends.
 */
static void size_refcounts(uint64_t used, uint64_t *table, uint64_t *blocks)
{
	uint64_t all = used, before;

	do {
		before = all;
		*blocks = (all + COUNTS - 1) / COUNTS;
		*table = clusters(*blocks * sizeof(be64));
		all = used + *blocks + *table;
	} while (all != before);
}

static int put_refcounts(struct writer *w, uint64_t *at, uint64_t *table)
{
	uint64_t blocks, all, ignored;
	be64 *entries = w->l2; /* the mapping is done with it */
	be16 *counts = (be16 *)w->x->buf;
	int r = 0;

	size_refcounts(w->next >> CLUSTER_BITS, table, &blocks);
	*at = w->next;
	all = (*at >> CLUSTER_BITS) + *table + blocks;
	for (uint64_t t = 0; t < *table && !r; t++) {
		memset(entries, 0, CLUSTER);
		for (uint64_t i = 0; i < L2_ENTRIES && t * L2_ENTRIES + i < blocks; i++)
			entries[i] = be64_put(*at + (*table + t * L2_ENTRIES + i) * CLUSTER);
		r = append(w, entries, CLUSTER, &ignored);
	}
	for (uint64_t b = 0; b < blocks && !r; b++) {
		memset(counts, 0, CLUSTER);
		for (uint64_t i = 0; i < COUNTS && b * COUNTS + i < all; i++)
			counts[i] = be16_put(1);
		r = append(w, counts, CLUSTER, &ignored);
	}
	return r;
}

/* ---- the first cluster ---- */

/* Whether the new file is to stand in the image's own folder. */
static bool beside(struct export_job *x)
{
	char *image = strdup(x->p->path), *dst = strdup(x->dst);
	struct stat a, b;
	bool same = image && dst && stat(dirname(image), &a) == 0 && stat(dirname(dst), &b) == 0 &&
	            a.st_dev == b.st_dev && a.st_ino == b.st_ino;

	free(image);
	free(dst);
	return same;
}

static int backing_name(struct export_job *x, char name[NAME_MAX_LEN + 1])
{
	const char *plain = strrchr(x->p->path, '/') + 1, *from = x->p->path;
	const char *before = "";
	int n;

	if (beside(x)) {
		from = plain;
		before = strchr(plain, ':') ? "./" : "";
	}
	n = snprintf(name, NAME_MAX_LEN + 1, "%s%s", before, from);
	if (n > NAME_MAX_LEN)
		return err_set(x->err, ENAMETOOLONG,
		               "%s: the image's name has %d bytes, in qcow2 at most %d", x->dst, n,
		               NAME_MAX_LEN);
	return 0;
}

/* Extensions and the backing file's name, behind the header. */
static void put_backing(struct writer *w, char *cluster)
{
	struct qcow2_header *h = (struct qcow2_header *)cluster;
	const char *format = platter_format(w->x->p);
	struct qcow2_extension ext = {be32_put(EXT_BACKING_FMT),
	                              be32_put((uint32_t)strlen(format))};
	size_t at = sizeof *h;

	memcpy(cluster + at, &ext, sizeof ext);
	at += sizeof ext;
	memcpy(cluster + at, format, strlen(format));
	at = align_up(at + strlen(format), 8);
	at += sizeof ext; /* zeros: the end of the extensions */
	memcpy(cluster + at, w->backing, strlen(w->backing));
	h->backing_file_offset = be64_put(at);
	h->backing_file_size = be32_put((uint32_t)strlen(w->backing));
}

static int put_first_cluster(struct writer *w, uint64_t l1, uint64_t refcounts, uint64_t table)
{
	struct qcow2_header *h = (struct qcow2_header *)w->x->buf;

	memset(h, 0, CLUSTER);
	memcpy(&h->magic, "QFI\xfb", 4);
	h->version = be32_put(3);
	h->cluster_bits = be32_put(CLUSTER_BITS);
	h->size = be64_put(align_up(w->x->from->size, SECTOR));
	h->l1_size = be32_put(w->l1_size);
	h->l1_table_offset = be64_put(l1);
	h->refcount_table_offset = be64_put(refcounts);
	h->refcount_table_clusters = be32_put((uint32_t)table);
	h->refcount_order = be32_put(4);
	h->header_length = be32_put(sizeof *h);
	if (w->x->original)
		put_backing(w, w->x->buf);
	return export_write(w->x, h, CLUSTER, 0);
}

static int put_all(struct writer *w)
{
	uint64_t l1, refcounts, table;
	int r = w->x->original ? backing_name(w->x, w->backing) : 0;

	if (!r)
		r = put_data(w);
	if (!r)
		r = put_l1(w, &l1);
	if (!r)
		r = put_refcounts(w, &refcounts, &table);
	return r ? r : put_first_cluster(w, l1, refcounts, table);
}

int export_qcow2(struct export_job *x)
{
	uint64_t size = x->from->size;
	struct writer *w;
	int r;

	if (size > DISK_MAX)
		return err_set(x->err, EOVERFLOW, "%s: a disk of %llu bytes, in qcow2 at most %llu",
		               x->dst, (unsigned long long)size, (unsigned long long)DISK_MAX);
	w = calloc(1, sizeof *w);
	if (w) {
		w->x = x;
		w->next = CLUSTER;
		w->l1_size = (uint32_t)((size + L2_COVERS - 1) / L2_COVERS);
		/* At most L1_BYTES_MAX; whole clusters are written. */
		w->l1 = calloc(clusters(w->l1_size * sizeof(be64)), CLUSTER);
	}
	r = w && w->l1 ? put_all(w) : err_set(x->err, ENOMEM, "%s: no memory", x->dst);
	if (w)
		free(w->l1);
	free(w);
	return r;
}
