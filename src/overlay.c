/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The overlay's engine. A device promises nothing about the order of sectors before a flush, so
 * there is no journal and no commit record, only one rule about bits and their data. It rests on
 * these invariants (the model in the design numbers them alike):
 *
 *   I1  A bit is durable only if all of its block was durable before.
 *   I2  Bits go from 0 to 1, never back: the older valid slot of a page is a subset of the newer.
 *   I3  A slot is written only while the other slot of its page is durable.
 *   I4  The image of a page that is written was copied before the first fdatasync of its flush.
 *   I5  While its bit is 0, a block's bytes in the file mean nothing (they may be what a lost
 *       write left), so zeroing an unallocated block punches it first.
 *   I6  A bit is set in memory only when the whole block was written; until then the block
 *       belongs to one writer, who holds the lock of its granule.
 *   I7  The base is read-only (dev-file.c sees to that).
 *   I8  After a failed fdatasync nothing is written any more: the kernel may have dropped pages.
 *
 * Memory. The map and everything that a flush needs is in memory shared over fork (struct
 * shared), so that when the serving process is killed, its supervisor performs the flush. A page
 * of the map is loaded when a block of it is first asked for.
 *
 * Locks, in this order: writers -> gate -> granule -> load; flush alone. The granule locks (a
 * granule is the 64 blocks of one word of the map) serialise writers only while a block is being
 * allocated: writes to present blocks and all reads take none. No lock is held across a call to the
 * base but the granule's, for the copy-up.
 */
#include "config.h"

#include "overlay.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crc32c.h"

#define GRANULE_BITS (OVL_BLOCK_BITS + 6)
#define GRANULE      (1u << GRANULE_BITS)
#define WORDS        (OVL_BLOCKS_PER_PAGE / 64)
#define STRIPES      256
/* Pages whose images one round of a flush holds: 127 GiB of disk, 4 MiB of memory. */
#define FLUSH_PAGES 1024
/* How much of the map one extent is looked for in. */
#define EXTENT_STEP ((uint64_t)1 << 30)

enum page_state {
	PAGE_UNKNOWN, /* still to be read from the file */
	PAGE_EMPTY,   /* all bits 0: the page in memory was never touched */
	PAGE_HELD,    /* the bits are in memory */
};

struct page {
	uint64_t seq;     /* of the durable slot; 0: there is none */
	uint8_t state;    /* enum page_state */
	uint8_t slot;     /* the durable one; the other is written next */
	uint8_t dirty;    /* has bits that no flush has taken up yet */
	uint8_t flushing; /* is being written, not yet known to be durable */
	uint8_t reserved; /* both slots have their room */
	uint8_t torn;     /* the slot that is written next holds a part of a lost image */
};

/* What outlives the serving process. Flags are written by it alone, and by the supervisor once
 * it is gone. */
struct shared {
	int failed;   /* a sticky errno: I8 */
	int begun;    /* the header is marked open */
	int finished; /* the header is marked clean */
	int unsynced; /* something was acknowledged since the last fdatasync began */
	struct page pages[];
};

struct overlay {
	struct dev dev;
	struct overlay_io *io;
	struct dev *base;
	struct overlay *lower; /* base, when that is a layer below; NULL: it is the image */
	struct ovl_header h;
	int header_slot; /* where h stands */
	struct overlay_hooks hooks;
	struct overlay_mode mode;
	uint64_t npages, map[2], data_off;

	struct shared *shared;
	size_t shared_size;
	struct ovl_page *map_pages; /* in shared memory too */

	bool in_memory; /* io is not a file yet */
	pthread_rwlock_t writers, gate;

	pthread_mutex_t load; /* page.state leaves PAGE_UNKNOWN */
	pthread_mutex_t granule[STRIPES];

	pthread_mutex_t flush;
	pthread_cond_t flushed;
	bool flushing;
	uint64_t started, done;    /* flushes */
	int result;                /* of flush number `done` */
	struct ovl_page *snapshot; /* FLUSH_PAGES of them */
};

static struct overlay *from_dev(struct dev *dev)
{
	return (struct overlay *)dev;
}

static void say(struct overlay *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct overlay *o, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!o->hooks.log)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	o->hooks.log(o->hooks.arg, line);
}

/* ---- the gates ---- */

/*
 * An overlay in memory may become one in a file while it serves (overlay_adopt): until then, all
 * that touch io go through `gate`, and those that write through `writers` first. Once in a file, it
 * stays there, and nobody takes them any more.
 */
static bool enter(struct overlay *o, bool writer)
{
	if (!__atomic_load_n(&o->in_memory, __ATOMIC_ACQUIRE))
		return false;
	if (writer)
		pthread_rwlock_rdlock(&o->writers);
	pthread_rwlock_rdlock(&o->gate);
	return true;
}

static void leave(struct overlay *o, bool gated, bool writer)
{
	if (!gated)
		return;
	pthread_rwlock_unlock(&o->gate);
	if (writer)
		pthread_rwlock_unlock(&o->writers);
}

/* ---- the map ---- */

static uint64_t *word_of(struct overlay *o, uint64_t block)
{
	uint64_t *bits = (uint64_t *)o->map_pages[block / OVL_BLOCKS_PER_PAGE].bits;

	return &bits[block % OVL_BLOCKS_PER_PAGE / 64];
}

static struct page *page_of(struct overlay *o, uint64_t block)
{
	return &o->shared->pages[block / OVL_BLOCKS_PER_PAGE];
}

/*
 * Whether next, in the slot that page p is written to next, begins as an image that did not reach
 * the disk whole. With some sectors of the next image it could become whole, and bring back what
 * was lost before.
 */
static bool is_torn(const struct page *p, const struct ovl_page *next)
{
	return memcmp(next->magic, OVL_PAGE_MAGIC, sizeof next->magic) == 0 &&
	       le64_get(next->seq) > p->seq;
}

/* Read page i from the slot that holds. */
static int load(struct overlay *o, uint64_t i)
{
	struct page *p = &o->shared->pages[i];
	struct ovl_page pair[2];
	int r = 0, slot;

	pthread_mutex_lock(&o->load);
	if (p->state == PAGE_UNKNOWN) {
		for (slot = 0; slot < 2 && !r; slot++)
			r = o->io->ops->pread(o->io, &pair[slot], sizeof pair[slot],
			                      o->map[slot] + i * OVL_PAGE_SIZE);
		slot = r ? -1 : ovl_page_choose(&o->h, i, pair);
		if (slot >= 0) {
			p->seq = le64_get(pair[slot].seq);
			p->slot = (uint8_t)slot;
			memcpy(o->map_pages[i].bits, pair[slot].bits, sizeof pair[slot].bits);
		}
		if (!r)
			p->torn = is_torn(p, &pair[!p->slot]);
		if (!r)
			__atomic_store_n(&p->state, slot >= 0 ? PAGE_HELD : PAGE_EMPTY,
			                 __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&o->load);
	return r;
}

/* The word of the map that holds block; bit 0 is the first block of its granule. */
static int get_word(struct overlay *o, uint64_t block, uint64_t *word)
{
	struct page *p = page_of(o, block);
	uint8_t state = __atomic_load_n(&p->state, __ATOMIC_ACQUIRE);
	int r;

	if (state == PAGE_UNKNOWN) {
		r = load(o, block / OVL_BLOCKS_PER_PAGE);
		if (r)
			return r;
		state = __atomic_load_n(&p->state, __ATOMIC_ACQUIRE);
	}
	/* An empty page is not looked at: that alone would make the kernel give it memory. */
	*word = state == PAGE_EMPTY ? 0
	                            : le64toh(__atomic_load_n(word_of(o, block), __ATOMIC_ACQUIRE));
	return 0;
}

/* Set bits (I6: their blocks are whole) and see that the next flush takes them up. */
static void set_bits(struct overlay *o, uint64_t block, uint64_t mask)
{
	struct page *p = page_of(o, block);

	__atomic_fetch_or(word_of(o, block), htole64(mask), __ATOMIC_RELEASE);
	__atomic_store_n(&p->state, PAGE_HELD, __ATOMIC_RELEASE);
	/* After the bits: a flush clears this mark before it copies them. */
	__atomic_store_n(&p->dirty, 1, __ATOMIC_RELEASE);
}

static void mark_unsynced(struct overlay *o)
{
	__atomic_store_n(&o->shared->unsynced, 1, __ATOMIC_RELEASE);
}

/* For going through a large map in steps: whoever sets its first bit is not waited for. */
static bool page_is_empty(struct overlay *o, uint64_t block)
{
	return __atomic_load_n(&page_of(o, block)->state, __ATOMIC_ACQUIRE) == PAGE_EMPTY;
}

/* How many bytes from off on, up to len, are alike: all in the overlay, or all in the base. */
static int alike(struct overlay *o, uint64_t off, uint64_t len, bool *present, uint64_t *n)
{
	uint64_t block = off >> OVL_BLOCK_BITS, end = off + len, at = off, word;
	bool first = true;
	int r;

	while (at < end) {
		unsigned bit = block % OVL_BLOCKS_PER_PAGE % 64, same;

		r = get_word(o, block, &word);
		if (r)
			return r;
		if (first)
			*present = word >> bit & 1;
		first = false;
		if (page_is_empty(o, block) && !*present) {
			block = (block / OVL_BLOCKS_PER_PAGE + 1) * OVL_BLOCKS_PER_PAGE;
			at = block << OVL_BLOCK_BITS;
			continue;
		}
		word = (*present ? ~word : word) >> bit;
		same = word ? (unsigned)__builtin_ctzll(word) : 64 - bit;
		block += same;
		at = block << OVL_BLOCK_BITS;
		if (same < 64 - bit)
			break;
	}
	*n = min64(at, end) - off;
	return 0;
}

/* ---- reading ---- */

static int read_range(struct overlay *o, char *p, size_t len, uint64_t off)
{

	while (len) {
		bool present;
		uint64_t n;
		int r = alike(o, off, len, &present, &n);

		if (!r)
			r = present ? o->io->ops->pread(o->io, p, n, o->data_off + off)
			            : dev_pread(o->base, p, n, off);
		if (r)
			return r;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int ovl_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	struct overlay *o = from_dev(dev);
	bool gated = enter(o, false);
	int r = read_range(o, buf, len, off);

	leave(o, gated, false);
	return r;
}

static int extent_at(struct overlay *o, uint64_t off, struct dev_extent *ext)
{
	bool present;
	uint64_t n;
	/* Not the whole map for one answer; whoever goes on asks again. */
	int r = alike(o, off, min64(o->dev.size - off, EXTENT_STEP), &present, &n);

	if (r)
		return r;
	r = present ? o->io->ops->extent(o->io, o->data_off + off, ext)
	            : dev_extent(o->base, off, ext);
	if (!r)
		ext->length = min64(ext->length, n);
	return r;
}

static int ovl_extent(struct dev *dev, uint64_t off, struct dev_extent *ext)
{
	struct overlay *o = from_dev(dev);
	bool gated = enter(o, false);
	int r = extent_at(o, off, ext);

	leave(o, gated, false);
	return r;
}

int overlay_held(struct overlay *o, uint64_t off, uint64_t len, bool *held, uint64_t *n)
{
	int r = alike(o, off, len, held, n);

	if (r || *held || !o->lower)
		return r;
	return overlay_held(o->lower, off, *n, held, n);
}

static uint64_t ovl_room(struct dev *dev)
{
	struct overlay *o = from_dev(dev);
	bool gated = enter(o, false);
	uint64_t room = dev_room(o->base) + o->io->ops->room(o->io);

	leave(o, gated, false);
	return room;
}

/* ---- writing ---- */

static pthread_mutex_t *granule_lock(struct overlay *o, uint64_t off)
{
	return &o->granule[(off >> GRANULE_BITS) % STRIPES];
}

/*
 * A new block's bit will need its page to be written: take the room for both slots now, so that
 * a full disk shows at the write and not at the fsync. Where room cannot be taken ahead, the
 * fsync says ENOSPC and can be tried again.
 */
static int reserve_slots(struct overlay *o, uint64_t block)
{
	struct page *p = page_of(o, block);
	uint64_t at = block / OVL_BLOCKS_PER_PAGE * OVL_PAGE_SIZE;
	int r = 0, slot;

	if (!o->io->ops->sync || __atomic_load_n(&p->reserved, __ATOMIC_RELAXED))
		return 0;
	for (slot = 0; slot < 2 && !r; slot++)
		r = o->io->ops->reserve(o->io, o->map[slot] + at, OVL_PAGE_SIZE);
	if (r && r != -EOPNOTSUPP)
		return r;
	__atomic_store_n(&p->reserved, 1, __ATOMIC_RELAXED);
	return 0;
}

static int check_max(struct overlay *o, uint64_t more)
{
	return o->mode.max && o->io->ops->room(o->io) + more > o->mode.max ? -ENOSPC : 0;
}

/* What is present may be a hole, which takes room when it is written to. */
static int check_max_present(struct overlay *o, uint64_t off, uint64_t len)
{
	struct dev_extent ext;
	int r = o->io->ops->extent(o->io, o->data_off + off, &ext);

	if (r)
		return r;
	return ext.hole || ext.length < len ? check_max(o, len) : 0;
}

/*
 * Write len bytes at off, inside one block that is absent: the rest of the block comes from the
 * base (copy-up). buf NULL: zeros.
 */
static int write_with_copy_up(struct overlay *o, const void *buf, size_t len, uint64_t off)
{
	uint64_t start = align_down(off, OVL_BLOCK);
	char block[OVL_BLOCK];
	size_t inside = (size_t)min64(OVL_BLOCK, o->dev.size - start);
	int r = dev_pread(o->base, block, inside, start);

	if (r)
		return r;
	memset(block + inside, 0, OVL_BLOCK - inside);
	if (buf)
		memcpy(block + (off - start), buf, len);
	else
		memset(block + (off - start), 0, len);
	return o->io->ops->pwrite(o->io, block, OVL_BLOCK, o->data_off + start);
}

/* Whether [off, off + len) covers the whole of the block at start, as far as the disk has it. */
static bool covers(struct overlay *o, uint64_t off, uint64_t len, uint64_t start)
{
	return off <= start && min64(start + OVL_BLOCK, o->dev.size) <= off + len;
}

/*
 * The edges of a write that touch absent blocks only in part. Handles a first such block, then a
 * last one, and moves off, len and buf to what is left: present and whole blocks.
 */
static int write_edges(struct overlay *o, uint64_t word, const char **buf, uint64_t *off,
                       uint64_t *len)
{
	uint64_t first = align_down(*off, OVL_BLOCK), last, n;
	int r;

	if (!(word >> (first >> OVL_BLOCK_BITS) % 64 & 1) && !covers(o, *off, *len, first)) {
		n = min64(*len, first + OVL_BLOCK - *off);
		r = write_with_copy_up(o, *buf, n, *off);
		if (r)
			return r;
		*buf = *buf ? *buf + n : NULL;
		*off += n;
		*len -= n;
		if (*len == 0)
			return 0;
	}
	last = align_down(*off + *len - 1, OVL_BLOCK);
	if (!(word >> (last >> OVL_BLOCK_BITS) % 64 & 1) && !covers(o, *off, *len, last)) {
		n = *off + *len - last;
		r = write_with_copy_up(o, *buf ? *buf + (*len - n) : NULL, n, last);
		if (r)
			return r;
		*len -= n;
	}
	return 0;
}

/* Bits of the blocks that [off, off + len), inside one granule, touches. */
static uint64_t touched(uint64_t off, uint64_t len)
{
	unsigned first = (off >> OVL_BLOCK_BITS) % 64;
	unsigned last = ((off + len - 1) >> OVL_BLOCK_BITS) % 64;

	return (~0ull >> (63 - last)) & (~0ull << first);
}

/* A write or (buf NULL) zeroing inside one granule that has absent blocks; its lock is held. */
static int fill_granule(struct overlay *o, const char *buf, uint64_t off, uint64_t len)
{
	uint64_t block = off >> OVL_BLOCK_BITS, mask = touched(off, len), word;
	int r = get_word(o, block, &word);

	if (!r)
		r = write_edges(o, word, &buf, &off, &len);
	if (!r && len) {
		/* The tail of the disk's last block, past the disk's end, has no meaning. */
		r = buf ? o->io->ops->pwrite(o->io, buf, len, o->data_off + off)
		        : o->io->ops->punch(o->io, o->data_off + off, len);
	}
	if (!r && (word & mask) != mask)
		set_bits(o, block, mask);
	return r;
}

static int allocate(struct overlay *o, const char *buf, uint64_t off, uint64_t len)
{
	pthread_mutex_t *lock = granule_lock(o, off);
	int r = reserve_slots(o, off >> OVL_BLOCK_BITS);

	if (!r)
		r = check_max(o, buf ? len : 0);
	if (r)
		return r;
	pthread_mutex_lock(lock);
	r = fill_granule(o, buf, off, len);
	pthread_mutex_unlock(lock);
	return r;
}

static int write_range(struct overlay *o, const char *p, size_t len, uint64_t off)
{
	int r = 0;

	if (__atomic_load_n(&o->shared->failed, __ATOMIC_RELAXED))
		return -EIO;
	while (len && !r) {
		bool present;
		uint64_t n;

		r = alike(o, off, len, &present, &n);
		if (r)
			break;
		if (present) {
			r = o->mode.max ? check_max_present(o, off, n) : 0;
			if (!r)
				r = o->io->ops->pwrite(o->io, p, n, o->data_off + off);
		} else {
			n = min64(len, GRANULE - off % GRANULE);
			r = allocate(o, p, off, n);
		}
		p += n;
		off += n;
		len -= n;
	}
	/* Even when it failed: a part may have reached blocks that were there. */
	mark_unsynced(o);
	return r;
}

static int ovl_pwrite(struct dev *dev, const void *buf, size_t len, uint64_t off)
{
	struct overlay *o = from_dev(dev);
	bool gated = enter(o, true);
	int r = write_range(o, buf, len, off);

	leave(o, gated, true);
	return r;
}

static void lock_all(struct overlay *o, bool lock)
{
	for (int i = 0; i < STRIPES; i++) {
		if (lock)
			pthread_mutex_lock(&o->granule[i]);
		else
			pthread_mutex_unlock(&o->granule[i]);
	}
}

/* Whole granules: one punch for all of them, with every granule locked against copy-ups. */
static int zero_granules(struct overlay *o, uint64_t off, uint64_t len)
{
	uint64_t at, word;
	int r = 0;

	for (at = off; at < off + len && !r; at += GRANULE)
		r = reserve_slots(o, at >> OVL_BLOCK_BITS);
	if (r)
		return r;
	lock_all(o, true);
	/* Pages are loaded before the punch, so that setting bits after it cannot fail. */
	for (at = off; at < off + len && !r; at += GRANULE)
		r = get_word(o, at >> OVL_BLOCK_BITS, &word);
	if (!r)
		r = o->io->ops->punch(o->io, o->data_off + off, len);
	for (at = off; at < off + len && !r; at += GRANULE)
		set_bits(o, at >> OVL_BLOCK_BITS, ~0ull);
	lock_all(o, false);
	return r;
}

static int zero_range(struct overlay *o, uint64_t off, uint64_t len)
{
	int r = 0;

	if (__atomic_load_n(&o->shared->failed, __ATOMIC_RELAXED))
		return -EIO;
	while (len && !r) {
		uint64_t n = min64(len, GRANULE - off % GRANULE);

		if (n == GRANULE) {
			n = align_down(len, GRANULE);
			r = zero_granules(o, off, n);
		} else {
			r = allocate(o, NULL, off, n);
		}
		off += n;
		len -= n;
	}
	mark_unsynced(o);
	return r;
}

static int ovl_zero(struct dev *dev, uint64_t off, uint64_t len)
{
	struct overlay *o = from_dev(dev);
	bool gated = enter(o, true);
	int r = zero_range(o, off, len);

	leave(o, gated, true);
	return r;
}

/* ---- flushing ---- */

static int fail(struct overlay *o, int r, const char *what)
{
	__atomic_store_n(&o->shared->failed, -r, __ATOMIC_RELAXED);
	say(o, "overlay: %s: %s; writes since the last fsync may be lost, and no more are taken",
	    what, strerror(-r));
	return -EIO;
}

static int sync_io(struct overlay *o)
{
	int r = o->io->ops->sync(o->io);

	return r ? fail(o, r, "fdatasync") : 0;
}

/*
 * Copy up to FLUSH_PAGES dirty pages from *next on, with the header that their new slots get.
 * Returns how many.
 */
static size_t take_snapshot(struct overlay *o, uint64_t *next)
{
	size_t n = 0;

	for (; *next < o->npages && n < FLUSH_PAGES; (*next)++) {
		struct page *p = &o->shared->pages[*next];
		uint64_t *from = (uint64_t *)o->map_pages[*next].bits;
		struct ovl_page *s = &o->snapshot[n];
		uint64_t *to = (uint64_t *)s->bits;

		if (!__atomic_load_n(&p->dirty, __ATOMIC_RELAXED))
			continue;
		/* Before dirty is cleared: a supervisor must find the page marked at any moment. */
		__atomic_store_n(&p->flushing, 1, __ATOMIC_RELEASE);
		__atomic_exchange_n(&p->dirty, 0, __ATOMIC_ACQ_REL);
		for (unsigned w = 0; w < WORDS; w++)
			to[w] = __atomic_load_n(&from[w], __ATOMIC_ACQUIRE);
		memcpy(s->magic, OVL_PAGE_MAGIC, sizeof s->magic);
		memcpy(s->uuid_lo, o->h.uuid, sizeof s->uuid_lo);
		s->index = le64_put(*next);
		s->seq = le64_put(p->seq + 1);
		s->crc = le32_put(crc32c((char *)s + 4, sizeof *s - 4));
		n++;
	}
	return n;
}

/* Write the first len bytes of what page i's new slot gets. */
static int write_slot(struct overlay *o, uint64_t i, const void *buf, size_t len)
{
	int r = o->io->ops->pwrite(o->io, buf, len,
	                           o->map[!o->shared->pages[i].slot] + i * OVL_PAGE_SIZE);

	return r && r != -ENOSPC ? fail(o, r, "writing the map") : r;
}

/* The first sector of a torn image goes, durably, before others of its slot are written. */
static int wipe_torn(struct overlay *o, size_t n)
{
	static const uint8_t zeros[512];
	int r = 0;

	for (size_t k = 0; k < n && !r; k++) {
		uint64_t i = le64_get(o->snapshot[k].index);

		if (o->shared->pages[i].torn)
			r = write_slot(o, i, zeros, sizeof zeros);
	}
	return r;
}

static int write_snapshot(struct overlay *o, size_t n)
{
	int r = 0;

	for (size_t k = 0; k < n && !r; k++)
		r = write_slot(o, le64_get(o->snapshot[k].index), &o->snapshot[k], OVL_PAGE_SIZE);
	return r;
}

/* What was being written is durable (or, not done, still dirty). */
static void settle(struct overlay *o, bool done)
{
	for (uint64_t i = 0; i < o->npages; i++) {
		struct page *p = &o->shared->pages[i];

		if (!p->flushing)
			continue;
		/* In this order, whoever is killed between them: the supervisor must never write a
		 * slot with the sequence number that the other one has. */
		if (done) {
			p->torn = 0;
			__atomic_store_n(&p->seq, p->seq + 1, __ATOMIC_RELEASE);
			__atomic_store_n(&p->slot, !p->slot, __ATOMIC_RELEASE);
		} else {
			__atomic_store_n(&p->dirty, 1, __ATOMIC_RELEASE);
		}
		__atomic_store_n(&p->flushing, 0, __ATOMIC_RELEASE);
	}
}

static int flush_now(struct overlay *o)
{
	int unsynced = __atomic_exchange_n(&o->shared->unsynced, 0, __ATOMIC_ACQ_REL);
	uint64_t next = 0;
	size_t n, pages = 0;
	int r = 0;

	do {
		n = take_snapshot(o, &next);
		pages += n;
		if (n == 0 && !unsynced)
			break;
		r = wipe_torn(o, n);
		if (!r)
			r = sync_io(o); /* I1: the data */
		unsynced = 0;
		if (!r)
			r = write_snapshot(o, n);
	} while (n == FLUSH_PAGES && !r);
	if (!r && pages)
		r = sync_io(o); /* the map */
	if (pages)
		settle(o, !r);
	if (r)
		mark_unsynced(o);
	return r;
}

int overlay_flush(struct overlay *o)
{
	uint64_t want;
	int r;

	if (o->mode.read_only)
		return 0;
	if (o->hooks.before_flush)
		o->hooks.before_flush(o->hooks.arg);
	if (__atomic_load_n(&o->in_memory, __ATOMIC_ACQUIRE))
		return 0;
	pthread_mutex_lock(&o->flush);
	want = o->started + 1; /* one that begins from now on has everything acknowledged */
	while (o->done < want) {
		if (o->flushing) {
			pthread_cond_wait(&o->flushed, &o->flush);
			continue;
		}
		o->flushing = true;
		o->started++;
		pthread_mutex_unlock(&o->flush);
		r = o->shared->failed ? -EIO : flush_now(o);
		pthread_mutex_lock(&o->flush);
		o->flushing = false;
		o->done = o->started;
		o->result = r;
		pthread_cond_broadcast(&o->flushed);
	}
	r = o->result;
	pthread_mutex_unlock(&o->flush);
	return r;
}

static int ovl_flush(struct dev *dev)
{
	return overlay_flush(from_dev(dev));
}

/* ---- life ---- */

static int put_header(struct overlay *o, enum ovl_state state)
{
	int slot = !o->header_slot, r;

	o->h.state = (uint8_t)state;
	o->h.hseq = le64_put(le64_get(o->h.hseq) + 1);
	r = ovl_header_write(o->io, &o->h, slot);
	if (!r && o->io->ops->sync)
		r = o->io->ops->sync(o->io);
	if (!r)
		o->header_slot = slot;
	return r;
}

int overlay_begin(struct overlay *o)
{
	int r;

	if (o->in_memory || o->mode.read_only)
		return 0;
	/* The header that holds may be one that a killed process wrote and nobody synced. As with
	 * the slots of a page, the other is written only when it is durable. */
	r = o->io->ops->sync(o->io);
	if (r)
		return r;
	ovl_header_session(&o->h);
	r = put_header(o, OVL_OPEN);
	o->shared->begun = r == 0;
	return r;
}

int overlay_finish(struct overlay *o)
{
	int r;

	if (!o->shared->begun || o->shared->finished)
		return 0;
	/*
	 * Of what a killed process was doing nothing is taken for done. Pages that it was writing:
	 * their new slots may or may not be there, their old ones are, so they are written again.
	 */
	settle(o, false);
	mark_unsynced(o);
	/* I1, I8: it may have been killed over a failed sync; bits of what that dropped must not
	 * be written. */
	r = o->shared->failed || !o->io->ops->sync_anew ? 0 : o->io->ops->sync_anew(o->io);
	r = r ? fail(o, r, "fdatasync") : overlay_flush(o);
	if (!r)
		r = put_header(o, OVL_CLEAN);
	if (!r)
		o->shared->finished = 1;
	return r;
}

/* ---- from memory to a file ---- */

int overlay_pause(struct overlay *o)
{
	if (!o->in_memory)
		return -EINVAL;
	pthread_rwlock_wrlock(&o->writers);
	return 0;
}

void overlay_resume(struct overlay *o)
{
	pthread_rwlock_unlock(&o->writers);
}

/* The bits in memory are those in the file; where its pages stand is not. */
static int adopt_pages(struct overlay *o, struct overlay_io *io, const struct ovl_header *h)
{
	struct ovl_page pair[2];
	uint64_t i;
	int r, slot;

	for (i = 0; !(r = ovl_page_next(io, h, &i, pair)) && i < o->npages; i++) {
		struct page *p = &o->shared->pages[i];

		slot = ovl_page_choose(h, i, pair);
		if (slot < 0)
			continue;
		p->seq = le64_get(pair[slot].seq);
		p->slot = (uint8_t)slot;
		p->dirty = p->reserved = 0;
	}
	return r;
}

int overlay_adopt(struct overlay *o, struct overlay_io *io, const struct ovl_header *h, int slot)
{
	int r = le64_get(h->virtual_size) == o->dev.size ? adopt_pages(o, io, h) : -EINVAL;

	if (r) {
		io->ops->close(io);
		return r;
	}
	pthread_rwlock_wrlock(&o->gate);
	o->io->ops->close(o->io);
	o->io = io;
	o->h = *h;
	o->header_slot = slot;
	o->mode.max = 0;
	__atomic_store_n(&o->in_memory, false, __ATOMIC_RELEASE);
	pthread_rwlock_unlock(&o->gate);
	return 0;
}

const struct ovl_header *overlay_header(const struct overlay *o)
{
	return &o->h;
}

static void ovl_close(struct dev *dev)
{
	struct overlay *o = from_dev(dev);

	for (int i = 0; i < STRIPES; i++)
		pthread_mutex_destroy(&o->granule[i]);
	pthread_rwlock_destroy(&o->writers);
	pthread_rwlock_destroy(&o->gate);
	pthread_mutex_destroy(&o->load);
	pthread_mutex_destroy(&o->flush);
	pthread_cond_destroy(&o->flushed);
	if (o->shared)
		munmap(o->shared, o->shared_size);
	free(o->snapshot);
	dev_unref(o->base);
	o->io->ops->close(o->io);
	free(o);
}

void overlay_free(struct overlay *o)
{
	if (o)
		dev_unref(&o->dev);
}

struct dev *overlay_dev(struct overlay *o)
{
	return &o->dev;
}

static const struct dev_ops overlay_ro_ops = {
	.pread = ovl_pread,
	.extent = ovl_extent,
	.room = ovl_room,
	.close = ovl_close,
};

static const struct dev_ops overlay_ops = {
	.pread = ovl_pread,
	.pwrite = ovl_pwrite,
	.zero = ovl_zero,
	.flush = ovl_flush,
	.extent = ovl_extent,
	.room = ovl_room,
	.close = ovl_close,
};

/*
 * Zero-filled memory that takes room where it is touched. A child made by fork shares it, unless
 * there is nothing that it could change, when the cheaper kind does.
 */
static int map_shared(struct overlay *o)
{
	uint64_t pages =
		align_up(sizeof *o->shared + o->npages * sizeof *o->shared->pages, OVL_PAGE_SIZE);

	o->shared_size = pages + o->npages * OVL_PAGE_SIZE;
	o->shared =
		mmap(NULL, o->shared_size, PROT_READ | PROT_WRITE,
	             (o->mode.read_only ? MAP_PRIVATE : MAP_SHARED) | MAP_ANONYMOUS | MAP_NORESERVE,
	             -1, 0);
	if (o->shared == MAP_FAILED) {
		o->shared = NULL;
		return -ENOMEM;
	}
	o->map_pages = (struct ovl_page *)((char *)o->shared + pages);
	return 0;
}

/* Whoever waits to shut a gate goes first, or a busy disk would never let it. */
static void init_gates(struct overlay *o)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&o->writers, &attr);
	pthread_rwlock_init(&o->gate, &attr);
	pthread_rwlockattr_destroy(&attr);
}

int overlay_start(struct overlay_io *io, const struct ovl_header *h, int slot, struct dev *base,
                  struct overlay_mode mode, const struct overlay_hooks *hooks, struct overlay **out,
                  struct platter_error *err)
{
	struct overlay *o = calloc(1, sizeof *o);
	int r;

	*out = NULL;
	if (!o) {
		io->ops->close(io);
		return err_set(err, ENOMEM, "no memory for the overlay");
	}
	dev_init(&o->dev, mode.read_only ? &overlay_ro_ops : &overlay_ops, base->size);
	o->io = io;
	o->base = dev_ref(base);
	o->lower = base->ops == &overlay_ro_ops ? from_dev(base) : NULL;
	o->h = *h;
	o->header_slot = slot;
	o->mode = mode;
	o->npages = le64_get(h->npages);
	o->map[0] = le64_get(h->map_a);
	o->map[1] = le64_get(h->map_b);
	o->data_off = le64_get(h->data_off);
	if (hooks)
		o->hooks = *hooks;
	o->in_memory = !io->ops->sync;
	init_gates(o);
	pthread_mutex_init(&o->load, NULL);
	pthread_mutex_init(&o->flush, NULL);
	pthread_cond_init(&o->flushed, NULL);
	for (int i = 0; i < STRIPES; i++)
		pthread_mutex_init(&o->granule[i], NULL);

	if (!mode.read_only)
		o->snapshot = malloc(FLUSH_PAGES * sizeof *o->snapshot);
	r = o->snapshot || mode.read_only ? map_shared(o) : -ENOMEM;
	if (r)
		err_set(err, -r, "no memory for the overlay's map of %llu pages",
		        (unsigned long long)o->npages);
	else if (le64_get(h->virtual_size) != base->size)
		r = err_set(err, ESTALE, "made for a disk of %llu bytes, this one has %llu",
		            (unsigned long long)le64_get(h->virtual_size),
		            (unsigned long long)base->size);
	if (r) {
		overlay_free(o);
		return r;
	}
	*out = o;
	return 0;
}
