/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VirtualBox disk images (VDI), header version 1.1, as VirtualBox's own VDICore.h has it.
 *
 * The disk is cut into blocks, and a map of 32-bit numbers says for each which block of the file's
 * data area it is, or that there is none: then it reads as zeros, or as the parent has it. Blocks
 * may have extra bytes of the writer's in front of their data. Fixed images have the same map, with
 * every block in place. The map of a large disk is large (32 MiB for 8 TiB), so that it is read as
 * it is needed.
 *
 * A differencing image says which image is its parent by the UUID alone that the parent got when it
 * was created, and by the UUID of its last change, which no longer fits when somebody wrote to it.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "drivers.h"
#include "ondisk.h"
#include "text.h"

#define VDI_SIGNATURE 0xbeda107fu
#define VDI_VERSION   0x00010001u
/* From cb_header on, up to and with uuid_parent_modify; newer ones append a geometry. */
#define VDI_HEADER 384u
/* VirtualBox makes blocks of 1 MiB; with the largest, no offset in the file passes 64 bits. */
#define VDI_BLOCK_MIN 512u
#define VDI_BLOCK_MAX (1u << 30)

#define BLOCK_FREE 0xffffffffu /* zeros, or the parent's */
#define BLOCK_ZERO 0xfffffffeu

/* The map is read in pieces of so many entries. */
#define PIECE 1024u
/* Pieces that one answer looks at: 8 GiB of a disk with the usual blocks of 1 MiB. */
#define PIECES_MAX 8u
/* Entries that open looks at, to tell a file that was cut off: 1 TiB with the usual blocks. */
#define CHECK_MAX (1u << 20)

enum vdi_type { VDI_DYNAMIC = 1, VDI_FIXED = 2, VDI_UNDO = 3, VDI_DIFFERENCING = 4 };

struct vdi_header {
	char file_info[64];             /* +0x000 text for people */
	le32 signature;                 /* +0x040 */
	le32 version;                   /* +0x044 major in the upper half */
	le32 cb_header;                 /* +0x048 */
	le32 type;                      /* +0x04c enum vdi_type */
	le32 flags;                     /* +0x050 */
	char comment[256];              /* +0x054 */
	le32 off_blocks;                /* +0x154 of the map */
	le32 off_data;                  /* +0x158 */
	le32 cylinders, heads, sectors; /* +0x15c */
	le32 cb_sector;                 /* +0x168 */
	le32 dummy;                     /* +0x16c */
	le64 cb_disk;                   /* +0x170 */
	le32 cb_block;                  /* +0x178 */
	le32 cb_block_extra;            /* +0x17c */
	le32 c_blocks;                  /* +0x180 */
	le32 c_blocks_allocated;        /* +0x184 */
	uint8_t uuid_create[16];        /* +0x188 */
	uint8_t uuid_modify[16];        /* +0x198 */
	uint8_t uuid_linkage[16];       /* +0x1a8 uuid_create of the parent */
	uint8_t uuid_parent_modify[16]; /* +0x1b8 uuid_modify of the parent */
};
_Static_assert(offsetof(struct vdi_header, cb_disk) == 0x170, "VDIHEADER1");
_Static_assert(sizeof(struct vdi_header) == 0x48 + VDI_HEADER, "VDIHEADER1");

struct vdi {
	struct dev *file;
	struct cache *cache;
	uint64_t size;
	uint64_t off_blocks, off_data;
	unsigned block_shift;
	uint32_t extra;
	uint32_t blocks; /* that the disk has */
	bool parent;
	uint8_t uuid_create[16], uuid_modify[16];
};

static uint64_t block_bytes(const struct vdi *v)
{
	return (uint64_t)1 << v->block_shift;
}

/* Where the data of a block of the file stands. */
static uint64_t block_offset(const struct vdi *v, uint32_t block)
{
	return v->off_data + block * (block_bytes(v) + v->extra) + v->extra;
}

/* The bytes that the disk has of its block i. */
static uint64_t block_part(const struct vdi *v, uint32_t i)
{
	return min64(block_bytes(v), v->size - ((uint64_t)i << v->block_shift));
}

/* ---- the parent ---- */

static bool is_nil(const uint8_t uuid[16])
{
	static const uint8_t nil[16];

	return memcmp(uuid, nil, sizeof nil) == 0;
}

static bool is_vdi(const struct vdi_header *h)
{
	return le32_get(h->signature) == VDI_SIGNATURE;
}

struct search {
	struct chain *chain;
	const struct vdi_header *child;
	char *name; /* found, or NULL; to be freed */
	uint8_t uuid_modify[16];
	/* Why none may be taken but the parent as it was: -errno, or 0. */
	int doubt;
	struct platter_error why;
};

/* Whether the parent as it was is recorded, and is this one. */
static bool is_as_it_was(const struct vdi_header *child, const struct vdi_header *h)
{
	return !is_nil(child->uuid_parent_modify) &&
	       memcmp(h->uuid_modify, child->uuid_parent_modify, sizeof h->uuid_modify) == 0;
}

/* The name of another one that was created as the parent. */
static int take(struct search *s, const char *name, const struct vdi_header *h)
{
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	if (s->name && is_nil(s->child->uuid_parent_modify) &&
	    memcmp(h->uuid_modify, s->uuid_modify, sizeof h->uuid_modify) != 0)
		s->doubt = err_set(&s->why, EINVAL,
		                   "\"%s\" and \"%s\" have it and differ, and the image does not "
		                   "record which one it is",
		                   s->name, name);
	free(s->name);
	s->name = copy;
	memcpy(s->uuid_modify, h->uuid_modify, sizeof s->uuid_modify);
	return 0;
}

/*
 * Non-zero when the name is that of the parent as it was. One that was created as the parent, but
 * changed, is kept as the second best, unless the parent may be in what cannot be read.
 */
static int look_at(void *arg, const char *name)
{
	struct search *s = arg;
	struct vdi_header h;
	int r = chain_peek(s->chain, name, &h, sizeof h);

	if (r == -ENOENT || r == -EPERM || r == -ENODATA)
		return 0;
	if (r) {
		s->doubt = err_set(&s->why, -r, "\"%s\" may be it, but cannot be read: %s", name,
		                   strerror(-r));
		return 0;
	}
	if (!is_vdi(&h) || memcmp(h.uuid_create, s->child->uuid_linkage, sizeof h.uuid_create) != 0)
		return 0;
	r = take(s, name, &h);
	return r ? r : is_as_it_was(s->child, &h);
}

/* Copies of a parent may have changed; whoever opened it is asked, not what was peeked at. */
static int check_parent(const struct image *image, const struct vdi_header *h, const char *name,
                        struct platter_error *err)
{
	const struct vdi *p = image->parent->self;
	char found[37], recorded[37];

	if (memcmp(p->uuid_create, h->uuid_linkage, sizeof p->uuid_create) != 0)
		return err_set(err, ESTALE, "parent \"%s\": it changed while it was opened", name);
	if (is_nil(h->uuid_parent_modify) ||
	    memcmp(p->uuid_modify, h->uuid_parent_modify, sizeof p->uuid_modify) == 0)
		return 0;
	text_guid(p->uuid_modify, found);
	text_guid(h->uuid_parent_modify, recorded);
	return err_set(err, ESTALE,
	               "parent \"%s\" was written to since: its modification UUID is %s, recorded "
	               "%s",
	               name, found, recorded);
}

/* On success *name is the parent's, to be freed. */
static int find_parent(struct image *image, const struct vdi_header *h, char **name,
                       struct platter_error *err)
{
	struct search s = {.chain = image->chain, .child = h};
	int r = chain_list(image->chain, ".vdi", look_at, &s, err);

	if (r == -ENOMEM)
		err_set(err, ENOMEM, "no memory");
	else if (r == 0 && s.doubt)
		r = err_set(err, -s.doubt, "%s", s.why.text);
	else if (r == 0 && !s.name)
		r = err_set(err, ENOENT,
		            "no *.vdi in the image's folder, or in that of --chain=DIR, has it");
	if (r < 0)
		free(s.name);
	else
		*name = s.name;
	return r < 0 ? r : 0;
}

static int open_parent(struct image *image, const struct vdi_header *h, struct platter_error *err)
{
	char uuid[37], *name;
	int r;

	text_guid(h->uuid_linkage, uuid);
	if (is_nil(h->uuid_linkage))
		return err_set(err, EINVAL, "a differencing image that names no parent");
	r = find_parent(image, h, &name, err);
	if (r) {
		err_prefix(err, "parent of UUID %s", uuid);
		return r;
	}
	r = image_open_parent(image, "parent", name, "vdi", err);
	if (!r)
		r = check_parent(image, h, name, err);
	free(name);
	return r;
}

/* ---- opening ---- */

static int check_header(const struct vdi_header *h, struct platter_error *err)
{
	uint32_t version = le32_get(h->version), type = le32_get(h->type);
	uint32_t block = le32_get(h->cb_block), extra = le32_get(h->cb_block_extra);

	if (version != VDI_VERSION)
		return err_set(err, ENOTSUP, "VDI version %u.%u, expected 1.1", version >> 16,
		               version & 0xffff);
	if (le32_get(h->cb_header) < VDI_HEADER)
		return err_set(err, EINVAL, "its header has %u bytes, expected at least %u",
		               le32_get(h->cb_header), VDI_HEADER);
	if (type == VDI_UNDO)
		return err_set(err, ENOTSUP, "VDI undo images are not supported");
	if (type < VDI_DYNAMIC || type > VDI_DIFFERENCING)
		return err_set(err, EINVAL,
		               "image type %u, expected 1 (dynamic), 2 (fixed) or 4 "
		               "(differencing)",
		               type);
	if (!is_pow2(block) || block < VDI_BLOCK_MIN || block > VDI_BLOCK_MAX)
		return err_set(err, EINVAL,
		               "blocks of %u bytes, expected a power of two from %u to %u", block,
		               VDI_BLOCK_MIN, VDI_BLOCK_MAX);
	if (extra > block)
		return err_set(err, EINVAL, "%u extra bytes in a block, at most %u", extra, block);
	return 0;
}

static int check_places(const struct vdi *v, const struct vdi_header *h, struct platter_error *err)
{
	uint32_t listed = le32_get(h->c_blocks), allocated = le32_get(h->c_blocks_allocated);
	uint64_t blocks = v->size ? ((v->size - 1) >> v->block_shift) + 1 : 0;

	if (blocks > listed)
		return err_set(err, EINVAL,
		               "a disk of %" PRIu64 " bytes needs %" PRIu64 " blocks, its map has "
		               "%u",
		               v->size, blocks, listed);
	if (!range_ok(v->off_blocks, (uint64_t)listed * sizeof(le32), v->file->size))
		return err_set(err, EINVAL,
		               "its map of %u blocks at byte %" PRIu64 " passes the end of the "
		               "file at %" PRIu64,
		               listed, v->off_blocks, v->file->size);
	if (allocated > listed)
		return err_set(err, EINVAL, "%u blocks are stored, but the disk has %u", allocated,
		               listed);
	/* The last one may be stored as far as the disk goes only. */
	if (allocated && block_offset(v, allocated - 1) >= v->file->size)
		return err_set(err, EINVAL,
		               "cut off: %u stored blocks reach to byte %" PRIu64 ", the file has "
		               "%" PRIu64 " bytes",
		               allocated, block_offset(v, allocated) - v->extra, v->file->size);
	return 0;
}

static int check_entry(const struct vdi *v, uint32_t i, uint32_t block, struct platter_error *err)
{
	if (block >= BLOCK_ZERO ||
	    range_ok(block_offset(v, block), block_part(v, i), v->file->size))
		return 0;
	return err_set(err, EINVAL,
	               "block %u is stored as number %u at byte %" PRIu64 ", past the end of the "
	               "file at %" PRIu64,
	               i, block, block_offset(v, block), v->file->size);
}

/* What is stored past the end of the file is found here, for all but the largest disks. */
static int check_map(const struct vdi *v, struct platter_error *err)
{
	uint32_t count = v->blocks < CHECK_MAX ? v->blocks : CHECK_MAX;
	le32 *map;
	void *table;
	int r = dev_read_table(v->file, v->off_blocks, count, sizeof *map, CHECK_MAX * sizeof *map,
	                       "block map", &table, err);

	map = table;
	for (uint32_t i = 0; !r && i < count; i++)
		r = check_entry(v, i, le32_get(map[i]), err);
	free(table);
	return r;
}

static int fill_in(struct vdi *v, struct image *image, const struct vdi_header *h,
                   struct platter_error *err)
{
	int r = check_header(h, err);

	if (r)
		return r;
	*v = (struct vdi){
		.file = image->file,
		.cache = image->cache,
		.size = le64_get(h->cb_disk),
		.off_blocks = le32_get(h->off_blocks),
		.off_data = le32_get(h->off_data),
		.block_shift = (unsigned)__builtin_ctz(le32_get(h->cb_block)),
		.extra = le32_get(h->cb_block_extra),
		.parent = le32_get(h->type) == VDI_DIFFERENCING || !is_nil(h->uuid_linkage),
	};
	memcpy(v->uuid_create, h->uuid_create, sizeof v->uuid_create);
	memcpy(v->uuid_modify, h->uuid_modify, sizeof v->uuid_modify);
	r = check_places(v, h, err);
	if (r)
		return r;
	v->blocks = (uint32_t)(v->size ? ((v->size - 1) >> v->block_shift) + 1 : 0);
	r = check_map(v, err);
	return r || !v->parent ? r : open_parent(image, h, err);
}

static int vdi_open(struct image *image, struct platter_error *err)
{
	struct vdi_header h;
	struct vdi *v;
	int r;

	r = image_read_head(image->file, &h, sizeof h, err);
	if (r)
		return r;
	if (!is_vdi(&h))
		return DRIVER_NOT_MINE;
	v = calloc(1, sizeof *v);
	r = v ? fill_in(v, image, &h, err) : err_set(err, ENOMEM, "no memory");
	if (r) {
		free(v);
		return r;
	}
	image->self = v;
	image->size = v->size;
	return 0;
}

/* ---- the map ---- */

/* Whether block i follows what the run has so far, which is n blocks from one stored as `first`. */
static bool goes_on(const struct vdi *v, uint32_t first, uint32_t n, uint32_t block)
{
	if (n == 0 || first >= BLOCK_ZERO)
		return block == first;
	return v->extra == 0 && block < BLOCK_ZERO && block == (uint64_t)first + n;
}

/*
 * How many blocks from i on are of one kind or stand in a row: *first is what the map says of the
 * first.
 */
static int find_run(const struct vdi *v, uint32_t i, uint32_t *first, uint32_t *count)
{
	uint32_t end = (uint32_t)min64(v->blocks, (uint64_t)(i / PIECE + PIECES_MAX) * PIECE);
	const struct cache_chunk *chunk;
	bool more = true;

	*first = BLOCK_FREE;
	for (*count = 0; more && i < end;) {
		uint32_t piece = i / PIECE * PIECE;
		uint32_t n = (uint32_t)min64(PIECE, v->blocks - piece);
		int r = run_table(v->cache, v->file, v->off_blocks + (uint64_t)piece * sizeof(le32),
		                  n * sizeof(le32), &chunk);

		if (r)
			return r;
		for (const le32 *map = chunk->data; more && i < piece + n; i += more) {
			uint32_t block = le32_get(map[i - piece]);

			if (*count == 0)
				*first = block;
			more = goes_on(v, *first, *count, block);
			*count += more;
		}
		cache_put(v->cache, chunk);
	}
	return 0;
}

static int vdi_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct vdi *v = self;
	uint64_t within = off & (block_bytes(v) - 1);
	uint32_t first, count;
	int r = find_run(v, (uint32_t)(off >> v->block_shift), &first, &count);

	(void)node;
	if (r)
		return r;
	run->length = ((uint64_t)count << v->block_shift) - within;
	if (first == BLOCK_FREE) {
		run->kind = v->parent ? RUN_PARENT : RUN_ZERO;
		run->offset = off;
	} else if (first == BLOCK_ZERO) {
		run->kind = RUN_ZERO;
	} else {
		run->kind = RUN_RAW;
		run->dev = v->file;
		run->offset = block_offset(v, first) + within;
	}
	return 0;
}

const struct format_driver format_vdi = {
	.name = "vdi",
	.qemu = "vdi",
	.id = 5,
	.open = vdi_open,
	.map = vdi_map,
};
