/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An overlay_io in memory that remembers what is not flushed yet, sector by sector, so that a test
 * can cut the power: any subset of those sectors may have reached the disk, in any order of
 * versions, and metadata sectors may hold garbage. It can also be made to fail.
 */
#ifndef PLATTER_CRASHIO_H
#define PLATTER_CRASHIO_H

#include <stdbool.h>
#include <stdint.h>

#include "overlay-io.h"

#define CRASH_SECTOR 512u

struct crash_write {
	uint64_t sector;
	uint8_t data[CRASH_SECTOR];
};

struct crashio {
	struct overlay_io io;
	uint64_t size, data_off; /* below data_off is metadata */
	uint8_t *now, *durable;
	struct crash_write *pending;
	size_t npending, allocated;

	/* Called before and after each sync, and after each write of metadata. */
	void (*hook)(void *arg);
	void *hook_arg;

	unsigned preads, pwrites, syncs, punches;
	int fail_sync, fail_pwrite, fail_reserve; /* an errno, 0: none */
};

/* What the file holds at first: size bytes of filler. */
struct crashio *crashio_new(uint64_t size, uint64_t data_off, uint8_t filler);

/* A copy as it may be after the power was cut now; next() gives random numbers. */
struct crashio *crashio_crash(const struct crashio *c, uint32_t (*next)(void));

void crashio_free(struct crashio *c);

#endif
