/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lz4 streams: "LZ4 Frame Format Description" 1.6.3, legacy frames (lz4 -l) included.
 *
 * A file is a row of frames, of blocks of at most 64 KiB to 4 MiB (legacy: 8 MiB). Blocks are
 * independent, or need the 64 KiB before them; a block says how long it is packed, not unpacked.
 * So one pass unpacks everything and checks every checksum; it goes at the speed of memory. Only
 * where every frame states its size, its blocks are independent, and what is missing from that size
 * when all but the last are full is just what the last unpacks to, all is known from the blocks'
 * headers and the last: none can be longer than full, so then none is shorter. (The number of
 * blocks alone does not tell: a writer that is flushed ends its block early.)
 */
#include "config.h"

#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"
#include "xxh32.h"

#define FRAME  0x184d2204u
#define LEGACY 0x184c2102u

#ifdef HAVE_LIBLZ4
#include <lz4.h>

#define HISTORY      ((size_t)64 << 10)
#define LEGACY_BLOCK ((size_t)8 << 20)
#define BLOCK_MAX    LEGACY_BLOCK
#define STORED       0x80000000u /* of a block's length: it is not packed */

/* FLG */
#define FLG_VERSION      0xc0
#define FLG_VERSION_1    0x40
#define INDEPENDENT      0x20
#define BLOCK_CHECKSUM   0x10
#define CONTENT_SIZE     0x08
#define CONTENT_CHECKSUM 0x04
#define FLG_RESERVED     0x02
#define DICTIONARY       0x01
/* BD */
#define BD_RESERVED 0x8f

/* A frame's properties, as a point's .kind has them too: FLG, BD << 8, and these. */
#define KIND_INSIDE 0x10000u /* a point in a frame, not before one */
#define KIND_LEGACY 0x20000u

struct frame {
	uint32_t kind;
	size_t block; /* the most that one unpacks to */
	uint64_t size;
};

struct lz4_decoder {
	struct stream_decoder head;
	struct frame frame;
	bool inside, whole;
	bool full;     /* as stream.extra: only a frame's last block may be short */
	bool shorter;  /* this one is */
	uint64_t made; /* of this frame */
	struct xxh32 sum;
	uint8_t *packed;   /* room for a block */
	uint8_t *buf;      /* HISTORY, then a block */
	size_t room;       /* of a block, in both */
	size_t history;    /* bytes before the block that are there */
	size_t len, given; /* of the block: bytes there, and given out */
};

/* ---- frames ---- */

static size_t block_size(uint32_t kind)
{
	return kind & KIND_LEGACY ? LEGACY_BLOCK : (size_t)256 << 2 * (kind >> 12 & 7);
}

static bool frame_set(struct frame *f, uint32_t kind)
{
	unsigned code = kind >> 12 & 7;

	if (!(kind & KIND_LEGACY) &&
	    ((kind & FLG_VERSION) != FLG_VERSION_1 || (kind & FLG_RESERVED) ||
	     (kind >> 8 & BD_RESERVED) || code < 4))
		return false;
	*f = (struct frame){.kind = kind & ~KIND_INSIDE, .block = block_size(kind)};
	return true;
}

/* The descriptor behind the magic. */
static int read_descriptor(struct stream_in *in, struct frame *f, const char **why)
{
	uint8_t d[15]; /* FLG, BD, content size, dictionary id, HC */
	size_t n = 2;
	le64 size;
	int r = stream_in_get(in, d, 2);

	if (r)
		return r;
	*why = "a frame's descriptor is damaged, or of a version that is not known";
	if (!frame_set(f, d[0] | (uint32_t)d[1] << 8))
		return -EIO;
	n += (d[0] & CONTENT_SIZE ? 8 : 0) + (d[0] & DICTIONARY ? 4 : 0);
	r = stream_in_get(in, d + 2, n - 1);
	if (r)
		return r;
	if ((xxh32(d, n) >> 8 & 0xff) != d[n])
		return -EIO;
	*why = "a frame was packed with a dictionary, which is not known";
	if (d[0] & DICTIONARY)
		return -EOPNOTSUPP;
	*why = NULL;
	if (d[0] & CONTENT_SIZE) {
		memcpy(size.b, d + 2, 8);
		f->size = le64_get(size);
	}
	return 0;
}

static int skip_skippable(struct stream_in *in)
{
	le32 size;
	int r = stream_in_get(in, &size, sizeof size);

	return r ? r : stream_in_skip(in, le32_get(size));
}

/* Read up to the next frame's first block; *found false at the end of the file. */
static int next_frame(struct stream_in *in, struct frame *f, bool *found, const char **why)
{
	for (;;) {
		le32 magic;
		int r = stream_in_fill(in);

		*found = false;
		if (r || in->left == 0)
			return r;
		r = stream_in_get(in, &magic, sizeof magic);
		if (r)
			return r;
		*found = true;
		switch (le32_get(magic)) {
		case FRAME:
			return read_descriptor(in, f, why);
		case LEGACY:
			frame_set(f, KIND_LEGACY | INDEPENDENT);
			return 0;
		default:
			*why = "neither a frame nor the end of the file is there";
			r = stream_is_skippable(le32_get(magic)) ? skip_skippable(in) : -EIO;
			if (r)
				return r;
			*why = NULL;
		}
	}
}

/* A block's length word; *end where the frame ends instead. */
static int next_block(struct stream_in *in, const struct frame *f, uint32_t *word, bool *end)
{
	le32 v;
	int r;

	*end = false;
	if (f->kind & KIND_LEGACY) {
		/* It ends with the file, or where another frame begins. */
		r = stream_in_fill(in);
		*end = !r && in->left == 0;
		if (r || *end)
			return r;
	}
	r = stream_in_get(in, &v, sizeof v);
	if (r)
		return r;
	*word = le32_get(v);
	if (f->kind & KIND_LEGACY) {
		if (*word == FRAME || *word == LEGACY || stream_is_skippable(*word)) {
			stream_in_seek(in, stream_in_tell(in) - sizeof v);
			*end = true;
		}
		return *end || *word <= LZ4_COMPRESSBOUND(LEGACY_BLOCK) ? 0 : -EIO;
	}
	*end = *word == 0;
	return (*word & ~STORED) <= f->block ? 0 : -EIO;
}

/* ---- as a coder ---- */

static size_t packed_room(const struct frame *f)
{
	return f->kind & KIND_LEGACY ? (size_t)LZ4_COMPRESSBOUND(LEGACY_BLOCK) : f->block;
}

static int make_room(struct lz4_decoder *d)
{
	uint8_t *packed, *buf;

	if (d->room >= packed_room(&d->frame))
		return 0;
	packed = realloc(d->packed, packed_room(&d->frame));
	if (packed)
		d->packed = packed;
	buf = realloc(d->buf, HISTORY + d->frame.block);
	if (buf)
		d->buf = buf;
	if (!packed || !buf)
		return -ENOMEM;
	d->room = packed_room(&d->frame);
	return 0;
}

static int lz4_start(struct stream *s, struct stream_decoder *head,
                     const struct stream_point *point, const uint8_t *window, size_t len)
{
	struct lz4_decoder *d = (struct lz4_decoder *)head;
	int r;

	d->full = s->extra;
	if (!(point->kind & KIND_INSIDE))
		return 0;
	if (!frame_set(&d->frame, point->kind))
		return -EIO;
	d->inside = true;
	r = make_room(d);
	if (!r && len) {
		memcpy(d->buf + HISTORY - len, window, len);
		d->history = len;
	}
	return r;
}

static int begin_frame(struct lz4_decoder *d, bool *ended)
{
	bool found;
	int r = next_frame(&d->head.in, &d->frame, &found, &d->head.why);

	*ended = !r && !found;
	if (r || !found)
		return r;
	d->inside = d->whole = true;
	d->made = 0;
	d->history = 0;
	d->shorter = false;
	xxh32_begin(&d->sum);
	return make_room(d);
}

static int end_frame(struct lz4_decoder *d)
{
	le32 sum;

	d->inside = false;
	if (d->whole && (d->frame.kind & CONTENT_SIZE) && d->made != d->frame.size) {
		d->head.why = "a frame has another length than it says";
		return -EIO;
	}
	if (d->frame.kind & CONTENT_CHECKSUM) {
		int r = stream_in_get(&d->head.in, &sum, sizeof sum);

		if (r)
			return r;
		if (d->head.verify && d->whole && xxh32_end(&d->sum) != le32_get(sum)) {
			d->head.why = "a frame's checksum is wrong";
			return -EIO;
		}
	}
	return 0;
}

static int unpack_block(struct lz4_decoder *d, uint32_t word)
{
	uint32_t n = word & ~STORED;
	bool stored = (word & STORED) && !(d->frame.kind & KIND_LEGACY);
	bool alone = d->frame.kind & INDEPENDENT;
	uint8_t *block = d->buf + HISTORY;
	le32 sum;
	int r = stream_in_get(&d->head.in, d->packed, n), len;

	if (!r && (d->frame.kind & BLOCK_CHECKSUM)) {
		r = stream_in_get(&d->head.in, &sum, sizeof sum);
		if (!r && xxh32(d->packed, n) != le32_get(sum)) {
			d->head.why = "a block's checksum is wrong";
			r = -EIO;
		}
	}
	if (r)
		return r;
	if (stored) {
		memcpy(block, d->packed, n);
		d->len = n;
		return 0;
	}
	len = LZ4_decompress_safe_usingDict((const char *)d->packed, (char *)block, (int)n,
	                                    (int)d->frame.block,
	                                    (const char *)block - (alone ? 0 : d->history),
	                                    alone ? 0 : (int)d->history);
	if (len < 0) {
		d->head.why = "a block is damaged";
		return -EIO;
	}
	d->len = (size_t)len;
	return 0;
}

/* The block that was given out becomes history, and the next one comes. */
static int advance(struct lz4_decoder *d)
{
	uint32_t word;
	bool end;
	int r;

	d->history = (size_t)min64(HISTORY, d->history + d->len);
	memmove(d->buf + HISTORY - d->history, d->buf + HISTORY + d->len - d->history, d->history);
	d->len = d->given = 0;
	r = next_block(&d->head.in, &d->frame, &word, &end);
	/* Its size was a lie, then, and the points behind it are. */
	if (!r && !end && d->shorter)
		r = -EIO;
	if (!r)
		r = end ? end_frame(d) : unpack_block(d, word);
	if (r)
		return r;
	d->shorter = d->full && d->len < d->frame.block;
	d->made += d->len;
	if (d->head.verify && d->whole && (d->frame.kind & CONTENT_CHECKSUM))
		xxh32_add(&d->sum, d->buf + HISTORY, d->len);
	return 0;
}

static int lz4_read(struct stream_decoder *head, uint8_t *buf, size_t len, size_t *got)
{
	struct lz4_decoder *d = (struct lz4_decoder *)head;
	bool ended = false;
	int r = 0;

	*got = 0;
	while (!r && !ended && d->given == d->len)
		r = d->inside ? advance(d) : begin_frame(d, &ended);
	if (r || ended)
		return r;
	*got = (size_t)min64(len, d->len - d->given);
	memcpy(buf, d->buf + HISTORY + d->given, *got);
	d->given += *got;
	return 0;
}

static bool lz4_point(struct stream_decoder *head, struct stream_point *point, bool *window)
{
	struct lz4_decoder *d = (struct lz4_decoder *)head;

	point->in = stream_in_tell(&head->in) * 8;
	point->kind = d->inside ? d->frame.kind | KIND_INSIDE : 0;
	*window = d->inside && !(d->frame.kind & INDEPENDENT);
	return d->given == d->len && point->in / 8 < head->in.file->size;
}

static void lz4_stop(struct stream_decoder *head)
{
	struct lz4_decoder *d = (struct lz4_decoder *)head;

	free(d->packed);
	free(d->buf);
}

static const struct stream_coder coder = {
	.size = sizeof(struct lz4_decoder),
	.index_id = 0x6c340002, /* "l4", 2 */
	.window = HISTORY,
	.start = lz4_start,
	.read = lz4_read,
	.point = lz4_point,
	.stop = lz4_stop,
};

/* ---- frames that tell all ---- */

/* Whether the block at point unpacks to exactly len bytes. */
static bool unpacks_to(struct stream *s, const struct stream_point *point, uint64_t len)
{
	struct stream_decoder *head;
	struct lz4_decoder *d;
	bool good;

	if (stream_decoder_new(s, point, &head) != 0)
		return false;
	d = (struct lz4_decoder *)head;
	good = advance(d) == 0 && d->inside && d->len == len;
	stream_decoder_free(s, head);
	return good;
}

/* Walk one such frame's blocks; false: it has to be unpacked. */
static bool walk_blocks(struct stream *s, struct stream_in *in, const struct frame *f, int *r)
{
	struct stream_point p = {.kind = f->kind | KIND_INSIDE, .out = s->size};
	uint64_t blocks = 0, end = s->size + f->size;
	uint32_t word;
	bool last;

	if (!(f->kind & CONTENT_SIZE) || !(f->kind & INDEPENDENT) ||
	    f->size > DEV_SIZE_MAX - s->size)
		return false;
	for (;; blocks++) {
		uint64_t at = stream_in_tell(in);

		*r = next_block(in, f, &word, &last);
		if (*r || last)
			break;
		p.in = at * 8;
		p.out = s->size + blocks * f->block;
		if (p.out >= end)
			return false;
		*r = stream_add_point(s, &p, NULL, 0);
		if (!*r)
			*r = stream_in_skip(in, (uint64_t)(word & ~STORED) +
			                                (f->kind & BLOCK_CHECKSUM ? 4 : 0));
		if (*r)
			break;
	}
	if (!*r && (f->kind & CONTENT_CHECKSUM))
		*r = stream_in_skip(in, 4);
	if (*r || !(blocks ? unpacks_to(s, &p, end - p.out) : f->size == 0))
		return false;
	s->size = end;
	return true;
}

static int walk_frames(struct stream *s, struct image *image, struct platter_error *err)
{
	struct stream_in *in = calloc(1, sizeof *in);
	bool found = true, told = true;
	const char *why = NULL;
	struct frame f;
	int r = 0;

	if (!in)
		return err_set(err, ENOMEM, "no memory");
	in->file = image->file;
	stream_in_seek(in, 0);
	while (!r && found && told) {
		r = next_frame(in, &f, &found, &why);
		if (!r && found)
			told = walk_blocks(s, in, &f, &r);
	}
	free(in);
	s->extra = !r && told;
	if (s->extra)
		return 0;
	/* What is wrong, unpacking says best. */
	stream_index_clear(s);
	return stream_pass(s, image, err);
}

static int open_stream(struct image *image, struct platter_error *err)
{
	return stream_open(image, &coder, sizeof(struct lz4_decoder) + 2 * BLOCK_MAX + HISTORY,
	                   walk_frames, "", err);
}

#else

static int open_stream(struct image *image, struct platter_error *err)
{
	(void)image;
	return codec_require(CODEC_LZ4, err);
}

#endif

static int lz4_open(struct image *image, struct platter_error *err)
{
	uint32_t magic;
	int r = stream_first_frame(image->file, &magic, err);

	if (r)
		return r;
	return magic == FRAME || magic == LEGACY ? open_stream(image, err) : DRIVER_NOT_MINE;
}

const struct format_driver format_lz4 = {
	.name = "lz4",
	.id = 35,
	.wraps = true,
	.open = lz4_open,
	.map = stream_map,
	.close = stream_close,
};
