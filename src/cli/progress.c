/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#define WIDTH 30

/* How often it is drawn, and how far back the rate looks, in seconds: holes are passed in no time
 * and a cache takes the first GiB, which says little about how fast the rest will be. */
#define DRAW_EVERY 0.1
#define LOOK_BACK  5.0

static double since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

void progress_begin(struct progress *p, uint64_t total, bool quiet)
{
	*p = (struct progress){.shown = !quiet && isatty(STDERR_FILENO), .total = total};
	clock_gettime(CLOCK_MONOTONIC, &p->drawn);
	p->begun = p->drawn;
}

/* The mean of the last seconds, what is longer ago counting ever less. */
static void update_rate(struct progress *p)
{
	double age = since(&p->begun), passed = since(&p->drawn) + 1e-9;
	double weight = passed / (age < LOOK_BACK ? age + 1e-9 : LOOK_BACK);
	double now = (double)(p->done - p->done_drawn) / passed;

	p->rate += (weight < 1 ? weight : 1) * (now - p->rate);
	p->done_drawn = p->done;
}

static void print_time(double seconds)
{
	unsigned s = seconds < 360000 ? (unsigned)seconds : 359999;

	if (s >= 3600)
		fprintf(stderr, "  %u:%02u:%02u left", s / 3600, s / 60 % 60, s % 60);
	else
		fprintf(stderr, "  %u:%02u left", s / 60, s % 60);
}

static void draw(struct progress *p)
{
	uint64_t left = p->total > p->done ? p->total - p->done : 0;
	double part = p->total ? 1 - (double)left / (double)p->total : 0;
	int full = (int)(part * WIDTH);

	update_rate(p);
	fputc('\r', stderr);
	if (p->total)
		fprintf(stderr, "[%.*s%*s] %3d%%", full, "##############################",
		        WIDTH - full, "", (int)(part * 100));
	else
		fprintf(stderr, "%.0f MiB", (double)p->done / 1048576);
	fprintf(stderr, "  %.0f MiB/s", p->rate / 1048576);
	if (p->total && p->rate > 1)
		print_time((double)left / p->rate);
	fputs(" \033[K", stderr);
	clock_gettime(CLOCK_MONOTONIC, &p->drawn);
}

void progress_step(void *arg, uint64_t done, uint64_t total)
{
	struct progress *p = arg;

	p->done = done;
	p->total = total;
	if (p->shown && since(&p->drawn) > DRAW_EVERY)
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
