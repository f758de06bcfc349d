/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keep: the overlay in memory of a live mount becomes a file. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "control.h"
#include "mounts.h"

static int keep(const char *operand, struct mount *m, const char *path)
{
	mounts_ask(m);
	if (m->answers && m->control)
		return control_keep(operand, m->control, path);
	if (m->answers)
		complain("%s: has no overlay in memory", operand);
	else
		complain("%s: does not answer", operand);
	return EXIT_IMAGE;
}

int cmd_keep(struct cli *cli)
{
	const char *operand = cli->args[0];
	char *dir = mounts_resolve(operand), *path = mounts_resolve(cli->args[1]);
	struct mount *mounts, *found = NULL;
	size_t count;
	int status = EXIT_IMAGE;

	mounts = mounts_read(&count);
	for (size_t i = 0; dir && i < count; i++)
		if (strcmp(mounts[i].dir, dir) == 0)
			found = &mounts[i];
	if (!found) {
		complain("%s: nothing of platter is mounted there", operand);
	} else if (!path) {
		complain("%s: %s", cli->args[1], strerror(errno));
		status = EXIT_SYSTEM;
	} else {
		status = keep(operand, found, path);
	}
	mounts_free(mounts, count);
	free(path);
	free(dir);
	return status;
}
