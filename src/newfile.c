/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Temporary names that are tried; those of a process that was killed may be there. */
#define NAMES_MAX 100

static int open_folder(const char *path, int flags, mode_t mode)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), flags | O_CLOEXEC, mode) : -1;

	free(copy);
	return fd;
}

int newfile_sync_folder(const char *path)
{
	int fd = open_folder(path, O_RDONLY | O_DIRECTORY, 0);
	int r = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return r;
}

/* Name the nameless file. */
static int give_name(int fd, const char *name)
{
	char self[64];

	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* n->tmp becomes the name of the nameless file or, where there is none, of a new one. */
static int take_name(struct newfile *n, mode_t mode)
{
	if (n->fd >= 0)
		return give_name(n->fd, n->tmp);
	n->fd = open(n->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	return n->fd < 0 ? -errno : 0;
}

/* The same, with a name beside n->path that is free. */
static int take_free_name(struct newfile *n, mode_t mode)
{
	int r = -EEXIST;

	for (unsigned i = 0; r == -EEXIST && i < NAMES_MAX; i++) {
		if (asprintf(&n->tmp, "%s.%d-%u", n->path, (int)getpid(), i) < 0) {
			n->tmp = NULL;
			return -ENOMEM;
		}
		r = take_name(n, mode);
		if (r) {
			free(n->tmp);
			n->tmp = NULL;
		}
	}
	return r;
}

int newfile_open(const char *path, mode_t mode, struct newfile *n, struct platter_error *err)
{
	int r;

	*n = (struct newfile){.fd = -1, .path = strdup(path)};
	if (!n->path)
		return err_set(err, ENOMEM, "no memory");
	n->fd = open_folder(path, O_TMPFILE | O_RDWR, mode);
	/* Filesystems without it say EOPNOTSUPP, kernels without it EISDIR; FUSE and NFS vary. */
	if (n->fd >= 0)
		return 0;
	r = take_free_name(n, mode);
	if (r) {
		err_set(err, -r, "%s: cannot be made: %s", path, strerror(-r));
		newfile_drop(n);
	}
	return r;
}

/* Nothing that stands there is ever written over: a link fails where a rename would not. */
static int move(struct newfile *n)
{
	if (link(n->tmp, n->path) == 0)
		return 0;
	/* FAT knows no links, but a rename that fails as they do. */
	if (errno != EPERM && errno != EOPNOTSUPP)
		return -errno;
	if (renameat2(AT_FDCWD, n->tmp, AT_FDCWD, n->path, RENAME_NOREPLACE) < 0)
		return -errno;
	free(n->tmp);
	n->tmp = NULL;
	return 0;
}

static int name_it(struct newfile *n, bool replace)
{
	int r = 0;

	if (replace) {
		/* rename(2) replaces at one stroke, but wants a name to begin with. */
		r = n->tmp ? 0 : take_free_name(n, 0);
		if (!r && rename(n->tmp, n->path) < 0)
			r = -errno;
		if (!r) {
			free(n->tmp);
			n->tmp = NULL;
		}
		return r;
	}
	return n->tmp ? move(n) : give_name(n->fd, n->path);
}

int newfile_place(struct newfile *n, bool replace, struct platter_error *err)
{
	int r = fsync(n->fd) < 0 ? -errno : 0;

	if (!r)
		r = name_it(n, replace);
	if (!r)
		r = newfile_sync_folder(n->path);
	return r ? err_set(err, -r, "%s: cannot be made: %s", n->path, strerror(-r)) : 0;
}

void newfile_drop(struct newfile *n)
{
	if (n->path && n->tmp)
		unlink(n->tmp);
	if (n->path && n->fd >= 0)
		close(n->fd);
	free(n->tmp);
	free(n->path);
	*n = (struct newfile){.fd = -1};
}
