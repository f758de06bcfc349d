/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cp: copy files out of an image, without mounting it. Keeps times, permissions, symbolic links
 * and holes.
 *
 * Names come from the image, and a directory may hold the same name twice: everything is made
 * relative to an open directory and never through a symbolic link, so that nothing is written
 * outside the destination.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "progress.h"
#include "walk.h"

#define STEP ((size_t)1 << 20)
/* Zeros are left out in units that filesystems allocate by. */
#define HOLE ((size_t)4096)

struct cp {
	struct platter_tree *tree;
	bool recursive;
	int status;
	char *buf;
	struct progress progress;
	platter_ino above[WALK_DEPTH_MAX];
};

static void report(struct cp *cp, const char *what, int r)
{
	progress_end(&cp->progress);
	complain("%s: %s", what, strerror(-r));
	cp->status = copy_status(r);
}

static bool loops(const struct cp *cp, platter_ino ino, size_t depth)
{
	for (size_t i = 0; i < depth; i++)
		if (cp->above[i] == ino)
			return true;
	return false;
}

/* ---- how much there is, for the progress bar ---- */

/* More entries than this are not worth walking twice. */
#define MEASURE_MAX 200000

static uint64_t measure(struct cp *cp, const struct walk_node *node, size_t depth, size_t *seen)
{
	struct walk_entry *entries;
	size_t count;
	uint64_t sum = 0;

	if (S_ISREG(node->st.st_mode))
		return (uint64_t)node->st.st_size;
	if (!S_ISDIR(node->st.st_mode) || !cp->recursive || depth == WALK_DEPTH_MAX ||
	    loops(cp, node->ino, depth))
		return 0;
	cp->above[depth] = node->ino;
	walk_list(cp->tree, node->ino, &entries, &count);
	for (size_t i = 0; i < count && ++*seen < MEASURE_MAX; i++) {
		struct walk_node below;

		if (walk_enter(cp->tree, node->ino, &entries[i]) != 0)
			continue;
		below.ino = entries[i].ino;
		below.st = entries[i].st;
		sum += measure(cp, &below, depth + 1, seen);
	}
	walk_list_free(entries, count);
	return sum;
}

/* ---- copying ---- */

static bool all_zero(const char *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* Write what is not zero; the file was empty, so what is left out reads as zeros. */
static int write_sparse(int fd, const char *buf, size_t len, uint64_t off)
{
	while (len) {
		size_t n = len < HOLE ? len : HOLE;
		ssize_t done = (ssize_t)n;

		if (!all_zero(buf, n)) {
			while (n < len && !all_zero(buf + n, len - n < HOLE ? len - n : HOLE))
				n += len - n < HOLE ? len - n : HOLE;
			done = pwrite(fd, buf, n, (off_t)off);
			if (done < 0 && errno != EINTR)
				return -errno;
			done = done < 0 ? 0 : done;
		}
		buf += done;
		off += (uint64_t)done;
		len -= (size_t)done;
	}
	return 0;
}

static int copy_bytes(struct cp *cp, const struct walk_node *node, int fd)
{
	uint64_t off = 0, size = (uint64_t)node->st.st_size;
	int r = ftruncate(fd, (off_t)size) < 0 ? -errno : 0;

	while (!r && off < size) {
		uint64_t data;
		size_t got;

		r = platter_tree_seek(cp->tree, node->ino, off, true, &data);
		if (r == -ENXIO) { /* only a hole is left */
			progress_add(&cp->progress, size - off);
			return 0;
		}
		if (r)
			return r;
		progress_add(&cp->progress, data - off);
		r = platter_tree_read(cp->tree, node->ino, cp->buf, STEP, data, &got);
		if (!r)
			r = write_sparse(fd, cp->buf, got, data);
		progress_add(&cp->progress, got);
		off = data + got;
	}
	return r;
}

static void keep_attributes(int fd, const struct stat *st)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};

	/* What the destination cannot keep is not worth failing for. */
	(void)!fchmod(fd, st->st_mode & 0777);
	(void)futimens(fd, times);
}

static int copy_file(struct cp *cp, const struct walk_node *node, int dir, const char *name)
{
	int fd = openat(dir, name,
	                O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = copy_bytes(cp, node, fd);
	keep_attributes(fd, &node->st);
	if (close(fd) < 0 && !r)
		r = -errno;
	return r;
}

static int copy_link(struct cp *cp, const struct walk_node *node, int dir, const char *name)
{
	struct timespec times[2] = {node->st.st_atim, node->st.st_mtim};
	char target[4096 + 1];
	size_t len;
	int r = platter_tree_readlink(cp->tree, node->ino, target, sizeof target - 1, &len);

	if (r)
		return r;
	target[len] = '\0';
	if (symlinkat(target, dir, name) < 0 &&
	    (errno != EEXIST || unlinkat(dir, name, 0) < 0 || symlinkat(target, dir, name) < 0))
		return -errno;
	(void)utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static void copy_node(struct cp *cp, const struct walk_node *node, int dir, const char *name,
                      const char *shown, size_t depth);

static int copy_entries(struct cp *cp, platter_ino from, int dir, const char *shown, size_t depth)
{
	struct walk_entry *entries;
	size_t count;
	int r = walk_list(cp->tree, from, &entries, &count);

	cp->above[depth] = from;
	for (size_t i = 0; i < count; i++) {
		struct walk_node node;
		char *below;
		int e = walk_enter(cp->tree, from, &entries[i]);

		node.ino = entries[i].ino;
		node.st = entries[i].st;
		if (asprintf(&below, "%s/%s", shown, entries[i].name) < 0)
			break;
		if (e)
			report(cp, below, e);
		else
			copy_node(cp, &node, dir, entries[i].name, below, depth + 1);
		free(below);
	}
	walk_list_free(entries, count);
	return r;
}

static int copy_dir(struct cp *cp, const struct walk_node *node, int dir, const char *name,
                    const char *shown, size_t depth)
{
	int fd, r;

	if (!cp->recursive)
		return -EISDIR;
	if (depth == WALK_DEPTH_MAX || loops(cp, node->ino, depth))
		return -ELOOP;
	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = copy_entries(cp, node->ino, fd, shown, depth);
	keep_attributes(fd, &node->st);
	close(fd);
	return r;
}

static void copy_node(struct cp *cp, const struct walk_node *node, int dir, const char *name,
                      const char *shown, size_t depth)
{
	int r;

	if (S_ISREG(node->st.st_mode))
		r = copy_file(cp, node, dir, name);
	else if (S_ISDIR(node->st.st_mode))
		r = copy_dir(cp, node, dir, name, shown, depth);
	else if (S_ISLNK(node->st.st_mode))
		r = copy_link(cp, node, dir, name);
	else
		r = -EOPNOTSUPP;
	if (r)
		report(cp, shown, r);
}

/* ---- operands ---- */

/* The last component of path into out; "" for the root. */
static void last_name(const char *path, char *out, size_t size)
{
	size_t end = strlen(path), start;

	while (end && path[end - 1] == '/')
		end--;
	for (start = end; start && path[start - 1] != '/'; start--)
		;
	snprintf(out, size, "%.*s", (int)(end - start), path + start);
}

/* A path's folder, opened, and its last name. */
static int open_folder(const char *path, char *name, size_t size)
{
	char *copy = strdup(path), *slash;
	int fd;

	if (!copy)
		return -ENOMEM;
	last_name(path, name, size);
	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
		copy[n - 1] = '\0';
	slash = strrchr(copy, '/');
	if (slash)
		slash[slash == copy] = '\0';
	fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	return fd < 0 ? -errno : fd;
}

static void copy_operand(struct cp *cp, const struct walk_node *node, const char *path,
                         const char *dest, bool into)
{
	char name[1024], dest_name[1024];
	int dir, r;

	last_name(path, name, sizeof name);
	if (!into) {
		dir = open_folder(dest, dest_name, sizeof dest_name);
		if (dir < 0)
			report(cp, dest, dir);
		else
			copy_node(cp, node, dir, dest_name, path, 0);
	} else {
		dir = open(dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0) {
			report(cp, dest, -errno);
		} else if (name[0] && strcmp(name, ".") && strcmp(name, "..")) {
			copy_node(cp, node, dir, name, path, 0);
		} else { /* the root has no name: what is in it goes into dest */
			r = cp->recursive ? copy_entries(cp, node->ino, dir, "", 0) : -EISDIR;
			if (r)
				report(cp, path, r);
		}
	}
	if (dir >= 0)
		close(dir);
}

static void copy_all(struct cp *cp, struct cli *cli)
{
	const char *dest = cli->args[cli->nargs - 1];
	int n = cli->nargs - 2;
	struct walk_node *nodes = calloc((size_t)n, sizeof *nodes);
	struct stat st;
	bool into = stat(dest, &st) == 0 && S_ISDIR(st.st_mode);
	uint64_t total = 0;
	size_t seen = 0;

	if (!nodes) {
		report(cp, dest, -ENOMEM);
		return;
	}
	if (n > 1 && !into) {
		report(cp, dest, -ENOTDIR);
		free(nodes);
		return;
	}
	/* Walking everything twice is for a bar that somebody sees. */
	progress_begin(&cp->progress, 0, cli->quiet);
	for (int i = 0; i < n; i++) {
		int r = walk_find(cp->tree, cli->args[i + 1], true, &nodes[i]);

		if (r)
			report(cp, cli->args[i + 1], r);
		else if (cp->progress.shown)
			total += measure(cp, &nodes[i], 0, &seen);
	}
	progress_begin(&cp->progress, total, cli->quiet);
	for (int i = 0; i < n; i++)
		if (nodes[i].ino)
			copy_operand(cp, &nodes[i], cli->args[i + 1], dest, into);
	progress_end(&cp->progress);
	free(nodes);
}

int cmd_cp(struct cli *cli)
{
	struct cp *cp = calloc(1, sizeof *cp);
	struct platter *p;
	int status;

	if (cp)
		cp->buf = malloc(STEP);
	if (!cp || !cp->buf) {
		free(cp);
		complain("no memory");
		return EXIT_SYSTEM;
	}
	status = walk_open(cli, &p, &cp->tree);
	if (!status) {
		cp->recursive = cli->recursive;
		copy_all(cp, cli);
		status = walk_close(p, cp->tree, cp->status);
	}
	free(cp->buf);
	free(cp);
	return status;
}
