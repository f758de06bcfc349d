/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "drivers.h"

/* Formats that wrap each other; what people make is one. */
#define WRAPPED_MAX 3

/* ---- what drivers report ---- */

int image_read_head(struct dev *file, void *buf, size_t size, struct platter_error *err)
{
	int r;

	if (file->size < size)
		return DRIVER_NOT_MINE;
	r = dev_pread(file, buf, size, 0);
	return r ? err_set(err, -r, "its first %zu bytes cannot be read: %s", size, strerror(-r))
	         : 0;
}

/* Grow an array by one element of that size; lists double, so that long ones stay cheap. */
static void *grow(void *list, size_t *count, size_t size)
{
	void *more = list;

	if (*count >= IMAGE_LIST_MAX)
		return NULL;
	if ((*count & (*count - 1)) == 0)
		more = reallocarray(list, *count ? *count * 2 : 1, size);
	if (more)
		++*count;
	return more;
}

static int grow_error(size_t count)
{
	return count >= IMAGE_LIST_MAX ? -E2BIG : -ENOMEM;
}

int image_add_snapshot(struct image *image, const struct image_snapshot *snapshot)
{
	struct image_snapshot *l = grow(image->snapshots, &image->nsnapshots, sizeof *l);

	if (!l)
		return grow_error(image->nsnapshots);
	image->snapshots = l;
	l[image->nsnapshots - 1] = *snapshot;
	return 0;
}

int image_add_track(struct image *image, const struct image_track *track)
{
	struct image_track *l = grow(image->tracks, &image->ntracks, sizeof *l);

	if (!l)
		return grow_error(image->ntracks);
	image->tracks = l;
	l[image->ntracks - 1] = *track;
	return 0;
}

int image_add_sum(struct image *image, const struct image_sum *sum)
{
	struct image_sum *l = grow(image->sums, &image->nsums, sizeof *l);

	if (!l)
		return grow_error(image->nsums);
	image->sums = l;
	l[image->nsums - 1] = *sum;
	return 0;
}

/* The same whenever the image is opened; 0 is the present state. */
static uint32_t state_number(const struct image_snapshot *s)
{
	uint32_t n = crc32c(s, sizeof *s);

	return n ? n : 1;
}

static bool is_wished(const struct image *image, const struct image_snapshot *s, bool by_id)
{
	if (!image->snapshot)
		return by_id && state_number(s) == image->wanted;
	return strcmp(by_id ? s->id : s->name, image->snapshot) == 0;
}

int image_choose_snapshot(struct image *image, size_t *index, struct platter_error *err)
{
	size_t n = image->nsnapshots;

	*index = n;
	if (!image->snapshot && !image->wanted)
		return 0;
	/* Ids first, as QEMU has it: they are unique, names need not be. */
	for (size_t i = 0; i < 2 * n; i++)
		if (is_wished(image, &image->snapshots[i % n], i < n)) {
			*index = image->chosen = i % n;
			image->state = state_number(&image->snapshots[*index]);
			return 0;
		}
	if (!image->snapshot)
		return err_set(err, ESTALE,
		               "the snapshot that the overlay was made over is not in it");
	return err_set(err, ENOENT, "snapshot %s: none of its %zu snapshots has that id or name",
	               image->snapshot, n);
}

void image_note(struct image *image, const char *fmt, ...)
{
	char **l, *line;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) < 0)
		line = NULL;
	va_end(ap);
	l = line ? grow(image->notes, &image->nnotes, sizeof *l) : NULL;
	if (!l) { /* what is said beside the work is not worth failing for */
		free(line);
		return;
	}
	image->notes = l;
	l[image->nnotes - 1] = line;
}

void image_note_of(struct image *image, const struct image *other)
{
	for (; other; other = other->outer)
		for (size_t i = 0; i < other->nnotes; i++)
			image_note(image, "%s: %s", chain_name(other->chain), other->notes[i]);
}

int image_progress(const struct image *image, uint64_t done, uint64_t total,
                   struct platter_error *err)
{
	if (image->progress && image->progress->step)
		image->progress->step(image->progress->arg, done, total);
	return image->stop && *image->stop ? err_set(err, EINTR, "interrupted") : 0;
}

/* ---- opening ---- */

/* By our name or QEMU's, which never mean different formats. */
static const struct format_driver *by_name(const char *name)
{
	for (size_t i = 0; format_drivers[i]; i++) {
		const struct format_driver *d = format_drivers[i];

		if (strcmp(d->name, name) == 0 || (d->qemu && strcmp(d->qemu, name) == 0))
			return d;
	}
	return NULL;
}

static const struct format_driver *by_id(uint32_t id)
{
	for (size_t i = 0; format_drivers[i]; i++)
		if (format_drivers[i]->id == id)
			return format_drivers[i];
	return NULL;
}

static struct image *new_image(struct chain *chain, struct dev *file,
                               const struct image_request *req)
{
	struct image *image = calloc(1, sizeof *image);

	if (!image)
		return NULL;
	image->file = file;
	image->chain = chain;
	image->cache = req->cache;
	image->snapshot = req->snapshot;
	image->wanted = req->snapshot ? 0 : req->state;
	image->index_folder = req->index_folder;
	image->progress = req->progress;
	image->disk_number = req->disk_number;
	image->stop = req->stop;
	return image;
}

/* Free what a driver may have filled in, for the next one. */
static void clear_reported(struct image *image)
{
	for (size_t i = 0; i < image->nnotes; i++)
		free(image->notes[i]);
	free(image->notes);
	free(image->snapshots);
	free(image->tracks);
	free(image->sums);
	image_close(image->parent);
	image->notes = NULL;
	image->snapshots = NULL;
	image->tracks = NULL;
	image->sums = NULL;
	image->parent = NULL;
	image->nnotes = image->nsnapshots = image->ntracks = image->nsums = 0;
	image->self = NULL;
	image->size = 0;
	image->sector = 0;
	image->state = 0;
	image->packed = false;
}

static int try_driver(struct image *image, const struct format_driver *format,
                      struct platter_error *err)
{
	int r;

	image->format = format;
	r = format->open(image, err);
	if (r) {
		clear_reported(image);
		image->format = NULL; /* there is nothing of its own to close */
		return r;
	}
	if (!format->disks)
		image->disk_number = 0;
	if (image->size == 0 || image->size > DEV_SIZE_MAX)
		return err_set(err, image->size ? EFBIG : EINVAL,
		               "a virtual disk of %llu bytes, expected 1 to %llu",
		               (unsigned long long)image->size, (unsigned long long)DEV_SIZE_MAX);
	if ((image->snapshot || image->wanted) && !format->snapshots && !format->wraps)
		return err_set(err, EINVAL, "snapshot %s: images in %s format keep none",
		               image->snapshot ? image->snapshot : "that the overlay was made over",
		               format->name);
	return 0;
}

/* An upper bound of the room that the contents take. */
static uint64_t room(const struct image *image)
{
	uint64_t sum = 0;

	for (const struct image *i = image; i; i = i->parent)
		if (i->packed || i->outer)
			return image->size;
	for (size_t i = 0; i < chain_count(image->chain); i++)
		if (__builtin_add_overflow(sum, dev_room(chain_file(image->chain, i)), &sum))
			return image->size;
	return sum;
}

static int make_disk(struct image *image, struct platter_error *err)
{
	int r;

	image->source = (struct run_source){
		.map = image->format->map,
		.self = image->self,
		.size = image->size,
		.parent = image->parent ? image->parent->disk : NULL,
		.cache = image->cache,
	};
	r = dev_mapped(&image->source, room(image), &image->disk);
	return r ? err_set(err, ENOMEM, "no memory") : 0;
}

/* Find the format: `only` that one, or the first that takes it. */
static int open_format(struct image *image, const struct format_driver *only,
                       struct platter_error *err)
{
	int r = DRIVER_NOT_MINE;

	for (size_t i = 0; format_drivers[i] && r == DRIVER_NOT_MINE; i++)
		if (!only || format_drivers[i] == only)
			r = try_driver(image, format_drivers[i], err);
	if (r == DRIVER_NOT_MINE)
		return err_set(err, EINVAL, "is not in %s format", only ? only->name : "a known");
	return r ? r : make_disk(image, err);
}

/* ---- which disk of an archive ---- */

/* The highest byte of image_format_id, where one of the formats in the others has several disks. */
#define DISK_SHIFT 24

static bool names_disk(uint32_t ids)
{
	for (uint32_t id = ids & ((1u << DISK_SHIFT) - 1); id; id >>= 8) {
		const struct format_driver *format = by_id(id & 0xff);

		if (format && format->disks)
			return true;
	}
	return false;
}

static uint32_t disk_chosen(const struct image *image)
{
	uint32_t number = 0;

	for (; image; image = image->outer)
		number = image->disk_number ? image->disk_number : number;
	return number;
}

static int check_chosen(const struct image *image, uint32_t wanted, struct platter_error *err)
{
	uint32_t chosen = disk_chosen(image);

	if (chosen && image_format_id(image) >> DISK_SHIFT != chosen)
		return err_set(err, EMLINK, "too many formats wrap each other for disk %u of one",
		               chosen);
	if (wanted && !chosen)
		return err_set(err, EINVAL, "disk=%u: images in %s format hold one disk", wanted,
		               image->format->name);
	return 0;
}

/* The disk that an overlay was made over is the one to open. */
static int take_recorded(struct image_request *req, struct platter_error *err)
{
	uint32_t number = req->format_id >> DISK_SHIFT;

	if (req->disk_number && req->disk_number != number)
		return err_set(err, ESTALE, "disk=%u: the overlay was made over disk %u of it",
		               req->disk_number, number);
	req->disk_number = number;
	req->format_id &= (1u << DISK_SHIFT) - 1;
	return 0;
}

/* What a format wraps: *image becomes the innermost. ids: the formats to expect, 0: detect. */
static int unwrap(struct image **image, uint32_t ids, const struct image_request *req,
                  struct platter_error *err)
{
	static const char raw[] = "raw";
	int r;

	for (unsigned depth = 0; (*image)->format->wraps; depth++) {
		const struct format_driver *only = ids ? by_id(ids >> 8 & 0xff) : NULL;
		struct image *inner;

		if (ids && !only)
			return err_set(err, ENOTSUP, "no container format of number %u",
			               ids >> 8 & 0xff);
		if (depth == WRAPPED_MAX)
			return err_set(err, EMLINK, "more than %d formats wrap each other",
			               WRAPPED_MAX);
		inner = new_image((*image)->chain, (*image)->disk, req);
		if (!inner)
			return err_set(err, ENOMEM, "no memory");
		inner->outer = *image;
		*image = inner;
		r = open_format(inner,
		                only                       ? only
		                : depth == WRAPPED_MAX - 1 ? by_name(raw)
		                                           : NULL,
		                err);
		if (r)
			return r;
		ids >>= 8;
	}
	return 0;
}

/* The bundle's own file, by which a format knows it. */
static int open_bundle(struct chain *chain, const struct format_driver **only, struct dev **file,
                       struct platter_error *err)
{
	for (size_t i = 0; format_drivers[i]; i++) {
		const struct format_driver *d = format_drivers[i];
		int r = -ENOENT;

		if (d->bundle && (!*only || *only == d))
			r = chain_open(chain, "bundle file", d->bundle, file, err);
		if (r == 0)
			*only = d;
		if (r != -ENOENT)
			return r;
	}
	return err_set(err, EISDIR, "a directory, expected a regular file or a block device");
}

/* Takes over the chain. */
static int open_in(struct chain *chain, struct dev *file, const struct image_request *asked,
                   struct image **out, struct platter_error *err)
{
	const struct format_driver *only = NULL;
	struct image_request own = *asked, *req = &own;
	struct image *image = NULL;
	int r = 0;

	if (names_disk(req->format_id))
		r = take_recorded(req, err);
	if (!r && req->format_id) {
		only = by_id(req->format_id & 0xff);
		if (!only)
			r = err_set(err, ENOTSUP, "no container format of number %u",
			            req->format_id);
	} else if (!r && req->format) {
		only = by_name(req->format);
		if (!only)
			r = err_set(err, EINVAL, "no container format %s", req->format);
	}
	if (!r && !file)
		r = open_bundle(chain, &only, &file, err);
	if (!r) {
		image = new_image(chain, file, req);
		r = image ? open_format(image, only, err) : err_set(err, ENOMEM, "no memory");
	}
	if (!r)
		r = unwrap(&image, req->format_id, req, err);
	if (!r)
		r = check_chosen(image, req->disk_number, err);
	if (r) {
		if (image)
			image_close(image);
		else
			chain_end(chain);
		return r;
	}
	*out = image;
	for (; image; image = image->outer) {
		image->snapshot = NULL;
		image->index_folder = NULL;
		image->progress = NULL;
		image->stop = NULL;
	}
	return 0;
}

/* All that is to be known of the files goes with the image that people are shown. */
static void gather_notes(struct image *image)
{
	for (const struct image *o = image->outer; o; o = o->outer)
		for (size_t i = 0; i < o->nnotes; i++)
			image_note(image, "%s", o->notes[i]);
	for (const struct image *parent = image->parent; parent; parent = parent->parent)
		image_note_of(image, parent);
}

/* Takes over the chain. */
static int open_first(struct chain *chain, struct dev *file, const struct image_request *req,
                      struct image **out, struct platter_error *err)
{
	int r = open_in(chain, file, req, out, err);

	if (!r)
		gather_notes(*out);
	return r;
}

int image_open(const char *path, const struct image_request *req, struct image **out,
               struct platter_error *err)
{
	struct chain *chain;
	struct dev *file;
	int r = chain_begin(path, req->chain, &chain, &file, err);

	*out = NULL;
	return r ? r : open_first(chain, file, req, out, err);
}

int image_open_dev(struct dev *file, const struct image_request *req, struct image **out,
                   struct platter_error *err)
{
	struct chain *chain;

	*out = NULL;
	if (chain_begin_dev(file, &chain) != 0)
		return err_set(err, ENOMEM, "no memory");
	return open_first(chain, file, req, out, err);
}

/* Nobody says what the parent is: only what nobody else takes for theirs is raw without doubt. */
static int check_unsaid(const struct image *image, const char *what, const char *ref,
                        struct platter_error *err)
{
	const struct image *parent = image->parent;
	const char *advice = "";
	char looks[64];

	if (!parent->outer && strcmp(parent->format->name, "raw") == 0)
		return 0;
	if (!image->format->says_parent)
		advice = " (the image's own format has no room to record it)";
	else if (!parent->outer && parent->format->qemu)
		advice = " (qemu-img rebase -u -F records it)";
	image_format_name(parent, looks, sizeof looks);
	return err_set(
		err, EPERM,
		"%s \"%s\": the image does not record its format, which looks like %s and is "
		"not guessed%s",
		what, ref, looks, advice);
}

int image_open_parent(struct image *image, const char *what, const char *ref, const char *format,
                      struct platter_error *err)
{
	struct image_request req = {.format = format,
	                            .cache = image->cache,
	                            .index_folder = image->index_folder,
	                            .progress = image->progress,
	                            .stop = image->stop};
	struct chain *chain;
	struct dev *file;
	int r = chain_open_parent(image->chain, what, ref, &chain, &file, err);

	if (r)
		return r;
	r = open_in(chain, file, &req, &image->parent, err);
	if (r)
		err_prefix(err, "%s \"%s\"", what, ref);
	else if (!format)
		r = check_unsaid(image, what, ref, err);
	return r;
}

void image_close(struct image *image)
{
	struct image *outer;

	for (; image; image = outer) {
		outer = image->outer;
		dev_unref(image->disk);
		if (image->format && image->format->close)
			image->format->close(image->self);
		else if (image->format)
			free(image->self);
		clear_reported(image);
		if (!outer)
			chain_end(image->chain);
		free(image);
	}
}

void image_format_name(const struct image *image, char *out, size_t size)
{
	const char *name = image->format->name;
	size_t n = 0;

	/* What a wrapper holds is raw unless something else is said. */
	if (image->outer && strcmp(name, "raw") == 0) {
		image = image->outer;
		name = image->format->name;
	}
	n = (size_t)snprintf(out, size, "%s", name);
	while ((image = image->outer) && n < size)
		n += (size_t)snprintf(out + n, size - n, " in %s", image->format->name);
}

uint32_t image_format_id(const struct image *image)
{
	uint32_t id = 0, disk = disk_chosen(image);

	for (; image; image = image->outer)
		id = id << 8 | image->format->id;
	return id >> DISK_SHIFT ? id : id | disk << DISK_SHIFT;
}

struct dev *image_file(const struct image *image, size_t i)
{
	return chain_file(image->chain, i);
}

size_t image_file_count(const struct image *image)
{
	return chain_count(image->chain);
}
