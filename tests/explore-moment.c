/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens between two steps of the overlay's work: the power may be cut, other writes and
 * flushes come in between, calls fail, the process is killed.
 *
 * The program is linked with three calls of the overlay wrapped (ld --wrap): crc32c, which is
 * called for every page while a flush copies it; pthread_cond_wait, which tells that a thread
 * waits for another one's flush; and mmap, which tells where the memory is that a fork shares.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "crc32c.h"
#include "explore.h"

struct explorer x;

/* With a part of the map anything may come and go; else what was not written stays mostly. */
static void look_at_cuts(int n, bool everything)
{
	for (int i = 0; i < n; i++) {
		crashio_cut(x.io);
		model_look(x.io, everything || x.states % 16 == 0);
	}
}

void explore_cuts(int n)
{
	look_at_cuts(n, false);
}

/* ---- calls that the model follows ---- */

static void begin_flush(void)
{
	x.flushing++;
	x.m->flushing = true;
	explore_moment(NULL, CRASH_BEFORE_FLUSH);
}

static void end_flush(void)
{
	x.flushing--;
	__atomic_store_n(&x.m->flushing, x.flushing > 0, __ATOMIC_SEQ_CST);
}

int explore_flush(void)
{
	struct marks marks;
	int r;

	model_mark(&marks);
	begin_flush();
	r = overlay_flush(x.o);
	end_flush();
	x.io->fail_pwrite = 0;
	if (!r)
		model_advance(&marks);
	return r;
}

int explore_write(void)
{
	int r;

	x.writing++;
	r = model_write(x.o);
	x.writing--;
	return r;
}

int explore_finish(void)
{
	struct marks marks;
	struct ovl_header h;
	int r, slot;

	model_mark(&marks);
	x.closing = true;
	begin_flush();
	r = overlay_finish(x.o);
	end_flush();
	x.closing = false;
	if (r)
		return r;
	model_advance(&marks);
	crashio_cut(x.io);
	x.io->show_cut = true;
	if (ovl_header_read(&x.io->io, false, &h, &slot, NULL) || h.state != OVL_CLEAN)
		lost("closed, but not marked clean");
	x.io->show_cut = false;
	return 0;
}

/* ---- a second thread that flushes ---- */

static struct {
	pthread_t thread;
	bool running;
	sem_t yielded; /* it waits for the other flush, or is done */
	bool inside;
} racer;

static __thread bool is_racer;

int __real_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	if (is_racer)
		sem_post(&racer.yielded);
	return __real_pthread_cond_wait(cond, mutex);
}

/* It writes, and its fsync begins, while another flush is under way. */
static void *race(void *arg)
{
	(void)arg;
	is_racer = true;
	if (model_write(x.o) == 0)
		explore_flush();
	sem_post(&racer.yielded);
	return NULL;
}

/* Only one of the two threads runs at any time. */
static void start_racer(void)
{
	CHECK(sem_init(&racer.yielded, 0, 0) == 0);
	CHECK(pthread_create(&racer.thread, NULL, race, NULL) == 0);
	racer.running = true;
	while (sem_wait(&racer.yielded) < 0)
		;
}

void explore_join_racer(void)
{
	if (!racer.running)
		return;
	pthread_join(racer.thread, NULL);
	racer.running = false;
	explore_cuts(x.cuts);
}

/* ---- the moments ---- */

static bool due(unsigned *countdown)
{
	return *countdown && --*countdown == 0;
}

/* Make calls fail, once. What fails is decided before it is called. */
static void fail_calls(enum crash_moment when)
{
	x.io->fail_sync = when == CRASH_BEFORE_SYNC && due(&x.fail_sync_in) ? EIO : 0;
	x.io->fail_pwrite = 0;
	if (x.flushing && due(&x.fail_pwrite_in))
		x.io->fail_pwrite = random_below(3) ? ENOSPC : EIO;
}

/* Whether this child has come to its end. */
static bool killed_now(enum crash_moment when)
{
	if (x.kill_when_failed && when == CRASH_AFTER_SYNC && x.io->fail_sync)
		return true;
	/* The steps that matter are those between two calls of a flush. */
	if (x.stop_for_steps && when != CRASH_BEFORE_FLUSH &&
	    !(x.flushing && when == CRASH_AFTER_SYNC))
		return false;
	return due(&x.kill_in);
}

/* Who else may do something now. */
static void others_act(enum crash_moment when)
{
	if (x.flushing && due(&x.racer_in))
		start_racer();
	else if (x.flushing && !x.writing && random_below(2))
		for (uint32_t n = random_below(3); n > 0; n--)
			model_write(x.o);
	else if (x.writing && !x.flushing && when <= CRASH_AFTER_DATA && random_below(8) == 0)
		explore_flush();
}

void explore_moment(void *arg, enum crash_moment when)
{
	bool map = x.flushing && when >= CRASH_BEFORE_META && when <= CRASH_BEFORE_SYNC;

	(void)arg;
	if (x.busy || !x.o || is_racer)
		return;
	x.busy = true;
	if (x.child && killed_now(when)) {
		raise(x.stop_for_steps ? SIGSTOP : SIGKILL);
		return; /* with no more moments, only steps */
	}
	fail_calls(when);
	if (!racer.running && !x.closing)
		others_act(when);
	if (x.exploring)
		look_at_cuts(map ? 2 * x.cuts : x.cuts, map);
	x.busy = false;
	if (!racer.running && (map || !x.end_at_map) && due(&x.end_in))
		longjmp(x.end, x.ending);
}

/* ---- other calls of the overlay ---- */

void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	void *p = __real_mmap(addr, len, prot, flags, fd, off);

	if (flags & MAP_SHARED)
		x.mapped = p;
	return p;
}

uint32_t __real_crc32c(const void *data, size_t len);
uint32_t __wrap_crc32c(const void *data, size_t len);

/* The same by the processor: the explorer does little else. */
#if defined __x86_64__
__attribute__((target("sse4.2"))) static uint32_t fast_crc32c(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t crc = UINT32_MAX, word;

	for (; len >= sizeof word; len -= sizeof word, p += sizeof word) {
		memcpy(&word, p, sizeof word);
		crc = __builtin_ia32_crc32di(crc, word);
	}
	while (len--)
		crc = __builtin_ia32_crc32qi((uint32_t)crc, *p++);
	return ~(uint32_t)crc;
}
#define HAVE_FAST() __builtin_cpu_supports("sse4.2")
#else
#define fast_crc32c __real_crc32c
#define HAVE_FAST() false
#endif

uint32_t __wrap_crc32c(const void *data, size_t len)
{
	static int fast = -1;

	if (fast < 0)
		fast = HAVE_FAST() && fast_crc32c("123456789", 9) == __real_crc32c("123456789", 9);
	if (x.flushing)
		explore_moment(NULL, CRASH_AMID_FLUSH);
	return fast ? fast_crc32c(data, len) : __real_crc32c(data, len);
}
