/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#define WIDTH 30

static double since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

void progress_begin(struct progress *p, uint64_t total, bool quiet)
{
	*p = (struct progress){.shown = !quiet && isatty(STDERR_FILENO), .total = total};
	clock_gettime(CLOCK_MONOTONIC, &p->begun);
	p->drawn = p->begun;
}

static void draw(struct progress *p)
{
	double rate = (double)p->done / (since(&p->begun) + 1e-9);
	double part = p->total ? (double)p->done / (double)p->total : 0;
	int full;

	part = part > 1 ? 1 : part;
	full = (int)(part * WIDTH);
	fprintf(stderr, "\r[%.*s%*s] %3d%%  %.0f MiB/s  %.0f s left \033[K", full,
	        "##############################", WIDTH - full, "", (int)(part * 100),
	        rate / 1048576,
	        rate > 1 ? (double)(p->total - (p->done < p->total ? p->done : p->total)) / rate
	                 : 0);
	clock_gettime(CLOCK_MONOTONIC, &p->drawn);
}

void progress_step(void *arg, uint64_t done, uint64_t total)
{
	struct progress *p = arg;

	p->done = done;
	p->total = total;
	if (p->shown && since(&p->drawn) > 0.1)
		draw(p);
}

void progress_add(struct progress *p, uint64_t bytes)
{
	progress_step(p, p->done + bytes, p->total);
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
}
