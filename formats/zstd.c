/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zstd streams: RFC 8878, and "Zstandard Seekable Format" 0.1.0 (contrib/seekable_format of zstd).
 *
 * A file is a row of frames; each can be unpacked on its own, and what they unpack to stands in a
 * row too. Between them there may be skippable frames. The seekable format puts a table of all
 * frames' sizes into a skippable frame at the end. Without one, the frames are walked by their
 * headers: a frame is a row of blocks that each say how long they are, and mostly it says how much
 * it unpacks to. Only when one does not (zstd from a pipe) does it take unpacking all of it to
 * know.
 *
 * What zstd makes by default is one frame, in which nothing can begin but at its start. Its
 * checksum, the content size and the structure are checked by libzstd as it unpacks.
 */
#include "config.h"

#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"

#define FRAME 0xfd2fb528u

#ifdef HAVE_LIBZSTD
#include <zstd.h>

/* What zstd itself takes without --long: windows of 128 MiB. */
#define WINDOW_LOG_MAX 27

/* Of a decoder, beside its window. */
#define DECODER_MEMORY ((uint64_t)1 << 20)

/* +0x00 Number_Of_Frames, +0x04 Seek_Table_Descriptor, +0x05 Seekable_Magic_Number */
struct seek_footer {
	le32 frames;
	uint8_t descriptor;
	le32 magic;
};

_Static_assert(sizeof(struct seek_footer) == 9, "Seek_Table_Footer");

#define SEEKABLE       0x8f92eab1u
#define SEEK_CHECKSUMS 0x80
#define SEEK_RESERVED  0x7c

struct zstd_decoder {
	struct stream_decoder head;
	ZSTD_DCtx *z;
	bool inside; /* a frame */
};

/* ---- frame headers ---- */

struct frame {
	uint64_t window, content;
	bool sized;    /* content is known */
	bool checksum; /* 4 bytes behind the last block */
};

/* The header behind the magic (RFC 8878 section 3.1.1.1). */
static int read_header(struct stream_in *in, struct frame *f, struct platter_error *err)
{
	static const uint8_t dictionary[] = {0, 1, 2, 4}, content[] = {0, 2, 4, 8};
	uint8_t descriptor, window = 0, skip[4];
	le64 size = {{0}};
	le32 id = {{0}};
	size_t n;
	bool single;
	int r = stream_in_get(in, &descriptor, 1);

	if (r)
		return r;
	single = descriptor & 0x20;
	if (descriptor & 0x08)
		return err_set(err, EOPNOTSUPP,
		               "frame header descriptor 0x%02x: reserved bit 3 is set", descriptor);
	if (!single)
		r = stream_in_get(in, &window, 1);
	n = dictionary[descriptor & 3];
	if (!r)
		r = stream_in_get(in, skip, n);
	memcpy(id.b, skip, n);
	if (!r && le32_get(id))
		return err_set(err, EOPNOTSUPP, "packed with dictionary %u, which is not known",
		               le32_get(id));
	n = content[descriptor >> 6];
	if (n == 0 && single)
		n = 1;
	if (!r)
		r = stream_in_get(in, size.b, n);
	*f = (struct frame){
		.content = le64_get(size) + (n == 2 ? 256 : 0),
		.sized = n != 0,
		.checksum = descriptor & 0x04,
	};
	f->window = ((uint64_t)1 << (10 + (window >> 3))) / 8 * (8 + (window & 7));
	if (single)
		f->window = f->content;
	return r;
}

/* Blocks of nothing, as a hole in the file would seem to hold without end. */
#define EMPTY_MAX 1024

static int skip_blocks(struct stream_in *in, const struct frame *f, struct platter_error *err)
{
	unsigned empty = 0;
	uint8_t b[3];
	int r;

	do {
		uint32_t size;

		r = stream_in_get(in, b, sizeof b);
		if (r)
			return r;
		size = (uint32_t)b[0] >> 3 | (uint32_t)b[1] << 5 | (uint32_t)b[2] << 13;
		empty = size ? 0 : empty + 1;
		if (empty > EMPTY_MAX)
			return err_set(err, EIO, "byte %llu: more than %d empty blocks in a row",
			               (unsigned long long)stream_in_tell(in), EMPTY_MAX);
		/* An RLE block is one byte, to be repeated so many times. */
		r = stream_in_skip(in, (b[0] >> 1 & 3) == 1 ? 1 : size);
	} while (!r && !(b[0] & 1));
	return !r && f->checksum ? stream_in_skip(in, 4) : r;
}

static int skip_skippable(struct stream_in *in)
{
	le32 size;
	int r = stream_in_get(in, &size, sizeof size);

	return r ? r : stream_in_skip(in, le32_get(size));
}

/* .extra is the logarithm of the largest window; refused when it is too large. */
static int note_window(struct stream *s, const struct frame *f, struct platter_error *err)
{
	while (s->extra < WINDOW_LOG_MAX && (uint64_t)1 << s->extra < f->window)
		s->extra++;
	if ((uint64_t)1 << s->extra < f->window)
		return err_set(err, EOPNOTSUPP,
		               "a frame needs a window of %llu MiB, at most %u are supported "
		               "(packed with --long)",
		               (unsigned long long)(f->window >> 20), 1u << (WINDOW_LOG_MAX - 20));
	return 0;
}

/* ---- finding the frames ---- */

struct walk {
	struct stream *s;
	struct image *image;
	struct stream_in in;
	bool sized; /* every frame says its size */
};

static int walk_frame(struct walk *w, struct platter_error *err)
{
	struct stream_point p = {.in = stream_in_tell(&w->in) * 8, .out = w->s->size};
	struct frame f;
	le32 magic;
	int r = stream_in_get(&w->in, &magic, sizeof magic);

	if (r)
		return r;
	if (stream_is_skippable(le32_get(magic)))
		return skip_skippable(&w->in);
	if (le32_get(magic) != FRAME)
		return err_set(err, EIO,
		               "byte %llu: 0x%08x, expected a frame or the end of the file",
		               (unsigned long long)(p.in / 8), le32_get(magic));
	r = read_header(&w->in, &f, err);
	if (!r)
		r = note_window(w->s, &f, err);
	if (!r)
		r = skip_blocks(&w->in, &f, err);
	if (r)
		return r;
	w->sized = w->sized && f.sized;
	if (!w->sized || f.content == 0)
		return 0;
	if (!ckd_add64(&w->s->size, w->s->size, f.content) || w->s->size > DEV_SIZE_MAX)
		return err_set(err, EFBIG, "frames of more than %llu bytes",
		               (unsigned long long)DEV_SIZE_MAX);
	return stream_add_point(w->s, &p, NULL, 0) ? err_set(err, ENOMEM, "no memory") : 0;
}

static int walk_frames(struct stream *s, struct image *image, struct platter_error *err)
{
	struct walk *w = calloc(1, sizeof *w);
	uint64_t told = 0;
	bool sized;
	int r = 0;

	if (!w)
		return err_set(err, ENOMEM, "no memory");
	*w = (struct walk){.s = s, .image = image, .in.file = image->file, .sized = true};
	stream_in_seek(&w->in, 0);
	while (!r && stream_in_tell(&w->in) < image->file->size) {
		uint64_t at = stream_in_tell(&w->in);

		r = walk_frame(w, err);
		if (r == -ENODATA)
			r = err_set(err, EIO, "the file ends in the middle of the frame at %llu",
			            (unsigned long long)at);
		if (!r && at - told >= 1 << 20) {
			told = at;
			r = image_progress(image, told, image->file->size, err);
		}
	}
	sized = w->sized;
	free(w);
	if (r || sized)
		return r;
	stream_index_clear(s);
	return stream_pass(s, image, err);
}

/* ---- the seek table ---- */

/*
 * Listed frames whose headers are read: each costs one read. Of more the windows are taken to be
 * the largest that there may be, which costs readers that want different places at once.
 */
#define HEADERS_MAX 16384

/* Note the window of a listed frame; skippable frames, which unpack to nothing, may be listed. */
static int note_listed(struct stream *s, struct stream_in *in, uint64_t at, uint32_t unpacked,
                       struct platter_error *err)
{
	struct frame f;
	le32 magic;
	int r;

	stream_in_seek(in, at);
	r = stream_in_get(in, &magic, sizeof magic);
	if (r && r != -ENODATA)
		return err_set(err, -r, "frame at %llu: %s", (unsigned long long)at, strerror(-r));
	if (!r && stream_is_skippable(le32_get(magic))) {
		/* What it unpacks to is another frame's, then, somewhere behind it. */
		if (unpacked)
			s->extra = WINDOW_LOG_MAX;
		return 0;
	}
	if (!r && le32_get(magic) != FRAME)
		return err_set(err, EIO, "seek table: 0x%08x at byte %llu, expected a frame",
		               le32_get(magic), (unsigned long long)at);
	if (!r)
		r = read_header(in, &f, err);
	if (r == -ENODATA)
		return err_set(err, EIO, "the file ends in the header of the frame at %llu",
		               (unsigned long long)at);
	return r ? r : note_window(s, &f, err);
}

/* The windows of all frames that the table lists, of which there are not too many. */
static int note_windows(struct stream *s, struct image *image, const uint8_t *table, uint32_t count,
                        size_t entry, struct platter_error *err)
{
	struct stream_in *in = calloc(1, sizeof *in);
	uint64_t at = 0;
	int r = 0;

	if (!in)
		return err_set(err, ENOMEM, "no memory");
	in->file = s->file;
	for (uint32_t i = 0; i < count && !r; i++, table += entry) {
		if (i % 256 == 0)
			r = image_progress(image, at, s->file->size, err);
		if (!r)
			r = note_listed(s, in, at, le32_at(table + 4), err);
		at += le32_at(table);
	}
	free(in);
	return r;
}

static int add_frames(struct stream *s, const uint8_t *table, uint32_t count, size_t entry,
                      uint64_t end, struct platter_error *err)
{
	uint64_t in = 0;

	for (uint32_t i = 0; i < count; i++, table += entry) {
		struct stream_point p = {.in = in * 8, .out = s->size};
		le32 packed, unpacked;

		memcpy(packed.b, table, 4);
		memcpy(unpacked.b, table + 4, 4);
		in += le32_get(packed);
		s->size += le32_get(unpacked);
		if (le32_get(unpacked) && stream_add_point(s, &p, NULL, 0) != 0)
			return err_set(err, ENOMEM, "no memory");
	}
	if (in != end)
		return err_set(err, EIO,
		               "seek table: frames of %llu bytes, but the table begins at %llu",
		               (unsigned long long)in, (unsigned long long)end);
	return 0;
}

/* 0 with .npoints still 0: there is no table. */
static int read_table(struct stream *s, struct image *image, struct platter_error *err)
{
	uint64_t size = s->file->size, len, at;
	struct seek_footer footer;
	uint32_t count;
	size_t entry;
	le32 head[2];
	void *table;
	int r;

	if (size < sizeof footer + sizeof head ||
	    dev_pread(s->file, &footer, sizeof footer, size - sizeof footer) != 0 ||
	    le32_get(footer.magic) != SEEKABLE)
		return 0;
	entry = footer.descriptor & SEEK_CHECKSUMS ? 12 : 8;
	count = le32_get(footer.frames);
	len = count * (uint64_t)entry;
	if (!range_ok(sizeof head, len, size - sizeof footer))
		return 0;
	at = size - sizeof footer - len - sizeof head;
	/* Four bytes at the end of a file may be anything; these eight in the right place are not.
	 */
	if (dev_pread(s->file, head, sizeof head, at) != 0 ||
	    !stream_is_skippable(le32_get(head[0])) || le32_get(head[1]) != len + sizeof footer)
		return 0;
	if (footer.descriptor & SEEK_RESERVED)
		return err_set(err, EOPNOTSUPP,
		               "seek table descriptor 0x%02x: reserved bits are set",
		               footer.descriptor);
	r = dev_read_table(s->file, at + sizeof head, count, entry, DEV_TABLE_MAX, "seek table",
	                   &table, err);
	if (r)
		return r;
	r = add_frames(s, table, count, entry, at, err);
	if (!r && count <= HEADERS_MAX)
		r = note_windows(s, image, table, count, entry, err);
	else
		s->extra = WINDOW_LOG_MAX;
	free(table);
	return r;
}

/* ---- as a coder ---- */

static int zstd_start(struct stream *s, struct stream_decoder *head,
                      const struct stream_point *point, const uint8_t *window, size_t len)
{
	struct zstd_decoder *d = (struct zstd_decoder *)head;
	unsigned log = (unsigned)max64(s->extra, 10);

	(void)point;
	(void)window;
	(void)len;
	d->z = ZSTD_createDCtx();
	if (!d->z)
		return -ENOMEM;
	return ZSTD_isError(ZSTD_DCtx_setParameter(d->z, ZSTD_d_windowLogMax, (int)log)) ? -EIO : 0;
}

/* Packed bytes that give nothing: a frame that is skipped, or a hole that seems to be of blocks. */
#define NOTHING_MAX ((uint64_t)64 << 20)

static int zstd_read(struct stream_decoder *head, uint8_t *buf, size_t len, size_t *got)
{
	struct zstd_decoder *d = (struct zstd_decoder *)head;
	ZSTD_outBuffer out = {buf, len, 0};
	uint64_t begun = stream_in_tell(&head->in);

	*got = 0;
	while (out.pos == 0) {
		ZSTD_inBuffer in;
		size_t z;
		int r = stream_in_fill(&head->in);

		if (r)
			return r;
		if (head->in.left == 0 && !d->inside)
			return 0;
		in = (ZSTD_inBuffer){head->in.at, head->in.left, 0};
		z = ZSTD_decompressStream(d->z, &out, &in);
		if (ZSTD_isError(z)) {
			head->why = ZSTD_getErrorName(z);
			return -EIO;
		}
		if (head->in.left == 0 && out.pos == 0)
			return -ENODATA;
		if (stream_in_tell(&head->in) - begun > NOTHING_MAX)
			return -EIO;
		head->in.at += in.pos;
		head->in.left -= in.pos;
		d->inside = z != 0;
	}
	*got = out.pos;
	return 0;
}

static bool zstd_point(struct stream_decoder *head, struct stream_point *point, bool *window)
{
	point->in = stream_in_tell(&head->in) * 8;
	*window = false;
	return !((struct zstd_decoder *)head)->inside && point->in / 8 < head->in.file->size;
}

static void zstd_stop(struct stream_decoder *head)
{
	ZSTD_freeDCtx(((struct zstd_decoder *)head)->z);
}

static const struct stream_coder coder = {
	.size = sizeof(struct zstd_decoder),
	.index_id = 0x7a730001, /* "zs", 1 */
	.start = zstd_start,
	.read = zstd_read,
	.point = zstd_point,
	.stop = zstd_stop,
};

static int open_stream(struct image *image, struct platter_error *err)
{
	struct stream *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return err_set(err, ENOMEM, "no memory");
	stream_begin(s, image, &coder);
	r = read_table(s, image, err);
	if (!r && !s->npoints)
		r = stream_index(s, image, walk_frames, err);
	if (!r && s->extra > WINDOW_LOG_MAX)
		r = err_set(err, EIO, "kept index: a window of 2^%llu bytes",
		            (unsigned long long)s->extra);
	if (!r)
		r = stream_need(s, ((uint64_t)1 << s->extra) + DECODER_MEMORY, err);
	if (!r)
		r = stream_finish(s, image, "pzstd and t2sz make files that are quick", err);
	if (r)
		stream_close(s);
	return r;
}

#else

static int open_stream(struct image *image, struct platter_error *err)
{
	(void)image;
	return codec_require(CODEC_ZSTD, err);
}

#endif

static int zstd_open(struct image *image, struct platter_error *err)
{
	uint32_t magic;
	int r = stream_first_frame(image->file, &magic, err);

	if (r)
		return r;
	return magic == FRAME ? open_stream(image, err) : DRIVER_NOT_MINE;
}

const struct format_driver format_zstd = {
	.name = "zstd",
	.id = 34,
	.wraps = true,
	.open = zstd_open,
	.map = stream_map,
	.close = stream_close,
};
