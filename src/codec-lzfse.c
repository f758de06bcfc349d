/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LZFSE, from the format's description in the headers of Apple's library (github.com/lzfse/lzfse,
 * src/lzfse_internal.h and lzfse_fse.h). A stream is a row of blocks, each beginning with four
 * letters:
 *
 *   bvx-   as it is
 *   bvxn   LZVN (codec-lzvn.c)
 *   bvx1   LZ77, its parts coded by finite state entropy; tables of frequencies as they are
 *   bvx2   the same, with its header packed
 *   bvx$   the end
 *
 * bvx1 and bvx2 hold two streams of bits: the literals, four states taking turns, and the triples L
 * (literals to take), M and D (M bytes again from D bytes back, D = 0: as before). Both are read
 * from their end to their beginning.
 *
 * Finite state entropy (J. Duda's tANS): of N states each symbol owns a row of as many as its
 * frequency f, in the order of symbols. In the j-th of them the next state is (f + j) << k, less N,
 * plus the next k bits, where k is what it takes to come to N or more.
 */
#include "config.h"

#include "codec-lzfse.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"

/* One state of a decoder. */
struct state {
	uint16_t next; /* to which the bits are added */
	uint8_t bits;  /* for the next state */
	uint8_t symbol;
};

struct tables {
	struct state l[LZFSE_L_STATES], m[LZFSE_M_STATES], d[LZFSE_D_STATES],
		literal[LZFSE_LITERAL_STATES];
	uint8_t literals[LZFSE_LITERALS_MAX + 4];
};

/* ---- output ---- */

int lzfse_append(struct lzfse_out *out, const uint8_t *bytes, size_t n)
{
	if (n > out->len - out->made)
		return -EIO;
	memcpy(out->o + out->made, bytes, n);
	out->made += n;
	return 0;
}

int lzfse_repeat(struct lzfse_out *out, size_t back, size_t n)
{
	uint8_t *to = out->o + out->made;

	if (back == 0 || back > out->made || n > out->len - out->made)
		return -EIO;
	out->made += n;
	if (back >= n)
		memcpy(to, to - back, n);
	else
		for (; n; n--, to++) /* what is copied is copied again */
			*to = *(to - back);
	return 0;
}

/* ---- bits ---- */

/* A stream of bits, the lowest of each byte first; `at` bits of it are still to be read. */
struct bits {
	const uint8_t *p;
	size_t len; /* bytes */
	uint64_t at;
};

/* unused: -7 to 0, less so many bits of the last byte belong to the stream; they are zeros. */
static bool bits_begin(struct bits *b, const uint8_t *p, size_t len, int unused)
{
	if (unused > 0 || unused < -7 || (len == 0 && unused))
		return false;
	*b = (struct bits){p, len, (uint64_t)len * 8 - (unsigned)-unused};
	return len == 0 || p[len - 1] >> (8 + unused) == 0;
}

/* The last n (0 to 32) bits that are left; beyond the beginning: false. */
static bool bits_take(struct bits *b, unsigned n, uint32_t *value)
{
	uint64_t word;
	size_t byte;

	if (n > b->at)
		return false;
	b->at -= n;
	byte = (size_t)(b->at >> 3);
	if (b->len - byte >= 8) {
		le64 v;

		memcpy(v.b, b->p + byte, 8);
		word = le64_get(v);
	} else {
		word = 0;
		for (size_t i = b->len; i > byte; i--)
			word = word << 8 | b->p[i - 1];
	}
	*value = (uint32_t)(word >> (b->at & 7) & ((UINT64_C(1) << n) - 1));
	return true;
}

/* ---- states ---- */

static unsigned log2_floor(unsigned v)
{
	return 31u - (unsigned)__builtin_clz(v);
}

/* Fill in a decoder of `states` states. False when the frequencies do not add up to them. */
static bool make_states(const uint16_t *freq, unsigned symbols, struct state *t, unsigned states)
{
	unsigned used = 0;

	for (unsigned s = 0; s < symbols; s++) {
		if (freq[s] > states - used)
			return false;
		for (unsigned x = freq[s]; x < 2u * freq[s]; x++) {
			unsigned k = log2_floor(states) - log2_floor(x);

			t[used++] = (struct state){
				.next = (uint16_t)((x << k) - states),
				.bits = (uint8_t)k,
				.symbol = (uint8_t)s,
			};
		}
	}
	return used == states;
}

static bool read_literals(const struct lzfse_header *h, struct tables *t, const uint8_t *p)
{
	uint16_t state[4];
	struct bits bits;
	uint32_t v;

	if (h->literals == 0)
		return true;
	if (!make_states(h->freq + LZFSE_L_SYMBOLS + LZFSE_M_SYMBOLS + LZFSE_D_SYMBOLS,
	                 LZFSE_LITERAL_SYMBOLS, t->literal, LZFSE_LITERAL_STATES) ||
	    !bits_begin(&bits, p, h->literal_bytes, h->literal_bits))
		return false;
	memcpy(state, h->literal_state, sizeof state);
	/* Their number is filled up to a multiple of four. */
	for (uint32_t i = 0; i < align_up(h->literals, 4); i++) {
		const struct state *s = &t->literal[state[i & 3]];

		t->literals[i] = s->symbol;
		if (!bits_take(&bits, s->bits, &v))
			return false;
		state[i & 3] = (uint16_t)(s->next + v);
	}
	return true;
}

/* The value of a symbol is a base and so many bits more. */
struct value {
	uint32_t base;
	uint8_t bits;
};

static struct value l_value(unsigned s)
{
	static const struct value large[] = {{16, 2}, {20, 3}, {28, 5}, {60, 8}};

	return s < 16 ? (struct value){s, 0} : large[s - 16];
}

static struct value m_value(unsigned s)
{
	static const struct value large[] = {{16, 3}, {24, 5}, {56, 8}, {312, 11}};

	return s < 16 ? (struct value){s, 0} : large[s - 16];
}

/* Four symbols for each number of bits, from 0 to 15, one range after the other. */
static struct value d_value(unsigned s)
{
	unsigned bits = s / 4;

	return (struct value){((s % 4 + 4) << bits) - 4, (uint8_t)bits};
}

/* The value that a state stands for, and the next state. */
static bool read_value(struct bits *bits, const struct state *t, uint16_t *state,
                       struct value (*value)(unsigned), uint32_t *out)
{
	const struct state *s = &t[*state];
	struct value v = value(s->symbol);
	uint32_t next, more;

	if (!bits_take(bits, s->bits, &next) || !bits_take(bits, v.bits, &more))
		return false;
	*state = (uint16_t)(s->next + next);
	*out = v.base + more;
	return true;
}

static bool make_triples(const struct lzfse_header *h, struct tables *t)
{
	const uint16_t *freq = h->freq;

	return make_states(freq, LZFSE_L_SYMBOLS, t->l, LZFSE_L_STATES) &&
	       make_states(freq + LZFSE_L_SYMBOLS, LZFSE_M_SYMBOLS, t->m, LZFSE_M_STATES) &&
	       make_states(freq + LZFSE_L_SYMBOLS + LZFSE_M_SYMBOLS, LZFSE_D_SYMBOLS, t->d,
	                   LZFSE_D_STATES);
}

static int read_triples(const struct lzfse_header *h, struct tables *t, const uint8_t *p,
                        struct lzfse_out *out)
{
	uint16_t l_state = h->l_state, m_state = h->m_state, d_state = h->d_state;
	uint32_t l, m, d, distance = 0, used = 0;
	struct bits bits;

	if (h->matches == 0)
		return 0;
	if (!make_triples(h, t) || !bits_begin(&bits, p, h->lmd_bytes, h->lmd_bits))
		return -EIO;
	for (uint32_t i = 0; i < h->matches; i++) {
		int r;

		if (!read_value(&bits, t->l, &l_state, l_value, &l) ||
		    !read_value(&bits, t->m, &m_state, m_value, &m) ||
		    !read_value(&bits, t->d, &d_state, d_value, &d) || l > h->literals - used)
			return -EIO;
		if (d)
			distance = d;
		r = lzfse_append(out, t->literals + used, l);
		if (!r && m)
			r = lzfse_repeat(out, distance, m);
		if (r)
			return r;
		used += l;
	}
	return 0;
}

/* ---- blocks ---- */

/* A bvx1 or bvx2 block; *size: all that it takes. */
static int entropy_block(const uint8_t *in, size_t len, struct tables *t, struct lzfse_out *out,
                         size_t *size)
{
	struct lzfse_header h;
	size_t begin = out->made;
	int r;

	if (!lzfse_read_header(in, len, &h, size))
		return -EIO;
	if (h.literal_bytes > len - *size || h.lmd_bytes > len - *size - h.literal_bytes)
		return -EIO;
	in += *size;
	*size += h.literal_bytes + h.lmd_bytes;
	if (!read_literals(&h, t, in))
		return -EIO;
	r = read_triples(&h, t, in + h.literal_bytes, out);
	return r ? r : out->made - begin == h.raw ? 0 : -EIO;
}

/* bvx-: eight bytes of header. */
static int stored_block(const uint8_t *in, size_t len, struct lzfse_out *out, size_t *size)
{
	le32 raw;

	if (len < 8)
		return -EIO;
	memcpy(raw.b, in + 4, 4);
	if (le32_get(raw) > len - 8)
		return -EIO;
	*size = 8 + (size_t)le32_get(raw);
	return lzfse_append(out, in + 8, le32_get(raw));
}

/* bvxn: twelve. */
static int lzvn_block(const uint8_t *in, size_t len, struct lzfse_out *out, size_t *size)
{
	struct lzfse_out part;
	le32 raw, packed;
	int r;

	if (len < 12)
		return -EIO;
	memcpy(raw.b, in + 4, 4);
	memcpy(packed.b, in + 8, 4);
	if (le32_get(packed) > len - 12 || le32_get(raw) > out->len - out->made)
		return -EIO;
	*size = 12 + (size_t)le32_get(packed);
	part = (struct lzfse_out){out->o, out->made, out->made + le32_get(raw)};
	r = lzvn_unpack(in + 12, le32_get(packed), &part);
	out->made = part.made;
	return r ? r : part.made == part.len ? 0 : -EIO;
}

static int next_block(const uint8_t *in, size_t len, struct tables *t, struct lzfse_out *out,
                      size_t *size)
{
	if (len < 4 || memcmp(in, "bvx", 3) != 0)
		return -EIO;
	switch (in[3]) {
	case '-':
		return stored_block(in, len, out, size);
	case 'n':
		return lzvn_block(in, len, out, size);
	case '1':
	case '2':
		return entropy_block(in, len, t, out, size);
	default:
		return -EIO;
	}
}

int codec_lzfse_unpack(const void *in, size_t in_len, void *out, size_t out_len)
{
	struct tables *t = malloc(sizeof *t);
	struct lzfse_out o = {out, 0, out_len};
	const uint8_t *p = in;
	size_t size;
	int r = t ? 0 : -ENOMEM;

	while (!r && !(in_len >= 4 && memcmp(p, "bvx$", 4) == 0)) {
		r = next_block(p, in_len, t, &o, &size);
		if (!r) {
			p += size;
			in_len -= size;
		}
	}
	free(t);
	return r ? r : o.made == o.len ? 0 : -EIO;
}
