/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The FUSE front end: a tree of libplatter as a mounted file system. */
#ifndef PLATTER_CLI_FUSE_H
#define PLATTER_CLI_FUSE_H

#include "cli.h"

struct front;

/*
 * Mount tree on the working directory, which dir is the name of for messages. description is what
 * the mount says of itself when it is asked (mounts.h); front_describe changes it, at any time,
 * and takes it over. p and tree are borrowed. NULL after a message.
 */
struct front *front_mount(const struct cli *cli, struct platter *p, struct platter_tree *tree,
                          const char *dir);
void front_describe(struct front *f, char *description);

/* Serve until the mount is gone or a signal ends it. 0, or what ended it. */
int front_serve(struct front *f);

/*
 * Let go of the mount without detaching it: at once in every process but the one that serves,
 * because a descriptor that stays open elsewhere would leave the clients of a dead daemon hanging.
 * NULL is fine.
 */
void front_free(struct front *f);

#endif
