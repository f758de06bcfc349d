/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file as it would be after updates that were never written to it. The updates overlap as they
 * like and the later one wins; here they become stretches that do not, in the file's order, so that
 * a read finds its own by bisection.
 *
 * How: the ends of all updates cut the file into pieces, each of which is in an update or not. The
 * updates, the last one first, take the pieces that nobody has; `next` leads from a piece that is
 * taken to one that may not be, so each is taken once however many updates cover it.
 */
#include "config.h"

#include "vhdx.h"

#include <errno.h>
#include <stdlib.h>

struct patched {
	struct dev dev;
	struct dev *lower;
	void *pages;
	struct vhdx_patch *patches; /* in order, none overlaps another */
	size_t count;
};

/* ---- making the stretches ---- */

struct pieces {
	uint64_t *start; /* of each piece; one more is the end of the last */
	size_t count;
	size_t *next;
	size_t *owner; /* number of the patch, SIZE_MAX: none */
};

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void cut(struct pieces *p, const struct vhdx_patch *patches, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		p->start[2 * i] = patches[i].offset;
		p->start[2 * i + 1] = patches[i].offset + patches[i].length;
	}
	qsort(p->start, 2 * count, sizeof *p->start, compare);
	for (size_t i = 1; i < 2 * count; i++)
		if (p->start[i] != p->start[n])
			p->start[++n] = p->start[i];
	p->count = n;
	for (size_t i = 0; i <= n; i++) {
		p->next[i] = i;
		p->owner[i] = SIZE_MAX;
	}
}

/* The first piece from i on that nobody has taken. */
static size_t untaken(struct pieces *p, size_t i)
{
	while (p->next[i] != i) {
		p->next[i] = p->next[p->next[i]];
		i = p->next[i];
	}
	return i;
}

static size_t piece_at(const struct pieces *p, uint64_t offset)
{
	const uint64_t *at = bsearch(&offset, p->start, p->count + 1, sizeof offset, compare);

	return (size_t)(at - p->start);
}

static void take(struct pieces *p, const struct vhdx_patch *patch, size_t owner)
{
	size_t end = piece_at(p, patch->offset + patch->length);

	for (size_t i = untaken(p, piece_at(p, patch->offset)); i < end; i = untaken(p, i)) {
		p->owner[i] = owner;
		p->next[i] = i + 1;
	}
}

/* Pieces that follow each other in one patch are one stretch. */
static size_t collect(const struct pieces *p, const struct vhdx_patch *patches,
                      struct vhdx_patch *out)
{
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++) {
		const struct vhdx_patch *from;

		if (p->owner[i] == SIZE_MAX)
			continue;
		from = &patches[p->owner[i]];
		if (i && p->owner[i - 1] == p->owner[i]) {
			out[n - 1].length += p->start[i + 1] - p->start[i];
			continue;
		}
		out[n++] = (struct vhdx_patch){
			p->start[i],
			p->start[i + 1] - p->start[i],
			from->bytes ? from->bytes + (p->start[i] - from->offset) : NULL,
		};
	}
	return n;
}

/* *out has room for 2 * count stretches. */
static int flatten(const struct vhdx_patch *patches, size_t count, struct vhdx_patch *out,
                   size_t *n)
{
	struct pieces p = {
		.start = calloc(2 * count, sizeof *p.start),
		.next = calloc(2 * count, sizeof *p.next),
		.owner = calloc(2 * count, sizeof *p.owner),
	};
	int r = p.start && p.next && p.owner ? 0 : -ENOMEM;

	if (!r) {
		cut(&p, patches, count);
		for (size_t i = count; i-- > 0;)
			take(&p, &patches[i], i);
		*n = collect(&p, patches, out);
	}
	free(p.start);
	free(p.next);
	free(p.owner);
	return r;
}

/* ---- the device ---- */

/* The first patch that ends behind off, or count. */
static size_t find(const struct patched *d, uint64_t off)
{
	size_t lo = 0, hi = d->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct vhdx_patch *p = &d->patches[mid];

		if (p->offset + p->length <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Read where no patch is. */
static int read_lower(struct patched *d, void *buf, size_t len, uint64_t off)
{
	size_t n = off < d->lower->size ? (size_t)min64(len, d->lower->size - off) : 0;

	memset((char *)buf + n, 0, len - n);
	return n ? dev_pread(d->lower, buf, n, off) : 0;
}

static int patched_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	struct patched *d = (struct patched *)dev;
	size_t i = find(d, off), n;
	int r = 0;

	for (; len && !r; buf = (char *)buf + n, off += n, len -= n) {
		const struct vhdx_patch *p = i < d->count ? &d->patches[i] : NULL;

		if (!p || off < p->offset) {
			n = p ? (size_t)min64(len, p->offset - off) : len;
			r = read_lower(d, buf, n, off);
			continue;
		}
		n = (size_t)min64(len, p->offset + p->length - off);
		if (p->bytes)
			memcpy(buf, p->bytes + (off - p->offset), n);
		else
			memset(buf, 0, n);
		i++;
	}
	return r;
}

static int patched_extent(struct dev *dev, uint64_t off, struct dev_extent *ext)
{
	struct patched *d = (struct patched *)dev;
	size_t i = find(d, off);
	const struct vhdx_patch *p = i < d->count ? &d->patches[i] : NULL;
	uint64_t length = (p ? p->offset : d->dev.size) - off;
	int r;

	if (p && off >= p->offset) {
		*ext = (struct dev_extent){p->offset + p->length - off, !p->bytes};
		return 0;
	}
	if (off >= d->lower->size) {
		*ext = (struct dev_extent){length, true};
		return 0;
	}
	r = dev_extent(d->lower, off, ext);
	ext->length = min64(ext->length, length);
	return r;
}

static uint64_t patched_room(struct dev *dev)
{
	return dev_room(((struct patched *)dev)->lower);
}

static void patched_close(struct dev *dev)
{
	struct patched *d = (struct patched *)dev;

	dev_unref(d->lower);
	free(d->patches);
	free(d->pages);
	free(d);
}

static const struct dev_ops patched_ops = {
	.pread = patched_pread,
	.extent = patched_extent,
	.room = patched_room,
	.close = patched_close,
};

int vhdx_patch_dev(struct dev *lower, uint64_t size, const struct vhdx_patch *patches, size_t count,
                   void *pages, struct dev **out)
{
	struct patched *d = calloc(1, sizeof *d);
	int r = 0;

	*out = NULL;
	if (!d) {
		free(pages);
		return -ENOMEM;
	}
	dev_init(&d->dev, &patched_ops, size);
	d->lower = dev_ref(lower);
	d->pages = pages;
	if (count) {
		d->patches = calloc(2 * count, sizeof *d->patches);
		r = d->patches ? flatten(patches, count, d->patches, &d->count) : -ENOMEM;
	}
	if (r)
		dev_unref(&d->dev);
	else
		*out = &d->dev;
	return r;
}
