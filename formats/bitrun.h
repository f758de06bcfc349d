/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bitmaps of sectors, as several container formats keep them for their blocks. */
#ifndef PLATTER_FORMATS_BITRUN_H
#define PLATTER_FORMATS_BITRUN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How many bits of map, from bit `from` on and below `to`, are as that first one is; *set tells
 * which. high_first: bit 0 is a byte's most significant one. from < to.
 */
static inline uint64_t bit_run(const uint8_t *map, uint64_t from, uint64_t to, bool high_first,
                               bool *set)
{
	unsigned turn = high_first ? 7 : 0;
	uint64_t i = from;

	*set = map[i / 8] >> ((i & 7) ^ turn) & 1;
	while (i < to) {
		if ((i & 7) == 0 && to - i >= 8 && map[i / 8] == (*set ? 0xff : 0)) {
			i += 8;
			continue;
		}
		if ((map[i / 8] >> ((i & 7) ^ turn) & 1) != *set)
			break;
		i++;
	}
	return i - from;
}

#endif
