/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DiskCopy 4.2, the Macintosh's floppy image of 1988 to about 1995 ("Disk Copy 4.2 format
 * specification", ftp.apple.asimov.net; Apple II File Type Note $E0/$0005). Numbers are big-endian.
 * A header of 84 bytes, the disk, and then, for disks that have them, the tags: 12 bytes (20 on a
 * Lisa's hard disk) for each sector, which are no part of the disk.
 *
 * There is no magic but a word behind the disk's name, so the sizes have to fit as well.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "drivers.h"
#include "ondisk.h"

#define DC42_MAGIC 0x0100u
#define SECTOR     512u

struct dc42_header {
	uint8_t name_length; /* +0x00 of the name, at most 63 */
	uint8_t name[63];    /* +0x01 in Mac OS Roman */
	be32 data_size;      /* +0x40 */
	be32 tag_size;       /* +0x44 */
	be32 data_checksum;  /* +0x48 */
	be32 tag_checksum;   /* +0x4c */
	uint8_t disk_format; /* +0x50 0: 400K, 1: 800K, 2: 720K, 3: 1440K, 4: HD20 */
	uint8_t format_byte; /* +0x51 */
	be16 magic;          /* +0x52 0x0100 */
};

_Static_assert(sizeof(struct dc42_header) == 84, "DiskCopy 4.2 header");

/* A file of which all this holds by accident would have to be made. */
static bool is_dc42(const struct dc42_header *h)
{
	uint32_t size = be32_get(h->data_size);

	for (unsigned i = 0; i < h->name_length && i < sizeof h->name; i++)
		if (h->name[i] < 0x20)
			return false;
	return be16_get(h->magic) == DC42_MAGIC && h->name_length <= sizeof h->name && size != 0 &&
	       size % SECTOR == 0 && h->disk_format <= 4;
}

static int check_sizes(const struct dc42_header *h, const struct dev *file,
                       struct platter_error *err)
{
	uint64_t data = be32_get(h->data_size), tags = be32_get(h->tag_size);

	if (!range_ok(sizeof *h, data + tags, file->size))
		return err_set(err, EINVAL,
		               "a disk of %" PRIu64 " bytes and %" PRIu64
		               " of tags in a file of %" PRIu64,
		               data, tags, file->size);
	if (tags && tags != data / SECTOR * 12 && tags != data / SECTOR * 20)
		return err_set(err, EINVAL, "%" PRIu64 " bytes of tags for %" PRIu64 " sectors",
		               tags, data / SECTOR);
	return 0;
}

static int dc42_open(struct image *image, struct platter_error *err)
{
	struct image_sum sum = {.digest = "dc42"};
	struct dc42_header h;
	struct dev *disk;
	int r;

	r = image_read_head(image->file, &h, sizeof h, err);
	if (r)
		return r;
	if (!is_dc42(&h))
		return DRIVER_NOT_MINE;
	r = check_sizes(&h, image->file, err);
	if (r)
		return r;
	sum.length = be32_get(h.data_size);
	memcpy(sum.value, h.data_checksum.b, sizeof h.data_checksum.b);
	if (image_add_sum(image, &sum) != 0 ||
	    dev_window(image->file, sizeof h, sum.length, &disk) != 0)
		return err_set(err, ENOMEM, "no memory");
	image->self = disk;
	image->size = disk->size;
	return 0;
}

static void dc42_close(void *self)
{
	dev_unref(self);
}

const struct format_driver format_dc42 = {
	.name = "dc42",
	.id = 27,
	.open = dc42_open,
	.map = run_map_dev,
	.close = dc42_close,
};
