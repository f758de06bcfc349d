/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partclone's images: counting the bitmap, and the map. See partclone.c. */
#include "config.h"

#include "partclone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "cache.h"
#include "ondisk.h"

/* Bytes of the bitmap that are counted together, and that are read at a time to count. */
#define GROUP      ((size_t)16 << 10)
#define READ_BYTES ((size_t)256 << 10)

/* Groups that one run of unused blocks is followed through; who needs more asks again. */
#define FOLLOW 8

/* ---- the bitmap ---- */

uint64_t partclone_groups(const struct partclone *p)
{
	return (p->bytes + GROUP - 1) / GROUP;
}

/* Whether block i of a group is in use. In a bitmap of bytes only 1 means that. */
static bool is_used(const struct partclone *p, const uint8_t *group, size_t i)
{
	return p->bits == 8 ? group[i] == 1 : group[i / 8] >> i % 8 & 1;
}

/* How many of the eight bytes are 1. */
static uint64_t ones(uint64_t word)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7f;

	/* Of bytes that are 0 now, and only of these, the highest bit gets set. */
	word ^= 0x0101010101010101;
	return (uint64_t)__builtin_popcountll(~(((word & low) + low) | word | low));
}

/* Most groups of a large disk's bitmap are. */
static bool all_zeros(const uint8_t *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

/* Used blocks among the first n of a group. */
static uint64_t count_used(const struct partclone *p, const uint8_t *group, size_t n)
{
	uint64_t count = 0, word;
	size_t i = 0;

	for (; p->bits == 1 && n - i >= 64; i += 64) {
		memcpy(&word, group + i / 8, sizeof word);
		count += (uint64_t)__builtin_popcountll(word);
	}
	for (; p->bits == 8 && n - i >= 8; i += 8) {
		memcpy(&word, group + i, sizeof word);
		count += ones(word);
	}
	for (; i < n; i++)
		count += is_used(p, group, i);
	return count;
}

/* Blocks of group g, the last of which may not be full. */
static size_t group_blocks(const struct partclone *p, uint64_t g)
{
	uint64_t per = GROUP * 8 / p->bits;

	return (size_t)min64(per, p->total - g * per);
}

static int count_more(struct partclone *p, uint8_t *buf)
{
	uint64_t at = p->counted * GROUP;
	size_t n = (size_t)min64(READ_BYTES, p->bytes - at);
	int r = dev_pread(p->file, buf, n, p->bitmap + at);

	if (r)
		return r;
	if (p->bytes <= COUNT_AT_OPEN) /* else nobody asks */
		p->crc = (uint32_t)crc32_z(p->crc, buf, n);
	for (size_t i = 0; i < n; i += GROUP, p->counted++) {
		uint64_t used = 0;

		if (!all_zeros(buf + i, (size_t)min64(GROUP, n - i)))
			used = count_used(p, buf + i, group_blocks(p, p->counted));
		p->counts[p->counted + 1] = p->counts[p->counted] + used;
	}
	return 0;
}

int partclone_count(struct partclone *p, uint64_t g)
{
	uint8_t *buf = NULL;
	int r = 0;

	pthread_mutex_lock(&p->lock);
	if (p->counted < g) {
		buf = malloc(READ_BYTES);
		r = buf ? 0 : -ENOMEM;
	}
	while (!r && p->counted < g)
		r = count_more(p, buf);
	pthread_mutex_unlock(&p->lock);
	free(buf);
	return r;
}

/* ---- the map ---- */

/* The first block of a group, from i on, that is in use, or n. */
static size_t skip_unused(const struct partclone *p, const uint8_t *group, size_t i, size_t n)
{
	while (i < n && !is_used(p, group, i)) {
		bool many = i % 64 == 0 && n - i >= 64 &&
		            count_used(p, group + i / 8 * p->bits, 64) == 0;

		i += many ? 64 : 1;
	}
	return i;
}

/* Blocks behind block i of group g that are not in use, that one included. */
static int follow_unused(struct partclone *p, uint64_t g, size_t i, uint64_t *blocks)
{
	uint64_t from = g;
	int r = 0;

	for (*blocks = 0; !r && g < partclone_groups(p) && g - from < FOLLOW; g++, i = 0) {
		size_t n = group_blocks(p, g), start = i;
		const struct cache_chunk *group;

		r = run_table(p->cache, p->file, p->bitmap + g * GROUP,
		              (size_t)min64(GROUP, p->bytes - g * GROUP), &group);
		if (r)
			break;
		i = all_zeros(group->data, group->size) ? n : skip_unused(p, group->data, i, n);
		cache_put(p->cache, group);
		*blocks += i - start;
		if (i < n)
			break;
	}
	return r;
}

/* Number `index` of the stored blocks, and so many behind it up to a checksum. */
static void set_stored(const struct partclone *p, uint64_t index, uint64_t blocks, uint32_t skip,
                       struct run *run)
{
	run->kind = RUN_RAW;
	run->dev = p->file;
	run->offset = p->data + index * p->block + skip;
	if (p->per_sum) {
		run->offset += index / p->per_sum * p->sum;
		blocks = min64(blocks, p->per_sum - index % p->per_sum);
	}
	run->length = blocks * p->block - skip;
}

static int map_block(struct partclone *p, uint64_t block, uint32_t skip, struct run *run)
{
	uint64_t per = GROUP * 8 / p->bits, g = block / per, blocks = 0, index;
	const struct cache_chunk *group;
	size_t first = (size_t)(block % per), n = group_blocks(p, g);
	int r = run_table(p->cache, p->file, p->bitmap + g * GROUP,
	                  (size_t)min64(GROUP, p->bytes - g * GROUP), &group);

	if (r)
		return r;
	while (first + blocks < n && is_used(p, group->data, first + blocks) &&
	       (!p->per_sum || blocks < p->per_sum))
		blocks++;
	index = blocks ? count_used(p, group->data, first) : 0;
	cache_put(p->cache, group);
	if (blocks) {
		r = partclone_count(p, g);
		if (!r)
			set_stored(p, p->counts[g] + index, blocks, skip, run);
		return r;
	}
	r = follow_unused(p, g, first, &blocks);
	*run = (struct run){.kind = RUN_ZERO, .length = blocks * p->block - skip};
	return r;
}

int partclone_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	struct partclone *p = self;
	uint64_t block = off / p->block;
	uint32_t skip = (uint32_t)(off % p->block);

	(void)node;
	*run = (struct run){.kind = RUN_ZERO, .length = p->size - off};
	if (block >= p->total) /* behind the filesystem */
		return 0;
	if (p->bits)
		return map_block(p, block, skip, run);
	set_stored(p, block, p->total - block, skip, run);
	return 0;
}
