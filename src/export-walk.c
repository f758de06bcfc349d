/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From one end of the disk to the other. The thread that walks finds what is there, in items of at
 * most EXPORT_STEP, and takes them again in the same order; in between workers, two to a core since
 * they also wait for the disk, read and pack them, which is where the time goes. The items are a
 * ring: a slow file to write to keeps the workers waiting, and a slow worker the one who writes. On
 * one core there are no workers.
 *
 * The lock protects the counters and the items' .done; an item belongs to the walker until it is
 * .given away, and to one worker until it is .done.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "ondisk.h"
#include "used.h"

/* How much of the disk is looked at before the caller hears of it again. */
#define LOOK_STEP ((uint64_t)64 << 30)

#define WORKERS_MAX 64
#define ITEMS_AHEAD 8 /* more than there are workers: one that is slow holds up the others */

/* Free ranges inside an item: no filesystem allocates by less than 512 bytes. */
#define FREE_MAX (EXPORT_STEP / 1024 + 1)

/* Up to end it is a hole or data. */
struct seen {
	uint64_t end;
	bool hole;
};

struct range {
	size_t start, end; /* in an item */
};

struct work {
	struct export_item item;
	struct range *free; /* what need not be read */
	size_t nfree;
	int r; /* what came of it; when it is not 0, these bytes cannot be read: */
	uint64_t bad_off, bad_len;
	bool done;
};

struct walk {
	struct export_job *x;
	struct seen image; /* what was last found out of the image alone */
	struct seen disk;  /* of what is exported; a hole is what is left out */

	pthread_mutex_t lock;
	pthread_cond_t to_do, done;
	pthread_t workers[WORKERS_MAX];
	unsigned nworkers;
	struct packer *packers[WORKERS_MAX];
	struct work *ring;
	uint64_t size;                /* of the ring */
	uint64_t given, taken, ended; /* counts of items: each is at most the one before */
	bool quit;
};

/* ---- what there is ---- */

static int cannot_read(struct export_job *x, uint64_t len, uint64_t off, int r)
{
	return err_set(x->err, -r, "%s: %llu bytes at %llu of %s%s cannot be read: %s", x->dst,
	               (unsigned long long)len, (unsigned long long)off, x->src,
	               x->overlay ? " and its overlay" : "", strerror(-r));
}

int export_check_stop(struct export_job *x)
{
	return x->how->stop && *x->how->stop ? err_set(x->err, EINTR, "%s: interrupted", x->dst)
	                                     : 0;
}

/* Report how far it is, and hear whether that is far enough. */
static int step(struct export_job *x, uint64_t done)
{
	if (x->progress && x->progress->step)
		x->progress->step(x->progress->arg, done, x->from->size);
	return export_check_stop(x);
}

/*
 * Filesystems may walk over all of a stretch to find its end, so nothing is asked twice: offsets
 * only grow. An image in one piece under an overlay in thousands is asked for its holes once.
 */
static int see(struct dev *dev, uint64_t off, struct seen *seen)
{
	struct dev_extent ext;
	int r;

	if (off < seen->end)
		return 0;
	r = dev_extent(dev, off, &ext);
	if (!r)
		*seen = (struct seen){.end = off + ext.length, .hole = ext.hole};
	return r;
}

/* Take from what w->disk says of off what its filesystem does not use. */
static void leave_free_out(struct walk *w, uint64_t off)
{
	uint64_t start, end;

	if (!w->x->used || w->disk.hole || !used_next_free(w->x->used, off, &start, &end))
		return;
	if (start > off)
		w->disk.end = min64(w->disk.end, start);
	else
		w->disk = (struct seen){.end = end, .hole = true};
}

/* Find out what begins at off: .disk. */
static int look(struct walk *w, uint64_t off)
{
	struct export_job *x = w->x;
	uint64_t n = min64(x->from->size - off, LOOK_STEP);
	bool held = false;
	int r = 0;

	if (off < w->disk.end)
		return 0;
	if (x->overlay)
		r = overlay_held(x->overlay, x->start + off, n, &held, &n);
	if (r)
		return r;
	if (x->original) {
		w->disk = (struct seen){.end = off + n, .hole = !held};
	} else if (held) {
		r = see(x->from, off, &w->disk);
	} else {
		r = see(x->image, off, &w->image);
		w->disk = (struct seen){.end = min64(off + n, w->image.end), .hole = w->image.hole};
	}
	if (!r)
		leave_free_out(w, off);
	return r;
}

/* Note which parts of the item need not be read. */
static void note_free(struct walk *w, struct work *k)
{
	uint64_t off = k->item.off, stop = off + k->item.len, start, end;

	k->nfree = 0;
	while (w->x->used && k->nfree < FREE_MAX && off < stop &&
	       used_next_free(w->x->used, off, &start, &end) && start < stop) {
		start = max64(start, k->item.off);
		end = min64(end, stop);
		k->free[k->nfree++] =
			(struct range){(size_t)(start - k->item.off), (size_t)(end - k->item.off)};
		off = end;
	}
}

/*
 * Find the next item at or after *off, a multiple of the unit, and move *off behind it. Its length
 * is 0 when none is left.
 */
static int next_item(struct walk *w, uint64_t *off, struct work *k)
{
	uint64_t size = w->x->from->size, at;
	struct export_item *item = &k->item;

	for (at = *off; at < size; at = w->disk.end) {
		int r = export_check_stop(w->x);

		if (r)
			return r;
		r = look(w, at);
		if (r)
			return cannot_read(w->x, size - at, at, r);
		if (!w->disk.hole)
			break;
	}
	item->len = 0;
	if (at >= size)
		return 0;
	/* *off is a multiple already, so this does not go back behind it. */
	item->off = align_down(at, EXPORT_UNIT);
	item->len = (size_t)min64(align_up(w->disk.end - item->off, EXPORT_UNIT), EXPORT_STEP);
	note_free(w, k);
	*off = item->off + item->len;
	return 0;
}

/* ---- what is in it ---- */

static int read_part(struct work *k, struct dev *dev, char *buf, size_t start, size_t end)
{
	int r = start < end ? dev_pread(dev, buf + start, end - start, k->item.off + start) : 0;

	k->bad_off = k->item.off + start;
	k->bad_len = end - start;
	return r;
}

/* All but what is free, which becomes zeros. */
static int read_used(struct work *k, struct dev *dev, size_t inside)
{
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; i < k->nfree && !r; i++) {
		r = read_part(k, dev, k->item.buf, at, k->free[i].start);
		memset(k->item.buf + k->free[i].start, 0, k->free[i].end - k->free[i].start);
		at = k->free[i].end;
	}
	return r ? r : read_part(k, dev, k->item.buf, at, inside);
}

static void pack_units(struct export_item *item, struct packer *packer)
{
	for (size_t i = 0; i < item->len / EXPORT_UNIT; i++) {
		const char *unit = item->buf + i * EXPORT_UNIT;

		item->packed_len[i] = export_zero(unit, EXPORT_UNIT)
		                              ? 0
		                              : packer_run(packer, unit, EXPORT_UNIT,
		                                           item->packed + i * EXPORT_PACKED_MAX,
		                                           EXPORT_PACKED_MAX);
	}
}

static void do_work(struct walk *w, struct work *k, struct packer *packer)
{
	struct export_item *item = &k->item;
	/* The disk may end inside its last unit; what is behind it has to read as zeros. */
	size_t inside = (size_t)min64(item->len, w->x->from->size - item->off);

	memset(item->buf + inside, 0, item->len - inside);
	k->r = read_used(k, w->x->from, inside);
	if (!k->r && item->original) {
		memset(item->original + inside, 0, item->len - inside);
		k->r = read_part(k, w->x->original, item->original, 0, inside);
	}
	if (!k->r && item->packed)
		pack_units(item, packer);
}

/* ---- workers ---- */

static void *worker(void *arg)
{
	struct walk *w = arg;
	struct packer *packer;

	pthread_mutex_lock(&w->lock);
	packer = w->packers[w->nworkers++];
	for (;;) {
		struct work *k;

		while (w->taken == w->given && !w->quit)
			pthread_cond_wait(&w->to_do, &w->lock);
		if (w->quit)
			break;
		k = &w->ring[w->taken++ % w->size];
		pthread_mutex_unlock(&w->lock);
		do_work(w, k, packer);
		pthread_mutex_lock(&w->lock);
		k->done = true;
		pthread_cond_signal(&w->done);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void give(struct walk *w, struct work *k, bool alone)
{
	k->done = false;
	if (alone) {
		do_work(w, k, w->packers[0]);
		k->done = true;
	}
	pthread_mutex_lock(&w->lock);
	w->given++;
	pthread_cond_signal(&w->to_do);
	pthread_mutex_unlock(&w->lock);
}

static int take(struct walk *w, struct work *k, export_put_fn *put, void *self)
{
	pthread_mutex_lock(&w->lock);
	while (!k->done)
		pthread_cond_wait(&w->done, &w->lock);
	pthread_mutex_unlock(&w->lock);
	if (k->r)
		return cannot_read(w->x, k->bad_len, k->bad_off, k->r);
	w->ended++;
	return put(self, &k->item);
}

static int walk(struct walk *w, bool alone, export_put_fn *put, void *self)
{
	uint64_t off = 0;
	bool more = true;
	int r = 0;

	for (;;) {
		while (more && w->given - w->ended < w->size) {
			struct work *k = &w->ring[w->given % w->size];

			r = next_item(w, &off, k);
			if (r)
				return r;
			more = k->item.len != 0;
			if (more)
				give(w, k, alone);
		}
		if (w->given == w->ended)
			return 0;
		{
			struct work *k = &w->ring[w->ended % w->size];

			r = take(w, k, put, self);
			if (!r)
				r = step(w->x, k->item.off + k->item.len);
			if (r)
				return r;
		}
	}
}

/* Signals are for the thread that walks. */
static unsigned start_workers(struct walk *w, unsigned wanted)
{
	sigset_t all, before;
	unsigned n = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (n < wanted && pthread_create(&w->workers[n], NULL, worker, w) == 0)
		n++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return n;
}

static void stop_workers(struct walk *w, unsigned n)
{
	pthread_mutex_lock(&w->lock);
	w->quit = true;
	pthread_cond_broadcast(&w->to_do);
	pthread_mutex_unlock(&w->lock);
	while (n)
		pthread_join(w->workers[--n], NULL);
}

/* How many there are to be, for the cores that this process may use. */
static unsigned count_workers(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

	return n <= 1 ? 1 : (unsigned)min64((uint64_t)n * 2, WORKERS_MAX);
}

static bool make_work(struct walk *w, struct work *k)
{
	struct export_job *x = w->x;

	k->item.buf = malloc(EXPORT_STEP);
	if (x->original)
		k->item.original = malloc(EXPORT_STEP);
	if (x->pack != PACK_NONE)
		k->item.packed = malloc(EXPORT_UNITS * EXPORT_PACKED_MAX);
	if (x->used)
		k->free = malloc(FREE_MAX * sizeof *k->free);
	return k->item.buf && (!x->original || k->item.original) &&
	       (x->pack == PACK_NONE || k->item.packed) && (!x->used || k->free);
}

static bool make(struct walk *w, unsigned n)
{
	bool ok;

	w->size = n > 1 ? n + ITEMS_AHEAD : 1;
	w->ring = calloc(w->size, sizeof *w->ring);
	ok = w->ring;
	for (uint64_t i = 0; i < w->size && ok; i++)
		ok = make_work(w, &w->ring[i]);
	for (unsigned i = 0; i < n && ok && w->x->pack != PACK_NONE; i++)
		ok = (w->packers[i] = packer_new(w->x->pack));
	return ok;
}

static void unmake(struct walk *w)
{
	for (uint64_t i = 0; w->ring && i < w->size; i++) {
		free(w->ring[i].item.buf);
		free(w->ring[i].item.original);
		free(w->ring[i].item.packed);
		free(w->ring[i].free);
	}
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		packer_free(w->packers[i]);
	free(w->ring);
}

int export_walk(struct export_job *x, export_put_fn *put, void *self)
{
	struct walk w = {
		.x = x,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.to_do = PTHREAD_COND_INITIALIZER,
		.done = PTHREAD_COND_INITIALIZER,
	};
	unsigned n = count_workers(), started = 0;
	int r = make(&w, n) ? 0 : export_no_memory(x);

	if (!r) {
		started = n > 1 ? start_workers(&w, n) : 0;
		r = walk(&w, started == 0, put, self);
		stop_workers(&w, started);
	}
	unmake(&w);
	return r;
}
