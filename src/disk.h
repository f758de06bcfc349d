/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One opened image and the layers on it:
 *
 *   image (file -> format) -> overlay -> window (start, length) -> disk
 *
 * with its tables and what its filesystems are. Immutable after opening, but for what the overlay
 * and the cache hold.
 */
#ifndef PLATTER_DISK_H
#define PLATTER_DISK_H

#include "cache.h"
#include "drivers.h"
#include "fsid.h"
#include "overlay.h"
#include "platter.h"
#include "table.h"

/* Partitions whose filesystem is looked up; more would make a hostile table slow to open. */
#define DISK_IDENTIFY_MAX 128

struct platter {
	char *path;            /* absolute */
	char *overlay_path;    /* absolute, "ram", or NULL */
	struct timespec mtime; /* of the image */

	struct cache *cache;
	struct image *container;
	char format_name[64];
	struct dev *image; /* the virtual disk as the image has it; the container's */
	bool blank;        /* there is no image: it is zeros */
	struct overlay_base *base_id;
	struct overlay *overlay;
	struct dev *disk; /* what everything above reads and writes */
	uint64_t start;   /* byte of the image, or of the overlay's disk, that .disk begins with */

	uint32_t sector;
	struct table table, boot;
	struct fsid whole;  /* on the whole disk */
	struct fsid *parts; /* of table.parts, the same order */
	struct fs_options fs_options;
	char tree_name[16]; /* fs_options.tree */

	void (*log)(void *arg, const char *line);
	void *log_arg;
	time_t log_second; /* of the last line, and how many in it */
	unsigned log_lines;
};

/* The index of the partition with that number in table.parts, or -1. */
int disk_find_part(const struct platter *p, uint32_t number);

/* A window on partition i; the caller drops the reference. */
int disk_open_part(struct platter *p, size_t i, struct dev **out);

/* Send a line to the log. */
void disk_log(struct platter *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* disk-scan.c: fill in sector, table, boot, whole and parts. wanted: a sector size, or 0. */
int disk_scan(struct platter *p, uint32_t wanted, struct platter_error *err);

#endif
