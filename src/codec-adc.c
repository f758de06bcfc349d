/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Apple Data Compression, of which there is no specification: a byte-wise LZ77 of three codes.
 *
 *   1nnnnnnn                     n + 1 bytes follow as they are
 *   00nnnndd dddddddd            n + 3 bytes again, from d + 1 bytes back
 *   01nnnnnn dddddddd dddddddd   n + 4 bytes again, from d + 1 bytes back
 */
#include "config.h"

#include "codec-adc.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

int codec_adc_unpack(const void *in, size_t in_len, void *out, size_t out_len)
{
	const uint8_t *p = in, *end = p + in_len;
	uint8_t *o = out;
	size_t n, back, made = 0;

	while (made < out_len) {
		if (p == end)
			return -EIO;
		if (*p & 0x80) {
			n = (*p++ & 0x7fu) + 1;
			if (n > (size_t)(end - p) || n > out_len - made)
				return -EIO;
			memcpy(o + made, p, n);
			made += n;
			p += n;
			continue;
		}
		if (end - p < (*p & 0x40 ? 3 : 2))
			return -EIO;
		if (*p & 0x40) {
			n = (*p & 0x3fu) + 4;
			back = ((size_t)p[1] << 8 | p[2]) + 1;
			p += 3;
		} else {
			n = (*p >> 2 & 0xfu) + 3;
			back = ((size_t)(*p & 3) << 8 | p[1]) + 1;
			p += 2;
		}
		if (back > made || n > out_len - made)
			return -EIO;
		for (; n; n--, made++) /* the two may overlap: what is copied is copied again */
			o[made] = o[made - back];
	}
	return 0;
}
