/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bounded cache of what costs CPU to produce: unpacked chunks. Bytes that stand as they are in
 * a local file are the kernel page cache's job and do not come here.
 *
 * Single-flight: however many threads want a chunk that is not there, one makes it and the others
 * wait. Scan-resistant: a chunk enters a small queue first and moves to the main part only when it
 * is asked for again after others came in behind it, so that one pass over a large file cannot
 * push out what is used over and over.
 */
#ifndef PLATTER_CACHE_H
#define PLATTER_CACHE_H

#include <stddef.h>
#include <stdint.h>

struct cache;

/* What names a chunk: an object that outlives the cache's use of it, and a place in it. */
struct cache_key {
	const void *owner;
	uint64_t offset;
};

/* A chunk that is held: data stays as it is until cache_put. */
struct cache_chunk {
	const void *data;
	size_t size;
};

/* Write exactly size bytes to data, or return -errno; runs without any lock of the cache held. */
typedef int cache_make_fn(void *arg, void *data, size_t size);

struct cache_counters {
	uint64_t hits, makes, waits; /* found; made; found in the making by another thread */
	size_t bytes;                /* held now */
};

/* limit: bytes of chunks that are kept while nobody holds them. NULL without memory. */
struct cache *cache_new(size_t limit);

/* Nobody may hold a chunk any more. NULL is fine. */
void cache_free(struct cache *cache);

/*
 * The chunk named key, size bytes, made by make(arg) when it is not there. A failure goes to
 * everyone who waited for that making, and is not remembered. On 0 the caller gives the chunk back
 * with cache_put. Any thread.
 */
int cache_get(struct cache *cache, struct cache_key key, size_t size, cache_make_fn *make,
              void *arg, const struct cache_chunk **out);
void cache_put(struct cache *cache, const struct cache_chunk *chunk);

void cache_get_counters(struct cache *cache, struct cache_counters *out);

#endif
