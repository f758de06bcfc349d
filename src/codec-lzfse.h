/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LZFSE and LZVN, Apple's codecs of disk images and files; as codec_unpack of codec.h. */
#ifndef PLATTER_CODEC_LZFSE_H
#define PLATTER_CODEC_LZFSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A whole LZFSE stream, its last block included. */
int codec_lzfse_unpack(const void *in, size_t in_len, void *out, size_t out_len);

/* What is made so far: o[0] to o[made - 1] of a buffer of len bytes. */
struct lzfse_out {
	uint8_t *o;
	size_t made, len;
};

/* n more bytes that are the same as those `back` bytes before. 0 or -EIO. */
int lzfse_repeat(struct lzfse_out *out, size_t back, size_t n);

/* Append n bytes. 0 or -EIO. */
int lzfse_append(struct lzfse_out *out, const uint8_t *bytes, size_t n);

/* Append what an LZVN stream unpacks to; it ends by its own mark, within len bytes. 0 or -EIO. */
int lzvn_unpack(const uint8_t *in, size_t len, struct lzfse_out *out);

/* ---- the headers of entropy-coded blocks (codec-lzfse-header.c) ---- */

enum {
	LZFSE_L_SYMBOLS = 20,
	LZFSE_M_SYMBOLS = 20,
	LZFSE_D_SYMBOLS = 64,
	LZFSE_LITERAL_SYMBOLS = 256,
	LZFSE_SYMBOLS = LZFSE_L_SYMBOLS + LZFSE_M_SYMBOLS + LZFSE_D_SYMBOLS + LZFSE_LITERAL_SYMBOLS,
	LZFSE_L_STATES = 64,
	LZFSE_M_STATES = 64,
	LZFSE_D_STATES = 256,
	LZFSE_LITERAL_STATES = 1024,
	LZFSE_MATCHES_MAX = 10000,
	LZFSE_LITERALS_MAX = 4 * LZFSE_MATCHES_MAX,
};

/* What they say, in either form. */
struct lzfse_header {
	uint32_t raw, literals, matches, literal_bytes, lmd_bytes;
	int literal_bits, lmd_bits;
	uint16_t literal_state[4], l_state, m_state, d_state;
	uint16_t freq[LZFSE_SYMBOLS];
};

/*
 * Read and check the header of the bvx1 or bvx2 block that in begins with. *size: bytes that it
 * takes, out of len, which is at least 4. False when it is damaged.
 */
bool lzfse_read_header(const uint8_t *in, size_t len, struct lzfse_header *h, size_t *size);

#endif
