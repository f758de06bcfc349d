/* SPDX-License-Identifier: GPL-2.0-or-later */
/* XXH32 (xxHash specification 0.1.1, seed 0): the checksum of lz4's frames. */
#ifndef PLATTER_XXH32_H
#define PLATTER_XXH32_H

#include <stddef.h>
#include <stdint.h>

struct xxh32 {
	uint32_t lanes[4];
	uint64_t total;
	uint8_t part[16]; /* of a stripe, total % 16 bytes */
};

void xxh32_begin(struct xxh32 *x);
void xxh32_add(struct xxh32 *x, const void *data, size_t len);
uint32_t xxh32_end(const struct xxh32 *x);

uint32_t xxh32(const void *data, size_t len);

#endif
