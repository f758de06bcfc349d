/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "readout.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "ondisk.h"

/* More do not help: what is computed of the pieces is one thread's work. */
#define THREADS_MAX 8u

/* Pieces that wait or are in the making, for each thread. */
#define AHEAD 2u

/* Zeros in one piece: the reader wants to hear of progress. */
#define HOLE_MAX ((uint64_t)64 << 20)

struct slot {
	struct readout_piece piece;
	bool hole, ready;
	void *buf;
};

/*
 * Piece n is in slot n % nslots. Threads take numbers as they come (planned) as long as their slot
 * is free, that is, as long as the reader is less than nslots behind (taken).
 */
struct readout {
	struct dev *dev;
	const struct readout_range *ranges;
	size_t nranges;
	pthread_t threads[THREADS_MAX];
	unsigned nthreads, nslots;
	struct slot slots[THREADS_MAX * AHEAD];

	pthread_mutex_t
		lock; /* of all that follows, and of slots but for what a thread reads into */
	pthread_cond_t moved;
	size_t range; /* that is being planned */
	uint64_t at;  /* where in it; before it: at its start */
	uint64_t planned, taken;
	bool holding; /* the piece of number taken is the reader's */
	bool ended;   /* there is nothing more to plan */
};

/* How far zeros go that begin at off, in [len, max]. */
static uint64_t hole_length(struct dev *dev, uint64_t off, uint64_t len, uint64_t max)
{
	struct dev_extent ext;

	/* Containers tell of their chunks, one by one. */
	while (len < max && dev_extent(dev, off + len, &ext) == 0 && ext.hole)
		len += ext.length;
	return min64(len, max);
}

/* Decide what the next piece is; false when there is none. */
static bool plan(struct readout *ro, struct slot *slot)
{
	const struct readout_range *range = &ro->ranges[ro->range];
	struct dev_extent ext;
	uint64_t off, left;

	if (ro->range == ro->nranges)
		return false;
	off = max64(ro->at, range->start);
	left = range->end - off;
	slot->piece = (struct readout_piece){.off = off, .len = min64(left, READOUT_PIECE)};
	/* Where that cannot be told, reading will say why. */
	slot->hole = dev_extent(ro->dev, off, &ext) == 0 && ext.hole;
	if (slot->hole)
		slot->piece.len = hole_length(ro->dev, off, ext.length, min64(left, HOLE_MAX));
	ro->at = off + slot->piece.len;
	if (ro->at == range->end)
		ro->range++;
	return true;
}

static void fill(struct readout *ro, struct slot *slot)
{
	struct readout_piece *piece = &slot->piece;

	if (slot->hole)
		return;
	piece->error = dev_pread(ro->dev, slot->buf, (size_t)piece->len, piece->off);
	if (!piece->error)
		piece->data = slot->buf;
}

/* Wait for a free slot. */
static struct slot *take_slot(struct readout *ro)
{
	struct slot *slot;

	while (!ro->ended && ro->planned - ro->taken >= ro->nslots)
		pthread_cond_wait(&ro->moved, &ro->lock);
	slot = &ro->slots[ro->planned % ro->nslots];
	if (ro->ended)
		return NULL;
	if (!plan(ro, slot)) {
		ro->ended = true;
		return NULL;
	}
	slot->ready = false;
	ro->planned++;
	return slot;
}

static void *work(void *arg)
{
	struct readout *ro = arg;
	struct slot *slot;

	pthread_mutex_lock(&ro->lock);
	while ((slot = take_slot(ro))) {
		pthread_mutex_unlock(&ro->lock);
		fill(ro, slot);
		pthread_mutex_lock(&ro->lock);
		slot->ready = true;
		pthread_cond_broadcast(&ro->moved);
	}
	pthread_cond_broadcast(&ro->moved);
	pthread_mutex_unlock(&ro->lock);
	return NULL;
}

bool readout_next(struct readout *ro, struct readout_piece *piece)
{
	struct slot *slot;
	bool more;

	pthread_mutex_lock(&ro->lock);
	if (ro->holding) {
		ro->taken++;
		pthread_cond_broadcast(&ro->moved);
	}
	slot = &ro->slots[ro->taken % ro->nslots];
	while (ro->planned == ro->taken ? !ro->ended : !slot->ready)
		pthread_cond_wait(&ro->moved, &ro->lock);
	more = ro->holding = ro->planned != ro->taken;
	if (more)
		*piece = slot->piece;
	pthread_mutex_unlock(&ro->lock);
	return more;
}

static int start(struct readout *ro, unsigned wanted)
{
	ro->nslots = wanted * AHEAD;
	for (unsigned i = 0; i < ro->nslots; i++) {
		ro->slots[i].buf = malloc(READOUT_PIECE);
		if (!ro->slots[i].buf)
			return -ENOMEM;
	}
	for (; ro->nthreads < wanted; ro->nthreads++)
		if (pthread_create(&ro->threads[ro->nthreads], NULL, work, ro) != 0)
			break;
	return ro->nthreads ? 0 : -EAGAIN;
}

int readout_open(struct dev *dev, const struct readout_range *ranges, size_t count,
                 struct readout **out)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct readout *ro = calloc(1, sizeof *ro);
	int r;

	*out = NULL;
	if (!ro)
		return -ENOMEM;
	ro->dev = dev;
	ro->ranges = ranges;
	ro->nranges = count;
	pthread_mutex_init(&ro->lock, NULL);
	pthread_cond_init(&ro->moved, NULL);
	r = start(ro, (unsigned)min64(THREADS_MAX, cpus < 1 ? 1 : (uint64_t)cpus));
	if (r)
		readout_close(ro);
	else
		*out = ro;
	return r;
}

void readout_close(struct readout *ro)
{
	if (!ro)
		return;
	pthread_mutex_lock(&ro->lock);
	ro->ended = true;
	pthread_cond_broadcast(&ro->moved);
	pthread_mutex_unlock(&ro->lock);
	for (unsigned i = 0; i < ro->nthreads; i++)
		pthread_join(ro->threads[i], NULL);
	for (unsigned i = 0; i < ro->nslots; i++)
		free(ro->slots[i].buf);
	pthread_cond_destroy(&ro->moved);
	pthread_mutex_destroy(&ro->lock);
	free(ro);
}
