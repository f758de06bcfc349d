/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Indexes that cost a pass over an image file, kept for the next time. What an index holds is its
 * driver's business; here it is so many bytes with a number that says whose they are.
 *
 * An index belongs to one file: its device and inode number, size, time of last change, and a
 * digest of samples of its contents have to be what they were. One that is damaged, foreign or old
 * is as good as none. Indexes are written under a temporary name and renamed (0600), only into a
 * folder that is the user's own. After INDEXCACHE_FILES of them, or INDEXCACHE_BYTES, those that
 * were not used for longest go.
 *
 * Nothing here ever fails an open: without a folder there is no cache.
 */
#ifndef PLATTER_INDEXCACHE_H
#define PLATTER_INDEXCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"

#define INDEXCACHE_FILES 64
#define INDEXCACHE_BYTES ((uint64_t)512 << 20)

/* The largest single one. */
#define INDEXCACHE_MAX ((size_t)112 << 20)

/* *data is to be freed. false when there is none that fits the image's file. */
bool indexcache_load(const struct image *image, uint32_t id, uint8_t **data, size_t *len);

void indexcache_store(const struct image *image, uint32_t id, const uint8_t *data, size_t len);

#endif
