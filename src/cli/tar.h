/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing a tar of changed files: a layer, as OCI images have them, to be laid over the old tree.
 * Functions return 0, or -1 after a message.
 */
#ifndef PLATTER_CLI_TAR_H
#define PLATTER_CLI_TAR_H

#include "cli.h"

struct tar;

/* Begin one that is to become the file path ("-": standard output), which must not exist. */
int tar_open(const char *path, struct tar **out);

/* Finish and free it; the file appears only when it is good. */
int tar_close(struct tar *tar, bool good);

/* A node of tree with everything in it; of a directory itself alone. path is not empty. */
int tar_add(struct tar *tar, struct platter_tree *tree, platter_ino ino, const struct stat *st,
            const char *path);

/* Note that name, in the directory path ("": the root), is to be removed first. */
int tar_remove(struct tar *tar, const char *path, const char *name);

#endif
