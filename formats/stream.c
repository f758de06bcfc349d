/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compressed streams: the pool of decoders, and chunks made by them. See stream.h. */
#include "config.h"

#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "ondisk.h"

/* Further than this from one point to the next, and people should know. */
#define FAR_APART ((uint64_t)64 << 20)

/* Skippable frames before the first other one, by which a format is known (pzstd has one). */
#define SKIPPED_MAX 16

/* ---- the packed side ---- */

void stream_in_seek(struct stream_in *in, uint64_t off)
{
	in->next = off;
	in->left = 0;
	in->step = 4096;
}

uint64_t stream_in_tell(const struct stream_in *in)
{
	return in->next - in->left;
}

int stream_in_fill(struct stream_in *in)
{
	size_t n;
	int r;

	if (in->left || in->next >= in->file->size)
		return 0;
	n = (size_t)min64(in->step, in->file->size - in->next);
	r = dev_pread(in->file, in->buf, n, in->next);
	if (r)
		return r;
	in->step = (size_t)min64(2 * in->step, sizeof in->buf);
	in->next += n;
	in->at = in->buf;
	in->left = n;
	return 0;
}

int stream_in_skip(struct stream_in *in, uint64_t len)
{
	if (len > in->left) {
		len -= in->left;
		if (!range_ok(in->next, len, in->file->size))
			return -ENODATA;
		stream_in_seek(in, in->next + len);
		return 0;
	}
	in->at += len;
	in->left -= (size_t)len;
	return 0;
}

int stream_in_get(struct stream_in *in, void *buf, size_t len)
{
	while (len) {
		int r = stream_in_fill(in);
		size_t n = (size_t)min64(len, in->left);

		if (r)
			return r;
		if (n == 0)
			return -ENODATA;
		memcpy(buf, in->at, n);
		in->at += n;
		in->left -= n;
		buf = (char *)buf + n;
		len -= n;
	}
	return 0;
}

/* ---- decoders ---- */

static int start_at(struct stream *s, struct stream_decoder *d, const struct stream_point *point)
{
	uint8_t *window = NULL;
	uLongf len = point->length;
	int r = 0;

	if (point->length) {
		window = malloc(point->length);
		if (!window)
			return -ENOMEM;
		if (uncompress(window, &len, point->window, point->packed) != Z_OK ||
		    len != point->length)
			r = -EIO;
	}
	if (!r)
		r = s->coder->start(s, d, point, window, len);
	free(window);
	return r;
}

int stream_decoder_new(struct stream *s, const struct stream_point *point,
                       struct stream_decoder **out)
{
	struct stream_decoder *d = calloc(1, s->coder->size);
	int r;

	if (!d)
		return -ENOMEM;
	d->in.file = s->file;
	d->out = point->out;
	stream_in_seek(&d->in, point->in / 8);
	r = start_at(s, d, point);
	if (r)
		stream_decoder_free(s, d);
	else
		*out = d;
	return r;
}

void stream_decoder_free(struct stream *s, struct stream_decoder *d)
{
	s->coder->stop(d);
	free(d);
}

/* Exactly len bytes; buf NULL with a len of any size: skip them. */
static int decode(struct stream *s, struct stream_decoder *d, uint8_t *buf, uint64_t len)
{
	uint8_t *waste = buf ? NULL : malloc(STREAM_CHUNK);
	int r = buf || waste ? 0 : -ENOMEM;

	while (len && !r) {
		size_t n = buf ? (size_t)len : (size_t)min64(len, STREAM_CHUNK), got = 0;

		r = s->coder->read(d, buf ? buf : waste, n, &got);
		if (!r && (got == 0 || got > n))
			r = -EIO;
		d->out += got;
		len -= got;
		if (buf)
			buf += got;
	}
	free(waste);
	return r;
}

/* ---- the pool ---- */

/* The last point at or before off. */
static const struct stream_point *locate(const struct stream *s, uint64_t off)
{
	size_t low = 0, high = s->npoints;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (s->points[mid].out <= off)
			low = mid;
		else
			high = mid;
	}
	return &s->points[low];
}

/* The decoder that gets to off soonest, idle or busy; NULL when beginning at a point does. */
static struct stream_decoder *nearest(struct stream *s, uint64_t from, uint64_t off)
{
	struct stream_decoder *best = NULL;
	uint64_t best_at = 0;

	for (unsigned i = 0; i < s->ndecoders; i++) {
		struct stream_decoder *d = s->decoders[i];
		uint64_t at = d->busy ? d->goal : d->out;

		/* Of two in the same place the idle one. */
		if (at >= from && at <= off &&
		    (!best || at > best_at || (at == best_at && !d->busy))) {
			best = d;
			best_at = at;
		}
	}
	return best;
}

static void forget(struct stream *s, struct stream_decoder *d)
{
	for (unsigned i = 0; i < s->ndecoders; i++)
		if (s->decoders[i] == d)
			s->decoders[i] = s->decoders[--s->ndecoders];
}

/* The idle decoder that was not used for longest. */
static struct stream_decoder *oldest(struct stream *s)
{
	struct stream_decoder *old = NULL;

	for (unsigned i = 0; i < s->ndecoders; i++)
		if (!s->decoders[i]->busy && (!old || s->decoders[i]->used < old->used))
			old = s->decoders[i];
	return old;
}

/*
 * A busy decoder that will make [off, off + size) next: an idle one that stands before it, or one
 * that is soon there, or a new one. Called and returns with the lock held.
 */
static int take(struct stream *s, uint64_t off, struct stream_decoder **out)
{
	const struct stream_point *point = locate(s, off);
	struct stream_decoder *d;
	int r;

	for (;;) {
		d = nearest(s, point->out, off);
		if (d && !d->busy) {
			*out = d;
			return 0;
		}
		if (!d && s->ndecoders == s->max) {
			d = oldest(s);
			if (d) {
				forget(s, d);
				stream_decoder_free(s, d);
				d = NULL;
			} else {
				d = s->decoders[0];
			}
		}
		if (!d)
			break;
		pthread_cond_wait(&s->change, &s->lock);
	}
	r = stream_decoder_new(s, point, &d);
	if (r)
		return r;
	s->decoders[s->ndecoders++] = d;
	*out = d;
	return 0;
}

static int make_chunk(void *self, uint64_t off, void *data, size_t size)
{
	struct stream *s = self;
	struct stream_decoder *d;
	int r;

	pthread_mutex_lock(&s->lock);
	r = take(s, off, &d);
	if (!r) {
		d->busy = true;
		d->goal = off + size;
	}
	pthread_mutex_unlock(&s->lock);
	if (r)
		return r;
	r = decode(s, d, NULL, off - d->out);
	if (!r)
		r = decode(s, d, data, size);
	pthread_mutex_lock(&s->lock);
	d->busy = false;
	d->used = ++s->clock;
	if (r) {
		forget(s, d);
		stream_decoder_free(s, d);
	}
	pthread_cond_broadcast(&s->change);
	pthread_mutex_unlock(&s->lock);
	return r == -ENOMEM ? r : r ? -EIO : 0;
}

/* ---- as a format ---- */

static bool is_zero(const struct stream *s, uint64_t chunk)
{
	return chunk / 8 < s->zeros_len && (s->zeros[chunk / 8] >> chunk % 8 & 1);
}

int stream_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	struct stream *s = self;
	uint64_t chunk = off / STREAM_CHUNK, start = chunk * STREAM_CHUNK;

	(void)node;
	if (is_zero(s, chunk)) {
		/* As far as one look at the bits goes; dev_seek asks again. */
		uint64_t end = chunk + 1;

		while (end - chunk < 65536 && is_zero(s, end))
			end++;
		*run = (struct run){.kind = RUN_ZERO,
		                    .length = min64(end * STREAM_CHUNK, s->size) - off};
		return 0;
	}
	*run = (struct run){
		.kind = RUN_MADE,
		.offset = start,
		.unpacked = (uint32_t)min64(STREAM_CHUNK, s->size - start),
		.skip = (uint32_t)(off - start),
		.make = make_chunk,
	};
	run->length = run->unpacked - run->skip;
	return 0;
}

void stream_begin(struct stream *s, struct image *image, const struct stream_coder *coder)
{
	s->coder = coder;
	s->file = image->file;
	s->max = 1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->change, NULL);
}

int stream_need(struct stream *s, uint64_t memory, struct platter_error *err)
{
	if (memory > STREAM_MEMORY)
		return err_set(err, EOPNOTSUPP,
		               "unpacking it takes %llu MiB of memory, at most %llu MiB are "
		               "supported",
		               (unsigned long long)(memory >> 20),
		               (unsigned long long)(STREAM_MEMORY >> 20));
	s->max = (unsigned)min64(STREAM_MEMORY / max64(memory, 1), STREAM_DECODERS);
	return 0;
}

void stream_end(struct stream *s)
{
	while (s->ndecoders)
		stream_decoder_free(s, s->decoders[--s->ndecoders]);
	stream_index_clear(s);
	pthread_cond_destroy(&s->change);
	pthread_mutex_destroy(&s->lock);
}

void stream_close(void *self)
{
	stream_end(self);
	free(self);
}

bool stream_is_skippable(uint32_t magic)
{
	return (magic & 0xfffffff0u) == 0x184d2a50u;
}

int stream_first_frame(struct dev *file, uint32_t *magic, struct platter_error *err)
{
	uint64_t at = 0;
	le32 head[2];

	for (int i = 0; i <= SKIPPED_MAX && range_ok(at, sizeof head, file->size); i++) {
		int r = dev_pread(file, head, sizeof head, at);

		if (r)
			return err_set(err, -r, "8 bytes at %llu cannot be read: %s",
			               (unsigned long long)at, strerror(-r));
		*magic = le32_get(head[0]);
		if (!stream_is_skippable(*magic))
			return 0;
		at += sizeof head + (uint64_t)le32_get(head[1]);
	}
	return DRIVER_NOT_MINE;
}

int stream_finish(struct stream *s, struct image *image, const char *hint,
                  struct platter_error *err)
{
	uint64_t far = 0;

	if (s->size == 0)
		return err_set(err, EINVAL, "unpacks to 0 bytes, expected at least 1");
	for (size_t i = 0; i < s->npoints; i++) {
		uint64_t next = i + 1 < s->npoints ? s->points[i + 1].out : s->size;

		far = max64(far, next - s->points[i].out);
	}
	if (far > FAR_APART)
		image_note(image,
		           "%llu MiB in it can only be unpacked in one go, so random reads "
		           "are slow; %s",
		           (unsigned long long)(far >> 20), hint);
	image->self = s;
	image->size = s->size;
	image->packed = true;
	return 0;
}

int stream_open(struct image *image, const struct stream_coder *coder, uint64_t memory,
                stream_walk_fn *walk, const char *hint, struct platter_error *err)
{
	struct stream *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return err_set(err, ENOMEM, "no memory");
	stream_begin(s, image, coder);
	r = stream_need(s, memory, err);
	if (!r)
		r = stream_index(s, image, walk, err);
	if (!r)
		r = stream_finish(s, image, hint, err);
	if (r)
		stream_close(s);
	return r;
}
