/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A progress line on stderr, when that is a terminal and nobody asked for quiet. */
#ifndef PLATTER_CLI_PROGRESS_H
#define PLATTER_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct progress {
	bool shown;
	uint64_t done, total; /* bytes; total 0: not known */
	struct timespec begun, drawn;
	uint64_t done_drawn; /* when it was last drawn */
	double rate;         /* bytes in a second */
};

void progress_begin(struct progress *p, uint64_t total, bool quiet);
void progress_add(struct progress *p, uint64_t bytes);
/* The step of a struct platter_progress; arg is the struct progress. */
void progress_step(void *arg, uint64_t done, uint64_t total);
void progress_end(struct progress *p);

#endif
