/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies of a disk as new files. export.c makes the file, walks over the disk and reads it;
 * export-raw.c and export-qcow2.c are what is written.
 */
#ifndef PLATTER_EXPORT_H
#define PLATTER_EXPORT_H

#include "dev.h"
#include "disk.h"

/* The disk is read in whole units, which is no more than what a system reads ahead anyway, and at
 * most so much at a time. */
#define EXPORT_UNIT ((size_t)64 << 10)
#define EXPORT_STEP ((size_t)1 << 20)

/* Up to end it is a hole or data. */
struct export_seen {
	uint64_t end;
	bool hole;
};

struct export_job {
	struct platter *p;
	struct dev *from;     /* the whole disk, changes included */
	struct dev *original; /* the same without them, when only the difference counts, or NULL */
	struct dev *out;      /* the new file; grows by being written */
	int fd;               /* the same */
	const char *dst;
	const volatile int *stop;
	const struct platter_progress *progress;
	struct export_seen image; /* what was last found out of the image alone */
	struct export_seen disk;  /* of what is exported; a hole is what is left out */
	char *buf;                /* EXPORT_STEP bytes */
	struct platter_error *err;
};

/*
 * The next stretch from off on (a multiple of the unit, as *found) that may have to be copied:
 * data, or with .original what the overlay holds. *len is whole units, at most EXPORT_STEP, the
 * last of which may pass the end of the disk; 0, with *found the disk's size, when none is left.
 */
int export_next(struct export_job *x, uint64_t off, uint64_t *found, size_t *len);

/* Read from dev, which is .from or .original, into buf. */
int export_read(struct export_job *x, struct dev *dev, void *buf, size_t len, uint64_t off);

/* Write to the new file. */
int export_write(struct export_job *x, const void *buf, size_t len, uint64_t off);

/* The whole of the new file, without and with a header. All return -errno after the message. */
int export_raw(struct export_job *x);
int export_qcow2(struct export_job *x);

/* Whether all of it is zeros. */
bool export_zero(const char *buf, size_t len);

#endif
