/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "qtables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "ondisk.h"

#define BLOCK      4096u
#define L1_BITS    3
#define L1_CHECKED ((uint64_t)1 << 20)
#define L2_CHECKED ((uint64_t)2 << 20)

/* Clusters of data in a row that are enough for a request: more would not make it faster. */
#define RUN_CLUSTERS 64

/* QEMU's limit of a name's length. */
#define BACKING_NAME_MAX 1023

/* A stretch of a table, held in the cache. */
struct stretch {
	const struct cache_chunk *chunk;
	const uint8_t *entry; /* the one that was asked for */
	uint64_t left;        /* entries from it on */
};

/* The block of the table of `count` entries at off in which entry index stands. */
static int get_stretch(const struct qtables *t, uint64_t off, uint64_t count, unsigned entry_bits,
                       uint64_t index, struct stretch *s)
{
	uint64_t in_block = BLOCK >> entry_bits, first = align_down(index, in_block);
	uint64_t n = min64(in_block, count - first);
	int r = run_table(t->cache, t->file, off + (first << entry_bits), n << entry_bits,
	                  &s->chunk);

	if (r)
		return r;
	s->entry = (const uint8_t *)s->chunk->data + ((index - first) << entry_bits);
	s->left = n - (index - first);
	return 0;
}

static void put_stretch(const struct qtables *t, const struct stretch *s)
{
	cache_put(t->cache, s->chunk);
}

static uint64_t l2_count(const struct qtables *t)
{
	return (uint64_t)1 << t->l2_bits;
}

/* log2 of the bytes of disk that an L1 entry stands for: at most 53, which QED has. */
static unsigned l1_covers_bits(const struct qtables *t)
{
	return t->cluster_bits + t->l2_bits;
}

uint64_t qtables_l1_needed(const struct qtables *t)
{
	unsigned bits = l1_covers_bits(t);

	return (t->size >> bits) + ((t->size & (((uint64_t)1 << bits) - 1)) != 0);
}

void qtables_unallocated(const struct qtables *t, uint64_t off, struct run *run)
{
	run->kind = t->backed ? RUN_PARENT : RUN_ZERO;
	run->offset = off;
}

/* From off, of which L1 entry s->entry tells that there is no L2 table, to the next that is. */
static void map_without_l2(const struct qtables *t, const struct stretch *s, uint64_t off,
                           struct run *run)
{
	uint64_t covers = (uint64_t)1 << l1_covers_bits(t), n = 1, table = 0;

	qtables_unallocated(t, off, run);
	while (n < s->left && t->l1_entry(t, s->entry + (n << L1_BITS), &table) == 0 && table == 0)
		n++;
	run->length = n * covers - (off & (covers - 1));
}

/* Whether b, which begins where a ends on the disk, goes on where a ends. */
static bool follows(const struct run *a, const struct run *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case RUN_ZERO:
	case RUN_PARENT:
		return true;
	case RUN_RAW:
		return b->offset == a->offset + a->length;
	default:
		return false;
	}
}

/* Add the clusters that follow the first one in s to the run that begins at off. */
static void extend(const struct qtables *t, const struct stretch *s, uint64_t off, struct run *run)
{
	uint64_t cluster = (uint64_t)1 << t->cluster_bits;
	uint64_t next = align_down(off, cluster) + cluster;
	uint64_t n = run->kind == RUN_RAW ? min64(s->left, RUN_CLUSTERS) : s->left;

	for (uint64_t i = 1; i < n && next < t->size && off + run->length == next; i++) {
		struct run more = {0};

		if (t->l2_entry(t, s->entry + (i << t->entry_bits), next, &more) != 0 ||
		    !follows(run, &more))
			break;
		run->length += more.length;
		next += cluster;
	}
}

static int map_by_l2(const struct qtables *t, uint64_t table, uint64_t off, struct run *run)
{
	uint64_t index = off >> t->cluster_bits & (l2_count(t) - 1);
	struct stretch s;
	int r;

	/* No more than the beginning of L1 was looked through when the image was opened. */
	if (!range_ok(table, l2_count(t) << t->entry_bits, t->file->size))
		return -EIO;
	r = get_stretch(t, table, l2_count(t), t->entry_bits, index, &s);
	if (r)
		return r;
	r = t->l2_entry(t, s.entry, off, run);
	if (!r)
		extend(t, &s, off, run);
	put_stretch(t, &s);
	return r;
}

int qtables_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct qtables *t = self;
	struct stretch s;
	uint64_t table;
	int r = get_stretch(t, t->l1_offset, t->l1_entries, L1_BITS, off >> l1_covers_bits(t), &s);

	(void)node;
	if (r)
		return r;
	r = t->l1_entry(t, s.entry, &table);
	if (!r && !table)
		map_without_l2(t, &s, off, run);
	put_stretch(t, &s);
	return r || !table ? r : map_by_l2(t, table, off, run);
}

/* ---- checks when it is opened ---- */

/* One cluster, at off on the disk. */
static int check_cluster(const struct qtables *t, const uint8_t *entry, uint64_t off, bool *packed,
                         struct platter_error *err)
{
	uint64_t cluster = (uint64_t)1 << t->cluster_bits;
	uint64_t end = off + min64(cluster, t->size - off);

	while (off < end) {
		struct run run = {0};
		uint64_t need;
		int r = t->l2_entry(t, entry, off, &run);

		if (r)
			return err_set(
				err, -r,
				"the entry of the cluster at %llu of the disk is damaged, or "
				"the file is cut off at %llu",
				(unsigned long long)off, (unsigned long long)t->file->size);
		need = min64(run.length, end - off);
		if (run.kind == RUN_RAW && !range_ok(run.offset, need, run.dev->size))
			return err_set(err, EIO,
			               "the cluster at %llu of the disk, which stands at %llu of "
			               "its file, passes the end at %llu",
			               (unsigned long long)off, (unsigned long long)run.offset,
			               (unsigned long long)run.dev->size);
		*packed = *packed || run.kind == RUN_PACKED;
		off += need;
	}
	return 0;
}

/* An L2 table's entries, those past the end of the disk left out. */
static int check_l2(const struct qtables *t, uint64_t table, uint64_t off, bool *packed,
                    struct platter_error *err)
{
	uint64_t n = min64(l2_count(t), ((t->size - off - 1) >> t->cluster_bits) + 1);
	int r = 0;

	for (uint64_t i = 0; i < n && !r;) {
		struct stretch s;

		r = get_stretch(t, table, l2_count(t), t->entry_bits, i, &s);
		if (r)
			return err_set(err, -r, "the L2 table at %llu: %s",
			               (unsigned long long)table, strerror(-r));
		for (uint64_t k = 0; k < s.left && i < n && !r; k++, i++)
			r = check_cluster(t, s.entry + (k << t->entry_bits),
			                  off + (i << t->cluster_bits), packed, err);
		put_stretch(t, &s);
	}
	return r;
}

/* L1 entry number index. */
static int check_l1_entry(const struct qtables *t, const uint8_t *entry, uint64_t index,
                          uint64_t *budget, bool *packed, struct platter_error *err)
{
	uint64_t table, bytes = l2_count(t) << t->entry_bits;
	int r = t->l1_entry(t, entry, &table);

	if (r)
		return err_set(err, -r, "entry %llu of the L1 table is damaged",
		               (unsigned long long)index);
	if (table == 0)
		return 0;
	if (!range_ok(table, bytes, t->file->size))
		return err_set(err, EIO,
		               "the L2 table of %llu bytes at %llu passes the end at %llu",
		               (unsigned long long)bytes, (unsigned long long)table,
		               (unsigned long long)t->file->size);
	if (bytes > *budget) {
		*budget = 0;
		*packed = true;
		return 0;
	}
	*budget -= bytes;
	return check_l2(t, table, index << l1_covers_bits(t), packed, err);
}

int qtables_check(const struct qtables *t, bool *packed, struct platter_error *err)
{
	uint64_t n = min64(t->l1_entries, L1_CHECKED >> L1_BITS), budget = L2_CHECKED;
	int r = 0;

	*packed = n < t->l1_entries;
	for (uint64_t i = 0; i < n && !r;) {
		struct stretch s;

		r = get_stretch(t, t->l1_offset, t->l1_entries, L1_BITS, i, &s);
		if (r)
			return err_set(err, -r, "the L1 table at %llu: %s",
			               (unsigned long long)t->l1_offset, strerror(-r));
		for (uint64_t k = 0; k < s.left && i < n && !r; k++, i++)
			r = check_l1_entry(t, s.entry + (k << L1_BITS), i, &budget, packed, err);
		put_stretch(t, &s);
	}
	return r;
}

/* ---- the backing file ---- */

int qtables_backing_name(struct dev *file, uint64_t off, uint64_t len, uint64_t end, char **name,
                         struct platter_error *err)
{
	int r;

	*name = NULL;
	if (len > BACKING_NAME_MAX)
		return err_set(err, ENAMETOOLONG,
		               "the backing file's name has %llu bytes, at most %d",
		               (unsigned long long)len, BACKING_NAME_MAX);
	if (!range_ok(off, len, min64(end, file->size)))
		return err_set(err, EIO,
		               "the backing file's name of %llu bytes at %llu passes %llu",
		               (unsigned long long)len, (unsigned long long)off,
		               (unsigned long long)min64(end, file->size));
	*name = calloc(1, len + 1);
	if (!*name)
		return err_set(err, ENOMEM, "no memory");
	r = dev_pread(file, *name, len, off);
	if (r)
		err_set(err, -r, "the backing file's name cannot be read");
	else if (strlen(*name) != len)
		r = err_set(err, EINVAL, "the backing file's name holds a NUL");
	if (r) {
		free(*name);
		*name = NULL;
	}
	return r;
}
