/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "xxh32.h"

#include <string.h>

#include "ondisk.h"

#define PRIME1 0x9e3779b1u
#define PRIME2 0x85ebca77u
#define PRIME3 0xc2b2ae3du
#define PRIME4 0x27d4eb2fu
#define PRIME5 0x165667b1u

static uint32_t rotate(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static void add_stripe(uint32_t lanes[4], const uint8_t *p)
{
	for (unsigned i = 0; i < 4; i++)
		lanes[i] = rotate(lanes[i] + le32_at(p + 4 * i) * PRIME2, 13) * PRIME1;
}

void xxh32_begin(struct xxh32 *x)
{
	*x = (struct xxh32){.lanes = {PRIME1 + PRIME2, PRIME2, 0, 0u - PRIME1}};
}

void xxh32_add(struct xxh32 *x, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t held = x->total % 16;

	x->total += len;
	if (held) {
		size_t n = len < 16 - held ? len : 16 - held;

		memcpy(x->part + held, p, n);
		p += n;
		len -= n;
		if (held + n < 16)
			return;
		add_stripe(x->lanes, x->part);
	}
	for (; len >= 16; p += 16, len -= 16)
		add_stripe(x->lanes, p);
	memcpy(x->part, p, len);
}

uint32_t xxh32_end(const struct xxh32 *x)
{
	size_t held = x->total % 16, i = 0;
	uint32_t h = PRIME5;

	if (x->total >= 16)
		h = rotate(x->lanes[0], 1) + rotate(x->lanes[1], 7) + rotate(x->lanes[2], 12) +
		    rotate(x->lanes[3], 18);
	h += (uint32_t)x->total;
	for (; i + 4 <= held; i += 4)
		h = rotate(h + le32_at(x->part + i) * PRIME3, 17) * PRIME4;
	for (; i < held; i++)
		h = rotate(h + x->part[i] * PRIME5, 11) * PRIME1;
	h = (h ^ h >> 15) * PRIME2;
	h = (h ^ h >> 13) * PRIME3;
	return h ^ h >> 16;
}

uint32_t xxh32(const void *data, size_t len)
{
	struct xxh32 x;

	xxh32_begin(&x);
	xxh32_add(&x, data, len);
	return xxh32_end(&x);
}
