/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parallels disk bundles, .hdd: a folder (QEMU's docs/interop/prl-xml.txt). DiskDescriptor.xml says
 * how large the disk is, of which storages it consists (one, or several where the disk is split),
 * and which file holds a storage's image for each snapshot: "Plain", the bytes as they are, or
 * "Compressed", which only means expanding (formats/parallels.c).
 *
 * Snapshots form a tree; the top one is the present state, and the images from it to the root stand
 * on each other: what one does not hold is in the next. An expanding image does not know that: a
 * cluster that it does not hold comes from it as zeros, and is then looked for in the next.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hdd.h"
#include "ondisk.h"

/* A storage, opened. */
struct stretch {
	uint64_t start, size;                  /* bytes */
	struct image *images[CHAIN_DEPTH_MAX]; /* the top one first */
	unsigned count;
};

struct hdd {
	uint64_t size;
	struct stretch *stretches;
	size_t count;
};

static const struct hdd_image *image_of(const struct hdd_descriptor *d, size_t storage,
                                        const char *guid)
{
	for (size_t i = 0; i < d->nimages; i++)
		if (d->images[i].storage == storage && hdd_same(d->images[i].guid, guid))
			return &d->images[i];
	return NULL;
}

/* A descriptor without snapshots has one image for each storage, of whatever GUID. */
static const struct hdd_image *only_image(const struct hdd_descriptor *d, size_t storage)
{
	const struct hdd_image *found = NULL;

	for (size_t i = 0; i < d->nimages && d->nshots == 0; i++)
		if (d->images[i].storage == storage) {
			if (found)
				return NULL;
			found = &d->images[i];
		}
	return found;
}

/* Open one image, to stand below those that the stretch has. */
static int open_image(struct image *image, struct stretch *s, const struct hdd_image *i,
                      struct platter_error *err)
{
	struct image *opened;
	int r;

	if (s->count == CHAIN_DEPTH_MAX)
		return err_set(err, EMLINK, "more than %d snapshots stand on each other",
		               CHAIN_DEPTH_MAX);
	r = image_open_parent(image, "image", i->file, i->plain ? "raw" : "parallels", err);
	opened = image->parent;
	image->parent = NULL; /* there may be several, which are closed here */
	if (opened)
		s->images[s->count++] = opened;
	if (r)
		return r;
	image_note_of(image, opened);
	/* What stands on another image may be smaller, where the disk has grown since. */
	if (opened->size < s->size && (s->count == 1 || i->plain))
		return err_set(err, EINVAL,
		               "image \"%s\": %" PRIu64 " bytes, expected at least %" PRIu64,
		               i->file, opened->size, s->size);
	return 0;
}

static int open_stretch(struct image *image, const struct hdd_descriptor *d, size_t storage,
                        struct stretch *s, struct platter_error *err)
{
	const char *guid = d->top;

	s->start = d->storages[storage].start * HDD_SECTOR;
	s->size = d->storages[storage].end * HDD_SECTOR - s->start;
	while (guid) {
		const struct hdd_image *i = image_of(d, storage, guid);
		const char *parent = hdd_parent(d, guid);
		int r;

		if (!i)
			i = only_image(d, storage);
		if (!i)
			return err_set(err, EINVAL, "storage %zu has no image of snapshot %s",
			               storage, guid);
		if (i->plain && parent)
			return err_set(err, EINVAL,
			               "image \"%s\": a plain one that stands on another", i->file);
		r = open_image(image, s, i, err);
		if (r)
			return r;
		guid = parent;
	}
	return 0;
}

static void hdd_close(void *self)
{
	struct hdd *h = self;

	for (size_t i = 0; i < h->count; i++)
		for (unsigned j = 0; j < h->stretches[i].count; j++)
			image_close(h->stretches[i].images[j]);
	free(h->stretches);
	free(h);
}

static int open_all(struct image *image, const struct hdd_descriptor *d, struct hdd *h,
                    struct platter_error *err)
{
	int r = 0;

	h->stretches = calloc(d->nstorages, sizeof *h->stretches);
	if (!h->stretches)
		return err_set(err, ENOMEM, "no memory");
	h->size = d->sectors * HDD_SECTOR;
	for (size_t i = 0; i < d->nstorages && !r; i++)
		r = open_stretch(image, d, i, &h->stretches[h->count++], err);
	return r;
}

static int hdd_open(struct image *image, struct platter_error *err)
{
	struct hdd_descriptor d;
	struct hdd *h;
	int r;

	if (!chain_is_bundle(image->chain))
		return DRIVER_NOT_MINE;
	h = calloc(1, sizeof *h);
	if (!h)
		return err_set(err, ENOMEM, "no memory");
	r = hdd_descriptor_read(image->file, &d, err);
	if (!r)
		r = open_all(image, &d, h, err);
	hdd_descriptor_free(&d);
	if (r) {
		hdd_close(h);
		return r;
	}
	image->self = h;
	image->size = h->size;
	return 0;
}

static const struct stretch *find(const struct hdd *h, uint64_t off)
{
	size_t low = 0, high = h->count;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (h->stretches[mid].start <= off)
			low = mid;
		else
			high = mid;
	}
	return &h->stretches[low];
}

static int hdd_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct stretch *s = find(self, off);
	uint64_t in = off - s->start, length = s->size - in;

	(void)node;
	for (unsigned i = 0; i < s->count; i++) {
		const struct image *image = s->images[i];
		int r;

		if (in >= image->size)
			continue;
		*run = (struct run){0};
		r = image->format->map(image->self, 0, in, run);
		if (r)
			return r;
		length = min64(length, min64(run->length, image->size - in));
		if (run->kind == RUN_ZERO || run->kind == RUN_PARENT)
			continue;
		/* Chunks belong to the image's own driver. */
		if (run->kind != RUN_RAW)
			*run = (struct run){.kind = RUN_RAW, .dev = image->disk, .offset = in};
		run->length = length;
		return 0;
	}
	*run = (struct run){.kind = RUN_ZERO, .length = length};
	return 0;
}

const struct format_driver format_hdd = {
	.name = "hdd",
	.id = 23,
	.bundle = "DiskDescriptor.xml",
	.open = hdd_open,
	.map = hdd_map,
	.close = hdd_close,
};
