/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Map, then read. Container formats and filesystems do not read data: they answer "where are the
 * bytes at this offset, and how many in a row?". The code here does the reading, the zero filling
 * and the unpacking, and derives holes from the same answers.
 */
#ifndef PLATTER_RUN_H
#define PLATTER_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "codec.h"
#include "dev.h"

struct cache;
struct cache_chunk;

/* The largest unpacked chunk: a request may cost at most its own length and two chunks. */
#define RUN_CHUNK_MAX ((uint32_t)4 << 20)

enum run_kind {
	RUN_ZERO,   /* zeros that are stored nowhere */
	RUN_RAW,    /* the bytes stand at dev, offset */
	RUN_PACKED, /* part of a chunk that codec unpacks */
	RUN_MADE,   /* part of a chunk that make writes: unpacking that is no codec's alone */
	RUN_PARENT, /* as the parent image has it, at offset */
};

/*
 * Write exactly size bytes, the chunk that self calls by the number offset, to data. 0 or -errno.
 * Any thread.
 */
typedef int run_make_fn(void *self, uint64_t offset, void *data, size_t size);

struct run {
	enum run_kind kind;
	uint64_t length; /* bytes from the asked offset on that this answer holds for, >= 1 */
	struct dev *dev; /* RAW, PACKED: borrowed from the one who answers */
	uint64_t
		offset; /* RAW, PARENT: of the asked byte; PACKED: of the chunk's first packed byte;
	                 * MADE: what names the chunk to make, no two of which share a number */
	/* PACKED only */
	enum codec codec;
	uint32_t packed; /* bytes that the chunk takes in dev, <= RUN_CHUNK_MAX */
	/* PACKED and MADE */
	uint32_t unpacked; /* bytes that it unpacks to, <= RUN_CHUNK_MAX */
	uint32_t skip;     /* where in the unpacked chunk the asked byte stands */
	run_make_fn *make; /* MADE */
};

/*
 * Answer for byte off of object node (a format ignores node). off lies inside the object. 0 or
 * -errno; a driver that finds its tables broken says -EIO, one that finds a feature that it does
 * not know -EOPNOTSUPP.
 */
typedef int run_map_fn(void *self, uint64_t node, uint64_t off, struct run *run);

/* The map of what is one device from its first byte to its last: self is that struct dev. */
run_map_fn run_map_dev;

/* Something that can be mapped. */
struct run_source {
	run_map_fn *map;
	void *self;
	uint64_t node;
	uint64_t size;
	struct dev *parent;  /* for RUN_PARENT; NULL or shorter than this: zeros past its end */
	struct cache *cache; /* holds unpacked chunks */
};

/*
 * len bytes (1 to RUN_CHUNK_MAX) of dev at off through the cache: for a container's tables, which
 * map reads over and over and which may be too large to hold. The caller gives *chunk back with
 * cache_put. Always ask for the same len at one off.
 */
int run_table(struct cache *cache, struct dev *dev, uint64_t off, size_t len,
              const struct cache_chunk **chunk);

/* Entries of a table that a block of the cache holds. */
struct run_entries {
	const uint8_t *at;
	uint64_t count; /* from that one on, >= 1 */
	const struct cache_chunk *chunk;
};

/*
 * The entry numbered index of a table of total entries of size bytes (a power of two, <= 4096) at
 * off in dev, and those behind it that come with it. The caller knows that the table lies in dev
 * and that index < total, and gives them back with run_entries_put.
 */
int run_entries(struct cache *cache, struct dev *dev, uint64_t off, uint64_t total, size_t size,
                uint64_t index, struct run_entries *out);
void run_entries_put(struct cache *cache, const struct run_entries *entries);

/* Read exactly len bytes at off; -EIO past size. buf is wholly written when 0 is returned. */
int run_read(const struct run_source *src, void *buf, size_t len, uint64_t off);

/* As dev_extent. */
int run_extent(const struct run_source *src, uint64_t off, struct dev_extent *ext);

/*
 * A read-only device of what src maps (a container's virtual disk). What src points to is
 * borrowed. room: as dev_room, a bound that the caller knows.
 */
int dev_mapped(const struct run_source *src, uint64_t room, struct dev **out);

#endif
