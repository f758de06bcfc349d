/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "codec.h"

#include <errno.h>
#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#else
#include <zlib.h>
#endif
#ifdef HAVE_LIBZSTD
#include <zstd.h>
#endif

#ifdef HAVE_LIBDEFLATE
static int unpack_zlib(const void *in, size_t in_len, void *out, size_t out_len)
{
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	enum libdeflate_result r;

	if (!d)
		return -ENOMEM;
	/* Without room for an actual length a result that is short is an error too. */
	r = libdeflate_zlib_decompress(d, in, in_len, out, out_len, NULL);
	libdeflate_free_decompressor(d);
	return r == LIBDEFLATE_SUCCESS ? 0 : -EIO;
}
#else
static int unpack_zlib(const void *in, size_t in_len, void *out, size_t out_len)
{
	uLongf got = out_len;

	switch (uncompress(out, &got, in, in_len)) {
	case Z_OK:
		return got == out_len ? 0 : -EIO;
	case Z_MEM_ERROR:
		return -ENOMEM;
	default:
		return -EIO;
	}
}
#endif

#ifdef HAVE_LIBZSTD
static int unpack_zstd(const void *in, size_t in_len, void *out, size_t out_len)
{
	size_t got = ZSTD_decompress(out, out_len, in, in_len);

	return !ZSTD_isError(got) && got == out_len ? 0 : -EIO;
}
#endif

bool codec_available(enum codec codec)
{
	switch (codec) {
	case CODEC_ZLIB:
		return true;
	case CODEC_ZSTD:
#ifdef HAVE_LIBZSTD
		return true;
#else
		return false;
#endif
	}
	return false;
}

int codec_unpack(enum codec codec, const void *in, size_t in_len, void *out, size_t out_len)
{
	switch (codec) {
	case CODEC_ZLIB:
		return unpack_zlib(in, in_len, out, out_len);
	case CODEC_ZSTD:
#ifdef HAVE_LIBZSTD
		return unpack_zstd(in, in_len, out, out_len);
#else
		break;
#endif
	}
	return -EOPNOTSUPP;
}
