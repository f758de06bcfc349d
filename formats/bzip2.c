/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bzip2 streams. The format has no standard; "bzip2 Format Specification" by J. Tsai describes it.
 *
 * A file is one stream or more: "BZh" and a digit, blocks of up to 900 kB that are independent of
 * each other, and an end with a checksum of the blocks' checksums. Blocks begin at any bit, with 48
 * bits of magic (the digits of pi), and do not say how long they are, packed or unpacked. So one
 * pass looks for the magic, unpacks every block and checks all checksums. What follows the last
 * stream and is none is ignored, as bzip2 does.
 *
 * libbz2 only takes whole streams: a block is given to it shifted to a byte's beginning, between a
 * header and an end of our own. The magic may also stand inside a block by accident (once in 2^48
 * bits); then the block does not unpack when it is cut there, and the next magic is tried.
 */
#include "config.h"

#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"

#define BLOCK_MAGIC 0x314159265359u
#define END_MAGIC   0x177245385090u

/* "BZh1" to "BZh9", and a magic behind it. */
#define HEADER 4

static bool header_good(const uint8_t *p)
{
	return memcmp(p, "BZh", 3) == 0 && p[3] >= '1' && p[3] <= '9';
}

static uint64_t magic_at(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 6; i++)
		v = v << 8 | p[i];
	return v;
}

#ifdef HAVE_BZIP2
#include <bzlib.h>

/*
 * The packed bytes of a block: 900000 symbols of at most 20 bits (as libbz2 takes them), and the
 * tables.
 */
#define PACKED_MAX ((size_t)(2400 << 10))

/* Magics inside a block that are taken for accidents. */
#define ACCIDENTS_MAX 2

/* What libbz2 takes for blocks of 900 kB, in its manual's words 100k + (4 x block size). */
#define LIBRARY_MEMORY ((size_t)3700 << 10)

enum kind { KIND_STREAM, KIND_BLOCK };

struct bzip2_decoder {
	struct stream_decoder head;
	bz_stream z;
	bool unpacking; /* z is in the middle of a block */
	bool ended;
	bool inside, whole; /* a stream; since its beginning */
	uint32_t crc;       /* of its blocks so far */
	uint64_t bit;       /* where it stands, in the file */
	uint64_t end;       /* of the block that is unpacked */
	uint8_t tail[11];   /* what libbz2 is given behind it, and reads when it has given it out */
	uint64_t loaded;    /* offset in the file of what is in buf */
	size_t len;
	uint8_t buf[PACKED_MAX];
};

/* ---- bits ---- */

/* Have buf begin at the byte of d->bit, with as much as fits. */
static int load(struct bzip2_decoder *d)
{
	struct stream_in *in = &d->head.in;
	size_t n;
	int r;

	d->loaded = d->bit / 8;
	n = (size_t)min64(sizeof d->buf, in->file->size - min64(d->loaded, in->file->size));
	r = n ? dev_pread(in->file, d->buf, n, d->loaded) : 0;
	d->len = r ? 0 : n;
	return r;
}

/* The bits of buf that stand behind bit, an offset in the file. */
static uint64_t bits_behind(const struct bzip2_decoder *d, uint64_t bit)
{
	uint64_t end = (d->loaded + d->len) * 8;

	return bit >= d->loaded * 8 && bit < end ? end - bit : 0;
}

/* Up to 56 bits at bit, which are there. */
static uint64_t bits_get(const struct bzip2_decoder *d, uint64_t bit, unsigned count)
{
	size_t at = (size_t)(bit / 8 - d->loaded);
	unsigned shift = (unsigned)(bit % 8), have = 0;
	uint64_t v = 0;

	for (; have < shift + count; have += 8)
		v = v << 8 | d->buf[at++];
	return v >> (have - shift - count) & (((uint64_t)1 << count) - 1);
}

/* Make sure of count bits at d->bit. */
static int need_bits(struct bzip2_decoder *d, unsigned count)
{
	int r = 0;

	if (bits_behind(d, d->bit) < count)
		r = load(d);
	return r ? r : bits_behind(d, d->bit) < count ? -ENODATA : 0;
}

/* The first of the two magics at or behind bit, in what is loaded; 0: none. */
static uint64_t find_magic(const struct bzip2_decoder *d, uint64_t bit)
{
	size_t at = (size_t)(bit / 8 - d->loaded);
	uint64_t v = 0;

	if (at + 8 > d->len)
		return 0;
	for (unsigned i = 0; i < 7; i++)
		v = v << 8 | d->buf[at + i];
	/* v holds the 64 bits that end with byte at + 7: eight places for 48 of them. */
	for (; at + 8 <= d->len; at++) {
		v = v << 8 | d->buf[at + 7];
		for (unsigned s = 0; s < 8; s++) {
			uint64_t magic = v >> (16 - s) & 0xffffffffffff;

			if ((magic == BLOCK_MAGIC || magic == END_MAGIC) &&
			    (d->loaded + at) * 8 + s >= bit)
				return (d->loaded + at) * 8 + s;
		}
	}
	return 0;
}

/* ---- one block ---- */

/* The byte of the file's bits at bit, zeros behind end. */
static uint8_t byte_at(const struct bzip2_decoder *d, uint64_t bit, uint64_t end)
{
	unsigned n = (unsigned)min64(8, bit < end ? end - bit : 0);

	return n ? (uint8_t)(bits_get(d, bit, n) << (8 - n)) : 0;
}

static int feed(struct bzip2_decoder *d, const uint8_t *p, size_t len)
{
	int z;

	d->z.next_in = (char *)p;
	d->z.avail_in = (unsigned)len;
	z = BZ2_bzDecompress(&d->z);
	return z == BZ_OK || z == BZ_STREAM_END ? 0 : z == BZ_MEM_ERROR ? -ENOMEM : -EIO;
}

/*
 * Give libbz2 the block of [d->bit, end) as a stream of its own, without room for output: it takes
 * the block in, up to its last bit, before it gives anything out. The end that is made up here it
 * only reads when all of that was given out, so that stays where it is.
 */
static int feed_block(struct bzip2_decoder *d, uint64_t end)
{
	static const uint8_t header[] = {'B', 'Z', 'h', '9'};
	uint64_t at = d->bit, crc = bits_get(d, d->bit + 48, 32);
	uint8_t piece[4096];
	unsigned rest;
	int r;

	BZ2_bzDecompressEnd(&d->z);
	d->z = (bz_stream){0};
	if (BZ2_bzDecompressInit(&d->z, 0, 0) != BZ_OK)
		return -ENOMEM;
	r = feed(d, header, sizeof header);
	while (!r && end - at >= 8) {
		size_t n = 0;

		for (; n < sizeof piece && end - at >= 8; at += 8)
			piece[n++] = byte_at(d, at, end);
		r = feed(d, piece, n);
		/* It ended before, and what stands between it and the next magic is no block's. */
		if (!r && d->z.avail_in)
			r = -EIO;
	}
	if (r)
		return r;
	/* The last bits, then the end: 48 bits of magic, 32 of the only block's checksum. */
	rest = (unsigned)(end - at);
	memset(d->tail, 0, sizeof d->tail);
	d->tail[0] = byte_at(d, at, end);
	for (unsigned i = 0; i < 80; i++) {
		uint64_t bit = i < 48 ? END_MAGIC >> (47 - i) & 1 : crc >> (79 - i) & 1;

		d->tail[(rest + i) / 8] |= (uint8_t)(bit << (7 - (rest + i) % 8));
	}
	return feed(d, d->tail, sizeof d->tail);
}

/* What comes out of libbz2; its end may come alone. */
static int give(struct bzip2_decoder *d, uint8_t *buf, size_t len, size_t *got)
{
	int z;

	d->z.next_out = (char *)buf;
	d->z.avail_out = (unsigned)len;
	z = BZ2_bzDecompress(&d->z);
	*got = len - d->z.avail_out;
	d->unpacking = z == BZ_OK;
	if (z == BZ_MEM_ERROR)
		return -ENOMEM;
	/* Without output and without an end it waits for more of the block. */
	return z == BZ_STREAM_END || (z == BZ_OK && *got) ? 0 : -EIO;
}

static int begin_block(struct bzip2_decoder *d, uint8_t *buf, size_t len, size_t *got)
{
	uint64_t end = d->bit + 48;
	int r = -EIO;

	for (int i = 0; i <= ACCIDENTS_MAX && r == -EIO; i++) {
		uint64_t found = find_magic(d, end);

		if (!found && d->loaded != d->bit / 8) {
			r = load(d);
			if (r)
				return r;
			found = find_magic(d, end);
		}
		if (!found) {
			d->head.why = "a block has no end";
			return i == 0 && d->len < sizeof d->buf ? -ENODATA : -EIO;
		}
		end = found;
		r = feed_block(d, end);
		if (!r)
			r = give(d, buf, len, got);
		/* It was cut at an accident when nothing comes. */
		if (!r && *got == 0)
			r = -EIO;
		d->end = end++;
	}
	if (r)
		d->head.why = "a block is damaged";
	else if (d->whole)
		d->crc = (d->crc << 1 | d->crc >> 31) ^ (uint32_t)bits_get(d, d->bit + 48, 32);
	return r;
}

/* ---- streams ---- */

/* Enter the next stream, or find that there is none. */
static int begin_stream(struct bzip2_decoder *d)
{
	int r = need_bits(d, (HEADER + 6) * 8);
	const uint8_t *p = d->buf + (d->bit / 8 - d->loaded);

	if (r && r != -ENODATA)
		return r;
	if (r || !header_good(p)) {
		d->ended = true;
		return 0;
	}
	d->inside = d->whole = true;
	d->crc = 0;
	d->bit += HEADER * 8;
	return 0;
}

static int end_stream(struct bzip2_decoder *d)
{
	int r = need_bits(d, 80);

	if (r)
		return r;
	if (d->head.verify && d->whole && bits_get(d, d->bit + 48, 32) != d->crc) {
		d->head.why = "a stream's checksum is wrong";
		return -EIO;
	}
	d->inside = false;
	d->bit = align_up(d->bit + 80, 8);
	return 0;
}

/* One step; d->bit is what a pass reports as its place. */
static int step(struct bzip2_decoder *d, uint8_t *buf, size_t len, size_t *got)
{
	uint64_t magic;
	int r;

	if (!d->inside)
		return begin_stream(d);
	r = need_bits(d, 80);
	if (r)
		return r;
	magic = bits_get(d, d->bit, 48);
	if (magic == END_MAGIC)
		return end_stream(d);
	if (magic == BLOCK_MAGIC)
		return begin_block(d, buf, len, got);
	d->head.why = "no block where one should begin";
	return -EIO;
}

static int bzip2_read(struct stream_decoder *head, uint8_t *buf, size_t len, size_t *got)
{
	struct bzip2_decoder *d = (struct bzip2_decoder *)head;
	int r = 0;

	*got = 0;
	while (!r && *got == 0 && !d->ended) {
		bool block = d->unpacking;

		r = block ? give(d, buf, len, got) : step(d, buf, len, got);
		if (r == -EIO && block)
			d->head.why = "a block is damaged";
		/* The block is done with: on to where it ends. */
		if (!r && !d->unpacking && (block || *got))
			d->bit = d->end;
	}
	stream_in_seek(&head->in, min64(d->bit / 8, head->in.file->size));
	return r;
}

static int bzip2_start(struct stream *s, struct stream_decoder *head,
                       const struct stream_point *point, const uint8_t *window, size_t len)
{
	struct bzip2_decoder *d = (struct bzip2_decoder *)head;

	(void)s;
	(void)window;
	(void)len;
	d->bit = point->in;
	d->inside = point->kind == KIND_BLOCK;
	return 0;
}

static bool bzip2_point(struct stream_decoder *head, struct stream_point *point, bool *window)
{
	struct bzip2_decoder *d = (struct bzip2_decoder *)head;

	point->in = d->bit;
	point->kind = d->inside ? KIND_BLOCK : KIND_STREAM;
	*window = false;
	return !d->unpacking && !d->ended && d->bit / 8 < head->in.file->size;
}

static void bzip2_stop(struct stream_decoder *head)
{
	BZ2_bzDecompressEnd(&((struct bzip2_decoder *)head)->z);
}

static const struct stream_coder coder = {
	.size = sizeof(struct bzip2_decoder),
	.index_id = 0x627a0001, /* "bz", 1 */
	.start = bzip2_start,
	.read = bzip2_read,
	.point = bzip2_point,
	.stop = bzip2_stop,
};

static int open_stream(struct image *image, struct platter_error *err)
{
	return stream_open(image, &coder, sizeof(struct bzip2_decoder) + LIBRARY_MEMORY, NULL,
	                   "a block of it unpacks to that much", err);
}

#else

static int open_stream(struct image *image, struct platter_error *err)
{
	(void)image;
	return codec_require(CODEC_BZIP2, err);
}

#endif

static int bzip2_open(struct image *image, struct platter_error *err)
{
	uint8_t p[HEADER + 6];
	int r = image_read_head(image->file, p, sizeof p, err);

	if (r)
		return r;
	if (!header_good(p) ||
	    (magic_at(p + HEADER) != BLOCK_MAGIC && magic_at(p + HEADER) != END_MAGIC))
		return DRIVER_NOT_MINE;
	return open_stream(image, err);
}

const struct format_driver format_bzip2 = {
	.name = "bzip2",
	.id = 32,
	.wraps = true,
	.open = bzip2_open,
	.map = stream_map,
	.close = stream_close,
};
