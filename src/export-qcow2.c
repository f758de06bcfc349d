/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A qcow2 file, version 3, of clusters of 64 KiB. All integers are big-endian. The format is
 * QEMU's (docs/interop/qcow2.txt there); what is used of it here, by its sections:
 *
 *   Header              104 bytes: geometry and where the tables are. For zstd 112 bytes, with the
 *                       compression type, and incompatible bit 3, without which it is deflate.
 *   Header extensions   type, length, bytes, padded to 8; a type of 0 ends them. The only one here
 *                       is the format of the backing file; without it QEMU would guess.
 *   Backing file name   behind them, inside the first cluster, at most 1023 bytes. A name with a
 *                       colon before any slash would be a protocol.
 *   Refcounts           16 bits for every cluster of the file, in blocks of one cluster (32768
 *                       counts), found through the refcount table: how many things stand in the
 *                       cluster. That is 1, but compressed clusters share theirs with others.
 *   Cluster mapping     the L1 table has an entry for every 512 MiB of disk: the place of an L2
 *                       table, which is one cluster of 8192 entries, each the place of a cluster of
 *                       data. Bit 63 says that its count is exactly 1. An L1 or L2 entry of 0:
 *                       nothing is held, the backing file tells, or else zeros. Bit 0 of an L2
 *                       entry: zeros, whatever the backing file has. Bit 62: compressed, from the
 *                       byte in bits 0 to 53 on, to the end of a sector (512 bytes); bits 54 to 61
 *                       are how many sectors follow the first.
 *
 * The file is written from front to back:
 *
 *   first cluster | data ... L2 | data ... L2 | ... | L1 | refcount table
 *
 * where each L2 table stands behind the data that it tells of, and each refcount block behind the
 * 2 GiB that it counts, so that none has to be held. The first cluster is written last.
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
#define ENTRY_PACKED    ((uint64_t)1 << 62)
#define ENTRY_SECTORS   54 /* the bit that their number begins with */
#define ENTRY_ZERO      ((uint64_t)1)
#define EXT_BACKING_FMT 0xe2792acau
#define INCOMPAT_PACKED ((uint64_t)1 << 3)
#define PACKED_ZSTD     1

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
	uint8_t compression_type; /* from here on with INCOMPAT_PACKED only */
	uint8_t padding[7];
};
_Static_assert(offsetof(struct qcow2_header, size) == 24, "size");
_Static_assert(offsetof(struct qcow2_header, l1_table_offset) == 40, "l1_table_offset");
_Static_assert(offsetof(struct qcow2_header, snapshots_offset) == 64, "snapshots_offset");
_Static_assert(offsetof(struct qcow2_header, refcount_order) == 96, "refcount_order");
_Static_assert(offsetof(struct qcow2_header, compression_type) == 104, "compression_type");
_Static_assert(sizeof(struct qcow2_header) == 112, "header");

struct qcow2_extension {
	be32 type;
	be32 length;
};
_Static_assert(sizeof(struct qcow2_extension) == 8, "extension");
_Static_assert(EXPORT_UNIT == CLUSTER, "what is read and packed at a time is a cluster");

struct writer {
	struct export_job *x;
	uint64_t next; /* byte of the file that is written next */
	be64 *l1;
	uint32_t l1_size;
	be64 l2[L2_ENTRIES];
	uint64_t l2_index;
	bool l2_used;
	be64 *blocks; /* the refcount blocks that are written */
	uint64_t nblocks;
	be16 counts[2][COUNTS];         /* of the two that follow */
	char backing[NAME_MAX_LEN + 1]; /* with .original */
};

static uint64_t clusters(uint64_t bytes)
{
	return align_up(bytes, CLUSTER) >> CLUSTER_BITS;
}

/* ---- refcounts ---- */

/* Count something that stands at [at, at + len), which is less than 2 GiB. */
static void count(struct writer *w, uint64_t at, uint64_t len)
{
	uint64_t first = at >> CLUSTER_BITS, last = (at + len - 1) >> CLUSTER_BITS;

	for (uint64_t c = first - w->nblocks * COUNTS; c <= last - w->nblocks * COUNTS; c++) {
		be16 *n = &w->counts[c / COUNTS][c % COUNTS];

		*n = be16_put((uint16_t)(be16_get(*n) + 1));
	}
}

/* Write the first of the two blocks of counts at `at`, and begin one more. */
static int put_block(struct writer *w, uint64_t at)
{
	be64 *more = w->blocks;
	int r = export_write(w->x, w->counts[0], CLUSTER, at);

	if ((w->nblocks & (w->nblocks - 1)) == 0)
		more = reallocarray(w->blocks, w->nblocks ? w->nblocks * 2 : 1, sizeof *more);
	if (!more)
		return export_no_memory(w->x);
	w->blocks = more;
	w->blocks[w->nblocks++] = be64_put(at);
	memcpy(w->counts[0], w->counts[1], CLUSTER);
	memset(w->counts[1], 0, CLUSTER);
	return r;
}

/* ---- writing behind all that is there ---- */

/* *at is where it went. */
static int append(struct writer *w, const void *buf, size_t len, uint64_t *at)
{
	int r = export_write_sparse(w->x, buf, len, w->next);

	*at = w->next;
	w->next += len;
	count(w, *at, len);
	if (r || w->next >> CLUSTER_BITS < (w->nblocks + 1) * COUNTS)
		return r;
	/* Nothing comes to stand any more where the first block counts. */
	w->next = align_up(w->next, CLUSTER);
	count(w, w->next, CLUSTER);
	w->next += CLUSTER;
	return put_block(w, w->next - CLUSTER);
}

/* The same at the beginning of a cluster. */
static int append_clusters(struct writer *w, const void *buf, size_t len, uint64_t *at)
{
	w->next = align_up(w->next, CLUSTER);
	return append(w, buf, len, at);
}

/* ---- mapping ---- */

static int finish_l2(struct writer *w)
{
	uint64_t at;
	int r;

	if (!w->l2_used)
		return 0;
	r = append_clusters(w, w->l2, sizeof w->l2, &at);
	w->l1[w->l2_index] = be64_put(at | ENTRY_COPIED);
	memset(w->l2, 0, sizeof w->l2);
	w->l2_used = false;
	return r;
}

static int set_entry(struct writer *w, uint64_t off, uint64_t entry)
{
	int r = 0;

	if (w->l2_index != off / L2_COVERS) /* those before it are done with */
		r = finish_l2(w);
	w->l2_index = off / L2_COVERS;
	w->l2[off / CLUSTER % L2_ENTRIES] = be64_put(entry);
	w->l2_used = true;
	return r;
}

/* ---- data ---- */

static int put_packed(struct writer *w, const void *buf, size_t len, uint64_t off)
{
	uint64_t at, sectors;
	int r = append(w, buf, len, &at);

	sectors = (at + len - 1) / SECTOR - at / SECTOR;
	return r ? r : set_entry(w, off, ENTRY_PACKED | sectors << ENTRY_SECTORS | at);
}

static int put_plain(struct writer *w, const void *buf, uint64_t off)
{
	uint64_t at;
	int r = append_clusters(w, buf, CLUSTER, &at);

	return r ? r : set_entry(w, off, at | ENTRY_COPIED);
}

static int put_cluster(struct writer *w, const struct export_item *item, size_t i)
{
	const char *buf = item->buf + i * CLUSTER;
	uint64_t off = item->off + i * CLUSTER;
	size_t packed = item->packed ? item->packed_len[i] : 0;

	if (item->original && memcmp(buf, item->original + i * CLUSTER, CLUSTER) == 0)
		return 0;
	if (export_zero(buf, CLUSTER)) /* which has to be said where there is a backing file */
		return item->original ? set_entry(w, off, ENTRY_ZERO) : 0;
	if (packed && packed < CLUSTER)
		return put_packed(w, item->packed + i * EXPORT_PACKED_MAX, packed, off);
	return put_plain(w, buf, off);
}

static int put_item(void *self, const struct export_item *item)
{
	int r = 0;

	for (size_t i = 0; i < item->len / CLUSTER && !r; i++)
		r = put_cluster(self, item, i);
	return r;
}

static int put_data(struct writer *w)
{
	int r = export_walk(w->x, put_item, w);

	return r ? r : finish_l2(w);
}

/* ---- what stands behind the data ---- */

static int put_l1(struct writer *w, uint64_t *at)
{
	size_t bytes = clusters(w->l1_size * sizeof(be64)) << CLUSTER_BITS;

	return append_clusters(w, w->l1, bytes, at);
}

/*
 * The blocks that are still to come and the refcount table, which is last. They count themselves
 * as well, so adding some may call for more: a block counts 32768 clusters and the table names 8192
 * blocks in each of its own, so this soon ends.
 */
static int put_refcounts(struct writer *w, uint64_t *at, uint64_t *table)
{
	uint64_t used = clusters(w->next), done = w->nblocks, blocks = done, all = used, before;
	be64 *entries;
	int r = 0;

	do {
		before = all;
		blocks = (all + COUNTS - 1) / COUNTS;
		*table = clusters(blocks * sizeof(be64));
		all = used + blocks - done + *table;
	} while (all != before);
	count(w, used * CLUSTER, (all - used) * CLUSTER);
	for (uint64_t at_block = used; w->nblocks < blocks && !r; at_block++)
		r = put_block(w, at_block * CLUSTER);
	*at = (all - *table) * CLUSTER;
	entries = r ? NULL : calloc(*table, CLUSTER);
	if (!entries)
		return r ? r : export_no_memory(w->x);
	memcpy(entries, w->blocks, blocks * sizeof *entries);
	r = export_write(w->x, entries, *table * CLUSTER, *at);
	free(entries);
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

/* The backing file is read by QEMU. */
static int check_backing(struct export_job *x)
{
	const struct image *image = x->p->container;

	if (!image->outer && image->format->qemu && !image->state)
		return 0;
	return err_set(x->err, ENOTSUP,
	               "%s: a thin export would need QEMU to read %s%s, in %s format, which it "
	               "cannot",
	               x->dst, x->p->path, image->state ? " as of a snapshot" : "",
	               platter_format(x->p));
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
	const char *format = w->x->p->container->format->qemu;
	struct qcow2_extension ext = {be32_put(EXT_BACKING_FMT),
	                              be32_put((uint32_t)strlen(format))};
	size_t at = be32_get(h->header_length);

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
	bool zstd = w->x->pack == PACK_ZSTD;
	char cluster[CLUSTER] = {0};
	struct qcow2_header *h = (struct qcow2_header *)cluster;

	memcpy(&h->magic, "QFI\xfb", 4);
	h->version = be32_put(3);
	h->cluster_bits = be32_put(CLUSTER_BITS);
	h->size = be64_put(export_sectors(w->x) * SECTOR);
	h->l1_size = be32_put(w->l1_size);
	h->l1_table_offset = be64_put(l1);
	h->refcount_table_offset = be64_put(refcounts);
	h->refcount_table_clusters = be32_put((uint32_t)table);
	h->refcount_order = be32_put(4);
	h->header_length =
		be32_put(zstd ? sizeof *h : offsetof(struct qcow2_header, compression_type));
	h->incompatible_features = be64_put(zstd ? INCOMPAT_PACKED : 0);
	h->compression_type = zstd ? PACKED_ZSTD : 0;
	if (w->x->original)
		put_backing(w, cluster);
	return export_write(w->x, cluster, CLUSTER, 0);
}

static int put_all(struct writer *w)
{
	uint64_t l1, refcounts, table;
	int r = w->x->original ? check_backing(w->x) : 0;

	if (!r && w->x->original)
		r = backing_name(w->x, w->backing);
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
	int r = export_check_size(x, "qcow2", DISK_MAX);
	struct writer *w;

	if (r)
		return r;
	w = calloc(1, sizeof *w);
	if (w) {
		w->x = x;
		w->next = CLUSTER;
		count(w, 0, CLUSTER);
		w->l1_size = (uint32_t)((size + L2_COVERS - 1) / L2_COVERS);
		/* At most L1_BYTES_MAX; whole clusters are written. */
		w->l1 = calloc(clusters(w->l1_size * sizeof(be64)), CLUSTER);
	}
	r = w && w->l1 ? put_all(w) : export_no_memory(x);
	if (w) {
		free(w->blocks);
		free(w->l1);
	}
	free(w);
	return r;
}
