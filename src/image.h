/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An opened image: a file and the container format in it. Where the format only wraps a file (a
 * compressed stream), what is wrapped is an image again, and where an image holds the difference to
 * another one, that is its parent. Immutable once open, so any thread may read.
 */
#ifndef PLATTER_IMAGE_H
#define PLATTER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chain.h"
#include "run.h"

struct cache;
struct format_driver;
struct platter_progress;

/* A state of the disk that the image keeps beside the present one. */
struct image_snapshot {
	char id[32], name[256]; /* UTF-8 */
	int64_t created;        /* seconds since 1970 */
	uint64_t size;          /* of the disk then, in bytes */
};

/* A track of an optical disc, mapped as node number `node` of the driver's map. */
struct image_track {
	uint32_t number; /* as on the disc, from 1 */
	uint64_t node;   /* not 0, which is the disk */
	uint64_t size;   /* bytes */
	bool audio;      /* 16-bit little-endian stereo samples; else sectors of 2048 bytes */
};

/* A stretch of the virtual disk that a checksum leaves out. */
struct image_gap {
	uint64_t start, length;
};

/* A checksum that the image holds of its contents. */
struct image_sum {
	/*
	 * "md5", "sha1", "sha256", "crc32"; or "dc42", DiskCopy's own: a 32-bit number, 0 at first,
	 * to which each big-endian word of 16 bits is added, and which is then rotated right by 1.
	 */
	const char *digest;
	uint64_t start, length; /* what of the virtual disk it covers ... */
	/* ... but for these: in order, apart, inside; the driver's own until close. May be NULL. */
	const struct image_gap *gaps;
	size_t ngaps;
	uint8_t value[64]; /* as that digest is written; crc32 and dc42 big-endian */
	char what[64];     /* what it belongs to, for messages: "partition 3"; may be "" */
};

/* Each list holds at most so many; a driver that finds more refuses or leaves the rest out. */
#define IMAGE_LIST_MAX 65536

struct image {
	/* ---- what a driver is given ---- */
	struct dev *file;     /* borrowed, lives as long as the image */
	struct chain *chain;  /* opens the other files that the image names */
	struct cache *cache;  /* for run_table */
	const char *snapshot; /* wanted state, by name or id; NULL: the present. During open only */
	uint32_t wanted;      /* the same as a number, see .state; 0: as .snapshot says */
	/* For opening that takes long (see indexcache.h). During open only. */
	const char *index_folder;                /* NULL: keep no indexes */
	const struct platter_progress *progress; /* NULL: nobody looks */
	const volatile int *stop;                /* NULL: nobody stops it */
	/* Which of the disks in it, from 1: the wanted one (0: the only one), then the chosen. */
	uint32_t disk_number;

	/* ---- what it fills in ---- */
	void *self;      /* the driver's own, freed by its close */
	uint64_t size;   /* of the virtual disk, in bytes */
	uint32_t sector; /* logical sector size where the container states one, else 0 */
	bool packed;     /* what is in there may take more room than the files do */

	/* Lists; see the functions below. */
	struct image_snapshot *snapshots;
	struct image_track *tracks;
	struct image_sum *sums;
	char **notes; /* once open, those of what wraps it and of its parents follow its own */
	size_t nsnapshots, ntracks, nsums, nnotes;

	/* ---- what is the core's ---- */
	uint32_t state; /* 0: the present, else a number that stands for the chosen snapshot ... */
	size_t chosen;  /* ... which stands there in the list */
	const struct format_driver *format;
	struct image *parent; /* image_open_parent made it */
	struct image *outer;  /* whose virtual disk .file is, or NULL */
	struct run_source source;
	struct dev *disk; /* the virtual disk */
};

/* ---- for drivers ---- */

/*
 * The first size bytes of a file, by which a driver knows its format. DRIVER_NOT_MINE when it is
 * shorter; -errno with err set when they cannot be read, for that makes it nobody's.
 */
int image_read_head(struct dev *file, void *buf, size_t size, struct platter_error *err);

/* Add to a list; the struct is copied. -ENOMEM, -E2BIG past IMAGE_LIST_MAX. */
int image_add_snapshot(struct image *image, const struct image_snapshot *snapshot);
int image_add_track(struct image *image, const struct image_track *track);
int image_add_sum(struct image *image, const struct image_sum *sum);

/*
 * Which of the snapshots reported so far is wished for: its place in the list, or image->nsnapshots
 * for the present state. -ENOENT when there is no such.
 */
int image_choose_snapshot(struct image *image, size_t *index, struct platter_error *err);

/* Something about the container that people should know and that is no reason to refuse it, such as
 * a bit that says it was not closed. One line. */
void image_note(struct image *image, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Note what another image, and those that wrap it, have notes of, with the name of its file. */
void image_note_of(struct image *image, const struct image *other);

/*
 * To be called now and then during long work of open, having done so many of total bytes. -EINTR
 * with err set: give up.
 */
int image_progress(const struct image *image, uint64_t done, uint64_t total,
                   struct platter_error *err);

/*
 * Open the image that ref names as the parent: image->parent, of which RUN_PARENT runs are read.
 * format: the name of its format as the child records it; NULL: the child does not say, and then
 * it is only taken when it is in no format but raw, since otherwise whoever wrote its contents
 * would decide what it is. The driver compares identities itself: parent->self is its own where
 * parent->format is.
 */
int image_open_parent(struct image *image, const char *what, const char *ref, const char *format,
                      struct platter_error *err);

/* ---- for everybody else ---- */

struct image_request {
	const char *format;   /* of the outermost container, by name; NULL: detect */
	uint32_t format_id;   /* as image_format_id gave it; 0: detect */
	const char *snapshot; /* NULL: the present state, or ... */
	uint32_t state;       /* ... unless 0, the one that had this image.state */
	const char *chain;    /* as --chain: NULL, "no" or a folder */
	uint32_t disk_number; /* of the disks in an archive, from 1; 0: the only one, or format_id's
	                       */
	struct cache *cache;  /* borrowed, outlives the image */
	const char *index_folder;                /* as in struct image */
	const struct platter_progress *progress; /* likewise */
	const volatile int *stop;                /* likewise */
};

/* Open the image at path, a file or a bundle. */
int image_open(const char *path, const struct image_request *req, struct image **out,
               struct platter_error *err);

/* The same for a device, which gains a reference. */
int image_open_dev(struct dev *file, const struct image_request *req, struct image **out,
                   struct platter_error *err);

/* NULL is fine. */
void image_close(struct image *image);

/* Its formats for people, the innermost first: "qcow2", "vmdk in gzip". */
void image_format_name(const struct image *image, char *out, size_t size);

/* What stands for its formats in overlay headers: the outermost format's id, those inside it in the
 * higher bytes, and in the highest which disk of an archive it is. Never 0. */
uint32_t image_format_id(const struct image *image);

/* The outermost file and how many there are, parents' included. */
struct dev *image_file(const struct image *image, size_t i);
size_t image_file_count(const struct image *image);

#endif
