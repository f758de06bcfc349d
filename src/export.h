/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks as new files. export.c makes the file that is written, export-device.c opens a block
 * device; export-walk.c walks over the disk, and reads and packs it on all cores; export-FORMAT.c
 * is what is written of it, and export-blocks.c what most of those share.
 */
#ifndef PLATTER_EXPORT_H
#define PLATTER_EXPORT_H

#include "dev.h"
#include "disk.h"
#include "pack.h"

struct used;

/* The disk is read in whole units, which is no more than what a system reads ahead anyway, and at
 * most so much at a time. A unit is also what is packed by itself. */
#define EXPORT_UNIT  ((size_t)64 << 10)
#define EXPORT_STEP  ((size_t)1 << 20)
#define EXPORT_UNITS (EXPORT_STEP / EXPORT_UNIT)

/* Room for a unit that packing made larger. */
#define EXPORT_PACKED_MAX (EXPORT_UNIT + 4096)

struct export_job {
	struct dev *from;        /* what is copied, changes included */
	struct dev *image;       /* the same without them */
	struct dev *original;    /* .image, when only the difference counts, or NULL */
	struct overlay *overlay; /* that holds the changes, or NULL */
	uint64_t start;          /* byte of the overlay's disk that .from begins with */
	struct used *used;       /* what of .from need not be copied, or NULL */
	const char *src;         /* for messages */
	struct platter *p;       /* what .from is of, or NULL */
	uint64_t stamp;          /* of the files that it is in, when it began */

	struct dev *out; /* the new file; grows by being written */
	int fd;          /* the same */
	bool device;     /* it is a block device, which holds anything to begin with */
	const char *dst;
	enum pack pack; /* what is to be done to each unit that is not zero */

	const struct platter_export *how;
	const struct platter_progress *progress;
	struct platter_error *err;
};

/* A stretch of the disk that may have to be copied. */
struct export_item {
	uint64_t off;   /* a multiple of the unit */
	size_t len;     /* whole units, at most EXPORT_STEP; what passes the end is zeros */
	char *buf;      /* what is there */
	char *original; /* what is there without the changes, when only the difference counts */
	char *packed;   /* unit i packed, at i * EXPORT_PACKED_MAX */
	size_t packed_len[EXPORT_UNITS]; /* 0: a unit of zeros */
};

/*
 * Take what is in the item, on the thread that called export_walk. Items come in the order of the
 * disk, what is between them is a hole (with .original: is the same), and so does what is written:
 * how many cores there are changes nothing. 0, or -errno after the message.
 */
typedef int export_put_fn(void *self, const struct export_item *item);
int export_walk(struct export_job *x, export_put_fn *put, void *self);

/* All below return -errno after the message, too. */

/* Write to the new file. */
int export_write(struct export_job *x, const void *buf, size_t len, uint64_t off);

/* The same, but what is zeros stays a hole: for places that nothing was written to. */
int export_write_sparse(struct export_job *x, const void *buf, size_t len, uint64_t off);

/* Let the file be size bytes long. */
int export_set_size(struct export_job *x, uint64_t size);

/* -EINTR when somebody wants it to end. */
int export_check_stop(struct export_job *x);

/* Make durable what was written, and look for the last time whether it is to be given up: it was
 * stopped, or what it is a copy of changed meanwhile. */
int export_settle(struct export_job *x);

/*
 * Open the device .dst as .fd for export-raw.c to write, *size bytes. Refuses what is in use, what
 * is too small, and what the disk itself is read from.
 */
int export_open_device(struct export_job *x, uint64_t *size);

/* Something that people should know: one line. */
void export_note(struct export_job *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

int export_no_memory(struct export_job *x);

/* The size of the disk in whole sectors of 512 bytes, for formats that know no others; says so
 * when it is more than there is. */
uint64_t export_sectors(struct export_job *x);

/* A disk of more than max bytes is refused in that format's name. */
int export_check_size(struct export_job *x, const char *format, uint64_t max);

/* len random bytes: for identifiers. */
int export_random(struct export_job *x, void *out, size_t len);

/* The whole of the new file. */
int export_raw(struct export_job *x);
int export_qcow2(struct export_job *x);
int export_vdi(struct export_job *x);
int export_vmdk(struct export_job *x);
int export_vmdk_stream(struct export_job *x);
int export_vhd(struct export_job *x);
int export_vhdx(struct export_job *x);

/* Whether all of it is zeros. */
bool export_zero(const char *buf, size_t len);

#endif
