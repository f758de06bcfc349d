/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AFF4 v1.0, section 4: which entry of the map a byte of the disk is in, and what it refers to. A
 * map that is not held is searched where it stands, in blocks. It has to be in order then; were it
 * not, nothing would be found where something is, which is an error and not a gap.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "aff4.h"
#include "cache.h"

/* Entries that are read at a time of a map that is not held. */
#define BLOCK 2048u

/* The texts begin again at each MiB. */
#define FILL ((uint32_t)1 << 20)

const char aff4_unknown[] = "UNKNOWN";
const char aff4_unreadable[] = "UNREADABLEDATA";

int aff4_check_entry(const struct aff4 *a, const struct aff4_map_entry *e)
{
	const struct aff4_target *t;
	uint64_t end;

	if (le32_get(e->target_id) >= a->ntargets ||
	    !ckd_add64(&end, le64_get(e->mapped_offset), le64_get(e->length)))
		return -EIO;
	t = &a->targets[le32_get(e->target_id)];
	if (t->kind == AFF4_STREAM &&
	    !range_ok(le64_get(e->target_offset), le64_get(e->length), t->stream.size))
		return -EIO;
	return 0;
}

static int get_entry(const struct aff4 *a, uint64_t i, struct aff4_map_entry *e)
{
	uint64_t block = i / BLOCK * BLOCK;
	const struct cache_chunk *chunk;
	int r;

	if (a->held) {
		*e = a->held[i];
		return 0;
	}
	r = run_table(a->cache, a->dev, a->start + block * sizeof *e,
	              (size_t)min64(BLOCK, a->count - block) * sizeof *e, &chunk);
	if (r)
		return r;
	memcpy(e, (const char *)chunk->data + (i - block) * sizeof *e, sizeof *e);
	cache_put(a->cache, chunk);
	return aff4_check_entry(a, e);
}

/*
 * The entry that off is in, or (*gap) how far it is to the next one. *next: the number of the entry
 * behind it.
 */
static int find_entry(const struct aff4 *a, uint64_t off, struct aff4_map_entry *e, uint64_t *gap,
                      uint64_t *next)
{
	uint64_t low = 0, high = a->count, end = a->size;
	struct aff4_map_entry try;
	int r;

	*gap = 0;
	while (low < high) { /* the first one that begins behind off */
		uint64_t middle = low + (high - low) / 2;

		r = get_entry(a, middle, &try);
		if (r)
			return r;
		if (le64_get(try.mapped_offset) <= off) {
			low = middle + 1;
		} else {
			high = middle;
			end = min64(end, le64_get(try.mapped_offset));
		}
	}
	*next = low;
	if (low > 0) {
		r = get_entry(a, low - 1, e);
		if (r)
			return r;
		if (off - le64_get(e->mapped_offset) < le64_get(e->length))
			return 0;
	}
	/* In a map that is read as it stands, it may as well be out of order. */
	if (!a->held)
		return -EIO;
	*gap = end - off;
	return 0;
}

/* How far the run goes on over entries that go on where the one before ended. */
static void extend(const struct aff4 *a, uint64_t next, const struct aff4_map_entry *first,
                   uint64_t *len)
{
	uint64_t mapped = le64_get(first->mapped_offset), target = le64_get(first->target_offset);
	uint64_t span = le64_get(first->length);
	uint32_t id = le32_get(first->target_id);
	struct aff4_map_entry e;

	for (unsigned i = 0; i < BLOCK && next < a->count; i++, next++) {
		if (get_entry(a, next, &e) || le32_get(e.target_id) != id ||
		    le64_get(e.mapped_offset) != mapped + span)
			break;
		if (a->targets[id].kind == AFF4_STREAM || a->targets[id].text)
			if (le64_get(e.target_offset) != target + span)
				break;
		span += le64_get(e.length);
		*len += le64_get(e.length);
	}
}

/* RUN_MADE chunks of fills: below those of streams. */
enum { MADE_UNKNOWN = 256, MADE_UNREADABLE };

static void map_fill(const struct aff4_target *t, uint64_t off, struct run *run)
{
	if (!t->text && t->byte == 0) {
		run->kind = RUN_ZERO;
		return;
	}
	run->kind = RUN_MADE;
	run->unpacked = FILL;
	run->skip = (uint32_t)(off % FILL);
	run->length = FILL - run->skip;
	run->offset = !t->text ? t->byte : t->text == aff4_unknown ? MADE_UNKNOWN : MADE_UNREADABLE;
}

static int make_chunk(void *self, uint64_t number, void *data, size_t size)
{
	const struct aff4 *a = self;
	uint64_t stream = number >> AFF4_CHUNK_BITS;
	const char *text;
	size_t len;

	if (stream)
		return aff4_stream_make(&a->targets[stream - 1].stream, a->cache, number, data,
		                        size);
	if (number < MADE_UNKNOWN) {
		memset(data, (int)number, size);
		return 0;
	}
	text = number == MADE_UNKNOWN ? aff4_unknown : aff4_unreadable;
	len = strlen(text);
	for (size_t i = 0; i < size; i++)
		((char *)data)[i] = text[i % len];
	return 0;
}

int aff4_map_run(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct aff4 *a = self;
	const struct aff4_target *t = &a->targets[a->ntargets];
	uint64_t len, next, at = off;
	struct aff4_map_entry e;
	int r = find_entry(a, off, &e, &len, &next);

	(void)node;
	if (r)
		return r;
	if (len == 0) {
		uint64_t in = off - le64_get(e.mapped_offset);

		t = &a->targets[le32_get(e.target_id)];
		at = le64_get(e.target_offset) + in;
		len = le64_get(e.length) - in;
		extend(a, next, &e, &len);
	}
	*run = (struct run){.kind = RUN_ZERO, .length = len};
	if (t->kind == AFF4_STREAM)
		r = aff4_stream_map(&t->stream, a->cache, at, run);
	else
		map_fill(t, at, run);
	run->length = run->kind == RUN_ZERO ? len : min64(run->length, len);
	run->make = make_chunk;
	return r;
}
