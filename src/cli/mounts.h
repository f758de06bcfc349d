/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mounts that there are. There is no registry: /proc/self/mountinfo has them, and each says
 * of itself the rest, through an ioctl on its root. (An extended attribute would do as well, but
 * while a FUSE file system has any, the kernel asks for security.capability before each write.)
 */
#ifndef PLATTER_CLI_MOUNTS_H
#define PLATTER_CLI_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/types.h>

/* Gives "key=value" lines: verb, daemon and supervisor (process ids), writable (0, 1), control
 * (control.h; when the overlay is in memory), and last the overlay, whose path goes to the end. Cut
 * to fit, terminated.
 */
#define MOUNT_DESCRIPTION_MAX 12288
#define MOUNT_IOC_DESCRIBE    _IOR('p', 0x70, char[MOUNT_DESCRIPTION_MAX])

struct mount {
	char *dir, *image;
	unsigned id; /* the kernel's, as mounts_id gives it */
	/* From here on: by mounts_ask. */
	bool answers;         /* else it is one of the next two, or another user's */
	bool stale;           /* its daemon is gone */
	bool covered;         /* something else is mounted on it */
	char *verb, *overlay; /* NULL when it does not answer; overlay "" = none */
	bool writable;        /* what is written to it is taken */
	char *control;        /* NULL: it has none */
	pid_t daemon, supervisor;
};

/* All platter mounts of this mount namespace; *count. NULL without memory. free with
 * mounts_free. */
struct mount *mounts_read(size_t *count);

/* Ask a mount about itself. Only those that matter are asked: one that hangs would hang this. */
void mounts_ask(struct mount *m);
void mounts_free(struct mount *mounts, size_t count);

/* The absolute form of a path whose last component may be a dead mount; NULL: errno. */
char *mounts_resolve(const char *path);

/*
 * The kernel's number for what is mounted on dir, 0 when that cannot be told. Asks nothing of the
 * mount itself, which may be dead or not served yet. Numbers are used again.
 */
unsigned mounts_id(const char *dir);

/* Detach what is mounted on dir if it is ours and its daemon is gone. */
void mounts_clean(const char *dir);

/* Detach dir: 0 or -errno. lazy: now, even when it is busy. */
int mounts_detach(const char *dir, bool lazy);

#endif
