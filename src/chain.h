/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that an image names: extents, segments, parents, backing and data files.
 *
 * Whoever made the image chose those names, so only a plain name counts, of a regular file that is
 * no symbolic link and stands in the folder of the image itself or in the one that --chain=DIR
 * adds. An absolute path counts when it names a file directly in one of the two. --chain=no refuses
 * all. Messages name the reference and the option.
 *
 * A struct chain stands for one image's place: its folder, and whose parent it is. One thread at a
 * time; nothing is opened once the images are.
 */
#ifndef PLATTER_CHAIN_H
#define PLATTER_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "dev.h"

struct chain;

/* Parents of parents; a chain of more is refused. */
#define CHAIN_DEPTH_MAX 16

/* Files that one image may consist of, its parents' included. */
#define CHAIN_FILES_MAX 4096

/*
 * Begin with the image at path. allow: NULL, "no" or a folder, as --chain has it. When path is a
 * folder (a bundle), *file is NULL and names are looked up in it; else it is the image's file,
 * borrowed.
 */
int chain_begin(const char *path, const char *allow, struct chain **out, struct dev **file,
                struct platter_error *err);

/* The same for a device that stands nowhere; it names nothing that can be found. Takes a
 * reference. */
int chain_begin_dev(struct dev *file, struct chain **out);

/* Free it, and drop the files that it opened. NULL is fine. */
void chain_end(struct chain *c);

/*
 * Open the file that ref names. what says what it is to the image, for messages: "extent",
 * "segment". -ENOENT: there is none of that name; other errors as said above. *out is borrowed: it
 * lives until chain_end of the first image.
 */
int chain_open(struct chain *c, const char *what, const char *ref, struct dev **out,
               struct platter_error *err);

/* The same for a parent image: *parent is its place, to be ended by the caller. A file that is its
 * own ancestor is refused (-ELOOP), as are more than CHAIN_DEPTH_MAX generations. */
int chain_open_parent(struct chain *c, const char *what, const char *ref, struct chain **parent,
                      struct dev **out, struct platter_error *err);

/* A folder beneath the image's own (a bundle's bands): a descriptor for openat, to be closed. */
int chain_open_folder(struct chain *c, const char *what, const char *name, int *fd,
                      struct platter_error *err);

/* The image's own file name, without its folder; "" for a device. Lives as long as c. */
const char *chain_name(const struct chain *c);

/* Whether the image is a bundle: a folder, whose files are itself, whatever --chain says. */
bool chain_is_bundle(const struct chain *c);

/*
 * Names in the folders where files are looked up that end in suffix (without regard to case), one
 * after the other: for formats that do not name their parent. each gets names for chain_open and
 * chain_peek, absolute ones where the plain name is that of another file; non-zero ends it and is
 * returned. -EPERM with --chain=no; what cannot be listed is an error.
 */
int chain_list(struct chain *c, const char *suffix, int (*each)(void *arg, const char *name),
               void *arg, struct platter_error *err);

/* The first len bytes of the file that name names, which is not opened as part of the image. -EPERM
 * when it is no regular file, -ENODATA when it has fewer. */
int chain_peek(struct chain *c, const char *name, void *buf, size_t len);

/* Every file opened so far, in that order, the parents' included. */
size_t chain_count(const struct chain *c);
struct dev *chain_file(const struct chain *c, size_t i);

#endif
