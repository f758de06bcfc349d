/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that appears whole or not at all: it has no name while it is written (or a temporary
 * one, where the filesystem knows no nameless files), and gets its own when all of it is on disk.
 */
#ifndef PLATTER_NEWFILE_H
#define PLATTER_NEWFILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"

struct newfile {
	int fd;     /* read and write; the caller's to use, not to close */
	char *path; /* the name that it is to get */
	char *tmp;  /* the name that it has, NULL: none */
};

/* Begin a file that is to become path, in path's folder. Errors name the path. */
int newfile_open(const char *path, mode_t mode, struct newfile *n, struct platter_error *err);

/*
 * Make its contents durable, name it, and make the name durable. -EEXIST when the name is taken,
 * unless it is to replace what is there, which happens at one stroke. newfile_drop is still due.
 */
int newfile_place(struct newfile *n, bool replace, struct platter_error *err);

/* Let go of it; what was not placed vanishes. Zeroed structs are fine. */
void newfile_drop(struct newfile *n);

/* Make the names in path's folder durable. */
int newfile_sync_folder(const char *path);

#endif
