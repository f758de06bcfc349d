/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DiskDescriptor.xml of a Parallels bundle; see hdd.c for its parts. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "hdd.h"
#include "ondisk.h"
#include "xml.h"

/* A snapshot takes some 500 bytes. */
#define DESCRIPTOR_MAX ((size_t)1 << 20)

/* The top snapshot where the descriptor names none; no snapshot. */
#define TOP_GUID  "{5fbaabe3-6958-40ff-92a7-860e329aab41}"
#define NULL_GUID "{00000000-0000-0000-0000-000000000000}"

bool hdd_same(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

const char *hdd_parent(const struct hdd_descriptor *d, const char *guid)
{
	for (size_t i = 0; i < d->nshots; i++)
		if (hdd_same(d->shots[i].guid, guid))
			return hdd_same(d->shots[i].parent, NULL_GUID) ? NULL : d->shots[i].parent;
	return NULL;
}

void hdd_descriptor_free(struct hdd_descriptor *d)
{
	free(d->storages);
	free(d->images);
	free(d->shots);
}

/* Room for one element more of that size. */
static void *grow(void *list, size_t count, size_t size, size_t max, const char *what,
                  struct platter_error *err)
{
	void *more;

	if (count == max) {
		err_set(err, EFBIG, "more than %zu %s", max, what);
		return NULL;
	}
	more = reallocarray(list, count + 1, size);
	if (!more)
		err_set(err, ENOMEM, "no memory");
	return more;
}

/* The text of the element that has begun. */
static int text(struct xml *x, char *out, size_t size, struct platter_error *err)
{
	return xml_content(x, out, size, err);
}

static int number(struct xml *x, uint64_t *out, struct platter_error *err)
{
	char digits[24], *end;
	int r = text(x, digits, sizeof digits, err);

	if (r)
		return r;
	errno = 0;
	*out = strtoull(digits, &end, 10);
	if (digits[0] < '0' || digits[0] > '9' || *end || errno)
		return err_set(err, EINVAL, "\"%s\", expected a number", digits);
	return 0;
}

/* What to do with each element in another; arg is the caller's. 0 or -errno; it has read all of it.
 */
typedef int element_fn(struct hdd_descriptor *d, struct xml *x, void *arg,
                       struct platter_error *err);

/* Give each element in the one that has begun to fn, to its end; text between them is ignored. */
static int each(struct hdd_descriptor *d, struct xml *x, element_fn *fn, void *arg,
                struct platter_error *err)
{
	int r;

	while ((r = xml_next(x, err)) >= 0 && r != XML_END) {
		if (r == XML_START)
			r = fn(d, x, arg, err);
		if (r < 0)
			break;
	}
	return r < 0 ? r : 0;
}

static int encryption(struct hdd_descriptor *d, struct xml *x, void *arg, struct platter_error *err)
{
	hdd_guid engine;
	int r;

	(void)d;
	(void)arg;
	if (!xml_is(x, "Engine"))
		return xml_skip(x, err);
	r = text(x, engine, sizeof engine, err);
	if (!r && *engine && !hdd_same(engine, NULL_GUID))
		r = err_set(err, EOPNOTSUPP, "encrypted (by engine %s): not supported", engine);
	return r;
}

static int parameter(struct hdd_descriptor *d, struct xml *x, void *arg, struct platter_error *err)
{
	uint64_t padding;
	int r;

	(void)arg;
	if (xml_is(x, "Disk_size"))
		return number(x, &d->sectors, err);
	if (xml_is(x, "Encryption"))
		return each(d, x, encryption, NULL, err);
	if (!xml_is(x, "Padding"))
		return xml_skip(x, err);
	r = number(x, &padding, err);
	if (!r && padding)
		r = err_set(err, EOPNOTSUPP, "padding %" PRIu64 ", expected 0", padding);
	return r;
}

static int image_member(struct hdd_descriptor *d, struct xml *x, void *arg,
                        struct platter_error *err)
{
	struct hdd_image *image = arg;
	char type[16];
	int r;

	(void)d;
	if (xml_is(x, "GUID"))
		return text(x, image->guid, sizeof image->guid, err);
	if (xml_is(x, "File"))
		return text(x, image->file, sizeof image->file, err);
	if (!xml_is(x, "Type"))
		return xml_skip(x, err);
	r = text(x, type, sizeof type, err);
	image->plain = !r && strcmp(type, "Plain") == 0;
	if (!r && !image->plain && strcmp(type, "Compressed") != 0)
		r = err_set(err, EOPNOTSUPP,
		            "image of type \"%s\", expected \"Plain\" or \"Compressed\"", type);
	return r;
}

static int storage_member(struct hdd_descriptor *d, struct xml *x, void *arg,
                          struct platter_error *err)
{
	struct hdd_storage *storage = arg;
	struct hdd_image *images;

	if (xml_is(x, "Start"))
		return number(x, &storage->start, err);
	if (xml_is(x, "End"))
		return number(x, &storage->end, err);
	if (!xml_is(x, "Image"))
		return xml_skip(x, err);
	images = grow(d->images, d->nimages, sizeof *images, HDD_IMAGES_MAX, "images", err);
	if (!images)
		return -ENOMEM;
	d->images = images;
	images += d->nimages++;
	*images = (struct hdd_image){.storage = d->nstorages - 1};
	return each(d, x, image_member, images, err);
}

static int storage(struct hdd_descriptor *d, struct xml *x, void *arg, struct platter_error *err)
{
	struct hdd_storage *storages;

	(void)arg;
	if (!xml_is(x, "Storage"))
		return xml_skip(x, err);
	storages = grow(d->storages, d->nstorages, sizeof *storages, HDD_STORAGES_MAX, "storages",
	                err);
	if (!storages)
		return -ENOMEM;
	d->storages = storages;
	storages += d->nstorages++;
	*storages = (struct hdd_storage){0};
	return each(d, x, storage_member, storages, err);
}

static int shot_member(struct hdd_descriptor *d, struct xml *x, void *arg,
                       struct platter_error *err)
{
	struct hdd_shot *shot = arg;

	(void)d;
	if (xml_is(x, "GUID"))
		return text(x, shot->guid, sizeof shot->guid, err);
	if (xml_is(x, "ParentGUID"))
		return text(x, shot->parent, sizeof shot->parent, err);
	return xml_skip(x, err);
}

static int snapshot(struct hdd_descriptor *d, struct xml *x, void *arg, struct platter_error *err)
{
	struct hdd_shot *shots;

	(void)arg;
	if (xml_is(x, "TopGUID"))
		return text(x, d->top, sizeof d->top, err);
	if (!xml_is(x, "Shot"))
		return xml_skip(x, err);
	shots = grow(d->shots, d->nshots, sizeof *shots, HDD_SHOTS_MAX, "snapshots", err);
	if (!shots)
		return -ENOMEM;
	d->shots = shots;
	shots += d->nshots++;
	*shots = (struct hdd_shot){.parent = NULL_GUID};
	return each(d, x, shot_member, shots, err);
}

static int part(struct hdd_descriptor *d, struct xml *x, void *arg, struct platter_error *err)
{
	(void)arg;
	if (xml_is(x, "Disk_Parameters"))
		return each(d, x, parameter, NULL, err);
	if (xml_is(x, "StorageData"))
		return each(d, x, storage, NULL, err);
	if (xml_is(x, "Snapshots"))
		return each(d, x, snapshot, NULL, err);
	return xml_skip(x, err);
}

static int read_text(struct hdd_descriptor *d, const void *bytes, size_t len,
                     struct platter_error *err)
{
	char version[16];
	struct xml x;
	int r;

	xml_begin(&x, bytes, len);
	r = xml_next(&x, err);
	if (r < 0)
		return r;
	if (!xml_is(&x, "Parallels_disk_image"))
		return err_set(err, EINVAL, "does not describe a Parallels disk");
	r = xml_attribute(&x, "Version", version, sizeof version, err);
	if (r)
		return r;
	if (strcmp(version, "1.0") != 0)
		return err_set(err, EOPNOTSUPP, "version \"%s\", expected \"1.0\"", version);
	r = each(d, &x, part, NULL, err);
	if (!r) {
		r = xml_next(&x, err);
		r = r < 0 ? r : 0;
	}
	return r;
}

/* The storages cover the disk, one behind the other. */
static int check_storages(const struct hdd_descriptor *d, struct platter_error *err)
{
	uint64_t end = 0;

	if (d->sectors == 0 || d->sectors > DEV_SIZE_MAX / HDD_SECTOR)
		return err_set(err, EINVAL, "a disk of %" PRIu64 " sectors, expected 1 to %" PRIu64,
		               d->sectors, DEV_SIZE_MAX / HDD_SECTOR);
	for (size_t i = 0; i < d->nstorages; i++) {
		const struct hdd_storage *s = &d->storages[i];

		if (s->start != end || s->end <= end || s->end > d->sectors)
			return err_set(err, EINVAL,
			               "storage %zu from sector %" PRIu64 " to %" PRIu64
			               ", expected it to begin at %" PRIu64
			               " and to end by %" PRIu64,
			               i, s->start, s->end, end, d->sectors);
		end = s->end;
	}
	if (end != d->sectors)
		return err_set(err, EINVAL,
		               "%zu storages of %" PRIu64 " sectors for a disk of %" PRIu64,
		               d->nstorages, end, d->sectors);
	return 0;
}

int hdd_descriptor_read(struct dev *file, struct hdd_descriptor *d, struct platter_error *err)
{
	void *bytes;
	int r = dev_read_table(file, 0, file->size, 1, DESCRIPTOR_MAX, "text", &bytes, err);

	*d = (struct hdd_descriptor){.top = TOP_GUID};
	if (!r)
		r = read_text(d, bytes, (size_t)file->size, err);
	free(bytes);
	if (!r)
		r = check_storages(d, err);
	if (r)
		err_prefix(err, "DiskDescriptor.xml");
	return r;
}
