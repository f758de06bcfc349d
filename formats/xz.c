/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * .xz streams: "The .xz File Format", version 1.2.1.
 *
 * A file is one stream or more, with padding of zeros (a multiple of 4 bytes) behind each. A stream
 * is a header, blocks that are independent of each other, an index of their sizes, and a footer
 * that says how long the index is (2.1). So the index of every block is read from the end of the
 * file backwards, and no pass is needed: with several blocks (xz -T, pixz, xz --block-size) random
 * access is cheap. What xz makes by default is a single block.
 *
 * Sizes in an index are believed, and checked by liblzma against the block when it is read, as are
 * the checks (CRC32, CRC64, SHA-256) at the end of each block.
 */
#include "config.h"

#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"

static const uint8_t magic[6] = {0xfd, '7', 'z', 'X', 'Z', 0};

#ifdef HAVE_LIBLZMA
#include <lzma.h>

/* Streams in one file; each costs three reads to find. */
#define STREAMS_MAX 16384

/* Blocks whose headers are read to know what memory they take. */
#define HEADERS_MAX 16384

/* Memory for the index of all blocks; some 16 bytes each. */
#define INDEX_MEMORY ((uint64_t)64 << 20)

struct xz {
	struct stream stream;
	lzma_index *index;
};

struct xz_decoder {
	struct stream_decoder head;
	uint64_t limit; /* memory that a block may take */
	lzma_index_iter iter;
	lzma_stream lzma;
	lzma_block block;
	lzma_filter filters[LZMA_FILTERS_MAX + 1];
	bool in_block;
};

static void free_filters(lzma_filter *filters)
{
	for (size_t i = 0; i < LZMA_FILTERS_MAX && filters[i].id != LZMA_VLI_UNKNOWN; i++)
		free(filters[i].options);
	filters[0].id = LZMA_VLI_UNKNOWN;
}

/* ---- the indexes, from the end of the file to its beginning ---- */

/* More padding than this is no accident. */
#define PADDING_MAX ((uint64_t)16 << 20)

/* Skip the zeros before *end. */
static int skip_padding(struct dev *file, uint64_t *end)
{
	static const uint8_t zeros[4096];
	uint8_t buf[sizeof zeros];
	uint64_t least = *end - min64(*end, PADDING_MAX);

	while (*end >= least + 4) {
		/* Mostly there is none. */
		size_t n = *end % sizeof buf == 0 && *end >= least + sizeof buf ? sizeof buf : 4;
		int r = dev_pread(file, buf, n, *end - n);

		if (r)
			return r;
		if (n > 4 && memcmp(buf, zeros, n) != 0) {
			memcpy(buf, buf + n - 4, 4);
			n = 4;
		}
		if (memcmp(buf, zeros, n) != 0)
			return 0;
		*end -= n;
	}
	return 0;
}

static int read_index(struct dev *file, uint64_t off, uint64_t size, lzma_index **out,
                      struct platter_error *err)
{
	uint64_t memory = INDEX_MEMORY;
	size_t pos = 0;
	void *bytes;
	lzma_ret z;
	int r = dev_read_table(file, off, size, 1, DEV_TABLE_MAX, "index", &bytes, err);

	if (r)
		return r;
	*out = NULL;
	z = lzma_index_buffer_decode(out, &memory, NULL, bytes, &pos, (size_t)size);
	free(bytes);
	if (z == LZMA_MEMLIMIT_ERROR)
		return err_set(err, EFBIG,
		               "index of blocks: needs %llu MiB of memory, at most %llu",
		               (unsigned long long)(memory >> 20),
		               (unsigned long long)(INDEX_MEMORY >> 20));
	if (z == LZMA_MEM_ERROR)
		return err_set(err, ENOMEM, "no memory");
	if (z != LZMA_OK)
		return err_set(err, EIO, "index of blocks at %llu: damaged",
		               (unsigned long long)off);
	return 0;
}

/* The flags that both ends of the stream hold; its beginning is at off. */
static int check_header(struct dev *file, uint64_t off, const lzma_stream_flags *footer,
                        struct platter_error *err)
{
	uint8_t buf[LZMA_STREAM_HEADER_SIZE];
	lzma_stream_flags header;
	int r = dev_pread(file, buf, sizeof buf, off);

	if (r)
		return err_set(err, -r, "stream header at %llu: %s", (unsigned long long)off,
		               strerror(-r));
	if (lzma_stream_header_decode(&header, buf) != LZMA_OK ||
	    lzma_stream_flags_compare(&header, footer) != LZMA_OK)
		return err_set(err, EIO,
		               "stream header at %llu: damaged, or not what the footer says",
		               (unsigned long long)off);
	return 0;
}

/* The stream that ends at *end, which becomes where it begins. */
static int read_stream(struct dev *file, uint64_t *end, lzma_index **out, struct platter_error *err)
{
	uint8_t buf[LZMA_STREAM_HEADER_SIZE];
	lzma_stream_flags footer;
	uint64_t at = *end, size;
	int r;

	if (at < 2 * LZMA_STREAM_HEADER_SIZE)
		return err_set(err, EIO, "%llu bytes before a stream, expected a whole stream",
		               (unsigned long long)at);
	at -= sizeof buf;
	r = dev_pread(file, buf, sizeof buf, at);
	if (r)
		return err_set(err, -r, "stream footer at %llu: %s", (unsigned long long)at,
		               strerror(-r));
	if (lzma_stream_footer_decode(&footer, buf) != LZMA_OK)
		return err_set(err, EIO,
		               "stream footer at %llu: damaged; the file may be truncated",
		               (unsigned long long)at);
	if (footer.backward_size > at - LZMA_STREAM_HEADER_SIZE)
		return err_set(err, EIO, "index of %llu bytes before %llu, more than there are",
		               (unsigned long long)footer.backward_size, (unsigned long long)at);
	at -= footer.backward_size;
	r = read_index(file, at, footer.backward_size, out, err);
	if (r)
		return r;
	size = lzma_index_total_size(*out);
	if (size > at - LZMA_STREAM_HEADER_SIZE)
		return err_set(err, EIO, "blocks of %llu bytes before %llu, more than there are",
		               (unsigned long long)size, (unsigned long long)at);
	at -= size + LZMA_STREAM_HEADER_SIZE;
	r = check_header(file, at, &footer, err);
	if (!r && lzma_index_stream_flags(*out, &footer) != LZMA_OK)
		r = err_set(err, EIO, "stream footer before %llu: damaged",
		            (unsigned long long)*end);
	*end = at;
	return r;
}

/* Put the index of an earlier stream, with padding behind it, before those of later ones. */
static int join(struct xz *xz, lzma_index *earlier, uint64_t padding, struct platter_error *err)
{
	lzma_ret z = lzma_index_stream_padding(earlier, padding);

	if (z == LZMA_OK && xz->index &&
	    lzma_index_memused(earlier) + lzma_index_memused(xz->index) > INDEX_MEMORY)
		z = LZMA_MEMLIMIT_ERROR;
	if (z == LZMA_OK && xz->index)
		z = lzma_index_cat(earlier, xz->index, NULL);
	if (z != LZMA_OK) {
		lzma_index_end(earlier, NULL);
		return err_set(err, z == LZMA_MEM_ERROR ? ENOMEM : EIO,
		               "streams: damaged, or more blocks than are supported");
	}
	xz->index = earlier;
	return 0;
}

static int read_indexes(struct xz *xz, struct dev *file, struct platter_error *err)
{
	uint64_t end = file->size;

	if (end % 4)
		return err_set(err, EIO,
		               "%llu bytes, expected a multiple of 4; the file may be "
		               "truncated",
		               (unsigned long long)end);
	for (unsigned n = 0; end; n++) {
		uint64_t behind = end;
		lzma_index *index = NULL;
		int r;

		if (n == STREAMS_MAX)
			return err_set(err, E2BIG, "more than %d streams", STREAMS_MAX);
		r = skip_padding(file, &end);
		if (r)
			return err_set(err, -r, "padding before %llu: %s",
			               (unsigned long long)behind, strerror(-r));
		r = read_stream(file, &end, &index, err);
		if (r) {
			lzma_index_end(index, NULL);
			return r;
		}
		r = join(xz, index, behind - end - lzma_index_file_size(index), err);
		if (r)
			return r;
	}
	return 0;
}

/* ---- blocks ---- */

/* Read the header of the block that iter is at, leaving d ready to unpack it. */
static int begin_block(struct xz_decoder *d)
{
	uint8_t header[LZMA_BLOCK_HEADER_SIZE_MAX];
	int r;

	stream_in_seek(&d->head.in, d->iter.block.compressed_file_offset);
	r = stream_in_get(&d->head.in, header, 1);
	if (r)
		return r;
	d->block = (lzma_block){
		.version = 1,
		.check = d->iter.stream.flags->check,
		.filters = d->filters,
		.header_size = lzma_block_header_size_decode(header[0]),
	};
	if (header[0] == 0)
		return -EIO;
	r = stream_in_get(&d->head.in, header + 1, d->block.header_size - 1);
	if (r)
		return r;
	free_filters(d->filters);
	switch (lzma_block_header_decode(&d->block, NULL, header)) {
	case LZMA_OK:
		break;
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	case LZMA_OPTIONS_ERROR:
		return -EOPNOTSUPP;
	default:
		return -EIO;
	}
	if (lzma_block_compressed_size(&d->block, d->iter.block.unpadded_size) != LZMA_OK ||
	    (d->block.uncompressed_size != LZMA_VLI_UNKNOWN &&
	     d->block.uncompressed_size != d->iter.block.uncompressed_size))
		return -EIO;
	d->block.uncompressed_size = d->iter.block.uncompressed_size;
	return 0;
}

static int start_block(struct xz_decoder *d)
{
	int r = begin_block(d);

	if (r)
		return r;
	if (lzma_raw_decoder_memusage(d->filters) > d->limit)
		return -EOPNOTSUPP;
	switch (lzma_block_decoder(&d->lzma, &d->block)) {
	case LZMA_OK:
		d->in_block = true;
		return 0;
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static int xz_start(struct stream *s, struct stream_decoder *head, const struct stream_point *point,
                    const uint8_t *window, size_t len)
{
	struct xz_decoder *d = (struct xz_decoder *)head;

	(void)window;
	(void)len;
	d->limit = STREAM_MEMORY / s->max;
	d->lzma = (lzma_stream)LZMA_STREAM_INIT;
	d->filters[0].id = LZMA_VLI_UNKNOWN;
	lzma_index_iter_init(&d->iter, ((struct xz *)s)->index);
	if (lzma_index_iter_locate(&d->iter, point->out))
		return -EIO;
	return start_block(d);
}

static int xz_read(struct stream_decoder *head, uint8_t *buf, size_t len, size_t *got)
{
	struct xz_decoder *d = (struct xz_decoder *)head;
	lzma_ret z;
	int r;

	if (!d->in_block) {
		if (lzma_index_iter_next(&d->iter, LZMA_INDEX_ITER_NONEMPTY_BLOCK))
			return 0;
		r = start_block(d);
		if (r)
			return r;
	}
	d->lzma.next_out = buf;
	d->lzma.avail_out = len;
	do {
		r = stream_in_fill(&head->in);
		if (r)
			return r;
		d->lzma.next_in = head->in.at;
		d->lzma.avail_in = head->in.left;
		z = lzma_code(&d->lzma, head->in.left ? LZMA_RUN : LZMA_FINISH);
		head->in.at += head->in.left - d->lzma.avail_in;
		head->in.left = d->lzma.avail_in;
	} while (z == LZMA_OK && d->lzma.avail_out);
	if (z != LZMA_OK && z != LZMA_STREAM_END)
		return z == LZMA_MEM_ERROR ? -ENOMEM : -EIO;
	d->in_block = z == LZMA_OK;
	*got = len - d->lzma.avail_out;
	/* The end of a block whose bytes were all there before: on to the next one. */
	return *got || z == LZMA_OK ? 0 : xz_read(head, buf, len, got);
}

static void xz_stop(struct stream_decoder *head)
{
	struct xz_decoder *d = (struct xz_decoder *)head;

	lzma_end(&d->lzma);
	free_filters(d->filters);
}

static const struct stream_coder coder = {
	.size = sizeof(struct xz_decoder),
	.start = xz_start,
	.read = xz_read,
	.stop = xz_stop,
};

/* What unpacking the block takes that d's iterator is at; first: of the file. */
static int memory_of_block(struct xz_decoder *d, bool first, uint64_t *memory,
                           struct platter_error *err)
{
	int r = begin_block(d);
	uint64_t need = r ? 0 : lzma_raw_decoder_memusage(d->filters);

	/* Damage further in is an error to those who read there, and no reason to refuse all. */
	if (r == -EIO && !first)
		return 0;
	if (r == -EOPNOTSUPP || need == UINT64_MAX)
		return err_set(err, EOPNOTSUPP,
		               "packed by a filter that this build's liblzma does not know");
	if (r)
		return err_set(err, -r, "%sblock at %llu: %s", first ? "first " : "",
		               (unsigned long long)d->iter.block.compressed_file_offset,
		               r == -EIO ? "damaged or unreadable" : strerror(-r));
	*memory = max64(*memory, need);
	return 0;
}

/*
 * The most that a block takes. Writers use one setting for a stream, but streams are put together.
 * Where there are more than HEADERS_MAX, which cost a read each, so many are looked at that are
 * spread evenly; one that takes more than those, and than its share, is refused when it is read.
 */
static int memory_of_blocks(struct xz *xz, struct image *image, uint64_t *memory,
                            struct platter_error *err)
{
	struct xz_decoder *d = calloc(1, sizeof *d);
	uint64_t every = lzma_index_block_count(xz->index) / HEADERS_MAX + 1;
	int r = 0;

	if (!d)
		return err_set(err, ENOMEM, "no memory");
	d->head.in.file = image->file;
	d->lzma = (lzma_stream)LZMA_STREAM_INIT;
	d->filters[0].id = LZMA_VLI_UNKNOWN;
	lzma_index_iter_init(&d->iter, xz->index);
	/* Of an empty stream nothing is needed, and stream_finish has the message. */
	for (uint64_t n = 0; !r && !lzma_index_iter_next(&d->iter, LZMA_INDEX_ITER_NONEMPTY_BLOCK);
	     n++) {
		if (n % every)
			continue;
		r = memory_of_block(d, n == 0, memory, err);
		if (!r && n % 256 == 0)
			r = image_progress(image, d->iter.block.compressed_file_offset,
			                   image->file->size, err);
	}
	xz_stop(&d->head);
	free(d);
	return r;
}

static int add_points(struct xz *xz)
{
	lzma_index_iter iter;

	lzma_index_iter_init(&iter, xz->index);
	while (!lzma_index_iter_next(&iter, LZMA_INDEX_ITER_NONEMPTY_BLOCK)) {
		struct stream_point p = {.in = iter.block.compressed_file_offset * 8,
		                         .out = iter.block.uncompressed_file_offset};
		int r = stream_add_point(&xz->stream, &p, NULL, 0);

		if (r)
			return r;
	}
	return 0;
}

static void xz_close(void *self)
{
	struct xz *xz = self;

	stream_end(&xz->stream);
	lzma_index_end(xz->index, NULL);
	free(xz);
}

static int open_stream(struct image *image, struct platter_error *err)
{
	struct xz *xz = calloc(1, sizeof *xz);
	uint64_t memory = 0;
	int r;

	if (!xz)
		return err_set(err, ENOMEM, "no memory");
	stream_begin(&xz->stream, image, &coder);
	r = read_indexes(xz, image->file, err);
	if (!r)
		r = memory_of_blocks(xz, image, &memory, err);
	if (!r)
		r = stream_need(&xz->stream, memory, err);
	if (!r && add_points(xz) != 0)
		r = err_set(err, ENOMEM, "no memory");
	if (!r) {
		xz->stream.size = lzma_index_uncompressed_size(xz->index);
		r = stream_finish(&xz->stream, image,
		                  "xz -T0 --block-size=4MiB or pixz make files that are quick",
		                  err);
	}
	if (r)
		xz_close(xz);
	return r;
}

#else

static int open_stream(struct image *image, struct platter_error *err)
{
	(void)image;
	return codec_require(CODEC_XZ, err);
}

static void xz_close(void *self)
{
	(void)self;
}

#endif

static int xz_open(struct image *image, struct platter_error *err)
{
	uint8_t buf[sizeof magic];
	int r = image_read_head(image->file, buf, sizeof buf, err);

	if (r)
		return r;
	if (memcmp(buf, magic, sizeof buf) != 0)
		return DRIVER_NOT_MINE;
	return open_stream(image, err);
}

const struct format_driver format_xz = {
	.name = "xz",
	.id = 33,
	.wraps = true,
	.open = xz_open,
	.map = stream_map,
	.close = xz_close,
};
