/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The footer of a VHD: which of its copies counts. The last 512 bytes hold it; those of Virtual PC
 * before 2004 have 511. Dynamic and differencing disks begin with a copy of it, which stands in
 * when the one at the end is damaged or, in a file that was not closed, not there.
 */
#include "config.h"

#include "vhd.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>

#define COOKIE "conectix"
#define FIXED  2

_Static_assert(offsetof(struct vhd_footer, reserved) == 0x55, "VHD 1.0, Hard Disk Footer Format");

/* One place where a footer may stand. */
struct place {
	bool is_signed, good;
	struct vhd_footer footer;
};

uint32_t vhd_checksum(const void *bytes, size_t len, size_t at)
{
	const uint8_t *p = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		if (i < at || i >= at + 4)
			sum += p[i];
	return ~sum;
}

static uint32_t checksum_of(const struct vhd_footer *footer)
{
	return vhd_checksum(footer, sizeof *footer, offsetof(struct vhd_footer, checksum));
}

/* len: 512, or 511, whose missing byte counts as zero. */
static int look(struct dev *file, uint64_t off, size_t len, struct place *place)
{
	int r;

	*place = (struct place){0};
	r = dev_pread(file, &place->footer, len, off);
	if (r)
		return r;
	place->is_signed = memcmp(place->footer.cookie, COOKIE, sizeof place->footer.cookie) == 0;
	place->good = place->is_signed &&
	              sum_matches(checksum_of(&place->footer), be32_get(place->footer.checksum));
	return 0;
}

static int bad_checksum(const struct place *place, const char *where, struct platter_error *err)
{
	return err_set(err, EINVAL,
	               "the checksum of the footer at its %s is %08" PRIx32 ", recorded %08" PRIx32,
	               where, checksum_of(&place->footer), be32_get(place->footer.checksum));
}

static int choose(struct image *image, const struct place *front, const struct place *end,
                  struct vhd_footer *footer, struct platter_error *err)
{
	if (!end->is_signed && !front->is_signed)
		return DRIVER_NOT_MINE;
	if (end->good) {
		if (!front->good && be32_get(end->footer.disk_type) != FIXED)
			image_note(image, "the copy of its footer at the front is damaged");
		*footer = end->footer;
		return 0;
	}
	if (!front->good)
		return end->is_signed ? bad_checksum(end, "end", err)
		                      : bad_checksum(front, "front", err);
	if (be32_get(front->footer.disk_type) == FIXED)
		return err_set(err, EINVAL, "a fixed disk without its footer at the end");
	image_note(image, "its footer at the end is %s; the copy at the front is used",
	           end->is_signed ? "damaged" : "not there");
	*footer = front->footer;
	return 0;
}

int vhd_footer_read(struct image *image, struct vhd_footer *footer, struct platter_error *err)
{
	struct dev *file = image->file;
	size_t len = sizeof *footer;
	struct place front, end;
	int r;

	if (file->size < len)
		return DRIVER_NOT_MINE;
	r = look(file, 0, len, &front);
	if (!r)
		r = look(file, file->size - len, len, &end);
	if (!r && !end.is_signed)
		r = look(file, file->size - (len - 1), len - 1, &end);
	if (r)
		return err_set(err, -r, "its footer cannot be read: %s", strerror(-r));
	return choose(image, &front, &end, footer, err);
}
