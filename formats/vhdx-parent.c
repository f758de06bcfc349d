/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parent of a differencing VHDX, [MS-VHDX] 2.6.2.6: a list of keys and values, both UTF-16. The
 * parent is the one whose header has the DataWriteGuid that parent_linkage names: that changes with
 * every change of what the parent holds.
 */
#include "config.h"

#include "vhdx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

#include "text.h"
#include "windows-parent.h"

#define LOCATOR_VHDX "b04aefb7-d19e-4a81-b789-25b8e9445913"
#define LOCATOR_MAX  ((size_t)1 << 20)
#define VALUE_BYTES  1024u

struct locator_header {
	uint8_t locator_type[16]; /* +0x00 */
	le16 reserved;            /* +0x10 */
	le16 key_value_count;     /* +0x12 */
};
_Static_assert(sizeof(struct locator_header) == 20, "[MS-VHDX] 2.6.2.6.1");

struct locator_entry {
	le32 key_offset;   /* +0x0 in the locator */
	le32 value_offset; /* +0x4 */
	le16 key_length;   /* +0x8 bytes */
	le16 value_length; /* +0xa */
};
_Static_assert(sizeof(struct locator_entry) == 12, "[MS-VHDX] 2.6.2.6.2");

struct locator {
	uint8_t *bytes;
	uint32_t length;
	unsigned count;
};

/* False when the range is not in the locator. */
static bool get_text(const struct locator *l, uint32_t offset, unsigned length, char *out,
                     size_t size)
{
	if (!range_ok(offset, length, l->length))
		return false;
	text_from_utf16(l->bytes + offset, length / 2, false, out, size);
	return true;
}

/* Whether there is such a key, with its value, as UTF-8. */
static bool get(const struct locator *l, const char *key, char value[VALUE_BYTES])
{
	for (unsigned i = 0; i < l->count; i++) {
		struct locator_entry e;
		char name[64];

		memcpy(&e, l->bytes + sizeof(struct locator_header) + i * sizeof e, sizeof e);
		if (get_text(l, le32_get(e.key_offset), le16_get(e.key_length), name,
		             sizeof name) &&
		    strcmp(name, key) == 0)
			return get_text(l, le32_get(e.value_offset), le16_get(e.value_length),
			                value, VALUE_BYTES);
	}
	return false;
}

static int check_locator(struct locator *l, struct platter_error *err)
{
	struct locator_header h;
	char type[37];

	if (l->length < sizeof h)
		return err_set(err, EINVAL, "the parent locator has %" PRIu32 " bytes", l->length);
	memcpy(&h, l->bytes, sizeof h);
	text_guid(h.locator_type, type);
	l->count = le16_get(h.key_value_count);
	if (strcmp(type, LOCATOR_VHDX) != 0)
		return err_set(err, ENOTSUP, "a parent locator of type %s, expected %s", type,
		               LOCATOR_VHDX);
	if (!range_ok(sizeof h, l->count * sizeof(struct locator_entry), l->length))
		return err_set(err, EINVAL,
		               "the parent locator of %" PRIu32 " bytes is said to have %u entries",
		               l->length, l->count);
	return 0;
}

/* Whether value, "{GUID}", is that one. */
static bool is_guid(const char *value, const char *guid)
{
	return strlen(value) == 38 && value[0] == '{' && value[37] == '}' &&
	       strncasecmp(value + 1, guid, 36) == 0;
}

static int check_identity(const struct image *parent, const struct locator *l, const char *ref,
                          struct platter_error *err)
{
	const struct vhdx *vhdx = parent->self;
	char guid[37], value[VALUE_BYTES], first[VALUE_BYTES], plain[64];

	text_guid(vhdx->data_write_guid, guid);
	if (!get(l, "parent_linkage", first))
		return err_set(err, EINVAL, "the parent locator has no parent_linkage");
	if (is_guid(first, guid) || (get(l, "parent_linkage2", value) && is_guid(value, guid)))
		return 0;
	text_plain(first, strlen(first), plain, sizeof plain);
	return err_set(err, EINVAL,
	               "parent \"%s\": its data write GUID is {%s}, expected %s: it was changed "
	               "since, or is another disk",
	               ref, guid, plain);
}

static int open_parent(struct image *image, const struct locator *l, struct platter_error *err)
{
	static const char *const keys[] = {"relative_path", "absolute_win32_path", "volume_path"};
	struct windows_parent parent = {0};
	char value[VALUE_BYTES];
	int r;

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (get(l, keys[i], value))
			windows_parent_offer(&parent, value);
	r = windows_parent_open(image, &parent, "vhdx", err);
	return r ? r : check_identity(image->parent, l, parent.ref, err);
}

int vhdx_parent_open(struct image *image, struct dev *file, const struct vhdx_region *locator,
                     struct platter_error *err)
{
	struct locator l = {.length = locator->length};
	void *bytes;
	int r;

	r = dev_read_table(file, locator->offset, locator->length, 1, LOCATOR_MAX,
	                   "the parent locator", &bytes, err);
	if (r)
		return r;
	l.bytes = bytes;
	r = check_locator(&l, err);
	if (!r)
		r = open_parent(image, &l, err);
	free(bytes);
	return r;
}
