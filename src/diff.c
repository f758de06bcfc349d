/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an overlay changes: its contents against those of the image under it. Only what the overlay
 * holds is looked at, and of that nothing is read where both sides have holes, so that the cost is
 * that of the changes and not of the disk.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "ondisk.h"

#define SECTOR 512u
/* What is read of each side at a time. */
#define CHUNK ((size_t)1 << 20)

/* From start on, up to the next one, the disk belongs to part (0: none). */
struct stretch {
	uint64_t start;
	uint32_t part;
};

struct platter_diff {
	struct overlay *overlay;
	struct dev *now, *before; /* borrowed */
	struct stretch *stretches;
	size_t nstretches;
	uint64_t known, known_end; /* what was found out last: whether the overlay holds it */
	bool held;
	uint64_t chunk, chunk_end; /* what is in the buffers */
	char *bufs[2];
};

/* ---- whose a byte is ---- */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Who comes first has a byte that several partitions cover. */
static int by_claim(const void *a, const void *b)
{
	const struct partition *x = *(struct partition *const *)a;
	const struct partition *y = *(struct partition *const *)b;

	if (x->container != y->container)
		return x->container ? 1 : -1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* The stretches, as yet nobody's, between all the places where a partition begins or ends. */
static size_t cut(const struct table *table, uint64_t size, uint64_t *bounds, struct stretch *out)
{
	size_t n = 0, kept = 0;

	bounds[n++] = 0;
	for (size_t i = 0; i < table->nparts; i++) {
		const struct partition *part = &table->parts[i];

		if (part->usable) {
			bounds[n++] = part->start;
			bounds[n++] = part->start + part->usable;
		}
	}
	qsort(bounds, n, sizeof *bounds, by_value);
	for (size_t i = 0; i < n; i++)
		if (bounds[i] < size && (kept == 0 || out[kept - 1].start != bounds[i]))
			out[kept++] = (struct stretch){.start = bounds[i]};
	return kept;
}

/* The last stretch that begins at or before off. */
static size_t stretch_at(const struct platter_diff *d, uint64_t off)
{
	size_t low = 0, high = d->nstretches;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (d->stretches[mid].start <= off)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/*
 * Give part what nobody has yet. free[i] leads towards the first stretch from i on that is still
 * nobody's: each is given once, however much the partitions overlap.
 */
static void claim(struct platter_diff *d, const struct partition *part, size_t *free_at)
{
	uint64_t end = part->start + part->usable;

	for (size_t i = stretch_at(d, part->start); i < d->nstretches; i++) {
		while (free_at[i] != i) {
			free_at[i] = free_at[free_at[i]];
			i = free_at[i];
		}
		if (i == d->nstretches || d->stretches[i].start >= end)
			return;
		d->stretches[i].part = part->number;
		free_at[i] = i + 1;
	}
}

/* Neighbours with one owner are one: a border that another partition hides is none. */
static void join(struct platter_diff *d)
{
	size_t kept = 1;

	for (size_t i = 1; i < d->nstretches; i++)
		if (d->stretches[i].part != d->stretches[kept - 1].part)
			d->stretches[kept++] = d->stretches[i];
	d->nstretches = kept;
}

static int make_stretches(struct platter_diff *d, struct table *table)
{
	size_t most = 2 * table->nparts + 1, n = 0;
	uint64_t *bounds = calloc(most, sizeof *bounds);
	size_t *free_at = calloc(most + 1, sizeof *free_at);
	struct partition **parts = calloc(table->nparts + 1, sizeof *parts);
	bool good;

	d->stretches = calloc(most, sizeof *d->stretches);
	good = bounds && free_at && parts && d->stretches;
	if (good) {
		d->nstretches = cut(table, d->now->size, bounds, d->stretches);
		for (size_t i = 0; i <= d->nstretches; i++)
			free_at[i] = i;
		for (size_t i = 0; i < table->nparts; i++)
			if (table->parts[i].usable)
				parts[n++] = &table->parts[i];
		qsort(parts, n, sizeof *parts, by_claim);
		for (size_t i = 0; i < n; i++)
			claim(d, parts[i], free_at);
		join(d);
	}
	free(parts);
	free(free_at);
	free(bounds);
	return good ? 0 : -ENOMEM;
}

/* ---- comparing ---- */

/* How many bytes from off on, in the buffers, are alike: all in sectors that differ, or in none. */
static uint64_t run_in_chunk(const struct platter_diff *d, uint64_t off, bool *differs)
{
	uint64_t at = off;

	while (at < d->chunk_end) {
		uint64_t n = min64(align_down(at, SECTOR) + SECTOR, d->chunk_end) - at;
		size_t i = (size_t)(at - d->chunk);
		bool differ = memcmp(d->bufs[0] + i, d->bufs[1] + i, (size_t)n) != 0;

		if (at == off)
			*differs = differ;
		else if (differ != *differs)
			break;
		at += n;
	}
	return at - off;
}

/* The bytes from off on that are holes on both sides; whole sectors, but for the disk's end. */
static int holes(const struct platter_diff *d, uint64_t off, uint64_t *n)
{
	struct dev_extent now, before;
	int r = dev_extent(d->now, off, &now);

	*n = 0;
	if (!r && now.hole)
		r = dev_extent(d->before, off, &before);
	if (r || !now.hole || !before.hole)
		return r;
	*n = min64(min64(now.length, before.length), d->known_end - off);
	if (off + *n < d->known_end)
		*n = align_down(off + *n, SECTOR) > off ? align_down(off + *n, SECTOR) - off : 0;
	return 0;
}

/* How many bytes from off on, before end, are alike: changed all of them, or all the same; >= 1. */
static int look(struct platter_diff *d, uint64_t off, uint64_t end, bool *differs, uint64_t *n)
{
	int r;

	*differs = false;
	if (off < d->known || off >= d->known_end) {
		r = overlay_held(d->overlay, off, end - off, &d->held, n);
		d->known = off;
		d->known_end = r ? off : off + *n;
		if (r)
			return r;
	}
	*n = d->known_end - off;
	if (!d->held)
		return 0;
	if (off < d->chunk || off >= d->chunk_end) {
		r = holes(d, off, n);
		if (r || *n)
			return r;
		/* Shorter holes are read like data: asking for each would cost more. */
		*n = min64(d->known_end - off, CHUNK);
		d->chunk = d->chunk_end = 0;
		r = dev_pread(d->now, d->bufs[0], (size_t)*n, off);
		if (!r)
			r = dev_pread(d->before, d->bufs[1], (size_t)*n, off);
		if (r)
			return r;
		d->chunk = off;
		d->chunk_end = off + *n;
	}
	*n = run_in_chunk(d, off, differs);
	return 0;
}

int platter_diff_next(struct platter_diff *d, uint64_t off, uint64_t end,
                      struct platter_change *change, struct platter_error *err)
{
	bool differs = false, more = true;
	uint64_t n = 0, limit;
	size_t i;
	int r = 0;

	end = min64(end, d->now->size);
	for (; off < end; off += n) {
		r = look(d, off, end, &differs, &n);
		if (r || differs)
			break;
	}
	if (!r && off >= end)
		return err_set(err, ENXIO, "no further change");
	i = stretch_at(d, off);
	limit = i + 1 < d->nstretches ? min64(end, d->stretches[i + 1].start) : end;
	*change = (struct platter_change){.start = off, .part = d->stretches[i].part};
	for (; !r && more && off < limit; off += more ? n : 0)
		r = look(d, off, end, &more, &n);
	change->size = min64(off, limit) - change->start;
	return r ? err_set(err, -r, "comparing byte %llu of the disk: %s", (unsigned long long)off,
	                   strerror(-r))
	         : 0;
}

int platter_diff_open(struct platter *p, struct platter_diff **out, struct platter_error *err)
{
	struct platter_diff *d = calloc(1, sizeof *d);
	int r;

	*out = NULL;
	if (!d)
		return err_set(err, ENOMEM, "no memory");
	if (!p->overlay || p->disk->size != p->image->size) {
		free(d);
		return err_set(err, EINVAL, "%s: only the whole of an overlay can be compared",
		               p->path);
	}
	d->overlay = p->overlay;
	d->now = overlay_dev(p->overlay);
	d->before = p->image;
	d->bufs[0] = malloc(CHUNK);
	d->bufs[1] = malloc(CHUNK);
	r = d->bufs[0] && d->bufs[1] ? make_stretches(d, &p->table) : -ENOMEM;
	if (r) {
		platter_diff_close(d);
		return err_set(err, -r, "no memory");
	}
	*out = d;
	return 0;
}

void platter_diff_close(struct platter_diff *d)
{
	if (!d)
		return;
	free(d->bufs[0]);
	free(d->bufs[1]);
	free(d->stretches);
	free(d);
}
