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

/* mkostemp makes files that only their owner can read, whatever the mode that was asked for. */
static int open_named(struct newfile *n, mode_t mode)
{
	mode_t mask;
	int fd;

	if (asprintf(&n->tmp, "%s.XXXXXX", n->path) < 0) {
		n->tmp = NULL;
		errno = ENOMEM;
		return -1;
	}
	fd = mkostemp(n->tmp, O_CLOEXEC);
	if (fd < 0) {
		free(n->tmp);
		n->tmp = NULL;
		return -1;
	}
	mask = umask(0);
	umask(mask);
	(void)!fchmod(fd, mode & ~mask);
	return fd;
}

int newfile_open(const char *path, mode_t mode, struct newfile *n, struct platter_error *err)
{
	*n = (struct newfile){.fd = -1, .path = strdup(path)};
	if (!n->path)
		return err_set(err, ENOMEM, "no memory");
	n->fd = open_folder(path, O_TMPFILE | O_RDWR, mode);
	/* Filesystems without it say EOPNOTSUPP, kernels without it EISDIR; FUSE and NFS vary. */
	if (n->fd < 0)
		n->fd = open_named(n, mode);
	if (n->fd < 0) {
		int r = err_set(err, errno, "%s: cannot be made: %s", path, strerror(errno));

		newfile_drop(n);
		return r;
	}
	return 0;
}

/* Link the nameless file to a name. */
static int give_name(int fd, const char *name)
{
	char self[64];

	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* rename(2) replaces at one stroke, but wants a name to begin with. */
static int give_temporary_name(struct newfile *n)
{
	int r = -EEXIST;

	for (unsigned i = 0; r == -EEXIST && i < 100; i++) {
		if (asprintf(&n->tmp, "%s.%d-%u", n->path, (int)getpid(), i) < 0) {
			n->tmp = NULL;
			return -ENOMEM;
		}
		r = give_name(n->fd, n->tmp);
		if (r) {
			free(n->tmp);
			n->tmp = NULL;
		}
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
		r = n->tmp ? 0 : give_temporary_name(n);
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
