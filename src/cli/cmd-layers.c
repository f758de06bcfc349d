/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot, rollback and flatten: the layers of an overlay. */
#include "config.h"

#include <stdio.h>

#include "cli.h"
#include "overlays.h"
#include "progress.h"

int cmd_snapshot(struct cli *cli)
{
	struct overlay_operand o;
	struct platter_error err;
	int status = overlay_operand_at_rest(cli, cli->args[0], &o);

	if (status == EXIT_OK && platter_overlay_snapshot(o.overlay, cli->args[1], &err) != 0)
		status = complain_error(&err);
	overlay_operand_free(&o);
	return status;
}

static int ask_rollback(struct cli *cli, const char *overlay, const char *name)
{
	struct platter_overlay_status st;
	struct platter_error err;
	char what[2048];

	if (platter_overlay_get_status(overlay, &st, &err) != 0)
		return complain_error(&err);
	snprintf(what, sizeof what,
	         "%.900s goes back to %.255s, and its %llu blocks written since its last snapshot "
	         "are removed for ever",
	         overlay, name, (unsigned long long)st.blocks);
	return overlay_consent(cli, "rollback", what);
}

int cmd_rollback(struct cli *cli)
{
	const char *name = cli->args[1];
	struct overlay_operand o;
	struct platter_error err;
	int status = overlay_operand_at_rest(cli, cli->args[0], &o);

	if (status == EXIT_OK)
		status = ask_rollback(cli, o.overlay, name);
	if (status == EXIT_OK && platter_overlay_rollback(o.overlay, name, &err) != 0)
		status = complain_error(&err);
	overlay_operand_free(&o);
	return status;
}

int cmd_flatten(struct cli *cli)
{
	struct progress bar;
	struct platter_progress progress = {.step = progress_step, .arg = &bar};
	struct overlay_operand o;
	struct platter_error err;
	int status = overlay_operand_at_rest(cli, cli->args[0], &o);

	progress_begin(&bar, 0, cli->quiet);
	if (status == EXIT_OK && platter_overlay_flatten(o.overlay, &progress, &err) != 0)
		status = complain_error(&err);
	progress_end(&bar);
	overlay_operand_free(&o);
	return status;
}
