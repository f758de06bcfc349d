/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that are stored compressed, block by block: zisofs as H. P. Anvin made it, and zisofs2
 * (libisofs doc/zisofs_format.txt and doc/zisofs2_format.txt).
 *
 * The ZF entry of the directory record says how a file is packed. Its data begins with a header
 * that says the same again, then come the block pointers: offsets into the data, one for each
 * unpacked block and one for the end. Two equal pointers stand for a block of zeros.
 */
#include "config.h"

#include "iso9660.h"

#include <errno.h>
#include <string.h>

/* The format says 15 to 17; xorriso can write up to 20, and smaller ones do no harm. */
#define SHIFT_MIN 12
#define SHIFT_MAX 20

_Static_assert(1u << SHIFT_MAX <= RUN_CHUNK_MAX, "a block fits a chunk");

/* The ZF (or Z2) entry. */
struct zf {
	uint8_t header[3];       /* +0x00 signature, length */
	uint8_t version;         /* +0x03 */
	uint8_t algorithm[2];    /* +0x04 */
	uint8_t header_size;     /* +0x06 in units of 4 bytes */
	uint8_t log2_block_size; /* +0x07 */
	le32 size_low;           /* +0x08 unpacked; version 1: in both byte orders ... */
	le32 size_high;          /* +0x0c ... version 2: 64 bits */
};

_Static_assert(sizeof(struct zf) == 16, "zisofs2_format.txt, ZF System Use Entry Format");

void iso_zisofs_entry(const uint8_t *p, struct iso_zisofs *zisofs)
{
	struct zf zf;
	uint64_t high;

	memcpy(&zf, p, sizeof zf);
	high = zf.version >= 2 ? (uint64_t)le32_get(zf.size_high) << 32 : 0;
	*zisofs = (struct iso_zisofs){
		.pointer = zf.version >= 2 ? 8 : 4,
		.header = 4u * zf.header_size,
		.block_shift = zf.log2_block_size,
		.size = high | le32_get(zf.size_low),
	};
	if (zf.version == 1 && !memcmp(zf.algorithm, "pz", 2)) {
		zisofs->codec = CODEC_ZLIB;
	} else if (zf.version == 2 && !memcmp(zf.algorithm, "PZ", 2)) {
		zisofs->codec = CODEC_ZLIB;
	} else if (zf.version == 2 && !memcmp(zf.algorithm, "ZD", 2)) {
		zisofs->codec = CODEC_ZSTD;
	} else {
		return;
	}
	zisofs->known = codec_require(zisofs->codec, NULL) == 0 &&
	                zisofs->block_shift >= SHIFT_MIN && zisofs->block_shift <= SHIFT_MAX;
}

/* Read len stored bytes at off. */
static int stored_read(const struct iso *iso, const struct iso_entry *entry, uint64_t off,
                       uint8_t *buf, size_t len)
{
	struct iso_extent ext;
	size_t n;
	int r;

	while (len) {
		r = iso_stored(iso, entry, off, &ext);
		if (r)
			return r;
		n = min64(len, ext.len);
		r = dev_pread(iso->dev, buf, n, ext.start);
		if (r)
			return r;
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}

static uint64_t pointer_get(const struct iso_zisofs *zisofs, const uint8_t *p)
{
	le64 v = {{0}};

	memcpy(v.b, p, zisofs->pointer);
	return le64_get(v);
}

/* Where in the stored bytes a block stands. */
static int block_find(const struct iso *iso, const struct iso_entry *entry, uint64_t block,
                      uint64_t *start, uint64_t *end)
{
	const struct iso_zisofs *zisofs = &entry->susp.zisofs;
	uint64_t blocks = ((zisofs->size - 1) >> zisofs->block_shift) + 1, table, at;
	uint8_t pair[16];
	int r;

	if (!ckd_mul64(&table, blocks + 1, zisofs->pointer) ||
	    !ckd_add64(&table, table, zisofs->header) || table > entry->stored)
		return -EIO;
	at = zisofs->header + block * zisofs->pointer;
	r = stored_read(iso, entry, at, pair, 2u * zisofs->pointer);
	if (r)
		return r;
	*start = pointer_get(zisofs, pair);
	*end = pointer_get(zisofs, pair + zisofs->pointer);
	/* Where a disc reads as zeros the pointers are equal, but they are no pointers. */
	if (*start < table || *end < *start || *end > entry->stored)
		return -EIO;
	return 0;
}

int iso_zisofs_map(const struct iso *iso, const struct iso_entry *entry, uint64_t off,
                   struct run *run)
{
	const struct iso_zisofs *zisofs = &entry->susp.zisofs;
	uint64_t block, size, start, end;
	struct iso_extent ext;
	int r;

	if (!zisofs->known)
		return -EOPNOTSUPP;
	block = off >> zisofs->block_shift;
	size = min64((uint64_t)1 << zisofs->block_shift,
	             zisofs->size - (block << zisofs->block_shift));
	r = block_find(iso, entry, block, &start, &end);
	if (r)
		return r;
	run->dev = iso->dev;
	run->skip = (uint32_t)(off - (block << zisofs->block_shift));
	run->unpacked = (uint32_t)size;
	run->length = size - run->skip;
	run->kind = RUN_ZERO;
	if (start == end)
		return 0;
	if (end - start > RUN_CHUNK_MAX)
		return -EIO;
	r = iso_stored(iso, entry, start, &ext);
	if (r)
		return r;
	/* Only where the extents of a file larger than 4 GiB are apart, which no writer does. */
	if (ext.len < end - start)
		return -EOPNOTSUPP;
	if (!range_ok(ext.start, end - start, iso->dev->size))
		return -EIO;
	run->kind = RUN_PACKED;
	run->offset = ext.start;
	run->codec = zisofs->codec;
	run->packed = (uint32_t)(end - start);
	return 0;
}
