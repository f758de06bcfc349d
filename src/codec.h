/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unpacking of one compressed chunk, by the well-kept library for its codec. */
#ifndef PLATTER_CODEC_H
#define PLATTER_CODEC_H

#include <stdbool.h>
#include <stddef.h>

enum codec {
	CODEC_ZLIB, /* RFC 1950 */
	CODEC_ZSTD, /* RFC 8878, one or more frames */
};

/* Whether this build can unpack it. */
bool codec_available(enum codec codec);

/*
 * Unpack in_len bytes to exactly out_len bytes. -EIO when the data is damaged or makes another
 * length, -ENOMEM. A codec
 * that this build lacks gives -EOPNOTSUPP. Any thread.
 */
int codec_unpack(enum codec codec, const void *in, size_t in_len, void *out, size_t out_len);

#endif
