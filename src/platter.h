/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libplatter: disk images as devices and file trees.
 *
 * platter_open() takes an image and options, detects its container format and partition table,
 * puts an overlay on top when asked to, and gives a struct platter. From that come a description
 * (platter_info_json) and a tree of nodes: either the devices (platter_attach) or the files of
 * the filesystems inside (platter_mount). Trees are read and written through platter_tree_*.
 *
 * Sizes and offsets are in bytes. Functions return 0 or -errno; those that open something also
 * fill a struct platter_error with one line that says what was found and what was expected. The
 * library never prints, exits, forks, takes signals or keeps globals.
 *
 * Threads: platter_tree_* and platter_flush may run concurrently on one struct platter. Opening
 * and closing may not run beside anything else on the same object.
 */
#ifndef PLATTER_H
#define PLATTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#ifdef __cplusplus
extern "C" {
#endif

struct platter_error {
	int code; /* an errno */
	char text[1024];
};

/* Called now and then during long work, with bytes; step may be NULL. */
struct platter_progress {
	void (*step)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/* An opened image. */
struct platter;

/* Zeroed: the image as it is, everything detected, read-only. Strings are borrowed for the call. */
struct platter_options {
	const char *format;   /* container format by name; NULL: detect */
	const char *snapshot; /* state that the image keeps, by name or id; NULL: the present */
	const char *chain;    /* where files that the image names are looked for as well: a folder;
	                       * "no": such files are not opened */
	uint32_t disk;        /* which of the disks in an archive (OVA), from 1; 0: the only one */
	uint64_t start, length; /* use only this part of the virtual disk; length 0: to the end */
	uint32_t sector;        /* 512, 1024, 2048 or 4096; 0: detect */

	const char *index_folder; /* where indexes of compressed streams are kept, which take a pass
	                           * over the file to make; NULL: nowhere */
	const struct platter_progress *progress; /* for such a pass; NULL: nobody looks */
	const volatile int *stop; /* not NULL: when it gets set, such a pass gives up (EINTR) */
	uint64_t blank; /* no image but a disk of so many zeros, which path is only a name for; what
	                 * is written to it needs overlay_ram; 0: an image */

	const char *overlay;  /* a file that takes the writes, made when missing; NULL: none */
	bool overlay_ro;      /* only look through the overlay: it must exist, and stays as it is */
	bool overlay_live;    /* with overlay_ro: even while somebody writes to it; what is read
	                       * then is of various moments since it was opened */
	bool overlay_ram;     /* writes are kept in memory until close */
	uint64_t overlay_max; /* for overlay_ram: bytes it may take, 0: half of the memory */

	const char *tree; /* of an optical disc: "rr", "joliet", "plain"; NULL: the fullest */
	uint32_t session; /* of an optical disc, from 1; 0: the last */
	bool lower;       /* show upper-case-only names in lower case */

	/* Called with one line when something goes wrong while serving; any thread. NULL: silent.
	 */
	void (*log)(void *arg, const char *line);
	void *log_arg;
};

/*
 * Open the image at path. On failure *out is NULL and err holds the reason, prefixed by path.
 * Descriptors are close-on-exec. With an overlay the lock on it is held until platter_close, by
 * every process that the caller forks in between.
 */
int platter_open(const char *path, const struct platter_options *opt, struct platter **out,
                 struct platter_error *err);

/*
 * Flush, mark the overlay as cleanly closed, free everything. The result is that of the flush:
 * when it is not 0, acknowledged writes may be lost. After a fork, the process that served is to
 * call it; when that one was killed, another one that has p too does it in its place and nothing
 * acknowledged is lost. NULL is fine.
 */
int platter_close(struct platter *p);

/* Free everything, leaving the overlay's file as it is: for the other processes after a fork. */
void platter_abandon(struct platter *p);

/*
 * Before the first write, in the process that serves: note in the overlay that it is open. Nothing
 * to do without one.
 */
int platter_begin(struct platter *p);

/* Make every write acknowledged so far durable. */
int platter_flush(struct platter *p);

/* The absolute path of the image; of the overlay (NULL when there is none, "ram" in memory). */
const char *platter_path(const struct platter *p);
const char *platter_overlay_path(const struct platter *p);

/* The name of the image's container format. */
const char *platter_format(const struct platter *p);

/* Whether nodes can be written to. */
bool platter_writable(const struct platter *p);

/* The description of `platter info --json` (DESIGN: keys are stable), to be freed; NULL: ENOMEM. */
char *platter_info_json(struct platter *p);

/* ---- the same description, piece by piece ---- */

struct platter_fs_info {
	const char *type, *label, *uuid; /* type "" = nothing recognised */
	bool filesystem;                 /* not swap, a RAID or LVM member, or encrypted */
	bool browse;                     /* platter can show its files */
};

struct platter_part_info {
	uint32_t number;
	uint64_t start, size;
	const char *type, *type_name, *name, *uuid, *problem; /* "" = none */
	bool bootable, container;
	struct platter_fs_info fs;
};

/* A track of an optical disc. */
struct platter_track_info {
	uint32_t number;
	uint64_t size;
	bool audio; /* 16-bit little-endian stereo samples; else sectors of 2048 bytes */
};

struct platter_info {
	const char *format, *scheme; /* scheme "none": no table */
	uint64_t virtual_size;
	uint32_t sector_size;
	struct platter_fs_info fs; /* on the whole disk */
	size_t nparts, ngaps, nboots, ntracks, nproblems;
	size_t nsnapshots, nnotes, nparents;
};

/* A state of the disk that the image keeps beside the present one. */
struct platter_snapshot_info {
	const char *id, *name; /* UTF-8 */
	int64_t created;       /* seconds since 1970 */
	uint64_t size;         /* of the disk then */
	bool shown;            /* it is what was opened */
};

void platter_get_info(struct platter *p, struct platter_info *info);
/* i < nparts, in the order of the table. Strings live as long as p. */
void platter_get_part(struct platter *p, size_t i, struct platter_part_info *part);
void platter_get_boot(struct platter *p, size_t i, struct platter_part_info *part);
void platter_get_track(struct platter *p, size_t i, struct platter_track_info *track);
void platter_get_gap(struct platter *p, size_t i, uint64_t *start, uint64_t *size);
const char *platter_get_problem(struct platter *p, size_t i);
void platter_get_snapshot(struct platter *p, size_t i, struct platter_snapshot_info *snapshot);
/* What people should know about the container. */
const char *platter_get_note(struct platter *p, size_t i);
/* What the image stands on (a backing file), the nearest first: its name without a folder. */
void platter_get_parent(struct platter *p, size_t i, const char **name, char *format, size_t size);

/* ---- trees ---- */

/* A node's number: 1 is the root of a tree. */
typedef uint64_t platter_ino;

/* "Every partition" where a partition's number is asked for. */
#define PLATTER_PART_ALL (-1)

struct platter_tree;

enum platter_layout {
	PLATTER_LAYOUT_AUTO,   /* one filesystem: its tree; several: a directory for each */
	PLATTER_LAYOUT_SINGLE, /* one filesystem, or fail */
	PLATTER_LAYOUT_MULTI,  /* always a directory for each */
};

/* How owners and modes are shown. */
struct platter_view {
	enum platter_layout layout;
	uint32_t uid, gid;         /* of what has no owner of its own */
	bool force_uid, force_gid; /* uid, gid are for everything */
	uint32_t umask;            /* taken off every mode */
};

/*
 * The devices: disk, parts/, gaps/, boot/, tracks/, .platter/info.json; with part (0 is the whole
 * disk) only that one. The tree is closed by platter_tree_close, before p.
 */
int platter_attach(struct platter *p, int part, const struct platter_view *view,
                   struct platter_tree **out, struct platter_error *err);

/* The files. err->code is EINVAL for what is a usage error (several filesystems, no part). */
int platter_mount(struct platter *p, int part, const struct platter_view *view,
                  struct platter_tree **out, struct platter_error *err);

void platter_tree_close(struct platter_tree *tree);

/* Whether file contents and names can change while the tree is open. */
bool platter_tree_writable(const struct platter_tree *tree);

/* lookup fills *ino and *st; name is len bytes. */
int platter_tree_lookup(struct platter_tree *tree, platter_ino dir, const char *name, size_t len,
                        platter_ino *ino, struct stat *st);
int platter_tree_stat(struct platter_tree *tree, platter_ino ino, struct stat *st);
int platter_tree_readlink(struct platter_tree *tree, platter_ino ino, char *buf, size_t size,
                          size_t *len);

/* Called for each entry, "." and ".." included, name terminated; next is the cookie after it.
 * Non-zero stops the listing. */
typedef int platter_emit_fn(void *arg, const char *name, platter_ino ino, const struct stat *st,
                            uint64_t next);
int platter_tree_readdir(struct platter_tree *tree, platter_ino dir, uint64_t cookie,
                         platter_emit_fn *emit, void *arg);

/* Up to len bytes at off; *got is less only at the end of the file. */
int platter_tree_read(struct platter_tree *tree, platter_ino ino, void *buf, size_t len,
                      uint64_t off, size_t *got);
/* The whole of len bytes; -ENOSPC past the end, -EROFS when not writable. */
int platter_tree_write(struct platter_tree *tree, platter_ino ino, const void *buf, size_t len,
                       uint64_t off);
/* Make [off, off + len) read as zeros, giving its room back. */
int platter_tree_zero(struct platter_tree *tree, platter_ino ino, uint64_t off, uint64_t len);
/* As lseek(2) with SEEK_DATA (data) or SEEK_HOLE. */
int platter_tree_seek(struct platter_tree *tree, platter_ino ino, uint64_t off, bool data,
                      uint64_t *found);

/*
 * Where on the disk byte off of a file stands, and how many bytes from there on stand in a row.
 * -ENXIO past the end, -ENOTSUP where it stands nowhere as it is (a hole, packed data).
 */
int platter_tree_where(struct platter_tree *tree, platter_ino ino, uint64_t off, uint64_t *start,
                       uint64_t *length);

/* ---- overlays ---- */

/* Layers that an overlay may stand on. */
#define PLATTER_LAYERS_MAX 16

/* A frozen layer. */
struct platter_overlay_layer {
	char name[256]; /* of the snapshot */
	uint64_t blocks, bytes_on_disk;
	int64_t created; /* seconds since 1970 */
};

struct platter_overlay_status {
	char base[1025];       /* where the image was when the overlay was last opened */
	bool base_found;       /* there is a file of that name beside the overlay */
	bool fits;             /* and it is what the overlay was made for */
	bool in_use;           /* somebody has it open */
	uint32_t pid;          /* who opened it last, in this boot; 0: not known */
	bool clean;            /* it was closed cleanly */
	bool frozen;           /* it is a layer of others */
	bool committing;       /* a commit of it was interrupted */
	uint64_t virtual_size; /* of the disk */
	uint32_t block_size;
	uint64_t blocks;                 /* held, by this layer alone */
	uint64_t bytes_on_disk;          /* taken by the file */
	int64_t created, opened, closed; /* seconds since 1970; closed 0: not since opened */
	size_t nlayers;                  /* below it, the uppermost first */
	struct platter_overlay_layer layers[PLATTER_LAYERS_MAX];
	size_t nothers; /* snapshots that it does not stand on, up to that many */
	struct platter_overlay_layer others[PLATTER_LAYERS_MAX];
	char misfit[256]; /* why .fits is false */
};

/* Look at an overlay without opening it for writing; works while somebody has it open. */
int platter_overlay_get_status(const char *path, struct platter_overlay_status *st,
                               struct platter_error *err);

/* Whether the file at path is one, sound or not. */
bool platter_is_overlay(const char *path);

/* Whether somebody has it open. */
bool platter_overlay_in_use(const char *path);

/*
 * The image that an overlay is over, to be freed: a regular file of the recorded name that stands
 * beside it. The recorded path as a whole is for people: an overlay that came from elsewhere may
 * name any file there.
 */
int platter_overlay_find_image(const char *overlay, char **image, struct platter_error *err);

/*
 * From memory to a file, while the overlay is in use; see overlay_ram. The process that serves
 * pauses (nothing may be written until it resumes, from the same thread); any process that shares p
 * by fork writes the new overlay to fd, an empty file, and locks it; when the caller has given the
 * file its name, path, all that share p switch to it, the one that serves last.
 */
int platter_keep_pause(struct platter *p, struct platter_error *err);
int platter_keep_write(struct platter *p, int fd, struct platter_error *err);
int platter_keep_switch(struct platter *p, int fd, const char *path, struct platter_error *err);
void platter_keep_resume(struct platter *p);

/* ---- what an overlay changes ---- */

/* A stretch whose contents differ from the image's. */
struct platter_change {
	uint64_t start, size;
	uint32_t part; /* that it lies in, 0: none */
};

struct platter_diff;

/*
 * Begin to look for changes in p, which has an overlay and is opened without start and length.
 * One thread at a time. Closed before p.
 */
int platter_diff_open(struct platter *p, struct platter_diff **out, struct platter_error *err);

/*
 * The first change in [off, end), cut there, in whole sectors of 512 bytes: what is held by the
 * overlay and reads the same as the image is no change. Changes that touch are one, but end where
 * a partition (of the table as it is now) begins or ends. They are of the partition with the
 * lowest number that is no container, else of the lowest container. -ENXIO: there is none.
 */
int platter_diff_next(struct platter_diff *d, uint64_t off, uint64_t end,
                      struct platter_change *change, struct platter_error *err);
void platter_diff_close(struct platter_diff *d);

/*
 * The functions from here on work on an overlay that nobody has open (else -EBUSY), at rest. Cut
 * off at any moment, each leaves the state from before or the one that it was to reach.
 */

/*
 * Remove an overlay with everything in it, its snapshots too. A frozen layer goes alone, and only
 * when no other stands on it. Refuses symbolic links, and files that are no overlay.
 */
int platter_overlay_discard(const char *path, struct platter_error *err);

/*
 * Freeze what the overlay holds as the snapshot `name`, a file PATH.NAME, and go on in a new, empty
 * layer on it. -EEXIST: there is one of that name; -EMLINK: PLATTER_LAYERS_MAX are reached.
 */
int platter_overlay_snapshot(const char *path, const char *name, struct platter_error *err);

/* Give up what was written since the snapshot was made, or was last rolled back to. */
int platter_overlay_rollback(const char *path, const char *name, struct platter_error *err);

/* Merge the layers below into it, and remove those that no other overlay stands on. */
int platter_overlay_flatten(const char *path, const struct platter_progress *progress,
                            struct platter_error *err);

struct platter_overlay_check {
	unsigned problems, repaired;
	uint64_t lost;   /* blocks that were or may have been lost */
	uint64_t blocks; /* held, by all layers */
	uint64_t junk;   /* bytes that the file takes for nothing */
};

/*
 * Look whether the overlay's file and those of its layers are sound; tell is called with a line for
 * each thing that is not. repair: mend what can be mended without a loss (never in frozen layers).
 * 0: it was looked at, and *result says what came out. The file may stay in use by readers unless
 * it is to be repaired.
 */
int platter_overlay_check(const char *path, bool repair, void (*tell)(void *arg, const char *line),
                          void *arg, struct platter_overlay_check *result,
                          struct platter_error *err);

/*
 * Write everything that the overlay holds into image, which must be raw, and remove the overlay and
 * its snapshots. Cut off at any moment, running it again finishes; until then the overlay shows the
 * right disk and can only be read. -EBUSY when somebody uses the image. undo, unless NULL: a file
 * that is made first, an overlay of the new image that shows the old one.
 */
int platter_overlay_commit(const char *path, const char *image, const char *undo,
                           const struct platter_progress *progress, struct platter_error *err);

/* ---- copies ---- */

struct platter_export {
	const char *format;   /* "raw", "qcow2", "vdi", "vmdk", "vhd" or "vhdx"; NULL: raw */
	const char *compress; /* "zlib" (qcow2, vmdk) or "zstd" (qcow2); NULL: not */
	bool thin;            /* qcow2 only: backed by the image, and holds the difference */
	bool used;            /* leave out what the filesystems that can be asked say is free */
	bool device; /* raw only: dst is a block device, whose contents it takes the place of */
	int part;    /* only that partition; 0 or PLATTER_PART_ALL: the whole disk */
	const volatile int *stop; /* not NULL: when a signal handler sets it, give up (EINTR) */

	/* Called with one line about what people should know of the result; may be NULL. */
	void (*note)(void *arg, const char *line);
	void *note_arg;
};

/* Whether there is such a form (-EINVAL) and this build can make it (-EOPNOTSUPP). */
int platter_export_check(const struct platter_export *how, struct platter_error *err);

/*
 * Make the file dst, a copy of the disk as it is seen through the overlay; it appears when it is
 * whole and on disk, or not at all. What is there already is never replaced (EEXIST). A device
 * (.device) must not be in use (EBUSY) nor be smaller than the disk (ENOSPC); what it has beyond
 * the disk's size stays, and cut off in between its first MiB is zeros. Nothing may be written to p
 * meanwhile. progress may be NULL. Messages begin with dst.
 */
int platter_export(struct platter *p, const char *dst, const struct platter_export *how,
                   const struct platter_progress *progress, struct platter_error *err);

/* Make the file dst, a disk of size bytes, all zeros. Of how, .format and .note count. */
int platter_create(const char *dst, uint64_t size, const struct platter_export *how,
                   struct platter_error *err);

/* ---- checksums ---- */

struct platter_sum {
	const char *digest; /* "md5", "sha1", "sha256", "sha512", "blake2b", "crc32", "dc42" */
	const char *what;   /* what of the disk it is of, in words; "": see the next */
	uint64_t start, length;
	bool whole;       /* that is all of the disk, or of the partition */
	char value[129];  /* as it was computed, in hexadecimal digits */
	char stored[129]; /* as the image has it; "": it has none, this one was asked for */
};

struct platter_verify {
	const char *const *digests; /* to compute beside those that are stored */
	size_t ndigests;            /* 0: sha256 where nothing is stored */
	int part;                   /* only of that partition, nothing of which is stored */
	void (*tell)(void *arg, const struct platter_sum *sum); /* about each, as it is done */
	void *arg;
};

/*
 * Read the disk as the image has it, once, and compute checksums of it. 0: all of them could be;
 * whether they are as stored is for tell to see. progress may be NULL. Messages begin with the
 * path.
 */
int platter_verify(struct platter *p, const struct platter_verify *how,
                   const struct platter_progress *progress, struct platter_error *err);

#ifdef __cplusplus
}
#endif

#endif
