/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "crashio.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "testdev.h"

#define BLOCK_BITS  12
#define PER_BLOCK   ((1u << BLOCK_BITS) / CRASH_SECTOR)
#define PENDING_MAX ((size_t)1 << 18)
#define MEMORY      ((size_t)256 << 20)

static uint8_t zeros[CRASH_SECTOR];

static struct crashio *of(struct overlay_io *io)
{
	return (struct crashio *)io;
}

/* ---- memory ---- */

static void *take(struct crashio *c, size_t size)
{
	void *p = c->memory;

	CHECK(size <= (size_t)(c->memory_end - c->memory));
	c->memory += size;
	return p;
}

static uint8_t *new_version(struct crashio *c)
{
	uint8_t *p = c->spare;

	if (!p)
		return take(c, CRASH_SECTOR);
	memcpy(&c->spare, p, sizeof c->spare);
	return p;
}

static void free_version(struct crashio *c, uint8_t *p)
{
	if (!p || p == zeros)
		return;
	memcpy(p, &c->spare, sizeof c->spare);
	c->spare = p;
}

static struct crash_sector *sector_at(struct crashio *c, uint64_t s)
{
	struct crash_sector **block = &c->blocks[s / PER_BLOCK];

	if (!*block)
		*block = take(c, PER_BLOCK * sizeof **block);
	return &(*block)[s % PER_BLOCK];
}

/* What sector s of the file holds, or held after the cut. */
static const uint8_t *contents(struct crashio *c, uint64_t s)
{
	const struct crash_sector *block = c->blocks[s / PER_BLOCK];
	const uint8_t *p = NULL;

	if (block) {
		block += s % PER_BLOCK;
		if (!c->show_cut)
			p = block->now;
		else
			p = block->cut_number == c->cut_number ? block->cut : block->durable;
	}
	if (p)
		return p;
	return s * CRASH_SECTOR < c->data_off ? zeros : c->filler;
}

/* ---- the calls ---- */

static void moment(struct crashio *c, enum crash_moment when)
{
	if (c->hook)
		c->hook(c->hook_arg, when);
}

static int crash_pread(struct overlay_io *io, void *buf, size_t len, uint64_t off)
{
	struct crashio *c = of(io);
	uint8_t *to = buf;

	c->preads++;
	if (off > c->size || len > c->size - off)
		return -EIO;
	while (len) {
		size_t skip = off % CRASH_SECTOR, n = CRASH_SECTOR - skip;

		n = n < len ? n : len;
		memcpy(to, contents(c, off / CRASH_SECTOR) + skip, n);
		to += n;
		off += n;
		len -= n;
	}
	return 0;
}

/* One more version of a sector, which may or may not reach the disk. buf NULL: zeros. */
static void write_sector(struct crashio *c, uint64_t off, const uint8_t *buf, size_t len)
{
	uint64_t s = off / CRASH_SECTOR;
	struct crash_sector *sector = sector_at(c, s);
	uint8_t *data = zeros;

	if (buf || len < CRASH_SECTOR) {
		data = new_version(c);
		if (len < CRASH_SECTOR)
			memcpy(data, contents(c, s), CRASH_SECTOR);
		if (buf)
			memcpy(data + off % CRASH_SECTOR, buf, len);
		else
			memset(data + off % CRASH_SECTOR, 0, len);
	}
	CHECK(c->npending < PENDING_MAX);
	c->pending[c->npending++] = (struct crash_write){sector, data, off < c->data_off};
	sector->now = data;
}

static void write_range(struct crashio *c, const uint8_t *buf, uint64_t len, uint64_t off)
{
	bool meta = off < c->data_off;
	uint64_t half = off + len / 2, end = off + len;

	CHECK(!c->show_cut && off <= c->size && len <= c->size - off);
	moment(c, meta ? CRASH_BEFORE_META : CRASH_BEFORE_DATA);
	while (off < end) {
		uint64_t n = CRASH_SECTOR - off % CRASH_SECTOR;

		n = n < end - off ? n : end - off;
		crashio_record(c, true);
		write_sector(c, off, buf, n);
		crashio_record(c, false);
		if (off < half && off + n >= half && off + n < end)
			moment(c, meta ? CRASH_AMID_META : CRASH_AMID_DATA);
		buf = buf ? buf + n : NULL;
		off += n;
	}
	moment(c, meta ? CRASH_AFTER_META : CRASH_AFTER_DATA);
}

static int crash_pwrite(struct overlay_io *io, const void *buf, size_t len, uint64_t off)
{
	struct crashio *c = of(io);

	c->pwrites++;
	if (c->fail_pwrite)
		return -c->fail_pwrite;
	write_range(c, buf, len, off);
	return 0;
}

static int crash_punch(struct overlay_io *io, uint64_t off, uint64_t len)
{
	struct crashio *c = of(io);

	c->punches++;
	write_range(c, NULL, len, off);
	return 0;
}

static int crash_reserve(struct overlay_io *io, uint64_t off, uint64_t len)
{
	(void)off;
	(void)len;
	return -of(io)->fail_reserve;
}

/* What was written when fdatasync was called is durable; a later write cannot come in between. */
static void make_durable(struct crashio *c)
{
	for (size_t i = 0; i < c->npending; i++) {
		struct crash_write *w = &c->pending[i];

		if (w->data == w->sector->durable)
			continue; /* zeroed twice */
		free_version(c, w->data == w->sector->now ? w->sector->durable : w->data);
		if (w->data == w->sector->now)
			w->sector->durable = w->data;
	}
	c->npending = 0;
}

static bool is_garbage(const struct crashio *c, const uint8_t *data)
{
	return data >= c->garbage[0] && data < c->garbage[0] + sizeof c->garbage;
}

/* A part was written; the rest never will be, though it can still be read. */
static void make_partly_durable(struct crashio *c)
{
	crashio_cut(c);
	for (size_t i = 0; i < c->npending; i++) {
		struct crash_sector *s = c->pending[i].sector;

		if (s->cut_number == c->cut_number && !is_garbage(c, s->cut))
			s->durable = s->cut;
	}
	c->npending = 0;
}

static int crash_sync(struct overlay_io *io)
{
	struct crashio *c = of(io);
	int fail;

	c->syncs++;
	moment(c, CRASH_BEFORE_SYNC);
	fail = c->fail_sync;
	c->sync_failed |= fail != 0;
	crashio_record(c, true);
	if (fail)
		make_partly_durable(c);
	else
		make_durable(c);
	crashio_record(c, false);
	moment(c, CRASH_AFTER_SYNC);
	return -fail;
}

static int crash_sync_anew(struct overlay_io *io)
{
	return of(io)->sync_failed ? -EIO : crash_sync(io);
}

static int crash_extent(struct overlay_io *io, uint64_t off, struct dev_extent *ext)
{
	*ext = (struct dev_extent){.length = of(io)->size - off};
	return 0;
}

static uint64_t crash_room(struct overlay_io *io)
{
	return of(io)->size;
}

/* The test looks into it after the overlay is closed: crashio_free ends it. */
static void crash_close(struct overlay_io *io)
{
	(void)io;
}

static const struct overlay_io_ops crash_ops = {
	.pread = crash_pread,
	.pwrite = crash_pwrite,
	.punch = crash_punch,
	.reserve = crash_reserve,
	.sync = crash_sync,
	.sync_anew = crash_sync_anew,
	.extent = crash_extent,
	.room = crash_room,
	.close = crash_close,
};

struct crashio *crashio_new(uint64_t size, uint64_t data_off, uint8_t filler)
{
	size_t blocks = (size >> BLOCK_BITS) + 1;
	size_t mapped = sizeof(struct crashio) + blocks * sizeof(struct crash_sector *) +
	                PENDING_MAX * sizeof(struct crash_write) + MEMORY;
	struct crashio *c = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
	                         MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(c != MAP_FAILED && size % CRASH_SECTOR == 0);
	c->io.ops = &crash_ops;
	c->size = size;
	c->data_off = data_off;
	c->random = 88172645463325252u;
	c->mapped = mapped;
	c->memory = (uint8_t *)(c + 1);
	c->memory_end = (uint8_t *)c + mapped;
	c->blocks = take(c, blocks * sizeof *c->blocks);
	c->pending = take(c, PENDING_MAX * sizeof *c->pending);
	memset(c->filler, filler, sizeof c->filler);
	return c;
}

/* ---- cutting the power ---- */

static void put(struct crashio *c, const struct crash_write *w, uint8_t *data)
{
	w->sector->cut = data;
	w->sector->cut_number = c->cut_number;
}

static const struct crash_write *any_pending(struct crashio *c)
{
	return &c->pending[(crash_random(&c->random) >> 8) % c->npending];
}

/* A few sectors of metadata that were being written hold something that nobody wrote. */
static void put_garbage(struct crashio *c)
{
	for (int i = 0; i < CRASH_GARBAGE; i++) {
		const struct crash_write *w = any_pending(c);
		uint64_t kind = crash_random(&c->random) >> 8, word;

		for (int tries = 0; tries < 8 && !w->meta; tries++)
			w = any_pending(c);
		if (!w->meta || kind % 2)
			continue;
		for (unsigned b = 0; b < CRASH_SECTOR; b += sizeof word) {
			word = kind % 8 ? crash_random(&c->random) : 0;
			memcpy(c->garbage[i] + b, &word, sizeof word);
		}
		put(c, w, c->garbage[i]);
	}
}

/* Any subset; data and metadata may fare differently, which is what tells them apart best. */
static void put_subset(struct crashio *c)
{
	uint64_t r = crash_random(&c->random);
	unsigned keep_data = (r >> 8) % 257, keep_meta = r >> 20 & 1 ? (r >> 24) % 257 : keep_data;

	for (size_t i = 0; i < c->npending; i++) {
		if (i % 8 == 0)
			r = crash_random(&c->random);
		if ((r & 0xff) < (c->pending[i].meta ? keep_meta : keep_data))
			put(c, &c->pending[i], c->pending[i].data);
		r >>= 8;
	}
	/* An older version of a sector may be the last to arrive. */
	for (int i = 0; i < 4; i++) {
		const struct crash_write *w = any_pending(c);

		put(c, w, w->data);
	}
}

void crashio_cut(struct crashio *c)
{
	unsigned kind = (crash_random(&c->random) >> 8) % 4;
	size_t upto = c->npending;
	const struct crash_write *missing = NULL;

	c->cut_number++;
	if (c->npending == 0)
		return;
	if (kind == 0) /* in order, up to some write */
		upto = (crash_random(&c->random) >> 8) % (c->npending + 1);
	else if (kind == 1) /* all but one */
		missing = any_pending(c);
	else
		put_subset(c);
	for (size_t i = 0; kind < 2 && i < upto; i++)
		if (&c->pending[i] != missing)
			put(c, &c->pending[i], c->pending[i].data);
	/* Garbage makes a page of the map bad, whatever else is in it. */
	if ((crash_random(&c->random) >> 8) % 4 == 0)
		put_garbage(c);
}

/* What a failed sync dropped can be read until now. */
static void forget_dropped(struct crashio *c)
{
	for (uint64_t b = 0; b <= c->size >> BLOCK_BITS; b++)
		for (unsigned s = 0; c->blocks[b] && s < PER_BLOCK; s++)
			c->blocks[b][s].now = c->blocks[b][s].durable;
	c->sync_failed = false;
}

void crashio_become_cut(struct crashio *c)
{
	for (size_t i = 0; i < c->npending; i++) {
		struct crash_sector *s = c->pending[i].sector;

		if (s->cut_number == c->cut_number) {
			s->durable = s->cut;
			if (is_garbage(c, s->cut))
				s->durable = memcpy(new_version(c), s->cut, CRASH_SECTOR);
		}
		s->now = s->durable;
	}
	c->npending = 0;
	c->cut_number++;
	if (c->sync_failed)
		forget_dropped(c);
}

void crashio_free(struct crashio *c)
{
	munmap(c, c->mapped);
}
