/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 2IMG (.2mg, .2img), the Apple II emulators' universal disk image: "Apple II Universal Disk Image
 * Format", revision of 1997 (the text that came with Bernie ][ The Rescue). Numbers are
 * little-endian. A header of 64 bytes says where the disk stands and in which order its sectors
 * are: in that of DOS 3.3, in that of ProDOS, or as nibbles, the raw tracks of a drive.
 *
 * In DOS order the sectors within a track of 16 are not in the order of the disk's blocks; the
 * bytes are given as they stand, as for the same disk in a .do file.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "drivers.h"
#include "ondisk.h"

#define BLOCK 512u

enum image_format {
	FORMAT_DOS = 0,
	FORMAT_PRODOS = 1,
	FORMAT_NIBBLES = 2,
};

struct header_2img {
	uint8_t magic[4];     /* +0x00 "2IMG" */
	uint8_t creator[4];   /* +0x04 */
	le16 header_size;     /* +0x08 */
	le16 version;         /* +0x0a 1 */
	le32 image_format;    /* +0x0c */
	le32 flags;           /* +0x10 */
	le32 prodos_blocks;   /* +0x14 blocks of 512 bytes, 0 for other formats */
	le32 data_offset;     /* +0x18 */
	le32 data_length;     /* +0x1c 0 from some writers: blocks tell */
	le32 comment_offset;  /* +0x20 */
	le32 comment_length;  /* +0x24 */
	le32 creator_offset;  /* +0x28 */
	le32 creator_length;  /* +0x2c */
	uint8_t reserved[16]; /* +0x30 */
};

_Static_assert(sizeof(struct header_2img) == 64, "2IMG header");

/* Where in the file the disk is. */
static int locate(const struct header_2img *h, const struct dev *file, uint64_t *off, uint64_t *len,
                  struct platter_error *err)
{
	uint32_t format = le32_get(h->image_format);
	uint64_t blocks = le32_get(h->prodos_blocks);

	if (le16_get(h->version) > 1)
		return err_set(err, EOPNOTSUPP, "2IMG version %u, at most 1", le16_get(h->version));
	if (format == FORMAT_NIBBLES)
		return err_set(err, EOPNOTSUPP,
		               "the raw tracks of a drive (nibbles), which are not supported");
	if (format > FORMAT_NIBBLES)
		return err_set(err, EOPNOTSUPP, "image format %u, expected 0 (DOS) or 1 (ProDOS)",
		               format);
	*off = le32_get(h->data_offset);
	*len = le32_get(h->data_length);
	if (*len == 0)
		*len = blocks * BLOCK;
	if (*off < sizeof *h || *len == 0 || !range_ok(*off, *len, file->size))
		return err_set(err, EINVAL,
		               "a disk of %" PRIu64 " bytes at %" PRIu64 " in a file of %" PRIu64,
		               *len, *off, file->size);
	return 0;
}

static int open_2img(struct image *image, struct platter_error *err)
{
	struct header_2img h;
	uint64_t off = 0, len = 0;
	struct dev *disk;
	int r;

	r = image_read_head(image->file, h.magic, sizeof h.magic, err);
	if (r)
		return r;
	if (memcmp(h.magic, "2IMG", 4) != 0)
		return DRIVER_NOT_MINE;
	if (image->file->size < sizeof h)
		return err_set(err, EINVAL, "%" PRIu64 " bytes, expected a header of %zu",
		               image->file->size, sizeof h);
	r = image_read_head(image->file, &h, sizeof h, err);
	if (r)
		return r;
	r = locate(&h, image->file, &off, &len, err);
	if (r)
		return r;
	if (dev_window(image->file, off, len, &disk) != 0)
		return err_set(err, ENOMEM, "no memory");
	if (le32_get(h.image_format) == FORMAT_DOS)
		image_note(image, "sectors are in the order of DOS 3.3");
	else if (le32_get(h.prodos_blocks) * (uint64_t)BLOCK != len)
		image_note(image, "%u blocks of 512 bytes are said to be %" PRIu64 " bytes",
		           le32_get(h.prodos_blocks), len);
	image->self = disk;
	image->size = len;
	return 0;
}

static void close_2img(void *self)
{
	dev_unref(self);
}

const struct format_driver format_2img = {
	.name = "2img",
	.id = 26,
	.open = open_2img,
	.map = run_map_dev,
	.close = close_2img,
};
