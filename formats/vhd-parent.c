/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parent of a differencing VHD: up to eight locators, each in the manner of a platform, and the
 * name in the header. W2ru is a path relative to the image, W2ku an absolute one, both UTF-16LE;
 * MacX is a file URL. The parent is the disk with the unique id that the header has.
 */
#include "config.h"

#include "vhd.h"

#include <errno.h>
#include <inttypes.h>

#include "text.h"
#include "windows-parent.h"

/* A Windows path has at most 32767 characters, one that is opened here far fewer. */
#define PATH_BYTES 2048u

/* Offer the path of the first locator of that kind. */
static int offer_locator(struct dev *file, const struct vhd_header *header, const char *code,
                         struct windows_parent *parent, struct platter_error *err)
{
	for (size_t i = 0; i < 8; i++) {
		const struct vhd_locator *l = &header->parent_locator[i];
		uint64_t at = be64_get(l->platform_data_offset);
		uint32_t len = be32_get(l->platform_data_length);
		uint8_t path[PATH_BYTES];
		char text[PATH_BYTES * 3 / 2 + 1];
		int r;

		if (memcmp(l->platform_code, code, 4) != 0)
			continue;
		if (len > sizeof path || !range_ok(at, len, file->size))
			return err_set(err, EINVAL,
			               "the parent locator %s has %" PRIu32 " bytes at %" PRIu64
			               ", at most %u before the end at %" PRIu64,
			               code, len, at, PATH_BYTES, file->size);
		r = dev_pread(file, path, len, at);
		if (r)
			return err_set(err, -r, "the parent locator %s cannot be read: %s", code,
			               strerror(-r));
		text_from_utf16(path, len / 2, false, text, sizeof text);
		windows_parent_offer(parent, text);
		return 0;
	}
	return 0;
}

static int check_identity(const struct image *parent, const struct vhd_header *header,
                          const char *ref, struct platter_error *err)
{
	const struct vhd *vhd = parent->self;
	char found[37], expected[37];

	if (memcmp(vhd->unique_id, header->parent_unique_id, sizeof vhd->unique_id) == 0)
		return 0;
	text_guid(vhd->unique_id, found);
	text_guid(header->parent_unique_id, expected);
	return err_set(err, EINVAL, "parent \"%s\": its unique id is %s, expected %s", ref, found,
	               expected);
}

int vhd_parent_open(struct image *image, const struct vhd_header *header, struct platter_error *err)
{
	struct windows_parent parent = {0};
	char name[256 * 3 + 1];
	int r;

	r = offer_locator(image->file, header, "W2ru", &parent, err);
	if (!r)
		r = offer_locator(image->file, header, "W2ku", &parent, err);
	if (r)
		return r;
	text_from_utf16(header->parent_unicode_name, 256, true, name, sizeof name);
	windows_parent_offer(&parent, name);
	r = windows_parent_open(image, &parent, "vhd", err);
	return r ? r : check_identity(image->parent, header, parent.ref, err);
}
