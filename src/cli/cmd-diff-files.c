/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff --files: two trees, walked side by side. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd-diff.h"
#include "text.h"
#include "walk.h"

#define STEP       ((size_t)1 << 18)
#define TARGET_MAX ((size_t)4096)

/* What can differ between two files of one name, in the order in which it is told. */
enum {
	WHAT_TYPE = 1 << 0,
	WHAT_CONTENT = 1 << 1,
	WHAT_SIZE = 1 << 2,
	WHAT_OWNER = 1 << 3,
	WHAT_MODE = 1 << 4,
	WHAT_TIMES = 1 << 5,
	WHAT_TARGET = 1 << 6,
};

static const char *const what_names[] = {"type", "content", "size",  "owner",
                                         "mode", "times",   "target"};

#define WHATS (sizeof what_names / sizeof *what_names)

/* A directory on the way to where the walk is. */
struct level {
	platter_ino old, new; /* 0: not there on that side */
	struct stat st;       /* of the new one */
	size_t len;           /* of its path */
	bool in_tar;
};

struct walk {
	struct diff *d;
	struct platter_tree *old, *new;
	char *path;
	size_t len, room;
	struct level levels[WALK_DEPTH_MAX + 1];
	char *bufs[2];
};

/* ---- paths ---- */

static bool push(struct walk *w, const char *name)
{
	size_t n = strlen(name), need = w->len + n + 2;

	if (need > w->room) {
		char *grown = realloc(w->path, 2 * need);

		if (!grown) {
			diff_trouble(w->d, name, -ENOMEM);
			return false;
		}
		w->path = grown;
		w->room = 2 * need;
	}
	if (w->len)
		w->path[w->len++] = '/';
	memcpy(w->path + w->len, name, n + 1);
	w->len += n;
	return true;
}

static void pop(struct walk *w, size_t len)
{
	w->len = len;
	w->path[len] = '\0';
}

static const char *shown_path(const struct walk *w)
{
	return w->len ? w->path : ".";
}

/* ---- telling ---- */

static void put_text(struct walk *w, char kind, unsigned what)
{
	const char *path = shown_path(w), *before = " (";
	char *plain = w->d->terminal ? malloc(strlen(path) + 1) : NULL;

	/* A name must not drive the terminal that it is shown on. */
	if (plain)
		text_plain(path, strlen(path), plain, strlen(path) + 1);
	printf("%c %s", kind, plain ? plain : w->d->terminal ? "?" : path);
	for (size_t i = 0; i < WHATS; i++)
		if (what & (1u << i)) {
			printf("%s%s", before, what_names[i]);
			before = ", ";
		}
	puts(what ? ")" : "");
	free(plain);
}

static void put_json(struct walk *w, char kind, unsigned what)
{
	struct json *j = &w->d->json;

	json_open(j, NULL, '{');
	json_string(j, "path", shown_path(w));
	json_string(j, "change", kind == 'A' ? "added" : kind == 'D' ? "removed" : "changed");
	json_open(j, "what", '[');
	for (size_t i = 0; i < WHATS; i++)
		if (what & (1u << i))
			json_string(j, NULL, what_names[i]);
	json_close(j, ']');
	json_close(j, '}');
}

static void tell(struct walk *w, char kind, unsigned what)
{
	w->d->differ = true;
	if (w->d->list && w->d->cli->json)
		put_json(w, kind, what);
	else if (w->d->list)
		put_text(w, kind, what);
}

/* ---- the tar ---- */

static void add(struct walk *w, platter_ino ino, const struct stat *st)
{
	if (tar_add(w->d->tar, w->new, ino, st, shown_path(w)) != 0)
		w->d->trouble = true;
}

/* The directories that lead to the one at depth, and that one. */
static void add_levels(struct walk *w, size_t depth)
{
	for (size_t i = 0; i <= depth; i++) {
		struct level *l = &w->levels[i];
		size_t len = w->len;
		char next = w->path[l->len];

		if (l->in_tar)
			continue;
		l->in_tar = true;
		w->path[w->len = l->len] = '\0';
		add(w, l->new, &l->st);
		w->len = len;
		w->path[l->len] = next;
	}
}

static void add_file(struct walk *w, const struct walk_entry *e, size_t depth)
{
	if (!w->d->tar)
		return;
	add_levels(w, depth);
	add(w, e->ino, &e->st);
}

static void add_removal(struct walk *w, const char *name, size_t depth)
{
	add_levels(w, depth);
	if (tar_remove(w->d->tar, w->path, name) != 0)
		w->d->trouble = true;
}

/* ---- comparing two nodes ---- */

/* The next byte that is in no hole of the file, its size when only holes follow. */
static int next_data(struct platter_tree *tree, platter_ino ino, uint64_t off, uint64_t size,
                     uint64_t *data)
{
	int r = platter_tree_seek(tree, ino, off, true, data);

	if (r == -ENXIO) {
		*data = size;
		return 0;
	}
	return r;
}

/*
 * How many bytes from off on are the same without being read: they stand in the same place, where
 * nothing changed.
 */
static uint64_t unchanged(struct walk *w, platter_ino old, platter_ino new, uint64_t off)
{
	uint64_t a, b, n, m;
	struct platter_change change;
	int r;

	if (platter_tree_where(w->old, old, off, &a, &n) != 0 ||
	    platter_tree_where(w->new, new, off, &b, &m) != 0 || a != b)
		return 0;
	n = n < m ? n : m;
	r = platter_diff_next(w->d->ranges, a, a + n, &change, NULL);
	/* What cannot be compared will be read, and tell why. */
	return r == -ENXIO ? n : r ? 0 : change.start - a;
}

static int same_bytes(struct walk *w, platter_ino old, platter_ino new, uint64_t size, bool *same)
{
	uint64_t off = 0, a, b;
	int r = 0;

	*same = true;
	while (*same && off < size) {
		size_t got[2];

		r = next_data(w->old, old, off, size, &a);
		if (!r)
			r = next_data(w->new, new, off, size, &b);
		if (r)
			return r;
		off = a < b ? a : b;
		if (off >= size)
			break;
		a = unchanged(w, old, new, off);
		if (a) {
			off += a;
			continue;
		}
		r = platter_tree_read(w->old, old, w->bufs[0], STEP, off, &got[0]);
		if (!r)
			r = platter_tree_read(w->new, new, w->bufs[1], STEP, off, &got[1]);
		if (!r && (got[0] != got[1] || got[0] == 0))
			r = -EIO;
		if (r)
			return r;
		*same = memcmp(w->bufs[0], w->bufs[1], got[0]) == 0;
		off += got[0];
	}
	return 0;
}

static int same_target(struct walk *w, platter_ino old, platter_ino new, bool *same)
{
	size_t len[2];
	int r = platter_tree_readlink(w->old, old, w->bufs[0], TARGET_MAX, &len[0]);

	if (!r)
		r = platter_tree_readlink(w->new, new, w->bufs[1], TARGET_MAX, &len[1]);
	*same = !r && len[0] == len[1] && memcmp(w->bufs[0], w->bufs[1], len[0]) == 0;
	return r;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static int compare(struct walk *w, const struct walk_entry *old, const struct walk_entry *new,
                   unsigned *what)
{
	const struct stat *a = &old->st, *b = &new->st;
	bool same = true;
	int r = 0;

	*what = 0;
	if ((a->st_mode & S_IFMT) != (b->st_mode & S_IFMT)) {
		*what |= WHAT_TYPE;
	} else if (S_ISREG(a->st_mode) && a->st_size != b->st_size) {
		*what |= WHAT_CONTENT | WHAT_SIZE;
	} else if (S_ISREG(a->st_mode)) {
		r = same_bytes(w, old->ino, new->ino, (uint64_t)a->st_size, &same);
		*what |= same ? 0 : WHAT_CONTENT;
	} else if (S_ISLNK(a->st_mode)) {
		r = same_target(w, old->ino, new->ino, &same);
		*what |= same ? 0 : WHAT_TARGET;
	}
	if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		*what |= WHAT_OWNER;
	if ((a->st_mode ^ b->st_mode) & 07777)
		*what |= WHAT_MODE;
	if (!same_time(&a->st_mtim, &b->st_mtim))
		*what |= WHAT_TIMES;
	return r;
}

/* ---- the walk ---- */

static void walk_dir(struct walk *w, const struct walk_entry *old, const struct walk_entry *new,
                     size_t depth, bool in_tar);

static bool is_dir(const struct walk_entry *e)
{
	return e && S_ISDIR(e->st.st_mode);
}

/* Entries of one name, NULL where there is none; depth: of their directory. */
static void visit(struct walk *w, const struct walk_entry *old, const struct walk_entry *new,
                  size_t depth)
{
	size_t len = w->len;
	unsigned what = 0;
	bool replaced = false, changed = !old || !new;

	if (!push(w, (old ? old : new)->name))
		return;
	if (!changed) {
		int r = compare(w, old, new, &what);

		if (r)
			diff_trouble(w->d, shown_path(w), r);
		changed = what != 0;
		replaced = what & WHAT_TYPE;
	}
	if (changed) {
		tell(w, !old ? 'A' : !new ? 'D' : 'M', what);
		if (new)
			add_file(w, new, depth);
	}
	if (replaced || !is_dir(old) || !is_dir(new)) {
		if (is_dir(old))
			walk_dir(w, old, NULL, depth + 1, true);
		if (is_dir(new))
			walk_dir(w, NULL, new, depth + 1, true);
	} else {
		walk_dir(w, old, new, depth + 1, changed);
	}
	pop(w, len);
}

struct listing {
	struct walk_entry *entries;
	size_t count;
};

static int list(struct walk *w, struct platter_tree *tree, const struct walk_entry *dir,
                struct listing *l)
{
	int r = dir ? walk_list(tree, dir->ino, &l->entries, &l->count) : 0;

	if (r)
		diff_trouble(w->d, shown_path(w), r);
	return r;
}

static const struct walk_entry *at(const struct listing *l, size_t i)
{
	return i < l->count ? &l->entries[i] : NULL;
}

/* Past the entry at *i and others of its name, of which the first is the one that counts. */
static void pass(const struct listing *l, size_t *i)
{
	size_t first = *i;

	while (++*i < l->count && strcmp(l->entries[*i].name, l->entries[first].name) == 0)
		;
}

typedef void pair_fn(struct walk *w, const struct walk_entry *old, const struct walk_entry *new,
                     size_t depth);

static void for_each_pair(struct walk *w, const struct listing *old, const struct listing *new,
                          pair_fn *call, size_t depth)
{
	size_t i = 0, j = 0;

	while (i < old->count || j < new->count) {
		const struct walk_entry *a = at(old, i), *b = at(new, j);
		int order = !b ? -1 : !a ? 1 : strcmp(a->name, b->name);

		call(w, order <= 0 ? a : NULL, order >= 0 ? b : NULL, depth);
		if (order <= 0)
			pass(old, &i);
		if (order >= 0)
			pass(new, &j);
	}
}

/* Removals come before everything else of a directory. */
static void remove_old(struct walk *w, const struct walk_entry *old, const struct walk_entry *new,
                       size_t depth)
{
	if (old && (!new || ((old->st.st_mode ^ new->st.st_mode) & S_IFMT)))
		add_removal(w, old->name, depth);
}

static bool loops(const struct walk *w, const struct level *here, size_t depth)
{
	for (size_t i = 0; i < depth; i++)
		if ((here->old && w->levels[i].old == here->old) ||
		    (here->new && w->levels[i].new == here->new))
			return true;
	return false;
}

static void walk_dir(struct walk *w, const struct walk_entry *old, const struct walk_entry *new,
                     size_t depth, bool in_tar)
{
	struct level here = {.len = w->len, .in_tar = in_tar};
	struct listing a = {0}, b = {0};

	if (old)
		here.old = old->ino;
	if (new) {
		here.new = new->ino;
		here.st = new->st;
	}
	if (depth > WALK_DEPTH_MAX || loops(w, &here, depth)) {
		diff_trouble(w->d, shown_path(w), -ELOOP);
		return;
	}
	w->levels[depth] = here;
	/* A listing that broke off would make the rest look removed, or added. */
	if (list(w, w->old, old, &a) == 0 && list(w, w->new, new, &b) == 0) {
		if (w->d->tar && old && new)
			for_each_pair(w, &a, &b, remove_old, depth);
		for_each_pair(w, &a, &b, visit, depth);
	}
	walk_list_free(a.entries, a.count);
	walk_list_free(b.entries, b.count);
}

static void walk_roots(struct walk *w)
{
	struct walk_entry old = {.ino = 1}, new = {.ino = 1};
	unsigned what = 0;
	int r = platter_tree_stat(w->old, 1, &old.st);

	if (!r)
		r = platter_tree_stat(w->new, 1, &new.st);
	if (!r)
		r = compare(w, &old, &new, &what);
	if (r) {
		diff_trouble(w->d, shown_path(w), r);
		return;
	}
	if (what)
		tell(w, 'M', what);
	if (what && w->d->tar)
		add(w, 1, &new.st);
	walk_dir(w, &old, &new, 0, what != 0);
}

void diff_trees(struct diff *d, struct platter_tree *old, struct platter_tree *new,
                const char *prefix)
{
	struct walk *w = calloc(1, sizeof *w);

	if (w) {
		w->d = d;
		w->old = old;
		w->new = new;
		w->bufs[0] = malloc(STEP);
		w->bufs[1] = malloc(STEP);
	}
	if (!w || !w->bufs[0] || !w->bufs[1])
		diff_trouble(d, d->overlay, -ENOMEM);
	else if (push(w, prefix))
		walk_roots(w);
	if (w) {
		free(w->bufs[0]);
		free(w->bufs[1]);
		free(w->path);
	}
	free(w);
}
