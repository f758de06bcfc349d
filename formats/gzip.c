/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gzip streams: RFC 1952 around RFC 1951 (deflate).
 *
 * A file is one member or more; what follows the last one and is no member (tapes are padded) is
 * ignored, as gzip does. Nothing says how long the whole is, nor where one could begin in it, so
 * one pass finds both. A deflate stream can be begun where a block of it begins (at any bit) when
 * the 32 KiB that were unpacked before are known: so every 4 MiB such a window is kept, deflated.
 * (M. Adler's zran.c showed the way.)
 *
 * The pass checks CRC32 and ISIZE of every member. Two bytes of magic are few: a file counts as
 * gzip only when its header holds together and something can be unpacked behind it.
 */
#include "config.h"

#include "stream.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#endif

#include "ondisk.h"

struct gzip_header {
	uint8_t id[2]; /* +0 */
	uint8_t cm;    /* +2 */
	uint8_t flg;   /* +3 */
	le32 mtime;    /* +4 */
	uint8_t xfl;   /* +8 */
	uint8_t os;    /* +9 */
};

_Static_assert(sizeof(struct gzip_header) == 10, "RFC 1952 section 2.3");

#define FHCRC    0x02
#define FEXTRA   0x04
#define FNAME    0x08
#define FCOMMENT 0x10
#define RESERVED 0xe0

/* Longer names and comments are no names. */
#define TEXT_MAX 65536

#define WINDOW 32768

enum kind { KIND_MEMBER, KIND_BLOCK };

struct gzip_decoder {
	struct stream_decoder head;
	z_stream z;
	bool inflating, inside, ended;
	bool block;    /* stands at the beginning of a deflate block */
	bool last;     /* stands behind a member's last one */
	unsigned bits; /* of the byte before .in that belong to what comes */
	bool whole;    /* since the member's beginning: its checksum can be checked */
	uint32_t crc, isize;
};

/* ---- members ---- */

static bool header_good(const struct gzip_header *h)
{
	return h->id[0] == 0x1f && h->id[1] == 0x8b && h->cm == 8 && !(h->flg & RESERVED);
}

static int skip_text(struct stream_in *in, const char **why)
{
	uint8_t c;

	for (unsigned i = 0; i < TEXT_MAX; i++) {
		int r = stream_in_get(in, &c, 1);

		if (r || !c)
			return r;
	}
	*why = "a name or comment has no end";
	return -EIO;
}

/* What follows the fixed part. */
static int skip_fields(struct stream_in *in, uint8_t flg, const char **why)
{
	int r = 0;
	le16 len;

	if (flg & FEXTRA) {
		r = stream_in_get(in, &len, sizeof len);
		if (!r)
			r = stream_in_skip(in, le16_get(len));
	}
	if (!r && (flg & FNAME))
		r = skip_text(in, why);
	if (!r && (flg & FCOMMENT))
		r = skip_text(in, why);
	if (!r && (flg & FHCRC))
		r = stream_in_skip(in, 2);
	return r;
}

/* Enter the next member, or find that there is none. */
static int begin_member(struct gzip_decoder *d)
{
	struct stream_in *in = &d->head.in;
	uint64_t at = stream_in_tell(in);
	struct gzip_header h;
	int r;

	if (in->file->size - at < sizeof h) {
		d->ended = true;
		return 0;
	}
	r = stream_in_get(in, &h, sizeof h);
	if (r)
		return r;
	if (!header_good(&h)) {
		d->ended = true;
		stream_in_seek(in, at);
		return 0;
	}
	r = skip_fields(in, h.flg, &d->head.why);
	if (!r && inflateReset(&d->z) != Z_OK)
		r = -ENOMEM;
	d->inside = d->whole = true;
	d->block = d->last = false;
	d->bits = 0;
	d->crc = d->isize = 0;
	return r;
}

static int end_member(struct gzip_decoder *d)
{
	le32 trailer[2]; /* CRC32, ISIZE */
	int r = stream_in_get(&d->head.in, trailer, sizeof trailer);

	d->inside = d->block = d->last = false;
	d->bits = 0;
	if (r || !d->head.verify || !d->whole)
		return r;
	if (le32_get(trailer[0]) != d->crc)
		d->head.why = "a member's CRC32 is wrong";
	else if (le32_get(trailer[1]) != d->isize)
		d->head.why = "a member has another length than its ISIZE";
	else
		return 0;
	return -EIO;
}

static uint32_t crc_add(uint32_t crc, const uint8_t *p, size_t len)
{
#ifdef HAVE_LIBDEFLATE
	return libdeflate_crc32(crc, p, len);
#else
	return (uint32_t)crc32_z(crc, p, len);
#endif
}

/* ---- as a coder ---- */

static int gzip_start(struct stream *s, struct stream_decoder *head,
                      const struct stream_point *point, const uint8_t *window, size_t len)
{
	struct gzip_decoder *d = (struct gzip_decoder *)head;
	unsigned bit = (unsigned)(point->in & 7);
	uint8_t byte;
	int r;

	(void)s;
	if (inflateInit2(&d->z, -15) != Z_OK)
		return -ENOMEM;
	d->inflating = true;
	if (point->kind == KIND_MEMBER)
		return 0;
	d->inside = true;
	if (bit) {
		r = stream_in_get(&head->in, &byte, 1);
		if (r)
			return r;
		if (inflatePrime(&d->z, (int)(8 - bit), byte >> bit) != Z_OK)
			return -EIO;
	}
	return len && inflateSetDictionary(&d->z, window, (uInt)len) != Z_OK ? -EIO : 0;
}

/* One step inside a member. */
static int inflate_some(struct gzip_decoder *d, uint8_t *buf, size_t len, size_t *got)
{
	struct stream_in *in = &d->head.in;
	int r = stream_in_fill(in), z;

	if (r)
		return r;
	d->z.next_in = in->at;
	d->z.avail_in = (uInt)in->left;
	d->z.next_out = buf;
	d->z.avail_out = (uInt)len;
	z = inflate(&d->z, Z_BLOCK);
	in->at += in->left - d->z.avail_in;
	if (z == Z_BUF_ERROR && in->left == 0)
		return -ENODATA;
	in->left = d->z.avail_in;
	*got = len - d->z.avail_out;
	if (z == Z_MEM_ERROR)
		return -ENOMEM;
	/* Without room for a byte there may be nothing that it can do. */
	if (z != Z_OK && z != Z_STREAM_END && !(z == Z_BUF_ERROR && len == 0)) {
		d->head.why = z == Z_NEED_DICT ? "damaged deflate data" : d->z.msg;
		return -EIO;
	}
	if (d->head.verify && d->whole) {
		d->crc = crc_add(d->crc, buf, *got);
		d->isize += (uint32_t)*got;
	}
	/* Bit 7: a block ended here; bit 6: it was the last. */
	d->block = (d->z.data_type & 0xc0) == 0x80;
	d->last = (d->z.data_type & 0xc0) == 0xc0;
	d->bits = (unsigned)d->z.data_type & 7;
	return z == Z_STREAM_END ? end_member(d) : 0;
}

/*
 * Past the ends of a block and of a member that follow without a byte before them: a point can be
 * made there, and only when a read stops there. full: there was no room to see a block's end.
 */
static int go_on(struct gzip_decoder *d, uint8_t *end, bool full)
{
	size_t none;
	int r = 0;

	for (; !r && d->inside && !d->block && (d->last || full); full = false)
		r = inflate_some(d, end, 0, &none);
	return r;
}

static int gzip_read(struct stream_decoder *head, uint8_t *buf, size_t len, size_t *got)
{
	struct gzip_decoder *d = (struct gzip_decoder *)head;
	int r = 0;

	*got = 0;
	while (!r && *got == 0 && !d->ended)
		r = d->inside ? inflate_some(d, buf, len, got) : begin_member(d);
	return r || *got == 0 ? r : go_on(d, buf + *got, *got == len);
}

static bool gzip_point(struct stream_decoder *head, struct stream_point *point, bool *window)
{
	struct gzip_decoder *d = (struct gzip_decoder *)head;

	point->kind = d->inside ? KIND_BLOCK : KIND_MEMBER;
	point->in = stream_in_tell(&head->in) * 8 - d->bits;
	*window = d->inside;
	return !d->ended && (!d->inside || d->block);
}

static void gzip_stop(struct stream_decoder *head)
{
	struct gzip_decoder *d = (struct gzip_decoder *)head;

	if (d->inflating)
		inflateEnd(&d->z);
}

static const struct stream_coder coder = {
	.size = sizeof(struct gzip_decoder),
	.index_id = 0x677a0002, /* "gz", 2 */
	.window = WINDOW,
	.start = gzip_start,
	.read = gzip_read,
	.point = gzip_point,
	.stop = gzip_stop,
};

/* ---- as a format ---- */

/*
 * Whether the beginning can be unpacked: a header alone is too little to go by. What is found to be
 * no deflate data has .why set; what cannot be read has not.
 */
static int plausible(struct stream *s, struct platter_error *err)
{
	static const struct stream_point first;
	struct stream_decoder *d;
	uint8_t buf[4096];
	size_t got = 0;
	const char *why;
	int r = stream_decoder_new(s, &first, &d);

	if (r)
		return err_set(err, -r, "no memory");
	r = gzip_read(d, buf, sizeof buf, &got);
	why = d->why;
	stream_decoder_free(s, d);
	if (r == -ENODATA)
		return err_set(err, EIO, "cannot be unpacked: the file ends too early");
	if (r && !why)
		return err_set(err, -r, "cannot be unpacked: %s", strerror(-r));
	return r && got == 0 ? DRIVER_NOT_MINE : 0;
}

static int gzip_open(struct image *image, struct platter_error *err)
{
	struct gzip_header h;
	struct stream *s;
	int r;

	r = image_read_head(image->file, &h, sizeof h, err);
	if (r)
		return r;
	if (!header_good(&h))
		return DRIVER_NOT_MINE;
	s = calloc(1, sizeof *s);
	if (!s)
		return err_set(err, ENOMEM, "no memory");
	stream_begin(s, image, &coder);
	r = stream_need(s, sizeof(struct gzip_decoder) + 48 * 1024, err);
	if (!r)
		r = plausible(s, err);
	if (!r)
		r = stream_index(s, image, NULL, err);
	if (!r)
		r = stream_finish(s, image, "it has a single deflate block", err);
	if (r)
		stream_close(s);
	return r;
}

const struct format_driver format_gzip = {
	.name = "gzip",
	.id = 31,
	.wraps = true,
	.open = gzip_open,
	.map = stream_map,
	.close = stream_close,
};
