/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The overlay: a sparse file that takes every write, so that the image under it never changes.
 * It is a dev over the virtual disk's dev. overlay.c is the engine, on an overlay_io;
 * overlay-header.c reads and writes headers; overlay-file.c makes, opens, locks, inspects and
 * removes the files; overlay-base.c knows the image again.
 */
#ifndef PLATTER_OVERLAY_H
#define PLATTER_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "dev.h"
#include "image.h"
#include "overlay-format.h"
#include "overlay-io.h"

struct overlay;

/* Called from any thread; both may be NULL. */
struct overlay_hooks {
	void (*before_flush)(void *arg);          /* at each flush, also of an overlay in memory */
	void (*log)(void *arg, const char *line); /* on the first failure */
	void *arg;
};

/* ---- headers (overlay-header.c) ---- */

/* Fill in *h for a new overlay of a disk of size bytes: geometry, uuid, seed, times. The caller
 * adds the base. -EFBIG when no file can hold it. */
int ovl_header_init(struct ovl_header *h, uint64_t size, struct platter_error *err);

/* The header that holds, checked: magic, crc, versions, features (fewer to only read),
 * geometry. *slot: which it was. */
int ovl_header_read(struct overlay_io *io, bool read_only, struct ovl_header *h, int *slot,
                    struct platter_error *err);

/* Write *h into slot with its crc; does not sync. */
int ovl_header_write(struct overlay_io *io, struct ovl_header *h, int slot);

/* Note in h that this process opens the overlay now. */
void ovl_header_session(struct ovl_header *h);

/* Whether each of the two header slots has a header with the right magic and crc. */
int ovl_header_sound(struct overlay_io *io, bool sound[2]);

/* Whether a slot's image is one of page i. */
bool ovl_page_sound(const struct ovl_header *h, uint64_t i, const struct ovl_page *page);

/* Which of the two slots' images of page i holds, checked; -1: neither, the page is empty. */
int ovl_page_choose(const struct ovl_header *h, uint64_t i, const struct ovl_page pair[2]);

/* The first page at or after *i of which a slot may hold something, both slots read; *i is the
 * number of pages when there is none. */
int ovl_page_next(struct overlay_io *io, const struct ovl_header *h, uint64_t *i,
                  struct ovl_page pair[2]);

/* ---- the engine (overlay.c) ---- */

/* How overlay_start is to treat the file. */
struct overlay_mode {
	bool read_only; /* write nothing to it, not even the mark that it is open */
	uint64_t max;   /* bytes of room that it may take, 0: no limit */
};

/*
 * Open the overlay in io over base. h is its header, as ovl_header_read gave it (updated by the
 * caller where the base moved), in slot. Takes io over, also on failure, and a reference to base.
 * hooks are copied.
 */
int overlay_start(struct overlay_io *io, const struct ovl_header *h, int slot, struct dev *base,
                  struct overlay_mode mode, const struct overlay_hooks *hooks, struct overlay **out,
                  struct platter_error *err);

/* The overlay as a dev; it lives as long as the overlay and holds no reference. */
struct dev *overlay_dev(struct overlay *o);

/*
 * Whether [off, off + *n), inside the disk, is held by the overlay or a layer under it, or (not
 * *held) is the image's; *n is at most len.
 */
int overlay_held(struct overlay *o, uint64_t off, uint64_t len, bool *held, uint64_t *n);

/*
 * Mark the overlay as open, by this process: before the first write. What overlay_start was given
 * as header becomes the file's.
 */
int overlay_begin(struct overlay *o);

/*
 * Make every acknowledged write durable. -EIO, for ever, after an fdatasync has failed: what was
 * not flushed before may be gone. -ENOSPC can be tried again.
 */
int overlay_flush(struct overlay *o);

/*
 * Flush and mark the header clean, once, whichever process of those that share the overlay by
 * fork does it. 0, or the flush's failure: the header then stays marked open.
 */
int overlay_finish(struct overlay *o);

/*
 * Let no write begin in an overlay in memory, and wait for those under way. -EINVAL when it is in a
 * file. The same thread resumes.
 */
int overlay_pause(struct overlay *o);
void overlay_resume(struct overlay *o);

/*
 * Go on in io, a file with header h in slot that holds what the paused overlay in memory does.
 * Takes io over, also on failure. Every process that shares the overlay by fork does it, the one
 * that serves last; then it begins it.
 */
int overlay_adopt(struct overlay *o, struct overlay_io *io, const struct ovl_header *h, int slot);

/* Its header, as it was opened; lives as long as the overlay. */
const struct ovl_header *overlay_header(const struct overlay *o);

/* Free everything; does not flush. */
void overlay_free(struct overlay *o);

/* ---- files (overlay-file.c) ---- */

struct overlay_base;

/* Overlays may hold anybody's secrets. */
#define OVL_FILE_MODE 0600

/* How long the last user of an overlay may take to flush. */
#define OVL_LOCK_WAIT_MS 10000

enum ovl_lock {
	OVL_LOCK_NONE,      /* look, whoever has it open */
	OVL_LOCK_SHARED,    /* look, while nobody writes */
	OVL_LOCK_EXCLUSIVE, /* for writing */
};

/* An overlay's file, open and checked as far as its header and size go. */
struct ovl_file {
	int fd; /* io's */
	struct overlay_io *io;
	struct ovl_header h;
	int slot; /* where h stands */
	struct stat st;
};

/* Open path under a lock, for which it waits; the lock ends with ovl_file_close. */
int ovl_file_open(const char *path, enum ovl_lock lock, int wait_ms, struct ovl_file *f,
                  struct platter_error *err);
void ovl_file_close(struct ovl_file *f);

/* The same, also when the file is shorter than its header says. */
int ovl_file_open_cut(const char *path, enum ovl_lock lock, int wait_ms, struct ovl_file *f,
                      struct platter_error *err);

/* Whether somebody else holds a lock on it. */
bool ovl_file_locked(const struct ovl_file *f);

/* Write f->h, changed, as the next header; durable on return. */
int ovl_file_put_header(struct ovl_file *f);

/*
 * Make the empty file fd an overlay with header h; *io is over a descriptor of its own. Not synced.
 */
int ovl_file_format(int fd, struct ovl_header *h, struct overlay_io **io,
                    struct platter_error *err);

/* The same under a name, durable. -EEXIST when the name is taken, unless it is to be replaced. */
int ovl_file_create(const char *path, struct ovl_header *h, bool replace,
                    struct platter_error *err);

/* Record hint, the image's path, for people. */
void ovl_header_set_hint(struct ovl_header *h, const char *hint);

/* Take over from another header what image it is for. */
void ovl_header_inherit(struct ovl_header *h, const struct ovl_header *from);

/* What an existing overlay says that it was made for; -ENOENT when there is no such file. */
int overlay_peek(const char *path, struct ovl_header *h, struct platter_error *err);

/* What overlay_open opens, and over what; all borrowed for the call, id for the overlay's life. */
struct overlay_request {
	const char *path;
	bool read_only; /* it must exist; others may look through it at the same time */
	bool live;      /* with read_only: somebody may even be writing to it */
	struct dev *base;
	struct overlay_base *id; /* the base's identity */
	const char *hint;        /* the base's path, for people */
};

/*
 * Open the overlay, or make it when it does not exist. Waits up to 10 s for the lock: its last
 * user may still be flushing.
 */
int overlay_open(const struct overlay_request *req, const struct overlay_hooks *hooks,
                 struct overlay **out, struct platter_error *err);

/* ---- what it holds (overlay-copy.c) ---- */

/* The next stretch at or after *off that the overlay or a layer under it holds; *len 0: none. */
int overlay_next_held(struct overlay *o, uint64_t *off, uint64_t *len);

/* How many bytes that are in all. */
int overlay_count_held(struct overlay *o, uint64_t *bytes);

/* Copy, for everything that o holds, what `from` has there to `to`. */
int overlay_copy(struct overlay *o, struct dev *from, struct dev *to,
                 const struct platter_progress *progress);

/*
 * The same into the empty file fd, which becomes an overlay of header h over base, whole and closed
 * when 0 is returned.
 */
int overlay_copy_to_file(struct overlay *o, struct dev *from, int fd, struct ovl_header *h,
                         struct dev *base, const struct platter_progress *progress,
                         struct platter_error *err);

/* Tell progress, which may be NULL. */
void overlay_step(const struct platter_progress *progress, uint64_t done, uint64_t total);

/* ---- chains (overlay-layers.c) ---- */

/*
 * Start the overlay in f, at path, on the layers that it stands on, down to base. Those are opened
 * without a lock when live, else under a shared one. f->io is the overlay's afterwards, or closed.
 */
int overlay_start_layered(const char *path, struct ovl_file *f, bool live, struct dev *base,
                          struct overlay_mode mode, const struct overlay_hooks *hooks,
                          struct overlay **out, struct platter_error *err);

/*
 * Open the parent of the overlay at path with header h, a regular file in the same folder, when it
 * is the overlay that h was put on, as it was then. *parent is its path, to be freed. Errors name
 * it; *f and *parent need no closing then.
 */
int overlay_parent_open(const char *path, const struct ovl_header *h, enum ovl_lock lock,
                        char **parent, struct ovl_file *f, struct platter_error *err);

/*
 * Freeze the layer that the overlay at path with header h stands on, where a snapshot was cut off
 * before it did. What stands in the way of that shows when the layer is needed.
 */
void overlay_finish_snapshot(const char *path, const struct ovl_header *h);

/* ---- the base (overlay-base.c) ---- */

/* sha256 of a sample of disk that seed chooses. */
int overlay_fingerprint(struct dev *disk, uint64_t seed, uint8_t sum[32]);

/*
 * Who the image is, which is borrowed. Takes QEMU's shared byte locks on all of its files: refused
 * (-EBUSY) when somebody has one of them open for writing.
 */
int overlay_base_open(struct image *image, struct overlay_base **out, struct platter_error *err);
void overlay_base_close(struct overlay_base *b);

/*
 * Turn those locks into a writer's. -EBUSY when somebody else writes to the image, or relies on
 * nobody doing so, such as another overlay's mount.
 */
int overlay_base_become_writer(struct overlay_base *b, struct platter_error *err);

/* Fill in header fields for a new overlay, fingerprint included. */
int overlay_base_record(struct overlay_base *b, struct ovl_base *rec, struct platter_error *err);

/*
 * Whether the image is the one that rec describes: 0, or -ESTALE with the reason. When it is but
 * was moved or touched, *rec is brought up to date and *moved set.
 */
int overlay_base_match(struct overlay_base *b, struct ovl_base *rec, bool *moved,
                       struct platter_error *err);

/*
 * The virtual disk as long as the image is what it has to be: when overlay_base_check finds that
 * it is not, every read from then on is -EIO. The dev lives as long as b and holds no reference.
 */
struct dev *overlay_base_dev(struct overlay_base *b);

/* Look at the image's files again; true on the first call that finds it changed. Any thread. */
bool overlay_base_check(struct overlay_base *b);

/* Remember rec as what the image must go on to be. */
void overlay_base_watch(struct overlay_base *b, const struct ovl_base *rec);

#endif
