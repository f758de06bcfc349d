/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "pack.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>
#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#endif
#ifdef HAVE_LIBZSTD
#include <zstd.h>
#endif

/* What the libraries themselves take for the usual compromise. */
#define DEFLATE_LEVEL 6
#define ZSTD_LEVEL    3

struct packer {
	enum pack pack;
	z_stream z;
#ifdef HAVE_LIBDEFLATE
	struct libdeflate_compressor *deflate;
#endif
#ifdef HAVE_LIBZSTD
	ZSTD_CCtx *zstd;
#endif
};

int pack_require(enum pack pack, struct platter_error *err)
{
#ifndef HAVE_LIBZSTD
	if (pack == PACK_ZSTD)
		return err_set(err, EOPNOTSUPP,
		               "zstd needs libzstd, which this build lacks (Debian: libzstd-dev)");
#endif
	(void)pack;
	(void)err;
	return 0;
}

/* ---- deflate ---- */

/* bits: as deflateInit2 has it. libdeflate cannot be told to keep to a small window. */
static bool begin_zlib(struct packer *p, int bits)
{
	return deflateInit2(&p->z, DEFLATE_LEVEL, Z_DEFLATED, bits, MAX_MEM_LEVEL,
	                    Z_DEFAULT_STRATEGY) == Z_OK;
}

static size_t run_zlib(struct packer *p, const void *in, size_t len, void *out, size_t room)
{
	z_stream *z = &p->z;

	if (len > UINT_MAX || room > UINT_MAX || deflateReset(z) != Z_OK)
		return 0;
	z->next_in = (Bytef *)in;
	z->avail_in = (uInt)len;
	z->next_out = out;
	z->avail_out = (uInt)room;
	return deflate(z, Z_FINISH) == Z_STREAM_END ? room - z->avail_out : 0;
}

/* ---- the packer ---- */

static bool begin(struct packer *p)
{
	switch (p->pack) {
	case PACK_DEFLATE_4K:
		return begin_zlib(p, -12);
	case PACK_ZLIB:
#ifdef HAVE_LIBDEFLATE
		p->deflate = libdeflate_alloc_compressor(DEFLATE_LEVEL);
		return p->deflate;
#else
		return begin_zlib(p, 15);
#endif
	case PACK_ZSTD:
#ifdef HAVE_LIBZSTD
		p->zstd = ZSTD_createCCtx();
		return p->zstd;
#else
		return false;
#endif
	case PACK_NONE:
		return true;
	}
	return false;
}

struct packer *packer_new(enum pack pack)
{
	struct packer *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->pack = pack;
	if (begin(p))
		return p;
	packer_free(p);
	return NULL;
}

void packer_free(struct packer *p)
{
	if (!p)
		return;
	deflateEnd(&p->z); /* of one that was not begun it is an error that does nothing */
#ifdef HAVE_LIBDEFLATE
	libdeflate_free_compressor(p->deflate);
#endif
#ifdef HAVE_LIBZSTD
	ZSTD_freeCCtx(p->zstd);
#endif
	free(p);
}

size_t packer_run(struct packer *p, const void *in, size_t len, void *out, size_t room)
{
#ifdef HAVE_LIBDEFLATE
	if (p->pack == PACK_ZLIB)
		return libdeflate_zlib_compress(p->deflate, in, len, out, room);
#endif
#ifdef HAVE_LIBZSTD
	if (p->pack == PACK_ZSTD) {
		size_t n = ZSTD_compressCCtx(p->zstd, out, room, in, len, ZSTD_LEVEL);

		return ZSTD_isError(n) ? 0 : n;
	}
#endif
	return run_zlib(p, in, len, out, room);
}
