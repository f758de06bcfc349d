/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VMware disks (VMDK), by VMware's Virtual Disk Format 5.0.
 *
 * A disk is a row of extents, and a descriptor in text (vmdk-descriptor.c) lists them: files with
 * the bytes as they are, sparse ones (vmdk-hosted.c, vmdk-cowd.c, vmdk-sesparse.c, and
 * vmdk-grains.c for what these have in common), and stretches of zeros. The descriptor is a file of
 * its own, or stands in the only extent, which then is the file that people know as the disk.
 *
 * A delta link holds what differs from a parent disk, of which it records the name and the CID, a
 * number that changes when somebody writes to a disk.
 */
#include "config.h"

#include "vmdk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* 128 TiB of hosted sparse extents, 64 TiB of seSparse ones: 32 MiB. */
#define TABLES_MAX ((uint64_t)4 << 20)
/* Tables of 128 GiB of disk with the usual grains. */
#define CHECK_READS 4096
#define CHECK_BYTES ((uint64_t)16 << 20)
#define HEAD        VMDK_SECTOR

enum kind { EXTENT_FLAT, EXTENT_ZERO, EXTENT_SPARSE };

struct extent {
	enum kind kind;
	uint64_t start, size; /* in the disk, in bytes */
	struct dev *file;     /* EXTENT_FLAT */
	uint64_t offset;      /* in the file */
	struct vmdk_grains grains;
};

struct vmdk {
	struct cache *cache;
	struct extent *extents;
	size_t count;
	uint64_t size;
	bool parent, has_cid;
	uint32_t cid;
};

/* ---- extents ---- */

static void note_unclean(struct image *image, const char *name, bool unclean)
{
	if (unclean)
		image_note(image, "%s%swas not closed cleanly", name, *name ? " " : "");
}

static int open_hosted(struct image *image, struct dev *file, const char *name,
                       struct vmdk_budget *budget, struct extent *e, struct vmdk_hosted_info *info,
                       struct platter_error *err)
{
	int r = vmdk_hosted_open(file, budget, &e->grains, info, err);

	if (r)
		return r;
	note_unclean(image, name, info->unclean);
	if (info->redundant)
		image_note(image, "%s%sits grain directory is damaged, the redundant one is used",
		           name, *name ? ": " : "");
	image->packed = image->packed || e->grains.compressed;
	return 0;
}

static int open_cowd(struct image *image, struct dev *file, const char *name,
                     struct vmdk_budget *budget, struct extent *e, struct platter_error *err)
{
	bool unclean;
	int r = vmdk_cowd_open(file, budget, &e->grains, &unclean, err);

	if (!r)
		note_unclean(image, name, unclean);
	return r;
}

static int open_sparse(struct image *image, struct dev *file, const char *name,
                       struct vmdk_budget *budget, struct extent *e, struct platter_error *err)
{
	struct vmdk_hosted_info info;
	uint8_t magic[4];
	int r;

	r = image_read_head(file, magic, sizeof magic, err);
	if (r == DRIVER_NOT_MINE)
		return err_set(err, EINVAL, "%" PRIu64 " bytes, too few for a sparse extent",
		               file->size);
	if (r)
		return r;
	if (vmdk_is_cowd(magic, sizeof magic))
		return open_cowd(image, file, name, budget, e, err);
	if (!vmdk_is_hosted(magic, sizeof magic))
		return err_set(err, EINVAL,
		               "is no sparse extent: neither KDMV nor COWD at its head");
	return open_hosted(image, file, name, budget, e, &info, err);
}

static int open_flat(const struct vmdk_line *line, struct extent *e, struct platter_error *err)
{
	e->offset = line->offset * VMDK_SECTOR;
	if (!range_ok(e->offset, e->size, e->file->size))
		return err_set(err, EINVAL,
		               "%" PRIu64 " bytes at byte %" PRIu64 " pass its end at %" PRIu64,
		               e->size, e->offset, e->file->size);
	return 0;
}

static int open_file(struct image *image, const struct vmdk_line *line, const char *name,
                     struct vmdk_budget *budget, struct extent *e, struct platter_error *err)
{
	int r = chain_open(image->chain, "extent", name, &e->file, err);

	if (r)
		return r;
	e->kind = line->type == VMDK_FLAT ? EXTENT_FLAT : EXTENT_SPARSE;
	if (line->type == VMDK_FLAT)
		r = open_flat(line, e, err);
	else if (line->type == VMDK_SESPARSE)
		r = vmdk_sesparse_open(e->file, budget, &e->grains, err);
	else
		r = open_sparse(image, e->file, name, budget, e, err);
	if (!r && e->kind == EXTENT_SPARSE && e->grains.size < e->size)
		r = err_set(err, EINVAL, "has %" PRIu64 " bytes, the descriptor says %" PRIu64,
		            e->grains.size, e->size);
	if (r)
		err_prefix(err, "extent \"%s\"", name);
	return r;
}

static struct extent *add_extent(struct vmdk *v, uint64_t size)
{
	struct extent *e = &v->extents[v->count++];

	e->start = v->size;
	e->size = size;
	v->size += size;
	return e;
}

/* All extents that the descriptor lists. */
static int open_lines(struct image *image, struct vmdk *v, const struct vmdk_descriptor *d,
                      struct vmdk_budget *budget, struct platter_error *err)
{
	if (d->nlines == 0)
		return err_set(err, EINVAL, "a descriptor that lists no extents");
	v->extents = calloc(d->nlines, sizeof *v->extents);
	if (!v->extents)
		return err_set(err, ENOMEM, "no memory");
	for (size_t i = 0; i < d->nlines; i++) {
		const struct vmdk_line *line = &d->lines[i];
		char name[VMDK_NAME_MAX];
		struct extent *e;
		int r;

		if (line->sectors == 0 || line->sectors > VMDK_SECTORS_MAX - v->size / VMDK_SECTOR)
			return err_set(err, EINVAL,
			               "extent %zu has %" PRIu64 " sectors after %" PRIu64
			               ", expected 1 to %" PRIu64 " in all",
			               i + 1, line->sectors, v->size / VMDK_SECTOR,
			               VMDK_SECTORS_MAX);
		e = add_extent(v, line->sectors * VMDK_SECTOR);
		e->kind = EXTENT_ZERO;
		if (line->type == VMDK_ZERO)
			continue;
		r = vmdk_name(d, line->name, name, err);
		if (!r)
			r = open_file(image, line, name, budget, e, err);
		if (r)
			return r;
	}
	return 0;
}

/* ---- the parent ---- */

static int check_parent(const struct vmdk *parent, const struct vmdk_descriptor *d,
                        const char *name, struct platter_error *err)
{
	if (!parent->has_cid)
		return err_set(err, ESTALE, "parent \"%s\": it has no CID, recorded is %08" PRIx32,
		               name, d->parent_cid);
	if (parent->cid != d->parent_cid)
		return err_set(err, ESTALE,
		               "parent \"%s\" was written to since: its CID is %08" PRIx32
		               ", recorded %08" PRIx32,
		               name, parent->cid, d->parent_cid);
	return 0;
}

static int open_parent(struct image *image, struct vmdk *v, const struct vmdk_descriptor *d,
                       struct platter_error *err)
{
	char name[VMDK_NAME_MAX];
	int r;

	v->has_cid = d->has_cid;
	v->cid = d->cid;
	if (!*d->parent_hint && d->parent_cid == UINT32_MAX)
		return 0;
	if (!*d->parent_hint)
		return err_set(err, EINVAL,
		               "the difference to a parent of CID %08" PRIx32 ", without its name",
		               d->parent_cid);
	v->parent = true;
	r = vmdk_name(d, d->parent_hint, name, err);
	if (!r)
		r = image_open_parent(image, "parent", name, "vmdk", err);
	return r ? r : check_parent(image->parent->self, d, name, err);
}

/* ---- opening ---- */

static int open_descriptor(struct image *image, struct vmdk *v, uint64_t off, uint64_t len,
                           struct vmdk_budget *budget, struct platter_error *err)
{
	struct vmdk_descriptor d;
	int r = vmdk_descriptor_read(image->file, off, len, &d, err);

	if (!r)
		r = open_lines(image, v, &d, budget, err);
	if (!r)
		r = open_parent(image, v, &d, err);
	vmdk_descriptor_free(&d);
	return r;
}

/* The descriptor of a disk that is all in this file: of the extents it knows no more than we. */
static int read_own_descriptor(struct image *image, struct vmdk *v,
                               const struct vmdk_hosted_info *info, struct platter_error *err)
{
	struct vmdk_descriptor d;
	int r = vmdk_descriptor_read(image->file, info->descriptor_start, info->descriptor_bytes,
	                             &d, err);

	if (!r && d.nlines > 1)
		r = err_set(err, ENOTSUP,
		            "a sparse extent whose own descriptor lists %zu extents, expected 1",
		            d.nlines);
	if (!r)
		r = open_parent(image, v, &d, err);
	vmdk_descriptor_free(&d);
	return r;
}

/* A sparse file that is opened as a disk. */
static int open_alone(struct image *image, struct vmdk *v, bool cowd, struct vmdk_budget *budget,
                      struct platter_error *err)
{
	struct vmdk_hosted_info info = {0};
	struct extent *e;
	int r;

	v->extents = calloc(1, sizeof *v->extents);
	if (!v->extents)
		return err_set(err, ENOMEM, "no memory");
	e = add_extent(v, 0);
	e->kind = EXTENT_SPARSE;
	r = cowd ? open_cowd(image, image->file, "", budget, e, err)
	         : open_hosted(image, image->file, "", budget, e, &info, err);
	if (r)
		return r;
	v->size = e->size = e->grains.size;
	if (!info.descriptor_bytes) {
		image_note(image,
		           "an extent without its descriptor: what it does not hold is shown "
		           "as zeros");
		return 0;
	}
	if (info.capacity)
		return read_own_descriptor(image, v, &info, err);
	free(v->extents);
	*v = (struct vmdk){.cache = v->cache};
	return open_descriptor(image, v, info.descriptor_start, info.descriptor_bytes, budget, err);
}

static void vmdk_close(void *self)
{
	struct vmdk *v = self;

	for (size_t i = 0; i < v->count; i++)
		free(v->extents[i].grains.tables);
	free(v->extents);
	free(v);
}

static int vmdk_open(struct image *image, struct platter_error *err)
{
	struct vmdk_budget budget = {
		.tables = TABLES_MAX,
		.reads = CHECK_READS,
		.bytes = CHECK_BYTES,
	};
	size_t len = (size_t)min64(image->file->size, HEAD);
	uint8_t head[HEAD];
	struct vmdk *v;
	int r;

	r = image_read_head(image->file, head, len, err);
	if (r)
		return r;
	if (vmdk_is_sesparse(head, len))
		return err_set(err, EINVAL,
		               "a seSparse extent, which is nothing without its "
		               "descriptor: open that");
	if (!vmdk_is_hosted(head, len) && !vmdk_is_cowd(head, len) &&
	    !vmdk_is_descriptor(head, len))
		return DRIVER_NOT_MINE;
	v = calloc(1, sizeof *v);
	if (!v)
		return err_set(err, ENOMEM, "no memory");
	v->cache = image->cache;
	r = vmdk_is_descriptor(head, len)
	            ? open_descriptor(image, v, 0, image->file->size, &budget, err)
	            : open_alone(image, v, vmdk_is_cowd(head, len), &budget, err);
	if (r) {
		vmdk_close(v);
		return r;
	}
	image->self = v;
	image->size = v->size;
	return 0;
}

/* ---- the map ---- */

static const struct extent *extent_at(const struct vmdk *v, uint64_t off)
{
	size_t lo = 0, hi = v->count;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (v->extents[mid].start <= off)
			lo = mid;
		else
			hi = mid;
	}
	return &v->extents[lo];
}

/* offset: where the grain begins in the disk. */
static int make_grain(void *self, uint64_t offset, void *data, size_t size)
{
	const struct vmdk *v = self;
	const struct extent *e = extent_at(v, offset);

	return vmdk_grains_unpack(&e->grains, v->cache, offset - e->start, data, size);
}

static int vmdk_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct vmdk *v = self;
	const struct extent *e = extent_at(v, off);
	uint64_t within = off - e->start, left = e->size - within;
	int r;

	(void)node;
	if (e->kind == EXTENT_SPARSE) {
		r = vmdk_grains_map(&e->grains, v->cache, within, run);
		if (r)
			return r;
		run->length = min64(run->length, left);
		if (run->kind == RUN_PARENT && !v->parent)
			run->kind = RUN_ZERO;
		if (run->kind == RUN_PARENT)
			run->offset = off;
		if (run->kind == RUN_MADE) {
			run->offset = off - run->skip;
			run->make = make_grain;
		}
		return 0;
	}
	run->kind = e->kind == EXTENT_FLAT ? RUN_RAW : RUN_ZERO;
	run->length = left;
	run->dev = e->file;
	run->offset = e->offset + within;
	return 0;
}

const struct format_driver format_vmdk = {
	.name = "vmdk",
	.qemu = "vmdk",
	.id = 6,
	.open = vmdk_open,
	.map = vmdk_map,
	.close = vmdk_close,
};
