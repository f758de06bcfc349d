/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressed streams: finding the restart points by one pass. See stream.h.
 *
 * The pass unpacks everything once, which also checks every checksum and tells how long it is: for
 * most formats nothing else does (gzip's ISIZE is the length modulo 2^32 of the last member).
 * On the way chunks that are all zeros are noted: they read as holes.
 *
 * Bounds: POINTS points and WINDOWS bytes of their windows. When one is reached, every second point
 * goes and the spacing doubles, so a stream of any length has an index of bounded size.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "indexcache.h"
#include "ondisk.h"
#include "stream.h"

#define POINTS      ((size_t)1 << 20)
#define WINDOWS     ((size_t)48 << 20)
#define ZEROS_BYTES ((size_t)16 << 20) /* 32 TiB of chunks; what lies behind is taken as data */

/* A point without a window costs next to nothing; one with, some 10 KiB. In chunks. */
#define SPACING        1
#define SPACING_WINDOW 16

/* Bytes of a file for which one pass is so short that it is not worth keeping the index. */
#define SHORT_FILE ((uint64_t)1 << 20)

/* Unpacked bytes after which a pass tells how far it is. */
#define TELL ((uint64_t)1 << 20)

bool stream_all_zeros(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

void stream_index_clear(struct stream *s)
{
	for (size_t i = 0; i < s->npoints; i++)
		free(s->points[i].window);
	free(s->points);
	free(s->zeros);
	s->points = NULL;
	s->zeros = NULL;
	s->npoints = s->room = s->windows = s->zeros_len = 0;
	s->spacing = 0;
	s->size = 0;
}

static void thin(struct stream *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->npoints; i++) {
		if (i % 2) {
			s->windows -= s->points[i].packed;
			free(s->points[i].window);
		} else {
			s->points[kept++] = s->points[i];
		}
	}
	s->npoints = kept;
	s->spacing *= 2;
}

static int pack_window(struct stream_point *p, const uint8_t *window, size_t len)
{
	uLongf packed = compressBound(len);
	uint8_t *smaller;

	p->window = malloc(packed);
	if (!p->window)
		return -ENOMEM;
	if (compress2(p->window, &packed, window, len, 1) != Z_OK) {
		free(p->window);
		return -ENOMEM;
	}
	smaller = realloc(p->window, packed);
	if (smaller)
		p->window = smaller;
	p->packed = (uint32_t)packed;
	p->length = (uint32_t)len;
	return 0;
}

int stream_add_point(struct stream *s, const struct stream_point *point, const uint8_t *window,
                     size_t len)
{
	struct stream_point p = {.in = point->in, .out = point->out, .kind = point->kind};
	int r;

	if (s->spacing == 0)
		s->spacing = STREAM_CHUNK;
	if (s->npoints &&
	    p.out - s->points[s->npoints - 1].out < s->spacing * (len ? SPACING_WINDOW : SPACING))
		return 0;
	if (s->npoints == s->room) {
		size_t room = s->room ? s->room * 2 : 64;
		struct stream_point *more = reallocarray(s->points, room, sizeof *more);

		if (!more)
			return -ENOMEM;
		s->points = more;
		s->room = room;
	}
	r = len ? pack_window(&p, window, len) : 0;
	if (r)
		return r;
	s->points[s->npoints++] = p;
	s->windows += p.packed;
	while (s->npoints > 1 && (s->npoints >= POINTS || s->windows > WINDOWS))
		thin(s);
	return 0;
}

static int note_zeros(struct stream *s, uint64_t chunk)
{
	size_t need = (size_t)(chunk / 8) + 1;

	if (need > ZEROS_BYTES)
		return 0;
	if (need > s->zeros_len) {
		size_t len = need + need / 2 + 64;
		uint8_t *more = realloc(s->zeros, len);

		if (!more)
			return -ENOMEM;
		memset(more + s->zeros_len, 0, len - s->zeros_len);
		s->zeros = more;
		s->zeros_len = len;
	}
	s->zeros[chunk / 8] |= (uint8_t)(1u << chunk % 8);
	return 0;
}

/* ---- the pass ---- */

/* What a pass holds: in buf the window, and behind it the chunk that is being filled. */
struct pass {
	struct stream *s;
	struct stream_decoder *d;
	size_t fill;
	uint8_t buf[STREAM_WINDOW_MAX + STREAM_CHUNK];
};

/* The chunk is full, or the last: what is in it becomes the past. */
static int end_chunk(struct pass *p)
{
	int r = 0;

	if (p->fill && stream_all_zeros(p->buf + STREAM_WINDOW_MAX, p->fill))
		r = note_zeros(p->s, (p->s->size - 1) / STREAM_CHUNK);
	memmove(p->buf, p->buf + p->fill, STREAM_WINDOW_MAX);
	p->fill = 0;
	return r;
}

static int add_here(struct pass *p)
{
	struct stream *s = p->s;
	struct stream_point point = {.out = s->size};
	bool needs = false;
	size_t len;

	/* Most places are too near to the last point. */
	if (s->npoints && s->size - s->points[s->npoints - 1].out < s->spacing)
		return 0;
	if (!s->coder->point(p->d, &point, &needs))
		return 0;
	len = needs ? (size_t)min64(s->coder->window, s->size) : 0;
	return stream_add_point(s, &point, p->buf + STREAM_WINDOW_MAX + p->fill - len, len);
}

static int unpack_all(struct pass *p, struct image *image)
{
	struct stream *s = p->s;
	uint64_t told = 0;
	size_t got;
	int r;

	do {
		r = add_here(p);
		if (r)
			return r;
		got = 0;
		r = s->coder->read(p->d, p->buf + STREAM_WINDOW_MAX + p->fill,
		                   STREAM_CHUNK - p->fill, &got);
		if (r)
			return r;
		p->fill += got;
		s->size += got;
		if (s->size > DEV_SIZE_MAX)
			return -EFBIG;
		if (p->fill == STREAM_CHUNK)
			r = end_chunk(p);
		if (!r && (s->size - told) >= TELL) {
			told = s->size;
			r = image_progress(image, stream_in_tell(&p->d->in), image->file->size,
			                   NULL);
		}
	} while (got && !r);
	return r ? r : end_chunk(p);
}

/* Where a decoder could begin behind all there is, to find its end, nothing will be read from. */
static void drop_end(struct stream *s)
{
	while (s->npoints && s->points[s->npoints - 1].out >= s->size) {
		struct stream_point *p = &s->points[--s->npoints];

		s->windows -= p->packed;
		free(p->window);
	}
}

static int pass_error(struct pass *p, int r, struct platter_error *err)
{
	const char *why = p->d && p->d->why ? p->d->why : strerror(-r);

	if (r == -EINTR)
		return err_set(err, EINTR, "interrupted");
	return err_set(err, r == -ENODATA ? EIO : -r,
	               "cannot be unpacked: %s, near byte %llu of the file, after %llu unpacked "
	               "bytes",
	               r == -ENODATA ? "the file ends too early" : why,
	               (unsigned long long)(p->d ? stream_in_tell(&p->d->in) : 0),
	               (unsigned long long)p->s->size);
}

int stream_pass(struct stream *s, struct image *image, struct platter_error *err)
{
	static const struct stream_point first;
	struct pass *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return err_set(err, ENOMEM, "no memory");
	p->s = s;
	r = stream_decoder_new(s, &first, &p->d);
	if (!r) {
		p->d->verify = true;
		r = unpack_all(p, image);
	}
	if (r)
		r = pass_error(p, r, err);
	else
		drop_end(s);
	if (p->d)
		stream_decoder_free(s, p->d);
	free(p);
	return r;
}

/* ---- kept indexes ---- */

static bool load(struct stream *s, struct image *image, uint32_t id)
{
	uint8_t *data;
	size_t len;
	bool good;

	if (!indexcache_load(image, id, &data, &len))
		return false;
	good = stream_index_unpack(s, data, len);
	if (!good)
		stream_index_clear(s);
	free(data);
	return good;
}

static void store(const struct stream *s, struct image *image, uint32_t id)
{
	uint8_t *data;
	size_t len;

	if (stream_index_pack(s, &data, &len) == 0) {
		indexcache_store(image, id, data, len);
		free(data);
	}
}

int stream_index(struct stream *s, struct image *image, stream_walk_fn *walk,
                 struct platter_error *err)
{
	bool keep = image->file->size >= SHORT_FILE;
	uint32_t id = s->coder->index_id;
	int r;

	if (keep && load(s, image, id))
		return 0;
	r = walk ? walk(s, image, err) : stream_pass(s, image, err);
	if (!r && keep)
		store(s, image, id);
	return r;
}
