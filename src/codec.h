/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unpacking of one compressed chunk, by the well-kept library for its codec. */
#ifndef PLATTER_CODEC_H
#define PLATTER_CODEC_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

enum codec {
	CODEC_ZLIB,    /* RFC 1950 */
	CODEC_DEFLATE, /* RFC 1951; what it unpacks to may be cut off at the wanted length */
	CODEC_ZSTD,    /* RFC 8878, one or more frames */
	CODEC_BZIP2,
	CODEC_XZ,   /* a whole .xz file */
	CODEC_LZMA, /* a whole .lzma file ("LZMA alone") */
	CODEC_LZ4,  /* one block, without a frame */
	CODEC_SNAPPY,
	CODEC_ADC,   /* Apple Data Compression */
	CODEC_LZFSE, /* a whole stream, to its bvx$ */
};

/* 0, or -EOPNOTSUPP with the library, and Debian's package of it, that this build lacks. */
int codec_require(enum codec codec, struct platter_error *err);

/*
 * Unpack to exactly out_len bytes what begins at in; what follows its end, up to in_len, is
 * ignored. -EIO when the data is damaged or makes another length, -ENOMEM, -EOPNOTSUPP for a codec
 * that this build lacks. Any thread.
 */
int codec_unpack(enum codec codec, const void *in, size_t in_len, void *out, size_t out_len);

/*
 * The same when what is packed does not say how long it gets: at most *out_len bytes, which becomes
 * what it was. For small things, and CODEC_ZLIB and CODEC_BZIP2 only (else -EOPNOTSUPP).
 */
int codec_unpack_upto(enum codec codec, const void *in, size_t in_len, void *out, size_t *out_len);

#endif
