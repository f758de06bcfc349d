/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct dev: the one interface of every layer, a byte-addressed random-access device.
 *
 * Image files, windows (partitions), mapped containers, the overlay and the test devices are all
 * devs and can be stacked in any order. Offsets and lengths are in bytes. A transfer is whole or
 * fails: functions return 0 or -errno, there are no short reads. Range and permission checks are
 * made once, in the dev_* wrappers; implementations may rely on them.
 *
 * Threads: all calls but dev_unref of the last reference may run concurrently on one dev;
 * implementations see to their own locking.
 */
#ifndef PLATTER_DEV_H
#define PLATTER_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* The largest size of a device: st_size is signed, and sums of an offset and a request must fit. */
#define DEV_SIZE_MAX ((uint64_t)INT64_MAX - 65536)

/* The bytes of one table that dev_read_table agrees to hold in memory. */
#define DEV_TABLE_MAX ((size_t)64 << 20)

struct dev;

/* A stretch of a device, as dev_extent reports it. */
struct dev_extent {
	uint64_t length; /* bytes, at least 1 */
	bool hole;       /* reads as zeros and takes no room */
};

struct dev_ops {
	int (*pread)(struct dev *dev, void *buf, size_t len, uint64_t off);
	/* NULL on a read-only device. */
	int (*pwrite)(struct dev *dev, const void *buf, size_t len, uint64_t off);
	/* Make a range read as zeros, giving its room back where possible. NULL with pwrite. */
	int (*zero)(struct dev *dev, uint64_t off, uint64_t len);
	/* Make what was acknowledged durable. NULL where there is nothing to do. */
	int (*flush)(struct dev *dev);
	/* The stretch that begins at off; .length may pass the end of the device. NULL: all data.
	 */
	int (*extent)(struct dev *dev, uint64_t off, struct dev_extent *ext);
	/* An upper bound of the bytes of room that the device takes; NULL: its size. O(1). */
	uint64_t (*room)(struct dev *dev);
	/* Free everything, the struct that holds the dev included. */
	void (*close)(struct dev *dev);
};

struct dev {
	const struct dev_ops *ops;
	uint64_t size;
	unsigned refs;
};

/* Fill in a dev that is part of a larger struct; it begins with one reference. */
void dev_init(struct dev *dev, const struct dev_ops *ops, uint64_t size);

/* Another reference; returns dev. */
struct dev *dev_ref(struct dev *dev);

/* Drop a reference; the last one closes. NULL is fine. */
void dev_unref(struct dev *dev);

bool dev_writable(const struct dev *dev);

/* Read exactly len bytes at off. -EIO past the end or when bytes are missing: never zeros. */
int dev_pread(struct dev *dev, void *buf, size_t len, uint64_t off);

/* Write exactly len bytes at off. -EROFS on a read-only device, -ENOSPC past the end. */
int dev_pwrite(struct dev *dev, const void *buf, size_t len, uint64_t off);

/* Make [off, off + len) read as zeros. Errors as dev_pwrite. */
int dev_zero(struct dev *dev, uint64_t off, uint64_t len);

/* Make every acknowledged write durable; 0 means that it is. */
int dev_flush(struct dev *dev);

/* The stretch that begins at off (off < size), cut at the end of the device. */
int dev_extent(struct dev *dev, uint64_t off, struct dev_extent *ext);

/*
 * lseek(2)'s SEEK_DATA (data true) and SEEK_HOLE: the first offset >= off in data (in a hole;
 * the end counts as one), in *found. -ENXIO when off is at or past the end, or no data follows.
 */
int dev_seek(struct dev *dev, uint64_t off, bool data, uint64_t *found);

/* An upper bound of the room in bytes that the contents take. */
uint64_t dev_room(struct dev *dev);

/*
 * Read a table of count entries of entry bytes at off into memory that the caller frees. what
 * names the table in the message. Refused when it passes the end of dev or exceeds max bytes
 * (max <= DEV_TABLE_MAX): nothing is allocated by an image's word alone. An empty table gives
 * *out = NULL.
 */
int dev_read_table(struct dev *dev, uint64_t off, uint64_t count, size_t entry, size_t max,
                   const char *what, void **out, struct platter_error *err);

/*
 * A regular file or block device, read-only. Opened with O_RDONLY; the descriptor is kept until
 * the dev closes. Refuses other kinds of file, and sizes past DEV_SIZE_MAX.
 */
int dev_file_open(const char *path, struct dev **out, struct platter_error *err);

/*
 * The regular file `name` in the folder that dirfd is open on, read-only; -ENOENT when there is
 * none. Anything else of that name, a symbolic link included, is refused without being opened.
 */
int dev_file_open_at(int dirfd, const char *name, struct dev **out, struct platter_error *err);

/* The descriptor of a dev made by dev_file_open, -1 for any other; it stays the dev's. */
int dev_file_fd(const struct dev *dev);

/* The logical sector size of the block device behind a dev_file; 0 for a regular file. */
uint32_t dev_file_sector(const struct dev *dev);

/*
 * The first size bytes of a file or block device that fd is open on for reading and writing. fd is
 * borrowed for the dev's life. For what is made or changed on purpose only: export and commit.
 */
int dev_target(int fd, uint64_t size, struct dev **out);

/* [start, start + size) of lower, which gains a reference. -EINVAL when that passes its end. */
int dev_window(struct dev *lower, uint64_t start, uint64_t size, struct dev **out);

/* size bytes that are a single hole; read-only. */
int dev_blank(uint64_t size, struct dev **out);

/* len bytes of memory, copied from bytes (or zeros when NULL); writable when asked for. */
int dev_memory(const void *bytes, size_t len, bool writable, struct dev **out);

#endif
