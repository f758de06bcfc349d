/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ls: the files inside an image, without mounting it. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "text.h"
#include "walk.h"

struct ls {
	struct platter_tree *tree;
	bool longer, recursive, terminal;
	int status;
	platter_ino above[WALK_DEPTH_MAX]; /* the directories that the current one is in */
};

/* A name must not drive the terminal that it is shown on. */
static void put_name(const struct ls *ls, const char *name)
{
	char plain[1024];

	if (ls->terminal) {
		text_plain(name, strlen(name), plain, sizeof plain);
		name = plain;
	}
	fputs(name, stdout);
}

static void put_mode(mode_t mode)
{
	static const char letters[] = "rwxrwxrwx";
	char text[11];

	text[0] = S_ISDIR(mode)    ? 'd'
	          : S_ISLNK(mode)  ? 'l'
	          : S_ISFIFO(mode) ? 'p'
	          : S_ISSOCK(mode) ? 's'
	                           : '-';
	for (int i = 0; i < 9; i++)
		text[i + 1] = mode & (0400u >> i) ? letters[i] : '-';
	text[10] = '\0';
	fputs(text, stdout);
}

static void put_long(struct ls *ls, const struct walk_entry *e)
{
	char when[32] = "?", target[4096];
	struct tm tm;
	size_t len;

	if (localtime_r(&e->st.st_mtim.tv_sec, &tm))
		strftime(when, sizeof when, "%Y-%m-%d %H:%M", &tm);
	put_mode(e->st.st_mode);
	printf(" %3lu %5u %5u %12lld %s ", (unsigned long)e->st.st_nlink, (unsigned)e->st.st_uid,
	       (unsigned)e->st.st_gid, (long long)e->st.st_size, when);
	put_name(ls, e->name);
	if (S_ISLNK(e->st.st_mode) &&
	    platter_tree_readlink(ls->tree, e->ino, target, sizeof target - 1, &len) == 0) {
		target[len] = '\0';
		fputs(" -> ", stdout);
		put_name(ls, target);
	}
}

static void put_entry(struct ls *ls, const struct walk_entry *e)
{
	if (ls->longer)
		put_long(ls, e);
	else
		put_name(ls, e->name);
	putchar('\n');
}

static void report(struct ls *ls, const char *path, int r)
{
	complain("%s: %s", path, strerror(-r));
	ls->status = EXIT_IMAGE;
}

static bool loops(const struct ls *ls, platter_ino ino, size_t depth)
{
	for (size_t i = 0; i < depth; i++)
		if (ls->above[i] == ino)
			return true;
	return false;
}

static void list_dir(struct ls *ls, platter_ino dir, const char *path, size_t depth);

static void list_below(struct ls *ls, platter_ino dir, struct walk_entry *e, const char *path,
                       size_t depth)
{
	char *below;
	int r = walk_enter(ls->tree, dir, e);

	if (asprintf(&below, "%s%s%s", path, strcmp(path, "/") ? "/" : "", e->name) < 0) {
		report(ls, path, -ENOMEM);
		return;
	}
	if (r)
		report(ls, below, r);
	else if (depth == WALK_DEPTH_MAX || loops(ls, e->ino, depth))
		report(ls, below, -ELOOP);
	else {
		putchar('\n');
		list_dir(ls, e->ino, below, depth);
	}
	free(below);
}

static void list_dir(struct ls *ls, platter_ino dir, const char *path, size_t depth)
{
	struct walk_entry *entries;
	size_t count;
	int r = walk_list(ls->tree, dir, &entries, &count);

	ls->above[depth] = dir;
	if (ls->recursive) {
		put_name(ls, path);
		puts(":");
	}
	for (size_t i = 0; i < count; i++)
		put_entry(ls, &entries[i]);
	if (r)
		report(ls, path, r);
	for (size_t i = 0; ls->recursive && i < count; i++)
		if (S_ISDIR(entries[i].st.st_mode))
			list_below(ls, dir, &entries[i], path, depth + 1);
	walk_list_free(entries, count);
}

static void list_path(struct ls *ls, const char *path)
{
	struct walk_entry e = {.name = (char *)path};
	struct walk_node node;
	int r = walk_find(ls->tree, path, !ls->longer, &node);

	if (r) {
		report(ls, path, r);
	} else if (S_ISDIR(node.st.st_mode)) {
		list_dir(ls, node.ino, path, 0);
	} else {
		e.ino = node.ino;
		e.st = node.st;
		put_entry(ls, &e);
	}
}

int cmd_ls(struct cli *cli)
{
	struct ls *ls = calloc(1, sizeof *ls);
	struct platter *p;
	int status;

	if (!ls) {
		complain("no memory");
		return EXIT_SYSTEM;
	}
	status = walk_open(cli, &p, &ls->tree);
	if (!status) {
		ls->longer = cli->longer;
		ls->recursive = cli->recursive;
		ls->terminal = isatty(STDOUT_FILENO);
		list_path(ls, cli->nargs > 1 ? cli->args[1] : "/");
		status = walk_close(p, ls->tree, ls->status);
	}
	free(ls);
	return status;
}
