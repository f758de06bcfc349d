/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices for tests, and the few macros that unit tests need. */
#ifndef PLATTER_TESTDEV_H
#define PLATTER_TESTDEV_H

#include <stdio.h>
#include <stdlib.h>

#include "dev.h"

/* Fail the test with the place and the condition. Stays on with NDEBUG. */
#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);                 \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* Every 8 bytes hold their own offset, big-endian: shows where a read really came from. */
struct dev *testdev_pattern(uint64_t size);

/* Whether len bytes read at off are the pattern's. */
bool testdev_is_pattern(const void *buf, size_t len, uint64_t off);

/* Passes everything on to lower, which it takes a reference of, and counts; on demand it fails. */
struct testdev_log {
	unsigned preads, pwrites, zeros, flushes;
	int fail;       /* an errno for the calls below, 0: none */
	unsigned after; /* ... from this many calls on */
	bool once;      /* ... or only that one */
	uint64_t last_off;
	size_t last_len;
};
struct dev *testdev_logging(struct dev *lower, struct testdev_log *log);

#endif
