/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two queues in order of entry, after S3-FIFO (Yang et al., SOSP 2023), simplified:
 *
 *   young: where every chunk enters; a tenth of the limit. Its oldest moves to main when it was
 *          hit since, else it leaves.
 *   main:  its oldest goes round again while it was hit since, else it leaves.
 *
 * A hit only sets a mark, so it takes the lock for a hash lookup and nothing else. A read of one
 * chunk in several requests is one use, not many: a hit counts only when another chunk came in
 * since the last one (entry.stamp).
 *
 * One lock: what it protects takes well under a microsecond, the makings that surround it tens.
 */
#include "config.h"

#include "cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define BUCKETS 4096

enum state { MAKING, READY, FAILED };

struct entry {
	struct cache_chunk chunk; /* first: cache_put gets this back */
	struct cache_key key;
	struct entry *hash_next;
	struct entry *older, *newer; /* in a queue; READY only */
	bool in_main, hit;
	uint64_t stamp; /* entries made when it was last used */
	enum state state;
	int error;     /* FAILED */
	unsigned held; /* by callers, waiting ones included; never evicted then */
};

struct queue {
	struct entry *oldest, *newest;
	size_t bytes;
};

struct cache {
	pthread_mutex_t lock;
	pthread_cond_t made;
	size_t limit;
	struct queue young, main;
	struct cache_counters count;
	struct entry *bucket[BUCKETS];
};

static struct entry **bucket_of(struct cache *c, struct cache_key key)
{
	uint64_t h = ((uintptr_t)key.owner ^ key.offset) * 0x9e3779b97f4a7c15u;

	return &c->bucket[h >> 52];
}

static struct entry *find(struct cache *c, struct cache_key key)
{
	struct entry *e = *bucket_of(c, key);

	while (e && (e->key.owner != key.owner || e->key.offset != key.offset))
		e = e->hash_next;
	return e;
}

static void unhash(struct cache *c, struct entry *e)
{
	struct entry **p = bucket_of(c, e->key);

	while (*p != e)
		p = &(*p)->hash_next;
	*p = e->hash_next;
}

static void enqueue(struct queue *q, struct entry *e)
{
	e->newer = NULL;
	e->older = q->newest;
	if (q->newest)
		q->newest->newer = e;
	else
		q->oldest = e;
	q->newest = e;
	q->bytes += e->chunk.size;
}

static void dequeue(struct queue *q, struct entry *e)
{
	if (e->newer)
		e->newer->older = e->older;
	else
		q->newest = e->older;
	if (e->older)
		e->older->newer = e->newer;
	else
		q->oldest = e->newer;
	q->bytes -= e->chunk.size;
}

static void entry_free(struct entry *e)
{
	free((void *)e->chunk.data);
	free(e);
}

/* Take the oldest of q out, or move it to where it earned to be. */
static void age(struct cache *c, struct queue *q)
{
	struct entry *e = q->oldest;

	dequeue(q, e);
	if (e->hit || e->held) {
		e->hit = false;
		e->in_main = true;
		enqueue(&c->main, e);
	} else {
		unhash(c, e);
		entry_free(e);
	}
}

static void shrink(struct cache *c)
{
	/* Chunks that are held go round; one round of each queue ends it even if all are. */
	uint64_t turns = c->young.bytes + c->main.bytes;

	while (c->young.bytes + c->main.bytes > c->limit && turns > 0) {
		struct queue *q =
			c->young.bytes > c->limit / 10 || !c->main.oldest ? &c->young : &c->main;

		turns -= q->oldest->chunk.size < turns ? q->oldest->chunk.size : turns;
		age(c, q);
	}
}

struct cache *cache_new(size_t limit)
{
	struct cache *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->made, NULL);
	c->limit = limit;
	return c;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	while (c->young.oldest || c->main.oldest) {
		struct queue *q = c->young.oldest ? &c->young : &c->main;
		struct entry *e = q->oldest;

		dequeue(q, e);
		entry_free(e);
	}
	pthread_cond_destroy(&c->made);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* With the lock held: drop a failed entry with the last one who waited for it. */
static int give_up(struct entry *e)
{
	int r = e->error;

	if (--e->held == 0)
		entry_free(e);
	return r;
}

/* With the lock held: e is wanted and exists. */
static int join(struct cache *c, struct entry *e, size_t size, const struct cache_chunk **out)
{
	e->held++;
	if (e->state == MAKING) {
		c->count.waits++;
		while (e->state == MAKING)
			pthread_cond_wait(&c->made, &c->lock);
	} else {
		c->count.hits++;
	}
	if (e->state == FAILED)
		return give_up(e);
	if (e->stamp != c->count.makes) {
		e->hit = true;
		e->stamp = c->count.makes;
	}
	if (e->chunk.size != size) { /* the same place, unpacked to two sizes: damage */
		e->held--;
		return -EIO;
	}
	*out = &e->chunk;
	return 0;
}

/* A new entry in the making, hashed; NULL without memory. */
static struct entry *begin(struct cache *c, struct cache_key key, size_t size)
{
	struct entry *e = calloc(1, sizeof *e), **b = bucket_of(c, key);

	if (!e)
		return NULL;
	e->chunk = (struct cache_chunk){.data = malloc(size), .size = size};
	if (!e->chunk.data) {
		free(e);
		return NULL;
	}
	e->key = key;
	e->held = 1;
	e->state = MAKING;
	e->hash_next = *b;
	*b = e;
	return e;
}

int cache_get(struct cache *c, struct cache_key key, size_t size, cache_make_fn *make, void *arg,
              const struct cache_chunk **out)
{
	struct entry *e;
	int r;

	pthread_mutex_lock(&c->lock);
	e = find(c, key);
	if (e) {
		r = join(c, e, size, out);
		pthread_mutex_unlock(&c->lock);
		return r;
	}
	e = begin(c, key, size);
	pthread_mutex_unlock(&c->lock);
	if (!e)
		return -ENOMEM;

	r = make(arg, (void *)e->chunk.data, size);

	pthread_mutex_lock(&c->lock);
	e->stamp = ++c->count.makes;
	e->error = r;
	e->state = r ? FAILED : READY;
	if (r) {
		unhash(c, e);
		give_up(e);
	} else {
		enqueue(&c->young, e);
		shrink(c);
		*out = &e->chunk;
	}
	pthread_cond_broadcast(&c->made);
	pthread_mutex_unlock(&c->lock);
	return r;
}

void cache_put(struct cache *c, const struct cache_chunk *chunk)
{
	struct entry *e = (struct entry *)chunk;

	pthread_mutex_lock(&c->lock);
	if (--e->held == 0)
		shrink(c);
	pthread_mutex_unlock(&c->lock);
}

void cache_get_counters(struct cache *c, struct cache_counters *out)
{
	pthread_mutex_lock(&c->lock);
	*out = c->count;
	out->bytes = c->young.bytes + c->main.bytes;
	pthread_mutex_unlock(&c->lock);
}
