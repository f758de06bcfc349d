/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file under an overlay, as a small set of calls. Everything that the overlay does to its
 * file goes through here, so that tests can record, reorder, tear and fail it.
 */
#ifndef PLATTER_OVERLAY_IO_H
#define PLATTER_OVERLAY_IO_H

#include <stddef.h>
#include <stdint.h>

#include "dev.h"

struct overlay_io;

/* All return 0 or -errno, transfer whole or fail, and may run concurrently. */
struct overlay_io_ops {
	int (*pread)(struct overlay_io *io, void *buf, size_t len, uint64_t off);
	int (*pwrite)(struct overlay_io *io, const void *buf, size_t len, uint64_t off);
	/* Make the range read as zeros, whatever it held, without changing the size. */
	int (*punch)(struct overlay_io *io, uint64_t off, uint64_t len);
	/* Take the room for a range now, keeping its contents. -EOPNOTSUPP where it cannot. */
	int (*reserve)(struct overlay_io *io, uint64_t off, uint64_t len);
	/* fdatasync(2). NULL: nothing here outlives the process, there is nothing to flush. */
	int (*sync)(struct overlay_io *io);
	/*
	 * As sync, but it fails too when an earlier sync did whose error another process got and
	 * was killed over: the system tells an error only once. NULL with sync.
	 */
	int (*sync_anew)(struct overlay_io *io);
	/* As dev_extent; .length may pass the end. */
	int (*extent)(struct overlay_io *io, uint64_t off, struct dev_extent *ext);
	/* Bytes of room that the file takes. */
	uint64_t (*room)(struct overlay_io *io);
	void (*close)(struct overlay_io *io);
};

struct overlay_io {
	const struct overlay_io_ops *ops;
};

/* Over an open file, which is closed with it. */
int overlay_io_file(int fd, struct overlay_io **out);

/* Over memory; size bytes, sparse. */
int overlay_io_ram(uint64_t size, struct overlay_io **out, struct platter_error *err);

#endif
