/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "codec.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <zlib.h>
#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#endif
#ifdef HAVE_LIBZSTD
#include <zstd.h>
#endif
#ifdef HAVE_BZIP2
#include <bzlib.h>
#endif
#ifdef HAVE_LIBLZMA
#include <lzma.h>
#endif
#ifdef HAVE_LIBLZ4
#include <lz4.h>
#endif
#ifdef HAVE_SNAPPY
#include <snappy-c.h>
#endif

#include "codec-adc.h"
#include "codec-lzfse.h"

typedef int unpack_fn(const void *in, size_t in_len, void *out, size_t out_len);

#ifdef HAVE_LIBDEFLATE

static int unpack_with(enum libdeflate_result (*fn)(struct libdeflate_decompressor *, const void *,
                                                    size_t, void *, size_t, size_t *),
                       const void *in, size_t in_len, void *out, size_t out_len)
{
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	enum libdeflate_result r;

	if (!d)
		return -ENOMEM;
	/* Without room for an actual length a result that is short is an error too. */
	r = fn(d, in, in_len, out, out_len, NULL);
	libdeflate_free_decompressor(d);
	return r == LIBDEFLATE_SUCCESS ? 0 : -EIO;
}

#endif

/*
 * bits: as inflateInit2 has it. cut: it is enough that out is filled, whether or not that is the
 * end.
 */
static int inflate_whole(int bits, bool cut, const void *in, size_t in_len, void *out,
                         size_t out_len)
{
	z_stream z = {.next_in = (Bytef *)in, .next_out = out};
	int r;

	if (in_len > UINT_MAX || out_len > UINT_MAX)
		return -EIO;
	z.avail_in = (uInt)in_len;
	z.avail_out = (uInt)out_len;
	if (inflateInit2(&z, bits) != Z_OK)
		return -ENOMEM;
	r = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	if (r == Z_MEM_ERROR)
		return -ENOMEM;
	if (cut && (r == Z_OK || r == Z_BUF_ERROR))
		r = Z_STREAM_END;
	return r == Z_STREAM_END && z.avail_out == 0 ? 0 : -EIO;
}

static int unpack_zlib(const void *in, size_t in_len, void *out, size_t out_len)
{
#ifdef HAVE_LIBDEFLATE
	return unpack_with(libdeflate_zlib_decompress, in, in_len, out, out_len);
#else
	return inflate_whole(15, false, in, in_len, out, out_len);
#endif
}

static int unpack_deflate(const void *in, size_t in_len, void *out, size_t out_len)
{
#ifdef HAVE_LIBDEFLATE
	/* libdeflate unpacks whole streams only, and does not tell damage from no end. */
	if (unpack_with(libdeflate_deflate_decompress, in, in_len, out, out_len) == 0)
		return 0;
#endif
	return inflate_whole(-15, true, in, in_len, out, out_len);
}

#ifdef HAVE_LIBZSTD

/* A thread's decompressor, which lives as long as the thread: with its 96 KiB, to make one takes a
 * seventh of the time that unpacking 64 KiB does. */
static pthread_once_t zstd_once = PTHREAD_ONCE_INIT;
static pthread_key_t zstd_key;
static int zstd_error;

static void zstd_free(void *d)
{
	ZSTD_freeDCtx(d);
}

static void zstd_begin(void)
{
	zstd_error = pthread_key_create(&zstd_key, zstd_free);
}

static ZSTD_DCtx *zstd_of_thread(void)
{
	ZSTD_DCtx *d;

	if (pthread_once(&zstd_once, zstd_begin) != 0 || zstd_error)
		return NULL;
	d = pthread_getspecific(zstd_key);
	if (d)
		return d;
	d = ZSTD_createDCtx();
	if (d && pthread_setspecific(zstd_key, d) != 0) {
		ZSTD_freeDCtx(d);
		return NULL;
	}
	return d;
}

/* Frame by frame, each straight to where it belongs: as a stream it would be given a window of as
 * much memory as its header asks for. */
static int unpack_zstd(const void *in, size_t in_len, void *out, size_t out_len)
{
	ZSTD_DCtx *d = zstd_of_thread();
	size_t at = 0, got = 0;

	if (!d)
		return -ENOMEM;
	while (got < out_len) {
		size_t frame = ZSTD_findFrameCompressedSize((const char *)in + at, in_len - at), n;

		if (ZSTD_isError(frame))
			return -EIO;
		n = ZSTD_decompressDCtx(d, (char *)out + got, out_len - got, (const char *)in + at,
		                        frame);
		if (ZSTD_isError(n))
			return -EIO;
		at += frame;
		got += n;
	}
	return 0;
}
#else
#define unpack_zstd NULL
#endif

#ifdef HAVE_BZIP2
static int unpack_bzip2(const void *in, size_t in_len, void *out, size_t out_len)
{
	unsigned got = (unsigned)out_len;
	int r;

	if (in_len > UINT_MAX || out_len > UINT_MAX)
		return -EIO;
	r = BZ2_bzBuffToBuffDecompress(out, &got, (char *)in, (unsigned)in_len, 0, 0);
	if (r == BZ_MEM_ERROR)
		return -ENOMEM;
	return r == BZ_OK && got == out_len ? 0 : -EIO;
}
#else
#define unpack_bzip2 NULL
#endif

#ifdef HAVE_LIBLZMA

/* What a decoder may take: xz -9 makes files that need 65 MiB. */
#define LZMA_MEMORY ((uint64_t)80 << 20)

static int finish_lzma(lzma_stream *s, const void *in, size_t in_len, void *out, size_t out_len)
{
	lzma_ret r;

	s->next_in = in;
	s->avail_in = in_len;
	s->next_out = out;
	s->avail_out = out_len;
	do
		r = lzma_code(s, LZMA_FINISH);
	while (r == LZMA_OK);
	lzma_end(s);
	if (r == LZMA_MEM_ERROR)
		return -ENOMEM;
	return r == LZMA_STREAM_END && s->avail_out == 0 ? 0 : -EIO;
}

static int unpack_xz(const void *in, size_t in_len, void *out, size_t out_len)
{
	lzma_stream s = LZMA_STREAM_INIT;

	if (lzma_stream_decoder(&s, LZMA_MEMORY, 0) != LZMA_OK)
		return -ENOMEM;
	return finish_lzma(&s, in, in_len, out, out_len);
}

static int unpack_lzma(const void *in, size_t in_len, void *out, size_t out_len)
{
	lzma_stream s = LZMA_STREAM_INIT;

	if (lzma_alone_decoder(&s, LZMA_MEMORY) != LZMA_OK)
		return -ENOMEM;
	return finish_lzma(&s, in, in_len, out, out_len);
}

#else
#define unpack_xz   NULL
#define unpack_lzma NULL
#endif

#ifdef HAVE_LIBLZ4
static int unpack_lz4(const void *in, size_t in_len, void *out, size_t out_len)
{
	if (in_len > INT_MAX || out_len > INT_MAX)
		return -EIO;
	/* A block does not say where it ends: in_len is its length, or the output is what counts.
	 */
	return LZ4_decompress_safe_partial(in, out, (int)in_len, (int)out_len, (int)out_len) ==
	                       (int)out_len
	               ? 0
	               : -EIO;
}
#else
#define unpack_lz4 NULL
#endif

#ifdef HAVE_SNAPPY
static int unpack_snappy(const void *in, size_t in_len, void *out, size_t out_len)
{
	size_t got;

	/* The length first: it writes as much as the data says. */
	if (snappy_uncompressed_length(in, in_len, &got) != SNAPPY_OK || got != out_len)
		return -EIO;
	return snappy_uncompress(in, in_len, out, &got) == SNAPPY_OK ? 0 : -EIO;
}
#else
#define unpack_snappy NULL
#endif

static const struct {
	unpack_fn *unpack; /* NULL: not in this build */
	const char *library, *package;
} codecs[] = {
	[CODEC_ZLIB] = {unpack_zlib, "zlib", "zlib1g-dev"},
	[CODEC_DEFLATE] = {unpack_deflate, "zlib", "zlib1g-dev"},
	[CODEC_ZSTD] = {unpack_zstd, "libzstd", "libzstd-dev"},
	[CODEC_BZIP2] = {unpack_bzip2, "libbz2", "libbz2-dev"},
	[CODEC_XZ] = {unpack_xz, "liblzma", "liblzma-dev"},
	[CODEC_LZMA] = {unpack_lzma, "liblzma", "liblzma-dev"},
	[CODEC_LZ4] = {unpack_lz4, "liblz4", "liblz4-dev"},
	[CODEC_SNAPPY] = {unpack_snappy, "libsnappy", "libsnappy-dev"},
	[CODEC_ADC] = {codec_adc_unpack, NULL, NULL},
	[CODEC_LZFSE] = {codec_lzfse_unpack, NULL, NULL},
};

int codec_require(enum codec codec, struct platter_error *err)
{
	if (codecs[codec].unpack)
		return 0;
	return err_set(err, EOPNOTSUPP,
	               "compressed in a way that needs %s, which this build lacks "
	               "(Debian: %s)",
	               codecs[codec].library, codecs[codec].package);
}

int codec_unpack(enum codec codec, const void *in, size_t in_len, void *out, size_t out_len)
{
	unpack_fn *unpack = codecs[codec].unpack;

	return unpack ? unpack(in, in_len, out, out_len) : -EOPNOTSUPP;
}

static int unpack_zlib_upto(const void *in, size_t in_len, void *out, size_t *out_len)
{
	uLongf got = (uLongf)*out_len;
	int r = uncompress(out, &got, in, (uLong)in_len);

	*out_len = got;
	return r == Z_MEM_ERROR ? -ENOMEM : r == Z_OK ? 0 : -EIO;
}

static int unpack_bzip2_upto(const void *in, size_t in_len, void *out, size_t *out_len)
{
#ifdef HAVE_BZIP2
	unsigned got = *out_len > UINT_MAX ? UINT_MAX : (unsigned)*out_len;
	int r;

	if (in_len > UINT_MAX)
		return -EIO;
	r = BZ2_bzBuffToBuffDecompress(out, &got, (char *)in, (unsigned)in_len, 0, 0);
	*out_len = got;
	return r == BZ_MEM_ERROR ? -ENOMEM : r == BZ_OK ? 0 : -EIO;
#else
	(void)in;
	(void)in_len;
	(void)out;
	(void)out_len;
	return -EOPNOTSUPP;
#endif
}

int codec_unpack_upto(enum codec codec, const void *in, size_t in_len, void *out, size_t *out_len)
{
	if (codec == CODEC_ZLIB)
		return unpack_zlib_upto(in, in_len, out, out_len);
	return codec == CODEC_BZIP2 ? unpack_bzip2_upto(in, in_len, out, out_len) : -EOPNOTSUPP;
}
