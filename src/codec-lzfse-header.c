/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The headers of LZFSE's entropy-coded blocks; see codec-lzfse.c for the format. */
#include "config.h"

#include <string.h>

#include "codec-lzfse.h"
#include "ondisk.h"

struct bvx1 {
	uint8_t magic[4];               /* +0x000 */
	le32 n_raw_bytes;               /* +0x004 */
	le32 n_payload_bytes;           /* +0x008 */
	le32 n_literals;                /* +0x00c */
	le32 n_matches;                 /* +0x010 */
	le32 n_literal_payload_bytes;   /* +0x014 */
	le32 n_lmd_payload_bytes;       /* +0x018 */
	le32 literal_bits;              /* +0x01c -7 to 0 */
	le16 literal_state[4];          /* +0x020 */
	le32 lmd_bits;                  /* +0x028 */
	le16 l_state, m_state, d_state; /* +0x02c */
	le16 freq[LZFSE_SYMBOLS];       /* +0x032 of L, M, D and literals */
	uint8_t padding[2];             /* +0x302 */
};

_Static_assert(sizeof(struct bvx1) == 772, "lzfse_compressed_block_header_v1");

struct bvx2 {
	uint8_t magic[4];      /* +0x00 */
	le32 n_raw_bytes;      /* +0x04 */
	le64 packed_fields[3]; /* +0x08 see unpack_fields; the frequencies follow */
};

_Static_assert(sizeof(struct bvx2) == 32, "lzfse_compressed_block_header_v2 without freq");

static bool header_ok(const struct lzfse_header *h)
{
	for (int i = 0; i < 4; i++)
		if (h->literal_state[i] >= LZFSE_LITERAL_STATES)
			return false;
	/* What makes nothing would take time for nothing. */
	return h->raw != 0 && h->literals <= LZFSE_LITERALS_MAX &&
	       h->matches <= LZFSE_MATCHES_MAX && h->literals <= (uint64_t)h->raw + 3 &&
	       h->matches <= h->raw && h->l_state < LZFSE_L_STATES && h->m_state < LZFSE_M_STATES &&
	       h->d_state < LZFSE_D_STATES;
}

/* *size: bytes that the header takes, out of len. */
static bool read_bvx1(const uint8_t *in, size_t len, struct lzfse_header *h, size_t *size)
{
	struct bvx1 b;

	if (len < sizeof b)
		return false;
	memcpy(&b, in, sizeof b);
	*size = sizeof b;
	*h = (struct lzfse_header){
		.raw = le32_get(b.n_raw_bytes),
		.literals = le32_get(b.n_literals),
		.matches = le32_get(b.n_matches),
		.literal_bytes = le32_get(b.n_literal_payload_bytes),
		.lmd_bytes = le32_get(b.n_lmd_payload_bytes),
		.literal_bits = (int)le32_get(b.literal_bits),
		.lmd_bits = (int)le32_get(b.lmd_bits),
		.l_state = le16_get(b.l_state),
		.m_state = le16_get(b.m_state),
		.d_state = le16_get(b.d_state),
	};
	for (int i = 0; i < 4; i++)
		h->literal_state[i] = le16_get(b.literal_state[i]);
	for (int i = 0; i < LZFSE_SYMBOLS; i++)
		h->freq[i] = le16_get(b.freq[i]);
	return true;
}

static uint32_t field(le64 word, unsigned lowest, unsigned bits)
{
	return (uint32_t)(le64_get(word) >> lowest & ((UINT64_C(1) << bits) - 1));
}

static void unpack_fields(const struct bvx2 *b, struct lzfse_header *h)
{
	const le64 *f = b->packed_fields;

	*h = (struct lzfse_header){
		.raw = le32_get(b->n_raw_bytes),
		.literals = field(f[0], 0, 20),
		.literal_bytes = field(f[0], 20, 20),
		.matches = field(f[0], 40, 20),
		.literal_bits = (int)field(f[0], 60, 3) - 7,
		.lmd_bytes = field(f[1], 40, 20),
		.lmd_bits = (int)field(f[1], 60, 3) - 7,
		.l_state = (uint16_t)field(f[2], 32, 10),
		.m_state = (uint16_t)field(f[2], 42, 10),
		.d_state = (uint16_t)field(f[2], 52, 10),
	};
	for (unsigned i = 0; i < 4; i++)
		h->literal_state[i] = (uint16_t)field(f[1], 10 * i, 10);
}

/*
 * A frequency at the lowest bits of word: 00 and 10 are 0 and 1, 001 and 101 are 2 and 3, xx011 is
 * 4 + xx, xxxx0111 is 8 + xxxx, and ten bits before 1111 are those + 24. Its length in *bits.
 */
static uint16_t frequency(uint32_t word, unsigned *bits)
{
	if ((word & 1) == 0) {
		*bits = 2;
		return word >> 1 & 1;
	}
	if ((word & 2) == 0) {
		*bits = 3;
		return (uint16_t)(2 + (word >> 2 & 1));
	}
	if ((word & 4) == 0) {
		*bits = 5;
		return (uint16_t)(4 + (word >> 3 & 3));
	}
	if ((word & 8) == 0) {
		*bits = 8;
		return (uint16_t)(8 + (word >> 4 & 15));
	}
	*bits = 14;
	return (uint16_t)(24 + (word >> 4 & 0x3ff));
}

/* The frequencies take exactly len bytes, of which the last may be used in part; none: all are 0.
 */
static bool read_frequencies(const uint8_t *in, size_t len, uint16_t *freq)
{
	uint64_t word = 0;
	unsigned have = 0, bits;
	size_t at = 0;

	if (len == 0)
		return true;
	for (unsigned i = 0; i < LZFSE_SYMBOLS; i++) {
		while (have < 14 && at < len) {
			word |= (uint64_t)in[at++] << have;
			have += 8;
		}
		freq[i] = frequency((uint32_t)word, &bits);
		if (bits > have)
			return false;
		word >>= bits;
		have -= bits;
	}
	return at == len && have < 8;
}

static bool read_bvx2(const uint8_t *in, size_t len, struct lzfse_header *h, size_t *size)
{
	struct bvx2 b;

	if (len < sizeof b)
		return false;
	memcpy(&b, in, sizeof b);
	*size = field(b.packed_fields[2], 0, 32);
	if (*size < sizeof b || *size > len)
		return false;
	unpack_fields(&b, h);
	return read_frequencies(in + sizeof b, *size - sizeof b, h->freq);
}

bool lzfse_read_header(const uint8_t *in, size_t len, struct lzfse_header *h, size_t *size)
{
	return (in[3] == '1' ? read_bvx1 : read_bvx2)(in, len, h, size) && header_ok(h);
}
