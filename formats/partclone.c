/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * partclone's images of a filesystem, versions 0001 and 0002: IMAGE_FORMATS.md of partclone.
 *
 * A header, a bitmap of the blocks that are in use, and these blocks in a row, with a checksum
 * behind every so many of them. Blocks that are not in use read as zeros. So the place of a block
 * is found by counting the bits before its own: counts of every 16 KiB of the bitmap are kept,
 * and the bits of one group are counted each time. Counting goes on from where it stopped, as far
 * as somebody needs; bitmaps of some size are counted at open, which tells damage soon.
 *
 * The checksums of 0002 (and of its header and bitmap) are plain CRC32 without the final
 * inversion. Those of the data are not looked at: 0001 never reset them, so that they cannot be
 * checked at random, and blocks are served from the file as they are.
 */
#include "config.h"

#include "partclone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "ondisk.h"

/* Version 0001. */
struct image_desc_v1 {
	uint8_t magic[15];  /* +0x00 */
	uint8_t fs[15];     /* +0x0f */
	uint8_t version[4]; /* +0x1e "0001" */
	uint8_t padding[2]; /* +0x22 */
	le32 block_size;    /* +0x24 */
	le64 device_size;   /* +0x28 */
	le64 totalblock;    /* +0x30 */
	le64 usedblocks;    /* +0x38 by the filesystem's own account */
	uint8_t buff[4096]; /* +0x40 */
};

struct image_desc_v2 {
	uint8_t magic[16];        /* +0x00 */
	uint8_t ptc_version[14];  /* +0x10 */
	uint8_t version[4];       /* +0x1e "0002" */
	le16 endianess;           /* +0x22 */
	uint8_t fs[16];           /* +0x24 */
	le64 device_size;         /* +0x34 */
	le64 totalblock;          /* +0x3c */
	le64 usedblocks;          /* +0x44 by the filesystem's own account */
	le64 used_bitmap;         /* +0x4c by the bitmap */
	le32 block_size;          /* +0x54 */
	le32 feature_size;        /* +0x58 of the rest, the CRC not included */
	le16 image_version;       /* +0x5c */
	le16 cpu_bits;            /* +0x5e */
	le16 checksum_mode;       /* +0x60 */
	le16 checksum_size;       /* +0x62 */
	le32 blocks_per_checksum; /* +0x64 */
	uint8_t reseed_checksum;  /* +0x68 */
	uint8_t bitmap_mode;      /* +0x69 */
	le32 crc;                 /* +0x6a */
};

_Static_assert(sizeof(struct image_desc_v1) == 4160, "IMAGE_FORMATS.md, 0001");
_Static_assert(sizeof(struct image_desc_v2) == 110, "IMAGE_FORMATS.md, 0002");

#define ENDIAN_LITTLE 0xc0de
#define ENDIAN_BIG    0xdec0
#define BITMAP_NONE   0
#define BITMAP_BIT    1
#define BITMAP_BYTE   8

static const char magic[15] = "partclone-image", bitmap_magic[8] = "BiTmAgIc";

/* A partclone block is a filesystem's: XFS and NTFS go furthest. */
#define BLOCK_MAX (2u << 20)

/* 16 TiB in blocks of 4 KiB, for a bitmap of bits. */
#define BITMAP_MAX ((uint64_t)512 << 20)

/* ---- opening ---- */

static int read_header(struct partclone *p, void *h, size_t size, struct platter_error *err)
{
	if (p->file->size < size)
		return err_set(err, EIO, "%llu bytes, expected a header of %zu",
		               (unsigned long long)p->file->size, size);
	return image_read_head(p->file, h, size, err);
}

static int read_v1(struct partclone *p, struct platter_error *err)
{
	struct image_desc_v1 h;
	uint8_t tail[8];
	int r = read_header(p, &h, sizeof h, err);

	if (r)
		return r;
	p->size = le64_get(h.device_size);
	p->total = le64_get(h.totalblock);
	p->block = le32_get(h.block_size);
	p->used = UINT64_MAX;
	p->bits = 8;
	p->sum = 4;
	p->per_sum = 1;
	p->bitmap = sizeof h;
	p->bytes = p->total;
	if (p->bytes > BITMAP_MAX || !range_ok(p->bitmap, p->bytes + sizeof tail, p->file->size))
		return 0; /* what is checked next */
	p->data = p->bitmap + p->bytes + sizeof tail;
	r = dev_pread(p->file, tail, sizeof tail, p->data - sizeof tail);
	if (r)
		return err_set(err, -r, "bitmap: its end cannot be read: %s", strerror(-r));
	if (memcmp(tail, bitmap_magic, sizeof tail) != 0)
		return err_set(err, EIO, "bitmap: \"BiTmAgIc\" is not behind it, at %llu",
		               (unsigned long long)(p->data - sizeof tail));
	return 0;
}

static int check_v2(const struct image_desc_v2 *h, struct platter_error *err)
{
	uint32_t crc =
		~(uint32_t)crc32_z(0, (const uint8_t *)h, offsetof(struct image_desc_v2, crc));
	uint16_t mode = le16_get(h->checksum_mode), sum = le16_get(h->checksum_size);

	if (le16_get(h->endianess) == ENDIAN_BIG)
		return err_set(err, EOPNOTSUPP,
		               "made on a big-endian machine, which is not supported");
	if (le16_get(h->endianess) != ENDIAN_LITTLE)
		return err_set(err, EIO, "byte order 0x%04x, expected 0x%04x",
		               le16_get(h->endianess), ENDIAN_LITTLE);
	if (le32_get(h->crc) != crc)
		return err_set(err, EIO, "header: checksum 0x%08x, expected 0x%08x",
		               le32_get(h->crc), crc);
	if (le32_get(h->feature_size) != 18)
		return err_set(err, EOPNOTSUPP, "features of %u bytes, expected 18",
		               le32_get(h->feature_size));
	/* Only how long they are matters. */
	if (sum > 64 || (mode == 0) != (sum == 0) || (sum && !le32_get(h->blocks_per_checksum)))
		return err_set(err, EIO, "checksums of %u bytes in mode %u behind every %u blocks",
		               sum, mode, le32_get(h->blocks_per_checksum));
	return 0;
}

static int read_v2(struct partclone *p, struct platter_error *err)
{
	struct image_desc_v2 h;
	int r = read_header(p, &h, sizeof h, err);

	if (!r)
		r = check_v2(&h, err);
	if (r)
		return r;
	p->size = le64_get(h.device_size);
	p->total = le64_get(h.totalblock);
	p->block = le32_get(h.block_size);
	p->used = le64_get(h.used_bitmap);
	p->sum = le16_get(h.checksum_size);
	p->per_sum = p->sum ? le32_get(h.blocks_per_checksum) : 0;
	p->bitmap = sizeof h;
	switch (h.bitmap_mode) {
	case BITMAP_NONE:
		p->used = p->total;
		p->data = p->bitmap;
		return 0;
	case BITMAP_BIT:
		p->bits = 1;
		p->bytes = p->total / 8 + (p->total % 8 != 0);
		break;
	case BITMAP_BYTE:
		p->bits = 8;
		p->bytes = p->total;
		break;
	default:
		return err_set(err, EOPNOTSUPP, "bitmap of kind %u, expected 0, 1 or 8",
		               h.bitmap_mode);
	}
	if (p->bytes <= BITMAP_MAX)
		p->data = p->bitmap + p->bytes + 4;
	return 0;
}

static int check_sizes(const struct partclone *p, struct platter_error *err)
{
	uint64_t bytes;

	if (p->block < 256 || p->block > BLOCK_MAX)
		return err_set(err, EIO, "blocks of %u bytes, expected 256 to %u", p->block,
		               BLOCK_MAX);
	if (p->size > DEV_SIZE_MAX)
		return err_set(err, EFBIG, "a disk of %llu bytes, at most %llu",
		               (unsigned long long)p->size, (unsigned long long)DEV_SIZE_MAX);
	if (p->total == 0 || !ckd_mul64(&bytes, p->total - 1, p->block) || bytes >= p->size)
		return err_set(err, EIO, "%llu blocks of %u bytes on a disk of %llu bytes",
		               (unsigned long long)p->total, p->block, (unsigned long long)p->size);
	if (p->bytes > BITMAP_MAX)
		return err_set(err, EFBIG, "bitmap: %llu bytes, at most %llu are supported",
		               (unsigned long long)p->bytes, (unsigned long long)BITMAP_MAX);
	if (p->data == 0 || p->data > p->file->size)
		return err_set(err, EIO, "bitmap: %llu bytes at %llu pass the end of the file",
		               (unsigned long long)p->bytes, (unsigned long long)p->bitmap);
	return 0;
}

/* Whether so many blocks and their checksums are there. */
static int check_end(const struct partclone *p, uint64_t used, struct platter_error *err)
{
	uint64_t bytes, sums = p->per_sum ? used / p->per_sum * p->sum : 0;

	if (used > p->total || !ckd_mul64(&bytes, used, p->block) ||
	    !range_ok(p->data, bytes + sums, p->file->size))
		return err_set(err, EIO, "%llu used blocks of %u bytes pass the end of the file",
		               (unsigned long long)used, p->block);
	return 0;
}

static int count_now(struct partclone *p, struct platter_error *err)
{
	uint64_t n = partclone_groups(p);
	le32 crc;
	int r = partclone_count(p, n);

	if (r)
		return err_set(err, -r, "bitmap: %s", strerror(-r));
	if (p->used == UINT64_MAX) {
		p->used = p->counts[n];
		return 0;
	}
	r = dev_pread(p->file, &crc, sizeof crc, p->data - sizeof crc);
	if (r)
		return err_set(err, -r, "bitmap: its checksum cannot be read: %s", strerror(-r));
	if (le32_get(crc) != ~p->crc)
		return err_set(err, EIO, "bitmap: its checksum is wrong");
	if (p->used != p->counts[n])
		return err_set(err, EIO, "bitmap: %llu blocks are marked as used, expected %llu",
		               (unsigned long long)p->counts[n], (unsigned long long)p->used);
	return 0;
}

static int read_tables(struct partclone *p, const uint8_t version[4], struct platter_error *err)
{
	int r;

	if (memcmp(version, "0001", 4) == 0)
		r = read_v1(p, err);
	else if (memcmp(version, "0002", 4) == 0)
		r = read_v2(p, err);
	else
		return err_set(err, EOPNOTSUPP, "image version \"%.4s\", expected 0001 or 0002",
		               (const char *)version);
	if (!r)
		r = check_sizes(p, err);
	if (r || !p->bits)
		return r ? r : check_end(p, p->used, err);
	p->counts = calloc(partclone_groups(p) + 1, sizeof *p->counts);
	if (!p->counts)
		return err_set(err, ENOMEM, "no memory");
	if (p->bytes <= COUNT_AT_OPEN)
		r = count_now(p, err);
	return r || p->used == UINT64_MAX ? r : check_end(p, p->used, err);
}

static void partclone_close(void *self)
{
	struct partclone *p = self;

	pthread_mutex_destroy(&p->lock);
	free(p->counts);
	free(p);
}

static int partclone_open(struct image *image, struct platter_error *err)
{
	struct partclone *p;
	uint8_t head[34];
	int r;

	r = image_read_head(image->file, head, sizeof head, err);
	if (r)
		return r;
	if (memcmp(head, magic, sizeof magic) != 0)
		return DRIVER_NOT_MINE;
	p = calloc(1, sizeof *p);
	if (!p)
		return err_set(err, ENOMEM, "no memory");
	p->file = image->file;
	p->cache = image->cache;
	pthread_mutex_init(&p->lock, NULL);
	r = read_tables(p, head + 30, err);
	if (r) {
		partclone_close(p);
		return r;
	}
	image->self = p;
	image->size = p->size;
	return 0;
}

const struct format_driver format_partclone = {
	.name = "partclone",
	.id = 29,
	.open = partclone_open,
	.map = partclone_map,
	.close = partclone_close,
};
