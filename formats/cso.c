/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressed ISO images: CISO ("CSO") versions 1 and 2 and ZISO ("ZSO"), as maxcso describes them
 * (README_CSO.md, README_ZSO.md). A header, an index of 32-bit words, one for each block and one
 * for the end, then the blocks. The lower 31 bits of a word, shifted left by the header's align,
 * are where the block begins; what its highest bit says depends:
 *
 *   CISO version 0, 1    deflate, or with the bit as it is
 *   CISO version 2       deflate, with the bit LZ4; as it is when as long as a block or longer
 *   ZISO                 LZ4, or with the bit as it is
 *
 * Deflate is raw (RFC 1951) and LZ4 a block without a frame. Padding may follow a block. The
 * GameCube's compact images have the same magic, and are something else.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "drivers.h"
#include "ondisk.h"

#define AS_IT_IS UINT32_C(0x80000000)

/* Blocks are a sector of a disc, and rarely more. */
#define BLOCK_MIN 512u
#define BLOCK_MAX ((uint32_t)1 << 20)

/* Files of 4 GiB need 1, and no padding is as long as 64 KiB. */
#define ALIGN_MAX 16u

/* Blocks of a sector are unpacked some at a time: a read of its own for each would cost more. */
#define CHUNK_BYTES ((uint32_t)32 << 10)

/* Index words that are read at once, and looked at to make a run long. */
#define INDEX_WORDS ((uint64_t)16 << 10)

struct cso_header {
	uint8_t magic[4];       /* +0x00 "CISO", "ZISO" */
	le32 header_size;       /* +0x04 24; may be 0 in version 1 */
	le64 uncompressed_size; /* +0x08 */
	le32 block_size;        /* +0x10 */
	uint8_t version;        /* +0x14 */
	uint8_t index_shift;    /* +0x15 "align" */
	uint8_t unused[2];
};

_Static_assert(sizeof(struct cso_header) == 24, "README_CSO.md");

struct cso {
	struct dev *file;
	struct cache *cache;
	uint64_t size, blocks;
	uint32_t block, chunk; /* bytes of a block; blocks of a chunk */
	unsigned shift;
	enum codec codec;
	bool version2;
};

/* How a block is stored. */
struct stored {
	uint64_t off, len;
	bool plain;
	enum codec codec;
};

/* ---- index ---- */

/* count words from i on, in the part of the index that holds the first of them; *got of them. */
static int index_words(const struct cso *cso, uint64_t i, uint64_t count,
                       const struct cache_chunk **chunk, const le32 **words, uint64_t *got)
{
	uint64_t part = i / INDEX_WORDS * INDEX_WORDS;
	uint64_t n = min64(INDEX_WORDS, cso->blocks + 1 - part);
	int r = run_table(cso->cache, cso->file, sizeof(struct cso_header) + part * 4,
	                  (size_t)n * 4, chunk);

	if (r)
		return r;
	*words = (const le32 *)(*chunk)->data + (i - part);
	*got = min64(count, n - (i - part));
	return 0;
}

static int index_word(const struct cso *cso, uint64_t i, uint32_t *word)
{
	const struct cache_chunk *chunk;
	const le32 *words;
	uint64_t got;
	int r = index_words(cso, i, 1, &chunk, &words, &got);

	if (!r) {
		*word = le32_get(*words);
		cache_put(cso->cache, chunk);
	}
	return r;
}

static uint64_t offset_of(const struct cso *cso, uint32_t word)
{
	return (uint64_t)(word & ~AS_IT_IS) << cso->shift;
}

/* What two neighbouring words say of a block. */
static int stored_get(const struct cso *cso, uint32_t word, uint32_t next, struct stored *s)
{
	bool bit = word & AS_IT_IS;

	s->off = offset_of(cso, word);
	if (offset_of(cso, next) <= s->off)
		return -EIO;
	s->len = offset_of(cso, next) - s->off;
	s->plain = cso->version2 ? s->len >= cso->block : bit;
	s->codec = bit && cso->version2 ? CODEC_LZ4 : cso->codec;
	/* No codec makes more of a block than a little, and padding is shorter than align. */
	if (s->len > (uint64_t)cso->block * 2 + ((uint64_t)1 << cso->shift))
		return -EIO;
	return 0;
}

static int stored_find(const struct cso *cso, uint64_t block, struct stored *s)
{
	uint32_t word, next;
	int r = index_word(cso, block, &word);

	if (!r)
		r = index_word(cso, block + 1, &next);
	return r ? r : stored_get(cso, word, next, s);
}

/* ---- contents ---- */

static uint32_t block_bytes(const struct cso *cso, uint64_t block)
{
	return (uint32_t)min64(cso->block, cso->size - block * cso->block);
}

/* The last block may have been filled up before it was packed. */
static int unpack_last(const struct cso *cso, const struct stored *s, const void *packed, void *out,
                       size_t size)
{
	void *whole = malloc(cso->block);
	int r = whole ? codec_unpack(s->codec, packed, s->len, whole, cso->block) : -ENOMEM;

	if (!r)
		memcpy(out, whole, size);
	free(whole);
	return r;
}

static int unpack(const struct cso *cso, const struct stored *s, const uint8_t *packed, void *out,
                  uint32_t size)
{
	int r;

	if (s->plain) {
		if (s->len < size)
			return -EIO;
		memcpy(out, packed, size);
		return 0;
	}
	r = codec_unpack(s->codec, packed, s->len, out, size);
	if (r == -EIO && size < cso->block)
		r = unpack_last(cso, s, packed, out, size);
	return r;
}

/* The chunk that begins with block number first. */
static int make_chunk(void *self, uint64_t first, void *data, size_t size)
{
	const struct cso *cso = self;
	uint64_t count = (size + cso->block - 1) / cso->block, start, end;
	struct stored s = {0};
	uint8_t *packed;
	int r = stored_find(cso, first, &s);

	start = s.off;
	for (uint64_t i = 1; i < count && !r; i++)
		r = stored_find(cso, first + i, &s);
	if (r)
		return r;
	/* Each is behind the one before it, and none is long. */
	end = s.off + s.len;
	packed = malloc(end - start);
	if (!packed)
		return -ENOMEM;
	r = dev_pread(cso->file, packed, end - start, start);
	for (uint64_t i = 0; i < count && !r; i++) {
		r = stored_find(cso, first + i, &s);
		/* The file may have been rewritten since the first look. */
		if (!r && (s.off < start || !range_ok(s.off - start, s.len, end - start)))
			r = -EIO;
		if (!r)
			r = unpack(cso, &s, packed + (s.off - start), (char *)data + i * cso->block,
			           block_bytes(cso, first + i));
	}
	free(packed);
	return r;
}

/* A block that is stored as it is, and those that follow it in the same way. */
static int map_plain(const struct cso *cso, uint64_t block, const struct stored *s, uint64_t off,
                     struct run *run)
{
	const struct cache_chunk *chunk;
	uint64_t got, n = 1, in = off - block * cso->block;
	const le32 *words;
	int r = index_words(cso, block, INDEX_WORDS, &chunk, &words, &got);

	if (r)
		return r;
	for (; n + 1 < got && block + n < cso->blocks; n++) {
		struct stored next;

		if (stored_get(cso, le32_get(words[n]), le32_get(words[n + 1]), &next) ||
		    !next.plain || next.len < block_bytes(cso, block + n) ||
		    next.off != s->off + n * cso->block)
			break;
	}
	cache_put(cso->cache, chunk);
	*run = (struct run){
		.kind = RUN_RAW,
		.length = min64(n * cso->block, cso->size - block * cso->block) - in,
		.dev = cso->file,
		.offset = s->off + in,
	};
	return 0;
}

static int cso_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct cso *cso = self;
	uint64_t block = off / cso->block, bytes = (uint64_t)cso->chunk * cso->block;
	uint64_t first = block / cso->chunk * cso->chunk, start = first * cso->block;
	struct stored s;
	int r = stored_find(cso, block, &s);

	(void)node;
	if (r)
		return r;
	if (s.plain && s.len >= block_bytes(cso, block))
		return map_plain(cso, block, &s, off, run);
	*run = (struct run){
		.kind = RUN_MADE,
		.offset = first,
		.unpacked = (uint32_t)min64(bytes, cso->size - start),
		.skip = (uint32_t)(off - start),
		.make = make_chunk,
	};
	run->length = run->unpacked - run->skip;
	return 0;
}

/* ---- the driver ---- */

static int check_header(const struct cso_header *h, struct platter_error *err)
{
	uint32_t size = le32_get(h->header_size), block = le32_get(h->block_size);

	if (h->magic[0] == 'C' && size >= 0x8000 && is_pow2(size))
		return err_set(
			err, EOPNOTSUPP,
			"a compact image of the GameCube (blocks of %u bytes) cannot be read",
			size);
	if (h->version > (h->magic[0] == 'C' ? 2 : 1))
		return err_set(err, EOPNOTSUPP, "version %u, expected 0 to %d", h->version,
		               h->magic[0] == 'C' ? 2 : 1);
	if (size != sizeof *h && (size != 0 || h->version == 2))
		return err_set(err, EINVAL, "a header of %u bytes, expected %zu", size, sizeof *h);
	if (block < BLOCK_MIN || block > BLOCK_MAX || !is_pow2(block))
		return err_set(err, EINVAL,
		               "blocks of %u bytes, expected a power of two from %u to %u", block,
		               BLOCK_MIN, BLOCK_MAX);
	if (h->index_shift > ALIGN_MAX)
		return err_set(err, EINVAL, "align %u, expected at most %u", h->index_shift,
		               ALIGN_MAX);
	return 0;
}

/* The blocks begin behind the index and end within the file. */
static int check_index(const struct cso *cso, struct platter_error *err)
{
	uint64_t table, start, end;
	uint32_t first, last;
	int r;

	table = sizeof(struct cso_header) + (min64(cso->blocks, DEV_SIZE_MAX / 8) + 1) * 4;
	if (table > cso->file->size)
		return err_set(err, EIO, "an index of %llu blocks, but the file has %llu bytes",
		               (unsigned long long)cso->blocks,
		               (unsigned long long)cso->file->size);
	r = index_word(cso, 0, &first);
	if (!r)
		r = index_word(cso, cso->blocks, &last);
	if (r)
		return err_set(err, -r, "reading the index: %s", strerror(-r));
	start = offset_of(cso, first);
	end = offset_of(cso, last);
	if (start < table || end > cso->file->size)
		return err_set(err, EIO,
		               "blocks from %llu to %llu, but the index ends at %llu and the file "
		               "at %llu",
		               (unsigned long long)start, (unsigned long long)end,
		               (unsigned long long)table, (unsigned long long)cso->file->size);
	return 0;
}

static int cso_open(struct image *image, struct platter_error *err)
{
	struct cso_header h;
	struct cso *cso;
	bool zso;
	int r;

	r = image_read_head(image->file, &h, sizeof h, err);
	if (r)
		return r;
	zso = memcmp(h.magic, "ZISO", 4) == 0;
	if (!zso && memcmp(h.magic, "CISO", 4) != 0)
		return DRIVER_NOT_MINE;
	r = check_header(&h, err);
	if (!r)
		r = zso ? 0 : codec_require(CODEC_DEFLATE, err);
	if (!r && (zso || h.version == 2))
		r = codec_require(CODEC_LZ4, err);
	if (r)
		return r;
	cso = malloc(sizeof *cso);
	if (!cso)
		return err_set(err, ENOMEM, "no memory");
	*cso = (struct cso){
		.file = image->file,
		.cache = image->cache,
		.size = le64_get(h.uncompressed_size),
		.block = le32_get(h.block_size),
		.shift = h.index_shift,
		.codec = zso ? CODEC_LZ4 : CODEC_DEFLATE,
		.version2 = h.version == 2,
	};
	cso->chunk = cso->block < CHUNK_BYTES ? CHUNK_BYTES / cso->block : 1;
	cso->blocks = cso->size / cso->block + (cso->size % cso->block != 0);
	r = check_index(cso, err);
	if (r) {
		free(cso);
		return r;
	}
	image->self = cso;
	image->size = cso->size;
	image->packed = true;
	return 0;
}

const struct format_driver format_cso = {
	.name = "cso",
	.id = 20,
	.open = cso_open,
	.map = cso_map,
};
