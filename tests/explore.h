/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The power-cut explorer: explore-overlay.c is the program and its kinds of life, explore-model.c
 * knows what every sector may hold and looks, explore-moment.c is what happens between two steps
 * of the overlay's work.
 */
#ifndef PLATTER_EXPLORE_H
#define PLATTER_EXPLORE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "crashio.h"
#include "overlay.h"
#include "testdev.h"

/* ---- the model (explore-model.c) ---- */

/* Three pages of the map, the disk's last block short. Only some windows of it are written. */
#define PAGE_BLOCKS   ((uint64_t)OVL_BLOCKS_PER_PAGE)
#define DISK          ((2 * PAGE_BLOCKS + 20) * OVL_BLOCK + 1536)
#define WINDOWS       6
#define WINDOW_BLOCKS 8
#define PER_BLOCK     (OVL_BLOCK / CRASH_SECTOR)
#define MODEL_SECTORS (WINDOWS * WINDOW_BLOCKS * PER_BLOCK)

/* The values that a sector may be found with, oldest first: what the last flush made durable, then
 * everything that was written since. A sector is filled with its value. */
#define VALUES 15
struct expected {
	uint64_t value[VALUES];
	uint32_t first;        /* the number of value[0] */
	uint32_t count, acked; /* how many; the number of the last one that was acknowledged */
};

/* In memory that a fork shares, since the child that is killed writes. */
struct model {
	struct expected e[MODEL_SECTORS];
	uint64_t tag;     /* the last value written */
	unsigned windows; /* the ones in use, a bit each */
	bool narrow;      /* and only the two blocks in their middle */
	bool small;       /* and little at a time, so that it takes long until all is there */
	bool flushing;    /* the overlay is, or closes */
};

/* What a flush will have made durable when it returns. */
struct marks {
	uint32_t number[MODEL_SECTORS];
};

/* Begin a life: nothing written yet. */
void model_reset(void);

/* A random write or zeroing; what the overlay answered. */
int model_write(struct overlay *o);

/* What has been acknowledged, and (when a flush has returned 0) that it is durable. */
void model_mark(struct marks *marks);
void model_advance(const struct marks *marks);

/* Look at everything: what is found is from now on the only value that may be. */
void model_settle(struct overlay *o);

/* Open what the last cut left and look at what can differ, or at everything. Ends the program
 * when it finds what should not be there. */
void model_look(struct crashio *c, bool everything);

/* The disk under the overlay. */
struct dev *model_base(void);

/* ---- the moments (explore-moment.c) ---- */

enum ending {
	ENDS_CLOSED = 1, /* by itself */
	ENDS_POWER_CUT,
	ENDS_KILLED, /* all processes; what was written is still in the system's memory */
};

struct explorer {
	struct crashio *io;
	struct overlay *o;
	struct model *m; /* shared over fork */

	uint64_t seed, states, wanted, lives;
	int cuts; /* states to look at in one moment */

	/* What may happen in a moment; reset when a session begins. */
	bool exploring, busy;
	bool closing;            /* in overlay_finish: nobody writes any more */
	int flushing, writing;   /* inside such a call */
	bool end_at_map;         /* only moments in which the map is written count for: */
	unsigned end_in;         /* moments until the session is cut off; 0: it is not */
	enum ending ending;      /* how */
	unsigned fail_sync_in;   /* moments until a sync fails; 0: none does */
	unsigned fail_pwrite_in; /* ... until the map cannot be written once */
	unsigned racer_in;       /* ... until a second thread flushes as well */
	jmp_buf end;

	/* In a child that serves. */
	bool child;
	unsigned kill_in;      /* moments until it is killed; 0: it is not */
	bool stop_for_steps;   /* ... by its parent, after some more instructions */
	bool by_steps;         /* a life in which all are */
	bool kill_when_failed; /* ... when a sync has failed that nobody else knows of */

	const uint8_t *mapped; /* by the last mmap */
	const uint8_t *shared; /* where o has what it shares over fork */
};
extern struct explorer x;

static inline uint32_t random_below(uint32_t n)
{
	return (uint32_t)(crash_random(&x.io->random) >> 16) % n;
}

/* The hook of x.io. */
void explore_moment(void *arg, enum crash_moment when);

/* Look at some of the states that a power cut now may leave. */
void explore_cuts(int n);

/* overlay_flush, and what the model then expects. */
int explore_flush(void);

/* Write, as a call that flushes may come in the middle of. */
int explore_write(void);

/* overlay_finish, the same; it has to leave the clean mark. */
int explore_finish(void);

/* Wait for the second thread, if one was started. */
void explore_join_racer(void);

/* Report a loss and end. */
void lost(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- the sessions (explore-overlay.c, explore-supervisor.c) ---- */

/* Open the overlay, looking meanwhile; end the session that uses it. */
bool explore_open(void);
void explore_end_session(enum ending how);

/* Write, flush, and look. */
void explore_work(unsigned steps);

/* A session whose work a child does, which is killed. */
enum ending explore_supervised(void);

#endif
