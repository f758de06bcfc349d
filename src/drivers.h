/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a driver is: a container format, a partition scheme or a filesystem. Each is one const
 * struct at the bottom of its file and one line in drivers.def. A driver includes this header, what
 * that names, and helpers that know of no disk (ondisk.h, text.h, xml.h, plist.h, crc32c.h,
 * xxh32.h, fileio.h, indexcache.h); never what stacks drivers (disk.h, overlay.h, tree.h), never
 * another one.
 *
 * Opening functions give one of three answers: DRIVER_NOT_MINE (another driver may try), 0 (mine
 * and good), or -errno with err set (mine, but broken or unsupported: nobody else may try).
 */
#ifndef PLATTER_DRIVERS_H
#define PLATTER_DRIVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "dev.h"
#include "image.h"
#include "run.h"
#include "table.h"

#define DRIVER_NOT_MINE 1

/* ---- container formats (formats/) ---- */

/*
 * There is no write function: an image cannot be modified, by construction. Immutable after open,
 * so map runs on any thread without a lock; tables too large to hold are read through run_table.
 */
struct format_driver {
	const char *name;
	const char
		*qemu; /* what QEMU calls it, and backing formats are recorded as; NULL: nothing */
	uint32_t id;   /* 1 to 255, in overlay headers: never changes, never reused */
	/* What it maps is a file that may be in another format, or raw. */
	bool wraps;
	/* It knows image.snapshot; else wishing for one is refused. */
	bool snapshots;
	/* It knows image.disk_number; else wishing for one is refused. */
	bool disks;
	/* Its images can say which format the parent is in, whichever that is. */
	bool says_parent;
	/* The name of the file by which a folder is known to be a bundle of this format, or NULL.
	 */
	const char *bundle;
	/* Read the tables of image->file and fill in what image.h says. What self holds is freed by
	 * this function when it fails, by close otherwise. */
	int (*open)(struct image *image, struct platter_error *err);
	run_map_fn *map;           /* node 0 is the disk, others are those of image_add_track */
	void (*close)(void *self); /* NULL: free(self) is all */
};

/* ---- partition schemes (partitions/) ---- */

struct partition_driver {
	const char *name; /* as `info` shows the scheme: "gpt", "mbr", "apm", "bsd" */
	/*
	 * Whether nothing in the table says how long a sector is, so that only what stands at the
	 * partitions' starts can tell.
	 */
	bool sector_unsaid;
	/*
	 * Look for a table, taking a sector to be `sector` bytes (512, 1024, 2048 or 4096), and
	 * report it through table_* (table.h). Entries are reported as recorded, in bytes: ranges
	 * are checked by the core. The driver bounds its own loops.
	 */
	int (*scan)(struct dev *disk, uint32_t sector, struct table *table,
	            struct platter_error *err);
};

/* ---- filesystems (fs/) ---- */

/* Wishes for a filesystem; a driver ignores those of other filesystems. Zero: none. */
struct fs_options {
	const char *tree; /* "rr", "joliet", "plain": which of a disc's trees */
	uint32_t session; /* 1-based number of a disc's session, 0 = the last */
	bool lower;       /* names that are stored in upper case only: show lower case */
};

/* As stat(2), for one node. */
struct fs_attr {
	uint64_t ino; /* st_ino below the filesystem's index (56 bits); equal for hard links */
	uint32_t mode, nlink, uid, gid;
	bool owned;            /* mode's permission bits, uid and gid are the image's own */
	uint64_t size, blocks; /* bytes; units of 512 bytes */
	struct timespec atime, mtime, ctime;
};

/* One directory entry. name: bytes without a terminator, as stored; the core refuses names that
 * are empty, ".", "..", longer than 1023 or hold '/' or NUL, so the driver need not. */
struct fs_dirent {
	const char *name;
	size_t len;
	uint64_t node;
	uint64_t next; /* cookie from which to go on after this entry, never 0 */
	const struct fs_attr *attr;
};

/* Non-zero stops the listing. */
typedef int fs_emit_fn(void *arg, const struct fs_dirent *ent);

/*
 * Calls are message-shaped: numbers and byte buffers. Nodes are 56-bit numbers of the driver's
 * own choosing that stay valid until close, whoever asks with them got them from the same driver.
 * All but open and close may run concurrently. -errno from each: -EIO for damage, -EOPNOTSUPP for
 * a feature that is not supported, -ENOENT, -ENOTDIR.
 */
struct fs_driver {
	const char *name; /* as libblkid names the type */
	/* dev is borrowed and outlives the filesystem. label (may be NULL): as UTF-8. */
	int (*open)(struct dev *dev, const struct fs_options *opt, void **fs,
	            struct platter_error *err);
	/* Whether the device begins as this filesystem does; cheap. */
	bool (*probe)(struct dev *dev);
	uint64_t (*root)(void *fs);
	int (*stat)(void *fs, uint64_t node, struct fs_attr *attr);
	int (*lookup)(void *fs, uint64_t dir, const char *name, size_t len, uint64_t *node);
	/* From cookie on (0: the beginning); without "." and "..". */
	int (*readdir)(void *fs, uint64_t dir, uint64_t cookie, fs_emit_fn *emit, void *arg);
	/* Target into buf (not terminated), its length into *len; -ENAMETOOLONG past size. */
	int (*readlink)(void *fs, uint64_t node, char *buf, size_t size, size_t *len);
	run_map_fn *map; /* of a regular file's bytes; self is the fs */
	void (*close)(void *fs);
};

/* The tables made from drivers.def, in its order; NULL-terminated. */
extern const struct format_driver *const format_drivers[];
extern const struct partition_driver *const partition_drivers[];
extern const struct partition_driver *const boot_drivers[];
extern const struct fs_driver *const fs_drivers[];

#endif
