/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chunk cache: bounded, single-flight, scan-resistant, and no memory of failures. */
#include "config.h"

#include "cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "testdev.h"

#define CHUNK ((size_t)65536)

struct making {
	uint64_t value;
	int result;
	unsigned made;    /* how often */
	unsigned at_once; /* running now */
	/* Take until so many others wait for it. */
	struct cache *cache;
	unsigned wait_for;
};

static int make(void *arg, void *data, size_t size)
{
	struct making *m = arg;
	struct cache_counters count = {0};

	CHECK(__atomic_add_fetch(&m->at_once, 1, __ATOMIC_SEQ_CST) == 1);
	__atomic_add_fetch(&m->made, 1, __ATOMIC_SEQ_CST);
	while (m->wait_for && count.waits < m->wait_for) {
		usleep(1000);
		cache_get_counters(m->cache, &count);
	}
	memset(data, (int)m->value, size);
	__atomic_sub_fetch(&m->at_once, 1, __ATOMIC_SEQ_CST);
	return m->result;
}

/* Get chunk i, check what is in it, and give it back. Whether it had to be made. */
static bool use(struct cache *c, uint64_t i)
{
	struct making m = {.value = i};
	const struct cache_chunk *chunk;

	CHECK(cache_get(c, (struct cache_key){c, i}, CHUNK, make, &m, &chunk) == 0);
	CHECK(chunk->size == CHUNK && ((const uint8_t *)chunk->data)[CHUNK - 1] == (uint8_t)i);
	cache_put(c, chunk);
	return m.made > 0;
}

static void holds_no_more_than_its_limit(void)
{
	struct cache *c = cache_new(16 * CHUNK);
	struct cache_counters count;

	for (uint64_t i = 0; i < 1000; i++) {
		use(c, i);
		cache_get_counters(c, &count);
		CHECK(count.bytes <= 16 * CHUNK);
	}
	CHECK(count.makes == 1000);
	CHECK(!use(c, 999));
	cache_free(c);
}

static void what_is_held_stays(void)
{
	struct cache *c = cache_new(4 * CHUNK);
	struct making m = {.value = 77};
	const struct cache_chunk *chunk;

	CHECK(cache_get(c, (struct cache_key){c, 5000}, CHUNK, make, &m, &chunk) == 0);
	for (uint64_t i = 0; i < 100; i++)
		use(c, i);
	CHECK(((const uint8_t *)chunk->data)[0] == 77);
	cache_put(c, chunk);
	cache_free(c);
}

static void a_scan_does_not_push_out_what_is_used(void)
{
	struct cache *c = cache_new(64 * CHUNK);
	unsigned made_again = 0;

	/* Eight chunks that are used over and over... */
	for (int round = 0; round < 20; round++)
		for (uint64_t i = 0; i < 8; i++)
			use(c, i);
	/* ...stay while thousands pass once, in steps as a sequential reader makes them. */
	for (uint64_t i = 100; i < 4100; i++) {
		use(c, i);
		use(c, i);
		if (i % 40 == 0)
			for (uint64_t k = 0; k < 8; k++)
				made_again += use(c, k);
	}
	CHECK(made_again == 0);
	cache_free(c);
}

struct racer {
	struct cache *c;
	struct making *m;
	int result;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	const struct cache_chunk *chunk;

	r->result = cache_get(r->c, (struct cache_key){r->c, 1}, CHUNK, make, r->m, &chunk);
	if (r->result == 0) {
		CHECK(((const uint8_t *)chunk->data)[CHUNK / 2] == 9);
		cache_put(r->c, chunk);
	}
	return NULL;
}

/* Sixteen threads want one chunk: it is made once, and all get the outcome. */
static void one_makes_it_and_the_others_wait(int result)
{
	struct cache *c = cache_new(64 * CHUNK);
	struct making m = {.value = 9, .result = result, .cache = c, .wait_for = 15};
	struct cache_counters count;
	struct racer racers[16];
	pthread_t threads[16];

	for (int i = 0; i < 16; i++) {
		racers[i] = (struct racer){c, &m, 1};
		CHECK(pthread_create(&threads[i], NULL, race, &racers[i]) == 0);
	}
	for (int i = 0; i < 16; i++) {
		CHECK(pthread_join(threads[i], NULL) == 0);
		CHECK(racers[i].result == result);
	}
	cache_get_counters(c, &count);
	CHECK(m.made == 1 && count.makes == 1 && count.waits == 15 && count.hits == 0);
	if (result) { /* a failure is not remembered */
		m.result = 0;
		m.wait_for = 0;
		race(&racers[0]);
		CHECK(racers[0].result == 0 && m.made == 2);
	}
	cache_free(c);
}

int main(void)
{
	holds_no_more_than_its_limit();
	what_is_held_stays();
	a_scan_does_not_push_out_what_is_used();
	one_makes_it_and_the_others_wait(0);
	one_makes_it_and_the_others_wait(-EIO);
	return 0;
}
