/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a disk its filesystems mark as free, so that a copy can leave it out. Whatever is not
 * free beyond doubt counts as used: everything outside of partitions, partitions that overlap,
 * filesystems that nobody here can ask, and those that need a repair or a replay of their journal.
 */
#ifndef PLATTER_USED_H
#define PLATTER_USED_H

#include "disk.h"

struct used;

/*
 * Ask the filesystems in [start, start + size) of p's disk. What all of is taken, though its kind
 * can be asked, is told by how's note. -ENOMEM.
 */
int used_open(struct platter *p, uint64_t start, uint64_t size, const struct platter_export *how,
              struct used **out);

/*
 * The first free stretch that ends after off, relative to start: [*begin, *end). It may begin
 * before off, and may be followed by another without a gap. False: there is none. One thread at a
 * time; offsets that mostly grow are cheap.
 */
bool used_next_free(struct used *u, uint64_t off, uint64_t *begin, uint64_t *end);

/* NULL is fine. */
void used_close(struct used *u);

#endif
