/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths in a tree, for the commands that need no mount. */
#ifndef PLATTER_CLI_WALK_H
#define PLATTER_CLI_WALK_H

#include "cli.h"

/* Directories nest no deeper than this: a damaged tree may loop. */
#define WALK_DEPTH_MAX 256

/* A node and what it is. */
struct walk_node {
	platter_ino ino;
	struct stat st;
};

/* Find path, from the root whatever its beginning; symbolic links in it are followed, the last
 * one only when follow says so. -errno, -ELOOP after 40 links. */
int walk_find(struct platter_tree *tree, const char *path, bool follow, struct walk_node *out);

/* One entry of a directory; name is the listing's. */
struct walk_entry {
	char *name;
	platter_ino ino; /* 0: not looked up yet */
	struct stat st;
};

/* All entries of dir but the dots, sorted by name; *count. 0 or -errno, then what was read before
 * the error is there all the same. */
int walk_list(struct platter_tree *tree, platter_ino dir, struct walk_entry **out, size_t *count);
void walk_list_free(struct walk_entry *entries, size_t count);

/* Fill in what a listing did not look up. */
int walk_enter(struct platter_tree *tree, platter_ino dir, struct walk_entry *entry);

/* Open the image and the tree of its files, as cli says. 0 or an exit status after the message. */
int walk_open(struct cli *cli, struct platter **p, struct platter_tree **tree);

/* Close both; the exit status: status unless the flush of an overlay failed. */
int walk_close(struct platter *p, struct platter_tree *tree, int status);

#endif
