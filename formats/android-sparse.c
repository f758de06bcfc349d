/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Android sparse images, as libsparse (platform/system/core/libsparse/sparse_format.h) has them.
 *
 * A header, then chunks one after the other, each with a header of its own: blocks that are stored
 * (raw), that all hold one 32-bit value (fill), that are not written at all (don't care: zeros),
 * or the CRC32 of all that came before. The chunks are walked once; what lies in a row and is
 * alike becomes one piece of the map. Headers may be longer than is known: they say how long.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers.h"
#include "ondisk.h"

struct sparse_header {
	le32 magic;          /* +0x00 */
	le16 major_version;  /* +0x04 */
	le16 minor_version;  /* +0x06 */
	le16 file_hdr_sz;    /* +0x08 */
	le16 chunk_hdr_sz;   /* +0x0a */
	le32 blk_sz;         /* +0x0c bytes, a multiple of 4 */
	le32 total_blks;     /* +0x10 of the disk */
	le32 total_chunks;   /* +0x14 */
	le32 image_checksum; /* +0x18 CRC32 of the disk; 0: none */
};

struct chunk_header {
	le16 chunk_type; /* +0x00 */
	le16 reserved1;  /* +0x02 */
	le32 chunk_sz;   /* +0x04 blocks of the disk */
	le32 total_sz;   /* +0x08 bytes in the file, this header included */
};

_Static_assert(sizeof(struct sparse_header) == 28, "sparse_format.h");
_Static_assert(sizeof(struct chunk_header) == 12, "sparse_format.h");

#define MAGIC           0xed26ff3au
#define CHUNK_RAW       0xcac1
#define CHUNK_FILL      0xcac2
#define CHUNK_DONT_CARE 0xcac3
#define CHUNK_CRC32     0xcac4

/* Pieces of the map, 24 bytes each; the images of phones have some thousands. */
#define PIECES_MAX ((size_t)1 << 20)

/* Chunks, which may be merged to few pieces. */
#define CHUNKS_MAX ((uint32_t)4 << 20)

/* What a fill is made in. */
#define FILL_CHUNK ((uint32_t)256 << 10)

/* Room for several headers: what is not raw data stands close together. */
#define READ_AHEAD 4096

struct piece {
	uint64_t start; /* on the disk; it ends where the next one begins */
	uint64_t at;    /* in the file, of what is stored; 0: it is filled */
	uint32_t value; /* with this */
};

struct sparse {
	struct dev *file;
	uint64_t size;
	struct piece *pieces;
	size_t npieces;
	/* While it is opened. */
	uint64_t ahead_at;
	size_t ahead_len;
	uint8_t ahead[READ_AHEAD];
};

static int add_piece(struct sparse *s, const struct piece *p, struct platter_error *err)
{
	struct piece *last = s->npieces ? &s->pieces[s->npieces - 1] : NULL;
	struct piece *more = s->pieces;

	if (last && !last->at && !p->at && last->value == p->value)
		return 0;
	if (s->npieces == PIECES_MAX)
		return err_set(err, E2BIG, "more than %zu pieces of data", PIECES_MAX);
	if ((s->npieces & (s->npieces - 1)) == 0)
		more = reallocarray(s->pieces, s->npieces ? 2 * s->npieces : 1, sizeof *more);
	if (!more)
		return err_set(err, ENOMEM, "no memory");
	s->pieces = more;
	s->pieces[s->npieces++] = *p;
	return 0;
}

/* len bytes at off, by way of a buffer. */
static int get(struct sparse *s, uint64_t off, void *buf, size_t len)
{
	int r;

	if (!range_ok(off, len, s->file->size))
		return -ENODATA;
	if (off < s->ahead_at || !range_ok(off - s->ahead_at, len, s->ahead_len)) {
		s->ahead_at = off;
		s->ahead_len = (size_t)min64(READ_AHEAD, s->file->size - off);
		r = dev_pread(s->file, s->ahead, s->ahead_len, off);
		if (r)
			return r;
	}
	memcpy(buf, s->ahead + (off - s->ahead_at), len);
	return 0;
}

/* The CRC32 of the disk's first bytes; that there are too many of them is no reason to fail. */
static void add_sum(struct image *image, uint64_t length, uint32_t crc)
{
	struct image_sum sum = {.digest = "crc32", .length = length};
	be32 value = be32_put(crc);

	memcpy(sum.value, value.b, sizeof value);
	if (length)
		(void)image_add_sum(image, &sum);
}

/* What follows the chunk's header, at off, is len bytes; the disk is filled up to s->size. */
static int add_chunk(struct image *image, struct sparse *s, const struct chunk_header *h,
                     uint64_t off, uint64_t len, uint32_t block, struct platter_error *err)
{
	uint64_t bytes = (uint64_t)le32_get(h->chunk_sz) * block, want;
	struct piece p = {.start = s->size};
	uint16_t type = le16_get(h->chunk_type);
	le32 value = {{0}};
	int r = 0;

	switch (type) {
	case CHUNK_RAW:
		want = bytes;
		p.at = off;
		break;
	case CHUNK_FILL:
	case CHUNK_CRC32:
		want = sizeof value;
		break;
	case CHUNK_DONT_CARE:
		want = 0;
		break;
	default:
		return err_set(err, EOPNOTSUPP, "chunk at %llu: of type 0x%04x, which is not known",
		               (unsigned long long)off, type);
	}
	if (len != want)
		return err_set(err, EIO, "chunk at %llu: %llu bytes of type 0x%04x, expected %llu",
		               (unsigned long long)off, (unsigned long long)len, type,
		               (unsigned long long)want);
	if (!range_ok(off, len, s->file->size))
		r = -ENODATA;
	else if (want == sizeof value && type != CHUNK_RAW)
		r = get(s, off, &value, sizeof value);
	if (r)
		return err_set(err, EIO, "chunk at %llu: %s", (unsigned long long)off,
		               r == -ENODATA ? "passes the end of the file" : strerror(-r));
	p.value = le32_get(value);
	if (type == CHUNK_CRC32)
		add_sum(image, s->size, p.value);
	else if (bytes)
		r = add_piece(s, &p, err);
	if (!r && type != CHUNK_CRC32 && !ckd_add64(&s->size, s->size, bytes))
		r = err_set(err, EIO, "chunk at %llu: ends past byte 2^64 of the disk",
		            (unsigned long long)off);
	return r;
}

static int read_chunks(struct image *image, struct sparse *s, const struct sparse_header *h,
                       struct platter_error *err)
{
	uint32_t count = le32_get(h->total_chunks), block = le32_get(h->blk_sz);
	uint64_t off = le16_get(h->file_hdr_sz), size = (uint64_t)le32_get(h->total_blks) * block;
	uint16_t header = le16_get(h->chunk_hdr_sz);

	for (uint32_t i = 0; i < count; i++) {
		struct chunk_header c;
		int r = get(s, off, &c, sizeof c);

		if (r)
			return err_set(err, EIO, "chunk %u of %u, at %llu: %s", i, count,
			               (unsigned long long)off,
			               r == -ENODATA ? "passes the end of the file" : strerror(-r));
		if (le32_get(c.total_sz) < header)
			return err_set(err, EIO, "chunk at %llu: %u bytes, less than its header",
			               (unsigned long long)off, le32_get(c.total_sz));
		r = add_chunk(image, s, &c, off + header, le32_get(c.total_sz) - header, block,
		              err);
		if (r)
			return r;
		if (s->size > size)
			break;
		off += le32_get(c.total_sz);
	}
	if (s->size != size)
		return err_set(err, EIO, "chunks of %llu bytes%s, but the disk has %llu",
		               (unsigned long long)s->size, s->size > size ? " or more" : "",
		               (unsigned long long)size);
	return 0;
}

static int check_header(const struct sparse_header *h, struct platter_error *err)
{
	if (le16_get(h->major_version) != 1)
		return err_set(err, EOPNOTSUPP, "version %u.%u, expected 1.x",
		               le16_get(h->major_version), le16_get(h->minor_version));
	if (le16_get(h->file_hdr_sz) < sizeof *h ||
	    le16_get(h->chunk_hdr_sz) < sizeof(struct chunk_header))
		return err_set(err, EIO, "headers of %u and %u bytes, expected at least 28 and 12",
		               le16_get(h->file_hdr_sz), le16_get(h->chunk_hdr_sz));
	if (le32_get(h->blk_sz) == 0 || le32_get(h->blk_sz) % 4)
		return err_set(err, EIO, "blocks of %u bytes, expected a multiple of 4",
		               le32_get(h->blk_sz));
	if (le32_get(h->total_chunks) > CHUNKS_MAX)
		return err_set(err, E2BIG, "%u chunks, at most %u", le32_get(h->total_chunks),
		               CHUNKS_MAX);
	return 0;
}

/* ---- the map ---- */

static const struct piece *find(const struct sparse *s, uint64_t off, uint64_t *end)
{
	size_t low = 0, high = s->npieces;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (s->pieces[mid].start <= off)
			low = mid;
		else
			high = mid;
	}
	*end = high < s->npieces ? s->pieces[high].start : s->size;
	return &s->pieces[low];
}

static int make_fill(void *self, uint64_t off, void *data, size_t size)
{
	uint64_t end;
	le32 value = le32_put(find(self, off, &end)->value);

	for (size_t i = 0; i < size; i += sizeof value)
		memcpy((char *)data + i, value.b, sizeof value);
	return 0;
}

static int sparse_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	struct sparse *s = self;
	uint64_t end, chunk;
	const struct piece *p = find(s, off, &end);

	(void)node;
	*run = (struct run){.kind = RUN_ZERO, .length = end - off};
	if (p->at) {
		run->kind = RUN_RAW;
		run->dev = s->file;
		run->offset = p->at + (off - p->start);
	} else if (p->value) {
		chunk = off - (off - p->start) % FILL_CHUNK;
		run->kind = RUN_MADE;
		run->offset = chunk;
		run->unpacked = (uint32_t)min64(FILL_CHUNK, end - chunk);
		run->skip = (uint32_t)(off - chunk);
		run->length = run->unpacked - run->skip;
		run->make = make_fill;
	}
	return 0;
}

static void sparse_close(void *self)
{
	struct sparse *s = self;

	free(s->pieces);
	free(s);
}

static int sparse_open(struct image *image, struct platter_error *err)
{
	struct sparse_header h;
	struct sparse *s;
	int r;

	r = image_read_head(image->file, &h.magic, sizeof h.magic, err);
	if (r)
		return r;
	if (le32_get(h.magic) != MAGIC)
		return DRIVER_NOT_MINE;
	if (image->file->size < sizeof h)
		return err_set(err, EIO, "%llu bytes, expected a header of %zu",
		               (unsigned long long)image->file->size, sizeof h);
	r = image_read_head(image->file, &h, sizeof h, err);
	if (!r)
		r = check_header(&h, err);
	if (r)
		return r;
	s = calloc(1, sizeof *s);
	if (!s)
		return err_set(err, ENOMEM, "no memory");
	s->file = image->file;
	r = read_chunks(image, s, &h, err);
	if (r) {
		sparse_close(s);
		return r;
	}
	if (le32_get(h.image_checksum))
		add_sum(image, s->size, le32_get(h.image_checksum));
	image->self = s;
	image->size = s->size;
	for (size_t i = 0; i < s->npieces; i++)
		image->packed |= !s->pieces[i].at && s->pieces[i].value;
	return 0;
}

const struct format_driver format_android_sparse = {
	.name = "android-sparse",
	.id = 28,
	.open = sparse_open,
	.map = sparse_map,
	.close = sparse_close,
};
