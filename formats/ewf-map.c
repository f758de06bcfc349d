/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which chunk of an EWF image a byte of the disk is in, and how that is stored. By custom chunks
 * have 32 KiB, but EnCase and linen make them of up to 16 MiB too; what would be too much to unpack
 * at once for the cache is unpacked here, and kept in pieces.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ewf.h"

#define PIECES (EWF_CHUNK_MAX / RUN_CHUNK_MAX)

/* The table that chunk number n is in. */
static const struct ewf_table *find_table(const struct ewf *e, uint64_t n)
{
	size_t low = 0, high = e->ntables;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (e->tables[middle].first <= n)
			low = middle;
		else
			high = middle;
	}
	return &e->tables[low];
}

static int get_chunk(const struct ewf *e, uint64_t n, const struct ewf_table **table,
                     struct ewf_chunk *chunk)
{
	const struct ewf_table *t = find_table(e, n);
	uint32_t i = (uint32_t)(n - t->first);

	*table = t;
	return e->version == 1 ? ewf1_get_chunk(e, t, i, chunk) : ewf2_get_chunk(e, t, i, chunk);
}

static bool is_zero(const struct ewf_chunk *chunk)
{
	return chunk->filled && chunk->offset == 0;
}

/* Chunks of zeros in a row are one run, as far as a block of a table goes. */
static void extend_zeros(const struct ewf *e, uint64_t n, struct run *run)
{
	const struct ewf_table *t;
	struct ewf_chunk chunk;

	for (unsigned i = 1; i < EWF_BLOCK / 16 && n + i < e->chunks; i++) {
		if (get_chunk(e, n + i, &t, &chunk) || !is_zero(&chunk))
			break;
		run->length += e->chunk;
	}
}

/* What a packed chunk can take: what does not become smaller grows by a little. */
static uint64_t packed_max(const struct ewf *e)
{
	return e->chunk + e->chunk / 64 + 1024;
}

static int unpack_piece(const struct ewf *e, const struct ewf_table *t,
                        const struct ewf_chunk *chunk, uint32_t len, uint32_t from, void *data,
                        size_t size)
{
	size_t stored = (size_t)min64(chunk->stored, packed_max(e));
	char *packed = malloc(stored + 1), *whole = malloc(len);
	int r = packed && whole ? dev_pread(t->dev, packed, stored, chunk->offset) : -ENOMEM;

	if (!r)
		r = codec_unpack(e->codec, packed, stored, whole, len);
	if (!r)
		memcpy(data, whole + from, size);
	free(packed);
	free(whole);
	return r;
}

/* Write a piece of a chunk that is large, or made of eight bytes over and over. */
static int make_piece(void *self, uint64_t number, void *data, size_t size)
{
	const struct ewf *e = self;
	uint64_t n = number / PIECES;
	uint32_t from = (uint32_t)(number % PIECES) * RUN_CHUNK_MAX;
	uint32_t len = (uint32_t)min64(e->chunk, e->size - n * e->chunk);
	const struct ewf_table *t;
	struct ewf_chunk chunk;
	le64 fill;
	int r = get_chunk(e, n, &t, &chunk);

	if (r)
		return r;
	if (!chunk.filled)
		return unpack_piece(e, t, &chunk, len, from, data, size);
	fill = le64_put(chunk.offset);
	for (size_t i = 0; i < size; i++)
		((uint8_t *)data)[i] = fill.b[i % sizeof fill.b];
	return 0;
}

/* The piece of chunk n, of len bytes, that byte skip is in. */
static void map_piece(uint64_t n, uint32_t skip, uint32_t len, struct run *run)
{
	uint32_t piece = skip / RUN_CHUNK_MAX;

	run->kind = RUN_MADE;
	run->make = make_piece;
	run->offset = n * PIECES + piece;
	run->skip = skip % RUN_CHUNK_MAX;
	run->unpacked = (uint32_t)min64(RUN_CHUNK_MAX, len - piece * RUN_CHUNK_MAX);
	run->length = run->unpacked - run->skip;
}

int ewf_map_run(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct ewf *e = self;
	uint64_t n = off / e->chunk;
	uint32_t skip = (uint32_t)(off % e->chunk);
	uint32_t len = (uint32_t)min64(e->chunk, e->size - n * e->chunk);
	const struct ewf_table *t;
	struct ewf_chunk chunk;
	int r = get_chunk(e, n, &t, &chunk);

	(void)node;
	if (r)
		return r;
	*run = (struct run){.length = len - skip, .dev = t->dev, .skip = skip, .unpacked = len};
	if (is_zero(&chunk)) {
		run->kind = RUN_ZERO;
		extend_zeros(e, n, run);
	} else if (chunk.filled || (chunk.packed && packed_max(e) > RUN_CHUNK_MAX)) {
		map_piece(n, skip, len, run);
	} else if (chunk.packed) {
		run->kind = RUN_PACKED;
		run->codec = e->codec;
		run->offset = chunk.offset;
		run->packed = (uint32_t)min64(chunk.stored, packed_max(e));
	} else {
		run->kind = RUN_RAW;
		run->offset = chunk.offset + skip;
		r = chunk.stored < len ? -EIO : 0;
	}
	return r;
}
