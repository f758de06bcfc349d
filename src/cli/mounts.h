/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mounts that there are. There is no registry: /proc/self/mountinfo has them, and each says
 * of itself the rest, through an extended attribute on its root.
 */
#ifndef PLATTER_CLI_MOUNTS_H
#define PLATTER_CLI_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* "key=value" lines: verb, image, overlay, daemon and supervisor (process ids), made (a
 * directory that platter made: 1). */
#define MOUNT_XATTR "user.platter"

struct mount {
	char *dir, *image;
	unsigned major, minor; /* of the mount's device number: never the same twice at one time */
	bool answers;          /* else it is stale, or another user's */
	bool stale;            /* its daemon is gone */
	char *verb, *overlay;  /* NULL when it does not answer; overlay "" = none */
	pid_t daemon, supervisor;
};

/* All platter mounts of this mount namespace; *count. NULL without memory. free with
 * mounts_free. */
struct mount *mounts_read(size_t *count);
void mounts_free(struct mount *mounts, size_t count);

/* The absolute form of a path whose last component may be a dead mount; NULL: errno. */
char *mounts_resolve(const char *path);

/* Detach dir: 0 or -errno. lazy: now, even when it is busy. */
int mounts_detach(const char *dir, bool lazy);

#endif
