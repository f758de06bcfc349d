/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partclone's images: what partclone.c reads and partclone-map.c maps. */
#ifndef PLATTER_PARTCLONE_H
#define PLATTER_PARTCLONE_H

#include <pthread.h>
#include <stdint.h>

#include "drivers.h"

/* So much is counted at open. */
#define COUNT_AT_OPEN ((uint64_t)64 << 20)

struct partclone {
	struct dev *file;
	struct cache *cache;
	uint64_t size, total; /* of the disk in bytes; blocks with a bit */
	uint64_t used;        /* as the header has it, UINT64_MAX: it does not */
	uint32_t block;
	uint8_t bits;           /* of the bitmap per block: 1 or 8; 0: all blocks are there */
	uint64_t bitmap, bytes; /* where it stands and how long it is */
	uint64_t data;
	uint32_t sum, per_sum; /* bytes of a checksum, and blocks before it; 0: none */

	pthread_mutex_t lock; /* of what follows */
	uint64_t *counts;     /* used blocks before each group, and in all */
	uint64_t counted;     /* groups */
	uint32_t crc;         /* of them */
};

/* Groups of bytes that the bitmap is counted by. */
uint64_t partclone_groups(const struct partclone *p);

/* Know p->counts[g]. */
int partclone_count(struct partclone *p, uint64_t g);

run_map_fn partclone_map;

#endif
