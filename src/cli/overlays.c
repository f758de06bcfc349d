/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "overlays.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mounts.h"

/* Have a mount write down what it holds; that it cannot is seen in what it wrote. */
static void sync_mount(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!fsync(fd);
	close(fd);
}

/* Take over what the mount says of itself. The last of several on one directory counts. */
static void take_mount(struct overlay_operand *o, const struct mount *m)
{
	sync_mount(m->dir);
	overlay_operand_free(o);
	o->overlay = strdup(m->overlay ? m->overlay : "");
	o->image = strdup(m->image);
	o->mounted = true;
}

/* Find the mount on dir, or (dir NULL) the one that has the file overlay open. */
static void find_mount(const char *dir, const char *overlay, struct overlay_operand *o)
{
	size_t count;
	struct mount *mounts = mounts_read(&count);

	for (size_t i = 0; i < count; i++) {
		if (dir && strcmp(mounts[i].dir, dir) != 0)
			continue;
		mounts_ask(&mounts[i]);
		if (dir ? mounts[i].answers
		        : mounts[i].overlay && strcmp(mounts[i].overlay, overlay) == 0)
			take_mount(o, &mounts[i]);
	}
	mounts_free(mounts, count);
}

int overlay_operand_find(struct cli *cli, const char *operand, struct overlay_operand *o)
{
	char *dir = mounts_resolve(operand), *file;

	*o = (struct overlay_operand){0};
	if (dir)
		find_mount(dir, NULL, o);
	free(dir);
	file = o->mounted ? NULL : realpath(operand, NULL);
	/* Only then are all mounts asked: one that hangs would hang this. */
	if (file && platter_overlay_in_use(file))
		find_mount(NULL, file, o);
	free(file);
	if (!o->mounted)
		o->overlay = strdup(operand);
	if (cli->base) {
		free(o->image);
		o->image = strdup(cli->base);
	}
	if (o->mounted && (!o->overlay || !o->overlay[0])) {
		complain("%s: has no overlay", operand);
		return EXIT_IMAGE;
	}
	if (o->mounted && strcmp(o->overlay, "ram") == 0) {
		complain("%s: its overlay is in memory; platter keep makes it a file", operand);
		return EXIT_IMAGE;
	}
	if (!o->overlay) {
		complain("%s: no memory", operand);
		return EXIT_SYSTEM;
	}
	return EXIT_OK;
}

int overlay_operand_unmounted(struct cli *cli, const char *operand, struct overlay_operand *o)
{
	int status = overlay_operand_find(cli, operand, o);

	if (status != EXIT_OK || !o->mounted)
		return status;
	complain("%s: is attached: umount it first", operand);
	return EXIT_IMAGE;
}

int overlay_operand_at_rest(struct cli *cli, const char *operand, struct overlay_operand *o)
{
	int status = overlay_operand_find(cli, operand, o);

	if (status != EXIT_OK || !o->mounted)
		return status;
	complain("%s: is attached; platter umount detaches it", operand);
	return EXIT_IMAGE;
}

void overlay_operand_free(struct overlay_operand *o)
{
	free(o->overlay);
	free(o->image);
	*o = (struct overlay_operand){0};
}

int overlay_operand_open(struct cli *cli, const struct overlay_operand *o, struct platter **merged,
                         struct platter **plain)
{
	struct platter_options opt = cli->open;
	struct platter_error err;
	char *found = NULL;
	const char *image = o->image;
	int r = 0;

	*merged = NULL;
	if (plain)
		*plain = NULL;
	if (!image) {
		r = platter_overlay_find_image(o->overlay, &found, &err);
		image = found;
	}
	opt.overlay = o->overlay;
	opt.overlay_ro = true;
	opt.overlay_live = o->mounted;
	if (!r)
		r = platter_open(image, &opt, merged, &err);
	if (!r && plain) {
		/* The overlay has written down what the image is; it is not guessed again. */
		opt.format = platter_format(*merged);
		opt.overlay = NULL;
		opt.overlay_ro = false;
		r = platter_open(image, &opt, plain, &err);
	}
	free(found);
	if (!r)
		return EXIT_OK;
	platter_abandon(*merged);
	*merged = NULL;
	return complain_error(&err);
}

int overlay_consent(struct cli *cli, const char *command, const char *what)
{
	char answer[16];

	if (cli->yes)
		return EXIT_OK;
	if (!isatty(STDIN_FILENO)) {
		complain("%s: %s: --yes says that this is meant", command, what);
		return EXIT_USAGE;
	}
	fprintf(stderr, "%s. Go on? [y/N] ", what);
	if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return EXIT_OK;
	complain("%s: nothing was done", command);
	return EXIT_USER;
}
