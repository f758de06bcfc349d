/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of diff share: cmd-diff.c is the command and its ranges, cmd-diff-units.c finds
 * the filesystems to compare, cmd-diff-files.c compares two trees.
 */
#ifndef PLATTER_CLI_CMD_DIFF_H
#define PLATTER_CLI_CMD_DIFF_H

#include "cli.h"
#include "json.h"
#include "tar.h"

struct diff {
	struct cli *cli;
	const char *overlay;
	struct platter *merged, *plain; /* the disk with the overlay, and without */
	struct platter_diff *ranges;
	struct json json;
	struct tar *tar; /* NULL: none is wanted */
	bool list;       /* changed files are to be printed */
	bool terminal;   /* on one */
	bool differ, trouble;
};

/* Compare the files of all filesystems that are on both sides. */
void diff_filesystems(struct diff *d);

/*
 * Compare two trees; what is found is printed and goes into the tar. prefix: what stands before
 * all paths, "" or "N".
 */
void diff_trees(struct diff *d, struct platter_tree *old, struct platter_tree *new,
                const char *prefix);

/* Something failed: the answer is "trouble". */
void diff_trouble(struct diff *d, const char *what, int r);

#endif
