/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LZVN: a byte-wise LZ77 whose codes are told apart by their first byte. L bytes follow the code
 * and are taken as they are, then M bytes are the same as those D bytes back. Codes that do not say
 * D take it from the one before.
 *
 *   LLMMMDDD dddddddd            M + 3, D of 11 bits; DDD neither 110 nor 111
 *   LLMMM110                     M + 3, the previous D; L is not 0
 *   LLMMM111 dddddddd DDDDDDDD   M + 3, D of 16 bits, little-endian
 *   101LLMMM ddddddmm DDDDDDDD   M of 5 bits + 3, D of 14 bits
 *   1110LLLL                     L alone; 0: the next byte + 16
 *   1111MMMM                     M alone; 0: the next byte + 16
 *   00000110                     the end
 *   00001110, 00010110           nothing
 *
 * What begins with 0111 or 1101 means nothing.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>

#include "codec-lzfse.h"

struct code {
	size_t size; /* bytes of the code itself */
	size_t literals, match;
	size_t distance; /* 0: the one before */
};

/* Of the first byte and the two after it (0 where there are none). False: it means nothing. */
static bool decode(const uint8_t b[3], struct code *c)
{
	unsigned high = b[0] >> 4;

	*c = (struct code){.size = 1};
	if (high == 0x7 || high == 0xd)
		return false;
	if (high == 0xe || high == 0xf) {
		size_t n = b[0] & 0xf;

		if (n == 0) {
			n = (size_t)b[1] + 16;
			c->size = 2;
		}
		*(high == 0xe ? &c->literals : &c->match) = n;
		return true;
	}
	if (high == 0xa || high == 0xb) {
		c->size = 3;
		c->literals = b[0] >> 3 & 3;
		c->match = ((b[0] & 7u) << 2 | (b[1] & 3)) + 3;
		c->distance = (size_t)b[2] << 6 | b[1] >> 2;
		return c->distance != 0;
	}
	c->literals = b[0] >> 6;
	c->match = (b[0] >> 3 & 7u) + 3;
	if ((b[0] & 7) == 6)
		return c->literals != 0;
	c->size = (b[0] & 7) == 7 ? 3 : 2;
	c->distance = (b[0] & 7) == 7 ? (size_t)b[2] << 8 | b[1] : (b[0] & 7u) << 8 | b[1];
	return c->distance != 0;
}

int lzvn_unpack(const uint8_t *in, size_t len, struct lzfse_out *out)
{
	size_t at = 0, distance = 0;

	while (at < len) {
		uint8_t b[3] = {in[at], at + 1 < len ? in[at + 1] : 0,
		                at + 2 < len ? in[at + 2] : 0};
		struct code c;
		int r;

		if (b[0] == 0x06)
			return 0;
		if (b[0] == 0x0e || b[0] == 0x16) {
			at++;
			continue;
		}
		if (!decode(b, &c) || len - at < c.size || len - at - c.size < c.literals)
			return -EIO;
		at += c.size;
		if (c.distance)
			distance = c.distance;
		r = lzfse_append(out, in + at, c.literals);
		if (!r && c.match)
			r = lzfse_repeat(out, distance, c.match);
		if (r)
			return r;
		at += c.literals;
	}
	return -EIO;
}
