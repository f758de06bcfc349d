/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "holders.h"
#include "mounts.h"
#include "overlays.h"
#include "progress.h"

/* Mounts without an overlay and loop devices lock nothing, and would show old and new mixed. */
static int check_unused(const char *image)
{
	char *real = realpath(image, NULL);
	size_t count;
	struct mount *mounts = mounts_read(&count);
	int status = EXIT_OK;

	for (size_t i = 0; real && i < count && status == EXIT_OK; i++)
		if (strcmp(mounts[i].image, real) == 0) {
			complain("%s: is mounted on %s; platter umount detaches it", image,
			         mounts[i].dir);
			status = EXIT_IMAGE;
		}
	mounts_free(mounts, count);
	if (status == EXIT_OK && real && holders_print_loops(real))
		status = EXIT_IMAGE;
	free(real);
	return status;
}

static int ask(struct cli *cli, const char *overlay, const char *image)
{
	struct platter_overlay_status st;
	struct platter_error err;
	char what[4096];

	if (platter_overlay_get_status(overlay, &st, &err) != 0)
		return complain_error(&err);
	snprintf(what, sizeof what, "%s is changed for ever, and %.900s%s is removed", image,
	         overlay, st.nlayers ? " with its snapshots" : "");
	return overlay_consent(cli, "commit", what);
}

static int commit(struct cli *cli, const char *overlay, const char *image)
{
	struct progress bar;
	struct platter_progress progress = {.step = progress_step, .arg = &bar};
	struct platter_error err;
	int r, status = check_unused(image);

	if (status == EXIT_OK)
		status = ask(cli, overlay, image);
	if (status != EXIT_OK)
		return status;
	progress_begin(&bar, 0, cli->quiet);
	r = platter_overlay_commit(overlay, image, cli->undo, &progress, &err);
	progress_end(&bar);
	return r ? complain_error(&err) : EXIT_OK;
}

int cmd_commit(struct cli *cli)
{
	struct overlay_operand o;
	struct platter_error err;
	char *found = NULL;
	int status = overlay_operand_at_rest(cli, cli->args[0], &o);

	if (status == EXIT_OK && !o.image &&
	    platter_overlay_find_image(o.overlay, &found, &err) != 0)
		status = complain_error(&err);
	if (status == EXIT_OK)
		status = commit(cli, o.overlay, o.image ? o.image : found);
	free(found);
	overlay_operand_free(&o);
	return status;
}
