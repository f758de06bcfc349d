/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cuts the power under the overlay's real code, at every moment of its work, and looks whether
 * anything is lost that it had promised to keep.
 *
 * The overlay runs on a file in memory (crashio.h). Whenever it calls that file, before and after,
 * a few of the states are looked at that a power cut now could leave: any subset of the sectors
 * that are not flushed, any version of them, torn, with garbage in metadata. In those moments
 * other writes and flushes come in between, calls fail, and the session may really end there:
 * the next one, with the same moments, begins from what it left. In other lives the process that
 * writes is a child, which is killed, and its parent closes the overlay as a supervisor does.
 *
 * explore-overlay [SECONDS [SEED [STATES]]]: ends after SECONDS (30) or STATES, with status 1 as
 * soon as something is lost. Life number N of a run depends on SEED + N alone, which is printed
 * for a loss: `explore-overlay 9 THAT` begins with it.
 */
#include "config.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "explore.h"

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void lost(const char *fmt, ...)
{
	va_list ap;

	printf("LOST after %llu states: ", (unsigned long long)x.states);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(" (seed %llu)\n", (unsigned long long)(x.seed + x.lives));
	fflush(stdout);
	_exit(1);
}

/* ---- one life of an overlay's file ---- */

static void new_file(uint64_t seed, uint8_t filler)
{
	struct platter_error err;
	struct ovl_header h;

	CHECK(ovl_header_init(&h, DISK, &err) == 0);
	memset(h.uuid, 0x5a, sizeof h.uuid); /* every run of a seed is the same */
	x.io = crashio_new(le64_get(h.file_size), le64_get(h.data_off), filler);
	x.io->random = seed * 0x9e3779b97f4a7c15u + 1;
	x.io->random ^= x.io->random >> 29;
	for (int i = 0; i < 8; i++)
		crash_random(&x.io->random);
	for (int slot = 0; slot < 2; slot++) {
		h.hseq = le64_put((uint64_t)slot + 1);
		CHECK(ovl_header_write(&x.io->io, &h, slot) == 0);
	}
	CHECK(x.io->io.ops->sync(&x.io->io) == 0);
	x.io->hook = explore_moment;
}

/* What may go wrong in the session that begins. */
static void plan_session(void)
{
	unsigned kind = random_below(8);

	x.exploring = !x.by_steps;
	x.busy = x.closing = false;
	x.flushing = x.writing = 0;
	x.end_at_map = random_below(3);
	x.end_in = 1 + random_below(x.end_at_map ? 12 : kind < 3 ? 20 : 100);
	if (x.by_steps || kind > 5)
		x.end_in = 0;
	x.ending = random_below(3) ? ENDS_POWER_CUT : ENDS_KILLED;
	x.fail_sync_in = random_below(12) == 0 ? 1 + random_below(20) : 0;
	x.fail_pwrite_in = random_below(12) == 0 ? 1 + random_below(40) : 0;
	/* A thread that waits for this one cannot be left behind. */
	x.racer_in = !x.end_in && random_below(4) == 0 ? 1 + random_below(60) : 0;
}

bool explore_open(void)
{
	struct platter_error err = {0};
	struct ovl_header h;
	int slot;

	if (ovl_header_read(&x.io->io, false, &h, &slot, &err))
		lost("it cannot be opened: %s", err.text);
	CHECK(overlay_start(&x.io->io, &h, slot, model_base(), (struct overlay_mode){0}, NULL, &x.o,
	                    &err) == 0);
	x.shared = x.mapped;
	if (x.io->npending == 0)
		model_settle(x.o);
	if (overlay_begin(x.o))
		return false;
	model_settle(x.o);
	return true;
}

void explore_work(unsigned steps)
{
	while (steps-- > 0) {
		uint32_t what = random_below(8);

		if (what < 5)
			explore_write();
		else if (what < 7)
			explore_flush();
		else if (x.exploring)
			explore_cuts(x.cuts);
		explore_join_racer();
	}
}

static enum ending session(void)
{
	if (!explore_open())
		return ENDS_KILLED;
	/* Soon all blocks are there, and flushes write no map any more. */
	explore_work(3 + random_below(random_below(3) ? 10 : 40));
	if (random_below(2)) {
		if (explore_finish() == 0)
			explore_cuts(x.cuts);
		explore_join_racer();
	}
	return random_below(2) ? ENDS_CLOSED : ENDS_POWER_CUT;
}

void explore_end_session(enum ending how)
{
	overlay_free(x.o);
	x.o = NULL;
	x.io->show_cut = false;
	x.io->fail_sync = x.io->fail_pwrite = 0;
	/* What the system dropped after a failed sync it still shows until it starts again. */
	if (how == ENDS_POWER_CUT || x.io->sync_failed) {
		crashio_cut(x.io);
		model_look(x.io, true);
		crashio_become_cut(x.io);
	}
}

static bool enough(void)
{
	return x.wanted && x.states >= x.wanted;
}

static void one_session(void)
{
	int how;

	plan_session();
	how = setjmp(x.end);
	if (how == 0)
		how = x.by_steps || random_below(3) == 0 ? explore_supervised() : session();
	explore_end_session(how);
}

static void one_life(void)
{
	unsigned sessions;

	new_file(x.seed + x.lives, x.lives % 2 ? 0xaa : 0);
	/* Cheap ones, since it takes many to hit two instructions. */
	x.by_steps = random_below(4) == 0;
	model_reset();
	for (sessions = 1 + random_below(6); sessions > 0 && !enough(); sessions--)
		one_session();
	crashio_free(x.io);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 30, start = now(CLOCK_MONOTONIC), took,
	       cpu;

	x.seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	x.wanted = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
	x.cuts = 2;
	x.m = mmap(NULL, sizeof *x.m, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(x.m != MAP_FAILED);
	do {
		one_life();
		x.lives++;
		took = now(CLOCK_MONOTONIC) - start;
	} while (took < seconds && !enough());
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	printf("%llu states in %.1f s, %.0f per second of CPU, %llu lives from seed %llu: "
	       "nothing lost\n",
	       (unsigned long long)x.states, took, (double)x.states / cpu,
	       (unsigned long long)x.lives, (unsigned long long)x.seed);
	return 0;
}
