/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cat: a file of an image, or the bytes of a partition, on stdout. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "walk.h"

#define STEP ((size_t)1 << 20)

static int write_all(const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy_out(struct platter_tree *tree, const struct walk_node *node, const char *what)
{
	char *buf = malloc(STEP);
	uint64_t off = 0;
	size_t got = 1;
	int r = buf ? 0 : -ENOMEM, out = 0;

	while (!r && !out && got) {
		r = platter_tree_read(tree, node->ino, buf, STEP, off, &got);
		if (!r)
			out = write_all(buf, got);
		off += got;
	}
	free(buf);
	if (r)
		complain("%s: %s at byte %llu", what, strerror(-r), (unsigned long long)off);
	else if (out)
		complain("standard output: %s", strerror(-out));
	return r ? EXIT_IMAGE : out ? EXIT_SYSTEM : EXIT_OK;
}

static int cat_path(struct platter_tree *tree, const char *path)
{
	struct walk_node node;
	int r = walk_find(tree, path, true, &node);

	if (!r && S_ISDIR(node.st.st_mode))
		r = -EISDIR;
	if (r) {
		complain("%s: %s", path, strerror(-r));
		return EXIT_IMAGE;
	}
	return copy_out(tree, &node, path);
}

static int cat_device(struct cli *cli)
{
	struct platter_tree *tree;
	struct platter_error err;
	struct platter *p;
	char path[32];
	int status;

	if (cli->part == PLATTER_PART_ALL) {
		complain("cat: needs a PATH, or -p N for the bytes of a partition (0: the whole "
		         "disk)");
		return EXIT_USAGE;
	}
	p = cli_open(cli, cli->args[0]);
	if (!p)
		return cli->open_status;
	if (platter_attach(p, cli->part, &cli->view, &tree, &err) != 0) {
		status = complain_error(&err);
		platter_close(p);
		return status;
	}
	snprintf(path, sizeof path, cli->part ? "parts/%d" : "disk", cli->part);
	return walk_close(p, tree, cat_path(tree, path));
}

int cmd_cat(struct cli *cli)
{
	struct platter_tree *tree;
	struct platter *p;
	int status;

	if (cli->nargs < 2)
		return cat_device(cli);
	status = walk_open(cli, &p, &tree);
	return status ? status : walk_close(p, tree, cat_path(tree, cli->args[1]));
}
