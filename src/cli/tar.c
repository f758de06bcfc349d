/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "tar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_LIBARCHIVE

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <search.h>

#include "newfile.h"

#define STEP ((size_t)1 << 20)
/* What a removed name has in front, by the OCI image specification. */
#define WHITEOUT ".wh."

/* The first path of a file with several, by its number. */
struct linked {
	ino_t number;
	char *path;
};

struct tar {
	struct archive *archive;
	struct newfile file; /* not used for standard output */
	int fd;
	bool named;
	bool broken;      /* nothing more is written */
	int error;        /* an errno that nobody was told yet */
	const char *name; /* for messages */
	locale_t locale;
	void *linked; /* a tree of struct linked */
	char *buf;
};

/* Names are bytes, mostly UTF-8, and to be written as such whatever the user's locale is. */
static locale_t enter_locale(const struct tar *tar)
{
	return tar->locale ? uselocale(tar->locale) : (locale_t)0;
}

static void leave_locale(locale_t before)
{
	if (before)
		uselocale(before);
}

static int by_number(const void *a, const void *b)
{
	const struct linked *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static void free_linked(void *node)
{
	struct linked *l = node;

	free(l->path);
	free(l);
}

static void free_tar(struct tar *tar)
{
	if (tar->archive)
		archive_write_free(tar->archive);
	newfile_drop(&tar->file);
	tdestroy(tar->linked, free_linked);
	if (tar->locale)
		freelocale(tar->locale);
	free(tar->buf);
	free(tar);
}

/* One message is enough: what comes after the first failure is lost anyway. */
static int failed(struct tar *tar, const char *what)
{
	if (!tar->broken || tar->error)
		complain("%s: %s", tar->name, what ? what : "cannot be written");
	tar->broken = true;
	tar->error = 0;
	return -1;
}

static int failed_archive(struct tar *tar)
{
	return failed(tar, archive_error_string(tar->archive));
}

/*
 * To libarchive every write is good. It would not free all that it holds after one that was not,
 * and what is broken off must not get the end that makes it look whole.
 */
static la_ssize_t write_out(struct archive *archive, void *arg, const void *buf, size_t len)
{
	struct tar *tar = arg;
	size_t done = 0;

	(void)archive;
	while (!tar->broken && done < len) {
		ssize_t n = write(tar->fd, (const char *)buf + done, len - done);

		if (n >= 0) {
			done += (size_t)n;
		} else if (errno != EINTR) {
			tar->error = errno;
			tar->broken = true;
		}
	}
	return (la_ssize_t)len;
}

/* What became of a call of libarchive's and of the writes in it. */
static int check(struct tar *tar, bool good)
{
	if (tar->error)
		return failed(tar, strerror(tar->error));
	if (!good)
		return failed_archive(tar);
	return tar->broken ? -1 : 0;
}

static int open_file(struct tar *tar, const char *path)
{
	struct platter_error err;
	struct stat st;

	/* newfile_place would see it too, but only when all is written. */
	if (lstat(path, &st) == 0)
		return failed(tar, strerror(EEXIST));
	if (newfile_open(path, 0666, &tar->file, &err) != 0) {
		complain_error(&err);
		return -1;
	}
	tar->named = true;
	return 0;
}

static int start(struct tar *tar)
{
	/* Not "restricted" pax, which leaves out the nanoseconds. */
	int r = archive_write_set_format_pax(tar->archive);

	/* The same bytes wherever they go: no padding as for tapes. */
	if (r == ARCHIVE_OK)
		r = archive_write_set_bytes_in_last_block(tar->archive, 1);
	return r == ARCHIVE_OK ? archive_write_open(tar->archive, tar, NULL, write_out, NULL) : r;
}

int tar_open(const char *path, struct tar **out)
{
	struct tar *tar = calloc(1, sizeof *tar);
	bool to_stdout = strcmp(path, "-") == 0;
	int r;

	*out = NULL;
	if (!tar) {
		complain("%s: %s", path, strerror(ENOMEM));
		return -1;
	}
	tar->name = to_stdout ? "standard output" : path;
	tar->file.fd = -1;
	r = to_stdout ? 0 : open_file(tar, path);
	tar->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	tar->buf = malloc(STEP);
	tar->archive = archive_write_new();
	if (!r && (!tar->buf || !tar->archive))
		r = failed(tar, strerror(ENOMEM));
	tar->fd = to_stdout ? STDOUT_FILENO : tar->file.fd;
	if (!r)
		r = check(tar, start(tar) == ARCHIVE_OK);
	if (r)
		free_tar(tar);
	else
		*out = tar;
	return r;
}

int tar_close(struct tar *tar, bool good)
{
	struct platter_error err;
	int r;

	if (!good)
		tar->broken = true;
	r = check(tar, archive_write_close(tar->archive) == ARCHIVE_OK || tar->broken);
	if (!r && tar->named && newfile_place(&tar->file, false, &err) != 0) {
		complain_error(&err);
		r = -1;
	}
	free_tar(tar);
	return r;
}

/* ---- entries ---- */

/* Warnings are about names that are no UTF-8, which are written all the same. */
static int put_header(struct tar *tar, struct archive_entry *entry)
{
	locale_t before = enter_locale(tar);
	int r = archive_write_header(tar->archive, entry);

	leave_locale(before);
	return check(tar, r == ARCHIVE_OK || r == ARCHIVE_WARN);
}

static int put_contents(struct tar *tar, struct platter_tree *tree, platter_ino ino, uint64_t size,
                        const char *path)
{
	uint64_t off = 0;
	size_t got = 1;

	while (off < size && got) {
		int r = platter_tree_read(tree, ino, tar->buf, STEP, off, &got);

		if (r || !got) {
			complain("%s: %s", path, strerror(r ? -r : EIO));
			tar->broken = true;
			return -1;
		}
		if (check(tar,
		          archive_write_data(tar->archive, tar->buf, got) == (la_ssize_t)got) != 0)
			return -1;
		off += got;
	}
	return 0;
}

/* Where the file was written before, under another of its names; NULL: nowhere, and from now on
 * it is at path. */
static const char *link_to(struct tar *tar, const struct stat *st, const char *path)
{
	struct linked key = {.number = st->st_ino}, *l, **found;

	if (!S_ISREG(st->st_mode) || st->st_nlink < 2)
		return NULL;
	found = tfind(&key, &tar->linked, by_number);
	if (found)
		return (*found)->path;
	/* Without memory it is written once more. */
	l = malloc(sizeof *l);
	if (!l)
		return NULL;
	*l = (struct linked){.number = st->st_ino, .path = strdup(path)};
	if (!l->path || !tsearch(l, &tar->linked, by_number))
		free_linked(l);
	return NULL;
}

static int fill_in(struct tar *tar, struct archive_entry *entry, struct platter_tree *tree,
                   platter_ino ino, const struct stat *st, const char *path)
{
	size_t len;
	int r;

	archive_entry_copy_pathname(entry, path);
	archive_entry_set_filetype(entry, st->st_mode & S_IFMT);
	archive_entry_set_perm(entry, st->st_mode & 07777);
	archive_entry_set_uid(entry, st->st_uid);
	archive_entry_set_gid(entry, st->st_gid);
	archive_entry_set_mtime(entry, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	if (S_ISREG(st->st_mode))
		archive_entry_set_size(entry, st->st_size);
	if (!S_ISLNK(st->st_mode))
		return 0;
	r = platter_tree_readlink(tree, ino, tar->buf, STEP - 1, &len);
	if (r) {
		complain("%s: %s", path, strerror(-r));
		return -1;
	}
	tar->buf[len] = '\0';
	archive_entry_copy_symlink(entry, tar->buf);
	return 0;
}

int tar_add(struct tar *tar, struct platter_tree *tree, platter_ino ino, const struct stat *st,
            const char *path)
{
	const char *slash = strrchr(path, '/'), *first;
	struct archive_entry *entry;
	int r;

	if (tar->broken)
		return -1;
	if (strncmp(slash ? slash + 1 : path, WHITEOUT, strlen(WHITEOUT)) == 0) {
		complain("%s: a name that begins with " WHITEOUT " means a removal in the archive",
		         path);
		return -1;
	}
	if (S_ISSOCK(st->st_mode)) {
		complain("%s: sockets are left out of the archive", path);
		return 0;
	}
	entry = archive_entry_new();
	if (!entry)
		return failed(tar, strerror(ENOMEM));
	r = fill_in(tar, entry, tree, ino, st, path);
	first = r ? NULL : link_to(tar, st, path);
	if (first) {
		archive_entry_copy_hardlink(entry, first);
		archive_entry_set_size(entry, 0);
	}
	if (!r)
		r = put_header(tar, entry);
	if (!r && !first && S_ISREG(st->st_mode))
		r = put_contents(tar, tree, ino, (uint64_t)st->st_size, path);
	archive_entry_free(entry);
	return r;
}

int tar_remove(struct tar *tar, const char *path, const char *name)
{
	struct archive_entry *entry = archive_entry_new();
	char *full;
	int r;

	if (!entry || asprintf(&full, "%s%s" WHITEOUT "%s", path, path[0] ? "/" : "", name) < 0) {
		archive_entry_free(entry);
		return failed(tar, strerror(ENOMEM));
	}
	archive_entry_copy_pathname(entry, full);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_size(entry, 0);
	r = put_header(tar, entry);
	archive_entry_free(entry);
	free(full);
	return r;
}

#else

int tar_open(const char *path, struct tar **out)
{
	*out = NULL;
	complain("%s: this platter was built without libarchive, which writes archives", path);
	return -1;
}

int tar_close(struct tar *tar, bool good)
{
	(void)tar;
	(void)good;
	return -1;
}

int tar_add(struct tar *tar, struct platter_tree *tree, platter_ino ino, const struct stat *st,
            const char *path)
{
	(void)tar;
	(void)tree;
	(void)ino;
	(void)st;
	(void)path;
	return -1;
}

int tar_remove(struct tar *tar, const char *path, const char *name)
{
	(void)tar;
	(void)path;
	(void)name;
	return -1;
}

#endif
