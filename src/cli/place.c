/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "place.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "mounts.h"

static bool is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	bool empty = true;

	if (!d)
		return false;
	while (empty && (e = readdir(d)))
		empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	closedir(d);
	return empty;
}

/* Whoever can rename the mount point away could put another directory in its place. */
static bool parent_is_safe(const char *dir)
{
	char *parent;
	struct stat st;
	bool safe;

	if (asprintf(&parent, "%s/..", dir) < 0)
		return false;
	safe = stat(parent, &st) == 0 && (!(st.st_mode & 022) || (st.st_mode & S_ISVTX));
	/* A group of one's own is what many systems give each user. */
	if (!safe && !(st.st_mode & 002) && st.st_gid == getgid() && st.st_uid == getuid())
		safe = true;
	free(parent);
	return safe;
}

static int check_existing(const char *dir, const struct stat *st)
{
	if (!S_ISDIR(st->st_mode))
		complain("%s: not a directory", dir);
	else if (access(dir, W_OK) != 0)
		complain("%s: %s, a mount point must be writable by you", dir, strerror(errno));
	else if (!is_empty(dir))
		complain("%s: the directory is not empty", dir);
	else if (!parent_is_safe(dir))
		complain("%s: its parent directory can be written to by others and is not sticky",
		         dir);
	else
		return EXIT_OK;
	return EXIT_IMAGE;
}

static int use_wanted(const char *wanted, struct place *place)
{
	struct stat st;
	int status;

	place->dir = mounts_resolve(wanted);
	if (!place->dir) {
		complain("%s: %s", wanted, strerror(errno));
		return EXIT_IMAGE;
	}
	mounts_clean(place->dir);
	if (stat(place->dir, &st) == 0)
		return check_existing(place->dir, &st);
	if (errno == ENOENT && mkdir(place->dir, 0700) == 0) {
		place->made = true;
		status = parent_is_safe(place->dir) ? EXIT_OK : EXIT_IMAGE;
		if (status)
			complain("%s: its parent directory can be written to by others and is not "
			         "sticky",
			         place->dir);
		return status;
	}
	complain("%s: %s", wanted, strerror(errno));
	return EXIT_IMAGE;
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
	return r < 0 ? EXIT_IMAGE : EXIT_OK;
}

int place_prepare(const char *wanted, const char *image, struct place *place)
{
	int status;

	*place = (struct place){0};
	status = wanted ? use_wanted(wanted, place) : make_one(image, place);
	if (status)
		place_undo(place);
	return status;
}

void place_undo(struct place *place)
{
	if (place->made)
		rmdir(place->dir);
	free(place->dir);
	*place = (struct place){0};
}
