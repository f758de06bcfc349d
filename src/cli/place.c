/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "mounts.h"

/* 0, -ENOTEMPTY, or why that cannot be told. */
static int check_empty(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	bool empty = true;

	if (!d)
		return -errno;
	while (empty && (e = readdir(d)))
		empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	closedir(d);
	return empty ? 0 : -ENOTEMPTY;
}

/* Whoever can rename the mount point away could put another directory in its place. */
static bool parent_is_safe(int fd)
{
	struct stat st;

	if (fstatat(fd, "..", &st, 0) < 0)
		return false;
	if (!(st.st_mode & 022) || (st.st_mode & S_ISVTX))
		return true;
	/* A group of one's own is what many systems give each user. */
	return !(st.st_mode & 002) && st.st_gid == getgid() && st.st_uid == getuid();
}

/*
 * What is checked is what will be mounted on: both go by a descriptor, whatever becomes of the
 * name in between.
 */
static int open_and_check(struct place *place)
{
	char self[64];
	int r;

	place->fd = open(place->dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	snprintf(self, sizeof self, "/proc/self/fd/%d", place->fd);
	if (place->fd < 0)
		complain("%s: %s", place->dir,
		         errno == ENOTDIR ? "not a directory" : strerror(errno));
	else if (access(self, W_OK) != 0)
		complain("%s: %s, a mount point must be writable by you", place->dir,
		         strerror(errno));
	else if ((r = check_empty(self)) == -ENOTEMPTY)
		complain("%s: the directory is not empty", place->dir);
	else if (r)
		complain("%s: %s", place->dir, strerror(-r));
	else if (!parent_is_safe(place->fd))
		complain("%s: its parent directory can be written to by others and is not sticky",
		         place->dir);
	else
		return EXIT_OK;
	return EXIT_IMAGE;
}

static int use_wanted(const char *wanted, struct place *place)
{
	place->dir = mounts_resolve(wanted);
	if (!place->dir) {
		complain("%s: %s", wanted, strerror(errno));
		return EXIT_IMAGE;
	}
	mounts_clean(place->dir);
	place->made = mkdir(place->dir, 0700) == 0;
	if (!place->made && errno != EEXIST) {
		complain("%s: %s", place->dir, strerror(errno));
		return EXIT_IMAGE;
	}
	return open_and_check(place);
}

/* The directory that mount points are made in: ours alone. */
static char *home(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct stat st;
	char *dir;
	int n;

	if (getuid() == 0)
		n = asprintf(&dir, "/run/platter");
	else if (runtime && runtime[0] == '/')
		n = asprintf(&dir, "%s/platter", runtime);
	else
		n = asprintf(&dir, "/tmp/platter-%u", (unsigned)getuid());
	if (n < 0)
		return NULL;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		complain("%s: %s", dir, strerror(errno));
	} else if (lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != getuid() ||
	           (st.st_mode & 022)) {
		complain("%s: must be a directory of yours that nobody else can write to", dir);
	} else {
		return dir;
	}
	free(dir);
	return NULL;
}

static int make_one(const char *image, struct place *place)
{
	const char *slash = strrchr(image, '/'), *name = slash ? slash + 1 : image;
	char *below = home();
	int n = 1, r = -1;

	if (!below)
		return EXIT_IMAGE;
	/* Until it is mounted on, a directory looks like one that a crash left. */
	place->lock = open(below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->lock >= 0)
		(void)!flock(place->lock, LOCK_EX);
	for (; n < 1000 && r < 0; n++) {
		free(place->dir);
		if (asprintf(&place->dir, n == 1 ? "%s/%.200s" : "%s/%.200s-%d", below, name, n) <
		    0) {
			place->dir = NULL;
			break;
		}
		mounts_clean(place->dir);
		rmdir(place->dir); /* left by a crash; fails when it is in use */
		r = mkdir(place->dir, 0700);
		if (r < 0 && errno != EEXIST)
			break;
	}
	if (r < 0)
		complain("%s: %s", place->dir ? place->dir : below, strerror(errno));
	place->made = r == 0;
	free(below);
	return r < 0 ? EXIT_IMAGE : open_and_check(place);
}

int place_prepare(const char *wanted, const char *image, struct place *place)
{
	int status;

	*place = (struct place){.fd = -1, .lock = -1};
	status = wanted ? use_wanted(wanted, place) : make_one(image, place);
	if (status)
		place_undo(place);
	return status;
}

void place_settle(struct place *place)
{
	if (place->fd >= 0)
		close(place->fd);
	if (place->lock >= 0)
		close(place->lock);
	place->fd = place->lock = -1;
}

void place_undo(struct place *place)
{
	if (place->made)
		rmdir(place->dir);
	place_settle(place);
	free(place->dir);
	*place = (struct place){.fd = -1, .lock = -1};
}
