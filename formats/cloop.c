/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressed loop images, version 2 (cloop-utils; Knoppix and other live discs). All numbers are
 * big-endian.
 *
 * A shell script of 128 bytes, the block size, the number of blocks, and the offsets of the blocks
 * in the file with one more for the end; each block is a zlib stream. The disk is all blocks: what
 * was packed is filled up with zeros to a whole one.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "drivers.h"
#include "ondisk.h"

#define PREAMBLE "#!/bin/sh\n#V2.0 Format\n"
#define SECTOR   512u

/* A table up to this size is checked when the image is opened: that of a DVD in blocks of 64 KiB
 * has 600 KiB. */
#define CHECK_BYTES ((uint64_t)4 << 20)

struct cloop_header {
	char preamble[128]; /* +0x00 */
	be32 block_size;    /* +0x80 */
	be32 num_blocks;    /* +0x84 */
};
_Static_assert(sizeof(struct cloop_header) == 136, "compressed_loop.h, cloop_head");

struct cloop {
	struct dev *file;
	struct cache *cache;
	uint64_t blocks;
	uint32_t block; /* bytes */
};

static int offset_get(const struct cloop *c, uint64_t i, uint64_t *offset)
{
	struct run_entries entries;
	int r = run_entries(c->cache, c->file, sizeof(struct cloop_header), c->blocks + 1,
	                    sizeof(be64), i, &entries);

	if (r)
		return r;
	*offset = be64_at(entries.at);
	run_entries_put(c->cache, &entries);
	return 0;
}

/* Whether a block's stream can stand there. */
static bool stream_good(const struct cloop *c, uint64_t start, uint64_t end)
{
	return start < end && end - start <= RUN_CHUNK_MAX && end <= c->file->size;
}

static int check_table(const struct cloop *c, struct platter_error *err)
{
	uint64_t start = 0, end;
	int r = offset_get(c, 0, &start);

	for (uint64_t block = 0; !r && block < c->blocks; block++, start = end) {
		r = offset_get(c, block + 1, &end);
		if (!r && !stream_good(c, start, end))
			return err_set(err, EINVAL,
			               "block %" PRIu64 " stands from %" PRIu64 " to %" PRIu64
			               " of a file of %" PRIu64 " bytes, expected 1 to %" PRIu32
			               " bytes in it",
			               block, start, end, c->file->size, RUN_CHUNK_MAX);
	}
	return r ? err_set(err, -r, "the offsets of its blocks cannot be read: %s", strerror(-r))
	         : 0;
}

static int use_header(struct cloop *c, const struct cloop_header *h, struct platter_error *err)
{
	uint64_t table;

	c->block = be32_get(h->block_size);
	c->blocks = be32_get(h->num_blocks);
	table = (c->blocks + 1) * sizeof(be64);
	if (c->block == 0 || c->block % SECTOR || c->block > RUN_CHUNK_MAX)
		return err_set(err, EINVAL,
		               "blocks of %" PRIu32
		               " bytes, expected whole sectors, at most %" PRIu32,
		               c->block, RUN_CHUNK_MAX);
	if (!range_ok(sizeof *h, table, c->file->size))
		return err_set(err, EINVAL,
		               "the offsets of %" PRIu64
		               " blocks pass the end of the file at %" PRIu64 " bytes",
		               c->blocks, c->file->size);
	return table <= CHECK_BYTES ? check_table(c, err) : 0;
}

static int cloop_open(struct image *image, struct platter_error *err)
{
	struct cloop_header h;
	struct cloop *c;
	int r;

	r = image_read_head(image->file, &h, sizeof h, err);
	if (r)
		return r;
	if (memcmp(h.preamble, PREAMBLE, sizeof PREAMBLE - 1) != 0)
		return DRIVER_NOT_MINE;
	r = codec_require(CODEC_ZLIB, err);
	if (r)
		return r;
	c = calloc(1, sizeof *c);
	if (!c)
		return err_set(err, ENOMEM, "no memory");
	c->file = image->file;
	c->cache = image->cache;
	r = use_header(c, &h, err);
	if (r) {
		free(c);
		return r;
	}
	image->self = c;
	image->size = c->blocks * c->block;
	image->packed = true;
	return 0;
}

static int cloop_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct cloop *c = self;
	uint64_t start, end;
	int r;

	(void)node;
	r = offset_get(c, off / c->block, &start);
	if (!r)
		r = offset_get(c, off / c->block + 1, &end);
	if (r)
		return r;
	if (!stream_good(c, start, end))
		return -EIO;
	run->kind = RUN_PACKED;
	run->dev = c->file;
	run->offset = start;
	run->codec = CODEC_ZLIB;
	run->packed = (uint32_t)(end - start);
	run->unpacked = c->block;
	run->skip = (uint32_t)(off % c->block);
	run->length = c->block - run->skip;
	return 0;
}

const struct format_driver format_cloop = {
	.name = "cloop",
	.qemu = "cloop",
	.id = 25,
	.open = cloop_open,
	.map = cloop_map,
};
