/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The node tree behind platter_attach and platter_mount. Static nodes (tree-build.c makes them)
 * are an array; a directory's children stand together in it. A filesystem hangs in a slot, opened
 * when it is first entered.
 *
 * Numbers: static node i is i + 1, so that the root is 1. A node of the filesystem in slot s is
 * s << 56 | the driver's number, s from 1. When a filesystem is the whole tree, its root is 1.
 */
#ifndef PLATTER_TREE_H
#define PLATTER_TREE_H

#include <pthread.h>

#include "disk.h"

enum node_kind {
	NODE_DIR,
	NODE_DEV,
	NODE_LINK,
	NODE_FS, /* where a filesystem's root is */
};

struct node {
	enum node_kind kind;
	char *name;
	size_t first, count; /* DIR: children */
	struct dev *dev;     /* DEV: a reference */
	char *target;        /* LINK */
	unsigned slot;       /* FS */
};

#define SLOT_SHIFT 56
#define SLOTS_MAX  255

struct slot {
	int part; /* index of the partition, or -1 for the whole disk */
	const struct fs_driver *driver;
	pthread_mutex_t lock; /* of the opening */
	bool tried;
	int error; /* of the opening */
	struct dev *dev;
	void *fs;
};

struct platter_tree {
	struct platter *p;
	struct platter_view view;
	struct node *nodes;
	size_t nnodes, allocated;
	struct slot *slots; /* slot s is slots[s - 1] */
	unsigned nslots;
	bool single; /* the tree is that of slot 1 */
};

/* ---- tree-build.c ---- */

struct platter_tree *tree_new(struct platter *p, const struct platter_view *view);

/* Open the filesystem in slot s if it is not open yet; its error for ever when that failed. */
int tree_open_slot(struct platter_tree *t, unsigned s, struct platter_error *err);

#endif
