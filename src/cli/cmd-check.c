/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "overlays.h"
#include "text.h"

static void tell(void *arg, const char *line)
{
	char plain[1024];

	(void)arg;
	text_plain(line, strlen(line), plain, sizeof plain);
	puts(plain);
}

static int report(const char *overlay, const struct platter_overlay_check *c)
{
	unsigned left = c->problems - c->repaired;

	if (left)
		complain("%s: %u problems, %llu blocks lost or in doubt", overlay, left,
		         (unsigned long long)c->lost);
	else if (c->repaired)
		printf("%s: %u problems repaired, %llu blocks held\n", overlay, c->repaired,
		       (unsigned long long)c->blocks);
	else
		printf("%s: sound, %llu blocks held\n", overlay, (unsigned long long)c->blocks);
	return left ? EXIT_IMAGE : EXIT_OK;
}

int cmd_check(struct cli *cli)
{
	struct platter_overlay_check result;
	struct overlay_operand o;
	struct platter_error err;
	int status = overlay_operand_at_rest(cli, cli->args[0], &o);

	if (status == EXIT_OK &&
	    platter_overlay_check(o.overlay, cli->repair, tell, NULL, &result, &err) != 0)
		status = complain_error(&err);
	else if (status == EXIT_OK)
		status = report(o.overlay, &result);
	overlay_operand_free(&o);
	return status;
}
