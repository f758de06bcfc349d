/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packing of one chunk, by the well-kept library for it; codec.h is the other direction. */
#ifndef PLATTER_PACK_H
#define PLATTER_PACK_H

#include <stddef.h>

#include "err.h"

enum pack {
	PACK_NONE,
	PACK_DEFLATE_4K, /* RFC 1951, with no distance over 4096 */
	PACK_ZLIB,       /* RFC 1950 */
	PACK_ZSTD,       /* one frame */
};

struct packer;

/* 0, or -EOPNOTSUPP with the library, and Debian's package of it, that this build lacks. */
int pack_require(enum pack pack, struct platter_error *err);

/* For one thread; NULL without memory. packer_free takes NULL. */
struct packer *packer_new(enum pack pack);
void packer_free(struct packer *p);

/* Pack len bytes into at most room; how many those are, 0: they do not fit (or there is no memory,
 * which is told from that by nobody). The same input gives the same output. */
size_t packer_run(struct packer *p, const void *in, size_t len, void *out, size_t room);

#endif
