/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "chain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* Entries of a folder that are looked at: an image does not decide how long that takes. */
#define FOLDER_MAX 65536

/* What the images of one disk share. */
struct shared {
	unsigned users;
	bool refuse;
	int extra;        /* the folder of --chain=DIR, -1: none */
	char *extra_path; /* absolute */
	struct dev **files;
	size_t count;
};

struct chain {
	struct shared *shared;
	struct chain *child; /* the image that this one is the parent of, or NULL */
	unsigned depth;
	int folder; /* -1: nothing can be found */
	char *folder_path, *name;
	bool bundle;
	struct stat st; /* of the file */
};

static int no_memory(struct platter_error *err)
{
	return err_set(err, ENOMEM, "no memory");
}

/* Takes over the reference. */
static int add_file(struct chain *c, struct dev *file, struct platter_error *err)
{
	struct shared *s = c->shared;
	struct dev **more;

	if (s->count == CHAIN_FILES_MAX) {
		dev_unref(file);
		return err_set(err, EMFILE, "consists of more than %d files", CHAIN_FILES_MAX);
	}
	more = reallocarray(s->files, s->count + 1, sizeof *more);
	if (!more) {
		dev_unref(file);
		return no_memory(err);
	}
	s->files = more;
	s->files[s->count++] = file;
	return 0;
}

static struct chain *new_chain(struct chain *child)
{
	struct chain *c = calloc(1, sizeof *c);
	struct shared *s = child ? child->shared : calloc(1, sizeof *s);

	if (!c || !s) {
		free(c);
		if (!child)
			free(s);
		return NULL;
	}
	if (!child)
		s->extra = -1;
	s->users++;
	c->shared = s;
	c->child = child;
	c->depth = child ? child->depth + 1 : 0;
	c->folder = -1;
	return c;
}

void chain_end(struct chain *c)
{
	struct shared *s;

	if (!c)
		return;
	s = c->shared;
	if (c->folder >= 0)
		close(c->folder);
	free(c->folder_path);
	free(c->name);
	free(c);
	if (--s->users)
		return;
	for (size_t i = 0; i < s->count; i++)
		dev_unref(s->files[i]);
	free(s->files);
	if (s->extra >= 0)
		close(s->extra);
	free(s->extra_path);
	free(s);
}

static int open_folder(const char *path, int *fd, struct platter_error *err)
{
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOCTTY);
	return *fd < 0 ? err_set(err, errno, "folder %s: %s", path, strerror(errno)) : 0;
}

static int allow_extra(struct shared *s, const char *allow, struct platter_error *err)
{
	if (!allow)
		return 0;
	if (strcmp(allow, "no") == 0) {
		s->refuse = true;
		return 0;
	}
	s->extra_path = realpath(allow, NULL);
	if (!s->extra_path)
		return err_set(err, errno, "--chain=%s: %s", allow, strerror(errno));
	return open_folder(s->extra_path, &s->extra, err);
}

/* Split the absolute path of a file. */
static int take_place(struct chain *c, char *full, struct platter_error *err)
{
	char *slash = strrchr(full, '/');

	c->name = strdup(slash + 1);
	slash[slash == full] = '\0';
	c->folder_path = full;
	if (!c->name)
		return no_memory(err);
	return c->shared->refuse ? 0 : open_folder(full, &c->folder, err);
}

static int begin(struct chain *c, const char *path, struct dev **file, struct platter_error *err)
{
	char *full = realpath(path, NULL);
	int r;

	if (!full)
		return err_set(err, errno, "%s", strerror(errno));
	if (stat(full, &c->st) == 0 && S_ISDIR(c->st.st_mode)) {
		/* What is inside a bundle is the image itself, whatever --chain says. */
		c->bundle = true;
		c->folder_path = full;
		c->name = strdup("");
		return c->name ? open_folder(full, &c->folder, err) : no_memory(err);
	}
	r = take_place(c, full, err);
	if (!r)
		r = dev_file_open(path, file, err);
	if (r)
		return r;
	if (fstat(dev_file_fd(*file), &c->st) < 0)
		c->st = (struct stat){0};
	return add_file(c, *file, err);
}

int chain_begin(const char *path, const char *allow, struct chain **out, struct dev **file,
                struct platter_error *err)
{
	struct chain *c = new_chain(NULL);
	int r = c ? allow_extra(c->shared, allow, err) : no_memory(err);

	*out = NULL;
	*file = NULL;
	if (!r)
		r = begin(c, path, file, err);
	if (r) {
		chain_end(c);
		*file = NULL;
		return r;
	}
	*out = c;
	return 0;
}

int chain_begin_dev(struct dev *file, struct chain **out)
{
	struct chain *c = new_chain(NULL);
	int r;

	*out = NULL;
	if (!c)
		return -ENOMEM;
	c->name = strdup("");
	c->folder_path = strdup("");
	r = c->name && c->folder_path ? add_file(c, dev_ref(file), NULL) : -ENOMEM;
	if (r) {
		chain_end(c);
		return r;
	}
	*out = c;
	return 0;
}

static int refused(const char *what, const char *ref, const char *why, struct platter_error *err)
{
	return err_set(err, EPERM,
	               "%s \"%s\": %s; only a plain name in the image's folder, or in that of "
	               "--chain=DIR, is opened",
	               what, ref, why);
}

/* Whether path[0..len) is the folder of that absolute name. */
static bool is_folder(const char *path, size_t len, const char *folder)
{
	return folder && strlen(folder) == len && memcmp(path, folder, len) == 0;
}

/*
 * What of ref may be looked up, and where: *name is the plain name; own and extra say in which
 * folders.
 */
static int judge(const struct chain *c, const char *what, const char *ref, const char **name,
                 bool *own, bool *extra, struct platter_error *err)
{
	const char *slash = strrchr(ref, '/');

	*own = c->folder >= 0;
	*extra = c->shared->extra >= 0 && !c->bundle;
	*name = ref;
	if (ref[0] == '/') {
		size_t len = slash == ref ? 1 : (size_t)(slash - ref);

		*own = *own && is_folder(ref, len, c->folder_path);
		*extra = *extra && is_folder(ref, len, c->shared->extra_path);
		*name = slash + 1;
		if (!*own && !*extra)
			return refused(what, ref, "another folder", err);
	} else if (strncmp(ref, "./", 2) == 0) {
		*name = ref + 2;
	}
	if (**name == '\0' || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0)
		return refused(what, ref, "no file's name", err);
	if (strchr(*name, '/'))
		return refused(what, ref, "a path", err);
	return 0;
}

/* *where is the folder that the file was found in. */
static int find(struct chain *c, const char *what, const char *ref, int *where, struct dev **out,
                struct platter_error *err)
{
	bool own, extra;
	const char *name;
	int r;

	*out = NULL;
	if (c->shared->refuse && !c->bundle)
		return err_set(err, EPERM, "%s \"%s\": not opened, because of --chain=no", what,
		               ref);
	r = judge(c, what, ref, &name, &own, &extra, err);
	if (r)
		return r;
	r = -ENOENT;
	if (own) {
		*where = c->folder;
		r = dev_file_open_at(*where, name, out, err);
	}
	if (r == -ENOENT && extra) {
		*where = c->shared->extra;
		r = dev_file_open_at(*where, name, out, err);
	}
	if (r == -ENOENT)
		return err_set(err, ENOENT, "%s \"%s\": not in the image's folder%s", what, ref,
		               c->bundle ? ""
		               : extra   ? " nor in that of --chain"
		                         : "; --chain=DIR adds one");
	if (r)
		err_prefix(err, "%s \"%s\"", what, ref);
	return r;
}

int chain_open(struct chain *c, const char *what, const char *ref, struct dev **out,
               struct platter_error *err)
{
	int where, r = find(c, what, ref, &where, out, err);

	if (!r)
		r = add_file(c, *out, err);
	if (r)
		*out = NULL;
	return r;
}

static bool is_ancestor(const struct chain *c, const struct stat *st)
{
	for (; c; c = c->child)
		if (c->st.st_dev == st->st_dev && c->st.st_ino == st->st_ino)
			return true;
	return false;
}

static int settle(struct chain *parent, struct chain *c, int where, const char *what,
                  const char *ref, const struct dev *file, struct platter_error *err)
{
	const char *slash = strrchr(ref, '/');
	const char *path = where == c->folder ? c->folder_path : c->shared->extra_path;

	if (fstat(dev_file_fd(file), &parent->st) < 0)
		return err_set(err, errno, "%s \"%s\": %s", what, ref, strerror(errno));
	if (is_ancestor(c, &parent->st))
		return err_set(err, ELOOP, "%s \"%s\": the image stands on itself", what, ref);
	parent->name = strdup(slash ? slash + 1 : ref);
	parent->folder_path = strdup(path);
	parent->folder = fcntl(where, F_DUPFD_CLOEXEC, 3);
	if (!parent->name || !parent->folder_path)
		return no_memory(err);
	return parent->folder < 0 ? err_set(err, errno, "folder %s: %s", path, strerror(errno)) : 0;
}

int chain_open_parent(struct chain *c, const char *what, const char *ref, struct chain **parent,
                      struct dev **out, struct platter_error *err)
{
	int where, r;

	*parent = NULL;
	*out = NULL;
	if (c->depth == CHAIN_DEPTH_MAX)
		return err_set(err, EMLINK, "%s \"%s\": more than %d generations", what, ref,
		               CHAIN_DEPTH_MAX);
	r = find(c, what, ref, &where, out, err);
	if (!r)
		r = add_file(c, *out, err);
	if (r)
		return r;
	*parent = new_chain(c);
	r = *parent ? settle(*parent, c, where, what, ref, *out, err) : no_memory(err);
	if (r) {
		chain_end(*parent);
		*parent = NULL;
		*out = NULL;
	}
	return r;
}

int chain_open_folder(struct chain *c, const char *what, const char *name, int *fd,
                      struct platter_error *err)
{
	*fd = -1;
	if (c->folder < 0 || strchr(name, '/') || name[0] == '.' || name[0] == '\0')
		return refused(what, name, "no folder that can be looked into", err);
	*fd = openat(c->folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	return *fd < 0 ? err_set(err, errno, "%s \"%s\": %s", what, name, strerror(errno)) : 0;
}

const char *chain_name(const struct chain *c)
{
	return c->name;
}

bool chain_is_bundle(const struct chain *c)
{
	return c->bundle;
}

static bool ends_in(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	return n > s && strcasecmp(name + n - s, suffix) == 0;
}

/* The names in a folder; in: where that is, for those that stand in the folder `first`, -1: none,
 * where a plain name is looked up before. */
static int call_each(int first, const char *in, const char *name,
                     int (*each)(void *arg, const char *name), void *arg, struct platter_error *err)
{
	struct stat st;
	char *full;
	int r;

	if (first < 0 || fstatat(first, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return each(arg, name);
	if (asprintf(&full, "%s/%s", strcmp(in, "/") == 0 ? "" : in, name) < 0)
		return no_memory(err);
	r = each(arg, full);
	free(full);
	return r;
}

static int list_folder(int folder, const char *path, int first, const char *suffix,
                       int (*each)(void *arg, const char *name), void *arg,
                       struct platter_error *err)
{
	unsigned seen = 0;
	struct dirent *e;
	DIR *dir = NULL;
	int fd, r = 0;

	/* A description of its own: the position in the folder is part of it. */
	fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		dir = fdopendir(fd);
	if (!dir) {
		r = err_set(err, errno, "folder %s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return r;
	}
	for (errno = 0; r == 0 && (e = readdir(dir)) && seen++ < FOLDER_MAX; errno = 0)
		if (ends_in(e->d_name, suffix))
			r = call_each(first, path, e->d_name, each, arg, err);
	if (r == 0 && errno)
		r = err_set(err, errno, "folder %s: %s", path, strerror(errno));
	closedir(dir);
	return r;
}

int chain_list(struct chain *c, const char *suffix, int (*each)(void *arg, const char *name),
               void *arg, struct platter_error *err)
{
	const struct shared *s = c->shared;
	int r;

	if (c->folder < 0)
		return err_set(err, EPERM,
		               "the image's folder is not looked into, because of "
		               "--chain=no");
	r = list_folder(c->folder, c->folder_path, -1, suffix, each, arg, err);
	if (r == 0 && s->extra >= 0)
		r = list_folder(s->extra, s->extra_path, c->folder, suffix, each, arg, err);
	return r;
}

int chain_peek(struct chain *c, const char *name, void *buf, size_t len)
{
	struct dev *file;
	int where, r = find(c, "file", name, &where, &file, NULL);

	if (!r)
		r = file->size < len ? -ENODATA : dev_pread(file, buf, len, 0);
	dev_unref(file);
	return r;
}

size_t chain_count(const struct chain *c)
{
	return c->shared->count;
}

struct dev *chain_file(const struct chain *c, size_t i)
{
	return c->shared->files[i];
}
