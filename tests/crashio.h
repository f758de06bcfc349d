/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An overlay_io in memory that remembers what is not flushed yet, sector by sector, so that a test
 * can cut the power: any subset of those sectors may have reached the disk, in any order of
 * versions, and metadata sectors may hold garbage. It can also be made to fail.
 *
 * Everything is in memory that a fork shares: a child may write and be killed, and its parent
 * finds what the kernel would have kept.
 */
#ifndef PLATTER_CRASHIO_H
#define PLATTER_CRASHIO_H

#include <stdbool.h>
#include <stdint.h>

#include "overlay-io.h"

#define CRASH_SECTOR  512u
#define CRASH_GARBAGE 3

/* When the hook is called. Metadata is what stands below data_off. */
enum crash_moment {
	CRASH_BEFORE_DATA, /* a write or a punch */
	CRASH_AMID_DATA,   /* half of its sectors are written */
	CRASH_AFTER_DATA,
	CRASH_BEFORE_META,
	CRASH_AMID_META,
	CRASH_AFTER_META,
	CRASH_BEFORE_SYNC,
	CRASH_AFTER_SYNC,
	/* Not from here, but for users that have other moments as well. */
	CRASH_BEFORE_FLUSH,
	CRASH_AMID_FLUSH,
};

/* The versions of one sector; NULL: what the file held at first. */
struct crash_sector {
	uint8_t *durable, *now, *cut;
	uint32_t cut_number; /* the cut that .cut belongs to */
};

struct crash_write {
	struct crash_sector *sector;
	uint8_t *data;
	bool meta;
};

struct crashio {
	struct overlay_io io;
	uint64_t size, data_off;
	uint8_t filler[CRASH_SECTOR];
	struct crash_sector **blocks; /* by 4 KiB of the file, NULL where nothing was written */
	struct crash_write *pending;  /* in the order in which they were written */
	size_t npending;
	uint32_t cut_number;
	uint8_t garbage[CRASH_GARBAGE][CRASH_SECTOR];
	bool show_cut; /* pread gives what the last cut left, and nothing may be written */

	int recording; /* not 0: half of a change is in here, whoever is killed must be later */
	uint8_t *memory, *memory_end, *spare; /* spare: a list of free versions */
	size_t mapped;

	void (*hook)(void *arg, enum crash_moment when);
	void *hook_arg;
	uint64_t random; /* decides the cuts; not 0 */

	unsigned preads, pwrites, syncs, punches;
	/* An errno, 0: none. What a failed sync did not write is never written (fsync(2)). */
	int fail_sync, fail_pwrite, fail_reserve;
	bool sync_failed; /* one did, since the power was last cut */
};

/* size bytes: zeros up to data_off, then filler. */
struct crashio *crashio_new(uint64_t size, uint64_t data_off, uint8_t filler);

/* Choose what is on the disk if the power goes now. The file goes on unchanged. */
void crashio_cut(struct crashio *c);

/* The power did go: the last cut is what the file holds. */
void crashio_become_cut(struct crashio *c);

void crashio_free(struct crashio *c);

/* Around what a process that may be killed at any instruction must do whole. */
static inline void crashio_record(struct crashio *c, bool begin)
{
	__atomic_add_fetch(&c->recording, begin ? 1 : -1, __ATOMIC_SEQ_CST);
}

/* The next number of a xorshift generator. */
static inline uint64_t crash_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
