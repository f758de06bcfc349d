/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ntfsclone's special image format, version 10 (ntfsclone(8), "--save-image"; the structures are
 * those of ntfsprogs/ntfsclone.c of NTFS-3G).
 *
 * A header, then commands: "the next so many clusters are not in use" (a byte 0 and a 64-bit
 * number) and "here is the next cluster" (a byte 1 and its bytes). There is no index, so one pass
 * over the file makes one of the runs of clusters, which is kept (indexcache.h). Stored clusters
 * are a byte apart; they are put together in chunks.
 *
 * Images of the metadata alone go back and forth between clusters; they hold no files and are
 * refused.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers.h"
#include "indexcache.h"
#include "ondisk.h"

struct image_hdr {
	uint8_t magic[16];         /* +0x00 */
	uint8_t major_ver;         /* +0x10 */
	uint8_t minor_ver;         /* +0x11 */
	le32 cluster_size;         /* +0x12 */
	le64 device_size;          /* +0x16 */
	le64 nr_clusters;          /* +0x1e */
	le64 inuse;                /* +0x26 */
	le32 offset_to_image_data; /* +0x2e */
};

_Static_assert(sizeof(struct image_hdr) == 50, "struct image_hdr");

static const uint8_t magic[16] = "\0ntfsclone-image";

#define CMD_GAP  0
#define CMD_NEXT 1
#define GAP_SIZE 9

#define CLUSTER_MAX (2u << 20) /* NTFS knows no larger ones */

/* Runs of clusters that are held, 24 bytes each. */
#define RUNS_MAX ((size_t)2 << 20)

/* What is read at a time, and unpacked. */
#define READ_BYTES ((size_t)1 << 20)
#define CHUNK      ((uint32_t)256 << 10)

/* "nc", 1: what marks its index in the cache. */
#define INDEX_ID 0x6e630001u

/* As it is kept in the cache, too. */
struct cluster_run {
	le64 first, count; /* clusters */
	le64 at;           /* in the file, of the first one's command */
};

struct ntfsclone {
	struct dev *file;
	uint64_t size;
	uint32_t cluster, chunk;
	uint64_t clusters; /* that there may be: those of the volume, and the last sector's */
	struct cluster_run *runs;
	size_t nruns;
};

/* ---- the pass ---- */

struct pass {
	struct ntfsclone *n;
	uint64_t at;      /* of the next command */
	uint64_t cluster; /* it is about */
	uint64_t start;   /* of what is in buf */
	size_t len;
	uint8_t buf[READ_BYTES];
};

/* len bytes at p->at. */
static int peek(struct pass *p, size_t len, const uint8_t **bytes)
{
	int r;

	if (!range_ok(p->at, len, p->n->file->size))
		return -ENODATA;
	if (p->at < p->start || !range_ok(p->at - p->start, len, p->len)) {
		p->start = p->at;
		p->len = (size_t)min64(sizeof p->buf, p->n->file->size - p->at);
		r = dev_pread(p->n->file, p->buf, p->len, p->at);
		if (r)
			return r;
	}
	*bytes = p->buf + (p->at - p->start);
	return 0;
}

static int add_cluster(struct pass *p, struct platter_error *err)
{
	struct ntfsclone *n = p->n;
	struct cluster_run *last = n->nruns ? &n->runs[n->nruns - 1] : NULL, *more = n->runs;

	if (last && le64_get(last->first) + le64_get(last->count) == p->cluster &&
	    le64_get(last->at) + le64_get(last->count) * (n->cluster + 1ull) == p->at) {
		last->count = le64_put(le64_get(last->count) + 1);
		return 0;
	}
	if (n->nruns == RUNS_MAX)
		return err_set(err, E2BIG, "more than %zu runs of clusters", RUNS_MAX);
	if ((n->nruns & (n->nruns - 1)) == 0)
		more = reallocarray(n->runs, n->nruns ? 2 * n->nruns : 1, sizeof *more);
	if (!more)
		return err_set(err, ENOMEM, "no memory");
	n->runs = more;
	n->runs[n->nruns++] =
		(struct cluster_run){le64_put(p->cluster), le64_put(1), le64_put(p->at)};
	return 0;
}

static int take_gap(struct pass *p, struct platter_error *err)
{
	const uint8_t *bytes;
	uint64_t count;
	le64 v;
	int r = peek(p, GAP_SIZE, &bytes);

	if (r)
		return r;
	memcpy(v.b, bytes + 1, sizeof v);
	count = le64_get(v);
	if (count >> 63)
		return err_set(err, EOPNOTSUPP,
		               "command at %llu goes back: an image of the metadata alone, which "
		               "is not supported",
		               (unsigned long long)p->at);
	if (count == 0 || !range_ok(p->cluster, count, p->n->clusters))
		return err_set(err, EIO, "command at %llu: a gap of %llu clusters at %llu of %llu",
		               (unsigned long long)p->at, (unsigned long long)count,
		               (unsigned long long)p->cluster, (unsigned long long)p->n->clusters);
	p->cluster += count;
	p->at += GAP_SIZE;
	return 0;
}

static int take_cluster(struct pass *p, struct platter_error *err)
{
	struct ntfsclone *n = p->n;
	uint64_t start, bytes;
	int r;

	if (p->cluster >= n->clusters || !ckd_mul64(&start, p->cluster, n->cluster) ||
	    start >= n->size)
		return err_set(err, EIO, "command at %llu: a cluster behind the disk's end",
		               (unsigned long long)p->at);
	r = add_cluster(p, err);
	if (r)
		return r;
	/* The last one ends with the disk. */
	bytes = min64(n->cluster, n->size - start);
	if (!range_ok(p->at + 1, bytes, n->file->size))
		return -ENODATA;
	p->cluster++;
	p->at += 1 + bytes;
	return 0;
}

static int run_pass(struct pass *p, struct image *image, struct platter_error *err)
{
	uint64_t told = 0;
	int r = 0;

	while (!r && p->at < image->file->size) {
		const uint8_t *command;

		r = peek(p, 1, &command);
		if (!r && *command == CMD_GAP)
			r = take_gap(p, err);
		else if (!r && *command == CMD_NEXT)
			r = take_cluster(p, err);
		else if (!r)
			r = err_set(err, EIO, "command at %llu: %u, expected 0 or 1",
			            (unsigned long long)p->at, *command);
		if (r == -ENODATA)
			r = err_set(err, EIO, "the file ends in cluster %llu of %llu",
			            (unsigned long long)p->cluster,
			            (unsigned long long)p->n->clusters);
		if (!r && p->at - told >= 1 << 22) {
			told = p->at;
			r = image_progress(image, told, image->file->size, err);
		}
	}
	/* Up to 10.0 the last sector was not stored, so a cluster or its gap may be missing. */
	if (!r && p->cluster + 1 < p->n->clusters)
		r = err_set(err, EIO, "the file ends behind cluster %llu of %llu",
		            (unsigned long long)p->cluster, (unsigned long long)p->n->clusters);
	return r;
}

/* ---- the kept index ---- */

static bool runs_good(const struct ntfsclone *n)
{
	uint64_t next = 0;

	for (size_t i = 0; i < n->nruns; i++) {
		const struct cluster_run *r = &n->runs[i];
		uint64_t first = le64_get(r->first), count = le64_get(r->count);

		if (first < next || count == 0 || !range_ok(first, count, n->clusters) ||
		    le64_get(r->at) >= n->file->size)
			return false;
		next = first + count;
	}
	return true;
}

static bool load_index(struct ntfsclone *n, const struct image *image)
{
	uint8_t *data;
	size_t len;

	if (!indexcache_load(image, INDEX_ID, &data, &len))
		return false;
	n->runs = (struct cluster_run *)data;
	n->nruns = len / sizeof *n->runs;
	if (len % sizeof *n->runs == 0 && n->nruns <= RUNS_MAX && runs_good(n))
		return true;
	free(data);
	n->runs = NULL;
	n->nruns = 0;
	return false;
}

static int make_index(struct ntfsclone *n, struct image *image, uint64_t data,
                      struct platter_error *err)
{
	struct pass *p;
	int r;

	if (load_index(n, image))
		return 0;
	p = malloc(sizeof *p);
	if (!p)
		return err_set(err, ENOMEM, "no memory");
	p->n = n;
	p->at = data;
	p->cluster = p->start = 0;
	p->len = 0;
	r = run_pass(p, image, err);
	free(p);
	if (!r)
		indexcache_store(image, INDEX_ID, (const uint8_t *)n->runs,
		                 n->nruns * sizeof *n->runs);
	return r;
}

/* ---- the map ---- */

/* The first run that ends behind the cluster; nruns when there is none. */
static size_t find(const struct ntfsclone *n, uint64_t cluster)
{
	size_t low = 0, high = n->nruns;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct cluster_run *r = &n->runs[mid];

		if (le64_get(r->first) + le64_get(r->count) <= cluster)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Read count clusters of a run, from its cluster number `from` on, to data, of which left bytes
 * are there. */
static int read_clusters(const struct ntfsclone *n, const struct cluster_run *run, uint64_t from,
                         uint64_t count, uint8_t *data, size_t left)
{
	size_t stride = n->cluster + 1u, len = (size_t)count * stride;
	uint64_t at = le64_get(run->at) + from * stride;
	uint8_t *packed = malloc(len);
	int r;

	if (!packed)
		return -ENOMEM;
	/* The last cluster may be cut, where the disk is. */
	if (left < count * n->cluster)
		len -= (size_t)(count * n->cluster - left);
	r = dev_pread(n->file, packed, len, at);
	for (uint64_t i = 0; !r && i < count; i++) {
		size_t bytes = (size_t)min64(n->cluster, left);

		memcpy(data, packed + i * stride + 1, bytes);
		data += bytes;
		left -= bytes;
	}
	free(packed);
	return r;
}

static int make_chunk(void *self, uint64_t off, void *data, size_t size)
{
	const struct ntfsclone *n = self;
	uint64_t first = off / n->cluster, end = (off + size + n->cluster - 1) / n->cluster;
	int r = 0;

	memset(data, 0, size);
	for (size_t i = find(n, first); !r && i < n->nruns; i++) {
		const struct cluster_run *run = &n->runs[i];
		uint64_t start = max64(first, le64_get(run->first)), skip;
		uint64_t stop = min64(end, le64_get(run->first) + le64_get(run->count));

		if (start >= end)
			break;
		skip = (start - first) * n->cluster;
		r = read_clusters(n, run, start - le64_get(run->first), stop - start,
		                  (uint8_t *)data + skip,
		                  (size_t)min64((stop - start) * n->cluster, size - skip));
	}
	return r;
}

static int ntfsclone_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	struct ntfsclone *n = self;
	uint64_t cluster = off / n->cluster, chunk = off - off % n->chunk, end = n->size;
	size_t i = find(n, cluster);
	const struct cluster_run *r = i < n->nruns ? &n->runs[i] : NULL;

	(void)node;
	if (r)
		end = min64(end, le64_get(r->first) * n->cluster);
	*run = (struct run){.kind = RUN_ZERO, .length = end - off};
	if (!r || le64_get(r->first) > cluster)
		return 0;
	end = min64(n->size, (le64_get(r->first) + le64_get(r->count)) * n->cluster);
	run->kind = RUN_MADE;
	run->offset = chunk;
	run->unpacked = (uint32_t)min64(n->chunk, n->size - chunk);
	run->skip = (uint32_t)(off - chunk);
	run->length = min64(end - off, run->unpacked - run->skip);
	run->make = make_chunk;
	return 0;
}

/* ---- opening ---- */

static int read_header(struct ntfsclone *n, const struct image_hdr *h, struct platter_error *err)
{
	uint64_t bytes, data = le32_get(h->offset_to_image_data);

	n->cluster = le32_get(h->cluster_size);
	n->size = le64_get(h->device_size);
	if (h->major_ver != 10)
		return err_set(err, EOPNOTSUPP, "version %u.%u, expected 10.x", h->major_ver,
		               h->minor_ver);
	if (!is_pow2(n->cluster) || n->cluster < 256 || n->cluster > CLUSTER_MAX)
		return err_set(err, EIO,
		               "clusters of %u bytes, expected a power of two from 256 to %u",
		               n->cluster, CLUSTER_MAX);
	if (n->size == 0 || n->size > DEV_SIZE_MAX ||
	    !ckd_mul64(&bytes, le64_get(h->nr_clusters), n->cluster) || bytes == 0 ||
	    bytes > n->size)
		return err_set(err, EIO, "%llu clusters of %u bytes on a disk of %llu bytes",
		               (unsigned long long)le64_get(h->nr_clusters), n->cluster,
		               (unsigned long long)n->size);
	if (data < sizeof *h || data > n->file->size)
		return err_set(err, EIO, "data at %llu, expected %zu to %llu",
		               (unsigned long long)data, sizeof *h,
		               (unsigned long long)n->file->size);
	n->clusters = le64_get(h->nr_clusters) + 1;
	n->chunk = (uint32_t)max64(CHUNK, n->cluster);
	return 0;
}

static void ntfsclone_close(void *self)
{
	struct ntfsclone *n = self;

	free(n->runs);
	free(n);
}

static int ntfsclone_open(struct image *image, struct platter_error *err)
{
	struct image_hdr h;
	struct ntfsclone *n;
	int r;

	r = image_read_head(image->file, h.magic, sizeof magic, err);
	if (r)
		return r;
	if (memcmp(h.magic, magic, sizeof magic) != 0)
		return DRIVER_NOT_MINE;
	if (image->file->size < sizeof h)
		return err_set(err, EIO, "%llu bytes, expected a header of %zu",
		               (unsigned long long)image->file->size, sizeof h);
	r = image_read_head(image->file, &h, sizeof h, err);
	if (r)
		return r;
	n = calloc(1, sizeof *n);
	if (!n)
		return err_set(err, ENOMEM, "no memory");
	n->file = image->file;
	r = read_header(n, &h, err);
	if (!r)
		r = make_index(n, image, le32_get(h.offset_to_image_data), err);
	if (r) {
		ntfsclone_close(n);
		return r;
	}
	image->self = n;
	image->size = n->size;
	return 0;
}

const struct format_driver format_ntfsclone = {
	.name = "ntfsclone",
	.id = 30,
	.open = ntfsclone_open,
	.map = ntfsclone_map,
	.close = ntfsclone_close,
};
