/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert: a disk as a new image, or back onto a block device; create: one of zeros. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "overlays.h"
#include "writeout.h"

/* ---- a block device as the destination ---- */

static bool is_device(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

/* In words, what is on it now. */
static void describe(const char *device, char *out, size_t size)
{
	struct platter_options opt = {.format = "raw"};
	struct platter_error err;
	struct platter_info info;
	struct platter *p;
	size_t n;

	if (platter_open(device, &opt, &p, &err) != 0) {
		snprintf(out, size, "which cannot be read");
		return;
	}
	platter_get_info(p, &info);
	n = (size_t)snprintf(out, size, "%.1f GiB", (double)info.virtual_size / (1 << 30));
	if (info.fs.type[0])
		n += (size_t)snprintf(out + n, size - n, ", %s %s", info.fs.type, info.fs.label);
	if (strcmp(info.scheme, "none") != 0)
		n += (size_t)snprintf(out + n, size - n, ", %s table", info.scheme);
	for (size_t i = 0; i < info.nparts && n < size && strcmp(info.scheme, "none") != 0; i++) {
		struct platter_part_info part;

		platter_get_part(p, i, &part);
		n += (size_t)snprintf(out + n, size - n, ", %u: %s", part.number,
		                      part.fs.type[0]  ? part.fs.type
		                      : part.container ? "extended"
		                      : part.type_name ? part.type_name
		                                       : "unknown");
	}
	if (n < size && !info.fs.type[0] && strcmp(info.scheme, "none") == 0)
		snprintf(out + n, size - n, ", nothing on it that is recognised");
	platter_abandon(p);
}

/* Whether what is on the device may go. */
static int may_overwrite(struct cli *cli, const char *src, const char *dst)
{
	char now[512], what[2048];
	int fd;

	fd = open(dst, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		complain("%s: %s", dst,
		         errno == EBUSY ? "is mounted or otherwise in use" : strerror(errno));
		return EXIT_IMAGE;
	}
	close(fd);
	describe(dst, now, sizeof now);
	snprintf(what, sizeof what, "this overwrites %s (%s) with %s", dst, now, src);
	return overlay_consent(cli, "convert", what);
}

/* ---- convert ---- */

static int open_source(struct cli *cli, const char *src, struct platter **p)
{
	struct overlay_operand o = {0};
	int status;

	if (!platter_is_overlay(src)) {
		*p = cli_open(cli, src);
		return *p ? EXIT_OK : cli->open_status;
	}
	if (cli->open.overlay || cli->overlay_beside || cli->open.overlay_ram) {
		complain("%s: is an overlay itself, it takes no --overlay", src);
		return EXIT_USAGE;
	}
	status = overlay_operand_unmounted(cli, src, &o);
	if (!status)
		status = overlay_operand_open(cli, &o, p, NULL);
	overlay_operand_free(&o);
	return status;
}

int cmd_convert(struct cli *cli)
{
	const char *src = cli->args[0], *dst = cli->args[1];
	struct platter_export how = {.part = cli->part};
	struct platter *p = NULL;
	int status;

	how.device = is_device(dst);
	status = writeout_choose(cli, dst, &how);
	if (!status)
		status = open_source(cli, src, &p);
	if (!status && how.device)
		status = may_overwrite(cli, src, dst);
	if (!status)
		status = writeout_copy(cli, p, dst, &how);
	platter_abandon(p);
	return status;
}

/* ---- create ---- */

int cmd_create(struct cli *cli)
{
	const char *dst = cli->args[0];
	struct platter_export how = {0};
	struct platter_error err;
	uint64_t size;
	int status = writeout_choose(cli, dst, &how), r;

	if (status)
		return status;
	if (!cli_parse_bytes(cli->args[1], &size) || size == 0) {
		complain("create: %s: not a size, which is a number of bytes, or of K, M, G, T or "
		         "P",
		         cli->args[1]);
		return EXIT_USAGE;
	}
	r = platter_create(dst, size, &how, &err);
	if (r)
		complain("%s", err.text);
	return r ? copy_status(r) : EXIT_OK;
}
