/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff: what an overlay changes. The exit status is that of diff(1): 0 same, 1 differ, 2 trouble.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd-diff.h"
#include "overlays.h"

enum { DIFF_SAME = 0, DIFF_DIFFER = 1, DIFF_TROUBLE = 2 };

void diff_trouble(struct diff *d, const char *what, int r)
{
	complain("%s: %s", what, strerror(-r));
	d->trouble = true;
}

/* ---- ranges ---- */

struct ranges {
	uint64_t bytes, count;
};

static void put_range(struct diff *d, const struct ranges *sum, const struct platter_change *c)
{
	if (d->cli->json) {
		json_open(&d->json, NULL, '{');
		json_number(&d->json, "start", c->start);
		json_number(&d->json, "size", c->size);
		if (c->part)
			json_number(&d->json, "partition", c->part);
		else
			json_null(&d->json, "partition");
		json_close(&d->json, '}');
		return;
	}
	if (sum->count == 1 && !d->cli->quiet)
		printf("%15s %15s %15s %9s\n", "start", "end", "size", "partition");
	printf("%15" PRIu64 " %15" PRIu64 " %15" PRIu64 " ", c->start, c->start + c->size, c->size);
	if (c->part)
		printf("%9" PRIu32 "\n", c->part);
	else
		printf("%9s\n", "-");
}

/* The window of the partition that was asked for. */
static int find_window(struct diff *d, uint64_t *start, uint64_t *end)
{
	struct platter_part_info part;
	struct platter_info info;

	platter_get_info(d->merged, &info);
	*start = 0;
	*end = info.virtual_size;
	if (d->cli->part <= 0)
		return 0;
	for (size_t i = 0; i < info.nparts; i++) {
		platter_get_part(d->merged, i, &part);
		if (part.number != (uint32_t)d->cli->part)
			continue;
		*start = part.start;
		*end = part.size > UINT64_MAX - part.start ? UINT64_MAX : part.start + part.size;
		return 0;
	}
	complain("%s: no partition %d", d->overlay, d->cli->part);
	return -ENOENT;
}

static void diff_ranges(struct diff *d)
{
	struct platter_error err;
	struct platter_change c;
	struct ranges sum = {0};
	uint64_t at, end;
	int r;

	if (find_window(d, &at, &end) != 0) {
		d->trouble = true;
		return;
	}
	if (d->cli->json)
		json_open(&d->json, "ranges", '[');
	while ((r = platter_diff_next(d->ranges, at, end, &c, &err)) == 0) {
		sum.bytes += c.size;
		sum.count++;
		put_range(d, &sum, &c);
		at = c.start + c.size;
	}
	d->differ = sum.count > 0;
	if (r != -ENXIO) {
		complain("%s: %s", d->overlay, err.text);
		d->trouble = true;
	} else if (d->cli->json) {
		json_close(&d->json, ']');
		json_number(&d->json, "changed_bytes", sum.bytes);
	} else if (sum.count && !d->cli->quiet) {
		printf("%" PRIu64 " bytes in %" PRIu64 " range%s\n", sum.bytes, sum.count,
		       sum.count == 1 ? "" : "s");
	}
}

/* ---- the command ---- */

static void compare(struct diff *d)
{
	struct platter_error err;

	if (platter_diff_open(d->merged, &d->ranges, &err) != 0) {
		complain_error(&err);
		d->trouble = true;
		return;
	}
	if (d->cli->json) {
		json_open(&d->json, NULL, '{');
		json_string(&d->json, "overlay", platter_overlay_path(d->merged));
		json_string(&d->json, "image", platter_path(d->merged));
	}
	if (d->cli->files || d->cli->tar)
		diff_filesystems(d);
	else
		diff_ranges(d);
	/* After trouble the object stays open, lest somebody take it for all there is. */
	if (d->cli->json && !d->trouble)
		json_close(&d->json, '}');
	if (d->cli->json)
		putchar('\n');
	platter_diff_close(d->ranges);
}

static void compare_into(struct diff *d, const char *tar)
{
	if (tar && tar_open(tar, &d->tar) != 0) {
		d->trouble = true;
		return;
	}
	compare(d);
	if (d->tar && tar_close(d->tar, !d->trouble) != 0)
		d->trouble = true;
}

int cmd_diff(struct cli *cli)
{
	struct diff d = {.cli = cli, .json = {.out = stdout}};
	struct overlay_operand o;
	bool files = cli->files || cli->tar;

	d.list = cli->files || cli->json;
	d.terminal = isatty(STDOUT_FILENO);
	if (cli->tar && strcmp(cli->tar, "-") == 0 && d.list) {
		complain("diff: --tar - has standard output for itself");
		return DIFF_TROUBLE;
	}
	if (overlay_operand_find(cli, cli->args[0], &o) != EXIT_OK ||
	    overlay_operand_open(cli, &o, &d.merged, files ? &d.plain : NULL) != EXIT_OK) {
		overlay_operand_free(&o);
		return DIFF_TROUBLE;
	}
	d.overlay = o.overlay;
	compare_into(&d, cli->tar);
	platter_abandon(d.plain);
	platter_abandon(d.merged);
	overlay_operand_free(&o);
	return d.trouble ? DIFF_TROUBLE : d.differ ? DIFF_DIFFER : DIFF_SAME;
}
