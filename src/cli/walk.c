/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINKS_MAX  40
#define TARGET_MAX 4096

/* The way from the root to where the walk stands, for "..". */
struct trail {
	struct walk_node nodes[WALK_DEPTH_MAX];
	size_t n;
};

static struct walk_node *top(struct trail *t)
{
	return &t->nodes[t->n - 1];
}

static int step(struct platter_tree *tree, struct trail *t, const char *name, size_t len)
{
	struct walk_node next;
	int r;

	if (len == 1 && name[0] == '.')
		return 0;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		t->n -= t->n > 1;
		return 0;
	}
	if (!S_ISDIR(top(t)->st.st_mode))
		return -ENOTDIR;
	if (t->n == WALK_DEPTH_MAX)
		return -ENAMETOOLONG;
	r = platter_tree_lookup(tree, top(t)->ino, name, len, &next.ino, &next.st);
	if (!r)
		t->nodes[t->n++] = next;
	return r;
}

/* Replace the link on top of the trail and what is left of the path by its target and the rest. */
static int follow_link(struct platter_tree *tree, struct trail *t, const char *rest, char **path)
{
	char target[TARGET_MAX], *joined;
	size_t len;
	int r = platter_tree_readlink(tree, top(t)->ino, target, sizeof target, &len);

	if (r)
		return r;
	t->n--;
	if (len && target[0] == '/')
		t->n = 1;
	if (strlen(rest) > TARGET_MAX)
		return -ENAMETOOLONG;
	joined = malloc(len + 1 + strlen(rest) + 1);
	if (!joined)
		return -ENOMEM;
	memcpy(joined, target, len);
	joined[len] = '/';
	strcpy(joined + len + 1, rest);
	free(*path);
	*path = joined;
	return 0;
}

static int walk(struct platter_tree *tree, struct trail *t, char **path, bool follow)
{
	const char *p = *path;
	unsigned links = 0;
	int r = 0;

	while (!r) {
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (len == 0)
			return 0;
		r = step(tree, t, p, len);
		p += len;
		if (r || !S_ISLNK(top(t)->st.st_mode) || (!follow && p[strspn(p, "/")] == '\0'))
			continue;
		if (++links > LINKS_MAX)
			return -ELOOP;
		r = follow_link(tree, t, p, path);
		p = *path;
	}
	return r;
}

int walk_find(struct platter_tree *tree, const char *path, bool follow, struct walk_node *out)
{
	struct trail *t = malloc(sizeof *t);
	char *rest = strdup(path);
	int r = t && rest ? 0 : -ENOMEM;

	if (!r) {
		t->n = 1;
		t->nodes[0].ino = 1;
		r = platter_tree_stat(tree, 1, &t->nodes[0].st);
	}
	if (!r)
		r = walk(tree, t, &rest, follow);
	if (!r)
		*out = *top(t);
	free(rest);
	free(t);
	return r;
}

/* ---- listing ---- */

struct collecting {
	struct walk_entry *entries;
	size_t count, allocated;
	bool failed;
};

static int collect(void *arg, const char *name, platter_ino ino, const struct stat *st,
                   uint64_t next)
{
	struct collecting *c = arg;
	struct walk_entry e = {.ino = ino, .st = *st};

	(void)next;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (c->count == c->allocated) {
		size_t more = c->allocated ? 2 * c->allocated : 64;
		struct walk_entry *grown = reallocarray(c->entries, more, sizeof *grown);

		if (!grown) {
			c->failed = true;
			return 1;
		}
		c->entries = grown;
		c->allocated = more;
	}
	e.name = strdup(name);
	if (!e.name) {
		c->failed = true;
		return 1;
	}
	c->entries[c->count++] = e;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct walk_entry *)a)->name, ((const struct walk_entry *)b)->name);
}

int walk_list(struct platter_tree *tree, platter_ino dir, struct walk_entry **out, size_t *count)
{
	struct collecting c = {0};
	int r = platter_tree_readdir(tree, dir, 0, collect, &c);

	if (c.count)
		qsort(c.entries, c.count, sizeof *c.entries, by_name);
	*out = c.entries;
	*count = c.count;
	return c.failed ? -ENOMEM : r;
}

void walk_list_free(struct walk_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(entries[i].name);
	free(entries);
}

int walk_enter(struct platter_tree *tree, platter_ino dir, struct walk_entry *entry)
{
	if (entry->ino)
		return 0;
	return platter_tree_lookup(tree, dir, entry->name, strlen(entry->name), &entry->ino,
	                           &entry->st);
}

/* ---- opening ---- */

int walk_open(struct cli *cli, struct platter **p, struct platter_tree **tree)
{
	struct platter_error err;
	int status;

	*tree = NULL;
	*p = cli_open(cli, cli->args[0]);
	if (!*p)
		return cli->open_status;
	if (platter_mount(*p, cli->part, &cli->view, tree, &err) == 0)
		return EXIT_OK;
	status = complain_error(&err);
	platter_close(*p);
	*p = NULL;
	return status;
}

int walk_close(struct platter *p, struct platter_tree *tree, int status)
{
	int r;

	platter_tree_close(tree);
	r = platter_close(p);
	if (r) {
		complain("the overlay cannot be closed: %s", strerror(-r));
		return status ? status : EXIT_SYSTEM;
	}
	return status;
}
