/* SPDX-License-Identifier: GPL-2.0-or-later */
/* export: an image with the changes of an overlay, as a new file. */
#include "config.h"

#include "cli.h"
#include "overlays.h"
#include "writeout.h"

int cmd_export(struct cli *cli)
{
	struct platter_export how = {0};
	struct overlay_operand o = {0};
	struct platter *p = NULL;
	int status = writeout_choose(cli, cli->args[1], &how);

	if (status)
		return status;
	status = overlay_operand_unmounted(cli, cli->args[0], &o);
	if (!status)
		status = overlay_operand_open(cli, &o, &p, NULL);
	overlay_operand_free(&o);
	if (!status)
		status = writeout_copy(cli, p, cli->args[1], &how);
	platter_abandon(p);
	return status;
}
